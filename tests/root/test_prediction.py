"""From a saved model to masks and scores of whole cases."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage
from shared import ellipse, run_python

from lungseg_utils import prediction, scores, training
from lungseg_utils.cases import find_cases
from lungseg_utils.images import load_arrays, read_masks
from lungseg_utils.prediction import clean, load_model, predict_probabilities, to_masks
from lungseg_utils.recipes import ARTICLE, LAPTOP, Recipe

keras = prediction.keras

IMAGES = np.random.default_rng(1).integers(0, 256, (5, 32, 32), dtype=np.uint8)
TINY = [dataclasses.replace(recipe, image_size=32, base_filters=2, depth=2) for recipe in (LAPTOP, ARTICLE)]


def save_model(recipe: Recipe, path: Path) -> keras.Model:
    """Build and save a small model with the channels, loss and metrics of a recipe."""
    keras.utils.set_random_seed(1)
    model = training.model_for(recipe)
    training.compile_model(model, recipe, steps_per_epoch=2)
    for layer in model.layers:  # as after training: far from where batch normalisation begins
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 0.1)
            layer.moving_variance.assign(layer.moving_variance * 0.5)
    model.optimizer.build(model.trainable_variables)
    model.save(path)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """For each recipe: the recipe, its model, the model's file, and what it predicts."""
    paths = [tmp_path_factory.mktemp("model") / f"{recipe.name}.keras" for recipe in TINY]
    models = [save_model(recipe, path) for recipe, path in zip(TINY, paths)]
    return list(zip(TINY, models, paths, [predict_probabilities(model, IMAGES) for model in models]))


# --- models and probabilities ---


def test_probabilities_of_a_batch_and_of_the_same_model_reloaded(saved):
    for recipe, model, path, probabilities in saved:
        assert probabilities.shape == (5, 32, 32, recipe.output_channels) and probabilities.dtype == np.float32
        assert 0 <= probabilities.min() and probabilities.max() <= 1
        grey_repeated = np.stack([IMAGES / 255] * recipe.input_channels, axis=-1).astype("float32")
        assert model.input_shape[-1] == recipe.input_channels
        np.testing.assert_allclose(model(grey_repeated, training=False).numpy(), probabilities, atol=1e-5)
        np.testing.assert_allclose(predict_probabilities(model, IMAGES, batch_size=2), probabilities, atol=1e-5)
        again = load_model(path)
        assert np.array_equal(predict_probabilities(again, IMAGES), probabilities)
        assert again.loss is not None and again.optimizer is not None


@pytest.mark.slow
def test_answers_at_three_scales_lie_over_each_other():
    whole = keras.Input((64, 64, 1))
    asked = prediction.over_scales(keras.Model(whole, keras.layers.Concatenate()([whole, 1 - whole])))
    assert asked.input_shape == (None, 64, 64, 1) and asked.output_shape == (None, 64, 64, 2)
    rows, columns = np.mgrid[:64, :64]
    picture = (100 + 80 * np.sin(rows / 7) * np.cos(columns / 11)).astype(np.uint8)
    answer = predict_probabilities(asked, picture[np.newaxis])[0]
    np.testing.assert_allclose(answer[2:-2, 2:-2, 0] * 255, picture[2:-2, 2:-2], atol=1.5)
    np.testing.assert_allclose(answer[..., 0] + answer[..., 1], 1, atol=1e-5)
    count = keras.layers.GlobalAveragePooling2D(keepdims=True)(whole)  # a small copy in black is darker as a whole
    mean = prediction.over_scales(keras.Model(whole, count * keras.ops.ones_like(whole)))
    bright = predict_probabilities(mean, np.full((1, 64, 64), 255, np.uint8))[0, 32, 32, 0]
    assert bright == pytest.approx((1 + (64 / 72) ** 2 + 0.8**2) / 3, abs=0.02)


def test_loads_where_only_prediction_was_imported(saved, tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    code = """
import sys
from lungseg_utils.prediction import load_model, predict_probabilities
import numpy as np
for path in sys.argv[2:]:
    np.save(path + ".npy", predict_probabilities(load_model(path), np.load(sys.argv[1])))
"""
    done = run_python("-c", code, tmp_path / "images.npy", *(path for _, _, path, _ in saved))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and "cpu_feature_guard" not in done.stderr
    for _, _, path, probabilities in saved:
        np.testing.assert_allclose(np.load(f"{path}.npy"), probabilities, atol=1e-6)


def test_a_file_that_carries_code_or_is_not_there(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(tmp_path / "stranger.keras")
    with pytest.raises(ValueError, match="unsafe"):
        load_model(tmp_path / "stranger.keras")
    with pytest.raises(FileNotFoundError, match="none.keras.*notebook 8"):
        load_model(tmp_path / "none.keras")


# --- masks ---


def probabilities_of(*masks: np.ndarray, size: int = 32) -> np.ndarray:
    """What a perfect model of that size says about masks: the share of each of its pixels that is lung."""
    blocks = [mask.reshape(size, len(mask) // size, size, -1).mean((1, 3)) for mask in masks]
    return np.stack(blocks, axis=-1).astype("float32")


def test_masks_have_the_size_of_the_file_and_their_place():
    lungs = [ellipse(256, 256, 0.28, y=0.4), ellipse(256, 256, 0.72, y=0.6)]
    for height, width in ((256, 256), (320, 192), (96, 640), (32, 32), (24, 20), (301, 247)):
        masks = to_masks(probabilities_of(*lungs), height, width)
        assert masks.shape == (height, width, 2) and masks.dtype == np.uint8
        assert set(np.unique(masks)) == {0, 1}
        for channel, (x, y) in enumerate(((0.28, 0.4), (0.72, 0.6))):
            true, found = ellipse(height, width, x, y), masks[..., channel]
            assert scores.dice(true, found) > 0.96, (height, width)
            shift = np.subtract(*(np.argwhere(mask).mean(axis=0) for mask in (true, found)))
            assert np.abs(shift).max() < 0.1 + max(height, width) / 1000, (height, width)


def test_an_outline_between_two_pixels_is_found():
    """The edge of a disc falls anywhere between the network's pixels, and the network is sure on either side of it."""
    size, small, radius = 512, 32, 150.3
    rows, columns = np.mgrid[:size, :size] + 0.5 - size / 2
    true = (np.hypot(rows, columns) < radius).astype("uint8")
    rows, columns = (np.mgrid[:small, :small] + 0.5) * size / small - size / 2
    sure = 1 / (1 + np.exp((np.hypot(rows, columns) - radius) / 2.5))  # 0.04 and 0.96 half a pixel from the edge
    found = to_masks(sure[..., None].astype("float32"), size, size)[..., 0]
    assert scores.dice(true, found) > 0.995
    for worse in (cv2.resize(sure, (size, size)) > 0.5, (sure > 0.5).repeat(16, axis=0).repeat(16, axis=1)):
        assert 1 - scores.dice(true, found) < 0.5 * (1 - scores.dice(true, worse)), "enlarging before cutting"


def test_threshold_is_a_probability():
    ramp = np.tile(np.linspace(0, 1, 32, dtype="float32"), (32, 1))[..., np.newaxis]
    areas = [to_masks(ramp, 32, 32, threshold).sum() / 32 for threshold in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(areas, [28, 16, 4], atol=1)
    certain = np.float32([[1, 1, 0, 0]] * 4)[..., np.newaxis]
    with np.errstate(all="raise"):
        masks = to_masks(certain, 8, 8)[..., 0]
    np.testing.assert_array_equal(masks, np.repeat([[1] * 4 + [0] * 4], 8, axis=0))


def test_one_channel_keeps_both_lungs_and_nothing_predicted_none():
    lungs = ellipse(256, 256, 0.28) | ellipse(256, 256, 0.72, a=0.1)
    stray = ellipse(256, 256, 0.5, y=0.92, a=0.05, b=0.05)
    masks = to_masks(probabilities_of(lungs | stray), 256, 256)
    assert masks.shape == (256, 256, 1) and scores.dice(lungs, masks[..., 0]) > 0.98
    assert masks[220:].sum() == 0 and masks[:, :100].any() and masks[:, 150:].any()
    masks = to_masks(probabilities_of(ellipse(256, 256, 0.28) | stray, stray), 256, 256)
    assert masks[220:, :, 0].sum() == 0 and masks[220:, :, 1].any(), "of each lung the largest part"
    masks = to_masks(np.full((32, 32, 2), 0.2, "float32"), 50, 40)
    assert masks.shape == (50, 40, 2) and masks.sum() == 0


def test_clean_keeps_what_filling_first_and_numbering_parts_would_keep():
    random = np.random.default_rng(1)
    for parts in (1, 2, 3) * 25:
        height, width = random.integers(20, 90, 2)
        noise = ndimage.gaussian_filter(random.random((height, width)), random.uniform(1.5, 5))
        mask = noise > np.quantile(noise, random.random())
        before = mask.copy()
        labels, count = ndimage.label(ndimage.binary_fill_holes(mask), np.ones((3, 3)))
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        kept = clean(mask, parts)
        dropped = [areas[label - 1] for label in range(1, count + 1) if not kept[labels == label].any()]
        assert np.array_equal(kept, np.isin(labels, np.unique(labels[kept > 0]))), "whole parts, filled"
        assert count - len(dropped) == min(parts, count)
        # an outline runs through the centres of pixels: parts that differ by less than their edge count as equal
        assert max(dropped, default=0) <= areas[np.unique(labels[kept > 0]) - 1].min() + 2 * np.sqrt(areas.max()) + 4
        assert np.array_equal(clean(kept, parts), kept) and np.array_equal(mask, before) and kept.dtype == np.uint8


def test_clean_of_drawn_masks():
    thin = np.zeros((8, 12), "uint8")
    thin[0:2, 0:2], thin[3:6, 4:7], thin[7, 11] = 1, 1, 1
    assert [clean(thin, parts).sum() for parts in (1, 2, 3, 9)] == [9, 13, 14, 14]
    ring = np.zeros((20, 40), "uint8")
    ring[2:18, 2:18], ring[5:15, 5:15], ring[8:12, 8:12] = 1, 0, 1
    ring[5:8, 30:33] = 1
    assert clean(ring, parts=2).sum() == 16 * 16 + 3 * 3, "what lies within a hole is part of the lung"
    corner = np.zeros((9, 9), "uint8")
    corner[1:4, 1:4], corner[4:7, 4:7], corner[0:3, 6:8] = 1, 1, 1
    assert clean(corner).sum() == 18, "parts that touch at a corner are one"
    for dtype in (bool, "uint8", "int64"):
        assert clean(np.zeros((5, 7), dtype), parts=2).sum() == 0 and clean(np.ones((5, 7), dtype)).sum() == 35, dtype


# --- scoring whole cases ---


class Oracle:
    """Stands for a model: answers with given probabilities."""

    input_shape = (None, 32, 32, 1)

    def __init__(self, probabilities: np.ndarray):
        self.probabilities = probabilities.astype("float32")

    def predict(self, inputs, **_):
        assert inputs.shape == (len(self.probabilities), 32, 32, 1) and inputs.max() <= 1
        return self.probabilities


@pytest.fixture
def tiny(tiny_set, tmp_path):
    """Cases of the drawn set, their arrays at 32 px, and a function that evaluates given answers."""
    cases = find_cases(tiny_set)
    arrays = load_arrays(cases, 32, tmp_path / "cache")
    return cases, arrays, lambda answers: prediction.evaluate(Oracle(answers), cases, arrays.images)


def test_evaluate_measures_at_the_size_of_the_file(tiny):
    cases, arrays, evaluate = tiny
    rows = evaluate(arrays.masks)
    assert [(row["id"], row["lung"]) for row in rows] == [(case.id, lung) for case in cases for lung in scores.LUNGS]
    assert [row["sex"] for row in rows[::3]] == [case.sex for case in cases]
    assert all(0.9 < row["dice"] < 1 for row in rows), "the answers have the size of the model, not of the file"
    true = read_masks(cases[0])
    predicted = to_masks(arrays.masks[0].astype("float32"), *true.shape[:2])
    assert true.shape[:2] == (64, 80) and rows[0]["dice"] == scores.dice(true[..., 0], predicted[..., 0])
    assert np.isnan(rows[0]["assd_mm"]), "this set does not say how large a pixel is"


def test_evaluate_in_millimetres(tiny_set, tiny):
    cases, arrays, _ = tiny
    lines = "".join(f"{case.id},800,320\n" for case in cases)  # pixels of 0.4375 by 0.875 mm
    (tiny_set / "original_sizes.csv").write_text(f"id,original_width_px,original_height_px\n{lines}")
    cases = find_cases(tiny_set)
    for axis, expected in ((1, 8 * 0.4375), (2, 10 * 0.875)):  # moved by an eighth of the height, of the width
        answers = arrays.masks.copy()
        answers[..., 0] = np.roll(answers[..., 0], 4, axis)
        rows = prediction.evaluate(Oracle(answers), cases, arrays.images)
        assert rows[0]["hd95_mm"] == pytest.approx(expected, abs=0.9) and rows[0]["hd95_mm"] > 2 * rows[1]["hd95_mm"]


def test_evaluate_merged_and_swapped_lungs_and_nothing(tiny):
    cases, arrays, evaluate = tiny
    merged = evaluate(arrays.masks.max(axis=-1, keepdims=True))
    assert [row["lung"] for row in merged] == ["both"] * len(cases) and all(row["dice"] > 0.9 for row in merged)
    swapped = evaluate(arrays.masks[..., ::-1])
    assert swapped[0]["dice"] == 0 and swapped[2]["dice"] > 0.9
    assert all(row["dice"] == row["recall"] == row["precision"] == 0 for row in evaluate(0 * arrays.masks))
