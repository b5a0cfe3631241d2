"""Masks of a DICOM file come back from the DICOM Segmentation as they went in, on the right side of the patient."""

import re
import sys

import numpy as np
import pydicom
import pytest
from pydicom import uid
from shared import write_png
from test_dicom import write_dicom
from test_xrays import Reader, chest

from lungseg_utils import command, prediction
from lungseg_utils.cases import DatasetError
from lungseg_utils.inference import xrays

highdicom = pytest.importorskip("highdicom", reason="highdicom is not here: pip install -e .[dicom]")

STUDY = {"StudyInstanceUID": uid.generate_uid(), "SeriesInstanceUID": uid.generate_uid(), "PatientName": "Doe^Ann"}


@pytest.fixture
def segmentation_of(tmp_path):
    """Segment a DICOM file with these elements; return its row, its masks as they were found, and the object."""

    def of(masks: int = 2, without: str = "", **elements):
        image, _ = chest(120, 100)
        path = write_dicom(tmp_path / "chest.dcm", image, 8, **(STUDY | elements))
        if without:
            dataset = pydicom.dcmread(path)
            delattr(dataset, without)
            dataset.save_as(path)
        model, out = Reader(masks=masks), tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        (row,) = xrays.predict_files(model, [path], out, seg=True)
        assert len(list(out.glob("chest_*.png"))) == masks + 1, "the pictures are there, whatever comes"
        found = xrays.segment(model, xrays.read_xray(path))
        files = list(out.glob("*.dcm"))
        return row, found, highdicom.seg.segread(files[0]) if files else None

    return of


def sides(segmentation) -> list[str]:
    kinds = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in segmentation.SegmentSequence]
    assert {(kind.CodeValue, kind.CodingSchemeDesignator) for kind in kinds} == {("39607008", "SCT")}, "lung"
    return [kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning for kind in kinds]


def test_masks_spacing_and_references_come_back(segmentation_of):
    row, found, segmentation = segmentation_of(PixelSpacing=[2, 3], PatientOrientation=["L", "F"])
    assert row["error"] is None and row["row_mm"] == 2
    (source,) = segmentation.get_source_image_uids()
    planes = segmentation.get_pixels_by_source_instance([source[2]])
    assert np.array_equal(planes[0], found) and found.any(axis=(0, 1)).all()
    assert source[0] == STUDY["StudyInstanceUID"] == segmentation.StudyInstanceUID
    assert source[1] == STUDY["SeriesInstanceUID"] != segmentation.SeriesInstanceUID
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.PixelSpacing == [2, 3] and segmentation.PatientName == "Doe^Ann"
    shared, frames = segmentation.SharedFunctionalGroupsSequence[0], segmentation.PerFrameFunctionalGroupsSequence
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0], "else no viewer opens it"
    assert [frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames] == [[0, 0, 0]] * 2
    assert sides(segmentation) == ["Right", "Left"], "the viewer's left is the patient's right"
    assert [segment.SegmentLabel for segment in segmentation.SegmentSequence] == ["Right lung", "Left lung"]


def test_a_file_that_says_so_is_seen_from_behind(segmentation_of):
    assert sides(segmentation_of(PatientOrientation=["R", "F"])[2]) == ["Left", "Right"]
    assert sides(segmentation_of(masks=1)[2])[0].startswith("Right and left")


SPARE = (
    {},
    {"PatientSex": "U", "StudyTime": "99"},
    {"PatientName": "Yamada^Tarou=山田^太郎", "SpecificCharacterSet": ["", "ISO 2022 IR 87"]},
    {"FrameOfReferenceUID": uid.generate_uid()},
    {"FrameOfReferenceUID": uid.generate_uid(), "ImagePositionPatient": [0, 0, 0]},
)


@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")
@pytest.mark.parametrize("spare", SPARE)
def test_what_may_be_empty_is_not_asked_for(segmentation_of, spare):
    row, found, segmentation = segmentation_of(**spare)
    assert row["error"] is None and not segmentation.get("PatientSex") and not segmentation.PatientID
    assert str(segmentation.PatientName) == spare.get("PatientName", "Doe^Ann")
    assert np.array_equal(
        segmentation.get_pixels_by_source_instance([segmentation.get_source_image_uids()[0][2]])[0], found
    )
    assert segmentation.FrameOfReferenceUID != spare.get("FrameOfReferenceUID"), "its place there is not known"
    assert "PixelMeasuresSequence" not in segmentation.SharedFunctionalGroupsSequence[0], "no spacing is made up"


def test_a_file_without_a_study_keeps_its_pictures_and_says_why_there_is_no_more(segmentation_of):
    for spoiled in ({"without": "StudyInstanceUID"}, {"SOPClassUID": "1.2.3.4"}):
        row, _, segmentation = segmentation_of(**spoiled)
        assert segmentation is None and row["width_px"] == 100
        assert re.match("No DICOM Segmentation for .*(StudyInstanceUID|1.2.3.4)", row["error"])
        assert "chest.dcm" in row["error"]


def test_without_highdicom_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(DatasetError, match=r"pip install lungseg-utils\[dicom\]"):
        xrays.predict_files(Reader(), [tmp_path], tmp_path / "out", seg=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_other_files_have_none_and_that_is_said_once(tmp_path, monkeypatch, capsys):
    image, _ = chest(120, 100)
    (tmp_path / "in").mkdir()
    write_dicom(tmp_path / "in" / "a.dcm", image, 8, **STUDY)
    for name in ("b", "c"):
        write_png(tmp_path / "in" / f"{name}.png", image)
    monkeypatch.setattr(prediction, "load_pretrained", Reader)
    monkeypatch.setattr(
        sys, "argv", ["lungseg", "predict", str(tmp_path / "in"), "--to", str(tmp_path / "out"), "--dicom-seg"]
    )
    assert command.main() == 0
    assert capsys.readouterr().out.count("2 of 3 files are not DICOM") == 1
    assert [path.name for path in (tmp_path / "out").glob("*.dcm")] == ["a_seg.dcm"]
