"""Make the notebooks from their sources. (`python -m studies tables` makes the lists of them in README.md.)

python notebooks/build.py notebooks            every NN_name.ipynb from its NN_name.py, executed; assignments too
python notebooks/build.py notebooks 03 a4      only these
python notebooks/build.py lessons              the library's functions into the NN_name.py, nothing executed
"""

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import jupytext
import nbformat

import lungseg_utils
from lungseg_utils.command.run import execute, find_notebooks

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
TIME = "**Time on two cores:**"
SENTENCE = re.compile(r"(.*?)( \(notebook \d+\)|[;,] taught in notebook \d+)?\.(\s|$)", re.DOTALL)
WIDTH = 100  # of a line of code in a notebook: JupyterLab shows as much beside its side bar
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"


def repository() -> str:
    """The repository's address, from pyproject.toml, its one place."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]["urls"]["Repository"]


def colab_link(stem: str) -> str:
    """Address that opens a notebook of the main branch in Colab; of an assignment it is the student copy."""
    path = repository().removeprefix("https://github.com/")
    folder = "notebooks/assignments/student" if stem[0] == "a" else "notebooks"
    return f"https://colab.research.google.com/github/{path}/blob/main/{folder}/{stem}.ipynb"


def write_addresses(text: str, stem: str) -> str:
    """Put the repository's address into a notebook's badge and its install cell."""
    text = re.sub(re.escape(BADGE) + r"\([^)]*\)", f"{BADGE}({colab_link(stem)})", text)
    return re.sub(r"git\+https://[^\"]*", f"git+{repository()}", text)


def definitions(code: str) -> list[ast.FunctionDef | ast.ClassDef]:
    """The functions and classes of a module."""
    return [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def lines_of(node: ast.FunctionDef | ast.ClassDef) -> slice:
    """The lines on which a function or class stands, decorators included."""
    return slice(min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1, node.end_lineno)


def library() -> dict[str, str]:
    """The source of each function and class in the root of the library, by name."""
    found = {}
    for path in Path(lungseg_utils.__file__).parent.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        found |= {node.name: "\n".join(code.split("\n")[lines_of(node)]) for node in definitions(code)}
    return found


def lesson_form(code: str, with_docstring: bool) -> str:
    """A function or class of the library as a lesson shows it: without type hints, of its docstring one sentence.

    Args:
        code: its source in the library.
        with_docstring: keep the first sentence of its docstring; otherwise nothing.
    """
    lesson = code
    for node in ast.walk(top := ast.parse(code).body[0]):
        if isinstance(node, ast.arg) and node.annotation:
            lesson = lesson.replace(ast.get_source_segment(code, node), node.arg)
        if isinstance(node, ast.FunctionDef) and node.returns:
            lesson = lesson.replace(f" -> {ast.get_source_segment(code, node.returns)}:", ":")
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
            whole = ast.get_source_segment(code, node.body[0])
            [sentence, *_] = SENTENCE.match(text).groups()
            kept = f'    """{sentence}."""\n' if with_docstring and node is top else ""
            lesson = re.sub(rf" *{re.escape(whole)}\n+", lambda _, kept=kept: kept, lesson)
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", "--line-length", str(WIDTH), "-"]
    ruff += ["--config", "format.skip-magic-trailing-comma = true"]
    made = subprocess.run(ruff, input=lesson, stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8")
    return made.stdout.strip()


def fill_lessons(source: str) -> str:
    """A notebook's source in which each function that the library has too is the library's, in the form of a lesson."""
    lines, known = source.split("\n"), library()
    for node in reversed(definitions(source)):
        if node.name in known:
            lines[lines_of(node)] = lesson_form(known[node.name], ast.get_docstring(node) is not None).split("\n")
    return "\n".join(lines)


def in_words(seconds: float) -> str:
    """A measured time, rounded to what another run will also find."""
    for limit, words in ((15, "about 10 seconds"), (25, "about 20 seconds"), (45, "about half a minute")):
        if seconds < limit:
            return words
    minutes = max(1, round(seconds / 60))
    return "about 1 minute" if minutes == 1 else f"about {minutes} minutes"


def write_time(text: str, seconds: float) -> str:
    """Put a measured time into the line of a notebook's head that is kept for it."""
    return re.sub(re.escape(TIME) + r"[^\n]*", f"{TIME} {in_words(seconds)}", text)


def from_source(source: Path) -> nbformat.NotebookNode:
    """The notebook of a source file, without outputs, with cell ids that only depend on a cell's place."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02d}"
    return notebook


def settle_progress_bars(notebook: nbformat.NotebookNode) -> None:
    """Keep of each printed line what a screen would show at the end: a finished progress bar leaves nothing."""
    for cell in notebook.cells:
        kept = []
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
                kept[-1].text += output.text  # a bar comes in many pieces
            else:
                kept.append(output)
        for output in kept:
            if output.output_type == "stream" and "\r" in output.text:
                lines = output.text.split("\n")
                output.text = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines).strip("\n")
        if "outputs" in cell:
            cell.outputs = [output for output in kept if output.output_type != "stream" or output.text]


def drop_widgets(notebook: nbformat.NotebookNode) -> None:
    """Leave out buttons: without their kernel they are dead, and they carry another number after every run."""
    for cell in notebook.cells:
        if "outputs" in cell:
            widget = "application/vnd.jupyter.widget-view+json"
            cell.outputs = [output for output in cell.outputs if widget not in output.get("data", {})]


def sources(numbers: list[str]) -> list[Path]:
    """The sources of the notebooks and of the assignments, in order: those with these numbers, or all."""
    found = [*find_notebooks(FOLDER), *sorted((FOLDER / "assignments").glob("a[0-9]*_*.py"))]
    return [path for path in found if not numbers or path.stem.split("_")[0] in numbers]


def fill_source(source: Path) -> bool:
    """Put into a source what is written elsewhere: the library's functions and the repository's address.

    Returns:
        Whether anything changed.
    """
    before = source.read_text(encoding="utf-8")
    after = write_addresses(before if source.parent != FOLDER else fill_lessons(before), source.stem)
    source.write_text(after, encoding="utf-8")
    return after != before


def build_notebook(source: Path, home: Path, in_turn: bool) -> None:
    """Execute a notebook on the drawn X-rays with the laptop recipe and write source and .ipynb.

    Args:
        source: a .py in the percent format.
        home: what notebooks leave behind goes there.
        in_turn: whether all before it have run. Else it made what they leave behind, and its time says nothing.
    """
    fill_source(source)
    notebook = from_source(source)
    seconds = execute(notebook, FOLDER, home / f"{source.stem}.ipynb")
    if in_turn:
        source.write_text(write_time(source.read_text(encoding="utf-8"), seconds), encoding="utf-8")
        notebook.cells[0].source = write_time(notebook.cells[0].source, seconds)
    settle_progress_bars(notebook)
    drop_widgets(notebook)
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    print(f"{source.stem}: {seconds:.0f} s", flush=True)


def build_notebooks(chosen: list[Path]) -> None:
    """Execute notebooks in a folder of their own, one after the other: each finds what those before it left."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(LUNGSEG_HOME=home, LUNGSEG_DATA="", LUNGSEG_RECIPE="laptop")
        os.environ.pop("LUNGSEG_MONTGOMERY", None)  # no real X-ray may come into an output that is committed
        for source in chosen:
            build_notebook(source, Path(home), in_turn=chosen == sources([]))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["notebooks", "lessons"])
    parser.add_argument("numbers", nargs="*", help="only these, for example 03 a4")
    options = parser.parse_args()
    chosen = sources(options.numbers)
    if options.what == "notebooks":
        build_notebooks(chosen)
    else:
        print("\n".join(path.name for path in chosen if fill_source(path)) or "nothing changed")


if __name__ == "__main__":
    main()
