"""Bring a data set of another layout into that of `cases`, and say of each file that is not taken why it is not.

`layouts` finds out what belongs together. Which lung is which is decided by where it lies: names mean the patient's
sides in some sets, and the viewer's in others.
"""

import csv
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from lungseg_utils.cases import (
    IMAGES,
    LEFT,
    ORIGINAL_MM,
    READINGS,
    RIGHT,
    TABLE,
    find_cases,
    read_age,
    read_sex,
    read_text,
)
from lungseg_utils.files import DatasetError, write_whole
from lungseg_utils.formats.layouts import Found, Picture, XRay, find
from lungseg_utils.formats.xray import read_xray
from lungseg_utils.images import check_mask, drop_specks, read_grey, read_masks

NOT_TAKEN = "not_taken.csv"
COLUMNS = ("id", "patient", "finding", "sex", "age", "row_mm", "column_mm")
LEAST_SHARE = 0.2  # a lung has at least this share of the other's area; what is smaller beside a lung is a speck
SAME_SHAPE = 0.01  # a mask is scaled to its X-ray's size when width over height differ by this share at most
NAMES = {
    "patient": ("patient", "patientid", "subject", "subjectid"),
    "finding": ("finding", "findings", "findinglabels", "tuberculosis", "tb", "diagnosis"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "age": ("age", "patientage", "ageyears"),
    "spacing_mm": (
        "rowmm",
        "spacing",
        "spacingmm",
        "pixelspacing",
        "imagerpixelspacing",
        "pixelspacingy",
        "mmperpixel",
    ),
}
OTHER_SPACING = {"rowmm": "columnmm", "pixelspacingy": "pixelspacingx"}  # where the second number has its own column


def convert(source: Path, folder: Path) -> list[str]:
    """Bring the data set in a folder into another folder, which appears whole or not at all.

    Pictures become grey PNG files of 8 bits and their own size. Masks get their X-ray's size where they have its shape.
    What tables and readings say of patient, finding, sex, age and spacing goes into ``cases.csv`` and the readings, and
    the files that were not taken, with the reasons, into ``not_taken.csv``.

    Returns:
        Lines to print: what was done, and what was not taken.

    Raises:
        DatasetError: the source is no folder, the target holds something or lies in the source, or nothing was taken.
    """
    source, folder = source.expanduser().resolve(), folder.expanduser().resolve()
    if not source.is_dir():
        raise DatasetError(f"{source} is not a folder. Give the one that holds the X-rays and their masks.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} is not empty. Choose a new folder, so that nothing is lost.")
    if folder.is_relative_to(source):
        raise DatasetError(f"{folder} lies in {source}. Choose a folder outside: it would be taken for a part of it.")
    found = find(source)
    with write_whole(folder) as draft:
        rows = _write_all(found, draft)
        if not rows:
            reasons = "; ".join(found.lines()) or "it is empty"
            raise DatasetError(
                f"No X-ray of {source} could be taken ({reasons}). It needs a mask that carries its name."
            )
        _check(found, draft, rows)
        # ./ before each name: a spreadsheet would take one that begins with = for a formula
        not_taken = sorted({(f"./{path.relative_to(source).as_posix()}", reason) for path, reason in found.not_taken})
        _write_table(draft / NOT_TAKEN, ("file", "reason"), [{"file": a, "reason": b} for a, b in not_taken])
    lines = [f"{len(rows)} X-rays with their masks: {folder}", *found.lines()]
    if not any(row.get("patient") for row in rows.values()):
        lines.append("No table names the patients: X-rays of one patient may come into several parts of a split.")
    return lines


def _write_all(found: Found, draft: Path) -> dict[str, dict]:
    """Write what can be taken into a draft; return a row of ``cases.csv`` for each X-ray taken, by its ID."""
    rows = {}
    for xray in tqdm(found.xrays, "Converting", unit="X-ray", leave=False):
        try:
            if not xray.masks and "leftlung" not in xray.known:
                raise DatasetError("no mask")
            read = read_xray(xray.picture.path)
            masks = _masks(xray, read.image.shape, found)
            known = _known(xray, read.image.shape, found)
            if xray.id in rows:  # of files of one name in folders a/b and a_b
                raise DatasetError("a second X-ray of this name")
        except DatasetError as error:
            found.refuse(xray, str(error))
            continue
        for part, image in ((IMAGES, read.image), (LEFT, masks[0] * 255), (RIGHT, masks[1] * 255)):
            path = draft / part / f"{xray.id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        if xray.reading:
            (draft / READINGS).mkdir(exist_ok=True)
            (draft / READINGS / f"{xray.id}.txt").write_text(read_text(xray.reading), "utf-8", newline="\n")
        rows[xray.id] = {"id": xray.id} | known
        if spacing := known.pop("spacing_mm", None) or read.spacing_mm:
            rows[xray.id] |= {"row_mm": spacing[0], "column_mm": spacing[1]}
    return rows


def _check(found: Found, draft: Path, rows: dict[str, dict]) -> None:
    """Read the new set as the course will; what cannot be read is taken away again, and said."""
    _write_table(draft / TABLE, COLUMNS, rows.values())
    by_id = {xray.id: xray for xray in found.xrays if xray.masks or xray.known}
    for case in find_cases(draft):
        try:
            read_masks(case)
        except DatasetError as error:
            for path in (case.image, case.left_mask, case.right_mask):
                path.unlink()
            del rows[case.id]
            found.refuse(by_id[case.id], f"cannot be read again: {error}")
    _write_table(draft / TABLE, COLUMNS, rows.values())


def _write_table(path: Path, columns: tuple[str, ...], rows: Iterable[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


# --- masks ---


def _masks(xray: XRay, shape: tuple[int, int], found: Found) -> tuple[np.ndarray, np.ndarray]:
    """The masks of an X-ray, (height, width) uint8, {0, 1}: the lung on the viewer's left, and the other.

    Raises:
        DatasetError: there are none, too many, or none that can be used.
    """
    named = {side: [mask for mask in xray.masks if mask.side == side] for side in ("left", "right", "")}
    for masks in named.values():
        if len(masks) > 1:
            raise DatasetError(f"several masks: {', '.join(mask.path.name for mask in masks)}")
    if named["left"] and named["right"]:
        pair = [_read(named[side][0], shape, xray, found)[0] for side in ("left", "right")]
        found.not_taken += [(mask.path, "a mask of both lungs: there is one for each lung") for mask in named[""]]
        if (pair[0] & pair[1]).sum() > 0.5 * (pair[0] | pair[1]).sum():
            found.note(xray, "times the mask of both lungs lay in both mask folders")
            pair = _part(pair[0], xray, found)
    elif named[""]:
        pair = _read(named[""][0], shape, xray, found)
        pair = pair if len(pair) == 2 else _part(pair[0], xray, found)
        found.not_taken += [(mask.path, "a mask of one lung alone") for mask in named["left"] + named["right"]]
    elif "leftlung" in xray.known and "rightlung" in xray.known:
        pair = [_fit(_decode(xray.known[side], xray.known), shape, xray, found) for side in ("leftlung", "rightlung")]
        found.note(xray, "times masks of a table's run lengths")
        if _number(xray.known.get("dicercamean", "")) < 0.7:
            found.note(xray, "of these have a Dice RCA (Mean) below 0.7: look at them")
    else:
        raise DatasetError("a mask of one lung alone")
    return _in_place([_largest(mask, xray, found) for mask in pair], xray, found)


def _read(mask: Picture, shape: tuple[int, int], xray: XRay, found: Found) -> list[np.ndarray]:
    """Read a mask file as one mask, or as two of a map in which each lung has its own shade."""
    grey = read_grey(mask.path)
    shades, counts = np.unique(grey, return_counts=True)
    lungs = shades[(shades > 0) & (counts > 0.02 * grey.size)]
    if len(lungs) == 2 and lungs[0] < 0.8 * lungs[1] and counts[np.isin(shades, [0, *lungs])].sum() > 0.99 * grey.size:
        found.note(xray, "maps with a shade for each lung")
        masks = [(grey == shade).astype(np.uint8) for shade in lungs]
    else:
        check_mask(grey, mask.path)
        masks = [(grey > grey.max() / 2).astype(np.uint8)]
        if np.concatenate([masks[0][[0, -1]].ravel(), masks[0][:, [0, -1]].ravel()]).mean() > 0.5:
            raise DatasetError("a mask that looks inverted: its edge is bright, and the lung must be the bright part")
    return [_fit(each, shape, xray, found) for each in masks]


def _decode(runs: str, known: dict[str, str]) -> np.ndarray:
    """Decode run lengths as CheXmask has them: "start length start length", from 1 on, row after row from the top.

    Tables without columns Height and Width are of pictures that were brought to 1024 x 1024 px
    (github.com/ngaggion/CheXmask-Database, Gaggion et al. 2024, doi 10.1038/s41597-024-03358-1).

    Returns:
        (height, width) uint8, {0, 1}.
    """
    try:
        height, width = (int(float(known.get(name, "1024"))) for name in ("height", "width"))
        numbers = np.array(runs.split(), dtype=np.int64)
        starts, lengths = numbers[::2] - 1, numbers[1::2]
        if (
            len(starts) != len(lengths)
            or min(starts.min(), lengths.min()) < 0
            or (starts + lengths).max() > height * width
        ):
            raise ValueError(f"they do not fit {width} x {height} px")
    except (ValueError, OverflowError) as error:
        raise DatasetError(f"run lengths that cannot be decoded: {error}") from error
    mask = np.zeros(height * width, np.uint8)
    for start, length in zip(starts, lengths):
        mask[start : start + length] = 1
    return mask.reshape(height, width)


def _fit(mask: np.ndarray, shape: tuple[int, int], xray: XRay, found: Found) -> np.ndarray:
    """Scale a mask (height, width) uint8, {0, 1}, to its X-ray's size, if it has its shape."""
    if mask.shape == shape:
        return mask
    (height, width), sizes = shape, f"{mask.shape[1]} x {mask.shape[0]} px, its X-ray {shape[1]} x {shape[0]} px"
    if abs(mask.shape[1] * height / (mask.shape[0] * width) - 1) > SAME_SHAPE:
        raise DatasetError(f"a mask of another shape than its X-ray: it has {sizes} (width x height)")
    found.note(xray, "times masks were scaled to their X-ray's size")
    method = cv2.INTER_AREA if mask.shape[0] >= height else cv2.INTER_LINEAR  # as images.resize_masks
    return (cv2.resize(mask.astype(np.float32), (width, height), interpolation=method) > 0.5).astype(np.uint8)


def _part(both: np.ndarray, xray: XRay, found: Found) -> list[np.ndarray]:
    """Part a mask of both lungs (height, width) uint8, {0, 1}: into its two large pieces, or where it is thinnest.

    Raises:
        DatasetError: it has no waist, so that it is one lung alone, or the two with all that lies between.
    """
    _, labels, stats, centres = cv2.connectedComponentsWithStats(both, connectivity=8)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA])
    if len(order) > 1:
        first, second = order[:2]
        far = abs(centres[first][0] - centres[second][0]) > 0.15 * both.shape[1]
        if far and stats[second, cv2.CC_STAT_AREA] > LEAST_SHARE * stats[first, cv2.CC_STAT_AREA]:
            found.note(xray, "masks of both lungs were parted into two lungs")
            return [(labels == each).astype(np.uint8) for each in (first, second)]
    heights = both.sum(axis=0, dtype=np.int64)
    start, end = np.flatnonzero(heights)[[0, -1]]
    middle = heights[start + (end - start) * 35 // 100 : start + (end - start) * 65 // 100 + 1]
    thin = np.flatnonzero(middle == middle.min())
    cut = start + (end - start) * 35 // 100 + thin[len(thin) // 2]
    left, right = both.copy(), both.copy()
    left[:, cut:], right[:, :cut] = 0, 0
    if middle.min() > 0.6 * min(heights[:cut].max(initial=0), heights[cut:].max(initial=0)):
        raise DatasetError("a mask that cannot be parted into two lungs: it is one lung, or holds what lies between")
    found.note(xray, "masks of lungs that touch were cut where they are thinnest near the middle: look at them")
    return [left, right]


def _largest(mask: np.ndarray, xray: XRay, found: Found) -> np.ndarray:
    """The largest piece of a mask (height, width) uint8, {0, 1}."""
    if not mask.any():
        raise DatasetError("an empty mask")
    with warnings.catch_warnings(record=True) as dropped:
        warnings.simplefilter("always")
        mask = drop_specks(mask, xray.picture.path)
    if dropped:
        found.note(xray, "masks lost pieces beside the lung's largest one")
    return mask


def _in_place(pair: list[np.ndarray], xray: XRay, found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Put two masks, of which the first is named left, in the order in which they lie."""
    (x, first), (other_x, second) = ((np.nonzero(mask)[1].mean(), mask) for mask in pair)
    if min(first.sum(), second.sum()) < 0.05 * max(first.sum(), second.sum()):
        raise DatasetError("a mask of one lung alone: the other has less than a twentieth of its area")
    if x <= other_x:
        return first, second
    if len(xray.masks) > 1 or not xray.masks:
        found.note(xray, "times left and right meant the patient's: each lung was put where it lies")
    return second, first


# --- what tables say ---


def _known(xray: XRay, shape: tuple[int, int], found: Found) -> dict:
    """Turn cells of tables into the columns of ``cases.csv``; what is not understood is said."""
    known: dict = {}
    parse: dict[str, Callable] = {
        "patient": lambda cell: f"'{cell}" if cell[0] in "=+-@" else cell,
        "finding": _finding,
        "sex": read_sex,
        "age": read_age,
    }
    for what, names in NAMES.items():
        column = next((name for name in names if xray.known.get(name)), None)
        if column is None:
            continue
        cell = xray.known[column]
        try:
            known[what] = _spacing(cell, column, xray.known) if what == "spacing_mm" else parse[what](cell)
        except ValueError:
            found.note(xray, f"times a table's {what} was not understood and left out")
    height, width = (_number(xray.known.get(f"original{side}px", "")) for side in ("height", "width"))
    if height < np.inf and width < np.inf and "spacing_mm" not in known:  # of the Montgomery set, see `cases`
        known["spacing_mm"] = height * ORIGINAL_MM / shape[0], width * ORIGINAL_MM / shape[1]
    return {what: value for what, value in known.items() if value is not None}


def _finding(cell: str) -> int | None:
    """0 for normal or no finding, 1 for a finding or its name, None for unknown; a ValueError for other numbers."""
    word = re.sub("[^a-z0-9]", "", cell.lower())
    if word in ("0", "00", "no", "false", "normal", "nofinding", "nofindings", "none", "negative", "healthy"):
        return 0
    if word in ("", "na", "nan", "unknown"):
        return None
    if word in ("1", "10", "yes", "true") or not word.isdigit():
        return 1
    raise ValueError(cell)


def _spacing(cell: str, column: str, known: dict[str, str]) -> tuple[float, float]:
    """Millimetres from row to row and from column to column; a ValueError where no X-ray can have them."""
    numbers = [
        float(number)
        for number in re.findall(r"\d*\.?\d+(?:e-?\d+)?", cell + " " + known.get(OTHER_SPACING.get(column, ""), ""))
    ]
    if not 1 <= len(numbers) <= 2 or not all(0.01 < number < 5 for number in numbers):
        raise ValueError(cell)
    return numbers[0], numbers[-1]


def _number(cell: str) -> float:
    """A cell as a number; infinite where it is none."""
    try:
        return float(cell)
    except ValueError:
        return np.inf
