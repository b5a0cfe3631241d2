"""DICOM in, DICOM out: the lungs' masks as a DICOM Segmentation object, which viewers lay over the X-ray.

Needs the library highdicom: `pip install lungseg-utils[dicom]`. Sides are the patient's here, as DICOM has them.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lungseg_utils import __version__
from lungseg_utils.files import DatasetError, write_whole

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset

# What the standard lets be empty (type 2) but highdicom wants to find, and what nobody can make up (type 1).
MAY_BE_EMPTY = (
    "PatientID PatientName PatientBirthDate PatientSex AccessionNumber StudyID StudyDate StudyTime "
    "ReferringPhysicianName"
).split()
MUST_BE_THERE = "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID".split()
SHADOW_MM = 1.0  # a shadow has no thickness, but without one highdicom does not open the object again


MADE_BY: dict[str, Any] = {
    "manufacturer": "lungseg",
    "manufacturer_model_name": "lungseg-utils",
    "software_versions": __version__,
    "device_serial_number": "0",  # must not be empty; a program has none
    "content_label": "LUNGS",
    "content_description": "Lungs, drawn by a program. Not for clinical use.",
    "series_description": "Lungs (lungseg, not for clinical use)",
    "specific_character_set": "ISO_IR 192",  # UTF-8; highdicom refuses some that X-rays from Japan and China have
    "series_number": 1,
    "instance_number": 1,
}


def check_installed() -> None:
    """Raise DatasetError where highdicom is not installed, before any work is begun."""
    try:
        import highdicom  # noqa: F401
    except ImportError:
        raise DatasetError("--dicom-seg needs highdicom: pip install lungseg-utils[dicom].") from None


def write_dicom_seg(
    source: Path, masks: np.ndarray, spacing_mm: tuple[float, float] | None, colours: tuple, target: Path
) -> None:
    """Write masks as a DICOM Segmentation object (PS3.3, A.51) of the patient and study of the X-ray, in a new series.

    The object refers to the X-ray, whose pixels it has; a segment per lung says by SNOMED codes what it is and on which
    side of the patient. An empty mask has its frame too.

    Args:
        source: the DICOM file of the X-ray.
        masks: (height, width, masks) uint8, {0, 1}: the lung on the viewer's left and the other, or both in one.
        spacing_mm: millimetres from row to row and from column to column, when known.
        colours: RGB, 0 to 255, that a viewer should show the masks in.
        target: the file to write.

    Raises:
        DatasetError: the X-ray's file lacks something that cannot be made up, or the object cannot be written.
    """
    import highdicom
    import pydicom

    image = _read_head(source)
    sides = _sides(image) if masks.shape[-1] == 2 else ("both",)
    logging.getLogger("highdicom").setLevel(logging.ERROR)  # it has a line for each name that is not as it expects
    try:
        segmentation = highdicom.seg.Segmentation(
            source_images=[image],
            pixel_array=masks[np.newaxis],
            segmentation_type="BINARY",
            segment_descriptions=[_describe(*each) for each in zip((1, 2), sides, colours)],
            series_instance_uid=pydicom.uid.generate_uid(),
            sop_instance_uid=pydicom.uid.generate_uid(),
            pixel_measures=spacing_mm and highdicom.PixelMeasuresSequence(spacing_mm, SHADOW_MM),
            omit_empty_frames=False,
            **MADE_BY,
        )
        _give_place(segmentation)
        with write_whole(target) as draft:
            segmentation.save_as(draft)
    except DatasetError:
        raise
    except Exception as error:  # highdicom and pydicom raise many kinds for values that the standard does not allow
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        raise DatasetError(f"No DICOM Segmentation for {source} ({reason}). Its masks are there as PNG.") from error


def _give_place(segmentation: "Dataset") -> None:
    """Put a segmentation of an X-ray into a frame of reference of its own, where viewers put X-rays without a place.

    A projection has no place in space, and needs none by the standard. But viewers (OHIF with Cornerstone, 3D Slicer
    with dcmqi) do not open a segmentation without one, and give pictures that have none these axes.
    """
    from pydicom import Dataset
    from pydicom.uid import generate_uid

    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if "PlaneOrientationSequence" in shared:  # the X-ray's file has a place
        return
    orientation = Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PlaneOrientationSequence = [orientation]
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        position = Dataset()
        position.ImagePositionPatient = [0, 0, 0]
        frame.PlanePositionSequence = [position]
    segmentation.FrameOfReferenceUID, segmentation.PositionReferenceIndicator = generate_uid(), None


def _read_head(source: Path) -> "Dataset":
    """Read the elements before the pixels, completed as highdicom wants them, or raise DatasetError."""
    import pydicom
    from pydicom.valuerep import DA, TM

    image = pydicom.dcmread(source, stop_before_pixels=True, force=True)
    missing = [name for name in MUST_BE_THERE if not image.get(name)]
    if missing:
        raise DatasetError(f"No DICOM Segmentation for {source}: the file does not say its {', '.join(missing)}.")
    for name in MAY_BE_EMPTY:
        if name not in image:
            setattr(image, name, None)
    if image.PatientSex not in ("M", "F", "O"):  # such as U, which highdicom refuses
        image.PatientSex = None
    for name, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(image[name].value)
        except ValueError:  # such as the month 00 of a birth of which the year alone is known
            image[name].value = None
    if "PixelSpacing" not in image:  # without it, highdicom cannot use the place that a file states
        image.pop("ImagePositionPatient", None)
    return image


def _sides(image: "Dataset") -> tuple[str, str]:
    """The patient's side that lies on the viewer's left, and the other; PatientOrientation says where columns go to."""
    towards = str((image.get("PatientOrientation") or ["L"])[0])
    return ("left", "right") if towards.startswith("R") else ("right", "left")


def _describe(number: int, side: str, colour: tuple[int, int, int]) -> "SegmentDescription":
    """Say what a segment is: lung, of which side of the patient, and by what it was drawn."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    description = SegmentDescription(
        segment_number=number,
        segment_label="Lungs" if side == "both" else f"{side.capitalize()} lung",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Lung,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            "lungseg U-Net", codes.DCM.ArtificialIntelligence, __version__
        ),
        display_color=CIELabColor.from_rgb(*colour),
    )
    laterality = {"right": codes.SCT.Right, "left": codes.SCT.Left, "both": codes.SCT.RightAndLeft}[side]
    kind = description.SegmentedPropertyTypeCodeSequence[0]
    kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept.from_code(laterality)]
    return description
