"""Cross-validation: every X-ray is tested once, by a model trained on no X-ray of its patient (notebook 9).

`python -m studies crossval --data REAL` trains five folds of a recipe and keeps, in `lungseg_utils/kept/`, a row of
scores per X-ray and lung, and how they were made. Neither holds a picture.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.prediction import evaluate
from lungseg_utils.images import Arrays, load_arrays
from lungseg_utils.prediction import load_model
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.provenance import start_clock, stop_clock
from lungseg_utils.recipes import SHIPPED_WEIGHTS, Recipe
from lungseg_utils.scores import format_summary, summarise, write_scores
from lungseg_utils.splits import make_folds
from lungseg_utils.training import train

SEED = 42  # of the folds, the first weights, the order of the images and their augmentation


def train_once(recipe: Recipe, arrays: Arrays, split: dict[str, list[str]], runs: Path, seed: int = SEED) -> Path:
    """Train a recipe on a split, in a folder named after all choices; what is finished there is not trained again.

    Args:
        recipe: of the network and its training.
        arrays: the cases at the recipe's size.
        split: case IDs under `"train"` and `"val"`.
        runs: folder in which the run folder is made.
        seed: of the training.

    Returns:
        The run folder. Its `made.json` says how long it took, and with which code and libraries.
    """
    weights = hashlib.sha256(SHIPPED_WEIGHTS.read_bytes()).hexdigest() if recipe.start == "drawings" else None
    choices = [dataclasses.asdict(recipe), split["train"], split["val"], seed, weights]
    folder = runs / f"{recipe.name}-{hashlib.sha256(json.dumps(choices).encode()).hexdigest()[:8]}"
    made = start_clock(folder)
    if "finished" not in made:
        train(recipe, arrays, split, folder, seed=seed)
        stop_clock(made, folder)
    return folder


def score_run(
    folder: Path, cases: Sequence[Case], arrays: Arrays, ids: Sequence[str], weights: str = "best.keras"
) -> list[dict]:
    """Score weights of a run folder on the named cases: rows of `score_case`, with the patient besides."""
    by_id = {case.id: case for case in cases}
    rows = evaluate(load_model(folder / weights), [by_id[name] for name in ids], arrays.part(ids).images)
    return [{"patient": by_id[row["id"]].patient, **row} for row in rows]


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
    arrays = load_arrays(cases, recipe.image_size, home / "cache")
    rows, about = [], []
    for number, split in enumerate(folds, 1):
        print(f"{recipe.name}, fold {number} of {len(folds)}:", flush=True)
        folder = train_once(recipe, arrays, split, home / "runs" / "crossval")
        scored = score_run(folder, cases, arrays, split["test"])
        rows += [{"fold": number, **_short(row)} for row in scored]
        about.append({"images": {part: len(ids) for part, ids in split.items()}, **read_json(folder / "made.json")})
        print(format_summary(summarise(scored)), flush=True)
    result = {
        "data": set_folder(data).name,
        "recipe": dataclasses.asdict(recipe),
        "seed": SEED,
        "folds": about,
    }
    measured.mkdir(parents=True, exist_ok=True)
    write_scores(rows, measured / f"crossval-{recipe.name}.csv")
    write_json(result, measured / f"crossval-{recipe.name}.json")
    return rows


def _short(row: dict) -> dict:
    """Five digits after the point: more would only be noise in a file that is kept."""
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}
