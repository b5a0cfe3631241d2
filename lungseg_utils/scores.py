"""How good is a mask: overlap, and distance between outlines in millimetres (notebooks 6 and 9).

All scores are of hard masks, per image. Distances are computed with SciPy's k-d tree on the centres of outline
pixels, weighted by pixel, with the pixel's own height and width in millimetres.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from lungseg_utils.cases import Case

LUNGS = ("viewer's left", "viewer's right", "both")
MEASURES = ("dice", "iou", "precision", "recall", "assd_mm", "hd95_mm", "nsd")
SMALLER_IS_BETTER = ("assd_mm", "hd95_mm")
FAILURE = 0.93  # a Dice coefficient below it is named by ID
AGES = {"under 20": (0, 20), "20 to 39": (20, 40), "40 to 59": (40, 60), "60 and over": (60, 200)}  # full years
TOLERANCE_MM = 2.0  # our choice; always report it with the score


def dice(true: np.ndarray, predicted: np.ndarray) -> float:
    """Dice coefficient of two masks: twice the shared area over the sum of the areas; taught in notebook 6.

    Dice, "Measures of the Amount of Ecologic Association Between Species", Ecology 26, 1945. Masks are arrays
    of one shape with 0 and 1. Two empty masks score 1.
    """
    true, predicted = true > 0, predicted > 0
    total = true.sum() + predicted.sum()
    return float(2 * (true & predicted).sum() / total) if total else 1.0


def iou(true: np.ndarray, predicted: np.ndarray) -> float:
    """IoU (Jaccard index) of two masks: shared area over the area of either; taught in notebook 6.

    Two empty masks score 1.
    """
    true, predicted = true > 0, predicted > 0
    union = (true | predicted).sum()
    return float((true & predicted).sum() / union) if union else 1.0


def precision(true: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the predicted area that is right; taught in notebook 6. NaN when nothing was predicted."""
    true, predicted = true > 0, predicted > 0
    return float((true & predicted).sum() / predicted.sum()) if predicted.any() else float("nan")


def recall(true: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the true area that was found; taught in notebook 6. NaN when there is nothing to find."""
    true, predicted = true > 0, predicted > 0
    return float((true & predicted).sum() / true.sum()) if true.any() else float("nan")


def outline(mask: np.ndarray) -> np.ndarray:
    """Row and column of each mask pixel that touches the outside by a side; taught in notebook 6.

    Args:
        mask: (height, width), 0 and 1. Beyond the picture's edge is outside.

    Returns:
        (points, 2) integers.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    mask = (mask > 0).astype("uint8")
    inner = cv2.erode(mask, cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.argwhere(mask > inner)


def outline_distances(true: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Distance from each outline point of either mask to the other's outline; taught in notebook 6.

    Args:
        true: (height, width), 0 and 1.
        predicted: the same shape.
        spacing_mm: height and width of a pixel, mm.

    Returns:
        (points of both,) in mm; empty when either mask is empty.
    """
    a, b = outline(true) * spacing_mm, outline(predicted) * spacing_mm
    if len(a) == 0 or len(b) == 0:
        return np.empty(0)
    return np.concatenate([cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]])


def assd(distances: np.ndarray) -> float:
    """Average symmetric surface distance, mm, from `outline_distances`; taught in notebook 6. NaN if empty."""
    return float(np.mean(distances)) if len(distances) else float("nan")


def hd95(distances: np.ndarray) -> float:
    """95th percentile of the distances of both directions together, mm; taught in notebook 6. NaN if empty.

    The plain Hausdorff distance is the largest one, and a single stray pixel decides it. Tools differ in
    whether the two directions are joined before the percentile is taken; here they are.
    """
    return float(np.percentile(distances, 95)) if len(distances) else float("nan")


def nsd(distances: np.ndarray, tolerance_mm: float = TOLERANCE_MM) -> float:
    """Normalised surface distance: the share of both outlines that is near the other; taught in notebook 6.

    Nikolov et al., "Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy", J Med Internet Res
    23, 2021, where it is called surface Dice. Here each outline pixel counts the same. NaN if empty.

    Args:
        distances: mm, from `outline_distances`.
        tolerance_mm: what counts as near.

    Returns:
        Between 0 and 1; 1 when no point of either outline is further than the tolerance from the other.
    """
    return float(np.mean(distances <= tolerance_mm)) if len(distances) else float("nan")


def score_masks(true: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, float] | None) -> dict[str, float]:
    """All scores of one mask; taught in notebook 9.

    Args:
        true: (height, width), 0 and 1.
        predicted: the same shape.
        spacing_mm: height and width of a pixel; `None` where it is not known, and then distances are NaN.
    """
    distances = outline_distances(true, predicted, spacing_mm) if spacing_mm else np.empty(0)
    return {
        "dice": dice(true, predicted),
        "iou": iou(true, predicted),
        "precision": precision(true, predicted),
        "recall": recall(true, predicted),
        "assd_mm": assd(distances),
        "hd95_mm": hd95(distances),
        "nsd": nsd(distances),
    }


def score_case(
    case: Case, true: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, float] | None
) -> list[dict]:
    """Score one X-ray: a row per lung, and one for both merged; taught in notebook 9.

    Args:
        case: gives ID, finding, sex and age.
        true: (height, width, 2), 0 and 1.
        predicted: (height, width, 2), or (height, width, 1) from a model that merges the lungs: then there is
            only the row for both.
        spacing_mm: height and width of a pixel, or `None`.
    """
    pairs = {}
    if predicted.shape[-1] == 2:
        pairs = {lung: (true[..., side], predicted[..., side]) for side, lung in enumerate(LUNGS[:2])}
    pairs["both"] = (true.max(axis=-1), predicted.max(axis=-1))
    about = {"id": case.id, "finding": case.finding, "sex": case.sex, "age": case.age}
    return [{**about, "lung": lung, **score_masks(*pair, spacing_mm)} for lung, pair in pairs.items()]


def summarise(rows: Iterable[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean, SD, median and worst of each measure over images, by lung, as notebook 9 reports them.

    The standard deviation divides by one less than the number of images. Values that are NaN are left out, and
    `n` counts the rest.
    """
    rows = list(rows)
    result = {}
    for lung in LUNGS:
        chosen = [row for row in rows if row["lung"] == lung]
        if not chosen:
            continue
        result[lung] = {}
        for measure in MEASURES:
            values = np.array([float(row[measure]) for row in chosen])
            values = values[np.isfinite(values)]
            if len(values) == 0:
                continue
            result[lung][measure] = {
                "n": len(values),
                "mean": float(values.mean()),
                "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
                "median": float(np.median(values)),
                "worst": float(values.max() if measure in SMALLER_IS_BETTER else values.min()),
            }
    return result


def format_summary(summary: dict[str, dict[str, dict[str, float]]]) -> str:
    """A summary as a text table, one line per lung and measure."""
    lines = [f"{'lung':15} {'measure':10} {'n':>3} {'mean':>8} {'SD':>8} {'median':>8} {'worst':>8}"]
    for lung, measures in summary.items():
        for measure, value in measures.items():
            numbers = " ".join(f"{value[name]:8.4f}" for name in ("mean", "sd", "median", "worst"))
            lines.append(f"{lung:15} {measure:10} {value['n']:3d} {numbers}")
    return "\n".join(lines)


def write_scores(rows: list[dict], path: Path) -> None:
    """Write score rows as CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def read_scores(path: Path) -> list[dict]:
    """Read score rows from CSV, measures as numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{**row, **{name: float(row[name]) for name in MEASURES}} for row in csv.DictReader(file)]


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
