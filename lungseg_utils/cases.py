"""Find the X-rays of a data set on disk and pair each with its two masks and its reading.

Files belong together because they share an ID, not by their place in a list. The layout is that of the Montgomery set::

    FOLDER/CXR_png/ID.png                  the X-ray
    FOLDER/ManualMask/leftMask/ID.png      the lung on the viewer's left (the patient's right lung)
    FOLDER/ManualMask/rightMask/ID.png     the lung on the viewer's right (the patient's left lung)
    FOLDER/ClinicalReadings/ID.txt         sex, age and reading (optional)
    cases.csv, original_sizes.csv          tables in FOLDER or beside it (optional), see `find_cases`
"""

import csv
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lungseg_utils.files import DatasetError

IMAGES = "CXR_png"
LEFT = "ManualMask/leftMask"
RIGHT = "ManualMask/rightMask"
READINGS = "ClinicalReadings"
TABLE, SIZES = "cases.csv", "original_sizes.csv"

ORIGINAL_MM = 0.0875  # millimetres per pixel of the original pictures of the Montgomery set
OFFICIAL_SIZES = {(4892, 4020), (4020, 4892)}  # their (height, width): the scanner's plate, upright or on its side


@dataclass(frozen=True)
class Case:
    """One X-ray: its files and what is known about it."""

    id: str  # the file name without .png
    image: Path
    left_mask: Path  # the lung on the viewer's left = the patient's right lung
    right_mask: Path  # the lung on the viewer's right = the patient's left lung
    patient: str  # cases of one patient share it: the table's name, or the first ID of this patient
    finding: int | None  # 1 with a finding (tuberculosis in the real set), 0 without, None when nothing says it
    sex: str | None  # "F", "M", "O" or None
    age: int | None  # full years
    reading: str  # the radiologist's words, "" when there are none
    size: tuple[int, int] = (0, 0)  # (height, width) of the picture in its file, px
    spacing_mm: tuple[float, float] | None = None  # mm from row to row and from column to column there, when known


def find_cases(folder: Path | str) -> list[Case]:
    """List the cases of a data set.

    What is known about them stands in an optional table ``cases.csv``, in columns named ``id``, ``patient``,
    ``finding`` (0 or 1), ``sex``, ``age`` (years), ``row_mm`` and ``column_mm`` (the height and width of a pixel);
    columns and cells may be missing. What it does not say comes from the Montgomery set's habits: a reading per case,
    "same pt as ID" in it, an ID that ends in _0 or _1, and ``original_sizes.csv``.

    Returns:
        The cases, sorted by ID. The folder may also be one that holds exactly one data set.

    Raises:
        DatasetError: the folder is no data set, X-rays and masks do not pair up, or a table cannot be used.
    """
    folder = set_folder(folder)
    images, left, right = (_files(folder / part, ".png") for part in (IMAGES, LEFT, RIGHT))
    if not images:
        raise DatasetError(f"No X-rays: {folder / IMAGES} holds no .png file. Put one ID.png there per X-ray.")
    _check_pairs(folder, images, left, right)
    texts = {key: _read_text(path) for key, path in _files(folder / READINGS, ".txt").items()}
    patients = _patients({key: path.stem for key, path in images.items()}, texts)
    table, sizes = _read_table(folder, images), original_sizes(folder)
    cases = []
    for key, image in images.items():
        suffix = re.search(r"_([01])$", image.stem)
        sex, age, reading = _parse_reading(texts.get(key, ""))
        size = picture_size(image)
        known = {
            "patient": patients[key],
            "finding": int(suffix[1]) if suffix else None,
            "sex": sex,
            "age": age,
            "spacing_mm": _original_spacing(size, sizes.get(key)),
        } | table.get(key, {})
        cases.append(Case(image.stem, image, left[key], right[key], reading=reading, size=size, **known))
    return sorted(cases, key=lambda case: case.id)


def set_folder(folder: Path | str) -> Path:
    """Return the folder that holds ``CXR_png``: the given one, or the only one inside it, else a DatasetError."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise DatasetError(f"The data set's folder {folder} {what}. Check the path, or make the data set first.")
    if _is_set(folder):
        return folder
    entries = sorted(path for path in folder.iterdir() if not _is_junk(path))
    inside = [path for path in entries if path.is_dir() and _is_set(path)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise DatasetError(
            f"{folder} holds {len(inside)} data sets ({_some(path.name for path in inside)}). "
            "Give the folder of the one you want."
        )
    missing = [part for part in (IMAGES, LEFT, RIGHT) if not (folder / part).is_dir()]
    raise DatasetError(
        f"{folder} is not a data set, nor is a folder directly inside it. Expected the folders {IMAGES}, "
        f"{LEFT} and {RIGHT}, each with one ID.png per X-ray; missing: {', '.join(missing)}; "
        f"found: {_some(path.name for path in entries) or 'nothing'}."
    )


def original_sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Read ``original_sizes.csv``: key of a case -> (height, width) of its original in px of 0.0875 mm."""
    sizes = {}
    for path, row in _rows(folder, SIZES):
        try:
            size = int(row["original_height_px"]), int(row["original_width_px"])
            if min(size) < 1:
                raise ValueError(size)
        except (KeyError, ValueError) as error:
            raise DatasetError(
                f"{path} cannot be used. Its columns must be id,original_width_px,original_height_px, the last "
                "two whole numbers above 0. Mend it, or remove it to do without millimetres."
            ) from error
        sizes[_key(row["id"])] = size
    return sizes


def _read_table(folder: Path, images: dict[str, Path]) -> dict[str, dict]:
    """Read ``cases.csv``: key of a case -> what its row says, by the names of `Case`; empty cells are left out."""
    found, path = {}, folder / TABLE
    for path, row in _rows(folder, TABLE):
        try:
            found[_key(row["id"])] = _known(row)
        except (KeyError, ValueError) as error:
            raise DatasetError(
                f"{path} cannot be used: the row of {row['id']!r} says {error}. Finding must be 0 or 1, sex F, M or O, "
                "age a whole number of years, row_mm and column_mm both millimetres above 0; cells may be empty."
            ) from error
    if found and not found.keys() & images.keys():
        raise DatasetError(
            f"{path} names none of the X-rays in {folder / IMAGES}. Its id is a file's name without .png."
        )
    return found


def _known(row: dict[str, str]) -> dict:
    """Turn a row of ``cases.csv`` into values; a ValueError or KeyError when one cannot be right."""
    known: dict[str, object] = {}
    if row.get("patient"):
        known["patient"] = row["patient"]
    if row.get("finding"):
        known["finding"] = {"0": 0, "1": 1}[row["finding"]]
    if row.get("sex"):
        known["sex"] = {"F": "F", "M": "M", "O": "O"}[row["sex"].upper()]
    if row.get("age"):
        known["age"] = int(row["age"])
    if row.get("row_mm") or row.get("column_mm"):
        spacing = float(row["row_mm"]), float(row["column_mm"])
        if not all(0 < mm < math.inf for mm in spacing):
            raise ValueError(f"{spacing} mm")
        known["spacing_mm"] = spacing
    return known


def _rows(folder: Path, name: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Path and rows of a table in a data set's folder, or else beside it; none when it is in neither.

    Names of columns are compared without regard to case, and cells are stripped; Excel's semicolons and mark are read.
    """
    # resolve() because the parent of a relative path like "." is "." again
    path = next((place / name for place in (folder, folder.resolve().parent) if (place / name).is_file()), None)
    if path is None:
        return
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    for row in csv.DictReader(text.splitlines(), delimiter=delimiter):
        row = {str(column).strip().lower(): str(cell or "").strip() for column, cell in row.items()}
        if not row.get("id"):
            raise DatasetError(f"{path} cannot be used: it needs a column id, filled in each row.")
        yield path, row


def _original_spacing(size: tuple[int, int], original: tuple[int, int] | None) -> tuple[float, float] | None:
    """Spacing of a picture of the Montgomery set that may have been resized; None when its original size is unknown."""
    original = original or (size if size in OFFICIAL_SIZES else None)
    if not original or 0 in size:
        return None
    return original[0] * ORIGINAL_MM / size[0], original[1] * ORIGINAL_MM / size[1]


def pixel_spacing(case: Case, height: float, width: float) -> tuple[float, float] | None:
    """Return how large a pixel is when the whole X-ray is shown on a grid of height x width pixels.

    Returns:
        (row_mm, column_mm): millimetres from one row to the next, and from one column to the next: distances need
        both, because a squashed picture has pixels that are not square. None when the case's spacing is not known.
    """
    if case.spacing_mm is None:
        return None
    return case.spacing_mm[0] * case.size[0] / height, case.spacing_mm[1] * case.size[1] / width


def picture_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of a picture in px; a PNG is not decoded for it. (0, 0) when it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError as error:
        raise DatasetError(f"Cannot open {path}: {error.strerror}. Check the path and who may read it.") from error
    if len(head) == 24 and head.startswith(b"\x89PNG\r\n\x1a\n"):
        return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE) if head else None
    return (0, 0) if picture is None else picture.shape  # whoever reads it later says what is wrong


def _is_set(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in (IMAGES, LEFT, RIGHT))


def _is_junk(path: Path) -> bool:
    """Whether macOS or Windows left a file behind (``._ID.png`` looks like a picture and is none)."""
    return path.name.startswith(".") or path.name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def _key(name: str) -> str:
    """Return the form in which names are compared, so that a set pairs alike on Linux, Windows and macOS."""
    return unicodedata.normalize("NFC", name).casefold()


def _files(folder: Path, suffix: str) -> dict[str, Path]:
    """Map the key of each file in a folder to its path."""
    files = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _is_junk(path) or path.suffix.lower() != suffix or not path.is_file():
            continue
        other = files.setdefault(_key(path.stem), path)
        if other != path:
            raise DatasetError(
                f"{folder} holds {other.name} and {path.name}, whose names differ only in upper and lower "
                "case or accents: they are one file on some systems. Rename or remove one."
            )
    return files


def _check_pairs(folder: Path, images: dict, left: dict, right: dict) -> None:
    problems = []
    for place, masks in ((LEFT, left), (RIGHT, right)):
        missing = [path.name for key, path in images.items() if key not in masks]
        extra = [path.name for key, path in masks.items() if key not in images]
        if missing:
            problems.append(f"no mask in {place} for {len(missing)} of {len(images)} X-rays ({_some(missing)})")
        if extra:
            problems.append(f"no X-ray for {len(extra)} of {len(masks)} masks in {place} ({_some(extra)})")
    if problems:
        raise DatasetError(
            f"X-rays and masks in {folder} do not pair up: {'; '.join(problems)}. An X-ray and its two masks "
            "carry the same name; add what is missing, or move what has no partner out of the data set."
        )


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")


def _parse_reading(text: str) -> tuple[str | None, int | None, str]:
    """Take a reading apart into sex, age in full years, and the words that follow."""
    sex = age = None
    words = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if found := re.match(r"patient'?s\s+sex\s*:\s*(.*)", line, re.IGNORECASE):
            sex = found[1][:1].upper() if found[1][:1].upper() in set("FMO") else None
        elif found := re.match(r"patient'?s\s+age\s*:\s*(?:(\d+)\s*([YMWD]?))?", line, re.IGNORECASE):
            # written as in DICOM: 027Y, or 018M, 006W, 020D for small children
            units_in_a_year = {"M": 12, "W": 52, "D": 365}.get(found[2].upper(), 1) if found[1] else 1
            age = int(found[1]) // units_in_a_year if found[1] else None
        else:
            words.append(line)
    return sex, age, "\n".join(words)


def _patients(ids: dict[str, str], texts: dict[str, str]) -> dict[str, str]:
    """Group the cases by patient from the words "(same pt as ID, ID)" in the readings.

    The words link whole chains: when B names A, and C names B, the three are one patient.
    """
    groups = {key: {key} for key in ids}
    for key in ids:
        for found in re.finditer(r"same\s+(?:pt|patient)\.?\s+as\s+([^();]+)", texts.get(key, ""), re.IGNORECASE):
            for name in re.split(r"[,\s]+", found[1]):
                other = _key(name.strip(" ."))
                # an ID without files here still links two cases that name it; other words ("ago") must not
                if other in ids or re.search(r"_[01]$", other):
                    merged = groups[key] | groups.get(other, {other})
                    groups.update(dict.fromkeys(merged, merged))
    return {key: min(ids[member] for member in groups[key] if member in ids) for key in ids}


def _some(names, limit: int = 5) -> str:
    """Write out the first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
