"""Cross-validation: every X-ray is tested once, by a model trained on no X-ray of its patient (notebook 9).

`python -m studies crossval --data REAL` trains five folds of a recipe and keeps, in `lungseg_utils/kept/`, a row of
scores per X-ray and lung, and how they were made. Neither holds a picture.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.images import Arrays, load_arrays
from lungseg_utils.prediction import evaluate, load_model
from lungseg_utils.files import write_json
from lungseg_utils.kept import FOLDER
from studies import keys
from studies.provenance import begin, claim_folder, finish, start_clock, stop_clock
from lungseg_utils.recipes import Recipe
from lungseg_utils.scores import format_summary, summarise, write_scores
from lungseg_utils.splits import make_folds
from lungseg_utils.training import read_log, train

SEED = 42  # of the folds, the first weights, the order of the images and their augmentation


def arrays_of(cases: Sequence[Case], size: int, home: Path) -> Arrays:
    """The cases at a size; what the cache holds was decoded by the code of today."""
    return load_arrays(list(cases), size, home / "cache" / keys.digest(keys.code_key(keys.READING)))


def train_once(recipe: Recipe, arrays: Arrays, split: dict[str, list[str]], home: Path, seed: int = SEED) -> Path:
    """Train a recipe on a split, in a folder named after all that this depends on; what is finished is not repeated.

    Args:
        recipe: of the network and its training.
        arrays: the cases at the recipe's size.
        split: case IDs under `"train"` and `"val"`.
        home: folder for runs.
        seed: of the training.

    Returns:
        The run folder. Its `made.json` says how long it took, and with which code and libraries.
    """
    parts = {part: arrays.part(split[part]) for part in ("train", "val")}
    pixels = {
        part: hashlib.sha256(one.images.tobytes() + one.masks.tobytes()).hexdigest() for part, one in parts.items()
    }
    ids = {part: list(split[part]) for part in parts}
    folder = claim_folder(home, recipe, keys.code_key(keys.TRAINING), split=ids, pixels=pixels, seed=seed)
    made = start_clock(folder)
    if "finished" not in made:
        train(recipe, arrays, split, folder, seed=seed)
        stop_clock(made, folder)
    return folder


def score_run(
    folder: Path, cases: Sequence[Case], arrays: Arrays, ids: Sequence[str], weights: str = "best.keras"
) -> list[dict]:
    """Score weights of a run folder on the named cases: rows of `score_case`."""
    by_id = {case.id: case for case in cases}
    return evaluate(load_model(folder / weights), [by_id[name] for name in ids], arrays.part(ids).images)


def cross_validate(recipe: Recipe, data: Path, home: Path, measured: Path = FOLDER) -> list[dict]:
    """Train and score five folds; after an interruption it goes on where it was.

    Args:
        recipe: what is trained.
        data: folder of the data set.
        home: folder for runs and cached arrays.
        measured: folder for `crossval-RECIPE.csv` and `crossval-RECIPE.json`; both appear when all folds are done.

    Returns:
        A row per X-ray and lung: scores, fold from 1 to 5, patient, finding, sex and age.

    Raises:
        DatasetError: the folder is not a data set, or has too few patients.
    """
    cases = find_cases(data)
    folds = make_folds(cases, SEED)
    arrays = arrays_of(cases, recipe.image_size, home)
    noted = begin(f"crossval-{recipe.name}", data, SEED)
    rows, runs = [], []
    for number, split in enumerate(folds, 1):
        print(f"{recipe.name}, fold {number} of {len(folds)}:", flush=True)
        runs.append(train_once(recipe, arrays, split, home))
        scored = score_run(runs[-1], cases, arrays, split["test"])
        rows += [{"fold": number, **_short(row)} for row in scored]
        print(format_summary(summarise(scored)), flush=True)
    result = {
        "data": set_folder(data).name,
        "recipe": dataclasses.asdict(recipe),
        "seed": SEED,
        "folds": [
            {"images": {part: len(ids) for part, ids in split.items()}, "epochs": len(read_log(run / "log.csv"))}
            for split, run in zip(folds, runs)
        ],
        "provenance": finish(noted, data, runs),
    }
    measured.mkdir(parents=True, exist_ok=True)
    write_scores(rows, measured / f"crossval-{recipe.name}.csv")
    write_json(result, measured / f"crossval-{recipe.name}.json")
    return rows


def _short(row: dict) -> dict:
    """Five digits after the point: more would only be noise in a file that is kept."""
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}
