"""Rows of scores by finding, sex and age, and those that failed."""

from lungseg_utils import kept


def row(number: int, dice: float = 0.9, **about) -> dict:
    return {"id": f"X{number}", "lung": "both", "dice": dice, "finding": 0, "sex": "F", "age": 30, **about}


def test_groups_leave_out_what_is_not_known_and_ages_join_without_a_gap():
    rows = [row(1), row(2, finding=1, sex="M", age=19), row(3, finding=None, sex=None, age=None)]
    assert {name: [each["id"] for each in part] for name, part in kept.groups(rows).items()} == {
        "without a finding": ["X1"],
        "with a finding": ["X2"],
        "women": ["X1"],
        "men": ["X2"],
        "under 20": ["X2"],
        "20 to 39": ["X1"],
    }
    for age in (0, 19, 20, 39, 40, 59, 60, 120):
        assert len(kept.AGES.keys() & kept.groups([row(1, age=age)])) == 1, age


def test_failures_are_named_worst_first():
    rows = [row(1, 0.92), row(2, 0.5), row(3, kept.FAILURE), row(4, 0.1, lung="viewer's left")]
    assert [each["id"] for each in kept.failures(rows)] == ["X2", "X1"]
