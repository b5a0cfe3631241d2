"""The article's run in full: its recipe to the letter, on its own split and on our five folds (notebook 9).

For a GPU: `KERAS_BACKEND=jax python -m studies article --data REAL` trains six nets of 31 million weights at 512 px.
It needs no TensorFlow: batches are plain NumPy arrays, so that any backend of Keras will do. Each run is kept when it
is done, and an interrupted study goes on with the next one. Masks are cut at 0.5 at the network's size and not cleaned,
as the article does it; the scores are ours.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from lungseg_utils.cases import Case, find_cases, pixel_spacing, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.images import Arrays, load_arrays
from lungseg_utils.prediction import load_model, predict_probabilities
from lungseg_utils.recipes import ARTICLE, Recipe
from lungseg_utils.scores import score_case, spread, write_scores
from lungseg_utils.splits import article_split, make_folds
from lungseg_utils.training import compile_model, count_steps, make_callbacks, model_for, read_log
from studies import keys
from studies.provenance import code_version, library_versions

SEED = 42  # of the folds; the first run has this seed too, and each later one the next
OWN = "own split"
RUNS = (OWN, *(f"fold {number}" for number in range(1, 6)))
COLUMNS = (
    "epoch loss val_loss val_pooled_dice val_pooled_iou val_Recall val_Precision val_hard_dice learning_rate".split()
)
PROTOCOL = "masks cut at 0.5 at the network's size, not cleaned; weights of the lowest validation loss"


class Batches(keras.utils.PyDataset):
    """NumPy batches of a recipe that does not augment, equal to those of `pipeline.make_dataset`.

    With a seed they are for training: full batches only, in a new order on each pass. Without, all cases come in order.
    """

    def __init__(self, arrays: Arrays, recipe: Recipe, seed: int | None = None):
        super().__init__()
        self.arrays, self.recipe = arrays, recipe
        self.random = None if seed is None else np.random.default_rng(seed)
        self.order = np.arange(len(arrays.ids))
        self.on_epoch_end()

    def __len__(self) -> int:
        full, rest = divmod(len(self.order), self.recipe.batch_size)
        return full + (self.random is None and rest > 0)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        size = self.recipe.batch_size
        rows = self.order[index * size : (index + 1) * size]
        images = self.arrays.images[rows][..., np.newaxis].astype("float32") / 255
        masks = self.arrays.masks[rows].astype("float32")
        if self.recipe.output_channels == 1:
            masks = masks.max(axis=-1, keepdims=True)
        return np.repeat(images, self.recipe.input_channels, axis=-1), masks

    def on_epoch_end(self) -> None:
        """Put the cases in a new order for the next pass; Keras calls it."""
        if self.random is not None:
            self.random.shuffle(self.order)


class Seconds(keras.callbacks.Callback):
    """Put into the log how long the training part of an epoch took; the first one compiles."""

    def on_epoch_begin(self, epoch, logs=None):
        self.started = self.ended = time.time()

    def on_test_begin(self, logs=None):
        self.ended = time.time()

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = self.ended - self.started


def device() -> str:
    """Name of what computes, such as "NVIDIA H200" (JAX tells it) or "cpu:0"."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    return f"{keras.distribution.list_devices()[0]}, {platform.processor() or platform.machine()}"


def splits_of(cases: Sequence[Case]) -> dict[str, dict[str, list[str]]]:
    """The split of each run: the article's own, and our five folds."""
    return dict(zip(RUNS, [article_split([case.id for case in cases]), *make_folds(cases, SEED)]))


def train(recipe: Recipe, arrays: Arrays, split: dict[str, list[str]], seed: int, folder: Path) -> list[dict]:
    """Train a recipe by plain NumPy batches; the weights of the lowest validation loss are in `best.keras`.

    Args:
        recipe: without augmentation.
        arrays: the cases at the recipe's size.
        split: case IDs under `"train"` and `"val"`.
        seed: of the first weights and of the order of the images.
        folder: for weights and log; what an interrupted run has left there is deleted.

    Returns:
        A row per epoch, from 1: `COLUMNS` of Keras' log, `seconds`, and `saved`: 1 where the weights were kept.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    training, validation = arrays.part(split["train"]), arrays.part(split["val"])
    keras.utils.set_random_seed(seed)
    model = model_for(recipe)
    compile_model(model, recipe, count_steps(recipe, training))
    model.fit(
        Batches(training, recipe, seed),
        validation_data=Batches(validation, recipe),
        epochs=recipe.epochs,
        shuffle=False,  # the batches do
        verbose=0,
        callbacks=[Seconds(), *make_callbacks(recipe, folder, past=[])],
    )
    rows, lowest = [], float("inf")
    for row in read_log(folder / "log.csv"):
        kept = {name: row[name] for name in (*COLUMNS, "seconds")}
        rows.append({**kept, "epoch": int(row["epoch"]) + 1, "saved": int(row["val_loss"] < lowest)})
        lowest = min(lowest, row["val_loss"])
    return rows


def score(model: keras.Model, cases: Sequence[Case], arrays: Arrays) -> list[dict]:
    """Score a model as the module's docstring says: a row per X-ray, both lungs in one mask.

    Args:
        model: with one output channel.
        cases: N cases.
        arrays: the same cases at the model's size.
    """
    rows = []
    for case, probabilities, true in zip(cases, predict_probabilities(model, arrays.images, 2), arrays.masks):
        rows += score_case(case, true, probabilities > 0.5, pixel_spacing(case, *true.shape[:2]))
    return rows


def run(name: str, recipe: Recipe, cases: Sequence[Case], arrays: Arrays, runs: Path) -> dict:
    """Train and score one run, or read what a run of the same code, data, libraries and recipe has kept.

    Args:
        name: one of `RUNS`.
        recipe: of the network and its training.
        cases: of the whole data set.
        arrays: the same cases at the recipe's size.
        runs: folder in which the run folder is made.

    Returns:
        `epochs` and `scores` are rows; the rest says how they were made.
    """
    split, seed = splits_of(cases)[name], SEED + RUNS.index(name)
    pixels = hashlib.sha256(arrays.images.tobytes() + arrays.masks.tobytes()).hexdigest()
    about = {
        "seed": seed,
        "images": {part: len(ids) for part, ids in split.items()},
        "code": code_version(),
        "versions": library_versions(),
        "device": device(),
    }
    key = json.dumps([dataclasses.asdict(recipe), split, pixels, about, keys.code_key(keys.STAGES["article"])])
    folder = runs / f"{recipe.name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    if (folder / "result.json").exists():
        return read_json(folder / "result.json")
    epochs = train(recipe, arrays, split, seed, folder)
    by_id = {case.id: case for case in cases}
    tested = [by_id[case_id] for case_id in split["test"]]
    scores = score(load_model(folder / "best.keras"), tested, arrays.part(split["test"]))
    about |= {"seconds": sum(row["seconds"] for row in epochs), "finished": time.strftime("%Y-%m-%d")}
    write_json({"run": name, **about, "epochs": epochs, "scores": scores}, folder / "result.json")
    return read_json(folder / "result.json")


def keep(results: Sequence[dict], data: str, recipe: Recipe, folder: Path) -> None:
    """Write what all runs say: `article-crossval.csv`, `-own-split.csv` and `-epochs.csv`, and `article.json`.

    Args:
        results: of `run`, one for each of `RUNS`.
        data: name of the data set.
        recipe: of all runs.
        folder: for the files.
    """
    epochs = [{"run": result["run"], **row} for result in results for row in result["epochs"]]
    folds = [{"fold": number, **row} for number, each in enumerate(results) for row in each["scores"]]
    write_scores(epochs, folder / "article-epochs.csv")
    write_scores([row for row in folds if row["fold"] > 0], folder / "article-crossval.csv")
    write_scores([{**row, "fold": ""} for row in folds if row["fold"] == 0], folder / "article-own-split.csv")
    about = {"data": data, "recipe": dataclasses.asdict(recipe), "protocol": PROTOCOL}
    write_json({**about, "runs": {result["run"]: summary(result) for result in results}}, folder / "article.json")


def summary(result: dict) -> dict:
    """How a run was made, its epoch of lowest validation loss, and the spread of the Dice coefficient on its test."""
    best = min(result["epochs"], key=lambda row: row["val_loss"])
    made = {name: value for name, value in result.items() if name not in ("run", "epochs", "scores")}
    return {**made, "best": best, "dice": spread(result["scores"], "dice")}


def run_article(data: Path, home: Path, kept: Path, names: Sequence[str] = RUNS, recipe: Recipe = ARTICLE) -> None:
    """Make the article's run; what is done already is not done again.

    Args:
        data: folder of the real X-rays.
        home: folder for runs and cached arrays.
        kept: folder for the figures, which are written when all runs are done.
        names: which runs to make now.
        recipe: of the network and its training.

    Raises:
        DatasetError: the folder is not a data set, or has too few patients.
    """
    cases = find_cases(data)
    arrays = load_arrays(cases, recipe.image_size, home / "cache")
    results = []
    for name in names:
        print(f"{recipe.name}, {name}, on {device()}:", flush=True)
        results.append(run(name, recipe, cases, arrays, home / "runs" / "article"))
        dice = summary(results[-1])["dice"]
        print(f"{name}: hard Dice {dice['mean']:.4f}, worst {dice['worst']:.4f}, {dice['n']} X-rays", flush=True)
    if tuple(names) == RUNS:
        keep(results, set_folder(data).name, recipe, kept)
