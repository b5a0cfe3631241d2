"""Scores of hard masks: hand counts, an independent distance, empty masks, intervals, summaries, files."""

import math

import numpy as np
import pytest
from scipy import ndimage, stats

from lungseg_utils import losses, scores
from lungseg_utils.cases import find_cases

TRUE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]], "uint8")
PREDICTED = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 0]], "uint8")
EMPTY = np.zeros((4, 4), "uint8")
COUNTED = {"dice": 0.6, "iou": 3 / 7, "precision": 0.75, "recall": 0.5}
NOTHING, NOTHING_AT_ALL = dict.fromkeys(COUNTED, 0), dict.fromkeys(COUNTED, 1)


def square(left: int) -> np.ndarray:
    mask = np.zeros((48, 48), "uint8")
    mask[10:30, left : left + 20] = 1
    return mask


def blobs(seed: int) -> np.ndarray:
    """A few smooth random blobs, some at the edge of the picture, some with holes."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 40)), 3)
    return (noise > np.quantile(noise, 0.7)).astype("uint8")


def rim(mask: np.ndarray) -> np.ndarray:
    return mask.astype(bool) & ~ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1))


def test_hand_counted_masks_of_any_type():
    for convert in (lambda m: m, lambda m: 255 * m, lambda m: m.astype(bool), lambda m: m.astype("float32")):
        found = {name: getattr(scores, name)(convert(TRUE), convert(PREDICTED)) for name in COUNTED}
        assert found == pytest.approx(COUNTED)
        assert len(scores.outline(convert(TRUE))) == 6


def test_the_four_fit_together_and_hard_dice_of_keras_is_the_same():
    for seed in range(5):
        a, b = blobs(seed), blobs(seed + 100)
        i, p, r = scores.iou(a, b), scores.precision(a, b), scores.recall(a, b)
        assert scores.dice(a, b) == pytest.approx(2 * i / (1 + i)) == pytest.approx(2 * p * r / (p + r))
        assert scores.dice(a, b) == scores.dice(b, a) and p == scores.recall(b, a)
        keras_dice = losses.hard_dice(*(mask[np.newaxis, ..., np.newaxis].astype("float32") for mask in (a, b)))
        assert float(keras_dice[0]) == pytest.approx(scores.dice(a, b), abs=1e-6)


def test_outlines_and_distances_agree_with_the_distance_transform():
    for seed, spacing in ((seed, spacing) for seed in range(6) for spacing in ((1.0, 1.0), (0.4, 1.3))):
        a, b = blobs(seed), blobs(seed + 50)
        np.testing.assert_array_equal(scores.outline(a), np.argwhere(rim(a)))
        to_a, to_b = (ndimage.distance_transform_edt(~rim(mask), sampling=spacing) for mask in (a, b))
        expected = np.concatenate([to_b[rim(a)], to_a[rim(b)]])
        np.testing.assert_allclose(scores.outline_distances(a, b, spacing), expected, atol=1e-9)


def test_hand_counted_distances():
    # Two squares of 20 x 20 px, one 3 px further right: 76 outline pixels each. Further than 2 px from the other
    # outline are all 20 of the side that sticks out, and of the side inside the other square the 14 in the middle:
    # three at each end are near the other's top or bottom.
    for mm in (1.0, 0.7):
        distances = scores.outline_distances(square(5), square(8), (mm, mm))
        assert len(distances) == 2 * 76 and scores.nsd(distances, 2.01 * mm) == 42 / 76
        assert scores.assd(distances) == pytest.approx(1.5 * mm) and scores.hd95(distances) == pytest.approx(3 * mm)
    assert scores.hd95(np.arange(101)) == 95 and scores.assd(np.array([0, 0, 3])) == 1
    limits = np.array([0, 1, 2, 2.01])
    assert scores.nsd(limits) == 0.75 and scores.nsd(limits, tolerance_mm=0.5) == 0.25


def test_empty_masks_count():
    far = dict(assd_mm=20, hd95_mm=20, nsd=0)  # nothing is further away than the diagonal
    spacing = (3.0, 4.0)
    assert scores.score_masks(EMPTY, EMPTY, spacing) == NOTHING_AT_ALL | dict(assd_mm=0, hd95_mm=0, nsd=1)
    assert scores.score_masks(EMPTY, TRUE, spacing) == scores.score_masks(TRUE, EMPTY, spacing) == NOTHING | far
    unknown = dict.fromkeys(("assd_mm", "hd95_mm", "nsd"), math.nan)
    assert scores.score_masks(TRUE, PREDICTED, None) == pytest.approx(COUNTED | unknown, nan_ok=True)


def test_an_empty_prediction_makes_every_mean_worse():
    good, bad = (scores.score_masks(TRUE, predicted, (1.0, 1.0)) for predicted in (PREDICTED, EMPTY))
    summary = scores.summarise({"patient": str(n), "lung": "both", **row} for n, row in enumerate((good, bad)))
    for measure in scores.MEASURES:
        spread = summary["both"][measure]
        assert (spread["n"], spread["missed"]) == (2, 1) and spread["worst"] == bad[measure] != good[measure]
    assert "missed altogether in 1 of 2 images" in scores.format_summary(summary)


def test_a_row_per_lung_and_one_for_both(tiny_set):
    case = find_cases(tiny_set)[0]
    true, predicted = np.stack([TRUE, np.roll(TRUE, 1, axis=0)], axis=-1), np.stack([PREDICTED, EMPTY], axis=-1)
    rows = scores.score_case(case, true, predicted, (1.0, 1.0))
    assert [row["lung"] for row in rows] == ["viewer's left", "viewer's right", "both"]
    assert [row["dice"] for row in rows] == [0.6, 0, scores.dice(true.max(-1), PREDICTED)]
    about = {"id": case.id, "patient": case.patient, "finding": case.finding, "sex": case.sex, "age": case.age}
    assert all(row.keys() == {"lung", *scores.MEASURES, *about} and about.items() <= row.items() for row in rows)
    merged = scores.score_case(case, true, true.max(-1)[..., np.newaxis], (1.0, 1.0))
    assert [(row["lung"], row["dice"]) for row in merged] == [("both", 1)], "a model that merges the lungs"


def interval(values, patients) -> tuple[float, float]:
    return scores.bootstrap_interval(values, [str(patient) for patient in patients])


def test_interval_over_patients():
    values = np.random.default_rng(1).normal(0.97, 0.02, 100)
    textbook = stats.norm.interval(0.95, values.mean(), values.std(ddof=1) / 10)
    assert interval(values, range(100)) == pytest.approx(textbook, abs=0.0006)
    assert interval(values, range(100)) == interval(values, range(100)), "the same seed"
    few, five = values[:20], np.repeat(values[:20], 5)
    alone, repeated, by_image = (
        interval(few, range(20)),
        interval(five, np.arange(100) // 5),
        interval(five, range(100)),
    )
    assert repeated == pytest.approx(alone, abs=0.0007), "five looks at each patient do not narrow the interval"
    assert by_image[1] - by_image[0] < 0.6 * (repeated[1] - repeated[0])
    low, high = interval([1.0] * 90 + [0.0] * 10, [*np.repeat(range(10), 9), *range(10, 20)])
    assert low < 0.9 < high, "a patient with more images weighs more"
    assert interval([0.25, 0.75], ["same", "same"]) == (0.5, 0.5)


def rows_of(lung: str = "both", **measures) -> list[dict]:
    """Rows with the given values; measures that are not given are NaN."""
    unknown = dict.fromkeys(scores.MEASURES, math.nan)
    rows = (dict(zip(measures, values)) for values in zip(*measures.values()))
    return [{"id": f"C{i}", "patient": f"P{i}", "lung": lung, **unknown, **row} for i, row in enumerate(rows)]


def test_summary_and_the_direction_of_worst():
    values = np.linspace(0, 1, 21)
    summary = scores.summarise(rows_of(dice=values, hd95_mm=10 * values, assd_mm=values))
    assert list(summary) == ["both"] and summary["both"]["assd_mm"]["worst"] == 1
    dice, hd95 = summary["both"]["dice"], summary["both"]["hd95_mm"]
    expected = dict(n=21, missed=1, mean=0.5, sd=values.std(ddof=1), median=0.5, p5=0.05, worst=0.0)
    assert {name: dice[name] for name in expected} == pytest.approx(expected)
    expected |= dict(mean=5.0, sd=10 * values.std(ddof=1), median=5.0, p5=9.5, worst=10.0)
    assert {name: hd95[name] for name in expected} == pytest.approx(expected)
    assert dice["low"] < dice["mean"] < dice["high"]


def test_summary_of_what_is_known_and_its_table():
    left = rows_of("viewer's left", dice=[0.1, 0.9, 0.8], assd_mm=[math.nan, 1.0, 2.0])
    summary = scores.summarise(iter(left + rows_of("viewer's right", dice=[0.9])))
    assert [(lung, list(measures)) for lung, measures in summary.items()] == [
        ("viewer's left", ["dice", "assd_mm"]),  # hd95_mm: nothing to summarise
        ("viewer's right", ["dice"]),
    ]
    assert summary["viewer's left"]["assd_mm"]["n"] == 2 and summary["viewer's left"]["dice"]["n"] == 3
    same = dict.fromkeys(("mean", "median", "p5", "worst", "low", "high"), 0.9)
    assert summary["viewer's right"]["dice"] == dict(n=1, missed=0, sd=0.0, **same)
    table = [line.split() for line in scores.format_summary(summary).splitlines()]
    assert table[0] == "lung measure n mean SD median p5 worst".split()
    assert table[1:] == [
        "viewer's left dice 3 0.6000 0.4359 0.8000 0.1700 0.1000".split(),
        "viewer's left assd_mm 2 1.5000 0.7071 1.5000 1.9500 2.0000".split(),
        "viewer's right dice 1 0.9000 0.0000 0.9000 0.9000 0.9000".split(),
    ]


def test_rows_come_back_from_the_file_as_they_were(tmp_path, monkeypatch):
    about = [{"fold": 1, "finding": 1, "age": 30}, {"fold": 2, "finding": 0, "age": None}]
    rows = [known | row for known, row in zip(about, rows_of(dice=[0.9, 0.1 + 0.2]))]
    scores.write_scores(rows, tmp_path / "scores.csv")
    assert str(scores.read_scores(tmp_path / "scores.csv")) == str(rows)
    named = [row | {"id": name} for row, name in zip(rows, ("=1+1", "-5"))]
    scores.write_scores(named, tmp_path / "named.csv")
    assert str(scores.read_scores(tmp_path / "named.csv")) == str(named)
    text = (tmp_path / "named.csv").read_text()
    assert "'=1+1" in text and "'-5" in text, "a spreadsheet computes nothing"
    monkeypatch.setattr(scores, "MEASURES", (*scores.MEASURES, "younger"))
    assert all(math.isnan(row["younger"]) for row in scores.read_scores(tmp_path / "scores.csv"))
