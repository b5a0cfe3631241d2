"""What each of the article's choices costs, one at a time, and what a small stand-in for the article makes of them all.

The article's own run takes hours without a GPU. Here its choices are put, one by one, into the laptop recipe, with the
article's number of epochs and several seeds, on the first fold of the cross-validation; all of them together train at
the size that fits. That is not the article: `studies.article` is its run in full, for a GPU.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lungseg_utils.cases import Case, find_cases, pixel_spacing, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.images import Arrays
from lungseg_utils.inference.xrays import letterbox
from lungseg_utils.kept import FOLDER
from lungseg_utils.prediction import load_model, predict_probabilities, score_probabilities
from lungseg_utils.recipes import ARTICLE, LAPTOP, Recipe
from lungseg_utils.scores import bootstrap_interval, spread
from lungseg_utils.splits import article_split, make_folds, shared_patients
from lungseg_utils.training import model_for
from lungseg_utils.unet import multiply_adds
from studies.crossval import SEED, arrays_of, score_run, train_once
from studies.provenance import RUNS, begin, finish

SHORT = dataclasses.replace(LAPTOP, name="short", epochs=ARTICLE.epochs, patience=None)
"""The reference: the laptop recipe with as many epochs as the article has, and every one of them used."""
SEEDS = (SEED, SEED + 1, SEED + 2)  # of the reference, to show what is chance; the other rows have fewer
Place = tuple[slice, slice]  # rows and columns of an X-ray inside its square


@dataclasses.dataclass(frozen=True)
class Choice:
    """A row of the table: its name, how it differs from `SHORT`, and the seeds of its trainings."""

    name: str
    recipe: Recipe
    note: str = ""
    seeds: tuple[int, ...] = SEEDS[:2]
    padded: bool = False  # X-rays keep their shape


def _with(name: str, note: str = "", seeds: tuple[int, ...] = SEEDS[:2], **changes: object) -> Choice:
    return Choice(name, dataclasses.replace(SHORT, **changes), note, seeds)


CHOICES = [
    Choice("reference", SHORT, seeds=SEEDS),
    _with(
        "learning rate 1e-5, plateau, Adam",
        learning_rate=ARTICLE.learning_rate,
        schedule=ARTICLE.schedule,
        weight_decay=ARTICLE.weight_decay,
    ),
    _with("batch of 2", batch_size=ARTICLE.batch_size),
    _with("batch normalisation momentum 0.99", batch_norm_momentum=ARTICLE.batch_norm_momentum),
    _with("larger net", "16 base filters; the article has 64", SEEDS[:1], base_filters=16),
    _with("larger picture", "256 px; the article has 512", SEEDS[:1], image_size=256),
    _with("three colour channels", input_channels=ARTICLE.input_channels),
    _with("both lungs in one mask", output_channels=ARTICLE.output_channels),
    _with("no augmentation", augment=ARTICLE.augment),
    _with("Dice loss pooled over the batch", loss=ARTICLE.loss),
    Choice(
        "padded", SHORT, "black bars keep the shape of the X-ray; all other rows squash it, as the article", padded=True
    ),
    Choice(
        "stand-in for the article",
        dataclasses.replace(ARTICLE, name="stand-in", image_size=128, base_filters=16),
        "all its choices together, at 128 px and 16 base filters; the article has 512 and 64",
        SEEDS[:1],
    ),
]


def measure_choices(
    data: Path, home: Path, measured: Path = FOLDER, choices: Sequence[Choice] = tuple(CHOICES)
) -> dict:
    """Train and score each choice; what the run folders hold already is not trained again.

    Args:
        data: folder of the real X-rays.
        home: folder for runs and cached arrays.
        measured: folder for `choices.json`.
        choices: the first is the reference that the others are compared with; its seeds include theirs.

    Returns:
        Content of the file. `rows`: see `against_reference`; `work`: multiply-adds of all training steps, as a multiple
        of the reference's. `checkpoint`, `scales` and `leak`: see the functions of those names.

    Raises:
        DatasetError: the folder is not a data set.
    """
    cases, first, last = find_cases(data), choices[0], choices[-1]
    split = make_folds(cases, SEED)[0]
    noted, rows, reference = begin("choices", data, SEED), [], {}
    for choice in choices:
        print(f"{choice.name}:", flush=True)
        scored = measure_choice(choice, cases, split, home)
        reference = reference or scored
        row = {"name": choice.name, "note": choice.note, **against_reference(reference, scored)}
        row["work"] = _work(choice.recipe) / _work(first.recipe)
        rows.append(row)
        print(format_row(row), flush=True)
    arrays = arrays_of(cases, first.recipe.image_size, home)
    runs = {row["name"]: [home / RUNS / name for name in row["trainings"]] for row in rows}
    result = {
        "data": set_folder(data).name,
        "recipe": dataclasses.asdict(first.recipe),
        "seed": SEED,
        "rows": rows,
        "checkpoint": checkpoint(runs[first.name], cases, arrays, split),
        "scales": {name: scales(runs[name][0], cases, split["test"], home) for name in (first.name, last.name)},
        "leak": leak(first.recipe, cases, arrays, home),
    }
    trained = [run for folders in runs.values() for run in folders]
    trained += [home / RUNS / result["leak"][kind]["training"] for kind in ("leaking", "clean")]
    write_json({**result, "provenance": finish(noted, data, trained)}, measured / "choices.json")
    return read_json(measured / "choices.json")


def measure_choice(choice: Choice, cases: Sequence[Case], split: dict[str, list[str]], home: Path) -> dict:
    """Train a choice with each of its seeds: run folder and rows of scores, both lungs merged, by seed."""
    arrays, places = arrays_for(choice, cases, home)
    scored = {}
    for seed in choice.seeds:
        run = train_once(choice.recipe, arrays, split, home, seed)
        if choice.padded:
            rows = score_padded(run, arrays, places, [case for case in cases if case.id in split["test"]])
        else:
            rows = score_run(run, cases, arrays, split["test"])
        scored[seed] = run, _both(rows)
    return scored


def arrays_for(choice: Choice, cases: Sequence[Case], home: Path) -> tuple[Arrays, dict[str, Place]]:
    """The cases at the size of a choice; for a padded one with the place of each X-ray in its square."""
    size = choice.recipe.image_size
    if not choice.padded:
        return arrays_of(cases, size, home), {}
    arrays = arrays_of(cases, 512, home)  # large, so that what is lost is not lost twice
    places = {case.id: place_of(case, size) for case in cases}
    images = [into_place(image, places[name], size) for name, image in zip(arrays.ids, arrays.images)]
    masks = [into_place(each, places[name], size) for name, each in zip(arrays.ids, arrays.masks)]
    return Arrays(arrays.ids, np.stack(images), np.stack(masks)), places


def place_of(case: Case, size: int) -> Place:
    """The place of an X-ray that keeps its shape in millimetres; in pixels, where nobody knows how large these are."""
    height, width = pixel_spacing(case, 1, 1) or case.size  # one pixel as large as the whole X-ray
    return letterbox(height, width, size, max_aspect=1)


def into_place(squashed: np.ndarray, place: Place, size: int) -> np.ndarray:
    """Resize a squashed picture, or masks, into its place in a black square."""
    is_mask = squashed.ndim == 3
    result = np.zeros((size, size, *squashed.shape[2:]), "uint8")
    height, width = result[place].shape[:2]
    resized = cv2.resize(squashed.astype("float32"), (width, height), interpolation=cv2.INTER_AREA)
    result[place] = resized > 0.5 if is_mask else resized.round()
    return result


def against_reference(
    reference: dict[int, tuple[Path, list[dict]]], scored: dict[int, tuple[Path, list[dict]]]
) -> dict:
    """Compare trainings with the reference's of the same seeds, on the same images.

    Args:
        reference: run folder and rows of scores by seed, a row per image.
        scored: the same of a choice.

    Returns:
        `means`: mean Dice coefficient of each training. `dice`: `spread` of all rows of all trainings. `difference`:
        the mean difference from the reference, with a 95 % interval over patients, `low` to `high`; each image counts
        once, with the mean of its trainings. `trainings`: names of the run folders.
    """
    seeds = list(scored)
    ours, theirs = (
        np.mean([[row["dice"] for row in by_seed[seed][1]] for seed in seeds], axis=0)
        for by_seed in (scored, reference)
    )
    low, high = bootstrap_interval(ours - theirs, [row["patient"] for row in scored[seeds[0]][1]])
    return {
        "means": {str(seed): float(np.mean([row["dice"] for row in rows])) for seed, (_, rows) in scored.items()},
        "dice": spread([row for _, rows in scored.values() for row in rows], "dice"),
        "difference": {"mean": float(np.mean(ours - theirs)), "low": low, "high": high},
        "trainings": [run.name for run, _ in scored.values()],
    }


def _work(recipe: Recipe) -> int:
    """Multiply-adds of showing each training image in each epoch."""
    return recipe.epochs * sum(multiply_adds(model_for(recipe)).values())


def checkpoint(runs: Sequence[Path], cases: Sequence[Case], arrays: Arrays, split: dict[str, list[str]]) -> dict:
    """Dice of the best and of the last weights, on validation, which chose the best ones, and on test."""
    return {
        f"{weights}, {part}": spread(
            [row for run in runs for row in _both(score_run(run, cases, arrays, split[part], f"{weights}.keras"))],
            "dice",
        )
        for weights in ("best", "last")
        for part in ("val", "test")
    }


def scales(run: Path, cases: Sequence[Case], ids: Sequence[str], home: Path) -> dict[str, float]:
    """The same predictions of both lungs merged, on four scales.

    `soft pooled` is the article's kind: probabilities, all images taken as one picture. `hard pooled` cuts at 0.5
    first, `soft per image` is the mean over images of the soft one, and `hard per image` is what the course reports;
    all at the network's size.
    """
    model = load_model(run / "best.keras")
    arrays = arrays_of(cases, model.input_shape[1], home).part(list(ids))
    soft = predict_probabilities(model, arrays.images).max(axis=-1)
    true = arrays.masks.max(axis=-1)
    hard = (soft > 0.5).astype("float32")

    def pooled(predicted: np.ndarray, true: np.ndarray) -> float:
        return float(2 * (predicted * true).sum() / (predicted.sum() + true.sum()))

    return {
        "soft pooled": pooled(soft, true),
        "soft per image": float(np.mean([pooled(a, b) for a, b in zip(soft, true)])),
        "hard pooled": pooled(hard, true),
        "hard per image": float(np.mean([pooled(a, b) for a, b in zip(hard, true)])),
    }


def leak(recipe: Recipe, cases: Sequence[Case], arrays: Arrays, home: Path) -> dict:
    """What leaking patients are worth: the article's split, with and without their training images.

    Returns:
        `ids`: the test images whose patients are in training too. For the split as it is (`leaking`) and without the
        training images of those patients (`clean`): `dice` by ID, and `others`, the mean of the other test images.
    """
    split = article_split([case.id for case in cases])
    leaking = [ids for ids in shared_patients(split, cases).values() if "test" in ids]
    ids = sorted(name for each in leaking for name in each["test"])
    known = {name for each in leaking for part in ("train", "val") for name in each.get(part, [])}
    clean = {part: [name for name in split[part] if name not in known] for part in ("train", "val")}
    result = {"ids": ids}
    for name, parts in (("leaking", split), ("clean", clean)):
        run = train_once(recipe, arrays, parts, home)
        scored = {row["id"]: row["dice"] for row in _both(score_run(run, cases, arrays, split["test"]))}
        others = [value for case_id, value in scored.items() if case_id not in ids]
        result[name] = {
            "training": run.name,
            "dice": {case_id: scored[case_id] for case_id in ids},
            "others": float(np.mean(others)),
        }
    return result


def score_padded(run: Path, arrays: Arrays, places: dict[str, Place], cases: Sequence[Case]) -> list[dict]:
    """Score a training on padded X-rays: the bars are cut off its answers before these are enlarged."""
    answers = predict_probabilities(load_model(run / "best.keras"), arrays.part([case.id for case in cases]).images)
    return score_probabilities(cases, [answer[places[case.id]] for case, answer in zip(cases, answers)])


def _both(rows: Sequence[dict]) -> list[dict]:
    return [row for row in rows if row["lung"] == "both"]


def format_row(row: dict) -> str:
    """One line of text: the name, the mean with its spread, and the difference from the reference."""
    value, change = row["dice"], row["difference"]
    means = " ".join(f"{mean:.4f}" for mean in row["means"].values())
    return (
        f"{row['name']:36} {value['mean']:.4f} ± {value['sd']:.4f}, worst {value['worst']:.4f}, seeds {means}; "
        f"{change['mean']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f}), work {row['work']:.1f}"
    )
