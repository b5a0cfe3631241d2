"""Models trained on drawings alone: how they are made, and what the shipped one is worth."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from shared import ellipse, write_set

from lungseg_utils import drawing, prediction, scores, training
from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.drawing import arrays as drawings
from lungseg_utils.files import read_json
from lungseg_utils.images import resize_image
from lungseg_utils.inference import stress
from lungseg_utils.kept import kept
from lungseg_utils.prediction import load_model, load_pretrained, predict_probabilities, to_masks
from studies import cue, model_card, parts, pretraining, provenance, scoring, tables
from studies.provenance import RUNS

pytestmark = pytest.mark.slow

RECIPE = dataclasses.replace(pretraining.DRAWINGS, image_size=64, base_filters=2, depth=1, batch_size=4, epochs=2)
TINY = pretraining.Plan(RECIPE, drawings=12, validated=4, averaged=1, rough=0.5, seed=1, held_out=2)

# --- drawings -----------------------------------------------------------------------------------------------------


def test_no_patient_of_a_drawn_data_set_was_trained_on():
    plan = pretraining.SHIPPED
    trained = {drawings.patient_number(plan.seed, number) for number in range(plan.drawings)}
    assert len(trained) == plan.drawings
    for count, seed in ((240, 2022), (plan.held_out, pretraining.HELD_OUT_SEED), (1000, plan.seed)):
        assert not trained & {visit.seed for visit in drawing.dataset._plan(count, seed)}
    assert min(trained) >= 2**32, "those of a drawn data set are below"
    for short in parts.make_rows()[0].plans:
        assert not trained & {drawings.patient_number(short.seed, number) for number in range(short.drawings)}


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


def test_other_shades_do_not_say_what_is_lung_but_its_edge_does():
    lung = ellipse(128, 128, 0.5)
    inside, outside = cv2.erode(lung, np.ones((5, 5))) > 0, cv2.dilate(lung, np.ones((5, 5))) == 0
    picture, brighter = np.where(lung > 0, 60, 180).astype("uint8"), 0
    for seed in range(200):
        other = drawings.recolour(picture, np.random.default_rng(seed))
        assert other.shape == picture.shape and other.dtype == np.uint8
        brighter += other[inside].mean() > other[outside].mean()
        edges = np.abs(np.diff(other.astype(int), axis=1, append=0))[:, :-1]
        assert edges[~(inside | outside)[:, :-1]].mean() > 5 * edges[(inside | outside)[:, :-1]].mean()
    assert 4 <= brighter <= 40, "of 200: the lung is brighter in some"


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
    assert scored["groups"]["all"]["both"]["below"] == {"n": 20, "mean": pytest.approx(0, abs=0.01), "over": 0}
    assert list(scoring.score_groups(DarkIsLung(), dark_lungs, tmp_path, whole=True)[0]) == ["all"]
    assert list(scored["stress"]) == list(stress.CHANGES)
    assert all(scored["stress"][name]["mean"] > 0.9 for name in ("unchanged", "mirrored", "blurred"))
    assert scored["stress"]["black and white exchanged"]["mean"] < 0.5


def test_what_is_below_the_border_is_counted_by_lung():
    true, found = np.zeros((2, 20, 20, 2), "uint8")
    true[5:15, 2:8, 0] = true[5:11, 12:18, 1] = 1  # 60 and 36 pixels
    found[:] = true
    assert scoring.below_border(true, found) == 0
    found[15:18, 4:6, 0] = 1  # 6 below its own border
    found[2:15, 18:20, 1] = 1  # beside the lung: of 13 rows those 4 count that are below its nearest column
    found[11:13, 0:2, 0] = 1  # beside the other, above its border
    assert scoring.below_border(true, found) == (6 + 2 * 4) / 96
    assert scoring.share_below([0.0, 0.02, 0.03, 0.31]) == {"n": 4, "mean": pytest.approx(0.09), "over": 0.25}


def test_a_third_of_the_patients_is_for_development(montgomery):
    assert sum(map(scoring.is_development, find_cases(montgomery))) == 44


# --- making it ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny model, made with an interruption after its first epoch: how to ask for it again, folder, first log."""
    folder = tmp_path_factory.mktemp("pretraining")
    sets = [write_set(folder / name, count=6, height=64, width=80) for name in ("some set", "other set")]

    def interrupted(*arguments, **more):
        training.train(*arguments, epochs=1, **more)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretraining.pretrain(TINY, folder, folder / "target", *sets)
    [run] = (folder / RUNS).iterdir()
    first = training.read_log(run / "log.csv")
    assert len(first) == 1 and not (folder / "target").exists()
    pretraining.pretrain(TINY, folder, folder / "target", *sets)
    return folder, sets, first


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
    folder, sets, _ = made
    target = folder / "target"
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    assert set(before) == {"lungs.keras", "scores.json"}
    monkeypatch.setattr(pretraining, "draw_arrays", None)
    monkeypatch.setattr(pretraining, "train", None)
    old = json.loads(before["scores.json"])
    assert old["real"]["name"] == "some set" and old["other"]["name"] == "other set"
    pretraining.pretrain(TINY, folder, target, *sets)  # writes the model anew too
    first = json.loads((target / "scores.json").read_text())
    (target / "scores.json").write_text(json.dumps(first | {"real": None, "other": None}))
    again = json.loads(pretraining.score_again(folder, *sets, target).read_text())
    assert all(again[name] == first[name] for name in ("model", "plan", "training", "drawings", "real", "other"))
    assert all(again[name] == old[name] for name in ("training", "drawings", "real", "other"))
    assert again["provenance"]["trainings"] == old["provenance"]["trainings"]
    (target / "scores.json").write_text(json.dumps(again | {"model": {"sha256": "of another"}}))
    with pytest.raises(DatasetError, match=r"is not of .*lungs.keras"):
        pretraining.score_again(folder, *sets, target)
    (target / "scores.json").write_text(json.dumps(again))


def test_another_drawing_is_trained_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(pretraining, "draw_arrays", lambda *arguments: drawings.Arrays([], None, None))
    monkeypatch.setattr(pretraining, "train", lambda *arguments, **more: None)
    plan = dataclasses.replace(TINY, averaged=0)
    first = pretraining.train_on_drawings(plan, tmp_path)
    others = [
        pretraining.train_on_drawings(plan, tmp_path, ["bones"]),
        pretraining.train_on_drawings(dataclasses.replace(plan, rough=0.1), tmp_path),
    ]
    monkeypatch.setattr(pretraining, "PHANTOM_VERSION", 0)
    others.append(pretraining.train_on_drawings(plan, tmp_path))
    assert len({first, *others}) == 4


def test_the_file_holds_the_averaged_weights_and_nothing_else(made):
    folder, target = made[0], made[0] / "target"
    model = load_model(target / "lungs.keras")
    averaged = load_model(next((folder / RUNS).iterdir()) / "averaged.keras")
    for mine, theirs in zip(model.get_weights(), averaged.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2**-11, atol=1e-7)
    assert not model.compiled, "neither optimizer nor loss"
    assert set(zipfile.ZipFile(target / "lungs.keras").namelist()) == {
        "metadata.json",
        "config.json",
        "model.weights.h5",
    }


def test_a_file_that_is_too_large_is_refused(made, monkeypatch, tmp_path):
    model = load_model(made[0] / "target" / "lungs.keras")
    monkeypatch.setattr(pretraining, "LARGEST", 1000)
    with pytest.raises(RuntimeError, match="fewer filters"):
        pretraining.save_small(model, TINY, tmp_path / "lungs.keras")
    assert not (tmp_path / "lungs.keras").exists()


def test_the_card_is_made_from_the_scores(made):
    target = made[0] / "target"
    result = json.loads((target / "scores.json").read_text())
    assert result["model"]["sha256"] == hashlib.sha256((target / "lungs.keras").read_bytes()).hexdigest()
    result["real"]["groups"]["held out"]["both"]["dice"]["mean"] = 0.98765
    result["other"]["groups"]["all"]["both"]["below"]["over"] = 0.42
    lungs = [result["other"]["groups"]["all"][lung]["dice"] for lung in ("viewer's left", "viewer's right")]
    lungs[0]["mean"], lungs[1]["mean"] = 0.95, 0.9432
    result["real"]["stress"]["noisy"].update(mean=-1.0)
    result["other"]["stress"]["noisy"].update(mean=-2.0)
    text = model_card.card(result, "the table of parts")
    real, other = (text.index(f"### {name} set: ") for name in ("some", "other"))
    assert "| held out | 3 | 0.9877" in text[real:other]
    assert "| 42% |" in text[other:] and "differ by 0.0068" in text[other:] and "held out |" not in text[other:]
    assert "some set: **noisy**: mean -1.000" in text and "other set: **noisy**: mean -2.000" in text
    assert "the table of parts" in text and "It was measured on two hospitals" in text
    del result["real"]
    assert "Not scored" in model_card.card(result)


@pytest.mark.parametrize("reasons", [{}, {"pretrain": "for a reason", "parts": "for another"}])
def test_the_card_says_when_its_figures_are_stale(reasons, made, monkeypatch):
    monkeypatch.setattr(tables.keys, "reasons", lambda: reasons)
    text = model_card.card(json.loads((made[0] / "target" / "scores.json").read_text()))
    assert all(f"`{stage}` ({why})" in text for stage, why in reasons.items())
    assert text.count("Not of today's code") == len(reasons)


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


def test_the_table_leaves_out_one_part_at_a_time_with_the_same_seeds():
    full, *rows = parts.make_rows()
    assert {row.without for row in rows} == {(part,) for part in drawing.PARTS} and full.without == ()
    assert len({plan.seed for plan in full.plans}) == 3 and {row.plans for row in rows} == {full.plans}
    steps = {(plan.drawings - plan.validated) // 8 * plan.recipe.epochs for plan in full.plans}
    assert steps == {600} and {plan.recipe.batch_size for plan in full.plans} == {8}


def test_a_gain_counts_hospitals_alike_and_its_interval_knows_seeds_and_xrays():
    random = np.random.default_rng(0)
    full = [np.full((3, 50), 0.96), np.full((3, 100), 0.96)]  # seeds, X-rays of each hospital

    def gain(chance):
        seeds = np.array([[-chance], [0], [chance]])
        without = [one - 0.02 - seeds - random.normal(0, 0.02, one.shape[1]) for one in full]
        return parts.gains([full, without, full])[1]

    assert parts.gains([full, full])[0] == {"mean": 0, "low": 0, "high": 0}
    helps, wide = gain(0.001), gain(0.05)
    assert helps["mean"] == pytest.approx(0.02, abs=0.005) and tables.verdict(helps) == "helps"
    assert 0.002 < helps["high"] - helps["mean"] < 0.01, "of the X-rays alone it is 0.0035"
    assert (
        wide["high"] - wide["low"] > 3 * (helps["high"] - helps["low"]) and tables.verdict(wide) == "less than chance"
    )
    assert parts.gains([full, [full[0] - 0.1, full[1]]])[1]["mean"] == pytest.approx(0.05)


def test_an_interrupted_table_does_not_train_again(made, monkeypatch, tmp_path):
    plan = dataclasses.replace(TINY, recipe=dataclasses.replace(RECIPE, epochs=1), rough=0.0)
    rows = [row for row in parts.make_rows(plan, seeds=2) if row.without in ((), ("bones",))]
    trained, original = [], pretraining.train
    monkeypatch.setattr(pretraining, "train", lambda *args, **more: (trained.append(args), original(*args, **more)))
    parts.measure_parts(rows[:1], tmp_path, *made[1], tmp_path)
    table = parts.measure_parts(rows, tmp_path, *made[1], tmp_path)
    assert len(trained) == 4 == len(table["provenance"]["trainings"])
    assert [row["name"] for row in table["rows"]] == ["all parts", "without bones"]
    for row in table["rows"]:
        assert list(row["sets"]) == ["some set", "other set"]
        assert all(
            one["dice"]["n"] == 12 == one["below"]["n"] and len(one["means"]) == 2 for one in row["sets"].values()
        )
    monkeypatch.setattr(tables, "kept", lambda name: table)
    assert "| without bones |" in tables.parts_table()


# --- what it looks at ---------------------------------------------------------------------------------------------


def test_a_change_below_the_lungs_touches_what_it_names_alone(tmp_path):
    masks = np.stack([ellipse(128, 128, x, y=0.4) for x in (0.3, 0.7)], axis=-1)
    image = np.random.default_rng(0).integers(80, 120, (128, 128)).astype("uint8")
    found = cue.regions(masks)
    for name, row, column in (("outside", 100, 5), ("flank", 100, 22), ("middle", 100, 64)):
        assert [each for each in found if found[each][row, column]] == ["below", name]
        assert found[name][:, ::-1][row, 127 - column], "the same on both sides"
    assert not (found["below"] & masks.any(-1)).any() and not found["below"][:50].any()
    for name, picture, true in cue.changed(image, masks):
        part = "flank" if "strip" in name else "middle" if "the middle" in name else "below"
        part = "outside" if "outside" in name else part
        if name == cue.CUT:
            np.testing.assert_array_equal(picture, image[: len(picture)])
            assert len(true) == len(picture) < 100 and true.sum() == masks.sum()
        else:
            touched = picture != image
            assert not touched[~found[part]].any() and touched.any() == (name != "none"), name
            if "black" in name:
                assert (picture[cv2.erode(found[part].astype("uint8"), np.ones((5, 5))) > 0] < 12).all()


def test_the_cue_is_measured(made, tmp_path):
    result = cue.measure_cue(made[1][0], tmp_path)
    assert [row["name"] for row in result["rows"]] == [*cue.CHANGES, cue.CUT]
    assert all(row["dice"]["n"] == row["below"]["n"] == 6 for row in result["rows"])


# --- the shipped model --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    """Scores of the shipped model."""
    return kept("scores.json")


def test_the_shipped_files_belong_together(shipped):
    path = pretraining.PRETRAINED / pretraining.MODEL
    assert path.stat().st_size == shipped["model"]["bytes"] <= 8_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == shipped["model"]["sha256"]
    assert (path.parent / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card.card(shipped, tables.parts_table())
    assert shipped["real"]["name"] == "MontgomerySet" and shipped["other"]["name"] == "OpenIST"


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


@pytest.mark.parametrize(("part", "folder", "count"), [("real", "montgomery", 138), ("other", "openist", 275)])
def test_the_shipped_model_outlines_real_lungs(part, folder, count, shipped, request, tmp_path):
    cases = find_cases(request.getfixturevalue(folder))
    assert len(cases) == count
    summary = scoring.score_groups(load_pretrained(), cases, tmp_path, whole=True)[0]["all"]
    dice = summary["both"]["dice"]
    assert dice["mean"] >= 0.955 and dice["p5"] >= 0.90 and dice["worst"] >= 0.75
    kept_here = shipped[part]["groups"]["all"]
    assert summary["both"]["below"]["over"] == pytest.approx(kept_here["both"]["below"]["over"], abs=0.02)
    for lung, measures in kept_here.items():
        for name in ("mean", "p5", "worst"):
            assert summary[lung]["dice"][name] == pytest.approx(measures["dice"][name], abs=0.002), (lung, name)
