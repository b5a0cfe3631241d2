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
from lungseg_utils.files import cell, write_whole

LUNGS = ("viewer's left", "viewer's right", "both")
MEASURES = ("dice", "iou", "precision", "recall", "assd_mm", "hd95_mm", "nsd")
SMALLER_IS_BETTER = ("assd_mm", "hd95_mm")
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
    """Share of the predicted area that is right; taught in notebook 6.

    Nothing predicted scores 0, and 1 where there is nothing to find.
    """
    true, predicted = true > 0, predicted > 0
    if not predicted.any():
        return float(not true.any())
    return float((true & predicted).sum() / predicted.sum())


def recall(true: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the true area that was found; taught in notebook 6. It is precision with the roles exchanged."""
    return precision(predicted, true)


def outline(mask: np.ndarray) -> np.ndarray:
    """Row and column, (points, 2), of each mask pixel that touches the outside by a side; taught in notebook 6.

    The mask is (height, width), 0 and 1. Beyond the picture's edge is outside.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    mask = (mask > 0).astype("uint8")
    inner = cv2.erode(mask, cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.argwhere(mask > inner)


def outline_distances(true: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Distance from each outline point of either mask to the other's outline, mm; taught in notebook 6.

    Masks are (height, width), 0 and 1; the spacing is height and width of a pixel.

    Returns:
        (points of both,) in mm. Where one mask alone is empty, nothing is further away: the diagonal of the picture
        stands for all. Two empty masks agree: one 0.
    """
    a, b = outline(true) * spacing_mm, outline(predicted) * spacing_mm
    if len(a) == 0 or len(b) == 0:
        diagonal = np.hypot(*np.multiply(true.shape, spacing_mm))
        return np.array([0.0 if len(a) == len(b) else diagonal])
    return np.concatenate([cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]])


def assd(distances: np.ndarray) -> float:
    """Average symmetric surface distance, mm; taught in notebook 6. NaN if empty."""
    return float(np.mean(distances)) if len(distances) else float("nan")


def hd95(distances: np.ndarray) -> float:
    """95th percentile of the distances of both directions together, mm; taught in notebook 6. NaN if empty.

    A single stray pixel decides the largest one, the plain Hausdorff distance. Tools differ in whether the directions
    are joined before the percentile is taken; here they are.
    """
    return float(np.percentile(distances, 95)) if len(distances) else float("nan")


def nsd(distances: np.ndarray, tolerance_mm: float = TOLERANCE_MM) -> float:
    """Normalised surface distance: the share of both outlines that is near the other; taught in notebook 6.

    Nikolov et al., "Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy", J Med Internet Res
    23, 2021, where it is called surface Dice. Here each outline pixel counts the same. NaN if empty.

    From `outline_distances`: 1 when no point of either outline is further than the tolerance from the other, else less.
    """
    return float(np.mean(distances <= tolerance_mm)) if len(distances) else float("nan")


def score_masks(true: np.ndarray, predicted: np.ndarray, spacing_mm: tuple[float, float] | None) -> dict[str, float]:
    """All scores of one mask (height, width), 0 and 1; taught in notebook 9. Distances are NaN without a spacing."""
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

    The truth is (height, width, 2), 0 and 1. So is the prediction, or (height, width, 1) of a model that merges the
    lungs: then there is one row, for both. The case's ID, patient, finding, sex and age stand in each row.
    """
    pairs = {}
    if predicted.shape[-1] == 2:
        pairs = {lung: (true[..., side], predicted[..., side]) for side, lung in enumerate(LUNGS[:2])}
    pairs["both"] = (true.max(axis=-1), predicted.max(axis=-1))
    about = {name: getattr(case, name) for name in ("id", "patient", "finding", "sex", "age")}
    return [{**about, "lung": lung, **score_masks(*pair, spacing_mm)} for lung, pair in pairs.items()]


def bootstrap_interval(
    values: Sequence[float] | np.ndarray, patients: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """95 % confidence interval of a mean over images, by the bootstrap over patients; taught in notebook 9.

    Patients are drawn with replacement, each with all its images, 10,000 times: images of one patient are alike, and
    count as one piece of news (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentile interval).

    Values and patients are given by image. Returns the lower and upper end: the mean, where there is a single patient.
    """
    names, numbers = np.unique(np.asarray(patients), return_inverse=True)
    if len(names) < 2:
        return float(np.mean(values)), float(np.mean(values))
    totals = np.bincount(numbers, values), np.bincount(numbers)

    def mean(total, count, axis):
        return total.sum(axis) / count.sum(axis)

    drawn = stats.bootstrap(totals, mean, n_resamples=10_000, batch=1000, paired=True, rng=seed, method="percentile")
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def spread(rows: Iterable[dict], measure: str) -> dict[str, float]:
    """One measure over images, the one summary of the course: rows of one lung, with their patients.

    Returns:
        `n` images with a value (NaN, where the size of a pixel is not known, is left out), how many of them were
        `missed` (nothing of the lung was found), `mean`, `sd` (divided by n - 1), `median`, `p5` (one image in twenty
        is worse: the 95th percentile of a distance), `worst`, and the 95 % interval of the mean over patients, `low` to
        `high`. Of no value at all, `n` and `missed` alone.
    """
    known = [row for row in rows if np.isfinite(row[measure])]
    values = np.array([row[measure] for row in known])
    count = {"n": len(values), "missed": sum(row["dice"] == 0 for row in known)}
    if not known:
        return count
    bad = -1 if measure in SMALLER_IS_BETTER else 1
    low, high = bootstrap_interval(values, [row["patient"] for row in known])
    return count | {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        "median": float(np.median(values)),
        "p5": float(np.percentile(values, 50 - 45 * bad)),
        "worst": float(bad * (bad * values).min()),
        "low": low,
        "high": high,
    }


def summarise(rows: Iterable[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """`spread` of each measure by lung, as notebook 9 reports them; what nothing is known of is left out."""
    rows = list(rows)
    result = {}
    for lung in LUNGS:
        chosen = [row for row in rows if row["lung"] == lung]
        spreads = {measure: spread(chosen, measure) for measure in MEASURES} if chosen else {}
        if spreads:
            result[lung] = {measure: value for measure, value in spreads.items() if value["n"]}
    return result


def format_summary(summary: dict[str, dict[str, dict[str, float]]]) -> str:
    """A summary as a text table, one line per lung and measure."""
    lines = [f"{'lung':15} {'measure':10} {'n':>3} {'mean':>8} {'SD':>8} {'median':>8} {'p5':>8} {'worst':>8}"]
    for lung, measures in summary.items():
        for measure, value in measures.items():
            numbers = " ".join(f"{value[name]:8.4f}" for name in ("mean", "sd", "median", "p5", "worst"))
            lines.append(f"{lung:15} {measure:10} {value['n']:3d} {numbers}")
        if missed := measures["dice"]["missed"]:
            lines.append(f"{lung:15} missed altogether in {missed} of {measures['dice']['n']} images")
    return "\n".join(lines)


def write_scores(rows: list[dict], path: Path) -> None:
    """Write score rows as CSV, whole or not at all."""
    with write_whole(path) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)


def read_scores(path: Path) -> list[dict]:
    """Read score rows from CSV: fold, finding and age as whole numbers, None where not known; measures as numbers.

    A measure that was not kept is NaN, also one that is younger than the file.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {name: text[1:] for name, text in row.items() if text[:1] == "'" and cell(text[1:]) == text}
        row |= {name: float(row.get(name) or "nan") for name in MEASURES}
        row |= {name: int(row[name]) if row[name] else None for name in ("fold", "finding", "age") if name in row}
    return rows
