"""The notebooks as files: pairs that agree, lessons that are the library's, outputs that are compared."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from shared import REPOSITORY, drift

NOTEBOOKS = REPOSITORY / "notebooks"
LIBRARY = REPOSITORY / "lungseg_utils"
STEMS = [
    "01_setup",
    "02_reading",
    "03_split",
    "04_tfdata",
    "05_unet",
    "06_metrics_losses",
    "07_hyperparameters",
    "08_training",
    "09_predict",
]
TAGS = {"nbval-ignore-output"}


def read(stem: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)


def code_cells(stem: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(stem).cells if cell.cell_type == "code"]


def prose(stem: str) -> str:
    return "\n\n".join(cell.source for cell in read(stem).cells if cell.cell_type == "markdown")


def test_there_are_nine_pairs():
    assert sorted(path.stem for path in NOTEBOOKS.glob("0*.py")) == STEMS
    assert sorted(path.stem for path in NOTEBOOKS.glob("0*.ipynb")) == STEMS


@pytest.mark.parametrize("stem", STEMS)
def test_pair_has_not_drifted(stem):
    assert drift(jupytext.read(NOTEBOOKS / f"{stem}.py"), read(stem)) == [], "run `make notebooks`"


def test_drift_is_seen():
    # `jupytext --test` does not see it: this is why the comparison is ours
    source, notebook = jupytext.read(NOTEBOOKS / "01_setup.py"), read("01_setup")
    notebook.cells[4].source += "\nx = 1"
    assert drift(source, notebook) == ["cell 5"]
    del notebook.cells[-1]
    assert "another number of cells" in drift(source, notebook)


@pytest.mark.parametrize("stem", STEMS)
def test_was_executed_in_one_go_without_errors(stem):
    cells = code_cells(stem)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize("stem", STEMS)
def test_outputs_can_be_compared(stem):
    for cell in code_cells(stem):
        tags = set(cell.metadata.get("tags", []))
        assert tags <= TAGS, f"a tag that nobody reads, in: {cell.source}"
        if not tags:  # nbval compares it, so it must hold nothing that a progress bar or a warning wrote
            noisy = [output for output in cell.outputs if output.get("name") == "stderr"]
            assert not noisy, f"stderr in a compared cell: {cell.source}"
            assert not cell.source.rstrip().endswith(";"), "nbval shows the value all the same"


@pytest.mark.parametrize("stem", STEMS)
def test_some_outputs_are_compared(stem):
    compared = [cell for cell in code_cells(stem) if not cell.metadata.get("tags") and cell.outputs]
    assert len(compared) >= 3


@pytest.mark.parametrize("stem", STEMS)
def test_figures_have_alternative_text(stem):
    for cell in code_cells(stem):
        assert "plt.show" not in cell.source
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert len(alt.split()) >= 8 and alt in output.data["text/plain"]


@pytest.mark.parametrize("stem", STEMS)
def test_anatomy(stem):
    text = " ".join(prose(stem).split())  # lines are wrapped
    number = int(stem[:2])
    assert text.startswith(f"# {number} · ")
    parts = ["**You will be able to**", "**Time on two cores:**", "**Needs:**", "**Leaves behind:**"]
    parts += ["## Check yourself", "## Exercises", "## Summary"]
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places)
    assert text.count("<details>") == text.count("</details>") >= 3
    assert "not measured yet" not in text, "run `make notebooks`"
    assert max(len(cell.source.splitlines()) for cell in code_cells(stem)) <= 15


@pytest.mark.parametrize("stem", STEMS)
def test_no_measured_number_in_prose(stem):
    # a score or a loss has three decimals or more; these are the article's published ones, and settings
    published = {"0.9002", "0.8198", "0.9629", "0.9577", "0.1022", "0.9148", "0.8441", "0.9865", "0.9781", "0.0875"}
    text = re.sub(r"`[^`]*`|```.*?```|\$[^$]*\$|arXiv:[\d.]+|10\.\d{4}/\S+", "", prose(stem), flags=re.DOTALL)
    assert set(re.findall(r"(?<![\d.])0\.(?!0*1\b)\d{3,}", text)) <= published  # 0.001 is a setting, not a result


@pytest.mark.parametrize("stem", STEMS)
def test_no_real_xray_in_outputs(stem):
    outputs = str([cell.outputs for cell in code_cells(stem)])
    assert "MCUCXR" not in outputs
    assert (NOTEBOOKS / f"{stem}.ipynb").stat().st_size < 2_000_000


@pytest.mark.parametrize("stem", STEMS)
def test_no_machine_of_ours_in_outputs(stem):
    assert not re.search(r"/(root|home|work|Users)/", str([cell.outputs for cell in code_cells(stem)]))


@pytest.mark.parametrize("stem", STEMS)
def test_first_cell_prepares_colab_and_nothing_else(stem, monkeypatch):
    ran = []

    class Shell:
        def run_line_magic(self, name, line):
            ran.append((name, line))

    source = code_cells(stem)[0].source
    exec(source, {"get_ipython": Shell})
    assert ran == []  # elsewhere it does nothing
    monkeypatch.setitem(sys.modules, "google.colab", object())
    exec(source, {"get_ipython": Shell})
    [(name, line)] = ran
    # --no-deps: TensorFlow and NumPy of the running kernel stay as they are
    assert name == "pip" and "--no-deps" in line.split() and "git+https://" in line and "-U" not in line.split()


# --- the lesson and the library ------------------------------------------------------------------------------------


class WithoutTalk(ast.NodeTransformer):
    """Drop docstrings and type annotations: the library has more of them than a lesson needs."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        return self.without_docstring(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        return self.without_docstring(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    @staticmethod
    def without_docstring(node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node


def definitions(code: str) -> dict[str, ast.AST]:
    tree = ast.parse(code)
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def library() -> dict[str, tuple[str, ast.AST]]:
    found = {}
    for path in sorted(LIBRARY.glob("*.py")):
        for name, node in definitions(path.read_text(encoding="utf-8")).items():
            if path.stem not in {"__main__", "notebooks"}:
                found[name] = (path.stem, node)
    return found


def lessons(stem: str) -> dict[str, ast.AST]:
    found = {}
    for cell in code_cells(stem):
        found.update(definitions(cell.source))
    return found


def same(a: ast.AST, b: ast.AST) -> bool:
    return ast.dump(WithoutTalk().visit(a)) == ast.dump(WithoutTalk().visit(b))


@pytest.mark.parametrize("stem", STEMS)
def test_lesson_functions_are_the_librarys(stem):
    known = library()
    for name, node in lessons(stem).items():
        if name in known:
            module, twin = known[name]
            assert same(node, twin), f"{name} differs between {stem} and lungseg_utils/{module}.py"


@pytest.mark.parametrize("stem", STEMS)
def test_functions_said_to_be_taught_are_taught(stem):
    number = str(int(stem[:2]))
    promised = {
        name
        for name, (_, node) in library().items()
        if number in re.findall(r"(?:aught in|\()\s*notebook (\d)", ast.get_docstring(node) or "")
    }
    assert promised <= set(lessons(stem)), f"{promised - set(lessons(stem))} not written out in {stem}"
    assert promised or stem == "01_setup"


def test_a_changed_lesson_is_seen():
    a = "def f(x: int) -> int:\n    'Says something.'\n    return x + 1"
    assert same(definitions(a)["f"], definitions("def f(x):\n    return x + 1")["f"])
    assert not same(definitions(a)["f"], definitions("def f(x):\n    return x + 2")["f"])


# --- how pytest runs them ------------------------------------------------------------------------------------------


def run_nbval(folder: Path, *sources: str) -> str:
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
    cells[0].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, folder / "some.ipynb")
    shutil.copy(NOTEBOOKS / "conftest.py", folder)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-rs", "-p", "no:cacheprovider", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout


def test_a_notebook_stops_at_its_first_failure(tmp_path):
    printed = run_nbval(tmp_path, "print(1)", "1 / 0", "print(2)", "print(3)")
    assert "1 failed, 1 passed, 2 skipped" in printed and "of this notebook failed" in printed


def test_a_changed_output_fails(tmp_path):
    assert "1 failed" in run_nbval(tmp_path, "print(10)")
    assert "1 passed" in run_nbval(tmp_path, "print(1)")
