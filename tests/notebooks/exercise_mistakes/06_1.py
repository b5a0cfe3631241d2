# %% only not sure
def dice_per_lung(y_true, y_pred):
    shared = (y_true * y_pred).sum(axis=(1, 2))
    return (2 * shared + 1) / (y_true.sum(axis=(1, 2)) + y_pred.sum(axis=(1, 2)) + 1)


# %% the lungs are exchanged
def dice_per_lung(y_true, y_pred):
    true, predicted = y_true > 0.5, y_pred > 0.5
    shared = (true & predicted).sum(axis=(1, 2))
    return (2 * shared + 1) / (true.sum(axis=(1, 2)) + predicted.sum(axis=(1, 2)) + 1)


# %% no first lung and none predicted
def dice_per_lung(y_true, y_pred):
    true, predicted = y_true > 0.5, y_pred > 0.5
    total = true.sum(axis=(1, 2)) + predicted.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return 2 * (true & predicted).sum(axis=(1, 2)) / total


# %% no first lung and none predicted
def dice_per_lung(y_true, y_pred):
    true, predicted = y_true > 0.5, y_pred > 0.5
    shared = (true & predicted).sum(axis=(1, 2))
    return 2 * shared / np.maximum(true.sum(axis=(1, 2)) + predicted.sum(axis=(1, 2)), 1)


# %% half of the second
def dice_per_lung(y_true, y_pred):
    true, predicted = y_true > 0.5, y_pred > 0.5
    shared = (true & predicted).sum(axis=(1, 2))
    union = (true | predicted).sum(axis=(1, 2))
    return np.where(union > 0, shared / np.maximum(union, 1), 1)


# %% the other only there
def dice_per_lung(y_true, y_pred):
    true, predicted = y_true > 0.5, y_pred > 0.5
    shared = (true & predicted).sum(axis=(1, 2))
    total = true.sum(axis=(1, 2)) + predicted.sum(axis=(1, 2))
    return np.where(true.any(axis=(1, 2)), 2 * shared / np.maximum(total, 1), 1)


# %% scores of shape (4,)
def dice_per_lung(y_true, y_pred):
    return hard_dice(y_true, y_pred)


# %% scores of shape (2,)
def dice_per_lung(y_true, y_pred):
    true, predicted = y_true > 0.5, y_pred > 0.5
    return 2 * (true & predicted).sum(axis=(0, 1, 2)) / (true.sum(axis=(0, 1, 2)) + predicted.sum(axis=(0, 1, 2)))
