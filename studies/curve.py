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
from studies.crossval import SEED, score_run, train_once
from lungseg_utils.images import load_arrays
from lungseg_utils.recipes import DRAWINGS, Recipe
from lungseg_utils.scores import spread
from lungseg_utils.splits import make_folds

FILE = FOLDER / "curve.json"
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
    path: Path = FILE,
    recipe: Recipe = SHORT,
    counts: Sequence[int] = COUNTS,
    folds: Sequence[int] = FOLDS,
) -> dict:
    """Train and score every point of the curve; what the run folders hold already is not trained again.

    Args:
        data: folder of the real X-rays.
        home: folder for runs and cached arrays.
        path: of the JSON file that is written.
        recipe: of every training; only its `start` is changed.
        counts: numbers of training images; more than there are means all.
        folds: whose training and validation images train, and whose test images score; from 1.

    Returns:
        Content of the file: `rows` with `fold`, `start`, `images` and `dice`, the `spread` on the test images.

    Raises:
        DatasetError: the folder is not a data set.
    """
    cases = find_cases(data)
    arrays = load_arrays(cases, recipe.image_size, home / "cache")
    rows = []
    for fold in folds:
        split = make_folds(cases, SEED)[fold - 1]
        pool = split["train"] + split["val"]
        for count in counts:
            ids = first_cases(cases, pool, count)
            repeated = (ids * -(-len(pool) // len(ids)))[: len(pool)]  # the same number of steps for each count
            for start in STARTS:
                each = dataclasses.replace(recipe, start=start)
                parts = {"train": repeated, "val": ids[: recipe.batch_size]}  # the loss on these chooses nothing
                run = train_once(each, arrays, parts, home / "runs" / "curve")
                scored = score_run(run, cases, arrays, split["test"], "last.keras")
                value = spread([row for row in scored if row["lung"] == "both"], "dice")
                rows.append({"fold": fold, "start": start, "images": len(ids), "dice": value})
                print(f"fold {fold}, {len(ids):3} X-rays, {start:8} start: {value['mean']:.4f}", flush=True)
    made = read_json(run / "made.json")
    write_json(
        {
            "data": set_folder(data).name,
            "recipe": dataclasses.asdict(recipe),
            "seed": SEED,
            "made": {name: made[name] for name in ("commits", "versions", "finished")},
            "rows": rows,
        },
        path,
    )
    return read_json(path)
