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
# # Assignment 2 · A pipeline whose picture and mask move together
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/assignments/student/a2_pipeline.ipynb)
#
# Mistakes in an input pipeline are silent: the network trains, the loss falls, and the result is poor. Here you bend
# pictures and their masks like rubber, fill batches with a fixed share of patients with a finding, evaluate every X-ray
# exactly once, and write the test that tells a good augmentation from a bad one.
#
# **You will be able to**
#
# - deform a picture and its masks by one random field, inside a `tf.data` pipeline
# - build batches of a given composition that are mixed anew on each pass
# - give all batches one shape without losing an X-ray or counting one twice
# - test an augmentation that somebody else wrote, and find the mistake of a pipeline in numbers
#
# **Time:** 90 minutes
#
# **Needs:** notebook 4 read. Nothing to download, the X-rays are drawn here.
#
# | part | marks |
# |---|---|
# | 1 Bend picture and masks | 25 |
# | 2 Half with a finding, half without | 25 |
# | 3 Full batches, each X-ray once | 15 |
# | 4 A test for augmentations | 20 |
# | 5 Find the mistakes | 55 |
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

from lungseg_utils import figures
from lungseg_utils.drawing import draw_phantom
from lungseg_utils.pipeline import change_light, move_together, random_transform, scale

# %% nbgrader={"grade": false, "grade_id": "setup-3", "locked": true, "schema_version": 3, "solution": false, "task": false}
drawn = [draw_phantom(21_000 + number, 64, finding=number % 4 == 0) for number in range(12)]
image, masks = scale(drawn[1].image, drawn[1].masks)
print(len(drawn), "X-rays; the second, scaled:", image.shape, image.dtype.name, "with masks", masks.shape)

# %% [markdown]
# `read_at` reads an array at places between its pixels: linear interpolation, and 0 for what lies outside. In the
# example, half-way between two rows:

# %% nbgrader={"grade": false, "grade_id": "setup-4", "locked": true, "schema_version": 3, "solution": false, "task": false}
def read_at(values, rows, columns):
    """Read values (height, width, channels) at rows and columns (h, w) in px, all float32: (h, w, channels)."""
    height, width = values.shape[:2]
    above, before, total = tf.floor(rows), tf.floor(columns), 0.0
    for row, column in ((above, before), (above, before + 1), (above + 1, before), (above + 1, before + 1)):
        share = (1 - tf.abs(rows - row)) * (1 - tf.abs(columns - column))  # the nearer, the more
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = tf.stack([tf.clip_by_value(row, 0, height - 1), tf.clip_by_value(column, 0, width - 1)], axis=-1)
        pixel = tf.gather_nd(values, tf.cast(place, tf.int32))
        total += tf.where(inside, share, 0.0)[..., tf.newaxis] * pixel
    return total

# %%
ladder = tf.constant([[0.0, 0.0], [0.4, 0.4], [1.0, 1.0]])[..., tf.newaxis]  # 3 rows, 2 columns, 1 channel
print(read_at(ladder, tf.constant([[0.5], [1.5]]), tf.constant([[0.0], [1.0]])).numpy().ravel())

# %% [markdown]
# `smooth` gives every pixel of a field a weighted mean of its surroundings: the nearer, the more, as a Gaussian bell
# with a standard deviation of `sigma` px says. In the example, the ones are in one column, and
# each row becomes the bell itself (the row in the middle is printed):

# %% nbgrader={"grade": false, "grade_id": "setup-10", "locked": true, "schema_version": 3, "solution": false, "task": false}
def smooth(field, sigma):
    """Smooth a field (height, width), float32, with a Gaussian with a standard deviation of sigma px."""
    reach = int(np.ceil(3 * sigma))
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    field = field[tf.newaxis, ..., tf.newaxis]
    for shape in ([-1, 1, 1, 1], [1, -1, 1, 1]):  # along the columns, then along the rows; 0 outside of the picture
        field = tf.nn.conv2d(field, tf.reshape(bell / bell.sum(), shape), 1, "SAME")
    return field[0, ..., 0]

# %%
ones_in_a_column = np.zeros((9, 7), "float32")
ones_in_a_column[:, 3] = 1
print(smooth(tf.constant(ones_in_a_column), 1)[4].numpy().round(2))

# %% [markdown]
# ## Part 1: Bend picture and masks (25 marks)
#
# A turn, a zoom and a shift move a chest as a stiff thing. But bodies bend: one shoulder is higher, one lung is longer.
# An **elastic deformation** imitates that (Simard, Steinkraus and Platt, "Best practices for convolutional neural
# networks applied to visual document analysis", ICDAR 2003). Each pixel of the new picture is read from a place near
# its own, and how far away changes slowly from pixel to pixel.
#
# Write `bend_together(image, masks, seed, strength, sigma)`.
#
# - `image` is (height, width, 1), from 0 to 1, and `masks` is (height, width, 2), values 0 and 1, both `float32`
#   tensors. They need not be square. The results have the same shapes and the same dtypes.
# - **The field.** Each pixel gets two random numbers, drawn evenly between -1 and 1: one for down, one for right. Each
#   of the two fields is smoothed with `smooth`. Then they are multiplied so that the largest absolute value in them is
#   `strength`, in px. You may do so for both fields together, or for each. (The paper multiplies by a constant. Here
#   the strength can be read in px.)
# - **The reading.** A pixel in row `r` and column `c` of the new picture is what stands at row `r + down` and column
#   `c + right` of the old one, read with linear interpolation as `read_at` does. What lies outside is black.
# - The masks move exactly as the picture does. A pixel is lung if more than one half of it is, after interpolation:
#   the new masks hold 0 and 1 and nothing else.
# - `seed` is a tensor of two integers. The same seed gives the same result, another seed another one.
# - With `strength` 0, picture and masks stay as they are. `strength` and `sigma` are Python numbers, `sigma` 1 or more.
# - `tf.data` will call it in `map`, with another seed for each element. So use TensorFlow's functions throughout: in
#   `map` the seed and the pictures have no values yet that NumPy or Python could read. Rows and columns to read at are
#   `float32`: `tf.range(3.0)` counts 0.0, 1.0, 2.0.
#
# Grey values may differ by 0.001.
#
# By hand: where the field says 1 down and 0.5 to the right, the pixel in row 3, column 4 is the mean of the old pixels
# in row 4, columns 4 and 5.

# %% nbgrader={"grade": false, "grade_id": "bend_together", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bend_together(image, masks, seed, strength, sigma):
    """Bend a picture and its masks by one random smooth field, at most `strength` px in each direction."""
    ### BEGIN SOLUTION
    height, width = image.shape[:2]
    noise = tf.random.stateless_uniform([2, height, width], seed, -1, 1)
    down, right = smooth(noise[0], sigma), smooth(noise[1], sigma)
    times = strength / tf.reduce_max(tf.abs([down, right]))

    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    stacked = tf.concat([image, masks], axis=-1)  # one array, one reading: nothing can come apart
    bent = read_at(stacked, rows + times * down, columns + times * right)
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)
    ### END SOLUTION

# %% [markdown]
# Look at it:

# %% tags=["nbval-ignore-output"]
figure, axes = figures.new_figure(1, 4, width=2.2, height=2.4)
for number, axis in enumerate(axes[0]):
    bent, its_masks = bend_together(image, masks, tf.constant([number, 0]), [0, 2, 4, 8][number], 6)
    figures.draw_xray(axis, bent[..., 0].numpy() * 255, f"strength {[0, 2, 4, 8][number]}")
    figures.draw_outlines(axis, its_masks.numpy())
figures.show(figure, "A drawn X-ray with the outlines of its lungs four times, bent more and more from left to right. "
             "The outlines follow the lungs in all four.")

# %% [markdown]
# How can a test know the field? With a picture in which each pixel says in which row it is: bend it, and see which rows
# were read. The same with columns. `measured_field` does so, and leaves out the margin, where black may come in.

# %% nbgrader={"grade": false, "grade_id": "setup-5", "locked": true, "schema_version": 3, "solution": false, "task": false}
def measured_field(bend, height, width, seed, strength, sigma):
    """How far down and to the right pixels were read: (2, rows, columns), px, without a margin of strength + 2 px."""
    found, margin = [], int(strength) + 2
    for axis, length in enumerate((height, width)):
        place = np.indices((height, width))[axis]
        picture = tf.constant(place[..., np.newaxis] / (length - 1), tf.float32)
        seen, _ = bend(picture, tf.zeros([height, width, 2]), tf.constant(seed), strength, sigma)
        found.append(np.asarray(seen)[..., 0] * (length - 1) - place)
    return np.stack(found)[:, margin:-margin, margin:-margin]

# %% nbgrader={"grade": false, "grade_id": "probe-1", "locked": true, "schema_version": 3, "solution": false, "task": false}
def in_a_pipeline(bend, picture, its_masks, first):
    """Two passes of a pipeline that bends a picture with three seeds: (2, 3, height, width, 1)."""
    seeds = tf.data.Dataset.range(3).map(lambda n: tf.stack([np.int64(first), n]))
    stream = seeds.map(lambda seed: bend(picture, its_masks, seed, 3.0, 4.0)[0])
    return [list(stream.as_numpy_iterator()) for _ in range(2)]

# %% nbgrader={"grade": true, "grade_id": "bend_together-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# shapes, dtypes and values (4 marks)
for number in range(3):
    bent, its_masks = bend_together(image, masks, tf.constant([number, 5]), 3.0, 4.0)
    assert bent.shape == (64, 64, 1), f"the bent picture has the shape {bent.shape}"
    assert its_masks.shape == (64, 64, 2), f"the bent masks have the shape {its_masks.shape}"
    kinds = np.asarray(bent).dtype.name, np.asarray(its_masks).dtype.name
    assert kinds == ("float32", "float32"), f"the dtypes of picture and masks are {kinds}"
    values = np.unique(its_masks)
    assert set(values) <= {0, 1}, f"the masks hold {len(values)} different values, {values[:4].round(3)} among them"
    assert np.min(bent) > -1e-3 and np.max(bent) < 1.001, f"grey values from {np.min(bent):.2f} to {np.max(bent):.2f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(211)
for number in range(3):
    spots = tf.constant(rng.integers(0, 2, (48, 48, 3)), tf.float32)
    bent, its_masks = bend_together(spots[..., :1], spots[..., 1:], tf.constant([3, number]), 2.5, 3.0)
    values = np.unique(its_masks)
    assert set(values) <= {0, 1}, f"the masks hold {len(values)} different values, {values[:4].round(3)} among them"
    assert np.min(bent) > -1e-3 and np.max(bent) < 1.001, f"grey values from {np.min(bent):.2f} to {np.max(bent):.2f}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bend_together-test-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# strength 0 changes nothing, in square pictures and others (4 marks)
for high, wide in ((64, 64), (48, 64), (64, 40)):
    same, its_masks = bend_together(image[:high, :wide], masks[:high, :wide], tf.constant([2, 5]), 0.0, 4.0)
    assert np.shape(same) == (high, wide, 1), f"{high} rows, {wide} columns: the result is {np.shape(same)}"
    off = np.abs(same - image[:high, :wide]).max()
    assert off < 1e-3, f"strength 0, {high} rows, {wide} columns: grey values differ by {off:.3f}. Which pixel is read?"
    wrong = int(np.sum(np.abs(its_masks - masks[:high, :wide]) > 1e-3))
    assert wrong == 0, f"strength 0, {high} rows, {wide} columns: {wrong} pixels of the masks differ"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(212)
for high, wide in ((33, 33), (33, 47)):
    spots = tf.constant(rng.integers(0, 2, (high, wide, 3)), tf.float32)
    same, its_masks = bend_together(spots[..., :1], spots[..., 1:], tf.constant([high, wide]), 0, 2)
    off = np.abs(same - spots[..., :1]).max()
    assert off < 1e-3, f"strength 0, {high} rows, {wide} columns: grey values differ by {off:.3f}. Which pixel is read?"
    wrong = int(np.sum(np.abs(its_masks - spots[..., 1:]) > 1e-3))
    assert wrong == 0, f"strength 0, {high} rows, {wide} columns: {wrong} pixels of the masks differ"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bend_together-test-3", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
# a mask as the picture: both must move in the same way (7 marks)
for number in range(6):
    lung = masks[..., number % 2 :][..., :1]
    as_image, its_masks = bend_together(lung, masks, tf.constant([number, 1]), 4.0, 4.0)
    seen, said = np.asarray(as_image)[..., 0], np.asarray(its_masks)[..., number % 2]
    wrong = int(np.sum(((seen > 0.5) != (said > 0.5)) & (np.abs(seen - 0.5) > 1e-3)))
    assert wrong == 0, f"channel {number % 2} as the picture: picture and mask differ in {wrong} pixels"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(213)
for number, strength in enumerate((2.0, 5.0, 0.8)):
    spots = tf.constant(rng.integers(0, 2, (40, 40, 2)), tf.float32)
    for channel in range(2):
        picture, seed = spots[..., channel:][..., :1], tf.constant([7, number])
        as_image, its_masks = bend_together(picture, spots, seed, strength, 3.0)
        seen, said = np.asarray(as_image)[..., 0], np.asarray(its_masks)[..., channel]
        wrong = int(np.sum(((seen > 0.5) != (said > 0.5)) & (np.abs(seen - 0.5) > 1e-3)))
        what = f"small spots, channel {channel} as the picture: picture and mask differ in {wrong} pixels"
        assert wrong == 0, f"{what}. Is each pixel read at one place, by linear interpolation, and cut at one half?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bend_together-test-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the field: its size, its smoothness, its two directions (5 marks)
def check_field(strength, sigma, first):
    fields = [measured_field(bend_together, 56, 56, [first, k], strength, sigma) for k in range(6)]
    largest = [np.abs(field).max() for field in fields]
    middle, says = np.median(largest), f"strength {strength}, sigma {sigma}, 6 seeds"
    assert max(largest) < strength + 0.6, f"{says}: a pixel was read from {max(largest):.2f} px away"
    assert middle > 0.7 * strength, f"{says}: the largest displacement is usually only {middle:.2f} px"
    down, right = np.array(fields).transpose(1, 0, 2, 3)
    alike = abs(np.sum(down * right) / np.sqrt(np.sum(down**2) * np.sum(right**2)))
    assert alike < 0.7, f"{says}: down and right have a correlation of {alike:.2f}. Are they drawn apart, around 0?"
    for name, axis in (("row", 2), ("column", 3)):  # after a Gaussian, 2 * sigma**2 * step is about 1
        step = np.mean(np.diff(np.array(fields), axis=axis) ** 2) / np.mean(np.square(fields))
        assert 0.5 < 2 * sigma**2 * step < 2, f"{says}: from one {name} to the next, the field is " + (
            "too smooth" if 2 * sigma**2 * step < 1 else "not smooth enough")
check_field(3.0, 3.0, 5)
### BEGIN HIDDEN TESTS
check_field(4.5, 2.0, 2)
white = [np.asarray(bend_together(np.ones((40, 40, 1), "float32"), np.ones((40, 40, 2), "float32"),
                                  tf.constant([9, k]), 6.0, 3.0)[0]) for k in range(4)]
darkest = np.min(white)
assert darkest < 0.5, f"a white picture, bent by 6 px: the darkest pixel is {darkest:.2f}. What lies outside?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bend_together-test-5", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the seed, and the work inside a pipeline (5 marks)
def bend_alone(first):
    return [np.asarray(bend_together(image, masks, tf.constant([first, n]), 3.0, 4.0)[0]) for n in range(3)]
alone, again = bend_alone(4), bend_alone(4)
piped, piped_again = in_a_pipeline(bend_together, image, masks, 4)
assert np.allclose(alone, again, atol=1e-3), "the same seed, called twice, gave two pictures"
assert not np.allclose(alone[0], alone[1], atol=1e-2), "two seeds gave the same picture"
assert not np.allclose(piped[0], piped[1], atol=1e-2), "two elements of a pipeline, two seeds: bent in the same way"
assert np.allclose(piped, piped_again, atol=1e-3), "the same seeds in a second pass gave other pictures"
### BEGIN HIDDEN TESTS
assert np.allclose(alone, piped, atol=1e-3), "a pipeline bends otherwise than a plain call with the same seed"
other = bend_alone(5)
assert not np.allclose(alone[1], other[1], atol=1e-2), "seeds [4, 1] and [5, 1] gave the same picture"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: Half with a finding, half without (25 marks)
#
# In many collections few X-rays show signs of disease. In a small batch there is often none of them, and a network that
# rarely sees one learns little about them. So each batch shall hold as many X-rays with a finding as without, and the
# rarer ones come more often. This is **oversampling**.
#
# Write `balanced_batches(images, masks, findings, batch_size, seed)`, which returns a `tf.data.Dataset`.
#
# - `images` is (N, size, size) and `masks` is (N, size, size, 2), both `uint8` arrays. `findings` is an array of N
#   `bool`. There is at least one X-ray of each kind. `batch_size` is even, `seed` an integer.
# - An element is a pair: images (batch_size, size, size) and their masks (batch_size, size, size, 2), as they are
#   stored. Nothing is scaled or augmented here.
# - In **each** batch, exactly half of the X-rays have a finding. Their places in the batch do not matter.
# - The dataset ends: reading it once is a **pass**. In a pass, each X-ray of the larger group comes once. Only where
#   they do not fill the last batch, the rest (fewer than half a batch) are left out.
# - Those of the smaller group are used evenly: in a pass, none of them comes a second time before each has come once,
#   none a third time before each has come twice, and so on. Either group can be the smaller one, or both are equal.
# - Each pass has a new order, mixed over the whole group, in both groups. Which X-rays meet in a batch changes, too.
# - A new dataset with the same `seed` gives the same passes in the same order again. Another `seed` gives others.
#
# By hand: 3 X-rays with a finding, A, B, C, and 8 without, 1 to 8. With `batch_size` 4 a pass has 4 batches, for
# example 5 2 C A, 1 8 B C, 7 3 B A, 6 4 A C. Each number comes once; A and C come three times, B twice.

# %% nbgrader={"grade": false, "grade_id": "balanced_batches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def balanced_batches(images, masks, findings, batch_size, seed):
    """Make a dataset of batches of which one half has a finding, in a new order on each pass."""
    ### BEGIN SOLUTION
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    # only numbers are shuffled, so that picture and masks cannot come apart
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))
    all_images, all_masks = tf.constant(images), tf.constant(masks)

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(all_images, numbers), tf.gather(all_masks, numbers)

    return pairs.map(look_up)
    ### END SOLUTION

# %% [markdown]
# The tests use pictures that say which one they are: all pixels of picture 7 are 7, and so are those of its masks.
# `read_pass` reads a pass as such numbers.

# %% nbgrader={"grade": false, "grade_id": "setup-6", "locked": true, "schema_version": 3, "solution": false, "task": false}
def numbered(count, ill):
    """Images, masks and findings of `count` X-rays; those whose numbers are in `ill` have a finding."""
    numbers = np.arange(count, dtype="uint8")
    images = numbers[:, np.newaxis, np.newaxis] * np.ones((4, 4), "uint8")
    return images, np.stack([images, images], axis=-1), np.isin(numbers, list(ill))


def read_pass(dataset):
    """The numbers of the pictures in each batch of a pass, at most 99 batches."""
    return [pictures[:, 0, 0].astype(int).tolist() for pictures, _ in dataset.take(99).as_numpy_iterator()]

# %%
batches = balanced_batches(*numbered(11, {8, 9, 10}), 4, 1)
for number in range(3):
    print("pass", number + 1, read_pass(batches))

# %% nbgrader={"grade": true, "grade_id": "balanced_batches-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# what an element is, and how many there are (4 marks)
dataset = balanced_batches(*numbered(11, {8, 9, 10}), 4, 1)
elements = list(dataset.take(99).as_numpy_iterator())
assert len(elements) != 99, "the dataset does not end"
assert len(elements) == 4, f"8 X-rays without a finding, 3 with one, batches of 4: a pass has {len(elements)} batches"
for pictures, their_masks in elements:
    assert pictures.shape == (4, 4, 4), f"4 pictures of 4 x 4 px have the shape {pictures.shape}"
    assert their_masks.shape == (4, 4, 4, 2), f"their masks have the shape {their_masks.shape}"
    assert pictures.dtype == their_masks.dtype == np.uint8, f"dtypes {pictures.dtype}, {their_masks.dtype}"
### BEGIN HIDDEN TESTS
examples = ((9, {0, 4}, 2, 7), (9, range(7), 2, 7), (12, range(6), 4, 3), (20, range(7), 6, 4))
for count, ill, size, expected in examples:
    found = read_pass(balanced_batches(*numbered(count, ill), size, 2))
    what = f"{len(ill)} of {count} with a finding, batches of {size}"
    assert len(found) == expected, f"{what}: a pass has {len(found)} batches (99: it does not end)"
    assert {len(batch) for batch in found} == {size}, f"{what}: batches of {sorted({len(batch) for batch in found})}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_batches-test-2", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# one half of each batch has a finding (6 marks)
def check_halves(count, ill, size, seed):
    dataset = balanced_batches(*numbered(count, ill), size, seed)
    for batch in read_pass(dataset) + read_pass(dataset):
        found = sum(number in ill for number in batch)
        assert 2 * found == len(batch), f"{len(ill)} of {count} have a finding: {found} in a batch of {len(batch)}"
check_halves(11, {8, 9, 10}, 4, 1)
check_halves(11, set(range(8)), 4, 1)
check_halves(12, {9, 10, 11}, 4, 1)  # 9 in the larger group do not fill the last batch
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(222)
for seed in range(4):
    size, count = 2 * int(rng.integers(1, 5)), int(rng.integers(16, 40))
    ill = set(rng.permutation(count)[: rng.integers(4, count - 4)].tolist())
    check_halves(count, ill, size, seed)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_batches-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# each picture comes with its own masks (5 marks)
def check_pairs(count, ill, size, seed):
    dataset = balanced_batches(*numbered(count, ill), size, seed)
    for pictures, their_masks in [*dataset.take(99).as_numpy_iterator(), *dataset.take(99).as_numpy_iterator()]:
        for picture, its_masks in zip(pictures, their_masks):
            of = sorted(set(its_masks.ravel().tolist()))
            assert of == [picture[0, 0]], f"picture {picture[0, 0]} comes with the masks of {of}"
check_pairs(11, {8, 9, 10}, 4, 1)
### BEGIN HIDDEN TESTS
check_pairs(17, {1, 3, 4, 9, 16}, 6, 2)
check_pairs(10, set(range(9)), 2, 3)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_batches-test-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# how often each X-ray comes in a pass (5 marks)
def check_counts(count, ill, size, seed):
    dataset = balanced_batches(*numbered(count, ill), size, seed)
    few, many = sorted(([n for n in range(count) if (n in ill) == kind] for kind in (True, False)), key=len)
    for _ in range(2):
        times = np.zeros(count, int)
        for batch in read_pass(dataset):
            np.add.at(times, batch, 1)
            low, high = times[few].min(), times[few].max()
            assert high - low <= 1, f"smaller group: one X-ray has come {high} times, when another had come {low} times"
        assert times[many].max() == 1, f"larger group: an X-ray comes {times[many].max()} times in a pass"
        left = int(np.sum(times[many] == 0))
        assert left < size // 2, f"larger group: {left} of {len(many)} X-rays do not come, batches of {size}"
check_counts(11, {8, 9, 10}, 4, 1)
check_counts(11, set(range(8)), 4, 1)
### BEGIN HIDDEN TESTS
check_counts(30, {2, 3, 5, 7, 11, 13, 17}, 4, 2)
check_counts(26, set(range(13)), 6, 3)
check_counts(40, set(range(5)), 10, 4)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_batches-test-5", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# a new order on each pass, and the same again with the same seed (5 marks)
def passes(seed, many=24):
    dataset = balanced_batches(*numbered(many + 6, range(many, many + 6)), 4, seed)
    return [read_pass(dataset) for _ in range(6)]
found = passes(1)
for group, large in (("larger", True), ("smaller", False)):
    orders = {tuple(n for batch in one for n in batch if (n < 24) == large) for one in found}
    assert len(orders) == 6, f"6 passes over the {group} group, and {len(orders)} different orders"
first = {n for one in found for n in one[0] if n < 24}
assert max(first) > 11, f"24 X-rays in the larger group, and in the first batches of 6 passes only {sorted(first)}"
assert found == passes(1), "a new dataset with the same seed gave other passes"
dataset = balanced_batches(*numbered(12, range(6)), 2, 1)  # six of each kind, a pair in each batch
pairs = {tuple(sorted(batch)) for _ in range(6) for batch in read_pass(dataset)}
assert len(pairs) > 12, f"6 X-rays of each kind, batches of 2: in 6 passes only {len(pairs)} different pairs meet"
### BEGIN HIDDEN TESTS
assert found != passes(2), "another seed gave the same passes"
wide = balanced_batches(*numbered(200, range(190, 200)), 4, 7)
latest = max(n for _ in range(4) for n in read_pass(wide)[0] if n < 190)
assert latest > 60, f"190 in the larger group, and in the first batches of 4 passes none after number {latest}"
together = {frozenset(n for n in batch if n < 24) for one in found for batch in one}
count = sum(map(len, found))
assert len(together) > min(count, 72) / 2, f"{count} batches hold {len(together)} different pairs of the larger group"
dataset = balanced_batches(*numbered(15, {12, 13, 14}), 10, 5)  # of 12, each pass leaves two out
seen = {number for _ in range(20) for batch in read_pass(dataset) for number in batch}
assert len(seen) == 15, f"in 20 passes, these X-rays never came: {sorted(set(range(15)) - seen)}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: Full batches, each X-ray once (15 marks)
#
# For an evaluation each X-ray must count once. `drop_remainder=True` leaves some out, and without it the last batch is
# short: another shape, for which TensorFlow prepares its computation again, and which some devices do not take at all.
# The way out: fill the last batch with pictures that **weigh nothing**.
#
# Write `full_batches(images, masks, batch_size)`, which returns a `tf.data.Dataset`.
#
# - `images` is an array (N, height, width, 1), `masks` one (N, height, width, 2), both `float32`. N is 1 or more.
# - An element is a triple: images, masks and weights, with the shapes (batch_size, height, width, 1),
#   (batch_size, height, width, 2) and (batch_size,), all `float32`. **Every** batch has these shapes, and
#   `element_spec` of the dataset says so: no `None` in them.
# - The X-rays come in order, each once, with the weight 1. After the last one, as many more are added as the batch
#   needs, with the weight 0. What the added ones show is up to you, as long as all values are from 0 to 1.
# - There are as few batches as possible: none holds only added X-rays. The dataset ends, and each pass is the same.
#
# By hand: 5 X-rays and a `batch_size` of 4 make 2 batches, with the weights 1 1 1 1 and 1 0 0 0. If the network scores
# 0.9, 0.8, 0.7, 0.6 and 0.5, and anything for the others, then the sum of weight times score is 3.5, the sum of the
# weights 5, and the mean 0.7.

# %% nbgrader={"grade": false, "grade_id": "full_batches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def full_batches(images, masks, batch_size):
    """Make a dataset of batches that are all full, with weights: 1 for an X-ray, 0 for what fills the last batch."""
    ### BEGIN SOLUTION
    missing = -len(images) % batch_size
    weights = np.ones(len(images))
    filled = [np.pad(np.float32(array), [(0, missing)] + [(0, 0)] * (np.ndim(array) - 1))
              for array in (images, masks, weights)]
    return tf.data.Dataset.from_tensor_slices(tuple(filled)).batch(batch_size, drop_remainder=True)
    ### END SOLUTION

# %% [markdown]
# `few_xrays` gives the first drawn X-rays, scaled and with half of the pixels.

# %% nbgrader={"grade": false, "grade_id": "setup-7", "locked": true, "schema_version": 3, "solution": false, "task": false}
def few_xrays(count):
    cases = [scale(each.image[::2, ::2], each.masks[::2, ::2]) for each in drawn[:count]]
    return tuple(np.stack(arrays) for arrays in zip(*cases))


for array in few_xrays(5):
    print(array.shape, array.dtype)

# %%
for batch in full_batches(*few_xrays(5), 4):
    print([part.shape for part in batch], batch[2].numpy())

# %% nbgrader={"grade": true, "grade_id": "full_batches-test-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# every batch has one shape (5 marks)
def check_shapes(count, size):
    dataset, expected = full_batches(*few_xrays(count), size), [(size, 32, 32, 1), (size, 32, 32, 2), (size,)]
    says, batches = f"{count} X-rays, batch_size {size}", list(dataset.take(99))
    for batch in batches:
        assert len(batch) == 3, f"{says}: an element has {len(batch)} parts"
        shapes = [tuple(part.shape) for part in batch]
        assert shapes == expected, f"{says}: a batch has the shapes {shapes}"
        names = [part.dtype.name for part in batch]
        assert names == ["float32"] * 3, f"{says}: images, masks and weights are {names}"
    known = [tuple(spec.shape) for spec in dataset.element_spec]
    assert known == expected, f"{says}: element_spec says {known}"
check_shapes(5, 4)
check_shapes(8, 4)
check_shapes(1, 4)
### BEGIN HIDDEN TESTS
for count, size in ((11, 3), (2, 5), (7, 1), (9, 8)):
    check_shapes(count, size)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "full_batches-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# each X-ray once, in order (5 marks)
def check_once(count, size):
    images, masks = few_xrays(count)
    parts = [np.concatenate(part) for part in zip(*full_batches(images, masks, size).take(99).as_numpy_iterator())]
    says, counts = f"{count} X-rays, batch_size {size}", np.asarray(parts[2]).ravel() != 0
    assert counts.sum() == count, f"{says}: {counts.sum()} X-rays weigh something"
    for name, given, got in zip(("pictures", "masks"), (images, masks), parts):
        same = np.allclose(got[counts], given, atol=1e-3)
        assert same, f"{says}: the {name} that weigh something are not those that were given, in their order"
        inside = np.all((got > -1e-3) & (got < 1.001))  # also False for NaN, which no weight of 0 takes away
        assert inside, f"{says}: {name} have values from {got.min():.1f} to {got.max():.1f}"
check_once(5, 4)
check_once(8, 4)
### BEGIN HIDDEN TESTS
for count, size in ((11, 3), (2, 5), (7, 1), (9, 8)):
    check_once(count, size)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "full_batches-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the mean over an evaluation, and the number of batches (5 marks)
def check_mean(count, size):
    images, masks = few_xrays(count)
    dataset, says = full_batches(images, masks, size), f"{count} X-rays, batch_size {size}"
    for number in ("first", "second"):
        batches = list(dataset.take(99).as_numpy_iterator())
        assert len(batches) == -(-count // size), f"{says}: {len(batches)} batches in the {number} pass"
        weights, means = (np.concatenate([np.ravel(of(batch)) for batch in batches])
                          for of in (lambda batch: batch[2], lambda batch: batch[0].mean(axis=(1, 2, 3))))
        assert np.isclose(weights.sum(), count, atol=1e-3), f"{says}: the weights add up to {weights.sum():.3f}"
        mean = np.sum(weights * means[: len(weights)]) / weights.sum()
        assert abs(mean - images.mean()) < 1e-3, f"{says}: mean grey {mean:.3f}, without batches {images.mean():.3f}"
check_mean(5, 4)
check_mean(8, 4)
### BEGIN HIDDEN TESTS
for count, size in ((11, 3), (2, 5), (7, 1), (12, 6), (9, 8)):
    check_mean(count, size)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: A test for augmentations (20 marks)
#
# You find an augmentation on the web. Does it move picture and masks together? Write `keeps_together(transform)`, a
# test that says so: `True` or `False`.
#
# - `transform(image, masks, seed)` takes a picture (64, 64, 1) and masks (64, 64, 2), `float32` tensors from 0 to 1,
#   and a list of two integers. It returns the new picture and masks, of the same shapes. The same seed moves any
#   picture in the same way.
# - **Your function draws the pictures and masks** that it hands over, and judges by what comes back. It may call
#   `transform` up to 100 times.
# - The answer is `True` if, for all seeds, the masks hold 0 and 1 and nothing else, and cover the lungs where the new
#   picture shows them, and channel 0 is the lung on the viewer's left, channel 1 the one on the viewer's right.
#
# What you can rely on:
#
# - A transform may move things (by 12 px at most; leave a margin of 14 px, then nothing gets lost), mirror them, and
#   bend them. What comes in from outside is black.
# - It may change the light, as `change_light` does: all pixels by one curve, and what is lighter stays lighter. So the
#   white that you draw may come back as another grey, and so may the black. After interpolation and with other light,
#   an outline in the picture may lie beside that of the mask by up to one pixel. That counts as together.
# - Where picture and masks come apart, both lungs are 4 px or more beside their masks, or one of them is 6 px or more,
#   or has clearly another shape. (Do not only count pixels that differ: a rim of one pixel can have as many as a shift.)
# - A bad transform need not be bad with every seed. But it is with at least one in three.
# - A mirror image whose channels were exchanged counts as together: each mask fits and is in its channel. (That it
#   shows a heart on the wrong side is another matter, and no test of masks can see it.)

# %% nbgrader={"grade": false, "grade_id": "keeps_together", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keeps_together(transform):
    """Whether an augmentation moves a picture and its masks together."""
    ### BEGIN SOLUTION
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1  # unlike in place and size: no symmetry hides a mistake
    picture = masks.max(axis=-1, keepdims=True)  # white lungs, nothing else
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2  # whatever the light made of black and white
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True
    ### END SOLUTION

# %% [markdown]
# `roll_both` and `roll_apart` are a good and a bad transform: both move things by whole pixels, 8 at most, the second
# one with other random numbers for the masks. `in_some(bad, share)` makes a transform that is bad with this share of
# the seeds and good with the others; `other` chooses, with which. `says` asks your function.

# %% nbgrader={"grade": false, "grade_id": "setup-8", "locked": true, "schema_version": 3, "solution": false, "task": false}
def roll(values, seed):
    steps = tf.random.stateless_uniform([2], seed, -8, 9, tf.int32)
    return tf.roll(values, steps, [0, 1])


def roll_both(image, masks, seed):
    return roll(image, seed), roll(masks, seed)


def roll_apart(image, masks, seed):
    return roll(image, seed), roll(masks, tf.constant(seed) + 1)

# %% nbgrader={"grade": false, "grade_id": "setup-9", "locked": true, "schema_version": 3, "solution": false, "task": false}
def in_some(bad, share, other=0):
    def transform(image, masks, seed):
        is_bad = tf.random.stateless_uniform([], tf.constant(seed) + other) < share
        return tf.cond(is_bad, lambda: bad(image, masks, seed), lambda: roll_both(image, masks, seed))

    return transform


def says(judge, transform, name):
    answer = judge(transform)
    one_bool = np.shape(answer) == () and np.asarray(answer).dtype == bool
    what = f"type {type(answer).__name__}, shape {np.shape(answer)}"
    assert one_bool, f"{name}: your answer ({what}) is neither True nor False"
    return bool(answer)

# %%
for name, transform in (("roll_both", roll_both), ("roll_apart", roll_apart)):
    print(name, says(keeps_together, transform, name))

# %% nbgrader={"grade": true, "grade_id": "keeps_together-test-1", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# good transforms (6 marks)
def move_and_light(image, masks, seed):
    image, masks = move_together(image, masks, random_transform(seed, 64))
    return change_light(image, tf.constant(seed) + 1), masks
good = {"nothing changes": lambda image, masks, seed: (image, masks), "rolled": roll_both,
        "moved": lambda image, masks, seed: move_together(image, masks, random_transform(seed, 64)),
        "mirrored, channels exchanged": lambda image, masks, seed: (image[:, ::-1], masks[:, ::-1, ::-1]),
        "moved, other light": move_and_light,
        "other light": lambda image, masks, seed: (change_light(image, seed), masks)}
### BEGIN HIDDEN TESTS
def small_move(image, masks, seed):
    rows, columns = tf.meshgrid(tf.range(64.0), tf.range(64.0), indexing="ij")
    down, right = tf.unstack(tf.random.stateless_uniform([2], seed, 0, 6.28))
    down, right = 3 * tf.sin(rows / 9 + columns / 12 + down), 3 * tf.sin(rows / 11 - columns / 10 + right)
    moved = read_at(tf.concat([image, masks], axis=-1), rows + down, columns + right)
    return moved[..., :1], tf.cast(moved[..., 1:] > 0.5, tf.float32)
good["bent"] = small_move
good["greys from 0.2 to 0.3"] = lambda image, masks, seed: (0.2 + 0.1 * roll(image, seed), roll(masks, seed))
good["greys from 0.7 to 1"] = lambda image, masks, seed: (0.7 + 0.3 * roll(image, seed), roll(masks, seed))
good["in some seeds mirrored, channels exchanged"] = in_some(good["mirrored, channels exchanged"], 0.5)
### END HIDDEN TESTS
for name, transform in good.items():
    what = f"'{name}' keeps picture and masks together, and your answer is False. What may change in a picture?"
    assert says(keeps_together, transform, name), what

# %% nbgrader={"grade": true, "grade_id": "keeps_together-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# picture and masks come apart (5 marks)
bad = {"other random numbers for the masks": roll_apart,
       "masks stay, picture moves": lambda image, masks, seed: (tf.roll(image, [4, 4], [0, 1]), masks),
       "one lung stays": lambda image, masks, seed: (roll(image, seed), tf.stack(
           [roll(masks, seed)[..., 0], masks[..., 1]], axis=-1)),
       "one lung 6 px too low": lambda image, masks, seed: (image, tf.stack(
           [tf.roll(masks[..., 0], 6, 0), masks[..., 1]], axis=-1))}
### BEGIN HIDDEN TESTS
bad["the other lung 6 px too low"] = lambda image, masks, seed: (image, tf.stack(
    [masks[..., 0], tf.roll(masks[..., 1], 6, 0)], axis=-1))
bad["picture mirrored, masks not"] = lambda image, masks, seed: (image[:, ::-1], masks)
bad["masks upside down, picture not"] = lambda image, masks, seed: (image, masks[::-1])
bad["rows and columns of the masks exchanged"] = lambda image, masks, seed: (image, tf.transpose(masks, [1, 0, 2]))
bad["no masks left"] = lambda image, masks, seed: (roll(image, seed), 0 * masks)
bad["everything is mask"] = lambda image, masks, seed: (roll(image, seed), 0 * masks + 1)
bad["masks 4 px below"] = lambda image, masks, seed: (roll(image, seed), tf.roll(roll(masks, seed), 4, 0))
bad["masks 4 px beside"] = lambda image, masks, seed: (roll(image, seed), tf.roll(roll(masks, seed), 4, 1))
bigger = tf.constant([0.7, 0.0, 9.45, 0.0, 0.7, 9.45, 0.0, 0.0])
bad["masks enlarged"] = lambda image, masks, seed: (image, move_together(image, masks, bigger)[1])
### END HIDDEN TESTS
assert says(keeps_together, roll_both, "rolled"), "'rolled' keeps picture and masks together, and your answer is False"
for name, transform in bad.items():
    what = f"'{name}' is bad, and your answer is True. Would your pictures show it?"
    assert not says(keeps_together, transform, name), what

# %% nbgrader={"grade": true, "grade_id": "keeps_together-test-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# what masks hold, and which lung is in which channel (4 marks)
def not_cut(image, masks, seed):
    stacked, transform = tf.concat([image, masks], axis=-1), random_transform(seed, 64)
    moved = keras.ops.image.affine_transform(stacked, transform, "bilinear", "constant", 0)
    return moved[..., :1], moved[..., 1:]
bad = {"mirrored": lambda image, masks, seed: (image[:, ::-1], masks[:, ::-1]), "fractions in the masks": not_cut}
### BEGIN HIDDEN TESTS
bad["channels exchanged"] = lambda image, masks, seed: (roll(image, seed), roll(masks, seed)[..., ::-1])
bad["each channel holds both lungs"] = lambda image, masks, seed: (roll(image, seed), tf.repeat(
    tf.reduce_max(roll(masks, seed), -1, keepdims=True), 2, axis=-1))
bad["masks of 0 and 255"] = lambda image, masks, seed: (roll(image, seed), 255 * roll(masks, seed))
bad["masks of 0 and 0.9"] = lambda image, masks, seed: (roll(image, seed), 0.9 * roll(masks, seed))
### END HIDDEN TESTS
assert says(keeps_together, roll_both, "rolled"), "'rolled' keeps picture and masks together, and your answer is False"
for name, transform in bad.items():
    what = f"'{name}' is bad, and your answer is True. What else is there to look at in the masks?"
    assert not says(keeps_together, transform, name), what

# %% nbgrader={"grade": true, "grade_id": "keeps_together-test-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# transforms that are bad with some seeds only (5 marks)
assert says(keeps_together, roll_both, "rolled"), "'rolled' keeps picture and masks together, and your answer is False"
bad = {f"rolled apart in 40% of the seeds, kind {other}": in_some(roll_apart, 0.4, other) for other in (3, 50, 700)}
### BEGIN HIDDEN TESTS
def stays(image, masks, seed):
    return tf.roll(image, [6, 6], [0, 1]), masks
for other in range(8):
    bad[f"masks stay in 36% of the seeds, kind {other}"] = in_some(stays, 0.36, 1000 * other + 17)
### END HIDDEN TESTS
for name, transform in bad.items():
    assert not says(keeps_together, transform, name), f"'{name}' is bad, and your answer is True. How would one notice?"

# %% [markdown]
# ## Part 5: Find the mistakes (55 marks)
#
# Four pipelines, A to D, from the same 12 X-rays. `move` shifts a picture and its masks by the same whole pixels, up to
# 4 in each direction. `random_pairs` are seeds, new ones in each pass. The cells are ready, run them.

# %%
padded = tf.data.Dataset.from_tensor_slices((
    np.arange(12),
    np.stack([np.pad(each.image, 4) for each in drawn]),
    np.stack([np.pad(each.masks, [(4, 4), (4, 4), (0, 0)]) for each in drawn]),
))
rng = np.random.default_rng(3)
random_pairs = tf.data.Dataset.random(seed=345, rerandomize_each_iteration=True).batch(2)


def move(number, picture, its_masks, steps):
    return number, steps, tf.roll(picture, steps, [0, 1]), tf.roll(its_masks, steps, [0, 1])

# %%
def draw_with_tensorflow(dataset):
    cases = tf.data.Dataset.zip(dataset, random_pairs)
    return cases.map(lambda case, pair: move(*case, tf.random.stateless_uniform([2], pair, -4, 5, tf.int32)))


def draw_with_numpy(dataset):
    return dataset.map(lambda *case: move(*case, rng.integers(-4, 5, 2)))


pipelines = {
    "A": draw_with_tensorflow(padded.shuffle(12, seed=1).repeat()),
    "B": draw_with_tensorflow(padded).cache().shuffle(12, seed=1).repeat(),
    "C": draw_with_numpy(padded.shuffle(12, seed=1).repeat()),
    "D": draw_with_tensorflow(padded.repeat().shuffle(12, seed=1)),
}

# %% [markdown]
# The table counts in the first 6 passes of each, which are 72 pictures. A few shifts of an X-ray are equal by chance.

# %%
streams = {name: list(dataset.take(72).as_numpy_iterator()) for name, dataset in pipelines.items()}
print("            different pictures    different shifts    different X-rays in")
print("pipeline    in 6 passes           in the first pass   the first 12   the second 12")
for name, stream in streams.items():
    pictures = {picture.tobytes() for _, _, picture, _ in stream}
    shifts = {tuple(steps.tolist()) for _, steps, _, _ in stream[:12]}
    first, second = ({int(number) for number, *_ in part} for part in (stream[:12], stream[12:24]))
    print(f"{name:11} {len(pictures):3} of 72             {len(shifts):2} of 12            "
          f"{len(first):2} of 12       {len(second):2} of 12")

# %% [markdown]
# The same X-ray, the first four times that it comes out of each pipeline, with the outlines that come with it and the
# shift (pixels down, pixels to the right). The lines through the middle make small shifts visible.

# %% tags=["nbval-ignore-output"]
figure, axes = figures.new_figure(4, 4, width=1.9, height=2.1)
for row, (name, stream) in zip(axes, streams.items()):
    for axis, (_, steps, picture, its_masks) in zip(row, [each for each in stream if each[0] == 1]):
        figures.draw_xray(axis, picture, f"{name}: {steps[0]:+d}, {steps[1]:+d}")
        figures.draw_outlines(axis, its_masks)
        axis.axhline(35.5, color="white", linewidth=0.6)
        axis.axvline(35.5, color="white", linewidth=0.6)
figures.show(figure, "Four rows of four pictures: one X-ray as it comes out of pipelines A to D. In A and D its place "
             "changes, in B and C it is the same four times. The outlines follow the lungs in all pictures.")

# %% [markdown]
# Explain in 120 to 200 words:
#
# 1. **B, C and D** (15 marks each). Each has one mistake. Which number or picture shows it, what in the code is the
#    cause, what does a network lose by it in training, and how would you write it instead? (How often does Python run the
#    function that `map` is given?)
# 2. **The outlines** (10 marks). A colleague says: "In all pictures the outlines lie on the lungs, so the pipelines are
#    fine." What do the outlines prove, and what not?

# %% [markdown] nbgrader={"grade": true, "grade_id": "written", "locked": false, "points": 55, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **B** has only 12 different pictures in six passes, with many shifts among them: `cache` stands behind the
# augmentation and keeps its result. The network sees 12 fixed pictures and may learn them by heart. Augment after
# `cache`, `shuffle` and `repeat`.
#
# **C** has 12 too, but only one shift. NumPy drew once, while the graph was made, and the number became a
# constant. To the network this is no augmentation, only a set that lies elsewhere. Draw with TensorFlow, from a seed
# for each element.
#
# **D** has many pictures and shifts, but its first 12 elements are not the 12 X-rays: `repeat` before `shuffle` mixes
# the passes. Some come twice before others come once. Shuffle first.
#
# **The outlines** prove that picture and mask move together in these pictures. They do not show whether anything
# changes from pass to pass, or which X-rays come. That needs several passes, and counting.
# ### END SOLUTION

# %% [markdown]
# ## Hand in
#
# Run all cells from the top in a fresh kernel, save, and hand in this one `.ipynb` file. Do not rename it. Do not print
# more than a page of text. (A part that you have left out stops *Run all cells*; run the cells after it by hand.)
