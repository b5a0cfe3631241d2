"""Any X-ray file in, masks at its own size, an overlay and areas out."""

import csv
import os
import time
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from scipy.special import expit
from shared import ellipse, write_png
from test_dicom import write_dicom

from lungseg_utils import unet
from lungseg_utils.cases import DatasetError
from lungseg_utils.images import read_grey, resize_image
from lungseg_utils.inference import xrays
from lungseg_utils.scores import dice

SHADES = {"outside": 128, "left": 255, "right": 50}


class Reader:
    """Stands for a model: it finds what is brighter than `outside` on one channel, and what is darker on the other.

    The log-odds of its answer at a pixel grow with the share of it that is covered, and are 0 at one half. So a mistake
    in its masks is one in their place.
    """

    def __init__(self, size: int = 128, masks: int = 2):
        self.input_shape, self.output_shape = (None, size, size, 1), (None, size, size, masks)

    def predict(self, inputs, **_):
        self.seen = inputs[0, ..., 0]
        assert inputs.shape == (1, *self.input_shape[1:]) and inputs.max() <= 1
        left, right = (
            np.clip((255 * inputs - SHADES["outside"]) / (SHADES[side] - SHADES["outside"]), 0, 1)
            for side in ("left", "right")
        )
        both = expit(8 * (np.concatenate([left, right], axis=-1) - 0.5))
        return both if self.output_shape[-1] == 2 else both.max(axis=-1, keepdims=True)


def chest(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of two ellipses that differ in size and place, the bright one on the left, and their masks."""
    masks = np.stack([ellipse(height, width, 0.28, y=0.45, b=0.35), ellipse(height, width, 0.7, y=0.6, a=0.2)], axis=-1)
    image = np.full((height, width), SHADES["outside"], np.uint8)
    image[masks[..., 0] > 0], image[masks[..., 1] > 0] = SHADES["left"], SHADES["right"]
    return image, masks


def of(image: np.ndarray, spacing_mm=None) -> xrays.XRay:
    return xrays.XRay("somewhere.png", image, spacing_mm)


def read_png(path) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


# --- one file ---


def test_a_picture_and_a_dicom_file_give_the_same_xray(tmp_path):
    image, _ = chest(60, 48)
    picture = write_png(tmp_path / "Röntgen 胸.png", image)
    data = picture.read_bytes()
    stated = png_chunk(b"pHYs", (3937).to_bytes(4, "big") * 2 + b"\1")  # 100 dots per inch, of a screen or a printer
    picture.write_bytes(data[:33] + stated + data[33:])
    xray = xrays.read_xray(picture)
    hospital = xrays.read_xray(write_dicom(tmp_path / "no suffix", image, 8, ImagerPixelSpacing=[4, 3]))
    assert np.array_equal(xray.image, image) and np.array_equal(hospital.image, image)
    assert xray.spacing_mm is None and hospital.spacing_mm == (4, 3) and xray.path == picture


def test_a_file_that_is_missing_or_claims_to_be_huge_is_named(tmp_path):
    head = png_chunk(b"IHDR", (60_000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0")
    parts = head, png_chunk(b"IDAT", zlib.compress(bytes(100))), png_chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    for name in ("gone.png", "gone.dcm", "bomb.png"):
        with pytest.raises(DatasetError, match=name):
            xrays.read_xray(tmp_path / name)


def test_a_spacing_that_no_chest_has_gives_no_area_and_says_why(tmp_path):
    image, masks = chest(120, 100)
    for spacing, words in (
        ([2, 2], "cm²"),
        ([1.3, 1.3], "cm²"),
        ([1, 1], "1 mm per pixel is what programs write"),
        ([0.143, 0.143], "0.143 x 0.143 mm per pixel the whole picture would be less than 15 cm"),
        ([9, 9], "more than 60 cm"),
        ([1e308, 1e308], "more than 60 cm"),
        ([1, 3], "shape would be another"),
        (None, "does not say"),
    ):
        xray = xrays.read_xray(write_dicom(tmp_path / "chest.dcm", image, 8, PixelSpacing=spacing))
        values = xrays.measure(xray, masks)
        assert words in xrays.areas_in_words(values), spacing
        assert ("both_cm2" in values) == ("row_mm" in values) == (words == "cm²"), spacing
        assert bool(xray.unmeasured) == (words not in ("cm²", "does not say"))
    assert xrays.with_spacing(xray, (2, 2)).spacing_mm == (2, 2)
    assert xrays.with_spacing(xray, (9, 9)).unmeasured and not xrays.with_spacing(xray, (9, 9)).spacing_mm


def test_the_shades_of_a_washed_out_picture_are_spread_before_it_is_scaled():
    model = Reader(size=64)
    ramp = np.add.outer(np.arange(512), np.arange(512)) / 1022  # 0 to 1
    xrays.segment(model, of((ramp * 255).astype(np.uint8)))
    plain = model.seen
    for low, span in ((100, 30), (0, 60), (180, 75)):
        xrays.segment(model, of(np.rint(low + ramp * span).astype(np.uint8)))
        assert np.abs(model.seen - plain).max() < 0.06 and len(np.unique(model.seen)) > span + 1, "without steps"
    for image in ((ramp * 200).astype(np.uint8), np.full((512, 512), 90, np.uint8)):
        xrays.segment(model, of(image))
        assert np.array_equal(np.rint(model.seen * 255), resize_image(image, 64)), "others are as in training"


def test_masks_lie_where_the_picture_has_them_at_any_size_and_aspect():
    sizes = [
        (128, 128),
        (600, 500),
        (489, 402),
        (300, 404),
        (300, 410),
        (100, 1000),
        (1000, 100),
        (90, 60),
        (3000, 700),
    ]
    for height, width in sizes:
        image, true = chest(height, width)
        masks = xrays.segment(Reader(), of(image))
        assert masks.shape == (height, width, 2) and masks.dtype == np.uint8 and set(np.unique(masks)) == {0, 1}
        for channel in range(2):
            both = true[..., channel], masks[..., channel]
            shift = np.subtract(*(np.argwhere(mask).mean(axis=0) for mask in both))
            assert dice(*both) > 0.97 and np.abs(shift).max() < 0.01 * max(height, width), (height, width)


def test_the_model_sees_what_it_saw_in_training_and_long_pictures_with_black_borders():
    model, (image, _) = Reader(), chest(600, 500)
    xrays.segment(model, of(image))
    assert np.array_equal(np.rint(model.seen * 255), resize_image(image, 128))
    for height, width in ((100, 1000), (1000, 100), (500, 700)):
        xrays.segment(model, of(np.full((height, width), 200, np.uint8)))
        seen = model.seen > 0
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        assert seen.sum() == len(rows) * len(columns) and max(len(rows), len(columns)) == 128
        squashed = (len(rows) / height) / (len(columns) / width)
        assert max(squashed, 1 / squashed) == pytest.approx(xrays.MAX_ASPECT, rel=0.04)
        assert abs((rows[0] + rows[-1]) - 127) <= 1 and abs((columns[0] + columns[-1]) - 127) <= 1, "in the middle"


def test_pictures_of_a_line_or_a_point_do_no_harm():
    for height, width in ((1, 1), (1, 700), (700, 1), (2, 3), (2, 40_000)):
        image = np.full((height, width), 255, np.uint8)
        masks = xrays.segment(Reader(), of(image))
        assert masks.shape == (height, width, 2) and masks[..., 0].all() and not masks[..., 1].any()
        assert max(xrays.overlay(image, masks).shape[:2]) == min(1024, max(height, width))


def test_models_of_the_recipes_are_taken_and_others_refused():
    for inputs, outputs in ((1, 2), (3, 1), (3, 2)):
        model = unet.build_unet(32, input_channels=inputs, output_channels=outputs, base_filters=2, depth=2)
        assert xrays.segment(model, of(chest(50, 40)[0])).shape == (50, 40, outputs)
    for size, outputs in (((32, 32), 3), ((32, 48), 2), ((None, None), 1)):
        model = Reader(masks=outputs)
        model.input_shape = (None, *size, 1)
        with pytest.raises(DatasetError, match="model takes"):
            xrays.segment(model, of(chest(50, 40)[0]))


def test_areas_of_known_rectangles():
    masks = np.zeros((400, 300, 2), np.uint8)
    masks[100:300, 20:120, 0] = 1  # 200 rows and 100 columns
    masks[100:200, 100:220, 1] = 1  # 100 rows and 120 columns; 20 of them are in the other as well
    areas = xrays.lung_areas(masks, (0.5, 0.25))
    assert areas == pytest.approx({"viewer's left": 25.0, "viewer's right": 15.0, "both": 37.5})  # 10 cm x 2.5 cm ...
    assert xrays.lung_areas(masks[..., :1], (0.5, 0.25)) == pytest.approx({"both": 25.0})
    assert xrays.lung_areas(masks, None) is None


def test_overlay_draws_one_solid_and_one_dashed_outline():
    image, masks = chest(600, 500)
    picture = xrays.overlay(image, masks)
    assert picture.shape == (600, 500, 3) and picture.dtype == np.uint8
    shares = []
    for channel, colour in enumerate(xrays.OUTLINES):
        drawn = (picture == colour).all(axis=-1).astype(np.uint8)
        edge = cv2.morphologyEx(masks[..., channel], cv2.MORPH_GRADIENT, np.ones((3, 3)))
        assert not (drawn & ~cv2.dilate(edge, np.ones((5, 5)))).any(), "nothing lies far from the edge"
        shares.append((cv2.dilate(drawn, np.ones((3, 3))) & edge).sum() / edge.sum())
    assert shares[0] > 0.99 and 0.4 < shares[1] < 0.75, "all of the first edge, and half of the second"
    far = ~cv2.dilate(masks.max(axis=-1), np.ones((15, 15))).astype(bool)
    assert (picture[far] == SHADES["outside"]).all(), "the X-ray is left as it is"
    assert np.array_equal(xrays.overlay(image, 0 * masks), np.stack([image] * 3, axis=-1))
    for height, width in ((2600, 2000), (1024, 1024), (400, 3000), (30, 40)):
        image, masks = chest(height, width)
        scale = min(1, 1024 / max(height, width))
        picture = xrays.overlay(image, masks)
        assert picture.shape == (round(height * scale), round(width * scale), 3), "a large file is scaled down"
        assert all((picture == colour).all(axis=-1).any() for colour in xrays.OUTLINES)
        assert (xrays.overlay(image, masks[..., :1]) == xrays.OUTLINES[0]).all(axis=-1).any()


# --- many files ---


@pytest.fixture
def inputs(tmp_path):
    """A folder of X-rays: two share a name, one is damaged, one is a note, one is hidden."""
    folder = tmp_path / "in"
    image, _ = chest(120, 100)
    write_png(folder / "chest.png", image)
    write_png(folder / "胸.PNG", image)
    write_dicom(folder / "Chest.dcm", image, 8, PixelSpacing=[2, 2])
    write_dicom(folder / "1.2.840.5", image, 8, PixelSpacing=[2, 2])
    (folder / "broken.png").write_bytes((folder / "chest.png").read_bytes()[:-50])
    (folder / "notes.txt").write_text("not an X-ray")
    (folder / "._chest.png").write_text("left by macOS")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    return folder


def test_predict_files_writes_masks_overlays_and_a_table(inputs, tmp_path):
    out = tmp_path / "new" / "out"
    rows = xrays.predict_files(Reader(), [inputs, inputs / "chest.png"], out)
    assert {row["file"]: (row["name"], bool(row["error"])) for row in rows} == {
        str(inputs / "1.2.840.5"): ("1.2.840.5", False),
        str(inputs / "Chest.dcm"): ("Chest", False),
        str(inputs / "broken.png"): ("broken", True),
        str(inputs / "chest.png"): ("chest_2", False),  # Chest and chest are one file on some systems
        str(inputs / "胸.PNG"): ("胸", False),
    }
    assert len(rows) == 5, "a file given twice is segmented once"
    (image, true), expected = chest(120, 100), {"areas.csv"}
    for name in (row["name"] for row in rows if not row["error"]):
        for channel, side in enumerate(("viewers_left", "viewers_right")):
            mask = read_png(out / f"{name}_{side}.png")
            assert mask.shape == (120, 100) and set(np.unique(mask)) == {0, 255}
            assert dice(true[..., channel], mask) > 0.97
        picture = read_png(out / f"{name}_overlay.png")[..., ::-1]
        assert np.array_equal(picture, xrays.overlay(image, *xrays.predict_xray(Reader(), of(image))))
        expected |= {f"{name}_{what}.png" for what in ("viewers_left", "viewers_right", "overlay")}
    assert {path.name for path in out.iterdir()} == expected

    with (out / "areas.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [{name: "" if row[name] is None else str(row[name]) for name in row} for row in rows] == table
    known, unknown = ({row["name"]: row for row in table}[name] for name in ("Chest", "chest_2"))
    assert float(known["viewers_left_cm2"]) == pytest.approx(true[..., 0].sum() * 0.04, rel=0.02)
    assert float(known["both_cm2"]) == pytest.approx(true.any(axis=-1).sum() * 0.04, rel=0.02)
    assert known["row_mm"] == "2.0" and known["width_px"] == "100" and known["height_px"] == "120"
    assert unknown["viewers_left_cm2"] == unknown["both_cm2"] == unknown["row_mm"] == ""


def test_bad_files_and_a_spacing_given_by_hand(inputs, tmp_path):
    files = [tmp_path / "gone.png", *(inputs / name for name in ("broken.png", "notes.txt", "chest.png", "Chest.dcm"))]
    rows = xrays.predict_files(Reader(), files, tmp_path / "out", spacing_mm=4)
    for row, path in zip(rows[:3], files):
        assert path.name in row["error"] and row["width_px"] is None
    assert [(row["error"], row["row_mm"]) for row in rows[3:]] == [(None, 4), (None, 2)]
    assert rows[3]["both_cm2"] == pytest.approx(4 * rows[4]["both_cm2"], rel=0.001)
    assert "cm²" in xrays.areas_in_words(rows[3]) and "100 x 120 px" in xrays.areas_in_words(rows[3])
    [row] = xrays.predict_files(Reader(), files[3:4], tmp_path / "far", spacing_mm=9)
    assert "more than 60 cm" in row["unmeasured"] and row["both_cm2"] is None and rows[3]["unmeasured"] is None


def test_whatever_happens_to_a_file_is_its_own_row(inputs, tmp_path, monkeypatch):
    files = [inputs / "chest.png", inputs / "broken.png", inputs / "Chest.dcm"]
    for error in (RuntimeError("out of\nluck"), MemoryError(), RecursionError("deep"), OSError(28, "No space")):

        def fail(path, error=error):
            if path.name == "broken.png":
                raise error
            return of(chest(120, 100)[0])

        monkeypatch.setattr(xrays, "read_xray", fail)
        rows = xrays.predict_files(Reader(), files, tmp_path / type(error).__name__)
        assert [bool(row["error"]) for row in rows] == [False, True, False]
        assert "broken.png" in rows[1]["error"] and type(error).__name__ in rows[1]["error"]
        assert rows[1]["error"].isprintable()
    for error in (KeyboardInterrupt(), RuntimeError("UnknownError: KeyboardInterrupt:")):
        with pytest.raises(KeyboardInterrupt):
            xrays.failure(error, files[0]) if isinstance(error, Exception) else None
            monkeypatch.setattr(xrays, "read_xray", lambda path, error=error: (_ for _ in ()).throw(error))
            xrays.predict_files(Reader(), files, tmp_path / "stopped")


def test_a_stopped_run_goes_on_where_it_was(inputs, tmp_path, monkeypatch):
    files, out, read = [inputs / "Chest.dcm", inputs / "broken.png", inputs / "chest.png"], tmp_path / "out", []
    usual = xrays.read_xray

    def stop(path):
        read.append(path)
        if len(read) == 3:
            raise KeyboardInterrupt
        return usual(path)

    monkeypatch.setattr(xrays, "read_xray", stop)
    with pytest.raises(KeyboardInterrupt):
        xrays.predict_files(Reader(), files, out)
    with pytest.raises(DatasetError, match="not empty"):
        xrays.predict_files(Reader(), files, out)
    before = (out / "areas.csv").read_bytes()
    with (out / "areas.csv").open("ab") as file:
        file.write(b"half of a row")
    (out / f".chest_overlay.{'0' * 32}.writing.png").touch()
    extra = write_png(tmp_path / "other" / "Chest.png", chest(60, 50)[0])
    rows = xrays.predict_files(Reader(), [extra, *files], out, go_on=True)
    assert read[3:] == [extra, inputs / "chest.png"], "what is in the table is not read again"
    assert [row["name"] for row in rows] == ["Chest_2", "Chest", "broken", "chest_3"]
    assert [row.get("done") for row in rows] == [None, True, True, None]
    assert (out / "areas.csv").read_bytes().startswith(before)
    with (out / "areas.csv").open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["Chest", "broken", "Chest_2", "chest_3"]
    assert not list(out.glob(".*"))
    assert xrays.predict_files(Reader(), files, tmp_path / "new", go_on=True)[0]["error"] is None
    (out / "areas.csv").write_text("mine,yours\n1,2\n")
    with pytest.raises(DatasetError, match="areas.csv is not as this version"):
        xrays.predict_files(Reader(), files, out, go_on=True)


NAMES = {
    "=cmd|' -C calc'!A0.png": "_cmd_' -C calc'!A0",
    "@SUM(1).png": "_SUM(1)",
    "\x1b[31mred\x07.png": "_x1b[31mred_x07",
    "two\nlines.png": "two_nlines",
    "con.png": "_con",
    "LPT1.2.png": "_LPT1.2",
    "end. .png": "end",
    "a:b?.png": "a_b_",
    "胸" * 83 + ".png": "胸" * 60,
    os.fsdecode("Müller.png".encode("latin-1")): "M_udcfcller",
}


@pytest.mark.skipif(os.name == "nt", reason="has no such names")
def test_names_of_others_do_no_harm(tmp_path, monkeypatch):
    picture = cv2.imencode(".png", chest(60, 50)[0])[1].tobytes()
    made = {}
    for name, expected in NAMES.items():
        try:
            (tmp_path / "in").mkdir(exist_ok=True)
            (tmp_path / "in" / name).write_bytes(picture)
            made[name] = expected
        except OSError:  # some systems do not take each of them
            continue
    rows = xrays.predict_files(Reader(), [tmp_path / "in"], tmp_path / "out")
    assert sorted(row["name"] for row in rows) == sorted(made.values()) and len(made) > 5
    assert not any(row["error"] for row in rows) and len(list((tmp_path / "out").iterdir())) == 3 * len(made) + 1
    (tmp_path / "in" / "-1+1.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "in")
    xrays.predict_files(Reader(), ["-1+1.png", "=gone.png"], tmp_path / "relative")
    for out in ("out", "relative"):
        table = (tmp_path / out / "areas.csv").read_text(encoding="utf-8")
        assert all(cell.isprintable() for cell in table.splitlines())
        for row in csv.reader(table.splitlines()):
            assert not any(each.startswith(("=", "+", "-", "@")) for each in row), row


def test_a_model_that_merges_the_lungs_gives_one_mask_and_one_area(inputs, tmp_path):
    (row,) = xrays.predict_files(Reader(masks=1), [inputs / "Chest.dcm"], tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"areas.csv", "Chest_lungs.png", "Chest_overlay.png"}
    assert row["viewers_left_cm2"] is None and row["viewers_right_cm2"] is None
    assert row["both_cm2"] == pytest.approx(chest(120, 100)[1].any(axis=-1).sum() * 0.04, rel=0.02)


def test_nothing_is_overwritten_or_made_in_vain(inputs, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.csv").write_text("mine")
    for source, out, message in (
        (inputs / "chest.png", "full", "full is not empty"),
        (inputs / "chest.png", "in/notes.txt", "notes.txt"),
        (tmp_path / "empty", "out", "empty"),
    ):
        with pytest.raises(DatasetError, match=message):
            xrays.predict_files(Reader(), [source], tmp_path / out)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.csv"] and not (tmp_path / "out").exists()


def test_large_files_cost_little_more_than_decoding_them(tmp_path):
    image, _ = chest(2446, 2010)  # a quarter of the pixels of a detector's plate
    noise = np.random.default_rng(0).normal(0, 3, image.shape)  # without it, there is nothing to decode
    path = write_png(tmp_path / "plate.png", np.clip(image + noise, 0, 255).astype(np.uint8))
    model, xray, times = Reader(), of(read_grey(path)), []
    for _ in range(5):
        times.append([time.process_time()])  # of the processor, so that other programs do not count
        for work in (lambda: read_grey(path), lambda: xrays.segment(model, xray)):
            work()
            times[-1].append(time.process_time())
    decoding, segmenting = np.diff(times, axis=1).min(axis=0)
    assert segmenting < 4 * decoding, "0.7 times when it was written; 11 with masks cleaned by numbering their parts"
    tracemalloc.start()
    xrays.segment(model, xray)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9 * image.size, "7 bytes per pixel when it was written: one array of float32 and a few of masks"
