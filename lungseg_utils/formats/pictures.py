"""Read an X-ray from a picture file that anybody may have made: PNG, JPEG, TIFF and what else OpenCV reads.

Nothing is decoded before it is known to be an ordinary file, all there, and no larger than an X-ray can be.
"""

import io
import os
import re
import stat
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from lungseg_utils.files import DatasetError
from lungseg_utils.images import read_grey

MOST_PIXELS = 100_000_000  # the largest detectors have 20 million
MOST_BYTES = 2**30
JPEG = b"\xff\xd8\xff"
MARK = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)  # of a JPEG: it begins a segment, or ends the file


def read_picture(path: Path | str) -> np.ndarray:
    """Read a picture as shades of grey, see `images.read_grey`: (height, width) uint8, 0 to 255.

    Raises:
        DatasetError: the file is missing, empty, cut short, damaged, too large, no ordinary file or no picture.
    """
    check_file(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"Cannot open {path}: {error.strerror}.") from error
    check_pixels(*size_of(data, path), path)
    if data.startswith(JPEG) and not is_whole_jpeg(data):
        raise DatasetError(f"The picture is cut short or damaged: {path}. Copy or download it again.")
    try:
        image = read_grey(path)
        return 255 - image if is_white_first(data) else image
    except cv2.error as error:
        raise DatasetError(f"OpenCV cannot read {path}: {error.err}. Save it as a grey PNG.") from error


def check_file(path: Path | str) -> None:
    """Raise DatasetError unless a path is that of an ordinary file with something in it, of at most 1 GB."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise DatasetError(f"No such file: {path}. Check the path and the file's name.") from None
    except OSError as error:
        raise DatasetError(f"Cannot open {path}: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):  # to read a pipe or a device may never end
        raise DatasetError(f"Cannot open {path}: it is a folder, a pipe or a device. Give the file of one picture.")
    if not status.st_size:
        raise DatasetError(f"The file is empty (0 bytes): {path}. Copy or download it again.")
    if status.st_size > MOST_BYTES:
        raise DatasetError(f"The file is larger than 1 GB: {path}. Save the X-ray as a grey PNG.")


def check_pixels(height: int, width: int, path: Path | str) -> None:
    """Raise DatasetError where the head of a file states more pixels than any X-ray has: they would fill the memory."""
    if height * width > MOST_PIXELS:
        limit = f"{MOST_PIXELS // 10**6} million px"
        raise DatasetError(f"The picture has more than {limit}: {path}. Save the X-ray with fewer.")


def size_of(data: bytes, path: Path | str) -> tuple[int, int]:
    """Height and width in pixels, as the head of a file states them; a DatasetError where it is no picture."""
    if data.startswith(b"\x89PNG"):
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as picture:
            return picture.height, picture.width  # Pillow has read the head alone
    except Image.DecompressionBombError:  # its own limit, which is above ours
        return MOST_PIXELS, MOST_PIXELS
    except Exception as error:  # it raises many kinds for damaged files, and for what is no picture
        raise DatasetError(f"Not a picture that can be read: {path}. Save it as a grey PNG.") from error


def is_white_first(data: bytes) -> bool:
    """Whether 0 is white in a TIFF of 16 bits: OpenCV heeds it at 8 bits alone. For a file that `size_of` can read."""
    if not data.startswith((b"II*\0", b"MM\0*")):
        return False
    with warnings.catch_warnings(action="ignore"), TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as picture:
        tags = picture.tag_v2  # 258: bits per sample, 262: photometric interpretation
        return tags.get(262) == 0 and tags.get(258, (1,))[0] == 16


def is_whole_jpeg(data: bytes) -> bool:
    """Whether a JPEG is complete; what comes after its end mark does not count.

    Its segments say where they end, so that the end mark of a small picture inside one is passed over. But a file that
    was cut may end in such a mark, and decoders fill what is missing with grey. So it is decoded twice, the second time
    with more bytes before the mark: they change the picture only where something was missing. The scans of a
    progressive file must bring all that its first component, the shades of grey, is made of.
    """
    mark, progressive, first, missing = MARK.search(data, 2), False, None, set(range(64))
    while mark and mark[1] != b"\xd9":
        end = mark.end() + int.from_bytes(data[mark.end() : mark.end() + 2], "big")
        if mark[1] == b"\xda":  # a scan: which components, and which of their 64 frequencies up to which bit
            components = data[mark.end() + 3 : end - 3 : 2]
            first = first or components[:1]
            lowest, highest, bit = data[end - 3 : end] if end <= len(data) else (0, 0, 1)
            if first in components and not bit & 15:
                missing -= set(range(lowest, highest + 1))
        progressive |= mark[1] in (b"\xc2", b"\xca")
        mark = MARK.search(data, end)
    if not mark or (progressive and missing):
        return False
    # between restart marks of all numbers, so that one of them is the next
    more = b"".join(bytes(range(17, 240, 5)) + bytes([255, number]) for number in range(0xD0, 0xD8))
    return _sketch(data) == _sketch(data[: mark.start()] + more + data[mark.start() :])


def _sketch(data: bytes) -> bytes | None:
    """The pixels of a JPEG, an eighth of them where that is enough and faster; None when it cannot be decoded."""
    try:
        with Image.open(io.BytesIO(data)) as picture:  # Pillow; OpenCV would write about it on stderr
            scale = 1 if picture.info.get("progressive") else 8
            picture.draft("L", (max(1, picture.width // scale), max(1, picture.height // scale)))
            return picture.tobytes()
    except Exception:  # whatever is wrong with it, OpenCV meets it next
        return None
