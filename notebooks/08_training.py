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
# # 8 · Training
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/08_training.ipynb)
#
# Everything is ready: pipeline, network, loss, optimizer. Now the network learns. In this notebook you make one
# training step by hand, then you let Keras make many. You watch the outline of one X-ray get better from epoch to
# epoch. Nothing that was computed may be lost when the machine stops, and the weights that you keep at the end must be
# the best ones, not simply the last ones.
#
# **You will be able to**
#
# - make one training step by hand: predict, measure the loss, compute the gradient, step
# - write a callback, and say what the usual ones are for
# - watch a network learn: what it says about one X-ray after 1, 2, 4, 8 … epochs
# - interrupt a training run and let it go on as if nothing had happened
# - read learning curves, and avoid the usual mistake in reading them
# - say which epoch is kept, and why its validation loss is too good to be reported
#
# **Time on two cores:** about 4 minutes
#
# **Needs:** the split of notebook 3 (it is made if it is missing). **Leaves behind:** a run folder with the trained
# model and its log.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %%
import lungseg_utils.quiet  # TensorFlow without its start-up messages

import keras
import tensorflow as tf

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)
arrays, split = course.arrays_ready(chosen, cases), course.split_ready(chosen, cases)

# %% [markdown]
# ## One step by hand
#
# Take one batch from the pipeline of notebook 4, and the compiled network of notebook 7.

# %%
from lungseg_utils.pipeline import make_dataset

recipe = chosen.recipe
training = arrays.part(split["train"])
batches = make_dataset(training.images, training.masks, recipe, training=True)
images, masks = next(iter(batches))
assert images.shape == (recipe.batch_size, recipe.image_size, recipe.image_size,
                        recipe.input_channels)
assert masks.shape == (recipe.batch_size, recipe.image_size, recipe.image_size,
                       recipe.output_channels)

# %%
from lungseg_utils.training import compile_model, model_for

keras.utils.set_random_seed(42)
model = model_for(recipe)
compile_model(model, recipe, steps_per_epoch=len(training.ids) // recipe.batch_size)

# %% [markdown]
# A step has four parts. The first two: **predict**, and measure the **loss**. TensorFlow records ("tape") what is
# computed, so that it can go back through it. `training=True` tells batch normalisation to use the statistics of this
# batch.

# %% tags=["nbval-ignore-output"]
with tf.GradientTape() as tape:
    probabilities = model(images, training=True)
    loss = tf.reduce_mean(model.loss(masks, probabilities))

print(f"loss of this batch: {float(loss):.4f}")

# %% [markdown]
# Third: the **gradient**. For every weight it says by how much the loss would change if that weight were made a
# little larger. Its shape is the shape of the weights.

# %% tags=["nbval-ignore-output"]
gradients = tape.gradient(loss, model.trainable_variables)
assert [gradient.shape for gradient in gradients] == [tuple(weights.shape)
                                                      for weights in model.trainable_variables]

print("one weight:  ", float(model.trainable_variables[0][0, 0, 0, 0]))
print("its gradient:", float(gradients[0][0, 0, 0, 0]))

# %% [markdown]
# Fourth: the **step**. The optimizer moves every weight a little *against* its gradient.
#
# > **Predict.** Look at the sign of the gradient above. Will the weight become larger or smaller? And the loss of
# > this same batch?

# %% tags=["nbval-ignore-output"]
model.optimizer.apply_gradients(zip(gradients, model.trainable_variables))
loss_after = tf.reduce_mean(model.loss(masks, model(images, training=True)))

print("the weight now:", float(model.trainable_variables[0][0, 0, 0, 0]))
print(f"loss before {float(loss):.4f}, after {float(loss_after):.4f}")
assert loss_after < loss

# %% [markdown]
# The weight moved against the sign of its gradient, and the loss of this batch fell a little. The next batch shows
# other X-rays, and the step after it serves those. Only the sum of many small steps makes a network that does well
# on all of them.
#
# `fit` is this loop, and nothing else: take a batch, predict, loss, gradient, step. It also compiles the four parts
# into one faster program, and keeps the running mean of the loss and of the metrics.

# %% tags=["nbval-ignore-output"]
history = model.fit(batches, steps_per_epoch=3, shuffle=False, verbose=2)

# %% [markdown]
# Two words: a **step** is one batch. An **epoch** is as many steps as it takes to show every training image once.
# The pipeline never ends and shuffles by itself, so `fit` has to be told how many steps make an epoch, and not to
# shuffle.

# %%
def count_steps(recipe, training):
    count = len(training.ids)
    if count < recipe.batch_size:
        raise ValueError(
            f"{count} training images do not fill one batch of {recipe.batch_size}. Add images."
        )
    return count // recipe.batch_size


steps = count_steps(recipe, training)
print(f"{len(training.ids)} training images in batches of {recipe.batch_size}: "
      f"{steps} steps in an epoch")
assert steps * recipe.batch_size <= len(training.ids)

# %% [markdown]
# A few images are left over in each epoch when the division has a remainder. They are not lost: the order changes
# from epoch to epoch, so others are left over next time.

# %% [markdown]
# ## A small world to experiment in
#
# The real training takes minutes. For experiments with the machinery around it we use tiny pictures, a tiny network
# and few cases: it learns almost nothing, but in seconds. Everything else is as in your recipe.

# %%
import dataclasses

from lungseg_utils.images import Arrays

every = recipe.image_size // 32  # keep one pixel in so many
tiny = dataclasses.replace(recipe, image_size=32, base_filters=2, depth=1, batch_size=4, epochs=4,
                           patience=None)
tiny_arrays = Arrays(arrays.ids, arrays.images[:, ::every, ::every],
                     arrays.masks[:, ::every, ::every])
tiny_split = {"train": split["train"][:16], "val": split["val"][:8]}
assert tiny_arrays.images.shape == (len(cases), 32, 32)

# %%
def tiny_model():
    keras.utils.set_random_seed(42)
    model = model_for(tiny)
    compile_model(model, tiny, steps_per_epoch=4)
    return model


tiny_part = tiny_arrays.part(tiny_split["train"])
tiny_batches = make_dataset(tiny_part.images, tiny_part.masks, tiny, training=True)
tiny_part = tiny_arrays.part(tiny_split["val"])
tiny_checks = make_dataset(tiny_part.images, tiny_part.masks, tiny)

# %% [markdown]
# ## Callbacks
#
# `fit` runs for minutes or hours. How can code of yours run in between? With a **callback**: an object whose methods
# Keras calls at certain moments. You write a class, and name the methods after the moments.
#
# > **Predict.** Two epochs of two steps each: how many lines will this callback print, and in which order?

# %%
class SayWhen(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        print("training begins")

    def on_train_batch_end(self, batch, logs=None):
        print("    step", batch)

    def on_epoch_end(self, epoch, logs=None):
        print("  end of epoch", epoch, "with", sorted(logs))


model = tiny_model()
model.fit(tiny_batches, steps_per_epoch=2, epochs=2, callbacks=[SayWhen()], shuffle=False,
          verbose=0)
print("training has ended")

# %% [markdown]
# The moments are `on_train_begin`, `on_epoch_begin`, `on_train_batch_begin`, and the same with `end`. Keras hands
# over the numbers of the moment in `logs`, and the callback can reach the network as `self.model`. Epochs and steps
# are counted from zero.
#
# A callback that is useful: one line for each epoch.

# %%
class PrintEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        numbers = "  ".join(
            f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss", "val_hard_dice")
        )
        print(f"epoch {epoch + 1:2}/{self.params['epochs']}  {numbers}", flush=True)


# %% tags=["nbval-ignore-output"]
history = model.fit(tiny_batches, validation_data=tiny_checks, steps_per_epoch=4, epochs=2,
                    callbacks=[PrintEpoch()], shuffle=False, verbose=0)

# %% [markdown]
# Names that begin with `val_` were measured on the **validation** images at the end of the epoch: images that the
# network is not trained on.
#
# Keras brings the usual callbacks with it. The recipes use four of them:
#
# | callback | what it does |
# |---|---|
# | `ModelCheckpoint` | saves the network into a file |
# | `CSVLogger` | writes a line per epoch into a table |
# | `ReduceLROnPlateau` | makes the learning rate smaller when progress stalls |
# | `EarlyStopping` | ends the training when progress stalls for long |
#
# We take them one by one, and repair two weak points.

# %% [markdown]
# ## Checkpoints that are whole or absent
#
# A **checkpoint** is the network in a file: its layers, its weights, and the state of the optimizer. Two are kept:
# `last.keras` to go on from, and `best.keras` with the lowest validation loss so far.
#
# A computer can stop at any moment. What if it happens while the file is being written? Let us cut a file in half.

# %%
import tempfile
from pathlib import Path

scratch = Path(tempfile.mkdtemp())
model.save(scratch / "model.keras")
whole = (scratch / "model.keras").read_bytes()
(scratch / "half.keras").write_bytes(whole[: len(whole) // 2])

try:
    keras.models.load_model(scratch / "half.keras")
except Exception as error:
    print("cannot be loaded:", type(error).__name__)

# %% [markdown]
# `ModelCheckpoint` writes straight onto the file of the epoch before. So there is a moment, at every epoch, when the
# good file is gone and the new one is not whole yet. A program that dies then has lost hours of training.
#
# The remedy is old and simple: write *beside* the good file, then *rename*. Renaming replaces the old file by the new
# one in a single action of the file system: at every moment the name stands for a whole file.
#
# `write_whole` does this for the whole course: it gives a draft beside the file to write into, and renames it at the
# end. In the callback, Keras writes into the draft.

# %%
from lungseg_utils.files import write_whole


class SafeCheckpoint(keras.callbacks.ModelCheckpoint):
    def __init__(self, path, **options):
        super().__init__(path, **options)
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with write_whole(self.path) as draft:
            self.filepath = str(draft)
            super().on_epoch_end(epoch, logs)


# %% [markdown]
# We give half a file the checkpoint's name, as a program that died would leave it, and let the callback work:

# %%
import os

os.replace(scratch / "half.keras", scratch / "last.keras")
model.fit(tiny_batches, steps_per_epoch=2, callbacks=[SafeCheckpoint(scratch / "last.keras")],
          shuffle=False, verbose=0)

print(sorted(path.name for path in scratch.iterdir()))
again = keras.models.load_model(scratch / "last.keras")
assert int(again.optimizer.iterations) == int(model.optimizer.iterations)

# %% [markdown]
# The half file is gone, and the checkpoint can be loaded. It even knows how many steps its optimizer has made. Keep
# that in mind: it is how a training run finds out where it was interrupted.
#
# With `save_best_only=True` the file is written only when the validation loss is the lowest so far. That makes
# `best.keras`.

# %% [markdown]
# ## The learning rate: two schedules
#
# The **learning rate** is the size of the steps. Large steps are fast at the beginning and too coarse at the end. A
# **schedule** changes it during training. The recipes `laptop` and `article` have different ones:
#
# - `laptop` has a plan: a short rise ("warm-up", while the first weights are still random), then a fall along half a
#   cosine to zero. The plan depends on the number of the step alone.
# - `article` has a rule: when the validation loss has not improved for 5 epochs, divide by ten. `ReduceLROnPlateau`
#   does this. It depends on how the training goes.
#
# The plan can be drawn before any training. For the rule we invent validation losses that improve for eight epochs
# and then stall, and hand them to the callback ourselves: after all, a callback is only an object with methods.

# %%
from lungseg_utils.recipes import ARTICLE, LAPTOP
from lungseg_utils.training import make_optimizer

plan = make_optimizer(LAPTOP, steps_per_epoch=21)
plan_rates = []
for step in range(LAPTOP.epochs * 21):
    plan.iterations.assign(step)
    plan_rates.append(float(plan.learning_rate))
assert max(plan_rates) <= LAPTOP.learning_rate * 1.0001
assert plan_rates[-1] < 0.01 * LAPTOP.learning_rate

# %%
invented_losses = [1 / (2 + epoch) for epoch in range(8)] + [0.15] * 14

ruled = tiny_model()
ruled.compile(make_optimizer(ARTICLE, steps_per_epoch=4), "mse")
rule = keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=5, min_lr=1e-7)
rule.set_model(ruled)
rule.on_train_begin()
rule_rates = []
for epoch, value in enumerate(invented_losses):
    rule_rates.append(float(ruled.optimizer.learning_rate))
    rule.on_epoch_end(epoch, {"val_loss": value})

# %%
from lungseg_utils import figures

figure, axes = figures.new_figure(1, 2, width=4)
axes[0, 0].plot([step / 21 for step in range(len(plan_rates))], plan_rates, color="black")
axes[0, 0].set(title="laptop: a plan", xlabel="epoch", ylabel="learning rate")
axes[0, 1].step(range(1, len(rule_rates) + 1), rule_rates, where="mid", color="black")
axes[0, 1].set(title="article: a rule, invented losses", xlabel="epoch", yscale="log")
figures.show(figure, "Learning rate over epochs. On the left it rises in a short straight line "
             "and then falls along a cosine to zero. On the right, on a logarithmic axis, it is "
             "level and then falls to a tenth, twice.")

# %%
print("first epoch with a smaller rate:",
      1 + min(e for e, rate in enumerate(rule_rates) if rate < 0.9 * rule_rates[0]))
assert rule_rates[-1] < rule_rates[0]

# %% [markdown]
# The last improvement was in epoch 8. Five epochs without progress follow, and the one after them is the first with
# smaller steps.

# %% [markdown]
# ## Early stopping
#
# When the validation loss has not improved for a long time, more epochs are wasted. `EarlyStopping` waits for
# `patience` epochs and then asks Keras to stop.
#
# > **Predict.** With the same invented losses and a patience of 10: after which epoch does the training stop?

# %%
stop = keras.callbacks.EarlyStopping(patience=10)
stop.set_model(ruled)
stop.on_train_begin()
ruled.stop_training = False
for epoch, value in enumerate(invented_losses):
    stop.on_epoch_end(epoch, {"val_loss": value})
    if ruled.stop_training:
        break
print("stops after epoch", epoch + 1)
assert epoch + 1 == 8 + 10

# %% [markdown]
# ## When the loss is no longer a number
#
# With a learning rate that is far too high, the numbers in the network grow until they are infinite, and the loss
# becomes **NaN**, "not a number". No further step brings it back. So this callback stands first in the list and ends
# the training, before anything of such an epoch is saved.

# %%
import math


class StopAtNaN(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            raise RuntimeError(
                f"Epoch {epoch + 1} ended with loss {logs['loss']} and validation loss {logs['val_loss']}: training "
                "has stopped. Take a smaller learning rate, in another run folder."
            )


# %%
try:
    StopAtNaN().on_epoch_end(0, {"loss": float("nan"), "val_loss": 0.5})
except RuntimeError as error:
    print(error)

# %% [markdown]
# ## The log, and a line that was cut
#
# `CSVLogger` writes one line per epoch into a table. A program that dies may leave half a line. Reading it back must
# not stop at that, so we take whole lines only: those that have an end. A table that another program has saved in its
# own way (some write semicolons) is refused in one sentence.

# %%
import csv

from lungseg_utils.files import DatasetError

# %%
def read_log(path):
    if not Path(path).exists():
        return []
    text = Path(path).read_text(encoding="utf-8-sig")
    whole_lines = text[: text.rfind("\n") + 1].splitlines()
    try:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(whole_lines)
        ]
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} was changed by another program. Put it back, or delete its folder."
        ) from error


# %%
(scratch / "log.csv").write_text("epoch,loss,val_loss\n0,0.9,0.8\n1,0.7,0.75\n2,0.6,0.7\n3,0.5")

for row in read_log(scratch / "log.csv"):
    print(row)
assert len(read_log(scratch / "log.csv")) == 3

# %% [markdown]
# The log can also be *ahead* of the checkpoint: the line of an epoch is written, and then the program dies before its
# weights are saved. That epoch has to be trained again, and its line must not stand there twice. So before going on
# we cut the log to the epochs that were saved, again by writing beside and renaming. A death can come between the two
# by one epoch only. Any other difference means that a file was lost or exchanged.

# %%
def keep_log(path, epochs):
    rows = read_log(path)
    if not epochs <= len(rows) <= epochs + 1:
        raise DatasetError(
            f"{path} holds {len(rows)} epochs, last.keras {epochs}: one of them is lost or old. "
            "Put it back, or delete their folder to train again."
        )
    with write_whole(path) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        if epochs:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows[:epochs])
    return rows[:epochs]


# %%
past = keep_log(scratch / "log.csv", epochs=2)
print((scratch / "log.csv").read_text())
assert past == read_log(scratch / "log.csv") and len(past) == 2

# %% [markdown]
# ## What a checkpoint does not hold
#
# `last.keras` holds weights, optimizer and number of steps. It does not hold the memory of the *callbacks*. After a
# restart, `EarlyStopping` would count its patience from zero again, and `ReduceLROnPlateau` too.
#
# But the log holds everything that they count from. So we do what we did above by hand: we tell them about the past
# epochs, one after the other, before training goes on. `ReduceLROnPlateau` then lowers the learning rate again, which
# it has already done in the past; therefore the learning rate is put back to what the checkpoint holds.

# %%
class ReplayLog(keras.callbacks.Callback):
    def __init__(self, rows, listeners):
        super().__init__()
        self.rows, self.listeners = rows, listeners

    def on_train_begin(self, logs=None):
        rate = float(self.model.optimizer.learning_rate)
        for row in self.rows:
            for listener in self.listeners:
                listener.on_epoch_end(int(row["epoch"]), dict(row))
        # the plateau schedule may have lowered it once more
        if float(self.model.optimizer.learning_rate) != rate:
            self.model.optimizer.learning_rate = rate


# %%
rows = [{"epoch": float(epoch), "val_loss": value}
        for epoch, value in enumerate(invented_losses[:14])]
rule = keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=5, min_lr=1e-7)
stop = keras.callbacks.EarlyStopping(patience=10)
replay = ReplayLog(rows, [rule, stop])
ruled.optimizer.learning_rate = rule_rates[14]  # the checkpoint after 14 epochs holds it
for callback in (rule, stop, replay):
    callback.set_model(ruled)
    callback.on_train_begin()

print("epochs since the best:                     ", stop.wait)
print("epochs since the learning rate was lowered:", rule.wait)
assert float(ruled.optimizer.learning_rate) == rule_rates[14]

# %% [markdown]
# These are the counts that they would have without the interruption. The learning rate is that of the checkpoint.

# %% [markdown]
# ## All callbacks of a recipe
#
# Now the list, in the order in which Keras calls them at the end of an epoch. The order matters twice: a line in the
# log promises that `best.keras` is up to date, and a saved `last.keras` promises that its epoch has its line.

# %%
def make_callbacks(recipe, folder, past):
    best = min((row["val_loss"] for row in past), default=None)
    watchers = [keras.callbacks.EarlyStopping(patience=recipe.patience)] if recipe.patience else []
    if recipe.schedule == "plateau":
        watchers.append(keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=5, min_lr=1e-7))
    return [
        StopAtNaN(),
        *watchers,
        ReplayLog(past, watchers),
        SafeCheckpoint(folder / "best.keras", save_best_only=True, initial_value_threshold=best),
        keras.callbacks.CSVLogger(folder / "log.csv", append=True),  # a logged epoch was compared
        SafeCheckpoint(folder / "last.keras"),  # a saved epoch has its row
        PrintEpoch(),
    ]


# %%
for each in (LAPTOP, ARTICLE):
    print(f"{each.name:8}",
          [type(callback).__name__ for callback in make_callbacks(each, scratch, past=[])])

# %% [markdown]
# One question remains before training goes on: is there anything left to do? There is not when all epochs are done, or
# when early stopping has ended the training. Both can be seen in the log.

# %%
def is_finished(recipe, rows):
    if not rows:
        return False
    losses_so_far = [row["val_loss"] for row in rows]
    since_best = len(rows) - 1 - losses_so_far.index(min(losses_so_far))
    stalled = recipe.patience is not None and since_best >= recipe.patience
    return stalled or len(rows) >= recipe.epochs


patient = dataclasses.replace(tiny, epochs=40, patience=10)
invented = [{"epoch": epoch, "val_loss": value} for epoch, value in enumerate(invented_losses)]
for epochs in (0, 17, 18):
    print(f"after {epochs:2} epochs: finished is {is_finished(patient, invented[:epochs])}")
assert is_finished(dataclasses.replace(patient, epochs=12), invented[:12])

# %% [markdown]
# ## Training that can be interrupted
#
# Three pieces are left. The first: load the network of an interrupted run, or build a new one. A new one starts
# from random weights, unless the recipe's `start` asks for those of the model that the course brings: `load_weights`
# reads them from its file into our network, layer by layer, so the two must have the same layers.

# %%
from lungseg_utils.recipes import SHIPPED_WEIGHTS


def model_to_train(recipe, run_folder, steps):
    last = run_folder / "last.keras"
    if last.exists():
        return keras.models.load_model(last)
    model = model_for(recipe)
    if recipe.start == "drawings":
        model.load_weights(SHIPPED_WEIGHTS)
    compile_model(model, recipe, steps)
    return model


# %%
new = model_to_train(tiny, scratch / "nothing here", steps=4)
old = model_to_train(tiny, scratch, steps=4)
print("steps made by the new one:", int(new.optimizer.iterations))
print("steps made by the saved one:", int(old.optimizer.iterations))

# %% [markdown]
# The second goes on with its training. Read it slowly; you have met every line.
#
# - The number of steps that the optimizer has made says how many epochs are `done`.
# - The pipeline with the same seed gives the same batches again. Those of the epochs that are done are skipped, so
#   that the network goes on with the batches that it would have seen next.

# %%
def go_on(model, recipe, training, validation, run_folder, epochs, seed):
    steps = count_steps(recipe, training)
    done = int(model.optimizer.iterations) // steps
    callbacks = make_callbacks(recipe, run_folder, keep_log(run_folder / "log.csv", done))
    batches = make_dataset(training.images, training.masks, recipe, training=True, seed=seed)
    model.fit(
        batches.skip(done * steps),  # the interrupted run has seen those
        validation_data=make_dataset(validation.images, validation.masks, recipe),
        shuffle=False,  # the pipeline does
        verbose=0,
        steps_per_epoch=steps,
        initial_epoch=done,
        epochs=epochs,
        callbacks=callbacks,
    )


# %% [markdown]
# The third puts all together.
#
# - `claim_run_folder` writes recipe, split, seed and a digest of the images into the run folder, and refuses a folder
#   that holds a run with others. Otherwise you could go on training with images that are meant for the test. Inside
#   the `with`, nobody else trains there: a second program says so, and waits.
# - A run that is finished returns its log.

# %%
from lungseg_utils.training import claim_run_folder


def train(recipe, arrays, split, run_folder, epochs=None, seed=42):
    training, validation = arrays.part(split["train"]), arrays.part(split["val"])
    steps = count_steps(recipe, training)
    with claim_run_folder(run_folder, recipe, training, validation, seed):
        if not is_finished(recipe, read_log(run_folder / "log.csv")):
            keras.utils.set_random_seed(seed)
            model = model_to_train(recipe, run_folder, steps)
            go_on(model, recipe, training, validation, run_folder, epochs or recipe.epochs, seed)
        return read_log(run_folder / "log.csv")


# %% [markdown]
# ### A trial in the small world
#
# > **Predict.** We train the tiny network for four epochs at one go. Then again in another folder, but with a stop
# > after two epochs. Will the losses of epochs 3 and 4 be similar, or the same?

# %% tags=["nbval-ignore-output"]
print("at one go")
at_one_go = train(tiny, tiny_arrays, tiny_split, scratch / "one")
print("in two parts")
train(tiny, tiny_arrays, tiny_split, scratch / "two", epochs=2)
print("   interrupted; now it goes on")
in_two_parts = train(tiny, tiny_arrays, tiny_split, scratch / "two")

# %%
import numpy as np

for name in ("epoch", "loss", "val_loss"):
    assert np.allclose([row[name] for row in at_one_go], [row[name] for row in in_two_parts],
                       atol=1e-4), name
print("The two logs agree. Epochs:", [int(row["epoch"]) for row in in_two_parts])

# %% [markdown]
# The same, up to rounding: weights, optimizer, order of the images, augmentation, learning rate and log all went on
# where they were. Another recipe, however, is refused in that folder:

# %%
try:
    train(dataclasses.replace(tiny, epochs=5), tiny_arrays, tiny_split, scratch / "two")
except ValueError as error:
    print(str(error).replace(f"{scratch}{os.sep}", ""))

# %% [markdown]
# ## The real training
#
# Now your recipe, on all training images. You will want to watch it learn, so one more callback keeps what the network
# says about one validation X-ray: before the first epoch, and after epochs 1, 2, 4, 8, 16, 32 and the last one.
#
# It keeps **probabilities**: for each pixel, how sure the network is that it belongs to a lung, from 0 to 1.

# %%
from lungseg_utils.prediction import predict_probabilities


class Watch(keras.callbacks.Callback):
    def __init__(self, image, path):
        super().__init__()
        self.image, self.path = image, path
        self.seen = dict(np.load(path)) if path.exists() else {}  # of an interrupted run

    def look(self, epoch):
        self.seen[str(epoch)] = predict_probabilities(self.model, self.image[np.newaxis])[0]
        with write_whole(self.path) as draft:
            np.savez(draft, **self.seen)


# %% [markdown]
# That is what it can do. The moments, as above:

# %%
class WatchEpochs(Watch):
    def on_train_begin(self, logs=None):
        self.last = int(self.params["epochs"])
        if int(self.model.optimizer.iterations) == 0:
            self.look(0)

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in (1, 2, 4, 8, 16, 32, self.last):
            self.look(epoch + 1)


# %% [markdown]
# `go_on` takes its callbacks from `make_callbacks`. We put the new one behind them.

# %%
import lungseg_utils.training

validation = arrays.part(split["val"])
watched_image, watched_truth = validation.images[0], validation.masks[0]
watcher = WatchEpochs(watched_image, chosen.run / "watched.npz")


def callbacks_and_watcher(recipe, folder, past):
    return [*lungseg_utils.training.make_callbacks(recipe, folder, past), watcher]


make_callbacks = callbacks_and_watcher  # go_on finds it under this name

# %% [markdown]
# First two epochs, as if the machine had stopped after them.
#
# If you have been here before and the run is finished, the next cells return its log at once. To train again from the
# start, rename or delete the run folder.

# %% tags=["nbval-ignore-output"]
print("run folder:", chosen.run)
log = train(chosen.recipe, arrays, split, chosen.run, epochs=2)
print(len(log), "epochs in the log")

# %% [markdown]
# What lies in the folder? The split of notebook 3, the description of the run, the log, the two checkpoints, and what
# the watcher has kept.

# %% tags=["nbval-ignore-output"]
for path in sorted(chosen.run.glob("*.*")):
    print(f"{path.stat().st_size / 1024:8.0f} kB  {path.name}")

# %% [markdown]
# Now it goes on. `laptop` takes a few minutes on two cores. You can interrupt the cell (the square button) and run it
# again as often as you like: at most one epoch is lost.

# %% tags=["nbval-ignore-output"]
import time

start = time.perf_counter()
log = train(chosen.recipe, arrays, split, chosen.run)
print(f"{time.perf_counter() - start:.0f} seconds")

# %%
epochs = [int(row["epoch"]) for row in log]
assert epochs == list(range(len(log))), "an epoch is missing or stands there twice"
assert is_finished(chosen.recipe, log)
print("The log is continuous, and the training is finished.")

# %% [markdown]
# Well done: this network is yours. (The same functions stand in `lungseg_utils.training` for the notebook that follows
# and for the command line.)

# %% [markdown]
# ## Watch it learn
#
# > **Predict.** Which part of the outline will be right first, and which last: the ribs, the heart, the upper ends, the
# > lower corners?
#
# The solid line is the true outline. The dashed one runs where the network's probability is 0.5.

# %%
from lungseg_utils.scores import dice


def draw_answer(place, image, truth, probabilities, title):
    mask = probabilities > 0.5
    mask[[0, -1]] = mask[:, [0, -1]] = False  # so that an outline closes at the picture's edge
    figures.draw_xray(place, image, title)
    figures.draw_outlines(place, truth)
    figures.draw_outlines(place, mask, figures.PREDICTION)


def dice_of(truth, probabilities):
    return dice(truth.max(axis=-1), (probabilities > 0.5).max(axis=-1))


# %% tags=["nbval-ignore-output"]
from lungseg_utils.prediction import load_model

best = load_model(chosen.run / "best.keras")
seen = dict(watcher.seen)
seen["kept"] = predict_probabilities(best, watched_image[np.newaxis])[0]

figure, axes = figures.new_figure(-(-len(seen) // 3), 3, width=3.6, height=3.8)  # rows: rounded up
titles = {epoch: f"epoch {epoch}" for epoch in seen} | {"kept": "the weights that are kept"}
for place, (epoch, answer) in zip(axes.flat, seen.items()):
    draw_answer(place, watched_image, watched_truth, answer,
                f"{titles[epoch]}: Dice {dice_of(watched_truth, answer):.3f}")
for place in axes.flat[len(seen):]:
    place.set_axis_off()
figures.show(figure, "One validation X-ray, before training and after epochs 1, 2, 4 and so on: "
             "the dashed line of the network comes closer and closer to the solid true outline.")

# %% [markdown]
# Before training, the network's answer is noise, and the first epochs change little of that. Then, within few epochs,
# the two large regions are found. What takes long is what "dark is lung" gets wrong: pale parts of a lung, sharp
# corners, and dark gas below the diaphragm that is no lung.
#
# The next cell shows the same pictures at one place. Move the slider. (It works while the notebook runs.)

# %% tags=["nbval-ignore-output"]
from lungseg_utils.widgets.steps import slider

pictures = {}
for epoch, answer in seen.items():
    pictures[epoch], axes = figures.new_figure(width=4.5, height=4.5)
    draw_answer(axes[0, 0], watched_image, watched_truth, answer, titles[epoch])

reached = [dice_of(watched_truth, answer) for answer in seen.values()]
assert reached[-1] >= reached[0]
slider("epoch", pictures,
       "The watched X-ray with its true outline, solid, and the network's, dashed.")

# %% [markdown]
# ## Learning curves
#
# > **Predict.** Which curve will be better, the one of the training images or the one of the validation images?

# %% tags=["nbval-ignore-output"]
kept = min(log, key=lambda row: row["val_loss"])

figure, axes = figures.new_figure(1, 2, width=4.5)
figures.draw_curves(axes[0, 0], log, "loss", "loss")
figures.draw_curves(axes[0, 1], log, "hard_dice", "hard Dice of both lungs")
axes[0, 0].set_yscale("log")  # small losses can be told apart
for each in axes[0]:
    each.axvline(kept["epoch"] + 1, color="gray", linestyle=":")
figures.show(figure, "Two pairs of learning curves over epochs, training solid and validation "
             "dashed: the loss falls, fast at first and then slowly, and the Dice coefficient "
             "rises. A dotted line marks the kept epoch.")

# %% [markdown]
# How to read such curves:
#
# - both fall and lie close together: the network learns what holds for other images too
# - both are still falling at the end: more epochs would help
# - training falls, validation rises: **overfitting**, the network learns its training images by heart
# - validation jumps up and down: the learning rate is high, or there are few validation images
#
# And how not to read them. The two curves are not measured in the same way, so the validation curve can lie *below*
# the training loss without anything being wrong. The training numbers
#
# - are means over the epoch, taken *while* the weights still change; the validation numbers come after its last step
# - are taken on augmented images, where the recipe augments; validation images are left as they are
# - are taken in training mode: batch normalisation uses the statistics of each batch
#
# To compare like with like, measure the training images in the way of the validation images: after the last step, not
# augmented, not in training mode.

# %% tags=["nbval-ignore-output"]
last = keras.models.load_model(chosen.run / "last.keras")
measured = last.evaluate(make_dataset(training.images, training.masks, recipe), verbose=0,
                         return_dict=True)

for name in ("loss", "hard_dice"):
    print(f"{name:9}  training, from the log {log[-1][name]:.4f}   training, "
          f"measured alike {measured[name]:.4f}   "
          f"validation {log[-1][f'val_{name}']:.4f}")

# %% [markdown]
# The third number belongs beside the second, not beside the first. The distance between those two is the gap between
# images that the network has learned from and images that are new to it.

# %% [markdown]
# ## Which epoch is kept?

# %% tags=["nbval-ignore-output"]
print(f"best.keras: epoch {kept['epoch'] + 1:.0f} of {len(log)}, "
      f"validation loss {kept['val_loss']:.4f}, "
      f"validation hard Dice {kept['val_hard_dice']:.4f}")
assert (chosen.run / "best.keras").exists()

# %% [markdown]
# The epoch with the lowest validation loss is kept: of all the weights that we had, those that did best on images
# they were not trained on.
#
# But this number must not be reported as the quality of the network. It is the *lowest of many*. A part of it is luck,
# and we picked the luckiest. The validation images chose the epoch, so they are no longer neutral. For the report there
# are the test images, which have chosen nothing. Their scores come in notebook 9, and only there.

# %% [markdown]
# ## Half the digits: bfloat16
#
# A network usually computes with numbers of 32 bits (float32). Many processors compute faster with 16 bits. Of the two
# common 16-bit kinds, **bfloat16** has the same range as float32 but only about three decimal digits; **float16** has
# more digits but a small range. In **mixed precision** the layers compute in 16 bits, while the weights are kept in 32
# bits. Our network's last layer stays in float32 too: the loss adds thousands of pixels and needs the digits.
#
# > **Predict.** Half the bits: twice as fast?
#
# (If a message of oneDNN appears, it says that this processor has no bfloat16 instructions. oneDNN is the library with
# TensorFlow's fast convolutions.)

# %%
def seconds_per_step(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = model_for(tiny_but_wide)
    finally:
        keras.config.set_dtype_policy("float32")
    compile_model(model, tiny_but_wide, steps_per_epoch=1)
    model.train_on_batch(*small_batch)  # the first step also compiles
    start = time.perf_counter()
    for _ in range(2):
        model.train_on_batch(*small_batch)
    return (time.perf_counter() - start) / 2


# %% tags=["nbval-ignore-output"]
every = recipe.image_size // 64
tiny_but_wide = dataclasses.replace(tiny, image_size=64, base_filters=8)
small_batch = next(iter(make_dataset(training.images[:4, ::every, ::every],
                                     training.masks[:4, ::every, ::every],
                                     tiny_but_wide)))
full, half = seconds_per_step("float32"), seconds_per_step("mixed_bfloat16")
print(f"float32 {1000 * full:.0f} ms, mixed_bfloat16 {1000 * half:.0f} ms per step: "
      f"{half / full:.1f} times as long")

# %% [markdown]
# Not on every machine. A processor with bfloat16 instructions (AVX512-BF16 or AMX, in servers of recent years)
# multiplies large matrices faster with it. With a small network the conversions can cost more than that gains. One
# without them has to imitate them, and is several times *slower*. Measure before you switch. The recipes stay with
# float32.
#
# What changes with a GPU? In the code, nothing. TensorFlow places the work on the GPU when there is one. Besides:
#
# - Keras' `jit_compile="auto"` uses **XLA**, a compiler that joins many small operations into few large ones, on a
#   GPU; on a CPU it leaves it off, where it would rather slow us down.
# - Recent GPUs have units for 16 bits: `keras.config.set_dtype_policy("mixed_float16")` (or `"mixed_bfloat16"` on
#   newer ones) before the network is built is worth a measurement.
# - A GPU adds numbers in another order than a CPU, so the losses differ in the last digits, and after many steps in
#   more than those.

# %% tags=["nbval-ignore-output"]
print("GPU:", bool(tf.config.list_physical_devices("GPU")), "  XLA:", last.jit_compile)

# %%
import shutil

shutil.rmtree(scratch)  # the small world is no longer needed

# %% [markdown]
# ## Your network at work
#
# Three X-rays of the test set, which your network has never seen. Every choice is made by now, so to look at them
# cannot flatter anything any more.

# %% tags=["nbval-ignore-output"]
test = arrays.part(split["test"][:3])
figure, axes = figures.new_figure(1, 3, width=3.6, height=3.8)
for place, image, truth, answer in zip(axes[0], test.images, test.masks,
                                       predict_probabilities(best, test.images)):
    draw_answer(place, image, truth, answer, f"Dice {dice_of(truth, answer):.3f}")
figures.show(figure, "Three X-rays of the test set. On each, the network's dashed outline lies "
             "close to the solid true one around both lungs.")

# %% [markdown]
# A network with random weights has become one that outlines lungs, in some minutes, from examples alone. You have
# trained it. In notebook 1 you outlined an X-ray yourself: what does your network say about that one?

# %% tags=["nbval-ignore-output"]
from lungseg_utils.files import read_json

path = course.home() / "my_outline.json"
mine = read_json(path) if path.exists() else {"case": None}
if mine["case"] in arrays.ids:
    place = arrays.ids.index(mine["case"])
    [answer] = predict_probabilities(best, arrays.images[[place]])
    part = next(name for name, ids in split.items() if mine["case"] in ids)
    print(f"{mine['case']}: your outline {mine['dice']:.3f}, your network "
          f"{dice_of(arrays.masks[place], answer):.3f}")
    print(f"This X-ray is in the part '{part}'. Is the comparison fair?")
else:
    print("You have not outlined an X-ray yet. Notebook 1 has one for you, and keeps your score.")

# %% [markdown]
# ## Check yourself
#
# **1.** Your training loss is 0.20 and your validation loss is 0.17. A colleague says that you have mixed up the two
# sets. What do you answer?
#
# <details><summary>Answer</summary>
#
# It need not be a mistake. The training loss is a mean over an epoch in which the weights were still getting better,
# on augmented images, in training mode. The validation loss is measured after the epoch, on images that are left as
# they are. Evaluate the training images in the same way, then compare.
#
# </details>
#
# **2.** Why is the log written before `last.keras`, and not after?
#
# <details><summary>Answer</summary>
#
# If the program dies between the two, the log has a line too many, and that can be cut off. The other way round, a
# saved epoch would have no line, and its numbers would be lost.
#
# </details>
#
# **3.** Someone saves only the weights, not the optimizer, and goes on from them. Name two things that are lost.
#
# <details><summary>Answer</summary>
#
# The number of steps, and with it the place in the learning-rate schedule and in the order of the images; and the
# running means that Adam keeps for every weight.
#
# </details>
#
# **4.** Why may a paper not report the lowest validation loss as its result?
#
# <details><summary>Answer</summary>
#
# It is the best of many tries on the same images, so part of it is luck. Images that took no part in the choice give
# an honest number.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: A stop that asks for more
#
# Our early stop counts every lower validation loss as progress, however little lower. Write the rule with a *least*
# progress:
#
# - There is a reference: the loss of the last epoch that counted as progress. An epoch counts as progress when its loss
#   is lower than the reference by *more* than `least`; then its loss is the new reference. As long as
#   there is no reference, any number is progress.
# - When `patience` epochs in a row were no progress, training stops.
# - A loss can be NaN ("not a number"), when values have become infinite. NaN is never progress, not even in the first
#   epoch.
#
# `losses` is a list of numbers, one per epoch, `patience` is at least 1, `least` is 0 or more. Return the number of
# epochs after which training stops, or `None` if it does not stop before the list ends.
#
# By hand: for `[0.50, 0.40, 0.39, 0.38, 0.37]` and `least=0.025`, epochs 1, 2 and 5 are progress. With a patience of 2
# the answer is 4, with a patience of 3 it is `None`.
#
# <details><summary>Hint</summary>
#
# Two variables are enough: the reference, and how many epochs have waited. Which number can be the reference before the
# first epoch? Every comparison with NaN is false: `nan < 1` and also `nan >= 1`.
#
# </details>

# %%
def stops_after(losses, patience, least):
    """Number of epochs after which training stops for want of progress, or None."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    slow, nan = [0.5, 0.4, 0.39, 0.38, 0.37], float("nan")
    for losses, patience, least, right, look in (
            (slow, 2, 0.025, 4, "Epochs are counted from 1, and those without progress are 3 and 4."),
            (slow, 3, 0.025, None, "Compare with the last epoch that was progress: small steps add up."),
            ([3, 2, 2, 1, 1, 1], 2, 0, 6, "Loss 2 in epoch 3 is no lower than before, and only epochs in a row count."),
            ([nan, 0.5, nan, nan], 2, 0, 4, "What do your comparisons say about NaN, and what comes after a NaN?")):
        answer = stops_after(losses, patience, least)
        assert answer == right, f"{losses} with patience {patience} and least {least} gave {answer}. {look}"


# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def stops_after(losses, patience, least):
#     reference, waited = float("inf"), 0
#     for epoch, loss in enumerate(losses, 1):
#         waited += 1
#         if loss < reference - least:
#             reference, waited = loss, 0
#         if waited == patience:
#             return epoch
#     return None
# ```
#
# The reference stays where it is while nothing counts as progress, so that slow but steady progress counts in the end.
# If you compare with the epoch before, you stop a training that still gets better. Asking "is it lower?" and not "is it
# not lower?" leaves NaN out. Keras has the same rule, `EarlyStopping(min_delta=...)`, with one exception: the
# first loss becomes its reference even if it is NaN, and then nothing is ever lower.
#
# </details>
#
# ### Exercise 2: A batch in pieces
#
# A large batch may not fit into memory. Its gradient can be computed all the same: a few images at a time, and the
# gradients put together at the end. Then one step is made, as if the whole batch had been there.
#
# Write this for one batch. `images` and `masks` are arrays with the image as their first axis, and `model.loss` returns
# one loss per image, as ours does. Show the model at most `size` images at once; the last piece may be smaller. Return
# a list with one gradient for each of `model.trainable_variables`: that of the *mean* loss of all images. Change no
# weight. The model here has no batch normalisation: that would take its mean and spread from each piece, and the result
# would differ. (The check watches what `model.loss` is given, so do not use `tf.function`.)
#
# For example, 7 images with `size=3` make pieces of 3, 3 and 1 images, and the result is the same as with `size=7`, up
# to rounding.
#
# <details><summary>Hint</summary>
#
# The four lines of "One step by hand" do it for one piece. The gradient of a sum is the sum of the gradients. When do
# you divide, and by what?
#
# </details>

# %%
def gradient_in_parts(model, images, masks, size):
    """Gradient of the mean loss of a batch, computed from at most so many images at once."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    seen, random = [], np.random.default_rng(0)
    net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid")])
    net.compile(loss=lambda a, b: seen.append(int(a.shape[0])) or tf.reduce_mean((a - b) ** 2, axis=(1, 2, 3)))
    for count in (6, 7):
        images, masks = np.split(random.random((count, 8, 8, 3), "float32"), [1], axis=-1)
        seen.clear()
        answer = gradient_in_parts(net, images, masks, 3)
        assert sum(seen) == count and max(seen) <= 3, f"{count} images were given to the loss in pieces of {seen}"
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(net.loss(masks, net(images)))
        for yours, right in zip(answer, tape.gradient(loss, net.trainable_variables), strict=True):
            same = np.shape(yours) == right.shape and np.allclose(yours, right, rtol=1e-3, atol=1e-6)
            assert same, f"{count} images in pieces of 3 give another gradient. Does each image count the same?"


# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def gradient_in_parts(model, images, masks, size):
#     total = [0.0] * len(model.trainable_variables)
#     for start in range(0, len(images), size):
#         part = slice(start, start + size)
#         with tf.GradientTape() as tape:
#             loss = tf.reduce_sum(model.loss(masks[part], model(images[part], training=True)))
#         gradients = tape.gradient(loss, model.trainable_variables)
#         total = [before + new for before, new in zip(total, gradients)]
#     return [each / len(images) for each in total]
# ```
#
# Add the losses of all images, and divide once, by the number of images. The mean of the pieces' means is the usual
# mistake: an image in a small last piece then counts more than the others. Two things cannot be put together like this:
# batch normalisation in training mode, which takes its statistics from each piece, and the article's pooled Dice, which
# is no mean over images. (Optimizers of Keras can join several batches: `gradient_accumulation_steps`.)
#
# </details>
#
# ### Further
#
# 1. Train your recipe with another seed and compare the two lowest validation losses. How large is the part of
#    chance? *Hint: `train(..., run_folder=chosen.run.with_name("seed7"), seed=7)`; a run folder holds one run.*
# 2. Write a callback `StopAtDice` that ends the training when `val_hard_dice` exceeds a number, and try it in the
#    small world. *Hint: set `self.model.stop_training = True` in `on_epoch_end`.*
# 3. Interrupt the real training yourself: rename the run folder, start again, press the square button after some
#    epochs, and run the cell once more. *Hint: the seed is fixed, so the split that is made anew is the same.*
#
# ## Summary
#
# - A training step: predict, loss, gradient, step. `fit` repeats it.
# - Callbacks run your code during `fit`: they save, log, lower the learning rate, stop, and watch.
# - Write beside and rename: then a file is whole or absent.
# - A network learns the large regions first, and the difficult places last.
# - A run can go on exactly when weights, optimizer, place in the data, and the memory of the callbacks are all kept.
# - Training and validation curves are measured in different ways, and the kept epoch's validation loss is too good.
#
# **Next:** [notebook 9](09_predict.ipynb) loads the trained network, predicts the test images, and asks how far to
# trust it.
