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
# out how far its outlines can be trusted. This first notebook makes sure that everything is in place.
#
# **You will be able to**
#
# - say which versions of the libraries you work with, and why that matters
# - find out whether a GPU is there, and what to expect without one
# - set seeds, so that a result can be repeated
# - choose the data set and the recipe that all nine notebooks use
#
# **Time on two cores:** about 20 seconds
#
# **Needs:** nothing. **Leaves behind:** a set of X-rays drawn by code, and your choice of data set and recipe.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% [markdown]
# ## Where we are going
#
# Before any set-up, here is the task. The course draws its own chest X-rays with code, so nothing has to be
# downloaded. Each comes with the exact outline of both lungs, because the program that drew them knows where they are.
#
# The cell below reads your choice of data (more on that at the end), draws the set if it is not there yet, and lists
# its X-rays. We call an X-ray with everything that belongs to it a **case**.

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)

# %%
print(f"{len(cases)} cases. The first one is {cases[0].id}.")

# %% [markdown]
# Now one of them, first as it is, then with the outlines of the two lungs.
#
# > **Predict.** Where would *you* draw the line? Look at the left picture first: at the middle, where the heart is,
# > and at the bottom, where the lungs end in a sharp corner on each side.

# %%
from lungseg_utils import figures
from lungseg_utils.images import read_grey, read_masks

case = cases[5]
image, masks = read_grey(case.image), read_masks(case)

figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], image, "X-ray")
figures.draw_xray(axes[0, 1], image, "X-ray and outlines")
figures.draw_outlines(axes[0, 1], masks)
figures.show(figure, "A drawn chest X-ray twice; on the right a solid line runs around each of the two dark lungs, "
             "and leaves out the bright heart between them.")

# %% [markdown]
# The lungs are dark because X-rays pass through air. The outline follows the ribs on the outside, the diaphragm at the
# bottom, and the heart on the inside. The part of the lung that lies *behind* the heart cannot be seen, and by
# convention it is left out.
#
# Drawing such outlines is called **segmentation**: for each pixel, say what it belongs to.

# %% [markdown]
# ## Which versions are these?
#
# A result belongs to the versions that made it: the same code can behave differently after an upgrade. So write the
# versions down whenever you report a result.
#
# The first import below is ours: it loads TensorFlow without the start-up messages that it would print.

# %%
import lungseg_utils.quiet  # before the first TensorFlow import

import keras
import tensorflow as tf

# %% tags=["nbval-ignore-output"]
import platform

import cv2
import matplotlib
import numpy as np
import sklearn

print("Python      ", platform.python_version())
for library in (tf, keras, np, sklearn, cv2, matplotlib):
    print(f"{library.__name__:12} {library.__version__}")

# %% [markdown]
# Keras is the part of TensorFlow with layers, losses and the training loop. It had a big change from version 2 to
# version 3: older tutorials, the article that this course starts from among them, stop with an error on Keras 3. We
# therefore check, instead of hoping.

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
# 1. Show the outlines of `cases[0]`. What makes this one harder to outline? *Hint: one line of the drawing cell
#    changes.*
# 2. Measure the speed of your machine for `size = 200` and for `size = 4000`. Why is the small one slower per
#    operation? *Hint: what happens besides multiplying?*
#
# ## Summary
#
# - Segmentation says for each pixel what it belongs to; here, to a lung or not.
# - Results belong to versions and seeds: write both down.
# - The `laptop` recipe needs no GPU.
#
# **Next:** [notebook 2](02_reading.ipynb) opens the files: what is in an X-ray, and what in a mask?
