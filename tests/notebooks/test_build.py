"""What `notebooks/build.py` writes into a notebook: addresses and times; and what it leaves out."""

import importlib.util

import nbformat
from shared import REPOSITORY

SPEC = importlib.util.spec_from_file_location("build", REPOSITORY / "notebooks" / "build.py")
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)


def test_address_stands_in_badges_and_install_cells():
    for path in sorted([*build.FOLDER.glob("0*.py"), *build.FOLDER.glob("assignments/a*.py")]):
        source = path.read_text(encoding="utf-8")
        assert build.write_addresses(source, path.stem) == source
        assert build.colab_link(path.stem) in source and f"git+{build.repository()}" in source


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
    output = nbformat.v4.new_output
    button = output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "x"})
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [output("stream", name="stdout", text="kept"), button]
    build.drop_widgets(nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell("text")]))
    assert [kept.output_type for kept in cell.outputs] == ["stream"]
