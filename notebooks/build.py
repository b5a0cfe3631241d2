"""Make the notebooks from their sources. (`python -m studies tables` makes the lists of them in README.md.)

python notebooks/build.py notebooks            every NN_name.ipynb from its NN_name.py, executed; assignments too
python notebooks/build.py notebooks 03 a4      only these
"""

import argparse
import json
import os
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

import jupytext
import nbformat

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
TIME = "**Time on two cores:**"
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


def build_notebooks(numbers: list[str]) -> None:
    """Execute notebooks on the drawn X-rays with the laptop recipe and write source and .ipynb back."""
    from lungseg_utils.command.run import execute

    found = [*sorted(FOLDER.glob("0[1-9]_*.py")), *sorted((FOLDER / "assignments").glob("a[1-9]_*.py"))]
    sources = [path for path in found if not numbers or path.name[:2] in numbers]
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(LUNGSEG_HOME=home, LUNGSEG_DATA="", LUNGSEG_RECIPE="laptop")
        os.environ.pop("LUNGSEG_MONTGOMERY", None)  # no real X-ray may come into an output that is committed
        for source in sources:
            source.write_text(write_addresses(source.read_text(encoding="utf-8"), source.stem), encoding="utf-8")
            notebook = from_source(source)
            seconds = execute(notebook, FOLDER, Path(home) / f"{source.stem}.ipynb")
            source.write_text(write_time(source.read_text(encoding="utf-8"), seconds), encoding="utf-8")
            notebook.cells[0].source = write_time(notebook.cells[0].source, seconds)
            settle_progress_bars(notebook)
            drop_widgets(notebook)
            notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
            nbformat.write(notebook, source.with_suffix(".ipynb"))
            print(f"{source.stem}: {seconds:.0f} s", flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["notebooks"])
    parser.add_argument("numbers", nargs="*", help="only these, for example 03 a4")
    options = parser.parse_args()
    build_notebooks(options.numbers)


if __name__ == "__main__":
    main()
