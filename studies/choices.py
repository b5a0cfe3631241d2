"""What each of the article's choices costs, one at a time, and what a small stand-in for the article makes of them all.

The article's own run takes hours without a GPU. Here its choices are put, one by one, into the laptop recipe, with
several seeds on the first fold of the cross-validation; all of them together train at the size that fits. That is not
the article: `studies.article` is its run in full, for a GPU.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.crossval import SEED, score_run, train_once
from lungseg_utils.images import Arrays, load_arrays, read_masks
from lungseg_utils.prediction import load_model, predict_probabilities, to_masks
from lungseg_utils.recipes import ARTICLE, LAPTOP, Recipe
from lungseg_utils.scores import bootstrap_interval, dice, spread
from lungseg_utils.splits import article_split, make_folds, shared_patients
from lungseg_utils.training import model_for
from lungseg_utils.unet import multiply_adds

FILE = FOLDER / "choices.json"
SHORT = dataclasses.replace(LAPTOP, name="short", patience=None)
"""The reference: the laptop recipe, with every one of its epochs used."""
SEEDS = (SEED, SEED + 1, SEED + 2)  # of the reference, to show what is chance; the other rows have fewer


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
    _with("larger net", "16 base filters; the article has 64", base_filters=16),
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
        dataclasses.replace(ARTICLE, name="short", image_size=128, base_filters=16),
        "all its choices together, at 128 px and 16 base filters; the article has 512 and 64",
        SEEDS[:1],
    ),
]


def measure_choices(data: Path, home: Path, path: Path = FILE, choices: Sequence[Choice] = tuple(CHOICES)) -> dict:
    """Train and score each choice; what the run folders hold already is not trained again.

    Args:
        data: folder of the real X-rays.
        home: folder for runs and cached arrays.
        path: of the JSON file that is written.
        choices: the first is the reference that the others are compared with; its seeds include theirs.

    Returns:
        Content of the file. `rows`: see `compare`; `made`: how the runs of the row came about; `work`: multiply-adds of
        all training steps, as a multiple of the reference's. `checkpoint`, `scales` and `leak`: see the functions of
        those names.

    Raises:
        DatasetError: the folder is not a data set.
    """
    cases = find_cases(data)
    split = make_folds(cases, SEED)[0]
    rows, runs, reference = [], {}, {}
    for choice in choices:
        print(f"{choice.name}:", flush=True)
        arrays, boxes = arrays_for(choice, cases, home)
        recipe = dataclasses.replace(choice.recipe, name="padded") if choice.padded else choice.recipe
        scored = {}
        runs[choice.name] = folders = []
        for seed in choice.seeds:
            folders.append(train_once(recipe, arrays, split, home / "runs" / "choices", seed))
            if choice.padded:
                scored[seed] = score_padded(folders[-1], arrays, boxes, cases, reference[seed])
            else:
                scored[seed] = _both(score_run(folders[-1], cases, arrays, split["test"]))
        reference = reference or scored
        row = {"name": choice.name, "note": choice.note, **compare(reference, scored)}
        row["work"] = _work(choice.recipe) / _work(choices[0].recipe)
        row["made"] = [read_json(folder / "made.json") for folder in folders]
        rows.append(row)
        print(format_row(row), flush=True)
    arrays, _ = arrays_for(choices[0], cases, home)
    result = {
        "data": set_folder(data).name,
        "recipe": dataclasses.asdict(choices[0].recipe),
        "seed": SEED,
        "rows": rows,
        "checkpoint": checkpoint(runs[choices[0].name], cases, arrays, split),
        "scales": {
            name: scales(runs[name][0], cases, split["test"], home) for name in (choices[0].name, choices[-1].name)
        },
        "leak": leak(choices[0].recipe, cases, arrays, home),
    }
    write_json(result, path)
    return read_json(path)


def arrays_for(choice: Choice, cases: Sequence[Case], home: Path) -> tuple[Arrays, dict[str, tuple[int, ...]]]:
    """The cases at the size of a choice; for a padded one with the place of each X-ray in its square."""
    size = choice.recipe.image_size
    if not choice.padded:
        return load_arrays(cases, size, home / "cache"), {}
    arrays = load_arrays(cases, 512, home / "cache")  # large, so that what is lost is not lost twice
    boxes = {case.id: shape_in_square(case, size) for case in cases}
    images = [_into_box(image, boxes[name], size) for name, image in zip(arrays.ids, arrays.images)]
    masks = [_into_box(each, boxes[name], size) for name, each in zip(arrays.ids, arrays.masks)]
    return Arrays(arrays.ids, np.stack(images), np.stack(masks)), boxes


def compare(reference: dict[int, list[dict]], scored: dict[int, list[dict]]) -> dict:
    """Compare trainings with the reference's of the same seeds, on the same images.

    Args:
        reference: rows of scores by seed, a row per image.
        scored: the same of a choice.

    Returns:
        `means`: mean Dice coefficient of each training. `dice`: `spread` of all rows of all trainings. `difference`:
        the mean difference from the reference, with a 95 % interval over patients, `low` to `high`; each image counts
        once, with the mean of its trainings.
    """
    seeds = list(scored)
    rows = [row for seed in seeds for row in scored[seed]]
    ours, theirs = (
        np.mean([[row["dice"] for row in by_seed[seed]] for seed in seeds], axis=0) for by_seed in (scored, reference)
    )
    low, high = bootstrap_interval(ours - theirs, [row["patient"] for row in scored[seeds[0]]])
    return {
        "means": {str(seed): float(np.mean([row["dice"] for row in scored[seed]])) for seed in seeds},
        "dice": spread(rows, "dice"),
        "difference": {"mean": float(np.mean(ours - theirs)), "low": low, "high": high},
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
    arrays = load_arrays(list(cases), model.input_shape[1], home / "cache").part(list(ids))
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
        run = train_once(recipe, arrays, parts, home / "runs" / "choices")
        scored = {row["id"]: row["dice"] for row in _both(score_run(run, cases, arrays, split["test"]))}
        others = [value for case_id, value in scored.items() if case_id not in ids]
        result[name] = {"dice": {case_id: scored[case_id] for case_id in ids}, "others": float(np.mean(others))}
    return result


def score_padded(
    run: Path, arrays: Arrays, boxes: dict[str, tuple[int, ...]], cases: Sequence[Case], rows: Sequence[dict]
) -> list[dict]:
    """Score a training on padded X-rays: the bars are cut off its answer before that is enlarged.

    Returns:
        The given rows, a row per image, with the Dice coefficient of these masks.
    """
    by_id = {case.id: case for case in cases}
    result = []
    probabilities = predict_probabilities(
        load_model(run / "best.keras"), arrays.part([row["id"] for row in rows]).images
    )
    for answer, row in zip(probabilities, rows, strict=True):
        height, width, top, left = boxes[row["id"]]
        true = read_masks(by_id[row["id"]])
        predicted = to_masks(answer[top : top + height, left : left + width], *true.shape[:2])
        result.append({**row, "dice": dice(true.max(axis=-1), predicted.max(axis=-1))})
    return result


def shape_in_square(case: Case, size: int) -> tuple[int, int, int, int]:
    """Height, width, first row and first column of an X-ray that keeps its shape inside a square, px.

    A case that does not say how large its original was is taken as square.
    """
    width, height = case.original_size or (1, 1)
    longest = max(width, height)
    height, width = round(size * height / longest), round(size * width / longest)
    return height, width, (size - height) // 2, (size - width) // 2


def _into_box(squashed: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Resize a squashed picture, or masks, into a box of a black square."""
    height, width, top, left = box
    is_mask = squashed.ndim == 3
    resized = cv2.resize(squashed.astype("float32"), (width, height), interpolation=cv2.INTER_AREA)
    result = np.zeros((size, size, *squashed.shape[2:]), "uint8")
    result[top : top + height, left : left + width] = resized > 0.5 if is_mask else resized.round()
    return result


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
