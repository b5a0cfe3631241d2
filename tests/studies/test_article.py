"""The article's run in full: plain NumPy batches, going on after a stop, and the figures that are kept."""

import dataclasses

import numpy as np
import pytest
from shared import write_set

from lungseg_utils.cases import find_cases
from lungseg_utils.files import read_json
from lungseg_utils.images import load_arrays
from lungseg_utils.kept import FOLDER, kept
from lungseg_utils.pipeline import make_dataset
from lungseg_utils.recipes import ARTICLE
from lungseg_utils.scores import read_scores, summarise
from studies import article

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(ARTICLE, name="tiny", image_size=32, base_filters=2, depth=1, epochs=2)
FILES = ("article-crossval.csv", "article-own-split.csv", "article-epochs.csv")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("data") / "forty", count=40, height=48, width=40)


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    """Two runs, and the folder of runs in which they were made."""
    cases, runs = find_cases(data), tmp_path_factory.mktemp("runs")
    arrays = load_arrays(cases, TINY.image_size, runs / "cache")
    return [article.run(name, TINY, cases, arrays, runs) for name in article.RUNS[:2]], cases, arrays, runs


def test_batches_are_those_of_the_pipeline(results):
    _, _, arrays, _ = results
    odd = arrays.part(arrays.ids[:13])  # as many as the article validates on: the last batch is short
    batches, pipeline = article.Batches(odd, TINY), list(make_dataset(odd.images, odd.masks, TINY))
    assert len(batches) == len(pipeline) == 7
    for number, (images, masks) in enumerate(pipeline):
        np.testing.assert_allclose(batches[number][0], images, rtol=1e-6)
        np.testing.assert_array_equal(batches[number][1], masks)


def test_training_batches_are_full_and_in_a_new_order_on_each_pass(results):
    _, _, arrays, _ = results
    batches = article.Batches(arrays.part(arrays.ids[:13]), TINY, seed=0)
    passes = []
    for _ in range(2):
        assert {len(batches[number][0]) for number in range(len(batches))} == {2} and len(batches) == 6
        passes.append(np.concatenate([batches[number][0][:, 0, 0, 0] for number in range(6)]))
        assert sorted(batches.order) == list(range(13)), "each case once"
        batches.on_epoch_end()
    assert not np.array_equal(*passes)


def test_a_run_that_is_done_is_not_made_again_and_half_a_run_is(results, monkeypatch):
    done, cases, arrays, runs = results
    trained = []
    monkeypatch.setattr(article, "train", lambda *how: trained.append(how[3]) or 1 / 0)
    assert article.run(article.RUNS[1], TINY, cases, arrays, runs) == done[1], "read, not trained"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            article.run(article.RUNS[2], TINY, cases, arrays, runs)
    other = dataclasses.replace(arrays, masks=1 - arrays.masks)
    with pytest.raises(ZeroDivisionError):
        article.run(article.RUNS[1], TINY, cases, other, runs)
    assert trained == [44, 44, 43], "half a run and other data are trained, with the run's own seed"


def test_what_a_run_keeps_has_the_form_of_the_kept_figures(results, tmp_path):
    own, fold = results[0]
    assert own["epochs"][0]["learning_rate"] == pytest.approx(1e-5) and own["epochs"][0]["saved"] == 1
    article.keep([own, *({**fold, "run": name} for name in article.RUNS[1:])], "forty", TINY, tmp_path)
    for name in FILES:
        mine, theirs = read_scores(tmp_path / name)[0], read_scores(FOLDER / name)[0]
        assert set(mine) == set(theirs)
    mine, theirs = read_json(tmp_path / "article.json"), kept("article.json")
    assert set(theirs) == {*mine, "notes"} and mine["recipe"].keys() == theirs["recipe"].keys()
    assert list(mine["runs"]) == list(theirs["runs"]) == list(article.RUNS)
    for name in article.RUNS:
        assert set(mine["runs"][name]) == set(theirs["runs"][name])
        assert {"Keras"} < set(theirs["runs"][name]["versions"]) and theirs["runs"][name]["device"]


def test_the_kept_run_tests_each_xray_once_and_no_patient_in_two_folds():
    rows = kept("article-crossval.csv")
    ours = {(row["id"], row["patient"], row["fold"]) for row in kept("crossval-best.csv")}
    assert {(row["id"], row["patient"], row["fold"]) for row in rows} == ours and len(rows) == len(ours)
    both = summarise(rows)["both"]
    assert both["dice"]["mean"] > 0.95, "hours of training, on a GPU"
    assert "iou" not in both, "what was not kept is absent"


@pytest.mark.parametrize("run", article.RUNS)
def test_the_kept_learning_rate_follows_the_plateau_rule(run):
    """Ten times smaller after five epochs in which the validation loss has not fallen by 1e-4: Keras' rule."""
    rows = [row for row in kept("article-epochs.csv") if row["run"] == run]
    assert [row["epoch"] for row in rows] == list(range(1, ARTICLE.epochs + 1))
    rate, best, waited = ARTICLE.learning_rate, float("inf"), 0
    for row in rows:
        assert row["learning_rate"] == pytest.approx(rate)
        better = row["val_loss"] < best - 1e-4
        best, waited = (row["val_loss"], 0) if better else (best, waited + 1)
        if waited == 5:
            rate, waited = max(rate / 10, 1e-7), 0
    assert kept("article.json")["runs"][run]["best"]["epoch"] == min(rows, key=lambda row: row["val_loss"])["epoch"]
