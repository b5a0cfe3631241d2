"""Does a network that has seen drawings alone travel better than one that has seen real X-rays of one place?

`python -m studies hospitals` tests five networks on two hospitals: the shipped model; recipe `best` trained on X-rays
of the one hospital or of the other, from random weights; and the same from the weights of the shipped model. At home
each X-ray is tested by a model of five that has not seen its patient; in the other hospital all five models are tested
on all X-rays. Both hospitals train with the same number of X-rays.

Twenty trainings of about five minutes on two cores, with one seed. Five of them are those of `crossval --recipe best`,
and whichever study comes second finds them done.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.images import Arrays
from lungseg_utils.kept import FOLDER
from lungseg_utils.prediction import load_model, load_pretrained
from lungseg_utils.recipes import BEST, LAPTOP, Recipe
from lungseg_utils.scores import bootstrap_interval, spread
from lungseg_utils.splits import make_folds
from studies.crossval import SEED, arrays_of, train_once
from studies.curve import first_cases
from studies.provenance import begin, finish
from studies.scoring import score_merged, share_below

RANDOM = dataclasses.replace(BEST, name="best-random", start="random", learning_rate=LAPTOP.learning_rate)
"""Recipe `best` without the drawings; random weights need the larger steps of `laptop`."""
RECIPES = (RANDOM, BEST)


def splits_of(cases: Sequence[Case], train: int, val: int) -> list[dict[str, list[str]]]:
    """`make_folds`, with that many X-rays to train on and to validate with, chosen at random, or with all there are."""
    folds = make_folds(cases, SEED)
    counts = {"train": train, "val": val}
    return [
        {part: sorted(first_cases(cases, ids, counts.get(part, len(ids)))) for part, ids in fold.items()}
        for fold in folds
    ]


def measure_hospitals(
    data: Path, other: Path, home: Path, measured: Path = FOLDER, recipes: Sequence[Recipe] = RECIPES
) -> dict:
    """Train on each hospital, and test on both; what the run folders hold already is not trained again.

    Args:
        data: folder of real X-rays. Its folds are those of `crossval`, and say how many X-rays train.
        other: folder of real X-rays of a second hospital.
        home: folder for runs and cached arrays.
        measured: folder for `hospitals.json`.
        recipes: of the trainings, each by its `start`.

    Returns:
        Content of the file: `rows` with what a network was `trained` on, where it was `tested` and `how`; how many
        `images` that were; `dice` (`spread`) and `below` (`share_below`) of both lungs merged, at the file's own size,
        over all models; and the mean `difference` from drawings alone on the same X-rays, with a 95 % interval over
        patients, `low` to `high`; None for drawings alone.

    Raises:
        DatasetError: a folder is not a data set, or has too few patients.
    """
    sets = {set_folder(folder).name: find_cases(folder) for folder in (data, other)}
    first = make_folds(next(iter(sets.values())), SEED)
    train, val = (max(len(fold[part]) for fold in first) for part in ("train", "val"))
    noted, rows, trained = begin("hospitals", (data, other), SEED), [], []
    arrays = {name: arrays_of(cases, recipes[0].image_size, home) for name, cases in sets.items()}
    shipped = load_pretrained()
    seen = {name: arrays_of(cases, shipped.input_shape[1], home) for name, cases in sets.items()}
    drawings = {name: [score_merged(shipped, cases, seen[name])] for name, cases in sets.items()}
    rows += [describe("drawings alone", name, "never seen", by_model, by_model) for name, by_model in drawings.items()]
    for recipe in recipes:
        for place, cases in sets.items():
            splits = splits_of(cases, train, val)
            runs = [train_once(recipe, arrays[place], split, home) for split in splits]
            trained += runs
            for name, scored in score_everywhere(runs, splits, place, sets, arrays).items():
                label = place if recipe.start == "random" else f"drawings, then {place}"
                how = "in five folds" if name == place else "never seen, five models"
                rows.append(describe(label, name, how, scored, drawings[name]))
                print(f"{label}, tested on {name}: {rows[-1]['dice']['mean']:.4f}", flush=True)
    about = {"recipes": [dataclasses.asdict(recipe) for recipe in recipes], "images": {"train": train, "val": val}}
    result = {**about, "seed": SEED, "rows": rows, "provenance": finish(noted, (data, other), trained)}
    write_json(result, measured / "hospitals.json")
    return read_json(measured / "hospitals.json")


def score_everywhere(
    runs: Sequence[Path],
    splits: Sequence[dict[str, list[str]]],
    home: str,
    sets: dict[str, list[Case]],
    arrays: dict[str, Arrays],
) -> dict[str, list[list[dict]]]:
    """Rows of `score_merged` by set and model: at home of the X-rays that a split tests, elsewhere of all."""
    models, scored = [load_model(run / "best.keras") for run in runs], {}
    for name, cases in sets.items():
        asked = [split["test"] if name == home else None for split in splits]
        scored[name] = [score_merged(model, cases, arrays[name], ids) for model, ids in zip(models, asked)]
    return scored


def describe(
    trained: str, tested: str, how: str, scored: Sequence[Sequence[dict]], drawings: Sequence[Sequence[dict]]
) -> dict:
    """A row of the table, from rows of `score_merged` by model, and those of the model that has seen drawings alone."""
    rows = [row for by_model in scored for row in by_model]
    ours: dict[str, list[float]] = {}
    for row in rows:
        ours.setdefault(row["id"], []).append(row["dice"])
    theirs = {row["id"]: row for by_model in drawings for row in by_model}
    gained = [np.mean(values) - theirs[name]["dice"] for name, values in ours.items()]
    low, high = bootstrap_interval(gained, [theirs[name]["patient"] for name in ours])
    return {
        "trained": trained,
        "tested": tested,
        "how": how,
        "images": len(ours),
        "dice": spread(rows, "dice"),
        "below": share_below([row["below"] for row in rows]),
        "difference": None if scored is drawings else {"mean": float(np.mean(gained)), "low": low, "high": high},
    }
