"""Draw X-rays straight into arrays, for models that are trained on drawings alone.

No files: thousands of drawings are made, brought to the size that a network sees, and kept as uint8.
"""

from collections.abc import Collection
from functools import partial

import cv2
import numpy as np
from tqdm import tqdm

from lungseg_utils.drawing.picture import draw_phantom
from lungseg_utils.drawing.workers import start_workers
from lungseg_utils.images import Arrays, resize_image, resize_masks

DRAWN_AT = 256  # px: what is lost on the way to a smaller size is lost as in a real X-ray

# Patients of `phantom.draw_dataset`, the course's own among them, have numbers below 2 ** 32. Those drawn here have
# numbers above: no set that anybody scores a model on can hold a patient that it was trained on.
FIRST_PATIENT = 2**40

# How a rough drawing is placed in its picture, and what a viewer's program has done to it.
ROUGH_SCALE = (0.65, 1.2)  # of width and height, each by itself
ROUGH_SHIFT = (-0.1, 0.1)  # share of the side
LIGHT_ODDS = 0.25  # of a light surround instead of a black one
EQUALISED_ODDS = 0.3
EQUALISED = (1.0, 5.0)  # how strongly: limit of CLAHE

# The filters that give it other shades
FILTERS = 4  # one after the other
FILTERED = (0.0, 0.7)  # share of what they make of a picture
PLACES = (3, 6)  # bumps across the picture, of the field that says where which shades are


def patient_number(seed: int, number: int) -> int:
    """Seed of one drawing: `number` (0 to 2**32 - 1) in the series `seed` (0 or more)."""
    return FIRST_PATIENT + seed * 2**32 + number


def draw_arrays(
    count: int,
    size: int,
    seed: int,
    rough: float = 0.0,
    without: Collection[str] = (),
    workers: int | None = None,
) -> Arrays:
    """Draw X-rays in several processes and bring them to one size; every second one has a finding.

    The arrays do not depend on the number of workers. Memory: 3 * size**2 bytes per drawing, and no more.

    Args:
        count: how many.
        size: height and width of the arrays, px.
        seed: of the series; two series share no patient.
        rough: share of the drawings that `roughen` changes, 0 to 1, and of those that `recolour` does.
        without: parts of the drawing to leave out, names from `phantom.PARTS`.
        workers: processes; by default as many as there are processors. A script needs
            ``if __name__ == "__main__":`` around its own code; notebooks do not.

    Returns:
        Drawings named `DRAWN_00000_0`, `DRAWN_00001_1` and so on; the last digit says whether there is a finding.
    """
    images = np.empty((count, size, size), np.uint8)
    masks = np.empty((count, size, size, 2), np.uint8)
    draw = partial(_draw_one, size=size, seed=seed, rough=rough, without=tuple(without))
    with start_workers(workers) as pool:
        drawn = pool.map(draw, range(count), chunksize=8)
        for number, pair in enumerate(tqdm(drawn, "drawing X-rays", count, unit="case", leave=False)):
            images[number], masks[number] = pair
    return Arrays([f"DRAWN_{number:05d}_{number % 2}" for number in range(count)], images, masks)


def roughen(image: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Do to a drawing what happens to pictures on their way: squashed, framed, cut, evened out by a program.

    This and `recolour` are the places for changes that only models trained on drawings alone see.

    Args:
        image: (side, side) uint8.
        masks: (side, side, 2) uint8, {0, 1}.
        rng: random numbers of this drawing.

    Returns:
        Both, moved together, in the same shapes.
    """
    side = image.shape[0]
    scale, shift = rng.uniform(*ROUGH_SCALE, 2), rng.uniform(*ROUGH_SHIFT, 2) * side
    matrix = np.column_stack([np.diag(scale), (1 - scale) * (side - 1) / 2 + shift])
    surround = int(rng.integers(150, 256)) if rng.random() < LIGHT_ODDS else 0
    image = cv2.warpAffine(image, matrix, (side, side), borderValue=surround)
    masks = (cv2.warpAffine(masks.astype(np.float32), matrix, (side, side)) > 0.5).astype(np.uint8)
    if rng.random() < EQUALISED_ODDS:
        image = cv2.createCLAHE(rng.uniform(*EQUALISED), (8, 8)).apply(image)
    return image, masks


def recolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give a drawing shades that no machine gives: those of two chains of random filters, each in its own places.

    A network that has met them relies less on which of two places is darker: shapes and edges stay. Global intensity
    non-linear augmentation, and its blend: Ouyang et al., arXiv:2111.12525.

    Args:
        image: (side, side) uint8.
        rng: random numbers of this drawing.
    """
    grey = image.astype(np.float32) / 255
    field = rng.standard_normal((int(rng.integers(*PLACES)),) * 2).astype(np.float32)
    where = 1 / (1 + cv2.exp(-3 * cv2.resize(field, grey.shape, interpolation=cv2.INTER_CUBIC)))
    mixed = where * _filtered(grey, rng) + (1 - where) * _filtered(grey, rng)
    return (np.clip(mixed, 0, 1) * 255).round().astype(np.uint8)


def _filter(layer: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    return cv2.filter2D(layer, -1, rng.standard_normal((side, side)).astype(np.float32))


def _filtered(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture and what random filters make of it, mixed at random; mean and spread stay. All are float32."""
    layers = [grey]
    for number in range(FILTERS):
        side, last = int(rng.choice((1, 3))), number == FILTERS - 1
        layers = [
            np.sum([_filter(each, side, rng) for each in layers], axis=0) + np.float32(0.3 * rng.standard_normal())
            for _ in range(1 if last else 2)
        ]
        if not last:
            layers = [np.maximum(each, 0.2 * each) for each in layers]
    [made], share = layers, rng.uniform(*FILTERED)
    made = (made - made.mean()) / (made.std() + 1e-6) * grey.std() + grey.mean()
    return share * made + (1 - share) * grey


def _draw_one(
    number: int, size: int, seed: int, rough: float, without: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    patient = patient_number(seed, number)
    phantom = draw_phantom(patient, DRAWN_AT, finding=number % 2 == 1, without=without)
    image, masks = phantom.image, phantom.masks
    rng = np.random.default_rng(patient)
    if rng.random() < rough:
        image, masks = roughen(image, masks, rng)
    image, masks = resize_image(image, size), resize_masks(masks, size)
    return recolour(image, rng) if rng.random() < rough else image, masks
