"""When is an outline wrong? Fit the limits of remarks on drawings, and check them on real X-rays (notebook 9).

What is fitted is in `lungseg_utils/inference/remarks.py`. Drawings that a network should know, half of them changed on
purpose, stand against pictures that are no upright frontal chest X-ray. No real X-ray takes part in that.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from lungseg_utils.cases import find_cases, set_folder
from lungseg_utils.drawing import draw_phantom
from lungseg_utils.drawing.arrays import DRAWN_AT, patient_number, roughen
from lungseg_utils.files import read_json, write_json
from lungseg_utils.images import read_grey, read_masks, resize_image
from lungseg_utils.inference.remarks import (
    FIGURES,
    LOOKS,
    doubt,
    looks,
    picture_remark,
    signals,
    standardised,
)
from lungseg_utils.inference.stress import BREAKS_MEAN, CHANGES
from lungseg_utils.inference.xrays import to_square
from lungseg_utils.kept import FAILURE, FOLDER
from lungseg_utils.prediction import load_pretrained, predict_probabilities, to_masks
from lungseg_utils.scores import dice
from studies.not_chests import CHANGED, DRAWN
from studies.provenance import begin, finish

FIT, CHECK = 1301, 1302  # series of drawings: see `patient_number`; no other study draws them
FRONTAL, OTHERS = 800, 40  # drawings that fit the limits, and pictures of each other kind
CHECKED, OTHERS_CHECKED = 200, 20
USUAL = [name for name in CHANGES if name not in ("black and white exchanged", "mirrored")]
ALARMS = {"look": 0.01, "doubt": 0.03, "lopsided": 0.001}  # share of the drawings that a limit may call odd
LEAST_SPREAD = 0.05  # of a signal: drawings differ less in some than real X-rays do
STRENGTH = 0.1  # of the logistic regression: C of scikit-learn, less is smoother
SIDES, SHADES = (16, 24, 32, 48, 64, 96, 128), (2, 3, 4, 6, 8, 12, 16, 32)  # tried
TRIED = 80  # drawings for these
COVERAGES = np.linspace(0.05, 1, 20)
EVERY = 3  # of the real X-rays, so many-th one is changed into what is no upright frontal one
LOOK_OF = dict.fromkeys(("quarter turn", "upside down"), "turned") | {"black and white exchanged": "inverted"}


@dataclass
class Seen:
    """A picture of a kind, what a network saw of it, and its answer.

    Attributes:
        kind: "frontal", or a kind of `not_chests`.
        image: (rows, columns) uint8.
        picture: (height, width) uint8, as it was seen.
        probabilities: (height, width, 2) float32 in [0, 1].
        dice: of both lungs, where the truth is known.
    """

    kind: str
    image: np.ndarray
    picture: np.ndarray
    probabilities: np.ndarray
    dice: float | None = None

    @functools.cached_property
    def signals(self) -> dict[str, float] | None:
        """See `remarks.signals`; they are measured once, and fit many times."""
        return signals(self.probabilities, self.picture)


# --- pictures ---


def frontal(count: int, series: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Drawings, picture and masks, every second one with a finding; of each four, two changed as a picture may be."""
    pairs = []
    for number in tqdm(range(count), "drawing X-rays", leave=False):
        phantom = draw_phantom(patient_number(series, number), DRAWN_AT, finding=number % 2 == 1)
        pair, step = (phantom.image, phantom.masks), number // 4
        if number % 4 > 1:  # with and without a finding
            name = [*USUAL, "rough"][step % (len(USUAL) + 1)]
            rng = np.random.default_rng((series, number))
            pair = roughen(*pair, rng) if name == "rough" else CHANGES[name](*pair)
        pairs.append(pair)
    return pairs


def changed(images: Sequence[np.ndarray], series: int) -> list[tuple[str, np.ndarray]]:
    """Frontal chest X-rays, each shown wrongly in every way of `CHANGED`."""
    return [
        (kind, np.ascontiguousarray(change(image, np.random.default_rng((series, number, way)))))
        for way, (kind, change) in enumerate(CHANGED.items())
        for number, image in enumerate(images)
    ]


def not_frontal(count: int, series: int, images: Sequence[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Kind and picture: `count` of each of `DRAWN`, and `images` changed in every way of `CHANGED`."""
    drawn = [
        (kind, draw(np.random.default_rng((series, number, way))))
        for way, (kind, draw) in enumerate(DRAWN.items())
        for number in range(count)
    ]
    return drawn + changed(images, series)


def ask(model: keras.Model, kinds: Sequence[str], images: Sequence[np.ndarray]) -> list[Seen]:
    """Show pictures (rows, columns) uint8 to a network, as `xrays.predict_xray` does."""
    squares = [to_square(image, model.input_shape[1]) for image in images]
    answers = predict_probabilities(model, np.stack([square for square, _ in squares]))
    return [
        Seen(kind, image, square[place], answer[place])
        for kind, image, (square, place), answer in zip(kinds, images, squares, answers)
    ]


def ask_with_truth(model: keras.Model, images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> list[Seen]:
    """Show frontal X-rays, and score the answers with the true masks (rows, columns, 2), of any size."""
    seen = ask(model, ["frontal"] * len(images), images)
    for one, true in zip(seen, masks):
        one.dice = dice(true.max(axis=-1), to_masks(one.probabilities, *true.shape[:2]).max(axis=-1))
    return seen


# --- fitting ---


def fit_looks(seen: Sequence[Seen]) -> dict:
    """Fit what `remarks.looks` needs: a class for "frontal" and for each of `LOOKS`, all of the same weight."""
    kinds, rows = zip(*[(one.kind, one.signals) for one in seen if one.signals])
    known = [row for kind, row in zip(kinds, rows) if kind == "frontal"]
    names = [name for name in rows[0] if name != "lopsided"]
    usual = np.array([[row[name] for name in names] for row in known])
    spread = np.maximum(usual.std(axis=0), LEAST_SPREAD)
    figures = {"signals": names, "middle": np.median(usual, axis=0).tolist(), "spread": spread.tolist()}
    classes = ["frontal", *LOOKS]
    numbers = [0 if kind == "frontal" else classes.index(LOOK_OF.get(kind, "other")) for kind in kinds]
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000)
    model.fit(standardised(rows, figures), numbers)
    figures |= {"weights": model.coef_.tolist(), "bias": model.intercept_.tolist()}
    figures["look"] = float(np.quantile(looks(known, figures)[0], 1 - ALARMS["look"]))
    figures["lopsided"] = float(np.quantile([row["lopsided"] for row in known], 1 - ALARMS["lopsided"]))
    return figures


def fit(seen: Sequence[Seen]) -> dict:
    """Fit all limits but those of size and of shades."""
    usual = [doubt(one.probabilities) for one in seen if one.kind == "frontal"]
    return fit_looks(seen) | {"doubt": float(np.quantile(usual, 1 - ALARMS["doubt"]))}


def least_enough(model: keras.Model, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, int]:
    """The smallest side and the fewest shades that cost a mean Dice coefficient of at most `BREAKS_MEAN`."""
    images, masks = zip(*pairs)

    def mean(pictures: Sequence[np.ndarray]) -> float:
        return float(np.mean([one.dice for one in ask_with_truth(model, pictures, masks)]))

    def quantised(image: np.ndarray, shades: int) -> np.ndarray:
        return np.rint(image.astype(float) * shades // 256 * (255 / (shades - 1))).astype(np.uint8)

    least = mean(images) - BREAKS_MEAN
    sides = (side for side in SIDES if mean([resize_image(image, side) for image in images]) >= least)
    shades = (number for number in SHADES if mean([quantised(image, number) for image in images]) >= least)
    return {"least_side": next(sides, SIDES[-1]), "least_shades": next(shades, SHADES[-1])}


# --- checking ---


def said_of(seen: Sequence[Seen], figures: dict) -> list[str]:
    """The remark on each picture, from its answer alone; empty where there is none."""
    return [picture_remark(one.probabilities, one.picture, one.image, figures) for one in seen]


def by_kind(seen: Sequence[Seen], figures: dict) -> dict[str, dict]:
    """For each kind: how many pictures `n`, the share that was `remarked`, and what was `said` most often."""
    table = {}
    said = said_of(seen, figures)
    for kind in dict.fromkeys(one.kind for one in seen):
        texts = [text for one, text in zip(seen, said) if one.kind == kind]
        usual = Counter(text.split(":")[0] for text in texts if text).most_common(1)
        table[kind] = {"n": len(texts), "remarked": float(np.mean([text != "" for text in texts]))}
        table[kind]["said"] = usual[0][0] if usual else ""
    return table


def risk_coverage(doubts: np.ndarray, scores: np.ndarray) -> list[dict[str, float]]:
    """Keep the least doubtful X-rays: for each `coverage`, the share kept, their mean `dice` and share of `failures`.

    El-Yaniv and Wiener, JMLR 11 (2010), is where the curve comes from.
    """
    sorted_scores = scores[np.argsort(doubts)]
    curve = []
    for coverage in COVERAGES:
        left = sorted_scores[: max(1, round(coverage * len(scores)))]
        about = {"dice": float(left.mean()), "worst": float(left.min()), "failures": float((left < FAILURE).mean())}
        curve.append({"coverage": float(coverage), **about})
    return curve


def check_frontal(seen: Sequence[Seen], figures: dict) -> dict:
    """How often upright frontal X-rays carry a remark, and whether doubt finds those whose outline is bad.

    Returns:
        `n`; `remarked`, the share; `remarks`, how often each; `failures` with a Dice coefficient below `FAILURE`, and
        how many of them are remarked; `auc`, the share of pairs of a failure and another in which the failure has the
        larger doubt, None without a failure; `curve`: see `risk_coverage`.
    """
    said, scores = said_of(seen, figures), np.array([one.dice for one in seen])
    doubts, failed = np.array([doubt(one.probabilities) for one in seen]), scores < FAILURE
    return {
        "n": len(seen),
        "remarked": float(np.mean([text != "" for text in said])),
        "remarks": dict(Counter(text.split(":")[0] for text in said if text).most_common()),
        "failures": int(failed.sum()),
        "failures_remarked": int(sum(text != "" for text, bad in zip(said, failed) if bad)),
        "auc": float(roc_auc_score(failed, doubts)) if 0 < failed.sum() < len(seen) else None,
        "curve": risk_coverage(doubts, scores),
    }


def check_hospital(model: keras.Model, data: Path, figures: dict) -> dict:
    """`check_frontal` of real X-rays, and `by_kind` of some of them shown wrongly."""
    cases = find_cases(data)
    images = [read_grey(case.image) for case in tqdm(cases, "reading X-rays", leave=False)]
    seen = ask_with_truth(model, images, [read_masks(case) for case in cases])
    wrong = [(kind, image) for kind, image in changed(images[::EVERY], CHECK)]
    shown = by_kind(ask(model, *zip(*wrong)), figures)
    return {"name": set_folder(data).name, **check_frontal(seen, figures), "shown wrongly": shown}


def check_drawings(model: keras.Model, fitted: Sequence[Seen], figures: dict) -> dict:
    """The same of drawings that fitted nothing, and of each kind by limits that were fitted without this kind."""
    pairs = frontal(CHECKED, CHECK)
    usual = ask_with_truth(model, *zip(*pairs))
    plain = [draw_phantom(patient_number(CHECK, CHECKED + number), DRAWN_AT).image for number in range(OTHERS_CHECKED)]
    others = ask(model, *zip(*not_frontal(OTHERS_CHECKED, CHECK, plain)))
    kinds = by_kind(others, figures)
    for kind in tqdm(kinds, "leaving kinds out", leave=False):
        without = figures | fit([one for one in fitted if one.kind != kind])
        left_out = by_kind([one for one in others if one.kind == kind], without)
        kinds[kind]["remarked_when_left_out"] = left_out[kind]["remarked"]
    return {**check_frontal(usual, figures), "kinds": kinds}


def measure_remarks(data: Path, other: Path, measured: Path = FOLDER) -> dict:
    """Fit the limits of remarks to the shipped model, and check them.

    Args:
        data: folder of real X-rays. They check, and choose nothing.
        other: those of a second hospital.
        measured: folder for `remarks.json`.

    Returns:
        Content of the file: what `remarks.looks` and `remarks.picture_remark` need; `drawings`: see `check_drawings`;
        `real`: `check_hospital` for each hospital.

    Raises:
        DatasetError: the real X-rays are not a data set.
    """
    noted, model = begin("remarks", (data, other), FIT), load_pretrained()
    pairs = frontal(FRONTAL, FIT)
    plain = [draw_phantom(patient_number(FIT, FRONTAL + number), DRAWN_AT).image for number in range(OTHERS)]
    fitted = ask(model, ["frontal"] * len(pairs), [image for image, _ in pairs])
    fitted += ask(model, *zip(*not_frontal(OTHERS, FIT, plain)))
    figures = fit(fitted) | least_enough(model, [pair for number, pair in enumerate(pairs) if number % 4 < 2][:TRIED])
    result = figures | {"alarms": ALARMS, "failure": FAILURE, "drawings": check_drawings(model, fitted, figures)}
    result["real"] = [check_hospital(model, folder, figures) for folder in (data, other)]
    write_json({**result, "provenance": finish(noted, (data, other))}, measured / FIGURES)
    print(summary(result))
    return read_json(measured / FIGURES)


def summary(result: dict) -> str:
    """The check in lines of text."""
    sets = {"drawings": result["drawings"], **{one["name"]: one for one in result["real"]}}
    lines = [
        f"{name}: {one['n']} upright frontal, {one['remarked']:.1%} with a remark {one['remarks']}; failures "
        f"{one['failures']}, of them with a remark {one['failures_remarked']}; AUC {one['auc'] or float('nan'):.3f}"
        for name, one in sets.items()
    ]
    for name, one in sets.items():
        for kind, row in (one.get("kinds") or one["shown wrongly"]).items():
            left = row.get("remarked_when_left_out")
            ending = "" if left is None else f", {left:.0%} when its kind fits nothing"
            lines.append(f"{name}, {kind}: {row['remarked']:.0%} of {row['n']}{ending} ({row['said']})")
    return "\n".join(lines)
