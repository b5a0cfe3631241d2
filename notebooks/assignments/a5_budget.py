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
# # Assignment 5 · Train within a budget, evaluate honestly, write up a failure
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/assignments/student/a5_budget.ipynb)
#
# Two trainings can only be compared when they were allowed the same number of steps, and two results only when they
# were measured in the same way. Here you write a callback that keeps to a budget and one that averages weights, a
# prediction that is averaged over shifts, and a report that hides nothing. Then you train a small network within a
# budget, look for its worst failure, and write down what you found.
#
# **You will be able to**
#
# - write callbacks that count steps, stop training, and copy weights in and out of a network
# - average weights over a training, and predictions over shifted pictures
# - report scores per patient, at the size of the file and in millimetres, and refuse to report when patients are shared
# - describe a failure so that somebody else can check your explanation
#
# **Time:** 90 minutes
#
# **Needs:** notebooks 8 and 9 read. Nothing to download, the X-rays are drawn here.
#
# | part | marks |
# |---|---|
# | 1 A budget of steps | 15 |
# | 2 The mean of the weights | 20 |
# | 3 Predict more than once | 20 |
# | 4 An honest report | 20 |
# | 5 Write up a failure | 50 |
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

import cv2
import keras
import numpy as np
import tensorflow as tf

from lungseg_utils import figures
from lungseg_utils.drawing import draw_phantom
from lungseg_utils.scores import assd, dice, outline_distances

# %% [markdown]
# Callbacks are hard to test on a real network, because nobody knows what its weights should be. So most tests use a
# "network" whose training is to count: it starts with zeros, and after step `k`
#
# - its weight `slope`, which belongs to those that are trained, is `k`
# - its weight `moving`, which no gradient changes, is `10 * k`. It stands for the moving mean of a batch normalisation
#
# `train_toy` trains it with `fit`: an epoch has 6 steps. It returns how many steps were really made. For Keras, and for
# your callbacks, this is a training like any other.

# %% nbgrader={"grade": false, "grade_id": "probe-1", "locked": true, "schema_version": 3, "solution": false, "task": false}
class CountingModel(keras.Model):
    def __init__(self, start):
        super().__init__()
        self.slope, self.moving = self.add_weight(), self.add_weight(trainable=False)  # numbers
        for number in self.weights:
            number.assign(start)
        self.built = True

    def call(self, inputs, training=False):
        return inputs * self.slope

    def train_step(self, data):  # Keras calls it for each batch; here it makes a step without any gradient
        for number, more in ((self.slope, 1), (self.moving, 10), (self.optimizer.iterations, 1)):
            number.assign(number + more)
        return {"loss": 0.0}

# %% nbgrader={"grade": false, "grade_id": "probe-2", "locked": true, "schema_version": 3, "solution": false, "task": false}
def two_weights(model):
    return float(model.slope), float(model.moving)


def steps_made(model):
    return int(model.optimizer.iterations)

# %% nbgrader={"grade": false, "grade_id": "probe-8", "locked": true, "schema_version": 3, "solution": false, "task": false}
def counting_model(start=0.0):
    model = CountingModel(start)
    model.compile(keras.optimizers.SGD(), "mse", run_eagerly=True)
    return model


def train_toy(model, callbacks, epochs=1, with_validation=False):
    before, validation = steps_made(model), six_batches if with_validation else None
    model.fit(six_batches, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0, validation_data=validation)
    return steps_made(model) - before

# %% nbgrader={"grade": false, "grade_id": "setup-5", "locked": true, "schema_version": 3, "solution": false, "task": false}
six_batches = tf.data.Dataset.from_tensors((np.ones((4, 1)), np.ones((4, 1)))).repeat(6)

# %% nbgrader={"grade": false, "grade_id": "probe-5", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Listener(keras.callbacks.Callback):  # another callback: it writes down what it hears, and the weights
    def on_train_begin(self, logs=None):
        self.heard, self.path = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.path.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        self.heard.append(f"epoch {epoch}")

    def on_train_end(self, logs=None):
        self.heard.append("end")

# %%
model = counting_model()
print(train_toy(model, [], epochs=2), "steps; slope and moving are", two_weights(model))

# %% [markdown]
# For parts 3 and 4, two networks that are not trained at all. `fixed_answer` says the same probabilities whatever it is
# shown, and `as_model` makes a network out of layers, each given by its name and its options. There are also some drawn X-rays to look at.

# %% nbgrader={"grade": false, "grade_id": "probe-3", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Fixed(keras.layers.Layer):
    def call(self, images):
        return images[..., :1] * 0 + self.table


class AsModel(keras.Sequential):
    def predict(self, x, **options):  # the same numbers as Keras', without its preparations for large data
        return self(x, training=False).numpy()

# %% nbgrader={"grade": false, "grade_id": "probe-4", "locked": true, "schema_version": 3, "solution": false, "task": false}
def as_model(shape, *layers):  # for example as_model((8, 8, 1), ("Conv2D", {"filters": 2, "kernel_size": 1}))
    return AsModel([keras.Input(shape), *(getattr(keras.layers, name)(**options) for name, options in layers)])


def fixed_answer(table):  # table: rows and columns of probabilities
    layer = Fixed()
    layer.table = np.float32(table)[..., np.newaxis]
    return AsModel([keras.Input((*np.shape(table), 1)), layer])

# %% nbgrader={"grade": false, "grade_id": "setup-8", "locked": true, "schema_version": 3, "solution": false, "task": false}
drawn = [draw_phantom(81_000 + number, 128, finding=number % 2 == 1) for number in range(6)]
print(len(drawn), "X-rays of", drawn[0].image.shape, drawn[0].image.dtype, "with masks", drawn[0].masks.shape)

# %% [markdown]
# ## Part 1: A budget of steps (15 marks)
#
# An epoch is a bad unit for a comparison: how long it is depends on the number of images and on the batch size. A step
# of the optimizer is a better one. Write a callback `StepBudget(budget)` that lets `fit` make exactly `budget` steps.
#
# - `budget` is an integer, 1 or more.
# - After the last allowed step, training ends **at once**, also in the middle of an epoch. `fit` ends in an orderly
#   way: it raises nothing, and the other callbacks hear of the end of the epoch and of the training as usual.
# - The attribute `used` is the number of steps made so far: an integer, 0 before any training. It is right at
#   any time, also when training ends for another reason before the budget is used up.
# - The budget belongs to the object: when the same object is given to `fit` again, its steps **add up** over the calls.
#   Steps that the model made without it do not count.
# - When an object whose budget is used up is given to `fit` again, `fit` raises a `ValueError` before any step is made.
# - Only optimizer steps count, no batches of validation.
#
# You may rely on this: the model is not compiled with `steps_per_execution`, so that a batch is a step.
#
# By hand: 6 steps are an epoch. With a budget of 9, `fit` over 4 epochs makes 6 steps and then 3, and `used` is 9.
#
# Write the rest of `__init__`, and below it the methods that you need.

# %% nbgrader={"grade": false, "grade_id": "step_budget", "locked": false, "schema_version": 3, "solution": true, "task": false}
class StepBudget(keras.callbacks.Callback):
    """Lets training make exactly `budget` optimizer steps, over all epochs and calls of `fit`; `used` counts them."""

    def __init__(self, budget):
        super().__init__()
        ### BEGIN SOLUTION
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError(f"All {self.budget} steps are used up. Make a new StepBudget.")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.model.stop_training = True
    ### END SOLUTION

# %% [markdown]
# Look at it:

# %%
budget = StepBudget(9)
print("allowed 9, made", train_toy(counting_model(), [budget], epochs=4), "and written down", budget.used)

# %% nbgrader={"grade": true, "grade_id": "step_budget-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# as many steps as allowed, also in the middle of an epoch (4 marks)
for allowed in (6, 4, 9):
    callback = StepBudget(allowed)
    made = train_toy(counting_model(), [callback], epochs=4)
    assert made == allowed, f"budget {allowed}, 4 epochs of 6 steps: the optimizer made {made} steps. When do you stop?"
### BEGIN HIDDEN TESTS
for allowed in (1, 7, 17, 18):
    callback = StepBudget(allowed)
    made = train_toy(counting_model(), [callback], epochs=3)
    assert made == allowed, f"budget {allowed}, 3 epochs of 6 steps: the optimizer made {made} steps. When do you stop?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "step_budget-test-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# the steps are written down in `used` (3 marks)
callback = StepBudget(100)
assert callback.used == 0, f"before any training, used is {callback.used}"
made = train_toy(counting_model(), [callback], epochs=2)
assert made == callback.used, f"100 allowed, the data ended after {made} steps, and used is {callback.used}"
callback = StepBudget(9)
made = train_toy(counting_model(), [callback], epochs=4)
assert made == callback.used, f"9 allowed, the optimizer made {made} steps, and used is {callback.used}"
### BEGIN HIDDEN TESTS
for allowed in (2, 8, 13):
    callback = StepBudget(allowed)
    made = train_toy(counting_model(), [callback], epochs=2)
    assert made == callback.used, f"{allowed} allowed, the optimizer made {made} steps, and used is {callback.used}"
    assert int(callback.used) == callback.used, f"used should be an integer and is {callback.used!r}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "step_budget-test-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# which steps count: those of all calls of fit, none that the model made before (3 marks)
callback, again = StepBudget(9), StepBudget(9)
at_one_go = train_toy(counting_model(), [callback], epochs=4)
model = counting_model()
in_two_calls = train_toy(model, [again], epochs=1) + train_toy(model, [again], epochs=3)
assert in_two_calls == at_one_go, f"budget 9: {at_one_go} steps in one call of fit, {in_two_calls} in two. Who counts?"
model = counting_model()
train_toy(model, [], epochs=1)
after_others = train_toy(model, [StepBudget(9)], epochs=4)
assert after_others == at_one_go, f"budget 9: {after_others} steps when the model was trained before without it"
### BEGIN HIDDEN TESTS
model, again = counting_model(), StepBudget(15)
made = [train_toy(model, [again], epochs=1) for _ in range(2)]
train_toy(model, [], epochs=1)
made.append(train_toy(model, [again], epochs=2))
at_one_go = train_toy(counting_model(), [StepBudget(15)], epochs=4)
assert sum(made) == at_one_go, f"budget 15: {at_one_go} steps in one call of fit, {made} in three, with others between"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "step_budget-test-4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# nothing left (2 marks)
callback, model = StepBudget(6), counting_model()
train_toy(model, [callback], epochs=1)
try:
    train_toy(model, [callback], epochs=1)
    raised = "no error"
except Exception as error:
    raised = type(error).__name__
steps, which = steps_made(model), "budget 6 is used up, and fit is called again"
assert raised == "ValueError", f"{which}: {raised}, where a ValueError is asked for"
assert steps == 6, f"{which}: the optimizer is at step {steps}"

# %% nbgrader={"grade": true, "grade_id": "step_budget-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# validation does not count, and other callbacks are not disturbed (3 marks)
callback, listener = StepBudget(9), Listener()
plain = train_toy(counting_model(), [callback], epochs=4)
checked = train_toy(counting_model(), [StepBudget(9), listener], epochs=4, with_validation=True)
heard = list(listener.heard)
assert checked == plain, f"budget 9: {plain} steps without validation, {checked} with it. What do you count?"
assert heard[:1] == ["epoch 0"] and heard[-1:] == ["end"], f"another callback heard only of {heard}"
### BEGIN HIDDEN TESTS
model, callback = counting_model(), StepBudget(9)
train_toy(model, [callback], epochs=1)
used = callback.used
model.evaluate(np.ones((24, 1)), np.ones((24, 1)), batch_size=4, callbacks=[callback], verbose=0)
model.predict(np.ones((24, 1)), batch_size=4, callbacks=[callback], verbose=0)
assert callback.used == used, f"evaluate and predict raised used from {used} to {callback.used}. What do you count?"
train_toy(model, [callback, listener], epochs=4)
heard = list(listener.heard)
assert heard[-1:] == ["end"], f"another callback heard only of {heard}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: The mean of the weights (20 marks)
#
# Near the end of a training the weights do not stand still: each batch pulls them another way. Their mean over the
# last steps often lies closer to the middle of the valley than any single one, and gives a better network for free.
# This is *stochastic weight averaging* (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
# Generalization", UAI 2018, arXiv:1803.05407).
#
# Write a callback `MeanWeights(start, every=1)`.
#
# - Steps are counted from 1, over all epochs of one call of `fit`. The weights as they are **after** the steps `start`,
#   `start + every`, `start + 2 * every` and so on go into the mean. Each of them counts the same.
# - "The weights" are all of `model.weights`: also those that no gradient changes. The moving statistics of a batch
#   normalisation fit the weights that they were measured with. (The authors measure them anew, with another pass over
#   the training images. We average them like the others. That is close, as long as the weights lie near each
#   other.)
# - Training itself goes on with its own weights, as if the callback were not there. At the end of training (for
#   whatever reason it ends), the mean is put into the model.
# - The attribute `count` says how many sets of weights the mean is made of. If there is none, because training was
#   too short, the model keeps its weights, and `count` is 0.
# - The method `restore()` puts back the weights that the last step of training has left, all of them.
# - Each call of `fit` begins anew, with a new count of steps and a new mean.
#
# Numbers may differ by 0.001.
#
# By hand: in 2 epochs of 6 steps, `MeanWeights(4, every=3)` takes the weights after steps 4, 7 and 10. For the network
# that counts, the mean of `slope` is (4 + 7 + 10) / 3 = 7, that of `moving` is 70, and `count` is 3. `restore()`
# then makes them 12 and 120.
#
# Write the rest of `__init__`, and below it the methods that you need.

# %% nbgrader={"grade": false, "grade_id": "mean_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
class MeanWeights(keras.callbacks.Callback):
    """Puts the mean of the weights after steps `start`, `start + every`, … into the model when training ends."""

    def __init__(self, start, every=1):
        super().__init__()
        ### BEGIN SOLUTION
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.mean = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            pairs = zip(self.mean, self.model.get_weights())
            self.mean = [mean + (new - mean) / self.count for mean, new in pairs]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights(self.mean)

    def restore(self):
        self.model.set_weights(self.last)
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "probe-6", "locked": true, "schema_version": 3, "solution": false, "task": false}
def real_training(callbacks, seed):
    """Train a small network from random weights; all its weights after each step, and at the end."""
    rng, watch = np.random.default_rng(seed), Listener()
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(momentum=0.8), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.set_weights([rng.normal(size=each.shape) ** 2 for each in model.weights])
    model.compile(keras.optimizers.Adam(0.05), "mse", run_eagerly=True)
    model.fit(rng.normal(size=(24, 2)), rng.normal(size=(24, 1)), batch_size=4, shuffle=False, verbose=0,
              callbacks=[*callbacks, watch])
    return watch.path, model.get_weights()

# %% [markdown]
# Look at it: a network of one weight learns to multiply by 3. Its data are noisy and its learning rate is high, so the
# weight never comes to rest.

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(2)
inputs = np.random.default_rng(2).normal(size=(800, 1))
outputs = 3 * inputs + np.random.default_rng(3).normal(size=(800, 1))
line = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
line.compile(keras.optimizers.SGD(0.15), "mse", run_eagerly=True)
path, averaging = [], MeanWeights(60)
watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: path.append(line.get_weights()[0][0, 0]))
line.fit(inputs, outputs, batch_size=4, callbacks=[watch, averaging], verbose=0)
print(f"from step 60 on between {min(path[59:]):.2f} and {max(path[59:]):.2f}, mean {line.get_weights()[0][0, 0]:.2f}")

# %% tags=["nbval-ignore-output"]
figure, axes = figures.new_figure(width=6, height=2.8)
axes[0, 0].plot(range(1, len(path) + 1), path, color="black", linewidth=0.8, label="after each step")
axes[0, 0].axhline(3, color="grey", linestyle=":", label="true value")
axes[0, 0].plot([60, len(path)], [line.get_weights()[0][0, 0]] * 2, "--", color="tab:blue", linewidth=2, label="mean")
axes[0, 0].set(xlabel="step", ylabel="weight")
axes[0, 0].legend()
figures.show(figure, "A weight over 200 steps: it rises to about three and then jumps up and down around it. The "
             "dashed line of the mean over the later steps lies near the dotted line of the true value.")

# %% nbgrader={"grade": true, "grade_id": "mean_weights-test-1", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# the mean of the right steps (6 marks)
for start, every, right, count in ((4, 3, 7, 3), (10, 1, 11, 3), (1, 1, 6.5, 12), (5, 4, 7, 2)):
    callback, model = MeanWeights(start, every), counting_model()
    train_toy(model, [callback], epochs=2)
    got = two_weights(model)[0]
    which = f"12 steps, start {start}, every {every}"
    assert abs(got - right) < 1e-3, f"{which}: the mean is {got:.3f} and not {right}. Which steps, with which share?"
    assert callback.count == count, f"{which}: count is {callback.count}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(51)
for start, every in zip(rng.integers(1, 11, 4).tolist(), rng.integers(1, 6, 4).tolist()):
    callback, model = MeanWeights(start, every=every), counting_model()
    train_toy(model, [callback], epochs=2)
    steps = [step for step in range(1, 13) if step in range(start, 13, every)]
    got, which = two_weights(model)[0], f"12 steps, start {start}, every {every}"
    assert abs(got - np.mean(steps)) < 1e-3, f"{which}: the mean is {got:.3f}. Which steps, with which share?"
    assert callback.count == len(steps), f"{which}: count is {callback.count}"
model = counting_model(1000.125)  # numbers that half precision does not hold
train_toy(model, [MeanWeights(1)], epochs=2)
got = two_weights(model)[0]
assert abs(got - 1006.625) < 2e-3, f"weights around 1000, 12 steps: the mean is {got:.3f}, should be 1006.625"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "mean_weights-test-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# weights that no gradient changes (4 marks)
callback, model = MeanWeights(4, 3), counting_model()
train_toy(model, [callback], epochs=2)
slope, moving = two_weights(model)
look = "Which weights of the model do you take?"
assert abs(moving - 10 * slope) < 0.01, f"slope is {slope:.2f} at the end, and moving {moving:.2f}. {look}"
### BEGIN HIDDEN TESTS
for start, every in ((1, 1), (6, 5)):
    callback, model = MeanWeights(start, every), counting_model()
    train_toy(model, [callback], epochs=2)
    slope, moving = two_weights(model)
    assert abs(moving - 10 * slope) < 0.01, f"slope is {slope:.2f} at the end, and moving {moving:.2f}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "mean_weights-test-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# training goes on with its own weights, and the mean comes in at the end (4 marks)
callback, model, watch = MeanWeights(4, 3), counting_model(), Listener()
train_toy(model, [callback, watch], epochs=2)
slopes = [float(weights[0]) for weights in watch.path]
assert slopes == list(range(1, 13)), f"slope after each step should be 1, 2, 3, … and was {slopes}"
assert two_weights(model)[0] != 12, "when training has ended, the model has the weights of its last step, not a mean"
### BEGIN HIDDEN TESTS
callback = MeanWeights(3)
(path, end), (alone, last) = real_training([callback], 52), real_training([], 52)
for step, (with_it, without) in enumerate(zip(path, alone, strict=True), 1):
    same = all(np.allclose(a, b, atol=1e-4) for a, b in zip(with_it, without))
    assert same, f"with the callback, the weights after step {step} of a training are others than without it"
assert not all(np.allclose(a, b, atol=1e-6) for a, b in zip(end, last)), "training has ended, and no mean was put in"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "mean_weights-test-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# restore() (3 marks)
callback, model = MeanWeights(4, 3), counting_model()
train_toy(model, [callback], epochs=2)
mean = two_weights(model)
callback.restore()
assert mean[0] != 12, "there was no mean in the model before restore()"
assert two_weights(model) == (12, 120), f"the last step left 12 and 120, and restore() makes {two_weights(model)}"
### BEGIN HIDDEN TESTS
callback, model = MeanWeights(2, 1), counting_model()
train_toy(model, [callback], epochs=1)
callback.restore()
assert two_weights(model) == (6, 60), f"the last step left 6 and 60, and restore() makes {two_weights(model)}"
train_toy(model, [callback], epochs=1)
callback.restore()
assert two_weights(model) == (12, 120), f"after a second fit and restore(), the weights are {two_weights(model)}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "mean_weights-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# a training that is too short, and a second one (3 marks)
callback, model = MeanWeights(50), counting_model()
train_toy(model, [callback], epochs=2)
assert two_weights(model) == (12, 120), f"start 50, 12 steps: the weights should be left alone, {two_weights(model)}"
assert callback.count == 0, f"start 50, 12 steps: count is {callback.count}"
again, fresh, second, first = MeanWeights(4), MeanWeights(4), counting_model(), counting_model()
train_toy(counting_model(), [again])
train_toy(second, [again])
train_toy(first, [fresh])
counts, weights = (again.count, fresh.count), (two_weights(second), two_weights(first))
assert counts[0] == counts[1], f"6 steps, start 4: count is {counts[0]} in a second fit, {counts[1]} in a first one"
assert np.allclose(*weights), f"6 steps, start 4: {weights[0]} in a second call of fit, {weights[1]} in a first one"

# %% [markdown]
# ## Part 3: Predict more than once (20 marks)
#
# A network halves the picture several times, so its answer changes a little when the picture is moved by a pixel. The
# mean over some moved pictures is steadier than one answer, and needs no further training.
#
# Write `predict_shifted(model, images, shifts)`.
#
# - `model` is a Keras model. `images` is (N, height, width, 1), `float32`, between 0 and 1. The model answers with
#   probabilities (N, height, width, masks).
# - `shifts` is a list of pairs of integers `(down, right)`. For each of them, every picture is moved by so many rows
#   down and columns to the right: negative numbers move it up and to the left. What comes in at the edge is black, 0.
# - The model predicts the moved pictures, and the probabilities are moved back, so that each stands at the pixel that
#   it is about.
# - The mean is taken at each pixel, over those shifts that **know** it: a pixel that was moved out of the picture has
#   no probability in that shift. A pixel that no shift knows gets 0.
# - The result is a pair: the mean probabilities (N, height, width, masks), `float32`, and the masks of the same shape,
#   `uint8`, which are 1 where the mean is above 0.5.
# - The answer for a picture does not depend on the others. `images` and `model` are left as they were.
#
# You may rely on this: there is at least one shift, and each is smaller than the picture. Numbers may differ by 0.001.
#
# By hand: a picture has one row and four columns, and the model says 0.1, 0.2, 0.3, 0.4 whatever it is shown. With the
# shift `(0, 1)`, the pixel of column 0 lies in column 1, where the model says 0.2. The pixel of column 3 is moved out.
# So this shift says 0.2, 0.3, 0.4, unknown. Together with the shift `(0, 0)` the mean is 0.15, 0.25, 0.35, 0.4.

# %% nbgrader={"grade": false, "grade_id": "predict_shifted", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predict_shifted(model, images, shifts):
    """Mean probabilities over moved copies of the pictures, and the masks cut from them."""
    ### BEGIN SOLUTION
    def places(shift, size):  # where the moved picture has the pixels that stay in it, and where they were
        return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))

    images = np.asarray(images, "float32")
    total, known = 0, np.zeros((*images.shape[1:3], 1))
    for down, right in shifts:
        (new_rows, old_rows), (new_columns, old_columns) = places(down, images.shape[1]), places(right, images.shape[2])
        moved = np.zeros_like(images)
        moved[:, new_rows, new_columns] = images[:, old_rows, old_columns]
        answer = model.predict(moved, verbose=0)
        back = np.zeros(answer.shape)
        back[:, old_rows, old_columns] = answer[:, new_rows, new_columns]
        known[old_rows, old_columns] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")
    ### END SOLUTION

# %% [markdown]
# Look at it: the model that the course brings, and one of the drawn X-rays. On the right, how much the mean over nine
# shifts differs from a single answer.

# %% tags=["nbval-ignore-output"]
from lungseg_utils.prediction import load_pretrained

shipped = load_pretrained()
picture = drawn[2].image[np.newaxis, ..., np.newaxis].astype("float32") / 255
nine = [(down, right) for down in (-3, 0, 3) for right in (-3, 0, 3)]
single, mean = shipped.predict(picture, verbose=0)[0], predict_shifted(shipped, picture, nine)[0][0]
figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], drawn[2].image, "solid: truth, dashed: mean of nine")
figures.draw_outlines(axes[0, 0], drawn[2].masks)
figures.draw_outlines(axes[0, 0], mean > 0.5, figures.PREDICTION)
figures.draw_xray(axes[0, 1], 255 * np.abs(mean - single).max(axis=-1), "difference from one answer")
figures.show(figure, "A drawn X-ray with the true outlines of the lungs and the predicted ones close to them, and "
             "beside it a black picture with thin grey lines where the mean and the single answer differ.")

# %% nbgrader={"grade": false, "grade_id": "probe-7", "locked": true, "schema_version": 3, "solution": false, "task": false}
def pictures_afterwards(function, model, images, shifts):
    """The result of a function, and the pictures as they are afterwards."""
    return function(model, images, shifts), images

# %% nbgrader={"grade": true, "grade_id": "predict_shifted-test-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# shapes, dtypes, and inputs left alone (3 marks)
images = np.random.default_rng(1).random((3, 6, 8, 1), "float32")
model = as_model((6, 8, 1), ("Conv2D", {"filters": 2, "kernel_size": 1, "activation": "sigmoid"}))
(mean, masks), afterwards = pictures_afterwards(predict_shifted, model, images, [(0, 0), (1, -2)])
mean, masks = np.asarray(mean), np.asarray(masks)
assert mean.shape == masks.shape == (3, 6, 8, 2), f"3 pictures of 6 x 8, 2 masks: {mean.shape} and {masks.shape}"
assert (mean.dtype, masks.dtype) == ("float32", "uint8"), f"dtypes are {mean.dtype} and {masks.dtype}"
kept = np.random.default_rng(1).random((3, 6, 8, 1), "float32")
assert np.array_equal(afterwards, kept), "the pictures that were given to the function were changed"
### BEGIN HIDDEN TESTS
mean, masks = (np.asarray(each) for each in predict_shifted(model, images[:1], [(-5, 4)]))
assert mean.shape == masks.shape == (1, 6, 8, 2), f"1 picture of 6 x 8, 2 masks: {mean.shape} and {masks.shape}"
assert set(np.unique(masks)) <= {0, 1}, f"the values of the masks are {np.unique(masks)}"
model.set_weights([np.float32([2, -1]).reshape(1, 1, 1, 2), np.float32([0.5, 0])])
mean, right = np.asarray(predict_shifted(model, kept, [(0, 0)])[0]), 1 / (1 + np.exp(-(kept * [2, -1] + [0.5, 0])))
same = mean.shape == right.shape and np.allclose(mean, right, atol=1e-3)
assert same, "the shift (0, 0) alone should be a plain answer"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predict_shifted-test-2", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# moved there and back; pixels near the edge are not looked at (6 marks)
mean, _ = predict_shifted(fixed_answer([[0.1, 0.2, 0.3, 0.4]]), np.ones((1, 1, 4, 1), "float32"), [(0, 0), (0, 1)])
row = np.asarray(mean).ravel()
assert np.allclose(row[:3], [0.15, 0.25, 0.35], atol=1e-3), f"the example gives {row[:3].round(3)} in columns 0 to 2"
spot = np.zeros((1, 9, 9, 1), "float32")
spot[0, 3, 5] = 1  # the next model answers with the grey value of each pixel
mean, _ = predict_shifted(as_model((9, 9, 1), ("Activation", {"activation": "linear"})), spot, [(2, 1), (-1, 0)])
where = (np.argwhere(np.asarray(mean)[0, 2:7, 2:8, 0] > 0.2) + 2).tolist()
assert where == [[3, 5]], f"a white spot at row 3, column 5 of a black picture comes out at {where}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(53)
table, picture = rng.random((12, 14)), np.ones((2, 12, 14, 1), "float32")
for shift in ((3, 0), (-2, 0), (0, 2), (0, -3), (1, -2), (-3, 3)):
    mean = np.asarray(predict_shifted(fixed_answer(table), picture.copy(), [shift])[0])[:, 3:9, 3:11, 0]
    right = [[table[row + shift[0], column + shift[1]] for column in range(3, 11)] for row in range(3, 9)]
    look = "Which pixel of the answer is about which pixel of the picture?"
    assert np.allclose(mean, right, atol=1e-3), f"shift {shift}, a model that answers by place alone. {look}"
    picture = rng.random((2, 12, 14, 1), "float32")
    itself = as_model((12, 14, 1), ("Activation", {"activation": "linear"}))
    mean = predict_shifted(itself, picture.copy(), [(0, 0), shift])[0]
    same = np.allclose(np.asarray(mean)[:, 3:9, 3:11], picture[:, 3:9, 3:11], atol=1e-3)
    assert same, f"shift {shift}, a model that says the grey value of each pixel: the picture does not come back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predict_shifted-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# at the edges: what comes in, and who knows a pixel (5 marks)
ones = np.ones((1, 6, 6, 1), "float32")
four = fixed_answer([[0.1, 0.2, 0.3, 0.4]])
four = np.asarray(predict_shifted(four, ones[:, :1, :4].copy(), [(0, 0), (0, 1)])[0]).ravel()
assert abs(four[3] - 0.4) < 1e-3, f"the example gives {four[3]:.3f} in column 3, which only one of two shifts knows"
itself = as_model((6, 6, 1), ("Activation", {"activation": "linear"}))  # answers with the grey value of each pixel
mean = np.asarray(predict_shifted(itself, ones.copy(), [(0, 0), (2, 0), (0, -2)])[0])
assert np.allclose(mean, 1, atol=1e-3), f"all white, a model that says the grey value: the mean is {mean.min():.2f}"
last = np.asarray(predict_shifted(itself, ones.copy(), [(2, 0), (2, 1)])[0])[0, 4:, 0, 0]
assert np.all(last == 0), f"shifts (2, 0) and (2, 1): no shift knows the last two rows, and they are {last}"
### BEGIN HIDDEN TESTS
from scipy.ndimage import correlate
from scipy.ndimage import shift as move

rng = np.random.default_rng(54)
near = as_model((7, 9, 1), ("Conv2D", {"filters": 1, "kernel_size": 3, "padding": "same", "use_bias": False}))
near.set_weights([(kernel := rng.random((3, 3, 1, 1)) / 9)])  # it looks at its neighbours
for shifts in ([(0, 1)], [(0, -2)], [(2, 0)], [(-1, 0)], [(0, 0), (1, 1), (-2, 3), (0, -8), (6, 0)]):
    picture, sums, known = rng.random((2, 7, 9, 1), "float32"), 0, 0
    answer = np.asarray(predict_shifted(near, picture.copy(), shifts)[0])
    for down, right in shifts:
        moved = move(picture, (0, down, right, 0), order=0, mode="constant", cval=0)
        seen = correlate(moved.astype(float), kernel.reshape(1, 3, 3, 1), mode="constant")
        back = move(seen, (0, -down, -right, 0), order=0, mode="constant", cval=np.nan)
        sums, known = sums + np.nan_to_num(back), known + np.isfinite(back)
    right = sums / np.maximum(known, 1)
    look = "What does the model see where the picture was moved away, and which pixels are known?"
    assert np.allclose(answer, right, atol=1e-3), f"shifts {shifts}, a model that looks at neighbours. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predict_shifted-test-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# the mean of probabilities, cut at the end; pixels near the edge are not looked at (3 marks)
stripes, ones = np.tile([0.9, 0.4, 0.4], (4, 4)), np.ones((1, 4, 12, 1), "float32")
mean, masks = predict_shifted(fixed_answer(stripes), ones, [(-1, -1), (0, 0), (1, 1)])
middle, cut = np.asarray(mean)[0, 1, 2:10, 0], np.asarray(masks)[0, 1, 2:10, 0]
right = (0.9 + 0.4 + 0.4) / 3
assert np.allclose(middle, right, atol=1e-3), f"0.9, 0.4 and 0.4 at one pixel give {middle[0]:.3f}. The mean of what?"
assert np.all(cut == 1), f"0.9, 0.4 and 0.4 at one pixel give the mask {cut[0]}. When do you cut?"
### BEGIN HIDDEN TESTS
_, masks = predict_shifted(fixed_answer(np.full((4, 12), 0.5)), ones, [(0, 0)])
assert not np.any(masks), "0.5 at every pixel: the masks are 1 above it, and some are"
for values in ((0.99, 0.3, 0.3), (0.05, 0.6, 0.6)):
    table = np.tile(values, (4, 4))
    mean, masks = predict_shifted(fixed_answer(table), ones, [(1, -1), (0, 0), (-1, 1)])
    middle, cut = np.asarray(mean)[0, 1, 2:10, 0], np.asarray(masks)[0, 1, 2:10, 0]
    assert np.allclose(middle, np.mean(values), atol=1e-3), f"{values} at one pixel: {middle[0]:.3f}. The mean of what?"
    assert np.all(cut == (np.mean(values) > 0.5)), f"{values} at one pixel give the mask {cut[0]}. When do you cut?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predict_shifted-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# a model with batch normalisation (3 marks)
pictures = np.random.default_rng(2).random((4, 5, 5, 1), "float32")
model = as_model((5, 5, 1), ("BatchNormalization", {}), ("Activation", {"activation": "sigmoid"}))
model.set_weights(list(np.float32([[2], [0.5], [0.3], [0.2]])))  # gamma, beta, moving mean, moving variance
together = np.asarray(predict_shifted(model, pictures, [(0, 0)])[0])
alone = np.concatenate([np.asarray(predict_shifted(model, pictures[[place]], [(0, 0)])[0]) for place in range(4)])
assert together.shape == pictures.shape, f"pictures of {pictures.shape} gave {together.shape}"
assert np.allclose(together, alone, atol=1e-3), "the answer for a picture depends on the other pictures. Which mode?"
left = np.ravel(model.get_weights())
assert np.allclose(left, [2, 0.5, 0.3, 0.2]), "predicting has changed the model's moving statistics. Which mode?"
right = 1 / (1 + np.exp(-(2 * (pictures - 0.3) / np.sqrt(0.201) + 0.5)))
assert np.allclose(together, right, atol=1e-3), "not what the model says. Which mode?"

# %% [markdown]
# ## Part 4: An honest report (20 marks)
#
# A number in a report is only worth what stands behind it. Write
# `honest_report(probabilities, masks, ids, patients, spacings, train_patients)`.
#
# The first five are lists with an entry for each test X-ray:
#
# - `probabilities`: arrays (size, size), the network's probability of lung, both lungs merged
# - `masks`: the true masks (height, width), 0 and 1, at the size of the file. Height and width may differ, from each
#   other and from file to file; no mask is empty
# - `ids` and `patients`: strings. A patient can have several X-rays, which need not be neighbours; there are at least
#   two patients
# - `spacings`: pairs, height and width of a pixel of the *mask*, mm
#
# `train_patients` is a collection of the patients in training.
#
# First of all: if a patient is in training and in the test, raise a `ValueError` whose message names **every** such
# patient (and no other). If there is none, then
#
# - bring the probabilities to the size of the file (linearly, as OpenCV's `INTER_LINEAR` does; no log-odds here, and no
#   cleaning), and cut them there: lung is above 0.5
# - compute for each X-ray the hard Dice coefficient, and the average symmetric surface distance (ASSD) in millimetres.
#   `dice`, `outline_distances` and `assd` of `lungseg_utils.scores` are imported above; read what they take
# - take the mean over the X-rays of each patient. Then mean and standard deviation (SD, dividing by one less than their
#   number) are taken **over patients**
#
# Return a dictionary:
#
# - `"patients"`: how many there are
# - `"dice"` and `"assd_mm"`: for each a dictionary with `"mean"`, `"sd"`, `"worst"` and `"worst_id"`. The worst is that
#   of a single X-ray, not of a patient: the lowest Dice, the largest distance
# - `"no_outline"`: list of the IDs for which nothing was predicted, in the order of `ids`. Such an X-ray counts like the
#   others: its Dice is 0, and its distance the diagonal of the picture in mm, as `outline_distances` has it. To leave
#   it out would make the mean better.
#
# Numbers may differ by 0.001.
#
# By hand: patient a has three X-rays with a Dice of 1, patient b has one with 0.5. The mean is (1 + 0.5) / 2 = 0.75,
# not 0.875, and the SD is 0.354.

# %% nbgrader={"grade": false, "grade_id": "honest_report", "locked": false, "schema_version": 3, "solution": true, "task": false}
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    """Dice and ASSD in mm per X-ray at the size of the file, mean and SD over patients, the worst X-rays by name."""
    ### BEGIN SOLUTION
    shared = sorted(set(patients) & set(train_patients))
    if shared:
        raise ValueError(f"These patients are in training and in the test: {', '.join(shared)}")
    scores, report = {"dice": [], "assd_mm": []}, {"patients": len(set(patients)), "no_outline": []}
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        predicted = cv2.resize(np.asarray(each, "float32"), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        scores["dice"].append(dice(true, predicted))
        scores["assd_mm"].append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            report["no_outline"].append(name)
    for measure, values in scores.items():
        by_patient = {}
        for patient, value in zip(patients, values):
            by_patient.setdefault(patient, []).append(value)
        means = [np.mean(several) for several in by_patient.values()]
        worst = np.argmin(values) if measure == "dice" else np.argmax(values)
        report[measure] = {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[worst],
                           "worst_id": ids[worst]}
    return report
    ### END SOLUTION

# %% [markdown]
# Look at it: the drawn X-rays, and as a "network" their own masks, blurred and made small.

# %% tags=["nbval-ignore-output"]
truths = [each.masks.max(axis=-1) for each in drawn]
blurred = [cv2.resize(cv2.GaussianBlur(each.astype("float32"), (0, 0), 4), (32, 32)) for each in truths]
names = [f"X{number}" for number in range(6)]
report = honest_report(blurred, truths, names, [*"aabbcc"], [(2.5, 3.0)] * 6, ["d"])
for measure in ("dice", "assd_mm"):
    row = report[measure]
    print(f"{measure:8} {row['mean']:.2f}, SD {row['sd']:.2f}, worst {row['worst']:.2f} ({row['worst_id']})")

# %% nbgrader={"grade": true, "grade_id": "honest_report-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# patients in training and test (4 marks)
def reported(patients, train_patients):
    square = np.pad(np.ones((4, 4)), 2)
    try:
        honest_report([square] * 4, [square.astype("uint8")] * 4, [*"1234"], patients, [(1, 1)] * 4, train_patients)
    except ValueError as error:
        return str(error)


message = reported(["anna", "bert", "cleo", "anna"], ["dora", "anna", "cleo"])
assert message is not None, "anna and cleo are in training and in the test, and there is no ValueError"
assert "anna" in message and "cleo" in message, f"anna and cleo are shared, and the message is: {message}"
assert "bert" not in message and "dora" not in message, f"only anna and cleo are shared, and the message is: {message}"
message = reported(["anna", "bert", "cleo", "anna"], ["dora"])
assert message is None, f"no patient is shared, and the message is: {message}"
### BEGIN HIDDEN TESTS
message = reported(["P-11", "P-22", "P-11", "P-33"], {"P-44", "P-33"})
assert message and "P-33" in message and "P-11" not in message, f"P-33 is shared (a set is given), and: {message}"
message = reported(["P-11", "P-22", "P-11", "P-33"], ("P-1", "P-2", "P-333"))
assert message is None, f"P-1, P-2 and P-333 in training are not P-11, P-22 or P-33, and the message is: {message}"
assert reported(["anna", "bert", "cleo", "anna"], []) is None, "nobody is in training, and there is a ValueError"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "honest_report-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Dice at the size of the file (5 marks)
edge = np.tile(np.float32([0, 0.4, 1, 1]), (4, 1))  # between 0.4 and 1 it reaches 0.5 after a sixth of the way
true = np.zeros((40, 120), "uint8")
true[:, 50:] = 1  # a pixel of `edge` is 30 columns wide: from 0.4 at column 45 to 1 at column 75
report = honest_report([edge, edge], [true, true], ["1", "2"], ["a", "b"], [(1, 1), (1, 1)], [])
got = report["dice"]["mean"]
assert got > 0.995, f"4 columns brought to 120: Dice {got:.3f}, where 0.997 or more is possible. What is enlarged?"
### BEGIN HIDDEN TESTS
half = np.where(true > 0, 1, 0.5).astype("float32")
got = honest_report([half, half], [true, true], ["1", "2"], ["a", "b"], [(1, 1), (1, 1)], [])["dice"]["mean"]
assert abs(got - 1) < 1e-3, f"1 on the lung and 0.5 elsewhere: Dice {got:.3f}. Lung is above 0.5. When is it cut?"
rng = np.random.default_rng(55)
for height, width in ((61, 83), (90, 64), (128, 50)):
    small = cv2.GaussianBlur(rng.random((16, 16), "float32"), (0, 0), 1.5)
    small = (small - small.min()) / np.ptp(small)
    true = (cv2.resize(rng.random((6, 6)), (width, height)) > 0.4).astype("uint8")
    # the same interpolation in another way: the two neighbours of each pixel's centre, weighted
    along = [np.clip((np.arange(n) + 0.5) * 16 / n - 0.5, 0, 15) for n in (height, width)]
    first = np.stack([np.interp(along[0], range(16), column) for column in small.T], axis=1)
    large = np.stack([np.interp(along[1], range(16), row) for row in first])
    right = 2 * np.sum((large > 0.5) & (true > 0)) / (np.sum(large > 0.5) + true.sum())
    args = ["1", "2"], ["a", "b"], [(1, 1), (1, 1)], []
    got = honest_report([small, small.astype(float)], [true, true > 0], *args)["dice"]["mean"]
    look = "What is enlarged, to which height and width, and when is it cut?"
    assert abs(got - right) < 1e-3, f"16 x 16 brought to {height} x {width}: Dice {got:.4f}, not {right:.4f}. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "honest_report-test-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# distances in millimetres (5 marks)
true, low, right = np.zeros((3, 12, 12), "uint8")
true[2:10, 4], low[2:10, 7] = 1, 1  # two lines that run down, three columns apart
args = [low.astype("float32")] * 2, [true] * 2, ["1", "2"], ["a", "b"]
got = honest_report(*args, [(0.5, 2.0)] * 2, [])["assd_mm"]["mean"]
assert abs(got - 6) < 1e-3, f"3 columns apart, a pixel is 0.5 mm high and 2 mm wide: ASSD {got:.3f} mm"
got = honest_report(*args, [(0.5, 2.0), (2.0, 1.0)], [])["assd_mm"]["mean"]
assert abs(got - 4.5) < 1e-3, f"3 columns apart, pixels 2 mm wide in one file, 1 mm in the other: mean {got:.3f} mm"
### BEGIN HIDDEN TESTS
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist

rng = np.random.default_rng(56)
for _ in range(3):
    spacings, pairs, values = rng.uniform(0.2, 3, (2, 2)), [], []
    for spacing in spacings:
        pair = [cv2.resize(rng.random((7, 7)), (40, 40), interpolation=cv2.INTER_CUBIC) > 0.55 for _ in range(2)]
        points = [np.argwhere(mask & ~binary_erosion(mask)) * spacing for mask in pair]
        table = cdist(*points)
        values.append(np.concatenate([table.min(axis=0), table.min(axis=1)]).mean())
        pairs.append(pair)
    args = [each[0].astype("float32") for each in pairs], [each[1].astype("uint8") for each in pairs]
    got = honest_report(*args, ["1", "2"], ["a", "b"], [tuple(each) for each in spacings], [])["assd_mm"]["mean"]
    look = "Which of the two numbers is the height of a pixel, and of which file?"
    assert abs(got - np.mean(values)) < 1e-3, f"spacings {spacings.round(2).tolist()}: {got:.3f} mm. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "honest_report-test-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# mean and SD over patients (4 marks)
true, wide = np.zeros((2, 16, 16), "uint8")
true[4:8, 4:8], wide[4:8, 4:16] = 1, 1  # 16 and 48 pixels: Dice 2 * 16 / 64
args = [each.astype("float32") for each in (true, true, wide, true)], [true] * 4, ["1", "2", "3", "4"]
report = honest_report(*args, ["a", "a", "b", "a"], [(1, 1)] * 4, [])
mean, sd = report["dice"]["mean"], report["dice"]["sd"]
assert report["patients"] == 2, f"4 X-rays of a and b, and patients is {report['patients']}"
assert abs(mean - 0.75) < 1e-3, f"Dice 1, 1, 1 of one patient and 0.5 of another: mean {mean:.3f}. Over what?"
assert abs(sd - 0.354) < 1e-3, f"Dice 1, 1, 1 of one patient and 0.5 of another: SD {sd:.3f}. Divided by what?"
### BEGIN HIDDEN TESTS
from lungseg_utils.scores import score_masks

rng = np.random.default_rng(57)
for patients in ([*"abacbdaa"], [*"xyyyyyyy"]):
    guesses = [np.roll(true * (1.0 if k % 3 else 0.9), k % 4, axis=k % 2).astype("float32") for k in range(8)]
    truths = [np.pad(true, (0, 20)) if k == 5 else true for k in range(8)]  # one large file
    guesses[5] = np.pad(guesses[5], (0, 20))
    report = honest_report(guesses, truths, [*"12345678"], patients, [(1, 1)] * 8, [])
    pairs = [score_masks(a, b > 0.5, (1, 1)) for a, b in zip(truths, guesses)]
    for measure in ("dice", "assd_mm"):
        values = [pair[measure] for pair in pairs]
        means = [np.mean([v for v, p in zip(values, patients) if p == one]) for one in set(patients)]
        mean, sd = report[measure]["mean"], report[measure]["sd"]
        which = f"{measure} {np.round(values, 3).tolist()} of patients {''.join(patients)}"
        assert abs(mean - np.mean(means)) < 1e-3, f"{which}: mean {mean:.3f}. Over what?"
        right = (sum((m - np.mean(means)) ** 2 for m in means) / (len(means) - 1)) ** 0.5
        assert abs(sd - right) < 1e-3, f"{which}: SD {sd:.3f}. Over what, divided by what?"
    assert report["patients"] == len(set(patients)), f"patients {''.join(patients)}: {report['patients']}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "honest_report-test-5", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# the worst X-rays, and those without any prediction (2 marks)
true, wide, far = np.zeros((3, 24, 24), "uint8")
true[4:14, 4:14], wide[4:14, 4:20], far[4:14, 4:14], far[22, 22] = 1, 1, 1, 1
args = [each.astype("float32") for each in (true, 0 * true, far, wide)], [true] * 4, ["U", "V", "W", "X"]
report = honest_report(*args, ["a", "b", "a", "c"], [(1, 1)] * 4, [])
assert list(report["no_outline"]) == ["V"], f"nothing was predicted for V, and no_outline is {report['no_outline']}"
found, right = report["dice"], ("V", 0)
assert (found["worst_id"], found["worst"]) == right, f"the lowest Dice is that of V, 0, and the report says {found}"
found, diagonal = report["assd_mm"], 24 * 2**0.5
same = found["worst_id"] == "V" and abs(found["worst"] - diagonal) < 1e-3
assert same, f"nothing was predicted for V: its distance is the diagonal, {diagonal:.3f}, and the report says {found}"
assert found["mean"] > diagonal / 5, f"V counts in the mean of the distances like the others: {found}"
### BEGIN HIDDEN TESTS
from lungseg_utils.scores import score_masks

args = [each.astype("float32") for each in (0 * true, far, wide, true, 0 * true)], [true] * 5, [*"KLMNO"]
report = honest_report(*args, [*"abcde"], [(1, 1)] * 5, [])
assert list(report["no_outline"]) == ["K", "O"], f"nothing was predicted for K and O: {report['no_outline']}"
assert report["dice"]["worst"] == 0 and report["dice"]["worst_id"] in "KO", f"K and O have 0: {report['dice']}"
values = [score_masks(true, each > 0, (1, 1))["assd_mm"] for each in args[0]]
found, right = report["assd_mm"]["mean"], np.mean(values)
assert abs(found - right) < 1e-3, f"K and O count with the diagonal: the mean is {right:.3f}, and not {found:.3f}"
args = [each.astype("float32") for each in (far, wide, true, true)], [true] * 4, [*"LMNP"]
found = honest_report(*args, [*"abba"], [(1, 1)] * 4, [])["assd_mm"]
right = score_masks(true, wide, (1, 1))["assd_mm"]
assert found["worst_id"] == "M", f"M has the largest distance: {found}"
assert abs(found["worst"] - right) < 1e-3, f"the largest distance of one X-ray is {right:.3f}: {found}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: Write up a failure (50 marks)
#
# A small network, a budget of 200 steps, and X-rays that are harder than those of its training. The cells are ready,
# run them. They take about half a minute, and nothing that is marked by tests depends on them.
#
# The network sees 200 drawn X-rays without signs of disease, without letters, wires and black borders. (If you have
# done parts 1 and 2, you may give your callbacks to `fit` as well.)

# %% tags=["nbval-ignore-output"]
from lungseg_utils.images import resize_image, resize_masks
from lungseg_utils.losses import dice_bce
from lungseg_utils.unet import build_unet

SIZE = 64
lessons = [draw_phantom(50_000 + number, 128, without=("findings", "objects")) for number in range(200)]
images = np.stack([resize_image(each.image, SIZE) for each in lessons])[..., np.newaxis].astype("float32") / 255
masks = np.stack([resize_masks(each.masks, SIZE) for each in lessons]).astype("float32")
keras.utils.set_random_seed(5)
network = build_unet(SIZE, base_filters=8, depth=3)
network.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, 200)), dice_bce)
history = network.fit(images, masks, batch_size=8, epochs=8, verbose=0)
print(f"{int(network.optimizer.iterations)} steps, loss {history.history['loss'][-1]:.3f}")

# %% [markdown]
# Then it meets 48 new patients at 256 px. Half of them have a finding, and most pictures are changed in one way that
# the training did not show. `hard_case(number)` draws one of them. With `how`, you choose the change yourself, and with
# `finding` whether there is one, so that the **same patient** can be seen with and without it.

# %%
from lungseg_utils.inference.stress import CHANGES

WAYS = ["unchanged", "equalised (CLAHE)", "noisy", "blurred", "light frame and letters", "contrast 35%",
        "turned by 7 degrees", "shrunk to 60% in a black frame"]


def hard_case(number, how=None, finding=None):
    """Picture (256, 256) and true masks (256, 256, 2) of a patient, 0 to 47."""
    ill = number // 8 % 2 == 1 if finding is None else finding
    phantom = draw_phantom(60_000 + number, 256, finding=ill)
    return CHANGES[how or WAYS[number % 8]](phantom.image, phantom.masks)

# %% tags=["nbval-ignore-output"]
from lungseg_utils.prediction import predict_probabilities
from lungseg_utils.scores import score_masks


def test_case(number, how=None, finding=None):
    """Picture, true masks, probabilities, predicted masks and scores of a patient."""
    image, true = hard_case(number, how, finding)
    small = predict_probabilities(network, resize_image(image, SIZE)[np.newaxis])[0]
    large = cv2.resize(small, (256, 256), interpolation=cv2.INTER_LINEAR)
    scores = score_masks(true.max(axis=-1), large.max(axis=-1) > 0.5, (1.4, 1.4))  # 1.4 mm are a pixel
    return image, true, large, large > 0.5, scores


results = {number: test_case(number)[-1] for number in range(48)}

# %% tags=["nbval-ignore-output"]
values = np.array([each["dice"] for each in results.values()])
print(f"Dice of 48 patients: mean {values.mean():.3f}, SD {values.std(ddof=1):.3f}, worst {values.min():.3f}\n")
for place, how in enumerate(WAYS):
    print(f"{how:32} mean {values[place::8].mean():.3f}, worst {values[place::8].min():.3f}")
print("\nthe six worst   Dice  precision  recall  ASSD, mm")
for number in np.argsort(values)[:6].tolist():
    scores = results[number]
    about = f"{WAYS[number % 8]}, {'with' if number // 8 % 2 else 'without'} finding"
    print(f"patient {number:2}     {scores['dice']:.3f}      {scores['precision']:.3f}   {scores['recall']:.3f}"
          f"     {scores['assd_mm']:5.1f}  {about}")

# %% tags=["nbval-ignore-output"]
worst = int(np.argmin(values))  # or any other patient, 0 to 47
image, true, probabilities, predicted, scores = test_case(worst)
figure, axes = figures.new_figure(1, 3, width=2.8, height=3)
figures.draw_xray(axes[0, 0], image, f"patient {worst}:\n{WAYS[worst % 8]}")
figures.draw_xray(axes[0, 1], image, f"Dice {scores['dice']:.3f}\ndashed: predicted")
figures.draw_outlines(axes[0, 1], true)
figures.draw_outlines(axes[0, 1], predicted, figures.PREDICTION)
figures.draw_xray(axes[0, 2], 255 * probabilities.max(axis=-1), "probability of lung")
figures.show(figure, "The worst X-ray, the same with the true outlines, solid, and the predicted ones, dashed, which "
             "leave each other in large parts, and the probability of lung as a grey picture.")

# %% [markdown]
# For example, the worst patient with and without the change, with and without a finding. These are four answers of one
# network about one patient: all else is the same.

# %% tags=["nbval-ignore-output"]
for how in ("unchanged", WAYS[worst % 8]):
    for finding in (False, True):
        score = test_case(worst, how, finding)[-1]["dice"]
        print(f"patient {worst}, {how:32} {'with' if finding else 'without':7} finding: Dice {score:.3f}")

# %% [markdown]
# Write up the failure of the worst patient (or of another one that interests you more; say why) in 150 to 200 words.
# Each of the five aspects has 10 marks.
#
# 1. **What** happened: which X-ray, how bad in numbers, beside the usual case.
# 2. **Where** in the picture: what was called lung that is none, what was missed, on which side (the viewer's left or
#    right), and how sure the network was.
# 3. **Why**: one explanation that fits what you see.
# 4. **How to test it**: a test whose outcome could show your explanation wrong. What is changed, what stays the same,
#    what would you see if you are right, and what if you are wrong? You may try it with cells of your own
#    (`test_case(number, how, finding)`), but you need not.
# 5. **What you would do** about it, and what this trial cannot tell you.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written", "locked": false, "points": 50, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **What.** The worst of 48 patients is one whose picture was shrunk inside a black frame. Most score about 0.9 or
# more; here Dice is below one half, with high precision and low recall.
#
# **Where.** What was called lung is lung, but only a part of the lung on the viewer's left was found, and next to
# nothing on the viewer's right. The probability of the missed parts is low: the network does not doubt, and is wrong.
#
# **Why.** In training, chests filled most of the picture. At 60%, lungs are smaller than any that it has seen.
# The same patient unchanged is segmented well, so it is not the anatomy.
#
# **Test.** Two things changed at once, size and black border. I blacken a margin of the unchanged picture, and shrink
# it into a grey frame. If the size is the cause, the first does little harm, and the second about as much as before.
# The other way round, I am wrong.
#
# **Then.** Cut pictures to the body before predicting, or train with smaller chests too, and score again on new
# patients. One network and six shrunk drawings cannot say how often real X-rays look like this.
# ### END SOLUTION

# %% [markdown]
# ## Hand in
#
# Run all cells from the top in a fresh kernel, save, and hand in this one `.ipynb` file. Do not rename it. Do not print
# more than a page of text. (A part that you have left out stops *Run all cells*; run the cells after it by hand.)
