"""Change X-rays on purpose, to see where a model breaks (notebook 9).

Each change stands for something that other hospitals, machines and programs do to a picture. The sizes below are
fixed: nothing is random, so that two models meet the same pictures.
"""

from collections.abc import Callable

import cv2
import numpy as np

DARKER, BRIGHTER = 1.8, 0.55  # exponents of gamma
CONTRAST, LIFT = 0.35, 90  # share of the contrast that is left, and the grey value added
BLUR = 0.006  # radius, share of the side
NOISE = 40  # standard deviation, grey values
ANGLE = 7  # degrees
SHRUNK = 0.6  # share of the side
TIGHT = 0.02  # what is left around the lungs, share of the side
QUALITY = 20  # of JPEG, 1 to 100
FRAME, FRAME_GREY = 0.05, 200  # of a light frame: width as share of the side, grey value
BREAKS_MEAN, BREAKS_P5 = 0.02, 0.05  # a change that lowers the Dice coefficient by more than this breaks the model

Pair = tuple[np.ndarray, np.ndarray]


def _relight(curve: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], Pair]:
    """Make a change of a curve on grey values from 0 to 1."""
    table = np.clip(curve(np.arange(256) / 255) * 255, 0, 255).astype(np.uint8)
    return lambda image, masks: (table[image], masks)


def equalise(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Even out the contrast in each neighbourhood, as many viewers do (CLAHE, 8 x 8 fields)."""
    return cv2.createCLAHE(4.0, (8, 8)).apply(image), masks


def blur(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Blur, as if the patient had moved."""
    return cv2.GaussianBlur(image, (0, 0), BLUR * image.shape[0]), masks


def noise(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Add grain, as in a picture with too few X-rays."""
    grain = np.random.default_rng(0).normal(0, NOISE, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8), masks


def _move(image: np.ndarray, masks: np.ndarray, matrix: np.ndarray) -> Pair:
    """Move picture and masks together; what comes in is black."""
    size = image.shape[::-1]
    moved = cv2.warpAffine(masks.astype(np.float32), matrix, size)
    return cv2.warpAffine(image, matrix, size), (moved > 0.5).astype(np.uint8)


def rotate(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Turn about the middle, as a patient who leans."""
    height, width = image.shape
    return _move(image, masks, cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), ANGLE, 1))


def shrink_in_frame(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Shrink inside a black frame, as a photograph of a screen or a page."""
    height, width = image.shape
    return _move(image, masks, cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, SHRUNK))


def crop(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Cut off everything but the lungs and a narrow margin; the result is smaller."""
    rows, columns = np.nonzero(masks.any(axis=2))
    margin = round(TIGHT * max(image.shape))
    top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
    inside = np.s_[top : rows.max() + margin + 1, left : columns.max() + margin + 1]
    return image[inside], masks[inside]


def mirror(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Mirror left and right: a picture stored the wrong way round, or a heart on the other side."""
    return image[:, ::-1], masks[:, ::-1, ::-1]  # channel 0 stays on the viewer's left


def compress(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Store as a JPEG of poor quality."""
    stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    picture = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
    assert picture is not None  # OpenCV reads what it wrote
    return picture, masks


def frame(image: np.ndarray, masks: np.ndarray) -> Pair:
    """Burn in a light frame and letters."""
    image, (height, width) = image.copy(), image.shape
    edge = round(FRAME * min(height, width))
    cv2.rectangle(image, (0, 0), (width - 1, height - 1), FRAME_GREY, 2 * edge)
    for text, x, y in (("PORTABLE AP", 0.08, 0.13), ("L", 0.87, 0.13), ("14:05", 0.08, 0.92)):
        at = (round(x * width), round(y * height))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, height / 512, 255, max(1, height // 256), cv2.LINE_AA)
    return image, masks


CHANGES: dict[str, Callable[[np.ndarray, np.ndarray], Pair]] = {
    "unchanged": lambda image, masks: (image, masks),
    f"darker (gamma {DARKER})": _relight(lambda grey: grey**DARKER),
    f"brighter (gamma {BRIGHTER})": _relight(lambda grey: grey**BRIGHTER),
    f"contrast {CONTRAST:.0%}": _relight(lambda grey: grey * CONTRAST + LIFT / 255),
    "equalised (CLAHE)": equalise,
    "blurred": blur,
    "noisy": noise,
    f"turned by {ANGLE} degrees": rotate,
    f"shrunk to {SHRUNK:.0%} in a black frame": shrink_in_frame,
    "cropped to the lungs": crop,
    "mirrored": mirror,
    "black and white exchanged": _relight(lambda grey: 1 - grey),
    f"JPEG of quality {QUALITY}": compress,
    "light frame and letters": frame,
}
"""Name to change. A change takes a picture (height, width) uint8 and its masks (height, width, 2) uint8 {0, 1}, and
returns both changed; sizes may differ afterwards."""
