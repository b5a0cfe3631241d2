"""Models trained on drawings alone: how they are made, and what the shipped one is worth."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from shared import ellipse, write_set

from lungseg_utils import drawing, prediction, scores, training
from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.drawing import arrays as drawings
from lungseg_utils.files import read_json
from lungseg_utils.images import load_arrays, resize_image
from lungseg_utils.inference import stress
from lungseg_utils.kept import kept
from lungseg_utils.prediction import evaluate, load_model, load_pretrained, predict_probabilities, to_masks
from studies import model_card, parts, pretraining, provenance, scoring
from studies.provenance import RUNS

pytestmark = pytest.mark.slow

RECIPE = dataclasses.replace(pretraining.DRAWINGS, image_size=64, base_filters=2, depth=1, batch_size=4, epochs=2)
TINY = pretraining.Plan(RECIPE, drawings=12, validated=4, rough=0.5, seed=1, held_out=2)

pytestmark = pytest.mark.slow

# --- drawings -----------------------------------------------------------------------------------------------------


def test_no_patient_of_a_drawn_data_set_was_trained_on():
    plan = pretraining.SHIPPED
    trained = {drawings.patient_number(plan.seed, number) for number in range(plan.drawings)}
    assert len(trained) == plan.drawings
    for count, seed in ((240, 2022), (plan.held_out, pretraining.HELD_OUT_SEED), (1000, plan.seed)):
        assert not trained & {visit.seed for visit in drawing.dataset._plan(count, seed)}
    assert min(trained) >= 2**32, "those of a drawn data set are below"
    other = {drawings.patient_number(parts.SHORT.seed, number) for number in range(plan.drawings)}
    assert not trained & other


def test_drawings_do_not_depend_on_the_number_of_processes():
    one, two = (drawings.draw_arrays(10, 64, 3, rough=0.5, workers=workers) for workers in (1, 2))
    assert one.ids[:2] == ["DRAWN_00000_0", "DRAWN_00001_1"] == two.ids[:2]
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.masks, two.masks)
    assert len({image.tobytes() for image in one.images}) == 10
    assert not np.array_equal(one.images[4], drawings._draw_one(4, 64, 4, 0.0, ())[0]), "another seed, another patient"


def test_leaving_a_part_out_reaches_the_drawing():
    full, bare = (drawings._draw_one(1, 128, 1, 0.0, without) for without in ((), ("bones",)))
    assert not np.array_equal(full[0], bare[0])
    np.testing.assert_array_equal(full[1], bare[1])


def test_a_rough_drawing_moves_its_masks_along():
    masks = np.stack([ellipse(128, 128, x) for x in (0.3, 0.7)], axis=-1)
    image = masks.max(axis=-1) * 200  # the picture is its own mask
    areas = set()
    for seed in range(20):
        moved, where = drawings.roughen(image, masks, np.random.default_rng(seed))
        inside = where.max(axis=-1) > 0
        assert moved[inside].mean() > 150
        areas.add(int(inside.sum()))
    assert len(areas) > 15


# --- changes on purpose -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", stress.CHANGES)
def test_a_change_keeps_picture_and_masks_together(name):
    masks = np.stack([ellipse(256, 256, 0.3), ellipse(256, 256, 0.7, a=0.1)], axis=-1)
    image = masks.max(axis=-1) * 120 + 60
    before = image.copy()
    changed, where = stress.CHANGES[name](image, masks)
    np.testing.assert_array_equal(image, before)
    assert changed.dtype == where.dtype == np.uint8 and changed.shape == where.shape[:2]
    bright = changed > (int(changed[where.max(axis=-1) > 0].mean()) + int(changed[where.max(axis=-1) == 0].mean())) / 2
    if name == "black and white exchanged":
        bright = ~bright
    if name != "light frame and letters":  # which are as bright as the lungs
        assert scores.dice(where.max(axis=-1), bright) > (0.8 if name == "noisy" else 0.95)
    assert name == "unchanged" or not np.array_equal(changed, image)
    left, right = (np.nonzero(where[..., side].any(axis=0))[0].mean() for side in (0, 1))
    assert left < right, "channel 0 is the lung on the viewer's left"


class DarkIsLung:
    """Stands in for a model: what is dark is lung."""

    input_shape = (None, 64, 64, 1)

    def predict(self, inputs, **_):
        sides = np.stack([np.arange(64) < 32, np.arange(64) >= 32], axis=-1)
        return (inputs < 0.4) * sides.astype("float32")


@pytest.fixture
def dark_lungs(tmp_path):
    """A data set of 20 X-rays whose lungs are simply dark."""
    import cv2

    folder = write_set(tmp_path / "dark", count=20, height=96, width=96)
    for case in find_cases(folder):
        both = cv2.imread(str(case.left_mask), 0) | cv2.imread(str(case.right_mask), 0)
        cv2.imwrite(str(case.image), np.where(both > 0, 60, 180).astype("uint8"))
    return find_cases(folder)


def test_a_model_is_scored_by_group_and_under_changes(dark_lungs, tmp_path):
    scored = scoring.score_cases(DarkIsLung(), dark_lungs, tmp_path)
    groups = {name: group["both"]["dice"] for name, group in scored["groups"].items()}
    assert groups["all"]["n"] == 20 == groups["development"]["n"] + groups["held out"]["n"]
    assert groups["with a finding"]["n"] == groups["without a finding"]["n"] == 10
    assert groups["all"]["worst"] <= groups["all"]["p5"] <= groups["all"]["median"] and groups["all"]["mean"] > 0.9
    assert scored["worst"][0][1] == groups["all"]["worst"]
    assert list(scored["stress"]) == list(stress.CHANGES)
    assert all(scored["stress"][name]["mean"] > 0.9 for name in ("unchanged", "mirrored", "blurred"))
    assert scored["stress"]["black and white exchanged"]["mean"] < 0.5


def test_a_third_of_the_patients_is_for_development(montgomery):
    assert sum(map(scoring.is_development, find_cases(montgomery))) == 44


# --- making it ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny model, made with an interruption after its first epoch; folder, target and what was logged by then."""
    folder = tmp_path_factory.mktemp("pretraining")
    data = write_set(folder / "some set", count=6, height=64, width=80)

    def interrupted(*arguments, **more):
        training.train(*arguments, epochs=1, **more)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretraining.pretrain(TINY, folder, folder / "target", data)
    [run] = (folder / RUNS).iterdir()
    first = training.read_log(run / "log.csv")
    assert len(first) == 1 and not (folder / "target").exists()
    pretraining.pretrain(TINY, folder, folder / "target", data)
    return folder, folder / "target", first


def test_an_interrupted_training_goes_on(made):
    folder, _, first = made
    [run] = (folder / RUNS).iterdir()
    assert training.read_log(run / "log.csv")[:1] == first
    assert len(training.read_log(run / "log.csv")) == 2
    last = load_model(run / "last.keras")
    assert int(last.optimizer.iterations) == 4, "two epochs of two steps, none of them twice"
    record = json.loads((run / "made.json").read_text())
    assert record["seconds"] > 0 and "started" not in record and len(record["commits"]) == 1


def test_the_clock_counts_interrupted_processes_up_to_their_last_epoch(tmp_path):
    begun = datetime(2026, 11, 28, 12, tzinfo=UTC)
    (tmp_path / "last.keras").write_bytes(b"")
    os.utime(tmp_path / "last.keras", (begun.timestamp() + 100,) * 2)
    made = {"seconds": 7, "commits": ["a"], "started": begun.isoformat()}
    (tmp_path / "made.json").write_text(json.dumps(made))
    record = provenance.start_clock(tmp_path)
    assert record["seconds"] == 107 and record["commits"] == ["a", provenance.code_version()]
    provenance.stop_clock(provenance.start_clock(tmp_path), tmp_path)
    assert read_json(tmp_path / "made.json")["seconds"] < 1e9, "five digits are enough for what it took"


def test_a_finished_training_is_only_scored_again(made, monkeypatch):
    folder, target, _ = made
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    assert set(before) == {"lungs.keras", "scores.json"}
    monkeypatch.setattr(pretraining, "draw_arrays", None)
    monkeypatch.setattr(pretraining, "train", None)
    pretraining.pretrain(TINY, folder, target, folder / "some set")
    result = json.loads((target / "scores.json").read_text())
    old = json.loads(before["scores.json"])
    assert result["real"] == old["real"] and result["training"] == old["training"]


def test_another_drawing_is_trained_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(pretraining, "draw_arrays", lambda *arguments: drawings.Arrays([], None, None))
    monkeypatch.setattr(pretraining, "train", lambda *arguments, **more: None)
    first = pretraining.train_on_drawings(TINY, tmp_path)
    others = [
        pretraining.train_on_drawings(TINY, tmp_path, ["bones"]),
        pretraining.train_on_drawings(dataclasses.replace(TINY, rough=0.1), tmp_path),
    ]
    monkeypatch.setattr(pretraining, "PHANTOM_VERSION", 0)
    others.append(pretraining.train_on_drawings(TINY, tmp_path))
    assert len({first, *others}) == 4


def test_the_file_holds_the_best_weights_and_nothing_else(made):
    folder, target, _ = made
    model = load_model(target / "lungs.keras")
    best = load_model(next((folder / RUNS).iterdir()) / "best.keras")
    for mine, theirs in zip(model.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2**-11, atol=1e-7)
    assert not model.compiled, "neither optimizer nor loss"
    assert set(zipfile.ZipFile(target / "lungs.keras").namelist()) == {
        "metadata.json",
        "config.json",
        "model.weights.h5",
    }


def test_a_file_that_is_too_large_is_refused(made, monkeypatch, tmp_path):
    model = load_model(made[1] / "lungs.keras")
    monkeypatch.setattr(pretraining, "LARGEST", 1000)
    with pytest.raises(RuntimeError, match="fewer filters"):
        pretraining.save_small(model, TINY, tmp_path / "lungs.keras")
    assert not (tmp_path / "lungs.keras").exists()


def test_the_card_is_made_from_the_scores(made):
    target = made[1]
    result = json.loads((target / "scores.json").read_text())
    assert result["model"]["sha256"] == hashlib.sha256((target / "lungs.keras").read_bytes()).hexdigest()
    result["real"]["groups"]["held out"]["both"]["dice"]["mean"] = 0.98765
    assert "| held out | 3 | 0.9877" in model_card.card(result)
    result["real"]["stress"]["noisy"].update(mean=-1.0)
    assert "**noisy**: mean -1.000" in model_card.card(result)
    del result["real"]
    assert "Not scored" in model_card.card(result)


def test_real_xrays_that_are_not_there_stop_it_before_the_training(tmp_path):
    with pytest.raises(DatasetError, match="nowhere"):
        pretraining.pretrain(TINY, tmp_path, tmp_path, tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"version https://git-lfs.github.com/spec/v1"])
def test_an_installation_without_the_model_says_so(content, monkeypatch, tmp_path):
    monkeypatch.setattr(prediction, "SHIPPED_WEIGHTS", tmp_path / "lungs.keras")
    if content:
        (tmp_path / "lungs.keras").write_bytes(content)
    with pytest.raises(DatasetError, match=f"lungs.keras is {'damaged' if content else 'missing'}.*pretrain"):
        load_pretrained()


# --- the table of parts -------------------------------------------------------------------------------------------


def test_the_table_leaves_out_one_part_at_a_time():
    rows = parts.make_rows()
    assert {row.without for row in rows[3:]} == {(part,) for part in drawing.PARTS}
    assert [row.without for row in rows[:3]] == [(), (), ()]
    assert rows[0].plan.seed != rows[1].plan.seed and not rows[2].plan.recipe.augment
    steps = {(row.plan.drawings - row.plan.validated) // 8 * row.plan.recipe.epochs for row in rows}
    assert steps == {400} and {row.plan.recipe.batch_size for row in rows} == {8}


def test_an_interrupted_table_does_not_train_again(made, monkeypatch, tmp_path):
    plan = dataclasses.replace(TINY, recipe=dataclasses.replace(RECIPE, epochs=1), rough=0.0)
    rows = [parts.Row("all parts", plan), parts.Row("without bones", plan, ("bones",))]
    trained, original = [], pretraining.train
    monkeypatch.setattr(pretraining, "train", lambda *args, **more: (trained.append(args), original(*args, **more)))
    parts.measure_parts(rows[:1], tmp_path, made[0] / "some set", tmp_path)
    table = parts.measure_parts(rows, tmp_path, made[0] / "some set", tmp_path)
    assert len(trained) == 2 == len(table["provenance"]["trainings"])
    assert [row["name"] for row in table["rows"]] == ["all parts", "without bones"]
    one = table["rows"][0]
    assert one["all"]["n"] == 6 == one["development"]["n"] + one["held out"]["n"]
    assert {"mean", "sd", "p5", "worst"} <= set(one["all"])
    assert "without bones" in parts.format_rows(table["rows"])


# --- the shipped model --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    """Scores of the shipped model."""
    return kept("scores.json")


def test_the_shipped_files_belong_together(shipped):
    path = pretraining.PRETRAINED / pretraining.MODEL
    assert path.stat().st_size == shipped["model"]["bytes"] <= 8_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == shipped["model"]["sha256"]
    assert (path.parent / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card.card(shipped)
    assert "real" in shipped


def test_the_shipped_model_loads_in_a_fresh_process_and_tensorflow_only_then(shipped):
    code = (
        "import sys, lungseg_utils; assert 'tensorflow' not in sys.modules\n"
        "from lungseg_utils.prediction import load_pretrained\n"
        "model = load_pretrained(); print(model.input_shape, model.output_shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.strip() == "(None, 128, 128, 1) (None, 128, 128, 2)"


def test_the_shipped_model_outlines_fresh_drawings(shipped):
    model = load_pretrained()
    fresh = [drawing.draw_phantom(seed, 256, finding=seed % 2 == 1) for seed in range(20)]
    seen = np.stack([resize_image(one.image, model.input_shape[1]) for one in fresh])
    found = [to_masks(answer, 256, 256) for answer in predict_probabilities(model, seen)]
    dice = [
        [scores.dice(one.masks[..., side], masks[..., side]) for side in (0, 1)] for one, masks in zip(fresh, found)
    ]
    assert np.mean(dice) > 0.95


def test_the_shipped_model_outlines_real_lungs(shipped, montgomery, tmp_path):
    cases = find_cases(montgomery)
    assert len(cases) == 138
    model = load_pretrained()
    images = load_arrays(cases, model.input_shape[1], tmp_path).images
    summary = scores.summarise(evaluate(model, cases, images))
    print(scores.format_summary(summary))
    dice = summary["both"]["dice"]
    assert dice["mean"] >= 0.955 and dice["p5"] >= 0.90 and dice["worst"] >= 0.75
    for lung, measures in shipped["real"]["groups"]["all"].items():
        for name in ("mean", "p5", "worst"):
            assert summary[lung]["dice"][name] == pytest.approx(measures["dice"][name], abs=0.002), (lung, name)
