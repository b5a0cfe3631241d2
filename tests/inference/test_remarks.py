"""One remark on an X-ray whose outline may be wrong, and none on one that is as it should be."""

import csv

import cv2
import numpy as np
import pytest
from shared import ellipse, write_png
from test_xrays import Reader, chest, of

from lungseg_utils.drawing import draw_phantom
from lungseg_utils.inference import remarks, xrays
from lungseg_utils.kept import kept
from lungseg_utils.prediction import load_pretrained

# limits that nothing but what a test is about can pass
LOOSE = {"least_side": 10, "least_shades": 2, "look": 1e9, "lopsided": 1e9, "doubt": 1e9}
FIGURES = kept("remarks.json")


def lungs(height: int = 128, width: int = 128) -> np.ndarray:
    """Two lungs as they stand in a frontal X-ray: narrow above and wide below, the heart between them, (..., 2)."""
    sides = [
        [(0.42, 0.15), (0.3, 0.15), (0.15, 0.7), (0.36, 0.65)],
        [(0.58, 0.15), (0.7, 0.15), (0.85, 0.7), (0.7, 0.65)],
    ]
    masks = np.zeros((2, height, width), np.uint8)
    for mask, points in zip(masks, sides):
        cv2.fillPoly(mask, [np.rint(np.multiply(points, (width, height))).astype(np.int32)], 1)
    return np.stack(list(masks), axis=-1)


def sure(masks: np.ndarray) -> np.ndarray:
    """Probabilities of a network that is sure of these masks."""
    return np.clip(masks.astype(np.float32), 0.001, 0.999)


def picture_of(masks: np.ndarray) -> np.ndarray:
    return np.where(masks.any(axis=-1), 60, 180).astype(np.uint8)


# --- what the file says ---


def test_what_the_file_says():
    for about, said in (
        ({}, ""),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}, ""),
        ({"Modality": "CR", "BodyPartExamined": "Port Chest", "ViewPosition": "AP"}, ""),
        ({"BodyPartExamined": "TORAX", "BurnedInAnnotation": "YES"}, ""),
        ({"Modality": "MR", "BodyPartExamined": "KNEE"}, "the file says MR, KNEE"),
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, "the file says CT"),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "LL"}, "the file says view LL"),
        ({"ViewPosition": "Lateral"}, "the file says view LATERAL"),
        ({"BodyPartExamined": "H" * 200}, "the file says " + "H" * 40),
    ):
        assert remarks.file_remark(about) == said


def test_the_most_telling_remark_comes_first_and_is_plain_ascii(monkeypatch):
    monkeypatch.setattr(remarks, "kept", lambda name: FIGURES | LOOSE)
    masks, raw = lungs(), {"PresentationIntentType": "FOR PROCESSING"}
    fine = sure(masks), picture_of(masks), picture_of(masks)
    nothing = sure(0 * masks), *fine[1:]
    assert remarks.remark(*fine, {}, None) == remarks.remark(*fine, {}, 450.0) == ""
    assert remarks.remark(*fine, raw, None) == remarks.RAW
    assert remarks.remark(*fine, raw, 5000.0) == "lungs of 5000 cm2 are not plausible"
    assert remarks.remark(*nothing, raw, 5000.0) == remarks.NO_LUNG
    assert remarks.remark(*nothing, raw | {"BodyPartExamined": "Schädel"}, None) == "the file says SCH?DEL"


# --- signals ---


def test_doubt_of_known_probabilities():
    probabilities = np.zeros((10, 10, 2), np.float32)
    probabilities[:5, :4, 0] = 1  # sure
    assert remarks.doubt(probabilities) == 0
    probabilities[5, :4, 0] = 0.5  # not above 0.5, so not lung
    assert remarks.doubt(probabilities) == pytest.approx(4 / 20)
    assert remarks.doubt(np.full((10, 10, 2), 0.5)) == pytest.approx(200), "without any lung the area counts as 1"


def test_signals_tell_what_is_above_from_what_is_below():
    masks = lungs()
    upright, fallen = (remarks.signals(sure(each), picture_of(each)) for each in (masks, masks[::-1, ::-1, ::-1]))
    for name in ("wider below", "heart", "walls"):
        assert upright[name] > 0.05 and fallen[name] < -0.05, name
    assert upright["between"] > 1 and upright["rows shared"] > 0.95 and upright["lopsided"] < 0.3
    assert upright["scattered"] == 0 and 0.05 < upright["smaller lung"] < 0.1
    inverted = remarks.signals(sure(masks), 255 - picture_of(masks))
    assert inverted["between"] == pytest.approx(-upright["between"])
    merged = remarks.signals(sure(masks.max(axis=-1, keepdims=True)), picture_of(masks))
    assert merged == pytest.approx({**upright, "doubt": merged["doubt"]}, abs=0.01), "one mask is parted into two lungs"


def test_a_lung_that_is_missing_small_or_doubtful():
    masks, image = lungs(), picture_of(lungs())
    one, small = masks * np.uint8([1, 0]), masks.copy()
    small[:60, :, 1] = 0
    for answer, limits, said in (
        (sure(masks), {}, ""),
        (sure(0 * masks), {}, remarks.NO_LUNG),
        (sure(one), {}, remarks.ONE_LUNG),
        (sure(one.max(axis=-1, keepdims=True)), {}, remarks.ONE_LUNG),
        (sure(small), {"lopsided": 0.4}, remarks.LOPSIDED),
        (np.clip(masks, 0.3, 0.7), {"doubt": 0.9}, remarks.UNSURE),
    ):
        figures = FIGURES | LOOSE | limits
        assert remarks.picture_remark(answer, image, image, figures) == said


def test_pictures_that_are_too_small_or_hardly_differ():
    masks, image = lungs(), picture_of(lungs())
    for file, said in (
        (image[:40, :30], "too small a picture: 30 x 40 px"),
        (np.full((500, 400), 7, np.uint8), "hardly any contrast: 1 shade of grey"),
        (np.tile(np.uint8([100, 101]), (500, 200)), "hardly any contrast: 2 shades of grey"),
    ):
        figures = FIGURES | LOOSE | {"least_side": 32, "least_shades": 3}
        assert remarks.picture_remark(sure(masks), image, file, figures) == said
    spots = np.full((500, 400), 100, np.uint8)
    spots[0, :20] = np.arange(20)
    assert remarks.grey_shades(spots) == 1, "a few letters are no contrast"


# --- the shipped model and its limits ---


def test_the_shipped_model_remarks_on_what_is_no_upright_chest_and_not_on_what_is():
    model = load_pretrained()
    drawn = [draw_phantom(2**40 + 1303 * 2**32 + number, 256).image for number in range(6)]
    noise = np.random.default_rng(1).integers(0, 256, (300, 300), np.uint8)

    def said(image: np.ndarray) -> str:
        return xrays.predict_xray(model, of(np.ascontiguousarray(image)))[1]

    assert sum(said(image) != "" for image in drawn) <= 1
    for look, change in (("inverted", lambda image: 255 - image), ("turned", np.rot90)):
        found = [said(change(image)) for image in drawn]
        assert all(found) and found.count(remarks.LOOKS[look]) >= 5, found
    for image in (noise, np.hstack([drawn[0]] * 2), drawn[1][::-1, ::-1], drawn[2][:, :128], 0 * noise):
        assert said(image)


def test_masks_and_remark_come_from_one_pass():
    class Once(Reader):
        passes = 0

        def predict(self, inputs, **options):
            self.passes += 1
            return super().predict(inputs, **options)

    model, xray = Once(), of(chest(120, 100)[0])
    masks, said = xrays.predict_xray(model, xray)
    assert model.passes == 1 and said and np.array_equal(masks, xrays.segment(model, xray))


# --- where a remark is shown ---


def test_an_overlay_has_its_remark_in_a_bar_that_covers_nothing():
    text = "does not look like an upright frontal chest X-ray"
    for height, width in ((600, 500), (2600, 2000), (60, 90), (30, 5)):
        image, masks = chest(height, width)
        plain, barred = xrays.overlay(image, masks), xrays.overlay(image, masks, text)
        bar = barred[: len(barred) - len(plain)]
        assert np.array_equal(barred[len(bar) :], plain) and barred.shape[1] == plain.shape[1]
        drawn = np.flatnonzero((bar != bar[0, 0]).any(axis=(0, 2)))
        assert len(drawn) and (width < 40 or drawn.max() < width - 1), "the text ends before the edge"


def test_the_table_has_a_column_of_remarks(tmp_path, monkeypatch):
    monkeypatch.setattr(xrays, "remark", lambda *seen: "looks odd" if seen[2].shape[0] == 90 else "")
    for height in (90, 120):
        write_png(tmp_path / f"{height}.png", chest(height, 100)[0])
    rows = xrays.predict_files(Reader(), [tmp_path / "90.png", tmp_path / "120.png"], tmp_path / "out")
    assert [row["remark"] for row in rows] == ["looks odd", None] and not any(row["error"] for row in rows)
    with (tmp_path / "out" / "areas.csv").open(newline="", encoding="utf-8") as file:
        assert [row["remark"] for row in csv.DictReader(file)] == ["looks odd", ""]
    assert xrays.areas_in_words(rows[0]).endswith("Remark: looks odd")
    assert "emark" not in xrays.areas_in_words(rows[1])
    picture = cv2.imread(str(tmp_path / "out" / "90_overlay.png"), cv2.IMREAD_COLOR)
    assert picture.shape[0] > 90 and picture.shape[1] == 100


def test_ellipses_that_overlap_do_no_harm():
    masks = np.stack([ellipse(128, 128, 0.5), ellipse(128, 128, 0.52)], axis=-1)
    for picture in (picture_of(masks), np.zeros((128, 128), np.uint8)):
        measured = remarks.signals(sure(masks), picture)
        assert all(np.isfinite(value) for value in measured.values())
