"""Make the notebooks from their sources, and the README's table from measured figures.

python notebooks/build.py notebooks            every NN_name.ipynb from its NN_name.py, executed; assignments too
python notebooks/build.py notebooks 03 a4      only these
python notebooks/build.py results --data DIR   both courses run, figures kept in notebooks/results
python notebooks/build.py readme               picture, badges and table of the README
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
    from lungseg_utils.notebooks import execute

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


def measure(data: str | None, unseen: str = "") -> None:
    """Run the whole course and keep its summary; score its model on an unseen data set too, if one is given."""
    from lungseg_utils import notebooks

    with tempfile.TemporaryDirectory() as home:
        os.environ["LUNGSEG_HOME"] = home
        os.environ.pop("LUNGSEG_MONTGOMERY", None)  # notebook 9 would score on it, and take longer
        for line in notebooks.run_course("laptop", data):
            print(line, flush=True)
        [summary] = Path(home).glob("runs/2*/summary.json")  # its name begins with the year
        kept = json.loads(summary.read_text(encoding="utf-8"))
        if unseen:
            kept["unseen"] = score_unseen(summary.with_name("best.keras"), unseen, Path(home))
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{kept['data']}-{kept['recipe']}.json"
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def score_unseen(model: Path, data: str, home: Path) -> dict:
    """Scores of a model on all X-rays of a data set that it was not trained on."""
    from lungseg_utils import cases, model_card, prediction

    scored = model_card.score_cases(prediction.load_model(model), cases.find_cases(data), home / "cache")
    return {"data": cases.set_folder(data).name, "groups": scored["groups"]}


def results_table() -> str:
    """The README's table, from the kept figures alone."""
    lines = [
        "| data set | recipe | images train / val / test | nine notebooks | memory | hard Dice, mean ± SD "
        "| median | worst | IoU | ASSD, mm | HD95, mm |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        both = kept["scores"]["both"]
        dice = both["dice"]
        lines.append(
            f"| {kept['data']} | {kept['recipe']} | {' / '.join(str(n) for n in kept['images'].values())} "
            f"| {kept['total_seconds'] / 60:.1f} min | {kept['peak_memory_gb']:.1f} GB "
            f"| {dice['mean']:.4f} ± {dice['sd']:.4f} | {dice['median']:.4f} | {dice['worst']:.4f} "
            f"| {both['iou']['mean']:.4f} | {both['assd_mm']['mean']:.2f} | {both['hd95_mm']['mean']:.2f} |"
        )
    return "\n".join(lines)


def unseen_table() -> str:
    """The README's table of models that were trained on drawings alone, on real X-rays."""
    from lungseg_utils import pretraining

    shipped = pretraining.read_json(pretraining.PRETRAINED / pretraining.SCORES)
    student = json.loads((RESULTS / "phantom-laptop.json").read_text(encoding="utf-8"))
    lines = [
        "| model | real X-rays | n | hard Dice, mean ± SD | median | 5th percentile | worst | ASSD, mm | HD95, mm |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, scored in (("shipped", shipped["real"]), ("notebook 8, `laptop`", student["unseen"])):
        for group in ("all", "development", "held out"):
            both = scored["groups"][group]["both"]
            dice = both["dice"]
            lines.append(
                f"| {name} | {group} | {dice['n']} | {dice['mean']:.4f} ± {dice['sd']:.4f} | {dice['median']:.4f} "
                f"| {dice['p5']:.4f} | {dice['worst']:.4f} | {both['assd_mm']['mean']:.2f} "
                f"| {both['hd95_mm']['mean']:.2f} |"
            )
    return "\n".join(lines)


def parts_table() -> str:
    """The README's table of what each part of the drawing is worth."""
    from lungseg_utils import parts, pretraining

    rows = pretraining.read_json(parts.FILE)["rows"]
    lines = ["| drawings | hard Dice, mean ± SD | 5th percentile | worst |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: -row["held out"]["mean"]):
        dice = row["held out"]
        lines.append(
            f"| {row['name']} | {dice['mean']:.4f} ± {dice['sd']:.4f} | {dice['p5']:.4f} | {dice['worst']:.4f} |"
        )
    return "\n".join(lines)


def measured(name: str) -> dict:
    """Figures that a command has kept in lungseg_utils/measured."""
    from lungseg_utils import crossval

    return json.loads((crossval.MEASURED / f"{name}.json").read_text(encoding="utf-8"))


def crossval_rows(name: str) -> list[dict]:
    """Scores of a cross-validated recipe: a row per X-ray and lung."""
    from lungseg_utils import crossval, report

    return report.read_rows(crossval.MEASURED / f"crossval-{name}.csv")


def crossval_table() -> str:
    """The README's table of cross-validated recipes."""
    from lungseg_utils import report

    lines = []
    for name in ("best", "laptop"):
        rows, folds = crossval_rows(name), measured(f"crossval-{name}")["folds"]
        both = report.overall(rows)
        dice, seconds = both["dice"], [fold["seconds"] for fold in folds]
        lines.append(
            [
                f"`{name}`",
                dice["n"],
                f"{dice['mean']:.4f} ± {dice['sd']:.4f}",
                f"{dice['low']:.4f} to {dice['high']:.4f}",
                f"{dice['median']:.4f}",
                f"{dice['worst']:.4f}",
                f"{both['iou']['mean']:.4f}",
                f"{both['nsd']['mean']:.3f}",
                f"{both['assd_mm']['mean']:.2f}",
                f"{both['hd95_mm']['mean']:.2f}",
                f"{min(seconds) / 60:.1f} to {max(seconds) / 60:.1f} min",
            ]
        )
    head = ["recipe", "n", "hard Dice, mean ± SD", "95 % interval", "median", "worst", "IoU", "NSD at 2 mm"]
    return report.markdown_table(head + ["ASSD, mm", "HD95, mm", "training a fold"], lines)


def groups_table() -> str:
    """The README's table of groups, and its list of failures."""
    from lungseg_utils import report

    rows = crossval_rows("best")
    failed = [f"{row['id']} ({row['dice']:.3f}, fold {row['fold']})" for row in report.failures(rows)]
    text = f"Dice below {report.FAILURE}: {', '.join(failed)}." if failed else f"No Dice below {report.FAILURE}."
    return f"{report.group_table(rows)}\n\n{text}"


def curve_table() -> str:
    """The README's table of real X-rays needed."""
    from lungseg_utils import report

    rows = measured("curve")["rows"]
    lines = []
    for count in sorted({row["images"] for row in rows}):
        means = {}
        for start in ("drawings", "random"):
            values = [row["dice"]["mean"] for row in rows if (row["images"], row["start"]) == (count, start)]
            means[start] = sum(values) / len(values)
        lines.append([count, *(f"{means[start]:.4f}" for start in ("drawings", "random"))])
    return report.markdown_table(["real X-rays", "start from drawings", "start at random"], lines)


def choices_table() -> str:
    """The README's table of what the article's choices cost."""
    from lungseg_utils import report

    lines = []
    for row in measured("choices")["rows"]:
        dice, change = row["dice"], row["difference"]
        is_reference = row["name"] == "reference"
        lines.append(
            [
                f"{row['name']} ({row['note']})" if row["note"] else row["name"],
                f"{dice['mean']:.4f} ± {dice['sd']:.4f}",
                f"{dice['worst']:.4f}",
                "" if is_reference else f"{change['mean']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f})",
                ", ".join(f"{mean:.4f}" for mean in row["means"].values()),
                f"{row['work']:.2g}",
            ]
        )
    head = ["choice", "hard Dice, mean ± SD", "worst", "difference (95 % interval)", "mean with each seed"]
    return report.markdown_table(head + ["multiply-adds, relative"], lines)


def speed_table() -> str:
    """The README's table of what training costs, and the machine that it was measured on."""
    from lungseg_utils import report

    kept = measured("speed")
    chip, peak = kept["processor"], kept["peak"]
    lines = []
    for name, one in kept["pipelines"].items():
        lines.append(
            [
                name,
                f"{one['images_per_second']:.3g}",
                f"{one['times']:.2g}" if one["times"] < 10 else f"{one['times']:.0f}",
                f"{one['multiply_adds'] / 1e9:.2f}",
                f"{one['gflops']:.0f}",
                f"{one['share']:.0%}",
                f"{one['memory_gb']:.1f} GB",
            ]
        )
    head = ["pipeline", "images/s", "times the article's", "10⁹ multiply-adds an image", "GFLOP/s"]
    table = report.markdown_table(head + ["of the float32 or bfloat16 peak", "memory"], lines)
    peaks = [
        f"{precision} {min(peak[precision]):.0f} to {max(peak[precision]):.0f}" for precision in ("float32", "bfloat16")
    ]
    return (
        f"{table}\n\nMeasured on {chip['name']}, {chip['cores']} cores ({', '.join(chip['features'] or [])}), "
        f"{kept['date']}, TensorFlow {kept['versions']['TensorFlow']}. Large matrix products between the pipelines: "
        f"{' and '.join(peaks)} GFLOP/s, since others used the machine too; shares compare with the highest."
    )


def draw_cost() -> None:
    """The README's picture of how the cost of training grows."""
    from lungseg_utils import figures

    growth = measured("speed")["growth"]
    figure, axes = figures.new_figure(1, 3, width=2.8, height=2.8)
    for axis, rows, key, value, label in (
        (axes[0, 0], growth["size"], "px", "ms", "side of the picture, px"),
        (axes[0, 1], growth["count"], "images", "seconds", "images in an epoch"),
        (axes[0, 2], growth["cores"], "cores", "ms", "processor cores"),
    ):
        axis.plot([row[key] for row in rows], [row[value] for row in rows], "o-", color="black")
        axis.set(xlabel=label, ylabel="ms per image" if value == "ms" else "seconds per epoch", ylim=(0, None))
        axis.set_xticks([row[key] for row in rows])
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "cost.png", dpi=100)


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
    from lungseg_utils.phantom import draw_phantom

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
        "results": results_table,
        "crossval": crossval_table,
        "groups": groups_table,
        "curve": curve_table,
        "choices": choices_table,
        "speed": speed_table,
        "unseen": unseen_table,
        "parts": parts_table,
        "assignments": lambda: assignments_table("notebooks/assignments/"),
    }
    for mark, table in tables.items():
        text = fill(text, mark, table())
    return text


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["notebooks", "results", "readme"])
    parser.add_argument("numbers", nargs="*", help="with `notebooks`: only these, for example 03 a4")
    parser.add_argument("--data", default="", help="with `results`: folder of the real set; it is left out without")
    options = parser.parse_args()
    if options.what == "notebooks":
        build_notebooks(options.numbers)
    if options.what == "results":
        for data in [None, *([options.data] if options.data else [])]:
            measure(data, unseen="" if data else options.data)
    if options.what == "readme":
        draw_picture()
        draw_cost()
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
    guide = FOLDER / "assignments" / "README.md"
    guide.write_text(fill(guide.read_text(encoding="utf-8"), "assignments", assignments_table("")), encoding="utf-8")


if __name__ == "__main__":
    main()
