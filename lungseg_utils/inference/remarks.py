"""Say when an outline may be wrong: one remark on an X-ray, from the one prediction that gave its masks (notebook 9).

Nothing here asks the network again: what it answered, the picture it saw and what the file says are enough. Only where
that shows no chest, `xrays` looks again, to say whether the picture is turned or inverted.

Limits and weights were fitted on drawings (`kept/remarks.json`, made by `python -m studies remarks`) to the shipped
model; with a model of one's own they are rough.
"""

import cv2
import numpy as np

from lungseg_utils.kept import kept
from lungseg_utils.prediction import clean

FIGURES = "remarks.json"
LOOKS = {
    "inverted": "looks inverted: black and white exchanged",
    "turned": "looks turned: an X-ray must stand upright",
    "other": "does not look like an upright frontal chest X-ray",
}  # what a picture may look like instead of "frontal" -> what is said
UNSURE = "unsure of this outline"
NO_LUNG, ONE_LUNG = "no lung found", "only one lung found"
LOPSIDED = "one lung is much smaller than the other"
RAW = "the file says FOR PROCESSING: its shades are not made to be looked at"
NO_CHEST = (NO_LUNG, ONE_LUNG, *LOOKS.values())  # what may come of a picture that is shown wrongly
MISSING = 0.005  # share of the picture: a smaller "lung" is none
AREA_CM2 = (30, 1000)  # of both lungs: from less than a newborn's to more than the largest adult's
MODALITIES = ("CR", "DX", "DR", "RG", "RF", "XR", "OT", "SC")  # an X-ray picture, or "other", or a copy of a screen
BODY_PARTS = ("CHEST", "THORA", "TORA", "LUNG")  # parts of the word, which languages spell in different ways
NOT_SAID = ("", "UNKNOWN", "OTHER", "NONE")
NOT_FRONTAL = "LL RL LLD RLD LLO RLO LAO RAO LPO RPO".split()  # ViewPosition: DICOM PS3.3, C.8.11.5


# --- what the file says ---


def file_remark(about: dict[str, str]) -> str:
    """What a DICOM file says about itself that a frontal chest X-ray would not; empty if nothing.

    `about` is that of `xrays.XRay`.
    """
    said = {name: text.upper().strip() for name, text in about.items()}
    modality, part, view = (said.get(name, "") for name in ("Modality", "BodyPartExamined", "ViewPosition"))
    odd = [modality] if modality not in (*MODALITIES, *NOT_SAID) else []
    odd += [part] if part not in NOT_SAID and not any(each in part for each in BODY_PARTS) else []
    odd += [f"view {view}"] if view in NOT_FRONTAL or "LAT" in view or "OBL" in view else []
    return f"the file says {', '.join(text[:40] for text in odd)}" if odd else ""


# --- signals ---


def lungs_of(probabilities: np.ndarray) -> list[np.ndarray]:
    """The lungs in probabilities (height, width, masks): (height, width) uint8, {0, 1}, the viewer's left one first.

    One mask of both lungs is parted into its two pieces.
    """
    if probabilities.shape[-1] == 2:
        return [clean(probabilities[..., channel] > 0.5) for channel in (0, 1)]
    pieces = cv2.connectedComponents(clean(probabilities[..., 0] > 0.5, parts=2))[1]
    lungs = [(pieces == number).astype(np.uint8) for number in (1, 2)]
    return sorted(lungs, key=lambda lung: np.nonzero(lung)[1].mean() if lung.any() else np.inf)


def doubt(probabilities: np.ndarray) -> float:
    """How unsure a network is: the sum of 4p(1 - p), over the area that it calls lung. 0 if all is 0 or 1.

    4p(1 - p) is 1 where p is 0.5. Without a lung the area counts as one pixel.
    """
    return float((4 * probabilities * (1 - probabilities)).sum() / max(1, (probabilities > 0.5).sum()))


def signals(probabilities: np.ndarray, picture: np.ndarray) -> dict[str, float] | None:
    """Measure an answer and the picture that it belongs to: shape and place of the lungs, shades in and around them.

    Args:
        probabilities: (height, width, masks) float32 in [0, 1].
        picture: (height, width) uint8, what the network saw.

    Returns:
        Name -> number; None where a lung is missing. Lengths are shares of the lungs' height or width, shades are
        differences from the lungs' mean shade, in standard deviations of the picture.
    """
    lungs = lungs_of(probabilities)
    areas = [int(lung.sum()) for lung in lungs]
    if min(areas) < MISSING * picture.size:
        return None
    scattered = 1 - sum(areas) / max(sum(areas), int((probabilities > 0.5).sum()))
    about = {"doubt": np.log(doubt(probabilities) + 1e-3), "lopsided": abs(np.log(areas[0] / areas[1]))}
    return about | {"scattered": scattered} | _shapes(lungs) | _shades(lungs, picture)


def _span(counts: np.ndarray) -> tuple[int, int]:
    """Where the middle 90 % of a lung begin and end, from its pixels in each row or column."""
    share = np.cumsum(counts) / counts.sum()
    return int(np.searchsorted(share, 0.05)), int(np.searchsorted(share, 0.95)) + 1


def _shapes(lungs: list[np.ndarray]) -> dict[str, float]:
    """Shape and place of both lungs: a frontal chest has two lungs at one height, narrow above and wide below."""
    rows, columns = ([_span(lung.sum(axis)) for lung in lungs] for axis in (1, 0))
    tall = max(end for _, end in rows) - min(start for start, _ in rows)
    wide = max(end for _, end in columns) - min(start for start, _ in columns)
    boxes = [(end - start) * (stop - begin) for (start, end), (begin, stop) in zip(rows, columns)]
    hulls = [cv2.fillConvexPoly(np.zeros_like(lung), cv2.convexHull(cv2.findNonZero(lung)), 1) for lung in lungs]
    return {
        "smaller lung": min(lung.mean() for lung in lungs),
        "rows shared": max(0, min(end for _, end in rows) - max(start for start, _ in rows)) / tall,
        "gap": (columns[1][0] - columns[0][1]) / wide,
        "width": wide / lungs[0].shape[1],
        "solid": min(lung.sum() / hull.sum() for lung, hull in zip(lungs, hulls)),
        "fills its box": min(lung.sum() / box for lung, box in zip(lungs, boxes)),
        "wider below": float(np.mean([_widening(lung, span) for lung, span in zip(lungs, rows)])),
        "heart": (_apart(lungs, rows, (0.6, 0.7, 0.8), 0) - _apart(lungs, rows, (0.15, 0.2, 0.25, 0.3), 0)) / wide,
        "walls": (_apart(lungs, rows, (0.7, 0.8, 0.9), -1) - _apart(lungs, rows, (0.05, 0.1, 0.15, 0.2), -1)) / wide,
    }


def _widening(lung: np.ndarray, rows: tuple[int, int]) -> float:
    """Log of how much wider a lung is in its lower part than at its top."""
    start, tall = rows[0], rows[1] - rows[0]
    parts = [(start + int(low * tall), start + int(high * tall)) for low, high in ((0, 0.25), (0.6, 0.9))]
    above, below = (lung[begin : max(begin + 1, end)].sum(axis=1).mean() for begin, end in parts)
    return float(np.log((below + 1) / (above + 1)))


def _apart(lungs: list[np.ndarray], rows: list[tuple[int, int]], shares: tuple[float, ...], inner: int) -> float:
    """Mean distance, px, between the inner (0) or outer (-1) borders of both lungs at some shares of their heights."""
    distances = []
    for share in shares:
        first, second = (
            np.nonzero(lung[start + int(share * (end - start - 1))])[0] for lung, (start, end) in zip(lungs, rows)
        )
        if len(first) and len(second):
            distances.append(float(second[inner]) - first[-1 - inner])
    return float(np.mean(distances)) if distances else 0.0


def _shades(lungs: list[np.ndarray], picture: np.ndarray) -> dict[str, float]:
    """Shades around the lungs, compared with those in them: the heart and what lies below is brighter."""
    both, grey = lungs[0] | lungs[1], picture.astype(np.float32)
    (top, bottom), (left, right) = (_span(both.sum(axis)) for axis in (1, 0))
    tall, wide = (bottom - top) // 5, (right - left) // 7
    core = cv2.erode(both, np.ones((3, 3), np.uint8))
    inside = float(grey[core > 0].mean()) if core.any() else float(grey[both > 0].mean())
    hull = cv2.fillConvexPoly(np.zeros_like(both), cv2.convexHull(cv2.findNonZero(both)), 1)

    def away(part: np.ndarray) -> float:
        """Mean shade there; of an empty part, as in the lungs."""
        return (float(part.mean()) - inside) / (float(grey.std()) + 1e-3) if part.size else 0.0

    sides = grey[top:bottom, max(0, left - wide) : left], grey[top:bottom, right : right + wide]
    return {
        "between": away(grey[(hull > 0) & (both == 0)]),
        "below": away(grey[bottom : bottom + tall, left:right]),
        "above": away(grey[max(0, top - tall) : top, left:right]),
        "beside": min(away(side) for side in sides),
    }


# --- from signals to a remark ---


def standardised(rows: list[dict[str, float]], figures: dict) -> np.ndarray:
    """Signals as distances from those of a usual drawing, and their sizes: (n, 2 * signals), -8 to 8."""
    values = np.array([[row[name] for name in figures["signals"]] for row in rows], float)
    distances = np.clip((values - figures["middle"]) / figures["spread"], -8, 8)
    return np.hstack([distances, np.abs(distances)])


def looks(rows: list[dict[str, float]], figures: dict) -> tuple[np.ndarray, list[str]]:
    """How little pictures look like upright frontal chest X-rays, and what they look like most of all else.

    A multinomial logistic regression: a weighted sum of `standardised` signals for each of "frontal" and `LOOKS`. It
    gives the log-odds against "frontal", (n,), and names from `LOOKS`.
    """
    sums = standardised(rows, figures) @ np.array(figures["weights"]).T + figures["bias"]
    frontal, others = sums[:, 0], sums[:, 1:]
    most = others.max(axis=1)
    odds = most + np.log(np.exp(others - most[:, np.newaxis]).sum(axis=1)) - frontal
    return odds, [list(LOOKS)[number] for number in others.argmax(axis=1)]


def grey_shades(image: np.ndarray) -> int:
    """How many shades of grey a picture (height, width) uint8 has, those of less than one pixel in 2,000 left out."""
    step = 1 + max(image.shape) // 1000
    counts = np.bincount(image[::step, ::step].ravel())
    return int((counts > counts.sum() / 2000).sum())


def picture_remark(probabilities: np.ndarray, picture: np.ndarray, image: np.ndarray, figures: dict) -> str:
    """What makes an answer doubtful, from the answer and the picture alone; empty if nothing does.

    `probabilities` and `picture` are as for `signals`, `image` (rows, columns) uint8 is the file's, and `figures` the
    content of `kept/remarks.json`.
    """
    rows, columns = image.shape
    if min(rows, columns) < figures["least_side"]:
        return f"too small a picture: {columns} x {rows} px"
    if (shades := grey_shades(image)) < figures["least_shades"]:
        return f"hardly any contrast: {shades} shade{'s' * (shades != 1)} of grey"
    measured = signals(probabilities, picture)
    if measured is None:
        return ONE_LUNG if max(lung.sum() for lung in lungs_of(probabilities)) >= MISSING * picture.size else NO_LUNG
    odds, look = looks([measured], figures)
    if odds[0] > figures["look"]:
        return LOOKS[look[0]]
    if measured["lopsided"] > figures["lopsided"]:
        return LOPSIDED
    return UNSURE if doubt(probabilities) > figures["doubt"] else ""


def remark(
    probabilities: np.ndarray, picture: np.ndarray, image: np.ndarray, about: dict[str, str], area_cm2: float | None
) -> str:
    """The most telling remark on an X-ray and its outlines, a short sentence in plain ASCII; empty if there is none.

    `about` is that of `xrays.XRay`, `area_cm2` of both lungs, None when it is not known; for the rest see
    `picture_remark`.
    """
    figures: dict = kept(FIGURES)  # type: ignore[assignment]  # lists are for tables
    found = file_remark(about) or picture_remark(probabilities, picture, image, figures)
    if not found and area_cm2 is not None and not AREA_CM2[0] <= area_cm2 <= AREA_CM2[1]:
        found = f"lungs of {area_cm2:.0f} cm2 are not plausible"
    if not found and about.get("PresentationIntentType", "").upper() == "FOR PROCESSING":
        found = RAW
    return found.encode("ascii", "replace").decode()
