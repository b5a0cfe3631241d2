"""The input pipeline: picture and masks stay together, streams repeat, and shapes never change."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from shared import ellipse

from lungseg_utils import pipeline
from lungseg_utils.recipes import ARTICLE, LAPTOP

SIZE = 64
SMALL = dataclasses.replace(LAPTOP, image_size=SIZE, batch_size=4)
SMALL_ARTICLE = dataclasses.replace(ARTICLE, image_size=SIZE)


def lungs() -> np.ndarray:
    """Masks (SIZE, SIZE, 2) of two ellipses of different size."""
    return np.stack([ellipse(SIZE, SIZE, 0.3), ellipse(SIZE, SIZE, 0.7, a=0.1)], axis=-1)


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Ten cases; the grey value of the corner pixel, 20 times its number, tells which one it is."""
    images = np.random.default_rng(3).integers(0, 256, (10, SIZE, SIZE), dtype=np.uint8)
    images[:, 0, 0] = 20 * np.arange(10)
    return images, np.stack([lungs()] * 10)


def numbers_of(batches: tf.data.Dataset) -> list[int]:
    """Which cases a stream that does not augment holds."""
    return [int(n) for images, _ in batches for n in np.round(images[:, 0, 0, 0].numpy() * 255 / 20)]


def as_arrays(batches: tf.data.Dataset, count: int) -> list[np.ndarray]:
    return [part.numpy() for batch in batches.take(count) for part in batch]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_scale():
    image = np.array([[0, 51], [102, 255]], np.uint8)
    masks = np.array([[[0, 1], [1, 0]], [[0, 0], [1, 1]]], np.uint8)
    scaled_image, scaled_masks = pipeline.scale(image, masks)
    assert scaled_image.dtype == scaled_masks.dtype == tf.float32
    np.testing.assert_allclose(scaled_image[..., 0], [[0, 0.2], [0.4, 1]])
    np.testing.assert_array_equal(scaled_masks, masks)


def test_the_whole_augmentation_keeps_picture_and_masks_together(monkeypatch):
    """A dark ground with light lungs stays recognisable in any light, unless a shadow lies over it."""
    monkeypatch.setattr(pipeline, "SHADOWED", 0.0)  # the tests of shadows follow below
    masks = lungs().astype(np.float32)
    image = 0.2 + 0.6 * masks.max(axis=-1, keepdims=True)
    for seed in range(50):
        new_image, new_masks = pipeline.augment(tf.constant(image), tf.constant(masks), tf.constant([seed, 5]))
        mask = new_masks.numpy().max(axis=-1) > 0.5
        grey = new_image.numpy()[..., 0]
        found = grey > (grey[mask].mean() + np.median(grey[~mask])) / 2
        assert np.sum(found & mask) / np.sum(found | mask) > 0.9  # gamma moves the middle grey of an edge a little
        assert set(np.unique(new_masks)) == {0, 1}
        assert 0 <= grey.min() and grey.max() <= 1


def test_transform_moves_the_centre_by_the_shift_alone():
    """With the largest shift, no angle, no zoom: the picture moves by MAX_SHIFT of its side."""
    for seed in range(20):
        a, b, c, d, e, f, g, h = pipeline.random_transform([seed, 0], SIZE).numpy()
        centre = (SIZE - 1) / 2
        # the point of the new picture that is read from the old centre
        x, y = np.linalg.solve([[a, b], [d, e]], [centre - c, centre - f])
        assert max(abs(x - centre), abs(y - centre)) <= pipeline.MAX_SHIFT * SIZE + 1e-3
        zoom = 1 / np.hypot(a, d)
        assert 1 - pipeline.MAX_ZOOM - 1e-5 <= zoom <= 1 + pipeline.MAX_ZOOM + 1e-5
        assert abs(np.arctan2(d, a)) <= pipeline.MAX_ANGLE + 1e-5
        assert (a, b, g, h) == (e, -d, 0, 0)


def test_never_a_mirror_image(arrays):
    for _, batch in pipeline.make_dataset(*arrays, SMALL, training=True).take(20):
        for case in batch.numpy():
            left, right = (np.argwhere(case[..., channel])[:, 1].mean() for channel in range(2))
            assert left < right


def test_light_changes_the_picture_only_within_range():
    grey = tf.linspace(0.0, 1.0, 11)
    lit = np.stack([pipeline.change_light(grey, [seed, 0]) for seed in range(50)])
    assert lit.min() >= 0 and lit.max() <= 1 and np.all(np.diff(lit, axis=1) >= 0)
    assert np.ptp(lit[:, 5]) > 0.1


@pytest.fixture(scope="module")
def shadows() -> np.ndarray:
    """What 200 seeds lay over a black picture, (200, SIZE, SIZE): a shadow, or nothing."""
    black = tf.zeros((SIZE, SIZE, 1))
    return np.stack([pipeline.add_shadow(black, [seed, 0]) for seed in range(200)])[..., 0]


def test_a_shadow_never_darkens_and_stays_in_range(shadows):
    noise = np.random.default_rng(5).random((SIZE, SIZE, 1), dtype=np.float32)
    noise[:8], noise[-8:] = 0, 1  # the ends of the range too
    for seed in range(200):
        shadowed = pipeline.add_shadow(tf.constant(noise), [seed, 0]).numpy()
        assert shadowed.shape == noise.shape and shadowed.dtype == np.float32
        assert np.all(shadowed >= noise) and shadowed.max() <= 1
        np.testing.assert_array_equal(shadowed[-8:], 1)  # nothing is whiter than white
        assert np.all(shadowed - noise <= shadows[seed][..., None] + 1e-6)  # black changes most


def test_about_half_of_the_pictures_stay_as_they_are(shadows, monkeypatch):
    assert 72 <= np.sum(shadows.max(axis=(1, 2)) == 0) <= 128  # half of 200, four standard deviations either way
    noise = tf.constant(np.random.default_rng(6).random((SIZE, SIZE, 1), dtype=np.float32))
    for share, unchanged in ((0.0, 40), (1.0, 0)):
        monkeypatch.setattr(pipeline, "SHADOWED", share)
        pictures = [pipeline.add_shadow(noise, [seed, 0]) for seed in range(40)]
        assert sum(np.array_equal(picture, noise) for picture in pictures) == unchanged


def test_shadows_differ_in_place_size_softness_and_whiteness_and_repeat_with_the_seed(shadows):
    again = np.stack([pipeline.add_shadow(tf.zeros((SIZE, SIZE, 1)), [seed, 0]) for seed in range(40)])[..., 0]
    np.testing.assert_array_equal(again, shadows[:40])
    seen = shadows[shadows.max(axis=(1, 2)) > 0]
    assert len(np.unique(seen, axis=0)) == len(seen)  # each seed has its own
    places, sizes, peaks, softness = [], [], [], []
    for shadow in seen:
        core = shadow > 0.5 * shadow.max()
        places.append(np.argwhere(core).mean(axis=0) / (SIZE - 1))
        sizes.append(core.mean())
        peaks.append(shadow.max())
        softness.append(np.sum(shadow > 0.1 * shadow.max()) / core.sum())
    for along in np.transpose(places):  # rows, then columns
        assert np.all(np.histogram(along, bins=3, range=(0, 1))[0] >= 10)  # in each third: left and right, high and low
    assert max(sizes) > 5 * min(sizes) and max(sizes) < 0.5  # never half of the picture
    assert min(peaks) < 0.4 and max(peaks) > 0.8
    assert max(softness) > 1.5 * min(softness)


def test_a_shadow_scales_with_the_picture(shadows):
    for seed in range(20):
        large = pipeline.add_shadow(tf.zeros((4 * SIZE, 4 * SIZE, 1)), [seed, 0])
        small = tf.image.resize(large, (SIZE, SIZE), "area")[..., 0]
        np.testing.assert_allclose(small, shadows[seed], atol=0.1)  # the same place and size at any number of px


def test_augmentation_shadows_the_picture_and_not_the_masks(monkeypatch):
    masks = tf.constant(lungs(), tf.float32)
    image = 0.6 - 0.4 * tf.reduce_max(masks, axis=-1, keepdims=True)  # dark lungs
    seeds = [tf.constant([seed, 5]) for seed in range(40)]
    with_shadows = [pipeline.augment(image, masks, seed) for seed in seeds]
    monkeypatch.setattr(pipeline, "SHADOWED", 0.0)
    without = [pipeline.augment(image, masks, seed) for seed in seeds]
    covered = 0
    for seed, (shadowed, kept), (plain, _) in zip(seeds, with_shadows, without):
        _, moved = pipeline.move_together(image, masks, pipeline.random_transform(seed, SIZE))
        np.testing.assert_array_equal(kept, moved)
        assert np.all(shadowed.numpy() >= plain.numpy())
        covered += np.any((shadowed - plain).numpy()[moved.numpy().max(axis=-1) == 1] > 0.1)
    assert 0 < covered < len(seeds)  # some shadows lie over a lung, some pictures have none there


def test_shape_type_and_range(arrays):
    for recipe, training in itertools.product((SMALL, SMALL_ARTICLE), (True, False)):
        for images, masks in pipeline.make_dataset(*arrays, recipe, training).take(3):
            assert images.shape == (len(images), SIZE, SIZE, recipe.input_channels)
            assert masks.shape == (len(images), SIZE, SIZE, recipe.output_channels)
            assert images.dtype == masks.dtype == tf.float32
            assert 0 <= images.numpy().min() and images.numpy().max() <= 1
            assert set(np.unique(masks)) == {0, 1}


def test_match_channels_merges_and_repeats():
    image, masks = pipeline.scale(np.full((SIZE, SIZE), 51, np.uint8), lungs())
    masks = tf.concat([masks[..., :1], tf.maximum(masks[..., 1:], masks[..., :1])], axis=-1)  # they overlap
    three, merged = pipeline.match_channels(image, masks, SMALL_ARTICLE)
    assert three.shape[-1] == 3 and np.ptp(three.numpy(), axis=-1).max() == 0
    np.testing.assert_array_equal(merged[..., 0], lungs().max(axis=-1))
    unchanged = pipeline.match_channels(image, masks, SMALL)
    assert same([image, masks], unchanged)


def test_training_never_ends_in_full_batches_of_one_shape_so_that_nothing_is_compiled_twice(arrays):
    stream = pipeline.make_dataset(*arrays, SMALL, training=True)
    assert stream.cardinality() == tf.data.INFINITE_CARDINALITY
    assert all(spec.shape.is_fully_defined() for spec in stream.element_spec)
    assert {len(images) for images, _ in stream.take(12)} == {SMALL.batch_size}  # ten cases: nearly five passes


def test_validation_is_complete_and_in_order(arrays):
    stream = pipeline.make_dataset(*arrays, SMALL)
    for _ in range(2):  # each time the same
        parts = list(zip(*stream))
        assert [len(images) for images in parts[0]] == [4, 4, 2]
        images, masks = map(np.concatenate, parts)
        np.testing.assert_array_equal(np.round(images[..., 0] * 255), arrays[0])
        np.testing.assert_array_equal(masks, arrays[1])


def test_same_seed_same_batches_and_skip_goes_on_in_the_same_stream(arrays):
    """Resuming a training relies on it. Six batches of four are more than two passes over ten cases."""
    for recipe in (SMALL, SMALL_ARTICLE):
        whole, again, other = (
            as_arrays(pipeline.make_dataset(*arrays, recipe, training=True, seed=seed), 9) for seed in (42, 42, 7)
        )
        assert same(whole, again) and not same(whole, other)
        rest = as_arrays(pipeline.make_dataset(*arrays, recipe, training=True).skip(6), 3)
        assert same(whole[12:], rest), recipe.name


def test_every_pass_has_each_case_once_in_another_order(arrays):
    stream = pipeline.make_dataset(*arrays, SMALL_ARTICLE, training=True)  # batches of two, not augmented
    order = numbers_of(stream.take(20))
    passes = [order[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert all(one != other for one, other in itertools.combinations(passes, 2))
    assert list(range(10)) not in passes


def test_every_pass_augments_anew(arrays):
    alone = dataclasses.replace(SMALL, batch_size=1)
    seen = as_arrays(pipeline.make_dataset(*(part[:1] for part in arrays), alone, training=True), 4)[::2]
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(seen, 2))


def test_the_article_does_not_augment(arrays):
    images, masks = arrays
    for batch_images, batch_masks in pipeline.make_dataset(images, masks, SMALL_ARTICLE, training=True).take(5):
        for image, mask in zip(batch_images.numpy(), batch_masks.numpy()):
            number = int(round(float(image[0, 0, 0]) * 255 / 20))
            np.testing.assert_array_equal(np.round(image[..., 0] * 255), images[number])
            np.testing.assert_array_equal(mask[..., 0], masks[number].max(axis=-1))
