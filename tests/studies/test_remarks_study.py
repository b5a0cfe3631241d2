"""The limits of remarks: what they are fitted on, and how they are checked."""

import numpy as np
import pytest
from shared import write_set

from lungseg_utils.files import read_json
from lungseg_utils.inference.remarks import LOOKS
from studies import remarks
from studies.not_chests import CHANGED, DRAWN


def test_pictures_of_other_things_are_drawn_from_their_random_numbers_alone():
    pictures = {kind: [draw(np.random.default_rng(seed)) for seed in (3, 3, 4)] for kind, draw in DRAWN.items()}
    for kind, (one, same, other) in pictures.items():
        assert one.dtype == np.uint8 and one.ndim == 2 and min(one.shape) > 100, kind
        assert np.array_equal(one, same) and not (one.shape == other.shape and np.array_equal(one, other)), kind
    assert len(DRAWN) + len(CHANGED) >= 12


def test_a_frontal_xray_is_shown_wrongly_without_a_change_to_itself():
    image = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30).astype(np.uint8)
    before = image.copy()
    shown = dict(remarks.changed([image], 1))
    assert list(shown) == list(CHANGED) and np.array_equal(image, before)
    assert shown["quarter turn"].shape == (30, 40) and np.array_equal(shown["upside down"], image[::-1, ::-1])
    assert np.array_equal(shown["black and white exchanged"], 255 - image)
    assert shown["two side by side"].shape == (40, 60) and shown["two, one above the other"].shape == (80, 30)
    assert shown["half a chest"].shape[0] == 40 and 12 <= shown["half a chest"].shape[1] <= 18
    beside = shown["half a chest beside black"]
    assert beside.shape == image.shape and 0.4 < (beside > 0).any(axis=0).mean() < 0.6


def test_the_curve_of_risk_over_coverage():
    doubts, scores = np.arange(20) / 20, np.append(np.full(15, 0.97), np.full(5, 0.9))
    curve = {round(row["coverage"], 2): row for row in remarks.risk_coverage(doubts, scores)}
    assert (curve[0.75]["failures"], curve[1.0]["failures"]) == (0, 0.25)
    assert curve[1.0]["dice"] == pytest.approx(scores.mean()) and curve[0.75]["worst"] == 0.97
    backwards = remarks.risk_coverage(-doubts, scores)
    assert backwards[0]["failures"] == 1 and backwards[-1] == pytest.approx(curve[1.0])


class Guess:
    """Stands for the shipped model: lung where the picture is darker than its mean, left and right of the middle."""

    input_shape, output_shape = (None, 64, 64, 1), (None, 64, 64, 2)

    def predict(self, inputs, **_):
        dark = np.clip(0.5 + 4 * (inputs.mean(axis=(1, 2, 3), keepdims=True) - inputs), 0, 1)
        left = np.arange(64)[:, np.newaxis] < 32
        return np.concatenate([dark * left, dark * ~left], axis=-1).astype(np.float32)


@pytest.mark.slow
def test_limits_are_fitted_on_drawings_and_checked_on_real_xrays(tmp_path, monkeypatch):
    for name, number in (("FRONTAL", 40), ("OTHERS", 2), ("CHECKED", 4), ("OTHERS_CHECKED", 1), ("TRIED", 4)):
        monkeypatch.setattr(remarks, name, number)
    monkeypatch.setattr(remarks, "load_pretrained", Guess)
    folders = [write_set(tmp_path / name, count=6, height=90, width=80) for name in ("one", "two")]
    result = remarks.measure_remarks(*folders, tmp_path)
    assert result == read_json(tmp_path / "remarks.json")
    assert len(result["weights"]) == 1 + len(LOOKS) and len(result["weights"][0]) == 2 * len(result["signals"])
    assert [one["n"] for one in result["real"]] == [6, 6] and result["drawings"]["n"] == 4
    for one in result["real"]:
        assert {kind: row["n"] for kind, row in one["shown wrongly"].items()} == dict.fromkeys(CHANGED, 2)
    assert list(result["drawings"]["kinds"]) == [*DRAWN, *CHANGED]
    assert all("remarked_when_left_out" in row for row in result["drawings"]["kinds"].values())
    other = remarks.measure_remarks(folders[1], folders[1], tmp_path / "again")
    fitted = ("weights", "bias", "look", "doubt", "lopsided", "least_side", "least_shades")
    assert {name: other[name] for name in fitted} == {name: result[name] for name in fitted}, "whatever the real ones"
