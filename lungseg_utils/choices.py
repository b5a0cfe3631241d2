"""What each of the article's choices costs: one at a time, and all together.

The article's own run takes hours without a GPU. Here its choices are put, one by one, into a short training of the
laptop recipe, on the first fold of the cross-validation; all of them together train at the size that fits. The full run
is `python -m lungseg_utils crossval --recipe article --data REAL`, for a GPU.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lungseg_utils.cases import Case, find_cases, set_folder
from lungseg_utils.crossval import MEASURED, SEED, score_run, train_once
from lungseg_utils.images import Arrays, load_arrays, read_masks
from lungseg_utils.prediction import load_model, predict_probabilities, to_masks
from lungseg_utils.pretraining import read_json, write_json
from lungseg_utils.recipes import ARTICLE, LAPTOP, Recipe
from lungseg_utils.report import bootstrap_interval, spread
from lungseg_utils.scores import dice
from lungseg_utils.splits import article_split, make_folds, shared_patients

FILE = MEASURED / "choices.json"
SHORT = dataclasses.replace(LAPTOP, name="short", epochs=20, patience=None)
"""The reference: the laptop recipe with half of its epochs, every one of them used."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """One training of the table: its name, and how it differs from `SHORT`."""

    name: str
    recipe: Recipe
    seed: int = SEED
    note: str = ""


def _with(name: str, note: str = "", **changes: object) -> Choice:
    return Choice(name, dataclasses.replace(SHORT, **changes), note=note)


CHOICES = [
    Choice("reference", SHORT),
    Choice("reference, other seed", SHORT, seed=SEED + 1, note="how much is chance"),
    _with(
        "learning rate 1e-5, plateau, Adam",
        learning_rate=ARTICLE.learning_rate,
        schedule=ARTICLE.schedule,
        weight_decay=ARTICLE.weight_decay,
    ),
    _with("batch of 2", batch_size=ARTICLE.batch_size),
    _with("batch normalisation momentum 0.99", batch_norm_momentum=ARTICLE.batch_norm_momentum),
    _with("larger net", "16 base filters; the article has 64", base_filters=16),
    _with("larger picture", "256 px; the article has 512", image_size=256),
    _with("three colour channels", input_channels=ARTICLE.input_channels),
    _with("both lungs in one mask", output_channels=ARTICLE.output_channels),
    _with("no augmentation", augment=ARTICLE.augment),
    _with("Dice loss pooled over the batch", loss=ARTICLE.loss),
    Choice(
        "all together",
        dataclasses.replace(ARTICLE, name="short", image_size=128, base_filters=16),
        note="128 px and 16 base filters; the article has 512 and 64",
    ),
]


def measure_choices(data: Path, home: Path, path: Path = FILE, choices: Sequence[Choice] = tuple(CHOICES)) -> dict:
    """Train and score each choice; what the run folders hold already is not trained again.

    Args:
        data: folder of the real X-rays.
        home: folder for runs and cached arrays.
        path: of the JSON file that is written.
        choices: the first is the reference that the others are compared with.

    Returns:
        Content of the file. `rows`: `spread` of the Dice coefficient of both lungs at the file's own size on the test
        images of fold 1, and its `difference` from the reference, image by image, with an interval over patients.
        `checkpoint`, `scales`, `leak` and `padded`: see the functions of those names.

    Raises:
        DatasetError: the folder is not a data set.
    """
    cases = find_cases(data)
    split = make_folds(cases, SEED)[0]
    rows, runs, scored = [], [], []
    for choice in choices:
        print(f"{choice.name}:", flush=True)
        arrays = load_arrays(cases, choice.recipe.image_size, home / "cache")
        runs.append(train_once(choice.recipe, arrays, split, home / "runs" / "choices", choice.seed))
        scored.append(_both(score_run(runs[-1], cases, arrays, split["test"])))
        rows.append(
            {
                "name": choice.name,
                "note": choice.note,
                "seconds": read_json(runs[-1] / "made.json")["seconds"],
                "dice": spread(scored[-1], "dice"),
                "difference": difference(scored[0], scored[-1]),
            }
        )
        print(format_row(rows[-1]), flush=True)
    reference = choices[0].recipe
    arrays = load_arrays(cases, reference.image_size, home / "cache")
    result = {
        "data": set_folder(data).name,
        "recipe": dataclasses.asdict(reference),
        "seed": SEED,
        "made": read_json(runs[0] / "made.json"),
        "rows": rows,
        "checkpoint": checkpoint(runs[0], cases, arrays, split),
        "scales": {choices[index].name: scales(runs[index], cases, split["test"], home) for index in (0, -1)},
        "leak": leak(reference, cases, arrays, home),
        "padded": padded(reference, cases, split, home, scored[0]),
    }
    write_json(result, path)
    return read_json(path)


def difference(reference: Sequence[dict], other: Sequence[dict]) -> dict[str, float]:
    """Mean of the other's Dice coefficients minus the reference's on the same images, with a 95 % interval."""
    pairs = list(zip(reference, other, strict=True))
    values = [b["dice"] - a["dice"] for a, b in pairs]
    low, high = bootstrap_interval(values, [row["patient"] for row in reference])
    return {"mean": float(np.mean(values)), "low": low, "high": high}


def checkpoint(run: Path, cases: Sequence[Case], arrays: Arrays, split: dict[str, list[str]]) -> dict:
    """Dice of the best and of the last weights, on validation, which chose the best ones, and on test."""
    return {
        f"{weights}, {part}": spread(_both(score_run(run, cases, arrays, split[part], f"{weights}.keras")), "dice")
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


def padded(
    recipe: Recipe, cases: Sequence[Case], split: dict[str, list[str]], home: Path, reference: Sequence[dict]
) -> dict:
    """The reference with X-rays that keep their shape: bars of black make them square instead of squashing them.

    Returns:
        `dice` on the test images of the split and the `difference` from the reference, as in a row of the table.
    """
    arrays = load_arrays(list(cases), 512, home / "cache")  # large, so that what is lost is not lost twice
    boxes = {case.id: shape_in_square(case, recipe.image_size) for case in cases}
    fitted = Arrays(
        arrays.ids,
        np.stack([_into_box(image, boxes[name], recipe.image_size) for name, image in zip(arrays.ids, arrays.images)]),
        np.stack([_into_box(masks, boxes[name], recipe.image_size) for name, masks in zip(arrays.ids, arrays.masks)]),
    )
    run = train_once(dataclasses.replace(recipe, name="padded"), fitted, split, home / "runs" / "choices")
    by_id = {case.id: case for case in cases}
    rows = []
    probabilities = predict_probabilities(load_model(run / "best.keras"), fitted.part(split["test"]).images)
    for name, answer, row in zip(split["test"], probabilities, reference, strict=True):
        height, width, top, left = boxes[name]
        true = read_masks(by_id[name])
        predicted = to_masks(answer[top : top + height, left : left + width], *true.shape[:2])
        rows.append({**row, "dice": dice(true.max(axis=-1), predicted.max(axis=-1))})
    return {"dice": spread(rows, "dice"), "difference": difference(reference, rows)}


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
    return (
        f"{row['name']:36} {value['mean']:.4f} ± {value['sd']:.4f}, worst {value['worst']:.4f}; "
        f"{change['mean']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f}), {row['seconds']:.0f} s"
    )
