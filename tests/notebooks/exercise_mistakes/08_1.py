# %% small steps add up
def stops_after(losses, patience, least):
    waited = 0
    for epoch in range(1, len(losses)):
        waited = 0 if losses[epoch] < losses[epoch - 1] - least else waited + 1
        if waited == patience:
            return epoch + 1
    return None


# %% small steps add up
def stops_after(losses, patience, least):
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        waited = 0 if loss < best - least else waited + 1
        best = min(best, loss)
        if waited == patience:
            return epoch
    return None


# %% counted from 1
def stops_after(losses, patience, least):
    reference, waited = float("inf"), 0
    for epoch, loss in enumerate(losses):
        waited += 1
        if loss < reference - least:
            reference, waited = loss, 0
        if waited == patience:
            return epoch
    return None


# %% counted from 1
def stops_after(losses, patience, least):
    reference, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        waited += 1
        if loss < reference - least:
            reference, waited = loss, 0
        if waited > patience:
            return epoch
    return None


# %% counted from 1
def stops_after(losses, patience, least):
    reference, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        waited += 1
        if loss < reference:
            reference, waited = loss, 0
        if waited == patience:
            return epoch
    return None


# %% in a row
def stops_after(losses, patience, least):
    reference, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        if loss < reference - least:
            reference = loss
        else:
            waited += 1
        if waited == patience:
            return epoch
    return None


# %% in a row
def stops_after(losses, patience, least):
    reference, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        waited += 1
        if loss <= reference - least:
            reference, waited = loss, 0
        if waited == patience:
            return epoch
    return None


# %% about NaN
def stops_after(losses, patience, least):
    reference, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        if loss >= reference - least:
            waited += 1
        else:
            reference, waited = loss, 0
        if waited == patience:
            return epoch
    return None


# %% about NaN
def stops_after(losses, patience, least):
    reference, waited = losses[0], 0
    for epoch, loss in enumerate(losses[1:], 2):
        waited += 1
        if loss < reference - least:
            reference, waited = loss, 0
        if waited == patience:
            return epoch
    return None


# %% gave None
def stops_after(losses, patience, least):
    pass
