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
# # 3 · Training, validation and test
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/03_split.ipynb)
#
# How good is a network on X-rays that it has never seen? To answer that, some X-rays must stay unseen. Which ones,
# and how many, decides what the answer is worth. The article that this course starts from leaves a gap here, one that
# is easy to overlook.
#
# **You will be able to**
#
# - explain what training, validation and test are for, and why two parts are not enough
# - split cases so that each part has its share of findings and no patient is in two parts
# - find patients that leak from one part into another, in any split
# - judge how far a score from 13 or 20 images can be trusted
#
# **Time on two cores:** about 10 seconds
#
# **Needs:** nothing; the X-rays are drawn if they are not there yet. **Leaves behind:** `split.json` in the folder of
# the run, which all later notebooks use.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)
arrays = course.arrays_ready(chosen, cases)

# %% [markdown]
# ## Why three parts?
#
# A network with a million numbers can learn its training images by heart. Its score on them says little about
# others. So the cases are shared out into three parts:
#
# | part | what it is used for | how often |
# |---|---|---|
# | **training** | finds the weights of the network | at every step |
# | **validation** | chooses: when to stop, which recipe, which threshold | after every epoch, by you as well |
# | **test** | says how good the final network is | once, at the end |
#
# (An **epoch** is one pass over the training part.) That training images cannot judge is plain. But why not report
# the validation score? The network did not learn from those images.
#
# Here is an experiment with networks that know nothing. Each answers "finding" or "no finding" by tossing a coin.
# We toss for 20 validation cases and 20 test cases, take many such coins, and **choose the one that is best on
# validation**.
#
# > **Predict.** Every coin is right half of the time. What will the winner of 200 coins score on validation, and
# > what on test?

# %%
import numpy as np


def best_coin(coins, images, rng):
    truth = rng.integers(0, 2, images)
    answers = rng.integers(0, 2, (coins, images))
    right = (answers == truth).mean(axis=1)
    return right.max()


rng = np.random.default_rng(3)
print(f"one coin, validation:       {best_coin(1, 20, rng):.2f}")
print(f"best of 200, validation:    {best_coin(200, 20, rng):.2f}")
# tossed anew: a coin does not know that it has won
print(f"the winner, on test:        {best_coin(1, 20, rng):.2f}")

# %% [markdown]
# One toss may be chance, so repeat the whole experiment 500 times, for different numbers of coins.

# %%
print("coins   winner on validation   winner on test   (means of 500 experiments)")
for coins in (1, 10, 100, 1000):
    validation = np.mean([best_coin(coins, 20, rng) for _ in range(500)])
    test = np.mean([best_coin(1, 20, rng) for _ in range(500)])
    print(f"{coins:5}   {validation:20.2f}   {test:14.2f}")

assert validation > 0.75 and abs(test - 0.5) < 0.03

# %% [markdown]
# The more coins compete, the better the winner looks on validation, and on test it is still a coin. *Choosing* by a
# score makes that score too good. Every epoch of a training run is a competitor, and so is each recipe that you
# try. Real networks are no coins, so the effect is smaller, but it has the same direction. That is why there is a
# part that chooses nothing.

# %% [markdown]
# ## A random split
#
# scikit-learn's `train_test_split` shuffles and cuts in two. Used twice, it gives three parts. First set aside 15 %
# for the test, then as many for validation.

# %%
from sklearn.model_selection import train_test_split

ids = [case.id for case in cases]
held_out = round(0.15 * len(ids))
rest, test = train_test_split(ids, test_size=held_out, random_state=0)
train, val = train_test_split(rest, test_size=held_out, random_state=0)
print(len(train), "training,", len(val), "validation,", len(test), "test")
assert sorted(train + val + test) == sorted(ids)

# %% [markdown]
# How many of each part show a finding?

# %%
finding_of = {case.id: case.finding or 0 for case in cases}


def share_of_findings(part):
    return np.mean([finding_of[case_id] for case_id in part])


for name, part in (("all", ids), ("training", train), ("validation", val), ("test", test)):
    print(f"{name:10} {share_of_findings(part):.2f}")

# %% [markdown]
# > **Predict.** With another seed, the test part holds other cases. Over 100 seeds, how small and how large does
# > its share of findings become?

# %%
def random_test(seed, stratify=None):
    return train_test_split(ids, test_size=held_out, random_state=seed, stratify=stratify)[1]


shares = [share_of_findings(random_test(seed)) for seed in range(100)]
print(f"random:     from {min(shares):.2f} to {max(shares):.2f}")

# %% [markdown]
# A wide range. Lungs with findings are often harder to outline, so a test part with few of them is an easy exam,
# and you would not notice. To **stratify** means to give each part the same share:

# %%
findings = [finding_of[case_id] for case_id in ids]
stratified = [share_of_findings(random_test(seed, stratify=findings)) for seed in range(100)]
print(f"stratified: from {min(stratified):.2f} to {max(stratified):.2f}")
assert max(stratified) - min(stratified) <= max(shares) - min(shares)

# %% [markdown]
# ## Patients come back
#
# So far we split X-rays. But the same person may have been X-rayed more than once. The file names do not tell; the
# readings do:

# %%
repeats = [case for case in cases if "same pt" in case.reading]
for case in repeats[:4]:
    print(f"{case.id}: {case.reading}")
print(f"{len(repeats)} readings say so, in {len(cases)} cases.")

# %% [markdown]
# ("pt" is short for patient.) `find_cases` reads this, and `case.patient` is the ID of the patient's first case:

# %%
for case in repeats[:1]:
    print(case.id, "is a visit of patient", case.patient)
print(len(cases), "cases of", len({case.patient for case in cases}), "patients")

# %% [markdown]
# Two X-rays of one person look alike: the same ribs, the same heart, the same outline. If one is in training and
# one in the test part, the network has seen half of the answer. This is called a **leak**.
#
# To find leaks, note for each patient which parts its X-rays are in. Toy data first: the IDs start with the
# patient's letter.

# %%
from collections import defaultdict

toy = {"train": ["A1", "B1", "C1"], "val": ["D1"], "test": ["B2", "E1"]}
found = defaultdict(lambda: defaultdict(list))
for part, toy_ids in toy.items():
    for case_id in toy_ids:
        found[case_id[0]][part].append(case_id)

for patient, parts in found.items():
    print(patient, dict(parts), "LEAK" if len(parts) > 1 else "")

# %% [markdown]
# As a function, with the patients of our cases:

# %%
def shared_patients(split, cases):
    patient_of = {case.id: case.patient for case in cases}
    found = defaultdict(lambda: defaultdict(list))
    for part, ids in split.items():
        for case_id in ids:
            found[patient_of[case_id]][part].append(case_id)
    return {patient: dict(parts) for patient, parts in found.items() if len(parts) > 1}


# %% [markdown]
# ### The article's split
#
# The article sorts the files and splits them twice at random: 10 % for validation, 10 % for test, seed 42, patients
# not looked at.

# %%
def article_split(ids):
    held_out = int(0.1 * len(ids))
    rest, val = train_test_split(sorted(ids), test_size=held_out, random_state=42)
    train, test = train_test_split(rest, test_size=held_out, random_state=42)
    return {"train": sorted(train), "val": sorted(val), "test": sorted(test)}


split = article_split(ids)
print({part: len(part_ids) for part, part_ids in split.items()})

# %% [markdown]
# > **Predict.** Does it leak on the data set at hand?

# %%
for parts in shared_patients(split, cases).values():
    print(parts)

# %% [markdown]
# It does, on the drawn X-rays, which have repeat visits like a hospital, and on the real ones. On the 138 X-rays of
# the Montgomery set it gives 112, 13 and 13 cases, and **three of the 13 test images show patients who are also in
# training**: `MCUCXR_0117_1` is the patient of `MCUCXR_0113_1`, and `MCUCXR_0162_1` and `MCUCXR_0170_1` are the
# patient of `MCUCXR_0166_1`. The readings of the set itself say so. If you have chosen the real set, you see it
# above.
#
# Seed 42 was not bad luck. How often does a random split put a patient into two parts?

# %%
leaks = []
for seed in range(100):
    rest, test = train_test_split(ids, test_size=held_out, random_state=seed)
    train, val = train_test_split(rest, test_size=held_out, random_state=seed)
    leaks.append(len(shared_patients({"train": train, "val": val, "test": test}, cases)))
print(f"{np.count_nonzero(leaks)} of 100 random splits leak, {np.mean(leaks):.1f} patients on "
      f"average")

# %% [markdown]
# ### How a leak can make scores too good
#
# Think of the laziest network: it finds the training image that looks most like the new one, and copies its mask.
# How well does a copied mask fit, from the same patient's other visit, and from a stranger? The measure is the Dice
# coefficient, 1 for equal masks.
#
# > **Predict.** Which is higher, and is the difference large?

# %%
from itertools import combinations

from lungseg_utils.scores import dice

lungs = arrays.masks.any(axis=-1)
patients = [case.patient for case in cases]
same = [dice(lungs[i], lungs[j])
        for i, j in combinations(range(len(cases)), 2) if patients[i] == patients[j]]
if same:
    print(f"{len(same)} pairs of the same patient: mean Dice {np.mean(same):.2f}")

# %%
pairs = np.random.default_rng(0).integers(0, len(cases), (500, 2))
strangers = [dice(lungs[i], lungs[j]) for i, j in pairs if patients[i] != patients[j]]
print(f"{len(strangers)} pairs of strangers:       mean Dice {np.mean(strangers):.2f}")
assert not same or np.mean(same) > np.mean(strangers)

# %% [markdown]
# A copied mask fits better when the patient is known already. (The drawn X-rays make it plainer than real ones, in
# which patients stand and breathe differently at each visit.) In the clinic, the next patient is a stranger. So a leak
# rewards a network that remembers. This shows that a leak *can* make a score too good, for copied masks. How much it
# changes for a network that learns is another question. Notebook 9 asks it, and finds very little on the few X-rays
# that there are.
#
# The cure: split *patients*, not X-rays.

# %% [markdown]
# ## Stratified, and grouped by patient
#
# scikit-learn's `StratifiedGroupKFold` does both at once. It deals the cases into equal stacks, called **folds**,
# like a dealer deals cards: all cases of a **group** (here: a patient) go to the same fold, and each fold gets its
# share of findings. A toy of nine cases, three folds, one patient with two visits:

# %%
from sklearn.model_selection import StratifiedGroupKFold

toy_ids = np.array(["A1", "A2", "B1", "C1", "D1", "E1", "F1", "G1", "H1"])
toy_patients = ["A", "A", "B", "C", "D", "E", "F", "G", "H"]
toy_findings = np.array([0, 0, 0, 1, 1, 0, 1, 0, 0])

for _, held in StratifiedGroupKFold(n_splits=3).split(toy_ids, toy_findings, toy_patients):
    print(toy_ids[held], toy_findings[held])

# %% [markdown]
# Both visits of A are in one fold, and each fold has one finding. (`split` gives two lists of positions for each
# fold: all the others, and its own. We need the second.)
#
# It looks at the patients in the order of their names and does not shuffle by itself. So give the patients random
# numbers for names. `np.unique` lists the different patients and says, for each case, which one of them it belongs
# to:

# %%
names, numbers = np.unique(toy_patients, return_inverse=True)
print(names, numbers)
print(np.random.default_rng(42).permutation(len(names))[numbers])

# %% [markdown]
# The first two numbers of the last line are equal: one patient. (The class has an option `shuffle=True`. Before
# version 1.8 of scikit-learn it mixed up the patients' findings, and the folds were not stratified; see
# [scikit-learn #32540](https://github.com/scikit-learn/scikit-learn/pull/32540). Shuffling ourselves gives the same
# split with old and new versions.)
#
# Now as a function for any number of folds. It gives the IDs of each:

# %%
def deal(cases, parts, seed):
    findings = [case.finding or 0 for case in cases]
    names, numbers = np.unique([case.patient for case in cases], return_inverse=True)
    patients = np.random.default_rng(seed).permutation(len(names))[numbers]
    dealer = StratifiedGroupKFold(n_splits=parts)
    return [
        [cases[row].id for row in held_out]
        for _, held_out in dealer.split(findings, findings, patients)
    ]


# %% [markdown]
# For the split we take seven folds: one for the test, one for validation, five for training. That is about 14 %, 14 %
# and 71 %.

# %%
from lungseg_utils.cases import DatasetError


def split_cases(cases, seed=42):
    patients = {case.patient for case in cases}
    if len(patients) < 14:
        raise DatasetError(f"{len(patients)} patients are too few for three parts: 14 are needed.")
    folds = deal(cases, 7, seed)
    return {"train": sorted(sum(folds[2:], [])), "val": sorted(folds[1]), "test": sorted(folds[0])}


# %%
split = split_cases(cases)
for part, part_ids in split.items():
    print(f"{part:6} {len(part_ids):4} cases, share of findings {share_of_findings(part_ids):.2f}, "
          f"first {part_ids[0]}")

# %% [markdown]
# Do not believe it, check it. Every case exactly once, no patient twice, shares of findings close, and the same
# seed gives the same split:

# %%
assert sorted(split["train"] + split["val"] + split["test"]) == sorted(ids)
assert not shared_patients(split, cases)
for part in split.values():
    assert abs(share_of_findings(part) - share_of_findings(ids)) < 0.08
assert split_cases(cases) == split
assert split_cases(cases, seed=43) != split

# %% [markdown]
# ## How far can a small test part be trusted?
#
# The article reports scores of 13 validation images, and we test on one seventh of the cases. A mean over few
# images depends on which images they are. How much? We have no network yet, so take another quantity that is known
# for every case: the share of the picture that is lung. Its mean over all cases is the truth. Now pretend to know
# only a few cases, many times over.
#
# > **Predict.** From 13 cases to 52, four times as many: how much closer to the truth does the mean come?

# %%
values = 100 * lungs.mean(axis=(1, 2))  # per cent of the picture
rng = np.random.default_rng(1)
sizes = (5, 13, 20, 52, 200)
means = {n: rng.choice(values, (2000, n)).mean(axis=1) for n in sizes}  # 2000 draws of n cases each

print(f"truth {values.mean():.1f} %, standard deviation of one case {values.std():.1f}")
for n in sizes:
    print(f"{n:4} cases: standard deviation of the mean {means[n].std():.2f}, "
          f"formula {values.std() / n**0.5:.2f}")
    assert abs(means[n].std() * n**0.5 / values.std() - 1) < 0.1

# %%
from lungseg_utils import figures

figure, axes = figures.new_figure(1, 1, width=5.5, height=3)
axes[0, 0].boxplot(list(means.values()), tick_labels=list(means), showfliers=False)
axes[0, 0].axhline(values.mean(), linestyle="--", color="black", label="mean of all cases")
axes[0, 0].set(xlabel="cases that the mean is taken of", ylabel="lung, % of the picture")
axes[0, 0].legend()
figures.show(figure, "Box plots of the means of 5, 13, 20, 52 and 200 cases around a dashed line, "
             "the mean of all cases: the more cases, the shorter the box and its whiskers.")

# %% [markdown]
# Four times as many cases, half the error. The standard deviation of a mean is called its **standard error**, and a
# formula gives it without any simulation: the standard deviation of one case, divided by the square root of the
# number of cases.
#
# Now read a score in this way. Suppose that the Dice coefficients of single images scatter with a standard
# deviation of 0.02:

# %%
for n in (13, 20, 35, 200):
    error = 0.02 / n**0.5
    print(f"{n:4} images: standard error {error:.4f}, "
          f"so the mean is known to about +- {2 * error:.3f}")

# %% [markdown]
# (Twice the standard error covers about 95 of 100 such draws.) With 13 images, two networks that differ in the
# third decimal cannot be told apart by their means. Three remedies:
#
# - report the scatter and the number of images, not only the mean
# - compare two networks image by image, on the same images
# - **cross-validation**: let each of the seven folds be the test part once, train seven times, and every case is
#   tested
#
# Cross-validation takes seven times as long. The notebooks train on one split, and say how many images a score comes
# from. Notebook 9 shows a cross-validation that was trained beforehand, with five folds.

# %% [markdown]
# ## Keeping the split
#
# A seed is not enough to repeat a split: another version of a library may deal in another way, and somebody else
# may not use Python at all. So write the IDs down. JSON is a text format that every language reads.
#
# `write_text` of the course writes the file under another name first and then renames it. If the computer stops in
# between, there is no half a split.

# %%
import json

from lungseg_utils.files import write_text


def save_split(split, path):
    write_text(json.dumps(split, indent=1) + "\n", path)


# %%
path = chosen.run / "split.json"
save_split(split, path)
print(path.read_text(encoding="utf-8")[:100])

# %% [markdown]
# Its counterpart `load_split` reads the file and checks it against the cases: no ID twice, none that is not there.
# A split that was made for another data set is refused:

# %%
from lungseg_utils.splits import load_split

assert load_split(path, cases) == split
assert course.split_ready(chosen, cases) == split  # what the next notebooks get

# %%
other = chosen.run / "other.json"
save_split({"train": ["SOMEONE_ELSE_1"], "val": split["val"], "test": split["test"]}, other)
try:
    load_split(other, cases)
except DatasetError as error:
    print(str(error).replace(str(other), other.name))  # without the folder
other.unlink()

# %% [markdown]
# The functions of this notebook stand in `lungseg_utils.splits` too, for the notebooks that follow.

# %% [markdown]
# ## Check yourself
#
# **1.** You train one network for 100 epochs and keep the weights of the epoch with the best validation Dice. Is
# that Dice a fair estimate for new X-rays?
#
# <details><summary>Answer</summary>
#
# No. It is the best of 100 competitors and therefore somewhat too good. The test part, which chose nothing, gives
# the fair one.
#
# </details>
#
# **2.** You look at the test score, find it poor, change the recipe, and look again. What has the test part become?
#
# <details><summary>Answer</summary>
#
# A second validation part: you choose by it now. For a fair score you would need cases that nobody has looked at.
#
# </details>
#
# **3.** A hospital sends 1,000 X-rays of 400 patients. What do you group by, and what else may leak?
#
# <details><summary>Answer</summary>
#
# By patient. Other things that images share may leak as well: the scanner, the ward, the person who drew the masks.
# If the network is to work in *another* hospital, group by hospital.
#
# </details>
#
# **4.** The mean Dice of network B is two thousandths above that of network A, on 13 test images. Is B better?
#
# <details><summary>Answer</summary>
#
# Nobody can tell from that. With the usual scatter between images, the difference is well below twice the standard
# error. Compare them image by image, on more images.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: The same picture under two names
#
# The readings name patients who came back. But an X-ray may also have been filed twice, under two IDs, and nobody
# knows. Only the pixels tell. The two files need not be equal: one may have been saved anew, or a letter was written
# on it.
#
# Write `doubles(first, second, limit)`.
#
# - `first` is (N, height, width), `second` is (M, height, width), both `uint8`: for example the training X-rays and the
#   test X-rays.
# - In each pixel, `first[i]` and `second[j]` are some grey levels apart. The pair `(i, j)` is a double if the mean of
#   this over all pixels is **at most** `limit`.
# - Return a list of all such pairs, in any order.
#
# For example, the pictures `[[10, 20]]` and `[[12, 20]]` are 2 and 0 apart in their two pixels, which is 1 on average.
#
# <details><summary>Hint</summary>
#
# Compare each picture of `first` with each of `second`. And think of notebook 2: what is 10 - 12 in `uint8`?
#
# </details>

# %%
def doubles(first, second, limit):
    """All (i, j) for which first[i] and second[j] are at most `limit` grey levels apart on average."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    pictures = np.random.default_rng(0).integers(5, 250, (10, 16, 16), dtype=np.uint8)
    first, second = pictures[:6], pictures[6:]
    second[:] = first[1] ^ 1, first[3, ::-1], first[5], first[0]  # ^ 1: each grey level goes up or down by one
    second[3, 0, 0] = 255
    found = {(int(i), int(j)) for i, j in doubles(first, second, limit=1)}
    assert (5, 2) in found, f"first[5] and second[2] are equal, but you found {sorted(found)}. Compare each with each."
    assert (1, 0) in found, "first[1] and second[0] are 1 apart in each pixel, some up, some down: within the limit."
    assert (0, 3) in found, "first[0] and second[3] differ in one of 256 pixels. Average over all pixels. Not found."
    more = sorted(found - {(5, 2), (1, 0), (0, 3)})
    assert not more, f"{more} are no doubles. A picture and its mirror image, for example, have the same mean."

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def doubles(first, second, limit):
#     found = []
#     for i, a in enumerate(first):
#         for j, b in enumerate(second):
#             apart = np.abs(a.astype(int) - b.astype(int))
#             if apart.mean() <= limit:
#                 found.append((i, j))
#     return found
# ```
#
# In `uint8`, 10 - 12 is 254, and `np.abs` cannot mend that afterwards: so change the type first. Without `np.abs`,
# differences up and down cancel, and pictures that are only equally bright on average become doubles.
#
# </details>
#
# ### Exercise 2: Two networks, the same images
#
# Some X-rays are hard for every network. On them both networks score low, on others both score high. So the scores of A
# scatter, and those of B scatter with them. The *difference* of the two on one image knows nothing of this.
#
# Write `paired_difference(a, b)`. `a` and `b` are arrays of n numbers: the Dice coefficients of network A and of
# network B on the same n images, in the same order. Return two numbers: the mean of the differences B - A, and the
# standard error of this mean.
#
# For example, with 0.80 and 0.90 for A, and 0.82 and 0.92 for B, the mean difference is 0.02. B is better by the same
# amount on each image, so the standard error is 0.
#
# <details><summary>Hint</summary>
#
# The formula stands in the notebook: the standard deviation of one case, divided by the square root of the number of
# cases. What is "one case" here?
#
# </details>

# %%
def paired_difference(a, b):
    """The mean of b - a, and its standard error."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    a = np.random.default_rng(0).uniform(0.7, 0.95, 100)
    mean, error = paired_difference(a, a + 0.02)
    assert np.isclose(mean, 0.02), f"B is 0.02 better on each image, and your mean is {mean:.4f}."
    assert error < 1e-6, f"B is 0.02 better on each image. What scatters? Your standard error is {error:.4f}."
    mean, error = paired_difference(a, a + np.where(np.arange(100) % 2, 0.03, -0.01))
    assert np.isclose(mean, 0.01), f"half of the differences are 0.03, half are -0.01, and your mean is {mean:.4f}."
    right = abs(error / 0.002 - 1) < 0.02
    assert right, f"100 differences scatter with a standard deviation of 0.02. Your standard error is {error:.4f}."

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def paired_difference(a, b):
#     differences = b - a
#     return differences.mean(), differences.std() / len(differences) ** 0.5
# ```
#
# What both networks find hard cancels in each difference. If you join the standard errors of A and of B instead, you
# treat them as if they had seen different images. Your error is much larger, and you miss real differences. (With few
# images, `std(ddof=1)` is somewhat better. The check takes both.)
#
# </details>
#
# ### Further
#
# 1. Give the coins 200 validation cases in place of 20. How does the winner's score change, and why? *Hint: the
#    second argument of `best_coin`.*
# 2. Split by sex in place of finding: make each part hold the same share of women. *Hint: one line of `split_cases`
#    changes. Save nothing, or save under another name.*
# 3. Do all seven folds have shares of findings that are as close? *Hint: print `share_of_findings` of each of the
#    `folds`.*
#
# ## Summary
#
# - Training finds the weights, validation chooses, test reports. What chooses looks too good.
# - Stratify, so that each part is equally hard; group by patient, so that nothing leaks.
# - The article's split leaks: three of its 13 test images show patients from training.
# - The error of a mean shrinks with the square root of the number of images.
# - Keep the IDs in a file, not only the seed.
#
# **Next:** [notebook 4](04_tfdata.ipynb) feeds the training part to the network, in batches and with random changes.
