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
# # 2 · Reading X-rays and masks
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/lungseg/lung-segmentation-in-nine-notebooks/blob/main/notebooks/02_reading.ipynb)
#
# A network learns what its arrays say. If an image meets the wrong mask, or a mask moves by a few pixels on the way
# from the file to the array, no error appears: the network just learns something that is not quite true. In this
# notebook you open the files by hand, look, and build a reader that can be trusted.
#
# **You will be able to**
#
# - say what an X-ray file and a mask file hold: shape, type, grey levels, and millimetres
# - pair files by their ID, and explain what goes wrong otherwise
# - name the lungs without mistaking left for right
# - resize images and masks rightly, and measure what the wrong way costs
#
# **Time on two cores:** about 10 seconds
#
# **Needs:** nothing; the X-rays are drawn if they are not there yet. **Leaves behind:** all cases as arrays, decoded
# once, in the cache that the next notebooks read.

# %% tags=["nbval-ignore-output"]
import sys

if "google.colab" in sys.modules:  # on Colab only: adds the course's package, leaves TensorFlow and NumPy as they are
    get_ipython().run_line_magic("pip", "install -q --no-deps pydicom git+https://github.com/lungseg/lung-segmentation-in-nine-notebooks")

# %% tags=["nbval-ignore-output"]
from lungseg_utils import course

chosen = course.start()
cases = course.cases_ready(chosen)

# %% [markdown]
# ## Files that belong together
#
# Each case consists of an X-ray, two masks, and a **reading**: a few words by a radiologist, with sex and age. Here
# are the files of one case, and what its reading says.

# %%
case = cases[5]
folder = case.image.parent.parent
for path in (case.image, case.left_mask, case.right_mask):
    print(path.relative_to(folder).as_posix())
print(f"sex {case.sex}, age {case.age}, finding {case.finding}: {case.reading}")

# %% [markdown]
# What joins the files is their name without the ending: the **ID**. In this set and in the real one, the ID ends in
# `_1` when the X-ray shows something abnormal, a **finding**, and in `_0` when it does not.
#
# Many tutorials pair files in another way: they sort the list of X-rays, sort the list of masks, and take the first
# with the first, the second with the second. Try it on a toy list in which one mask got lost.
#
# > **Predict.** B has no mask. How many X-rays get a wrong one, and will Python complain?

# %%
xrays = ["A.png", "B.png", "C.png", "D.png"]
masks_there = ["A.png", "C.png", "D.png"]

for xray, mask in zip(sorted(xrays), sorted(masks_there)):
    print(f"X-ray {xray}   mask {mask}   {'right' if xray == mask else 'WRONG'}")

# %% [markdown]
# Every pair after the gap is wrong, the last X-ray vanishes, and nothing complains. Compare the names instead:

# %%
print("X-rays without a mask:", sorted(set(xrays) - set(masks_there)))
print("masks without an X-ray:", sorted(set(masks_there) - set(xrays)))

# %% [markdown]
# This is what `find_cases` of the course does: it pairs by ID, and refuses a folder in which files lack a partner.
# So for our cases this holds:

# %%
for each in cases:
    assert each.image.stem == each.left_mask.stem == each.right_mask.stem == each.id
print(f"{len(cases)} cases, all paired by ID")

# %% [markdown]
# ## What an X-ray file holds
#
# A PNG file begins with eight bytes by which every program recognizes it. After them comes the picture,
# **compressed**: written in fewer bytes, without loss.

# %%
data = case.image.read_bytes()
print(data[:8])
assert data[1:4] == b"PNG"

# %% [markdown]
# OpenCV (`cv2`) unpacks, or **decodes**, it into an array. The second argument says that we want grey.

# %%
import cv2
import numpy as np

image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
height, width = image.shape
print("shape", image.shape, "type", image.dtype, "from", image.min(), "to", image.max())
assert image.dtype == "uint8"

# %% [markdown]
# - The shape is (height, width): rows first, then columns. Row 0 is at the *top*. `image[10, 300]` is in the
#   eleventh row and the 301st column, for counting begins at 0.
# - `uint8` is a whole number from 0 to 255 in one byte: 0 is black, 255 is white. Each of these steps is a **grey
#   level**.
#
# So the array has one byte per pixel. The file is smaller:

# %% tags=["nbval-ignore-output"]
print(f"{len(data):,} bytes in the file, {image.nbytes:,} bytes in memory")
print(image[200:204, 100:108])  # four rows and eight columns of it

# %% [markdown]
# The article that this course starts from reads with `cv2.IMREAD_COLOR`.
#
# > **Predict.** What is the shape of a grey picture read as colour, and what do the additional numbers say?

# %%
colour = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
print("shape", colour.shape, "bytes per pixel:", colour.nbytes // image.size)
assert all((colour[..., channel] == image).all() for channel in range(3))

# %% [markdown]
# The same numbers three times: three times the memory, no information more. We read grey.
#
# ### A wrong path
#
# `cv2.imread` does both steps at once: it opens a file and decodes it.
#
# > **Predict.** What does it do when the path is wrong?

# %% tags=["nbval-ignore-output"]
nothing = cv2.imread("nowhere.png", cv2.IMREAD_GRAYSCALE)
print(nothing)  # OpenCV may add a warning of its own, and goes on

# %% [markdown]
# No error: `imread` returns `None`. The error comes later, in another line, and does not name the file:

# %%
assert nothing is None
try:
    nothing / 255
except TypeError as error:
    print(error)

# %% [markdown]
# In a loop over hundreds of files, you would have to search. So our reader stops at the bad file and names it. It
# is made of three steps. The first, `read_bytes` from the course's library, opens the file and checks that it is
# whole:

# %%
from lungseg_utils.images import read_bytes

packed = read_bytes(case.image)
print(packed.dtype, "begins with", bytes(packed[1:4]))

# %% [markdown]
# The second is `cv2.imdecode`. The third matters for X-rays from hospitals: detectors measure more than 256 levels,
# and their files have 16 bits per pixel. `to_8_bits` scales them, and leaves 8-bit pictures as they are. It leaves out
# the darkest and the brightest half percent of the pixels, so that one defect pixel does not make all others black. Try
# it on three pixels of a 12-bit detector, whose brightest value is 4095:

# %%
from lungseg_utils.images import to_8_bits

print(to_8_bits(np.array([[0, 2048, 4095]], dtype=np.uint16)))

# %% [markdown]
# Together:

# %%
from lungseg_utils.cases import DatasetError


def read_grey(path):
    data = read_bytes(path)
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if image is None:  # OpenCV does not raise
        raise DatasetError(f"Not a picture that can be read: {path}. Save it as a grey PNG.")
    return to_8_bits(image)


assert (read_grey(case.image) == image).all()

# %%
try:
    read_grey("nowhere.png")
except DatasetError as error:
    print(error)

# %% [markdown]
# ## Two masks, and whose left is it?
#
# A **mask** is a picture of the same size that says for each pixel: lung or not.

# %%
left, right = read_grey(case.left_mask), read_grey(case.right_mask)
print("shapes", left.shape, right.shape)
print("values", np.unique(left), np.unique(right))
assert left.shape == right.shape == image.shape

# %% [markdown]
# Only two values. Now look at both masks beside the X-ray.
#
# > **Predict.** The file of the middle picture lies in the folder `leftMask`. Is it the patient's left lung?

# %%
from lungseg_utils import figures

figure, axes = figures.new_figure(1, 3)
for ax, picture, title in zip(axes[0], (image, left, right), ("X-ray", "leftMask", "rightMask")):
    figures.draw_xray(ax, picture, title)
figures.show(figure, "An X-ray and its two masks, white on black: leftMask shows the lung on the "
             "viewer's left, rightMask the lung on the viewer's right.")

# %% [markdown]
# The patient stands opposite to you, as someone who shakes your hand. What is on *your* left is on the patient's
# right:
#
# | folder | side | whose lung |
# |---|---|---|
# | `leftMask` | viewer's left | the **patient's right** lung |
# | `rightMask` | viewer's right | the **patient's left** lung |
#
# Radiologists speak of the patient's side, the folders of the viewer's. A bare "left lung" can mean both, so this
# course never says it. Code can check the side: the mean column of the lung's pixels is smaller on the viewer's
# left.

# %%
def mean_column(mask):
    rows, columns = np.nonzero(mask)
    return columns.mean()


print(f"leftMask: column {mean_column(left):.0f}, rightMask: column {mean_column(right):.0f}, "
      f"of {width}")
assert mean_column(left) < mean_column(right)

# %% [markdown]
# ### Joining two masks
#
# For some purposes one mask of both lungs is enough. The article adds the two. Here are two masks of 2 x 2 pixels
# that overlap in one pixel, the upper left one.
#
# > **Predict.** What is 255 + 255 in a type that ends at 255?

# %%
a = np.array([[255, 0], [255, 0]], dtype=np.uint8)
b = np.array([[255, 255], [0, 0]], dtype=np.uint8)
print(a + b)

# %% [markdown]
# The sum **wraps**: it starts again at 0, as a clock does, and NumPy says nothing. 510 - 256 is 254. The article
# divides by the largest value and keeps what is above 0.5, and 254 / 255 is, so there it does no harm. But some
# sets store masks as 0 and 1:

# %%
total = a // 255 + b // 255
print(total)
print((total / total.max() > 0.5).astype(int))

# %% [markdown]
# Now the pixel that counts twice makes the largest value, and everything else is exactly 0.5 of it. Of both lungs only
# the overlap is left. What we mean is not a sum. It is "in one *or* in the other":

# %%
either = np.logical_or(a, b)
print(either.astype(int))
assert either.sum() == 3

# %% [markdown]
# ### Reading a mask
#
# The reader of a mask brings any two values to 0 and 1. Two small helpers look for trouble: `check_mask` refuses a
# file that is empty or is no mask, and `drop_specks` keeps the largest connected piece, because masks drawn by hand
# can hold stray pixels. It tells how many it dropped:

# %%
import warnings

from lungseg_utils.images import check_mask, drop_specks

toy = np.array([[1, 1, 0, 0], [1, 1, 0, 1]], dtype=np.uint8)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(drop_specks(toy, "toy.png"))
print(caught[0].message)


# %%
def read_mask(path):
    grey = read_grey(path)
    check_mask(grey, path)
    mask = (grey > grey.max() / 2).astype(np.uint8)
    return drop_specks(mask, path)


print("values", np.unique(read_mask(case.left_mask)))

# %% [markdown]
# Both masks of a case become one array with two **channels**: the last axis says which lung. A third helper,
# `check_sizes`, makes sure that the masks are as large as the X-ray and lie on the sides where they belong.

# %%
from lungseg_utils.images import check_sizes


def read_masks(case):
    left = read_mask(case.left_mask)
    right = read_mask(case.right_mask)
    check_sizes(case, left, right)
    return np.stack([left, right], axis=-1)


masks = read_masks(case)
print("shape", masks.shape, "values", np.unique(masks))
assert masks.shape == (height, width, 2)

# %% [markdown]
# `masks[..., 0]` is the lung on the viewer's left, `masks[..., 1]` the one on the viewer's right, and
# `masks.any(axis=-1)` is the logical or of both.
#
# ### Could a threshold do it?
#
# Lungs are darker than what surrounds them. So why train a network, and not just say "lung is what is darker than
# some grey level"?
#
# > **Predict.** Draw, in your mind, how often each grey level occurs inside the lungs and outside them. Do the two
# > curves overlap?

# %%
inside = masks.any(axis=-1)
figure, axes = figures.new_figure(1, 1, width=5.5, height=2.8)
ax = axes[0, 0]
style = {"bins": 64, "range": (0, 256), "histtype": "step"}
counts, _, _ = ax.hist(image[inside], linestyle="-", label="inside the lungs", **style)
ax.hist(image[~inside], linestyle="--", label="outside", **style)
ax.set(xlabel="grey level", ylabel="pixels", ylim=(0, 2 * counts.max()))
ax.legend()
figures.show(figure, "Histogram of grey levels of one X-ray, solid inside the lungs and dashed "
             "outside: the two curves overlap over a wide range.")

# %% [markdown]
# (Peaks of the dashed curve that leave the figure are the black and white areas around the body and below the
# lungs.)
#
# They overlap. The air beside the body is as dark as a lung or darker, and the ribs inside a lung are as bright as
# what lies around it. A grey level alone does not decide; its surroundings do. That is what a network with many
# layers looks at.

# %% [markdown]
# ## Millimetres
#
# A pixel is also a piece of the patient. The **pixel spacing** is the distance from one row to the next, and from
# one column to the next, in millimetres.

# %%
from lungseg_utils.cases import pixel_spacing

spacing = pixel_spacing(case, height, width)
if spacing is None:
    print("This set does not say how large a pixel is.")
else:
    print(f"row spacing {spacing[0]:.3f} mm, column spacing {spacing[1]:.3f} mm")

# %% [markdown]
# With it, the number of pixels becomes an area. It is the area of the lung's *shadow*, not of the lung.

# %%
if spacing is not None:
    square_mm = spacing[0] * spacing[1]  # of one pixel
    for side, channel in (("viewer's left", 0), ("viewer's right", 1)):
        # 1 square centimetre = 100 square millimetres
        area = masks[..., channel].sum() * square_mm / 100
        print(f"{side:15} {area:.0f} square centimetres")
        assert 20 < area < 600, "no human lung"

# %% [markdown]
# ### Pixels that are not square
#
# Original pictures of the Montgomery set have 4020 x 4892 or 4892 x 4020 pixels, each 0.0875 mm wide and high.
# Networks like squares, so the pictures are squashed to, say, 512 x 512.
#
# > **Predict.** A round coin lies on the patient's chest. Which shape does it have in the squashed picture?

# %%
from dataclasses import replace

# height and width of the file in pixels, and of one such pixel in millimetres
squashed_case = replace(case, size=(4892, 4020), spacing_mm=(0.0875, 0.0875))
row_mm, column_mm = pixel_spacing(squashed_case, 512, 512)
print(f"row spacing {row_mm:.3f} mm, column spacing {column_mm:.3f} mm")

# %%
coin = np.zeros((489, 402), dtype=np.uint8)  # a tenth of the original's height and width
cv2.circle(coin, center=(200, 240), radius=120, color=255, thickness=-1)
squashed = cv2.resize(coin, (512, 512), interpolation=cv2.INTER_LINEAR)

figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], coin, "4020 x 4892, as it is")
figures.draw_xray(axes[0, 1], squashed, "squashed to 512 x 512")
figures.show(figure, "A white disc on black: round in the upright picture on the left, wider than "
             "high in the square picture on the right.")

# %% [markdown]
# Measure it in pixels, then in millimetres:

# %%
pixels_high = (squashed > 127).any(axis=1).sum()
pixels_wide = (squashed > 127).any(axis=0).sum()
print(f"pixels:      {pixels_high} high, {pixels_wide} wide")
print(f"millimetres: {pixels_high * row_mm:.0f} high, {pixels_wide * column_mm:.0f} wide")
assert pixels_wide > 1.15 * pixels_high
assert abs(pixels_high * row_mm - pixels_wide * column_mm) < 2

# %% [markdown]
# In pixels the coin is not round, in millimetres it is. Squashing does no harm as long as both spacings are kept
# and every distance is taken in millimetres. Notebook 6 does so.

# %% [markdown]
# ## Resizing an image
#
# The network sees pictures of one size. **Shrinking** makes one pixel out of several. Take a picture with a thin
# bright line, one column of eight, and shrink it to a quarter. `INTER_LINEAR` is OpenCV's default, and what the
# article uses; `INTER_AREA` takes the mean of all pixels that become one.
#
# > **Predict.** Where is the line afterwards, in each case?

# %%
line = np.zeros((8, 8), dtype=np.uint8)
line[:, 4] = 255
print("before     ", line[0])
for name in ("INTER_LINEAR", "INTER_AREA"):
    print(f"{name:12}", cv2.resize(line, (2, 2), interpolation=getattr(cv2, name))[0])

# %% [markdown]
# `INTER_LINEAR` looks at the two nearest pixels only, whatever the factor, and the line falls between. `INTER_AREA`
# keeps a quarter of its brightness in the right place: nothing is lost that the small picture could show. (Such a
# loss is called **aliasing**, and taking the mean first is one kind of **antialiasing**.)
#
# For making a picture *larger* it is the other way round: there are values in between to be found, and
# `INTER_LINEAR` does that.

# %%
def resize_method(image, size):
    shrinking = min(image.shape[:2]) >= size
    return cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR


def resize_image(image, size):
    method = resize_method(image, size)
    return cv2.resize(image, (size, size), interpolation=method)


size = chosen.recipe.image_size
small_image = resize_image(image, size)
print(image.shape, "becomes", small_image.shape, small_image.dtype)

# %% [markdown]
# ## Resizing a mask
#
# A mask must stay 0 or 1. Mean values are neither, so many programs use `INTER_NEAREST`, which takes over the value
# of one pixel. Here is one row of a mask, sixteen pixels long, that shrinks to a quarter and grows again. The other
# way takes the mean, which is the *share* of lung in each new pixel, and calls it lung if that is more than half.
#
# > **Predict.** `#` is lung. Which way gives back the truth better?

# %%
def as_text(row):
    return "".join("#" if value else "." for value in row)


row = np.zeros((1, 16), dtype=np.float32)
row[0, 5:13] = 1
nearest = cv2.resize(row, (4, 1), interpolation=cv2.INTER_NEAREST)[0]
share = cv2.resize(row, (4, 1), interpolation=cv2.INTER_AREA)[0]
print("share  ", share)
print("truth  ", as_text(row[0]))
print("nearest", as_text(np.repeat(nearest, 4)))
print("area   ", as_text(np.repeat(share > 0.5, 4)))

# %% [markdown]
# `INTER_NEAREST` takes, in spite of its name, the *first* of the four pixels and not one in the middle. So the mask
# moves to the right. One row may be chance; try the eight pixels of lung at every place, and average how far the
# middle moved:

# %%
shifts = {"nearest": [], "area": []}
for first in range(16):
    row = np.zeros((1, 32), dtype=np.float32)
    row[0, first + 4 : first + 12] = 1
    nearest = cv2.resize(row, (8, 1), interpolation=cv2.INTER_NEAREST)[0]
    share = cv2.resize(row, (8, 1), interpolation=cv2.INTER_AREA)[0]
    shifts["nearest"].append(np.nonzero(np.repeat(nearest, 4))[0].mean()
                             - np.nonzero(row[0])[0].mean())
    shifts["area"].append(np.nonzero(np.repeat(share > 0.5, 4))[0].mean()
                          - np.nonzero(row[0])[0].mean())

for name, values in shifts.items():
    print(f"{name:8} {np.mean(values):+.2f} pixels, or {np.mean(values) / 4:+.2f} of a new pixel")

# %% [markdown]
# Area is right on average. Nearest is not: it moves masks by more than a third of a new pixel, always to the right
# and, as rows work in the same way, downwards. The X-ray does not move with it. A network that is trained on such
# pairs learns to draw every outline a little too low and too far to the right.
#
# ### What it costs, measured
#
# Now on lungs. Twenty cases go down to a small size by either way, and up again by the same, good way. What comes
# back is compared with the truth by the **Dice coefficient**: twice the common area, divided by the sum of both
# areas. It is 1 if the masks are equal and 0 if they do not meet. (Notebook 6 takes it apart.)

# %%
def shrink(mask, size, method):
    share = cv2.resize(mask.astype(np.float32), (size, size), interpolation=method)
    return (share > 0.5).astype(np.float32)


def enlarge(mask, width, height):
    return (cv2.resize(mask, (width, height),
                       interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)


there_and_back = enlarge(shrink(masks[..., 0], 64, cv2.INTER_AREA), width, height)
assert there_and_back.shape == (height, width) and set(np.unique(there_and_back)) == {0, 1}

# %% [markdown]
# > **Predict.** Which size suffers more, 64 or 128?

# %%
from lungseg_utils.scores import dice

ways = {"nearest": cv2.INTER_NEAREST, "area": cv2.INTER_AREA}
results = {(size, way): [] for size in (64, 128) for way in ways}
for each in cases[:20]:
    true = read_masks(each)[..., 0]
    for size, way in results:
        back = enlarge(shrink(true, size, ways[way]), true.shape[1], true.shape[0])
        results[size, way].append(dice(true, back))

# %%
print("Dice against the truth at the file's own size, mean of 20 cases")
for size in (64, 128):
    means = {way: np.mean(results[size, way]) for way in ways}
    print(f"{size:4} pixels:  nearest {means['nearest']:.3f}   area {means['area']:.3f}")
    if size < min(height, width):  # files that are as small already lose nothing
        assert means["area"] > means["nearest"] + 0.003
        assert 1 - means["nearest"] > 1.5 * (1 - means["area"])

# %% [markdown]
# `INTER_NEAREST` loses about twice as much as area does. It loses more at the smaller size, where half a pixel is
# more millimetres. Two networks that differ by so much would be called a good and a bad one. The column for area is
# a **ceiling**: about the best that a network can reach if it works at this size and answers with 0 and 1.
#
# An outline over the picture, an **overlay**, shows the shift. The lower part of one lung, at 64 pixels:

# %%
rows, columns = np.nonzero(masks[..., 0])
view = np.s_[int(rows.mean()) : rows.max() + 20, max(columns.min() - 20, 0) : columns.max() + 20]

figure, axes = figures.new_figure(1, 2, width=3.6, height=3.6)
for ax, way in zip(axes[0], ways):
    back = enlarge(shrink(masks[..., 0], 64, ways[way]), width, height)
    figures.draw_xray(ax, image[view], f"{way}: dashed, truth: solid")
    figures.draw_outlines(ax, masks[..., :1][view])
    figures.draw_outlines(ax, back[..., None][view], figures.PREDICTION)
figures.show(figure, "The lower half of the lung on the viewer's left, twice, with the true "
             "outline solid. Left, nearest: the dashed outline lies below and to the right of it. "
             "Right, area: the two nearly agree.")

# %% [markdown]
# So this is how the course resizes masks:

# %%
def resize_masks(masks, size):
    method = resize_method(masks, size)
    share = cv2.resize(masks.astype(np.float32), (size, size), interpolation=method)
    return (share > 0.5).astype(np.uint8)


size = chosen.recipe.image_size
small_masks = resize_masks(masks, size)
print(masks.shape, "becomes", small_masks.shape, "values", np.unique(small_masks))
assert small_masks.shape == (size, size, 2)

# %% [markdown]
# The functions of this notebook stand in `lungseg_utils.images` too, for the notebooks that follow.

# %% [markdown]
# ## The whole set
#
# ### Who is in it?

# %%
from collections import Counter

print("finding", sorted(Counter(str(each.finding) for each in cases).items()))
print("sex    ", sorted(Counter(str(each.sex) for each in cases).items()))
ages = [each.age for each in cases if each.age is not None]
if ages:
    print("age     from", min(ages), "to", max(ages), "years, half are below", int(np.median(ages)))

# %% [markdown]
# Always count before you train. A network that saw few children, or few women, or few sick people will know them
# less well, and a mean over all cases hides it.
#
# ### All cases as arrays
#
# `load_arrays` reads every case with the functions above and keeps the result in a file, the **cache**. It is run
# twice here.
#
# > **Predict.** How many times faster is the second run?

# %% tags=["nbval-ignore-output"]
import time

from lungseg_utils.images import load_arrays

seconds = []
for _ in range(2):
    start = time.perf_counter()
    arrays = load_arrays(cases, size, course.home() / "cache")
    seconds.append(time.perf_counter() - start)
print(f"first {seconds[0]:.2f} s, second {seconds[1]:.3f} s: {seconds[0] / seconds[1]:.0f} times "
      f"faster")

# %% [markdown]
# (If both took the same time, the cache was there already.) Decoding is paid once. The cache notices when a file
# changes, and is then made again; it can be deleted at any time.

# %%
print("images", arrays.images.shape, arrays.images.dtype)
print("masks ", arrays.masks.shape, arrays.masks.dtype, "values", np.unique(arrays.masks))
assert arrays.ids == [each.id for each in cases]
index = arrays.ids.index(case.id)
assert (arrays.images[index] == small_image).all() and (arrays.masks[index] == small_masks).all()

# %% [markdown]
# ### Look at them
#
# No table replaces looking. Here are the first cases in one picture, a **mosaic**, with their outlines.

# %%
def mosaic(pictures, rows, columns):
    """Put the first rows x columns pictures (N, size, size) side by side."""
    size = pictures.shape[-1]
    grid = pictures[: rows * columns].reshape(rows, columns, size, size)
    return grid.swapaxes(1, 2).reshape(rows * size, columns * size)


columns = 6
rows = min(len(cases) // columns, 4)
both = arrays.masks.any(axis=-1)

# %%
figure, axes = figures.new_figure(1, 1, width=1.25 * columns, height=1.25 * rows)
figures.draw_xray(axes[0, 0], mosaic(arrays.images, rows, columns))
figures.draw_outlines(axes[0, 0], mosaic(both, rows, columns)[..., None])
figures.show(figure, "Rows of small chest X-rays, each with the outline of both lungs. "
             "Brightness, contrast, size and position of the chest differ from one to the next, "
             "and each outline lies on its lungs.")

# %% [markdown]
# Things to look for: outlines that lie beside the lungs, pictures that are mirrored, turned or negative, letters
# and cables that a network might hold on to.
#
# The last picture is the mean of all masks: at each place, the share of cases that have lung there.

# %%
share = both.mean(axis=0)
figure, axes = figures.new_figure(1, 2)
figures.draw_xray(axes[0, 0], arrays.images.mean(axis=0), "mean X-ray")
figures.draw_xray(axes[0, 1], 255 * share, "share of cases with lung")
figures.show(figure, "Left, the mean of all X-rays, a blurred chest. Right, the mean of all "
             "masks: two bright lungs with soft edges, for lungs are in nearly the same place in "
             "all cases.")

# %% [markdown]
# You can draw lungs without looking at the picture at all: call lung what is lung in more than half of the cases.
# Every network has to beat that.

# %%
guess = share > 0.5
blind = np.mean([dice(true, guess) for true in both])
print(f"Dice of the same mask for everyone: {blind:.2f}")
assert 0.5 < blind < 0.95

# %% [markdown]
# ## What the article does, and why we differ
#
# | step | article | here | why |
# |---|---|---|---|
# | pairing | three sorted lists | by ID | one missing file shifts all that follow |
# | image | `IMREAD_COLOR` | grey | three equal channels hold nothing new |
# | wrong path | `None`, fails later | error that names the file | found at once |
# | shrinking | bilinear, without antialiasing | mean over the area | nothing is lost between pixels |
# | two masks | `x1 + x2` in uint8 | two channels; logical or to join | sums wrap, and the side is kept |
#
# The article's recipe, if you choose it, still gets one mask of both lungs and three equal channels: they are made
# from these arrays, in notebook 4.

# %% [markdown]
# ## Check yourself
#
# **1.** A colleague says that the left lung has a spot. You look at the mask in `leftMask` and find nothing. What
# should you ask?
#
# <details><summary>Answer</summary>
#
# Whose left? A radiologist means the patient's left lung. It is on the viewer's right, and its mask is in
# `rightMask`.
#
# </details>
#
# **2.** What is `np.uint8(200) + np.uint8(100)`, and how do you join two masks instead?
#
# <details><summary>Answer</summary>
#
# 44, because 300 - 256 = 44. Masks are joined with a logical or.
#
# </details>
#
# **3.** Why does `INTER_NEAREST` on the mask hurt more than a mask that is only a little rough at its edges?
#
# <details><summary>Answer</summary>
#
# Roughness goes both ways and averages out. The shift goes the same way in every case, so the network learns it.
#
# </details>
#
# **4.** A picture of 4892 x 4020 pixels (width x height) is squashed to a square. Is a pixel of the square wider
# than high, or higher than wide?
#
# <details><summary>Answer</summary>
#
# Wider: the same number of columns now covers the longer side.
#
# </details>
#
# ## Exercises
#
# Each exercise has a cell for your answer and a cell that checks it. Write your answer in place of
# `raise NotImplementedError`, run the cell, then the check below it. The check says what it saw; a mistake
# in your code itself is shown as Python shows it. The solution is folded: open it when you are done, or stuck.
#
# ### Exercise 1: Shrink a map of labels
#
# Many data sets keep all outlines of an X-ray in one picture, a **label map**: 0 is outside, 1 is one lung, 2 is the
# other, and 7, say, is the heart. These numbers are names. Half outside (0) and half of one lung (2) do not make the
# other lung (1), although the mean of 0 and 2 is 1.
#
# Write `shrink_labels(labels, factor)`.
#
# - `labels` is (height, width), `uint8`. Any numbers from 0 to 255 may occur in it.
# - `factor` is a whole number. Height and width are multiples of it.
# - The result is (height // factor, width // factor), `uint8`. Each new pixel is made of factor x factor old ones, and
#   takes the label that is most frequent among them. If several are equally frequent, any of these will do.
#
# For example, factor 2 turns two rows of four pixels into one row of two:
#
# ```text
# 0 0 2 2
# 0 1 7 2     becomes     0 2
# ```
#
# <details><summary>Hint</summary>
#
# For each label, `labels == label` is a mask. Which number does the notebook compute from a mask for each new pixel,
# before it cuts at one half? Compute it for every label, from a `float32` mask. `np.argmax(..., axis=0)` finds at which
# place the largest of several arrays is.
#
# </details>

# %%
def shrink_labels(labels, factor):
    """The label map at a smaller size: each pixel takes the most frequent label of its old ones."""
    raise NotImplementedError


# %%
from lungseg_utils.exercises import check


@check
def exercise_1():
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, 7], np.uint8), (12, 20))
    small = np.asarray(shrink_labels(labels, 4))
    seen = f"{small.shape}, {small.dtype}"
    assert seen == "(3, 5), uint8", f"labels of (12, 20), uint8 and factor 4 must give (3, 5), uint8, not {seen}."
    assert set(np.unique(small)) <= {0, 1, 2, 7}, f"labels 0, 1, 2, 7 became {np.unique(small)}. Labels are names."
    assert (small != labels[::4, ::4]).any(), "each new pixel is the first of its 16 old ones. What did the others say?"
    for row, column in np.ndindex(3, 5):
        counts = np.bincount(labels[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].ravel(), minlength=8)
        label = small[row, column]
        assert counts[label] == counts.max(), f"a new pixel is {label}. Of the old ones, {counts} were 0, 1, ... 7."

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def shrink_labels(labels, factor):
#     height, width = labels.shape
#     size = (width // factor, height // factor)  # OpenCV wants the width first
#     names = np.unique(labels)
#     masks = [(labels == name).astype(np.float32) for name in names]
#     shares = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks]
#     return names[np.argmax(shares, axis=0)]
# ```
#
# The share of each label is a mean that makes sense, and the largest share wins. A mean of the labels themselves
# invents labels, and `INTER_NEAREST` moves the map. Cutting each share at one half leaves a hole where three labels
# meet and none has more than half.
#
# </details>
#
# ### Exercise 2: A distance in a squashed picture
#
# How wide is the heart, in millimetres? You have clicked on two points of a picture that shows the whole X-ray, perhaps
# squashed. Write `distance_mm(first, second, shape, original_size)`, which returns their distance in millimetres, as
# one number.
#
# - `first` and `second` are (row, column). They need not be whole numbers.
# - `shape` is (height, width) of the picture, in pixels.
# - `original_size` is **(width, height)** of the original, in pixels, each of which is 0.0875 mm wide and high.
#
# For example, an original of 4000 x 4000 pixels is shown as 2000 x 2000. Then a pixel of the picture is `2 * 0.0875` mm
# wide and high. Two points that are 240 rows and 320 columns apart are 400 pixels apart, by the theorem of Pythagoras.
# That is 70 mm.
#
# <details><summary>Hint</summary>
#
# In a squashed picture the theorem of Pythagoras does not hold for pixels. It holds for millimetres. So find out first
# how many millimetres one row is, and how many one column is.
#
# </details>

# %%
def distance_mm(first, second, shape, original_size):
    """The distance in millimetres of two points (row, column) of a picture that may be squashed."""
    raise NotImplementedError


# %%
@check
def exercise_2():
    seen = distance_mm((100, 200), (340, 520), (2000, 2000), (4000, 4000))
    assert seen is not None and np.shape(seen) == () and np.isclose(seen, 70), f"the example gave {seen}, not 70 mm."
    plate, grids = (4020, 4892), ((4892, 4020), (512, 512), (256, 640))  # plate: width, height; grids: height, width
    seen = distance_mm((0, 100), (512, 100), (512, 512), plate)
    right = 4892 * 0.0875  # the height of the plate in millimetres
    assert np.isclose(seen, right), f"from the upper edge to the lower it is {right:.1f} mm, and you found {seen:.1f}."
    for a, b in np.random.default_rng(0).random((20, 2, 2)):
        seen = [distance_mm(a * grid, b * grid, grid, plate) for grid in grids]
        assert np.allclose(seen, seen[0]), f"two places in three sizes of one picture are {np.round(seen, 1)} mm apart."

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def distance_mm(first, second, shape, original_size):
#     row_mm = original_size[1] * 0.0875 / shape[0]
#     column_mm = original_size[0] * 0.0875 / shape[1]
#     return np.hypot((first[0] - second[0]) * row_mm, (first[1] - second[1]) * column_mm)
# ```
#
# A distance is the same however the picture is squashed, because both spacings change with it. The usual mistakes are
# to count pixels first and to multiply by one mean spacing, and to exchange height and width: arrays say the height
# first, pictures the width.
#
# </details>
#
# ### Further
#
# 1. Try `cv2.INTER_NEAREST_EXACT` in the measured comparison. Does it move masks? *Hint: add it to `ways`.*
# 2. Which cases does the blind guess serve worst, and what is special about them? *Hint: `np.argsort` on the list
#    of Dice coefficients, then `figures.draw_xray`.*
# 3. Find the grey level that separates lung from the rest best in one X-ray, by its Dice coefficient. Does it do as
#    well in the next X-ray? *Hint: a loop over `range(0, 256, 8)` and `image < level`.*
#
# ## Summary
#
# - Files belong together by ID, and a reader that names the bad file saves hours.
# - `leftMask` is the viewer's left, the patient's right lung. Two lungs, two channels.
# - Shrink images by the mean over the area, masks by the same and a threshold of one half. `INTER_NEAREST` shifts.
# - Pixels have a size in millimetres, and after squashing two of them.
# - Look at the data before a network does.
#
# **Next:** [notebook 3](03_split.ipynb) shares the cases out into training, validation and test.
