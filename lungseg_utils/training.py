"""Compile, train, and go on after an interruption (notebooks 7 and 8).

A run folder holds, after every epoch: `best.keras` with the lowest validation loss, `log.csv` with a row per
epoch, and `last.keras` with weights and optimizer for going on; `run.json` says how it is trained.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import csv
import dataclasses
import hashlib
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from lungseg_utils import losses
from lungseg_utils.files import DatasetError, lock, read_json, remove_drafts, write_text, write_whole
from lungseg_utils.images import Arrays
from lungseg_utils.recipes import SHIPPED_WEIGHTS, Recipe
from lungseg_utils.unet import build_unet

if keras.backend.backend() == "tensorflow":  # `train` feeds by tf.data; all else here runs on any backend of Keras
    from lungseg_utils.pipeline import make_dataset

WARM_UP = 0.1  # share of the steps in which a cosine schedule rises to its peak


def model_for(recipe: Recipe) -> keras.Model:
    """Build the U-Net of a recipe, not yet compiled; taught in notebook 7."""
    return build_unet(
        recipe.image_size,
        recipe.input_channels,
        recipe.output_channels,
        recipe.base_filters,
        recipe.depth,
        recipe.batch_norm_momentum,
    )


def make_optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Build the optimizer of a recipe; taught in notebook 7.

    Adam (Kingma and Ba, arXiv:1412.6980), or AdamW (Loshchilov and Hutter, arXiv:1711.05101) with a cosine
    schedule that rises from a twenty-fifth of the peak.
    """
    if recipe.schedule == "plateau":
        return keras.optimizers.Adam(recipe.learning_rate)
    steps = recipe.epochs * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 25,
        decay_steps=round((1 - WARM_UP) * steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=round(WARM_UP * steps),
    )
    return keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)


def compile_model(model: keras.Model, recipe: Recipe, steps_per_epoch: int) -> None:
    """Give a model its optimizer, loss and metrics; taught in notebook 7."""
    loss, measures, counts = losses.dice_bce, [losses.hard_dice], []
    if recipe.loss == "pooled_dice":  # the article's four, and ours beside them to compare
        loss = losses.pooled_dice_loss
        measures = [losses.pooled_dice, losses.pooled_iou, losses.hard_dice]
        counts = [keras.metrics.Recall(name="Recall"), keras.metrics.Precision(name="Precision")]
    means = [keras.metrics.MeanMetricWrapper(each, name=each.__name__) for each in measures]
    optimizer = make_optimizer(recipe, steps_per_epoch)
    model.compile(optimizer, loss, metrics=means + counts)
    # What Keras would make during the first step is made now: else TensorFlow traces that step a second time.
    optimizer.build(model.trainable_variables)


class PrintEpoch(keras.callbacks.Callback):
    """Print one line per epoch; taught in notebook 8."""

    def on_epoch_end(self, epoch, logs=None):
        numbers = "  ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss", "val_hard_dice"))
        print(f"epoch {epoch + 1:2}/{self.params['epochs']}  {numbers}", flush=True)


class StopAtNaN(keras.callbacks.Callback):
    """End a training whose loss is no longer a number, before anything of that epoch is kept; taught in notebook 8."""

    def on_epoch_end(self, epoch, logs=None):
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            raise RuntimeError(
                f"Epoch {epoch + 1} ended with loss {logs['loss']} and validation loss {logs['val_loss']}: training "
                "has stopped. Take a smaller learning rate, in another run folder."
            )


class SafeCheckpoint(keras.callbacks.ModelCheckpoint):
    """A checkpoint that is whole or absent, whenever the program dies; taught in notebook 8.

    Keras writes straight into the checkpoint's file: a kill in the middle leaves half a file where a good one
    was. This one lets it write beside, and renames when the file is complete.
    """

    def __init__(self, path: Path, **options):
        super().__init__(path, **options)
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with write_whole(self.path) as draft:
            self.filepath = str(draft)
            super().on_epoch_end(epoch, logs)


class ReplayLog(keras.callbacks.Callback):
    """Tell callbacks about epochs that an earlier, interrupted process trained; taught in notebook 8.

    Early stopping and the plateau schedule count epochs without progress. The model file does not hold their
    counts, but the log holds all that they count from.
    """

    def __init__(self, rows: list[dict[str, float]], listeners: list[keras.callbacks.Callback]):
        super().__init__()
        self.rows, self.listeners = rows, listeners

    def on_train_begin(self, logs=None):
        rate = float(self.model.optimizer.learning_rate)
        for row in self.rows:
            for listener in self.listeners:
                listener.on_epoch_end(int(row["epoch"]), dict(row))
        # the plateau schedule may have lowered it once more
        if float(self.model.optimizer.learning_rate) != rate:
            self.model.optimizer.learning_rate = rate


def read_log(path: Path) -> list[dict[str, float]]:
    """Read `log.csv`: a row per epoch, its values as numbers; taught in notebook 8.

    A missing file counts as an empty log, and a last line without its end is left out: the program died while
    writing it. A DatasetError tells of a file that is not as training writes it.
    """
    if not Path(path).exists():
        return []
    text = Path(path).read_text(encoding="utf-8-sig")
    whole_lines = text[: text.rfind("\n") + 1].splitlines()
    try:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(whole_lines)]
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path} was changed by another program. Put it back, or delete its folder.") from error


def keep_log(path: Path, epochs: int) -> list[dict[str, float]]:
    """Cut `log.csv` to the epochs that were saved, and return them; taught in notebook 8.

    A DatasetError tells that log and `last.keras` differ by more than the epoch that a kill can come between.
    """
    rows = read_log(path)
    if not epochs <= len(rows) <= epochs + 1:
        raise DatasetError(
            f"{path} holds {len(rows)} epochs, last.keras {epochs}: one of them is lost or old. "
            "Put it back, or delete their folder to train again."
        )
    with write_whole(path) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        if epochs:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows[:epochs])
    return rows[:epochs]


def make_callbacks(recipe: Recipe, folder: Path, past: list[dict[str, float]]) -> list[keras.callbacks.Callback]:
    """Build what watches over training: log, checkpoints, plateau schedule, early stop; taught in notebook 8.

    Log and checkpoints go into the folder; `past` are the log's rows of epochs trained before an interruption.
    """
    best = min((row["val_loss"] for row in past), default=None)
    watchers = [keras.callbacks.EarlyStopping(patience=recipe.patience)] if recipe.patience else []
    if recipe.schedule == "plateau":
        watchers.append(keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=5, min_lr=1e-7))
    return [
        StopAtNaN(),
        *watchers,
        ReplayLog(past, watchers),
        SafeCheckpoint(folder / "best.keras", save_best_only=True, initial_value_threshold=best),
        keras.callbacks.CSVLogger(folder / "log.csv", append=True),  # a logged epoch was compared
        SafeCheckpoint(folder / "last.keras"),  # a saved epoch has its row
        PrintEpoch(),
    ]


@contextmanager
def claim_run_folder(
    run_folder: Path, recipe: Recipe, training: Arrays, validation: Arrays, seed: int
) -> Iterator[None]:
    """Be the only one who trains in a run folder, and check by its `run.json` that what was trained there is the same.

    Going on with another split would train on cases that are meant for testing, or test on trained ones. A
    DatasetError tells of another recipe, split, seed or data set, and of a file that is lost.
    """
    path = Path(run_folder) / "run.json"
    digest = hashlib.sha256()
    for array in (training.images, training.masks, validation.images, validation.masks):
        digest.update(np.ascontiguousarray(array).data)
    cases = {"train": training.ids, "val": validation.ids}
    mine = {"recipe": dataclasses.asdict(recipe), "split": cases, "seed": seed, "data set": digest.hexdigest()}
    with lock(path, f"Training in {run_folder}"):
        for name in ("run.json", "best.keras", "log.csv", "last.keras"):
            remove_drafts(path.with_name(name))
        if not path.exists():
            write_text(json.dumps(mine, indent=1) + "\n", path)
        there = read_json(path)
        other = [name for name in mine if there.get(name) != mine[name]]
        if other:
            what = f"{run_folder} holds a run with another {' and '.join(other)}"
            raise DatasetError(f"{what}. Rename or delete that folder, or give another one.")
        check_run(Path(run_folder), recipe)
        yield


def check_run(run_folder: Path, recipe: Recipe) -> None:
    """Raise a DatasetError where a run has lost a model that it needs; a finished one does not need `last.keras`."""
    rows, last = read_log(run_folder / "log.csv"), run_folder / "last.keras"
    needed = [run_folder / "best.keras"] if rows else []
    needed += [last] if last.exists() and not is_finished(recipe, rows) else []
    for path in needed:
        if not zipfile.is_zipfile(path):  # which a file that is missing or cut short is not
            raise DatasetError(f"{path} is lost or damaged. Put it back, or delete {run_folder} to train again.")


def is_finished(recipe: Recipe, rows: list[dict[str, float]]) -> bool:
    """Whether a log says that training ended: all epochs done, or no progress for long; taught in notebook 8."""
    if not rows:
        return False
    losses_so_far = [row["val_loss"] for row in rows]
    since_best = len(rows) - 1 - losses_so_far.index(min(losses_so_far))
    stalled = recipe.patience is not None and since_best >= recipe.patience
    return stalled or len(rows) >= recipe.epochs


def count_steps(recipe: Recipe, training: Arrays) -> int:
    """Count the full batches in one pass over the training images; taught in notebook 8."""
    count = len(training.ids)
    if count < recipe.batch_size:
        raise ValueError(f"{count} training images do not fill one batch of {recipe.batch_size}. Add images.")
    return count // recipe.batch_size


def model_to_train(recipe: Recipe, run_folder: Path, steps: int) -> keras.Model:
    """Load the model of an interrupted run, its optimizer included, or build a new one; taught in notebook 8.

    A new one starts from random weights, or from those of the shipped model where the recipe says so.
    """
    last = run_folder / "last.keras"
    if last.exists():
        return keras.models.load_model(last)
    model = model_for(recipe)
    if recipe.start == "drawings":
        model.load_weights(SHIPPED_WEIGHTS)
    compile_model(model, recipe, steps)
    return model


def go_on(
    model: keras.Model, recipe: Recipe, training: Arrays, validation: Arrays, run_folder: Path, epochs: int, seed: int
) -> None:
    """Train a model from the epoch that it has reached up to `epochs`; taught in notebook 8. See `train`."""
    steps = count_steps(recipe, training)
    done = int(model.optimizer.iterations) // steps
    callbacks = make_callbacks(recipe, run_folder, keep_log(run_folder / "log.csv", done))
    batches = make_dataset(training.images, training.masks, recipe, training=True, seed=seed)
    model.fit(
        batches.skip(done * steps),  # the interrupted run has seen those
        validation_data=make_dataset(validation.images, validation.masks, recipe),
        shuffle=False,  # the pipeline does
        verbose=0,
        steps_per_epoch=steps,
        initial_epoch=done,
        epochs=epochs,
        callbacks=callbacks,
    )


def train(
    recipe: Recipe,
    arrays: Arrays,
    split: dict[str, list[str]],
    run_folder: Path,
    epochs: int | None = None,
    seed: int = 42,
) -> list[dict[str, float]]:
    """Train a recipe into a run folder; an interrupted run goes on after its last whole epoch.

    Taught in notebook 8. The same seed, data and versions give the same losses on the same kind of machine.

    Args:
        recipe: all choices.
        arrays: the cases at the recipe's size.
        split: which of them are for training and for validation.
        run_folder: nothing that was trained there is trained again.
        epochs: stop for now after this many; by default go on to the end of the recipe.
        seed: of the first weights, the order of the images and their augmentation.

    Returns:
        The rows of the log. For predicting, load `best.keras` from the run folder.

    Raises:
        DatasetError: the run folder holds another run, or has lost a file.
        ValueError: there are fewer training images than a batch holds.
        RuntimeError: the loss has become NaN; no file holds anything of that epoch.
    """
    training, validation = arrays.part(split["train"]), arrays.part(split["val"])
    steps = count_steps(recipe, training)
    with claim_run_folder(run_folder, recipe, training, validation, seed):
        if not is_finished(recipe, read_log(run_folder / "log.csv")):
            keras.utils.set_random_seed(seed)
            model = model_to_train(recipe, run_folder, steps)
            go_on(model, recipe, training, validation, run_folder, epochs or recipe.epochs, seed)
        return read_log(run_folder / "log.csv")
