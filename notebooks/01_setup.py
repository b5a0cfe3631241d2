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
# # 1 · Setting up
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/01_setup.ipynb)
#
# A chest X-ray shows two lungs. In nine notebooks you teach a neural network to draw their outlines, and you find
# out how far its outlines can be trusted. You begin with the end: a network at work, on our X-rays and on yours. Then
# you draw an outline yourself, and make sure that everything is in place.
#
# **You will be able to**
#
# - let a trained network outline the lungs of an X-ray, also of your own
# - outline an X-ray yourself, and say how well with one number
# - say what a neuron computes, and what training does
# - say which versions of the libraries you work with, and whether a GPU is there
# - set seeds, so that a result can be repeated
# - choose the data set and the recipe that all nine notebooks use
#
# **Time on two cores:** about half a minute
#
# **Needs:** nothing. **Leaves behind:** a set of X-rays drawn by code, your choice of data set and recipe, and the
# score of your own outline.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% [markdown]
# ## See it work
#
# The course draws its own chest X-rays with code, so nothing has to be downloaded. Each comes with the exact outline
# of both lungs, because the program that drew them knows where they are.
#
# The next cell draws the set if it is not there yet, and lists its X-rays. An X-ray with everything that belongs to it
# is called a **case**. It also loads a network that we have trained for you, on other drawings of the same program.

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course, figures
from lungseg_utils.prediction import load_pretrained

chosen = course.start()
cases = course.cases_ready(chosen)
network = load_pretrained()

# %% [markdown]
# Three of the X-rays, and what the network says about them. It has never seen them before.
#
# > **Predict.** Where would it be hard to say where the lung ends?

# %% tags=["nbval-ignore-output"]
from lungseg_utils.formats.xray import read_xray
from lungseg_utils.inference.xrays import segment

figure, axes = figures.new_figure(1, 3, width=3.6, height=3.9)
for place, case in zip(axes[0], (cases[0], cases[4], cases[5])):
    xray = read_xray(case.image)
    figures.draw_xray(place, xray.image, case.id)
    figures.draw_outlines(place, segment(network, xray), figures.PREDICTION)
figures.show(figure, "Three drawn chest X-rays. On each, a dashed line runs around each of the "
             "two lungs: along the ribs outside, the heart inside, and the muscle below.")



# %% [markdown]
# The lungs are dark because X-rays pass through air. Each outline follows the ribs on the outside and the heart on the
# inside. At the bottom it follows the **diaphragm**, the muscle below the lungs with which we breathe. The part of the
# lung that lies *behind* the heart cannot be seen, and by convention it is left out.
#
# Drawing such outlines is called **segmentation**: for each pixel, say what it belongs to. In notebook 8 you train a
# network that does this, in some minutes, and in notebook 9 you find out where it fails.

# %% [markdown]
# ### An X-ray of your own
#
# Do you have a chest X-ray as a file (PNG, JPEG, TIFF or DICOM)? Run the next cell, press the button, and the network
# outlines its lungs. It was trained on drawings alone, and still works on many real X-rays. If not, go on.
#
# Use only pictures that you may use. The file goes to the computer that runs this notebook: on Colab that is one of
# Google's, so never choose a patient's X-ray there. The answer is for learning, not for medicine. Notebook 9 says more.

# %% tags=["nbval-ignore-output"]
from lungseg_utils.inference.upload import upload_button

upload_button(network)

# %% [markdown]
# ## Now you
#
# How well would *you* do it? Here is one more X-ray. Click around the lung on the left of the picture, with some ten
# points from the top down the outside and up the inside again. Press "Next lung", and click around the other one. The
# other button takes the last point back.

# %% tags=["nbval-ignore-output"]
from lungseg_utils.widgets.points import clickable, fill

case = cases[6]
xray = read_xray(case.image)
clickable(xray.image, "A drawn chest X-ray to click on. Two dark lungs lie beside the bright "
                      "heart.")

# %% [markdown]
# Below the picture your points have appeared as two lines of Python. Copy them, and put them in place of the first two
# lines of the next cell. You can also write points without the mouse: each is `(x, y)`, in percent of the picture's
# width and height, from its upper left corner.
#
# As long as the two lists are empty, our points are taken. We were in a hurry.

# %%
first_lung = []
second_lung = []

drawn_by = "you" if first_lung and second_lung else "us"
if drawn_by == "us":
    first_lung = [(33, 13), (22, 19), (13, 35), (8, 65), (6, 96),
                  (18, 83), (31, 79), (31, 60), (38, 40), (40, 22)]
    second_lung = [(50, 20), (60, 13), (74, 22), (82, 45), (87, 75),
                   (86, 94), (72, 81), (68, 67), (58, 48), (50, 30)]

# %% [markdown]
# `fill` makes a **mask** from the points: an array of the picture's size, 1 inside the outline and 0 outside. We
# compare it with the true mask, which the drawing program knows, by one number. The **Dice coefficient** is twice the
# shared area, divided by the sum of both areas. It is 1 when the masks are the same, and 0 when they share nothing.
#
# > **Predict.** Somebody outlines one lung to the pixel and forgets the other. Is the Dice coefficient of the picture
# > about 0.5, or more, or less?

# %%
from lungseg_utils.images import read_masks
from lungseg_utils.scores import dice

height, width = xray.image.shape
drawn = fill(first_lung, height, width) | fill(second_lung, height, width)  # in one or the other
truth = read_masks(case).max(axis=-1)  # both lungs in one mask
one_lung = read_masks(case)[..., 0]
print(f"one lung alone: Dice {dice(truth, one_lung):.2f}")
assert dice(truth, one_lung) > 0.5
print(f"drawn by {drawn_by}:    Dice {dice(truth, drawn):.2f}")

# %% [markdown]
# More than 0.5: one lung of two is all of the shared area, but the sum is only one and a half times the truth. And the
# network, on the same X-ray?

# %% tags=["nbval-ignore-output"]
answer = segment(network, xray).max(axis=-1)
masks = {f"drawn by {drawn_by}": drawn, "the network": answer}

figure, axes = figures.new_figure(1, 2, width=4.4, height=4.7)
for place, (name, mask) in zip(axes[0], masks.items()):
    figures.draw_xray(place, xray.image, f"{name}: Dice {dice(truth, mask):.3f}")
    figures.draw_outlines(place, truth[..., None])
    figures.draw_outlines(place, mask[..., None], figures.PREDICTION)
figures.show(figure, "The same X-ray twice. A solid line shows the true outline of the lungs. A "
             "dashed line is drawn by hand on the left picture, and by the network on the right "
             "one.")

# %% [markdown]
# The solid lines are the truth, the dashed ones the answers. Look where a hand and a network go wrong: not at the same
# places.
#
# A score of yours is kept, so that later notebooks can come back to it. Draw as often as you like: the last one counts.

# %% tags=["nbval-ignore-output"]
from lungseg_utils.files import write_json

if drawn_by == "you":
    kept = {"case": case.id, "points": [first_lung, second_lung], "dice": dice(truth, drawn)}
    write_json(kept, course.home() / "my_outline.json")
    print(f"Well done: your outline of {case.id} is kept.")
else:
    print("No outline of yours yet. You can come back to it at any time.")

# %% [markdown]
# ## What is a neural network?
#
# A **neuron** computes one number from others. It multiplies each input by a **weight**, adds all up, and adds one more
# number, the **bias**. The last step squeezes the sum into the range from 0 to 1, so that it can be read as a
# probability. This step is called **sigmoid**.
#
# Here is a single neuron with a single input: the grey value of a pixel, from 0 for black to 1 for white. Lungs are
# dark, so we give it a negative weight.
#
# > **Predict.** What else than lung will this neuron take for lung?

# %%
import numpy as np


def neuron(inputs, weight, bias):
    return 1 / (1 + np.exp(-(weight * inputs + bias)))


probabilities = neuron(xray.image / 255, weight=-20, bias=9)
print("black:", neuron(0, -20, 9).round(3), "  white:", neuron(1, -20, 9).round(3))
print(f"one neuron: Dice {dice(truth, probabilities > 0.5):.2f}")

# %%
figure, axes = figures.new_figure(1, 2, width=4.4, height=4.7)
figures.draw_xray(axes[0, 0], xray.image, "X-ray")
figures.draw_xray(axes[0, 1], 255 * probabilities, "one neuron: white is lung")
figures.draw_outlines(axes[0, 1], truth[..., None])
figures.show(figure, "Left, the X-ray. Right, what one neuron says: lungs are white, but so is all "
             "else that is dark in the X-ray, also outside the true outline.")

# %% [markdown]
# All that is dark counts as lung, the air around the body and the gas in the stomach too. The neuron sees one pixel at
# a time, and cannot know better.
#
# A **neural network** is made of many neurons in **layers**. Those of the first layer look at a small neighbourhood of
# pixels, and those of the next at the answers of the first. So the later ones see large parts of the picture.

# %%
print(f"The network above has {network.count_params():,} weights and biases.")
assert network.count_params() > 100_000

# %% [markdown]
# Nobody sets so many numbers by hand. **Training** finds them. The network is shown an X-ray and answers. The **loss**
# is a number that says how wrong the answer is, compared with the true mask. The **gradient** of the loss says, for
# each weight, in which direction the loss grows, and how fast. Every weight is changed a little the other way, and the
# next X-rays are shown. That is all. Notebooks 4 to 8 show how to do it well.

# %% [markdown]
# ## Which versions are these?
#
# A result belongs to the versions that made it: the same code can behave differently after an upgrade. So write the
# versions down whenever you report a result.
#
# TensorFlow computes with networks; Keras is the part of it with layers and the training. The first import below is
# ours: it loads TensorFlow without the start-up messages that it would print.

# %%
import lungseg_utils.quiet  # before the first TensorFlow import

import keras
import tensorflow as tf

# %% tags=["nbval-ignore-output"]
import platform

import cv2
import matplotlib
import sklearn

print("Python      ", platform.python_version())
for library in (tf, keras, np, sklearn, cv2, matplotlib):
    print(f"{library.__name__:12} {library.__version__}")

# %% [markdown]
# Keras had a big change from version 2 to version 3. Older tutorials, the article that this course starts from among
# them, were written for version 2 and stop with an error on version 3. So we check.

# %%
assert int(keras.__version__.split(".")[0]) >= 3, "This course needs Keras 3."
assert keras.backend.backend() == "tensorflow", "This course needs the TensorFlow backend of Keras."

# %% [markdown]
# ## Is there a GPU?
#
# A GPU computes many multiplications at once, and training consists of little else.

# %% tags=["nbval-ignore-output"]
import os

gpus = tf.config.list_physical_devices("GPU")
print(f"{len(gpus)} GPU, {os.cpu_count()} processor cores")
if not gpus:
    print("No GPU: stay with the 'laptop' recipe. It was made for this.")

# %% [markdown]
# | | without a GPU | with a GPU (for example on Colab, for free) |
# |---|---|---|
# | recipe `laptop` | some minutes for the whole course | faster still |
# | recipe `article` | many hours | the way to run it |
#
# On Colab, *Runtime → Change runtime type* offers a GPU. Nothing in the notebooks changes: TensorFlow uses a GPU when
# it finds one.
#
# How fast is *this* machine? Multiply two large matrices and count the operations: $2 n^3$ for two $n \times n$
# matrices.

# %% tags=["nbval-ignore-output"]
import time

size = 2000
matrix = tf.random.normal([size, size])
product = matrix @ matrix  # the first run also sets things up

start = time.perf_counter()
product = (matrix @ matrix).numpy()
seconds = time.perf_counter() - start
print(f"{2 * size**3 / seconds / 1e9:.0f} billion operations per second")

# %% [markdown]
# Run the cell again: the number changes, because your machine does other things too. Notebook 5 counts how many
# operations one X-ray costs, and then this number says how long training takes.

# %% [markdown]
# ## Seeds: the same chance twice
#
# Training uses random numbers: for the first weights, for the order of the images, for the changes made to them. A
# computer's random numbers come from a formula that starts with a **seed**. Same seed, same numbers.
#
# > **Predict.** Which of the three lines below will be equal?

# %%
def three_numbers(seed):
    keras.utils.set_random_seed(seed)
    return tf.random.uniform([3]).numpy().round(3)


print(three_numbers(42))
print(three_numbers(42))
print(three_numbers(7))

# %% [markdown]
# The first two are equal, the third is not. `keras.utils.set_random_seed` sets the seeds of Python, NumPy and
# TensorFlow at once, so the first weights of a network repeat as well:

# %%
def first_weight(seed):
    keras.utils.set_random_seed(seed)
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    return float(layer.kernel[0, 0])


assert first_weight(42) == first_weight(42)
assert first_weight(42) != first_weight(7)

# %% [markdown]
# A fixed seed makes a result *repeatable*. It does not make it *typical*: another seed gives a somewhat better or
# worse network. A result from one seed alone says little about small differences.

# %% [markdown]
# ## Choosing data and recipe
#
# Two choices hold for all notebooks:
#
# - the **data set**: the drawn X-rays, or a folder of real ones
# - the **recipe**: all numbers that shape the training, under one name

# %% tags=["nbval-ignore-output"]
print("Data:  ", chosen.data or "X-rays drawn by code")
print("Recipe:", chosen.recipe.name)

# %%
from lungseg_utils.recipes import RECIPES

print(f"{'':18}" + "".join(f"{name:>12}" for name in RECIPES))
for field in ("image_size", "base_filters", "batch_size", "learning_rate", "epochs", "augment"):
    print(f"{field:18}" + "".join(f"{getattr(recipe, field)!s:>12}" for recipe in RECIPES.values()))

# %% [markdown]
# You need not understand these words yet; notebook 7 takes them one by one.
#
# To choose something else, run `course.choose` once. The choice is kept for all notebooks. (On Colab each notebook has
# a machine of its own: there, run it in every notebook, before the cell with `course.start()`.)
#
# ```python
# course.choose(recipe="article", data="/path/to/MontgomerySet")   # real X-rays, the article's numbers
# course.choose()                                                  # back to laptop and drawn X-rays
# ```
#
# The real set is the Montgomery County chest X-ray set of the US National Library of Medicine: 138 X-rays with lung
# masks. `lungseg fetch` (or `python -m lungseg_utils fetch`) downloads it after showing its terms.
#
# A name that does not exist is refused with the names that do:

# %%
try:
    course.choose(recipe="fast")
except ValueError as error:
    print(error)

# %% [markdown]
# ## Check yourself
#
# **1.** Two people run the same notebook with the same seed and get different losses. Name two possible reasons.
#
# <details><summary>Answer</summary>
#
# Different versions of a library, or different hardware: a GPU adds numbers in another order than a processor, and
# rounding then differs. Different data would do it as well.
#
# </details>
#
# **2.** Why is it a good idea to try several seeds before saying that network A is better than network B?
#
# <details><summary>Answer</summary>
#
# The difference may come from chance alone. If A beats B with five seeds out of five, chance is a poor explanation.
#
# </details>
#
# **3.** Why does the outline leave out the part of the lung behind the heart?
#
# <details><summary>Answer</summary>
#
# It cannot be seen in the picture, so readers could not agree on it. The people who drew the masks of the real set
# left it out, and the drawn set follows them.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: Random numbers of your own
#
# `keras.utils.set_random_seed` sets the seeds of three generators that all code of a program shares: those of Python,
# NumPy and TensorFlow. They are **global**. Setting them once, at the start, is right. A small function should not do
# it: all code that draws after a call would get the same numbers again, and nobody would know why.
#
# Write `shuffled(items, seed)`. It returns a new list with the same items in random order.
#
# - The same seed gives the same order, every time. Another seed gives another order.
# - The list `items` stays as it was.
# - The three global generators stay as they were: the numbers that they give next are those that they would have given
#   without your function.
#
# For example, if `shuffled(["A", "B", "C"], 7)` is `["C", "A", "B"]` once, then it is so every time.
#
# <details><summary>Hint</summary>
#
# `np.random.default_rng(seed)` makes a generator that nobody else uses. It has the methods `shuffle` and `permutation`.
# Look up what each of them returns.
#
# </details>

# %%
def shuffled(items, seed):
    """A new list: the same items in random order."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    import random
    letters, draws = list("ABCDEFGHIJ"), []
    for seeds in ([], [1, 2, 1]):  # what the three global generators give without your function, and after it
        keras.utils.set_random_seed(5)
        orders = [shuffled(letters, seed) for seed in seeds]
        draws.append((random.random(), sklearn.utils.check_random_state(None).random(), float(tf.random.uniform([]))))
    assert letters == list("ABCDEFGHIJ"), f"the list that you were given has become {letters}. Leave it as it is."
    assert isinstance(orders[0], list) and sorted(orders[0]) == letters, f"not a list of the same items: {orders[0]!r}"
    assert orders[0] == orders[2] != orders[1], f"the seeds 1, 2 and 1 gave {orders}. Which must be equal?"
    assert draws[0] == draws[1], "after your function, the global generators give other numbers than without it."

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def shuffled(items, seed):
#     order = np.random.default_rng(seed).permutation(len(items))
#     return [items[place] for place in order]
# ```
#
# The generator is made inside the function and used nowhere else. `random.seed(seed)` would give a repeatable order
# too, but it sets a generator that others draw from. And most functions named `shuffle` change the list in place and
# return `None`.
#
# </details>
#
# ### Exercise 2: Is this version new enough?
#
# Above, we looked at the first number of a version only. Now compare all of them. Write `at_least(version, needed)`:
# `True` if `version` is `needed` or newer, else `False`. Both are texts of whole numbers with dots between them.
#
# - The first number counts most, then the second, and so on: 3.0.1 is newer than 2.20.5.
# - The parts are numbers: 3.13 is newer than 3.9.
# - One version may have more parts than the other. A part that is missing counts as 0: 2.3 and 2.3.0 are the same.
#
# (Trial versions such as `2.21.0rc1` do not occur here. For those, take the package `packaging`.)
#
# <details><summary>Hint</summary>
#
# Python compares two lists of numbers as we need it, from the first place to the last: `[3, 0, 1] > [2, 20, 5]`. What
# does it say about `[2, 3] >= [2, 3, 0]`?
#
# </details>

# %%
def at_least(version, needed):
    """Whether a version, such as "3.13.0", is the needed one or newer."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    for new, old in (("3.13.0", "3.9.0"), ("3.0.1", "2.20.5"), ("10.1", "9.3.1"), ("4.10.0.84", "4.10")):
        assert at_least(new, old), f"{new} is newer than {old}, and your answer is {at_least(new, old)}."
        assert not at_least(old, new), f"{old} is older than {new}, and your answer is {at_least(old, new)}."
    assert at_least("3.13.0", "3.13.0"), "3.13.0 is at least 3.13.0: the needed version itself is new enough."
    assert at_least("2.3.0", "2.3") and at_least("2.3", "2.3.0"), "2.3 and 2.3.0 are the same version."
    for first, second in np.random.default_rng(0).integers(0, 13, (200, 2, 3)).tolist():
        texts = [".".join(str(number) for number in version) for version in (first, second)]
        answer = at_least(*texts)
        assert bool(answer) == (first >= second), f"is {texts[0]} at least {texts[1]}? Your answer is {answer}."

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def at_least(version, needed):
#     have = [int(part) for part in version.split(".")]
#     want = [int(part) for part in needed.split(".")]
#     have += [0] * (len(want) - len(have))  # a part that is missing counts as 0
#     return have >= want
# ```
#
# As texts, "3.13" comes before "3.9", for the character 1 comes before the 9. As numbers, 13 comes after 9. Without the
# zeros, Python calls `[2, 3]` less than `[2, 3, 0]`, because it is shorter.
#
# </details>
#
# ### Further
#
# 1. Let the network outline `cases[2]` and `cases[10]`. What makes them harder? *Hint: one line of the cell with the
#    three X-rays changes.*
# 2. Measure the speed of your machine for `size = 200` and for `size = 4000`. Why is the small one slower per
#    operation? *Hint: what happens besides multiplying?*
#
# ## Summary
#
# - Segmentation says for each pixel what it belongs to; here, to a lung or not.
# - A trained network does it in a moment. The Dice coefficient says how well: 1 is perfect.
# - Results belong to versions and seeds: write both down.
# - The `laptop` recipe needs no GPU.
#
# **Next:** [notebook 2](02_reading.ipynb) opens the files: what is in an X-ray, and what in a mask?
