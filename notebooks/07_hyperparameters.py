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
# # 7 · Hyperparameters and compiling
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/07_hyperparameters.ipynb)
#
# Data, network and loss are ready. Before training starts, a person has to choose some numbers that training does not
# find by itself: how large the steps are, how many images a step looks at, how long to go on. They decide about hours
# of computing and about success. Here you choose them with reasons, and compile the model.
#
# **You will be able to**
#
# - tell a hyperparameter from a parameter
# - estimate what a training run costs before you start it
# - explain what a learning rate does, and find a good one with a short experiment
# - read a learning rate schedule, and say what weight decay, batch size and momentum do
# - compile a model, read its summary, and check that one training step changes it
#
# **Time on two cores:** about 1 minute
#
# **Needs:** the data set (drawn if it is missing). **Leaves behind:** nothing; the functions stand in
# `lungseg_utils.training` for the notebooks that follow.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %%
import lungseg_utils.quiet  # TensorFlow without its start-up messages

import keras
import numpy as np
import tensorflow as tf

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)
arrays, split = course.arrays_ready(chosen, cases), course.split_ready(chosen, cases)

# %% [markdown]
# ## Parameters and hyperparameters
#
# A **parameter** is a number that training finds: a weight of a convolution, for example. A **hyperparameter** is a
# number that must be there before training starts, and that training does not change: the number of filters, the
# learning rate, the number of epochs. You choose it, and you judge the choice by the *validation* images, never by
# the test images.
#
# A **recipe** holds all of them under one name. There are two that we compare here: the article's, to the letter, and
# one that a laptop finishes in minutes.

# %%
import dataclasses

from lungseg_utils.recipes import ARTICLE, LAPTOP

print(f"{'':20} {'laptop':>10} {'article':>12}")
for field in dataclasses.fields(LAPTOP)[1:]:
    print(f"{field.name:20} {getattr(LAPTOP, field.name)!s:>10} {getattr(ARTICLE, field.name)!s:>12}")

# %% [markdown]
# | hyperparameter | what it decides | what a larger value costs |
# |---|---|---|
# | `image_size` | how fine the outline can be | twice the side is four times the work and the memory |
# | `input_channels` | 1 for grey; 3 repeats the grey picture | little: only the first convolution grows |
# | `output_channels` | 2 for a mask per lung, 1 for both merged | nearly nothing |
# | `base_filters` | how much the network can learn to see | twice as many are four times the work |
# | `depth` | how much of the picture a pixel sees | parameters: each level has four times those of the level above |
# | `batch_norm_momentum` | how slowly batch normalisation forgets | nothing in time; see below |
# | `batch_size` | images per step | memory, and fewer steps per epoch |
# | `learning_rate` | how far a step goes | nothing in time, everything in success |
# | `schedule` | how the learning rate changes | nothing |
# | `weight_decay` | how strongly weights are pulled to zero | nothing |
# | `epochs` | how often every image is seen | time, in proportion |
# | `patience` | when to stop if nothing improves | time |
# | `loss` | what training makes smaller (notebook 6) | nothing |
# | `augment` | whether images are moved, relit, shadowed (notebook 4) | a little time, and epochs to profit from it |
# | `start` | where the first weights come from: drawn at `random`, or learned from `drawings` | nothing |
#
# There is a third recipe, `best`. Instead of random weights, it begins with those of the model that the course brings,
# which has learned from drawings alone: that is what its field `start` says. Notebook 9 introduces that model, and says
# what `best` reaches on real X-rays.
#
# ## What does it cost?
#
# Building the network from a recipe is one call. This function passes on the six fields that shape it.

# %%
from lungseg_utils.unet import build_unet


def model_for(recipe):
    """Build the U-Net of a recipe, not yet compiled."""
    return build_unet(
        recipe.image_size,
        recipe.input_channels,
        recipe.output_channels,
        recipe.base_filters,
        recipe.depth,
        recipe.batch_norm_momentum,
    )


# %%
models = {recipe.name: model_for(recipe) for recipe in (LAPTOP, ARTICLE)}
for name, network in models.items():
    print(f"{name:8} input {network.input_shape[1:]}, output {network.output_shape[1:]}, "
          f"{network.count_params():>12,} parameters")

# %% [markdown]
# > **Predict.** The article's network has 64 filters at the start, ours has 8. Its picture has 512 pixels a side, ours
# > 128. How many times as much work is one image? (Work grows with the square of both.)
#
# The work is counted in multiply-adds, as in notebook 5. Training costs about three times as much as predicting: once
# forward, and twice as much backward, where the gradient of the values *and* of the weights is computed.

# %%
from lungseg_utils.unet import multiply_adds

FORWARD_AND_BACKWARD = 3
work = {name: FORWARD_AND_BACKWARD * sum(multiply_adds(network).values())
        for name, network in models.items()}
for name, count in work.items():
    print(f"{name:8} {count / 1e9:8.2f} billion multiply-adds to train on one image")
print(f"{work['article'] / work['laptop']:.0f} times as much")

# %% [markdown]
# Eight times the filters are 64 times the work, four times the side another 16 times. The product is close to the
# number above. How much of it is needed? Notebook 9 gives the answer for the small network.
#
# Now the whole training on this data set. A **step** looks at one batch and changes the weights once; an **epoch** is
# one pass over all training images.

# %%
def plan(recipe, images):
    steps = images // recipe.batch_size
    seen = steps * recipe.batch_size * recipe.epochs
    return {"steps per epoch": steps, "steps": steps * recipe.epochs, "images seen": seen,
            "multiply-adds": seen * work[recipe.name]}


plans = {recipe.name: plan(recipe, len(split["train"])) for recipe in (LAPTOP, ARTICLE)}
print(f"{len(split['train'])} training images")
for line in plans["laptop"]:
    print(f"{line:16} {plans['laptop'][line]:12.4g} {plans['article'][line]:12.4g}")

# %% [markdown]
# The backward pass needs what every layer computed on the way forward, so all of it stays in memory until the step is
# done. A rough count, four bytes per number:

# %%
def memory_of(network, batch_size):
    values = sum(np.prod(layer.output.shape[1:]) for layer in network.layers)
    return 4 * int(values) * batch_size


for recipe in (LAPTOP, ARTICLE):
    print(f"{recipe.name:8} {memory_of(models[recipe.name], recipe.batch_size) / 1e9:6.2f} GB for "
          f"one step")

# %% [markdown]
# The article's batch of two has a reason: a much larger one does not fit on many graphics cards.
#
# ### From operations to hours
#
# How long does this machine take? We measure a few training steps of the small network, and scale by multiply-adds.
# `compile` is explained further down; here it only makes the network trainable. The first step prepares the
# computation and takes long, so it is not measured.

# %%
from lungseg_utils import losses
from lungseg_utils.pipeline import make_dataset

# also where another is chosen
laptop_arrays = course.arrays_ready(dataclasses.replace(chosen, recipe=LAPTOP), cases)
laptop_train = laptop_arrays.part(split["train"])
batches = list(make_dataset(laptop_train.images, laptop_train.masks, LAPTOP,
                            training=True).take(12))

keras.utils.set_random_seed(42)
network = model_for(LAPTOP)
network.compile(keras.optimizers.Adam(1e-3), losses.dice_bce)
first_weights = network.get_weights()

# %% tags=["nbval-ignore-output"]
import time

network.train_on_batch(*batches[0])
start = time.perf_counter()
for batch in batches[:5]:
    network.train_on_batch(*batch)
per_image = (time.perf_counter() - start) / (5 * LAPTOP.batch_size)
print(f"{1 / per_image:.0f} images per second with the laptop recipe")

# %% tags=["nbval-ignore-output"]
for name, numbers in plans.items():
    hours = numbers["multiply-adds"] * per_image / work["laptop"] / 3600
    print(f"{name:8} about {hours * 60:8.1f} minutes, or {hours:6.2f} hours")

# %% [markdown]
# This is an **estimate**. It times training steps, where notebook 5 timed predictions, so the two differ: trust
# either within a factor of two. A large network keeps a processor busier than a small one, so the second line may
# come out too high; a machine with too little memory makes it far too low; and early stopping can end a training
# sooner. Still, it says whether to expect minutes or days, before anything has started. With a GPU, run the two
# cells there.

# %% [markdown]
# ## The learning rate
#
# **Gradient descent**: compute the gradient of the loss, then change every weight by the **learning rate** times the
# gradient, downhill. With a single weight $w$ and the loss $w^2$, whose gradient is $2 w$, you can watch it.

# %%
def descend(rate, steps=8, w=2.0):
    path = [w]
    for _ in range(steps):
        w = w - rate * 2 * w
        path.append(w)
    return np.array(path)


print("  ".join(f"{w:.3f}" for w in descend(0.4)))

# %% [markdown]
# > **Predict.** The lowest point is at 0. What happens with a rate of 0.03? And with 1.05?

# %%
from lungseg_utils import figures

figure, axes = figures.new_figure(1, 3, width=3, height=2.8)
curve = np.linspace(-4.5, 4.5, 100)
for place, (rate, name) in enumerate({0.03: "too small", 0.4: "right", 1.05: "too large"}.items()):
    path = descend(rate)
    axes[0, place].plot(curve, curve**2, color="grey")
    axes[0, place].plot(path, path**2, "o--", color="black", markersize=5)
    axes[0, place].set(title=f"rate {rate}: {name}", xlabel="weight", ylabel="loss",
                       ylim=(-0.5, 20), xlim=(-4.5, 4.5))
figures.show(figure, "Three times the same bowl-shaped curve with eight steps from the same "
             "start. Left: the steps are so short that they stop half way. Middle: they reach the "
             "bottom. Right: each step lands higher on the other side.")

# %%
assert abs(descend(0.03)[-1]) > 1, "too small: still far from the bottom"
assert abs(descend(0.4)[-1]) < 0.001, "right: at the bottom"
assert abs(descend(1.05)[-1]) > 2, "too large: farther away than at the start"

# %% [markdown]
# The right rate depends on how steep the curve is, and a network has as many directions as weights, some steep and some
# flat. **Adam** (Kingma and Ba, arXiv:1412.6980) gives each weight a step of its own: it keeps a running mean of the
# gradient, and divides it by a running mean of the gradient's size. What remains is mostly the sign and how steady it
# is. So the learning rate of Adam says how far a weight moves per step, almost whatever the gradient is.
#
# > **Predict.** Three weights have the gradients 1000, 1 and 0.001. How far does each move in the first step of Adam
# > with learning rate 0.01?

# %%
weights = keras.Variable([1.0, 1.0, 1.0])
keras.optimizers.Adam(0.01).apply([tf.constant([1000.0, 1.0, 0.001])], [weights])
moved = 1 - weights.numpy()
print("moved by", "  ".join(f"{value:.4f}" for value in moved))
assert np.allclose(moved, 0.01, rtol=0.01)

# %% [markdown]
# All three by the learning rate. This gives us a quick check of the article's $10^{-5}$. It trains on 112 images in
# batches of two, for 30 epochs. A weight that moves in the same direction in *every* step gets about this far:

# %%
steps = 112 // ARTICLE.batch_size * ARTICLE.epochs
reach = steps * ARTICLE.learning_rate
# SD with which Keras starts a 3 x 3 convolution from 64 to 64 channels
start_size = np.sqrt(2 / (9 * 64 + 9 * 64))
print(f"{steps} steps reach about {reach:.3f} at most; a weight starts with a typical size of "
      f"{start_size:.3f}")
assert reach < start_size

# %% [markdown]
# Even in the best case a weight moves by less than the size that it had by chance at the start. The article's network
# ends close to where it began. Its masks are good all the same (notebook 6): many small changes work together. But
# its soft Dice is low, so it was still not sure, and more or larger steps would have helped.

# %% [markdown]
# ## A learning rate sweep
#
# The experiment to the argument: train for a few steps with several learning rates, each time from the same first
# weights and with the same batches, and compare the loss. This is a **sweep**. It always runs the *laptop* recipe's
# network, whatever recipe is chosen, because it has to be cheap.
#
# The optimizer has to forget, too: Adam's running means are set back to zero.

# %%
def short_training(rate):
    network.set_weights(first_weights)
    for variable in network.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    network.optimizer.learning_rate = rate
    return [float(network.train_on_batch(*batch)) for batch in batches]


# %% [markdown]
# > **Predict.** Six rates from 0.00001 to 1. Which loss is lowest after twelve steps? What does the largest one do?

# %% tags=["nbval-ignore-output"]
rates = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
sweep = {rate: short_training(rate) for rate in rates}
end = {rate: np.mean(curve[-5:]) for rate, curve in sweep.items()}
for rate in rates:
    print(f"rate {rate:7g}: loss at the start {sweep[rate][0]:.3f}, "
          f"mean of the last five steps {end[rate]:.3f}")

# %% tags=["nbval-ignore-output"]
figure, axes = figures.new_figure(1, 2, width=4.2, height=3.2)
for rate, style in zip(rates, ("-", "--", "-.", ":", "-", "--")):
    axes[0, 0].plot(sweep[rate], style, marker="o" if rate >= 0.1 else None, markersize=3,
                    label=f"{rate:g}")
axes[0, 0].set(xlabel="step", ylabel="training loss", ylim=(None, 2.4))
axes[0, 0].legend(title="learning rate", fontsize=7, ncols=2)
axes[0, 1].semilogx(rates, [end[rate] for rate in rates], "ko-")
axes[0, 1].set(xlabel="learning rate", ylabel="mean loss of the last five steps")
figures.show(figure, "Left: the training loss over twelve steps for six learning rates; at the "
             "smallest rate the line stays level, at larger ones it falls. Right: the loss at the "
             "end over the learning rate, a curve that falls from left to right and rises again "
             "at the largest rate.")

# %%
falls = {rate: sweep[rate][0] - end[rate] for rate in rates}
best = max(falls, key=falls.get)
assert best > 1e-3, "the best rate is far above the article's"
assert falls[1e-5] < 0.2 * falls[best], "with 1e-5 nearly nothing happens"

# %% [markdown]
# - At $10^{-5}$ the loss stays where it was. Training would succeed in the end, after very many steps.
# - Larger rates fall faster, up to a point. At the largest one the loss jumps up after the first step, and recovers
#   to a worse place.
# - The rate that falls fastest in a few steps is *not* the one to take: over a whole training a rate so close to the
#   edge keeps the loss jumping. A rule of thumb is to stay several times below the rate where it gets worse.
#
# The laptop recipe takes the value that you saw in the table, and lowers it as training goes on.

# %% [markdown]
# ## A schedule
#
# Large steps are good at the beginning, small ones at the end. A **schedule** changes the learning rate:
#
# - **warm-up**: in the first tenth of all steps the rate rises. Adam's running means are still poor, and batch
#   normalisation has seen little.
# - **cosine**: then it falls along half a cosine, to zero at the last step (Loshchilov and Hutter, arXiv:1608.03983).

# %%
WARM_UP = 0.1

steps = plans["laptop"]["steps"]
schedule = keras.optimizers.schedules.CosineDecay(
    LAPTOP.learning_rate / 25,
    decay_steps=round((1 - WARM_UP) * steps),
    warmup_target=LAPTOP.learning_rate,
    warmup_steps=round(WARM_UP * steps),
)

# %%
over_time = np.array([float(schedule(step)) for step in range(steps + 1)])
figure, axes = figures.new_figure(1, 1, width=5, height=2.6)
axes[0, 0].plot(over_time, color="black")
axes[0, 0].set(xlabel="step", ylabel="learning rate")
figures.show(figure, "The learning rate over the steps of a training: a short straight rise, then "
             "a long fall along half a cosine to zero.")
assert np.isclose(over_time.max(), LAPTOP.learning_rate) and over_time[-1] < 1e-6
assert np.argmax(over_time) == round(WARM_UP * steps)

# %% [markdown]
# The article has another schedule, called **plateau**: when the validation loss has not improved for five epochs, the
# rate is divided by ten. Starting from $10^{-5}$ this can only make it smaller. It needs to watch the validation loss,
# so it is a callback, and comes in notebook 8.
#
# ## Weight decay, batch size, momentum
#
# **Weight decay** pulls every weight a little towards zero in each step, so that only weights that are needed stay
# large. **AdamW** (Loshchilov and Hutter, arXiv:1711.05101) is Adam with this pull.
#
# **Batch size.** The gradient of a batch is an estimate: other images would give another one. A larger batch gives a
# better estimate, and costs more. How much better? Here are the gradients of the first convolution for sixteen single
# images, at the first weights, and how far the mean of a random batch lies from the mean of all sixteen.

# %%
network.set_weights(first_weights)
images, masks = (tf.concat(parts, axis=0) for parts in zip(*batches[:2]))


def gradient_of_one(i):
    with tf.GradientTape() as tape:
        loss = losses.dice_bce(masks[i : i + 1], network(images[i : i + 1], training=True))
    return tape.gradient(loss, network.layers[1].kernel).numpy().ravel()


# %% tags=["nbval-ignore-output"]
gradients = np.stack([gradient_of_one(i) for i in range(len(images))])
centre = gradients.mean(axis=0)
random = np.random.default_rng(0)
noise = {}
for size in (1, 2, 4, 8):
    means = [gradients[random.integers(0, len(gradients), size)].mean(axis=0) for _ in range(500)]
    noise[size] = np.sqrt(np.mean(np.sum((means - centre) ** 2, axis=1))) / np.linalg.norm(centre)
    print(f"batch of {size}: the gradient is off by {noise[size]:.0%} of its length")

# %%
assert np.isclose(noise[1] / noise[4], 2, rtol=0.2), "four times the images, half the noise"

# %% [markdown]
# Noise falls with the square root: four times as many images for half of it. So very large batches gain little on a
# processor. A noisy gradient needs smaller steps, which is why batch size and learning rate belong together.
#
# **Momentum of batch normalisation.** In training, batch normalisation uses mean and spread of the batch. For
# validation it uses running means, and its momentum says which share of the old value stays at each step. How much of
# the very first value, which means nothing, is still in there after one epoch?

# %%
for recipe in (LAPTOP, ARTICLE):
    share = recipe.batch_norm_momentum ** plans["laptop"]["steps per epoch"]
    print(f"momentum {recipe.batch_norm_momentum:<4}: {share:.0%} is left after an epoch of the "
          f"laptop recipe")

# %% [markdown]
# With few steps per epoch, 0.99 lags far behind: validation looks bad although the network is good. So the laptop
# recipe takes 0.9.

# %% [markdown]
# ## The optimizer of a recipe
#
# All of this in one function. The steps per epoch are not in the recipe, because they depend on the data.

# %%
def make_optimizer(recipe, steps_per_epoch):
    """Build the optimizer of a recipe."""
    if recipe.schedule == "plateau":
        return keras.optimizers.Adam(recipe.learning_rate)
    steps = recipe.epochs * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 25,
        decay_steps=round((1 - WARM_UP) * steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=round(WARM_UP * steps),
    )
    return keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)


# %%
for recipe in (LAPTOP, ARTICLE):
    optimizer = make_optimizer(recipe, plans[recipe.name]["steps per epoch"])
    print(f"{recipe.name:8} {type(optimizer).__name__:6} first rate "
          f"{float(optimizer.learning_rate):.2e}")
    assert float(optimizer.learning_rate) <= recipe.learning_rate * 1.0001

# %% [markdown]
# ## Compiling
#
# `compile` ties a model to its optimizer, its loss and the metrics that are shown while it trains. Nothing is computed
# yet.
#
# For the article's recipe we show the article's four metrics (Dice and IoU soft and pooled, recall and precision of
# masks cut at 0.5), and our hard Dice per image beside them, so that all can be compared in one table.

# %%
def compile_model(model, recipe, steps_per_epoch):
    """Give a model its optimizer, loss and metrics."""
    loss, measures, counts = losses.dice_bce, [losses.hard_dice], []
    if recipe.loss == "pooled_dice":  # the article's four, and ours beside them to compare
        loss = losses.pooled_dice_loss
        measures = [losses.pooled_dice, losses.pooled_iou, losses.hard_dice]
        counts = [keras.metrics.Recall(name="Recall"), keras.metrics.Precision(name="Precision")]
    means = [keras.metrics.MeanMetricWrapper(each, name=each.__name__) for each in measures]
    optimizer = make_optimizer(recipe, steps_per_epoch)
    model.compile(optimizer, loss, metrics=means + counts)
    # What Keras would make during the first step is made now: else TensorFlow traces that step a second time.
    optimizer.build(model.trainable_variables)


# %% [markdown]
# A metric can be handed over as a plain function. Keras then wraps it as we do here, to average over images (or over
# batches, where a metric gives one number per batch), but only when the first step runs. `MeanMetricWrapper` does it at
# once. Why care? Before the first step, TensorFlow **traces** it: it runs through the Python code once and notes every
# operation of the step. If variables are created while it traces (the sums of a metric, the two running means per
# weight that Adam keeps), it must trace a second time. For a network that trains for a few minutes, these seconds
# count.

# %% [markdown]
# Now with the recipe that you have chosen.

# %%
train = arrays.part(split["train"])
steps_per_epoch = len(train.ids) // chosen.recipe.batch_size

keras.utils.set_random_seed(42)
model = model_for(chosen.recipe)
compile_model(model, chosen.recipe, steps_per_epoch)
print(model.loss.__name__, "with", type(model.optimizer).__name__)

# %% [markdown]
# ### Reading a summary
#
# `model.summary()` lists every layer. For a U-Net with four levels that is a long list. Here is one with a single
# level, which has every kind of line.

# %% tags=["nbval-ignore-output"]
little = model_for(dataclasses.replace(LAPTOP, depth=1))
little.summary(line_length=80, print_fn=print)

# %% [markdown]
# Line by line:
#
# - **Output Shape** starts with `None`, the batch size, which is left open.
# - **Param #** of a convolution: kernel height x width x channels in x filters, and one bias per filter. The first has
#   one channel in and eight filters.
# - Batch normalisation has four numbers per channel. Two are trained, two are running means, and these are the
#   **non-trainable** ones at the end.
# - Activation, pooling and joining have none.
# - **Connected to** shows the skip connection: `concatenate` has two sources.

# %%
first = little.layers[1]
assert first.count_params() == 3 * 3 * 1 * LAPTOP.base_filters + LAPTOP.base_filters
print(first.count_params(), "parameters in the first convolution")

# %% [markdown]
# ### One step
#
# A compiled model can train. Before training for long, one step is worth a look: does the loss come out finite, and do
# the weights change?

# %%
batch_images, batch_masks = next(iter(make_dataset(train.images, train.masks, chosen.recipe,
                                                   training=True)))
print("images", batch_images.shape, "masks", batch_masks.shape)
assert batch_images.shape[1:] == model.input_shape[1:]
assert batch_masks.shape[1:] == model.output_shape[1:]

# %% tags=["nbval-ignore-output"]
before = [weight.numpy() for weight in model.trainable_variables]
first_rate = float(model.optimizer.learning_rate)
result = model.train_on_batch(batch_images, batch_masks, return_dict=True)
print({name: round(float(value), 4) for name, value in result.items()})

# %%
moves = [np.abs(weight.numpy() - old).max()
         for weight, old in zip(model.trainable_variables, before)]
assert np.isfinite(result["loss"]) and int(model.optimizer.iterations) == 1
assert np.mean(np.array(moves) > 0) > 0.5, "most weights move in one step"
assert max(moves) < 1.1 * first_rate, "and none farther than the learning rate"

# %% [markdown]
# It works, and no weight moved farther than the learning rate of that step, as the experiment with Adam promised.
#
# ### `jit_compile`
#
# Keras can hand the whole step to a compiler, **XLA**, that merges operations. The default, `jit_compile="auto"`,
# switches it off on a processor, where it is slower for this network, and on with a GPU. Leave it alone; just remember
# that the first step on a GPU takes long because of it.

# %% tags=["nbval-ignore-output"]
print("jit_compile:", model.jit_compile)

# %% [markdown]
# ## Check yourself
#
# **1.** Parameter or hyperparameter: the bias of a convolution, the number of filters, the running mean of batch
# normalisation, the loss function?
#
# <details><summary>Answer</summary>
#
# Parameter, hyperparameter, parameter (training finds it, although not by the gradient), hyperparameter.
#
# </details>
#
# **2.** You double the side of the picture and halve the number of filters. What happens to the work per image?
#
# <details><summary>Answer</summary>
#
# It stays about the same: four times the pixels, a quarter of the multiply-adds per pixel. Memory grows, because there
# are four times the pixels and half the channels.
#
# </details>
#
# **3.** The training loss jumps up and down from epoch to epoch and does not fall any more. What do you try first?
#
# <details><summary>Answer</summary>
#
# A smaller learning rate, or a schedule that lowers it. A larger batch makes the gradient less noisy, and helps too.
#
# </details>
#
# **4.** Why not choose the learning rate by the score on the test images?
#
# <details><summary>Answer</summary>
#
# Then the test images have helped to build the model, and their score is too good. Choices are made on the validation
# images.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: A schedule in three parts
#
# A cosine is one shape among others. Write a schedule that rises, stays, and falls:
#
# - In the first `warm_up` steps the rate rises evenly: the first step has `peak / warm_up`, the last of these has
#   `peak`.
# - In the last `fall` steps it falls evenly, like the rise seen in a mirror: the first of them still has `peak`, the
#   very last step has `peak / fall`.
# - Between them it stays at `peak`.
#
# The steps are counted from 0, as Keras counts them: `step` goes from 0 to `steps - 1`. `warm_up` or `fall` may be 0:
# then this part is missing. Together they are at most `steps`. The result is one number, the rate of this step.
#
# By hand: with 10 steps, a peak of 0.8, `warm_up=4` and `fall=2`, the rates are 0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8,
# 0.8, 0.4.
#
# <details><summary>Hint</summary>
#
# Which rate would this step have if there were only the rise? Which if there were only the fall? The lower one counts.
# How many steps have begun, and how many are left, this one included? And do not divide by a part that is missing.
#
# </details>

# %%
def three_part_rate(step, steps, peak, warm_up, fall):
    """Learning rate of a step, counted from 0: a rise, a level part and a fall."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    rates = np.array([three_part_rate(step, 10, 0.8, 4, 2) for step in range(10)], float)
    assert rates.shape == (10,), f"ten steps should have ten rates, one number each. Yours have the shape {rates.shape}"
    assert (rates > 0).all(), f"the example gives {rates.round(3)}, but a step whose rate is not above 0 is wasted"
    assert np.allclose(rates[:4], [0.2, 0.4, 0.6, 0.8]), f"the rise of the example comes out as {rates[:4].round(3)}"
    assert np.allclose(rates[4:], [0.8] * 5 + [0.4]), f"after the rise the example goes on with {rates[4:].round(3)}"
    level = np.array([three_part_rate(step, 5, 0.3, 0, 0) for step in range(5)], float)
    assert np.allclose(level, 0.3), f"five steps without rise and fall, with a peak of 0.3, have {level.round(3)}"
    there = np.array([three_part_rate(step, 300, 4e-3, 30, 90) for step in range(300)], float)
    back = np.array([three_part_rate(299 - step, 300, 4e-3, 90, 30) for step in range(300)], float)
    assert np.allclose(there, back), "rise and fall exchanged should be the same schedule, seen in a mirror"


# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def three_part_rate(step, steps, peak, warm_up, fall):
#     rise = (step + 1) / max(warm_up, 1)
#     descent = (steps - step) / max(fall, 1)
#     return peak * min(1, rise, descent)
# ```
#
# Each part is a limit, and in every step the lowest limit counts. `step + 1` steps have begun, and `steps - step` are
# left, this one included in both. The usual mistake is `step / warm_up`: the first step then has a rate of 0, and
# changes nothing.
#
# </details>
#
# ### Exercise 2: Adam by hand
#
# Adam keeps two running means for each weight, of the gradient $g$ and of its square. Both are 0 before the first step.
# In each step
#
# - $m$, the mean of the gradient, becomes $0.9\,m + 0.1\,g$
# - $v$, the mean of its square, becomes $0.999\,v + 0.001\,g^2$
#
# In the first steps both are too small, because much of that 0 is still in them. Correct this: divide each of them by
# a number that depends on how many steps have been made. It must make the corrected $m$ equal to $g$, and the corrected
# $v$ equal to $g^2$, in *every* step for as long as the gradient stays the same. Then the weight moves by minus the
# learning rate, times the corrected $m$, divided by the square root of the corrected $v$.
#
# `gradients` is an array of shape (steps, weights); none of them is 0. Return how far each weight moves in each step,
# as an array of the same shape. By hand: with gradients of 5 in both of two steps and a rate of 0.01, both moves are
# -0.01. Without the correction the first one would be about three times as long.
#
# <details><summary>Hint</summary>
#
# How much of the very first value is left in a running mean after $t$ steps? The paragraph "Momentum of batch
# normalisation" computes it. The rest of it is gradient. Keep the uncorrected means for the next step.
#
# </details>

# %%
def adam_moves(gradients, rate):
    """How far Adam moves each weight in each step, (steps, weights)."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    gradients = np.random.default_rng(0).normal(size=(20, 3)) * [1000, 1, 0.1]
    moves = np.asarray(adam_moves(gradients.copy(), 0.01), float)
    assert moves.shape == (20, 3), f"20 steps of 3 weights have moves of shape {moves.shape}"
    assert np.isfinite(moves).all(), f"step 1 moves by {moves[0]}: what do you divide by there?"
    assert (moves[0] * gradients[0] < 0).all(), f"not downhill: the gradients {gradients[0]} give the moves {moves[0]}"
    first = np.abs(moves[0]) / 0.01
    assert np.allclose(first, 1, rtol=0.01), f"in the first step weights move by {first.round(3)} learning rates, not 1"
    steady = np.asarray(adam_moves(np.full((50, 1), -3.0), 0.01), float)[[0, 1, 49], 0] / 0.01
    assert np.allclose(steady, 1, rtol=0.01), f"steady gradient: steps 1, 2, 50 move {steady.round(2)} learning rates"
    weights, optimizer = keras.Variable(np.zeros(3, "float32")), keras.optimizers.Adam(0.01)
    for row in gradients:
        optimizer.apply([tf.constant(row, "float32")], [weights])
    assert np.allclose(moves.sum(axis=0), weights, atol=5e-4), "with changing gradients, Adam of Keras goes elsewhere"


# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def adam_moves(gradients, rate):
#     m, v, moves = 0, 0, []
#     for step, gradient in enumerate(np.asarray(gradients, float), 1):
#         m = 0.9 * m + 0.1 * gradient
#         v = 0.999 * v + 0.001 * gradient**2
#         moves.append(-rate * (m / (1 - 0.9**step)) / np.sqrt(v / (1 - 0.999**step)))
#     return np.array(moves)
# ```
#
# After $t$ steps the share $0.9^t$ of the first 0 is left, so the share $1 - 0.9^t$ is gradient. Without the correction
# the first step is about three times too long. It is also wrong to put the corrected value into the next step's mean:
# then it is corrected again and again. (Keras adds a tiny number below the fraction, so that a gradient of 0 does no
# harm.)
#
# </details>
#
# ### Further
#
# 1. Estimate the cost of a recipe with 16 filters and 256 pixels. *Hint: `dataclasses.replace(LAPTOP, ...)`, then
#    `model_for` and `multiply_adds`.*
# 2. With which rate does `descend` reach the bottom in a single step? *Hint: solve $w - r \cdot 2 w = 0$.*
# 3. Repeat the sweep with plain gradient descent, `keras.optimizers.SGD`. Which rate is best now? *Hint: compile
#    `network` again; the other cells stay.*
#
# ## Summary
#
# - Hyperparameters are chosen before training, by validation images. A recipe holds them all.
# - Count multiply-adds and measure one step: then you know the hours before you start.
# - The learning rate matters most, and a sweep of a minute shows its order of magnitude. $10^{-5}$ is too small here.
# - Warm up, then lower the rate. Noise of the gradient falls with the square root of the batch size.
# - Compile, take one step, and look before you train for long.
#
# **Next:** [notebook 8](08_training.ipynb) trains the model, watches over it, and goes on after an interruption.
