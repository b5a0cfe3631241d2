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

GREY = np.random.default_rng(3).integers(0, 256, (40, 50), dtype=np.uint8)
LUNG = ellipse(64, 80, 0.28)


@pytest.fixture
def case(tiny_set):
    return find_cases(tiny_set)[0]


def dice(a, b) -> float:
    return 2 * np.logical_and(a, b).sum() / (a.sum() + b.sum())


# --- reading a picture ---


def test_grey_is_read_as_it_is(tmp_path):
    image = read_grey(write_png(tmp_path / "grey.png", GREY))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, GREY)


@pytest.mark.parametrize("channels", [3, 4])
def test_rgb_and_rgba_become_grey(tmp_path, channels):
    colour = np.repeat(GREY[..., None], channels, axis=-1)
    colour[..., 3:] = 128  # a half transparent picture is not a darker one
    image = read_grey(write_png(tmp_path / "colour.png", colour))
    np.testing.assert_allclose(image.astype(int), GREY, atol=1)


def test_a_palette_becomes_grey(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    picture = pillow.frombytes("P", (50, 40), (GREY // 16).tobytes())
    # entry i of the palette is not grey level i: reading the indices would give another picture
    picture.putpalette([level for i in range(16) for level in [255 - 17 * i] * 3])
    picture.save(tmp_path / "palette.png")
    np.testing.assert_allclose(read_grey(tmp_path / "palette.png").astype(int), 255 - 17 * (GREY // 16), atol=1)


def test_one_bit_becomes_black_and_white(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    pillow.fromarray(LUNG * 255).convert("1").save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "bit.png"), LUNG * 255)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_16_bit_files_use_the_full_range_whatever_their_depth(tmp_path, bits):
    deep = np.round(GREY / 255 * (2**bits - 1)).astype(np.uint16)
    image = read_grey(write_png(tmp_path / "deep.png", deep))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.astype(int), GREY, atol=1)


def test_8_bits_in_a_16_bit_file_stay_as_they_are(tmp_path):
    np.testing.assert_array_equal(read_grey(write_png(tmp_path / "deep.png", (GREY // 2).astype(np.uint16))), GREY // 2)


def test_a_path_with_spaces_and_chinese_characters(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imread", None)  # on Windows it cannot open such paths
    path = write_png(tmp_path / "my X-rays 胸片 é" / "左 肺.png", GREY)
    np.testing.assert_array_equal(read_grey(path), GREY)
    np.testing.assert_array_equal(read_grey(str(path)), GREY)


def damaged(data: bytes) -> bytes:
    return data[:900] + bytes([data[900] ^ 255]) + data[901:]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda data: b"", "empty"),
        (lambda data: data[:-1], "cut short"),
        (lambda data: data[:-12], "cut short"),  # all pixels, without the end mark
        (lambda data: data[: len(data) // 2], "cut short"),
        (lambda data: data[:20], "cut short"),
        (damaged, "damaged"),
        (lambda data: b"<html>404 not found</html>" * 9, "Not a picture"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path, spoil, message, capfd):
    path = write_png(tmp_path / "bad.png", GREY)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DatasetError, match=f"{message}.*bad.png"):
        read_grey(path)
    assert capfd.readouterr().err == ""  # found before OpenCV prints about it


def test_a_jpeg_is_read_and_its_end_checked(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(cv2.imencode(".jpg", np.full((20, 20), 90, np.uint8))[1].tobytes())
    assert read_grey(path).mean() == pytest.approx(90, abs=2)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match="photo.jpg"):
        read_grey(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DatasetError, match="No such file: .*nowhere.png"):
        read_grey(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DatasetError, match="Cannot open .*folder.png"):
        read_grey(tmp_path / "folder.png")


def test_a_picture_of_another_type_is_named(tmp_path):
    ok, data = cv2.imencode(".tiff", GREY.astype(np.float32))
    (tmp_path / "float.tiff").write_bytes(data.tobytes())
    with pytest.raises(DatasetError, match="float32|float.tiff"):
        read_grey(tmp_path / "float.tiff")


# --- reading masks ---


@pytest.mark.parametrize("value", [1, 76, 255])
def test_a_mask_of_any_two_values(tmp_path, value):
    mask = read_mask(write_png(tmp_path / "mask.png", LUNG * np.uint8(value)))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, LUNG)


def test_a_16_bit_mask(tmp_path):
    for value in (1, 256, 65535):
        path = write_png(tmp_path / "mask.png", LUNG.astype(np.uint16) * value)
        np.testing.assert_array_equal(read_mask(path), LUNG)


def test_soft_edges_are_cut_at_half(tmp_path):
    soft = cv2.GaussianBlur(LUNG * np.uint8(255), (0, 0), 1)
    assert len(np.unique(soft)) > 50
    mask = read_mask(write_png(tmp_path / "mask.png", soft))
    assert set(np.unique(mask)) == {0, 1}
    assert dice(mask, LUNG) > 0.98


def test_an_xray_in_place_of_a_mask(case):
    with pytest.raises(DatasetError, match=f"Not a mask: .*{case.id}"):
        read_mask(case.image)


def test_a_map_of_three_labels_is_not_a_mask(tmp_path):
    labels = LUNG + 2 * ellipse(64, 80, 0.7)
    with pytest.raises(DatasetError, match="Not a mask.*labels.png"):
        read_mask(write_png(tmp_path / "labels.png", labels))


def test_an_inverted_mask(tmp_path):
    with pytest.raises(DatasetError, match="inverted.png.*Is it inverted"):
        read_mask(write_png(tmp_path / "inverted.png", (1 - LUNG) * 255))


def test_an_empty_mask(tmp_path):
    with pytest.raises(DatasetError, match="mask is empty.*empty.png"):
        read_mask(write_png(tmp_path / "empty.png", LUNG * 0))


def test_stray_specks_are_dropped_and_counted(tmp_path):
    specked = LUNG.copy()
    specked[0, 0] = specked[60, 70:73] = 1
    path = write_png(tmp_path / "specked.png", specked * 255)
    with pytest.warns(UserWarning, match="specked.png: dropped 4 stray px"):
        mask = read_mask(path)
    np.testing.assert_array_equal(mask, LUNG)


def test_pieces_that_touch_at_a_corner_are_one(tmp_path):
    mask = np.eye(8, dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_mask(write_png(tmp_path / "mask.png", mask)), mask)


def test_masks_of_a_case(case):
    masks = read_masks(case)
    assert masks.shape == (64, 80, 2) and masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1}
    columns = np.arange(80)
    assert (
        (masks[..., 0] * columns).sum() / masks[..., 0].sum()
        < 40
        < (masks[..., 1] * columns).sum() / masks[..., 1].sum()
    )


@pytest.mark.parametrize("side", ["left_mask", "right_mask"])
def test_a_mask_of_another_size_names_both_sizes(case, side):
    write_png(getattr(case, side), ellipse(80, 64, 0.5))
    with pytest.raises(DatasetError, match=rf"{side.split('_')[0]}Mask.*64 x 80 px.*80 x 64 px"):
        read_masks(case)


def test_exchanged_folders_are_noticed(case):
    left, right = case.left_mask.read_bytes(), case.right_mask.read_bytes()
    case.left_mask.write_bytes(right)
    case.right_mask.write_bytes(left)
    with pytest.warns(UserWarning, match="leftMask is the lung on the viewer's left"):
        read_masks(case)


def test_overlap_stays_in_both_and_a_logical_or_joins_them(case):
    write_png(case.left_mask, ellipse(64, 80, 0.4) * 255)
    write_png(case.right_mask, ellipse(64, 80, 0.6) * 255)
    masks = read_masks(case)
    overlap = masks.min(axis=-1)
    assert overlap.sum() > 0
    lungs = np.logical_or(masks[..., 0], masks[..., 1])
    assert lungs.sum() == masks.sum() - overlap.sum()
    # The trap: the sum of the two files as they are wraps around, and overlap is no longer the brightest value.
    added = read_grey(case.left_mask) + read_grey(case.right_mask)
    assert set(added[overlap == 1]) == {254}
    half = read_grey(case.left_mask) // 2 + 1 + read_grey(case.right_mask) // 2 + 1
    assert half[overlap == 1].max() == 0


# --- resizing ---


def test_resize_shapes_types_and_values():
    image = np.random.default_rng(0).integers(0, 256, (100, 130), dtype=np.uint8)
    masks = np.stack([ellipse(100, 130, 0.3), ellipse(100, 130, 0.7)], axis=-1)
    for size in (32, 100, 113, 200):
        small, small_masks = resize_image(image, size), resize_masks(masks, size)
        assert small.shape == (size, size) and small.dtype == np.uint8
        assert small_masks.shape == (size, size, 2) and small_masks.dtype == np.uint8
        assert set(np.unique(small_masks)) == {0, 1}


def test_resize_takes_the_mean_when_shrinking():
    image = np.array([[0, 100], [200, 100]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    np.testing.assert_array_equal(resize_image(image, 2), [[0, 100], [200, 100]])
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 32))  # finer than the new pixels: no stripes may be left
    np.testing.assert_array_equal(resize_image(stripes, 16), np.full((16, 16), 100))


def test_resize_is_smooth_when_enlarging():
    ramp = np.tile(np.array([0, 80, 160, 240], np.uint8), (4, 1))
    assert len(np.unique(resize_image(ramp, 16))) > 4


def test_nearest_shifts_masks_and_resize_masks_does_not():
    large = np.stack([ellipse(1024, 1024, 0.3), ellipse(1024, 1024, 0.7)], axis=-1)
    truth = np.stack([ellipse(128, 128, 0.3), ellipse(128, 128, 0.7)], axis=-1)
    area, nearest = resize_masks(large, 128), cv2.resize(large, (128, 128), interpolation=cv2.INTER_NEAREST)
    assert dice(area, truth) > 0.998
    assert dice(nearest, truth) < dice(area, truth) - 0.005

    def shift(masks):  # of the centroid, in new pixels
        return np.argwhere(masks[..., 0]).mean(axis=0) - np.argwhere(truth[..., 0]).mean(axis=0)

    assert np.abs(shift(area)).max() < 0.05
    assert shift(nearest) == pytest.approx([0.44, 0.44], abs=0.1)  # half an old pixel less than half a new one


def test_enlarged_masks_do_not_move_either():
    masks = np.stack([ellipse(64, 64, 0.3), ellipse(64, 64, 0.7)], axis=-1)
    truth = np.stack([ellipse(256, 256, 0.3), ellipse(256, 256, 0.7)], axis=-1)
    assert dice(resize_masks(masks, 256), truth) > 0.98


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


def test_arrays(tiny_set, tmp_path):
    cases = find_cases(tiny_set)
    arrays = load_arrays(cases, 32, tmp_path / "new" / "cache")
    assert arrays.ids == [case.id for case in cases]
    assert arrays.images.shape == (6, 32, 32) and arrays.images.dtype == np.uint8
    assert arrays.masks.shape == (6, 32, 32, 2) and arrays.masks.dtype == np.uint8
    for row, case in enumerate(cases):
        np.testing.assert_array_equal(arrays.images[row], resize_image(read_grey(case.image), 32))
        np.testing.assert_array_equal(arrays.masks[row], resize_masks(read_masks(case), 32))


def test_decoded_once_and_kept_in_one_file(tiny_set, tmp_path, decodes):
    cases, cache = find_cases(tiny_set), tmp_path / "cache"
    first = load_arrays(cases, 32, cache)
    second = load_arrays(find_cases(tiny_set), 32, str(cache))
    assert decodes == [32]
    assert same(first, second) and type(second.ids[0]) is str
    assert [path.suffix for path in cache.iterdir()] == [".npz"]
    second.images[0] = 0  # the caller may write to them without touching the cache
    assert same(first, load_arrays(cases, 32, cache))


def test_some_of_the_cases_are_taken_from_the_cache_in_the_order_asked_for(tiny_set, tmp_path, decodes):
    cases = find_cases(tiny_set)
    everything = load_arrays(cases, 32, tmp_path / "cache")
    some = load_arrays([cases[4], cases[1]], 32, tmp_path / "cache")
    assert decodes == [32]
    assert some.ids == [cases[4].id, cases[1].id]
    np.testing.assert_array_equal(some.images, everything.images[[4, 1]])
    np.testing.assert_array_equal(some.masks, everything.masks[[4, 1]])


def test_a_part_of_the_arrays(tiny_set, tmp_path):
    arrays = load_arrays(find_cases(tiny_set), 32, tmp_path / "cache")
    part = arrays.part(["TINY_0005_1", "TINY_0002_0"])
    assert part.ids == ["TINY_0005_1", "TINY_0002_0"]
    np.testing.assert_array_equal(part.images, arrays.images[[4, 1]])
    np.testing.assert_array_equal(part.masks, arrays.masks[[4, 1]])
    with pytest.raises(ValueError, match="is not in list"):
        arrays.part(["TINY_0099_0"])


def new_time(path):
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def new_content(path):
    status = path.stat()
    mask = read_grey(path)
    mask[30:34] = mask[31]
    write_png(path, mask)
    with path.open("ab") as file:  # another size whatever the compression made of it
        file.write(b"\0")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [new_time, new_content])
@pytest.mark.parametrize("part", ["CXR_png", "ManualMask/leftMask", "ManualMask/rightMask"])
def test_a_changed_file_is_decoded_again(tiny_set, tmp_path, decodes, part, change):
    load_arrays(find_cases(tiny_set), 32, tmp_path / "cache")
    change(tiny_set / part / "TINY_0003_1.png")
    for _ in range(2):
        load_arrays(find_cases(tiny_set), 32, tmp_path / "cache")
    assert decodes == [32, 32]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_new_case_is_decoded(tiny_set, tmp_path, decodes):
    cases = find_cases(tiny_set)
    load_arrays(cases[:5], 32, tmp_path / "cache")
    assert load_arrays(cases, 32, tmp_path / "cache").ids == [case.id for case in cases]
    assert decodes == [32, 32]


def test_another_path_size_or_reader_is_decoded(tiny_set, tmp_path, decodes, monkeypatch):
    cache = tmp_path / "cache"
    load_arrays(find_cases(tiny_set), 32, cache)
    load_arrays(find_cases(tiny_set), 16, cache)
    assert decodes == [32, 16]
    moved = tiny_set.rename(tiny_set.with_name("moved"))
    load_arrays(find_cases(moved), 32, cache)
    assert decodes == [32, 16, 32]
    monkeypatch.setattr(images, "READER_VERSION", images.READER_VERSION + 1)
    load_arrays(find_cases(moved), 32, cache)
    assert decodes == [32, 16, 32, 32]


def test_sets_of_the_same_name_do_not_share_a_file(tmp_path, decodes):
    for place in ("a", "b"):
        cases = find_cases(write_set(tmp_path / place / "tiny", 2, 32, 32))
        for _ in range(2):
            load_arrays(cases, 16, tmp_path / "cache")
    assert decodes == [16, 16]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_relative_path_finds_the_same_cache(tiny_set, tmp_path, decodes, monkeypatch):
    load_arrays(find_cases(tiny_set), 32, tmp_path / "cache")
    monkeypatch.chdir(tiny_set.parent)
    load_arrays(find_cases("tiny"), 32, "cache")
    monkeypatch.chdir(tiny_set)
    load_arrays(find_cases("."), 32, "../cache")
    load_arrays(find_cases("../tiny"), 32, "../cache")
    assert decodes == [32]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"not a cache",
        flipped,
    ],
    ids=["empty", "half", "one byte short", "text", "a flipped byte"],
)
def test_a_spoiled_cache_is_made_again(tiny_set, tmp_path, decodes, spoil):
    cases, cache = find_cases(tiny_set), tmp_path / "cache"
    first = load_arrays(cases, 32, cache)
    (path,) = cache.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    assert same(first, load_arrays(cases, 32, cache))
    assert same(first, load_arrays(cases, 32, cache))
    assert decodes == [32, 32]


def test_a_cache_with_other_contents_is_made_again_and_never_unpickled(tiny_set, tmp_path, decodes):
    cases, cache = find_cases(tiny_set), tmp_path / "cache"
    first = load_arrays(cases, 32, cache)
    (path,) = cache.iterdir()
    with np.load(path) as file:
        content = dict(file)
    for name, other in [("images", content["images"][:, :5]), ("masks", np.array([{}], dtype=object))]:
        np.savez(path, **{**content, name: other})
        assert same(first, load_arrays(cases, 32, cache))
    assert len(decodes) == 3


def test_arrays_are_returned_where_the_cache_cannot_be_written(tiny_set, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="Could not keep the decoded X-rays"):
        assert len(load_arrays(find_cases(tiny_set), 32, tmp_path / "file").ids) == 6


def test_an_interrupted_write_leaves_nothing_behind(tiny_set, tmp_path, monkeypatch):
    def interrupt(file, **arrays):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_arrays(find_cases(tiny_set), 32, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows does not replace a file that is open")
def test_who_reads_the_cache_while_it_is_replaced_sees_the_old_one_whole(tiny_set, tmp_path):
    cases, cache = find_cases(tiny_set), tmp_path / "cache"
    load_arrays(cases[:3], 32, cache)
    (path,) = cache.iterdir()
    with path.open("rb") as reader:
        before = path.read_bytes()
        load_arrays(cases, 32, cache)
        assert path.read_bytes() != before
        assert reader.read() == before


def test_every_file_that_cannot_be_used_is_named_at_once(tiny_set, tmp_path):
    cases = find_cases(tiny_set)
    cases[1].image.write_bytes(b"")
    write_png(cases[3].left_mask, np.zeros((64, 80), np.uint8))
    with pytest.raises(DatasetError, match=r"(?s)2 of 6 cases.*TINY_0002_0.*TINY_0004_0"):
        load_arrays(cases, 32, tmp_path / "cache")


def test_no_cases_and_a_file_that_went_away(tiny_set, tmp_path):
    with pytest.raises(DatasetError, match="No cases"):
        load_arrays([], 32, tmp_path)
    cases = find_cases(tiny_set)
    cases[2].right_mask.unlink()
    with pytest.raises(DatasetError, match="TINY_0003_1"):
        load_arrays(cases, 32, tmp_path / "cache")


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


def test_two_processes_at_once(tiny_set, tmp_path):
    command = [sys.executable, "-W", "error", "-c", TWO_AT_ONCE, str(tiny_set), str(tmp_path / "cache")]
    start = str(time.time() + 1.5)
    both = [subprocess.Popen([*command, start], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npz"]


def speed_up(cases, size, cache) -> float:
    """How many times faster the cache is than decoding, both measured now."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        load_arrays(cases, size, cache)
        times.append(time.perf_counter() - start)
    ratio = times[0] / np.median(times[1:])
    print(f"decoding {times[0]:.3f} s, cache {np.median(times[1:]):.4f} s, ratio {ratio:.0f}")
    return ratio


def test_the_cache_is_much_faster_than_decoding(tmp_path):
    cases = find_cases(write_set(tmp_path / "large", count=16, height=512, width=512))
    assert speed_up(cases, 64, tmp_path / "cache") > 15


def test_the_cache_is_fifty_times_faster_on_the_real_set(montgomery, tmp_path):
    assert speed_up(find_cases(montgomery), 128, tmp_path / "cache") >= 50


# --- the real set ---


def test_real_masks_lie_on_their_side_and_need_no_mending(montgomery):
    columns = np.arange(512)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for case in find_cases(montgomery):
            masks = read_masks(case)
            left, right = (masks.sum(axis=0) * columns[:, None]).sum(axis=0) / masks.sum(axis=(0, 1))
            assert left < right, case.id
            assert 0.03 < masks[..., 0].mean() < 0.3 and 0.03 < masks[..., 1].mean() < 0.3, case.id
