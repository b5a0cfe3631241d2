"""Do drawn X-rays span what real ones show? `python -m studies compare DRAWN` says so in figures.

The figures of the real X-rays stand in ``real_ranges.json``, each hospital by itself: percentiles over all its cases,
nothing about a single one.
The tests hold the drawings to them. ``left`` and ``right`` are the viewer's, as in the masks' channels.
"""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from lungseg_utils.cases import Case, DatasetError, find_cases, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.images import read_grey, read_masks, resize_image, resize_masks
from lungseg_utils.kept import FOLDER, kept
from studies.provenance import begin, finish

SIZE = 256  # px: what is measured does not depend on how large the files are
REACH = 1 / 32  # of the picture: what lies this near to the outline is compared across it; about as thick as a rib
ROUND = 0.02  # of the picture: bends of the outline that are smaller than this count as uneven
FINE, COARSE = 1 / 256, 5 / 256  # of the picture: the blurs that fine and coarse texture are measured against
PERCENTILES = (5, 25, 50, 75, 95)
SOURCES = {  # by the beginning of the cases' IDs
    "MCUCXR": "Montgomery County chest X-ray set, U.S. National Library of Medicine, National Institutes of Health, "
    "Bethesda, MD, USA; doi 10.1109/TMI.2013.2290491 and 10.1109/TMI.2013.2284099",
    "OIST": "OpenIST, Datasets/Chest_x-ray, github.com/pi-null-mezon/OpenIST at 0a3fceb",
}

OF_A_LUNG = {
    "area": "share of the picture",
    "tall": "height over width",
    "apex": "highest point, share of the picture's height from its upper edge",
    "base": "lowest point, share of the picture's height from its upper edge",
    "outer": "from the picture's edge on that side to the outermost point, share of its width",
    "full": "area over that of the convex hull, 0 to 1; low where the heart or the diaphragm cuts in",
    "uneven": f"share of the area that a blur of {ROUND} of the picture moves across the outline; low when smooth",
    "wall": "how far the outer edge at half the height lies inside the outermost point, share of the lung's width",
    "narrowing": "mean width of the upper third over that of the lower third",
    "apex width": "width 5 % below the apex over the greatest width; low when pointed, high when domed or flat",
    "corner width": "width 5 % above the lowest point over the greatest width; low when the lower corner is sharp",
    "corner drop": "how far the outer third reaches below the inner third, share of the lung's height",
    "dome": "how far the lower edge rises above the lowest point in the middle half, share of the lung's height",
    "depth": "from angle to dome: how far the lower edge rises inwards from the lowest point of the outer half, up to "
    "half the width, share of the lung's height",
}
OF_BOTH = {
    "area both": "share of the picture",
    "tall both": "height over width of the box around both lungs",
    "middle": "middle of that box, share of the picture's width",
    "share left": "left area over both areas",
    "apex step": "how much lower the right apex is, share of the picture's height",
    "base step": "how much lower the right base is, share of the picture's height",
    "gap 25": "between the lungs at 25 % of the height they share, share of the picture's width",
    "gap 50": "the same at 50 %",
    "gap 75": "the same at 75 %",
}
CONTRAST = {  # all: mean just outside the outline less mean just inside, in shades of grey (-255 to 255)
    "contrast": "contrast across the outline, median over its points, shades of grey",
    "faintest": "contrast at the faintest twentieth of the outline, shades of grey",
    "at apex": "contrast at the upper edge of the highest tenth, shades of grey",
    "at wall": "contrast at the outer edge of the middle half, shades of grey",
    "at corner": "contrast at the outer edge of the lowest tenth, shades of grey",
    "at inner edge": "contrast at the inner edge of the middle half (mediastinum, heart), shades of grey",
    "at diaphragm": "contrast at the lower edge of the middle half, shades of grey",
}
SHADES = {
    f"{part} p{percentile}": f"percentile {percentile} {where}, shades of grey"
    for part, where in (("lungs", "inside the lungs"), ("outside", "outside them"), ("picture", "of the picture"))
    for percentile in PERCENTILES
} | {
    "black": "share of pixels that are 0",
    "white": "share of pixels that are 255",
    "side shade": "median of the left lung less that of the right, shades of grey",
    "lower shade": "median of the lungs' lower third less that of their upper third, shades of grey",
    "fine texture": f"standard deviation in the lungs after taking off a blur of {FINE:.4f} of the picture, shades",
    "coarse texture": f"the same for a blur of {COARSE:.4f}, shades of grey",
}


def _sides(measures: dict[str, str]) -> dict[str, str]:
    return {f"{name} {side}": text for name, text in measures.items() for side in ("left", "right")}


ANATOMY = _sides(OF_A_LUNG) | OF_BOTH  # name -> what it is and its unit
INTENSITY = _sides(CONTRAST) | SHADES  # name -> what it is and its unit
TRAITS = ANATOMY | INTENSITY
SHARES = {*ANATOMY, "black", "white"}  # the others are shades of grey
LEGEND = """inside: share of the real cases between percentiles 1 and 99 of the drawn ones
*  percentiles 5 to 95 of the drawn do not contain those of the real   ** nor do percentiles 1 to 99 of the drawn
left, right: the viewer's; what each measure is and its unit: studies.realism.TRAITS"""


def measure_case(image: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Measure the anatomy and the shades of one X-ray.

    Args:
        image: (size, size) uint8, 0 to 255.
        masks: (size, size, 2) uint8, {0, 1}; channel 0 is the lung on the viewer's left. Both in one piece.

    Returns:
        Name -> value, for every name in ``TRAITS``, which says what each is and its unit. NaN where there is nothing
        to measure, for example no gap between lungs that share no row.

    Raises:
        DatasetError: a mask is empty.
    """
    lungs = masks > 0
    if not lungs.any((0, 1)).all():
        raise DatasetError("A mask is empty: there is no lung to measure. Take the X-ray out of the set.")
    both, values = lungs.any(-1), {}
    for side, channel, step in (("left", 0, 1), ("right", 1, -1)):  # mirrored, so that outer is always on the left
        lung = lungs[:, ::step, channel]
        part = _shape(lung) | _contrast(image[:, ::step], lung, both[:, ::step])
        values |= {f"{name} {side}": value for name, value in part.items()}
    values |= _pair(lungs, values) | _shades(image, lungs)
    return {name: float(values[name]) for name in TRAITS}


def _edges(flags: np.ndarray) -> tuple[int, int]:
    """First true place and the one after the last, px."""
    places = np.flatnonzero(flags)
    return places[0], places[-1] + 1


def _mean(values: np.ndarray) -> float:
    """Mean without NaNs; NaN of none, without NumPy's warning."""
    values = values[np.isfinite(values)]
    return values.mean() if values.size else np.nan


def _shape(lung: np.ndarray) -> dict[str, float]:
    """The measures ``OF_A_LUNG`` of a (size, size) bool mask whose outer edge is on the left."""
    size, (top, base), (outer, inner) = len(lung), _edges(lung.any(1)), _edges(lung.any(0))
    height, width = base - top, inner - outer
    widths = lung[top:base].sum(1)
    high, low = np.interp((0.05 * height - 0.5, 0.95 * height - 0.5), np.arange(height), widths)  # at rows' middles
    floor = size - lung[::-1, outer:inner].argmax(0)  # row below the lowest pixel of each column
    third, column, angle = max(1, height // 3), max(1, width // 3), floor[: max(1, width // 2)].argmax()
    smooth = cv2.GaussianBlur(lung.astype(np.float32), (0, 0), ROUND * size) > 0.5
    hull = cv2.convexHull(np.argwhere(lung)[:, ::-1].astype(np.int32))
    return {
        "area": lung.mean(),
        "tall": height / width,
        "apex": top / size,
        "base": base / size,
        "outer": outer / size,
        "full": lung.sum() / cv2.fillConvexPoly(np.zeros(lung.shape, np.uint8), hull, 1).sum(),
        "uneven": (smooth != lung).sum() / lung.sum(),
        "wall": (lung[(top + base) // 2].argmax() - outer) / width,
        "narrowing": widths[:third].mean() / widths[-third:].mean(),
        "apex width": high / widths.max(),
        "corner width": low / widths.max(),
        "corner drop": (floor[:column].max() - floor[-column:].max()) / height,
        "dome": (base - floor[width // 4 : width - width // 4].min()) / height,
        "depth": (floor[angle] - floor[angle : max(angle + 1, width // 2)].min()) / height,
    }


def _contrast(image: np.ndarray, lung: np.ndarray, both: np.ndarray) -> dict[str, float]:
    """The measures ``CONTRAST`` of a mask whose outer edge is on the left; ``both`` is the mask of both lungs."""
    reach = 2 * max(1, round(REACH * len(lung))) + 1  # px

    def near(region: np.ndarray) -> np.ndarray:  # mean of the region's pixels within reach, NaN where there is none
        count, total = (
            cv2.boxFilter(layer, cv2.CV_64F, (reach, reach), normalize=False, borderType=cv2.BORDER_CONSTANT)
            for layer in (region.astype(float), region * image.astype(float))
        )
        return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0.5)

    across = near(~both) - near(lung)
    outline = across[lung & ~(cv2.erode(lung.astype(np.uint8), np.ones((3, 3))) > 0)]
    (top, base), (outer, inner) = _edges(lung.any(1)), _edges(lung.any(0))
    tenth, quarter, side = max(1, (base - top) // 10), (base - top) // 4, (inner - outer) // 4
    middle, low = np.arange(top + quarter, base - quarter), np.arange(base - tenth, base)
    high, across_columns = np.flatnonzero(lung[: top + tenth].any(0)), np.arange(outer + side, inner - side)
    return {
        "contrast": np.nanmedian(outline),
        "faintest": np.nanpercentile(outline, 5),
        "at apex": _mean(across[lung[:, high].argmax(0), high]),
        "at wall": _mean(across[middle, lung[middle].argmax(1)]),
        "at corner": _mean(across[low, lung[low].argmax(1)]),
        "at inner edge": _mean(across[middle, len(lung) - 1 - lung[middle, ::-1].argmax(1)]),
        "at diaphragm": _mean(across[len(lung) - 1 - lung[::-1, across_columns].argmax(0), across_columns]),
    }


def _pair(lungs: np.ndarray, values: dict[str, float]) -> dict[str, float]:
    """The measures ``OF_BOTH`` of (size, size, 2) bool masks, given those of each lung."""
    size, both = len(lungs), lungs.any(-1)
    (top, base), (start, end) = _edges(both.any(1)), _edges(both.any(0))
    shared = np.flatnonzero(lungs.any(1).all(-1))
    gaps = {}
    for percent in (25, 50, 75):
        row = lungs[shared[len(shared) * percent // 100]] if len(shared) else None
        gap = np.nan if row is None else _edges(row[:, 1])[0] - _edges(row[:, 0])[1]
        gaps[f"gap {percent}"] = gap / size
    return gaps | {
        "area both": both.mean(),
        "tall both": (base - top) / (end - start),
        "middle": (start + end) / 2 / size,
        "share left": values["area left"] / (values["area left"] + values["area right"]),
        "apex step": values["apex right"] - values["apex left"],
        "base step": values["base right"] - values["base left"],
    }


def _shades(image: np.ndarray, lungs: np.ndarray) -> dict[str, float]:
    """The measures ``SHADES`` of an X-ray and its (size, size, 2) bool masks."""
    both, size = lungs.any(-1), len(image)
    values = {}
    for part, pixels in (("lungs", image[both]), ("outside", image[~both]), ("picture", image)):
        values |= {f"{part} p{p}": value for p, value in zip(PERCENTILES, np.percentile(pixels, PERCENTILES))}
    rows = np.flatnonzero(both.any(1))
    upper, lower = rows[len(rows) // 3], rows[2 * len(rows) // 3]
    inside, grey = both.astype(np.float32), image.astype(np.float32)
    for name, share in (("fine texture", FINE), ("coarse texture", COARSE)):
        total, count = (cv2.GaussianBlur(layer, (0, 0), share * size) for layer in (grey * inside, inside))
        values[name] = (grey[both] - total[both] / count[both]).std()  # of lung alone: the outline is no texture
    return values | {
        "black": (image == 0).mean(),
        "white": (image == 255).mean(),
        "side shade": np.median(image[lungs[..., 0]]) - np.median(image[lungs[..., 1]]),
        "lower shade": np.median(image[lower:][both[lower:]]) - np.median(image[:upper][both[:upper]]),
    }


def measure_cases(cases: list[Case], size: int = SIZE) -> list[dict[str, float]]:
    """Measure cases, each squashed to a square of ``size`` px; memory does not grow with their number.

    Raises:
        DatasetError: a file cannot be used.
    """
    bar = tqdm(cases, desc="Measuring X-rays", unit="case", leave=False)
    return [measure_case(resize_image(read_grey(c.image), size), resize_masks(read_masks(c), size)) for c in bar]


def percentiles(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """Percentiles 5, 50 and 95 of each trait, to four decimals; NaNs are left out."""
    return {name: np.nanpercentile([row[name] for row in rows], (5, 50, 95)).round(4).tolist() for name in TRAITS}


def mark(drawn: np.ndarray, real: list[float]) -> str:
    """Say whether drawn values contain the middle nine tenths of the real ones.

    Args:
        drawn: (N,) float, one value per drawn X-ray.
        real: percentiles 5, 50 and 95 of the real X-rays.

    Returns:
        "" when percentiles 5 to 95 of the drawn values do, "*" when only 1 to 99 do, "**" when not even those.
    """
    p1, p5, p95, p99 = np.nanpercentile(drawn, (1, 5, 95, 99))
    low, high = real[0] + 1e-4, real[2] - 1e-4  # they are rounded
    if p5 <= low and high <= p95:
        return ""
    return "*" if p1 <= low and high <= p99 else "**"


def compare(drawn: list[dict[str, float]], real: list[dict[str, float]]) -> str:
    """A text table of both sets side by side, a line per measure; each row is one case's ``measure_case``."""
    title = "percentiles 5, 50, 95"
    lines = [f"{'':21} {f'{len(drawn)} drawn: {title}':>33} {f'{len(real)} real: {title}':>33}  inside"]
    for (name, ours), theirs in zip(percentiles(drawn).items(), percentiles(real).values()):
        values, others = (np.array([row[name] for row in rows]) for rows in (drawn, real))
        low, high = np.nanpercentile(values, (1, 99))
        inside = np.mean((low <= others) & (others <= high))
        digits = 3 if name in SHARES else 1
        numbers = " ".join(f"{x:10.{digits}f}" for x in (*ours, *theirs))
        lines.append(f"{name:21} {numbers}  {inside:6.0%} {mark(values, theirs)}".rstrip())
    return "\n".join([*lines, "", LEGEND])


def measure_ranges(data: Path, other: Path, measured: Path = FOLDER) -> dict:
    """Measure the X-rays of two hospitals and keep percentiles of each trait; nothing about a case goes into the file.

    Args:
        data: folder of real X-rays.
        other: the same, of another hospital.
        measured: folder for `real_ranges.json`.

    Returns:
        Content of the file: under `hospitals`, by name of the set, its `source`, number of `cases` and `measures`.
    """
    sets = {set_folder(folder).name: find_cases(folder) for folder in (data, other)}
    noted, hospitals = begin("ranges", (data, other)), {}
    for name, cases in sets.items():
        hospitals[name] = {
            "source": SOURCES.get(cases[0].id.split("_")[0], name),
            "cases": len(cases),
            "measures": percentiles(measure_cases(cases)),
        }
    result = {"size": f"each squashed to {SIZE} x {SIZE} px", "percentiles": [5, 50, 95], "hospitals": hospitals}
    write_json({**result, "provenance": finish(noted, (data, other))}, measured / "real_ranges.json")
    return read_json(measured / "real_ranges.json")


def real_ranges() -> dict[str, dict[str, list[float]]]:
    """Percentiles 5, 50 and 95 of each trait, by hospital, from ``real_ranges.json``."""
    return {name: about["measures"] for name, about in kept("real_ranges.json")["hospitals"].items()}
