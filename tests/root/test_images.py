"""Reading pictures and masks, resizing them, and the cache."""

import os
import subprocess
import sys
import time
import warnings

import cv2
import numpy as np
import pytest
from shared import REPOSITORY, ellipse, write_png, write_set

from lungseg_utils import images
from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.images import load_arrays, read_grey, read_mask, read_masks, resize_image, resize_masks
from lungseg_utils.scores import dice

GREY = np.random.default_rng(3).integers(0, 256, (40, 50), dtype=np.uint8)
LUNG = ellipse(64, 80, 0.28)


@pytest.fixture
def case(tiny_set):
    return find_cases(tiny_set)[0]


@pytest.fixture
def put(tmp_path):
    """Write a picture and return its path."""
    return lambda name, image: write_png(tmp_path / f"{name}.png", image)


def encoded(suffix: str, image: np.ndarray) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def flipped(data: bytes) -> bytes:
    return data[:900] + bytes([data[900] ^ 255]) + data[901:]


# --- reading a picture ---


def test_any_kind_of_file_is_read_as_8_bits_of_grey(put, monkeypatch):
    monkeypatch.setattr(cv2, "imread", None)  # on Windows it cannot open such paths as these
    kinds = {
        "my X-rays 胸片 é/左 肺": GREY,
        "8 bits in a file of 16": GREY.astype(np.uint16),
        "colour": np.repeat(GREY[..., None], 3, axis=-1),
        "half transparent": np.dstack([GREY] * 3 + [np.full_like(GREY, 128)]),  # is not darker
    } | {f"{bits} bits": np.round(GREY / 255 * (2**bits - 1)).astype(np.uint16) for bits in (10, 12, 14, 16)}
    for kind, stored in kinds.items():
        image, exact = read_grey(str(put(kind, stored))), kind != "colour" and not kind[0] == "1"
        assert image.dtype == np.uint8 and np.abs(image - GREY.astype(int)).max() <= (not exact), kind
    np.testing.assert_array_equal(read_grey(put("dark", (GREY // 2).astype(np.uint16))), GREY // 2)


def test_more_than_8_bits_are_scaled_by_their_percentiles(put):
    deep = GREY.astype(np.uint16) * 16
    expected = read_grey(put("deep", deep)).astype(int)
    hot, offset = deep.copy(), deep + np.uint16(30_000)
    hot[0, :2], offset[0, :2] = 65_535, 0
    for name, stored in {"hot pixels": hot, "offset, and dead pixels": offset, "14 bits": deep * 4}.items():
        assert np.abs(read_grey(put(name, stored)).astype(int) - expected)[1:].max() <= 1, name
    for value in (256, 65_535):
        assert np.ptp(read_grey(put("flat", np.full_like(deep, value)))) == 0


def test_a_palette_and_one_bit_become_grey(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    picture = pillow.frombytes("P", (50, 40), (GREY // 16).tobytes())
    # entry i of the palette is not grey level i: reading the indices would give another picture
    picture.putpalette([level for i in range(16) for level in [255 - 17 * i] * 3])
    picture.save(tmp_path / "palette.png")
    np.testing.assert_allclose(read_grey(tmp_path / "palette.png").astype(int), 255 - 17 * (GREY // 16), atol=1)
    pillow.fromarray(LUNG * 255).convert("1").save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "bit.png"), LUNG * 255)


def test_an_unreadable_file_is_named(tmp_path, capfd):
    data, photo = encoded(".png", GREY), encoded(".jpg", np.full((20, 20), 90, np.uint8))
    path = tmp_path / "bad.png"
    for name, (content, message) in {
        "empty": (b"", "empty"),
        "one byte short": (data[:-1], "cut short"),
        "all pixels, without the end mark": (data[:-12], "cut short"),
        "half": (data[: len(data) // 2], "cut short"),
        "head": (data[:20], "cut short"),
        "JPEG without its end": (photo[:-30], "cut short"),
        "one byte changed": (flipped(data), "damaged"),
        "page": (b"<html>404 not found</html>" * 9, "Not a picture"),
    }.items():
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=f"{message}.*bad.png"):
            read_grey(path)
            pytest.fail(f"{name} was read")
    assert capfd.readouterr().err == "", "found before OpenCV prints about it"
    path.write_bytes(photo)
    assert read_grey(path).mean() == pytest.approx(90, abs=2)
    path.write_bytes(encoded(".tiff", GREY.astype(np.float32)))
    with pytest.raises(DatasetError, match="float32"):
        read_grey(path)
    with pytest.raises(DatasetError, match="No such file: .*nowhere.png"):
        read_grey(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DatasetError, match="Cannot open .*folder.png"):
        read_grey(tmp_path / "folder.png")


# --- reading masks ---


def test_a_mask_of_any_two_values_or_with_soft_edges(put):
    for bits, value in ((8, 1), (8, 76), (8, 255), (16, 1), (16, 256), (16, 65535)):
        mask = read_mask(put("mask", (LUNG * np.uint16(value)).astype(f"uint{bits}")))
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, LUNG)
    tiny = np.zeros((200, 200), np.uint16)  # fewer pixels than percentiles would leave out
    tiny[90:94, 90:94] = 4000
    np.testing.assert_array_equal(read_mask(put("tiny", tiny)), tiny > 0)
    mask = read_mask(put("soft", cv2.GaussianBlur(LUNG * np.uint8(255), (0, 0), 1)))
    assert set(np.unique(mask)) == {0, 1} and dice(mask, LUNG) > 0.98


def test_what_is_no_mask_is_named(put, case):
    for path, message in {
        case.image: "Not a mask",
        put("labels", LUNG + 2 * ellipse(64, 80, 0.7)): "Not a mask",
        put("inverted", (1 - LUNG) * 255): "Is it inverted",
        put("empty", LUNG * 0): "mask is empty",
    }.items():
        with pytest.raises(DatasetError, match=message) as caught:
            read_mask(path)
        assert path.name in str(caught.value)


def test_stray_specks_are_dropped_and_counted(put):
    specked = LUNG.copy()
    specked[0, 0] = specked[60, 70:73] = 1
    with pytest.warns(UserWarning, match="specked.png: dropped 4 stray px"):
        np.testing.assert_array_equal(read_mask(put("specked", specked * 255)), LUNG)
    with warnings.catch_warnings(action="error"):  # pieces that touch at a corner are one
        np.testing.assert_array_equal(read_mask(put("corners", np.eye(8, dtype=np.uint8))), np.eye(8))


def test_masks_of_a_case(case):
    write_png(case.left_mask, ellipse(64, 80, 0.4) * 255)
    write_png(case.right_mask, ellipse(64, 80, 0.6) * 255)
    masks = read_masks(case)
    assert masks.shape == (64, 80, 2) and masks.dtype == np.uint8
    for channel, x in enumerate((0.4, 0.6)):  # a pixel where the two overlap stays in both
        np.testing.assert_array_equal(masks[..., channel], ellipse(64, 80, x))
    left, right = case.left_mask.read_bytes(), case.right_mask.read_bytes()
    case.left_mask.write_bytes(right)
    case.right_mask.write_bytes(left)
    with pytest.warns(UserWarning, match="leftMask is the lung on the viewer's left"):
        read_masks(case)
    for path in (case.right_mask, case.left_mask):
        write_png(path, ellipse(80, 64, 0.5))
        with pytest.raises(DatasetError, match=f"{path.parent.name}.*64 x 80 px.*80 x 64 px"):
            read_masks(case)


@pytest.mark.slow
def test_real_masks_lie_on_their_side_and_need_no_mending(montgomery):
    with warnings.catch_warnings(action="error"):
        for case in find_cases(montgomery):
            masks = read_masks(case)
            left, right = (np.argwhere(masks[..., channel])[:, 1].mean() for channel in range(2))
            assert left < right and (0.03 < masks.mean((0, 1))).all() and (masks.mean((0, 1)) < 0.3).all(), case.id


# --- resizing ---


def test_images_are_averaged_when_shrinking_and_smooth_when_enlarging():
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 32))  # finer than the new pixels: no stripes may be left
    np.testing.assert_array_equal(resize_image(stripes, 16), np.full((16, 16), 100))
    image = np.array([[0, 100], [200, 100]], np.uint8).repeat(8, axis=0).repeat(12, axis=1)
    np.testing.assert_array_equal(resize_image(image, 2), [[0, 100], [200, 100]])
    ramp = np.tile(np.array([0, 80, 160, 240], np.uint8), (4, 1))
    assert len(np.unique(resize_image(ramp, 16))) > 4


def test_masks_do_not_move_and_keep_their_size():
    def lungs(height, width):
        return np.stack([ellipse(height, width, 0.3), ellipse(height, width, 0.7, a=0.1)], axis=-1)

    large, truth = lungs(1024, 1024), lungs(128, 128)
    for height, width, size in ((1024, 1024, 128), (64, 64, 256), (100, 130, 100), (100, 130, 113), (64, 80, 32)):
        masks, expected = resize_masks(lungs(height, width), size), lungs(size, size)
        assert masks.shape == (size, size, 2) and masks.dtype == np.uint8 and set(np.unique(masks)) == {0, 1}
        for channel in range(2):
            both = masks[..., channel], expected[..., channel]
            assert dice(*both) > (0.998 if size == 128 else 0.96)
            shift = np.subtract(*(np.argwhere(mask).mean(axis=0) for mask in both))  # of the centre, in new pixels
            assert np.abs(shift).max() < (0.05 if size == 128 else 0.5)
    nearest = cv2.resize(large, (128, 128), interpolation=cv2.INTER_NEAREST)
    assert dice(nearest, truth) < dice(resize_masks(large, 128), truth) - 0.005, "as notebook 2 says"


# --- all cases, and the cache ---


@pytest.fixture
def decodes(monkeypatch) -> list:
    """Sizes at which the files were decoded: one entry for each time the cache did not serve."""
    calls = []
    decode = images._decode
    monkeypatch.setattr(images, "_decode", lambda cases, size: calls.append(size) or decode(cases, size))
    return calls


def same(a, b) -> bool:
    return a.ids == b.ids and np.array_equal(a.images, b.images) and np.array_equal(a.masks, b.masks)


def test_decoded_once_and_kept_in_one_file(tiny_set, tmp_path, decodes, monkeypatch):
    cases, cache = find_cases(tiny_set), tmp_path / "new" / "cache"
    first = load_arrays(cases, 32, cache)
    assert first.ids == [case.id for case in cases] and type(first.ids[0]) is str
    assert first.images.dtype == first.masks.dtype == np.uint8
    for row, case in enumerate(cases):
        np.testing.assert_array_equal(first.images[row], resize_image(read_grey(case.image), 32))
        np.testing.assert_array_equal(first.masks[row], resize_masks(read_masks(case), 32))
    second = load_arrays(find_cases(tiny_set), 32, str(cache))
    assert same(first, second) and type(second.ids[0]) is str
    second.images[0] = 0  # the caller may write to them without touching the cache
    monkeypatch.chdir(tiny_set.parent)
    assert same(first, load_arrays(find_cases("tiny"), 32, "new/cache")), "a relative path is the same one"
    monkeypatch.chdir(tiny_set)
    assert same(first, load_arrays(find_cases("."), 32, "../new/cache"))
    # some of the cases, in the order asked for
    some, part = load_arrays([cases[4], cases[1]], 32, cache), first.part([cases[4].id, cases[1].id])
    assert same(some, part) and part.ids == [cases[4].id, cases[1].id]
    np.testing.assert_array_equal(part.images, first.images[[4, 1]])
    np.testing.assert_array_equal(part.masks, first.masks[[4, 1]])
    with pytest.raises(ValueError, match="is not in list"):
        first.part(["TINY_0099_0"])
    assert decodes == [32] and [path.suffix for path in cache.iterdir()] == [".npz"]


def test_whatever_changed_is_decoded_again(tiny_set, tmp_path, decodes, monkeypatch):
    def load(cases=None, size=32):
        for _ in range(2):
            load_arrays(cases or find_cases(tiny_set), size, tmp_path / "cache")

    load()
    for part in ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask"):
        path = tiny_set / part / "TINY_0003_1.png"
        for more, later in ((b"\0", 0), (b"", 1)):  # its size changes, then its time
            status = path.stat()
            path.write_bytes(path.read_bytes() + more)
            os.utime(path, ns=(1, status.st_mtime_ns + later))
            load()
    assert decodes == [32] * 7
    load(size=16)
    monkeypatch.setattr(images, "READER_VERSION", images.READER_VERSION + 1)
    load()
    assert decodes[7:] == [16, 32] and len(list((tmp_path / "cache").iterdir())) == 2
    tiny_set.rename(tmp_path / "moved")
    load(cases := find_cases(tmp_path / "moved"))
    other = find_cases(write_set(tmp_path / "another place" / "moved", 2, 32, 32))
    load(other)
    load(cases)
    assert decodes[9:] == [32, 32], "sets of the same name do not share a file"
    load(cases[:5])
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    load(cases[:5])
    load(cases)
    assert decodes[11:] == [32, 32], "a new case"


def test_a_spoiled_cache_is_made_again_and_never_unpickled(tiny_set, tmp_path, decodes):
    cases, cache = find_cases(tiny_set), tmp_path / "cache"
    first = load_arrays(cases, 32, cache)
    (path,) = cache.iterdir()
    data = path.read_bytes()
    with np.load(path) as file:
        content = dict(file)
    for other in (b"", data[: len(data) // 2], data[:-1], b"not a cache", flipped(data)):
        path.write_bytes(other)
        assert same(first, load_arrays(cases, 32, cache)) and same(first, load_arrays(cases, 32, cache))
    for name, other in [("images", content["images"][:, :5]), ("masks", np.array([{}], dtype=object))]:
        np.savez(path, **{**content, name: other})
        assert same(first, load_arrays(cases, 32, cache))
    assert len(decodes) == 8


def test_a_cache_is_whole_or_absent_and_the_arrays_come_without_it(tiny_set, tmp_path, monkeypatch):
    cases, cache = find_cases(tiny_set), tmp_path / "cache"
    load_arrays(cases[:3], 32, cache)
    (path,) = cache.iterdir()
    before = path.read_bytes()
    if os.name != "nt":  # Windows does not replace a file that is open
        with path.open("rb") as reader:
            load_arrays(cases, 32, cache)
            assert path.read_bytes() != before == reader.read(), "who reads sees the old one whole"

    def interrupt(file, **arrays):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="Could not keep the decoded X-rays"):
        assert len(load_arrays(cases, 32, tmp_path / "file").ids) == 6
    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_arrays(cases, 32, tmp_path / "interrupted")
    assert list((tmp_path / "interrupted").iterdir()) == []


def test_every_file_that_cannot_be_used_is_named_at_once(tiny_set, tmp_path):
    cases = find_cases(tiny_set)
    cases[1].image.write_bytes(b"")
    write_png(cases[3].left_mask, np.zeros((64, 80), np.uint8))
    with pytest.raises(DatasetError, match=r"(?s)2 of 6 cases.*TINY_0002_0.*TINY_0004_0"):
        load_arrays(cases, 32, tmp_path / "cache")
    cases[2].right_mask.unlink()
    with pytest.raises(DatasetError, match="TINY_0003_1"):
        load_arrays(cases, 32, tmp_path / "cache")
    with pytest.raises(DatasetError, match="No cases"):
        load_arrays([], 32, tmp_path)


TWO_AT_ONCE = """
import sys, time
import numpy as np
from lungseg_utils import cases, images
folder, cache, start = sys.argv[1], sys.argv[2], float(sys.argv[3])
found = cases.find_cases(folder)
expected = images._decode(found, 32)
time.sleep(max(0, start - time.time()))
for images.READER_VERSION in range(40):  # each round is made anew, by whichever process is first, or by both
    arrays = images.load_arrays(found, 32, cache)
    assert arrays.ids == expected.ids
    assert np.array_equal(arrays.images, expected.images) and np.array_equal(arrays.masks, expected.masks)
"""


@pytest.mark.slow
def test_two_processes_at_once(tiny_set, tmp_path):
    command = [sys.executable, "-W", "error", "-c", TWO_AT_ONCE, str(tiny_set), str(tmp_path / "cache")]
    start = str(time.time() + 1.5)
    both = [subprocess.Popen([*command, start], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npz"]


def test_the_cache_is_much_faster_than_decoding(tmp_path):
    cases, times = find_cases(write_set(tmp_path / "large", count=16, height=512, width=512)), []
    for _ in range(8):
        start = time.perf_counter()
        load_arrays(cases, 64, tmp_path / "cache")
        times.append(time.perf_counter() - start)
    assert times[0] > 15 * np.median(times[1:])
