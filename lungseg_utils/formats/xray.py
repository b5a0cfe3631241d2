"""An X-ray as it lies in its file, whatever the format."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lungseg_utils.formats.dicom import is_dicom, read_dicom
from lungseg_utils.formats.pictures import read_picture

FIELD_MM = (150, 600)  # longer side of a chest X-ray: cropped, of a small child; a large plate, larger on the detector


@dataclass(frozen=True)
class XRay:
    """A chest X-ray as it lies in its file.

    Attributes:
        path: the file.
        image: (height, width) uint8, 0 to 255, bones bright and air dark.
        spacing_mm: millimetres from row to row and from column to column; None when the file does not say.
        about: what a DICOM file says about itself: those of `dicom.ABOUT` that are not empty.
        unmeasured: why a spacing that was stated is not used, as the end of a sentence; empty when there is none such.
    """

    path: Path
    image: np.ndarray
    spacing_mm: tuple[float, float] | None = None
    about: dict[str, str] = field(default_factory=dict)
    unmeasured: str = ""


def read_xray(path: Path | str) -> XRay:
    """Read a chest X-ray from a DICOM file (see `dicom.read_dicom`) or a picture (see `pictures.read_picture`).

    A picture is taken as it is: its bones must be bright. It has no spacing: the resolution that a PNG or JPEG states
    is a screen's or a printer's.

    Raises:
        DatasetError: the file is missing, damaged or no grey picture. The message names it and the way out.
    """
    path = Path(path)
    if not is_dicom(path):
        return XRay(path, read_picture(path))
    image, spacing_mm, about = read_dicom(path)
    if spacing_mm == (1, 1):
        why = "1 mm per pixel is what programs write that do not know it"
        return XRay(path, image, about=about, unmeasured=why)
    return with_spacing(XRay(path, image, about=about), spacing_mm)


def with_spacing(xray: XRay, spacing_mm: tuple[float, float] | None) -> XRay:
    """Give an X-ray its millimetres from row to row and from column to column, if a chest X-ray can have them."""
    if spacing_mm is None:
        return xray
    longer = max(side * step for side, step in zip(xray.image.shape, spacing_mm))
    stated = f"with {spacing_mm[0]:.4g} x {spacing_mm[1]:.4g} mm per pixel"
    if not FIELD_MM[0] <= longer <= FIELD_MM[1]:
        limit = f"less than {FIELD_MM[0] // 10}" if longer < FIELD_MM[0] else f"more than {FIELD_MM[1] // 10}"
        return replace(xray, spacing_mm=None, unmeasured=f"{stated} the whole picture would be {limit} cm long")
    if max(spacing_mm) > 2 * min(spacing_mm):
        return replace(xray, spacing_mm=None, unmeasured=f"{stated} its shape would be another")
    return replace(xray, spacing_mm=spacing_mm, unmeasured="")
