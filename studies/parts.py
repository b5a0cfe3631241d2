"""What is each part of the drawing worth? Leave one out, train, and score on real X-rays (notebook 9).

`python -m studies parts` takes 39 short trainings, about an hour on two idle cores. Each row has three seeds, and the
same three: of the drawings, of the first weights and of their order. So a row differs from that with all parts, seed by
seed, in the part alone.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from lungseg_utils.cases import find_cases, set_folder
from studies.scoring import score_merged, share_below
from lungseg_utils.drawing import PARTS, PHANTOM_VERSION
from lungseg_utils.prediction import load_model
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.pretraining import Plan, train_on_drawings
from studies.provenance import RUNS, begin, finish
from lungseg_utils.recipes import LAPTOP
from lungseg_utils.scores import spread
from studies.crossval import arrays_of

# 960 training drawings in batches of 8, five times over: 600 steps for each training, whatever is left out.
SHORT = Plan(
    recipe=dataclasses.replace(LAPTOP, name="parts", epochs=5, patience=None),
    drawings=1000,
    validated=40,
    averaged=0,
    rough=0.3,
    seed=1,
    held_out=0,
)
SEEDS = 3


@dataclasses.dataclass(frozen=True)
class Row:
    """The trainings of a row of the table, one for each seed."""

    name: str
    plans: tuple[Plan, ...]
    without: tuple[str, ...] = ()


def make_rows(plan: Plan = SHORT, seeds: int = SEEDS) -> list[Row]:
    """List the rows: all parts, then one part left out at a time."""
    plans = tuple(dataclasses.replace(plan, seed=plan.seed + number) for number in range(seeds))
    return [Row("all parts", plans), *(Row(f"without {part}", plans, (part,)) for part in PARTS)]


def measure_parts(rows: Sequence[Row], home: Path, data: Path, other: Path, measured: Path = FOLDER) -> dict:
    """Train and score each row; an interrupted run does not train again what it had finished.

    Args:
        rows: from `make_rows`; the first has all parts.
        home: folder for runs and cached arrays.
        data: folder of real X-rays.
        other: folder of real X-rays of a second hospital.
        measured: folder for `parts.json`.

    Returns:
        Content of the file: `rows` with `name`, `trainings` (run folders), under `sets` the `dice` and `below` of each
        set of real X-rays, of both lungs merged at the file's own size, over all seeds, with the mean Dice coefficient
        of each seed, and the `gain` of the part that is left out, see `gains`.

    Raises:
        DatasetError: the real X-rays are not a data set.
    """
    sets = {set_folder(folder).name: find_cases(folder) for folder in (data, other)}
    plan = rows[0].plans[0]
    noted, table, values = begin("parts", (data, other), plan.seed), [], []
    arrays = {name: arrays_of(cases, plan.recipe.image_size, home) for name, cases in sets.items()}
    for row in rows:
        print(f"{row.name}:", flush=True)
        runs = [train_on_drawings(each, home, row.without) for each in row.plans]
        # the last weights, not the best ones: each training is to have the same number of steps
        models = [load_model(run / "last.keras") for run in runs]
        scored = {name: [score_merged(model, cases, arrays[name]) for model in models] for name, cases in sets.items()}
        about = {"name": row.name, "without": list(row.without), "trainings": [run.name for run in runs]}
        table.append(about | {"sets": {name: _summary(by_seed) for name, by_seed in scored.items()}})
        values.append([np.array([[one["dice"] for one in seed] for seed in by_seed]) for by_seed in scored.values()])
        print("; ".join(f"{name} {one['means']}" for name, one in table[-1]["sets"].items()), flush=True)
    table = [{**row, "gain": gain} for row, gain in zip(table, gains(values))]
    about = {"phantom_version": PHANTOM_VERSION, "plan": dataclasses.asdict(plan), "seeds": len(rows[0].plans)}
    trained = [home / RUNS / name for row in table for name in row["trainings"]]
    result = {**about, "rows": table, "provenance": finish(noted, (data, other), trained)}
    write_json(result, measured / "parts.json")
    return read_json(measured / "parts.json")


def _summary(by_seed: Sequence[Sequence[dict]]) -> dict:
    rows = [row for seed in by_seed for row in seed]
    return {
        "dice": spread(rows, "dice"),
        "below": share_below([row["below"] for row in rows]),
        "means": [round(float(np.mean([row["dice"] for row in seed])), 5) for seed in by_seed],
    }


def gains(values: Sequence[Sequence[np.ndarray]]) -> list[dict[str, float]]:
    """What the mean Dice coefficient loses without a part, with a 95 % interval over seeds and X-rays.

    Each hospital counts the same. Two things are chance: the seed, and which X-rays a hospital gave us. The first is
    measured on all rows together, since three seeds of one row say little of their spread, and has as many degrees of
    freedom; the second is the spread of the X-rays' differences, the mean of the seeds (t interval).

    Args:
        values: for each row, the first with all parts, and each hospital: Dice coefficients, (seeds, X-rays).

    Returns:
        For each row `mean`, `low` and `high`; above 0 where the part helps.
    """
    lost = [[full - part for full, part in zip(values[0], row)] for row in values]
    by_seed = np.array([np.mean([one.mean(axis=1) for one in row], axis=0) for row in lost])  # (rows, seeds)
    seeds, others = by_seed.shape[1], max(1, len(by_seed) - 1)
    seed_error = by_seed[1:].var(axis=1, ddof=1).mean() / seeds if len(by_seed) > 1 else 0.0
    reach = stats.t.ppf(0.975, others * (seeds - 1))
    result = []
    for row, means in zip(lost, by_seed):
        image_error = sum(one.mean(axis=0).var(ddof=1) / one.shape[1] for one in row) / len(row) ** 2
        half = reach * np.sqrt(seed_error + image_error) if any(one.any() for one in row) else 0.0
        result.append(
            {"mean": float(means.mean()), "low": float(means.mean() - half), "high": float(means.mean() + half)}
        )
    return result
