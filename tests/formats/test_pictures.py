"""Pictures that anybody may have made: whole ones are read, others are refused in a sentence before they cost much."""

import io
import os
import random
import re
import struct
import time
import zlib

import cv2
import numpy as np
import pydicom.uid as uid
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from test_dicom import dataset_of

from lungseg_utils.files import DatasetError
from lungseg_utils.formats import dicom as dicom_files
from lungseg_utils.formats.pictures import read_picture
from lungseg_utils.inference.xrays import read_xray

# soft shapes with a black lower edge, as an X-ray has: bytes that are missing there change little
GREY = np.random.default_rng(5).integers(0, 256, (120, 150), dtype=np.uint8)
GREY = cv2.normalize(cv2.GaussianBlur(GREY, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)
GREY[90:] = 0
DEEP = GREY.astype(np.uint16) * 16


def encoded(suffix: str, image: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(suffix, image, options)[1].tobytes()


def saved(image: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, **options)
    return file.getvalue()


def dicom(stored: np.ndarray, bits: int, syntax: str = uid.ExplicitVRLittleEndian, packed: bytes = b"") -> bytes:
    dataset, file = dataset_of(stored, bits), io.BytesIO()
    dataset.file_meta.TransferSyntaxUID = syntax
    if packed:
        dataset.PixelData = encapsulate([packed])
        dataset["PixelData"].VR = "OB"
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


JPEGS = {
    "plain": encoded(".jpg", GREY),
    "progressive": encoded(".jpg", GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "with restart marks": encoded(".jpg", GREY, cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "colour": saved(np.dstack([GREY] * 3), format="JPEG", quality=85),
}
SMALL = encoded(".jpg", GREY[:8, :8])  # a picture of the picture, inside a segment
JPEGS["with a small picture inside"] = JPEGS["plain"][:2] + struct.pack(">HH", 0xFFE1, 2 + len(SMALL)) + SMALL
JPEGS["with a small picture inside"] += JPEGS["plain"][2:]


@pytest.fixture
def read(tmp_path):
    """Write a file and read its picture."""

    def write_and_read(data: bytes, name: str = "chest.jpg") -> np.ndarray:
        (tmp_path / name).write_bytes(data)
        return read_picture(tmp_path / name)

    return write_and_read


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_is_whole_up_to_its_own_end_mark(kind, read, capfd):
    data = JPEGS[kind]
    image = read(data)
    assert np.abs(image - GREY.astype(int)).mean() < 3
    for more in (b"\r\n", bytes(7), b"\xff\xff", data, b"text <xml>" * 20, b"\xff\xd8 half"):
        assert np.array_equal(read(data + more), image), more[:9]
    scan = data.rindex(b"\xff\xda")
    for share in (0.02, 0.5, 0.9):
        cut = data[: scan + 20 + int(share * (len(data) - scan - 20))].rstrip(b"\xff")
        for end in (b"\xff\xd9", b"\xff\xd9\r\n", b"", b"\xff"):
            with pytest.raises(DatasetError, match="cut short.*chest.jpg"):
                read(cut + end)
                pytest.fail(f"{share} of it was read")
    assert capfd.readouterr().err == ""


def test_a_jpeg_cut_between_two_of_its_restart_marks_or_scans_is_not_whole(read):
    data = JPEGS["with restart marks"]
    marks = [at for at in range(data.rindex(b"\xff\xda"), len(data)) if data[at] == 255 and 0xD0 <= data[at + 1] < 0xD8]
    scans = [found.start() for found in re.finditer(b"\xff\xda", JPEGS["progressive"])]
    for whole, at in ((data, marks[0]), (data, marks[len(marks) // 2]), *((JPEGS["progressive"], at) for at in scans)):
        with pytest.raises(DatasetError, match="cut short"):
            read(whole[:at] + b"\xff\xd9")
            pytest.fail(f"{at} of {len(whole)} bytes were read")


def claims(suffix: str) -> bytes:
    """A file of some hundred bytes whose head states 65,000 x 65,000 px."""
    side, small = 65_000, GREY[:8, :8]
    if suffix == "png":
        head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        data = encoded(".png", small)
        return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    if suffix == "jpg":
        data = encoded(".jpg", small)
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", side, side) + data[at + 4 :]
    if suffix == "bmp":
        return encoded(".bmp", small)[:18] + struct.pack("<ii", side, side) + encoded(".bmp", small)[26:]
    if suffix == "tif":
        head = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 64)]
        tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in head)
        return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(head)) + tags + bytes(68)
    packed = claims("jpg") if suffix == "packed.dcm" else b""
    data = dicom(small, 8, uid.JPEGBaseline8Bit if packed else uid.ExplicitVRLittleEndian, packed)
    rows = b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"  # Rows, Columns
    for element in rows if not packed else ():
        at = data.index(element) + len(element)
        data = data[:at] + struct.pack("<H", side) + data[at + 2 :]
    return data


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "dcm", "packed.dcm"])
def test_a_size_that_no_xray_has_is_refused_before_anything_is_decoded(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"bomb.{suffix}"
    path.write_bytes(claims(suffix))
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(DatasetError, match="more than 100 million px.*bomb"):
        read_xray(path)


def test_a_deflated_file_does_not_unpack_without_end(tmp_path, monkeypatch):
    whole = dicom(GREY, 8, uid.DeflatedExplicitVRLittleEndian)
    path = tmp_path / "chest.dcm"
    path.write_bytes(whole)
    assert np.array_equal(read_xray(path).image, GREY)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = 144 + int.from_bytes(whole[140:144], "little")
    path.write_bytes(whole[:start] + packer.compress(bytes(3 * 10**6)) + packer.flush())
    monkeypatch.setattr(dicom_files, "MOST_PIXELS", 10**6)
    with pytest.raises(DatasetError, match="chest.dcm unpacks to more"):
        read_xray(path)


@pytest.mark.skipif(os.name == "nt", reason="has no such files")
def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.dcm")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "zero.dcm").symlink_to("/dev/zero")
    (tmp_path / "folder.dcm").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    for path in tmp_path.iterdir():
        with pytest.raises(DatasetError, match=f"Cannot open .*{path.name}"):
            read_xray(path)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**30 + 1)  # takes no room on most disks
    with pytest.raises(DatasetError, match="larger than 1 GB.*huge.png"):
        read_xray(tmp_path / "huge.png")


def test_tiff_files_of_8_and_16_bits_whichever_way_round(read):
    for image in (GREY, DEEP):
        plain = read(encoded(".tiff", image), "a.tif")
        assert np.corrcoef(plain.ravel(), GREY.ravel())[0, 1] > 0.99
        # white is 0: the tag for it (262), a short, has the value 0 instead of 1
        data = saved(np.invert(image), format="TIFF")
        tag = struct.pack("<HHI", 262, 3, 1)
        at = data.index(tag) + len(tag)
        assert np.array_equal(read(data[:at] + bytes(4) + data[at + 4 :], "b.tif"), plain)


# --- files that something has changed ---

KINDS = {
    "png": [encoded(".png", GREY), encoded(".png", DEEP)],
    "jpg": list(JPEGS.values()),
    "tif": [encoded(".tiff", GREY), saved(DEEP, format="TIFF"), saved(GREY, format="TIFF", compression="tiff_lzw")],
    "dcm": [
        dicom(GREY, 8),
        dicom(DEEP, 12, uid.ImplicitVRLittleEndian),
        dicom(GREY, 8, uid.JPEGBaseline8Bit, JPEGS["plain"]),
    ],
}


def changed(data: bytes, chance: random.Random) -> bytes:
    """A copy with a few bytes changed, cut out or put in, more often near its beginning."""
    copy = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(chance.choice((len(copy), min(len(copy), 600))))
        new = chance.randbytes(chance.choice((1, 2, 4, 40)))
        copy[at : at + chance.choice((0, 1, len(new), 4 * len(new)))] = chance.choice((new, b"", b"\xff" * len(new)))
    return bytes(copy)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_changed_file_is_a_picture_or_one_clear_error(suffix, tmp_path):
    chance, path, read = random.Random(1), tmp_path / f"changed.{suffix}", 0
    for _ in range(60):
        path.write_bytes(changed(chance.choice(KINDS[suffix]), chance))
        start = time.process_time()
        try:
            image = read_xray(path).image
            assert image.dtype == np.uint8 and image.ndim == 2 and image.size
            read += 1
        except DatasetError as error:
            assert path.name in str(error) and str(error).isprintable()
        assert time.process_time() - start < 5
    assert read < 60
