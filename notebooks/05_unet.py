# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,-jupytext.text_representation.jupytext_version
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · The U-Net
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/05_unet.ipynb)
#
# The U-Net (Ronneberger, Fischer and Brox, [arXiv:1505.04597](https://arxiv.org/abs/1505.04597), 2015) takes a picture
# and gives, for each pixel, the probability that it belongs to a lung. It consists of few kinds of parts. You try
# each of them on arrays that are small enough to count, and then put them together.
#
# **You will be able to**
#
# - say what convolution, pooling, transposed convolution and a skip connection do, and compute each by hand
# - build a U-Net, and give the shape at each of its levels
# - find out how many pixels a network sees at once, by a formula and by a measurement
# - count parameters and multiply-adds, and say what a network costs before training it
# - say what batch normalisation does in training, and what it does afterwards
#
# **Time on two cores:** about 10 seconds
#
# **Needs:** the X-rays as arrays (made here if they are missing). **Leaves behind:** nothing.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %%
import lungseg_utils.quiet  # TensorFlow without its start-up messages

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)
arrays = course.arrays_ready(chosen, cases)

# %% [markdown]
# One X-ray, made ready as in notebook 4, and put into a batch of one:

# %%
import tensorflow as tf

from lungseg_utils.pipeline import match_channels, scale

recipe = chosen.recipe
image, masks = match_channels(*scale(arrays.images[0], arrays.masks[0]), recipe)
batch = image[tf.newaxis]
print("picture", batch.shape, " masks", masks.shape)

# %% [markdown]
# ## Convolution: one small pattern, everywhere
#
# A **convolution** lays a small grid of weights, its **kernel**, over each place of a picture, multiplies weights and
# pixels, and adds up. One number comes out for each place. The kernel below subtracts the left neighbour from the
# right one.
#
# > **Predict.** The picture is dark on the left and light on the right. Where is the result not zero?

# %%
import numpy as np

picture = np.array([[0, 0, 0, 1, 1, 1]] * 4, "float32")
kernel = np.array([[0, 0, 0], [-1, 0, 1], [0, 0, 0]], "float32")

by_hand = np.zeros((2, 4))
for row in range(2):
    for column in range(4):
        by_hand[row, column] = np.sum(picture[row : row + 3, column : column + 3] * kernel)

# %%
from lungseg_utils import figures

figure, axes = figures.new_figure(1, 3, width=2.6, height=2.4)
for axis, values, title in zip(axes[0], (picture, kernel, by_hand),
                               ("picture", "kernel", "result")):
    figures.draw_grid(axis, values, title)
figures.show(figure, "Three grids of numbers: a picture with three columns of zeros and three of "
             "ones; a kernel with -1 left and 1 right of its centre; a result of two rows, zeros "
             "outside and ones in the middle columns.")

# %% [markdown]
# Only at the edge. This kernel is a detector of vertical edges, and it finds one wherever it is in the picture. The
# result is called a **feature map**. In a network nobody chooses the kernels: training finds weights that help.
#
# The result is smaller than the picture, because a 3 x 3 grid does not fit around the border. `padding="same"` adds a
# border of zeros first, so that the size stays. The same kernel in Keras, whose arrays are (batch, height, width,
# channels):

# %%
import keras
from keras import layers

convolution = layers.Conv2D(1, 3, padding="same", use_bias=False)
convolution.build((None, 4, 6, 1))
convolution.set_weights([kernel[:, :, np.newaxis, np.newaxis]])
result = convolution(picture[np.newaxis, ..., np.newaxis])[0, ..., 0].numpy()
print(result)
assert result.shape == picture.shape
assert np.array_equal(result[1:-1, 1:-1], by_hand)

# %% [markdown]
# Inside, it is what we computed by hand. The -1 at the right border is not an edge of the picture: there the zeros of
# the padding begin. A network learns to live with that.
#
# A layer has several kernels, its **filters**, and each gives one channel of the result. Each filter looks at *all*
# channels of its input, and has one more weight, the **bias**, which is added.
#
# > **Predict.** A 3 x 3 convolution from 8 channels to 16: how many weights?

# %%
convolution = layers.Conv2D(16, 3, padding="same")
convolution.build((None, None, None, 8))
counted = 3 * 3 * 8 * 16 + 16
print(counted, convolution.count_params())
assert counted == convolution.count_params()

# %% [markdown]
# For each of 16 filters: 3 x 3 places, 8 channels, and a bias. The size of the picture plays no part. The same weights
# are used everywhere.
#
# ## The block: convolve, normalise, cut off, twice
#
# Two more steps belong to each convolution:
#
# - **batch normalisation** (Ioffe and Szegedy, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167)) brings each
#   channel to mean 0 and standard deviation 1, over the pictures of the batch. We look at it closely further down.
# - **ReLU** sets negative numbers to 0. Without such a bend, two convolutions in a row could be replaced by one.
#
# The U-Net does this twice at each level. We call it a block. `momentum` belongs to batch normalisation.
#
# The layer `BatchNormalization` below comes from the course's package. Keras has one of the same name, and composes it
# of about a dozen operations, each of which reads the whole map from memory and writes it back. TensorFlow has a single
# operation that does all of it. Ours is Keras' layer with that one operation: the same weights, the same result up to
# rounding, in less time. Further down we check that.

# %%
from lungseg_utils.unet import BatchNormalization


def conv_block(x, filters, momentum=0.9):
    """Apply two 3 x 3 convolutions, each followed by batch normalisation and ReLU."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = BatchNormalization(momentum=momentum)(x)
        x = layers.Activation("relu")(x)
    return x


# %% [markdown]
# Keras builds a network by *describing* it. `keras.Input` is a placeholder with a shape, layers are called on it, and
# `keras.Model` is everything between a placeholder and a result. `None` in front stands for any number of pictures.

# %%
keras.utils.set_random_seed(42)
inputs = keras.Input(batch.shape[1:])
features = conv_block(inputs, recipe.base_filters)
block = keras.Model(inputs, features)
print(inputs.shape, "->", features.shape)

# %%
maps = block(batch)[0].numpy()
strongest = np.argsort(maps.std(axis=(0, 1)))[::-1]
figure, axes = figures.new_figure(1, 5, width=2, height=2.2)
figures.draw_xray(axes[0, 0], arrays.images[0], "X-ray")
for channel, axis in zip(strongest, axes[0, 1:]):
    figures.draw_xray(axis, maps[..., channel] / maps[..., channel].max() * 255,
                      f"channel {channel}")
figures.show(figure, "An X-ray and four feature maps of an untrained block: blurred or edge-like "
             "versions of the X-ray, of different brightness.")
assert maps.min() >= 0  # ReLU

# %% [markdown]
# These are the four channels that vary most. The weights are random, and yet the maps show the chest: a random kernel
# is still a small pattern detector. Others of its channels may be black everywhere, because ReLU cuts them off.
# Training will make them useful.
#
# ## Pooling: see more by keeping less
#
# A 3 x 3 kernel sees three pixels across. To know that something is a lung, a network has to see much more. So the
# picture is made smaller, and the same small kernel then covers more of it. **Max pooling** keeps the largest number
# of each 2 x 2 square.
#
# > **Predict.** What is left of this 4 x 4 array?

# %%
numbers = np.array([[1, 2, 0, 0], [3, 4, 0, 5], [0, 0, 7, 7], [6, 0, 7, 7]], "float32")
pooled = layers.MaxPooling2D(2)(numbers[np.newaxis, ..., np.newaxis])[0, ..., 0].numpy()
print(pooled)
assert np.array_equal(pooled, [[4, 5], [6, 7]])

# %% [markdown]
# Three of four numbers are gone. *That* there was a 5 is kept, *where* in its square it was is lost.
#
# A U-Net goes down first, to ever smaller maps: this half is the **encoder**. Then it goes up again, to a map of the
# picture's size: that half is the **decoder**. A level of the encoder is a block, then pooling. It returns two things:
# the halved map, and the map before halving. You will see soon what the second is for.

# %%
def encoder_block(x, filters, momentum=0.9):
    """Describe the picture at one scale, then halve it."""
    skip = conv_block(x, filters, momentum)
    return layers.MaxPooling2D(2)(skip), skip


# %%
halved, skip = encoder_block(inputs, recipe.base_filters)
print("input ", inputs.shape)
print("skip  ", skip.shape)
print("halved", halved.shape)
assert halved.shape[1] * 2 == skip.shape[1]

# %% [markdown]
# ### What pooling loses
#
# The U-Net pools several times, one after the other. What would a mask look like that has gone this way?
#
# > **Predict.** The mask of one lung is pooled as often as in our network, then enlarged to its old size. What is left
# > of the sharp corner at the bottom?

# %%
lung = arrays.masks[0][..., :1].astype("float32")
small = lung[np.newaxis]
for _ in range(recipe.depth):
    small = layers.AveragePooling2D(2)(small)
factor = 2**recipe.depth
coarse = np.kron(small[0, ..., 0].numpy() > 0.5, np.ones((factor, factor)))
print(f"{lung.shape[0]} px across -> {small.shape[1]} px across -> {coarse.shape[0]} px across")

# %%
figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], arrays.images[0], "true outline")
figures.draw_outlines(axes[0, 0], lung)
figures.draw_xray(axes[0, 1], arrays.images[0], f"pooled {recipe.depth} times and enlarged")
figures.draw_outlines(axes[0, 1], coarse[..., np.newaxis], figures.PREDICTION)
figures.show(figure, "An X-ray twice. On the left a smooth outline of the lung on the viewer's "
             "left; on the right an outline of a few large steps that misses the corners.")

# %% [markdown]
# It still says *where* the lung is, but not where its border runs. (We averaged here instead of taking the maximum,
# which is the kindest way to shrink a mask. It does not help.)
#
# So the deep levels know *what* and roughly *where*; the early levels know exactly where the edges are, but not
# whether they belong to a lung. The answer needs both. That is the idea of the U-Net.
#
# ## Back to full size: transposed convolution
#
# A **transposed convolution** makes a map larger. Each number is multiplied with a kernel, and the result is laid down
# in the larger map. With a 2 x 2 kernel and `strides=2` the pieces lie side by side.
#
# > **Predict.** The input is 1, 2 / 3, 4 and the kernel is 1, 0 / 0, 10. What are the four rows of the result?

# %%
small_map = np.array([[1, 2], [3, 4]], "float32")
kernel = np.array([[1, 0], [0, 10]], "float32")
enlarge = layers.Conv2DTranspose(1, 2, strides=2, use_bias=False)
enlarge.build((None, 2, 2, 1))
enlarge.set_weights([kernel[:, :, np.newaxis, np.newaxis]])
enlarged = enlarge(small_map[np.newaxis, ..., np.newaxis])[0, ..., 0].numpy()
print(enlarged)
assert np.array_equal(enlarged, np.kron(small_map, kernel))

# %% [markdown]
# Each number has become a 2 x 2 square: itself times the kernel. The weights are learned here too, so the network
# chooses how to fill the squares.
#
# ## The skip connection
#
# Enlarging cannot bring back what pooling has lost. But the encoder still has it: the map before halving, at the same
# size. The decoder lays both together as channels (**concatenation**), and a block blends them. This shortcut past
# everything below is the **skip connection**.

# %%
def decoder_block(x, skip, filters, momentum=0.9):
    """Double the map, join it with the skip connection, and blend the two."""
    x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
    x = layers.Concatenate()([x, skip])
    return conv_block(x, filters, momentum)


# %%
doubled = decoder_block(halved, skip, recipe.base_filters)
print("from below", halved.shape)
print("skip      ", skip.shape)
print("result    ", doubled.shape)
assert doubled.shape == skip.shape

# %% [markdown]
# ## Put together
#
# Down: a few encoder blocks. Each level halves the picture and doubles the filters.

# %%
x = inputs
skips = []
for level in range(recipe.depth):
    x, skip = encoder_block(x, recipe.base_filters * 2**level)
    skips.append(skip)
    print(f"level {level}: skip {skip.shape}, going down {x.shape}")

# %% [markdown]
# At the bottom, the **bottleneck**, a block alone:

# %%
x = conv_block(x, recipe.base_filters * 2**recipe.depth)
print("bottleneck:", x.shape)
assert x.shape[1] == recipe.image_size // 2**recipe.depth

# %% [markdown]
# And up again. Each decoder block takes the skip of its own level, so the levels come in reverse order.

# %%
for level in reversed(range(recipe.depth)):
    x = decoder_block(x, skips[level], recipe.base_filters * 2**level)
    print(f"level {level}: {x.shape}")

# %% [markdown]
# The last layer turns the channels of each pixel into one probability per mask. A 1 x 1 convolution sees a single
# pixel and weighs its channels. The **sigmoid** brings any number into the range from 0 to 1.
#
# > **Predict.** One sigmoid for each mask: must the two probabilities of a pixel add up to 1?

# %%
outputs = layers.Conv2D(recipe.output_channels, 1, activation="sigmoid", dtype="float32")(x)
print("probabilities:", outputs.shape)
assert outputs.shape[1:] == masks.shape

# %% [markdown]
# No. Each mask is a question of its own: is this pixel in the lung on the viewer's left? In the one on the viewer's
# right? Both can be answered with no.
#
# Now all of it as one function. A size that cannot be halved often enough is refused at once, with a message that says
# why. Otherwise the maps of encoder and decoder would not fit together, and the error would come from deep inside.

# %%
def build_unet(
    image_size, input_channels=1, output_channels=2, base_filters=8, depth=4, momentum=0.9
):
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


# %%
keras.utils.set_random_seed(42)
net = build_unet(recipe.image_size, recipe.input_channels, recipe.output_channels,
                 recipe.base_filters, recipe.depth)
print(net.input_shape, "->", net.output_shape)

try:
    build_unet(100)
except ValueError as error:
    print(error)

# %% [markdown]
# Why `float32` in the last layer? On some machines networks compute in `bfloat16`, a number of half the size with
# three digits at most. That is enough for features, but not for a loss that adds thousands of pixels:

# %%
bfloat16 = tf.bfloat16.as_numpy_dtype
print("256 + 1 ->", bfloat16(256 + 1))
print("0.999   ->", bfloat16(0.999))
assert net.output.dtype == "float32"

# %% [markdown]
# 257 becomes 256, and `0.999` becomes 1. A count would stand still, and a probability would become a certainty.
#
# ### The picture of the U
#
# Now draw what has been built. Each box is a map: high when the picture is large, wide when there are many channels.

# %%
from matplotlib.patches import Rectangle


def draw_box(axes, x, level):
    side, filters = recipe.image_size // 2**level, recipe.base_filters * 2**level
    height, width = 0.8 * 0.72**level, 0.16 * 1.4**level
    corner = (x - width / 2, -level - height / 2)
    axes.add_patch(Rectangle(corner, width, height, facecolor="lightgrey", edgecolor="black"))
    place = np.sign(x - recipe.depth)  # on the left, below, or on the right of the box
    below = height / 2 + 0.3 if place == 0 else 0
    align = {-1: "right", 0: "center", 1: "left"}[place]
    axes.text(x + place * (width / 2 + 0.06), -level - below,
              f"{side} x {side}\n{filters} channels",
              ha=align, va="center", fontsize=8)
    return side, filters


# %%
def draw_arrow(axes, start, end, style):
    axes.annotate("", end, start,
                  arrowprops={"arrowstyle": "->", "linestyle": style, "shrinkA": 0, "shrinkB": 0})


# %%
depth = recipe.depth
figure, axes = figures.new_figure(1, 1, width=9, height=5)
axis = axes[0, 0]
for level in range(depth + 1):
    for x in {level, 2 * depth - level}:  # a set: at the bottom both are the same
        side, filters = draw_box(axis, x, level)
    if level < depth:
        draw_arrow(axis, (level + 0.3, -level), (2 * depth - level - 0.3, -level), "dashed")
        draw_arrow(axis, (level + 0.25, -level - 0.3), (level + 0.75, -level - 0.8), "solid")
        draw_arrow(axis, (2 * depth - level - 0.75, -level - 0.8), (2 * depth - level - 0.25, -level - 0.3), "solid")
        assert skips[level].shape[1:] == (side, side, filters)
axis.set(xlim=(-1.2, 2 * depth + 1.2), ylim=(-depth - 0.7, 0.6))
axis.set_axis_off()
figures.show(figure, "Boxes in the form of a U: lower and wider on the way down, high and narrow "
             "again on the way up. Solid arrows follow the U, dashed arrows cross it.")

# %% [markdown]
# Solid arrows: pooling on the way down, transposed convolution on the way up. Dashed arrows: the skip connections.
#
# ## How much does the bottom see?
#
# The **receptive field** of a number in a feature map is the square of input pixels that can change it. Count it for
# one number at the bottom, going through the layers from the input on:
#
# - start with one pixel
# - a 3 x 3 convolution adds one step on each side, so two
# - a 2 x 2 pooling adds one step on one side
# - after each pooling, a step is worth twice as many input pixels
#
# (Araujo, Norris and Sim, [Computing Receptive Fields](https://distill.pub/2019/computing-receptive-fields/), 2019.)
#
# > **Predict.** The first level has two convolutions. How large is the field after them? And after the pooling?

# %%
field = 1
for level in range(2):
    step = 2**level
    field += 2 * 2 * step
    print(f"level {level}: after two convolutions {field} px", end="")
    field += step
    print(f", after pooling {field} px")

# %%
def receptive_field(depth):
    """Side of the square of input pixels that one pixel at the bottom of the U-Net sees, px."""
    field = 1
    for level in range(depth + 1):
        field += 2 * 2 * 2**level  # two 3 x 3 convolutions
        if level < depth:
            field += 2**level  # one 2 x 2 pooling
    return field


# %%
for depth in range(6):
    print(f"depth {depth}: {receptive_field(depth):4d} px")

# %% [markdown]
# ### Measured
#
# A formula can be wrong, so measure. The **gradient** of one number at the bottom says how much each input pixel
# changes it. Pixels outside the receptive field have a gradient of exactly zero. So: build encoder and bottleneck, take
# the gradient of one number in the middle, and see how far it is not zero.
#
# Two things could hide pixels. ReLU cuts negative numbers off, so all weights are made positive. Max pooling passes
# the gradient to the largest pixel only, so we put several random pictures together. The picture must be large enough
# that the field does not reach its border.

# %%
def encoder_alone(side, depth):
    x = inputs = keras.Input((side, side, 1))
    for _ in range(depth):
        x, _ = encoder_block(x, 2)
    net = keras.Model(inputs, conv_block(x, 2))
    net.set_weights([abs(weights) for weights in net.get_weights()])
    return net


# %%
def sensitivity(net, side):
    pictures = tf.random.stateless_uniform([16, side, side, 1], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        bottom = net(pictures, training=False)
        middle = bottom.shape[1] // 2
        number = tf.reduce_sum(bottom[:, middle, middle])
    return tf.reduce_sum(abs(tape.gradient(number, pictures)), axis=(0, 3)).numpy()


# %%
depth = recipe.depth
side = 16 * 2**depth
gradient = sensitivity(encoder_alone(side, depth), side)
rows = np.flatnonzero(gradient.any(axis=1))
measured = rows[-1] - rows[0] + 1
print(f"formula {receptive_field(depth)} px, measured {measured} px")
assert measured == receptive_field(depth)

# %% [markdown]
# They agree. Now compare the field with the size of the picture:

# %%
from lungseg_utils.recipes import RECIPES

for name in ("laptop", "article"):
    other = RECIPES[name]
    field = receptive_field(other.depth)
    print(f"{name:8} picture {other.image_size} px, field {field} px: "
          f"{field / other.image_size:.2f} of the side")

# %% [markdown]
# Both nets have the same depth. In the laptop's net, a number in the middle of the bottom sees the whole picture; in
# the article's net it sees only a part of it. To know whether something is a lung or the dark stomach bubble below it,
# it helps to see the whole chest. A larger picture is not better in every way: it needs more levels to see as much.
#
# ## Batch normalisation has two lives
#
# In **training**, each channel is normalised with mean and standard deviation of *its own batch*. When a single X-ray
# is to be **predicted**, there is no batch. So during training the layer keeps a **running mean** (and a running
# variance), and uses that afterwards:
#
# $$\text{running} \leftarrow m \cdot \text{running} + (1 - m) \cdot \text{mean of this batch}$$
#
# The **momentum** $m$ says how much of the old value stays. The running mean starts at 0.
#
# > **Predict.** The true mean is 1, and an epoch has 12 steps. How near to 1 is the running mean after one epoch, with
# > $m = 0.9$ and with $m = 0.99$?

# %%
def running_mean(momentum, steps):
    value, values = 0.0, []
    for _ in range(steps):
        value = momentum * value + (1 - momentum) * 1.0
        values.append(value)
    return values


for epochs in (1, 2, 5, 10, 30):
    fast, lagging = running_mean(0.9, 12 * epochs)[-1], running_mean(0.99, 12 * epochs)[-1]
    print(f"after {epochs:2d} epochs: {fast:.3f} with momentum 0.9, {lagging:.3f} with 0.99")

# %%
figure, axes = figures.new_figure(1, 1, width=5.5, height=3)
for momentum, style in ((0.9, "-"), (0.99, "--")):
    axes[0, 0].plot(running_mean(momentum, 240), style, color="black", label=f"momentum {momentum}")
axes[0, 0].axhline(1, color="grey", linestyle=":", label="true mean")
axes[0, 0].set(xlabel="training step", ylabel="running mean")
axes[0, 0].legend()
figures.show(figure, "Two curves rise from 0 towards 1 over 240 training steps: with momentum 0.9 "
             "steeply, with 0.99 slowly.")

# %% [markdown]
# With 0.99, Keras' default and the article's choice, the running mean is far behind for many epochs. That is harmless
# with thousands of steps in an epoch, and misleading with a dozen: in the first epochs the validation loss looks
# terrible although the network has learned. Our recipe takes 0.9.
#
# The layer itself, here the one of Keras, shows both lives. We give it the same batch, 12 times in training, then once
# in prediction:

# %%
values = keras.random.normal((64, 1), mean=1.0, stddev=1.0, seed=1)
for momentum in (0.9, 0.99):
    norm = layers.BatchNormalization(momentum=momentum)
    for _ in range(12):
        in_training = norm(values, training=True)
    afterwards = norm(values, training=False)
    before, after = abs(np.mean(in_training)), np.mean(afterwards)
    print(f"momentum {momentum}: mean in training {before:.1f}, afterwards {after:.1f}")
    assert np.allclose(norm.moving_mean, np.mean(values) * (1 - momentum**12), atol=1e-4)

# %% [markdown]
# In training the mean is 0, as it should be. Afterwards it is not, and with 0.99 it is much further off: the next
# layer gets numbers that it has never seen. Two rules follow. Call a network with the right `training` setting
# (`fit` and `predict` do so by themselves). And do not judge a network by its first epochs if the momentum is high.
#
# One check is left: does our layer, with its single operation, do the same as the one of Keras? Both
# get the same random maps, first in training, then in prediction.

# %%
random_maps = keras.random.normal((8, 16, 16, 3), mean=2.0, stddev=3.0, seed=2)
keras_layer, our_layer = layers.BatchNormalization(momentum=0.9), BatchNormalization(momentum=0.9)
for training, tolerance in ((True, 1e-4), (False, 5e-3)):
    of_keras, ours = (np.array(layer(random_maps, training=training))
                      for layer in (keras_layer, our_layer))
    assert np.allclose(of_keras, ours, atol=tolerance)
    print(f"training={training}: the same, within {tolerance}")

# %% [markdown]
# In prediction they agree a little less closely. For the running variance, TensorFlow's operation divides by one less
# than the number of pixels, and Keras by their number. With the thousands of pixels of a batch, the
# difference is too small to matter.
#
# ## What does it cost?
#
# **Parameters** are the numbers that training finds. They cost memory.

# %%
print(f"{net.count_params():,} parameters")
learned = sum(int(np.prod(weights.shape)) for weights in net.trainable_weights)
print(f"{learned:,} of them learned, {net.count_params() - learned:,} running means and variances")

# %% [markdown]
# **Multiply-adds** cost time. One multiplication and one addition for each weight, at each place where the kernel is
# laid down. For a convolution these are the pixels of its *output*; for a transposed one, the pixels of its *input*,
# because each of them is spread over the kernel. For the very first layer by hand:

# %%
first = next(layer for layer in net.layers if isinstance(layer, layers.Conv2D))
height, width = first.output.shape[1:3]
by_hand = height * width * 3 * 3 * recipe.input_channels * recipe.base_filters
print(f"{height} x {width} places, {first.kernel.shape} weights: {by_hand:,} multiply-adds")

# %%
def multiply_adds(model):
    """Count the multiply-adds of each convolution for one picture, forward only, by layer."""
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


# %%
counts = multiply_adds(net)
assert counts[first.name] == by_hand
print(f"{len(counts)} convolutions, {sum(counts.values()):,} multiply-adds for one X-ray")

# %% [markdown]
# > **Predict.** Which levels hold most of the parameters, the large or the small pictures? Which cost most of the
# > time?

# %%
print("picture    parameters   multiply-adds")
for level in range(recipe.depth + 1):
    side = recipe.image_size // 2**level
    names = [name for name in counts if net.get_layer(name).output.shape[1] == side]
    weights = sum(net.get_layer(name).count_params() for name in names) / net.count_params()
    work = sum(counts[name] for name in names) / sum(counts.values())
    print(f"{side:4d} px     {weights:9.1%}     {work:9.1%}")

# %% [markdown]
# The parameters sit at the bottom, where there are many channels. The work is spread much more evenly: each level down
# has four times as many weights per layer, and a quarter of the places to lay them. A net's parameter count alone
# says little about its time.
#
# ### The article's net, from the same function

# %%
article = RECIPES["article"]
large = build_unet(article.image_size, article.input_channels, article.output_channels,
                   article.base_filters,
                   article.depth, article.batch_norm_momentum)
large_parameters, large_work = large.count_params(), sum(multiply_adds(large).values())
assert large_parameters == 31_055_297
del large
print(f"{large_parameters:,} parameters, {large_work:,} multiply-adds for one X-ray")

# %%
laptop = RECIPES["laptop"]
small = build_unet(laptop.image_size, laptop.input_channels, laptop.output_channels,
                   laptop.base_filters, laptop.depth)
small_work = sum(multiply_adds(small).values())
print(f"parameters:    {large_parameters / small.count_params():6.0f} times as many as the "
      f"laptop's net")
print(f"multiply-adds: {large_work / small_work:6.0f} times as many")

# %% [markdown]
# Where does the factor come from? Four times as many pixels each way, so sixteen times as many places; and eight times
# as many filters, on both sides of each kernel, so about 64 times as many weights. Multiply the two.
#
# What does that mean in hours? Measure how fast *this* machine works through the small net, and count three times the
# forward work for a training step (forward, and backward twice: for the weights and for the maps).

# %% tags=["nbval-ignore-output"]
import time

pictures = np.zeros((64, *small.input_shape[1:]), "float32")
small.predict(pictures, verbose=0)  # the first run also sets things up
start = time.perf_counter()
small.predict(pictures, verbose=0)
speed = len(pictures) * small_work / (time.perf_counter() - start)
hours = 3 * large_work * 112 * article.epochs / speed / 3600
print(f"{speed / 1e9:.0f} billion multiply-adds per second")
print(f"The article's training, 112 X-rays in {article.epochs} epochs, "
      f"would take about {hours:.0f} hours here.")

# %% [markdown]
# An estimate like this costs a second, and can save you a night of waiting. It is rough: large layers run at a
# higher speed than small ones, and predicting is not training. Notebook 7 times training steps in place of
# predictions, and comes to another number of hours. Trust either within a factor of two. Whether the larger net is
# worth that time cannot be counted. That has to be measured, with masks.
#
# ## Before training
#
# Last, the opinion of a network on an X-ray when it has learned nothing. The small net will do: what has not been
# learned does not depend on the size.
#
# > **Predict.** Random weights, sigmoid at the end. Which probabilities do you expect?

# %%
untrained = build_unet(recipe.image_size, recipe.input_channels, recipe.output_channels)
probabilities = untrained.predict(batch, verbose=0)[0]
print(f"from {probabilities.min():.2f} to {probabilities.max():.2f}, "
      f"mean {probabilities.mean():.2f}")
assert probabilities.shape == masks.shape and probabilities.dtype == np.float32
assert 0 <= probabilities.min() and probabilities.max() <= 1

# %%
figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], arrays.images[0], "X-ray")
figures.draw_xray(axes[0, 1], probabilities[..., 0] * 255, "probability, channel 0")
figures.show(figure, "An X-ray, and the untrained network's probabilities for channel 0: nearly "
             "the same middle grey everywhere.")

# %% [markdown]
# About one half everywhere: it does not know. To learn, it must be told how wrong it is, in one number. That is the
# loss, and the next notebook builds it.
#
# The same functions stand in `lungseg_utils.unet` for the notebooks that follow.

# %% [markdown]
# ## Check yourself
#
# **1.** A U-Net of depth 4 gets pictures of 256 px and has 16 filters at the top. What is the shape at the bottleneck?
#
# <details><summary>Answer</summary>
#
# 256 / 16 = 16 px on each side, and 16 x 16 = 256 channels: (16, 16, 256).
#
# </details>
#
# **2.** What would a U-Net without skip connections do badly?
#
# <details><summary>Answer</summary>
#
# The outlines. The bottleneck knows roughly where the lungs are, and everything finer would have to be guessed.
#
# </details>
#
# **3.** You double the image size and change nothing else. What happens to the parameters, to the multiply-adds, and
# to the share of the picture that the bottom sees?
#
# <details><summary>Answer</summary>
#
# The parameters stay. The multiply-adds are four times as many. The bottom sees half as much of each side.
#
# </details>
#
# **4.** The training loss falls, and the validation loss stays terrible for five epochs, then falls suddenly. What do
# you look at first?
#
# <details><summary>Answer</summary>
#
# The momentum of batch normalisation and the number of steps in an epoch. The running mean may lag behind.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: What other stacks of layers see
#
# `receptive_field` knows the U-Net only. Write `field_of` for any convolutions and poolings, one after the other. Each
# layer is a pair: the width of its kernel, and its **stride**, the number of pixels from one place of the kernel to the
# next. A 3 x 3 convolution of the U-Net is `(3, 1)`, and its pooling is `(2, 2)`.
#
# The result is the side of the square of input pixels that one number after the last layer sees.
#
# By hand: a 7 x 7 convolution with stride 2 sees 7 px. A 3 x 3 convolution after it sees 3 of these places. They lie
# 2 px apart, so together they cover 2 + 2 + 7 = 11 px, and `field_of([(7, 2), (3, 1)])` is 11.
#
# The check measures, too. It takes lines of pixels in place of squares, lights one pixel at a time, and counts how many
# of them change the result.
#
# <details><summary>Hint</summary>
#
# Go through the layers from the input on, with two numbers: the field so far, and how many input pixels lie between
# neighbours on the present map.
#
# </details>

# %%
def field_of(stack):
    """Side (px) of the square of input that one number after (kernel, stride) layers sees."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    stacks = {"a layer alone sees what its kernel covers": [(5, 2)], "each layer adds": [(3, 1), (3, 1), (3, 1)],
              "a stride matters to the layers after it": [(2, 2), (3, 1)],
              "strides act together": [(2, 2), (2, 2), (2, 2), (3, 1)],
              "all of this at once": [(7, 2), (3, 2), (5, 1), (2, 2), (3, 1)]}
    lines = np.eye(99, dtype="float32")[..., np.newaxis]  # 99 lines: in each another pixel is lit
    for rule, stack in stacks.items():
        answer = field_of(stack)
        net = keras.Sequential([layers.Conv1D(1, *layer, kernel_initializer="ones") for layer in stack])
        measured = int(np.count_nonzero(net(lines)[:, 0]))
        assert answer == measured, f"{stack} sees {measured} px, and the answer is {answer}: {rule}"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def field_of(stack):
#     field, step = 1, 1
#     for kernel, stride in stack:
#         field += (kernel - 1) * step
#         step *= stride
#     return field
# ```
#
# A kernel adds its width less one, because one place is counted already, in steps of the map that it is laid on. Its
# own stride counts only for the layers after it, and strides multiply. A layer with a stride is therefore worth most
# when it comes early.
#
# </details>
#
# ### Exercise 2: Pictures of any size
#
# `build_unet` refuses a picture that cannot be halved often enough. In practice pictures have all sizes, and one way
# round this is to fill in pixels at the edges. Write `answer_any_size`:
#
# - `pictures` is an array (batch, height, width, channels), `float32`.
# - `net` is called as a function. It takes such an array if height and width can be halved `depth` times, and gives
#   (batch, height, width, masks) for the same height and width.
# - Fill in pixels until both can be halved `depth` times, as few as possible. Where, and with which grey value, is up
#   to you. Call `net`, and cut its answer to the height and width of `pictures`: each pixel in its own place.
#
# With depth 3, pictures of 37 x 48 px become 40 x 48 px, and the answer is again 37 x 48.
#
# <details><summary>Hint</summary>
#
# In Python `-37 % 8` is 3: what is missing to the next multiple of 8. `np.pad` takes a pair (before, after) for each
# axis.
#
# </details>

# %%
def answer_any_size(net, pictures, depth):
    """Call a net that halves its input `depth` times on pictures of any size."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    given = [(0, 0)]

    def net(batch):  # stands for a U-Net: notes the size, and answers for each pixel
        given.append(tuple(batch.shape[1:3]))
        return np.concatenate([batch, 1 - batch], axis=-1)

    pictures = np.random.default_rng(0).random((2, 37, 48, 1), "float32")
    for depth, size in {3: (40, 48), 4: (48, 48), 5: (64, 64)}.items():
        answer = np.array(answer_any_size(net, pictures, depth))
        assert not np.any(np.array(given[-1]) % 2**depth), f"the net got {given[-1]}: not to be halved {depth} times"
        assert given[-1] == size, f"depth {depth}: the net got {given[-1]} px, and {size} px are enough"
        assert answer.shape == (2, 37, 48, 2), f"depth {depth}: the answer is {answer.shape}, not (2, 37, 48, 2)"
        assert np.allclose(answer, net(pictures)), f"depth {depth}: the answer's pixels are not in their own places"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def answer_any_size(net, pictures, depth):
#     height, width = pictures.shape[1:3]
#     below, right = -height % 2**depth, -width % 2**depth
#     filled = np.pad(pictures, ((0, 0), (0, below), (0, right), (0, 0)))
#     return net(filled)[:, :height, :width]
# ```
#
# What is filled in below and on the right is cut off at the same places. Two mistakes are usual: a whole strip too much
# where the size fits already (`2**depth - height % 2**depth`), and `[:-below]`, which keeps nothing when `below` is 0.
#
# </details>
#
# ### Further
#
# 1. Build the laptop's net with depth 2 and with depth 5, and compare parameters, multiply-adds and receptive field.
#    *Hint: `build_unet(128, depth=5)`.*
# 2. A convolution is followed by batch normalisation, which subtracts the mean. Which of the convolution's weights has
#    no effect then? How many such weights are in the net? *Hint: what does adding a constant to a whole channel do?*
# 3. Draw `gradient` as a picture. Do all pixels of the receptive field count equally? *Hint:
#    `figures.draw_xray(axis, gradient / gradient.max() * 255)`.*
#
# ## Summary
#
# - A convolution looks for a small pattern everywhere; pooling lets it see more of the picture and loses detail.
# - The decoder goes back to full size; skip connections bring the detail back.
# - Receptive field, parameters and multiply-adds can be counted before anything is trained.
# - Batch normalisation works differently in training and in prediction; with few steps it needs a low momentum.
#
# **Next:** [notebook 6](06_metrics_losses.ipynb) measures how good a mask is, and turns that into a loss.
