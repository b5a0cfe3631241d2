# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: nbgrader,tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,-jupytext.text_representation.jupytext_version
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Assignment 3 · Blocks of a U-Net, from a description
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/assignments/student/a3_unet_blocks.ipynb)
#
# A paper describes a network in a paragraph and a figure. Here you build blocks that are put into U-Nets from such
# descriptions: a gate that decides where a skip connection is listened to, a block that costs a fraction of two
# convolutions, and a loss that looks at several resolutions. Then you count what layers cost before you build them.
#
# **You will be able to**
#
# - build a block of a network from its description, and check it by shapes, parameters and small numbers
# - say what batch normalisation does in training and in use, and keep a block from mixing them up
# - compute a loss at several resolutions with masks that fit each
# - count shapes, parameters and multiply-adds of a network on paper
#
# **Time:** 90 minutes
#
# **Needs:** notebooks 5 and 6 read. Nothing to download, the X-rays are drawn here.
#
# | part | marks |
# |---|---|
# | 1 An attention gate | 20 |
# | 2 A light residual block | 25 |
# | 3 A loss at several resolutions | 20 |
# | 4 What layers cost | 20 |
# | 5 Where the cost lies | 55 |
#
# **How it is marked**
#
# - Write your answers where it says `raise NotImplementedError`, in place of that line.
# - The cells below each answer are tests that you can run yourself; they are folded. When your work is marked, they are
#   run again, together with more tests of the same kind. Each test cell gives its marks or does not.
# - The tests run apart from your code. They see what your functions return, and nothing that your code prints or says.
# - You may add cells of your own. Leave the test cells as they are: a part whose tests are changed or deleted gets no
#   marks (comments do not matter). Set-up cells are put back as they were.
# - The parts do not depend on each other: leave one out, and the others still count.
# - A part may take about a minute of computing and 4 GB of memory at most. The answers need far less.
# - Part 5 is read by a person.

# %% nbgrader={"grade": false, "grade_id": "setup-1", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% nbgrader={"grade": false, "grade_id": "setup-2", "locked": true, "schema_version": 3, "solution": false, "task": false}
import lungseg_utils.quiet  # TensorFlow without its start-up messages

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from lungseg_utils import figures
from lungseg_utils.drawing import draw_phantom

# %% [markdown]
# A block is tested inside a small model. `set_kernels` gives numbers to its weights: to each shape of a kernel the array
# that is named for it, and 0 to all others; batch normalisations keep their factors of 1.

# %% nbgrader={"grade": false, "grade_id": "probe-1", "locked": true, "schema_version": 3, "solution": false, "task": false}
def set_kernels(model, arrays):
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(np.ones(weight.shape))
        else:
            weight.assign(arrays.get(tuple(weight.shape), np.zeros(weight.shape)))

# %% nbgrader={"grade": false, "grade_id": "probe-2", "locked": true, "schema_version": 3, "solution": false, "task": false}
def gate_model(attention_gate, height=8, width=8, channels=3, gate_channels=5, filters=4):
    skip = keras.Input((height, width, channels))
    gate = keras.Input((height // 2, width // 2, gate_channels))
    return keras.Model([skip, gate], attention_gate(skip, gate, filters))


def block_model(light_block, channels, filters):
    inputs = keras.Input((8, 8, channels))
    return keras.Model(inputs, light_block(inputs, filters))

# %% [markdown]
# ## Part 1: An attention gate (20 marks)
#
# A skip connection carries everything that the encoder saw, ribs and letters included. An attention gate (Oktay and others
# 2018) asks the decoder, which already knows roughly where the lungs are, what of it to let through. Write
# `attention_gate(skip, gate, filters)`.
#
# - `skip` is (batch, height, width, channels). `gate` comes from the decoder one level below: (batch, height / 2, width / 2,
#   other channels). Both are Keras tensors, sides of `skip` are even.
# - A 1 x 1 convolution with **strides of 2** and no bias turns `skip` into `filters` channels at the size of `gate`. A 1 x 1
#   convolution with bias turns `gate` into `filters` channels.
# - Their **sum** goes through a ReLU, then through a 1 x 1 convolution with bias to **one** channel and a **sigmoid**.
# - These coefficients are enlarged to the size of `skip` with `layers.UpSampling2D(2, interpolation="bilinear")`.
# - The result is a tuple: `skip` multiplied by the coefficients, the same one for all channels of a pixel; and the
#   coefficients themselves, (batch, height, width, 1).
#
# By hand: with 3 channels, 5 gate channels and 4 filters there are 3 · 4 weights for `skip`, 5 · 4 + 4 for `gate` and
# 4 + 1 for the last convolution: 41.

# %% nbgrader={"grade": false, "grade_id": "attention_gate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    ### BEGIN SOLUTION
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients
    ### END SOLUTION

# %%
print([output.shape for output in gate_model(attention_gate).outputs])
print("parameters:", gate_model(attention_gate).count_params())

# %% nbgrader={"grade": true, "grade_id": "attention_gate-test-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# shapes and the number of parameters (5 marks)
model = gate_model(attention_gate)
shapes = [tuple(output.shape[1:]) for output in model.outputs]
assert shapes == [(8, 8, 3), (8, 8, 1)], f"the two results have the shapes {shapes}"
assert model.count_params() == 41, f"3 and 5 channels, 4 filters: {model.count_params()} parameters, by hand 41"
### BEGIN HIDDEN TESTS
for height, width, channels, gate_channels, filters in ((16, 8, 2, 7, 3), (4, 12, 6, 6, 8)):
    model = gate_model(attention_gate, height, width, channels, gate_channels, filters)
    shapes = [tuple(output.shape[1:]) for output in model.outputs]
    assert shapes == [(height, width, channels), (height, width, 1)], f"a skip of {height} x {width} gave {shapes}"
    want = channels * filters + gate_channels * filters + 2 * filters + 1
    case = f"{channels} and {gate_channels} channels, {filters} filters"
    look = "Which have a bias?"
    assert model.count_params() == want, f"{case}: {model.count_params()} parameters, and not {want}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention_gate-test-2", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# the coefficients, with weights set by hand (6 marks)
model = gate_model(attention_gate)
set_kernels(model, {(1, 1, 3, 4): np.ones((1, 1, 3, 4)), (1, 1, 4, 1): np.ones((1, 1, 4, 1))})
for grey, want in ((0.0, 0.5), (0.1, 0.7685), (-0.1, 0.5)):  # 3 channels of grey, 4 filters, ReLU: sigmoid(12 · grey)
    said = np.asarray(model([np.full((1, 8, 8, 3), grey, "float32"), np.zeros((1, 4, 4, 5), "float32")])[1])
    assert abs(said - want).max() < 1e-3, f"a skip of {grey} everywhere: {said.mean():.3f}, by hand {want}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
arrays = {shape: rng.normal(size=shape) for shape in ((1, 1, 3, 4), (1, 1, 5, 4), (4,), (1, 1, 4, 1), (1,))}
set_kernels(model, arrays)
skip, gate = (rng.normal(size=shape).astype("float32") for shape in ((2, 8, 8, 3), (2, 4, 4, 5)))
total = skip[:, ::2, ::2] @ arrays[1, 1, 3, 4][0, 0] + gate @ arrays[1, 1, 5, 4][0, 0] + arrays[4,]
small = 1 / (1 + np.exp(-(np.maximum(total, 0) @ arrays[1, 1, 4, 1][0, 0] + arrays[1,])))
want = tf.image.resize(small, (8, 8), "bilinear").numpy()
far = abs(np.asarray(model([skip, gate])[1]) - want).max()
look = "In which order do sum, ReLU, sigmoid and enlarging stand?"
assert far < 2e-3, f"random numbers: coefficients are off by up to {far:.2f}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention_gate-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the gate decides (5 marks)
model = gate_model(attention_gate)
set_kernels(model, {(1, 1, 5, 4): np.ones((1, 1, 5, 4)), (1, 1, 4, 1): np.ones((1, 1, 4, 1)), (1,): [-10.0]})
gate = np.zeros((1, 4, 4, 5), "float32")
gate[:, :, 2:] = 1  # 5 channels, 4 filters: 20 - 10 on the right half, -10 on the left half
said = np.asarray(model([np.ones((1, 8, 8, 3), "float32"), gate])[1])[0, :, :, 0]
assert said[:, 6:].min() > 0.99, f"where the gate says yes, the coefficients are {said[:, 6:].min():.2f} and not 1"
assert said[:, :2].max() < 0.01, f"where the gate says no, the coefficients are {said[:, :2].max():.2f} and not 0"

# %% nbgrader={"grade": true, "grade_id": "attention_gate-test-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# what is let through (4 marks)
model = gate_model(attention_gate)
rng = np.random.default_rng(14)
skip, gate = (rng.normal(size=shape).astype("float32") for shape in ((2, 8, 8, 3), (2, 4, 4, 5)))
through, said = (np.asarray(each) for each in model([skip, gate]))
assert said.min() >= 0 and said.max() <= 1, f"coefficients go from {said.min():.2f} to {said.max():.2f}"
look = "the first result is not the skip connection times the coefficients"
assert through.shape == skip.shape and np.allclose(through, skip * said, atol=1e-4), look

# %% [markdown]
# ## Part 2: A light residual block (25 marks)
#
# A 3 x 3 convolution from 64 to 64 channels has 36,864 weights. A **depthwise** convolution looks at each channel by
# itself, and a 1 x 1 convolution after it mixes the channels (Howard and others 2017): 576 + 4,096 weights. Write
# `light_block(x, filters)`, two of these with a shortcut around them (He and others 2016).
#
# - Twice: a depthwise 3 x 3 convolution (`padding="same"`), then a 1 x 1 convolution to `filters` channels, both **without
#   bias**, then batch normalisation with a momentum of **0.9**. After the first batch normalisation stands a ReLU.
# - The shortcut is `x` itself if it has `filters` channels; else `x` after a 1 x 1 convolution without bias and a batch
#   normalisation with a momentum of 0.9.
# - Both are added, and a ReLU stands **after** the sum. There is none between the second batch normalisation and the sum.
# - Batch normalisation uses the statistics of the batch while the model trains, and its moving averages otherwise. Leave that
#   to Keras: the block works in both.
# - `layers.DepthwiseConv2D`, `layers.SeparableConv2D` and `layers.BatchNormalization` are allowed.
#
# By hand, 6 channels and 6 filters: twice 9 · 6 + 6 · 6 = 90 weights, and twice 2 · 6 trained numbers of batch
# normalisation: 204 trained parameters. From 3 to 6 channels: 27 + 18 + 12, 54 + 36 + 12, and 18 + 12 on the shortcut: 189.

# %% nbgrader={"grade": false, "grade_id": "light_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    ### BEGIN SOLUTION
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))
    ### END SOLUTION

# %%
for channels, filters in ((6, 6), (3, 6)):
    weights = block_model(light_block, channels, filters).trainable_weights
    print(channels, "to", filters, "channels:", sum(int(np.prod(weight.shape)) for weight in weights), "parameters")

# %% nbgrader={"grade": true, "grade_id": "light_block-test-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the shape and the number of trained parameters (5 marks)
def trained(channels, filters):
    model = block_model(light_block, channels, filters)
    assert tuple(model.output.shape[1:]) == (8, 8, filters), f"{filters} filters gave the shape {model.output.shape}"
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


assert trained(6, 6) == 204, f"6 channels, 6 filters: {trained(6, 6)} trained parameters, by hand 204"
assert trained(3, 6) == 189, f"3 channels, 6 filters: {trained(3, 6)} trained parameters, by hand 189"
### BEGIN HIDDEN TESTS
for channels, filters in ((4, 4), (5, 2), (1, 7), (8, 16)):
    want = 9 * channels + channels * filters + 9 * filters + filters**2 + 4 * filters
    want += 0 if channels == filters else channels * filters + 2 * filters
    got = trained(channels, filters)
    look = "Biases? The shortcut?"
    assert got == want, f"{channels} channels, {filters} filters: {got} trained parameters, and not {want}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "light_block-test-2", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# batch normalisation: in use, and its momentum (6 marks)
model = block_model(light_block, 4, 4)
rng = np.random.default_rng(22)
pictures = rng.normal(size=(6, 8, 8, 4)).astype("float32")
together, alone = np.asarray(model(pictures)), np.asarray(model(pictures[:1]))
look = "Which mode?"
assert together.shape == pictures.shape, f"pictures of {pictures.shape} gave {together.shape}"
assert np.allclose(together[:1], alone, atol=1e-4), f"in use, the other pictures of a batch change a result. {look}"
model(pictures * 5, training=False)
assert np.allclose(model(pictures), together, atol=1e-4), "using the model has changed it. Which mode?"
mean = [weight for weight in model.weights if weight.name == "moving_variance"]
assert len(mean) == 2, f"4 channels, 4 filters: 2 batch normalisations are asked for, and there are {len(mean)}"
model(pictures * 0, training=True)  # batches without variance: what is left of the 1 is the momentum
left = float(mean[0].numpy().mean())
assert abs(left - 0.9) < 1e-3, f"after one step of training, {left:.3f} of the old average is left"
### BEGIN HIDDEN TESTS
model = block_model(light_block, 3, 5)
before = [weight.numpy().copy() for weight in model.weights]
pictures = rng.normal(size=(5, 8, 8, 3)).astype("float32")
trained, used = np.asarray(model(pictures, training=True)), np.asarray(model(pictures, training=False))
look = "and they do not"
assert not np.allclose(trained, used, atol=1e-3), f"in training the statistics of the batch should count, {look}"
moved = [w for w, old in zip(model.weights, before) if w.name == "moving_mean" and not np.allclose(w.numpy(), old)]
assert len(moved) >= 2, "a step of training has not moved the averages of batch normalisation"
model = block_model(light_block, 3, 5)
model(pictures * 0, training=True)
left = [float(weight.numpy().mean()) for weight in model.weights if weight.name == "moving_variance"]
look = f"after one step of training, {np.round(left, 3).tolist()} of the old averages are left"
assert np.allclose(left, 0.9, atol=1e-3), f"3 channels, 5 filters: {look}. And on the shortcut?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "light_block-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the shortcut (5 marks)
model = block_model(light_block, 4, 4)
set_kernels(model, {})  # all kernels 0: nothing is left but the shortcut
pictures = np.random.default_rng(23).normal(size=(2, 8, 8, 4)).astype("float32")
got = np.asarray(model(pictures))
look = "Where does x go?"
assert np.allclose(got, np.maximum(pictures, 0), atol=1e-4), f"all kernels 0: the ReLU of x should come out. {look}"
### BEGIN HIDDEN TESTS
model = block_model(light_block, 3, 5)
mix = np.random.default_rng(24).normal(size=(1, 1, 3, 5))
set_kernels(model, {(1, 1, 3, 5): mix})  # the 1 x 1 convolution of the shortcut; depthwise kernels are 0
pictures = np.random.default_rng(25).normal(size=(2, 8, 8, 3)).astype("float32")
want = np.maximum(pictures @ mix[0, 0] / np.sqrt(1.001), 0)
got = np.asarray(model(pictures))
look = "depthwise kernels 0: the shortcut is not what comes out"
assert np.allclose(got, want, atol=1e-2), f"3 channels, 5 filters, {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "light_block-test-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# where the last ReLU stands (5 marks)
model = block_model(light_block, 4, 4)
set_kernels(model, {(4,): -np.ones(4)})  # kernels 0, shifts -1: the path around the shortcut gives -1
for weight in model.weights:
    if weight.name in ("moving_mean", "bias"):
        weight.assign(np.zeros(4))
look = "Which ReLUs are there?"
for x, want in ((3, 2), (0.5, 0)):
    got = np.asarray(model(np.full((1, 8, 8, 4), x, "float32")))
    right = abs(got - want).max() < 0.01
    assert right, f"x is {x}, the path gives -1: {got.mean():.2f} comes out, by hand ReLU({x} - 1) = {want}. {look}"

# %% nbgrader={"grade": true, "grade_id": "light_block-test-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# the two convolutions and the ReLU between them (4 marks)
model = block_model(light_block, 2, 2)
rng = np.random.default_rng(26)
deep, mix = rng.normal(size=(3, 3, 2, 1)), rng.normal(size=(1, 1, 2, 2))
set_kernels(model, {(3, 3, 2, 1): deep, (1, 1, 2, 2): mix})
x = rng.normal(size=(2, 8, 8, 2)).astype("float32")
deep, factor = deep.astype("float32"), 1.001**-0.5  # a variance of 1, and Keras adds 0.001
def one(z):
    return tf.nn.depthwise_conv2d(z, deep, (1, 1, 1, 1), "SAME").numpy() @ mix[0, 0] * factor
want = np.maximum(x + one(np.maximum(one(x), 0).astype("float32")), 0)
far = abs(np.asarray(model(x)) - want).max() / want.max()
assert far < 0.01, f"random kernels: the result is off by up to {far:.0%}. Which layers stand in which order?"

# %% [markdown]
# ## Part 3: A loss at several resolutions (20 marks)
#
# Deep supervision (Lee and others 2015; as in nnU-Net, Isensee and others 2021) lets the coarse levels of the decoder predict
# masks too, and adds up their losses. Write `deep_supervision_loss(y_true, outputs)`.
#
# - `y_true` is (images, height, width, lungs) with 0 and 1, `float32`. `outputs` is a list of probabilities: the first at the
#   size of `y_true`, each further one half as high and wide as the one before.
# - The mask for an output of half, a quarter, … of the size: 1 where **more than half** of the pixels of `y_true` that it
#   covers (2 x 2, 4 x 4, …) are 1, else 0.
# - The loss of an output, for each image: 1 minus the mean over its lungs of (2 · Σ true · predicted + 1) /
#   (Σ true + Σ predicted + 1), with sums over the pixels of that image and lung.
# - The weights of the outputs are 1, 1/2, 1/4, …, **divided by their sum**. The result, (images,), is the weighted sum.
# - It must be differentiable with respect to the outputs.
#
# Numbers may differ by 0.001.
#
# By hand, two outputs with losses 0.3 and 0.6: weights 2/3 and 1/3, so the result is 0.4.

# %% nbgrader={"grade": false, "grade_id": "deep_supervision_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def deep_supervision_loss(y_true, outputs):
    """Weighted Dice loss over several resolutions, (images,)."""
    ### BEGIN SOLUTION
    total, weights = 0, 0
    for level, predicted in enumerate(outputs):
        predicted = ops.convert_to_tensor(predicted)
        share = ops.average_pool(ops.convert_to_tensor(y_true, predicted.dtype), 2**level, 2**level)
        true = ops.cast(share > 0.5, predicted.dtype)
        overlap = 2 * ops.sum(true * predicted, axis=(1, 2)) + 1
        dice = overlap / (ops.sum(true, axis=(1, 2)) + ops.sum(predicted, axis=(1, 2)) + 1)
        total = total + 0.5**level * (1 - ops.mean(dice, axis=-1))
        weights = weights + 0.5**level
    return total / weights
    ### END SOLUTION

# %%
lungs = draw_phantom(5, 64).masks[None].astype("float32")
coarse = [ops.average_pool(lungs, 2**level, 2**level) for level in range(3)]
print("loss of averaged masks:", np.round(deep_supervision_loss(lungs, coarse), 3))

# %% nbgrader={"grade": false, "grade_id": "setup-5", "locked": true, "schema_version": 3, "solution": false, "task": false}
def dice_loss_of(true, said):
    """The loss of one output, (images,)."""
    true, said = np.asarray(true, float), np.asarray(said, float)
    return 1 - ((2 * (true * said).sum((1, 2)) + 1) / (true.sum((1, 2)) + said.sum((1, 2)) + 1)).mean(-1)


def reduced(true, level):
    """Masks at 1 / 2 ** level of their size: more than half."""
    side, (images, height, width, lungs) = 2**level, np.shape(true)
    blocks = np.asarray(true).reshape(images, height // side, side, width // side, side, lungs)
    return (blocks.mean(axis=(2, 4)) > 0.5).astype("float32")

# %% nbgrader={"grade": false, "grade_id": "probe-3", "locked": true, "schema_version": 3, "solution": false, "task": false}
def slopes_of(loss, true, guesses):
    """The gradients of the sum of a loss with respect to each of the outputs."""
    guesses = [tf.Variable(guess) for guess in guesses]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(true, guesses))
    return tape.gradient(total, guesses)

# %% nbgrader={"grade": true, "grade_id": "deep_supervision_loss-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# the shape, and one output alone: Dice loss (4 marks)
true = np.zeros((2, 8, 8, 1), "float32")
true[:, :4] = 1
said = np.zeros((2, 8, 8, 1), "float32")
said[0, :2] = 1
loss = np.asarray(deep_supervision_loss(true, [said]))
assert loss.shape == (2,), f"2 images gave a result of shape {loss.shape}"
want = 1 - (2 * 16 + 1) / (32 + 16 + 1)
assert abs(loss[0] - want) < 1e-3, f"16 of 32 pixels found, one output: {loss[0]:.3f}, by hand {want:.3f}"
want = 1 - 1 / 33
assert abs(loss[1] - want) < 1e-3, f"none of 32 pixels found, one output: {loss[1]:.3f}, by hand {want:.3f}"

# %% nbgrader={"grade": true, "grade_id": "deep_supervision_loss-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the weights (5 marks)
true = np.ones((1, 8, 8, 1), "float32")
sizes = (8, 4, 2)
good, bad = ([np.full((1, side, side, 1), value, "float32") for side in sizes] for value in (1, 0))
losses = [1 - 1 / (side * side + 1) for side in sizes]  # of an output that finds nothing
for wrong, weight in enumerate((4 / 7, 2 / 7, 1 / 7)):
    outputs = [*good[:wrong], bad[wrong], *good[wrong + 1 :]]
    got, want = float(deep_supervision_loss(true, outputs)[0]), weight * losses[wrong]
    look = "Which weights?"
    assert abs(got - want) < 1e-3, f"three outputs, number {wrong + 1} finds nothing: {got:.3f}, not {want:.3f}. {look}"
### BEGIN HIDDEN TESTS
true = np.ones((1, 16, 16, 1), "float32")
for count in (1, 2, 4):
    outputs = [np.zeros((1, 16 // 2**k, 16 // 2**k, 1), "float32") for k in range(count)]
    weights = 0.5 ** np.arange(count) / (0.5 ** np.arange(count)).sum()
    want = sum(w * (1 - 1 / ((16 // 2**k) ** 2 + 1)) for k, w in enumerate(weights))
    got = float(deep_supervision_loss(true, outputs)[0])
    look = "What do the weights add up to?"
    assert abs(got - want) < 1e-3, f"{count} outputs that find nothing: {got:.3f}, and not {want:.3f}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deep_supervision_loss-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the coarse masks: more than half (5 marks)
true = np.zeros((1, 4, 4, 1), "float32")
true[0, :2, :2, 0] = [[1, 1], [1, 0]]  # three of four
true[0, :2, 2:, 0] = [[1, 1], [0, 0]]  # two of four
true[0, 2:, :2, 0] = [[1, 0], [0, 0]]  # one of four
right = np.float32([[1, 0], [0, 0]]).reshape(1, 2, 2, 1)
got = float(deep_supervision_loss(true, [true, right])[0])
look = "What is a coarse mask?"
assert abs(got) < 1e-3, f"blocks with 3, 2, 1 and 0 of 4 pixels, and only the first is lung: loss {got:.3f}. {look}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(33)
for _ in range(3):
    true = (rng.random((2, 16, 8, 2)) < 0.5).astype("float32")
    outputs = [true] + [reduced(true, level) for level in (1, 2, 3)]
    got = np.asarray(deep_supervision_loss(true, outputs))
    assert abs(got).max() < 1e-3, f"outputs that are the coarse masks: loss {got.max():.3f}. What is a coarse mask?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deep_supervision_loss-test-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# each image, each lung (3 marks)
rng = np.random.default_rng(34)
true = np.kron(rng.integers(0, 2, (3, 2, 2, 2)), np.ones((1, 4, 4, 1))).astype("float32")
said = rng.random((3, 8, 8, 2)).astype("float32")
got, want = np.asarray(deep_supervision_loss(true, [said])), dice_loss_of(true, said)
got = np.broadcast_to(got, want.shape)
look = "What are the sums over?"
assert np.allclose(got, want, atol=1e-3), f"three images: {got.round(3)}, one by one {want.round(3)}. {look}"

# %% nbgrader={"grade": true, "grade_id": "deep_supervision_loss-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# a gradient for every output (3 marks)
true = np.zeros((1, 8, 8, 1), "float32")
true[:, :4] = 1
guesses = [np.full((1, side, side, 1), 0.5, "float32") for side in (8, 4, 2)]
slopes = slopes_of(deep_supervision_loss, true, guesses)
missing = [number for number, slope in enumerate(slopes, 1) if slope is None]
assert not missing, f"no gradient reaches the outputs {missing}: something is not differentiable, or left TensorFlow"
assert [np.shape(slope) for slope in slopes] == [each.shape for each in guesses], "gradients of other shapes"
for slope in slopes:
    slope = np.asarray(slope)[0, ..., 0]
    top = slope[: len(slope) // 2]
    assert (top < 0).all(), "more probability on lung should lower the loss"

# %% [markdown]
# ## Part 4: What layers cost (20 marks)
#
# Whether a network fits a laptop can be counted before it is built. Write `layer_table(shape, steps)`.
#
# - `shape` is (height, width, channels) of a picture. `steps` is a list of dictionaries, each a layer that takes the result of
#   the one before. All convolutions are padded (`padding="same"`), their kernels are `kernel` x `kernel`.
#     - `{"kind": "conv", "filters": 8, "kernel": 3, "strides": 1, "bias": True}`: sides are divided by `strides` and
#       **rounded up**
#     - `{"kind": "depthwise", "kernel": 3, "strides": 1, "bias": False}`: the same, one filter for each channel
#     - `{"kind": "transposed", "filters": 4, "kernel": 2, "strides": 2, "bias": True}`: sides are multiplied by `strides`
#     - `{"kind": "pool", "size": 2}`: sides are divided by `size` and **rounded down**
#     - `{"kind": "norm"}`: batch normalisation
# - It returns a list with a tuple for each step: the shape of its result (height, width, channels), its number of **trained**
#   parameters, and its multiply-adds for one picture.
# - Multiply-adds are counted for convolutions alone, without the bias: a convolution gathers `kernel` x `kernel` values of
#   each channel for each pixel and filter of its **result**; a depthwise one does so in one channel; a transposed one spreads
#   each pixel of its **input** over `kernel` x `kernel` pixels of each filter. Pools and batch normalisation count 0.
#
# By hand: a picture of 8 x 8 with 3 channels, a convolution with 4 filters, kernel 3 and bias: the result is (8, 8, 4), there are
# 3 · 3 · 3 · 4 + 4 = 112 parameters, and 8 · 8 · 3 · 3 · 3 · 4 = 6,912 multiply-adds.

# %% nbgrader={"grade": false, "grade_id": "layer_table", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    ### BEGIN SOLUTION
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table
    ### END SOLUTION

# %%
steps = [
    {"kind": "conv", "filters": 4, "kernel": 3, "strides": 1, "bias": True},
    {"kind": "norm"},
    {"kind": "pool", "size": 2},
]
for row in layer_table((8, 8, 3), steps):
    print(row)

# %% nbgrader={"grade": false, "grade_id": "setup-6", "locked": true, "schema_version": 3, "solution": false, "task": false}
def step(kind, filters=None, kernel=3, strides=1, bias=True, size=2):
    if kind in ("pool", "norm"):
        return {"kind": kind, "size": size} if kind == "pool" else {"kind": kind}
    numbers = {"kind": kind, "filters": filters, "kernel": kernel, "strides": strides, "bias": bias}
    return numbers if kind != "depthwise" else {key: numbers[key] for key in numbers if key != "filters"}


def rows_of(layer_table, shape, *steps):
    rows = layer_table(shape, list(steps))
    return [(tuple(int(n) for n in row[0]), int(row[1]), int(row[2])) for row in rows]

# %% nbgrader={"grade": true, "grade_id": "layer_table-test-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# convolutions (5 marks)
[row] = rows_of(layer_table, (8, 8, 3), step("conv", 4))
assert row == ((8, 8, 4), 112, 6912), f"8 x 8 x 3, 4 filters, kernel 3, bias: {row}, by hand (8, 8, 4), 112, 6912"
[row] = rows_of(layer_table, (7, 10, 2), step("conv", 5, kernel=1, strides=2, bias=False))
case = "7 x 10 x 2, 5 filters, kernel 1, strides 2, no bias"
assert row == ((4, 5, 5), 10, 200), f"{case}: {row}, by hand (4, 5, 5), 10, 200"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(41)
for _ in range(6):
    h, w, c, f, k, s = (int(n) for n in rng.integers((5, 5, 1, 1, 1, 1), (20, 20, 6, 6, 6, 4)))
    bias = bool(rng.integers(2))
    layer = layers.Conv2D(f, k, strides=s, padding="same", use_bias=bias)
    out = layer(keras.Input((h, w, c))).shape[1:]
    [row] = rows_of(layer_table, (h, w, c), step("conv", f, k, s, bias))
    case = f"{h} x {w} x {c}, {f} filters, kernel {k}, strides {s}, bias {bias}"
    assert row[0] == tuple(out), f"{case}: shape {row[0]}, Keras has {tuple(out)}. Rounded up or down?"
    assert row[1] == layer.count_params(), f"{case}: {row[1]} parameters, Keras has {layer.count_params()}"
    look = "Of which size, and with what of the bias?"
    assert row[2] == out[0] * out[1] * k * k * c * f, f"{case}: {row[2]} multiply-adds. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "layer_table-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# depthwise convolutions (5 marks)
[row] = rows_of(layer_table, (8, 8, 6), step("depthwise", bias=False))
assert row == ((8, 8, 6), 54, 3456), f"8 x 8 x 6, depthwise, kernel 3: {row}, by hand (8, 8, 6), 54, 3456"
[row] = rows_of(layer_table, (8, 8, 6), step("depthwise", bias=True))
assert row == ((8, 8, 6), 60, 3456), f"8 x 8 x 6, depthwise, kernel 3, bias: {row}, by hand (8, 8, 6), 60, 3456"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(42)
for _ in range(5):
    h, w, c, k, s = (int(rng.integers(low, high)) for low, high in ((5, 20), (5, 20), (1, 9), (1, 6), (1, 4)))
    layer = layers.DepthwiseConv2D(k, strides=s, padding="same")
    out = layer(keras.Input((h, w, c))).shape[1:]
    [row] = rows_of(layer_table, (h, w, c), step("depthwise", None, k, s, True))
    want = tuple(out), layer.count_params(), out[0] * out[1] * k * k * c
    assert row == want, f"{h} x {w} x {c}, depthwise, kernel {k}, strides {s}, bias: {row}, and not {want}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "layer_table-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# transposed convolutions (5 marks)
[row] = rows_of(layer_table, (4, 5, 6), step("transposed", 3, kernel=2, strides=2))
assert row == ((8, 10, 3), 75, 1440), f"4 x 5 x 6, 3 filters, kernel 2, strides 2: {row}, by hand (8, 10, 3), 75, 1440"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(43)
for _ in range(5):
    h, w, c, f, k, s = (int(rng.integers(low, high)) for low, high in ((2, 9), (2, 9), (1, 6), (1, 6), (2, 5), (1, 4)))
    layer = layers.Conv2DTranspose(f, k, strides=s, padding="same")
    out = layer(keras.Input((h, w, c))).shape[1:]
    [row] = rows_of(layer_table, (h, w, c), step("transposed", f, k, s))
    want = tuple(out), layer.count_params(), h * w * k * k * c * f
    assert row == want, f"{h} x {w} x {c}, transposed, {f} filters, kernel {k}, strides {s}: {row}, and not {want}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "layer_table-test-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# several layers, pools and batch normalisation (5 marks)
rows = rows_of(layer_table, (9, 12, 1), step("conv", 4), step("norm"), step("pool"), step("conv", 2, kernel=1))
assert len(rows) == 4, f"4 steps gave {len(rows)} rows"
look = "What is trained?"
assert rows[1] == ((9, 12, 4), 8, 0), f"batch normalisation of 4 channels: {rows[1]}, by hand (9, 12, 4), 8, 0. {look}"
assert rows[2] == ((4, 6, 4), 0, 0), f"a pool of 2 on 9 x 12: {rows[2]}, by hand (4, 6, 4), 0, 0. Rounded up or down?"
look = "What does it take in?"
assert rows[3] == ((4, 6, 2), 10, 192), f"a convolution after it: {rows[3]}, by hand (4, 6, 2), 10, 192. {look}"
### BEGIN HIDDEN TESTS
steps = [step("conv", 5), step("norm"), step("pool"), step("conv", 3, kernel=1), step("norm"), step("pool", size=3)]
steps += [step("transposed", 4, kernel=2, strides=2), step("norm"), step("conv", 2, kernel=1, bias=False)]
made = {"conv": layers.Conv2D, "transposed": layers.Conv2DTranspose}
x = keras.Input((26, 31, 2))
for number, (each, row) in enumerate(zip(steps, rows_of(layer_table, (26, 31, 2), *steps)), 1):
    if each["kind"] == "norm":
        layer = layers.BatchNormalization()
    elif each["kind"] == "pool":
        layer = layers.MaxPooling2D(each["size"])
    else:
        numbers = {"strides": each["strides"], "use_bias": each["bias"], "padding": "same"}
        layer = made[each["kind"]](each["filters"], each["kernel"], **numbers)
    x = layer(x)
    trained = sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
    want = tuple(x.shape[1:]), trained
    assert row[:2] == want, f"step {number}, {each['kind']}: {row[:2]}, and Keras has {want}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: Where the cost lies (55 marks)
#
# The table shows the encoder of a U-Net for pictures of 256 px: five levels, each with two 3 x 3 convolutions, 16 filters at the
# first level and twice as many at each one below. It counts once for usual convolutions, once for the depthwise separable
# ones of part 2.

# %%
print("level   size   filters   parameters, usual and light   million multiply-adds, usual and light")
channels = 1
for level in range(5):
    side, filters = 256 // 2**level, 16 * 2**level
    usual = 9 * channels * filters + 9 * filters * filters
    light = 9 * channels + channels * filters + 9 * filters + filters * filters
    millions = [side * side * weights / 1e6 for weights in (usual, light)]
    print(f"{level:5} {side:6} {filters:9} {usual:16,} {light:12,} {millions[0]:24.1f} {millions[1]:10.1f}")
    channels = filters

# %% [markdown]
# **Question.** In 100 to 150 words: (a) At which level are most of the parameters, and how are the multiply-adds spread? Why?
# (b) How much do light blocks save at the first level, and how much at the last? Explain the difference with the number of
# channels. (c) A colleague removes the lowest level to make training faster. What does it save, and what is lost? (d) Light
# blocks have an eighth of the multiply-adds. Why may training on a laptop become less than eight times as fast?

# %% [markdown] nbgrader={"grade": true, "grade_id": "written", "locked": false, "points": 55, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# (a) Most parameters are at the lowest level: each level down has twice the channels on both sides of a convolution, so four
# times the weights. Multiply-adds are the same at all levels but the first, where the picture has one channel: a
# quarter of the pixels makes up for four times the weights. (b) At the first level a light block saves less than at the last.
# It replaces 9 · c · f weights by 9 · c + c · f, so the saving is about 9 when there are many channels, and less when the
# 9 · c counts beside c · f. (c) It saves three quarters of the parameters but only about a fifth of the work, and the
# largest receptive field: the network no longer sees the whole chest at once. (d) Depthwise convolutions do little
# arithmetic for each number that they read, so reading memory takes the time; normalisation, ReLU, pictures and the loss
# stay as they were.
# ### END SOLUTION

# %% [markdown]
# ## Hand in
#
# Restart the kernel and run all cells from the top. Save, and hand in this one `.ipynb` file under its own name. Print no
# more than a page of text in all. (A part that you have left out stops *Run all cells*; run the cells after it by hand.)
