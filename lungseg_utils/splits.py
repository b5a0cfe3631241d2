"""Share the cases out into training, validation and test (notebook 3)."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from lungseg_utils.cases import Case, DatasetError

PARTS = ("train", "val", "test")


def split_cases(cases: Sequence[Case], seed: int = 42) -> dict[str, list[str]]:
    """Split cases by patient into about 70 % training, 15 % validation and 15 % test.

    Taught in notebook 3. The cases are dealt into seven folds that no patient crosses and that hold about the
    same share of findings; one fold is the test set, one is for validation, five are for training.

    Args:
        cases: at least seven patients.
        seed: the same seed and cases give the same split.

    Returns:
        Sorted case IDs under `"train"`, `"val"` and `"test"`.

    Raises:
        ValueError: from scikit-learn, when there are fewer than seven cases with or without a finding.
    """
    ids = np.array([case.id for case in cases])
    findings = np.array([case.finding or 0 for case in cases])
    patients = np.array([case.patient for case in cases])
    dealer = StratifiedGroupKFold(n_splits=7, shuffle=True, random_state=seed)
    folds = [ids[held_out] for _, held_out in dealer.split(ids, findings, patients)]
    parts = {"train": np.concatenate(folds[2:]), "val": folds[1], "test": folds[0]}
    return {name: sorted(part.tolist()) for name, part in parts.items()}


def article_split(ids: Sequence[str]) -> dict[str, list[str]]:
    """Split IDs at random as the article does: 10 % each for test and validation, seed 42, patients ignored.

    Kept to show what it leaks (notebook 3); nothing is trained on it.
    """
    held_out = int(0.1 * len(ids))
    rest, test = train_test_split(sorted(ids), test_size=held_out, random_state=42)
    train, val = train_test_split(rest, test_size=held_out, random_state=42)
    return {"train": sorted(train), "val": sorted(val), "test": sorted(test)}


def shared_patients(split: dict[str, list[str]], cases: Sequence[Case]) -> dict[str, dict[str, list[str]]]:
    """Find patients whose X-rays lie in more than one part of a split (notebook 3).

    Returns:
        For each such patient, the IDs of its X-rays by part; empty when the split is clean.
    """
    patient_of = {case.id: case.patient for case in cases}
    found: dict[str, dict[str, list[str]]] = {}
    for part, ids in split.items():
        for case_id in ids:
            found.setdefault(patient_of[case_id], {}).setdefault(part, []).append(case_id)
    return {patient: parts for patient, parts in found.items() if len(parts) > 1}


def save_split(split: dict[str, list[str]], path: Path) -> None:
    """Write a split as JSON that others can reuse; the file appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(split, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, path)


def load_split(path: Path, cases: Sequence[Case]) -> dict[str, list[str]]:
    """Read a split written by `save_split` and check that it fits the cases.

    Raises:
        DatasetError: the file is not a split, names a case twice, or names cases that are not there.
    """
    path = Path(path)
    try:
        split = json.loads(path.read_text(encoding="utf-8"))
        named = [case_id for part in PARTS for case_id in split[part]]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is not a split: it must be JSON with lists of case IDs under train, val and test. "
            "Delete it to have a new one made."
        ) from error
    missing = sorted(set(named) - {case.id for case in cases})
    if missing or len(named) != len(set(named)):
        raise DatasetError(
            f"{path} does not fit this data set: "
            + (
                f"{len(missing)} of its cases are not there, {missing[0]} first."
                if missing
                else "a case stands in it twice."
            )
            + " Delete it to have a new one made, or choose the data set that it was made for."
        )
    return {part: split[part] for part in PARTS}
