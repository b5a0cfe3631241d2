"""Read a chest X-ray from a DICOM file, as hospitals keep them: shades as they are meant to be shown, and spacing."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungseg_utils.files import DatasetError, escape

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = (".dcm", ".dicom")
# Shades of a file that does not say which to show: from the 0.5th to the 99.5th percentile, so that letters, wires and
# a few defect pixels do not decide. nnU-Net (Isensee et al. 2021, doi 10.1038/s41592-020-01008-z) cuts off as much of
# CT images.
PERCENTILES = (0.5, 99.5)
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


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content, or else by its name: old archives lack the letters DICM at byte 128."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM" or path.suffix.lower() in SUFFIXES
    except OSError:  # missing or locked: whoever reads it next says so
        return False


def read_dicom(path: Path) -> tuple[np.ndarray, tuple[float, float] | None, dict[str, str]]:
    """Read the picture of a DICOM file.

    Its shades are those that the file asks to be shown: modality LUT, then VOI LUT or first window, and black and white
    exchanged for MONOCHROME1. Where it names no window, 8 bits are taken as they are, and of more bits the range
    between two percentiles.

    Its spacing is the first that it has of PixelSpacing (in the patient, if the machine or a person has calibrated it),
    ImagerPixelSpacing (on the detector) and NominalScannedPixelSpacing (on a scanned film); DICOM PS3.3, 10.7.1. On the
    detector a shadow is some percent larger than the lung. This is not corrected.

    Returns:
        The picture (height, width) uint8, 0 to 255, bones bright; the millimetres from row to row and from column to
        column, None when the file does not say; and those of `ABOUT` that the file has.

    Raises:
        DatasetError: the file is missing or damaged, holds no grey picture or more than one, or cannot be decoded.
    """
    try:
        import pydicom  # here, so that PNG files can do without
    except ImportError:
        raise DatasetError(f"{path} is a DICOM file. To read it: pip install pydicom. Or {WAY_OUT}.") from None
    compressed = False
    try:
        dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:  # an old file; this one is the standard's default
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        _check(dataset, path)
        compressed = dataset.file_meta.TransferSyntaxUID.is_compressed
        return _shades(dataset.pixel_array, dataset), _spacing(dataset), _about(dataset)
    except DatasetError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files, and where a decoder is missing
        advice = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg" if compressed else "copy it again"
        reason = str(error).partition("\n")[0].rstrip(" .:")  # the lines below it list pydicom's plugins
        raise DatasetError(f"Cannot read {path} ({reason}). Try: {advice}. Or {WAY_OUT}.") from error


def _check(dataset: "Dataset", path: Path) -> None:
    """Raise DatasetError unless the file holds one grey picture."""
    if "PixelData" not in dataset:
        raise DatasetError(f"{path} holds no picture. Give the DICOM file of the X-ray itself.")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise DatasetError(f"{path} holds {dataset.NumberOfFrames} pictures. Take one of them: {WAY_OUT}.")
    if dataset.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise DatasetError(f"{path} is in colour ({dataset.PhotometricInterpretation}). To do: {WAY_OUT}.")
    if dataset.BitsAllocated not in (8, 16):
        raise DatasetError(f"{path} has {dataset.BitsAllocated} bits per pixel, not 8 or 16. To do: {WAY_OUT}.")


def _shades(stored: np.ndarray, dataset: "Dataset") -> np.ndarray:
    """Turn stored values (height, width), of 8 or 16 bits, into shades (height, width) uint8 with bones bright.

    Each value that a pixel can have goes through pydicom once, and the pixels are looked up in that table: arrays of
    20 million floats, several at a time, would take more than a gigabyte.
    """
    from pydicom.pixels import apply_modality_lut

    stored = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    patterns = stored.view(f"u{stored.itemsize}")  # the same bits without a sign: what the table is looked up by
    values = np.arange(256**stored.itemsize, dtype=patterns.dtype).view(stored.dtype)
    shades = apply_modality_lut(values.astype(np.int64), dataset)
    step = 1 + max(stored.shape) // 1000
    seen = patterns[::step, ::step]  # a million pixels tell what there is
    windowed = _window(shades, dataset)
    if windowed is not None and np.ptp(windowed[seen]) > 0:  # a window that no pixel lies in would show nothing
        shades, ends = windowed, np.array([windowed.min(), windowed.max()])
    elif dataset.BitsStored > 8:
        ends = np.percentile(shades[seen], PERCENTILES)
    else:
        lowest = -(2 ** (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
        ends = apply_modality_lut(np.array([lowest, lowest + 2**dataset.BitsStored - 1]), dataset)
    table = np.interp(shades, sorted(ends), (0, 255))
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = 255 - table
    return np.rint(table).astype(np.uint8)[patterns]


def _window(shades: np.ndarray, dataset: "Dataset") -> np.ndarray | None:
    """Apply the VOI LUT or the first window to the shades of all values; None where there is none that can be used."""
    from pydicom.pixels import apply_voi_lut

    if dataset.get("VOILUTSequence"):
        shades = np.rint(shades).astype(np.int64)
        dataset.VOILUTSequence[0].LUTDescriptor[2] = 16  # with 8, pydicom 3.0 counts the entries in 8 bits as well
    dataset.pop("RescaleSlope", None)  # applied already; a negative one makes pydicom turn its window round
    try:
        windowed = apply_voi_lut(shades, dataset)
    except ValueError:  # a width that the standard does not allow, such as 0
        return None
    return None if windowed is shades else windowed


def _spacing(dataset: "Dataset") -> tuple[float, float] | None:
    """Millimetres from row to row and from column to column: see `read_dicom`."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if name in dataset and dataset[name].VM == 2 and min(dataset[name].value) > 0:
            row_mm, column_mm = map(float, dataset[name].value)
            return row_mm, column_mm
    return None


def _about(dataset: "Dataset") -> dict[str, str]:
    """What a file says about itself: those of `ABOUT` that it has and that are not empty."""
    said = {name: escape(str(dataset.get(name) or "").strip()) for name in ABOUT}
    return {name: text for name, text in said.items() if text}
