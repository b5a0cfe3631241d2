"""What stands between marks in README.md and the other pages: tables, from kept figures and notebooks alone."""

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from lungseg_utils import figures
from lungseg_utils.command.run import find_notebooks
from lungseg_utils.drawing import draw_phantom
from lungseg_utils.files import read_json
from lungseg_utils.kept import FAILURE, FOLDER, failures, groups, kept
from lungseg_utils.recipes import SHIPPED_WEIGHTS
from lungseg_utils.scores import spread, summarise

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "notebooks" / "results"
BADGE = r"(\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\))"  # `notebooks/build.py` writes its address


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def group_table(rows: Sequence[dict]) -> str:
    """Dice coefficient, ASSD and HD95 of both lungs merged, for all X-rays and for each group, as Markdown."""
    both = [row for row in rows if row["lung"] == "both"]
    lines = []
    for name, part in {"all": both, **groups(both)}.items():
        dice, assd, hd95 = (spread(part, measure) for measure in ("dice", "assd_mm", "hd95_mm"))
        lines.append(
            [
                name,
                dice["n"],
                f"{dice['mean']:.4f} ± {dice['sd']:.4f}",
                f"{dice['low']:.4f} to {dice['high']:.4f}",
                f"{dice['median']:.4f}",
                f"{dice['worst']:.4f}",
                f"{assd['mean']:.2f}",
                f"{hd95['mean']:.2f}",
            ]
        )
    head = ["X-rays", "n", "hard Dice, mean ± SD", "95 % interval", "median", "worst", "ASSD, mm", "HD95, mm"]
    return markdown_table(head, lines)


def results_table() -> str:
    """The table of the whole course, run on both data sets."""
    lines = []
    for path in sorted(FOLDER.glob("course-*.json")):
        run = read_json(path)
        both = run["scores"]["both"]
        dice = both["dice"]
        lines.append(
            [
                run["data"],
                run["recipe"],
                " / ".join(str(count) for count in run["images"].values()),
                f"{run['total_seconds'] / 60:.1f} min",
                f"{run['peak_memory_gb']:.1f} GB",
                f"{dice['mean']:.4f} ± {dice['sd']:.4f}",
                f"{dice['median']:.4f}",
                f"{dice['worst']:.4f}",
                f"{both['iou']['mean']:.4f}",
                f"{both['assd_mm']['mean']:.2f}",
                f"{both['hd95_mm']['mean']:.2f}",
            ]
        )
    head = ["data set", "recipe", "images train / val / test", "nine notebooks", "memory", "hard Dice, mean ± SD"]
    return markdown_table(head + ["median", "worst", "IoU", "ASSD, mm", "HD95, mm"], lines)


def unseen_table() -> str:
    """The table of models that were trained on drawings alone, on real X-rays."""
    shipped = read_json(SHIPPED_WEIGHTS.with_name("scores.json"))["real"]
    student = kept("course-phantom-laptop.json")["unseen"]
    lines = []
    for name, scored in (("shipped", shipped), ("notebook 8, `laptop`", student)):
        for group in ("all", "development", "held out"):
            both = scored["groups"][group]["both"]
            dice = both["dice"]
            lines.append(
                [
                    name,
                    group,
                    dice["n"],
                    f"{dice['mean']:.4f} ± {dice['sd']:.4f}",
                    *(f"{dice[key]:.4f}" for key in ("median", "p5", "worst")),
                    *(f"{both[key]['mean']:.2f}" for key in ("assd_mm", "hd95_mm")),
                ]
            )
    head = ["model", "real X-rays", "n", "hard Dice, mean ± SD", "median", "5th percentile", "worst"]
    return markdown_table(head + ["ASSD, mm", "HD95, mm"], lines)


def parts_table() -> str:
    """The table of what each part of the drawing is worth."""
    rows = [(row["name"], row["held out"]) for row in kept("parts.json")["rows"]]
    lines = [
        [name, f"{dice['mean']:.4f} ± {dice['sd']:.4f}", f"{dice['p5']:.4f}", f"{dice['worst']:.4f}"]
        for name, dice in sorted(rows, key=lambda row: -row[1]["mean"])
    ]
    return markdown_table(["drawings", "hard Dice, mean ± SD", "5th percentile", "worst"], lines)


def crossval_row(label: str, rows: Sequence[dict], training: str) -> list[object]:
    """A line of the cross-validation table: both lungs merged; a measure without any value was not kept.

    Args:
        label: what was trained.
        rows: of scores, each X-ray tested once.
        training: how long a fold took.
    """
    both = summarise(rows)["both"]
    dice = both["dice"]
    digits = {"iou": 4, "nsd": 3, "assd_mm": 2, "hd95_mm": 2}
    means = [f"{both[name]['mean']:.{count}f}" if name in both else "not kept" for name, count in digits.items()]
    spread = [f"{dice['mean']:.4f} ± {dice['sd']:.4f}", f"{dice['low']:.4f} to {dice['high']:.4f}"]
    return [label, dice["n"], *spread, f"{dice['median']:.4f}", f"{dice['worst']:.4f}", *means, training]


def article_row() -> list[object]:
    """The line of the article's run in full, on our folds; its time is that of the training steps alone."""
    folds = [run for name, run in kept("article.json")["runs"].items() if name.startswith("fold")]
    minutes = sum(fold["seconds"] for fold in folds) / len(folds) / 60
    time = f"{minutes:.1f} min of steps on one {folds[0]['device']}"
    return crossval_row("**`article`**, in full on a GPU", kept("article-crossval.csv"), time)


def crossval_table() -> str:
    """The table of cross-validated recipes."""
    lines = []
    for name in ("best", "laptop"):
        seconds = [fold["seconds"] for fold in kept(f"crossval-{name}.json")["folds"]]
        time = f"{min(seconds) / 60:.1f} to {max(seconds) / 60:.1f} min"
        lines.append(crossval_row(f"`{name}`", kept(f"crossval-{name}.csv"), time))
    head = ["recipe", "n", "hard Dice, mean ± SD", "95 % interval", "median", "worst", "IoU", "NSD at 2 mm"]
    head += ["ASSD, mm", "HD95, mm", "training a fold"]
    return markdown_table(head, [*lines, article_row()])


def groups_table() -> str:
    """The table of groups, and its list of failures."""
    rows = kept("crossval-best.csv")
    failed = [f"{row['id']} ({row['dice']:.3f}, fold {row['fold']})" for row in failures(rows)]
    text = f"Dice below {FAILURE}: {', '.join(failed)}." if failed else f"No Dice below {FAILURE}."
    return f"{group_table(rows)}\n\n{text}"


def curve_table() -> str:
    """The table of real X-rays needed."""
    rows = [row for start in ("drawings", "random") for row in kept(f"curve-{start}.json")["rows"]]
    lines = []
    for count in sorted({row["images"] for row in rows}):
        means = {}
        for start in ("drawings", "random"):
            values = [row["dice"]["mean"] for row in rows if (row["images"], row["start"]) == (count, start)]
            means[start] = sum(values) / len(values)
        lines.append([count, *(f"{means[start]:.4f}" for start in ("drawings", "random"))])
    return markdown_table(["real X-rays", "start from drawings", "start at random"], lines)


def choices_table() -> str:
    """The table of what the article's choices cost."""
    lines = []
    for row in kept("choices.json")["rows"]:
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
    return markdown_table(head + ["multiply-adds, relative"], lines)


def speed_table() -> str:
    """The table of what training costs, and the machine that it was measured on."""
    speed = kept("speed.json")
    chip, peak = speed["processor"], speed["peak"]
    lines = []
    for name, one in speed["pipelines"].items():
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
    table = markdown_table(head + ["of the float32 or bfloat16 peak", "memory"], lines)
    peaks = [
        f"{precision} {min(peak[precision]):.0f} to {max(peak[precision]):.0f}" for precision in ("float32", "bfloat16")
    ]
    return (
        f"{table}\n\nMeasured on {chip['name']}, {chip['cores']} cores ({', '.join(chip['features'] or [])}), "
        f"{speed['date']}, TensorFlow {speed['versions']['TensorFlow']}. Large matrix products between the pipelines: "
        f"{' and '.join(peaks)} GFLOP/s, since others used the machine too; shares compare with the highest."
    )


def draw_cost() -> None:
    """The picture of how the cost of training grows."""
    growth = kept("speed.json")["growth"]
    figure, axes = figures.new_figure(1, 3, width=2.8, height=2.8)
    for axis, rows, key, value, label in (
        (axes[0, 0], growth["size"], "px", "ms", "side of the picture, px"),
        (axes[0, 1], growth["count"], "images", "seconds", "images in an epoch"),
        (axes[0, 2], growth["cores"], "cores", "ms", "processor cores"),
    ):
        axis.plot([row[key] for row in rows], [row[value] for row in rows], "o-", color="black")
        axis.set(xlabel=label, ylabel="ms per image" if value == "ms" else "seconds per epoch", ylim=(0, None))
        axis.set_xticks([row[key] for row in rows])
    figure.savefig(PICTURES / "cost.png", dpi=100)


def draw_picture() -> None:
    """The README's picture: a drawn X-ray, and its outlines."""
    phantom = draw_phantom(seed=7, size=512)
    figure, axes = figures.new_figure(1, 2)
    for place in axes[0]:
        figures.draw_xray(place, phantom.image)
    figures.draw_outlines(axes[0, 1], phantom.masks)
    figure.savefig(PICTURES / "drawn_xray.png", dpi=100)


def score_line() -> str:
    """The README's one score."""
    dice = summarise(kept("crossval-best.csv"))["both"]["dice"]
    return (
        f"**The score: Dice {dice['mean']:.3f}** (95 % interval {dice['low']:.3f} to {dice['high']:.3f}), on "
        f"{dice['n']} real X-rays of patients that the model had not seen.\nFive-fold cross-validation of recipe "
        "`best`, hard masks, each X-ray by itself; labels of the Montgomery set."
    )


def found_in(path: Path, pattern: str) -> str:
    """What a pattern's group matches in the source of a notebook."""
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{path} has no line like {pattern}")
    return found[1]


def badges() -> str:
    """The README's list of notebooks, with the badge of each."""
    rows = []
    for path in find_notebooks():
        title, badge = found_in(path, r"^# # \d+ · (.*)$"), found_in(path, BADGE)
        rows.append([int(path.name[:2]), f"[{title}](notebooks/{path.stem}.ipynb)", badge])
    return markdown_table(["", "notebook", "open"], rows)


def assignments_table() -> str:
    """A list of the assignments with their badges."""
    folder, rows = "notebooks/assignments/", []
    for path in sorted((ROOT / folder).glob("a[0-9]*_*.py")):
        title = found_in(path, r"^# # Assignment \d · (.*)$")
        after = found_in(path, r"^# \*\*Needs:\*\* notebooks? ([\d, toand]*\d)")
        time = found_in(path, r"^# \*\*Time:\*\* (.*?)\.?$")
        page = f"[marks, rubric, mistakes]({folder}{path.stem}.md)"
        link = f"[{title}]({folder}student/{path.stem}.ipynb)"
        rows.append([path.stem[1], link, after, time, page, found_in(path, BADGE)])
    return markdown_table(["", "assignment", "after notebooks", "time", "teacher's page", "open"], rows)


TABLES = {
    "score": score_line,
    "badges": badges,
    "assignments": assignments_table,
    "results": results_table,
    "crossval": crossval_table,
    "groups": groups_table,
    "curve": curve_table,
    "choices": choices_table,
    "speed": speed_table,
    "unseen": unseen_table,
    "parts": parts_table,
}
"""Mark in a page -> what stands between `<!-- mark -->` and `<!-- /mark -->`, with links from the repository's root."""

PAGES = ("README.md", "RESULTS.md", "TEACHING.md", "notebooks/assignments/README.md")


def filled(text: str, folder: str = ".") -> str:
    """A page with all that stands between marks made anew.

    Args:
        text: of the page.
        folder: in which the page lies, as seen from the repository's root.
    """

    def from_folder(link: re.Match) -> str:
        return link[0] if "://" in link[1] else f"]({posixpath.relpath(link[1], folder)})"

    for mark, table in TABLES.items():
        start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
        if start in text:
            head, rest = text.split(start)
            content = re.sub(r"\]\(([^)]+)\)", from_folder, table())
            text = f"{head}{start}\n{content}\n{end}{rest.split(end)[1]}"
    return text


def write_tables() -> None:
    """Make anew all that stands between marks in the pages, and their pictures."""
    for page in PAGES:
        path = ROOT / page
        text = filled(path.read_text(encoding="utf-8"), posixpath.dirname(page) or ".")
        path.write_text(text, encoding="utf-8", newline="\n")
    draw_cost()
    draw_picture()
