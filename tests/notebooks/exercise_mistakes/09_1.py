# %% two good lungs gave
def doubts(masks):
    first, second = masks[..., 0] > 0, masks[..., 1] > 0
    if not first.any() or not second.any():
        return {"missing"}
    found = set()
    if (first & second).any():
        found.add("overlapping")
    if np.nonzero(first)[0].mean() > np.nonzero(second)[0].mean():  # rows
        found.add("swapped")
    if max(first.sum(), second.sum()) > 3 * min(first.sum(), second.sum()):
        found.add("unequal")
    return found


# %% a second lung of no pixel gave
def doubts(masks):
    areas = masks.sum(axis=(0, 1))
    columns = np.arange(masks.shape[1])[:, None]
    centres = (masks * columns).sum(axis=(0, 1)) / np.maximum(areas, 1)
    found = set()
    if areas.min() == 0:
        found.add("missing")
    if masks.all(axis=-1).any():
        found.add("overlapping")
    if centres[0] > centres[1]:
        found.add("swapped")
    if areas.max() > 3 * areas.min():
        found.add("unequal")
    return found


# %% a small second lung gave
def doubts(masks):
    first, second = masks[..., 0] > 0, masks[..., 1] > 0
    if not first.any() or not second.any():
        return {"missing"}
    found = set()
    if (first & second).any():
        found.add("overlapping")
    if np.nonzero(first)[1].mean() > np.nonzero(second)[1].mean():
        found.add("swapped")
    if second.sum() > 3 * first.sum():
        found.add("unequal")
    return found


# %% a small first lung gave
def doubts(masks):
    first, second = masks[..., 0] > 0, masks[..., 1] > 0
    if not first.any() or not second.any():
        return {"missing"}
    found = set()
    if (first & second).any():
        found.add("overlapping")
    if np.nonzero(first)[1].mean() > np.nonzero(second)[1].mean():
        found.add("swapped")
    if first.sum() > 3 * second.sum():
        found.add("unequal")
    return found


# %% both faults gave
def doubts(masks):
    first, second = masks[..., 0] > 0, masks[..., 1] > 0
    if not first.any() or not second.any():
        return {"missing"}
    if (first & second).any():
        return {"overlapping"}
    if np.nonzero(first)[1].mean() > np.nonzero(second)[1].mean():
        return {"swapped"}
    if max(first.sum(), second.sum()) > 3 * min(first.sum(), second.sum()):
        return {"unequal"}
    return set()


# %% lungs that share pixels gave
def doubts(masks):
    first, second = masks[..., 0], masks[..., 1]
    if not first.any() or not second.any():
        return {"missing"}
    found = set()
    if (first + second).max() > 2:
        found.add("overlapping")
    if np.nonzero(first)[1].mean() > np.nonzero(second)[1].mean():
        found.add("swapped")
    if max(first.sum(), second.sum()) > 3 * min(first.sum(), second.sum()):
        found.add("unequal")
    return found
