"""What `notebooks/build.py` does: lessons from the library, a notebook executed, and what is left out of it."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib

import jupytext
import nbformat
import pytest
from shared import REPOSITORY

from lungseg_utils.command.run import find_notebooks

SOURCES = find_notebooks()
ADDRESS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
HEAD = """# 1 · Tiny

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](nowhere)

**Time on two cores:** not measured yet"""
BAR = """import sys
from tqdm import tqdm

for _ in tqdm(range(2), file=sys.stdout, leave=False):
    pass
print("done")"""
CODE = ('install = "git+https://nowhere"', BAR, "import ipywidgets\n\nipywidgets.Button(description='press')")
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def definitions(code: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    """The functions and classes of a module, by name."""
    return {node.name: node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def essence(node: ast.AST) -> str:
    """A function without docstrings and types: the library has more of them than a lesson needs."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner) is not None:
            inner.body = inner.body[1:]
        if isinstance(inner, ast.FunctionDef):
            inner.returns = None
        if isinstance(inner, ast.arg):
            inner.annotation = None
    return ast.dump(node)


LESSONS = {source.stem: definitions(source.read_text(encoding="utf-8")) for source in SOURCES}
LIBRARY = {
    name: node
    for path in sorted((REPOSITORY / "lungseg_utils").glob("*.py"))
    for name, node in definitions(path.read_text(encoding="utf-8")).items()
}


def test_functions_said_to_be_taught_are_taught_as_the_library_has_them():
    taught = set()
    for name, node in LIBRARY.items():
        for number in re.findall(r"(?:aught in|\()\s*notebook (\d+)", ast.get_docstring(node) or ""):
            [stem] = [stem for stem in LESSONS if int(stem[:2]) == int(number)]
            assert name in LESSONS[stem], f"{name} is not written out in {stem}"
            taught.add(name)
    assert len(taught) > 50
    known = {name: essence(node) for name, node in LIBRARY.items()}
    for stem, lesson in LESSONS.items():
        for name in lesson.keys() & known.keys():
            assert essence(lesson[name]) == known[name], f"{name} in {stem}: run `notebooks/build.py lessons`"


def build(folder, *arguments: str) -> str:
    """Run a copy of the builder, which works in its own folder."""
    (folder / "notebooks").mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "notebooks" / "build.py", folder / "notebooks")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    command = [sys.executable, "notebooks/build.py", *arguments]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.slow
def test_lessons_come_from_the_library_to_the_letter(tmp_path):
    folder = tmp_path / "notebooks"
    ignored = shutil.ignore_patterns("*.ipynb", "results", "__pycache__")
    shutil.copytree(REPOSITORY / "notebooks", folder, ignore=ignored)
    changed = folder / "04_tfdata.py"
    lesson = "    image = tf.cast(image[..., tf.newaxis], tf.float32) / 255\n"
    text = changed.read_text(encoding="utf-8")
    assert text.count(lesson) == 1
    changed.write_text(text.replace(lesson, lesson.replace("255", "256  # a comment")), encoding="utf-8")
    assert build(tmp_path, "lessons").split() == ["04_tfdata.py"], "run `python notebooks/build.py lessons`"
    for source in SOURCES:
        assert (folder / source.name).read_bytes() == source.read_bytes()


@pytest.mark.slow
def test_a_notebook_is_executed_and_tidied(tmp_path):
    source = tmp_path / "notebooks" / "01_tiny.py"
    source.parent.mkdir()
    cells = [nbformat.v4.new_markdown_cell(HEAD), *map(nbformat.v4.new_code_cell, CODE)]
    tiny = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    jupytext.write(tiny, source, fmt="py:percent")
    assert "01_tiny: " in build(tmp_path, "notebooks", "01")
    made = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    head, install, bar, button = made.cells
    assert "**Time on two cores:** about 10 seconds" in head.source
    path = ADDRESS.removeprefix("https://github.com/")
    assert f"(https://colab.research.google.com/github/{path}/blob/main/notebooks/01_tiny.ipynb)" in head.source
    assert install.source == f'install = "git+{ADDRESS}"'
    assert [output.text for output in bar.outputs] == ["done"], "a finished progress bar leaves nothing"
    assert button.outputs == [], "without its kernel a button is dead"
    assert [cell.id for cell in made.cells] == ["cell-01", "cell-02", "cell-03", "cell-04"]
    assert [cell.source for cell in jupytext.read(source).cells] == [cell.source for cell in made.cells]
