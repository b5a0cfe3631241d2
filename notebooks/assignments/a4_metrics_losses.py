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
# # Assignment 4 · Metrics and losses
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/assignments/student/a4_metrics_losses.ipynb)
#
# A loss tells the training what to make smaller, a metric tells people how good the result is. Both are a few lines of
# sums, and much depends on what is summed: over which axes, of probabilities or of masks, with which weight, and what
# happens when a lung is missing. Here you write two losses, a metric that looks at outlines, and a summary of patients.
# Then you read a table in which two ways of scoring disagree about which of two models is better.
#
# **You will be able to**
#
# - turn a formula for a loss into code that trains, per image and per lung, with rules for empty masks
# - weigh the two kinds of mistakes and the two kinds of pixels
# - score outlines instead of areas
# - summarise hard Dice scores over patients, for each lung
# - say which of two disagreeing scores to report, and why
#
# **Time:** 90 minutes
#
# **Needs:** notebooks 6 and 7 read. Nothing to download, the X-rays are drawn here.
#
# | part | marks |
# |---|---|
# | 1 Two kinds of mistakes | 20 |
# | 2 Hard pixels and rare pixels | 20 |
# | 3 Score the outline | 20 |
# | 4 A summary of patients | 25 |
# | 5 Which score to report | 55 |
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
# - Numbers may differ by 0.001 from the right ones.

# %% nbgrader={"grade": false, "grade_id": "setup-1", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% nbgrader={"grade": false, "grade_id": "setup-2", "locked": true, "schema_version": 3, "solution": false, "task": false}
import lungseg_utils.quiet  # TensorFlow without its start-up messages

import cv2
import keras
import numpy as np
import tensorflow as tf
from scipy import ndimage

from lungseg_utils import figures
from lungseg_utils.drawing import draw_phantom

# %% [markdown]
# Six drawn X-rays to look at, with their true masks. In a mask, channel 0 is the lung on the viewer's left and channel
# 1 the lung on the viewer's right.

# %% nbgrader={"grade": false, "grade_id": "setup-3", "locked": true, "schema_version": 3, "solution": false, "task": false}
drawn = [draw_phantom(40_000 + number, 96, finding=number % 2 == 1) for number in range(6)]
print(len(drawn), "X-rays of", drawn[0].image.shape, drawn[0].image.dtype, "with masks", drawn[0].masks.shape)


def tensor(array, dtype="float32"):
    """A TensorFlow tensor, as a network and its loss handle them."""
    return tf.constant(np.asarray(array).astype(dtype))


def box(size, rows, columns):
    """A picture (1, size, size, 1) that is 1 in some rows and columns, given as (first, end), and 0 elsewhere."""
    picture = np.zeros((1, size, size, 1), "float32")
    picture[:, rows[0]:rows[1], columns[0]:columns[1]] = 1
    return picture

# %% nbgrader={"grade": false, "grade_id": "setup-4", "locked": true, "schema_version": 3, "solution": false, "task": false}
def two_lungs(left, right, size=20):
    """Masks (size, size, 2): so many columns at the viewer's left edge, and so many at the viewer's right edge."""
    masks = np.zeros((size, size, 2), "uint8")
    masks[:, :left, 0] = 1
    masks[:, size - right:, 1] = 1
    return masks


def many(*pairs):
    """Masks (images, 20, 20, 2), from pairs of numbers of columns."""
    return np.stack([two_lungs(*pair) for pair in pairs])

# %% [markdown]
# ## Part 1: Two kinds of mistakes (20 marks)
#
# Dice loss counts a pixel that is called lung and is none (a false positive) as much as lung that is missed (a false
# negative). Sometimes one of them is worse: where a person will look for disease inside of the outline, missed lung is.
# The Tversky loss (Salehi and others, 2017) gives each its own weight. Write
# `tversky_loss(y_true, y_pred, alpha, beta)`.
#
# - `y_true` is a tensor (batch, height, width, lungs) of 0 and 1, and `y_pred` one of the same shape, `float32`, with
#   probabilities. There may be one lung channel or two. `y_true` is `float32` as a rule, but `uint8`, `int32` and
#   `bool` must give the same result.
# - For each image, and in it for each lung, three sums over the pixels: overlap $TP = \sum t\,p$, false positives
#   $FP = \sum (1 - t)\,p$ and false negatives $FN = \sum t\,(1 - p)$, where $t$ is the true value and $p$ the
#   probability, as it is: there is no threshold.
# - The Tversky index of that lung is $(TP + 1) / (TP + \alpha\, FP + \beta\, FN + 1)$, and its loss is one minus that.
#   The one that is added above and below the fraction line makes empty masks no problem.
# - The loss of an image is the mean over its lungs. The result is a tensor (batch,), `float32`: one number per image.
# - It can be differentiated: `tf.GradientTape` finds the gradient with respect to `y_pred`. So use functions of
#   TensorFlow or `keras.ops` (sums, means, `cast`, `clip`, `log`, `stack`…): those of NumPy have no gradient.
#
# By hand: a lung of 8 pixels in a picture of 16, and a probability of 0.5 everywhere. $TP$ is 4, $FP$ is 4 and $FN$ is
# 4. With `alpha` 0.25 and `beta` 0.75 the index is (4 + 1) / (4 + 1 + 3 + 1), five ninths, and the loss is four ninths.

# %% nbgrader={"grade": false, "grade_id": "tversky_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tversky_loss(y_true, y_pred, alpha, beta):
    """Tversky loss per image, (batch,): the mean over its lungs.

    y_true: (batch, height, width, lungs) of 0 and 1; y_pred: the same shape, probabilities.
    alpha, beta: weights of false positives and of false negatives.
    """
    ### BEGIN SOLUTION
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(1 - index, axis=-1)
    ### END SOLUTION

# %% [markdown]
# To look at: a prediction that is too large and one that is too small, with the weights exchanged.

# %% tags=["nbval-ignore-output"]
true = drawn[0].masks[np.newaxis].astype("float32")
for name, change in (("too large", ndimage.binary_dilation), ("too small", ndimage.binary_erosion)):
    said = np.stack([change(true[0, ..., lung], iterations=3) for lung in range(2)], axis=-1)[np.newaxis]
    losses = [float(tversky_loss(tensor(true), tensor(said), *weights)[0]) for weights in ((0.3, 0.7), (0.7, 0.3))]
    print(f"{name}: loss {losses[0]:.3f} with alpha 0.3, beta 0.7, and {losses[1]:.3f} with alpha 0.7, beta 0.3")

# %% nbgrader={"grade": false, "grade_id": "probe-1", "locked": true, "schema_version": 3, "solution": false, "task": false}
def slopes_of(loss, true, said, *numbers):
    """A loss, and its gradient with respect to the probabilities (`None` if there is none)."""
    said = tensor(said)
    with tf.GradientTape() as tape:
        tape.watch(said)
        losses = loss(tensor(true), said, *numbers)
    return losses, tape.gradient(losses, said) if tf.is_tensor(losses) else None

# %% nbgrader={"grade": true, "grade_id": "tversky_loss-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# one number per image, from probabilities (4 marks)
true = np.repeat(box(96, (0, 48), (0, 96)), 3, axis=0)  # three times the same
got = np.asarray(tversky_loss(tensor(true), tensor(0 * true + 0.4), 0.5, 0.5))
assert got.shape == (3,), f"a batch of 3 images, and a result of shape {got.shape}"
assert got.dtype == "float32", f"float32 masks and probabilities, and a result of {got.dtype}"
look = "Which numbers do you sum?"
assert abs(got.mean() - 0.5555) < 2e-3, f"half lung, probability 0.4: {got.mean():.4f}, should be 0.5555. {look}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(41)
for _ in range(3):
    said = np.repeat(rng.uniform(0, 1, (1, 96, 96, 1)), 3, axis=0)
    got = np.mean(tversky_loss(tensor(true), tensor(said), 0.5, 0.5))
    half, other = said[0, :48].sum(), said[0, 48:].sum()
    right = 1 - half / (half + 0.5 * other + 0.5 * (48 * 96 - half))
    assert abs(got - right) < 2e-3, f"random probabilities: {got:.4f}, should be {right:.4f}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tversky_loss-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the weights of the two kinds of mistakes (5 marks)
small, large = box(96, (0, 48), (0, 96)), box(96, (0, 96), (0, 96))
wide = np.mean(tversky_loss(tensor(small), tensor(large), 0.2, 0.8))
less = np.mean(tversky_loss(tensor(large), tensor(small), 0.2, 0.8))
look = "Which pixels does each weight belong to?"
assert abs(wide - 1 / 6) < 1e-3, f"all is called lung, half is lung; alpha 0.2, beta 0.8: {wide:.4f}. {look}"
assert abs(less - 4 / 9) < 1e-3, f"half is called lung, all is lung; alpha 0.2, beta 0.8: {less:.4f}. {look}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(42)
for _ in range(4):
    alpha, beta = rng.uniform(0, 1.5, 2).round(2).tolist()
    first, end = rng.integers(5, 40), rng.integers(50, 90)
    true, said = box(96, (0, end), (0, 96)), box(96, (first, 96), (0, 96))
    got = np.mean(tversky_loss(tensor(true), tensor(said), alpha, beta))
    right = 1 - (end - first) / (end - first + alpha * (96 - end) + beta * first)
    where = f"rows 0 to {end} are lung, rows {first} to 96 are called lung, alpha {alpha}, beta {beta}"
    assert abs(got - right) < 2e-3, f"{where}: {got:.4f}, should be {right:.4f}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tversky_loss-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# each image and each lung by itself (5 marks)
large, small = box(96, (0, 96), (0, 96)), box(96, (0, 96), (0, 12))
true = np.concatenate([large, small])  # two images, one lung each
said = np.concatenate([large, box(96, (0, 96), (84, 96))])  # the large one is right, the small one all wrong
got = np.mean(tversky_loss(tensor(true), tensor(said), 0.5, 0.5))
assert abs(got - 0.5) < 1e-3, f"one image right, a small lung all wrong: {got:.3f}. Does each image count the same?"
true, said = (each.transpose(3, 1, 2, 0) for each in (true, said))  # now two lungs of one image
got = np.mean(tversky_loss(tensor(true), tensor(said), 0.5, 0.5))
assert abs(got - 0.5) < 1e-3, f"a large lung right, a small one all wrong: {got:.3f}. Does each lung count the same?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(43)
for _ in range(3):
    ends = rng.integers(20, 96, (2, 3, 2))
    true, said = (np.concatenate([np.concatenate([box(96, (0, 96), (0, end)) for end in image], axis=-1)
                                  for image in each]) for each in ends)
    got = np.mean(tversky_loss(tensor(true), tensor(said), 0.5, 0.5))
    low, high = ends.min(axis=0), ends.max(axis=0)
    right = np.mean(1 - low / (low + 0.5 * (high - low)))
    found = f"3 images of 2 lungs: mean {got:.4f}, should be {right:.4f}"
    assert abs(got - right) < 2e-3, f"{found}. Over what is each sum?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tversky_loss-test-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# empty and small masks (3 marks)
none, some = np.zeros((1, 4, 4, 1)), box(4, (0, 2), (0, 4))
got = float(np.mean(tversky_loss(tensor(none), tensor(none), 0.5, 0.5)))
assert abs(got) < 1e-3, f"no lung, and none predicted: {got:.3f}. What stands above and below the line?"
got = float(np.mean(tversky_loss(tensor(some), tensor(box(4, (0, 1), (0, 4))), 0.5, 0.5)))
assert abs(got - 2 / 7) < 1e-3, f"4 of 8 lung pixels are found, both weights 0.5: {got:.4f}. What is added, and where?"
### BEGIN HIDDEN TESTS
one_lung = np.concatenate([some, none], axis=-1)  # the second lung is not there, and not predicted
got = float(np.mean(tversky_loss(tensor(one_lung), tensor(0 * one_lung), 0.5, 0.5)))
assert abs(got - 0.4) < 1e-3, f"one lung missed, the other not there: {got:.4f}, should be 0.4. The mean over what?"
rng = np.random.default_rng(44)
for count in (1, 2, 3):
    said = rng.permuted(box(4, (0, count), (0, 3)), axis=2)
    got = float(np.mean(tversky_loss(tensor(none), tensor(said), 0.5, 0.5)))
    right = 1 - 1 / (0.5 * said.sum() + 1)
    assert abs(got - right) < 1e-3, f"no lung, some predicted: {got:.4f}, should be {right:.4f}. What is added, where?"
    true = box(4, (0, count), (0, 4))
    got = float(np.mean(tversky_loss(tensor(true), tensor(none), 0.5, 0.5)))
    right = 1 - 1 / (0.5 * 4 * count + 1)
    assert abs(got - right) < 1e-3, f"nothing predicted: {got:.4f}, should be {right:.4f}. What is added, where?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tversky_loss-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# the gradient, and masks of whole numbers (3 marks)
true, said = box(96, (0, 48), (0, 96)), tensor(np.full((1, 96, 96, 1), 0.4))
loss, slopes = slopes_of(tversky_loss, true, said, 0.5, 0.5)
assert tf.is_tensor(loss), f"the result is of type {type(loss).__name__}, not a tensor"
assert slopes is not None, "there is no gradient with respect to y_pred. Is each step TensorFlow's or Keras's?"
inside, outside = np.mean(slopes[:, :48]), np.mean(slopes[:, 48:])
assert inside < 0 < outside, f"the loss rises by {inside:.1e} per lung pixel, by {outside:.1e} per other. Which way?"
for dtype in ("uint8", "int32", "bool"):
    got = np.mean(tversky_loss(tensor(true, dtype), said, 0.5, 0.5))
    assert abs(got - np.mean(loss)) < 1e-3, f"{np.mean(loss):.4f} with a mask of float32, {got:.4f} with {dtype}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(45)
true, said = (rng.random((2, 8, 8, 2)) < 0.5).astype("float32"), tensor(rng.uniform(0.1, 0.9, (2, 8, 8, 2)))
true[1] = 0  # an image without lung
slopes = np.asarray(slopes_of(tversky_loss, true, said, 0.5, 0.5)[1])
finite = slopes.shape == true.shape and np.isfinite(slopes).all()
assert finite, "the gradient is not finite when an image has no lung"
for _ in range(4):
    way = rng.normal(size=said.shape)
    ahead, back = (np.sum(tversky_loss(tensor(true), tensor(said + step * way), 0.5, 0.5)) for step in (0.02, -0.02))
    right = (ahead - back) / 0.04
    assert abs((slopes * way).sum() - right) < 0.01 + 0.05 * abs(right), "the gradient is not the slope of your loss"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: Hard pixels and rare pixels (20 marks)
#
# Most pixels of an X-ray are easy, and there are more of background than of lung. In a plain mean of the cross-entropy
# the many easy pixels outweigh the few that matter. The focal loss (Lin and others, 2017) makes a pixel count less the
# surer and the more right the network is about it, and a weight balances the two kinds of pixels. Write
# `balanced_focal(y_true, y_pred, gamma)`.
#
# - `y_true` is a `float32` tensor (batch, height, width, lungs) of 0 and 1. `y_pred` is one of the same shape and type,
#   with probabilities. `gamma` is a number, 0 or more.
# - Clip the probabilities to the range from $10^{-7}$ to $1 - 10^{-7}$ first, so that neither the loss nor its gradient
#   is infinite or NaN.
# - $q$ is the probability that the network gives to what is true: $p$ where there is lung, $1 - p$ where there is none.
# - The loss of a pixel is $-w\,(1 - q)^\gamma \log q$, with the natural logarithm.
# - The weight $w$ comes from the image itself, all of its pixels and lung channels together. If a share $s$ of them is
#   lung, a lung pixel has the weight $1 - s$, and a pixel without lung the weight $s$. So all lung pixels together
#   weigh as much as all others together. Where an image has only one kind of pixels ($s$ is 0 or 1), all weights are
#   one half.
# - The loss of an image is the mean over all of its pixels and lung channels. The result is a tensor (batch,),
#   `float32`. It can be differentiated, as in part 1.
#
# By hand: an image of 4 pixels, one of them lung, so $s$ is 0.25, and `gamma` 1. All probabilities are 0.5. Then each
# pixel has $(1 - 0.5) \cdot 0.693 = 0.347$ before its weight. The lung pixel weighs 0.75, the other three 0.25 each.
# The sum is 0.520, and the loss is a quarter of it, 0.130.

# %% nbgrader={"grade": false, "grade_id": "balanced_focal", "locked": false, "schema_version": 3, "solution": true, "task": false}
def balanced_focal(y_true, y_pred, gamma):
    """Balanced focal loss per image, (batch,).

    y_true: (batch, height, width, lungs) of 0 and 1; y_pred: the same shape, probabilities.
    gamma: how strongly easy pixels are played down, 0 for not at all.
    """
    ### BEGIN SOLUTION
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))
    ### END SOLUTION

# %% [markdown]
# To look at: the loss of one lung pixel, by the probability that the network gives it.

# %% tags=["nbval-ignore-output"]
said = np.linspace(0.02, 1, 50)
one_pixel = tensor(np.ones((50, 1, 1, 1)))
figure, axes = figures.new_figure(width=4.5, height=3)
for gamma, style in ((0, "-"), (1, "--"), (2, ":"), (5, "-.")):
    losses = balanced_focal(one_pixel, tensor(said.reshape(50, 1, 1, 1)), gamma)
    axes[0, 0].plot(said, np.asarray(losses), style, color="black", label=f"gamma {gamma}")
axes[0, 0].set(xlabel="probability given to a lung pixel", ylabel="its loss", ylim=(0, 2))
axes[0, 0].legend()
figures.show(figure, "The loss of a lung pixel falls with its probability, sooner for a larger gamma.")

# %% nbgrader={"grade": true, "grade_id": "balanced_focal-test-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# one mean per image (3 marks)
true = np.concatenate([box(16, (0, 8), (0, 16)), box(16, (0, 16), (4, 12))])  # half of each image is lung
got = np.asarray(balanced_focal(tensor(true), tensor(0 * true + 0.5), 0))
assert got.shape == (2,), f"a batch of 2 images, and a result of shape {got.shape}"
assert got.dtype == "float32", f"float32 masks and probabilities, and a result of {got.dtype}"
look = "should be 0.347. What is put together, and divided by what?"
assert abs(got - 0.3466).max() < 1e-3, f"half lung, all 0.5, gamma 0: {got}, {look}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(46)
for lungs in (1, 2):
    true = np.concatenate([np.repeat(box(16, (k, k + 8), (0, 16)), lungs, axis=-1) for k in range(3)])
    said = rng.uniform(0.05, 0.95, true.shape)
    got = np.asarray(balanced_focal(tensor(true), tensor(said), 0))
    right = [-0.5 * np.log(np.where(a > 0, b, 1 - b)).mean() for a, b in zip(true, said)]
    assert got.shape == (3,), f"a batch of 3 images, and a result of shape {got.shape}"
    found = f"half lung, random probabilities, gamma 0, {lungs} lung channels: {got}"
    assert abs(got - right).max() < 1e-3, f"{found}, should be {np.round(right, 4)}. What is put together?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_focal-test-2", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# easy pixels count less (6 marks)
true = box(16, (0, 8), (0, 16))  # half of it is lung, so that all weights are the same


def compared(said, gamma):  # the loss, as a fraction of that with gamma 0
    return float(np.mean(balanced_focal(tensor(true), tensor(said), gamma)) /
                 np.mean(balanced_focal(tensor(true), tensor(said), 0)))


for name, said, gamma, right in (("0.9 for lung, 0.1 elsewhere", 0.1 + 0.8 * true, 2, 0.01),
                                 ("0.2 for lung, 0.8 elsewhere", 0.8 - 0.6 * true, 2, 0.64),
                                 ("0.2 for lung, 0.8 elsewhere", 0.8 - 0.6 * true, 0.5, 0.8944)):
    got = compared(said, gamma)
    found = f"{name}: gamma {gamma} makes it {got:.3f} times that of 0, should be {right}"
    assert abs(got - right) < 1e-3, f"{found}. Which factor has gamma?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(47)
for gamma in (1, 2, 3.5):
    said = rng.uniform(0.02, 0.98, true.shape).astype("float32")
    q = np.where(true > 0, said, 1 - said)
    got, right = compared(said, gamma), ((1 - q) ** gamma * np.log(q)).sum() / np.log(q).sum()
    found = f"random probabilities: gamma {gamma} makes it {got:.4f} times that of 0, should be {right:.4f}"
    assert abs(got - right) < 1e-3, f"{found}. Which factor has gamma?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_focal-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the weights of lung and of background (5 marks)
true = box(16, (0, 4), (0, 16))  # a quarter is lung
unsure = [np.mean(balanced_focal(tensor(true), tensor(said), 0))  # in lung pixels only; in the others only
          for said in (0.5 * true, 0.5 + 0.5 * true)]
share = unsure[0] / sum(unsure)
assert abs(share - 0.5) < 1e-3, f"a quarter is lung: it has {share:.3f} of the weight, not half. Which pixels are rare?"
both = np.concatenate([true, 1 - true])
said = np.concatenate([0.5 * true, 0.2 * true + 0.3])
alone = np.mean([np.mean(balanced_focal(tensor(both[[k]]), tensor(said[[k]]), 0)) for k in range(2)])
ratio = np.mean(balanced_focal(tensor(both), tensor(said), 0)) / alone
assert abs(ratio - 1) < 1e-3, f"two images in a batch: {ratio:.3f} times the mean of both alone. Whose share is it?"
two = np.concatenate([true, box(16, (0, 8), (0, 16))], axis=-1)  # an image with a lung of 64 pixels and one of 128
each = [np.mean(balanced_focal(tensor(two), tensor(two - 0.5 * two * (np.arange(2) == k)), 0)) for k in range(2)]
ratio = each[0] / each[1]  # unsure in one lung only, in the other lung only
assert abs(ratio - 0.5) < 0.01, f"lungs of 64 and 128 pixels: {ratio:.3f} to 1, should be 0.5. A share of which pixels?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(48)
true = (rng.random((4, 16, 16, 2)) < rng.uniform(0.05, 0.95, (4, 1, 1, 2))).astype("float32")
said = rng.uniform(0.05, 0.95, true.shape).astype("float32")
got, right = [], []
for t, p in zip(true, said):
    got.append(float(np.mean(balanced_focal(tensor(t[np.newaxis]), tensor(p[np.newaxis]), 0))))
    lung, other = t.sum(), (1 - t).sum()
    right.append(-(other * np.log(p[t > 0]).sum() + lung * np.log(1 - p[t == 0]).sum()) / (lung + other) ** 2)
got, right = (np.divide(each, sum(each)) for each in (got, right))  # compared with each other
found = f"4 images of two lungs, each alone: {got.round(3)} of the sum, should be {right.round(3)}"
assert abs(got - right).max() < 1e-3, f"{found}. Which share is counted, over which pixels?"
ratio = np.mean(balanced_focal(tensor(true), tensor(said), 0)) / np.mean(
    [np.mean(balanced_focal(tensor(true[[k]]), tensor(said[[k]]), 0)) for k in range(4)])
assert abs(ratio - 1) < 1e-3, f"4 images in a batch: {ratio:.3f} times the mean of all alone. Whose share is it?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_focal-test-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# probabilities of exactly 0 and 1 (4 marks)
true = box(16, (0, 8), (0, 16))
for name, said in (("all right", true), ("all wrong", 1 - true)):
    got = np.mean(balanced_focal(tensor(true), tensor(said), 0))
    assert np.isfinite(got), f"sure, and {name}: {got}. Which step is not possible for 0?"
ratio = got / np.mean(balanced_focal(tensor(true), tensor(0.5 + 0 * true), 0))
assert 22.5 < ratio < 23.7, f"sure and all wrong: {ratio:.2f} times the loss of 0.5. What is clipped, and where?"
loss, slopes = slopes_of(balanced_focal, true, true, 0)
assert slopes is not None, "there is no gradient with respect to y_pred. Is each step TensorFlow's or Keras's?"
finite = np.shape(slopes) == true.shape and np.isfinite(slopes).all()
assert finite, "the gradient is not finite for 0 or 1. What is clipped, and where?"
### BEGIN HIDDEN TESTS
for gamma in (0, 1, 2):
    for said in (true, 1 - true, 0 * true, 0.5 * true, 0.7 + 0.3 * true):
        loss, slopes = slopes_of(balanced_focal, true, said, gamma)
        assert np.isfinite(loss).all(), f"gamma {gamma}, probabilities from {np.min(said)} to {np.max(said)}: {loss}"
        assert slopes is not None, "there is no gradient with respect to y_pred"
        finite = np.shape(slopes) == true.shape and np.isfinite(slopes).all()
        assert finite, f"gamma {gamma}: the gradient is not finite for 0 or 1. What is clipped?"
rng = np.random.default_rng(48)
true, said = (rng.random((2, 6, 6, 2)) < 0.4).astype("float32"), rng.uniform(0.1, 0.9, (2, 6, 6, 2))
for gamma in (0.5, 2):
    slopes = np.asarray(slopes_of(balanced_focal, true, said, gamma)[1])
    for _ in range(3):
        way = rng.normal(size=said.shape)
        ahead, back = (np.sum(balanced_focal(tensor(true), tensor(said + step * way), gamma)) for step in (0.01, -0.01))
        off = abs((slopes * way).sum() - (ahead - back) / 0.02) / np.linalg.norm(slopes)
        assert off < 0.05, f"gamma {gamma}: the gradient is not the slope of your loss"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced_focal-test-5", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# images with only one kind of pixels (2 marks)
half, none = box(16, (0, 8), (0, 16)), np.zeros((1, 16, 16, 1), "float32")
usual = np.mean(balanced_focal(tensor(half), tensor(0 * half + 0.5), 0))
for name, true in (("no lung at all", none), ("lung everywhere", 1 - none)):
    ratio = np.mean(balanced_focal(tensor(true), tensor(0 * true + 0.5), 0)) / usual
    assert abs(ratio - 1) < 1e-3, f"{name}: {ratio:.3f} times that of the half-lung image. Which weights?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(49)
said = rng.uniform(0.05, 0.95, none.shape).astype("float32")
for name, true, q in (("no lung at all", none, 1 - said), ("lung everywhere", 1 - none, said)):
    ratio = np.mean(balanced_focal(tensor(true), tensor(said), 0)) / usual
    right = np.log(q).mean() / np.log(0.5)
    assert abs(ratio - right) < 5e-3, f"{name}: {ratio:.3f} times, should be {right:.3f}. Which weights?"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: Score the outline (20 marks)
#
# A lung has far more pixels inside than along its outline, so Dice and IoU of the whole masks hardly change when the
# outline is a few pixels off. Boundary IoU (Cheng and others, 2021) compares only the bands along the two outlines.
# Write `boundary_iou(true, predicted, width)`.
#
# - `true` and `predicted` are NumPy arrays (height, width) of the same size. What is not 0 is lung: they may hold
#   `bool`, or 0 and 1, or 0 and 255 as `uint8`. They must not be changed.
# - `width` is a whole number, 1 or more.
# - The band of a mask is **inside of** its outline: a lung pixel belongs to it if at least one pixel of the square of
#   `2 * width + 1` rows and columns around it is not lung. With `width` 1 these are the lung pixels that touch the
#   outside, also at a corner: eight neighbours count, not four.
# - What lies beyond the edge of the picture is not lung.
# - The result is the IoU of the two bands, a number from 0 to 1: the pixels in both of them, divided by the pixels in
#   at least one.
# - If neither mask has lung, the result is 1. If only one of them has, it is 0.
#
# By hand: `true` is a square of 5 x 5 pixels, `predicted` the same square one column farther to the right, and `width`
# is 1. A band of `width` 1 in such a square has 16 pixels. The upper and the lower side have 4 pixels in common each,
# the other sides none, so 8 are in both and 24 in at least one. The result is one third, and the IoU of the
# whole masks is 20 / 30, two thirds.

# %% nbgrader={"grade": false, "grade_id": "boundary_iou", "locked": false, "schema_version": 3, "solution": true, "task": false}
def boundary_iou(true, predicted, width):
    """IoU of the bands inside of two outlines.

    true, predicted: (height, width), not 0 is lung.
    width: of the bands, pixels.
    """
    ### BEGIN SOLUTION
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0
    ### END SOLUTION

# %% [markdown]
# To look at: how the IoU of a whole mask and that of its band react when it is moved by some pixels.

# %% tags=["nbval-ignore-output"]
mask = drawn[0].masks[..., 0]
for shift in range(5):
    moved = np.roll(mask, shift, axis=1)
    whole = (mask & moved).sum() / (mask | moved).sum()
    print(f"moved by {shift}: IoU {whole:.3f}, boundary IoU with width 2: {boundary_iou(mask, moved, 2):.3f}")

# %% nbgrader={"grade": false, "grade_id": "probe-2", "locked": true, "schema_version": 3, "solution": false, "task": false}
def masks_afterwards(function, true, predicted, width):
    """The result of a function, and its two masks as they are afterwards."""
    return function(true, predicted, width), true, predicted

# %% nbgrader={"grade": true, "grade_id": "boundary_iou-test-1", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# which pixels are in the band (6 marks)
def square(first, end):
    return box(40, (first, end), (first, end))[0, ..., 0] > 0
got = boundary_iou(square(5, 35), square(15, 25), 3)
assert abs(got) < 1e-3, f"a small square deep in a large one, outlines far apart: {got:.3f}. What is compared?"
left, right = square(5, 35), square(5, 35)
left[:, 20:], right[:, :20] = False, False
got = boundary_iou(left, right, 3)
assert abs(got) < 1e-3, f"two halves that touch: {got:.3f}. On which side of the outline is the band?"
got = boundary_iou(square(5, 35), square(5, 35) & ~square(8, 32), 3)
assert abs(got - 1) < 1e-3, f"a square, and the same without its inside, width 3: {got:.3f}. Where is the band?"
hole, ring = square(5, 35), (square(5, 35) & ~square(6, 34)) | square(19, 22)
hole[20, 20] = ring[20, 20] = False
got = boundary_iou(hole, ring, 1)
assert abs(got - 1) < 1e-3, f"a hole of one pixel, and all pixels that touch it: {got:.3f}. Also at a corner?"
### BEGIN HIDDEN TESTS
for gap in (2, 3, 4):
    for width in (1, gap, gap + 1):
        got = boundary_iou(square(4, 36), square(4 + gap, 36 - gap), width)
        where = f"one square {gap} pixels inside of another, width {width}: {got:.3f}"
        assert width > gap or abs(got) < 1e-3, f"{where}, and the bands share nothing. How wide are yours?"
        assert width <= gap or got > 0.05, f"{where}, and the bands share pixels. How wide are yours?"
    got = boundary_iou(square(4, 36), square(4, 36) & ~square(4 + gap, 36 - gap), gap)
    assert abs(got - 1) < 1e-3, f"a square without its inside, {gap} wide, and the band is all of it: {got:.3f}"
slope = np.tri(40, k=-10, dtype=bool) & square(4, 36)  # an outline that runs down at 45 degrees
inner = slope.copy()
inner[1:-1, 1:-1] = np.all([slope[1 + y:39 + y, 1 + x:39 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0)
got = boundary_iou(slope, slope & ~inner, 1)
assert abs(got - 1) < 1e-3, f"an oblique outline, and the pixels that touch the outside: {got:.3f}. Also at a corner?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "boundary_iou-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the number: both, divided by either (5 marks)
true, moved = box(12, (3, 8), (3, 8))[0, ..., 0] > 0, box(12, (3, 8), (4, 9))[0, ..., 0] > 0
got = boundary_iou(true, moved, 1)
assert abs(got - 1 / 3) < 1e-3, f"the example by hand: {got:.3f}. If test 1 passes: What is divided by what?"
bar, long = box(12, (3, 5), (2, 6))[0, ..., 0] > 0, box(12, (3, 5), (2, 8))[0, ..., 0] > 0  # all of them is band
for one, other in ((bar, long), (long, bar)):
    got = boundary_iou(one, other, 1)
    assert abs(got - 8 / 12) < 1e-3, f"8 pixels in both bands, 12 in at least one: {got:.3f}. What is divided by what?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(411)
for width in (1, 2, 3):
    bands, masks = [], []
    for _ in range(2):
        lung = np.pad(cv2.resize(rng.random((5, 5)), (40, 40), interpolation=cv2.INTER_CUBIC) > 0.45, 6)
        padded, size = np.pad(lung, width), len(lung)
        around = [padded[y:y + size, x:x + size] for y in range(2 * width + 1) for x in range(2 * width + 1)]
        bands.append(lung & ~np.all(around, axis=0))
        masks.append(lung)
    got, right = boundary_iou(*masks, width), (bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum()
    assert abs(got - right) < 1e-3, f"two random masks, width {width}: {got:.4f}, should be {right:.4f}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "boundary_iou-test-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# lungs that reach the edge of the picture (4 marks)
full = np.ones((20, 20), bool)
frame = full.copy()
frame[2:-2, 2:-2] = False
got = boundary_iou(full, frame, 2)
assert abs(got - 1) < 1e-3, f"lung everywhere, and a frame of 2 pixels, width 2: {got:.3f}. What lies beyond the edge?"
### BEGIN HIDDEN TESTS
for width in (1, 3):
    for turn in range(4):
        lung, band = np.zeros((2, 24, 30), bool)
        lung[:20, 5:25] = True
        band[:20, 5:25] = True
        band[width:20 - width, 5 + width:25 - width] = False
        got = boundary_iou(np.rot90(lung, turn), np.rot90(band, turn), width)
        found = f"a lung that reaches one edge, and its band, width {width}: {got:.3f}"
        assert abs(got - 1) < 1e-3, f"{found}. What lies beyond the edge?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "boundary_iou-test-4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# masks of bool and of whole numbers (2 marks)
true, moved = box(12, (3, 8), (3, 8))[0, ..., 0], box(12, (3, 8), (4, 9))[0, ..., 0]
usual = boundary_iou(true > 0, moved > 0, 1)
for top, dtype in ((1, "uint8"), (255, "uint8"), (1, "int64"), (1, "float32")):
    masks = [(top * each).astype(dtype) for each in (true, moved)]
    got, *masks = masks_afterwards(boundary_iou, *masks, 1)
    assert abs(got - usual) < 1e-3, f"{usual:.3f} with bool, {got:.3f} with 0 and {top} as {dtype}"
    same = np.array_equal(masks[0], top * true) and np.array_equal(masks[1], top * moved)
    assert same, f"0 and {top} as {dtype}: the masks that were given are not the same afterwards"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(412)
for dtype in ("uint8", "int32"):
    masks = [np.pad(ndimage.binary_dilation(rng.random((40, 40)) < 0.02, iterations=4), 5) for _ in range(2)]
    usual, got = boundary_iou(*masks, 2), boundary_iou(masks[0].astype(dtype) * 255, masks[1].astype(dtype), 2)
    assert abs(got - usual) < 1e-3, f"{usual:.3f} with bool, {got:.3f} with {dtype}, one to 255 and the other to 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "boundary_iou-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# masks without lung (3 marks)
none, some = np.zeros((2, 12, 12), bool)
some[3:8, 3:8] = True
got = boundary_iou(none, none, 2)
assert abs(got - 1) < 1e-3, f"no lung in either mask: {got}"
for name, pair in (("first", (some, none)), ("second", (none, some))):
    got = boundary_iou(*pair, 2)
    assert abs(got) < 1e-3, f"lung in the {name} mask only: {got}"
### BEGIN HIDDEN TESTS
for width in (1, 5):
    dot = np.zeros((12, 12), "uint8")
    dot[5, 5] = 1
    for pair, right in (((dot, 0 * dot), 0), ((0 * dot, dot), 0), ((dot, dot), 1), ((0 * dot, 0 * dot), 1)):
        got = boundary_iou(*pair, width)
        assert abs(got - right) < 1e-3, f"masks of {pair[0].sum()} and {pair[1].sum()} pixels, width {width}: {got}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: A summary of patients (25 marks)
#
# A model was tried on several X-rays of some patients. How good is it, on average and at its worst? Write
# `patient_summary(probabilities, masks, patients)`.
#
# - `probabilities` is a `float32` array (images, h, w, 2), and `masks` a `uint8` array (images, H, W, 2) of 0 and 1.
#   Both have the viewer's left lung in channel 0 and the viewer's right lung in channel 1. The model worked on pictures
#   that are as large as the masks or **smaller**. They need not be square.
# - `patients` is a list with the patient's name for each image, in any order. There are two patients or more.
# - Bring the probabilities to the size of the masks (bilinear: `cv2.resize` with `cv2.INTER_LINEAR`, or
#   `tf.image.resize`). A pixel whose probability is then above 0.5 is lung.
# - For each image there are three Dice scores: of the viewer's left lung, of the viewer's right lung, and of both lungs
#   together. For the last one, a pixel is lung if it is in at least one of the two masks, in the truth and in the
#   prediction.
# - A lung that is neither there nor predicted scores 1. One that is there and not predicted, or predicted and not
#   there, scores 0.
# - Of each kind of score, take the mean over the images of each patient. All that follows is about these means.
# - The result is a dictionary with the keys `"viewer_left"`, `"viewer_right"` and `"both"`. Each holds a dictionary:
#   `"mean"` over the patients, `"sd"`, the standard deviation over the patients (of a sample, `ddof=1`), `"worst"`,
#   the lowest mean of a patient, and `"worst_patient"`, the name of that patient. If several are equally bad, any of
#   them.
#
# By hand: Anna's two X-rays have Dice 1 and 0.8, Ben's only one 0.6. Anna's mean is 0.9, the mean over patients 0.75,
# the SD 0.212, and the worst patient is Ben with 0.6.

# %% nbgrader={"grade": false, "grade_id": "patient_summary", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patient_summary(probabilities, masks, patients):
    """Hard Dice of each lung and of both, summarised over patients.

    probabilities: (images, h, w, 2); masks: (images, H, W, 2); patients: a name for each image.
    """
    ### BEGIN SOLUTION
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result
    ### END SOLUTION

# %% [markdown]
# To look at: the drawn X-rays as three patients, and a "model" whose lungs are a little too small.

# %% tags=["nbval-ignore-output"]
masks = np.stack([each.masks for each in drawn])
said = np.stack([cv2.resize(each.masks.astype("float32"), (32, 32), interpolation=cv2.INTER_AREA) for each in drawn])
for name, scores in patient_summary(0.8 * said, masks, ["Anna", "Anna", "Anna", "Ben", "Ben", "Cleo"]).items():
    print(f"{name:12} mean {scores['mean']:.3f}, SD {scores['sd']:.3f}, worst {scores['worst']:.3f} "
          f"({scores['worst_patient']})")

# %% nbgrader={"grade": true, "grade_id": "patient_summary-test-1", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# masks out of smaller probabilities (6 marks)
small = np.zeros((2, 4, 4, 2), "float32")  # two patients with the same X-ray, probabilities in 4 columns
small[:, :, :2, 0], small[:, :, 2:, 1] = 0.55, 0.55
for enlarged in (40, 80):
    columns = {40: 16, 80: 32}[enlarged]  # there the enlarged probability is above 0.5
    found = patient_summary(small, np.stack([two_lungs(columns, columns, enlarged)] * 2), ["Anna", "Ben"])
    got = (found["viewer_left"]["mean"] + found["viewer_right"]["mean"]) / 2
    look = f"0.55 in 2 of 4 columns, 0 elsewhere, enlarged to {enlarged}: Dice {got:.3f}, should be 1"
    assert abs(got - 1) < 1e-3, f"{look}. How do you enlarge, and do you cut before or after?"
found = patient_summary(small, np.stack([two_lungs(16, 16, 40)[:30]] * 2), ["Anna", "Ben"])
got = found["viewer_left"]["mean"]
assert abs(got - 1) < 1e-3, f"masks of 30 rows and 40 columns: Dice {got:.3f}, should be 1. Which number is the height?"
### BEGIN HIDDEN TESTS
for low in (0.3, 0.5):
    said = np.maximum(many((8, 8), (8, 8)), low).astype("float32")  # in the middle as much for the one as for the other
    got = patient_summary(said, many((8, 8), (8, 8)), ["Anna", "Ben"])["both"]["mean"]
    assert abs(got - 1) < 1e-3, f"{low} for either lung where there is none: both {got:.3f}. What is cut at 0.5?"
rng = np.random.default_rng(413)
for small_size, (height, width) in (((5, 5), (40, 30)), ((8, 6), (24, 48)), ((16, 16), (16, 16))):
    said = np.repeat(rng.uniform(0, 1, (2, *small_size, 1)), 2, axis=-1).astype("float32")  # both lungs alike
    masks = np.repeat(rng.random((2, height, width, 1)) < 0.5, 2, axis=-1).astype("uint8")
    large = tf.image.resize(said, (height, width)).numpy()
    found = patient_summary(said, masks, ["Anna", "Ben"])
    pairs = [(masks[k, ..., lung], large[k, ..., lung] > 0.5) for k in range(2) for lung in range(2)]
    right = np.mean([2 * (one & other).sum() / (one.sum() + other.sum()) for one, other in pairs])
    got = (found["viewer_left"]["mean"] + found["viewer_right"]["mean"]) / 2
    where = f"{small_size} brought to {(height, width)}, random probabilities"
    assert abs(got - right) < 5e-3, f"{where}: Dice {got:.3f}, should be {right:.3f}. When is what cut?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patient_summary-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# each lung, and both together (5 marks)
said, masks = many((8, 4), (8, 4)).astype("float32"), many((8, 2), (8, 2))  # two patients with the same X-ray
found = patient_summary(said, masks, ["Anna", "Ben"])
assert set(found) == {"viewer_left", "viewer_right", "both"}, f"the keys of the result are {sorted(found)}"
got = {key: round(float(found[key]["mean"]), 3) for key in found}
look = "all of the viewer's left lung is right, the viewer's right one is twice too wide"
assert abs(got["viewer_left"] - 1) < 2e-3 and abs(got["viewer_right"] - 2 / 3) < 2e-3, f"{look}: {got}. Which is which?"
assert abs(got["both"] - 20 / 22) < 2e-3, f"{look}; 10 columns of lung, 12 predicted: {got}. What is both together?"
said = many((12, 12), (12, 12)).astype("float32")  # lungs that overlap in the middle
got = patient_summary(said, many((10, 10), (10, 10)), ["Anna", "Ben"])["both"]["mean"]
assert abs(got - 1) < 1e-3, f"predictions that overlap and fill the picture: both {got:.3f}. How are they put together?"
### BEGIN HIDDEN TESTS
found = patient_summary(masks[..., ::-1].astype("float32"), masks, ["Anna", "Ben"])
got = {key: round(float(found[key]["mean"]), 3) for key in found}
swapped = "the model exchanges the two lungs, and all else is right"
assert abs(got["viewer_left"]) < 2e-3 and abs(got["viewer_right"]) < 2e-3, f"{swapped}: {got}. Are they kept apart?"
assert abs(got["both"] - 1) < 2e-3, f"{swapped}: {got}. What is both together?"
rng = np.random.default_rng(414)
for _ in range(3):
    a, b, c, d = rng.integers(1, 10, 4).tolist()
    found = patient_summary(many((a, b), (a, b)).astype("float32"), many((c, d), (c, d)), ["Anna", "Ben"])
    rights = {"viewer_left": 2 * min(a, c) / (a + c), "viewer_right": 2 * min(b, d) / (b + d),
              "both": 2 * (min(a, c) + min(b, d)) / (a + b + c + d)}
    for key, right in rights.items():
        where = f"{a} columns predicted of {c} at the viewer's left, {b} of {d} at the viewer's right"
        assert abs(found[key]["mean"] - right) < 1e-3, f"{where}: {key} {found[key]['mean']:.3f}, should be {right:.3f}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patient_summary-test-3", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# each patient counts the same (6 marks)
said = many((8, 8), (1, 1), (8, 8), (8, 8)).astype("float32")
masks = many((8, 8), (3, 3), (8, 8), (8, 8))  # the second X-ray has Dice 2 * 1 / 4, the others 1
for patients, right in ((["Anna", "Ben", "Anna", "Anna"], 0.75), (["Anna", "Anna", "Ben", "Cleo"], 2.75 / 3)):
    for key, scores in patient_summary(said, masks, patients).items():
        look = f"Dice 1, 0.5, 1, 1 of {', '.join(patients)}: {key}, mean {scores['mean']:.3f}"
        assert abs(scores["mean"] - right) < 1e-3, f"{look}, should be {right:.3f}. The mean of what?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(415)
for names in ("abacbdaa", "xyyyyyyx", "ccccabab"):
    columns = np.repeat(rng.integers(1, 10, (2, 8, 1)), 2, axis=2)  # both lungs alike
    said, masks = (many(*each.tolist()) for each in columns)
    found = patient_summary(said.astype("float32"), masks, [f"patient {name}" for name in names])
    dices = 2 * columns.min(axis=0) / columns.sum(axis=0)
    for place, key in enumerate(("viewer_left", "viewer_right")):
        means = {}
        for name in names:
            means[name] = np.mean([dices[k, place] for k in range(8) if names[k] == name])
        right, got = sum(means.values()) / len(means), found[key]["mean"]
        look = f"patients {names}, Dice {dices[:, place].round(2).tolist()}"
        assert abs(got - right) < 1e-3, f"{look}: mean {got:.3f}, should be {right:.3f}. The mean of what?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patient_summary-test-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# the SD and the worst patient (4 marks)
said = many((5, 5), (2, 2), (3, 3), (5, 5)).astype("float32")
masks = many((5, 5), (8, 8), (7, 7), (3, 3))  # Anna has Dice 1 and 0.4, Ben 0.6, Cleo 0.75
for key, scores in patient_summary(said, masks, ["Anna", "Anna", "Ben", "Cleo"]).items():
    look = f"{key}, Anna with 1 and 0.4, Ben 0.6, Cleo 0.75"
    assert abs(scores["sd"] - 0.0764) < 1e-3, f"{look}: SD {scores['sd']:.4f}. Of what, and divided by what?"
    assert abs(scores["worst"] - 0.6) < 1e-3, f"{look}: the worst is {scores['worst']:.3f}. The worst of what?"
    assert scores["worst_patient"] == "Ben", f"{look}: the worst patient is {scores['worst_patient']}, should be Ben"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(416)
for _ in range(3):
    columns = rng.permuted(np.arange(1, 10), axis=0)[:5]
    names = [f"patient {number}" for number in rng.permutation(5)]
    order = rng.permutation([0, 1, 2, 3, 4, 0, 0, 3])  # patients with more than one X-ray, all of the same Dice
    pairs = [(int(columns[k]),) * 2 for k in order]
    found = patient_summary(many(*pairs).astype("float32"), many(*[(10, 10)] * 8), [names[k] for k in order])
    dices = 2 * columns / (columns + 10)
    sd = (sum((each - dices.mean()) ** 2 for each in dices) / 4) ** 0.5
    scores, look = found["viewer_left"], f"5 patients with Dice {dices.round(2).tolist()}"
    assert abs(scores["sd"] - sd) < 1e-3, f"{look}: SD {scores['sd']:.4f}, should be {sd:.4f}. Over what?"
    name = names[int(columns.argmin())]
    assert scores["worst_patient"] == name, f"{look}: the worst is {scores['worst_patient']}, should be {name}"
found = patient_summary(many((5, 1), (2, 5)).astype("float32"), many((5, 5), (5, 5)), ["Anna", "Ben"])
worst = [found[key]["worst_patient"] for key in ("viewer_left", "viewer_right", "both")]
look = "one lung of Anna is bad, the other one of Ben a little, and Anna is worst of both together"
assert sorted(worst) == ["Anna", "Anna", "Ben"] and worst[2] == "Anna", f"{look}: the worst patients are {worst}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patient_summary-test-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# lungs that are not there, or not predicted (4 marks)
said = many((0, 0), (0, 0), (5, 5), (0, 0)).astype("float32")
masks = many((0, 0), (5, 5), (0, 0), (0, 0))
for first, second, right in ((0, 3, 1), (1, 1, 0), (2, 2, 0), (0, 1, 0.5)):
    found = patient_summary(said[[first, second]], masks[[first, second]], ["Anna", "Ben"])
    pair = ", Ben: ".join(("no lung, none predicted", "only there", "only predicted", "no lung, none predicted")[k]
                     for k in (first, second))
    for key, scores in found.items():
        assert abs(scores["mean"] - right) < 1e-3, f"{key}, Anna: {pair}: mean {scores['mean']:.3f}, should be {right}"
### BEGIN HIDDEN TESTS
none = many((0, 0), (0, 0), (0, 0))
found = patient_summary(none.astype("float32"), none, ["Anna", "Ben", "Anna"])
for key, scores in found.items():
    assert abs(scores["mean"] - 1) < 1e-3 and abs(scores["sd"]) < 1e-3, f"no lungs at all: {key} {scores}"
for lungs in ((3, 3), (9, 9)):
    for key, scores in patient_summary(none[:2].astype("float32"), many(lungs, (0, 0)), ["Anna", "Ben"]).items():
        look = f"nothing predicted; Anna has lungs, Ben has none: {key}"
        assert abs(scores["mean"] - 0.5) < 1e-3, f"{look}, mean {scores['mean']}, should be 0.5"
        assert abs(scores["worst"]) < 1e-3, f"{look}, worst {scores['worst']}, should be 0"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: Which score to report (55 marks)
#
# Somebody has two models and asks which one is better. The cells are ready, run them. Nothing that is marked by tests
# depends on them. The models are imitated: what they say is made out of the true masks of 12 drawn patients.

# %% tags=["nbval-ignore-output"]
patients = [draw_phantom(41_000 + number, 96) for number in range(12)]
true = np.stack([each.masks for each in patients]).astype("float32")
smallest = np.argsort(true.sum(axis=(1, 2, 3)))[:3]
model_a = 0.02 + 0.96 * true
model_a[smallest, ..., 1] = 0.02
blurred = np.stack([cv2.GaussianBlur(each, (0, 0), 2) for each in true])
model_b = 0.1 + 0.7 * blurred
models = {"model A": model_a, "model B": model_b}

# %% tags=["nbval-ignore-output"]
def overlap_score(t, p, axis):
    return 2 * (t * p).sum(axis=axis) / (t.sum(axis=axis) + p.sum(axis=axis))


print("Dice, both lungs together    soft, pooled  soft, per image  hard, pooled  hard, per image:  mean    SD  worst")
lungs = true.max(axis=-1)
for name, said in models.items():
    soft, hard = said.max(axis=-1), (said.max(axis=-1) > 0.5).astype("float32")
    pooled = [overlap_score(lungs, each, None) for each in (soft, hard)]
    single = [overlap_score(lungs, each, (1, 2)) for each in (soft, hard)]
    print(f"{name:28} {pooled[0]:12.3f}  {single[0].mean():15.3f}  {pooled[1]:12.3f} {single[1].mean():23.3f}"
          f" {single[1].std(ddof=1):5.3f}  {single[1].min():5.3f}")

# %% tags=["nbval-ignore-output"]
shown = [int(np.argmax(true.sum(axis=(1, 2, 3)))), int(smallest[0])]
figure, axes = figures.new_figure(2, 4, width=2.3, height=2.5)
for row, number in enumerate(shown):
    for column, (name, said) in enumerate(models.items()):
        figures.draw_xray(axes[row, 2 * column], patients[number].image, f"patient {number}, {name}")
        figures.draw_outlines(axes[row, 2 * column], true[number])
        figures.draw_outlines(axes[row, 2 * column], said[number] > 0.5, figures.PREDICTION)
        figures.draw_xray(axes[row, 2 * column + 1], 255 * said[number].max(axis=-1), "its probabilities")
figures.show(figure, "The patients with the largest and with the smallest lungs, true outlines solid, predicted ones "
             "dashed, each beside its probabilities: black and white for model A, grey for model B. One lung in the "
             "lower row has no dashed outline from model A.")

# %% [markdown]
# Both models were tried on one X-ray of each patient, so that a mean over images is a mean over patients. Explain the
# table in 120 to 200 words. Each of the five aspects has 11 marks.
#
# 1. **What** the scores say: which model each of them prefers.
# 2. **Soft and hard:** why that matters here, and for which of the two models.
# 3. **Pooled and per image:** why that matters here, and for which of the two models. Where in the table and in the
#    pictures do you see it?
# 4. **Which score you would report**, in which form, and which model you would choose for drawing outlines.
# 5. **What your score does not show**, and which other numbers, here or in papers, must not be compared with it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written", "locked": false, "points": 55, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **What.** Both soft scores prefer model A, both hard ones B, per image more clearly than pooled.
#
# **Soft and hard.** Soft Dice also counts how sure a model is. B says "lung" with moderate probabilities and never
# excludes it elsewhere, so it loses much, although its outlines at 0.5 are nearly right. A is always sure, also where
# it is wrong.
#
# **Pooled and per image.** A misses one lung of the patients with the smallest lungs. They have few pixels, so pooling
# hides them: A's pooled hard score is above its mean per image. SD and worst show them.
#
# **Report.** Hard Dice per patient, at 0.5: mean, SD and worst. For outlines I would choose B.
#
# **Limits.** It does not show whether probabilities can be trusted, nor how many millimetres outlines are off. Soft or
# pooled scores from a paper must not be put beside it. The models are imitated.
# ### END SOLUTION

# %% [markdown]
# ## Hand in
#
# Run all cells from the top in a fresh kernel, save, and hand in this one `.ipynb` file. Do not rename it. Do not print
# more than a page of text. (A part that you have left out stops *Run all cells*; run the cells after it by hand.)
