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
# # 6 · Metrics and losses
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/06_metrics_losses.ipynb)
#
# The network of notebook 5 gives a probability for each pixel. How good is that? A **metric** answers for people, a
# **loss** answers for the training, which needs a number that it can make smaller. Both look simple, and both have
# traps that end up in published results. Every one of them is shown here on pictures small enough to count by hand.
#
# **You will be able to**
#
# - count Dice, IoU, precision and recall by hand, and compute them
# - say whether a reported Dice is soft or hard, per image or pooled, and why these must not be compared
# - write Dice loss and cross-entropy, and explain what each one does to a single pixel
# - measure the distance between two outlines in millimetres, and say why Dice alone is not enough
# - say which share of an outline is wrong, given how far two people may differ
# - compute the score that costs nothing, and that every model has to beat
#
# **Time on two cores:** about 10 seconds
#
# **Needs:** the data set (drawn if it is missing). **Leaves behind:** nothing; the functions stand in
# `lungseg_utils.scores` and `lungseg_utils.losses` for the notebooks that follow.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)
arrays, split = course.arrays_ready(chosen, cases), course.split_ready(chosen, cases)

# %% [markdown]
# ## Two masks to count
#
# The left mask below is the truth: a lung of six pixels. The middle one is what somebody predicted. On the right the
# two are added: 2 where they agree on lung, 1 where only one of them says lung.

# %%
import numpy as np

from lungseg_utils import figures

true = np.array([[0, 0, 0, 0],
                 [0, 1, 1, 0],
                 [0, 1, 1, 0],
                 [0, 1, 1, 0]])
predicted = np.array([[0, 0, 0, 0],
                      [0, 0, 1, 1],
                      [0, 0, 1, 0],
                      [0, 0, 1, 0]])

# %%
figure, axes = figures.new_figure(1, 3, width=2.2, height=2.5)
figures.draw_grid(axes[0, 0], true, "true")
figures.draw_grid(axes[0, 1], predicted, "predicted")
figures.draw_grid(axes[0, 2], true + predicted, "sum")
figures.show(figure, "Three grids of four by four cells. The true mask has six ones, the "
             "predicted mask four, and the sum shows three twos, where both are one.")

# %% [markdown]
# > **Predict.** Count: how many pixels are lung in both? How many only in the truth, how many only in the prediction?
#
# These counts have names. A **true positive** is a pixel rightly called lung, a **false positive** is wrongly called
# lung, a **false negative** is lung that was missed.

# %%
true_positive = np.sum((true == 1) & (predicted == 1))
false_positive = np.sum((true == 0) & (predicted == 1))
false_negative = np.sum((true == 1) & (predicted == 0))
print(f"{true_positive} in both, {false_positive} too many, {false_negative} missed")
assert true_positive + false_negative == true.sum()
assert true_positive + false_positive == predicted.sum()

# %% [markdown]
# Four scores come out of these three counts. Each lies between 0 and 1, and 1 is best.
#
# | score | in words | here |
# |---|---|---|
# | **precision** | share of the predicted area that is right | $3 / 4$ |
# | **recall** | share of the true area that was found | $3 / 6$ |
# | **Dice coefficient** | twice the shared area over the sum of both areas | $2 \cdot 3 / (6 + 4)$ |
# | **IoU** (Jaccard index) | shared area over the area that either covers: *intersection over union* | $3 / 7$ |
#
# > **Predict.** Which of the four is highest here, which is lowest?

# %%
shared = (true & predicted).sum()
print("precision", shared / predicted.sum())
print("recall   ", shared / true.sum())
print("Dice     ", 2 * shared / (true.sum() + predicted.sum()))
print(f"IoU       {shared / (true | predicted).sum():.4f}")

# %% [markdown]
# The prediction is small: most of it is right, so precision is high, but half of the lung was missed, so recall is
# low. Precision and recall only make sense together. A prediction that calls *everything* lung has a perfect recall.
#
# Why not simply take the share of pixels that are right, the **accuracy**? Because most pixels are background.

# %%
nothing = np.zeros_like(true)
print("accuracy of predicting nothing at all:", np.mean(nothing == true))

# %% [markdown]
# That is more than half, for no work. In a picture where the object is small it comes close to 1. None of the four
# scores above counts the background that both agree on, and that is their strength.

# %% [markdown]
# ## The four functions
#
# The same as functions. Three things had to be decided:
#
# - masks may come as 0 and 1 or as 0 and 255, so `> 0` turns both into true and false first
# - when both masks are empty, the prediction is right, and all four are 1
# - when only one of them is empty, there may be no area to take a share of. Many programs then say **NaN**, "not a
#   number", which later steps leave out. We say 0: a miss must count

# %%
def dice(true, predicted):
    """Dice coefficient of two masks: twice the shared area over the sum of the areas."""
    true, predicted = true > 0, predicted > 0
    total = true.sum() + predicted.sum()
    return float(2 * (true & predicted).sum() / total) if total else 1.0


# %%
def iou(true, predicted):
    """IoU (Jaccard index) of two masks: shared area over the area of either."""
    true, predicted = true > 0, predicted > 0
    union = (true | predicted).sum()
    return float((true & predicted).sum() / union) if union else 1.0


# %%
def precision(true, predicted):
    """Share of the predicted area that is right."""
    true, predicted = true > 0, predicted > 0
    if not predicted.any():
        return float(not true.any())
    return float((true & predicted).sum() / predicted.sum())


# %%
def recall(true, predicted):
    """Share of the true area that was found."""
    return precision(predicted, true)


# %%
for score in (dice, iou, precision, recall):
    print(f"{score.__name__:10} {score(true, predicted):.4f}")
    assert score(true, true) == 1 and score(255 * true, predicted) == score(true, predicted)
assert dice(true, predicted) == 0.6

# %% [markdown]
# ## Dice and IoU are the same thing on another scale
#
# With $I$ for IoU, $\text{Dice} = 2 I / (1 + I)$. And Dice is the **harmonic mean** of precision $P$ and recall $R$,
# $2 P R / (P + R)$, also known as the F1 score. Checked on a thousand random pairs of masks:

# %%
random = np.random.default_rng(0)
for _ in range(1000):
    a, b = random.random((2, 4, 4)) < random.random()
    if (a & b).any():
        i, p, r = iou(a, b), precision(a, b), recall(a, b)
        assert np.isclose(dice(a, b), 2 * i / (1 + i))
        assert np.isclose(dice(a, b), 2 * p * r / (p + r))
print("Both formulas hold.")

# %% [markdown]
# So for *one* image, Dice and IoU always agree on which of two predictions is better. IoU is the lower number of the
# two, unless both are 0 or 1. For a *mean over images* the formula does not hold:

# %%
ious = np.array([0.2, 1.0])
dices = 2 * ious / (1 + ious)
print(f"mean Dice {dices.mean():.4f}; "
      f"from the mean IoU by the formula {2 * ious.mean() / (1 + ious.mean()):.4f}")

# %% [markdown]
# ## Soft and hard
#
# A network gives probabilities. Cut at 0.5 they become a mask, and its Dice is a **hard** Dice. You can also put the
# probabilities straight into the formula, with products in place of "and". That is a **soft** Dice.
#
# Here is a network that is right about every pixel, but not sure: 0.6 on the lung, 0.4 beside it.
#
# > **Predict.** What is the hard Dice of these probabilities? And the soft one: near 1, near 0.8, or near 0.5?

# %%
unsure = np.where(true == 1, 0.6, 0.4)
figure, axes = figures.new_figure(1, 2, width=2.2, height=2.5)
figures.draw_grid(axes[0, 0], true, "true")
figures.draw_grid(axes[0, 1], unsure, "probabilities")
figures.show(figure, "The true mask, and beside it a grid with 0.6 wherever the mask is one and "
             "0.4 elsewhere.")

# %%
soft = 2 * (true * unsure).sum() / (true.sum() + unsure.sum())
print(f"hard {dice(true, unsure > 0.5):.4f}, soft {soft:.4f}")
assert dice(true, unsure > 0.5) == 1 and soft < 0.6

# %% [markdown]
# The mask is perfect and the soft Dice is poor. A soft Dice measures *how sure* the network is as well as *where* it
# puts the outline. Train longer, and the network becomes surer: the soft Dice climbs even where no pixel of the mask
# changes. Never compare a soft Dice with a hard one.
#
# ### Reading the article with this in mind
#
# The [article](https://www.showmeai.tech/article-detail/298) that this course follows reports on its validation
# images: Dice 0.9002, precision 0.9577, recall 0.9629. Its Dice is soft. Keras computes precision and recall on
# masks cut at 0.5, so these two are hard, and you know how to make a Dice out of them.

# %%
article_precision, article_recall = 0.9577, 0.9629
implied = 2 * article_precision * article_recall / (article_precision + article_recall)
print(f"The article's own precision and recall imply a hard Dice of {implied:.3f}.")
assert implied > 0.9002 + 0.05

# %% [markdown]
# The article's masks are far better than 0.9002 sounds. If you report a hard Dice of 0.95 and say that it beats the
# article's 0.9002, you compare two different measures. In hard Dice, the article's own network is above 0.95.

# %% [markdown]
# ## Per image and pooled
#
# Training looks at a **batch** of images at once, an array (batch, height, width, channels). Where do we sum? Here is
# the soft Dice with sums over height and width only: each image, and in it each mask, gets its own score.

# %%
import lungseg_utils.quiet  # TensorFlow without its start-up messages

import keras
from keras import ops

HEIGHT_WIDTH = (1, 2)


@keras.saving.register_keras_serializable("lungseg")
def soft_dice(y_true, y_pred):
    """Dice coefficient of probabilities, per image: the mean over the masks."""
    overlap = ops.sum(y_true * y_pred, HEIGHT_WIDTH)
    total = ops.sum(y_true, HEIGHT_WIDTH) + ops.sum(y_pred, HEIGHT_WIDTH)
    return ops.mean((2 * overlap + 1) / (total + 1), axis=-1)


# %% [markdown]
# Two details:
#
# - The 1 above and below the line makes two empty masks score 1, where the plain formula divides zero by zero. A
#   lung has thousands of pixels, so the 1 changes nothing there. On our tiny masks it is visible.
# - The line with `@`, a **decorator**, registers the function under a name. A saved model stores this name, and finds
#   the function again when it is loaded in notebook 9.

# %%
print(keras.saving.get_registered_name(soft_dice))


def as_batch(*masks):
    return np.stack(masks)[..., np.newaxis].astype("float32")


print(soft_dice(as_batch(true), as_batch(unsure)).numpy().round(4))

# %% [markdown]
# The article does it differently: its sums run over everything, as if the images of a batch were one large picture.
# This is a **pooled** Dice. Its training loss, its Dice and its IoU are all made this way.

# %%
@keras.saving.register_keras_serializable("lungseg")
def pooled_dice(y_true, y_pred):
    """Soft Dice coefficient of a whole batch taken as one picture."""
    overlap = ops.sum(y_true * y_pred)
    return (2 * overlap + 1e-15) / (ops.sum(y_true) + ops.sum(y_pred) + 1e-15)


# %%
@keras.saving.register_keras_serializable("lungseg")
def pooled_iou(y_true, y_pred):
    """Soft IoU of a whole batch taken as one picture."""
    overlap = ops.sum(y_true * y_pred)
    union = ops.sum(y_true) + ops.sum(y_pred) - overlap
    return (overlap + 1e-15) / (union + 1e-15)


# %% [markdown]
# Now two images: a large lung, predicted perfectly, and a small lung, missed completely because the prediction lies
# in the wrong place.

# %%
large, small, missed = np.zeros((3, 8, 8))
large[:, :4] = 1
small[:2, :2] = 1
missed[-2:, -2:] = 1
y_true, y_pred = as_batch(large, small), as_batch(large, missed)

# %% [markdown]
# > **Predict.** One image is perfect, one is a failure. What is the mean Dice per image? Will the pooled Dice be lower
# > or higher?

# %%
per_image = soft_dice(y_true, y_pred).numpy()
print("per image   ", per_image.round(2), f"mean {per_image.mean():.2f}")
print(f"pooled Dice  {float(pooled_dice(y_true, y_pred)):.2f}")
print(f"pooled IoU   {float(pooled_iou(y_true, y_pred)):.2f}")
assert pooled_dice(y_true, y_pred) > per_image.mean() + 0.2

# %% [markdown]
# Pooling hides the patient whose lung was missed behind the patient with the large lung: every *pixel* counts the
# same, so small lungs count little. Per image, every *patient* counts the same. Medicine treats patients.
#
# ### The pooled score depends on the batch size
#
# The next cell scores the *same* four predictions in batches of 1, 2 and 4, and in two orders.

# %%
def mean_of_batches(y_true, y_pred, size):
    starts = range(0, len(y_true), size)
    return np.mean([pooled_dice(y_true[i : i + size], y_pred[i : i + size]) for i in starts])


orders = {"mixed ": [0, 1, 0, 1], "sorted": [0, 0, 1, 1]}
for name, order in orders.items():
    values = [mean_of_batches(y_true[order], y_pred[order], size) for size in (1, 2, 4)]
    print(f"{name}  batches of 1, 2, 4:", "  ".join(f"{value:.2f}" for value in values))

# %% [markdown]
# The predictions did not change, the score did. A metric that depends on the batch size and on the order of the images
# says something about the loop, not about the lungs.
#
# **Trap:** `keras.losses.Dice()` pools the batch as well, unless it is told which axes belong to one image.

# %%
print(f"keras.losses.Dice()               {float(keras.losses.Dice()(y_true, y_pred)):.4f}")
print(f"1 - pooled_dice                   {1 - float(pooled_dice(y_true, y_pred)):.4f}")
dice_of_each = keras.losses.Dice(axis=(1, 2, 3))
print(f"keras.losses.Dice(axis=(1, 2, 3)) {float(dice_of_each(y_true, y_pred)):.4f}")

# %% [markdown]
# ### A short last batch
#
# A second trap sits in the averaging. Three images, in batches of two: the last batch holds one image. What a metric
# function returns decides how Keras takes the mean:
#
# - one number per image: Keras takes the mean over all *images*
# - one number for the batch: Keras takes the mean over all *batches*, and a short batch counts as much as a full one
#
# To see it, we need a model that simply returns what it is given, and a soft Dice that returns one number.

# %%
inputs = keras.Input((8, 8, 1))
echo = keras.Model(inputs, keras.layers.Identity()(inputs))


def batch_dice(y_true, y_pred):
    return ops.mean(soft_dice(y_true, y_pred))


# Keras insists on a loss; it plays no part here
echo.compile(loss="mse", metrics=[soft_dice, batch_dice])

# %% [markdown]
# Two perfect images, and then a failure that is alone in its batch.
#
# > **Predict.** The failure scores close to 0.1, thanks to the added 1. What is the true mean over the three images,
# > and what is the mean over the two batches?

# %%
order = [0, 0, 1]
result = echo.evaluate(y_pred[order], y_true[order], batch_size=2, verbose=0, return_dict=True)
print("true mean          ", f"{soft_dice(y_true[order], y_pred[order]).numpy().mean():.4f}")
print("soft_dice by Keras ", f"{result['soft_dice']:.4f}")
print("batch_dice by Keras", f"{result['batch_dice']:.4f}")
assert np.isclose(result["soft_dice"], np.mean(soft_dice(y_true[order], y_pred[order])))
assert result["batch_dice"] < result["soft_dice"] - 0.1

# %% [markdown]
# This very effect can be read from the article. Its loss is one minus its Dice, so the two should add up to 1:

# %%
print(f"loss + Dice = {0.1022 + 0.9002:.4f}")

# %% [markdown]
# They do not. Keras averages a *loss* over images, but a metric that returns one number per batch over *batches*. The
# article validates on 13 images (a tenth of 138) in batches of two: six full batches, and one image alone. Two
# equations, two unknowns: the mean Dice $m$ of the full batches, and the Dice $d$ of the last image.
#
# $$\frac{6 m + d}{7} = 0.9002 \qquad \frac{12 m + d}{13} = 1 - 0.1022$$

# %%
m, d = np.linalg.solve([[6 / 7, 1 / 7], [12 / 13, 1 / 13]], [0.9002, 1 - 0.1022])
print(f"full batches {m:.3f}, the single last image {d:.3f}")
assert d > m

# %% [markdown]
# One image scored better than the others, and because it was alone it counted twice. The difference is small here. The
# point is that nobody intended it. All metrics of this course return one number per image.

# %% [markdown]
# ## The hard Dice as a metric
#
# For watching the training we want the hard Dice per image, and both lungs merged into one mask.

# %%
@keras.saving.register_keras_serializable("lungseg")
def hard_dice(y_true, y_pred):
    """Dice coefficient of the masks cut at 0.5, both lungs merged, per image."""
    true = ops.max(y_true, axis=-1) > 0.5
    predicted = ops.max(y_pred, axis=-1) > 0.5
    overlap = ops.sum(ops.cast(true & predicted, "float32"), HEIGHT_WIDTH)
    total = ops.sum(ops.cast(true, "float32") + ops.cast(predicted, "float32"), HEIGHT_WIDTH)
    return (2 * overlap + 1e-7) / (total + 1e-7)


print(hard_dice(as_batch(true, true), as_batch(unsure, predicted)).numpy().round(4))

# %% [markdown]
# The first is perfect although unsure, the second is the 0.6 that you counted by hand. The tiny numbers in the last
# line are for two empty masks, again.

# %% [markdown]
# ## Losses
#
# Training changes each weight by a small step against the **gradient**: the direction in which the loss grows. So a
# loss must change smoothly with the probabilities. Does the hard Dice? TensorFlow's `GradientTape` records a
# computation and gives its gradient. We ask for the gradient with respect to the **logits**, the numbers that the
# network computes before the sigmoid makes probabilities of them.

# %%
import tensorflow as tf


def gradient_of(loss, y_true, logits):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(y_true, tf.sigmoid(logits))
    return tape.gradient(value, logits)


print("gradient of the hard Dice:", gradient_of(hard_dice, as_batch(true), tf.zeros([1, 4, 4, 1])))

# %% [markdown]
# There is none: cutting at 0.5 makes a step, and a small change of a probability changes nothing. This is why training
# uses soft scores, and why we report hard ones.
#
# ### Dice loss

# %%
@keras.saving.register_keras_serializable("lungseg")
def dice_loss(y_true, y_pred):
    """One minus the soft Dice coefficient."""
    return 1 - soft_dice(y_true, y_pred)


@keras.saving.register_keras_serializable("lungseg")
def pooled_dice_loss(y_true, y_pred):
    """One minus `pooled_dice`: the article's loss."""
    return 1 - pooled_dice(y_true, y_pred)


# %% [markdown]
# ### Cross-entropy
#
# **Cross-entropy** looks at each pixel alone: minus the logarithm of the probability that the network gave to the right
# answer. Sure and right costs nearly nothing, undecided costs $\ln 2$, sure and wrong costs a lot.

# %%
for probability in (0.99, 0.5, 0.01):
    print(f"gave {probability:4} to the right answer: costs {-np.log(probability):.3f}")


@keras.saving.register_keras_serializable("lungseg")
def cross_entropy(y_true, y_pred):
    """Binary cross-entropy, the mean over the pixels of each image."""
    return ops.mean(ops.binary_crossentropy(y_true, y_pred), axis=(1, 2, 3))


by_hand = -np.log(0.6)  # every pixel of `unsure` gives 0.6 to the right answer
assert np.allclose(cross_entropy(as_batch(true), as_batch(unsure)), by_hand)

# %% [markdown]
# ### Their sum

# %%
@keras.saving.register_keras_serializable("lungseg")
def dice_bce(y_true, y_pred):
    """Dice loss plus cross-entropy."""
    return dice_loss(y_true, y_pred) + cross_entropy(y_true, y_pred)


for loss in (dice_loss, cross_entropy, dice_bce):
    print(f"{loss.__name__:14} {loss(as_batch(true), as_batch(unsure)).numpy().round(4)}")

# %% [markdown]
# The laptop recipe trains with the sum. To see why, look at what each loss does to single pixels.
#
# ### What a loss does to a pixel
#
# Four pixels, and a network that is sure of the first, undecided about the second and third, sure of the last:
#
# | pixel | truth | logit | probability | the network is |
# |---|---|---|---|---|
# | 1 | lung | -8 | nearly 0 | sure and **wrong** |
# | 2 | lung | 0 | 0.5 | undecided |
# | 3 | background | 0 | 0.5 | undecided |
# | 4 | background | -8 | nearly 0 | sure and right |
#
# > **Predict.** Which pixel should be corrected most? Will both losses do so?

# %%
four_true = tf.reshape([1.0, 1.0, 0.0, 0.0], [1, 1, 4, 1])
four_logits = tf.reshape([-8.0, 0.0, 0.0, -8.0], [1, 1, 4, 1])
pulls = {loss.__name__: -gradient_of(loss, four_true, four_logits).numpy().ravel()
         for loss in (dice_loss, cross_entropy, dice_bce)}
for name, pull in pulls.items():
    print(f"{name:14}", "  ".join(f"{value:+.4f}" for value in pull))

# %%
figure, axes = figures.new_figure(1, 1, width=6, height=3)
for place, ((name, pull), hatch) in enumerate(zip(pulls.items(), ("", "///", "..."))):
    axes[0, 0].bar(np.arange(4) + 0.27 * (place - 1), pull, 0.25, label=name, hatch=hatch,
                   edgecolor="black")
axes[0, 0].axhline(0, color="black", linewidth=0.8)
axes[0, 0].set(xticks=range(4), ylabel="push on the logit")
axes[0, 0].set_xticklabels(["lung,\nsure and wrong", "lung,\nundecided", "background,\nundecided",
                            "background,\nsure and right"])
axes[0, 0].legend()
figures.show(figure, "Bars for four pixels and three losses. At the pixel that is sure and wrong, "
             "Dice loss gives almost no push and cross-entropy its hardest; at the undecided "
             "pixels all push in the right direction.")

# %% [markdown]
# The numbers are minus the gradient: the push that the pixel gets, upwards (lung) or downwards (background).
#
# - **Cross-entropy** pushes hardest where the network is sure and wrong.
# - **Dice loss** hardly touches that pixel. The sigmoid is flat there: the Dice loss changes with the probability, but
#   the probability hardly changes with the logit. A network that starts out badly can stay there for a long time.
# - The **sum** pushes it, too.

# %%
assert abs(pulls["dice_loss"][0]) < 0.01 * abs(pulls["dice_loss"][1])
assert np.argmax(np.abs(pulls["cross_entropy"])) == 0
assert pulls["dice_bce"][0] > 0.5 * pulls["cross_entropy"][0]

# %% [markdown]
# ### A tiny object
#
# So why not cross-entropy alone? Take a picture of 40 by 40 pixels with an object of a single pixel, and a network that
# is undecided everywhere. We add up the push on the object, and the push on the whole background.

# %%
tiny = np.zeros((40, 40))
tiny[20, 20] = 1
for loss in (cross_entropy, dice_loss):
    push = -gradient_of(loss, as_batch(tiny), tf.zeros([1, 40, 40, 1])).numpy()[0, ..., 0]
    ratio = -push[tiny == 0].sum() / push[tiny == 1].sum()
    print(f"{loss.__name__:14} the background is pushed {ratio:6.0f} times as much as the object")

# %% [markdown]
# With cross-entropy every pixel has one vote, and the object is outvoted: predicting background everywhere is nearly
# right. Dice compares areas, so the background counts for little more than the object, however small the object is.
# Lungs are large, so both losses work for them; for a **nodule**, a small round spot, of a few pixels the difference
# decides.
#
# ### An empty mask
#
# And when there is nothing to find, as in a healthy image of a set with nodules? The network still predicts 0.5
# everywhere, and should be told to stop.

# %%
empty = as_batch(np.zeros((4, 4)))
for loss in (cross_entropy, dice_loss, pooled_dice_loss):
    push = -gradient_of(loss, empty, tf.zeros([1, 4, 4, 1])).numpy()
    print(f"{loss.__name__:17} push on each pixel {push.mean():.0e}")
    assert np.isfinite(push).all()

# %% [markdown]
# The first two push downwards. The article's loss adds $10^{-15}$ where ours adds 1. That prevents a division by zero
# and nothing else: the score is zero whatever the network does, and so is the push. Such an image teaches nothing.
#
# Summed up: Dice loss looks at whole masks, cross-entropy gives every pixel a push. Many of the best tools train with
# the sum, nnU-Net among them (Isensee and others, *Nature Methods* 18, 2021).

# %% [markdown]
# ## Distances between outlines
#
# A Dice of 0.97: how many millimetres is the outline off? Dice cannot say. So we measure distances between the two
# outlines. First, what is an outline? The pixels of the mask that touch the outside by one of their four sides. OpenCV
# finds the others: `erode` keeps a pixel if it and its four neighbours are in the mask. Beyond the edge of the picture
# is outside.

# %%
import cv2

blob = np.zeros((6, 6), "uint8")
blob[1:5, 1:6] = 1
cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
inner = cv2.erode(blob, cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)

figure, axes = figures.new_figure(1, 3, width=2.2, height=2.5)
figures.draw_grid(axes[0, 0], blob, "mask")
figures.draw_grid(axes[0, 1], inner, "eroded")
figures.draw_grid(axes[0, 2], blob - inner, "outline")
figures.show(figure, "Three grids: a rectangle of ones, the smaller rectangle inside it, and the "
             "ring that is their difference.")

# %%
def outline(mask):
    """Row and column, (points, 2), of each mask pixel that touches the outside by a side."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    mask = (mask > 0).astype("uint8")
    inner = cv2.erode(mask, cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.argwhere(mask > inner)


print(len(outline(blob)), "outline pixels, the first at row and column", outline(blob)[0])
assert len(outline(blob)) == 4 * 5 - 2 * 3

# %% [markdown]
# For each point of one outline we look for the nearest point of the other. A **k-d tree** finds it without trying all
# pairs. Pixels become millimetres first: the row is multiplied by the height of a pixel, the column by its width. The
# two can differ, because notebook 2 squeezed each X-ray to a square.

# %%
from scipy.spatial import cKDTree

a = np.array([[0, 0], [0, 2]]) * (0.5, 1.0)  # two points; pixels 0.5 mm high and 1 mm wide
b = np.array([[2, 0]]) * (0.5, 1.0)
print("from a to b:", cKDTree(b).query(a)[0].round(3))
print("from b to a:", cKDTree(a).query(b)[0].round(3))

# %% [markdown]
# The directions differ: the second point of `a` is far from everything in `b`, but nothing in `b` notices. So both
# directions have to be taken.
#
# And if one of the masks is empty? Then there is no outline to be near to. Nothing is further away than one corner of
# the picture is from the opposite one, so its diagonal stands for all distances.

# %%
def outline_distances(true, predicted, spacing_mm):
    """Distance from each outline point of either mask to the other's outline, mm."""
    a, b = outline(true) * spacing_mm, outline(predicted) * spacing_mm
    if len(a) == 0 or len(b) == 0:
        diagonal = np.hypot(*np.multiply(true.shape, spacing_mm))
        return np.array([0.0 if len(a) == len(b) else diagonal])
    return np.concatenate([cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]])


# %% [markdown]
# Many distances, one number wanted. Two are common:
#
# - **ASSD**, the average symmetric surface distance: their mean
# - **HD95**: the distance that 95 % of them stay below. The plain **Hausdorff distance** is the largest of them

# %%
def assd(distances):
    """Average symmetric surface distance, mm."""
    return float(np.mean(distances)) if len(distances) else float("nan")


# %%
def hd95(distances):
    """95th percentile of the distances of both directions together, mm."""
    return float(np.percentile(distances, 95)) if len(distances) else float("nan")


# %% [markdown]
# ### Shapes with a known answer
#
# Code that measures has to be tested where the answer is known. Two squares, one three pixels to the right of the
# other:
#
# > **Predict.** With square pixels of 1 mm, what is the largest distance? Will the mean be the same? What changes if
# > pixels are only half a millimetre wide? And if they are half a millimetre *high*?

# %%
square = np.zeros((40, 40), "uint8")
square[10:30, 5:25] = 1
moved = np.roll(square, 3, axis=1)

for spacing_mm in ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0)):
    distances = outline_distances(square, moved, spacing_mm)
    print(f"pixel {spacing_mm} mm: largest {distances.max():.2f}, HD95 {hd95(distances):.2f}, "
          f"ASSD {assd(distances):.2f}")
    assert distances.max() == 3 * spacing_mm[1]

# %% [markdown]
# The largest distance is the shift, in millimetres along the row; the height of the pixels does not enter it. The mean
# is lower, because the upper and lower edges still lie on top of each other over most of their length.
#
# ### One stray pixel
#
# > **Predict.** The prediction is the square itself, and one more pixel in the far corner. What happens to Dice, ASSD,
# > HD95 and the largest distance?

# %%
stray = square.copy()
stray[39, 39] = 1
distances = outline_distances(square, stray, (1.0, 1.0))
print(f"Dice {dice(square, stray):.4f}, ASSD {assd(distances):.2f}, HD95 {hd95(distances):.2f}, "
      f"largest {distances.max():.2f}")
assert distances.max() > 15 and assd(distances) < 0.2 and hd95(distances) == 0

# %% [markdown]
# One pixel alone decides the Hausdorff distance, and hardly moves the ASSD. HD95 forgives it, because fewer than five
# in a hundred outline points are that far off. That is why HD95 is preferred: it survives a speck, and still notices a
# larger mistake.
#
# ### Say which tool
#
# HD95 is not defined the same way everywhere. Some tools join both directions and take one percentile (MedPy, and our
# function). Others take a percentile of each direction, then the larger one (MONAI, DeepMind's *surface-distance*).
# Here with a stray bar instead of a pixel:

# %%
bar = square.copy()
bar[37:39, 29:38] = 1
distances = outline_distances(square, bar, (1.0, 1.0))
from_true, from_predicted = np.split(distances, [len(outline(square))])
joined = hd95(distances)
larger = max(hd95(from_true), hd95(from_predicted))
print(f"joined {joined:.2f}, larger of the two directions {larger:.2f}")
assert joined < larger

# %% [markdown]
# The same two masks, two honest values of "HD95". So a reported distance comes with its definition and its tool.
#
# ### How much of the outline is wrong?
#
# Two people who outline the same lung do not draw the same line either. How far apart they are depends on the organ and
# on the people; for these X-rays we know of no measurement. A difference as small as theirs is hard to call a mistake:
# the next person might have drawn just that line. So we ask another question: which share of both outlines is *near*
# the other one? How far "near" reaches is a number that we choose, the **tolerance**. We take 2 mm.
#
# This share is the **normalised surface distance**, short **NSD**, also known as *surface Dice* (Nikolov and others,
# *J Med Internet Res* 23, 2021). It lies between 0 and 1, and 1 is best. Below are two lungs that are only one pixel
# thick, so that every pixel belongs to the outline. A pixel is 1.5 mm wide and high.

# %%
straight = np.array([[0, 0, 0, 0, 0],
                     [0, 0, 0, 0, 0],
                     [1, 1, 1, 1, 1]])
bent = np.array([[0, 0, 0, 0, 1],
                 [0, 0, 0, 1, 0],
                 [1, 1, 1, 0, 0]])

# %% [markdown]
# > **Predict.** For each of the ten outline pixels, how far is the other outline? How many of the ten are within 2 mm?

# %%
distances = outline_distances(straight, bent, (1.5, 1.5))
print("straight to bent:", distances[:5].round(2))
print("bent to straight:", distances[5:].round(2))
print(f"{np.sum(distances <= 2)} of {len(distances)} within 2 mm")
assert len(distances) == 10 and np.sum(distances <= 2) == 8

# %% [markdown]
# Six pixels lie on the other outline. Two are one pixel off, which is near enough. One pixel at the end of each line is
# too far away. As a function:

# %%
TOLERANCE_MM = 2.0  # our choice; always report it with the score


def nsd(distances, tolerance_mm=TOLERANCE_MM):
    """Normalised surface distance: the share of both outlines that is near the other."""
    return float(np.mean(distances <= tolerance_mm)) if len(distances) else float("nan")


assert nsd(distances) == 0.8

# %% [markdown]
# Now the squares from above, and two new ones: the square moved by two pixels, and the square drawn one pixel too wide
# all around.
#
# > **Predict.** With pixels of 1 mm, which of the five has the lowest NSD? Which the lowest Dice?

# %%
examples = {"moved by 2 px": np.roll(square, 2, axis=1), "moved by 3 px": moved,
            "1 px too wide": cv2.dilate(square, np.ones((3, 3), "uint8")), "stray pixel": stray,
            "stray bar": bar}
between = {name: outline_distances(square, mask, (1.0, 1.0)) for name, mask in examples.items()}
print(f"{'':13}   Dice   ASSD   HD95    NSD")
for name, mask in examples.items():
    distances = between[name]
    print(f"{name:13} {dice(square, mask):6.3f} {assd(distances):6.2f} {hd95(distances):6.2f} "
          f"{nsd(distances):6.3f}")

# %%
for tolerance_mm in (1.0, 2.0, 3.0):
    near = nsd(between["moved by 3 px"], tolerance_mm)
    print(f"moved by 3 px, tolerance {tolerance_mm} mm: NSD {near:.3f}")
assert nsd(between["moved by 2 px"]) == 1 > nsd(between["moved by 3 px"])
assert nsd(between["moved by 3 px"], tolerance_mm=3.0) == 1

# %% [markdown]
# - NSD forgives what two people might disagree about: two pixels to the side, or one pixel too wide. The Dice
#   coefficient is lower for both, and more so for a small object.
# - Beyond the tolerance it is strict at once: at three pixels, nearly all of the left and right edges counts as wrong.
#   So an NSD is always reported with its tolerance, and two of them are compared only at the same one.
# - It says *how much* of the outline is wrong, not *how far* off it is. The stray bar is small, so it costs little
#   here; HD95 sees that it is far away.

# %% [markdown]
# ## Empty masks
#
# Every score needs an answer for empty masks, or the first odd image stops the evaluation. These are ours:

# %%
pairs = {"both empty": (nothing, nothing), "truth empty": (nothing, true),
         "nothing predicted": (true, nothing)}
print(f"{'':18}  dice   iou  precision  recall  assd  hd95   nsd")
for name, (a, b) in pairs.items():
    between = outline_distances(a, b, (1.0, 1.0))
    print(f"{name:18} {dice(a, b):5.1f} {iou(a, b):5.1f} {precision(a, b):10.1f} {recall(a, b):7.1f}"
          f" {assd(between):5.1f} {hd95(between):5.1f} {nsd(between):5.1f}")

# %% [markdown]
# A distance to an outline that does not exist cannot be measured. Many programs say NaN there, and a mean that leaves
# out NaN leaves out the *worst* failures: the fewer lungs a network finds, the better it looks. So ours is the diagonal
# of the picture, here 4 rows and 4 columns of 1 mm. When you compare with other people's numbers, ask what theirs does.

# %% [markdown]
# ## What Dice does not see
#
# Now a true mask of the data set, and two predictions that cover the same number of pixels too many. The first draws
# the outline one pixel too wide all around. The second is perfect, and adds a patch in the lower corner, where perhaps
# a letter is printed on the film.

# %%
from lungseg_utils.cases import pixel_spacing

case = next(case for case in cases if case.id == split["test"][0])
size = chosen.recipe.image_size
lungs = arrays.part([case.id]).masks[0].max(axis=-1)
wide = cv2.dilate(lungs, cross)
side = round((wide.sum() - lungs.sum()) ** 0.5)
patch = lungs.copy()
patch[-side - 2 : -2, -side - 2 : -2] = 1

# %% [markdown]
# > **Predict.** Which one would you rather get from a colleague? Which one has the higher Dice?

# %%
figure, axes = figures.new_figure(1, 2)
for place, (title, mask) in enumerate({"too wide": wide, "with a patch": patch}.items()):
    figures.draw_xray(axes[0, place], arrays.part([case.id]).images[0], title)
    figures.draw_outlines(axes[0, place], lungs[..., np.newaxis])
    figures.draw_outlines(axes[0, place], mask[..., np.newaxis], figures.PREDICTION)
figures.show(figure, "One X-ray twice with the true outlines as solid lines. On the left a dashed "
             "outline runs closely around them; on the right it coincides with them, and a dashed "
             "square stands in the lower right corner.")

# %%
# unknown for some data sets: then in pixels
spacing_mm = pixel_spacing(case, size, size) or (1.0, 1.0)
for name, mask in {"too wide": wide, "with a patch": patch}.items():
    distances = outline_distances(lungs, mask, spacing_mm)
    print(f"{name:13} Dice {dice(lungs, mask):.3f}  ASSD {assd(distances):5.2f} mm  "
          f"HD95 {hd95(distances):6.2f} mm  "
          f"NSD {nsd(distances):.3f}")
print(f"a pixel is {spacing_mm[0]:.2f} mm high and {spacing_mm[1]:.2f} mm wide, "
      f"the tolerance is {TOLERANCE_MM} mm")

# %% [markdown]
# For Dice they are equal. ASSD and HD95 tell them apart: an outline that is a little off everywhere is harmless for
# most purposes, a lung in the corner of the film is not.
#
# And NSD? Compare the size of a pixel with the tolerance. If a pixel is larger, nearly every point of the outline that
# is too wide counts as wrong, and NSD prefers the patch, whose own outline is short. If a pixel is smaller, it is the
# other way round. No single measure sees everything. This is why notebook 9 reports overlap *and* distances, and shows
# the worst cases.

# %% [markdown]
# ## The score to beat
#
# Is a Dice of 0.9 good? It depends on what can be had for nothing. Lungs lie in about the same place in every chest
# X-ray, so take the mean of all training masks, cut it at 0.5, and use it as *the* prediction for every patient,
# without looking at the X-ray.
#
# > **Predict.** What mean Dice does this reach on the test images: 0.3, 0.5, 0.8?

# %%
train, test = arrays.part(split["train"]), arrays.part(split["test"])
mean_mask = train.masks.mean(axis=0)
baseline = mean_mask > 0.5
scores = np.array([dice(masks.max(axis=-1), baseline.max(axis=-1)) for masks in test.masks])
print(f"{len(scores)} test images: mean {scores.mean():.3f}, SD {scores.std(ddof=1):.3f}, "
      f"worst {scores.min():.3f}")
assert 0.4 < scores.mean() < 0.95

# %% [markdown]
# Far above zero. A model with a Dice around this has learned nothing about the image in front of it. In millimetres the
# same baseline looks less flattering:

# %%
spacings = {case.id: pixel_spacing(case, size, size) or (1.0, 1.0) for case in cases}
distances = [outline_distances(masks.max(axis=-1), baseline.max(axis=-1), spacings[name])
             for name, masks in zip(test.ids, test.masks)]
print(f"ASSD: mean {np.mean([assd(values) for values in distances]):.1f} mm")
print(f"HD95: mean {np.mean([hd95(values) for values in distances]):.1f} mm")
print(f"NSD:  mean {np.mean([nsd(values) for values in distances]):.2f} at {TOLERANCE_MM} mm")

# %%
worst = int(np.argmin(scores))
figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], 255 * mean_mask.max(axis=-1), "mean of the training masks")
figures.draw_xray(axes[0, 1], test.images[worst], f"worst: {test.ids[worst]}")
figures.draw_outlines(axes[0, 1], test.masks[worst])
figures.draw_outlines(axes[0, 1], baseline, figures.PREDICTION)
figures.show(figure, "On the left two blurred bright lungs, the mean of all training masks. On "
             "the right the test X-ray that it fits worst, with its true outlines as solid lines "
             "and the mean's outlines as dashed ones.")

# %% [markdown]
# The mean and the **standard deviation** (SD) over images say how good it is and how much that varies; the worst image
# says what can happen to a patient. Notebook 9 prints the same three for the trained network.

# %% [markdown]
# ## Check yourself
#
# **1.** A paper reports "Dice 0.92" for a network that another paper reports with "Dice 0.96". What do you ask first?
#
# <details><summary>Answer</summary>
#
# Is each soft or hard? Per image or pooled? On which images, at which size, and did these images help to choose the
# model? Only then compare.
#
# </details>
#
# **2.** Precision 1.0 and recall 0.5: what does the prediction look like? What is its Dice?
#
# <details><summary>Answer</summary>
#
# All that was predicted is right, and half of the lung is missing. Dice is the harmonic mean, 2 · 1 · 0.5 / 1.5,
# two thirds.
#
# </details>
#
# **3.** Why is the hard Dice no loss, and why is the soft Dice a poor score?
#
# <details><summary>Answer</summary>
#
# The hard Dice has no gradient. The soft Dice mixes how sure the network is with where the outline lies, and only the
# latter reaches the patient.
#
# </details>
#
# **4.** Two evaluations of one model on the same images differ only in the batch size, and so do their results. What is
# wrong?
#
# <details><summary>Answer</summary>
#
# The metric pools the batch, or it returns one number per batch and the last batch is short.
#
# </details>
#
# **5.** A mask has an NSD of 0.96 at 2 mm. What do you know about its HD95, and what about its largest distance?
#
# <details><summary>Answer</summary>
#
# 96 % of the outline points are at most 2 mm off. HD95, the distance that 95 % stay below, is then at most 2 mm too, if
# both directions are joined as here. The largest distance can be anything: NSD does not see how far off the other 4 %
# are.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: Each lung by itself
#
# `hard_dice` merges the lungs. A network that exchanges them, left for right, would get a perfect score. Write
# `dice_per_lung`, the hard Dice coefficient of each lung in each image.
#
# - `y_true` is an array (images, height, width, 2) of 0 and 1. `y_pred` has the same shape and holds probabilities.
#   Above 0.5 they say lung.
# - The result is an array (images, 2).
# - A lung that is neither there nor predicted scores 1. A lung that is only there, or only predicted, scores 0.
#
# By hand: the true lung has 8 pixels. 4 of them are predicted, and no others. Then the score is 2 · 4 / (8 + 4),
# two thirds.
#
# <details><summary>Hint</summary>
#
# Over which axes does the sum run, so that images and lungs stay apart? For the empty ones, `np.where` chooses between
# two values, and `np.maximum(total, 1)` is never zero.
#
# </details>

# %%
def dice_per_lung(y_true, y_pred):
    """Hard Dice coefficient of each lung in each image."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    columns = np.arange(6) * np.ones((4, 1))
    first, second, half, none = columns < 2, columns > 3, columns > 4, columns > 9  # 8, 8, 4 and 0 pixels
    y_true = np.concatenate([as_batch(first, first, none, none), as_batch(second, second, second, second)], axis=-1)
    said = np.concatenate([as_batch(first, second, none, first), as_batch(second, first, half, none)], axis=-1)
    scores = np.array(dice_per_lung(y_true, 0.4 + 0.2 * said))
    assert scores.shape == (4, 2), f"4 images with 2 lungs, and scores of shape {scores.shape}"
    assert np.allclose(scores[0], 1), f"all pixels right, only not sure (0.6 and 0.4): {scores[0]}"
    assert np.allclose(scores[1], 0, atol=1e-3), f"the lungs are exchanged, so nothing is right: {scores[1]}"
    assert np.allclose(scores[2], [1, 2 / 3]), f"no first lung and none predicted, half of the second: {scores[2]}"
    assert np.allclose(scores[3], 0, atol=1e-3), f"one lung only predicted, the other only there: {scores[3]}"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def dice_per_lung(y_true, y_pred):
#     true, predicted = y_true > 0.5, y_pred > 0.5
#     shared = (true & predicted).sum(axis=(1, 2))
#     total = true.sum(axis=(1, 2)) + predicted.sum(axis=(1, 2))
#     return np.where(total > 0, 2 * shared / np.maximum(total, 1), 1.0)
# ```
#
# Sums over height and width keep images and lungs apart. Without a rule for empty masks the first one is 0 / 0, a NaN.
# With the 1 of `soft_dice` above and below the line, a small lung that was missed would score well above 0.
#
# </details>
#
# ### Exercise 2: Does a metric pool?
#
# You meet a metric in somebody's code. Does it score each image, or the batch as one picture? Its name does not say,
# and neither does the shape of what it returns: `batch_dice` gives one number, and still takes the mean over images.
# So write a test.
#
# - `metric(y_true, y_pred)` takes arrays (batch, height, width, 1), `float32`. It gives a number per image or one
#   number. The check gives it the Dice and IoU functions of this notebook, and their losses.
# - `is_pooled(metric)` is `True` if the score of a batch is *not* the mean of the scores of its images, each in a batch
#   of its own. Otherwise it is `False`.
# - Your function makes the images that it needs.
#
# <details><summary>Hint</summary>
#
# Two images are enough. But not any two: what made the pooled score differ from the mean above? And numbers that are
# equal may still differ by rounding.
#
# </details>

# %%
def is_pooled(metric):
    """Whether a metric takes a batch as one picture."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    pooling = {"pooled_dice": pooled_dice, "pooled_iou": pooled_iou, "pooled_dice_loss": pooled_dice_loss,
               "keras.losses.Dice()": keras.losses.Dice()}
    per_image = {"soft_dice": soft_dice, "hard_dice": hard_dice, "batch_dice": batch_dice, "dice_bce": dice_bce,
                 "keras.losses.Dice(axis=(1, 2, 3))": keras.losses.Dice(axis=(1, 2, 3))}
    for name, metric in (pooling | per_image).items():
        answer = is_pooled(metric)
        one_bool = np.shape(answer) == () and np.asarray(answer).dtype == bool
        assert one_bool, f"{name}: {answer!r} is neither True nor False"
        assert answer or name in per_image, f"{name} pools, and your answer is False. Do your images bring it to light?"
        assert name in pooling or not answer, f"{name} is no pooled one, and your answer is True. What is compared?"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def is_pooled(metric):
#     large, small, missed = np.zeros((3, 8, 8))
#     large[:, :4], small[:2, :2], missed[-2:, -2:] = 1, 1, 1
#     y_true, y_pred = as_batch(large, small), as_batch(large, missed)
#     together = np.mean(metric(y_true, y_pred))
#     alone = [np.mean(metric(y_true[[place]], y_pred[[place]])) for place in range(2)]
#     return not np.isclose(together, np.mean(alone), atol=1e-4)
# ```
#
# A test is only as good as its example. The two images must differ in the area that the score divides by *and* in how
# well they are predicted. Otherwise the pooled score is equal to the mean, and the test misses it. With `!=` in place
# of `np.isclose`, rounding alone can make a metric look pooled.
#
# </details>
#
# ### Further
#
# 1. Draw a prediction on 4 x 4 pixels with a recall of 1 and a precision of one half, and check it. *Hint: the true
#    mask has six pixels.*
# 2. Shift `square` by three pixels to the right *and* three down. What is the largest distance now? *Hint: look for
#    the corner that is farthest from everything.*
# 3. Cut the mean mask at 0.3 and at 0.7 instead of 0.5. What happens to precision and to recall? *Hint: both functions
#    are above.*
#
# ## Summary
#
# - Dice, IoU, precision and recall come from three counts. Dice and IoU say the same on two scales.
# - Soft is not hard, pooled is not per image. Report the hard Dice per image: mean, SD and worst.
# - Return one number per image, and let Keras take the mean.
# - Dice loss balances small and large objects, cross-entropy corrects what is sure and wrong; we train with the sum.
# - Overlap does not see where a mistake lies. Report ASSD and HD95 in millimetres beside it, and say which tool.
# - NSD is the share of both outlines that is near the other one. Report it with its tolerance.
#
# **Next:** [notebook 7](07_hyperparameters.ipynb) sets the numbers that nobody trains: learning rate, batch size and
# the rest.
