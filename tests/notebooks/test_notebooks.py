"""The notebooks as files: pairs that agree, outputs that are compared, parts that every notebook has."""

import re
import shutil
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from shared import REPOSITORY, drift, run_python

from lungseg_utils.command.run import find_notebooks

SOURCES = find_notebooks()
TAGS = {"nbval-ignore-output"}
# a score or a loss has three decimals or more; these are the article's published ones, and settings
PUBLISHED = {"0.9002", "0.8198", "0.9629", "0.9577", "0.1022", "0.9148", "0.8441", "0.9865", "0.9781", "0.0875"}


def read(source: Path) -> nbformat.NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code_cells(source: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(source).cells if cell.cell_type == "code"]


def prose(source: Path) -> str:
    return "\n\n".join(cell.source for cell in read(source).cells if cell.cell_type == "markdown")


def test_they_are_numbered_without_a_gap_and_in_pairs_that_have_not_drifted():
    assert [int(source.stem[:2]) for source in SOURCES] == list(range(1, len(SOURCES) + 1))
    for source in SOURCES:
        assert drift(jupytext.read(source), read(source)) == [], f"{source.stem}: run `make notebooks`"


def test_drift_is_seen():
    # `jupytext --test` does not see it: this is why the comparison is ours
    source, notebook = jupytext.read(SOURCES[0]), read(SOURCES[0])
    notebook.cells[4].source += "\nx = 1"
    assert drift(source, notebook) == ["cell 5"]
    del notebook.cells[-1]
    assert "another number of cells" in drift(source, notebook)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_outputs(source):
    cells = code_cells(source)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "executed in one go"
    compared = 0
    for cell in cells:
        tags, outputs = set(cell.metadata.get("tags", [])), cell.outputs
        assert tags <= TAGS, f"a tag that nobody reads, in: {cell.source}"
        assert "plt.show" not in cell.source
        assert not [output for output in outputs if output.output_type == "error"]
        for output in outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert len(alt.split()) >= 8 and alt in output.data["text/plain"]
        if not tags:  # nbval compares it, so it must hold nothing that a progress bar or a warning wrote
            compared += bool(outputs)
            assert not [output for output in outputs if output.get("name") == "stderr"], cell.source
            assert not cell.source.rstrip().endswith(";"), "nbval shows the value all the same"
    assert compared >= 3
    text = str([cell.outputs for cell in cells])
    assert "MCUCXR" not in text, "a real X-ray"
    assert not re.search(r"/(root|home|work|Users)/", text), "a path of somebody's machine"
    assert source.with_suffix(".ipynb").stat().st_size < 2_000_000


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_anatomy(source):
    text = " ".join(prose(source).split())  # lines are wrapped
    parts = [f"# {int(source.stem[:2])} · ", "**You will be able to**", "**Time on two cores:**", "**Needs:**"]
    parts += ["**Leaves behind:**", "## Check yourself", "## Exercises", "## Summary"]
    places = [text.find(part) for part in parts]
    assert places[0] == 0 and -1 not in places and places == sorted(places)
    assert text.count("<details>") == text.count("</details>") >= 3
    assert max(len(cell.source.splitlines()) for cell in code_cells(source)) <= 15
    shown = re.sub(r"`[^`]*`|```.*?```|\$[^$]*\$|arXiv:[\d.]+|10\.\d{4}/\S+", "", prose(source), flags=re.DOTALL)
    assert set(re.findall(r"(?<![\d.])0\.(?!0*1\b)\d{3,}", shown)) <= PUBLISHED, "a measured number in prose"


def test_first_cells_prepare_colab_and_nothing_else(monkeypatch):
    ran = []

    class Shell:
        def run_line_magic(self, name, line):
            ran.append((name, line))

    sources = [code_cells(source)[0].source for source in SOURCES]
    for source in sources:
        exec(source, {"get_ipython": Shell})
    assert ran == []  # elsewhere they do nothing
    monkeypatch.setitem(sys.modules, "google.colab", object())
    for source in sources:
        exec(source, {"get_ipython": Shell})
    assert len(ran) == len(SOURCES)
    for name, line in ran:  # --no-deps: TensorFlow and NumPy of the running kernel stay as they are
        assert name == "pip" and "--no-deps" in line.split() and "git+https://" in line and "-U" not in line.split()


@pytest.mark.slow
def test_a_changed_output_fails_and_a_failure_stops_its_notebook(tmp_path):
    made = {"same": ["print(1)"], "other": ["print(10)"], "stops": ["print(1)", "1 / 0", "2", "3"]}
    for name, sources in made.items():
        cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
        cells[0].outputs = [nbformat.v4.new_output("stream", text="1\n")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    shutil.copy(REPOSITORY / "notebooks" / "conftest.py", tmp_path)
    command = ["-m", "pytest", "--nbval", "--nbval-current-env", "-rA", "-p", "no:cacheprovider", "."]
    printed = run_python(*command, cwd=tmp_path).stdout
    assert "2 failed, 2 passed, 2 skipped" in printed and "of this notebook failed" in printed
    for verdict in ("PASSED same.ipynb::Cell 0", "FAILED other.ipynb::Cell 0", "FAILED stops.ipynb::Cell 1"):
        assert verdict in printed
