"""How many real X-rays are needed, with and without a start from drawings? (notebook 9)

`python -m studies curve --data REAL` trains on 5, 10, 25, 50 and 110 real X-rays of a fold: once from random
weights, once from those of the shipped model. Each training has the same number of steps and uses its last weights, so
that no further X-ray takes part in it.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.provenance import begin, finish
from studies.crossval import SEED, arrays_of, score_run, train_once
from lungseg_utils.recipes import DRAWINGS, Recipe
from lungseg_utils.scores import spread
from lungseg_utils.splits import make_folds

COUNTS = (5, 10, 25, 50, 110)
FOLDS = (1,)  # whose test images score
STARTS = ("random", "drawings")
SHORT = dataclasses.replace(DRAWINGS, name="curve", learning_rate=1e-3, epochs=15)
"""The shipped model's net and size; 15 passes over 110 X-rays, or as many steps over fewer."""


def first_cases(cases: Sequence[Case], ids: Sequence[str], count: int, seed: int = SEED) -> list[str]:
    """Choose the first cases of a random order that alternates findings, so that a small choice holds both.

    A larger choice holds every smaller one.
    """
    finding = {case.id: case.finding or 0 for case in cases}
    order = np.random.default_rng(seed).permutation(sorted(ids)).tolist()
    places = {}
    for group in (0, 1):
        members = [name for name in order if finding[name] == group]
        places |= {name: (place + 0.5) / len(members) for place, name in enumerate(members)}
    return sorted(order, key=places.get)[:count]


def measure_curve(
    data: Path,
    home: Path,
    start: str,
    measured: Path = FOLDER,
    recipe: Recipe = SHORT,
    counts: Sequence[int] = COUNTS,
    folds: Sequence[int] = FOLDS,
) -> dict:
    """Train and score every point of the curve; what the run folders hold already is not trained again.

    Args:
        data: folder of the real X-rays.
        home: folder for runs and cached arrays.
        start: of every training, from `STARTS`.
        measured: folder for `curve-START.json`.
        recipe: of every training, but for its `start`.
        counts: numbers of training images; more than there are means all.
        folds: whose training and validation images train, and whose test images score; from 1.

    Returns:
        Content of the file: `rows` with `fold`, `start`, `images` and `dice`, the `spread` on the test images.

    Raises:
        DatasetError: the folder is not a data set.
    """
    cases, recipe = find_cases(data), dataclasses.replace(recipe, start=start)
    arrays = arrays_of(cases, recipe.image_size, home)
    noted, rows, runs = begin(f"curve-{start}", data, SEED), [], []
    for fold in folds:
        split = make_folds(cases, SEED)[fold - 1]
        for count in counts:
            parts = choose(cases, split, count, recipe.batch_size)
            runs.append(train_once(recipe, arrays, parts, home))
            scored = score_run(runs[-1], cases, arrays, split["test"], "last.keras")
            value = spread([row for row in scored if row["lung"] == "both"], "dice")
            rows.append({"fold": fold, "start": start, "images": len(set(parts["train"])), "dice": value})
            print(f"fold {fold}, {rows[-1]['images']:3} X-rays, {start} start: {value['mean']:.4f}", flush=True)
    about = {"data": set_folder(data).name, "recipe": dataclasses.asdict(recipe), "seed": SEED}
    path = measured / f"curve-{start}.json"
    write_json({**about, "rows": rows, "provenance": finish(noted, data, runs)}, path)
    return read_json(path)


def choose(cases: Sequence[Case], split: dict[str, list[str]], count: int, batch_size: int) -> dict[str, list[str]]:
    """Some of a fold's training and validation images, repeated: each count trains for the same number of steps."""
    pool = split["train"] + split["val"]
    ids = first_cases(cases, pool, count)
    repeated = (ids * -(-len(pool) // len(ids)))[: len(pool)]
    return {"train": repeated, "val": ids[:batch_size]}  # the loss on these chooses nothing
