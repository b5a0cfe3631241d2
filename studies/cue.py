"""What does the shipped model look at? Real X-rays with one thing changed below the lungs, and what it then outlines.

A network that is wrong does not say why. But one can ask it: change one thing of the picture, hold all else still, and
see whether the mistake goes. The mistake here is a tongue of "lung" that runs down the flank below the diaphragm. Truth
and lungs stay as they are; what changes lies below the true lower border.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from lungseg_utils.cases import find_cases, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.images import read_grey, read_masks, resize_image
from lungseg_utils.kept import FOLDER
from lungseg_utils.prediction import load_pretrained, predict_probabilities, to_masks
from lungseg_utils.scores import dice, spread
from studies.provenance import begin, finish, versions
from studies.scoring import below_border, lower_border, share_below

FLANK = (-0.06, 0.22)  # from beyond the lung's outer wall, share of the picture's width, to within it, of the lung's
EDGE = 0.005  # share of the width over which a change fades in
BLUR = 0.05  # share of the width
LIGHT = 0.25  # how much of the way to white, or to black
MARGIN = 0.03  # what is left below the lungs when the picture is cut off there, share of its height


def regions(masks: np.ndarray) -> dict[str, np.ndarray]:
    """The parts of a picture below the lungs.

    Args:
        masks: (height, width, 2), 0 and 1; channel 0 is the lung on the viewer's left.

    Returns:
        (height, width) bool: `below`, all of it; of this the `flank`, a strip along the lung's outer wall; what is
        `outside` the wall; and the `middle`, between the flanks, where liver and stomach are.
    """
    height, width = masks.shape[:2]
    rows, columns, lung = np.arange(height)[:, None], np.arange(width), masks.any(axis=-1)
    found = {name: np.zeros((height, width), bool) for name in ("below", "flank", "outside", "middle")}
    for side in range(2):
        own = np.flatnonzero(masks[..., side].any(axis=0))
        inwards = columns - own[0] if side == 0 else own[-1] - columns  # from the outer wall, px
        half = (columns < width / 2) == (side == 0)
        below = (rows > lower_border(masks[..., side]) + 1) & half & ~lung
        outside, middle = inwards <= FLANK[0] * width, inwards >= FLANK[1] * (own[-1] - own[0])
        found["below"] |= below
        found["outside"] |= below & outside
        found["middle"] |= below & middle
        found["flank"] |= below & ~outside & ~middle
    return found


def _paint(name: str, shade: Callable[[np.ndarray, dict], np.ndarray | float]) -> Callable:
    """A change: a part of the picture gets another shade, softly."""

    def change(image: np.ndarray, parts: dict[str, np.ndarray]) -> np.ndarray:
        if not parts[name].any():
            return image
        part = parts[name].astype(np.float32)
        weight = cv2.GaussianBlur(part, (0, 0), EDGE * image.shape[1]) * part
        mixed = image * (1 - weight) + shade(image.astype(np.float32), parts) * weight
        return mixed.clip(0, 255).astype(np.uint8)

    return change


def _median(name: str) -> Callable[[np.ndarray, dict], float]:
    """The median shade of a part; that of all that is below, where the part is empty."""
    return lambda image, parts: float(np.median(image[parts[name] if parts[name].any() else parts["below"]]))


def _blurred(image: np.ndarray, parts: dict) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), BLUR * image.shape[1])


CHANGES: dict[str, Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]] = {
    "none": lambda image, parts: image,
    "all of it flattened to its median grey": _paint("below", _median("below")),
    f"all of it blurred by {BLUR:.0%} of the width": _paint("below", _blurred),
    f"all of it {LIGHT:.0%} brighter": _paint("below", lambda image, parts: image + (255 - image) * LIGHT),
    f"all of it {LIGHT:.0%} darker": _paint("below", lambda image, parts: image * (1 - LIGHT)),
    "all of it black": _paint("below", lambda image, parts: 0),
    "the strip along the flank alone as bright as the middle": _paint("flank", _median("middle")),
    "that strip alone blurred": _paint("flank", _blurred),
    "that strip alone black": _paint("flank", lambda image, parts: 0),
    "the middle (liver, stomach, gas) alone flattened": _paint("middle", _median("middle")),
    "the middle alone black": _paint("middle", lambda image, parts: 0),
    "outside the wall alone as bright as the middle": _paint("outside", _median("middle")),
    "outside the wall alone black": _paint("outside", lambda image, parts: 0),
}
"""Name -> change of a picture (height, width) uint8, given its `regions`."""
CUT = f"cut off {MARGIN:.0%} of the height below the lungs"


def changed(image: np.ndarray, masks: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each change of an X-ray: its name, the picture, and the true masks, which end where a cut picture ends."""
    parts = regions(masks)
    for name, change in CHANGES.items():
        yield name, change(image, parts), masks
    lowest = np.flatnonzero(masks.any(axis=(1, 2)))[-1]
    end = min(len(image), int(lowest + MARGIN * len(image)))
    yield CUT, image[:end], masks[:end]


def measure_cue(data: Path, measured: Path = FOLDER) -> dict:
    """Score the shipped model on real X-rays with one thing changed below the true lower border.

    Args:
        data: folder of real X-rays.
        measured: folder for `cue.json`.

    Returns:
        Content of the file: `rows` with `name`, and of both lungs merged, at the file's own size, `dice` (`spread`) and
        `below` (`share_below`); `earlier`, what `versions.toml` keeps of models before it.
    """
    cases, model, noted = find_cases(data), load_pretrained(), begin("cue", (None, data))
    rows: dict[str, list[dict]] = {name: [] for name in (*CHANGES, CUT)}
    for case in tqdm(cases, "changing what lies below", leave=False):
        every = list(changed(read_grey(case.image), read_masks(case)))
        seen = np.stack([resize_image(image, model.input_shape[1]) for _, image, _ in every])
        for (name, _, true), answer in zip(every, predict_probabilities(model, seen)):
            found = to_masks(answer, *true.shape[:2])
            value = dice(true.max(axis=-1), found.max(axis=-1))
            rows[name].append({"patient": case.patient, "dice": value, "below": below_border(true, found)})
    table = [
        {"name": name, "dice": spread(some, "dice"), "below": share_below([row["below"] for row in some])}
        for name, some in rows.items()
    ]
    earlier = {version: about["cue"] for version, about in versions().items() if "cue" in about}
    result = {"data": set_folder(data).name, "rows": table, "earlier": earlier}
    result["provenance"] = finish(noted, (None, data))
    write_json(result, measured / "cue.json")
    return read_json(measured / "cue.json")
