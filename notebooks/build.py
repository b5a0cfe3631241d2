"""Make the notebooks from their sources, and the lists of them in the README.

python notebooks/build.py notebooks            every NN_name.ipynb from its NN_name.py, executed; assignments too
python notebooks/build.py notebooks 03 a4      only these
python notebooks/build.py readme               picture and badges of the README
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
RESULTS = FOLDER / "results"
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


def badges() -> str:
    """The README's list of notebooks with their badges."""
    lines = ["| | notebook | open |", "|---|---|---|"]
    for path in sorted(FOLDER.glob("0[1-9]_*.py")):
        title = re.search(r"^# # \d · (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)[1]
        lines.append(
            f"| {int(path.name[:2])} | [{title}](notebooks/{path.stem}.ipynb) | {BADGE}({colab_link(path.stem)}) |"
        )
    return "\n".join(lines)


def assignments_table(folder: str) -> str:
    """A list of the assignments with their badges.

    Args:
        folder: where they lie, as seen from the page; ends with a slash.
    """
    lines = ["| | assignment | after notebooks | time | teacher's page | open |", "|---|---|---|---|---|---|"]
    for path in sorted((FOLDER / "assignments").glob("a[1-9]_*.py")):
        text = path.read_text(encoding="utf-8")
        title = re.search(r"^# # Assignment \d · (.*)$", text, re.MULTILINE)[1]
        time = re.search(r"^# \*\*Time:\*\* (.*)$", text, re.MULTILINE)[1].rstrip(".")
        after = re.search(r"^# \*\*Needs:\*\* notebooks? ([\d, toand]*\d)", text, re.MULTILINE)[1]
        lines.append(
            f"| {path.stem[1]} | [{title}]({folder}student/{path.stem}.ipynb) | {after} | {time} "
            f"| [marks, rubric, mistakes]({folder}{path.stem}.md) | {BADGE}({colab_link(path.stem)}) |"
        )
    return "\n".join(lines)


def fill(text: str, mark: str, content: str) -> str:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->`."""
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    head, rest = text.split(start)
    return f"{head}{start}\n{content}\n{end}{rest.split(end)[1]}"


def draw_picture() -> None:
    """The README's picture: a drawn X-ray, and its outlines."""
    from lungseg_utils import figures
    from lungseg_utils.drawing import draw_phantom

    phantom = draw_phantom(seed=7, size=512)
    figure, axes = figures.new_figure(1, 2)
    for place in axes[0]:
        figures.draw_xray(place, phantom.image)
    figures.draw_outlines(axes[0, 1], phantom.masks)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "drawn_xray.png", dpi=100)


def readme(text: str) -> str:
    """The README with address, badges and tables made anew."""
    text = re.sub(r"git clone \S+", f"git clone {repository()}", text)
    tables = {
        "badges": badges,
        "assignments": lambda: assignments_table("notebooks/assignments/"),
    }
    for mark, table in tables.items():
        text = fill(text, mark, table())
    return text


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["notebooks", "readme"])
    parser.add_argument("numbers", nargs="*", help="with `notebooks`: only these, for example 03 a4")
    options = parser.parse_args()
    if options.what == "notebooks":
        build_notebooks(options.numbers)
    if options.what == "readme":
        draw_picture()
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
    guide = FOLDER / "assignments" / "README.md"
    guide.write_text(fill(guide.read_text(encoding="utf-8"), "assignments", assignments_table("")), encoding="utf-8")


if __name__ == "__main__":
    main()
