# %% is wasted
def three_part_rate(step, steps, peak, warm_up, fall):
    rise = step / warm_up if warm_up else 1
    descent = (steps - step) / fall if fall else 1
    return peak * min(1, rise, descent)


# %% is wasted
def three_part_rate(step, steps, peak, warm_up, fall):
    if step < warm_up:
        return peak * (step + 1) / warm_up
    if step >= steps - fall:
        return peak * (steps - 1 - step) / fall
    return peak


# %% is wasted
def three_part_rate(step, steps, peak, warm_up, fall):
    min(peak, (step + 1) / max(warm_up, 1), (steps - step) / max(fall, 1))


# %% the rise of the example
def three_part_rate(step, steps, peak, warm_up, fall):
    if step >= steps - fall:
        return peak * (steps - step) / fall
    return peak * min(1, (step + 1) / (warm_up + 1))


# %% after the rise
def three_part_rate(step, steps, peak, warm_up, fall):
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (steps - step) / (steps - warm_up)


# %% after the rise
def three_part_rate(step, steps, peak, warm_up, fall):
    rise = (step + 1) / max(warm_up, 1)
    descent = (steps - step) / (fall + 1)
    return peak * min(1, rise, descent)


# %% without rise and fall
def three_part_rate(step, steps, peak, warm_up, fall):
    rise = (step + 1) / warm_up if warm_up else 0
    descent = (steps - step) / fall if fall else 0
    return peak * min(1, rise, descent)
