"""Losses and training metrics (notebook 6).

Each is registered with Keras, so that a saved model finds them again when it is loaded. Arguments are batches
(batch, height, width, channels), float32: `y_true` holds 0 and 1, `y_pred` probabilities in [0, 1]. Those that
return one value per image let Keras take a true mean over images, however short the last batch is.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import keras
from keras import ops

HEIGHT_WIDTH = (1, 2)


@keras.saving.register_keras_serializable("lungseg")
def soft_dice(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Dice coefficient of probabilities, per image: the mean over the masks; taught in notebook 6.

    Milletari, Navab and Ahmadi, "V-Net", 3DV 2016 (arXiv:1606.04797), with plain sums in the denominator. One
    is added above and below, so that two empty masks agree instead of dividing by zero.

    The result is (batch,) in (0, 1].
    """
    overlap = ops.sum(y_true * y_pred, HEIGHT_WIDTH)
    total = ops.sum(y_true, HEIGHT_WIDTH) + ops.sum(y_pred, HEIGHT_WIDTH)
    return ops.mean((2 * overlap + 1) / (total + 1), axis=-1)


@keras.saving.register_keras_serializable("lungseg")
def dice_loss(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """One minus the soft Dice coefficient; taught in notebook 6. Shape (batch,)."""
    return 1 - soft_dice(y_true, y_pred)


@keras.saving.register_keras_serializable("lungseg")
def cross_entropy(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy, the mean over the pixels of each image; taught in notebook 6. Shape (batch,)."""
    return ops.mean(ops.binary_crossentropy(y_true, y_pred), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("lungseg")
def dice_bce(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Dice loss plus cross-entropy; taught in notebook 6. Shape (batch,).

    The first looks at whole masks, the second gives every pixel a gradient. nnU-Net trains with the same sum
    (Isensee et al., Nature Methods 18, 2021).
    """
    return dice_loss(y_true, y_pred) + cross_entropy(y_true, y_pred)


@keras.saving.register_keras_serializable("lungseg")
def hard_dice(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Dice coefficient of the masks cut at 0.5, both lungs merged, per image; taught in notebook 6. Shape (batch,)."""
    true = ops.max(y_true, axis=-1) > 0.5
    predicted = ops.max(y_pred, axis=-1) > 0.5
    overlap = ops.sum(ops.cast(true & predicted, "float32"), HEIGHT_WIDTH)
    total = ops.sum(ops.cast(true, "float32") + ops.cast(predicted, "float32"), HEIGHT_WIDTH)
    return (2 * overlap + 1e-7) / (total + 1e-7)


@keras.saving.register_keras_serializable("lungseg")
def pooled_dice(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Soft Dice coefficient of a whole batch taken as one picture; taught in notebook 6.

    The article's metric, one number, with what is wrong with it.
    """
    overlap = ops.sum(y_true * y_pred)
    return (2 * overlap + 1e-15) / (ops.sum(y_true) + ops.sum(y_pred) + 1e-15)


@keras.saving.register_keras_serializable("lungseg")
def pooled_dice_loss(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """One minus `pooled_dice`: the article's loss; taught in notebook 6."""
    return 1 - pooled_dice(y_true, y_pred)


@keras.saving.register_keras_serializable("lungseg")
def pooled_iou(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Soft IoU of a whole batch taken as one picture; taught in notebook 6. The article's metric, one number."""
    overlap = ops.sum(y_true * y_pred)
    union = ops.sum(y_true) + ops.sum(y_pred) - overlap
    return (overlap + 1e-15) / (union + 1e-15)
