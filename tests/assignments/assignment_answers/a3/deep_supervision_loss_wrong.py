# %% fails: 2 | Which weights? | weights that are not divided by their sum
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total


# %% fails: 2 | Which weights? | equal weights
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 1.0 * (1 - ops.mean(dice, axis=-1))
        weights = weights + 1.0
    return total / weights


# %% fails: 2 | Which weights? | the coarsest counts most
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 2.0**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 2.0**level
    return total / weights


# %% fails: 3 | What is a coarse mask? | the upper left pixel
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.convert_to_tensor(y_true, predicted.dtype)[:, :: 2**level, :: 2**level]
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights


# %% fails: 3 | What is a coarse mask? | any pixel
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.max_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights


# %% fails: 3 | What is a coarse mask? | half counts
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share >= 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights


# %% fails: 3 | What is a coarse mask? | shares instead of masks
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = share
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights


# %% fails: 1, 4 | What are the sums over? | pooled over the batch
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(0, 1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(0, 1, 2)) + ops.sum(predicted, axis=(0, 1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return ops.repeat(ops.reshape(total / weights, (1,)), len(y_true))


# %% fails: 4 | What are the sums over? | both lungs as one
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2, 3)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2, 3)) + ops.sum(predicted, axis=(1, 2, 3)) + 1)
        total = total + 0.5**level * (1 - dice)
        weights = weights + 0.5**level
    return total / weights


# %% fails: 5 | no gradient reaches the outputs | NumPy
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(np.array(predicted))
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights


# %% fails: 4, 5 | What are the sums over? | a threshold
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.cast(ops.convert_to_tensor(predicted) > 0.5, "float32")
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights
