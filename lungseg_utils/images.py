"""Read X-rays and masks, bring them to one size, and keep the result so that it is decoded once.

The functions of notebook 2, and around them what deals with damaged files and unusual formats.
"""

import hashlib
import os
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from lungseg_utils.cases import OTHER_LAYOUT, Case, DatasetError
from lungseg_utils.files import lock, name_by_place, remove_drafts, write_whole

# Part of the cache's fingerprint: raise it when the same files give other arrays than before.
READER_VERSION = 2
PERCENTILES = (0.5, 99.5)  # letters and defect pixels do not decide; nnU-Net's of CT, doi 10.1038/s41592-020-01008-z


# --- the lesson of notebook 2 ---


def read_grey(path: Path | str) -> np.ndarray:
    """Read a picture as shades of grey (notebook 2): a PNG, or another that OpenCV reads, whose alpha is left out.

    The result is (height, width) uint8, 0 to 255; more than 8 bits are scaled, see ``to_8_bits``. A DatasetError tells
    that the file is missing, empty, cut short, damaged or no picture.
    """
    data = read_bytes(path)
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if image is None:  # OpenCV does not raise
        raise DatasetError(f"Not a picture that can be read: {path}. Save it as a grey PNG.")
    return to_8_bits(image)


def read_mask(path: Path | str) -> np.ndarray:
    """Read the mask of one lung (notebook 2): black outside it, one other shade inside (0 and 1, or 0 and 255).

    The result is (height, width) uint8, {0, 1}: one connected piece. Grey edges are cut at half of the brightest value.
    A DatasetError tells that the file cannot be read, is empty (black), or is not a mask.
    """
    grey = read_grey(path)
    check_mask(grey, path)
    mask = (grey > grey.max() / 2).astype(np.uint8)
    return drop_specks(mask, path)


def read_masks(case: Case) -> np.ndarray:
    """Read both masks of a case (notebook 2). A pixel where the two overlap stays in both.

    The result is (height, width, 2) uint8, {0, 1}. Channel 0: the lung on the viewer's left. Channel 1: the other. A
    DatasetError tells that a mask cannot be read, is empty, is not a mask, or has another size than the X-ray.
    """
    left = read_mask(case.left_mask)
    right = read_mask(case.right_mask)
    check_sizes(case, left, right)
    return np.stack([left, right], axis=-1)


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an X-ray (height, width) uint8 to a square (notebook 2): (size, size) uint8, squashed, nothing cut off."""
    method = resize_method(image, size)
    return cv2.resize(image, (size, size), interpolation=method)


def resize_masks(masks: np.ndarray, size: int) -> np.ndarray:
    """Resize masks to a square (notebook 2): a new pixel is lung when more than half of its area was.

    From (height, width, 2) to (size, size, 2) uint8, {0, 1}. ``cv2.INTER_NEAREST`` would keep {0, 1} as well, but it
    looks only at the upper left corner of the new pixel and so shifts the mask by half a pixel.
    """
    method = resize_method(masks, size)
    share = cv2.resize(masks.astype(np.float32), (size, size), interpolation=method)
    return (share > 0.5).astype(np.uint8)


def resize_method(image: np.ndarray, size: int) -> int:
    """Choose OpenCV's method: the mean over a new pixel's area to shrink, values in between to enlarge.

    Enlarging with ``INTER_AREA`` would repeat pixels instead: blocks with stairs for edges.
    """
    shrinking = min(image.shape[:2]) >= size
    return cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR


# --- file formats ---


def read_bytes(path: Path | str) -> np.ndarray:
    """Read a picture file as it is, (bytes,) uint8 for ``cv2.imdecode``, and make sure that all of it is there.

    Python opens the file: on Windows ``cv2.imread`` fails when the path holds, say, Chinese characters.
    A DatasetError tells that the file is missing, cannot be opened, is empty, cut short or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"No such file: {path}. Check the path and the file's name.") from None
    except OSError as error:
        raise DatasetError(f"Cannot open {path}: {error.strerror}.") from error
    if not data:
        raise DatasetError(f"The file is empty (0 bytes): {path}. Copy or download it again.")
    if not is_whole(data):
        raise DatasetError(f"The picture is cut short or damaged: {path}. Copy or download it again.")
    return np.frombuffer(data, np.uint8)


def is_whole(data: bytes) -> bool:
    """Whether a PNG is complete; a JPEG need only have an end mark, and other formats are left to OpenCV.

    Some versions of OpenCV fill what is missing. A PNG is a chain of chunks (length, name, content, checksum) up to
    the chunk IEND: all of them are checked. `formats.pictures` looks closer at JPEG files.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" in data
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return True
    view, start = memoryview(data), 8
    while start + 12 <= len(view):
        end = start + 12 + int.from_bytes(view[start : start + 4], "big")
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return False
        if view[start + 4 : start + 8] == b"IEND":
            return True
        start = end
    return False


def to_8_bits(image: np.ndarray) -> np.ndarray:
    """Scale a 16-bit picture (height, width) to 0 to 255, uint8; one that uses 8 bits keeps its values.

    X-ray detectors deliver 10 to 14 bits in 16-bit files, some from 30000 upwards. Scaled by 255 / 65535, such a
    picture would come out nearly black, or nearly flat: see `shown_range`.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.uint16:
        raise DatasetError(f"Pictures of type {image.dtype} are not supported. Save the X-ray as an 8 or 16-bit PNG.")
    counts = cv2.calcHist([image], [0], None, [65536], [0, 65536]).ravel()
    if not counts[256:].any():
        return image.astype(np.uint8)
    shades = np.arange(65536)
    table = np.interp(shades, shown_range(shades, counts), (0, 255))
    return np.rint(table).astype(np.uint8)[image]


def shown_range(shades: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Find which of (n,) shades to show as black and white, where (n,) counts of pixels have each: at `PERCENTILES`.

    Where both would be one, the darkest and the brightest that occur: so a mask keeps its two, however small the lung.
    """
    shades, counts = shades[counts > 0], counts[counts > 0]
    order = np.argsort(shades)
    below = np.cumsum(counts[order], dtype=np.float64)
    low, high = shades[order][np.searchsorted(below, np.array(PERCENTILES) / 100 * below[-1])]
    return (low, high) if low < high else (shades.min(), shades.max())


# --- checks of masks ---


def check_mask(grey: np.ndarray, path: Path | str) -> None:
    """Raise DatasetError, naming the path, unless a picture (height, width) uint8 is black with one brighter area.

    A soft edge is a thin line of grey. Grey that is thick somewhere is a picture, or a third label.
    """
    top = int(grey.max())
    if top == 0:
        raise DatasetError(f"The mask is empty (black): {path}. Outline the lung, or take the X-ray out of the set.")
    between = ((grey > 0.1 * top) & (grey < 0.9 * top)).astype(np.uint8)
    edge = max(5, round(0.03 * min(grey.shape)))  # px: no soft edge is this thick
    if between.any() and cv2.erode(between, np.ones((edge, edge), np.uint8)).any():
        raise DatasetError(
            f"Not a mask: {path} has large areas between black and its brightest value {top}. A mask has two values, 0 "
            "outside a lung and another inside, and a file for each lung. Is this an X-ray, or a map of several labels?"
        )
    if (grey > top / 2).mean() > 0.75:
        raise DatasetError(
            f"Over three quarters of the mask {path} are bright. Is it inverted? The lung must be bright."
        )


def drop_specks(mask: np.ndarray, path: Path | str) -> np.ndarray:
    """Keep the largest connected piece of a mask (height, width) uint8, {0, 1}; warn how many pixels were dropped.

    Pixels that touch at a corner are connected. The path is where the mask came from.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count == 2:  # the background and one piece
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = f"kept the largest connected piece ({areas.max()} px)"
    warnings.warn(f"{path}: dropped {areas.sum() - areas.max()} stray px, {kept}.", stacklevel=3)
    return (labels == 1 + areas.argmax()).astype(np.uint8)


def check_sizes(case: Case, left: np.ndarray, right: np.ndarray) -> None:
    """Raise DatasetError unless both masks are as large as their X-ray; warn when they seem exchanged."""
    for mask, path in ((left, case.left_mask), (right, case.right_mask)):
        if mask.shape != case.size:
            raise DatasetError(
                f"The mask {path} has {mask.shape[1]} x {mask.shape[0]} px, its X-ray {case.image} has "
                f"{case.size[1]} x {case.size[0]} px (width x height). Give both the same size."
            )
    if (left & right).sum() > 0.5 * (left | right).sum():
        raise DatasetError(f"{case.left_mask} and {case.right_mask} show the same lung, or both lungs. {OTHER_LAYOUT}")
    if np.nonzero(left.any(axis=0))[0].mean() > np.nonzero(right.any(axis=0))[0].mean():
        where = f"{case.left_mask} lies to the right of {case.right_mask}"
        hint = "leftMask is the lung on the viewer's left: exchange the names of the two folders if all cases say so"
        warnings.warn(f"{where}. {hint}.", stacklevel=3)


# --- all cases at once ---


@dataclass
class Arrays:
    """A data set at one size. Row i of each array belongs to ``ids[i]``."""

    ids: list[str]
    images: np.ndarray  # (N, size, size) uint8, 0 to 255
    masks: np.ndarray  # (N, size, size, 2) uint8, {0, 1}

    def part(self, ids: list[str]) -> "Arrays":
        """Return the named cases only, in that order; a ``ValueError`` when one is not there."""
        rows = [self.ids.index(case_id) for case_id in ids]
        return Arrays(list(ids), self.images[rows], self.masks[rows])


def load_arrays(cases: list[Case], size: int, cache_folder: Path | str) -> Arrays:
    """Read all cases of one data set, in their order, as squares of so many px; from the cache when it holds them.

    The cache is one file per data set and size. It is made again when the path, the size or the time of any
    file has changed, or the reader. Some of its cases can be taken from it too. It can be deleted any time.
    A DatasetError tells that there are no cases, or names all files that cannot be used.
    """
    if not cases:
        raise DatasetError("No cases to load. Give at least one, for example those of find_cases(folder).")
    folder = Path(os.path.abspath(cases[0].image)).parent.parent
    path = Path(cache_folder) / f"{name_by_place(folder)}-{size}px.npz"
    # taken before decoding: a file that changes meanwhile is then decoded again next time
    fingerprints = [_fingerprint(case, size) for case in cases]
    if arrays := _read_cache(path, fingerprints, size):
        return arrays
    with lock(path, f"Reading the X-rays of {folder}"):
        remove_drafts(path)
        arrays = _read_cache(path, fingerprints, size)  # if another process has made it meanwhile
        if arrays is None:
            arrays = _decode(cases, size)
            _write_cache(path, fingerprints, arrays)
    return arrays


def _decode(cases: list[Case], size: int) -> Arrays:
    """Read and resize all cases in threads: OpenCV lets other threads run while it decodes."""

    def read(case: Case) -> tuple[np.ndarray, np.ndarray] | DatasetError:
        try:
            return resize_image(read_grey(case.image), size), resize_masks(read_masks(case), size)
        except DatasetError as error:  # kept, so that one message can name every file that needs attention
            return error

    # four threads at most: each holds a case of up to 20 million pixels in full size
    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(tqdm(pool.map(read, cases), "Reading X-rays", len(cases), unit="case", leave=False))
    if errors := [result for result in results if isinstance(result, DatasetError)]:
        raise DatasetError(f"{len(errors)} of {len(cases)} cases cannot be used:\n" + "\n".join(map(str, errors)))
    images, masks = zip(*results, strict=True)
    return Arrays([case.id for case in cases], np.stack(images), np.stack(masks))


def _fingerprint(case: Case, size: int) -> str:
    """Return a text that changes when a file of a case does, or when it would be read in another way."""
    parts = [READER_VERSION, size, case.id]
    for path in (case.image, case.left_mask, case.right_mask):
        try:
            status = os.stat(path)
        except OSError as error:
            raise DatasetError(f"Cannot open {path}: {error.strerror}. Find the cases again.") from error
        parts += [os.path.abspath(path), status.st_size, status.st_mtime_ns]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read_cache(path: Path, fingerprints: list[str], size: int) -> Arrays | None:
    """Return the cached arrays of these cases, in this order; None when the cache does not hold them."""
    try:
        with np.load(path, allow_pickle=False) as file:
            rows = {fingerprint: row for row, fingerprint in enumerate(file["fingerprints"].tolist())}
            wanted = [rows[fingerprint] for fingerprint in fingerprints]
            ids, images, masks = file["ids"].tolist(), file["images"], file["masks"]
        if images.shape != (len(rows), size, size) or masks.shape != (len(rows), size, size, 2):
            return None
        if wanted != list(range(len(rows))):
            images, masks = images[wanted], masks[wanted]
        return Arrays([ids[row] for row in wanted], images, masks)
    except Exception:  # missing, out of date, cut short, damaged, another program's: in each case, decode again
        return None


def _write_cache(path: Path, fingerprints: list[str], arrays: Arrays) -> None:
    try:
        with write_whole(path) as draft:
            np.savez(draft, ids=arrays.ids, images=arrays.images, masks=arrays.masks, fingerprints=fingerprints)
    except DatasetError as error:  # disk full, no permission, or (Windows) in use: the arrays are good all the same
        warnings.warn(f"Could not keep the decoded X-rays. {error} They are decoded again next time.", stacklevel=3)
