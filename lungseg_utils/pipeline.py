"""Arrays to batches: the tf.data pipeline and its augmentation (notebook 4)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import keras
import numpy as np
import tensorflow as tf

from lungseg_utils.recipes import Recipe

MAX_ANGLE = 0.17  # rotation either way, radians: about 10 degrees, as much as patients lean
MAX_ZOOM = 0.12  # larger or smaller by this share
MAX_SHIFT = 0.06  # share of the picture's side
MAX_GAMMA = 0.4  # exponent between exp(-0.4) and exp(0.4)
MAX_CONTRAST = 0.25  # contrast changes by this share
MAX_BRIGHTNESS = 0.1  # on a scale where black is 0 and white is 1
SHADOWED = 0.5  # share of the pictures that get a white shadow


def scale(image: tf.Tensor, masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn one stored case into what a network takes; taught in notebook 4.

    From an image (size, size) and masks (size, size, 2), uint8, to an image (size, size, 1) in [0, 1] and masks of the
    same shape in {0, 1}, float32.
    """
    image = tf.cast(image[..., tf.newaxis], tf.float32) / 255
    return image, tf.cast(masks, tf.float32)


def random_transform(seed: tf.Tensor, size: int) -> tf.Tensor:
    """Draw a random rotation, zoom and shift about the picture's centre. Taught in notebook 4.

    Returns:
        Eight numbers that say from where each output pixel of `size` x `size` px is read, as
        `keras.ops.image.affine_transform` takes them. The same seed, two integers, gives the same.
    """
    angle, zoom, right, down = tf.unstack(tf.random.stateless_uniform([4], seed, -1, 1))
    step_x = tf.cos(angle * MAX_ANGLE) / (1 + zoom * MAX_ZOOM)
    step_y = tf.sin(angle * MAX_ANGLE) / (1 + zoom * MAX_ZOOM)
    centre = (size - 1) / 2
    x = centre + right * MAX_SHIFT * size
    y = centre + down * MAX_SHIFT * size
    start_x = centre - step_x * x + step_y * y
    start_y = centre - step_y * x - step_x * y
    return tf.stack([step_x, -step_y, start_x, step_y, step_x, start_y, 0.0, 0.0])


def move_together(image: tf.Tensor, masks: tf.Tensor, transform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Move a picture and its masks by one transform, as channels of one array.

    Taught in notebook 4. What lies outside the picture comes in black. Interpolation leaves fractions along
    the outline of a mask; they are cut at one half.
    """
    stacked = tf.concat([image, masks], axis=-1)
    moved = keras.ops.image.affine_transform(stacked, transform, "bilinear", "constant", 0)
    return moved[..., :1], tf.cast(moved[..., 1:] > 0.5, tf.float32)


def change_light(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Change gamma, contrast and brightness of a picture at random, as another machine would.

    Taught in notebook 4. Input and output are float32 in [0, 1].
    """
    gamma, contrast, brightness = tf.unstack(tf.random.stateless_uniform([3], seed, -1, 1))
    image = image ** tf.exp(gamma * MAX_GAMMA)
    image = (image - 0.5) * (1 + contrast * MAX_CONTRAST) + 0.5 + brightness * MAX_BRIGHTNESS
    return tf.clip_by_value(image, 0, 1)


def add_shadow(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Lay a soft white shadow over a part of half of the pictures, as fluid or an infection does.

    Taught in notebook 4. The masks stay as they are: annotators draw the lung's outline through such a shadow, and a
    network that follows the edge of the dark area instead is wrong by a third of a lung. The shadow is an ellipse of
    random place, size, softness and whiteness; it brightens, and never darkens. Pictures are (size, size, 1) float32 in
    [0, 1]; the same seed, two integers, gives the same shadow.
    """
    column, row, wide, high, soft, thick, white, chance = tf.unstack(tf.random.stateless_uniform([8], seed))
    place = tf.linspace(0.0, 1.0, image.shape[0])
    x = (place - (0.1 + 0.8 * column)) / (0.06 + 0.16 * wide)
    y = (place[:, tf.newaxis] - (0.15 + 0.7 * row)) / (0.06 + 0.22 * high)
    inside = tf.sigmoid((1 - x**2 - y**2) / (0.1 + 0.5 * soft))  # 1 in the middle, 0 far away
    strength = tf.where(chance < SHADOWED, 0.4 + 0.6 * thick, 0.0)
    brighter = tf.maximum(0.55 + 0.45 * white - image, 0)
    return image + strength * inside[..., tf.newaxis] * brighter


def augment(image: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Make a new training case out of a scaled one: moved with its masks, lit in another way, and shadowed.

    Taught in notebook 4. There is no mirror image: it would turn the patient's right lung into the left one.
    """
    image, masks = move_together(image, masks, random_transform(seed, image.shape[0]))
    image = change_light(image, seed + 1)  # another seed: else the light would follow the angle
    return add_shadow(image, seed + 2), masks


def match_channels(image: tf.Tensor, masks: tf.Tensor, recipe: Recipe) -> tuple[tf.Tensor, tf.Tensor]:
    """Give the network the channels that its recipe asks for. Taught in notebook 4.

    Three input channels repeat the grey picture; one output channel merges the two lungs.
    """
    image = tf.repeat(image, recipe.input_channels, axis=-1)
    if recipe.output_channels == 1:
        masks = tf.reduce_max(masks, axis=-1, keepdims=True)
    return image, masks


def make_dataset(
    images: np.ndarray, masks: np.ndarray, recipe: Recipe, training: bool = False, seed: int = 42
) -> tf.data.Dataset:
    """Build the input pipeline of a recipe.

    Taught in notebook 4. The training pipeline never ends: it is shuffled anew on each pass, augmented where
    the recipe says so, and holds full batches only, so tell `fit` the `steps_per_epoch`. The same seed gives
    the same batches. The other pipeline passes over the cases once, in order. Neither has a `cache`: the
    arrays are in memory already, in a quarter of the space that scaled ones take.

    Args:
        images: (N, size, size) uint8.
        masks: (N, size, size, 2) uint8, values 0 and 1.
        recipe: gives batch size, channels, and whether to augment.
        training: which of the two pipelines to build.
        seed: of the order and of the augmentation.

    Returns:
        Batches of images (batch, size, size, input_channels) float32 in [0, 1] and masks
        (batch, size, size, output_channels) float32 in {0, 1}.
    """
    dataset = tf.data.Dataset.from_tensor_slices((images, masks))
    if training:
        dataset = dataset.shuffle(len(images), seed=seed).repeat()
    dataset = dataset.map(scale)
    if training and recipe.augment:
        seeds = tf.data.Dataset.random(seed=seed).batch(2, drop_remainder=True)
        dataset = tf.data.Dataset.zip(dataset, seeds)
        dataset = dataset.map(lambda case, pair: augment(*case, pair), tf.data.AUTOTUNE)
    dataset = dataset.map(lambda image, masks: match_channels(image, masks, recipe))
    return dataset.batch(recipe.batch_size, drop_remainder=training).prefetch(tf.data.AUTOTUNE)
