"""From a saved model to masks and scores of whole cases."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage
from shared import REPOSITORY, ellipse

from lungseg_utils import prediction, scores, training
from lungseg_utils.cases import find_cases
from lungseg_utils.images import load_arrays, read_masks
from lungseg_utils.prediction import clean, load_model, predict_probabilities, to_masks
from lungseg_utils.recipes import ARTICLE, LAPTOP

keras = prediction.keras

IMAGES = np.random.default_rng(1).integers(0, 256, (5, 32, 32), dtype=np.uint8)
TINY = {
    recipe.name: dataclasses.replace(recipe, image_size=32, base_filters=2, depth=2) for recipe in (LAPTOP, ARTICLE)
}


def save_model(name: str, path: Path) -> keras.Model:
    """Build and save a small model with the channels, loss and metrics of a recipe."""
    keras.utils.set_random_seed(1)
    model = training.model_for(TINY[name])
    training.compile_model(model, TINY[name], steps_per_epoch=2)
    for layer in model.layers:  # as after training: far from where batch normalisation begins
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 0.1)
            layer.moving_variance.assign(layer.moving_variance * 0.5)
    model.optimizer.build(model.trainable_variables)
    model.save(path)
    return model


@pytest.fixture(scope="module", params=TINY)
def saved(request, tmp_path_factory):
    """A recipe, its model, the model's file, and what it predicts."""
    path = tmp_path_factory.mktemp("model") / "best.keras"
    model = save_model(request.param, path)
    return TINY[request.param], model, path, predict_probabilities(model, IMAGES)


# --- loading ---


def test_reloaded_model_predicts_the_same(saved):
    recipe, _, path, probabilities = saved
    again = load_model(path)
    assert np.array_equal(predict_probabilities(again, IMAGES), probabilities)
    assert again.loss is not None and again.optimizer is not None


@pytest.mark.slow
def test_loads_where_only_prediction_was_imported(tmp_path):
    paths = [tmp_path / f"{name}.keras" for name in TINY]
    models = [save_model(name, path) for name, path in zip(TINY, paths)]
    np.save(tmp_path / "images.npy", IMAGES)
    code = """
import sys
from lungseg_utils.prediction import load_model, predict_probabilities
import numpy as np
for path in sys.argv[2:]:
    np.save(path + ".npy", predict_probabilities(load_model(path), np.load(sys.argv[1])))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "images.npy"), *map(str, paths)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and "cpu_feature_guard" not in done.stderr
    for path, model in zip(paths, models):
        there = np.load(f"{path}.npy")
        np.testing.assert_allclose(there, predict_probabilities(model, IMAGES), atol=1e-6)


def test_file_that_carries_code_is_refused(tmp_path):
    path = tmp_path / "stranger.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(path)
    with pytest.raises(ValueError, match="unsafe"):
        load_model(path)


def test_missing_model_is_named_with_the_way_out(tmp_path):
    with pytest.raises(FileNotFoundError, match="notebook 8") as caught:
        load_model(tmp_path / "none.keras")
    assert "none.keras" in str(caught.value)


# --- probabilities ---


def test_shape_and_range_of_probabilities(saved):
    recipe, model, _, probabilities = saved
    assert model.input_shape[-1] == recipe.input_channels
    assert probabilities.shape == (5, 32, 32, recipe.output_channels) and probabilities.dtype == np.float32
    assert 0 <= probabilities.min() and probabilities.max() <= 1


def test_three_channels_are_the_grey_picture_repeated(saved):
    recipe, model, _, probabilities = saved
    inputs = np.stack([IMAGES / 255] * recipe.input_channels, axis=-1).astype("float32")
    np.testing.assert_allclose(model(inputs, training=False).numpy(), probabilities, atol=1e-5)


def test_prediction_does_not_depend_on_the_batch(saved):
    _, model, _, probabilities = saved
    for batch_size in (1, 2, 5):
        np.testing.assert_allclose(predict_probabilities(model, IMAGES, batch_size), probabilities, atol=1e-5)
    alone = np.concatenate([predict_probabilities(model, IMAGES[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, probabilities, atol=1e-5)
    backwards = predict_probabilities(model, IMAGES[::-1])[::-1]
    np.testing.assert_allclose(backwards, probabilities, atol=1e-5)


# --- masks ---


def probabilities_of(*masks: np.ndarray, size: int = 32) -> np.ndarray:
    """What a perfect model of that size says about masks: the share of each of its pixels that is lung."""
    blocks = [mask.reshape(size, len(mask) // size, size, -1).mean((1, 3)) for mask in masks]
    return np.stack(blocks, axis=-1).astype("float32")


@pytest.mark.parametrize("height, width", [(256, 256), (320, 192), (96, 640), (32, 32), (24, 20), (301, 247)])
def test_masks_have_the_size_of_the_file(height, width):
    lungs = [ellipse(256, 256, x) for x in (0.28, 0.72)]
    masks = to_masks(probabilities_of(*lungs), height, width)
    assert masks.shape == (height, width, 2) and masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1}
    for channel, x in enumerate((0.28, 0.72)):
        assert scores.dice(ellipse(height, width, x), masks[..., channel]) > 0.96


def test_enlarging_before_cutting_is_better():
    circle = ellipse(512, 512, 0.5, a=0.33, b=0.33)
    probabilities = probabilities_of(circle)
    good = to_masks(probabilities, 512, 512)[..., 0]
    stairs = (probabilities[..., 0] > 0.5).astype("uint8").repeat(16, axis=0).repeat(16, axis=1)
    assert scores.dice(circle, good) > scores.dice(circle, stairs) + 0.01
    assert scores.dice(circle, good) > 0.99


def test_enlarging_moves_nothing():
    lung = ellipse(256, 256, 0.3, y=0.4)
    for mask in (lung, lung[:, ::-1], lung[::-1]):
        found, true = (
            np.argwhere(each).mean(axis=0) for each in (to_masks(probabilities_of(mask), 256, 256)[..., 0], mask)
        )
        np.testing.assert_allclose(found, true, atol=0.25)


def test_threshold():
    ramp = np.tile(np.linspace(0, 1, 32, dtype="float32"), (32, 1))[..., np.newaxis]
    areas = [to_masks(ramp, 32, 32, threshold).sum() / 32 for threshold in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(areas, [28, 16, 4], atol=1)


def test_one_channel_keeps_both_lungs():
    lungs = ellipse(256, 256, 0.28) | ellipse(256, 256, 0.72, a=0.1)
    stray = ellipse(256, 256, 0.5, y=0.92, a=0.05, b=0.05)
    masks = to_masks(probabilities_of(lungs | stray), 256, 256)
    assert masks.shape == (256, 256, 1)
    assert scores.dice(lungs, masks[..., 0]) > 0.98
    assert masks[220:].sum() == 0 and masks[:, :100].any() and masks[:, 150:].any()


def test_nothing_predicted_gives_empty_masks():
    masks = to_masks(np.full((32, 32, 2), 0.2, "float32"), 50, 40)
    assert masks.shape == (50, 40, 2) and masks.sum() == 0


# --- cleaning ---


def test_clean_keeps_the_largest_and_fills_holes():
    lung = ellipse(60, 60, 0.4)
    spoiled = lung.copy()
    spoiled[30, 24] = 0
    spoiled[2:5, 50:53] = 1
    cleaned = clean(spoiled)
    assert np.array_equal(cleaned, lung) and cleaned.dtype == np.uint8


@pytest.mark.parametrize("parts, kept", [(1, 9), (2, 13), (3, 14), (9, 14)])
def test_clean_keeps_as_many_parts_as_asked(parts, kept):
    mask = np.zeros((8, 12), "uint8")
    mask[0:2, 0:2], mask[3:6, 4:7], mask[7, 11] = 1, 1, 1
    assert clean(mask, parts).sum() == kept


@pytest.mark.parametrize("parts", [1, 2])
def test_clean_keeps_what_filling_first_and_numbering_parts_would_keep(parts):
    random = np.random.default_rng(parts)
    for _ in range(40):
        height, width = random.integers(20, 90, 2)
        noise = ndimage.gaussian_filter(random.random((height, width)), random.uniform(1.5, 5))
        mask = noise > np.quantile(noise, random.random())
        labels, count = ndimage.label(ndimage.binary_fill_holes(mask), np.ones((3, 3)))
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        kept = clean(mask, parts)
        dropped = [areas[label - 1] for label in range(1, count + 1) if not kept[labels == label].any()]
        assert np.array_equal(kept, np.isin(labels, np.unique(labels[kept > 0]))), "whole parts, filled"
        assert count - len(dropped) == min(parts, count)
        # an outline runs through the centres of pixels: parts that differ by less than their edge count as equal
        assert max(dropped, default=0) <= areas[np.unique(labels[kept > 0]) - 1].min() + 2 * np.sqrt(areas.max()) + 4


def test_a_part_within_a_hole_is_part_of_the_lung():
    mask = np.zeros((20, 40), "uint8")
    mask[2:18, 2:18], mask[5:15, 5:15], mask[8:12, 8:12] = 1, 0, 1
    mask[5:8, 30:33] = 1
    assert clean(mask, parts=2).sum() == 16 * 16 + 3 * 3


def test_parts_that_touch_at_a_corner_are_one():
    mask = np.zeros((9, 9), "uint8")
    mask[1:4, 1:4], mask[4:7, 4:7], mask[0:3, 6:8] = 1, 1, 1
    assert clean(mask).sum() == 18


@pytest.mark.parametrize("dtype", [bool, "uint8", "int64"])
def test_clean_of_an_empty_and_of_a_full_mask(dtype):
    assert clean(np.zeros((5, 7), dtype)).sum() == 0
    assert clean(np.zeros((5, 7), dtype), parts=2).shape == (5, 7)
    assert clean(np.ones((5, 7), dtype)).sum() == 35


def test_clean_changes_nothing_twice():
    noise = (np.random.default_rng(2).random((40, 40)) > 0.6).astype("uint8")
    before = noise.copy()
    once = clean(noise)
    assert np.array_equal(clean(once), once) and np.array_equal(noise, before)


# --- scoring whole cases ---


class Oracle:
    """Stands for a model: answers with given probabilities."""

    input_shape = (None, 32, 32, 1)

    def __init__(self, probabilities: np.ndarray):
        self.probabilities = probabilities

    def predict(self, inputs, **_):
        assert inputs.shape == (len(self.probabilities), 32, 32, 1) and inputs.max() <= 1
        return self.probabilities


@pytest.fixture
def tiny(tiny_set, tmp_path):
    """Cases of the drawn set and their arrays at 32 px."""
    cases = find_cases(tiny_set)
    return cases, load_arrays(cases, 32, tmp_path / "cache")


def test_evaluate_with_the_right_answers(tiny):
    cases, arrays = tiny
    rows = prediction.evaluate(Oracle(arrays.masks.astype("float32")), cases, arrays.images)
    assert [(row["id"], row["lung"]) for row in rows] == [(case.id, lung) for case in cases for lung in scores.LUNGS]
    assert all(row["dice"] > 0.9 for row in rows)  # not 1: the answers have the size of the model, not of the file
    assert [row["sex"] for row in rows[::3]] == [case.sex for case in cases]


def test_evaluate_measures_at_the_size_of_the_file(tiny):
    cases, arrays = tiny
    probabilities = arrays.masks.astype("float32")
    rows = prediction.evaluate(Oracle(probabilities), cases, arrays.images)
    true = read_masks(cases[0])
    assert true.shape[:2] == (64, 80)
    predicted = to_masks(probabilities[0], 64, 80)
    assert rows[0]["dice"] == scores.dice(true[..., 0], predicted[..., 0])
    assert np.isnan(rows[0]["assd_mm"])  # this set does not say how large a pixel is


def test_evaluate_in_millimetres(tiny_set, tiny):
    cases, arrays = tiny
    assert cases[0].spacing_mm is None
    lines = "".join(f"{case.id},800,640\n" for case in cases)  # ten times smaller than the original
    (tiny_set / "original_sizes.csv").write_text(f"id,original_width_px,original_height_px\n{lines}")
    cases = find_cases(tiny_set)
    probabilities = arrays.masks.astype("float32")
    probabilities[..., 0] = np.roll(probabilities[..., 0], 4, axis=1)  # down by an eighth of the height
    rows = prediction.evaluate(Oracle(probabilities), cases, arrays.images)
    assert rows[0]["hd95_mm"] > 3 * rows[1]["hd95_mm"]
    assert rows[0]["hd95_mm"] == pytest.approx(8 * 0.875, abs=2 * 0.875)  # 8 px of 0.875 mm


def test_evaluate_merged_lungs(tiny):
    cases, arrays = tiny
    merged = arrays.masks.max(axis=-1, keepdims=True).astype("float32")
    rows = prediction.evaluate(Oracle(merged), cases, arrays.images)
    assert [row["lung"] for row in rows] == ["both"] * len(cases)
    assert list(scores.summarise(rows)) == ["both"]
    assert all(row["dice"] > 0.9 for row in rows)


def test_evaluate_of_swapped_lungs_and_of_nothing(tiny):
    cases, arrays = tiny
    swapped = prediction.evaluate(Oracle(arrays.masks[..., ::-1].astype("float32")), cases, arrays.images)
    assert swapped[0]["dice"] == 0 and swapped[2]["dice"] > 0.9
    nothing = prediction.evaluate(Oracle(np.zeros_like(arrays.masks, "float32")), cases, arrays.images)
    assert all(row["dice"] == 0 and row["recall"] == 0 and row["precision"] == 0 for row in nothing)
    assert scores.summarise(nothing)["both"]["dice"]["n"] == len(cases)


def test_evaluate_a_saved_model(saved, tiny, tmp_path):
    recipe, _, path, _ = saved
    cases, arrays = tiny
    rows = prediction.evaluate(load_model(path), cases, arrays.images)
    assert len(rows) == len(cases) * (3 if recipe.output_channels == 2 else 1)
    scores.write_scores(rows, tmp_path / "scores.csv")
    assert scores.format_summary(scores.summarise(scores.read_scores(tmp_path / "scores.csv")))


def test_an_outline_between_two_pixels_is_found():
    """The edge of a disc falls anywhere between the network's pixels, and the network is sure on either side of it."""
    size, small, radius = 512, 32, 150.3
    rows, columns = np.mgrid[:size, :size] + 0.5 - size / 2
    true = (np.hypot(rows, columns) < radius).astype("uint8")
    rows, columns = (np.mgrid[:small, :small] + 0.5) * size / small - size / 2
    sure = 1 / (1 + np.exp((np.hypot(rows, columns) - radius) / 2.5))  # 0.04 and 0.96 half a pixel from the edge
    found = prediction.to_masks(sure[..., None].astype("float32"), size, size)[..., 0]
    between_probabilities = cv2.resize(sure, (size, size)) > 0.5
    assert scores.dice(true, found) > 0.995
    assert 1 - scores.dice(true, found) < 0.5 * (1 - scores.dice(true, between_probabilities))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_threshold_is_a_probability(threshold):
    flat = np.full((4, 4, 1), 0.6, "float32")
    assert prediction.to_masks(flat, 8, 8, threshold).any() == (0.6 > threshold)


def test_certain_probabilities_have_finite_log_odds():
    certain = np.zeros((4, 4, 1), "float32")
    certain[:, :2] = 1
    with np.errstate(all="raise"):
        masks = prediction.to_masks(certain, 8, 8)[..., 0]
    np.testing.assert_array_equal(masks, np.repeat([[1] * 4 + [0] * 4], 8, axis=0))
