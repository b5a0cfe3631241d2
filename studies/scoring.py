"""Score a model on a whole data set: by group, and on X-rays that are changed on purpose (notebook 9)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import hashlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from lungseg_utils.cases import Case
from lungseg_utils.images import Arrays, read_grey, read_masks, resize_image, resize_masks
from lungseg_utils.prediction import predict_probabilities, score_probabilities, to_masks
from lungseg_utils.scores import dice, spread, summarise
from studies.crossval import arrays_of
from lungseg_utils.inference.stress import CHANGES

STRESS_SIZE = 512  # px, at which pictures are changed on purpose
TOO_FAR = 0.03  # share of the lungs' area: an outline that runs further below their border is counted


def is_development(case: Case) -> bool:
    """Whether an X-ray belongs to the third of patients that was looked at while the drawing was improved."""
    return int(hashlib.sha256(case.patient.encode()).hexdigest(), 16) % 3 == 0


def lower_border(lung: np.ndarray) -> np.ndarray:
    """The row of the lowest pixel of a lung (height, width), in each column; beside it, that of its nearest column."""
    columns = np.flatnonzero(lung.any(axis=0))
    nearest = columns[np.abs(np.arange(lung.shape[1])[:, None] - columns).argmin(axis=1)]
    return (len(lung) - 1 - lung[::-1].argmax(axis=0))[nearest]


def below_border(true: np.ndarray, predicted: np.ndarray) -> float:
    """The area that is predicted below the true lower border of its lung, as a share of the area of both true lungs.

    Dice hardly sees a tongue of "lung" that runs down the flank below the diaphragm. A reader sees it at once.

    Args:
        true: (height, width, 2), 0 and 1; neither lung is empty.
        predicted: the same.
    """
    rows, area = np.arange(len(true))[:, None], 0
    for side in range(2):
        area += (predicted[..., side] > 0)[rows > lower_border(true[..., side] > 0)].sum()
    return float(area / (true > 0).any(axis=-1).sum())


def share_below(values: Sequence[float]) -> dict[str, float]:
    """Of `below_border` over X-rays: how many, their mean, and which share of them is `over` `TOO_FAR`."""
    return {"n": len(values), "mean": float(np.mean(values)), "over": float(np.mean(np.array(values) > TOO_FAR))}


def score_merged(
    model: keras.Model, cases: Sequence[Case], arrays: Arrays, ids: Sequence[str] | None = None
) -> list[dict]:
    """Score both lungs merged, at the file's own size: `id`, `patient`, `dice` and what is `below` the border.

    Args:
        model: with two output channels.
        cases: of one data set.
        arrays: the same at the model's size.
        ids: of those that are scored; all, where none are named.
    """
    chosen, rows = [case for case in cases if ids is None or case.id in ids], []
    for case, answer in zip(chosen, predict_probabilities(model, arrays.part([case.id for case in chosen]).images)):
        true = read_masks(case)
        found = to_masks(answer, *true.shape[:2])
        value = dice(true.max(axis=-1), found.max(axis=-1))
        rows.append({"id": case.id, "patient": case.patient, "dice": value, "below": below_border(true, found)})
    return rows


def score_groups(model: keras.Model, cases: Sequence[Case], home: Path, whole: bool = False) -> tuple[dict, list[dict]]:
    """Score a model on a data set: `summarise` of all X-rays and of groups of them, and the rows of `score_case`.

    Each group has `share_below` too, as the measure `below` of both lungs. Where the set is taken as a `whole`, because
    all of it was looked at and it has no readings, there are no groups but `all`.
    """
    answers = predict_probabilities(model, arrays_of(cases, model.input_shape[1], home).images)
    rows, below = score_probabilities(cases, answers), {}
    for case, answer in zip(cases, answers):
        true = read_masks(case)
        below[case.id] = below_border(true, to_masks(answer, *true.shape[:2]))
    development = {case.id for case in cases if is_development(case)}
    groups = {"all": rows}
    if not whole:
        groups |= {
            "development": [row for row in rows if row["id"] in development],
            "held out": [row for row in rows if row["id"] not in development],
            "without a finding": [row for row in rows if row["finding"] == 0],
            "with a finding": [row for row in rows if row["finding"] == 1],
        }
    result = {name: summarise(group) for name, group in groups.items() if group}
    for name, scored in result.items():
        scored["both"]["below"] = share_below([below[row["id"]] for row in groups[name] if row["lung"] == "both"])
    return result, rows


def score_cases(model: keras.Model, cases: Sequence[Case], home: Path, whole: bool = False) -> dict:
    """Score a model on a data set: all X-rays, groups of them, the worst, and all of them changed on purpose.

    Args:
        model: with two output channels.
        cases: of one data set.
        home: folder for cached arrays.
        whole: see `score_groups`.

    Returns:
        `groups` of `summarise`, `worst` as pairs of ID and Dice coefficient, `stress` by name of the change.
    """
    groups, rows = score_groups(model, cases, home, whole)
    both = sorted((row for row in rows if row["lung"] == "both"), key=lambda row: row["dice"])
    return {
        "groups": groups,
        "worst": [[row["id"], row["dice"]] for row in both[:5]],
        "stress": score_changes(model, cases),
    }


def merged_dice(true: np.ndarray, probabilities: np.ndarray) -> float:
    """Dice coefficient of both lungs merged, at the size of the true masks (height, width, 2)."""
    return dice(true.max(axis=-1), to_masks(probabilities, *true.shape[:2]).max(axis=-1))


def score_changes(model: keras.Model, cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """`spread` of the Dice coefficient of both lungs on X-rays of 512 px, changed in each way of `stress.CHANGES`."""
    rows = {name: [] for name in CHANGES}
    for case in tqdm(cases, "changing X-rays on purpose", leave=False):
        image, masks = resize_image(read_grey(case.image), STRESS_SIZE), resize_masks(read_masks(case), STRESS_SIZE)
        changed = [change(image, masks) for change in CHANGES.values()]
        seen = np.stack([resize_image(picture, model.input_shape[1]) for picture, _ in changed])
        for name, (_, true), answer in zip(CHANGES, changed, predict_probabilities(model, seen)):
            rows[name].append({"patient": case.patient, "dice": merged_dice(true, answer)})
    return {name: spread(some, "dice") for name, some in rows.items()}
