"""Losses and training metrics: values counted by hand, pooling, empty masks, gradients, saving."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungseg_utils import losses
from lungseg_utils.pipeline import make_dataset
from lungseg_utils.recipes import RECIPES

PER_IMAGE = (losses.soft_dice, losses.dice_loss, losses.cross_entropy, losses.dice_bce, losses.hard_dice)
POOLED = (losses.pooled_dice, losses.pooled_dice_loss, losses.pooled_iou)
LOSSES = (losses.dice_loss, losses.cross_entropy, losses.dice_bce, losses.pooled_dice_loss)
value = keras.ops.convert_to_numpy

TRUE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]], "float32")  # six pixels
PREDICTED = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 0]], "float32")  # four, three of them right


def batch(*masks: np.ndarray) -> np.ndarray:
    """Stack masks into (masks, height, width, 1) float32."""
    return np.stack(masks)[..., np.newaxis].astype("float32")


def random_batch(images: int = 3, size: int = 8, channels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    shape = (images, size, size, channels)
    return (random.random(shape) < 0.4).astype("float32"), random.random(shape).astype("float32")


# Values


def test_hand_counted_masks():
    y_true, y_pred = batch(TRUE), batch(PREDICTED)
    assert value(losses.hard_dice(y_true, y_pred)) == pytest.approx([0.6])
    assert value(losses.pooled_dice(y_true, y_pred)) == pytest.approx(0.6)
    assert value(losses.pooled_iou(y_true, y_pred)) == pytest.approx(3 / 7)
    assert value(losses.soft_dice(y_true, y_pred)) == pytest.approx([(2 * 3 + 1) / (6 + 4 + 1)])


def test_soft_and_hard_differ_where_the_network_is_unsure():
    y_true, y_pred = batch(TRUE), batch(np.where(TRUE == 1, 0.6, 0.4))
    overlap, total = 6 * 0.6, 6 + 6 * 0.6 + 10 * 0.4
    assert value(losses.hard_dice(y_true, y_pred)) == pytest.approx([1])
    assert value(losses.soft_dice(y_true, y_pred)) == pytest.approx([(2 * overlap + 1) / (total + 1)])
    assert value(losses.pooled_dice(y_true, y_pred)) == pytest.approx(2 * overlap / total)
    assert value(losses.cross_entropy(y_true, y_pred)) == pytest.approx([-np.log(0.6)])


def test_losses_and_metrics_equal_their_formulas():
    y_true, y_pred = random_batch()
    soft, entropy = value(losses.soft_dice(y_true, y_pred)), value(losses.cross_entropy(y_true, y_pred))
    channels = [value(losses.soft_dice(y_true[..., i : i + 1], y_pred[..., i : i + 1])) for i in (0, 1)]
    np.testing.assert_allclose(soft, np.mean(channels, axis=0), rtol=1e-6)
    np.testing.assert_allclose(value(losses.dice_loss(y_true, y_pred)), 1 - soft, rtol=1e-6)
    np.testing.assert_allclose(value(losses.dice_bce(y_true, y_pred)), 1 - soft + entropy, rtol=1e-6)
    t, p = y_true.astype("float64").ravel(), y_pred.astype("float64").ravel()
    overlap, total = (t * p).sum(), t.sum() + p.sum()
    assert value(losses.pooled_dice(y_true, y_pred)) == pytest.approx(2 * overlap / total)
    assert value(losses.pooled_dice_loss(y_true, y_pred)) == pytest.approx(1 - 2 * overlap / total)
    assert value(losses.pooled_iou(y_true, y_pred)) == pytest.approx(overlap / (total - overlap))


def test_hard_dice_merges_the_lungs_and_takes_one_half_for_background():
    two = np.stack([TRUE, np.fliplr(TRUE)], axis=-1)[np.newaxis]
    assert value(losses.hard_dice(two, two.max(axis=-1, keepdims=True))) == pytest.approx([1])
    assert value(losses.hard_dice(batch(TRUE), batch(np.full((4, 4), 0.5)))) == pytest.approx([0], abs=1e-6)


# Per image and pooled


def test_one_number_per_image_or_one_for_all():
    for channels in (1, 2):
        y_true, y_pred = random_batch(images=3, channels=channels)
        for function in PER_IMAGE:
            together = value(function(y_true, y_pred))
            alone = np.concatenate([value(function(y_true[i : i + 1], y_pred[i : i + 1])) for i in range(3)])
            np.testing.assert_allclose(together, alone, rtol=1e-5, err_msg=function.__name__)
        for function in POOLED:
            assert value(function(y_true, y_pred)).shape == (), function.__name__


def large_right_small_wrong() -> tuple[np.ndarray, np.ndarray]:
    large, small, wrong = np.zeros((3, 8, 8))
    large[:, :4] = 1
    small[:2, :2] = 1
    wrong[-2:, -2:] = 1
    return batch(large, small), batch(large, wrong)


def test_pooling_hides_the_image_that_failed_as_keras_dice_does_by_default():
    y_true, y_pred = large_right_small_wrong()
    assert value(losses.hard_dice(y_true, y_pred)) == pytest.approx([1, 0], abs=1e-6)
    assert value(losses.pooled_dice(y_true, y_pred)) == pytest.approx(64 / 72)
    assert value(keras.losses.Dice()(y_true, y_pred)) == pytest.approx(1 - 64 / 72, abs=1e-5)


def test_a_short_last_batch_does_not_skew_the_mean():
    y_true, y_pred = (np.concatenate([part[:1], part]) for part in large_right_small_wrong())  # right, right, wrong
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Identity()])  # returns what it is given
    model.compile(loss=losses.dice_loss, metrics=[losses.hard_dice, losses.soft_dice, losses.pooled_dice])
    result = model.evaluate(y_pred, y_true, batch_size=2, verbose=0, return_dict=True)
    for name in ("hard_dice", "soft_dice", "dice_loss"):
        mean = value(getattr(losses, name)(y_true, y_pred)).mean()
        assert result[name.removeprefix("dice_")] == pytest.approx(mean, rel=1e-5), name
    assert result["pooled_dice"] == pytest.approx(0.5)  # the mean of 1 and 0: what the article's metric reports


# Empty masks and gradients


def test_no_nan_whatever_is_empty():
    for function, truth, prediction in itertools.product((*PER_IMAGE, *POOLED), (0.0, 1.0), (0.0, 0.5, 1.0)):
        which = f"{function.__name__}, truth all {truth}, prediction all {prediction}"
        masks = (np.full((2, 4, 4, 1), level, "float32") for level in (truth, prediction))
        result = value(function(*masks))
        assert np.isfinite(result).all(), which
        if truth == prediction:
            assert result == pytest.approx(0 if function in LOSSES else 1, abs=1e-6), which


def test_gradients_are_finite():
    for loss, level, truth in itertools.product(LOSSES, (-100, 0, 100), (np.zeros((4, 4)), TRUE, np.ones((4, 4)))):
        pushed = push(loss, truth, np.full((4, 4), level))
        assert np.isfinite(pushed).all(), f"{loss.__name__}, logits {level}, truth {truth.mean()}"


def push(loss, truth: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Minus the gradient with respect to the logits, (height, width)."""
    logits = tf.constant(batch(logits))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        result = loss(batch(truth), tf.sigmoid(logits))
    return -tape.gradient(result, logits).numpy()[0, ..., 0]


def test_undecided_pixels_are_pushed_the_right_way():
    for loss in LOSSES:
        pushed = push(loss, TRUE, np.zeros((4, 4)))
        assert (pushed[TRUE == 1] > 0).all() and (pushed[TRUE == 0] < 0).all(), loss.__name__


# As Keras uses them


def test_a_compiled_model_survives_saving(tmp_path):
    images = np.random.default_rng(2).random((3, 8, 8, 1)).astype("float32")
    y_true, _ = random_batch()
    for function in (*PER_IMAGE, *POOLED):
        assert keras.saving.get_registered_object(f"lungseg>{function.__name__}") is function
    for loss in (losses.dice_bce, losses.pooled_dice_loss):
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1, activation="sigmoid")])
        model.compile("adam", loss, metrics=[losses.hard_dice, losses.pooled_dice, losses.pooled_iou])
        model.train_on_batch(images, y_true)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
        before = model.evaluate(images, y_true, verbose=0, return_dict=True)
        assert loaded.evaluate(images, y_true, verbose=0, return_dict=True) == pytest.approx(before), loss.__name__


def test_stored_bytes_arrive_as_the_losses_need_them():
    masks = np.stack([TRUE, np.fliplr(TRUE)], axis=-1)[np.newaxis].astype("uint8")
    pictures = (100 * masks.max(axis=-1)).astype("uint8")
    for recipe in RECIPES.values():
        [(_, y_true)] = make_dataset(pictures, masks, recipe)
        for function in (losses.soft_dice, losses.hard_dice, losses.pooled_dice, losses.pooled_iou):
            assert value(function(y_true, y_true)) == pytest.approx(1), f"{recipe.name}, {function.__name__}"
