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
from lungseg_utils.recipes import Recipe
from lungseg_utils.scores import summarise
from lungseg_utils.training import model_for
from lungseg_utils.unet import multiply_adds
from studies import keys
from studies.provenance import versions

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "notebooks" / "results"
BADGE = r"(\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\))"  # `notebooks/build.py` writes its address


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


NOT_YET = "*Not measured yet.*"
DIGITS = {"iou": 4, "nsd": 3, "assd_mm": 2, "hd95_mm": 2}
DICE = "hard Dice, mean ± SD"
NAMES = {"low": "95 % interval", "p5": "5th percentile", "iou": "IoU", "nsd": "NSD at 2 mm"}
NAMES |= {"assd_mm": "ASSD, mm", "hd95_mm": "HD95, mm", "below": "more than 3 % below the border"}


def score_cells(measures: dict[str, dict], columns: str) -> list[str]:
    """Cells of a table: mean ± SD of the Dice coefficient, then what `columns` names.

    Args:
        measures: `spread` of each measure of both lungs merged; one that is not there is not known.
        columns: words, each a key of the Dice coefficient's `spread` (`low` stands for the interval) or a measure;
            `below` stands for the share of X-rays that are `over` (`scoring.share_below`).
    """
    dice = measures["dice"]
    cells = [f"{dice['mean']:.4f} ± {dice['sd']:.4f}"]
    for name in columns.split():
        if name == "below":
            cells.append(f"{measures[name]['over']:.0%}" if name in measures else "not known")
        elif name == "low":
            cells.append(f"{dice['low']:.4f} to {dice['high']:.4f}")
        elif name in DIGITS:
            known = measures.get(name, {}).get("n")
            cells.append(f"{measures[name]['mean']:.{DIGITS[name]}f}" if known else "not known")
        else:
            cells.append(f"{dice[name]:.4f}")
    return cells


def score_head(columns: str) -> list[str]:
    """The head of what `score_cells` gives."""
    return [DICE, *(NAMES.get(name, name) for name in columns.split())]


def group_table(rows: Sequence[dict]) -> str:
    """Scores of both lungs merged, for all X-rays and for each group, as Markdown."""
    columns, lines = "low median worst assd_mm hd95_mm", []
    for name, part in {"all": rows, **groups(rows)}.items():
        both = summarise(part)["both"]
        lines.append([name, both["dice"]["n"], *score_cells(both, columns)])
    return markdown_table(["X-rays", "n", *score_head(columns)], lines)


def results_table() -> str:
    """The table of the whole course, run on both data sets."""
    columns, lines = "median worst iou assd_mm hd95_mm", []
    for path in sorted(FOLDER.glob("course-*.json")):
        run = read_json(path)
        images = " / ".join(str(count) for count in run["images"].values())
        cost = [f"{run['total_seconds'] / 60:.1f} min", f"{run['peak_memory_gb']:.1f} GB"]
        lines.append([run["data"], run["recipe"], images, *cost, *score_cells(run["scores"]["both"], columns)])
    head = ["data set", "recipe", "images train / val / test", "nine notebooks", "memory", *score_head(columns)]
    return markdown_table(head, lines)


def unseen_table() -> str:
    """The table of models that were trained on drawings alone, on real X-rays."""
    columns, lines = "median p5 worst assd_mm hd95_mm below", []
    scores, course = kept("scores.json"), kept("course-phantom-laptop.json")
    scored = [("shipped", scores[name]["name"], scores[name]) for name in ("other", "real") if name in scores]
    students = [course[name] for name in ("other", "unseen") if name in course]
    for model, data, one in [*scored, *(("notebook 8, `laptop`", each["data"], each) for each in students)]:
        for group in ("all", "development", "held out"):
            if group in one["groups"]:
                both = one["groups"][group]["both"]
                lines.append([model, f"{data}, {group}", both["dice"]["n"], *score_cells(both, columns)])
    return markdown_table(["model", "real X-rays", "n", *score_head(columns)], lines)


def versions_table() -> str:
    """The table of the shipped models, by version of the drawing: that of today, and those of `versions.toml`."""
    scores = kept("scores.json")
    models = versions()
    today = models.setdefault(str(scores["training"]["phantom_version"]), {})
    for name in ("other", "real"):
        if name in scores:
            both = scores[name]["groups"]["all"]["both"]
            below = {"over": both["below"]["over"]} if "below" in both else {}
            today[scores[name]["name"]] = both["dice"] | below
    lines = []
    for version in sorted(models):
        for name in sorted(models[version].keys() - {"source", "cue"}):
            one = models[version][name]
            below = {"below": one} if "over" in one else {}
            lines.append([version, name, one["n"], *score_cells({"dice": one, **below}, "worst below")])
    return markdown_table(["drawing, version", "real X-rays", "n", *score_head("worst below")], lines)


def interval(one: dict) -> str:
    """A difference of mean Dice coefficients with its 95 % interval."""
    return f"{one['mean']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f})"


def verdict(gain: dict) -> str:
    """What a gain's 95 % interval says: nothing is known of a gain that may as well be a loss."""
    return "helps" if gain["low"] > 0 else "harms" if gain["high"] < 0 else "less than chance"


def parts_table() -> str:
    """The table of what each part of the drawing is worth; its first row has all parts."""
    full, *rows = kept("parts.json")["rows"]
    if "gain" not in full:  # measured with one seed, so that nothing followed from it
        return NOT_YET
    lines = []
    for row in [full, *sorted(rows, key=lambda row: -row["gain"]["mean"])]:
        cells = [f"{one['dice']['mean']:.4f}, {one['below']['over']:.0%}" for one in row["sets"].values()]
        lines.append(
            [row["name"], *cells, *([interval(row["gain"]), verdict(row["gain"])] if row["without"] else "--")]
        )
    heads = [f"{name}: hard Dice, mean; more than 3 % below the border" for name in full["sets"]]
    return markdown_table(["drawings", *heads, "gain of the part (95 % interval)", "so it"], lines)


def cue_table() -> str:
    """The table of what the shipped model takes for lung."""
    if not (FOLDER / "cue.json").exists():
        return NOT_YET
    lines = [[row["name"], *score_cells(row, "worst below")] for row in kept("cue.json")["rows"]]
    return markdown_table(["change below the true border", *score_head("worst below")], lines)


def hospitals_table() -> str:
    """The table of networks that were trained on drawings, on real X-rays, or on both, by where they are tested."""
    if not (FOLDER / "hospitals.json").exists():
        return NOT_YET
    lines = []
    for row in kept("hospitals.json")["rows"]:
        gain = interval(row["difference"]) if row["difference"] else ""
        place = f"{row['tested']}, {row['how']}"
        lines.append([row["trained"], place, row["images"], *score_cells(row, "low worst below"), gain])
    head = ["trained on", "tested on", "n", *score_head("low worst below"), "more than drawings alone (95 % interval)"]
    return markdown_table(head, lines)


def training_work(recipe: dict, folds: Sequence[dict]) -> float:
    """Multiply-adds of all training images in all epochs of all folds, forward; figures of old kept no epochs."""
    shown = sum(fold["images"]["train"] * fold.get("epochs", recipe["epochs"]) for fold in folds)
    return shown * sum(multiply_adds(model_for(Recipe(**recipe))).values())


def crossval_table() -> str:
    """The table of cross-validated recipes; how much a training computes is counted, since times are noisy."""
    columns, lines = "low median worst iou nsd assd_mm hd95_mm", []
    laptop = training_work(**{name: kept("crossval-laptop.json")[name] for name in ("recipe", "folds")})
    article = kept("article.json")
    folds = [run for name, run in article["runs"].items() if name.startswith("fold")]
    for label, name, about in (
        ("`best`", "crossval-best", kept("crossval-best.json")),
        ("`laptop`", "crossval-laptop", kept("crossval-laptop.json")),
        (f"**`article`**, in full on one {folds[0]['device']}", "article-crossval", {**article, "folds": folds}),
    ):
        both = summarise(kept(f"{name}.csv"))["both"]
        work = training_work(about["recipe"], about["folds"]) / laptop
        cost = f"{work:.2g}" if work < 10 else f"{work:.0f}"
        lines.append([label, both["dice"]["n"], *score_cells(both, columns), cost])
    head = ["recipe", "n", *score_head(columns), "multiply-adds of training, `laptop` = 1"]
    return markdown_table(head, lines)


def groups_table() -> str:
    """The table of groups, and its list of failures."""
    rows = kept("crossval-best.csv")
    failed = [f"{row['id']} ({row['dice']:.3f}, fold {row['fold']})" for row in failures(rows)]
    text = f"Dice below {FAILURE}: {', '.join(failed)}." if failed else f"No Dice below {FAILURE}."
    return f"{group_table(rows)}\n\n{text}"


def curve_table() -> str:
    """The table of real X-rays needed."""
    starts = {"drawings": "start from drawings", "random": "start at random"}
    means = [{row["images"]: row["dice"]["mean"] for row in kept(f"curve-{start}.json")["rows"]} for start in starts]
    lines = [[count, *(f"{mean[count]:.4f}" for mean in means)] for count in means[0]]
    return markdown_table(["real X-rays", *starts.values()], lines)


def choices_table() -> str:
    """The table of what the article's choices cost."""
    lines = []
    for row in kept("choices.json")["rows"]:
        change = row["difference"]
        lines.append(
            [
                f"{row['name']} ({row['note']})" if row["note"] else row["name"],
                *score_cells(row, "worst"),
                interval(change) if change["mean"] else "",
                ", ".join(f"{mean:.4f}" for mean in row["means"].values()),
                f"{row['work']:.2g}",
            ]
        )
    head = ["choice", *score_head("worst"), "difference (95 % interval)", "mean with each seed"]
    return markdown_table(head + ["multiply-adds, relative"], lines)


def speed_table() -> str:
    """The table of what training costs, and the machine that it was measured on."""
    speed = kept("speed.json")
    chip, peak = speed["processor"], speed["peak"]
    lines = [
        [
            name,
            f"{one['images_per_second']:.3g}",
            f"{one['times']:.2g}" if one["times"] < 10 else f"{one['times']:.0f}",
            f"{one['multiply_adds'] / 1e9:.2f}",
            f"{one['gflops']:.0f}",
            f"{one['share']:.0%}",
            f"{one['memory_gb']:.1f} GB",
        ]
        for name, one in speed["pipelines"].items()
    ]
    head = ["pipeline", "images/s", "times the article's", "10⁹ multiply-adds an image", "GFLOP/s"]
    table = markdown_table(head + ["of the float32 or bfloat16 peak", "memory"], lines)
    kinds = ("float32", "bfloat16")
    peaks = " and ".join(f"{kind} {min(peak[kind]):.0f} to {max(peak[kind]):.0f}" for kind in kinds)
    return (
        f"{table}\n\nMeasured on {chip['name']}, {chip['cores']} cores ({', '.join(chip['features'] or [])}), "
        f"{speed['date']}, TensorFlow {speed['versions']['TensorFlow']}. Large matrix products between the pipelines: "
        f"{peaks} GFLOP/s, since others used the machine too; shares compare with the highest."
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


def remarks_table() -> str:
    """How often X-rays carry a remark, and pictures that are no upright frontal X-ray, by kind."""
    if not (FOLDER / "remarks.json").exists():
        return NOT_YET
    result = kept("remarks.json")
    drawings, real = result["drawings"], {one["name"]: one for one in result["real"]}
    head = ["upright frontal X-rays", "n", "with a remark", "failures", "of them with a remark", "AUC of doubt"]
    lines = []
    for name, one in {**real, "drawings, half of them changed on purpose": drawings}.items():
        auc = "-" if one["auc"] is None else f"{one['auc']:.3f}"
        lines.append([name, one["n"], f"{one['remarked']:.1%}", one["failures"], one["failures_remarked"], auc])
    kinds, others = ["no upright frontal X-ray", "drawn, with a remark", "when its kind fitted nothing", *real], []
    for kind, row in drawings["kinds"].items():
        shares = [one["shown wrongly"].get(kind, {}).get("remarked") for one in real.values()]
        shares = [row["remarked"], row["remarked_when_left_out"], *shares]
        others.append([kind, *("" if share is None else f"{share:.0%}" for share in shares)])
    return f"{markdown_table(head, lines)}\n\n{markdown_table(kinds, others)}"


TABLES = {
    "score": (score_line, ["crossval-best"]),
    "badges": (badges, []),
    "assignments": (assignments_table, []),
    "results": (results_table, ["course"]),
    "crossval": (crossval_table, ["crossval-best", "crossval-laptop", "article"]),
    "groups": (groups_table, ["crossval-best"]),
    "curve": (curve_table, ["curve-drawings", "curve-random"]),
    "choices": (choices_table, ["choices"]),
    "speed": (speed_table, ["speed"]),
    "unseen": (unseen_table, ["pretrain", "course"]),
    "versions": (versions_table, ["pretrain"]),
    "cue": (cue_table, ["cue"]),
    "hospitals": (hospitals_table, ["hospitals"]),
    "remarks": (remarks_table, ["remarks"]),
    "parts": (parts_table, ["parts"]),
}
"""Mark in a page -> what stands between `<!-- mark -->` and `<!-- /mark -->`, with links from the repository's root,
and the stages of `dvc.yaml` whose figures it shows."""


def stale_line(stages: Sequence[str]) -> str:
    """What stands below a table whose figures are listed in `stale.toml`; empty where none is."""
    said: dict[str, list[str]] = {}
    for stage, reason in keys.reasons().items():
        if stage in stages:
            said.setdefault(reason, []).append(f"`{stage}`")
    lines = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in said.items())
    return f"\n\n*Not of today's code:* {lines}." if lines else ""


PAGES = ("README.md", "RESULTS.md", "TEACHING.md", "notebooks/assignments/README.md")


def filled(text: str, folder: str = ".") -> str:
    """A page with all that stands between marks made anew.

    Args:
        text: of the page.
        folder: in which the page lies, as seen from the repository's root.
    """

    def from_folder(link: re.Match) -> str:
        return link[0] if "://" in link[1] else f"]({posixpath.relpath(link[1], folder)})"

    for mark, (table, stages) in TABLES.items():
        start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
        if start in text:
            head, rest = text.split(start)
            content = re.sub(r"\]\(([^)]+)\)", from_folder, table() + stale_line(stages))
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
