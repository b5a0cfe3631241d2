"""Read a chest X-ray from a DICOM file, as hospitals keep them: shades as they are meant to be shown, and spacing.

Section numbers are those of the standard, https://dicom.nema.org/medical/dicom/current, part 3 unless said otherwise.
"""

import io
import math
import re
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from lungseg_utils.files import DatasetError, escape
from lungseg_utils.formats.pictures import JPEG, MOST_PIXELS, check_file, check_pixels, size_of
from lungseg_utils.images import shown_range

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = (".dcm", ".dicom")
# What other files begin with: PNG, JPEG, TIFF of either byte order, GIF, BMP, WebP, JPEG 2000.
OTHERS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM", b"RIFF", b"\0\0\0\x0cjP", b"%PDF")
# How files begin that lack the letters DICM: group 8 or 2, as the byte order has it.
BEGINNINGS = tuple(bytes(each) for group in (2, 8) for each in ((group, 0), (0, group)))
JPEG_2000 = b"\xff\x4f\xff"
# Transfer syntaxes by a mark that such pixels have near their beginning: JPEG of 8 and 12 bits, JPEG without loss,
# JPEG-LS, JPEG 2000.
PACKED = {
    0xC0: "1.2.840.10008.1.2.4.50",
    0xC1: "1.2.840.10008.1.2.4.51",
    0xC3: "1.2.840.10008.1.2.4.70",
    0xF7: "1.2.840.10008.1.2.4.80",
    0x4F: "1.2.840.10008.1.2.4.90",
}
INSIDE = 0.7  # a window is used where so much of the body lies in it: of a bone's window, the lungs would be black
SPREAD = 90  # grey values of 255 between `images.PERCENTILES`: what shows less is not used, or stretched
# What a file says about itself, as far as it tells a frontal chest X-ray from others.
ABOUT = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PresentationIntentType",
    "PresentationLUTShape",
    "BurnedInAnnotation",
)
WAY_OUT = "export the X-ray as a grey PNG"
DECODERS = 'pip install "lungseg-utils[dicom]"'


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its content, or else by its name, as old archives lack the letters DICM at byte 128.

    A picture of another format is none, whatever its name.
    """
    try:
        if not path.is_file():  # to open a pipe may never end
            return False
        with path.open("rb") as file:
            head = file.read(132)
    except (OSError, ValueError):  # missing or locked: whoever reads it next says so
        return False
    if head[128:] == b"DICM":
        return True
    named = path.suffix.lower() in SUFFIXES
    return named and not head.startswith(OTHERS) or head.startswith(BEGINNINGS) and head[4:6].isalpha()


def read_dicom(path: Path) -> tuple[np.ndarray, tuple[float, float] | None, dict[str, str]]:
    """Read the picture of a DICOM file.

    Its shades are those that the file asks to be shown: modality LUT, then VOI LUT or first window, and black and white
    exchanged for MONOCHROME1 or the presentation LUT shape INVERSE. A window counts only where most of the body lies in
    it and its shades differ. Else 8 bits are taken as they are, and more as in any other format, see
    `images.shown_range`. Padding (PixelPaddingValue, C.7.5.1.1.2) counts for nothing and is black.

    Elements that are missing or empty have the value that most files have, also where the standard demands them.

    Its spacing is the first that it has of PixelSpacing (in the patient, if the machine or a person has calibrated it),
    ImagerPixelSpacing (on the detector) and NominalScannedPixelSpacing (on a scanned film); 10.7.1. On the detector a
    shadow is some percent larger than the lung. This is not corrected.

    Returns:
        The picture (height, width) uint8, 0 to 255, bones bright; the millimetres from row to row and from column to
        column, None when the file does not say; and those of `ABOUT` that the file has.

    Raises:
        DatasetError: the file is missing or damaged, holds no grey picture, more than one or one without contrast, or
            cannot be decoded.
    """
    check_file(path)
    try:
        import pydicom  # here, so that PNG files can do without
    except ImportError:
        raise DatasetError(f"{path} is a DICOM file. To read it: pip install pydicom. Or {WAY_OUT}.") from None
    compressed = False
    try:
        with warnings.catch_warnings(record=True) as notes:  # pydicom's, on what departs from the standard
            warnings.simplefilter("always")
            dataset = pydicom.dcmread(io.BytesIO(_content(path)), force=True)
            if any("End of file" in str(note.message) for note in notes):
                raise _cut_short(path)
            _fill(dataset, path)
            _check(dataset, path)
            compressed = dataset.file_meta.TransferSyntaxUID.is_compressed
            return _shades(_pixels(dataset, path), dataset, path), _spacing(dataset), _about(dataset)
    except DatasetError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files, and where a decoder is missing
        raise _unreadable(path, error, compressed) from error


def _unreadable(path: Path, error: Exception, compressed: bool) -> DatasetError:
    """What to say about an error of pydicom's, or of a file that is packed whole."""
    if isinstance(error, EOFError) or (isinstance(error, zlib.error) and "truncated" in str(error)):
        return _cut_short(path)
    advice = f"Try: {DECODERS}. Or" if compressed and "missing dependencies" in str(error) else "To do:"
    reason = str(error).partition("\n")[0] or type(error).__name__  # the lines below it list pydicom's plugins
    return DatasetError(f"Cannot read {path} ({escape(reason).rstrip(' .:')}). {advice} {WAY_OUT}.")


def _cut_short(path: Path) -> DatasetError:
    return DatasetError(f"The file is cut short: {path}. Try to copy it again, or {WAY_OUT}.")


def _content(path: Path) -> bytes:
    """The bytes of a file; read at once, as pydicom makes room for what lengths in a damaged file say.

    A DatasetError where the deflated transfer syntax (part 5, A.5) unpacks to more than an X-ray.
    """
    data = path.read_bytes()
    if b"1.2.840.10008.1.2.1.99" in data[:1000]:
        start = 144 + int.from_bytes(data[140:144], "little")  # behind the group 2, which says how long it is
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        unpacker.decompress(data[start:], 2 * MOST_PIXELS)
        if unpacker.unconsumed_tail:
            raise DatasetError(f"{path} unpacks to more than an X-ray can have. To do: {WAY_OUT}.")
    return data


def _value(dataset: "Dataset", name: str) -> Any:
    """The value of an element; None where it is missing, empty, or cannot be read as what it should be."""
    try:
        value = dataset.get(name)
    except Exception:  # pydicom converts when it is asked: letters where a number should stand, for example
        return None
    return None if value in (None, "", b"") or (hasattr(value, "__len__") and not len(value)) else value


def _number(dataset: "Dataset", name: str) -> float | None:
    """The value of an element as a number, of several the first; None where there is none, or it is not finite."""
    value = _value(dataset, name)
    try:
        number = float(value if isinstance(value, str | float | int) else value[0])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _fill(dataset: "Dataset", path: Path) -> None:
    """Give elements that are missing or empty the value that most files have, and drop those that say nothing."""
    from pydicom.uid import UID

    if "PixelData" not in dataset:
        raise DatasetError(f"{path} holds no picture. Give the DICOM file of the X-ray itself.")
    stated = _value(dataset.file_meta, "TransferSyntaxUID")
    if not stated or not (stated.is_private or stated.is_transfer_syntax):
        dataset.file_meta.TransferSyntaxUID = UID(_transfer_syntax(dataset))
    samples = int(_number(dataset, "SamplesPerPixel") or 1)
    kind = str(_value(dataset, "PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB"))
    rows, columns = (int(_number(dataset, name) or 0) for name in ("Rows", "Columns"))
    if rows < 1 or columns < 1:
        raise DatasetError(f"{path} does not say how many rows and columns it has. To do: {WAY_OUT}.")
    native = not dataset.file_meta.TransferSyntaxUID.is_compressed
    allocated = int(_number(dataset, "BitsAllocated") or 0)
    if not allocated:
        allocated = 16 if not native or len(dataset.PixelData) >= 2 * rows * columns * samples else 8
    stored = int(_number(dataset, "BitsStored") or 0)
    stored = stored if 0 < stored <= allocated else allocated
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = samples, kind.strip(" \0").upper()
    dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored = rows, columns, allocated, stored
    dataset.HighBit, dataset.PixelRepresentation = stored - 1, int(_number(dataset, "PixelRepresentation") == 1)
    dataset.NumberOfFrames = int(_number(dataset, "NumberOfFrames") or 1)
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1 if slope is None else slope, intercept or 0
    for name in ("ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction"):
        if name in dataset and not _value(dataset, name):
            del dataset[name]


def _transfer_syntax(dataset: "Dataset") -> str:
    """How the pixels of a file are stored that does not say it: by how they begin, or else as pydicom read the rest."""
    from pydicom import uid

    data = dataset.PixelData
    if data.startswith(b"\xfe\xff\x00\xe0"):  # packed in items, as only compressed pixels are (part 5, A.4)
        if not any(begin in data[:2000] for begin in (JPEG, JPEG_2000)):
            return uid.RLELossless
        found = re.search(rb"\xff([\xc0\xc1\xc3\xf7\x4f])", data)  # marks that say which kind it is
        return PACKED[found[1][0] if found else 0xC0]
    implicit, little = dataset.original_encoding
    if implicit or implicit is None:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _check(dataset: "Dataset", path: Path) -> None:
    """Raise DatasetError unless the file holds one grey picture of a size that can be, and all of its bytes."""
    if dataset.NumberOfFrames > 1:
        raise DatasetError(f"{path} holds {dataset.NumberOfFrames} pictures. Take one of them: {WAY_OUT}.")
    if dataset.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2") or dataset.SamplesPerPixel != 1:
        kind = escape(dataset.PhotometricInterpretation)
        raise DatasetError(
            f"{path} is in colour ({kind}, {dataset.SamplesPerPixel} values per pixel). To do: {WAY_OUT}."
        )
    if dataset.BitsAllocated not in (8, 16):
        raise DatasetError(f"{path} has {dataset.BitsAllocated} bits per pixel, not 8 or 16. To do: {WAY_OUT}.")
    check_pixels(dataset.Rows, dataset.Columns, path)


def _pixels(dataset: "Dataset", path: Path) -> np.ndarray:
    """The stored values (height, width), of 8 or 16 bits."""
    from pydicom.encaps import generate_frames

    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        needed, there = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8, len(dataset.PixelData)
        if there < needed:
            raise _cut_short(path)
        if there >= 2 * needed:
            size = f"{dataset.Columns} x {dataset.Rows} px"
            raise DatasetError(f"{path} holds more than the {size} that it states. To do: {WAY_OUT}.")
    else:  # what is packed states its size once more, and decoders go by that
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        if frame.startswith((JPEG, JPEG_2000)):
            check_pixels(*size_of(frame, path), path)
    stored = dataset.pixel_array
    if stored.ndim != 2:
        raise DatasetError(
            f"{path} holds pixels in {stored.ndim} dimensions, not in rows and columns. To do: {WAY_OUT}."
        )
    return np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))


def _shades(stored: np.ndarray, dataset: "Dataset", path: Path) -> np.ndarray:
    """Turn stored values (height, width), of 8 or 16 bits, into shades (height, width) uint8 with bones bright.

    Each value that a pixel can have goes through pydicom once, and the pixels are looked up in that table: arrays of
    20 million floats, several at a time, would take more than a gigabyte.
    """
    from pydicom.pixels import apply_modality_lut

    patterns = stored.view(f"u{stored.itemsize}")  # the same bits without a sign: what the table is looked up by
    values = np.arange(256**stored.itemsize, dtype=patterns.dtype).view(stored.dtype).astype(np.int64)
    padding = _padding(values, dataset)
    shades = apply_modality_lut(values, dataset)
    counts = np.where(padding, 0, _count(patterns))
    if not counts.any() or np.ptp(shades[counts > 0]) == 0:
        raise DatasetError(f"{path} has no contrast: all of its pixels have the same shade. To do: {WAY_OUT}.")
    shown = _window(shades, dataset, counts, np.where(padding, 0, _count(_middle(patterns))))
    if shown is None:
        if dataset.BitsStored > 8:
            low, high = shown_range(shades, counts)
        else:
            lowest = -(2 ** (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
            low, high = sorted(apply_modality_lut(np.array([lowest, lowest + 2**dataset.BitsStored - 1]), dataset))
        shown = np.interp(shades, (low, high), (0, 255))
    if _is_inverse(dataset):
        shown = 255 - shown
    return np.where(padding, 0, np.rint(shown)).astype(np.uint8)[patterns]


def _count(patterns: np.ndarray) -> np.ndarray:
    """How many pixels of a picture (height, width), uint8 or uint16, have each value that they can have."""
    size = 256**patterns.itemsize
    return cv2.calcHist([patterns], [0], None, [size], [0, size]).ravel()


def _middle(patterns: np.ndarray) -> np.ndarray:
    """The middle of a picture (height, width), where the body is: half of its height, two thirds of its width."""
    height, width = patterns.shape
    return np.ascontiguousarray(patterns[height // 4 : height - height // 4, width // 6 : width - width // 6])


def _padding(values: np.ndarray, dataset: "Dataset") -> np.ndarray:
    """Which stored values mean that there is no picture: PixelPaddingValue, up to PixelPaddingRangeLimit (C.7.5.1.1.2).

    Programs that store signed pixels may give either without its sign: it is taken as the pixels are.
    """
    value, limit = (_number(dataset, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if value is None:
        return np.zeros(values.shape, bool)
    first, last = (values[int(end) % len(values)] for end in (value, value if limit is None else limit))
    return (values >= min(first, last)) & (values <= max(first, last))


def _is_inverse(dataset: "Dataset") -> bool:
    """Whether the largest value is black: MONOCHROME1, or for presentation also the shape INVERSE (C.8.11.1.1.2).

    By the standard the two go together, and so they exchange black and white once.
    """
    names = ("PresentationLUTShape", "PresentationIntentType")
    shape, intent = (str(_value(dataset, name) or "").strip().upper() for name in names)
    return dataset.PhotometricInterpretation == "MONOCHROME1" or (shape == "INVERSE" and intent != "FOR PROCESSING")


def _window(shades: np.ndarray, dataset: "Dataset", counts: np.ndarray, middle: np.ndarray) -> np.ndarray | None:
    """Apply the VOI LUT or the first window to the shades of all values.

    Args:
        shades: (n,), of each value.
        dataset: that of the file; what is applied already is taken out.
        counts: (n,), how many pixels have each value.
        middle: the same of the middle of the picture.

    Returns:
        (n,) float, 0 to 255. None where there is no window that can be used: most of the body lies beside it, or is
        shown in few shades.
    """
    from pydicom.pixels import apply_voi_lut

    table = _value(dataset, "VOILUTSequence")
    if not table and None in (_number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")):
        return None
    dataset.pop("RescaleSlope", None)  # applied already; a negative one makes pydicom turn its window round
    try:
        if table:
            shades = np.rint(shades).astype(np.int64)
            table[0].LUTDescriptor[2] = 16  # with 8, pydicom 3.0 counts the entries in 8 bits as well
        windowed = apply_voi_lut(shades, dataset).astype(np.float64)
    except Exception:  # a width that the standard does not allow, such as 0, or a table that is no table
        return None
    if not np.isfinite(windowed).all() or np.ptp(windowed) == 0:
        return None
    windowed = np.interp(windowed, (windowed.min(), windowed.max()), (0, 255))
    between = (windowed > 1) & (windowed < 254)
    inside = middle[between].sum() >= INSIDE * middle.sum()
    return windowed if inside and np.subtract(*shown_range(windowed, counts)[::-1]) >= SPREAD else None


def _spacing(dataset: "Dataset") -> tuple[float, float] | None:
    """Millimetres from row to row and from column to column: see `read_dicom`."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        value = _value(dataset, name)
        if value is not None and dataset[name].VM == 2:
            try:
                row_mm, column_mm = map(float, value)
            except (TypeError, ValueError):
                continue
            if row_mm > 0 and column_mm > 0:
                return row_mm, column_mm
    return None


def _about(dataset: "Dataset") -> dict[str, str]:
    """What a file says about itself: those of `ABOUT` that it has and that are not empty."""
    said = {name: escape(str(_value(dataset, name) or "").strip()) for name in ABOUT}
    return {name: text for name, text in said.items() if text}
