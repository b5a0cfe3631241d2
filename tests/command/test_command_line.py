"""The commands, run as a user runs them."""

import csv
import json
import re
import sys

import nbformat
import pytest
from shared import run_python, write_set

from lungseg_utils import command, prediction
from lungseg_utils.cases import find_cases
from lungseg_utils.command import run as notebooks
from lungseg_utils.scores import read_scores
from lungseg_utils.unet import build_unet

pytestmark = pytest.mark.slow


def lungseg(*words, **environment):
    return run_python("-m", "lungseg_utils", *words, **environment)


@pytest.fixture
def model(tmp_path):
    """The file of a small model that has learnt nothing."""
    build_unet(32, base_filters=2, depth=2).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_help_names_every_command():
    printed = lungseg("--help").stdout
    for name in ("draw", "fetch", "convert", "evaluate", "predict", "course"):
        assert name in printed and lungseg(name, "--help").returncode == 0


def test_draw_writes_a_data_set(tmp_path):
    done = lungseg("draw", tmp_path / "drawn", "--count", 4, "--size", 64, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert len(find_cases(tmp_path / "drawn")) == 4


def test_evaluate_scores_every_case(tmp_path, tiny_set, model):
    done = lungseg("evaluate", model, tiny_set, "--csv", tmp_path / "scores.csv", LUNGSEG_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert "viewer's left" in done.stdout and "dice" in done.stdout
    rows = read_scores(tmp_path / "scores.csv")
    assert len(rows) == 3 * 6 and {row["id"] for row in rows} == {case.id for case in find_cases(tiny_set)}


def test_predict_writes_what_it_can_and_ends_with_the_files_it_cannot(tmp_path, tiny_set, model):
    (tmp_path / "bad.png").write_text("no picture")
    results = tmp_path / "results"
    options = ("--to", results, "--model", model, "--spacing", 3)
    done = lungseg("predict", tmp_path / "bad.png", tiny_set / "CXR_png", *options)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Error: 1 of 7 files could not be used" in done.stderr and "bad.png" in done.stderr.split("Error:")[1]
    assert "TINY_0001_1: 80 x 64 px, viewer's left" in done.stdout and "cm²" in done.stdout
    with open(results / "areas.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 and [row["row_mm"] for row in rows] == [""] + ["3.0"] * 6
    assert len(list(results.glob("*.png"))) == 3 * 6
    (tmp_path / "\x1bbad.png").write_text("no picture")
    done = lungseg("predict", tmp_path / "\x1bbad.png", tiny_set / "CXR_png", *options, "--continue")
    assert done.returncode == 1 and "6 of 7 files were done before." in done.stdout and "TINY" not in done.stdout
    assert "\x1b" not in done.stderr and "x1bbad.png" in done.stderr


def test_predict_takes_the_shipped_model_unless_told_otherwise(tmp_path, tiny_set, monkeypatch, capsys):
    monkeypatch.setattr(prediction, "load_pretrained", lambda: build_unet(32, base_filters=2, depth=2))
    image = next((tiny_set / "CXR_png").iterdir())
    monkeypatch.setattr(sys, "argv", ["lungseg", "predict", str(image), "--to", str(tmp_path / "out")])
    assert command.main() == 0
    said = capsys.readouterr().out
    assert f"{image.stem}: 80 x 64 px, areas unknown" in said and "Remark: " in said, "and the exit code is 0"
    assert (tmp_path / "out" / f"{image.stem}_overlay.png").exists()
    assert command.main() == 1 and "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, code, said",
    [
        ("evaluate no.keras nowhere", 1, "nowhere"),
        ("course --data nowhere", 1, "nowhere"),
        ("convert nowhere new", 1, "nowhere"),
        ("evaluate README.md {set}", 1, "is not a model"),
        ("draw {set}/none --count 0", 2, "0"),
        ("course --recipe fast", 2, "laptop"),
    ],
)
def test_mistakes_end_with_one_clear_line(words, code, said, tmp_path, tiny_set):
    done = lungseg(*words.format(set=tiny_set).split(), LUNGSEG_HOME=str(tmp_path / "home"))
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.glob("home/runs/*")), "a run that could not begin leaves nothing"


# --- executing notebooks ---


def notebook_of(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_execute_saves_outputs_and_times(tmp_path):
    seconds = notebooks.execute(notebook_of("import os", "print(os.getcwd())"), tmp_path, tmp_path / "out.ipynb")
    assert 0 < seconds < 60
    assert str(tmp_path) in nbformat.read(tmp_path / "out.ipynb", 4).cells[1].outputs[0].text


def test_a_failing_notebook_says_which_and_keeps_its_outputs(tmp_path):
    with pytest.raises(notebooks.NotebookError, match="out.ipynb.*(?s:.)*ZeroDivisionError"):
        notebooks.execute(notebook_of("print(1)", "1 / 0", "print(2)"), tmp_path, tmp_path / "out.ipynb")
    saved = nbformat.read(tmp_path / "out.ipynb", 4)
    assert saved.cells[0].outputs and not saved.cells[2].outputs


def test_a_kernel_that_dies_is_told_from_a_cell_that_fails(tmp_path):
    dies = notebook_of("import os, signal", "os.write(2, b'last words')", "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(notebooks.NotebookError, match="kernel died.*out.log"):
        notebooks.execute(dies, tmp_path, tmp_path / "out.ipynb")
    assert (tmp_path / "out.ipynb").exists()


def test_a_run_of_the_course_ends_with_table_and_summary(tmp_path, monkeypatch, capsys):
    # a stand-in notebook that leaves a split and scores; the nine real ones run through nbval and with real X-rays
    source = tmp_path / "09_predict.ipynb"
    lines = (
        "from lungseg_utils import course, scores",
        "chosen = course.start(); cases = course.cases_ready(chosen); split = course.split_ready(chosen, cases)",
        "from lungseg_utils.images import read_masks",
        "rows = []\nfor case in cases[:5]:\n    masks = read_masks(case)\n"
        "    rows += scores.score_case(case, masks, masks, (1.0, 1.0))\n"
        "scores.write_scores(rows, chosen.run / 'scores.csv')",
    )
    nbformat.write(notebook_of(*lines), source)
    monkeypatch.setenv("LUNGSEG_HOME", str(tmp_path / "home"))
    for name in ("LUNGSEG_DATA", "LUNGSEG_RECIPE", "LUNGSEG_RUN"):
        monkeypatch.setenv(name, "")  # restored afterwards: the command sets them
    monkeypatch.setattr(notebooks, "find_notebooks", lambda: [source])
    write_set(tmp_path / "some set", count=30, height=64, width=80)
    monkeypatch.chdir(tmp_path)  # a path relative to here: the notebooks run in their own folder
    printed = "\n".join(notebooks.run_course("laptop", "some set"))
    assert "[1/1] 09_predict" in printed and "hd95_mm" in printed
    path, copy = sorted((tmp_path / "home").glob("runs/*/summary.json"))
    assert re.fullmatch(r"some set-[0-9a-f]{8}-laptop", copy.parent.name)
    assert (copy.parent / "split.json").exists()  # for notebooks opened later
    (copy.parent / "split.json").write_text("mine")
    list(notebooks.run_course("laptop", "some set"))
    assert (copy.parent / "split.json").read_text() == "mine", "a second run leaves what is there"
    summary = json.loads(path.read_text())
    assert summary["recipe"] == "laptop" and summary["data"] == "some set"
    assert sum(summary["images"].values()) == 30 and list(summary["seconds"]) == ["09_predict"]
    dice = summary["scores"]["both"]["dice"]
    assert (dice["n"], dice["mean"], dice["sd"], dice["worst"]) == (5, 1.0, 0.0, 1.0)
    assert set(summary["scores"]) == {"viewer's left", "viewer's right", "both"}
    assert summary["scores"]["both"]["hd95_mm"]["worst"] == 0 and summary["peak_memory_gb"] > 0
