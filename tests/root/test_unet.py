"""The U-Net: its size, its cost, what it sees, and what its parts are for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from lungseg_utils import unet
from lungseg_utils.recipes import ARTICLE
from lungseg_utils.training import model_for


def of_type(net: keras.Model, kind: type) -> list:
    return [layer for layer in net.layers if isinstance(layer, kind)]


def size(weights: list) -> int:
    return sum(int(np.prod(one.shape)) for one in weights)


def test_the_article_net_has_the_published_size():
    net = model_for(ARTICLE)
    assert net.count_params() == 31_055_297
    assert size(net.non_trainable_weights) == 11_776
    assert (net.input_shape, net.output_shape) == ((None, 512, 512, 3), (None, 512, 512, 1))
    assert [layer.output.shape[1:] for layer in of_type(net, layers.MaxPooling2D)][-1] == (32, 32, 512)
    assert len(costs := unet.multiply_adds(net)) == 2 * 9 + 4 + 1, "two in each block, four transposed, the last"
    assert sum(costs.values()) == pytest.approx(192.7e9, rel=0.01)
    del net
    keras.backend.clear_session()  # about 125 MB


def test_multiply_adds_by_hand():
    inputs = keras.Input((8, 12, 3))
    x = layers.Conv2D(5, 3, padding="same", name="same")(inputs)
    x = layers.Conv2DTranspose(2, 2, strides=2, name="doubled")(x)
    net = keras.Model(inputs, layers.Conv2D(1, 1, name="last")(x))
    by_hand = {"same": 8 * 12 * 3 * 3 * 3 * 5, "doubled": 8 * 12 * 2 * 2 * 5 * 2, "last": 16 * 24 * 2 * 1}
    assert unet.multiply_adds(net) == by_hand


def test_output_has_the_size_of_the_input_and_momentum_is_passed_on():
    for side, inputs, outputs, depth in ((32, 1, 2, 2), (24, 3, 1, 3), (16, 1, 1, 4)):
        net = unet.build_unet(side, inputs, outputs, base_filters=2, depth=depth, momentum=0.9 + depth / 100)
        pictures = np.random.default_rng(1).random((3, side, side, inputs), dtype=np.float32)
        probabilities = net(pictures, training=False)
        assert probabilities.shape == (3, side, side, outputs) and probabilities.dtype == tf.float32
        assert 0 <= probabilities.numpy().min() and probabilities.numpy().max() <= 1
        norms = of_type(net, layers.BatchNormalization)
        assert len(norms) == 4 * depth + 2 and {norm.momentum for norm in norms} == {0.9 + depth / 100}


def test_output_is_float32_when_the_rest_is_not():
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        net = unet.build_unet(16, base_filters=2, depth=1)
        assert of_type(net, layers.Conv2D)[0].compute_dtype == "bfloat16"
        assert net.output.dtype == "float32"
        assert net(np.zeros((1, 16, 16, 1), np.float32)).dtype == tf.float32
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def test_a_size_that_cannot_be_halved_is_refused():
    for side, depth in ((100, 3), (500, 4), (127, 1)):
        with pytest.raises(ValueError, match=f"{side} px cannot be halved {depth} times"):
            unet.build_unet(side, depth=depth)


@pytest.mark.parametrize("training", [False, True])
def test_fused_batch_normalisation_is_keras_own(training):
    random = np.random.default_rng(3)
    x = tf.constant(random.normal(2, 3, (4, 16, 16, 5)).astype("float32"))
    pair = [kind(momentum=0.8) for kind in (unet.BatchNormalization, layers.BatchNormalization)]
    weights = [0.5 + random.random(5), random.normal(size=5), random.normal(size=5), 1 + random.random(5)]
    for layer in pair:
        layer.build(x.shape)
        layer.set_weights(weights)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        results = [layer(x, training=training) for layer in pair]
        sums = [tf.reduce_sum(tf.sin(result)) for result in results]
    np.testing.assert_allclose(results[0], results[1], atol=1e-4)
    np.testing.assert_allclose(*[tape.gradient(total, x) for total in sums], atol=1e-4)
    n = 4 * 16 * 16
    for ours, theirs in zip(*(layer.get_weights() for layer in pair)):
        np.testing.assert_allclose(ours, theirs, rtol=0.3 / n * 2 + 1e-3)  # the running variance divides by n - 1


def test_frozen_batch_normalisation_keeps_its_statistics():
    layer = unet.BatchNormalization()
    layer.trainable = False
    x = np.random.default_rng(0).normal(5, 1, (2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1 + layer.epsilon), rtol=1e-5)


def test_a_file_of_keras_own_batch_normalisation_loads(tmp_path, monkeypatch):
    fused = unet.build_unet(32, base_filters=2, depth=1)
    monkeypatch.setattr(unet, "BatchNormalization", layers.BatchNormalization)
    plain = unet.build_unet(32, base_filters=2, depth=1)
    assert not of_type(plain, fused.layers[2].__class__), "this one is Keras' own"
    plain.save_weights(tmp_path / "plain.weights.h5")
    fused.load_weights(tmp_path / "plain.weights.h5")
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_block_is_two_times_convolution_norm_relu():
    inputs = keras.Input((8, 8, 3))
    net = keras.Model(inputs, unet.conv_block(inputs, 5))
    kinds = [type(layer).__name__ for layer in net.layers[1:]]
    assert kinds == ["Conv2D", "BatchNormalization", "Activation"] * 2
    assert net.count_params() == (3 * 3 * 3 * 5 + 5) + (3 * 3 * 5 * 5 + 5) + 2 * 4 * 5


def test_skip_connections_carry_detail():
    """With the way through the bottom closed, the output still follows the picture; with the skips closed too, not."""
    keras.utils.set_random_seed(1)
    net = unet.build_unet(32, base_filters=4, depth=2)
    pictures = np.random.default_rng(1).random((2, 32, 32, 1), dtype=np.float32)

    def difference() -> float:
        one, other = net(pictures, training=False).numpy()
        return float(np.abs(one - other).max())

    for layer in of_type(net, layers.Conv2DTranspose):
        layer.set_weights([np.zeros_like(weights) for weights in layer.get_weights()])
    assert difference() > 1e-4
    for layer, following in zip(net.layers, net.layers[1:]):
        if isinstance(layer, layers.Concatenate):
            kernel, bias = following.get_weights()
            kernel[:, :, kernel.shape[2] // 2 :] = 0  # the second half of its channels comes from the skip
            following.set_weights([kernel, bias])
    assert difference() == 0


def sensitive_pixels(depth: int) -> np.ndarray:
    """Input pixels (side, side) that change one pixel in the middle of the bottom of a U-Net, measured."""
    side = 16 * 2**depth
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((side, side, 1))
    for _ in range(depth):
        x, _ = unet.encoder_block(x, 2)
    net = keras.Model(inputs, unet.conv_block(x, 2))
    net.set_weights([abs(weights) for weights in net.get_weights()])  # else ReLU could hide pixels
    pictures = tf.random.stateless_uniform([16, side, side, 1], [1, 2])  # pooling passes one pixel of four on
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        bottom = net(pictures, training=False)
        number = tf.reduce_sum(bottom[:, 8, 8])
    return tf.reduce_any(tape.gradient(number, pictures) != 0, axis=(0, 3)).numpy()


def test_receptive_field_is_what_the_gradient_measures():
    for depth, field in enumerate([5, 14, 32, 68, 140]):
        assert unet.receptive_field(depth) == field
        seen = sensitive_pixels(depth)
        for axis in range(2):
            places = np.flatnonzero(seen.any(axis=axis))
            assert places[-1] - places[0] + 1 == field, f"depth {depth}"
