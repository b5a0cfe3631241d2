"""The model card of the shipped model, written from its scores and the words of `model_card.md` (notebook 9).

Mitchell et al., "Model Cards for Model Reporting", FAT* 2019 (arXiv:1810.03993), is where the idea comes from.
"""

from pathlib import Path

from lungseg_utils.files import write_text
from lungseg_utils.inference.stress import BREAKS_MEAN, BREAKS_P5
from lungseg_utils.kept import SHIPPED, kept
from lungseg_utils.scores import LUNGS
from studies.tables import NOT_YET, markdown_table, parts_table, score_cells, score_head, stale_line

HEAD, STRESS, PARTS, LIMITS = Path(__file__).with_suffix(".md").read_text(encoding="utf-8").split("<!-- next -->\n")
COLUMNS = "median p5 worst iou assd_mm hd95_mm"
SETS = {
    "drawings": "Drawings never seen (seed {seed})",
    "real": "{name}: its worst outlines were looked at while the drawing was improved",
    "other": "{name}: all of it was looked at while the drawing was improved",
}
"""Scores in `scores.json` -> heading of their section."""


def write() -> None:
    """Write the card of the shipped model beside it."""
    write_text(card(kept("scores.json"), parts_table()), SHIPPED / "MODEL_CARD.md")


def card(result: dict, parts: str = NOT_YET) -> str:
    """The model card in Markdown.

    Args:
        result: content of `scores.json`.
        parts: the table of the drawing's parts.
    """
    plan, training = result["plan"], result["training"]
    head = HEAD.format(
        **result,
        size=plan["recipe"]["image_size"],
        recipe=", ".join(f"{name} {value}" for name, value in plan["recipe"].items()),
        commits="; ".join(training["commits"]),
        versions=", ".join(f"{name} {number}" for name, number in training["versions"].items()),
    )
    sections = [_score_section(title, result, name) for name, title in SETS.items() if name in result]
    if "real" not in result:
        sections.append("### Real X-rays\n\nNot scored: the command was run without `--data`.\n")
    if stale := stale_line(["pretrain"]).strip():
        sections.append(f"{stale}\n")
    table = parts + stale_line(["parts"])
    return "\n".join([head, *sections, _stress_section(result), PARTS.format(table=table), LIMITS])


def _score_section(title: str, result: dict, name: str) -> str:
    scored = result[name]
    groups, both = scored["groups"], scored["groups"]["all"]["both"]
    columns = " ".join(c for c in COLUMNS.split() if c in both or c in both["dice"])  # a set may have no sizes in mm
    shown = groups.keys() - ({"development", "held out"} if name == "drawings" else set())  # nobody looked at these
    measured = {group: one["both"] for group, one in groups.items() if group in shown}
    rows = [[group, one["dice"]["n"], *score_cells(one, f"{columns} below")] for group, one in measured.items()]
    sides = [groups["all"][lung] for lung in LUNGS[:2]]
    rows += [[f"all, {lung} lung", one["dice"]["n"], *score_cells(one, columns), ""] for lung, one in zip(LUNGS, sides)]
    table = markdown_table(["X-rays", "n", *score_head(f"{columns} below")], rows)
    lag = abs(sides[0]["dice"]["mean"] - sides[1]["dice"]["mean"])
    worst = ", ".join(f"{case} ({value:.3f})" for case, value in scored["worst"])
    heading = title.format(name=scored.get("name"), seed=result["scored"]["held_out_seed"])
    return (
        f"### {heading}\n\n{table}\n\nThe mean Dice coefficients of the two lungs differ by {lag:.4f}. "
        f"The worst, with their Dice coefficient: {worst}.\n"
    )


def _stress_section(result: dict) -> str:
    columns = {result[name].get("name", name): result[name]["stress"] for name in SETS if name in result}
    cells = [(name, key) for name in columns for key in ("mean", "p5")]
    changes = result["drawings"]["stress"]
    lines = [[change, *(f"{columns[name][change][key]:.4f}" for name, key in cells)] for change in changes]
    table = markdown_table(["change", *(f"{name}, {key}" for name, key in cells)], lines)
    said = [
        f"- {result[name].get('name', 'Drawings')}: {sentence}"
        for name in ([name for name in ("real", "other") if name in result] or ["drawings"])
        for sentence in _failures(result[name])
    ]
    return STRESS.format(table=table, sentences="\n".join(said))


def _failures(scored: dict) -> list[str]:
    """Say in words what a model fails on, from its figures alone."""
    plain = scored["stress"]["unchanged"]
    broken = {
        change: value
        for change, value in scored["stress"].items()
        if plain["mean"] - value["mean"] > BREAKS_MEAN or plain["p5"] - value["p5"] > BREAKS_P5
    }
    said = [
        f"**{change}**: mean {value['mean']:.3f} instead of {plain['mean']:.3f}, p5 {value['p5']:.3f} instead of "
        f"{plain['p5']:.3f}."
        for change, value in sorted(broken.items(), key=lambda item: item[1]["mean"])
    ]
    if not said:
        said.append(
            f"no change in the table lowers the mean by more than {BREAKS_MEAN} or p5 by more than {BREAKS_P5}."
        )
    groups = scored["groups"]
    if "with a finding" in groups and "without a finding" in groups:
        sick, well = (groups[name]["both"]["dice"] for name in ("with a finding", "without a finding"))
        said.append(
            f"with a finding the mean is {sick['mean']:.3f} and the worst {sick['worst']:.3f}; without one "
            f"{well['mean']:.3f} and {well['worst']:.3f}."
        )
    return said
