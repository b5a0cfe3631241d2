"""Segment any chest X-ray: a PNG, JPEG, TIFF or DICOM file in; a mask per lung, an overlay picture and areas out.

From the command line: `python -m lungseg_utils predict FILE ... --to FOLDER`. Left and right are the viewer's.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import csv
import re
import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
from tqdm import tqdm

from lungseg_utils.files import DatasetError, cell, escape, write_whole
from lungseg_utils.formats.dicom import SPREAD, SUFFIXES, is_dicom
from lungseg_utils.formats.dicom_seg import check_installed, write_dicom_seg
from lungseg_utils.formats.xray import XRay, read_xray, with_spacing
from lungseg_utils.images import shown_range
from lungseg_utils.inference.remarks import LOOKS, NO_CHEST, remark
from lungseg_utils.prediction import predict_probabilities, to_masks
from lungseg_utils.scores import LUNGS

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", *SUFFIXES)
MAX_ASPECT = 1.35  # longer over shorter side: plates of 35 x 43 cm have 1.23, small ones of 18 x 24 cm 1.33
MOST_NAME = 180  # bytes: most systems take names of 255, and up to 66 are put around one
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d) *(\.|$)", re.IGNORECASE)  # names that Windows keeps for devices
OVERLAY_SIDE = 1024  # px, longer side of an overlay at most
OUTLINES = ((255, 210, 31), (53, 208, 255))  # RGB; the first is drawn solid, the second dashed
AREAS = {"viewers_left_cm2": LUNGS[0], "viewers_right_cm2": LUNGS[1], "both_cm2": LUNGS[2]}
COLUMNS = ("file", "name", "width_px", "height_px", "row_mm", "column_mm", *AREAS, "unmeasured", "remark", "error")


def letterbox(height: int, width: int, size: int, max_aspect: float) -> tuple[slice, slice]:
    """Find the place of an X-ray in a square that keeps its shape, with black borders where it does not fill it.

    Args:
        height: of the X-ray, px or mm.
        width: of the X-ray, in the same unit.
        size: height and width of the square, px.
        max_aspect: longer over shorter side up to which an X-ray is squashed to the whole square; 1 squashes none.

    Returns:
        Rows and columns of its place, in the middle of the square.
    """
    least = max(height, width) / max_aspect  # what a side measures at least, with its borders
    rows, columns = (max(1, round(size * min(1, side / least))) for side in (height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def segment(model: keras.Model, xray: XRay) -> np.ndarray:
    """Predict the masks of one X-ray at its own size.

    As in training, the picture is squashed to the model's square, as long as its sides differ by at most the factor
    `MAX_ASPECT`. A longer one gets black borders up to that factor first, and its masks are cut back. Few shades of
    grey are spread first, see `stretch`.

    Args:
        model: from `prediction.load_model`: for square pictures, with a mask per lung or one of both.
        xray: of any size.

    Returns:
        (height, width, masks) uint8, {0, 1}: the lung on the viewer's left and the other, or both in one.

    Raises:
        DatasetError: the model is of another kind.
    """
    return to_masks(_ask(model, xray)[0], *xray.image.shape)


def predict_xray(model: keras.Model, xray: XRay) -> tuple[np.ndarray, str]:
    """Predict the masks of one X-ray, as `segment` does, and say in a sentence when they may be wrong.

    Both come from one pass through the network. The remark is empty when nothing is odd: see `remarks.remark`. Where a
    picture shows no chest, it is looked at again, inverted and turned; if one of these is as it should, the remark says
    so.

    Raises:
        DatasetError: the model is of another kind.
    """
    probabilities, picture = _ask(model, xray)
    masks = to_masks(probabilities, *xray.image.shape)
    area = (lung_areas(masks, xray.spacing_mm) or {}).get(LUNGS[2])
    said = remark(probabilities, picture, xray.image, xray.about, area)
    return masks, _look_again(model, xray, said) if said in NO_CHEST else said


def _look_again(model: keras.Model, xray: XRay, said: str) -> str:
    """The remark on a picture that is a frontal chest X-ray if it is inverted or turned; else the one it has."""
    ways = {"inverted": [255 - xray.image], "turned": [np.rot90(xray.image, quarters) for quarters in (1, 3, 2)]}
    for look, images in ways.items():
        for image in map(np.ascontiguousarray, images):
            if not remark(*_ask(model, replace(xray, image=image)), image, {}, None):
                return LOOKS[look]
    return said


def _ask(model: keras.Model, xray: XRay) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (height, width, masks) of an X-ray, and what the model saw of it, (height, width)."""
    _check_model(model)
    square, place = to_square(xray.image, model.input_shape[1])
    return predict_probabilities(model, square[np.newaxis])[0][place], square[place]


def to_square(image: np.ndarray, size: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Bring a picture to the square that a model sees, (size, size), stretched, and say where in it it lies."""
    height, width = image.shape
    place = letterbox(height, width, size, MAX_ASPECT)
    image = stretch(image)
    square = np.zeros((size, size), image.dtype)
    rows, columns = square[place].shape
    method = cv2.INTER_AREA if rows <= height and columns <= width else cv2.INTER_LINEAR  # as images.resize_image
    square[place] = cv2.resize(image, (columns, rows), interpolation=method)
    return square, place


def stretch(image: np.ndarray) -> np.ndarray:
    """Spread the shades of a washed-out picture (height, width) uint8 over 0 to 255: those of `images.shown_range`.

    Returns:
        (height, width) float32, 0 to 255, so that steps of grey average out when it is scaled down. The picture itself
        where its shades differ by `dicom.SPREAD` or more, or not at all.
    """
    shades = np.arange(256)
    low, high = shown_range(shades, cv2.calcHist([image], [0], None, [256], [0, 256]).ravel())
    if not 0 < high - low < SPREAD:
        return image
    return np.interp(shades, (low, high), (0, 255)).astype(np.float32)[image]


def _check_model(model: keras.Model) -> None:
    """Raise DatasetError unless a model takes square pictures of a fixed size and answers with one or two masks."""
    height, width = model.input_shape[1:3]
    if height is None or height != width or model.output_shape[-1] not in (1, 2):
        raise DatasetError(
            f"This model takes {model.input_shape[1:]} and answers {model.output_shape[1:]} (height, width, channels). "
            "Give one for square pictures of a fixed size that answers with a mask per lung, or with one of both."
        )


def lung_areas(masks: np.ndarray, spacing_mm: tuple[float, float] | None) -> dict[str, float] | None:
    """Measure the area of the lungs' shadows.

    Args:
        masks: (height, width, masks) uint8, {0, 1}: one or two masks.
        spacing_mm: millimetres from row to row and from column to column.

    Returns:
        Name in `scores.LUNGS` -> cm², of one mask "both" alone. None when the spacing is not known.
    """
    if spacing_mm is None:
        return None
    layers = [masks[..., channel] for channel in range(masks.shape[-1])]
    layers = [*layers, layers[0] | layers[1]] if len(layers) == 2 else layers
    square_cm = spacing_mm[0] * spacing_mm[1] / 100  # of one pixel
    return {lung: float(np.count_nonzero(layer) * square_cm) for lung, layer in zip(LUNGS[-len(layers) :], layers)}


def overlay(image: np.ndarray, masks: np.ndarray, said: str = "") -> np.ndarray:
    """Draw the outlines of masks over an X-ray: solid for the first, dashed for the second, both edged in black.

    Args:
        image: (height, width) uint8.
        masks: (height, width, masks) uint8, {0, 1}: one or two masks.
        said: remark to write into a bar above the picture, in ASCII.

    Returns:
        (height, width, 3) uint8, RGB. A picture whose longer side is above `OVERLAY_SIDE` is scaled down to it. With
        a remark it is higher by the bar.
    """
    scale = min(1, OVERLAY_SIDE / max(image.shape))
    height, width = (max(1, round(side * scale)) for side in image.shape)
    picture = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    line = max(1, round(max(height, width) / 300))  # px
    lines = []
    for channel in range(masks.shape[-1]):
        mask = np.ascontiguousarray(masks[..., channel])
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
        for points in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            dash = 8 * line if channel else len(points)
            pieces = [points[start : start + dash] for start in range(0, len(points), 2 * dash)]
            lines.append((pieces, channel == 0, OUTLINES[channel]))
    for pieces, closed, _ in lines:
        cv2.polylines(picture, pieces, closed, (0, 0, 0), 3 * line)
    for pieces, closed, colour in lines:
        cv2.polylines(picture, pieces, closed, colour, line)
    return np.vstack([_bar(said, width), picture]) if said else picture


def _bar(text: str, width: int) -> np.ndarray:
    """A dark bar (height, width, 3) uint8 with a text, in as many lines as it needs."""
    scale = max(0.4, width / 1000)
    letter, line = 19 * scale, round(36 * scale)  # px of OpenCV's font, about, and from line to line
    lines = textwrap.wrap(text, max(1, int(width / letter) - 1))
    bar = np.full((line * len(lines) + line // 2, width, 3), 30, np.uint8)
    for number, words in enumerate(lines, 1):
        at = (round(letter / 2), line * number)
        cv2.putText(bar, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, OUTLINES[0], max(1, round(2 * scale)), cv2.LINE_AA)
    return bar


# --- many files ---


def predict_files(
    model: keras.Model,
    paths: Iterable[Path | str],
    folder: Path | str,
    spacing_mm: float | None = None,
    seg: bool = False,
    go_on: bool = False,
) -> list[dict]:
    """Segment many X-rays and write what is found into a folder.

    For each file: NAME_viewers_left.png and NAME_viewers_right.png (the masks, 0 and 255, at the file's own size; of a
    model that does not part the lungs, NAME_lungs.png) and NAME_overlay.png. For all: areas.csv, one row per file,
    written as they come, each after its pictures. NAME is the file's, with a number where two files share one, without
    what some system does not take. A file that cannot be used does not stop the others, whatever is wrong with it.

    Args:
        model: see `segment`.
        paths: files, or folders that stand for the PNG, JPEG, TIFF and DICOM files directly in them.
        folder: new or empty, so that no earlier result is lost.
        spacing_mm: millimetres per pixel of the files that do not say it themselves.
        seg: also write NAME_seg.dcm for each DICOM file; where that fails, "error" says why, the rest is there.
        go_on: the folder is that of a run that was stopped; files that are in its areas.csv are not tried again.

    Returns:
        A row per file: `COLUMNS` -> value, None where it is unknown. "error" says why a file could not be used. Rows of
        an earlier run hold texts, as they were read, and "done" is True.

    Raises:
        DatasetError: nothing was begun: another kind of model, a folder that is not empty, or one without X-rays.
    """
    _check_model(model)
    if seg:
        check_installed()
    files = _find_files(paths)
    table = _make_folder(folder, go_on) / "areas.csv"
    done, rows = _read_table(table), []
    for path, name in zip(tqdm(files, "Segmenting X-rays", unit="file", leave=False), _unique_names(files, done)):
        rows.append(done.get(_name_in_table(path)) or _row(model, path, table.parent / name, spacing_mm, seg))
        if "done" not in rows[-1]:
            _add_row(table, rows[-1])
    return rows


def _row(model: keras.Model, path: Path, stem: Path, spacing_mm: float | None, seg: bool) -> dict:
    """Segment one X-ray and return its row, see `predict_files`, whatever happens."""
    row = dict.fromkeys(COLUMNS) | {"file": escape(str(path)), "name": stem.name}
    try:
        return row | _predict_file(model, path, stem, spacing_mm, seg)
    except Exception as error:
        return row | {"error": failure(error, path)}


def failure(error: Exception, path: Path) -> str:
    """Say in a sentence why a file could not be done. What stands for Ctrl-C is raised again."""
    if "KeyboardInterrupt" in repr(error):  # TensorFlow makes an error of its own of it
        raise KeyboardInterrupt from error
    if isinstance(error, DatasetError):
        return escape(str(error))
    what = (str(error).splitlines() or [""])[0].rstrip(".")
    return escape(f"Cannot segment {path}: {type(error).__name__}: {what}. Please report it.")


def _predict_file(model: keras.Model, path: Path, stem: Path, spacing_mm: float | None, seg: bool) -> dict:
    """Segment one X-ray and write its masks and its overlay under names that begin with `stem`. See `measure`."""
    xray = read_xray(path)
    if spacing_mm and not xray.spacing_mm:
        xray = with_spacing(xray, (spacing_mm, spacing_mm))
    masks, said = predict_xray(model, xray)
    names = ("viewers_left", "viewers_right") if masks.shape[-1] == 2 else ("lungs",)
    for channel, name in enumerate(names):
        _write_png(stem.with_name(f"{stem.name}_{name}.png"), masks[..., channel] * np.uint8(255))
    _write_png(stem.with_name(f"{stem.name}_overlay.png"), overlay(xray.image, masks, said))
    values = measure(xray, masks) | {"remark": said or None}
    if seg and is_dicom(path):
        try:
            write_dicom_seg(path, masks, xray.spacing_mm, OUTLINES, stem.with_name(f"{stem.name}_seg.dcm"))
        except DatasetError as error:
            values["error"] = escape(str(error))
    return values


def measure(xray: XRay, masks: np.ndarray) -> dict:
    """Size, spacing and areas of an X-ray and its masks, named as in `COLUMNS`; what is not known is left out.

    "unmeasured" says why a spacing that was stated is not used.
    """
    height, width = xray.image.shape
    areas = lung_areas(masks, xray.spacing_mm) or {}
    values = {"width_px": width, "height_px": height, **dict(zip(("row_mm", "column_mm"), xray.spacing_mm or ()))}
    values |= {column: round(areas[lung], 2) for column, lung in AREAS.items() if lung in areas}
    return values | ({"unmeasured": xray.unmeasured} if xray.unmeasured else {})


def areas_in_words(values: dict) -> str:
    """Say in a line what `measure` found, and the remark."""
    areas = [f"{lung} {values[column]:.0f} cm²" for column, lung in AREAS.items() if values.get(column) is not None]
    why = values.get("unmeasured") or "the file does not say how large a pixel is"
    found = ", ".join(areas) or f"areas unknown, because {why}"
    said = f". Remark: {values['remark']}" if values.get("remark") else ""
    return f"{values['width_px']} x {values['height_px']} px, {found}{said}"


def _write_png(path: Path, image: np.ndarray) -> None:
    """Write a grey or RGB picture. Python opens the file, so that any path works on any system."""
    if image.ndim == 3:
        image = image[..., ::-1]  # OpenCV's order is blue, green, red
    with write_whole(path) as draft:
        draft.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def _find_files(paths: Iterable[Path | str]) -> list[Path]:
    """List files once each, and for a folder the PNG, JPEG, TIFF and DICOM files directly in it, by name.

    Raises:
        DatasetError: a folder holds none, or cannot be opened.
    """
    files = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)  # if it is missing, reading it says so
            continue
        try:
            inside = [each for each in sorted(path.iterdir()) if each.is_file() and each.name[0] != "."]
        except OSError as error:
            raise DatasetError(f"Cannot open the folder {path}: {error.strerror}.") from error
        inside = [each for each in inside if each.suffix.lower() in PICTURES or is_dicom(each)]
        inside = [each for each in inside if each.name != "DICOMDIR"]  # a table of contents, in the same format
        if not inside:
            raise DatasetError(
                f"No PNG, JPEG, TIFF or DICOM file lies directly in {path}. Give the folder that holds them."
            )
        files += inside
    return list(dict.fromkeys(files))


def _unique_names(files: Iterable[Path], done: dict[str, dict]) -> list[str]:
    """Names for the results of files: a.png and a.dcm become a and a_2, also where a system takes A for a.

    Those that are `done`, see `_read_table`, keep theirs.
    """
    names, taken = [], {unicodedata.normalize("NFC", row["name"]).casefold() for row in done.values()}
    for path in files:
        name = stem = safe_name(path.stem if path.suffix.lower() in PICTURES else path.name)  # 1.2.840 has no suffix
        number = 1
        while unicodedata.normalize("NFC", name).casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        names.append(done.get(_name_in_table(path), {"name": name})["name"])
        taken.add(unicodedata.normalize("NFC", names[-1]).casefold())
    return names


def safe_name(name: str) -> str:
    """Make a name that any system takes as the beginning of a file's name: no signs with a meaning, not too long.

    None either with a meaning for a spreadsheet, see `files.cell`.
    """
    name = re.sub(r'[<>:"/\\|?*]|^[=+@-]', "_", escape(name)).strip(" .")
    name = name.encode()[:MOST_NAME].decode(errors="ignore")
    return f"_{name}" if RESERVED.match(name) or not name else name


def _name_in_table(path: Path) -> str:
    """What areas.csv calls a file."""
    return str(cell(escape(str(path))))


def _add_row(path: Path, row: dict) -> None:
    """Write a row into areas.csv, and the names of the columns first where there are none."""
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        if not file.tell():
            writer.writeheader()
        writer.writerow({column: cell(value) for column, value in row.items()})


def _read_table(path: Path) -> dict[str, dict]:
    """Rows of an earlier run: file as in the table -> `COLUMNS` -> text, None where there is none, and "done" -> True.

    A last row that is not all there is cut off from the table.

    Raises:
        DatasetError: the table is not one of ours.
    """
    try:
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        rows = list(csv.DictReader(whole.decode().splitlines()))
        if any(tuple(row) != COLUMNS for row in rows) or text and not whole:
            raise ValueError
        if whole != text:
            with path.open("r+b") as file:
                file.truncate(len(whole))
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is not as this version writes it. Give a new folder instead.") from error
    return {row["file"]: {name: value or None for name, value in row.items()} | {"done": True} for row in rows}


def _make_folder(folder: Path | str, go_on: bool) -> Path:
    """Make a folder for results; to go on, it must hold the table of an earlier run, or nothing.

    Raises:
        DatasetError: it cannot be made, or holds something already.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = [path.name for path in folder.iterdir() if path.name[0] != "."]
        for draft in folder.glob(".*.writing.png") if go_on else ():  # of a run that was killed
            draft.unlink()
    except OSError as error:
        raise DatasetError(f"Cannot make the folder {folder}: {error.strerror}. Choose another.") from error
    if inside and not (go_on and "areas.csv" in inside):
        raise DatasetError(
            f"The folder {folder} is not empty ({inside[0]}). Choose a new one, so that nothing is lost."
        )
    return folder
