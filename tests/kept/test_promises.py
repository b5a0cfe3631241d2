"""What the course promises holds for its kept figures; only a broken product falls below these floors."""

import pytest

from lungseg_utils.command.run import find_notebooks
from lungseg_utils.kept import kept


@pytest.mark.parametrize(("name", "least"), [("phantom", 0.96), ("MontgomerySet", 0.955)])
def test_the_course_takes_minutes_and_its_model_is_good(name, least):
    course = kept(f"course-{name}-laptop.json")
    assert course["scores"]["both"]["dice"]["mean"] >= least
    assert course["total_seconds"] <= 8 * 60 and course["peak_memory_gb"] <= 4
    assert list(course["seconds"]) == [path.stem for path in find_notebooks()]
    assert set(course["scores"]) == {"viewer's left", "viewer's right", "both"}


def test_a_model_that_saw_only_drawings_works_on_real_xrays():
    dice = kept("course-phantom-laptop.json")["unseen"]["groups"]["all"]["both"]["dice"]
    assert dice["n"] == 138 and dice["mean"] >= 0.935


def test_remarks_are_made_where_they_should_be():
    remarks = kept("remarks.json")
    kinds = remarks["drawings"]["kinds"]
    assert len(kinds) >= 12 and sum(one["n"] for one in kinds.values()) >= 100
    assert sum(one["remarked"] * one["n"] for one in kinds.values()) >= 0.95 * sum(one["n"] for one in kinds.values())
    assert sum(hospital["n"] for hospital in remarks["real"]) == 138 + 275
    for hospital in remarks["real"]:
        assert hospital["remarked"] <= 0.06 and (hospital["auc"] or 1) >= 0.9
        assert all(one["remarked"] >= 0.9 for one in hospital["shown wrongly"].values())
