"""Share the cases out into training, validation and test (notebook 3)."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from lungseg_utils.cases import Case, DatasetError
from lungseg_utils.files import write_text

PARTS = ("train", "val", "test")


def deal(cases: Sequence[Case], parts: int, seed: int) -> list[list[str]]:
    """Deal IDs into parts by patient, each with about the same share of findings. Taught in notebook 3.

    ``StratifiedGroupKFold`` has a ``shuffle=True`` of its own. It is not used: before scikit-learn 1.8 it mixed
    up which patient has which findings, so that the folds were not stratified. So the patients are put in random order.
    """
    findings = [case.finding or 0 for case in cases]
    names, numbers = np.unique([case.patient for case in cases], return_inverse=True)
    patients = np.random.default_rng(seed).permutation(len(names))[numbers]
    dealer = StratifiedGroupKFold(n_splits=parts)
    return [[cases[row].id for row in held_out] for _, held_out in dealer.split(findings, findings, patients)]


def split_cases(cases: Sequence[Case], seed: int = 42) -> dict[str, list[str]]:
    """Split cases by patient into about 70 % training, 15 % validation and 15 % test. Taught in notebook 3.

    Returns:
        Sorted case IDs under `"train"`, `"val"` and `"test"`. The same seed and cases give the same split.

    Raises:
        DatasetError: there are fewer than 14 patients.
    """
    patients = {case.patient for case in cases}
    if len(patients) < 14:
        raise DatasetError(f"{len(patients)} patients are too few for three parts: 14 are needed.")
    folds = deal(cases, 7, seed)
    return {"train": sorted(sum(folds[2:], [])), "val": sorted(folds[1]), "test": sorted(folds[0])}


def make_folds(cases: Sequence[Case], seed: int = 42) -> list[dict[str, list[str]]]:
    """Split cases by patient into five folds, each with about the same share of findings, for cross-validation.

    In fold k the k-th fifth is the test set, so that each case is tested exactly once, by a model that has seen no
    X-ray of its patient. A seventh of the other cases is for validation, again by patient and stratified.

    The result is five splits, as `split_cases` returns them. The same seed and cases give the same folds. A
    DatasetError tells that there are fewer than 35 patients.
    """
    cases = sorted(cases, key=lambda case: case.id)
    patients = {case.patient for case in cases}
    if len(patients) < 35:
        raise DatasetError(f"{len(patients)} patients are too few for five folds: 35 are needed.")
    folds = []
    for number, test in enumerate(deal(cases, 5, seed)):
        rest = [case for case in cases if case.id not in test]
        val = deal(rest, 7, seed + 1 + number)[0]
        train = {case.id for case in rest} - set(val)
        folds.append({"train": sorted(train), "val": sorted(val), "test": sorted(test)})
    return folds


def article_split(ids: Sequence[str]) -> dict[str, list[str]]:
    """Split IDs at random as the article does: 10 % each for validation and test, seed 42, patients ignored.

    Kept to show what it leaks (notebook 3); the study of choices measures what that is worth.
    """
    held_out = int(0.1 * len(ids))
    rest, val = train_test_split(sorted(ids), test_size=held_out, random_state=42)
    train, test = train_test_split(rest, test_size=held_out, random_state=42)
    return {"train": sorted(train), "val": sorted(val), "test": sorted(test)}


def shared_patients(split: dict[str, list[str]], cases: Sequence[Case]) -> dict[str, dict[str, list[str]]]:
    """Find patients whose X-rays lie in more than one part of a split of these cases (notebook 3).

    Returns:
        For each such patient, the IDs of its X-rays by part; empty when the split is clean.
    """
    patient_of = {case.id: case.patient for case in cases}
    found = defaultdict(lambda: defaultdict(list))
    for part, ids in split.items():
        for case_id in ids:
            found[patient_of[case_id]][part].append(case_id)
    return {patient: dict(parts) for patient, parts in found.items() if len(parts) > 1}


def save_split(split: dict[str, list[str]], path: Path) -> None:
    """Write a split as JSON that others can reuse; the file appears whole or not at all."""
    write_text(json.dumps(split, indent=1) + "\n", path)


def load_split(path: Path, cases: Sequence[Case]) -> dict[str, list[str]]:
    """Read a split written by `save_split`, in the file's order, and check that it fits the cases, or some of them.

    A DatasetError tells that it is missing or no split, has an empty part, or names a case twice, or none of these.
    """
    path = Path(path)
    try:
        split = json.loads(path.read_text(encoding="utf-8"))
        split = {part: split[part] for part in PARTS}
        for ids in split.values():
            if not isinstance(ids, list) or not all(isinstance(case_id, str) for case_id in ids):
                raise TypeError(ids)
    except OSError as error:
        raise DatasetError(f"Cannot open the split {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is not a split: it must be JSON with lists of case IDs under train, val and test. "
            "Delete it to have a new one made."
        ) from error
    named = [case_id for part in PARTS for case_id in split[part]]
    missing = sorted(set(named) - {case.id for case in cases})
    twice = sorted(case_id for case_id, count in Counter(named).items() if count > 1)
    empty = [part for part in PARTS if not split[part]]
    problems = [f"{len(missing)} of its cases are not there, {missing[0]} first"] if missing else []
    problems += [f"{case_id} stands in it twice" for case_id in twice[:1]]
    problems += [f"its part {part} is empty" for part in empty]
    if problems:
        raise DatasetError(
            f"{path} does not fit this data set: {'; '.join(problems)}. Delete it to have a new one made, or "
            "choose the data set that it was made for."
        )
    return split
