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
# # 4 · From arrays to batches
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/04_tfdata.ipynb)
#
# The X-rays are arrays, and each has its place in training, validation or test. A network does not take them as they
# are: it wants floats, several pictures at a time, in a new order on every pass. This notebook builds the supply line
# from the arrays to the network.
#
# **You will be able to**
#
# - build an input pipeline from `map`, `shuffle`, `repeat`, `batch` and `prefetch`, and say in which order and why
# - make new training pictures out of old ones, and *prove* that picture and mask move together
# - say why a lung picture is never mirrored here
# - imitate what is rare in your pictures, and say what the imitation lacks
# - measure which step of a pipeline costs time, before making it faster
#
# **Time on two cores:** about half a minute
#
# **Needs:** the split of notebook 3 (made here if it is missing). **Leaves behind:** nothing.

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
arrays, split = course.arrays_ready(chosen, cases), course.split_ready(chosen, cases)

# %%
training, validation = arrays.part(split["train"]), arrays.part(split["val"])
for name, array in (("images", training.images), ("masks", training.masks)):
    print(f"{name:7} {array.shape!s:20} {array.dtype}  {array.min()} to {array.max()}")

# %% [markdown]
# These are the training cases: grey pictures, and two masks for each. **Channel 0** is the lung on the viewer's left
# (the patient's right lung), **channel 1** the lung on the viewer's right.
#
# ## What a network takes
#
# Three things have to change:
#
# - **the type**: a network computes with `float32`
# - **the scale**: its first weights suit numbers near 1, so the grey values 0 to 255 become 0 to 1
# - **the axes**: it expects a channel axis at the end, also when there is only one channel
#
# One step at a time, on the first picture. `tf.newaxis` adds an axis of length 1.

# %%
import tensorflow as tf

first_image, first_masks = training.images[0], training.masks[0]
with_channel = first_image[..., tf.newaxis]
as_float = tf.cast(with_channel, tf.float32)
print(first_image.shape, "->", as_float.shape, as_float.dtype.name)

# %% [markdown]
# The masks have their channel axis already. They become floats as well, because the loss will multiply them with
# probabilities. All of it in one function:

# %%
def scale(image, masks):
    """Turn one stored case into what a network takes."""
    image = tf.cast(image[..., tf.newaxis], tf.float32) / 255
    return image, tf.cast(masks, tf.float32)


# %%
import numpy as np

image, masks = scale(first_image, first_masks)
print("image", image.shape, image.dtype.name)
print("masks", masks.shape, masks.dtype.name, "values", np.unique(masks))
assert 0 <= np.min(image) and np.max(image) <= 1
assert np.array_equal(np.unique(masks), [0, 1])

# %% [markdown]
# ## A dataset is a recipe for a stream
#
# `tf.data.Dataset` is a stream of elements. `from_tensor_slices` cuts arrays along their first axis: element 0 is the
# first picture with its masks, and so on. `element_spec` tells what one element looks like.

# %%
dataset = tf.data.Dataset.from_tensor_slices((training.images, training.masks))
print(len(dataset), "elements, each of them:")
for spec in dataset.element_spec:
    print("  ", spec.shape, spec.dtype.name)

# %% [markdown]
# `map` puts a function between the stream and its reader. Nothing is computed yet: a dataset is a *description*, and
# the work is done when an element is asked for.

# %%
scaled = dataset.map(scale)
for spec in scaled.element_spec:
    print("  ", spec.shape, spec.dtype.name)

image, masks = next(iter(scaled))
assert np.array_equal(image, scale(first_image, first_masks)[0])

# %% [markdown]
# `batch` ties several elements together. Gradients from a **batch** are steadier than those from one picture, and one
# large computation is faster than many small ones. To see what the steps of a pipeline do, a stream of ten numbers is
# clearer than pictures.
#
# > **Predict.** Ten numbers in batches of four: how many batches, and how long is the last one?

# %%
def show_stream(stream):
    print([element.tolist() for element in stream.as_numpy_iterator()])


numbers = tf.data.Dataset.range(10)
show_stream(numbers.batch(4))
show_stream(numbers.batch(4, drop_remainder=True))

# %% [markdown]
# The last batch is short. `drop_remainder=True` leaves it out.
#
# - In **training**, leave it out. A batch of one or two pictures gives a noisy gradient, and full batches all have
#   one shape, so TensorFlow prepares its computation once. Further down, the stream repeats before it is cut into
#   batches. Then nothing is lost: what is left of one pass begins the first batch of the next.
# - In **validation**, keep it: every case counts.
#
# ## Order: shuffle
#
# The files are sorted by name. Neighbours in the list are alike: taken in the same weeks, with the same machine, or
# two visits of one patient. Batches in that order would push the network in one direction and then in another, in
# the same way on every pass. So the order is made random, anew on every pass.
#
# `shuffle` cannot see the whole stream. It fills a **buffer**, hands out a random element of it, and puts the next
# one in its place.
#
# > **Predict.** With a buffer of three, which numbers can come out first? Can 9 come out first?

# %%
show_stream(numbers.shuffle(1, seed=1))
show_stream(numbers.shuffle(3, seed=1))
show_stream(numbers.shuffle(10, seed=1))

# %% [markdown]
# A buffer of 1 changes nothing. With 3, only 0, 1 and 2 can come first, and small numbers stay near the start: 9 has
# to wait until it is in the buffer. Only a buffer as large as the stream mixes it fully. So we take
# `shuffle(len(images))`, which arrays in memory allow.

# %%
small_buffer = list(numbers.shuffle(3, seed=1).as_numpy_iterator())
assert all(value <= place + 2 for place, value in enumerate(small_buffer))

# %% [markdown]
# The **seed** fixes the order. It does *not* make all passes equal: the same dataset, read again, gives the next
# order of the same sequence.

# %%
mixed = numbers.shuffle(10, seed=1)
show_stream(mixed)
show_stream(mixed)
show_stream(numbers.shuffle(10, seed=1))

# %% [markdown]
# The first two lines are two passes over one dataset, and they differ. The third is a new dataset with the same seed:
# it begins like the first. That is what we want in training: different on each pass, and repeatable as a whole.
#
# ## Again and again: repeat
#
# `repeat` starts the stream anew when it ends, without an argument for ever. The place matters.
#
# > **Predict.** Below, four numbers are read three times. Which of the two lines shows each number once before any
# > comes again?

# %%
four = tf.data.Dataset.range(4)
show_stream(four.shuffle(4, seed=4).repeat(3))
show_stream(four.repeat(3).shuffle(4, seed=4))

# %% [markdown]
# The first: shuffle, then repeat. Cut it into groups of four, and each group holds 0, 1, 2 and 3. In the second line
# the passes run into each other, and a number may come twice before another comes at all. So: **first shuffle, then
# repeat**.

# %%
passes = list(four.shuffle(4, seed=4).repeat(3).batch(4).as_numpy_iterator())
assert all(sorted(numbers_of_pass) == [0, 1, 2, 3] for numbers_of_pass in passes)

# %% [markdown]
# ## New pictures out of old ones
#
# A network that sees the same few pictures on every pass may learn them by heart. But the next patient leans a
# little, stands nearer, is exposed for longer, or has a lung that is partly white. We can *make* such pictures: turn,
# enlarge, shift and relight the ones we have, and lay something white over them. This is **augmentation**. It is done
# in the pipeline, with fresh random numbers for each element, so the network hardly ever sees the same picture twice.
#
# ### Moving a picture
#
# `affine_transform` builds a new picture. For each pixel at (x, y) of the *new* picture it says from where in the
# *old* one to read, with six numbers $a$ to $f$ (and two zeros):
#
# $$x_{old} = a\,x + b\,y + c \qquad y_{old} = d\,x + e\,y + f$$
#
# > **Predict.** Below $c = -1$: each pixel is read from one column further left. Which way does the bar move?

# %%
import keras

bar = np.zeros((4, 4, 1), "float32")
bar[1:3, 1] = 1
one_left = tf.constant([1.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
moved_bar = keras.ops.image.affine_transform(bar, one_left, "bilinear", "constant", 0)

# %%
from lungseg_utils import figures

half_left = tf.constant([1.0, 0.0, -0.5, 0.0, 1.0, 0.0, 0.0, 0.0])
half_bar = keras.ops.image.affine_transform(bar, half_left, "bilinear", "constant", 0)
figure, axes = figures.new_figure(1, 3, width=2.4, height=2.6)
for axis, values, title in zip(axes[0], (bar, moved_bar.numpy(), half_bar.numpy()),
                               ("old", "c = -1", "c = -0.5")):
    figures.draw_grid(axis, values[..., 0], title)
figures.show(figure, "Three grids of 4 by 4 numbers: a bar of two ones in the second column; the "
             "same bar one column further right; and a bar two columns wide with the value one "
             "half.")

# %% [markdown]
# It moves to the *right*: reading from further left brings what was there. `"constant", 0` fills what comes in from
# outside with black.
#
# The third grid shows something to remember. A pixel read from between two pixels gets a value in between: this is
# **interpolation** (`"bilinear"`). For a grey value that is right. A mask, however, is a decision, and half a lung
# pixel is not one. We come back to it.
#
# ### A random turn, zoom and shift
#
# How far may we go? As far as real patients differ, not further:

# %%
MAX_ANGLE = 0.17  # rotation either way, radians: about 10 degrees, as much as patients lean
MAX_ZOOM = 0.12  # larger or smaller by this share
MAX_SHIFT = 0.06  # share of the picture's side

# %% [markdown]
# The random numbers come from a **stateless** generator: it keeps no memory, and the same seed (two integers) always
# gives the same numbers. That makes each changed picture repeatable.

# %%
print(tf.random.stateless_uniform([4], [1, 2], -1, 1).numpy().round(2))
print(tf.random.stateless_uniform([4], [1, 2], -1, 1).numpy().round(2))
print(tf.random.stateless_uniform([4], [5, 6], -1, 1).numpy().round(2))

# %% [markdown]
# Four numbers between -1 and 1: for the angle, the zoom, and the shift to the right and down.
#
# One pixel to the right in the new picture is a step in the old one. With angle $\alpha$ and zoom $z$ this step is
#
# $$\left(\frac{\cos\alpha}{z},\; \frac{\sin\alpha}{z}\right)$$
#
# and a pixel *down* is the same step turned by a right angle. That gives $a$, $b$, $d$ and $e$. The last two numbers,
# $c$ and $f$, are chosen so that the centre of the old picture lands at the centre plus the shift.

# %%
def random_transform(seed, size):
    """Draw a random rotation, zoom and shift about the picture's centre."""
    angle, zoom, right, down = tf.unstack(tf.random.stateless_uniform([4], seed, -1, 1))
    step_x = tf.cos(angle * MAX_ANGLE) / (1 + zoom * MAX_ZOOM)
    step_y = tf.sin(angle * MAX_ANGLE) / (1 + zoom * MAX_ZOOM)
    centre = (size - 1) / 2
    x = centre + right * MAX_SHIFT * size
    y = centre + down * MAX_SHIFT * size
    start_x = centre - step_x * x + step_y * y
    start_y = centre - step_y * x - step_x * y
    return tf.stack([step_x, -step_y, start_x, step_y, step_x, start_y, 0.0, 0.0])


# %%
size = chosen.recipe.image_size
transform = random_transform([1, 2], size)
print(transform.numpy().round(2) + 0)
assert np.allclose(transform, random_transform([1, 2], size))
assert not np.allclose(transform, random_transform([1, 3], size))

# %% [markdown]
# ### Picture and masks move together
#
# The masks must move exactly as the picture does. The safest way leaves no room for a mistake: stack all of them as
# **channels of one array**, and move that once.

# %%
image, masks = scale(first_image, first_masks)
stacked = tf.concat([image, masks], axis=-1)
moved = keras.ops.image.affine_transform(stacked, transform, "bilinear", "constant", 0)
print(stacked.shape, "->", moved.shape)

fractions = tf.reduce_sum(tf.cast((moved[..., 1:] > 0) & (moved[..., 1:] < 1), tf.int32))
assert fractions > 0
print("Are there mask values between 0 and 1?", bool(fractions > 0))

# %% [markdown]
# Here are the fractions again, along the outline of each lung. They are cut at one half: a pixel that is mostly lung
# is lung.

# %%
def move_together(image, masks, transform):
    """Move a picture and its masks by one transform, as channels of one array."""
    stacked = tf.concat([image, masks], axis=-1)
    moved = keras.ops.image.affine_transform(stacked, transform, "bilinear", "constant", 0)
    return moved[..., :1], tf.cast(moved[..., 1:] > 0.5, tf.float32)


# %%
moved_image, moved_masks = move_together(image, masks, transform)
assert moved_image.shape == image.shape and moved_masks.shape == masks.shape
assert np.array_equal(np.unique(moved_masks), [0, 1])

# %% [markdown]
# ### The proof
#
# A look at one picture is not a proof. Here is a better one: use **a mask as the picture**. If both move together,
# the moved picture, cut at one half, must be the moved mask again, in every pixel and for every seed.

# %%
lung = masks[..., :1]
for number in range(20):
    as_image, as_masks = move_together(lung, masks, random_transform([number, 0], size))
    assert np.array_equal(as_image.numpy() > 0.5, as_masks.numpy()[..., :1] > 0.5)
print("Equal in every pixel, with 20 seeds.")

# %% [markdown]
# ### The trap
#
# Much code on the web calls a random function twice: once for the picture, once for its mask.
#
# > **Predict.** Picture and mask are each moved with a transform of their own. What will the outline look like? Will
# > there be an error message?

# %%
other = random_transform([7, 7], size)
_, apart_masks = move_together(image, masks, other)
as_image, _ = move_together(lung, masks, transform)
agree = np.sum((as_image.numpy() > 0.5) & (apart_masks.numpy()[..., :1] > 0.5))
either = np.sum((as_image.numpy() > 0.5) | (apart_masks.numpy()[..., :1] > 0.5))
print(f"moved together: all pixels that either calls lung agree\nmoved apart:    "
      f"{agree / either:.2f} of them agree")
assert agree < either

# %%
figure, axes = figures.new_figure(1, 2)
for axis, drawn, title in zip(axes[0], (moved_masks, apart_masks),
                              ("moved together", "moved apart")):
    figures.draw_xray(axis, moved_image[..., 0].numpy() * 255, title)
    figures.draw_outlines(axis, drawn.numpy())
figures.show(figure, "A turned X-ray twice. Moved together, the outlines follow the lungs; moved "
             "apart, the outlines lie beside the lungs.")

# %% [markdown]
# There is no error message. The network trains, the loss falls, and the result is poor: the worst kind of mistake is
# the silent one. A test like the one above finds it in a second. (Two calls with *equal* seeds can be right, but then
# the proof matters even more.)
#
# ### Why there is no mirror image
#
# Mirroring is the best-known augmentation: a mirrored cat is a cat. Is a mirrored chest a chest?
#
# > **Predict.** Mirror picture and masks together. Which lung is in channel 0 then?

# %%
mirrored_image, mirrored_masks = image[:, ::-1], masks[:, ::-1]
figure, axes = figures.new_figure(1, 2)
chests = {"as it is": (image, masks), "mirrored": (mirrored_image, mirrored_masks)}
for axis, (title, (picture, drawn)) in zip(axes[0], chests.items()):
    figures.draw_xray(axis, picture[..., 0].numpy() * 255, title)
    for channel in range(2):
        row, column = np.argwhere(drawn[..., channel].numpy()).mean(axis=0)
        axis.text(column, row, f"channel {channel}", color="white", ha="center",
                  backgroundcolor="black", fontsize=9)
figures.show(figure, "An X-ray and its mirror image. In the first, channel 0 is the lung on the "
             "viewer's left; in the mirror image, channel 0 is the lung on the viewer's right, "
             "and the heart points the other way.")

# %%
def mean_column(mask):
    return np.argwhere(mask.numpy())[:, 1].mean()


assert mean_column(masks[..., 0]) < mean_column(masks[..., 1])
assert mean_column(mirrored_masks[..., 0]) > mean_column(mirrored_masks[..., 1])

# %% [markdown]
# Channel 0 should be the lung on the viewer's left. In the mirror image it is on the viewer's right: the patient's
# right lung has come to the place of the left one. The network would be told two opposite things.
#
# Swapping the two channels would mend the labels, but not the anatomy: the heart would then point to the patient's
# right. That is so in very few people, and a network that is used to it has learned something false. So there is no
# mirror image in this course.
#
# ### Changing the light
#
# Exposure, X-ray machine and software make a picture lighter, darker or harder. Three random numbers imitate that:
#
# - **gamma**, an exponent: 0 and 1 stay, the grey values between become darker or lighter
# - **contrast**: the distance from the middle grey 0.5 grows or shrinks
# - **brightness**: everything goes up or down

# %%
grey = tf.constant([0.0, 0.25, 0.5, 0.75, 1.0])
print("gamma 1.4      ", (grey**1.4).numpy().round(2))
print("contrast + 25 %", ((grey - 0.5) * 1.25 + 0.5).numpy().round(2))
print("brightness +0.1", (grey + 0.1).numpy().round(2))

# %% [markdown]
# The last two can leave the range from 0 to 1, so the result is clipped. Masks are not touched: light does not move a
# lung.

# %%
MAX_GAMMA = 0.4  # exponent between exp(-0.4) and exp(0.4)
MAX_CONTRAST = 0.25  # contrast changes by this share
MAX_BRIGHTNESS = 0.1  # on a scale where black is 0 and white is 1


# %%
def change_light(image, seed):
    """Change gamma, contrast and brightness of a picture at random, as another machine would."""
    gamma, contrast, brightness = tf.unstack(tf.random.stateless_uniform([3], seed, -1, 1))
    image = image ** tf.exp(gamma * MAX_GAMMA)
    image = (image - 0.5) * (1 + contrast * MAX_CONTRAST) + 0.5 + brightness * MAX_BRIGHTNESS
    return tf.clip_by_value(image, 0, 1)


# %%
for number in range(3):
    print(change_light(grey, [number, 0]).numpy().round(2))
many = np.stack([change_light(grey, [number, 0]) for number in range(100)])
assert many.min() >= 0 and many.max() <= 1
assert np.all(np.diff(many, axis=1) >= 0)  # lighter stays lighter

# %% [markdown]
# ### A white shadow
#
# A healthy lung is full of air, and dark on an X-ray. Where fluid or an infection takes the place of the air, few rays
# pass, and that part of the lung can be as white as what surrounds it. We call this a **white shadow**.
#
# The lung is still there. Annotators usually draw its outline through the white part, because they know where it must
# run. A network that has learned to follow the edge of the dark area is wrong there. It should see more such X-rays,
# but they are few, and we have no more of them. Can we make some?
#
# We can lay something white over the X-rays that we have. Under it we still know where the lung is.
#
# An ellipse will do as a first shape. Measure x and y from its centre, x in half widths and y in half heights. Then
# `x**2 + y**2` is 0 in the centre, 1 on the edge, and larger outside. So `1 - x**2 - y**2` is positive inside and
# negative outside. The **sigmoid**, `1 / (1 + exp(-v))`, turns any number `v` into one between 0 and 1. If we divide by
# a small number first, the step at the edge is steep; if we divide by a larger one, it is soft.
#
# > **Predict.** Below, columns 1 and 5 of the middle row lie exactly on the edge (the first column is 0). Which number
# > will stand there in the sharp ellipse, and which in the soft one?

# %%
place = tf.linspace(0.0, 1.0, 7)  # 0 and 1 are the borders of the picture
# from the middle it is a third of the picture to the edge of the ellipse
x = (place - 0.5) / (1 / 3)
y = (place[:, tf.newaxis] - 0.5) / (1 / 2)
sharp, soft = (tf.sigmoid((1 - x**2 - y**2) / softness).numpy().round(1) for softness in (0.1, 0.6))

figure, axes = figures.new_figure(1, 2)
figures.draw_grid(axes[0, 0], sharp, "divided by 0.1: sharp")
figures.draw_grid(axes[0, 1], soft, "divided by 0.6: soft")
figures.show(figure, "Two grids of 7 by 7 numbers with an upright ellipse. In the sharp one "
             "nearly all numbers are 1 inside and 0 outside; in the soft one they fall slowly "
             "from the middle to the corners.")
assert sharp[3, 1] == soft[3, 1] == 0.5

# %% [markdown]
# On the edge there is one half in both, because the sigmoid of 0 is one half. (`x` is a row of numbers and `y` a
# column; together they make a table, as with any array that has an axis of length 1.)
#
# Now the white. Each pixel goes a part of the way from its own grey value to that of the shadow. A pixel that is
# lighter than the shadow already stays as it is: what lies in the way of the rays can only take more of them away, so
# the X-ray becomes lighter there, never darker. Here is a shadow of 0.9, and pixels go 60 % of the way:

# %%
print("old", grey.numpy())
print("new", (grey + 0.6 * tf.maximum(0.9 - grey, 0)).numpy().round(2))

# %% [markdown]
# Dark pixels change most. And the steps between grey values become smaller: what lies under the shadow, a rib for
# instance, is still to be seen, but fainter.
#
# All of it together, with eight random numbers. Two say where the centre lies, two how wide and how high the ellipse
# is, one how soft its edge is, one how thick it is (what part of the way a pixel goes), and one how white. The last one
# decides whether there is a shadow at all:

# %%
SHADOWED = 0.5  # share of the pictures that get a white shadow


# %%
def add_shadow(image, seed):
    """Lay a soft white shadow over a part of half of the pictures, as fluid or an infection does."""
    column, row, wide, high, soft, thick, white, chance = tf.unstack(
        tf.random.stateless_uniform([8], seed)
    )
    place = tf.linspace(0.0, 1.0, image.shape[0])
    x = (place - (0.1 + 0.8 * column)) / (0.06 + 0.16 * wide)
    y = (place[:, tf.newaxis] - (0.15 + 0.7 * row)) / (0.06 + 0.22 * high)
    inside = tf.sigmoid((1 - x**2 - y**2) / (0.1 + 0.5 * soft))  # 1 in the middle, 0 far away
    strength = tf.where(chance < SHADOWED, 0.4 + 0.6 * thick, 0.0)
    brighter = tf.maximum(0.55 + 0.45 * white - image, 0)
    return image + strength * inside[..., tf.newaxis] * brighter


# %% [markdown]
# Three claims can be tested. No pixel becomes darker, and none leaves the range from 0 to 1. Where there is no shadow,
# the picture stays as it is; a black picture shows where that is. And about half of the pictures do not change at all.

# %%
for number in range(20):
    shadowed = add_shadow(image, [number, 0]).numpy()
    assert np.all(shadowed >= image) and shadowed.max() <= 1
    away = add_shadow(tf.zeros_like(image), [number, 0]).numpy() < 1e-6
    assert np.allclose(shadowed[away], image.numpy()[away], rtol=0, atol=2e-6)

changed = [not np.array_equal(add_shadow(image, [number, 0]), image) for number in range(100)]
print(sum(changed), "of", len(changed), "pictures have a shadow")
assert 35 <= sum(changed) <= 65

# %% [markdown]
# Many shadows lie beside the lungs. To look at some that do not, we take another X-ray, and the first five seeds that
# make its lungs clearly lighter.
#
# > **Predict.** A shadow covers the lower third of a lung. What should happen to the mask there?

# %%
another, its_masks = scale(training.images[2], training.masks[2])
lungs = training.masks[2].max(axis=-1) == 1
lighter = [np.mean((add_shadow(another, [number, 0]) - another).numpy()[lungs])
           for number in range(100)]
over_lungs = np.flatnonzero(np.array(lighter) > 0.05)[:5]

# %%
figure, axes = figures.new_figure(2, 3, width=2.7, height=2.7)
figures.draw_xray(axes[0, 0], another[..., 0].numpy() * 255, "as it is")
for number, axis in zip(over_lungs, axes.ravel()[1:]):
    figures.draw_xray(axis, add_shadow(another, [number, 0])[..., 0].numpy() * 255,
                      f"seed {number}")
for axis in axes.ravel():
    figures.draw_outlines(axis, its_masks.numpy())
figures.show(figure, "An X-ray as it is, and with five white shadows of different place, size, "
             "softness and strength. Each covers a part of a lung. The outlines of the lungs are "
             "the same in all six pictures.")

# %% [markdown]
# - **The masks do not change.** The outline runs on through the white part, as an annotator would draw it. So the
#   network has to find it from what is left: the rest of the outline, the ribs, the other lung. A mask that is cut at
#   the shadow would teach the very mistake that we want to cure.
# - **Everything about the shadow is random**: place, size, softness, thickness and whiteness. If all shadows were
#   alike, the network would learn to recognise *ours*. Real ones look different from case to case.
# - **Half of the pictures stay as they are.** Most patients have no such shadow. In their X-rays the edge of the dark
#   area is the best sign of all, and the network should go on using it.
#
# This is only a rough imitation. A real shadow is no ellipse: in a standing patient fluid sinks to the bottom, and
# an infection may fill one **lobe** and end where it ends. (Lobes are the parts of a lung: two on one side, three on
# the other.) Disease can also make a lung smaller or push the heart aside, and then the true outline changes as
# well. Ours moves nothing, and it lies over whatever is there, even over a black frame. And where annotators end
# their masks at the fluid, it teaches the wrong thing. Whether it helps cannot be seen in a figure. We have not
# measured it on X-rays with real shadows.

# %% [markdown]
# ### All at once
#
# The light gets another seed than the movement, and the shadow a third one. With the same seed they would start from
# the same random numbers, and all pictures turned to the left, say, would be dark.

# %%
def augment(image, masks, seed):
    """Make a new training case out of a scaled one: moved with its masks, lit in another way, and shadowed."""
    image, masks = move_together(image, masks, random_transform(seed, image.shape[0]))
    image = change_light(image, seed + 1)  # another seed: else the light would follow the angle
    return add_shadow(image, seed + 2), masks


# %%
figure, axes = figures.new_figure(2, 4, width=2.2, height=2.2)
figures.draw_xray(axes[0, 0], first_image, "as it is")
figures.draw_outlines(axes[0, 0], first_masks)
for number, axis in enumerate(axes.ravel()[1:]):
    new_image, new_masks = augment(image, masks, tf.constant([number, 0]))
    figures.draw_xray(axis, new_image[..., 0].numpy() * 255, f"seed {number}")
    figures.draw_outlines(axis, new_masks.numpy())
figures.show(figure, "One X-ray as it is and in seven changed versions: turned, shifted, larger "
             "or smaller, lighter or darker, some with a white shadow. In each, the outlines "
             "follow the lungs.")

# %%
for number in range(20):
    seed = tf.constant([number, 0])
    _, masks_moved = move_together(image, masks, random_transform(seed, size))
    # light and shadow leave the masks alone
    assert np.array_equal(augment(image, masks, seed)[1], masks_moved)

# %% [markdown]
# Eight pictures of one chest. Nobody had to draw a mask for them, and each has one that fits.
#
# Only *training* pictures are augmented. Validation and test ask how well the network does on pictures as they come.
#
# ## Channels: one recipe, another recipe
#
# Our laptop recipe takes grey pictures and gives a mask for each lung. The article's recipe takes three-channel
# pictures, because it reads grey files as colour, and has one mask for both lungs. A short function serves both. It
# repeats the grey picture, and it merges the masks with a maximum: lung is where any of them is 1.

# %%
def match_channels(image, masks, recipe):
    """Give the network the channels that its recipe asks for."""
    image = tf.repeat(image, recipe.input_channels, axis=-1)
    if recipe.output_channels == 1:
        masks = tf.reduce_max(masks, axis=-1, keepdims=True)
    return image, masks


# %%
from lungseg_utils.recipes import RECIPES

for name, recipe in RECIPES.items():
    new_image, new_masks = match_channels(image, masks, recipe)
    print(f"{name:8} image {image.shape} -> {new_image.shape}, "
          f"masks {masks.shape} -> {new_masks.shape}")
    assert np.array_equal(tf.reduce_max(new_masks, axis=-1), tf.reduce_max(masks, axis=-1))

# %% [markdown]
# ## The whole pipeline
#
# Augmentation needs a new seed for each element. `Dataset.random` is a stream of random integers, `batch(2)` makes
# pairs of them, and `zip` lays the stream of seeds beside the stream of cases.

# %%
seeds = tf.data.Dataset.random(seed=42).batch(2, drop_remainder=True)
for pair in seeds.take(2):
    print(pair.numpy())
with_seeds = tf.data.Dataset.zip(scaled, seeds)
print(len(with_seeds.element_spec), "parts: a case, and its pair of integers")

# %% [markdown]
# Now everything in order. Two things are new, and we measure both further down: `tf.data.AUTOTUNE` lets TensorFlow
# choose how many elements are worked on at the same time, and `prefetch` prepares the next batch while the network
# works on this one.

# %%
def make_dataset(images, masks, recipe, training=False, seed=42):
    """Build the input pipeline of a recipe."""
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


# %%
recipe = chosen.recipe
train_batches = make_dataset(training.images, training.masks, recipe, training=True)
val_batches = make_dataset(validation.images, validation.masks, recipe)
for name, batches in (("training", train_batches), ("validation", val_batches)):
    print(f"{name:10}", *[f"{spec.shape} {spec.dtype.name}" for spec in batches.element_spec])

# %% [markdown]
# The first axis is the batch. In training it has a fixed length; in validation it is open (`None`), because the last
# batch may be short.
#
# > **Predict.** `len(val_batches)` gives the number of validation batches. What can `len(train_batches)` give?

# %%
try:
    print(len(train_batches))
except TypeError as error:
    print("Training:", error)
print("Validation:", len(val_batches), "batches for", len(validation.ids), "cases")
assert len(val_batches) == -(-len(validation.ids) // recipe.batch_size)  # rounded up

# %% [markdown]
# The training stream never ends. So `fit` will need to be told how long an **epoch** is, the pass after which it
# validates: as many batches as the training cases fill.

# %%
steps_per_epoch = len(training.ids) // recipe.batch_size
print(steps_per_epoch, "steps of", recipe.batch_size, "in an epoch of", len(training.ids), "cases")

# %% [markdown]
# Now the claims, one by one. Training batches have the right shape, range and values:

# %%
for images, masks_of_batch in train_batches.take(3):
    assert images.shape == (recipe.batch_size, size, size, recipe.input_channels)
    assert masks_of_batch.shape == (recipe.batch_size, size, size, recipe.output_channels)
    assert 0 <= images.numpy().min() and images.numpy().max() <= 1
    assert np.array_equal(np.unique(masks_of_batch), [0, 1])

# %% [markdown]
# The same seed gives the same batches, another seed gives others:

# %%
def first_batch(seed):
    batches = make_dataset(training.images, training.masks, recipe, training=True, seed=seed)
    return next(iter(batches))[0].numpy()


assert np.array_equal(first_batch(42), first_batch(42))
assert not np.array_equal(first_batch(42), first_batch(7))

# %% [markdown]
# Validation shows every case once, in order, unchanged:

# %%
seen = np.concatenate([images.numpy() for images, _ in val_batches])
assert np.array_equal(np.round(seen[..., 0] * 255).astype("uint8"), validation.images)

# %% [markdown]
# ## Where does the time go?
#
# A pipeline that is slower than the network makes the network wait. Before making anything faster, measure: the
# intuition about what is slow is often wrong. The function below reads batches for less than a second and counts
# pictures. `step` stands for the time that a network would need for each batch.

# %%
import time


def images_per_second(dataset, step=0.0, warm_up=3, seconds=0.7):
    batches, count = iter(dataset.batch(8)), 0
    for _ in range(warm_up):  # the first batches also set things up
        next(batches)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        count += len(next(batches)[0])
        time.sleep(step)
    return count / (time.perf_counter() - start)


# %% [markdown]
# The slowest way first: decode the files again on every pass, as the article's code does. Decoding is done by OpenCV,
# which is no part of TensorFlow; `numpy_function` calls it all the same. TensorFlow cannot know what such a function
# returns, so the shapes are set by hand. A few files are enough to measure.

# %%
from lungseg_utils.images import read_grey, read_masks, resize_image, resize_masks

few = [case for case in cases if case.id in split["train"][:16]]


def read(number):
    case = few[number]
    return resize_image(read_grey(case.image), size), resize_masks(read_masks(case), size)


def load(number):
    image, masks = tf.numpy_function(read, [number], [tf.uint8, tf.uint8])
    return tf.ensure_shape(image, [size, size]), tf.ensure_shape(masks, [size, size, 2])


# %%
files = tf.data.Dataset.range(len(few)).map(load).map(scale)
image_of_file, _ = next(iter(files))
assert np.array_equal(image_of_file, scale(*load(0))[0])

# %% [markdown]
# `cache` keeps what it has seen once: the second pass comes from memory.
#
# > **Predict.** What is faster, files with a `cache` behind them, or arrays in memory? Does it help to cache the
# > arrays as well? And how much does augmentation slow down the stream?

# %%
def augmented(stream, parallel=None):
    pairs = tf.data.Dataset.zip(stream, seeds)
    return pairs.map(lambda case, pair: augment(*case, pair), parallel)


memory = dataset.map(scale)
whole_pass = len(dataset) // 8 + 1  # fills a cache
plans = {
    "files, decoded on every pass": (files.repeat(), 1),
    "files + cache": (files.cache().repeat(), 3),
    "arrays in memory": (memory.repeat(), 3),
    "arrays + cache": (memory.cache().repeat(), whole_pass),
    "arrays, augmented": (augmented(memory.repeat()), 3),
    "arrays, augmented in parallel": (augmented(memory.repeat(), tf.data.AUTOTUNE), 3),
}

# %% tags=["nbval-ignore-output"]
speeds = {name: images_per_second(plan, warm_up=warm_up) for name, (plan, warm_up) in plans.items()}
slowest = speeds["files, decoded on every pass"]
for name, speed in speeds.items():
    print(f"{name:32} {speed:8.0f} images/s  {speed / slowest:6.1f} times the first")

# %% [markdown]
# How to read the table:
#
# - Decoding files is by far the slowest. X-ray files are large, and a file is decoded, checked and made small only to
#   be thrown away and read again an epoch later. The larger the files, the worse.
# - **Decode once.** Whether it is a `cache` behind the files or arrays in memory, the gain is large. Notebook 2 did it
#   for the whole course.
# - A `cache` behind arrays saves no more than the scaling, which takes little time as it is. And it costs: it stores
#   floats, four times the size of bytes. That is why `make_dataset` has none.
# - Augmentation is now the slow step. It cannot be cached, as the next section shows, but its elements do not depend
#   on each other, so several processor cores can share it. What that gains depends on how many cores are free.
#
# Your numbers will differ, and on a busy machine neighbours in the table may change places. The large differences
# stay.
#
# ### Prefetch: work while the other one works
#
# Without `prefetch`, supply and network take turns: one waits while the other works. With it, the next batch is
# prepared during the training step. To see this clearly, both sides below only wait: the supply for a slow disk (5 ms
# for each element, 40 ms for a batch of 8), the network for a GPU (20 ms for each batch).
#
# TensorFlow rewrites pipelines to make them faster, and some of that works like a `prefetch` that you did not write.
# To see the steps as they are, we switch the rewriting off, here only.
#
# > **Predict.** One batch takes 40 + 20 ms without `prefetch`. And with it? And if, besides, eight elements are waited
# > for at the same time?

# %%
def wait(number):
    time.sleep(0.005)
    return number


def slow(number):
    return tf.numpy_function(wait, [number], tf.int64), number


# %%
as_written = tf.data.Options()
as_written.experimental_optimization.apply_default_optimizations = False
endless = tf.data.Dataset.range(8).repeat().with_options(as_written)
waiting = {
    "one after the other": endless.map(slow),
    "prefetch": endless.map(slow).prefetch(16),
    "parallel map and prefetch": endless.map(slow, 8).prefetch(16),
}

# %% tags=["nbval-ignore-output"]
speeds = {name: images_per_second(stream, step=0.02) for name, stream in waiting.items()}
for name, speed in speeds.items():
    gain = speed / speeds["one after the other"]
    print(f"{name:26} {8000 / speed:4.0f} ms for each batch, {gain:.1f} times as fast as the first")

# %% [markdown]
# - With `prefetch` the two run side by side, and only the slower one counts: here the supply. At best that is twice as
#   fast, when both take the same time.
# - With a parallel `map` the supply becomes faster than the network. Now the network is never kept waiting, and no
#   pipeline can make it faster still.
#
# On a laptop *without* a GPU, network and supply share the same cores, so the gain is small. It is large where a GPU
# computes.
#
# ### A cache in the wrong place
#
# `cache` keeps whatever comes before it. So what must be new on every pass has to come *after* it.
#
# > **Predict.** One X-ray, augmented, read in two passes. Are the two pictures equal if a `cache` stands behind the
# > augmentation?

# %%
one_case = memory.take(1)
right = augmented(one_case.repeat(2))
wrong = augmented(one_case).cache().repeat(2)
for name, stream in (("augmented after repeat", right), ("augmented, then cached", wrong)):
    first, second = [image.numpy() for image, _ in stream]
    print(f"{name}: two passes equal? {np.array_equal(first, second)}")

# %% [markdown]
# With the cache behind it, the augmentation is frozen: every epoch shows the same changed pictures. Again there is no
# error message. The order to remember:
#
# **decode → cache → shuffle → repeat → augment → batch → prefetch**
#
# Arrays in memory stand for the first two. The same functions stand in `lungseg_utils.pipeline` for the notebooks that
# follow.

# %% [markdown]
# ## Check yourself
#
# **1.** A colleague writes `repeat().shuffle(100)` for 1,000 pictures. Name two things that are wrong.
#
# <details><summary>Answer</summary>
#
# The buffer is a tenth of the stream, so pictures from the end of the list never come early. And shuffling after
# `repeat` mixes the passes: a picture can come twice before another comes once.
#
# </details>
#
# **2.** Why is a mask cut at 0.5 after moving, and the picture not?
#
# <details><summary>Answer</summary>
#
# Interpolation gives values in between. A grey value in between is a sensible grey value. A mask says lung or not, and
# nothing in between.
#
# </details>
#
# **3.** Picture and mask are moved with different random numbers. Which number in the training log tells you?
#
# <details><summary>Answer</summary>
#
# None for sure. The loss falls more slowly and stays higher, but so it does for many reasons. Only a test, such as
# using a mask as the picture, or a look at the outlines, shows it.
#
# </details>
#
# **4.** Why may a white shadow lie outside the lungs too?
#
# <details><summary>Answer</summary>
#
# If all shadows lay inside, each one would give away where a lung is, and the network would learn that instead: what is
# white and soft is lung. In a real X-ray there is much that is white and soft outside the lungs.
#
# </details>
#
# **5.** Your GPU is busy half of the time. Decoding is cached. What do you try next?
#
# <details><summary>Answer</summary>
#
# Parallel `map` for the augmentation and a `prefetch` at the end. Then measure again: perhaps the augmentation itself
# is too slow.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: A window at a random place
#
# Large pictures are often cut into windows, because whole ones do not fit into memory. Write `random_window`: it
# cuts a square window out of a picture, at a random place, and the same window out of its masks.
#
# - `image` is (height, width, 1) and `masks` is (height, width, 2), both `float32` tensors. They need not be square.
# - The results, picture and masks, are (side, side, 1) and (side, side, 2).
# - The place depends on `seed` alone, a pair of integers as above.
# - The window lies inside the picture, and all places where it does are equally likely. In a picture 5 px high and
#   6 px wide, a window with a side of 4 can begin in row 0 or 1 and in column 0, 1 or 2. These are six places.
# - `map` will call it, as it calls `augment`, so use TensorFlow's operations.
#
# <details><summary>Hint</summary>
#
# `tf.random.stateless_uniform([], seed, 0, 3, tf.int32)` draws one of 0, 1 and 2: the upper end is left out. Row and
# column need two numbers, and neither may follow from the other.
#
# </details>

# %%
def random_window(image, masks, seed, side):
    """Cut the same square, at a random place, out of a picture and its masks."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    numbers, marks = np.arange(63).reshape(7, 9, 1), np.random.default_rng(0).integers(0, 2, (63, 2))
    case = tf.constant(numbers / 100, tf.float32), tf.constant(marks.reshape(7, 9, 2), tf.float32)
    assert len({str(random_window(*case, tf.range(2), 4)[0]) for _ in range(9)}) == 1, "one seed gave several windows"
    windows = tf.data.Dataset.range(400).map(lambda n: random_window(*case, tf.stack([n, 7]), 4))
    cuts = [(np.round(100 * picture).astype(int), masks) for picture, masks in windows.as_numpy_iterator()]
    for seen, masks in cuts:  # `seen` says which pixels of the picture are in the window
        assert np.array_equal(seen - seen.flat[0], numbers[:4, :4]), f"not a 4 x 4 window of the picture: {seen.shape}"
        assert np.array_equal(masks, marks[seen[..., 0]]), "the masks are cut out at another place than the picture"
    places = [divmod(int(seen.flat[0]), 9) for seen, _ in cuts]
    assert len(set(places)) == 24, f"of 24 places in 7 x 9 px only {sorted(set(places))} came. Row and column?"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def random_window(image, masks, seed, side):
#     stacked = tf.concat([image, masks], axis=-1)
#     height, width = image.shape[:2]
#     row = tf.random.stateless_uniform([], seed, 0, height - side + 1, tf.int32)
#     column = tf.random.stateless_uniform([], seed + 1, 0, width - side + 1, tf.int32)
#     window = stacked[row : row + side, column : column + side]
#     return window[..., :1], window[..., 1:]
# ```
#
# The place is drawn once, and picture and masks are cut as channels of one array, so they cannot come apart. The usual
# mistakes are silent, as so often in a pipeline: without the `+ 1` the last row and the last column are never seen by
# the network, and one number for row and column leaves most places out.
#
# </details>
#
# ### Exercise 2: No batch out of two passes
#
# In `make_dataset`, `batch` comes after `repeat`. So a batch may hold the last cases of one pass and the first ones of
# the next pass, and even the same case twice. Write `separate_passes`, a stream in which that does not happen.
#
# - `numbers` is an array. The result is a `tf.data.Dataset` of batches of `batch_size` numbers, without an end.
# - All batches are full, and each belongs to one pass. What does not fill a batch at the end of a pass is left out.
# - Each pass has a new order, mixed over all numbers. So what is left out changes, too.
# - The same `seed` gives the same stream again.
#
# With ten numbers and batches of four, a pass is two batches: eight numbers, all different. The next two batches are
# another pass.
#
# <details><summary>Hint</summary>
#
# You know all the steps. Which of them has to notice that a pass ends? After `repeat`, no step can.
#
# </details>

# %%
def separate_passes(numbers, batch_size, seed):
    """Make an endless stream of full batches of shuffled numbers, each out of one pass."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    def read():
        return [batch.tolist() for batch in separate_passes(np.arange(10), 4, 1).take(60).as_numpy_iterator()]

    batches = read()
    assert len(batches) == 60, f"the stream ends after {len(batches)} batches"
    assert {np.size(batch) for batch in batches} == {4}, f"a batch should hold 4 numbers: {batches[:3]}"
    twice = [a + b for a, b in zip(batches[::2], batches[1::2]) if len({*a, *b}) < 8]
    assert not twice, f"these two batches should be one pass, and hold a number twice: {twice[0]}"
    never = {*range(10)} - {number for batch in batches for number in batch}
    assert not never, f"30 passes, and {never} never came: what is left out should change"
    first = {batch[0] for batch in batches[::2]}
    assert max(first) > 5, f"30 passes, and only {first} came first: is the order mixed over all numbers?"
    assert batches == read(), "the same seed gave another stream"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def separate_passes(numbers, batch_size, seed):
#     dataset = tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers), seed=seed)
#     return dataset.batch(batch_size, drop_remainder=True).repeat()
# ```
#
# Only what comes before `repeat` notices the end of a pass, so `batch` has to stand there, and `shuffle` before it.
# With `repeat` before `batch`, as in `make_dataset`, no case is ever left out, because what remains of a pass begins
# the next batch. Both ways are right for training. The mistake is to take one of them for the other.
#
# </details>
#
# ### Further
#
# 1. What happens to the share of lung pixels if you set `MAX_ZOOM = 0.6`? Draw the figure with eight pictures again.
#    Would such patients exist? *Hint: run the cell with the constants, then the figure.*
# 2. Add noise to `change_light`: a small random number for each pixel. *Hint:
#    `tf.random.stateless_normal(tf.shape(image), seed) * 0.02`; where must it come, before or after the clipping?*
# 3. Write a test that finds out whether a pipeline ever mirrors its pictures. *Hint: `mean_column` of the two
#    channels.*
#
# ## Summary
#
# - A dataset describes a stream; work is done when elements are read.
# - Shuffle with a buffer as large as the data, before `repeat`. Full batches in training, every case in validation.
# - Picture and masks move as channels of one array; masks are cut at 0.5 afterwards; no mirror images of chests.
# - Light and white shadows change the picture alone. A shadow shows the network that a lung can be white, and imitates
#   disease only roughly.
# - A picture that is its own mask proves that both move together. Mistakes in a pipeline are silent, so test it.
# - Measure first. Decode once, augment in parallel, prefetch.
#
# **Next:** [notebook 5](05_unet.ipynb) builds the network that takes these batches.
