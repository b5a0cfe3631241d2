"""What is each part of the drawing worth? Leave one out, train, and score on real X-rays (notebook 9)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.images import read_masks
from studies.scoring import is_development, merged_dice
from lungseg_utils.drawing import PARTS, PHANTOM_VERSION
from lungseg_utils.prediction import load_model, predict_probabilities
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.pretraining import Plan, train_on_drawings
from studies.provenance import RUNS, begin, finish
from lungseg_utils.recipes import LAPTOP
from lungseg_utils.scores import spread
from studies.crossval import arrays_of

# 400 training drawings in batches of 8, eight times over: 400 steps for each row, whatever is left out.
SHORT = Plan(
    recipe=dataclasses.replace(LAPTOP, name="parts", epochs=8, patience=None),
    drawings=440,
    validated=40,
    rough=0.0,
    seed=1,
    held_out=0,
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One training of the table."""

    name: str
    plan: Plan
    without: tuple[str, ...] = ()


def make_rows(plan: Plan = SHORT) -> list[Row]:
    """List the trainings: all parts with two seeds, no augmentation, then one part left out at a time."""
    still = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, augment=False))
    rows = [
        Row("all parts", plan),
        Row("all parts, other seed", dataclasses.replace(plan, seed=plan.seed + 1)),
        Row("without augmentation", still),
    ]
    return rows + [Row(f"without {part}", plan, (part,)) for part in PARTS]


def measure_parts(rows: Sequence[Row], home: Path, data: Path, measured: Path = FOLDER) -> dict:
    """Train and score each row; an interrupted run does not train again what it had finished.

    Args:
        rows: from `make_rows`.
        home: folder for runs and cached arrays.
        data: folder of real X-rays.
        measured: folder for `parts.json`.

    Returns:
        Content of the file: `rows` with `name`, `training` (its run folder), and the `spread` of the Dice coefficients
        of both lungs merged, at the file's own size, on the `development` third (see `scoring.is_development`),
        `held out` and `all` X-rays.

    Raises:
        DatasetError: the real X-rays are not a data set.
    """
    cases, noted = find_cases(data), begin("parts", data, rows[0].plan.seed)
    images = arrays_of(cases, rows[0].plan.recipe.image_size, home).images
    masks = [read_masks(case) for case in cases]
    table = {"phantom_version": PHANTOM_VERSION, "data": set_folder(data).name, "rows": []}
    table["plan"] = dataclasses.asdict(rows[0].plan)
    for row in rows:
        print(f"{row.name}:", flush=True)
        run = train_on_drawings(row.plan, home, row.without)
        # the last weights, not the best ones: each row is to have the same number of steps
        answers = predict_probabilities(load_model(run / "last.keras"), images)
        scored = [{"patient": case.patient, "dice": merged_dice(*pair)} for case, *pair in zip(cases, masks, answers)]
        about = {"name": row.name, "without": list(row.without), "training": run.name}
        table["rows"].append(about | _by_group(cases, scored))
        print(format_rows(table["rows"][-1:]), flush=True)
    table["provenance"] = finish(noted, data, [home / RUNS / row["training"] for row in table["rows"]])
    write_json(table, measured / "parts.json")
    return read_json(measured / "parts.json")


def _by_group(cases: Sequence[Case], scored: Sequence[dict]) -> dict:
    seen = [is_development(case) for case in cases]
    groups = {
        "development": [row for row, was_seen in zip(scored, seen) if was_seen],
        "held out": [row for row, was_seen in zip(scored, seen) if not was_seen],
        "all": list(scored),
    }
    return {name: spread(group, "dice") for name, group in groups.items() if group}


def format_rows(rows: Sequence[dict]) -> str:
    """The table as text: Dice coefficients on real X-rays, one line per training."""
    lines = []
    for row in rows:
        for group in ("development", "all"):
            if group in row:
                value = row[group]
                lines.append(
                    f"{row['name']:26} {group:12} n {value['n']:3}  mean {value['mean']:.4f}  SD {value['sd']:.4f}  "
                    f"p5 {value['p5']:.4f}  worst {value['worst']:.4f}"
                )
    return "\n".join(lines)
