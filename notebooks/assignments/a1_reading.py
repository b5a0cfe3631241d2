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
# # Assignment 1 · Reading and resizing pairs
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/assignments/student/a1_reading.ipynb)
#
# Every data set comes in a layout of its own, and the mistakes that are made while reading it are never found again:
# a mask on the wrong side, a picture squashed, a patient in two parts of a split. Here you read the files of a clinic,
# make one array of two mask files, bring pictures to a square without distorting them and back again, and split patients so
# that every part can be used.
#
# **You will be able to**
#
# - read a table of files into pairs, and report what is missing by its name
# - tell the patient's right from the viewer's left
# - combine mask files of different kinds without losing or inventing pixels
# - resize picture and masks alike without distortion, and bring a prediction back to the size of its file
# - split by patient under conditions, and say when that is impossible
#
# **Time:** 75 minutes
#
# **Needs:** notebooks 1 to 3 read. Nothing to download, the X-rays are drawn here.
#
# | part | marks |
# |---|---|
# | 1 The files of a clinic | 20 |
# | 2 Two mask files, one array | 20 |
# | 3 Into a square without distortion | 15 |
# | 4 Back to the size of the file | 10 |
# | 5 A split that can be used | 20 |
# | 6 What squashing does | 55 |
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
# - Part 6 is read by a person.

# %% nbgrader={"grade": false, "grade_id": "setup-1", "locked": true, "schema_version": 3, "solution": false, "task": false} tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% nbgrader={"grade": false, "grade_id": "setup-2", "locked": true, "schema_version": 3, "solution": false, "task": false}
import builtins
import csv
import os
import tempfile
from pathlib import Path

os.environ["OPENCV_LOG_LEVEL"] = "ERROR"  # a file that it cannot read is a warning to OpenCV, and is left to you
import cv2
import numpy as np

from lungseg_utils import figures
from lungseg_utils.drawing import draw_phantom

# %% [markdown]
# The clinic is drawn by code and written into a temporary folder. `write_clinic` writes a table `pictures.csv` and the
# files that it names. `rows` are the lines of the table: the ID of an X-ray, the patient, the picture's file, and the
# mask files of the **patient's** right and left lung. All files that are named in `files` are written as grey pictures
# of 4 x 4 px, which is enough where only names are tested. For `clinic`, drawn X-rays and their masks take their place.

# %% nbgrader={"grade": false, "grade_id": "setup-3", "locked": true, "schema_version": 3, "solution": false, "task": false}
COLUMNS = ["id", "patient", "picture", "right_lung", "left_lung"]


def write_clinic(rows, files):
    folder = Path(tempfile.mkdtemp())
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((4, 4), 9, np.uint8))
    with open(folder / "pictures.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder

# %% nbgrader={"grade": false, "grade_id": "setup-4", "locked": true, "schema_version": 3, "solution": false, "task": false}
ROWS = [
    ["CL_0007", "Mrs A", "scans/CL_0007.png", "masks/b.png", "masks/a.png"],
    ["CL_0003", "Mr B", "scans/third.png", "masks/c.png", "masks/d.png"],
    ["CL_0011", "Ms C", "scans/CL_0011.png", "masks/f.png", "masks/e.png"],
]
clinic = write_clinic(ROWS, [name for row in ROWS for name in row[2:]])
for number, row in enumerate(ROWS):
    drawn = draw_phantom(71 + number, 64)
    for name, pixels in zip(row[2:], (drawn.image, drawn.masks[..., 0] * 255, drawn.masks[..., 1] * 255)):
        cv2.imwrite(str(clinic / name), pixels)
print((clinic / "pictures.csv").read_text())

# %% [markdown]
# `mask_files` writes two arrays as files and gives their paths back. `wide` is an X-ray that is wider than it is high,
# with its masks. Viewer's left comes first, as everywhere in the course.

# %% nbgrader={"grade": false, "grade_id": "setup-5", "locked": true, "schema_version": 3, "solution": false, "task": false}
def mask_files(left, right):
    folder = Path(tempfile.mkdtemp())
    for name, pixels in (("viewers_left.png", left), ("viewers_right.png", right)):
        cv2.imwrite(str(folder / name), np.asarray(pixels, np.uint8))
    return folder / "viewers_left.png", folder / "viewers_right.png"

# %% nbgrader={"grade": false, "grade_id": "setup-6", "locked": true, "schema_version": 3, "solution": false, "task": false}
drawn = draw_phantom(77, 128)
wide, wide_masks = drawn.image[20:116], drawn.masks[20:116]
print("picture", wide.shape, wide.dtype, "masks", wide_masks.shape, wide_masks.dtype, np.unique(wide_masks))

# %% [markdown]
# ## Part 1: The files of a clinic (20 marks)
#
# The clinic names files as it likes; only its table says what belongs together. Write `clinic_cases(folder)`.
#
# - It reads `pictures.csv` in `folder` and returns a list of dictionaries, one for each line of the table, **sorted by
#   ID**, with the keys `id`, `image`, `left_mask` and `right_mask`.
# - `id` is the text of the table. The others are paths (`pathlib.Path`, or text) that include `folder`.
# - `left_mask` is the mask of the lung on the **viewer's left**, as everywhere in the course. The table speaks of the
#   patient's right and left lung. Think of the patient as standing opposite you.
# - IDs in the table may have blanks before and after, which do not count.
# - If a file is missing that the table names, it raises a `FileNotFoundError` whose message contains the name of that
#   file.
# - If an ID stands in the table twice, it raises a `ValueError` whose message contains that ID. A **patient** may well
#   stand there twice: these are two X-rays. The patient is not needed here.

# %% nbgrader={"grade": false, "grade_id": "clinic_cases", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    ### BEGIN SOLUTION
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]
    ### END SOLUTION

# %% tags=["nbval-ignore-output"]
figure, axes = figures.new_figure(1, 3)
for place, case in zip(axes[0], clinic_cases(clinic)):
    picture, left, right = (cv2.imread(str(case[key]), 0) for key in ("image", "left_mask", "right_mask"))
    figures.draw_xray(place, picture, f"{case['id']}\nsolid: viewer's left, dashed: right")
    figures.draw_outlines(place, left[..., None] > 127)
    figures.draw_outlines(place, right[..., None] > 127, figures.PREDICTION)
figures.show(figure, "Three chest X-rays; in each, a line runs around both lungs, one of them solid, the other dashed.")

# %% nbgrader={"grade": true, "grade_id": "clinic_cases-test-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# every X-ray once, with its own picture (5 marks)
found = {case["id"]: Path(case["image"]) for case in clinic_cases(clinic)}
assert len(found) == 3, f"the table has 3 X-rays, and {len(found)} came"
look = "What does the table say belongs to that ID?"
for name, file in (("CL_0007", "CL_0007.png"), ("CL_0003", "third.png"), ("CL_0011", "CL_0011.png")):
    assert name in found, f"{name} stands in the table, and the IDs that came are {sorted(found)}"
    assert found[name].name == file, f"{name} has the picture {found[name].name}, and the table says {file}. {look}"
    assert found[name].exists(), f"{found[name]} does not lead to the file. From which folder does it start?"
back = [["K2", "Mr D", "2.png", "2r.png", "2l.png"], ["K1", "Mr D", "1.png", "1r.png", "1l.png"]]
found = [case["id"] for case in clinic_cases(write_clinic(back, [name for row in back for name in row[2:]]))]
assert sorted(found) == ["K1", "K2"], f"Mr D has two X-rays, K1 and K2, and this came: {found}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
numbers = rng.permutation(40)
rows = [[f"P{n:02d}", f"patient {n % 7}", f"x/{m}.png", f"m/{m}r.png", f"m/{m}l.png"]
        for n, m in zip(rng.permutation(40), numbers)]
look = "What does the table say belongs to that ID?"
many = clinic_cases(write_clinic(rows, [n for r in rows for n in r[2:]]))
found = {case["id"]: Path(case["image"]).name for case in many}
right = {row[0]: Path(row[2]).name for row in rows}
assert found == right, f"40 X-rays whose files have other names than their IDs got pictures of others. {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clinic_cases-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# each mask on its side (5 marks)
found = {case["id"]: case for case in clinic_cases(clinic)}
left, right = Path(found["CL_0007"]["left_mask"]).name, Path(found["CL_0007"]["right_mask"]).name
assert {left, right} == {"a.png", "b.png"}, f"CL_0007 has the masks a.png and b.png, and got {left} and {right}"
assert left == "b.png", f"CL_0007: the viewer's left got {left}. Whose right and left does the table speak of?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(12)
rows = [[f"Q{n}", f"patient {n}", f"{n}.png", f"{a}.png", f"{a + 1}.png"]
        for n, a in enumerate(rng.permutation(30) * 2 + 100)]
for case in clinic_cases(write_clinic(rows, [n for r in rows for n in r[2:]])):
    left, right = int(Path(case["left_mask"]).stem), int(Path(case["right_mask"]).stem)
    assert left + 1 == right, f"{case['id']}: viewer's left {left}.png, right {right}.png. Whose sides are they?"
    [row] = [row for row in rows if row[0] == case["id"]]
    assert row[3] == f"{left}.png", f"{case['id']} got the mask of another X-ray: {left}.png"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clinic_cases-test-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# the order, and blanks around an ID (3 marks)
found = [case["id"] for case in clinic_cases(clinic)]
assert found == ["CL_0003", "CL_0007", "CL_0011"], f"sorted by ID, CL_0003 comes first, and they came as {found}"
blanks = [[f"  {row[0]} ", *row[1:]] for row in ROWS]
found = [case["id"] for case in clinic_cases(write_clinic(blanks, [name for row in ROWS for name in row[2:]]))]
assert found == ["CL_0003", "CL_0007", "CL_0011"], f"blanks around an ID do not count, and the IDs are {found}"

### BEGIN HIDDEN TESTS
rng = np.random.default_rng(13)
for blank in (" ", "\t", "   "):
    names = [f"R{number:02d}" for number in rng.permutation(12)]
    rows = [[blank * int(rng.integers(0, 2)) + name, f"patient {name}", f"{name}.png", f"{name}r.png", f"{name}l.png"]
            for name in names]
    found = [case["id"] for case in clinic_cases(write_clinic(rows, [n for r in rows for n in r[2:]]))]
    look = "blanks before some IDs do not count, also for the order"
    assert found == sorted(names), f"{look}, and the IDs are {found}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clinic_cases-test-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# a missing file is named (4 marks)
def missing(gone):
    files = [name for row in ROWS for name in row[2:] if name != gone]
    try:
        clinic_cases(write_clinic(ROWS, files))
    except FileNotFoundError as error:
        return str(error)


assert missing("masks/d.png") is not None, "masks/d.png is missing, and there was no FileNotFoundError"
assert "d.png" in missing("masks/d.png"), f"masks/d.png is missing, and the message is: {missing('masks/d.png')}"
### BEGIN HIDDEN TESTS
for gone in ("scans/third.png", "masks/b.png", "masks/e.png", "scans/CL_0007.png"):
    said = missing(gone)
    assert said is not None, f"{gone} is missing, and there was no FileNotFoundError. Do you look for all three files?"
    assert Path(gone).name in said, f"{gone} is missing, and the message does not name it: {said}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clinic_cases-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# an ID that stands there twice (3 marks)
def twice(rows):
    try:
        clinic_cases(write_clinic(rows, [name for row in rows for name in row[2:]]))
    except ValueError as error:
        return str(error)


again = [*ROWS, ["CL_0003", "Mr C", "scans/other.png", "masks/c.png", "masks/d.png"]]
assert twice(again) is not None, "CL_0003 stands in the table twice, and there was no ValueError"
assert "CL_0003" in twice(again), f"CL_0003 stands in the table twice, and the message is: {twice(again)}"
### BEGIN HIDDEN TESTS
again = [*ROWS, [" CL_0011", "Mr C", "scans/other.png", "masks/c.png", "masks/d.png"]]
assert "CL_0011" in (twice(again) or ""), "'CL_0011' and ' CL_0011' are the same ID. What of blanks?"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: Two mask files, one array (20 marks)
#
# The masks of one X-ray lie in two files, and each program writes them its own way: 0 and 1, or 0 and 255, in one
# channel or in three, with grey steps along the edge. Write `lung_masks(left_path, right_path)`.
#
# - It returns an array (height, width, 3) of `uint8` that holds 0 and 1 alone. Channel 0 is the first file, channel 1 the
#   second, channel 2 is 1 where **either** of them is.
# - A pixel belongs to a lung when it is brighter than half of the brightest value **of its own file**.
# - If a file cannot be read, it raises a `FileNotFoundError` or a `ValueError` whose message contains the file's name.
# - If the two files differ in size, it raises a `ValueError` whose message contains the names of both.
# - A file that is black everywhere is a lung without pixels. That is allowed.
#
# By hand: a row of `0 60 128 255` has its half at 127.5, so the mask is `0 0 1 1`. A row of `0 1 1 0` has its half at 0.5,
# so it is `0 1 1 0`.

# %% nbgrader={"grade": false, "grade_id": "lung_masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    ### BEGIN SOLUTION
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)
    ### END SOLUTION

# %% tags=["nbval-ignore-output"]
both = lung_masks(*mask_files(wide_masks[..., 0] * 255, wide_masks[..., 1]))
figure, axes = figures.new_figure(1, 3)
for place, channel, title in zip(axes[0], np.moveaxis(both, -1, 0), ("viewer's left", "viewer's right", "either")):
    figures.draw_xray(place, channel * 255, title)
figures.show(figure, "Three black pictures with white lungs: on the viewer's left, on the viewer's right, and both.")

# %% nbgrader={"grade": true, "grade_id": "lung_masks-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# shape, dtype and values (4 marks)
masks = np.asarray(lung_masks(*mask_files(wide_masks[..., 0] * 255, wide_masks[..., 1] * 255)))
assert masks.shape == (96, 128, 3), f"files of 96 x 128 px gave an array of shape {masks.shape}"
assert masks.dtype == np.uint8, f"the array is {masks.dtype}"
assert set(np.unique(masks)) <= {0, 1}, f"the values are {np.unique(masks)}"
assert np.array_equal(masks[..., 0], wide_masks[..., 0]), "channel 0 is not the first file"
assert np.array_equal(masks[..., 1], wide_masks[..., 1]), "channel 1 is not the second file"

# %% nbgrader={"grade": true, "grade_id": "lung_masks-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# half of the brightest value of its own file (5 marks)
edge = np.uint8([[0, 60, 128, 255], [0, 127, 200, 255]])
masks = np.asarray(lung_masks(*mask_files(edge, np.uint8([[0, 1, 1, 0], [0, 0, 1, 1]]))))
both = [masks[..., channel].tolist() for channel in (0, 1)]
assert [[0, 0, 1, 1], [0, 0, 1, 1]] in both, f"0 60 128 255 and 0 127 200 255 gave {both[0]}. Where is the half?"
assert [[0, 1, 1, 0], [0, 0, 1, 1]] in both, f"a file of 0 and 1 gave {both[1]}. Where is its half?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(21)
for brightest in (1, 3, 40, 200, 255):
    grey = rng.integers(0, brightest + 1, (9, 7)).astype(np.uint8)
    grey[0, 0] = brightest
    other = rng.integers(0, 256, (9, 7)).astype(np.uint8)
    other[0, 0] = 255
    got = np.asarray(lung_masks(*mask_files(grey, other)))
    right = any(np.array_equal(got[..., channel] > 0, 2 * grey.astype(int) > brightest) for channel in (0, 1))
    assert right, f"a file whose brightest value is {brightest}, beside one with 255: not cut at its own half"
    right = any(np.array_equal(got[..., channel] > 0, other > 127) for channel in (0, 1))
    assert right, f"a file with 255 beside one with {brightest}: not cut at its own half"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lung_masks-test-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# channel 2: either lung (4 marks)
one, other = np.uint8([[0, 255, 255, 0]]), np.uint8([[0, 0, 255, 255]])
either = np.asarray(lung_masks(*mask_files(one, other)))[0, :, 2].tolist()
right = [value > 0 for value in either] == [False, True, True, True]
assert right, f"lungs 0 1 1 0 and 0 0 1 1 gave {either}. And the pixel in both?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(22)
for white in ((255, 255), (128, 128), (200, 200), (128, 255)):
    one, other = (rng.integers(0, 2, (8, 9)).astype(np.uint8) for _ in range(2))
    one[0, 0] = other[0, 0] = 1
    got = np.asarray(lung_masks(*mask_files(one * np.uint8(white[0]), other * np.uint8(white[1]))))[..., 2]
    right = np.array_equal(got > 0, (one + other) > 0)
    look = "is wrong in some pixels. What does uint8 do above 255?"
    assert right, f"files with 0 and {white[0]}, 0 and {white[1]}: channel 2 {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lung_masks-test-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# files that do not fit (4 marks)
def complaint(left, right):
    try:
        lung_masks(left, right)
    except (ValueError, FileNotFoundError) as error:
        return str(error)


good, other = mask_files(wide_masks[..., 0] * 255, wide_masks[..., 1] * 255)
said = complaint(good, good.with_name("gone.png"))
assert said is not None, "gone.png does not exist, and there was neither a FileNotFoundError nor a ValueError"
assert "gone.png" in said, f"gone.png does not exist, and the message does not name it: {said}"
said = complaint(*mask_files(wide_masks[:40, :, 0], wide_masks[:50, :, 1]))
assert said is not None, "files of 40 and of 50 rows, and there was no ValueError"
assert "viewers_left.png" in said and "viewers_right.png" in said, f"40 and 50 rows, and the message is: {said}"
### BEGIN HIDDEN TESTS
text = good.with_name("text.png")
text.write_text("no picture")
for pair in ((text, good), (good, text)):
    look = "What does imread return?"
    assert "text.png" in (complaint(*pair) or ""), f"text.png holds no picture, and no error names it. {look}"
turned = mask_files(wide_masks[:, :96, 0], wide_masks[:96, :64, 1])
assert complaint(*turned) is not None, "files of 96 and of 64 columns, and there was no ValueError"
lying = mask_files(wide_masks[:40, :50, 0], wide_masks[:50, :40, 1])
assert complaint(*lying) is not None, "files of 40 x 50 and of 50 x 40 pixels, and there was no ValueError"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lung_masks-test-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# colour files and empty ones (3 marks)
colour = np.zeros((3, 4, 3), np.uint8)
colour[1, 1:3] = 255
masks = np.asarray(lung_masks(*mask_files(colour, np.zeros((3, 4)))))
assert masks.shape == (3, 4, 3), f"a file with three colour channels gave shape {masks.shape}"
counts = [int((masks[..., channel] > 0).sum()) for channel in (0, 1)]
assert 2 in counts, f"a colour file with 2 white pixels gave {counts[0]}"
assert 0 in counts, f"a file that is black everywhere gave {counts[1]} pixels of lung"

# %% [markdown]
# ## Part 3: Into a square without distortion (15 marks)
#
# The course squashes each X-ray to a square. That is simple, and it distorts: a millimetre is then no longer the same
# length in both directions. Write `fit(image, masks, size)`, which pads instead.
#
# - `image` is (height, width) `uint8`, `masks` is (height, width, 2) `uint8` of 0 and 1.
# - The longer side becomes `size` pixels. The other becomes `round(shorter * size / longer)` pixels.
# - What is resized is put into the **middle** of a black square: above it stand `(size - rows) // 2` rows of zeros, on its
#   viewer's left `(size - columns) // 2` columns of zeros.
# - It returns the picture, (size, size) `uint8`, and the masks, (size, size, 2) `uint8` of 0 and 1.
# - Pictures only ever get smaller here. Use area interpolation (`cv2.INTER_AREA`) for both: a new pixel is the mean of
#   what it covers. A new pixel of a mask is 1 when **more than half** of its area was.
# - Grey values may differ by 1.
#
# By hand: 96 rows and 128 columns, `size` 64. The longer side becomes 64, the other round(96 · 64 / 128) = 48. Above stand
# (64 - 48) // 2 = 8 rows of zeros.

# %% nbgrader={"grade": false, "grade_id": "fit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    ### BEGIN SOLUTION
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks
    ### END SOLUTION

# %% tags=["nbval-ignore-output"]
image, masks = fit(wide, wide_masks, 64)
figure, axes = figures.new_figure(1, 2)
for place, pixels, outlines in ((axes[0, 0], wide, wide_masks), (axes[0, 1], image, masks)):
    figures.draw_xray(place, pixels, f"{pixels.shape[0]} x {pixels.shape[1]}")
    figures.draw_outlines(place, outlines)
figures.show(figure, "A wide chest X-ray with its lungs outlined, and the same in a square, black above and below.")

# %% nbgrader={"grade": true, "grade_id": "fit-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# sizes, dtypes and where the black bars are (4 marks)
image, masks = (np.asarray(each) for each in fit(wide, wide_masks, 64))
assert image.shape == (64, 64) and masks.shape == (64, 64, 2), f"shapes {image.shape} and {masks.shape}"
assert image.dtype == masks.dtype == np.uint8, f"dtypes {image.dtype} and {masks.dtype}"
white = np.full((50, 100), 200, np.uint8)
rows = np.asarray(fit(white, wide_masks[:50, :100], 20)[0]).mean(axis=1)
black = (rows[:5] == 0).all() and (rows[15:] == 0).all()
assert black, f"50 x 100 px in 20 x 20: rows 0 to 4 and 15 to 19 are black. Your rows, on average: {rows.round()}"
shown = abs(rows[5:15] - 200).max() <= 1
assert shown, f"50 x 100 px in 20 x 20: rows 5 to 14 show the picture. Your rows, on average: {rows.round()}"
### BEGIN HIDDEN TESTS
for height, width, size in ((100, 50, 20), (90, 70, 30), (41, 97, 33), (60, 60, 30), (97, 41, 34)):
    grey, ones = np.full((height, width), 200, np.uint8), np.ones((height, width, 2), np.uint8)
    shown, masks = (np.asarray(each) > 0 for each in fit(grey, ones, size))
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    want = np.zeros((size, size), bool)
    top, left = (size - rows) // 2, (size - columns) // 2
    want[top : top + rows, left : left + columns] = True
    place = f"{rows} rows from row {top} and {columns} columns from column {left}"
    assert np.array_equal(shown, want), f"{height} x {width} px in {size} x {size}: the picture covers {place}"
    assert np.array_equal(masks[..., 0], want), f"{height} x {width} px in {size} x {size}: the masks cover {place}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fit-test-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# the picture: the mean of what a new pixel covers (4 marks)
fields = np.indices((16, 16)).sum(axis=0) % 2 * 240
large = np.kron(fields, np.ones((4, 4))).astype(np.uint8)
small = np.asarray(fit(large, np.zeros((64, 64, 2), np.uint8), 16)[0]).astype(int)
assert abs(small - fields).max() <= 1, "fields of 4 x 4 px, a quarter of the size: each becomes a pixel"
fine = np.tile(np.uint8([[0, 200], [200, 0]]), (32, 32))
small = np.asarray(fit(fine, np.zeros((64, 64, 2), np.uint8), 16)[0]).astype(int)
span = f"you have {small.min()} to {small.max()}. Which interpolation?"
assert abs(small - 100).max() <= 1, f"0 and 200 in turn, a quarter of the size: the mean is 100, and {span}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(31)
for size, times in ((20, 4), (30, 3), (32, 2), (11, 7)):
    picture = rng.integers(0, 256, (size * times, size * times)).astype(np.uint8)
    got = np.asarray(fit(picture, np.zeros((size * times, size * times, 2), np.uint8), size)[0]).astype(float)
    mean = picture.reshape(size, times, size, times).mean(axis=(1, 3))
    look = f"a new pixel is not the mean of {times} x {times} old ones. Which interpolation?"
    assert abs(got - mean).max() <= 1.01, f"{size * times} px to {size}: {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fit-test-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# the masks: more than half of a pixel (4 marks)
masks = np.zeros((16, 16, 2), np.uint8)
masks[0:2, 0:2, 0] = [[1, 1], [1, 0]]  # three quarters of a new pixel
masks[0:2, 2:4, 0] = [[1, 1], [0, 0]]  # half of one
masks[2:4, 0:2, 0] = [[1, 0], [0, 0]]  # a quarter
small = np.asarray(fit(np.zeros((16, 16), np.uint8), masks, 8)[1])
assert small[0, 0, 0] == 1, "three of four old pixels are lung, and the new one is not"
assert small[1, 0, 0] == 0, "one of four old pixels is lung, the upper left, and the new one is. Which interpolation?"
assert small[0, 1, 0] == 0, "two of four old pixels are lung: that is half, not more than half"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(32)
for size, times in ((28, 3), (20, 4), (18, 5)):
    masks = (rng.random((size * times, size * times, 2)) < 0.5).astype(np.uint8)
    got = np.asarray(fit(np.zeros((size * times, size * times), np.uint8), masks, size)[1])
    want = masks.reshape(size, times, size, times, 2).mean(axis=(1, 3)) > 0.5 + 1e-6
    assert set(np.unique(got)) <= {0, 1}, f"the values of the masks are {np.unique(got)[:5]}"
    look = "lung is not where more than half was. Which interpolation, which threshold?"
    assert np.array_equal(got > 0, want), f"{size * times} px to {size}: {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fit-test-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# picture and masks stay together (3 marks)
image, masks = np.zeros((60, 90), np.uint8), np.zeros((60, 90, 2), np.uint8)
image[20:40, 60:80], masks[20:40, 60:80, 1] = 255, 1
image, masks = (np.asarray(each) for each in fit(image, masks, 45))
same = np.array_equal(image > 127, masks[..., 1] > 0)
assert same and masks[..., 1].any(), "a white field that is also the mask of the viewer's right lung: they part"
assert not masks[..., 0].any(), "the mask of the viewer's left lung was empty, and is not any more"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(33)
for height, width, size in ((80, 60, 41), (64, 99, 50), (77, 76, 30)):
    image, masks = np.zeros((height, width), np.uint8), np.zeros((height, width, 2), np.uint8)
    row, column, lung = rng.integers(5, height - 30), rng.integers(5, width - 30), rng.integers(0, 2)
    image[row : row + 20, column : column + 24], masks[row : row + 20, column : column + 24, lung] = 255, 1
    new, small = (np.asarray(each) for each in fit(image, masks, size))
    parted = np.count_nonzero((new > 128) != (small[..., lung] > 0))
    together = parted <= 40 and small[..., lung].any()
    assert together, f"{height} x {width} px to {size}: picture and mask part in {parted} pixels"
    assert not small[..., 1 - lung].any(), "the lungs have changed their channels"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: Back to the size of the file (10 marks)
#
# A network answers with probabilities for the square of part 3. Its mask is wanted at the size of the file. Write
# `unfit(probabilities, height, width)`, the way back.
#
# - `probabilities` is (size, size, 2) `float32`, 0 to 1, for a square that was made as in part 3 from a file of
#   `height` rows and `width` columns.
# - The black bars are cut off (their place follows from `size`, `height` and `width` as in part 3), the rest is enlarged
#   to (height, width) with linear interpolation (`cv2.INTER_LINEAR`), and a pixel is lung above 0.5.
# - It returns (height, width, 2) `uint8` of 0 and 1. A pixel in a thousand may differ.

# %% nbgrader={"grade": false, "grade_id": "unfit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    ### BEGIN SOLUTION
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return (cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)
    ### END SOLUTION

# %% tags=["nbval-ignore-output"]
square = cv2.resize(np.pad(wide_masks, ((16, 16), (0, 0), (0, 0))).astype(np.float32), (32, 32), interpolation=3)
back = unfit(square, 96, 128)  # as if a network had answered with the share of lung in each pixel
figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], square.max(axis=-1) * 255, "32 x 32, probability of lung")
figures.draw_xray(axes[0, 1], wide, "96 x 128, dashed: brought back")
figures.draw_outlines(axes[0, 1], wide_masks)
figures.draw_outlines(axes[0, 1], back, figures.PREDICTION)
figures.show(figure, "Left, a small square with two white lungs, black above and below. Right, the wide X-ray with the "
             "true outlines, solid, and those that came back, dashed, which nearly agree.")

# %% nbgrader={"grade": true, "grade_id": "unfit-test-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# shape, and the bars are gone (4 marks)
square = np.zeros((20, 20, 2), np.float32)
square[5:15, :, 0] = 1  # what a file of 50 x 100 px covers
masks = np.asarray(unfit(square, 50, 100))
assert masks.shape == (50, 100, 2), f"a file of 50 x 100 px got masks of shape {masks.shape}"
assert masks.dtype == np.uint8, f"the masks are {masks.dtype}"
assert set(np.unique(masks)) <= {0, 1}, f"the values are {np.unique(masks)[:5]}"
lost = (masks[..., 0] == 0).mean()
assert lost == 0, f"every pixel of the picture was lung, and {lost:.0%} are not. Are the bars cut off?"
assert not masks[..., 1].any(), "no pixel was the viewer's right lung, and some are"
### BEGIN HIDDEN TESTS
for height, width, size in ((100, 50, 20), (90, 70, 30), (41, 97, 33), (60, 60, 30)):
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    square = np.zeros((size, size, 2), np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns, 1] = 0.9
    masks = np.asarray(unfit(square, height, width))
    assert masks.shape == (height, width, 2), f"a file of {height} x {width} px got masks of shape {masks.shape}"
    assert set(np.unique(masks)) <= {0, 1}, f"the values are {np.unique(masks)[:5]}"
    lost = (masks[..., 1] == 0).mean()
    assert lost == 0, f"{height} x {width} px, every pixel lung: {lost:.0%} are lost. Are the bars cut off?"
    assert not masks[..., 0].any(), "the lungs have changed their channels"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "unfit-test-2", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# enlarge first, threshold last (6 marks)
slope = np.zeros((8, 8, 2), np.float32)
slope[..., 0] = np.float32([0, 0, 0, 0.3, 0.9, 1, 1, 1])  # 0.5 is passed a third of the way from 0.3 to 0.9
first = int(np.asarray(unfit(slope, 80, 80))[40, :, 0].argmax())
look = f"the lung begins at column {first}. When do you threshold?"
assert first == 38, f"probabilities 0.3 and 0.9 side by side, ten times as large: {look}"
### BEGIN HIDDEN TESTS
even = np.asarray(unfit(np.full((6, 6, 2), 0.5, np.float32), 6, 6))
assert not even.any(), "probability 0.5 in every pixel: that is not above 0.5, and there is lung"
rng = np.random.default_rng(41)
for length, size in ((120, 24), (64, 25), (90, 18)):
    small = cv2.GaussianBlur(rng.random((size, size, 2)).astype(np.float32), (0, 0), 1.5)
    small = np.clip((small - 0.5) * 6 + 0.5, 0, 1)
    # linear interpolation written out: the centres of new pixels between those of old ones
    at = np.clip((np.arange(length) + 0.5) * size / length - 0.5, 0, size - 1)
    i = np.minimum(at.astype(int), size - 2)
    down, across = (at - i)[:, None, None], (at - i)[None, :, None]
    upper = small[i][:, i] * (1 - across) + small[i][:, i + 1] * across
    lower = small[i + 1][:, i] * (1 - across) + small[i + 1][:, i + 1] * across
    want = upper * (1 - down) + lower * down > 0.5
    wrong = np.mean(want != (np.asarray(unfit(small, length, length)) > 0))
    look = "When do you threshold, and how do you enlarge?"
    assert wrong <= 0.002, f"{size} to {length} px: {wrong:.1%} of the pixels are wrong. {look}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: A split that can be used (20 marks)
#
# A test set without a single ill patient says nothing about ill patients. Write
# `split_with_minimum(patients, findings, minimum, seed)`, which splits X-rays by patient and keeps a promise.
#
# - `patients` and `findings` are lists of equal length, an entry for each X-ray: the patient's name (text), and whether
#   the X-ray shows a finding (`True` or `False`). A patient counts as **ill** when at least one X-ray shows a finding.
# - It returns a dictionary with the keys `train`, `val` and `test`. Each value is a sorted list of positions in
#   `patients` (0, 1, 2, …). Together they hold each position once.
# - All X-rays of a patient are in the same part.
# - Each part has at least `minimum` ill patients and at least `minimum` healthy ones.
# - Of the patients (not the X-rays), a fifth goes to `val`, a fifth to `test`, the others to `train`; two patients more or
#   fewer are allowed, if `minimum` allows it.
# - The same `seed` gives the same patients in each part, whatever the order of the lists. Another seed gives another split.
# - If there are fewer than `3 * minimum` ill or healthy patients, it raises a `ValueError`.
# - It does not change NumPy's global random state.

# %% nbgrader={"grade": false, "grade_id": "split_with_minimum", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ### BEGIN SOLUTION
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "setup-7", "locked": true, "schema_version": 3, "solution": false, "task": false}
def invented_patients(seed, ill, healthy):
    rng = np.random.default_rng(seed)
    rows = []
    for number in rng.permutation(ill + healthy):
        shown = [bool(number < ill)] + [False] * int(rng.integers(0, 4))  # not every X-ray of the ill shows it
        rows += [(f"P{number:03d}", finding) for finding in shown]
    order = rng.permutation(len(rows))
    return [rows[i][0] for i in order], [rows[i][1] for i in order]

# %% nbgrader={"grade": false, "grade_id": "probe-1", "locked": true, "schema_version": 3, "solution": false, "task": false}
def in_another_session(split, *data):
    """The split as it is when Python has been started anew: `hash` of a text is then another number."""
    usual = builtins.hash
    builtins.hash = lambda thing: usual(("another session", thing))
    try:
        return split(*data)
    finally:
        builtins.hash = usual


def random_numbers_after(split, *data):
    """What NumPy's global random state gives after a split."""
    np.random.seed(99)
    split(*data)
    return np.random.random(3)

# %% tags=["nbval-ignore-output"]
patients, findings = invented_patients(1, ill=20, healthy=30)
for part, places in split_with_minimum(patients, findings, 3, seed=0).items():
    names = {patients[i] for i in places}
    print(f"{part:5}: {len(places)} X-rays of {len(names)} patients")

# %% nbgrader={"grade": true, "grade_id": "split_with_minimum-test-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# each X-ray once, each patient in one part (5 marks)
patients, findings = invented_patients(1, ill=20, healthy=30)
split = split_with_minimum(patients, findings, 1, seed=0)
assert set(split) == {"train", "val", "test"}, f"the keys are {sorted(split)}"
places = [int(i) for part in split.values() for i in part]
count = f"the parts hold {len(places)} positions, {len(set(places))} different ones"
assert sorted(places) == list(range(len(patients))), f"{len(patients)} X-rays, and {count}"
names = {part: {patients[i] for i in split[part]} for part in split}
for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
    shared = sorted(names[one] & names[other])
    look = "What do you deal out?"
    assert not shared, f"{len(shared)} patients are in {one} and in {other}, such as {shared[0]}. {look}"
### BEGIN HIDDEN TESTS
for seed in range(5):
    patients, findings = invented_patients(50 + seed, ill=36 + seed, healthy=40)
    split = split_with_minimum(patients, findings, 1, seed=seed)
    names = {part: {patients[i] for i in split[part]} for part in split}
    shared = (names["train"] & names["val"]) | (names["train"] & names["test"]) | (names["val"] & names["test"])
    assert not shared, f"patients in more than one part: {sorted(shared)[:3]}. What do you deal out?"
    assert sum(map(len, split.values())) == len(patients), "some X-rays are missing, or stand there twice"
    assert all(list(split[part]) == sorted(split[part]) for part in split), "the positions in a part are not sorted"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split_with_minimum-test-2", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# at least so many ill and healthy patients in each part (5 marks)
def least(patients, findings, minimum, seed):
    ill = {name for name, finding in zip(patients, findings) if finding}
    parts = [{patients[i] for i in part} for part in split_with_minimum(patients, findings, minimum, seed).values()]
    return min(len(part & ill) for part in parts), min(len(part - ill) for part in parts)


for seed in range(4):
    few = least(*invented_patients(seed, ill=12, healthy=60), 4, seed)
    some = f"some part has {few[0]} ill and some {few[1]} healthy ones"
    assert min(few) >= 4, f"12 ill and 60 healthy patients, at least 4 in each part: {some}. Who is ill?"
### BEGIN HIDDEN TESTS
for seed, (ill, healthy, minimum) in enumerate([(9, 50, 3), (50, 9, 3), (6, 6, 2), (15, 40, 5), (30, 30, 6)]):
    few = least(*invented_patients(70 + seed, ill, healthy), minimum, seed)
    some = f"some part has {few[0]} ill and some {few[1]} healthy ones. Who is ill?"
    assert min(few) >= minimum, f"{ill} ill and {healthy} healthy patients, at least {minimum}: {some}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split_with_minimum-test-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# a fifth of the patients in val and in test (3 marks)
patients, findings = invented_patients(2, ill=40, healthy=60)
split = split_with_minimum(patients, findings, 2, seed=1)
for part, want in (("val", 20), ("test", 20), ("train", 60)):
    got = len({patients[i] for i in split[part]})
    assert abs(got - want) <= 2, f"100 patients: about {want} belong to {part}, and it has {got}. What do you count?"
### BEGIN HIDDEN TESTS
many = [f"M{number:02d}" for number in range(60)]
patients = [name for number, name in enumerate(many) for _ in range(9 if number % 10 == 0 else 1)]
split = split_with_minimum(patients, [name in many[::2] for name in patients], 2, seed=3)
for part, want in (("val", 12), ("test", 12), ("train", 36)):
    got = len({patients[i] for i in split[part]})
    look = f"about {want} belong to {part}, and it has {got}. What do you count?"
    assert abs(got - want) <= 2, f"60 patients, some with nine X-rays: {look}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split_with_minimum-test-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# the same seed, the same patients; another seed, others (5 marks)
def test_patients(patients, findings, seed, part="test"):
    return sorted({str(patients[i]) for i in split_with_minimum(patients, findings, 1, seed)[part]})


patients, findings = invented_patients(3, ill=20, healthy=30)
one = test_patients(patients, findings, 5)
assert one == test_patients(patients, findings, 5), "twice with seed 5: other patients in the test part"
turned = test_patients(patients[::-1], findings[::-1], 5)
look = "Where does your order come from?"
assert one == turned, f"the same lists turned round, the same seed: other patients in the test part. {look}"
for part in ("test", "val"):
    different = {tuple(test_patients(patients, findings, seed, part)) for seed in range(4)}
    assert len(different) >= 3, f"four seeds give {len(different)} different {part} parts"
### BEGIN HIDDEN TESTS
again = in_another_session(split_with_minimum, patients, findings, 1, 5)["test"]
assert one == sorted({str(patients[i]) for i in again}), "the same seed in another session: other patients. Why?"
rng = np.random.default_rng(51)
for ill, healthy in ((20, 30), (40, 40), (90, 60)):  # many orders: a `set` keeps its order in some of them
    patients, findings = invented_patients(ill, ill, healthy)
    one = test_patients(patients, findings, 5)
    for _ in range(12):
        order = rng.permutation(len(patients))
        mixed = test_patients([patients[i] for i in order], [findings[i] for i in order], 5)
        assert one == mixed, f"the same lists in another order, the same seed: other patients. {look}"
before, after = np.random.RandomState(99).random(3), random_numbers_after(split_with_minimum, patients, findings, 2, 5)
assert np.array_equal(before, after), "NumPy's global random state is another one after your function"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split_with_minimum-test-5", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# impossible (2 marks)
def refused(ill, healthy, minimum):
    try:
        split_with_minimum(*invented_patients(4, ill, healthy), minimum, 0)
    except ValueError:
        return True


assert refused(5, 40, 2), "5 ill patients cannot give 2 to each of three parts, and there was no ValueError"
assert not refused(6, 40, 2), "6 ill patients can give 2 to each of three parts, and there was a ValueError"
### BEGIN HIDDEN TESTS
assert refused(40, 8, 3), "8 healthy patients cannot give 3 to each of three parts, and there was no ValueError"
assert not refused(40, 9, 3), "9 healthy patients can give 3 to each of three parts, and there was a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 6: What squashing does (55 marks)
#
# Six drawn X-rays, each cut to a wide picture of 160 x 256 px. The mask of the lung on the viewer's left is squashed to
# 64 x 64 px, once with area and once with nearest-neighbour interpolation. Both are then brought back to 160 x 256 px in
# the same way, and compared with the mask as it was. The table says
#
# - how many times as high as wide the lung is, in the file and in the square (area interpolation)
# - by how many per cent its **area** has changed
# - how far the two **outlines** are apart, on average (the ASSD, in pixels of the file)
# - how far the middle of the lung has moved to the **right** and **down**, in pixels of the file (below 0: left, up)

# %%
from lungseg_utils.scores import assd, outline_distances

WAYS = {"area": cv2.INTER_AREA, "nearest": cv2.INTER_NEAREST}


def squashed(mask, way):
    return cv2.resize(mask.astype(np.float32), (64, 64), interpolation=WAYS[way]) > 0.5


def brought_back(small):
    return cv2.resize(small.astype(np.float32), (256, 160), interpolation=cv2.INTER_LINEAR) > 0.5

# %%
def height_by_width(mask):
    height, width = np.ptp(np.argwhere(mask), axis=0) + 1
    return height / width


def compared(true, way):
    back = brought_back(squashed(true, way))
    down, right = np.argwhere(back).mean(axis=0) - np.argwhere(true).mean(axis=0)
    apart = assd(outline_distances(true, back, (1, 1)))  # a pixel counts 1 in both directions
    return f"{100 * (back.sum() / true.sum() - 1):7.1f} {apart:8.2f} {right:6.2f} {down:6.2f}"

# %% tags=["nbval-ignore-output"]
lungs = [draw_phantom(600 + number, 256).masks[48:208, :, 0] > 0 for number in range(6)]
print(f"{'':6}{'height / width':^16} {'area interpolation':^30}   {'nearest neighbour':^30}")
print(f"X-ray {'file':>7} {'square':>8}" + f" {'area %':>7} {'outline':>8} {'right':>6} {'down':>6}  " * 2)
for number, true in enumerate(lungs):
    shape = f"{height_by_width(true):8.2f} {height_by_width(squashed(true, 'area')):8.2f}"
    print(f"{number:5} {shape}{compared(true, 'area')}  {compared(true, 'nearest')}")

# %% tags=["nbval-ignore-output"]
figure, axes = figures.new_figure(1, 3, width=3.2, height=3)
figures.draw_xray(axes[0, 0], squashed(lungs[0], "area") * 255, "X-ray 0, squashed")
view = np.s_[80:, :140]  # the lower end of the lung
for place, way in zip(axes[0, 1:], WAYS):
    back = brought_back(squashed(lungs[0], way))
    figures.draw_xray(place, lungs[0][view] * 120, f"{way}, brought back: dashed")
    figures.draw_outlines(place, lungs[0][view][..., None])
    figures.draw_outlines(place, back[view][..., None], figures.PREDICTION)
figures.show(figure, "Left, the lung in the square, narrow and high. Middle, area: the dashed outline follows the true "
             "one. Right, nearest neighbour: the dashed outline lies to the right of it.")

# %% [markdown]
# **Question.** In 100 to 150 words:
#
# - (a) Which columns tell the two ways apart for all six X-rays, and which one does not? What has happened to the masks?
# - (b) How does it come about? Why further in one direction than in the other?
# - (c) A colleague says: "The area of the lung is nearly the same, so it does not matter." What do you answer?
# - (d) What has squashing done to the shape, whichever the interpolation? What would you have to know before you
#   measure a distance in the square in millimetres?

# %% [markdown] nbgrader={"grade": true, "grade_id": "written", "locked": false, "points": 55, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# (a) With nearest neighbour the outlines are further apart for every X-ray, and every lung has moved to the right and
# down. With area interpolation it hardly moves. The areas do not tell: both ways stay close to 0.
#
# (b) Nearest neighbour takes for a new pixel the old one at its upper left. So everything moves by up to half a new pixel,
# always the same way. A new pixel is 4 px of the file wide and 2.5 high, hence more to the right.
#
# (c) A lung that is only moved keeps its area, so the area cannot see it. A network that learns from such masks learns the
# shift, and it spoils every outline.
#
# (d) The lung has become 1.6 times as high for its width. I need two spacings: how many millimetres a pixel of the square
# is wide, and how many it is high.
# ### END SOLUTION

# %% [markdown]
# ## Hand in
#
# Restart the kernel and run all cells from the top. Save, and hand in this one `.ipynb` file under its own name. Print no
# more than a page of text in all. (A part that you have left out stops *Run all cells*; run the cells after it by hand.)
