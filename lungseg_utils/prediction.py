"""From a trained model to masks at the X-ray's own size, and their scores (notebook 9)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
from scipy.special import logit
from tqdm import tqdm

import lungseg_utils.losses
import lungseg_utils.unet  # noqa: F401  (both register what model files name)
from lungseg_utils.cases import Case, pixel_spacing
from lungseg_utils.files import DatasetError
from lungseg_utils.images import read_masks
from lungseg_utils.recipes import DRAWINGS, SHIPPED_WEIGHTS
from lungseg_utils.scores import score_case
from lungseg_utils.training import model_for

BORDERS = (1 / 18, 1 / 8)  # of the smaller copies, share of the picture's side: their scales are 0.9 and 0.8


def load_model(path: Path) -> keras.Model:
    """Load a trained model from a `.keras` file, with Keras' safe mode on; taught in notebook 9.

    A FileNotFoundError tells that there is no such file, and how to make one.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} is not there. Train a model first, as notebook 8 does.")
    return keras.models.load_model(path)


def load_pretrained() -> keras.Model:
    """Load the shipped model, trained on drawings alone, to be asked `over_scales`.

    128 x 128 px go in; the mask on the viewer's left comes first. A DatasetError tells that the file is not there.
    """
    path = SHIPPED_WEIGHTS
    if not zipfile.is_zipfile(path):
        raise DatasetError(
            f"The shipped model {path} is {'damaged' if path.exists() else 'missing'}. Install the package again, or "
            "make the model anew, in up to an hour: python -m studies pretrain"
        )
    # The net is built by this code, and only its weights are read: a whole model file of a newer Keras does not load in
    # an older one, such as Colab's, because it names options that the older one does not know.
    model = model_for(DRAWINGS)
    model.load_weights(path)
    return over_scales(model)


def over_scales(model: keras.Model) -> keras.Model:
    """Build a model that averages what another says of a picture and of smaller copies within black `BORDERS`.

    It has the same input, output and weights. A liver that is taken for a lung at one scale seldom is at all three.
    """
    whole, size = keras.Input(model.input_shape[1:]), model.input_shape[1]
    answers = [model(whole)]
    for border in (round(share * size) for share in BORDERS):
        smaller = keras.layers.Resizing(size, size)(keras.layers.ZeroPadding2D(border)(whole))
        larger = keras.layers.Resizing(size + 2 * border, size + 2 * border)(model(smaller))
        answers.append(keras.layers.Cropping2D(border)(larger))
    return keras.Model(whole, keras.layers.Average()(answers))


def predict_probabilities(model: keras.Model, images: np.ndarray, batch_size: int = 8) -> np.ndarray:
    """Predict lung probabilities for N pictures of the model's size, so many at once; taught in notebook 9.

    From (N, size, size) uint8 to (N, size, size, masks) float32 in [0, 1].
    """
    inputs = images[..., np.newaxis].astype("float32") / 255
    inputs = np.repeat(inputs, model.input_shape[-1], axis=-1)
    return model.predict(inputs, batch_size=batch_size, verbose=0)


def clean(mask: np.ndarray, parts: int = 1) -> np.ndarray:
    """Keep the largest connected parts of a mask and fill their holes; taught in notebook 9.

    Outlines are traced and filled again: on 20 million pixels this is tens of times faster than to number the parts.
    How large a part is says the area within its outline, which runs through the centres of its outer pixels: holes
    count, and a part one pixel wide has no area, so that it is kept only when there is nothing else.

    Args:
        mask: (height, width), 0 and 1. Pixels that touch at a corner are connected. The result is uint8.
        parts: how many parts there should be: 1 for one lung, 2 for both.
    """
    outlines, _ = cv2.findContours(mask.astype("uint8"), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted(outlines, key=cv2.contourArea)[-parts:]
    return cv2.drawContours(np.zeros(mask.shape, "uint8"), largest, -1, 1, cv2.FILLED)


def to_masks(probabilities: np.ndarray, height: int, width: int, threshold: float = 0.5) -> np.ndarray:
    """Turn the probabilities of one picture into clean masks at the X-ray's own size; taught in notebook 9.

    They are enlarged first and cut after: the other way round gives outlines with stairs. What is enlarged are their
    log-odds, log(p / (1 - p)): on either side of an outline the probabilities of a trained network are nearly 0 and 1,
    wherever it runs between the two pixels; the log-odds still tell where.

    From (size, size, masks) float32 in [0, 1] to (height, width, masks) uint8, 0 and 1. A pixel counts as lung above
    the threshold.
    """
    count = probabilities.shape[-1]
    log_odds = logit(np.clip(probabilities, 1e-4, 1 - 1e-4))
    masks = []
    for channel in range(count):
        lung = cv2.resize(log_odds[..., channel], (width, height), interpolation=cv2.INTER_LINEAR)
        lung = lung > logit(threshold)  # frees the numbers, four bytes a pixel
        masks.append(clean(lung, parts=2 if count == 1 else 1))
    return np.stack(masks, axis=-1)


def score_probabilities(
    cases: Sequence[Case],
    probabilities: Iterable[np.ndarray],
    read: Callable[[Case], np.ndarray] = read_masks,
) -> list[dict]:
    """Score predictions against the masks of their cases, at the size of these; taught in notebook 9.

    Probabilities are an array (height, width, masks) float32 in [0, 1] for each case, of the whole X-ray, of any size.
    `read` gives true masks: another than `read_masks` where cases are scored many times, or changed. The result is rows
    of `score_case`.
    """
    rows = []
    for case, answer in zip(tqdm(cases, "scoring", leave=False), probabilities):
        true = read(case)
        height, width = true.shape[:2]
        rows += score_case(case, true, to_masks(answer, height, width), pixel_spacing(case, height, width))
    return rows


def evaluate(model: keras.Model, cases: Sequence[Case], images: np.ndarray) -> list[dict]:
    """Predict N cases from their pictures at the model's size, (N, size, size) uint8, and score them. Notebook 9.

    The result is rows of `score_case`.
    """
    return score_probabilities(cases, predict_probabilities(model, images))
