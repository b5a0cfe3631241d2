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
import warnings
from collections.abc import Callable, Iterator
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
ID_COLUMNS = ("id", "image_id", "imageid", "image", "image_index", "filename", "file_name", "file", "study_id")
KNOWN_RULE = "Finding is 0 or 1, sex F, M or O, age full years, row_mm and column_mm both mm above 0, or empty."
SIZES_RULE = "Columns must be id,original_width_px,original_height_px, the last two whole numbers above 0."
OTHER_LAYOUT = "To bring a data set of another layout into this one: lungseg convert SOURCE FOLDER."


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

    What is known about them stands in an optional table ``cases.csv``, in columns named ``id`` (or as in `ID_COLUMNS`),
    ``patient``, ``finding`` (0 or 1), ``sex``, ``age`` (years), ``row_mm`` and ``column_mm`` (the size of a pixel);
    columns and cells may be missing. What it does not say comes from the Montgomery set's habits: a reading per case,
    "same pt as ID" in it, an ID that ends in _0 or _1, and ``original_sizes.csv``.

    Returns:
        The cases, sorted by ID. The folder may also be one that holds exactly one data set.
        A DatasetError tells that it is none, that X-rays and masks do not pair up, or of a table that is no use.
    """
    folder = set_folder(folder)
    images, left, right = (_files(folder / part, ".png") for part in (IMAGES, LEFT, RIGHT))
    if not images:
        raise DatasetError(f"No X-rays: {folder / IMAGES} holds no .png file, one per X-ray. {OTHER_LAYOUT}")
    _check_pairs(folder, images, left, right)
    texts = {key: read_text(path) for key, path in _files(folder / READINGS, ".txt").items()}
    patients = _patients({key: path.stem for key, path in images.items()}, texts)
    table = _read_rows(folder, TABLE, images, _known, KNOWN_RULE)
    sizes = _read_rows(folder, SIZES, images, _original_size, SIZES_RULE)
    cases = []
    for key, image in images.items():
        suffix = re.search(r"_([01])$", image.stem)
        sex, age, reading = _parse_reading(texts.get(key, ""), image.stem)
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
        f"found: {_some(path.name for path in entries) or 'nothing'}. {OTHER_LAYOUT}"
    )


def _read_rows(folder: Path, name: str, images: dict, parse: Callable, rule: str) -> dict:
    """Read a table in a data set's folder, or else beside it: key of a case -> what its row says; empty without one."""
    # resolve() because the parent of a relative path like "." is "." again
    path = next((place / name for place in (folder, folder.resolve().parent) if (place / name).is_file()), None)
    found = {}
    for row in read_table(path) if path else ():
        case_id = next((row[column] for column in ID_COLUMNS if row.get(column)), "")
        try:
            if not case_id:
                raise ValueError("no id")
            found[_key(re.sub(r"\.(png|PNG)$", "", case_id))] = parse(row)
        except (KeyError, ValueError) as error:
            raise DatasetError(f"{path} cannot be used: the row of {case_id!r} says {error}. {rule}") from error
    if path and path.parent == folder and found and not found.keys() & images.keys():  # beside it: another set's
        raise DatasetError(
            f"{path} names none of the X-rays in {folder / IMAGES}. Its id is a file's name without .png."
        )
    return found


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table with commas, semicolons or tabs: columns in lower case with _ for a space, cells stripped."""
    lines = read_text(path).splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    for row in csv.DictReader(lines, delimiter=delimiter):
        yield {re.sub(r"[\s-]+", "_", str(name).strip().lower()): str(cell or "").strip() for name, cell in row.items()}


def _known(row: dict[str, str]) -> dict:
    """Turn a row of ``cases.csv`` into values of a `Case`, empty cells left out; an error when one cannot be right."""
    parse = {"patient": str, "finding": {"0": 0, "1": 1}.__getitem__, "sex": read_sex, "age": int}
    known: dict = {name: parse[name](row[name]) for name in parse if row.get(name)}  # type: ignore[operator]
    if row.get("row_mm") or row.get("column_mm"):
        known["spacing_mm"] = float(row["row_mm"]), float(row["column_mm"])
        if not all(0 < mm < math.inf for mm in known["spacing_mm"]):
            raise ValueError(f"{known['spacing_mm']} mm")
    return known


def _original_size(row: dict[str, str]) -> tuple[int, int]:
    """Turn a row of ``original_sizes.csv`` into (height, width) of the original in px of 0.0875 mm."""
    size = int(row["original_height_px"]), int(row["original_width_px"])
    if min(size) < 1:
        raise ValueError(size)
    return size


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
            f"X-rays and masks in {folder} do not pair up: {'; '.join(problems)}. An X-ray and its two masks carry the "
            f"same name; add what is missing, or move what has no partner out of the data set. {OTHER_LAYOUT}"
        )


def read_text(path: Path) -> str:
    """Read a text as Windows and others write it: UTF-8, or UTF-16 with its mark or without, or else cp1252."""
    data = path.read_bytes()
    little, big = data[1:2] == b"\0" or data[:2] == b"\xff\xfe", data[:1] == b"\0" or data[:2] == b"\xfe\xff"
    try:
        return data.decode("utf-16-le" if little else "utf-16-be" if big else "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read_sex(text: str) -> str | None:
    """Return F, M or O for a letter or a word that begins so; None where nothing is known, else a ValueError."""
    letter = text.strip(" -?")[:1].upper()
    if letter not in "FMOUN":  # U: unknown; N: none, not known
        raise ValueError(f"sex {text!r}")
    return letter if letter and letter in "FMO" else None


def read_age(text: str) -> int | None:
    """Return full years of 45, 45.0, 45yrs, or 027Y, 018M as in DICOM; None where nothing is known, else an error."""
    found = re.fullmatch(r"(?:(\d+)[.\d]*\s*([ymwd]?)[a-z ]*|unknown|n/?an?)?[\s.?-]*", text.strip().lower())
    if not found:
        raise ValueError(f"age {text!r}")
    return int(found[1]) // {"m": 12, "w": 52, "d": 365}.get(found[2], 1) if found[1] else None


def _parse_reading(text: str, name: str) -> tuple[str | None, int | None, str]:
    """Take a reading ("Patient's Sex: F" and "Patient's Age: 027Y", or "male 45yrs") apart into sex, age and words."""
    known: dict = {}
    words = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if found := re.match(r"(?:patient'?s\s+)?(sex|gender|age)\s*:(.*)", line, re.IGNORECASE):
            said, rest = {found[1].lower().replace("gender", "sex"): found[2]}, ""
        elif found := re.match(r"((?:fe)?male)\b[\s,;]*(?:(\d+\s*[a-z]*(?: old)?)\b[\s,.;]*|$)(.*)", line, re.I):
            said, rest = {"sex": found[1], "age": found[2] or ""}, found[3]
        else:
            said, rest = {}, line
        words += [rest] if rest else []
        for what, value in said.items():
            try:
                known[what] = read_sex(value) if what == "sex" else read_age(value)
            except ValueError:
                warnings.warn(f"The reading of {name} says {line!r}: its {what} is not understood.", stacklevel=3)
    return known.get("sex"), known.get("age"), "\n".join(words)


def _patients(ids: dict[str, str], texts: dict[str, str]) -> dict[str, str]:
    """Group the cases by patient from the words "(same pt as ID, ID)" in the readings.

    The words link whole chains: when B names A, and C names B, the three are one patient.
    """
    groups = {key: {key} for key in ids}
    for key in ids:
        for found in re.finditer(r"same\s+(?:pt|patient)\.?\s+as\s+([^();]+)", texts.get(key, ""), re.IGNORECASE):
            names = [
                _key(re.sub(r"^#|\.(png|PNG|jpe?g)$", "", name.strip(" .:"))) for name in re.split(r"[,\s]+", found[1])
            ]
            # an ID without files here still links two cases that name it; other words ("ago") must not
            names = [name for name in names if name in ids or re.search(r"_[01]$", name)]
            if not names:
                warnings.warn(f"The reading of {ids[key]} says {found[0]!r}: no X-ray has this name.", stacklevel=3)
            for other in names:
                merged = groups[key] | groups.get(other, {other})
                groups.update(dict.fromkeys(merged, merged))
    return {key: min(ids[member] for member in groups[key] if member in ids) for key in ids}


def _some(names, limit: int = 5) -> str:
    """Write out the first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
