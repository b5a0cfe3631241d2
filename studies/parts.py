"""What is each part of the drawing worth? Leave one out, train, and score on real X-rays (notebook 9)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.prediction import evaluate
from lungseg_utils.images import load_arrays
from studies.model_card import is_development, summarise
from lungseg_utils.drawing import PARTS, PHANTOM_VERSION
from lungseg_utils.prediction import load_model
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.pretraining import Plan, run_folder, train_on_drawings
from lungseg_utils.recipes import LAPTOP

FILE = FOLDER / "parts.json"

# 800 training drawings in batches of 8, four times over: 400 steps for each row, whatever is left out.
SHORT = Plan(
    recipe=dataclasses.replace(LAPTOP, name="parts", epochs=4, patience=None),
    drawings=840,
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


def measure_parts(rows: Sequence[Row], home: Path, data: Path, path: Path = FILE) -> dict:
    """Train and score each row that is not in the file yet; an interrupted run goes on with the next row.

    Args:
        rows: from `make_rows`.
        home: folder for runs and cached arrays.
        data: folder of real X-rays.
        path: of the JSON file. It is made anew when the drawing, the plan or the data set has changed.

    Returns:
        Content of the file: `rows` with `name`, `seconds`, and Dice coefficients of both lungs merged, at the file's
        own size, on the `development` third (see `model_card.is_development`), `held out` and `all` X-rays.

    Raises:
        DatasetError: the real X-rays are not a data set.
    """
    cases = find_cases(data)
    about = {
        "phantom_version": PHANTOM_VERSION,
        "data": set_folder(data).name,
        "plan": dataclasses.asdict(rows[0].plan),
    }
    table = read_json(path) if path.exists() else {}
    if {name: table.get(name) for name in about} != about:
        table = {**about, "rows": []}
    done = {row["name"] for row in table["rows"]}
    for row in rows:
        if row.name not in done:
            table["rows"].append(_measure(row, home, cases))
            write_json(table, path)
            print(format_rows(table["rows"][-1:]), flush=True)
    return read_json(path)


def _measure(row: Row, home: Path, cases: Sequence[Case]) -> dict:
    print(f"{row.name}:", flush=True)
    folder = run_folder(row.plan, home / "runs", row.without)
    made = train_on_drawings(row.plan, folder, row.without)
    # the last weights, not the best ones: each row is to have the same number of steps
    model = load_model(folder / "last.keras")
    scored = evaluate(model, cases, load_arrays(cases, row.plan.recipe.image_size, home / "cache").images)
    development = {case.id for case in cases if is_development(case)}
    groups = {
        "development": [score for score in scored if score["id"] in development],
        "held out": [score for score in scored if score["id"] not in development],
        "all": scored,
    }
    dice = {name: summarise(group)["both"]["dice"] for name, group in groups.items() if group}
    return {"name": row.name, "without": list(row.without), "seconds": made["seconds"], **dice}


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
