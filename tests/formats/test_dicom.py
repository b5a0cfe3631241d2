"""X-rays in DICOM files come out as the same X-rays in PNG files, however they are stored."""

import importlib.util
import sys
import tracemalloc
import warnings

import cv2
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

from lungseg_utils.cases import DatasetError
from lungseg_utils.formats.dicom import is_dicom, read_dicom

# every shade, in an order that a turned or mirrored picture would not keep
IMAGE = np.random.default_rng(3).permutation(np.arange(40 * 64) % 256).reshape(40, 64).astype(np.uint8)
LONG = IMAGE.astype(np.int64)


def dataset_of(stored: np.ndarray, bits: int, **elements) -> Dataset:
    """A DICOM data set of stored values, as an X-ray machine would write it, with further elements by keyword."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.ComputedRadiographyImageStorage, uid.generate_uid()
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = stored.itemsize * 8, bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def write_dicom(path, stored: np.ndarray, bits: int, **elements):
    dataset_of(stored, bits, **elements).save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def read(tmp_path):
    """Write a DICOM file and read its picture."""
    return lambda stored, bits, **elements: read_dicom(write_dicom(tmp_path / "chest.dcm", stored, bits, **elements))[0]


def look_up_table(values: np.ndarray, bits: int) -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(values), 0, bits], values.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return [item]


def window(low: float, high: float) -> dict:
    """The window that shows `low` as black and `high` as white (DICOM PS3.3, C.11.2.1.2)."""
    return {"WindowCenter": (low + high + 1) / 2, "WindowWidth": high - low + 1}


SHOWN = (LONG * 16 + 7).astype("u2")  # of 12 bits
INVERTED, IDENTITY = {"PhotometricInterpretation": "MONOCHROME1"}, {"RescaleSlope": 1, "RescaleIntercept": 0}
SAME = {
    "8 bits": (IMAGE, 8, {}),
    "8 bits, inverted": (255 - IMAGE, 8, INVERTED),
    "8 of 16 bits": (LONG.astype("u2"), 8, {}),
    "8 bits, signed": ((LONG - 128).astype("i1"), 8, {}),
    "8 bits, window": ((LONG // 2 + 50).astype("u1"), 8, window(50, 177.5)),
    "12 bits": (SHOWN, 12, window(0, 4095)),
    "12 bits, inverted": (4095 - SHOWN, 12, window(0, 4095) | INVERTED),
    "12 bits, narrow window": ((LONG * 4 + 2000).astype("u2"), 12, window(2000, 3020)),
    "12 bits, something in the other four": (SHOWN + np.uint16(0xA000), 12, window(0, 4095)),
    "16 bits": ((LONG * 257).astype("u2"), 16, window(0, 65535)),
    "16 bits, signed": ((LONG * 257 - 32768).astype("i2"), 16, window(-32768, 32767)),
    "signed, rescaled": (
        (LONG * 8 - 1000).astype("i2"),
        12,
        window(-1950, 2130) | {"RescaleSlope": 2, "RescaleIntercept": 50},
    ),
    "rescaled by -1": (
        (1020 - LONG * 4).astype("u2"),
        12,
        window(0, 1020) | {"RescaleSlope": -1, "RescaleIntercept": 1020},
    ),
    "first of two windows": (SHOWN, 12, {"WindowCenter": [2048, 100], "WindowWidth": [4096, 9]}),
    "modality LUT": (IMAGE, 8, window(0, 2550) | {"ModalityLUTSequence": look_up_table(np.arange(256) * 10, 16)}),
    "VOI LUT of 8 bits": (SHOWN, 12, IDENTITY | {"VOILUTSequence": look_up_table(np.arange(4096) // 16, 8)}),
    "VOI LUT of 16 bits": (SHOWN, 12, {"VOILUTSequence": look_up_table(np.arange(4096) * 16, 16)}),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_picture_however_it_is_stored(name, read):
    stored, bits, elements = SAME[name]
    image = read(stored, bits, **elements)
    assert image.dtype == np.uint8 and image.shape == (40, 64)
    assert np.abs(image - LONG).max() <= 1, "bones are bright, and no shade is off by more than one"
    if bits == 8 and not elements:
        assert np.array_equal(image, IMAGE), "8 bits without a window stay as they are"


def test_a_window_counts_only_where_most_of_the_body_lies_in_it_and_can_be_told_apart(read):
    stored = (LONG * 16).astype("u2")
    without = read(stored, 12)
    few = [Dataset()]
    few[0].LUTDescriptor, few[0].LUTData = [4096, 0, 16], (np.arange(4096) > 2000).astype("<u2").tobytes()
    few[0]["LUTData"].VR = "OW"
    for name, elements in {
        "of the darkest shades": window(0, 255),
        "of a bone": window(2048, 4095),
        "beside the picture": window(3400, 3600),
        "far too wide": window(-30000, 35000),
        "upside down": {"WindowCenter": 2048, "WindowWidth": -4096},
        "empty": {"WindowCenter": None, "WindowWidth": 4096},
        "an unknown function": window(0, 4095) | {"VOILUTFunction": "NONE"},
        "a table of two shades": {"VOILUTSequence": few},
        "a table without content": {"VOILUTSequence": [Dataset()]},
    }.items():
        assert np.array_equal(read(stored, 12, **elements), without), name
    wide = read(stored, 12, **window(-1000, 5000))
    assert wide.max() < 220, "a window of the usual kind is taken as it is"
    body = np.full((40, 64), 4095, "u2")  # air around it is white: only what lies in the middle counts
    body[8:32, 8:56] = 1000 + LONG[8:32, 8:56]
    assert np.ptp(read(body, 12, **window(1000, 1256))[8:32, 8:56]) >= 250


def test_padding_counts_for_nothing_and_is_black(read, tmp_path):
    inside = np.s_[:, 8:]
    for stored, bits, elements in (
        (LONG * 16, 16, {"PixelPaddingValue": 65535}),
        (LONG * 16, 16, {"PixelPaddingValue": 60000, "PixelPaddingRangeLimit": 65535}),
        (LONG * 16, 16, {"PixelPaddingValue": 65535, "PixelPaddingRangeLimit": 60000} | window(0, 4095)),
        (4080 - LONG * 16, 16, {"PixelPaddingValue": 0xFFFF} | INVERTED),
        (4080 - LONG * 16, 16, {"PixelPaddingValue": 0xFFFF} | INVERTED | window(0, 4095)),
        (LONG // 2, 8, {"PixelPaddingValue": 255}),
    ):
        stored = stored.astype("u1" if bits == 8 else "u2")
        stored[:, :8] = 255 if bits == 8 else 65535
        image = read(stored, bits, **elements)
        assert (image[:, :8] == 0).all(), elements
        assert np.corrcoef(image[inside].ravel(), IMAGE[inside].ravel())[0, 1] > 0.999
        assert np.ptp(image[inside]) > (250 if bits > 8 else 120), elements
    signed = (LONG * 16 - 2000).astype("i2")
    signed[:, :8] = -32768
    for value, kind in ((-32768, "SS"), (32768, "US")):  # as the pixels are, and as some programs write it
        dataset = dataset_of(signed, 16)
        dataset.add_new("PixelPaddingValue", kind, value)
        dataset.save_as(tmp_path / "signed.dcm", enforce_file_format=True)
        image = read_dicom(tmp_path / "signed.dcm")[0]
        assert (image[:, :8] == 0).all() and np.ptp(image[inside]) == 255


def test_the_shape_inverse_exchanges_black_and_white_once(read):
    shape = {"PresentationLUTShape": "INVERSE", "PresentationIntentType": "FOR PRESENTATION"}
    raw = shape | {"PresentationIntentType": "FOR PROCESSING"}
    for elements, bright in (
        ({}, True),
        (INVERTED, False),
        (shape, False),
        (shape | INVERTED, False),
        (raw, True),
        ({"PresentationLUTShape": "IDENTITY"} | INVERTED, False),
    ):
        assert np.array_equal(read(IMAGE, 8, **elements), IMAGE if bright else 255 - IMAGE), elements


def test_elements_that_are_missing_empty_or_odd_mean_what_they_mean_in_most_files(tmp_path, read):
    plain = read(SHOWN, 12)
    for changes in (
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": "1,5", "RescaleIntercept": None},
        {"RescaleSlope": "2"},
        {"PhotometricInterpretation": "monochrome2 "},
        {"PhotometricInterpretation": None},
        {"BitsStored": 0, "HighBit": None},
        {"BitsStored": None, "HighBit": None, "PixelRepresentation": None, "SamplesPerPixel": None},
        {"BitsAllocated": None},
        {"NumberOfFrames": ""},
        {"WindowCenter": "", "WindowWidth": ""},
        {"VOILUTSequence": [], "ModalityLUTSequence": []},
        {"PixelPaddingValue": None, "PixelSpacing": "", "VOILUTFunction": ""},
    ):
        dataset = dataset_of(SHOWN, 12)
        with warnings.catch_warnings(action="ignore"):
            for keyword, value in changes.items():
                if value is None:
                    dataset.pop(keyword, None)
                elif keyword in dataset or isinstance(value, list):
                    setattr(dataset, keyword, value)
                else:
                    dataset.add(RawDataElement(Tag(keyword), "DS", len(value), value.encode(), 0, False, True))
            dataset.save_as(tmp_path / "odd.dcm", enforce_file_format=True)
        image, spacing, _ = read_dicom(tmp_path / "odd.dcm")
        assert np.array_equal(image, plain) and spacing is None, changes


def test_without_a_window_that_shows_something_all_but_the_extremes_are_shown(read):
    for bits, offset, dtype in ((12, 0, "u2"), (16, 30000, "u2"), (16, -20000, "i2")):
        stored = (LONG * 8 + 500 + offset).astype(dtype)
        stored[:, 0] = offset
        assert read(stored, bits)[:, 1:].min() > 40, "one column of 64 is more than what is left out"
        stored[:, 0] = stored[:, 1]
        stored[3, 4], stored[20, 20] = offset, offset + 4095  # two pixels are less
        assert np.abs(read(stored, bits)[:, 5:20] - LONG[:, 5:20]).max() <= 4
    stored = (LONG * 8 + 500).astype("u2")
    without = read(stored, 16)
    assert np.ptp(without) == 255
    for center, width in ((100, 0), (60250, 500), (None, None)):
        assert np.array_equal(read(stored, 16, WindowCenter=center, WindowWidth=width), without), (center, width)


def test_big_endian_rle_and_implicit_files(tmp_path, read):
    plain = read(SHOWN, 12, **window(0, 4095))
    big = dataset_of(SHOWN.astype(">u2"), 12, **window(0, 4095))
    big.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    big.save_as(tmp_path / "big.dcm", enforce_file_format=True)
    small = dataset_of(SHOWN, 12, **window(0, 4095))
    small.compress(uid.RLELossless)
    small.save_as(tmp_path / "rle.dcm", enforce_file_format=True)
    old = dataset_of(SHOWN, 12, **window(0, 4095))
    del old.file_meta
    pydicom.dcmwrite(tmp_path / "old.dcm", old, implicit_vr=True, little_endian=True)
    assert (tmp_path / "old.dcm").read_bytes()[128:132] != b"DICM"
    for name in ("big", "rle", "old"):
        assert np.array_equal(read_dicom(tmp_path / f"{name}.dcm")[0], plain), name


def test_a_file_that_does_not_say_how_its_pixels_are_stored(tmp_path):
    packed = encapsulate([cv2.imencode(".jpg", IMAGE)[1].tobytes()])
    for syntax, elements in (
        (uid.ImplicitVRLittleEndian, {}),
        (uid.ExplicitVRLittleEndian, {}),
        (uid.ExplicitVRBigEndian, {}),
        (uid.JPEGBaseline8Bit, {"PixelData": packed}),
    ):
        dataset = dataset_of(IMAGE, 8, **elements)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset["PixelData"].VR = "OB" if elements else "OW"
        dataset.save_as(tmp_path / "chest.dcm", enforce_file_format=True)
        expected, data = read_dicom(tmp_path / "chest.dcm")[0], (tmp_path / "chest.dcm").read_bytes()
        at = data.index(b"\x02\x00\x10\x00UI")  # the element of group 2 becomes one that nobody knows
        others = [data[: at + 2] + b"\x11" + data[at + 3 :]]
        if syntax in (uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit):  # as pydicom reads what it does not know
            others += [data.replace(b"1.2.840.10008.1.2", b"1.2.840.10008.9.2")]
        for other in others:
            (tmp_path / "silent.dcm").write_bytes(other)
            assert np.array_equal(read_dicom(tmp_path / "silent.dcm")[0], expected), syntax.name


def test_dicom_is_told_by_content_and_else_by_name(tmp_path):
    by_content, misnamed = (write_dicom(tmp_path / name, IMAGE, 8) for name in ("1.2.840.113", "chest.png"))
    old = dataset_of(IMAGE, 8)
    del old.file_meta
    pydicom.dcmwrite(tmp_path / "old", old, implicit_vr=False, little_endian=True)
    (tmp_path / "old.DCM").write_bytes(b"no preamble")
    (tmp_path / "text").write_text("DICM")
    for suffix in (".png", ".jpg", ".tiff", ".bmp"):
        (tmp_path / f"picture{suffix}.dcm").write_bytes(cv2.imencode(suffix, IMAGE)[1].tobytes())
    assert all(map(is_dicom, (by_content, misnamed, tmp_path / "old.DCM", tmp_path / "old")))
    pictures = tmp_path.glob("picture*")
    assert not any(map(is_dicom, (tmp_path / "text", tmp_path / "missing.dcm", tmp_path, *pictures)))


def test_memory_stays_near_the_files_own_size(tmp_path):
    stored = np.tile((LONG * 16).astype("u2"), (25, 20))
    path = write_dicom(tmp_path / "big.dcm", stored, 12, **IDENTITY, **window(0, 4095))
    read_dicom(path)
    tracemalloc.start()
    read_dicom(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the file and its pixels, 2 bytes each, and the shades; 8 or more for every array of floats at full size
    assert peak < 6 * stored.size + 65536 * 64  # and tables of what a pixel can be


def test_spacing_is_that_in_the_patient_where_there_is_one(tmp_path):
    detector = {"ImagerPixelSpacing": [0.175, 0.175]}
    for elements, spacing in (
        ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        (detector, (0.175, 0.175)),
        ({"PixelSpacing": [0.16, 0.16]} | detector, (0.16, 0.16)),
        ({"PixelSpacing": [0, 0]} | detector, (0.175, 0.175)),
        ({"PixelSpacing": None, "NominalScannedPixelSpacing": [0.1, 0.15]}, (0.1, 0.15)),
        ({"PixelSpacing": 0.2}, None),
        ({"PixelAspectRatio": [1, 1]}, None),
    ):
        assert read_dicom(write_dicom(tmp_path / "chest.dcm", IMAGE, 8, **elements))[1] == spacing, elements


def test_what_a_file_says_about_itself(tmp_path):
    said = {"Modality": "DX", "ViewPosition": " PA ", "BodyPartExamined": "", "PatientName": "Nobody"}
    about = read_dicom(write_dicom(tmp_path / "chest.dcm", IMAGE, 8, PresentationIntentType="A\x1bB", **said))[2]
    assert about == {"Modality": "DX", "ViewPosition": "PA", "PresentationIntentType": "A\\x1bB"}


# --- files that cannot be used ---


def refused(path, *words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_dicom(path)
    for word in (path.name, *words):
        assert word in str(caught.value)


def test_what_is_no_single_grey_picture_is_refused_with_the_way_out(tmp_path, monkeypatch):
    frames = np.stack([IMAGE, IMAGE]).reshape(80, 64)
    refused(write_dicom(tmp_path / "cine.dcm", frames, 8, Rows=40, NumberOfFrames=2), "2 pictures", "PNG")
    colour = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB", "Columns": 64}
    rgb = np.stack([IMAGE] * 3, axis=-1).reshape(40, 192)
    refused(write_dicom(tmp_path / "photo.dcm", rgb, 8, **colour), "colour", "PNG")
    refused(write_dicom(tmp_path / "dose.dcm", LONG.astype("u4"), 32), "32 bits", "PNG")
    report = dataset_of(IMAGE, 8)
    del report.PixelData
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    refused(tmp_path / "report.dcm", "no picture")
    jpeg = dataset_of(IMAGE, 8)
    jpeg.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1
    jpeg.PixelData = encapsulate([b"\xff\xd8 not decoded \xff\xd9"])
    jpeg["PixelData"].VR = "OB"
    jpeg.save_as(tmp_path / "jpeg.dcm", enforce_file_format=True)
    decoders = importlib.util.find_spec("pylibjpeg")  # with them, it is the file that is at fault
    refused(tmp_path / "jpeg.dcm", "Unable" if decoders else 'pip install "lungseg-utils[dicom]"', "PNG")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    refused(tmp_path / "jpeg.dcm", "pip install pydicom")


def test_a_picture_without_contrast_and_one_of_another_size_are_refused(tmp_path):
    for elements, words in (
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "no contrast"),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 255}, "no contrast"),
        ({"Rows": 20}, "more than the 64 x 20 px"),
        ({"Rows": 0}, "rows and columns"),
        ({"SamplesPerPixel": 3, "PlanarConfiguration": 0}, "3 values per pixel"),
    ):
        refused(write_dicom(tmp_path / "odd.dcm", IMAGE, 8, **elements), words, "PNG")
    refused(write_dicom(tmp_path / "flat.dcm", np.full((40, 64), 7, "u2"), 12), "no contrast")


def test_damaged_files_are_refused(tmp_path):
    whole = write_dicom(tmp_path / "whole.dcm", IMAGE, 8).read_bytes()
    letter = b"This is a letter, not an X-ray. " * 20
    for name, content in enumerate((b"", letter, whole[:-500], whole[:300], whole[:140], bytes(1000))):
        (tmp_path / f"{name}.dcm").write_bytes(content)
        refused(tmp_path / f"{name}.dcm")
    refused(tmp_path / "2.dcm", "copy it again")
    small = dataset_of(SHOWN, 12)
    small.compress(uid.RLELossless)
    small.save_as(tmp_path / "rle.dcm", enforce_file_format=True)
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "rle.dcm").read_bytes()[:-500])
    refused(tmp_path / "cut.dcm", "copy it again")
    with pytest.raises(DatasetError) as caught:
        read_dicom(write_dicom(tmp_path / "bits.dcm", IMAGE, 8, NumberOfFrames=3))
    assert "copy it again" not in str(caught.value), "all of its bytes are there"
