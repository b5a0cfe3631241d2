"""Cross-validation and the measurements that build on it: who is tested by whom, and going on after a stop."""

import csv
import dataclasses
import json
import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from shared import run_python, write_set

from lungseg_utils import scores, training
from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.files import read_json
from lungseg_utils.images import load_arrays
from lungseg_utils.kept import FOLDER, kept
from lungseg_utils.prediction import load_pretrained
from lungseg_utils.recipes import DRAWINGS, LAPTOP, RECIPES
from lungseg_utils.splits import make_folds
from studies import choices, crossval, curve, hospitals, tables
from studies.provenance import RUNS

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(LAPTOP, name="tiny", image_size=32, base_filters=2, depth=1, batch_size=8, epochs=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Forty cases; the second and third show one patient."""
    folder = write_set(tmp_path_factory.mktemp("data") / "forty", count=40, height=48, width=40)
    reading = folder / "ClinicalReadings" / "TINY_0003_1.txt"
    reading.write_text(reading.read_text() + "same pt as TINY_0002_0\n")
    return folder


@pytest.fixture(scope="module")
def validated(data, tmp_path_factory):
    """The rows of five folds, and the folder in which they were made and kept."""
    home = tmp_path_factory.mktemp("home")
    return crossval.cross_validate(TINY, data, home, home / "kept"), home


def known(rows):
    """The rows without what is NaN, which is not equal to itself: distances, because the drawn set has no spacing."""
    return [{name: value for name, value in row.items() if value == value} for row in rows]


def test_every_xray_is_scored_once_by_a_model_that_has_not_seen_its_patient(validated, data):
    rows, home = validated
    cases = find_cases(data)
    patient = {case.id: case.patient for case in cases}
    assert sorted((row["id"], row["lung"]) for row in rows) == sorted(product(patient, scores.LUNGS))
    runs = [json.loads(path.read_text()) for path in (home / RUNS).glob("*/run.json")]
    assert len(runs) == 5
    for number, split in enumerate(make_folds(cases, crossval.SEED), 1):
        tested = {row["id"] for row in rows if row["fold"] == number}
        assert tested == set(split["test"])
        [run] = [run for run in runs if run["split"]["train"] == split["train"]]
        seen = {patient[case_id] for part in ("train", "val") for case_id in run["split"][part]}
        assert not seen & {patient[case_id] for case_id in tested}


def test_rows_are_kept_with_all_that_is_known(validated):
    rows, home = validated
    read = scores.read_scores(home / "kept" / "crossval-tiny.csv")
    assert known(read) == known(rows)
    row = next(row for row in read if row["id"] == "TINY_0003_1")
    assert (row["patient"], row["finding"], row["sex"], row["age"]) == ("TINY_0002_0", 1, "M", 23)
    about = read_json(home / "kept" / "crossval-tiny.json")
    assert about["recipe"] == dataclasses.asdict(TINY) and about["seed"] == crossval.SEED
    tested = [len({row["id"] for row in rows if row["fold"] == number}) for number in range(1, 6)]
    assert [fold["images"]["test"] for fold in about["folds"]] == tested
    trainings = about["provenance"]["trainings"]
    assert len({one["folder"] for one in trainings}) == 5, "of every training, not of the last one alone"
    for one in trainings:
        assert {"TensorFlow", "Keras", "NumPy", "OpenCV", "Python"} <= set(one["versions"])
        assert one["seconds"] > 0 and one["commits"] and one["processor"]["cores"] > 0
        assert abs((datetime.now(UTC) - datetime.fromisoformat(one["finished"])).total_seconds()) < 3600
    assert [fold["epochs"] for fold in about["folds"]] == [2] * 5


def test_finished_folds_are_not_trained_again(validated, data, monkeypatch, tmp_path):
    rows, home = validated
    monkeypatch.setattr(crossval, "train", lambda *args, **more: pytest.fail("trained again"))
    assert known(crossval.cross_validate(TINY, data, home, tmp_path)) == known(rows)


def test_a_stop_between_folds_loses_nothing(validated, data, monkeypatch, tmp_path):
    rows, _ = validated
    original, trained = crossval.train, []

    def stop_at_the_third(*args, **more):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(args)
        return original(*args, **more)

    monkeypatch.setattr(crossval, "train", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        crossval.cross_validate(TINY, data, tmp_path, tmp_path / "kept")
    assert not (tmp_path / "kept").exists(), "half a table is no table"
    monkeypatch.setattr(crossval, "train", lambda *args, **more: (trained.append(args), original(*args, **more))[1])
    again = crossval.cross_validate(TINY, data, tmp_path, tmp_path / "kept")
    assert len(trained) == 5
    assert [row["dice"] for row in again] == pytest.approx([row["dice"] for row in rows], abs=0.02)


def test_other_choices_get_another_folder(data, tmp_path, monkeypatch):
    monkeypatch.setattr(crossval, "train", lambda *args, **more: None)
    arrays = load_arrays(find_cases(data), 32, tmp_path)
    split = make_folds(find_cases(data))[0]
    folders = {
        crossval.train_once(TINY, arrays, split, tmp_path),
        crossval.train_once(TINY, arrays, split, tmp_path, seed=7),
        crossval.train_once(dataclasses.replace(TINY, epochs=3), arrays, split, tmp_path),
        crossval.train_once(TINY, arrays, make_folds(find_cases(data))[1], tmp_path),
    }
    assert len(folders) == 4
    assert crossval.train_once(TINY, arrays, split, tmp_path) in folders


def test_a_start_from_drawings_has_the_shipped_weights(tmp_path):
    for recipe in (DRAWINGS, *(recipe for recipe in RECIPES.values() if recipe.start == "drawings")):
        recipe = dataclasses.replace(recipe, image_size=64, start="drawings")
        model = training.model_to_train(recipe, tmp_path, steps=3)
        for ours, shipped in zip(model.get_weights(), load_pretrained().get_weights(), strict=True):
            np.testing.assert_array_equal(ours, shipped)


# --- choices ---


def test_each_choice_changes_what_its_name_says():
    reference = dataclasses.asdict(choices.SHORT)
    article = dataclasses.asdict(RECIPES["article"])
    seen = set()
    for choice in choices.CHOICES[1:-1]:
        changed = {name for name, value in dataclasses.asdict(choice.recipe).items() if value != reference[name]}
        assert bool(changed) != choice.padded and not changed & seen, choice.name
        seen |= changed
        for name in changed - {"base_filters", "image_size"}:
            assert getattr(choice.recipe, name) == article[name]
    together = dataclasses.asdict(choices.CHOICES[-1].recipe)
    assert {name for name in article if together[name] != article[name]} == {"name", "image_size", "base_filters"}
    differing = {name for name in article if article[name] != reference[name]} - {"name", "epochs", "patience"}
    assert differing <= seen, "each of the article's choices has its row"
    assert all(set(choice.seeds) <= set(choices.CHOICES[0].seeds) for choice in choices.CHOICES)


def test_choices_are_measured(data, tmp_path):
    short = dataclasses.replace(TINY, epochs=1)
    rows = [
        choices.Choice("reference", short, seeds=(1, 2)),
        choices.Choice("padded", short, seeds=(2,), padded=True),
        choices.Choice("one mask", dataclasses.replace(short, output_channels=1, epochs=2), seeds=(1,)),
    ]
    result = choices.measure_choices(data, tmp_path, tmp_path, rows)
    assert result == json.loads((tmp_path / "choices.json").read_text())
    reference, padded, one_mask = result["rows"]
    assert [row["name"] for row in result["rows"]] == ["reference", "padded", "one mask"]
    assert reference["difference"] == {"mean": 0, "low": 0, "high": 0}
    assert reference["dice"]["n"] == 16 and one_mask["dice"]["n"] == 8, "an X-ray counts once for each training"
    assert list(reference["means"]) == ["1", "2"] and reference["work"] == 1
    assert padded["dice"]["n"] == 8
    assert one_mask["difference"]["mean"] == pytest.approx(one_mask["means"]["1"] - reference["means"]["1"])
    assert 1.9 < one_mask["work"] < 2
    assert set(result["scales"]) == {"reference", "one mask"}
    for scale in result["scales"].values():
        assert set(scale) == {"soft pooled", "soft per image", "hard pooled", "hard per image"}
        assert all(0 <= value <= 1 for value in scale.values())
    assert set(result["checkpoint"]) == {"best, val", "best, test", "last, val", "last, test"}
    assert len(result["leak"]["leaking"]["dice"]) == len(result["leak"]["ids"])


def test_a_choice_is_compared_with_the_trainings_of_its_own_seeds():
    def training(*values):
        return Path("run"), [{"patient": name, "dice": value} for name, value in zip("aab", values)]

    reference = {1: training(0.9, 0.9, 0.9), 2: training(0.5, 0.5, 0.5)}
    row = choices.against_reference(reference, {1: training(0.8, 0.9, 0.9)})
    assert row["difference"]["mean"] == pytest.approx(-0.1 / 3) and row["means"] == {"1": pytest.approx(2.6 / 3)}
    assert row["difference"]["low"] == pytest.approx(-0.05) and row["difference"]["high"] == 0, "patients are drawn"


def test_a_perfect_padded_answer_has_a_perfect_score(data, monkeypatch, tmp_path):
    """The bars are cut off in the right place: answers that are the padded masks score nearly 1."""
    case = dataclasses.replace(find_cases(data)[0], spacing_mm=(1.0, 1.0))  # of 48 x 40 px
    choice = choices.Choice("padded", dataclasses.replace(TINY, image_size=128), padded=True)
    arrays, places = choices.arrays_for(choice, [case], tmp_path)
    monkeypatch.setattr(choices, "load_model", lambda path: None)
    monkeypatch.setattr(choices, "predict_probabilities", lambda model, images: arrays.masks.astype("float32"))
    both = choices.score_padded(tmp_path, arrays, places, [case])[-1]
    assert places[case.id] == (slice(0, 128), slice(10, 117)) and both["dice"] > 0.95


def test_the_leak_is_taken_out(montgomery, tmp_path, monkeypatch):
    """On the real set: three test images show patients of the training images, and `clean` trains without those."""
    cases = find_cases(montgomery)
    splits = []

    def score_run(run, cases, arrays, ids):
        return [{"id": name, "lung": "both", "dice": 1.0} for name in ids]

    monkeypatch.setattr(choices, "train_once", lambda recipe, arrays, split, home: splits.append(split) or home)
    monkeypatch.setattr(choices, "score_run", score_run)
    result = choices.leak(TINY, cases, None, tmp_path)
    assert result["ids"] == ["MCUCXR_0117_1", "MCUCXR_0162_1", "MCUCXR_0170_1"]
    assert set(splits[0]["train"]) - set(splits[1]["train"]) == {"MCUCXR_0113_1", "MCUCXR_0166_1"}


@pytest.mark.parametrize(("spacing", "shape"), [((1.0, 1.0), (128, 107)), ((0.5, 1.0), (77, 128)), (None, (128, 107))])
def test_padding_keeps_the_shape_in_millimetres(spacing, shape, data):
    case = dataclasses.replace(find_cases(data)[0], spacing_mm=spacing)  # of 48 x 40 px
    masks = np.ones((512, 512, 2), "uint8")
    fitted = choices.into_place(masks, choices.place_of(case, 128), 128)
    assert fitted.shape == (128, 128, 2) and set(np.unique(fitted)) == {0, 1}
    assert (fitted[..., 0].any(axis=1).sum(), fitted[..., 0].any(axis=0).sum()) == shape


# --- curve ---


def test_small_choices_lie_in_larger_ones_and_hold_both_findings(data):
    cases = find_cases(data)
    ids = [case.id for case in cases]
    chosen = [curve.first_cases(cases, ids, count) for count in (5, 10, 25, 40)]
    for small, large in zip(chosen, chosen[1:]):
        assert set(small) < set(large)
    assert {name[-1] for name in chosen[0]} == {"0", "1"}
    assert len(chosen[-1]) == len(set(chosen[-1])) == 40


def test_curve_trains_on_the_named_number_only(data, tmp_path):
    recipe = dataclasses.replace(TINY, epochs=1, patience=None)
    result = curve.measure_curve(data, tmp_path, "random", tmp_path, recipe, counts=(5, 1000), folds=(2,))
    assert [(row["fold"], row["images"], row["dice"]["n"]) for row in result["rows"]] == [(2, 5, 8), (2, 32, 8)]
    test = set(make_folds(find_cases(data))[1]["test"])
    for run in (tmp_path / RUNS).glob("*/run.json"):
        split = json.loads(run.read_text())["split"]
        assert len(set(split["train"])) in (5, 32) and len(split["train"]) == 32
        assert set(split["val"]) <= set(split["train"]) and not test & set(split["train"])


# --- hospitals ---


def test_both_hospitals_train_with_as_many_xrays_and_the_first_keeps_its_folds(data):
    cases = find_cases(data)
    assert hospitals.splits_of(cases, 1000, 1000) == make_folds(cases, crossval.SEED), "those of crossval, trained once"
    for short, whole in zip(hospitals.splits_of(cases, 10, 3), make_folds(cases, crossval.SEED)):
        assert (len(short["train"]), len(short["val"])) == (10, 3) and short["test"] == whole["test"]
        assert set(short["train"]) < set(whole["train"]) and set(short["val"]) < set(whole["val"])


def test_each_network_is_tested_on_what_it_has_not_seen(data, tmp_path, monkeypatch):
    other = write_set(tmp_path / "other", count=50, height=48, width=40)
    recipe = dataclasses.replace(TINY, epochs=1)
    result = hospitals.measure_hospitals(data, other, tmp_path, tmp_path, [recipe])
    expected = [("drawings alone", "forty", 40), ("drawings alone", "other", 50), ("forty", "forty", 40),
                ("forty", "other", 50), ("other", "forty", 40), ("other", "other", 50)]  # fmt: skip
    assert [(row["trained"], row["tested"], row["images"]) for row in result["rows"]] == expected
    for row in result["rows"]:
        away = row["trained"] not in ("drawings alone", row["tested"])
        assert row["dice"]["n"] == row["below"]["n"] == row["images"] * (5 if away else 1)
        assert (row["difference"] is None) == (row["trained"] == "drawings alone")
    assert len(result["provenance"]["trainings"]) == 10
    monkeypatch.setattr(crossval, "train", lambda *args, **more: pytest.fail("trained again"))
    crossval.cross_validate(recipe, data, tmp_path, tmp_path)
    monkeypatch.setattr(tables, "kept", lambda name: result)
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    assert "| other | forty, never seen, five models | 40 |" in tables.hospitals_table()


def test_a_difference_is_that_of_the_same_xrays():
    def rows(*values):
        return [{"id": name, "patient": name, "dice": one, "below": 0.0} for name, one in zip("abc", values)]

    drawings = [rows(0.9, 0.8, 0.7)]
    row = hospitals.describe("x", "y", "z", [rows(0.9, 0.9, 0.9), rows(0.9, 0.9, 0.7)], drawings)
    assert row["difference"]["mean"] == pytest.approx((0 + 0.1 + 0.1) / 3) and row["dice"]["n"] == 6
    assert row["difference"]["low"] == pytest.approx(0) and row["difference"]["high"] == pytest.approx(0.1)


# --- the command ---


def test_what_is_no_data_set_or_too_small_is_refused(tmp_path):
    done = run_python("-m", "studies", "crossval", "--data", tmp_path / "nothing")
    assert done.returncode == 1 and "does not exist" in done.stderr and "Traceback" not in done.stderr
    few = write_set(tmp_path / "few", count=6, height=32, width=32)
    with pytest.raises(DatasetError, match="6 patients are too few"):
        crossval.cross_validate(TINY, few, tmp_path)


# --- the figures that are kept: their form, and floors that only a broken product falls below ---


@pytest.mark.parametrize(("name", "least"), [("best", 0.96), ("laptop", 0.95)])
def test_kept_figures_are_whole_not_broken_and_of_the_folds_of_today(name, least, request):
    rows, about = kept(f"crossval-{name}.csv"), kept(f"crossval-{name}.json")
    values = scores.summarise(rows)["both"]["dice"]
    assert values["n"] == 138 and values["mean"] >= least and len(about["folds"]) == 5
    cases = find_cases(request.getfixturevalue("montgomery"))
    for number, split in enumerate(make_folds(cases, crossval.SEED), 1):
        assert {row["id"] for row in rows if row["fold"] == number} == set(split["test"])


def test_the_kept_curve_is_whole_and_drawings_help():
    drawings, random = (
        {row["images"]: row["dice"]["mean"] for row in kept(f"curve-{start}.json")["rows"]}
        for start in ("drawings", "random")
    )
    assert set(drawings) == set(random) == set(curve.COUNTS) and drawings[5] > random[5]


def test_what_is_kept_holds_figures_and_no_pictures():
    for path in FOLDER.glob("*.[!p]*"):
        assert path.suffix in {".csv", ".json"} and path.stat().st_size < 200_000
        if path.suffix == ".csv":
            with open(path, newline="", encoding="utf-8") as file:
                for row in csv.reader(file):
                    assert all(re.fullmatch(r"[\w .'-]*", cell) for cell in row)
