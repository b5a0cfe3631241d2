"""The model that notebook 8 has just trained on drawings, on real X-rays; runs after the notebooks."""

import numpy as np

from lungseg_utils import course, images, prediction
from lungseg_utils.cases import find_cases

LEAST_DICE = 0.935  # hard, per image, mean over all 138; the model has seen no real X-ray


def test_a_model_trained_on_240_drawings_segments_real_xrays(montgomery):
    chosen = course.start()
    model = prediction.load_model(course.model_ready(chosen, course.cases_ready(chosen)))
    cases = find_cases(montgomery)
    arrays = images.load_arrays(cases, model.input_shape[1], course.home() / "cache")
    rows = prediction.evaluate(model, cases, arrays.images)
    values = [row["dice"] for row in rows if row["lung"] == "both"]
    assert len(values) == 138
    print(f"Dice {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}, worst {np.min(values):.4f}")
    assert np.mean(values) >= LEAST_DICE
