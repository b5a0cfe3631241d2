"""What a table of scores says, and how far it can be trusted (notebook 9).

Rows are those of `scores.score_case`, with the patient and the fold besides: `crossval.cross_validate` writes them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from lungseg_utils.scores import MEASURES, SMALLER_IS_BETTER, read_scores

FAILURE = 0.93  # a Dice coefficient below it is named by ID
AGES = {"under 20": (0, 20), "20 to 39": (20, 40), "40 to 59": (40, 60), "60 and over": (60, 200)}  # full years


def read_rows(path: Path) -> list[dict]:
    """Read rows from CSV: measures as numbers, fold, finding and age as whole numbers, `None` where not known."""
    rows = read_scores(path)
    return [
        {**row, **{name: int(row[name]) if row[name] else None for name in ("fold", "finding", "age")}} for row in rows
    ]


def bootstrap_interval(values: Sequence[float], patients: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """95 % confidence interval of a mean over images, by the bootstrap over patients; taught in notebook 9.

    Patients are drawn with replacement, each with all its images, 10,000 times: images of one patient are alike, and
    count as one piece of news (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentile interval).

    Args:
        values: one per image.
        patients: the patient of each image.
        seed: of the drawing.

    Returns:
        Lower and upper end. Both are the mean where there is a single patient.
    """
    values, (names, numbers) = np.asarray(values, float), np.unique(np.asarray(patients), return_inverse=True)
    if len(names) < 2:
        return float(values.mean()), float(values.mean())
    sums, counts = np.bincount(numbers, values), np.bincount(numbers)
    drawn = stats.bootstrap(
        (sums, counts),
        lambda total, count, axis: total.sum(axis) / count.sum(axis),
        n_resamples=10_000,
        batch=1000,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def spread(rows: Sequence[dict], measure: str) -> dict[str, float]:
    """One measure of some rows of one lung: `n`, `mean`, `sd`, `median`, `worst`, and the interval `low` to `high`.

    Values that are NaN are left out, and `n` counts the rest.
    """
    known = [row for row in rows if np.isfinite(row[measure])]
    values = np.array([row[measure] for row in known])
    low, high = bootstrap_interval(values, [row["patient"] for row in known])
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        "median": float(np.median(values)),
        "worst": float(values.max() if measure in SMALLER_IS_BETTER else values.min()),
        "low": low,
        "high": high,
    }


def overall(rows: Sequence[dict]) -> dict[str, dict[str, float]]:
    """`spread` of every measure, of both lungs merged."""
    rows = [row for row in rows if row["lung"] == "both"]
    return {measure: spread(rows, measure) for measure in MEASURES}


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


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A table for the README."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def group_table(rows: Sequence[dict]) -> str:
    """Dice coefficient, ASSD and HD95 of both lungs merged, for all X-rays and for each group, as Markdown."""
    both = [row for row in rows if row["lung"] == "both"]
    lines = []
    for name, part in {"all": both, **groups(both)}.items():
        dice, assd, hd95 = (spread(part, measure) for measure in ("dice", "assd_mm", "hd95_mm"))
        lines.append(
            [
                name,
                dice["n"],
                f"{dice['mean']:.4f} ± {dice['sd']:.4f}",
                f"{dice['low']:.4f} to {dice['high']:.4f}",
                f"{dice['median']:.4f}",
                f"{dice['worst']:.4f}",
                f"{assd['mean']:.2f}",
                f"{hd95['mean']:.2f}",
            ]
        )
    head = ["X-rays", "n", "hard Dice, mean ± SD", "95 % interval", "median", "worst", "ASSD, mm", "HD95, mm"]
    return markdown_table(head, lines)
