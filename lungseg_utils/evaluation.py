"""Score a model on whole cases (notebook 9)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
from collections.abc import Sequence

import keras
import numpy as np
from tqdm import tqdm

from lungseg_utils.cases import Case, pixel_spacing
from lungseg_utils.images import read_masks
from lungseg_utils.prediction import predict_probabilities, to_masks
from lungseg_utils.scores import score_case


def evaluate(model: keras.Model, cases: Sequence[Case], images: np.ndarray) -> list[dict]:
    """Predict each case and score it against its masks at the file's own size; taught in notebook 9.

    Args:
        model: from `load_model`.
        cases: N cases.
        images: (N, size, size) uint8, the same cases at the model's size.

    Returns:
        Rows of `score_case`.
    """
    rows = []
    for case, probabilities in zip(tqdm(cases, "scoring", leave=False), predict_probabilities(model, images)):
        true = read_masks(case)
        height, width = true.shape[:2]
        predicted = to_masks(probabilities, height, width)
        rows += score_case(case, true, predicted, pixel_spacing(case, height, width))
    return rows
