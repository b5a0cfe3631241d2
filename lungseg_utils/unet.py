"""The U-Net, and what it costs (notebook 5).

Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015
(arXiv:1505.04597), with padded convolutions and batch normalisation. It runs on any backend of Keras.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import keras
from keras import layers

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
if ON_TENSORFLOW:
    import tensorflow as tf


@keras.saving.register_keras_serializable("lungseg")
class BatchNormalization(layers.BatchNormalization):
    """Keras' batch normalisation, computed by TensorFlow's one operation for it; named in notebook 5.

    Keras 3 composes it of a dozen operations, each of which reads and writes the whole map once more. For a small
    U-Net on a CPU that was 0.44 of a training step; fused it is 0.23 (measured at 128 px, 8 base filters, AVX2).
    Weights, options and results are Keras' own, up to rounding; the running variance divides by one pixel less.
    On another backend of Keras it is Keras' own altogether.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise (batch, height, width, channels), with the batch's statistics in training, else the kept ones."""
        if not ON_TENSORFLOW:
            return super().call(inputs, training=training, mask=mask)
        training = bool(training) and self.trainable
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            self.gamma,
            self.beta,
            mean=None if training else self.moving_mean,
            variance=None if training else self.moving_variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                kept.assign(kept * self.momentum + new * (1 - self.momentum))
        return outputs


def conv_block(x: keras.KerasTensor, filters: int, momentum: float = 0.9) -> keras.KerasTensor:
    """Apply two 3 x 3 convolutions, each followed by batch normalisation and ReLU; taught in notebook 5.

    From (batch, height, width, channels) to (batch, height, width, filters). The momentum is the share of its old
    running mean that batch normalisation keeps at each step.
    """
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = BatchNormalization(momentum=momentum)(x)
        x = layers.Activation("relu")(x)
    return x


def encoder_block(
    x: keras.KerasTensor, filters: int, momentum: float = 0.9
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Describe the picture at one scale, then halve it; taught in notebook 5.

    Returns the halved map (batch, height / 2, width / 2, filters), and the map before halving for the skip connection.
    """
    skip = conv_block(x, filters, momentum)
    return layers.MaxPooling2D(2)(skip), skip


def decoder_block(
    x: keras.KerasTensor, skip: keras.KerasTensor, filters: int, momentum: float = 0.9
) -> keras.KerasTensor:
    """Double the map, join it with the skip connection, and blend the two; taught in notebook 5.

    Returns (batch, 2 * height, 2 * width, filters).
    """
    x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
    x = layers.Concatenate()([x, skip])
    return conv_block(x, filters, momentum)


def build_unet(
    image_size: int,
    input_channels: int = 1,
    output_channels: int = 2,
    base_filters: int = 8,
    depth: int = 4,
    momentum: float = 0.9,
) -> keras.Model:
    """Build a U-Net for square pictures, by the numbers of a `recipes.Recipe`; taught in notebook 5.

    Returns:
        A model from (batch, image_size, image_size, input_channels) to probabilities in [0, 1] of shape
        (batch, image_size, image_size, output_channels), always float32.

    Raises:
        ValueError: the picture cannot be halved `depth` times.
    """
    if image_size % 2**depth:
        raise ValueError(f"{image_size} px cannot be halved {depth} times without a remainder.")
    x = inputs = keras.Input((image_size, image_size, input_channels))
    skips = {}
    for level in range(depth):
        x, skips[level] = encoder_block(x, base_filters * 2**level, momentum)
    x = conv_block(x, base_filters * 2**depth, momentum)
    for level in reversed(range(depth)):
        x = decoder_block(x, skips[level], base_filters * 2**level, momentum)
    # float32 at the end: sums over thousands of pixels in the loss need its precision
    outputs = layers.Conv2D(output_channels, 1, activation="sigmoid", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="unet")


def multiply_adds(model: keras.Model) -> dict[str, int]:
    """Count the multiply-adds of each convolution for one picture, forward only, by layer; taught in notebook 5.

    Other layers cost little beside these and are left out.
    """
    counts = {}
    for layer in model.layers:
        if isinstance(layer, layers.Conv2DTranspose):  # each input pixel is spread over the kernel
            height, width = layer.input.shape[1:3]
        elif isinstance(layer, layers.Conv2D):  # each output pixel is gathered from the kernel
            height, width = layer.output.shape[1:3]
        else:
            continue
        rows, columns, channels_a, channels_b = layer.kernel.shape
        counts[layer.name] = height * width * rows * columns * channels_a * channels_b
    return counts


def receptive_field(depth: int) -> int:
    """Side of the square of input pixels that one pixel at the bottom of the U-Net sees, px.

    Taught in notebook 5. A 3 x 3 convolution adds one step to each side, a 2 x 2 pooling one step to one
    side; a step is worth `2 ** level` input pixels (Araujo, Norris and Sim, "Computing Receptive Fields of
    Convolutional Neural Networks", Distill 2019).
    """
    field = 1
    for level in range(depth + 1):
        field += 2 * 2 * 2**level  # two 3 x 3 convolutions
        if level < depth:
            field += 2**level  # one 2 x 2 pooling
    return field
