"""What a table of scores says: intervals over patients, groups, failures."""

import numpy as np
import pytest
from scipy import stats

from lungseg_utils import scores
from lungseg_utils.scores import MEASURES, write_scores


def row(number: int, dice: float, **about) -> dict:
    measures = dict.fromkeys(MEASURES, 0.5) | {"dice": dice}
    known = {"fold": 1 + number % 5, "patient": f"P{number}", "id": f"X{number}", "finding": 0, "sex": "F", "age": 30}
    return {**known, "lung": "both", **about, **measures}


def test_interval_of_single_images_is_about_that_of_the_textbook():
    values = np.random.default_rng(1).normal(0.97, 0.02, 100)
    low, high = scores.bootstrap_interval(values, [str(number) for number in range(100)])
    expected = stats.norm.interval(0.95, values.mean(), values.std(ddof=1) / 10)
    assert (low, high) == pytest.approx(expected, abs=0.0006)


def test_images_of_one_patient_are_one_piece_of_news():
    values = np.random.default_rng(1).normal(0.97, 0.02, 20)
    alone = scores.bootstrap_interval(values, [str(number) for number in range(20)])
    repeated = scores.bootstrap_interval(np.repeat(values, 5), np.repeat([str(number) for number in range(20)], 5))
    assert repeated == pytest.approx(alone, abs=0.0007), "five looks at each patient do not narrow the interval"
    by_image = scores.bootstrap_interval(np.repeat(values, 5), [str(number) for number in range(100)])
    assert by_image[1] - by_image[0] < 0.6 * (repeated[1] - repeated[0])


def test_a_patient_with_more_images_weighs_more():
    low, high = scores.bootstrap_interval([1.0] * 9 + [0.0], ["many"] * 9 + ["one"])
    assert (low, high) == (0.0, 1.0)
    assert scores.bootstrap_interval([0.25, 0.75], ["same", "same"]) == (0.5, 0.5)


def test_same_seed_same_interval():
    values, patients = np.linspace(0.9, 1, 30), [str(number) for number in range(30)]
    assert scores.bootstrap_interval(values, patients) == scores.bootstrap_interval(values, patients)


def test_groups():
    rows = [row(1, 0.9), row(2, 0.8, finding=1, sex="M", age=19), row(3, 0.7, finding=None, sex=None, age=None)]
    names = {name: [each["id"] for each in part] for name, part in scores.groups(rows).items()}
    assert names == {
        "without a finding": ["X1"],
        "with a finding": ["X2"],
        "women": ["X1"],
        "men": ["X2"],
        "under 20": ["X2"],
        "20 to 39": ["X1"],
    }


def test_age_groups_join_without_a_gap():
    for age in (0, 19, 20, 39, 40, 59, 60, 120):
        assert len([name for name in scores.groups([row(1, 0.9, age=age)]) if name in scores.AGES]) == 1


def test_failures_are_named_worst_first():
    rows = [row(1, 0.92), row(2, 0.5), row(3, scores.FAILURE), row(4, 0.1, lung="viewer's left")]
    assert [each["id"] for each in scores.failures(rows)] == ["X2", "X1"]


def test_rows_come_back_from_the_file_as_they_were(tmp_path):
    rows = [row(1, 0.9), row(2, 0.8, finding=None, age=None)]
    write_scores(rows, tmp_path / "rows.csv")
    assert scores.read_scores(tmp_path / "rows.csv") == rows
