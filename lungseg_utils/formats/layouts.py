"""Find the X-rays of a data set in any usual layout, the masks that belong to each, and the tables that name them.

What a file is, its name says (``ID_mask``, ``ID_left``), else the nearest folder that tells (``masks/train/ID.png``),
else a look at some pictures of its folder: masks are black and white.
"""

import csv
import gzip
import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lungseg_utils.files import DatasetError
from lungseg_utils.formats.dicom import SUFFIXES, is_dicom
from lungseg_utils.images import read_grey

PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", *SUFFIXES}
TABLES = {".csv", ".tsv", ".gz"}
TOO_LONG = {"landmarks", "heart"}  # columns of CheXmask's tables that are not used
JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini", "DICOMDIR"}
START = r"(?<![a-z])"  # of a word: "right", but not "upright"
IMAGE = re.compile(r"image|img|cxr|x-?ray|picture|original|input|photo|scan|dicom|radiograph")
SIDE = re.compile(START + "(left|right)")
MASK = re.compile(rf"mask|label|segm|annot|truth|contour|{START}gt(?![a-z])|{SIDE.pattern}")
OTHER = re.compile(START + "(heart|clavicle|rib|trachea|infection|lesion|nodule|aorta|spine|diaphragm|breast|effusion)")
# Words at either end of a mask's name. The others make a mask of a file only where something else says so too.
SURE = "masks?|seg|segmentation|labels?|gt|(?:left|right)[ _-]?(?:mask|lung)|lung[ _-]?masks?"
WORD = re.compile(rf"(?:{SURE}|left|right|lungs?|heart|(?:left|right)[ _-]?clavicle)", re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """A picture file and what its name and folders say."""

    path: Path
    name: str  # without suffix
    base: str  # the name without the words that say what it is
    words: str  # these words, in lower case
    folders: tuple[str, ...]  # from the source down, in lower case, with a space before capitals

    @property
    def place(self) -> tuple[str, ...]:
        """The folders that do not say what the file is: an X-ray and its masks share them (train, class, patient)."""
        return tuple(
            each for each in self.folders if not (MASK.search(each) or IMAGE.search(each) or OTHER.search(each))
        )

    @property
    def side(self) -> str:
        """left or right, as the name's own words or else the nearest folder say; "" where none does."""
        found = (SIDE.search(text) for text in (self.words, *reversed(self.folders)))
        return next((match[1] for match in found if match), "")

    @property
    def organ(self) -> str:
        """What else than a lung it shows, as its words, a folder of masks or one in it say; "" for a lung.

        Other folders are passed over: X-rays may be sorted by finding, in folders such as nodule.
        """
        of_masks = [at for at, folder in enumerate(self.folders) if MASK.search(folder)]
        below = self.folders[of_masks[-1] :] if of_masks else () if self.words else self.folders[-1:]
        found = OTHER.search(" ".join((self.words, *below)))
        return found[1] if found else ""


@dataclass
class XRay:
    """An X-ray of the source, under the name that it gets, and all that was found for it."""

    id: str
    picture: Picture
    masks: list[Picture] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)  # what tables say: simple name of a column -> cell
    reading: Path | None = None


@dataclass
class Found:
    """What a source holds, and what became of it."""

    xrays: list[XRay] = field(default_factory=list)
    not_taken: list[tuple[Path, str]] = field(default_factory=list)  # and the reason: a kind, and a colon before more
    done: dict[str, dict[Path, str]] = field(default_factory=dict)  # what, in words after a number -> file -> ID

    def note(self, xray: XRay, what: str) -> None:
        """Say that something was done with an X-ray."""
        self.done.setdefault(what, {})[xray.picture.path] = xray.id

    def refuse(self, xray: XRay, reason: str) -> None:
        """Say that an X-ray was not taken, nor what belongs to it."""
        for ids in self.done.values():
            ids.pop(xray.picture.path, None)
        self.not_taken.append((xray.picture.path, reason))
        self.not_taken += [(mask.path, "its X-ray was not taken") for mask in xray.masks]

    def lines(self) -> list[str]:
        """The report in words, as printed; reasons are counted by kind."""
        done = {what: list(ids.values()) for what, ids in self.done.items() if ids}
        lines = [f"{len(ids)} {what} ({', '.join(ids[:3])}{', …' if ids[3:] else ''})" for what, ids in done.items()]
        reasons = Counter(reason.partition(":")[0] for _, reason in self.not_taken)
        return lines + [f"not taken, {count} x {reason}" for reason, count in reasons.most_common()]


def key(name: str) -> str:
    """The form in which names are compared."""
    return unicodedata.normalize("NFC", name).casefold()


def find(source: Path) -> Found:
    """Find the X-rays of a source with their masks, readings and rows of tables."""
    found, pictures, tables, texts = Found(), [], [], []
    for path in sorted(path for path in source.rglob("*") if path.is_symlink() or not path.is_dir()):
        suffix = path.suffix.lower()
        parts = path.relative_to(source).parts
        if JUNK & set(parts) or any(part.startswith(".") for part in parts):
            found.not_taken.append((path, "left behind by a system"))
        elif not path.is_file():  # a pipe may never end, and a link may lead round in a circle
            found.not_taken.append((path, "no ordinary file"))
        elif suffix in PICTURES or is_dicom(path):
            pictures.append(_picture(path, source))
        elif suffix in TABLES:
            tables.append(path)
        elif suffix == ".txt":
            texts.append(path)
        else:
            found.not_taken.append((path, "neither a picture nor a table"))
    images, masks = _tell_apart(pictures)
    _take(images, found)
    _give_masks(masks, found)
    by_key = {key(xray.picture.name): xray for xray in found.xrays}
    for path in texts:
        if xray := by_key.get(key(path.stem)):
            xray.reading = path
        else:
            found.not_taken.append((path, "a text that belongs to no X-ray"))
    for path in tables:
        try:
            _give_rows(path, source, found)
        except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
            found.not_taken.append((path, f"a table that cannot be read: {error}"))
    _name(found.xrays)
    return found


def _picture(path: Path, source: Path) -> Picture:
    base = name = path.stem if path.suffix.lower() in PICTURES else path.name  # 1.2.840 has no suffix
    words: list[str] = []
    while match := re.fullmatch(rf"(.+?)[ _.-]+({WORD.pattern})", base, re.I):
        base, words = match[1], [match[2].lower(), *words]
    while match := re.fullmatch(rf"({WORD.pattern})[ _.-]+(.+)", base, re.I):
        base, words = match[2], [*words, match[1].lower()]
    parts = path.relative_to(source).parent.parts
    return Picture(path, name, base, " ".join(words), tuple(_spaced(part) for part in parts))


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _tell_apart(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Part pictures into X-rays and masks."""
    sure = {each for each in pictures if re.search(rf"\b(?:{SURE})\b", each.words)}
    of_masks = {(each.path.parent, key(each.base)) for each in sure}
    names = {key(each.name) for each in pictures}
    folders = defaultdict(list)
    for each in pictures:
        folders[each.path.parent].append(each.path)
    looks: dict[Path, bool] = {}
    images, masks = [], []
    for each in pictures:
        folder, said = each.path.parent, _folder_says(each.folders)
        if each in sure:
            is_mask = True
        elif (folder, key(each.name)) in of_masks or said == "image":  # the first: ID.png beside ID_mask.png
            is_mask = False
        elif said == "here" or (each.words and key(each.base) in names):
            is_mask = True
        else:
            if folder not in looks:
                looks[folder] = _looks_like_masks(folders[folder])
            is_mask = looks[folder]
        (masks if is_mask else images).append(each)
    return images, masks


def _folder_says(folders: tuple[str, ...]) -> str:
    """What the nearest folder that tells says: "image"; "here" of one of masks; "" if it tells both, or lies higher."""
    for folder in reversed(folders):
        mask, image = MASK.search(folder), IMAGE.search(folder)
        if mask or image:
            return "" if mask and (image or folder != folders[-1]) else "here" if mask else "image"
    return ""


def _looks_like_masks(paths: list[Path]) -> bool:
    """Whether some pictures of a folder have a few shades alone, or are black with bright areas and little between."""
    for path in paths[:: max(1, len(paths) // 3)][:3]:
        try:
            grey = read_grey(path)
        except DatasetError:
            return False
        between = (grey > 0.1 * grey.max()) & (grey < 0.9 * grey.max())
        if len(np.unique(grey)) > 8 and between.mean() > 0.05:
            return False
    return True


def _take(images: list[Picture], found: Found) -> None:
    """Make X-rays of pictures, of one where two in the same place have its name, such as ID.png and ID.jpg."""
    first: dict[tuple, Path] = {}
    for image in images:
        other = first.setdefault((image.place, key(image.name)), image.path)
        if other == image.path:
            found.xrays.append(XRay(image.name, image))
        else:
            found.not_taken.append((image.path, f"a second X-ray of this name: the first is {other}"))


def _name(xrays: list[XRay]) -> None:
    """Put the folders behind the names of X-rays with masks that would else share one."""
    count: dict[str, int] = defaultdict(int)
    with_masks = [xray for xray in xrays if xray.masks or "leftlung" in xray.known]
    for xray in with_masks:
        count[key(xray.id)] += 1
    for xray in with_masks:
        if count[key(xray.id)] > 1:
            xray.id = "_".join([xray.id, *xray.picture.place])


def _give_masks(masks: list[Picture], found: Found) -> None:
    """Give each mask to the X-ray of its name in the same place, or else to the only one of its name."""
    by_key = defaultdict(list)
    for xray in found.xrays:
        by_key[key(xray.picture.name)].append(xray)
        if plain := re.sub(r"[ _-](image|img|cxr|x-?ray)$", "", xray.id, flags=re.I):  # ID_image.png with ID_mask.png
            by_key[key(plain)] += [] if plain == xray.id else [xray]
    for mask in masks:
        if key(mask.name) in by_key:  # what looks like a word of a mask is part of the X-ray's name
            mask = replace(mask, words="")
        own = by_key.get(key(mask.name)) or by_key.get(key(mask.base)) or []
        here = [xray for xray in own if xray.picture.place == mask.place] or own
        if mask.organ:
            found.not_taken.append((mask.path, f"no mask of a lung: {mask.organ}"))
        elif len(here) == 1:
            here[0].masks.append(mask)
        else:
            found.not_taken.append((mask.path, "a mask of no X-ray" if not here else "a mask of several X-rays"))


# --- tables ---


def _give_rows(path: Path, source: Path, found: Found) -> None:
    """Give each X-ray the row of a table that names it, where an earlier table has not said it already."""
    by_key = defaultdict(list)
    for xray in found.xrays:
        by_key[key(xray.picture.name)].append(xray)
    column = _column_of_names(path, by_key)
    if column is None:
        found.not_taken.append((path, "a table that names no X-ray"))
        return
    best: dict[Path, tuple[int, dict[str, str]]] = {}
    row: dict[str, str] = {}
    rows = strangers = 0
    for row in _rows(path):
        rows += 1
        named, score = _named(row.get(column, ""), by_key, source)
        if named is None or score <= best.get(named.picture.path, (-1, {}))[0]:
            strangers += 1
        else:
            strangers += named.picture.path in best
            best[named.picture.path] = (
                score,
                {name: cell for name, cell in row.items() if cell and name not in TOO_LONG},
            )
    if "heart" in row and "leftlung" in row:
        found.not_taken.append((path, "no mask of a lung: heart, a column of this table"))
    if strangers:
        found.not_taken.append((path, f"rows of a table that name no X-ray, or one again: {strangers} of {rows}"))
    for xray in found.xrays:
        xray.known = best.get(xray.picture.path, (0, {}))[1] | xray.known


def _column_of_names(path: Path, by_key: dict[str, list[XRay]]) -> str | None:
    """The column that names most X-rays; of several, one whose own name says that it does. None where none does."""
    named = defaultdict(set)
    for row in _rows(path):
        for column, cell in row.items():
            if len(cell) < 300 and key(_stem(cell)) in by_key:
                named[column].add(_stem(cell))

    def rank(column: str) -> tuple[bool, int]:
        hint = re.search("id|image|file|name|path|index", column) and not re.search("patient|subject", column)
        return bool(hint), len(named[column])

    return max(named, key=rank, default=None)


def _named(cell: str, by_key: dict[str, list[XRay]], source: Path) -> tuple[XRay | None, int]:
    """The X-ray that a cell names, and how many of its folders it names too; None where several are meant alike."""
    folders = [key(part) for part in Path(cell.replace("\\", "/")).parts[:-1]][::-1]
    ranks = []
    for xray in by_key.get(key(_stem(cell)), []):
        own = [key(part) for part in xray.picture.path.relative_to(source).parts[:-1]][::-1]
        alike = [a == b for a, b in zip(folders, own)]
        ranks.append(((alike + [False]).index(False), bool(xray.masks), xray))
    ranks.sort(key=lambda rank: rank[:2], reverse=True)
    if not ranks or [rank[:2] for rank in ranks].count(ranks[0][:2]) > 1:
        return None, 0
    return ranks[0][2], ranks[0][0]


def _stem(cell: str) -> str:
    """A file's name without folders and a picture's suffix."""
    name = cell.replace("\\", "/").rpartition("/")[2]
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in PICTURES else name


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table, one by one, as tables with run-length masks have gigabytes; see `simple` for the columns."""
    csv.field_size_limit(2**31 - 1)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    opened = gzip.open(path, "rt", encoding=encoding, errors="replace", newline="") if path.suffix == ".gz" else None
    with opened or path.open(encoding=encoding, errors="replace", newline="") as file:
        head = file.readline()
        delimiter = max(",;\t", key=head.count)
        names = [simple(name) for name in next(csv.reader([head], delimiter=delimiter), [])]
        for cells in csv.reader(file, delimiter=delimiter):
            yield dict(zip(names, map(str.strip, cells)))


def simple(column: str) -> str:
    """A column's name in lower case, letters and digits alone: "Patient ID" is patientid."""
    return re.sub("[^a-z0-9]", "", column.lower())
