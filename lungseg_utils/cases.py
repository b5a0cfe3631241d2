"""Find the X-rays of a data set on disk and pair each with its two masks and its reading.

Files belong together because they share an ID, never because they stand at the same place in a sorted list:
one missing file would shift every pair after it. The layout is the one of the Montgomery set::

    FOLDER/CXR_png/ID.png                  the X-ray
    FOLDER/ManualMask/leftMask/ID.png      the lung on the viewer's left (the patient's right lung)
    FOLDER/ManualMask/rightMask/ID.png     the lung on the viewer's right (the patient's left lung)
    FOLDER/ClinicalReadings/ID.txt         sex, age and reading (optional)
    original_sizes.csv                     in FOLDER or beside it (optional)
"""

import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from lungseg_utils.files import DatasetError

IMAGES = "CXR_png"
LEFT = "ManualMask/leftMask"
RIGHT = "ManualMask/rightMask"
READINGS = "ClinicalReadings"
SIZES = "original_sizes.csv"

ORIGINAL_MM = 0.0875  # millimetres per pixel of the original pictures of the Montgomery set
OFFICIAL_SIZES = {
    (4020, 4892),
    (4892, 4020),
}  # their (width, height): the scanner's plate, upright or on its side


@dataclass(frozen=True)
class Case:
    """One X-ray: its files and what is known about it."""

    id: str  # the file name without .png
    image: Path
    left_mask: Path  # the lung on the viewer's left = the patient's right lung
    right_mask: Path  # the lung on the viewer's right = the patient's left lung
    patient: str  # the first ID of this patient: cases of one patient share it
    finding: int | None  # 1 with a finding (tuberculosis in the real set), 0 without, None when the ID does not say
    sex: str | None  # "F", "M", "O" or None
    age: int | None  # full years
    reading: str  # the radiologist's words, "" when there are none
    original_size: tuple[int, int] | None = None  # (width, height) in px at 0.0875 mm per px, when known


def find_cases(folder: Path | str) -> list[Case]:
    """List the cases of a data set.

    Args:
        folder: the data set's folder, or a folder that holds exactly one data set.

    Returns:
        The cases, sorted by ID.

    Raises:
        DatasetError: the folder is missing or is no data set, has no X-rays, or X-rays and masks do not
            pair up.
    """
    folder = set_folder(folder)
    images, left, right = (_files(folder / part, ".png") for part in (IMAGES, LEFT, RIGHT))
    if not images:
        raise DatasetError(f"No X-rays: {folder / IMAGES} holds no .png file. Put one ID.png there per X-ray.")
    _check_pairs(folder, images, left, right)

    texts = {key: _read_text(path) for key, path in _files(folder / READINGS, ".txt").items()}
    patients = _patients({key: path.stem for key, path in images.items()}, texts)
    sizes = original_sizes(folder)
    cases = []
    for key, image in images.items():
        finding = re.search(r"_([01])$", image.stem)
        sex, age, reading = _parse_reading(texts.get(key, ""))
        size = png_size(image)
        cases.append(
            Case(
                id=image.stem,
                image=image,
                left_mask=left[key],
                right_mask=right[key],
                patient=patients[key],
                finding=int(finding[1]) if finding else None,
                sex=sex,
                age=age,
                reading=reading,
                original_size=sizes.get(image.stem, size if size in OFFICIAL_SIZES else None),
            )
        )
    return sorted(cases, key=lambda case: case.id)


def set_folder(folder: Path | str) -> Path:
    """Return the folder that holds ``CXR_png``: the given one, or the only such folder directly inside it.

    Raises:
        DatasetError: the folder is missing, holds no data set, or holds several.
    """
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


def original_sizes(folder: Path | str) -> dict[str, tuple[int, int]]:
    """Read how large the pictures were before they were resized.

    Args:
        folder: the data set's folder. Its ``original_sizes.csv`` is read, else the one beside it, if any.

    Returns:
        ID -> (width, height) in px of the original at 0.0875 mm per px. Empty when there is no such file.

    Raises:
        DatasetError: the file is not a table ``id,original_width_px,original_height_px``, the last two whole
            numbers above 0.
    """
    folder = set_folder(folder)
    # resolve() because the parent of a relative path like "." is "." again
    path = next((place / SIZES for place in (folder, folder.resolve().parent) if (place / SIZES).is_file()), None)
    if path is None:
        return {}
    sizes = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: Excel writes a byte order mark
            for row in csv.DictReader(file):
                sizes[row["id"].strip()] = (int(row["original_width_px"]), int(row["original_height_px"]))
                if min(sizes[row["id"].strip()]) < 1:
                    raise ValueError(row)
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be used. Its columns must be id,original_width_px,original_height_px, the last "
            "two whole numbers above 0. Mend it, or remove it to do without millimetres."
        ) from error
    return sizes


def pixel_spacing(case: Case, height: int, width: int) -> tuple[float, float] | None:
    """Return how large a pixel is when the whole X-ray is shown on a grid of height x width pixels.

    A picture squashed to a square has pixels that are not square: distances need both numbers.

    Returns:
        (row_mm, column_mm): millimetres from one row to the next, and from one column to the next.
        None when the original size is not known.
    """
    if case.original_size is None:
        return None
    original_width, original_height = case.original_size
    return original_height * ORIGINAL_MM / height, original_width * ORIGINAL_MM / width


def png_size(path: Path) -> tuple[int, int] | None:
    """Return (width, height) in px from a PNG's first bytes, without decoding it; None when it is no PNG."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError as error:
        raise DatasetError(f"Cannot open {path}: {error.strerror}. Check the path and who may read it.") from error
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


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
