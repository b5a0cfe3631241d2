"""The shipped model: trained on drawings alone, scored on real X-rays, with its model card (notebook 9).

`python -m studies pretrain` makes all of it; with `--score` it scores the model that is there. The scores are kept as
`scores.json`, and the card is written from them (`model_card.py`), so that the two cannot disagree.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import io
import os
import zipfile
from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np

from lungseg_utils.cases import DatasetError, find_cases, set_folder
from lungseg_utils.drawing.arrays import draw_arrays
from studies.scoring import score_cases
from studies import keys
from studies.provenance import RUNS, begin, claim_folder, code_version, finish, now, start_clock, stop_clock
from lungseg_utils.drawing import PHANTOM_VERSION, draw_dataset
from lungseg_utils.files import read_json, write_json, write_whole
from lungseg_utils import losses
from lungseg_utils.images import Arrays
from lungseg_utils.pipeline import make_dataset
from lungseg_utils.prediction import load_model, over_scales
from lungseg_utils.recipes import DRAWINGS, SHIPPED_WEIGHTS, Recipe
from lungseg_utils.training import count_steps, model_for, read_log, train

PRETRAINED = SHIPPED_WEIGHTS.parent
MODEL, SCORES = SHIPPED_WEIGHTS.name, "scores.json"
LARGEST = 8_000_000  # bytes of the model file
ROOTS = "lungseg_utils.training:train", "lungseg_utils.drawing.arrays:draw_arrays", "studies.pretraining:train_averaged"
DRAWN_TRAINING = dataclasses.replace(keys.TRAINING, roots=ROOTS)
HELD_OUT_SEED = 7  # of the drawn data set that scores the model


@dataclasses.dataclass(frozen=True)
class Plan:
    """All choices of a training on drawings, beside the drawing itself.

    Attributes:
        recipe: of the network and its training.
        drawings: how many are drawn.
        validated: how many of them are not trained on; the log holds their loss.
        averaged: epochs after those of the recipe, at a constant learning rate; the weights on the way are averaged.
        rough: share of the drawings that `arrays.roughen` changes, 0 to 1, and of those that `arrays.recolour` does.
        seed: of the drawings, the first weights, the order and the augmentation.
        held_out: how many further drawings score the model.
    """

    recipe: Recipe
    drawings: int
    validated: int
    averaged: int
    rough: float
    seed: int
    held_out: int


SHIPPED = Plan(recipe=DRAWINGS, drawings=10_000, validated=300, averaged=7, rough=0.3, seed=42, held_out=100)
RATE = 3e-3  # of the averaged epochs
MEMORY = 0.9995  # share of the old average kept at each step: it reaches back about 2,000 steps
NORMALISED = 200  # batches that the averaged network takes its means and variances from


# --- training ---


def train_on_drawings(plan: Plan, home: Path, without: Collection[str] = ()) -> Path:
    """Draw, and train into a run folder named after all that this depends on; an interrupted run goes on.

    Args:
        plan: all choices.
        home: folder for runs; what is finished there is not trained again.
        without: parts of the drawing to leave out, names from `phantom.PARTS`.

    Returns:
        The run folder. Its `made.json` says how long drawing and training took, and with which code and libraries.
    """
    drawn = {"drawing": PHANTOM_VERSION, "plan": dataclasses.asdict(plan), "without": sorted(without)}
    folder = claim_folder(home, plan.recipe, keys.code_key(DRAWN_TRAINING), **drawn)
    made = start_clock(folder)
    if "finished" not in made:
        arrays = draw_arrays(plan.drawings, plan.recipe.image_size, plan.seed, plan.rough, without)
        split = {"train": arrays.ids[: -plan.validated], "val": arrays.ids[-plan.validated :]}
        train(plan.recipe, arrays, split, folder, seed=plan.seed)
        if plan.averaged:
            train_averaged(plan, arrays.part(split["train"]), folder)
        stop_clock(made, folder)
    return folder


def train_averaged(plan: Plan, training: Arrays, folder: Path) -> None:
    """Train on from `last.keras` at a constant learning rate, and write the mean of the weights as `averaged.keras`.

    The small last steps of a falling learning rate fit what drawings have in common and real X-rays have not. The mean
    over large steps travels better (Izmailov et al., arXiv:1803.05407; here it forgets old weights slowly). What is
    interrupted begins anew. Batch normalisation's running means and variances are of other weights, so that the
    averaged network is shown some batches.

    Args:
        plan: all choices.
        training: the drawings to train on.
        folder: the run.
    """
    model, recipe = load_model(folder / "last.keras"), plan.recipe
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=MEMORY)
    model.compile(optimizer, losses.dice_bce)
    batches = make_dataset(training.images, training.masks, recipe, training=True, seed=plan.seed + 1)
    steps = count_steps(recipe, training)
    model.fit(batches, shuffle=False, verbose=2, steps_per_epoch=steps, epochs=plan.averaged)  # it ends with the means
    for images, _ in batches.take(NORMALISED):
        model(images, training=True)
    with write_whole(folder / "averaged.keras") as draft:
        model.save(draft)


def save_small(model: keras.Model, plan: Plan, path: Path) -> None:
    """Write a trained model without its optimizer, in about half of its size.

    Weights are rounded to the 11 significant bits of half precision, and stay float32 when they are loaded: the
    zeros at their ends are what the compression saves.

    Raises:
        RuntimeError: the file is larger than `LARGEST`.
    """
    small = model_for(plan.recipe)
    small.set_weights([weights.astype(np.float16).astype(np.float32) for weights in model.get_weights()])
    with write_whole(path) as draft:
        small.save(draft)
        content = draft.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as plain, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as target:
            for name in plain.namelist():
                target.writestr(name, plain.read(name))
        if draft.stat().st_size > LARGEST:
            raise RuntimeError(f"{path} has {draft.stat().st_size} bytes, more than {LARGEST}: use fewer filters.")


# --- all of it ---


def pretrain(
    plan: Plan, home: Path, target: Path = PRETRAINED, data: Path | None = None, other: Path | None = None
) -> Path:
    """Make the shipped model: draw, train, score, and write model and scores.

    What was trained before with the same plan and version of the drawing is only scored again.

    Args:
        plan: `SHIPPED`, unless something is tried out.
        home: folder for runs, drawings and cached arrays.
        target: folder for the two files.
        data: folder of real X-rays, of which a third of the patients was looked at (`scoring.is_development`).
        other: folder of real X-rays of a second hospital, all of which were looked at. Real X-rays are scored at the
            very end, and choose nothing.

    Returns:
        The file of the scores.

    Raises:
        DatasetError: the real X-rays are not a data set; nothing is trained then.
        RuntimeError: the model file is too large.
    """
    noted = begin_scoring(plan, data, other)
    run = train_on_drawings(plan, home)
    path = target / MODEL
    save_small(load_model(run / ("averaged.keras" if plan.averaged else "last.keras")), plan, path)
    result = {**describe_training(plan, run, path), **score_shipped(path, plan.held_out, run, home, data, other)}
    write_json({**result, "provenance": finish(noted, (data, other), [run])}, target / SCORES)
    return target / SCORES


def score_again(home: Path, data: Path, other: Path, target: Path = PRETRAINED) -> Path:
    """Score a model that is there with the code of today; what its scores say of its training stays.

    Args:
        home: folder for drawings and cached arrays.
        data: see `pretrain`.
        other: see `pretrain`.
        target: folder with the two files.

    Returns:
        The file of the scores.

    Raises:
        DatasetError: the scores are those of another model.
    """
    before, path = read_json(target / SCORES), target / MODEL
    if before["model"]["sha256"] != keys.file_hash(path):
        raise DatasetError(f"{target / SCORES} is not of {path}: make both anew, python -m studies pretrain")
    noted = begin_scoring(SHIPPED, data, other)
    result = {name: before[name] for name in ("model", "plan", "training")}
    result |= score_shipped(
        path, before["plan"]["held_out"], home / RUNS / f"scored-again-{PHANTOM_VERSION}", home, data, other
    )
    trainings = before.get("provenance", {}).get("trainings", [])
    write_json({**result, "provenance": {**finish(noted, (data, other)), "trainings": trainings}}, target / SCORES)
    return target / SCORES


def begin_scoring(plan: Plan, data: Path | None, other: Path | None) -> dict:
    """`begin`, once it is known that the real X-rays can be used."""
    for folder in filter(None, (data, other)):
        find_cases(folder)
    return begin("pretrain", (data, other), plan.seed)


def score_shipped(path: Path, held_out: int, run: Path, home: Path, data: Path | None, other: Path | None) -> dict:
    """Score a model file: `score_cases` of drawings that it has not seen, of the `real` X-rays and of the `other` ones.

    Args:
        path: of the model; what is scored is what is shipped.
        held_out: how many drawings.
        run: folder for these.
        home: folder for cached arrays.
        data: see `pretrain`.
        other: see `pretrain`.
    """
    model = over_scales(load_model(path))
    drawn = find_cases(draw_dataset(run / "held-out", held_out, seed=HELD_OUT_SEED))
    result = {"scored": {"commit": code_version(), "date": now()[:10], "held_out_seed": HELD_OUT_SEED}}
    result["drawings"] = score_cases(model, drawn, home)
    for name, folder in (("real", data), ("other", other)):
        if folder:
            scored = score_cases(model, find_cases(folder), home, whole=name == "other")
            result[name] = {"name": set_folder(folder).name, **scored}
    return result


def describe_training(plan: Plan, run: Path, path: Path) -> dict:
    """What the card says of the model file, of its plan and of its training."""
    made = read_json(run / "made.json")
    return {
        "model": {
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": keys.file_hash(path),
            "weights": load_model(path).count_params(),
        },
        "plan": dataclasses.asdict(plan),
        "training": {
            "phantom_version": PHANTOM_VERSION,
            "minutes": made["seconds"] / 60,
            "processors": os.cpu_count(),
            "epochs": len(read_log(run / "log.csv")) + plan.averaged,
            **{name: made[name] for name in ("commits", "versions", "finished")},
        },
    }
