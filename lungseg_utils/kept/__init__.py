"""The figures that notebooks and tables quote, the one function that reads them, and groups of their rows."""

from collections.abc import Sequence
from pathlib import Path

from lungseg_utils.files import read_json
from lungseg_utils.recipes import SHIPPED_WEIGHTS
from lungseg_utils.scores import read_scores

FOLDER = Path(__file__).parent
SHIPPED = SHIPPED_WEIGHTS.parent  # the figures of the shipped model lie beside it
FAILURE = 0.93  # a Dice coefficient below it is named by ID
AGES = {"under 20": (0, 20), "20 to 39": (20, 40), "40 to 59": (40, 60), "60 and over": (60, 200)}  # full years


def kept(name: str) -> dict | list[dict]:
    """Read a kept figure.

    Args:
        name: of the file: `choices.json` gives a dict, `crossval-best.csv` rows of scores, `article-epochs.csv` rows of
            numbers and the name of their run; `scores.json` is that of the shipped model.
    """
    path = (SHIPPED if name == "scores.json" else FOLDER) / name
    if path.suffix == ".json":
        return read_json(path)
    rows = read_scores(path)
    if name.endswith("-epochs.csv"):
        rows = [{key: value if key == "run" else float(value) for key, value in row.items()} for row in rows]
    return rows


def groups(rows: Sequence[dict]) -> dict[str, list[dict]]:
    """Rows by finding, by sex and by age, under the name of the group; a group without rows is left out."""

    def age_of(row: dict) -> int:
        return -1 if row["age"] is None else row["age"]

    parts = {
        "without a finding": [row for row in rows if row["finding"] == 0],
        "with a finding": [row for row in rows if row["finding"] == 1],
        "women": [row for row in rows if row["sex"] == "F"],
        "men": [row for row in rows if row["sex"] == "M"],
        **{name: [row for row in rows if low <= age_of(row) < high] for name, (low, high) in AGES.items()},
    }
    return {name: part for name, part in parts.items() if part}


def failures(rows: Sequence[dict]) -> list[dict]:
    """Rows of both lungs merged whose Dice coefficient is below `FAILURE`, the worst first."""
    failed = [row for row in rows if row["lung"] == "both" and row["dice"] < FAILURE]
    return sorted(failed, key=lambda row: row["dice"])
