"""Scores of hard masks: shapes with a known answer, an independent distance, empty masks, summaries, files."""

import math

import numpy as np
import pytest
from scipy import ndimage

from lungseg_utils import losses, scores
from lungseg_utils.cases import find_cases

TRUE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]], "uint8")
PREDICTED = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 0]], "uint8")
EMPTY = np.zeros((4, 4), "uint8")


def square(top: int = 10, left: int = 5, side: int = 20, size: int = 48) -> np.ndarray:
    mask = np.zeros((size, size), "uint8")
    mask[top : top + side, left : left + side] = 1
    return mask


def blobs(seed: int, size: int = 40) -> np.ndarray:
    """A few smooth random blobs, never empty."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)
    return (noise > np.quantile(noise, 0.7)).astype("uint8")


def distances_by_transform(true: np.ndarray, predicted: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """The same distances from SciPy's distance transform: outlines by erosion, no k-d tree."""

    def edge(mask):
        return mask.astype(bool) & ~ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1))

    a, b = edge(true), edge(predicted)
    to_a, to_b = (ndimage.distance_transform_edt(~points, sampling=spacing) for points in (a, b))
    return np.concatenate([to_b[a], to_a[b]])


# Overlap


def test_hand_counted_masks():
    assert scores.dice(TRUE, PREDICTED) == 0.6
    assert scores.iou(TRUE, PREDICTED) == pytest.approx(3 / 7)
    assert scores.precision(TRUE, PREDICTED) == 0.75
    assert scores.recall(TRUE, PREDICTED) == 0.5


@pytest.mark.parametrize("convert", [lambda m: 255 * m, lambda m: m.astype(bool), lambda m: m.astype("float32")])
def test_masks_of_any_kind_score_the_same(convert):
    for score in (scores.dice, scores.iou, scores.precision, scores.recall):
        assert score(convert(TRUE), convert(PREDICTED)) == score(TRUE, PREDICTED)


def test_large_byte_masks_do_not_wrap():
    full = np.full((300, 300), 255, "uint8")
    assert scores.dice(full, full) == scores.iou(full, full) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_four_fit_together(seed):
    a, b = blobs(seed), blobs(seed + 100)
    i, p, r = scores.iou(a, b), scores.precision(a, b), scores.recall(a, b)
    assert scores.dice(a, b) == pytest.approx(2 * i / (1 + i)) == pytest.approx(2 * p * r / (p + r))
    assert scores.dice(a, b) == scores.dice(b, a) and scores.precision(a, b) == scores.recall(b, a)


def test_hard_dice_of_keras_is_the_same_score():
    a, b = blobs(3), blobs(4)
    keras_dice = losses.hard_dice(*(mask[np.newaxis, ..., np.newaxis].astype("float32") for mask in (a, b)))
    assert float(keras_dice[0]) == pytest.approx(scores.dice(a, b), abs=1e-6)


# Outlines


def test_outline_is_the_rim():
    mask = square(top=2, left=3, side=5, size=12)
    rim = np.zeros_like(mask)
    rim[tuple(scores.outline(mask).T)] = 1
    expected = mask.copy()
    expected[3:6, 4:7] = 0
    np.testing.assert_array_equal(rim, expected)


def test_outline_at_the_edge_of_the_picture():
    assert len(scores.outline(np.ones((4, 6)))) == 4 * 6 - 2 * 4  # beyond the picture is outside


def test_outline_of_a_ring_has_two_sides():
    ring = square(side=20) - square(top=16, left=11, side=8)
    assert len(scores.outline(ring)) == 4 * 19 + 4 * 8


def test_outline_of_nothing_and_of_one_pixel():
    assert scores.outline(EMPTY).shape == (0, 2)
    one = EMPTY.copy()
    one[1, 2] = 1
    np.testing.assert_array_equal(scores.outline(one), [[1, 2]])


# Distances


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.7), (0.35, 2.0), (3.0, 0.1)])
@pytest.mark.parametrize("down, right", [(0, 3), (3, 0)])
def test_shifted_squares(spacing, down, right):
    a, b = square(), square(top=10 + down, left=5 + right)
    distances = scores.outline_distances(a, b, spacing)
    assert len(distances) == len(scores.outline(a)) + len(scores.outline(b))
    if spacing[0] == spacing[1]:  # counted by hand: 114 px over the 76 outline points of each square
        assert scores.assd(distances) == pytest.approx(1.5 * spacing[0])
        assert distances.max() == scores.hd95(distances) == pytest.approx(3 * spacing[0])
    # the far side's points may find a nearer neighbour around the corner, never a farther one
    assert distances.max() == pytest.approx(3 * spacing[0] if down else 3 * spacing[1])


def test_two_lines():
    a, b = np.zeros((2, 9, 9), "uint8")
    a[2, :] = b[6, :] = 1
    distances = scores.outline_distances(a, b, (0.25, 7.0))
    np.testing.assert_allclose(distances, 1.0)
    assert scores.assd(distances) == scores.hd95(distances) == 1.0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.4, 1.3)])
def test_agrees_with_the_distance_transform(seed, spacing):
    a, b = blobs(seed), blobs(seed + 50)
    ours = scores.outline_distances(a, b, spacing)
    np.testing.assert_allclose(ours, distances_by_transform(a, b, spacing), atol=1e-9)
    assert scores.hd95(ours) <= ours.max()


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_symmetric(seed):
    a, b = blobs(seed), blobs(seed + 9)
    there, back = scores.outline_distances(a, b, (1.0, 2.0)), scores.outline_distances(b, a, (1.0, 2.0))
    assert scores.assd(there) == pytest.approx(scores.assd(back))
    assert scores.hd95(there) == pytest.approx(scores.hd95(back))


def test_identical_masks_have_no_distance():
    distances = scores.outline_distances(blobs(1), blobs(1), (0.7, 0.7))
    assert scores.assd(distances) == scores.hd95(distances) == 0


def test_one_stray_pixel():
    a = square()
    b = a.copy()
    b[47, 47] = 1
    distances = scores.outline_distances(a, b, (1.0, 1.0))
    assert distances.max() == pytest.approx(math.hypot(47 - 29, 47 - 24))
    assert scores.assd(distances) < 0.25 and scores.hd95(distances) == 0
    assert scores.dice(a, b) > 0.99


# Empty masks


def test_empty_masks_count():
    far = dict(assd_mm=math.hypot(4 * 3, 4 * 4), hd95_mm=20, nsd=0)  # nothing is further away than the diagonal
    near = dict(assd_mm=0, hd95_mm=0, nsd=1)
    spacing = (3.0, 4.0)
    assert scores.score_masks(EMPTY, EMPTY, spacing) == dict(dice=1, iou=1, precision=1, recall=1, **near)
    assert scores.score_masks(EMPTY, TRUE, spacing) == dict(dice=0, iou=0, precision=0, recall=0, **far)
    assert scores.score_masks(TRUE, EMPTY, spacing) == dict(dice=0, iou=0, precision=0, recall=0, **far)


def test_an_empty_prediction_makes_every_mean_worse():
    good, bad = (scores.score_masks(TRUE, predicted, (1.0, 1.0)) for predicted in (PREDICTED, EMPTY))
    rows = [{"patient": str(n), "lung": "both", **row} for n, row in enumerate((good, bad))]
    summary = scores.summarise(rows)["both"]
    for measure in scores.MEASURES:
        assert (summary[measure]["n"], summary[measure]["missed"]) == (2, 1)
        assert summary[measure]["worst"] == bad[measure] != good[measure]
    assert "missed altogether in 1 of 2 images" in scores.format_summary({"both": summary})


def test_no_distances_without_a_pixel_size():
    row = scores.score_masks(TRUE, PREDICTED, None)
    assert row["dice"] == 0.6 and math.isnan(row["assd_mm"]) and math.isnan(row["hd95_mm"])


# Rows, summaries, files


@pytest.fixture
def case(tiny_set):
    return find_cases(tiny_set)[0]


def test_a_row_per_lung_and_one_for_both(case):
    true = np.stack([TRUE, np.roll(TRUE, 1, axis=0)], axis=-1)
    predicted = np.stack([PREDICTED, EMPTY], axis=-1)
    rows = scores.score_case(case, true, predicted, (1.0, 1.0))
    assert [row["lung"] for row in rows] == ["viewer's left", "viewer's right", "both"]
    assert [row["id"] for row in rows] == [case.id] * 3
    assert [row["dice"] for row in rows] == [0.6, 0, scores.dice(true.max(-1), PREDICTED)]
    assert set(scores.MEASURES) | {"id", "patient", "lung", "finding", "sex", "age"} == set(rows[0])


def test_only_both_for_a_model_that_merges(case):
    true = np.stack([TRUE, EMPTY], axis=-1)
    rows = scores.score_case(case, true, TRUE[..., np.newaxis], (1.0, 1.0))
    assert [(row["lung"], row["dice"]) for row in rows] == [("both", 1)]


def rows_of(lung: str = "both", **measures) -> list[dict]:
    """Rows with the given values; measures that are not given are NaN."""
    count = len(next(iter(measures.values())))
    return [
        {
            "id": f"C{i}",
            "patient": f"P{i}",
            "lung": lung,
            **{m: measures.get(m, [math.nan] * count)[i] for m in scores.MEASURES},
        }
        for i in range(count)
    ]


def test_summary_and_the_direction_of_worst():
    values = np.linspace(0, 1, 21)
    summary = scores.summarise(rows_of(dice=values.tolist(), hd95_mm=(10 * values).tolist()))
    assert list(summary) == ["both"]
    dice, hd95 = summary["both"]["dice"], summary["both"]["hd95_mm"]
    expected = dict(n=21, missed=1, mean=0.5, sd=values.std(ddof=1), median=0.5, p5=0.05, worst=0.0)
    assert {name: dice[name] for name in expected} == pytest.approx(expected)
    expected |= dict(mean=5.0, sd=10 * values.std(ddof=1), median=5.0, p5=9.5, worst=10.0)
    assert {name: hd95[name] for name in expected} == pytest.approx(expected)
    assert dice["low"] < dice["mean"] < dice["high"]


def test_summary_leaves_out_what_is_not_known_and_counts_the_rest():
    summary = scores.summarise(rows_of(dice=[0.1, 0.9, 0.7], assd_mm=[math.nan, 1.0, 2.0]))["both"]
    assert (summary["assd_mm"]["n"], summary["assd_mm"]["mean"], summary["dice"]["n"]) == (2, 1.5, 3)
    assert "hd95_mm" not in summary  # nothing to summarise


def test_summary_of_one_image():
    same = dict.fromkeys(("mean", "median", "p5", "worst", "low", "high"), 0.9)
    assert scores.summarise(rows_of(dice=[0.9]))["both"]["dice"] == dict(n=1, missed=0, sd=0.0, **same)


def test_summary_keeps_the_lungs_apart():
    rows = rows_of("viewer's left", dice=[0.9]) + rows_of("viewer's right", dice=[0.5])
    summary = scores.summarise(iter(rows))
    assert {lung: measures["dice"]["mean"] for lung, measures in summary.items()} == {
        "viewer's left": 0.9,
        "viewer's right": 0.5,
    }


def test_the_table_has_a_line_per_lung_and_measure():
    lines = scores.format_summary(scores.summarise(rows_of(dice=[0.8, 0.9], assd_mm=[1.0, 2.0]))).splitlines()
    assert len(lines) == 3 and "SD" in lines[0] and "0.8500" in lines[1]


def test_scores_survive_the_file(case, tmp_path):
    true = np.stack([TRUE, TRUE], axis=-1)
    rows = scores.score_case(case, true, np.stack([PREDICTED, EMPTY], axis=-1), (0.7, 0.7))
    scores.write_scores(rows, tmp_path / "scores.csv")
    loaded = scores.read_scores(tmp_path / "scores.csv")
    for row, back in zip(rows, loaded):
        assert back["id"] == row["id"] and back["lung"] == row["lung"]
        assert {m: back[m] for m in scores.MEASURES} == pytest.approx({m: row[m] for m in scores.MEASURES}, nan_ok=True)
    assert scores.format_summary(scores.summarise(loaded)) == scores.format_summary(scores.summarise(rows))


def test_a_measure_younger_than_the_file_is_not_known(tmp_path, monkeypatch):
    scores.write_scores(
        [{"id": "a", "patient": "a", "lung": "both", **scores.score_masks(TRUE, TRUE, None)}], tmp_path / "x"
    )
    monkeypatch.setattr(scores, "MEASURES", (*scores.MEASURES, "new"))
    rows = scores.read_scores(tmp_path / "x")
    assert math.isnan(rows[0]["new"]) and "new" not in scores.summarise(rows)["both"]


# Normalised surface distance


def test_nsd_counts_what_is_within_the_tolerance():
    assert scores.nsd(np.array([0.0, 1.0, 2.0, 2.01])) == 0.75
    assert scores.nsd(np.array([0.0, 1.0, 2.0, 2.01]), tolerance_mm=0.5) == 0.25
    assert math.isnan(scores.nsd(np.empty(0)))


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (2, 1.0)])
def test_a_shift_within_the_tolerance_is_no_mistake(shift, expected):
    distances = scores.outline_distances(square(), square(left=5 + shift), (1.0, 1.0))
    assert scores.nsd(distances) == expected


def test_nsd_of_a_shift_by_hand():
    # Two squares of 20 x 20 px, one 3 px further right: 76 outline pixels each. Further than 2 px from the other
    # outline are all 20 of the side that sticks out, and of the side inside the other square the 14 in the middle:
    # three at each end are near the other's top or bottom.
    distances = scores.outline_distances(square(), square(left=8), (1.0, 1.0))
    assert len(distances) == 2 * 76
    assert scores.nsd(distances, 2.0) == 42 / 76


def test_nsd_looks_at_millimetres_not_pixels():
    true, predicted = square(), square(left=7)
    assert scores.nsd(scores.outline_distances(true, predicted, (1.0, 1.0))) == 1
    assert scores.nsd(scores.outline_distances(true, predicted, (1.0, 1.1))) < 1
