"""The README says what was measured, and what it links to is there."""

import json
import re
import sys

import pytest
from shared import REPOSITORY

from studies import crossval, pretraining

sys.path.insert(0, str(REPOSITORY / "notebooks"))
import build  # noqa: E402

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
KEPT = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in build.RESULTS.glob("*.json")}


def test_badges_and_tables_are_those_a_command_writes():
    assert build.readme(TEXT) == TEXT, "run `python notebooks/build.py readme`"


def test_the_guide_lists_the_assignments():
    text = (build.FOLDER / "assignments" / "README.md").read_text(encoding="utf-8")
    assert build.fill(text, "assignments", build.assignments_table("")) == text, "run `notebooks/build.py readme`"


def test_a_changed_figure_would_be_seen(tmp_path, monkeypatch):
    changed = json.loads(json.dumps(KEPT["phantom-laptop"]))
    changed["scores"]["both"]["dice"]["mean"] = 0.5
    (tmp_path / "phantom-laptop.json").write_text(json.dumps(changed))
    monkeypatch.setattr(build, "RESULTS", tmp_path)
    assert build.readme(TEXT) != TEXT


def test_a_changed_figure_of_the_shipped_model_would_be_seen(tmp_path, monkeypatch):
    changed = pretraining.read_json(pretraining.PRETRAINED / pretraining.SCORES)
    changed["real"]["groups"]["all"]["both"]["dice"]["mean"] = 0.5
    pretraining.write_json(changed, tmp_path / pretraining.SCORES)
    monkeypatch.setattr(pretraining, "PRETRAINED", tmp_path)
    assert build.readme(TEXT) != TEXT


def test_a_changed_score_of_the_cross_validation_would_be_seen(tmp_path, monkeypatch):
    for path in crossval.MEASURED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(crossval, "MEASURED", tmp_path)
    assert build.readme(TEXT) == TEXT
    for name in ("crossval-best.csv", "curve.json", "choices.json", "speed.json"):
        kept = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(re.sub(r"\b0\.9\d+|\b\d+\.\d+", "0.5", kept), encoding="utf-8")
        assert build.readme(TEXT) != TEXT, name
        (tmp_path / name).write_text(kept, encoding="utf-8")


def test_address_stands_in_badges_and_install_cells():
    for path in sorted([*build.FOLDER.glob("0*.py"), *build.FOLDER.glob("assignments/a*.py")]):
        source = path.read_text(encoding="utf-8")
        assert build.write_addresses(source, path.stem) == source
        assert build.colab_link(path.stem) in source and f"git+{build.repository()}" in source


@pytest.mark.parametrize(("name", "least"), [("phantom-laptop", 0.96), ("MontgomerySet-laptop", 0.955)])
def test_measured_results_reach_what_the_course_promises(name, least):
    kept = KEPT[name]
    assert kept["scores"]["both"]["dice"]["mean"] >= least
    assert kept["total_seconds"] <= 8 * 60 and kept["peak_memory_gb"] <= 4
    assert len(kept["seconds"]) == 9
    assert set(kept["scores"]) == {"viewer's left", "viewer's right", "both"}


def test_models_that_saw_only_drawings_reach_what_the_readme_promises():
    """The measured figures; tests/test_pretraining.py and notebooks/test_student_on_real.py measure again."""
    student = KEPT["phantom-laptop"]["unseen"]["groups"]["all"]["both"]["dice"]
    assert student["n"] == 138 and student["mean"] >= 0.935


def test_links_lead_somewhere():
    for page in ("README.md", "data/README.md", "notebooks/assignments/README.md"):
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            if not link.startswith("http"):
                assert ((REPOSITORY / page).parent / link).exists(), link


def test_make_targets_named_in_the_readme_exist():
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([\w-]+)|^make ([\w-]+)", TEXT, re.MULTILINE))
    assert {first or second for first, second in named} <= targets


def test_times_in_words():
    assert [build.in_words(seconds) for seconds in (7, 20, 40, 50, 80, 200)] == [
        "about 10 seconds",
        "about 20 seconds",
        "about half a minute",
        "about 1 minute",
        "about 1 minute",
        "about 3 minutes",
    ]


def test_a_finished_progress_bar_leaves_nothing():
    import nbformat

    pieces = ["  0%|  | 0/2", "\r 50%|# | 1/2", "\r100%|##| 2/2", "\r", "           \r", "done\n"]
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in pieces]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    build.settle_progress_bars(notebook)
    assert [output.text for output in cell.outputs] == ["done"]
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in pieces[:-1]]
    build.settle_progress_bars(notebook)
    assert cell.outputs == []


def test_buttons_are_left_out_of_committed_notebooks():
    import nbformat

    output = nbformat.v4.new_output
    button = output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "x"})
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [output("stream", name="stdout", text="kept"), button]
    build.drop_widgets(nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell("text")]))
    assert [kept.output_type for kept in cell.outputs] == ["stream"]
