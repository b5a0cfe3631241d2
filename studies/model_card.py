"""The model card of the shipped model, written from its scores and the words of `model_card.md` (notebook 9).

Mitchell et al., "Model Cards for Model Reporting", FAT* 2019 (arXiv:1810.03993), is where the idea comes from.
"""

from collections.abc import Sequence
from pathlib import Path

from lungseg_utils.files import write_text
from lungseg_utils.inference.stress import BREAKS_MEAN, BREAKS_P5
from lungseg_utils.kept import SHIPPED, kept
from lungseg_utils.scores import LUNGS
from studies.tables import markdown_table, score_cells, score_head

HEAD, STRESS, GUARD = Path(__file__).with_suffix(".md").read_text(encoding="utf-8").split("<!-- next -->\n")
COLUMNS = "median p5 worst iou assd_mm hd95_mm"


def write() -> None:
    """Write the card of the shipped model beside it."""
    write_text(card(kept("scores.json")), SHIPPED / "MODEL_CARD.md")


def card(result: dict) -> str:
    """The model card in Markdown.

    Args:
        result: content of `scores.json`.
    """
    plan, training = result["plan"], result["training"]
    head = HEAD.format(
        **result,
        size=plan["recipe"]["image_size"],
        recipe=", ".join(f"{name} {value}" for name, value in plan["recipe"].items()),
        commits="; ".join(training["commits"]),
        versions=", ".join(f"{name} {number}" for name, number in training["versions"].items()),
    )
    title = f"Drawings never seen (seed {result['scored']['held_out_seed']})"
    parts = [head, _score_section(title, result["drawings"], ("all", "without a finding", "with a finding"))]
    if "real" in result:
        parts.append(_score_section(f"Real X-rays: {result['real']['name']}", result["real"], result["real"]["groups"]))
    else:
        parts.append("### Real X-rays\n\nNot scored: the command was run without `--data`.\n")
    return "\n".join([*parts, _stress_section(result), *([GUARD] if "real" in result else [])])


def _score_section(title: str, scored: dict, names: Sequence[str]) -> str:
    groups = scored["groups"]
    measured = {name: groups[name]["both"] for name in names if name in groups}
    measured |= {f"all, {lung} lung": groups["all"][lung] for lung in LUNGS[:2]}
    rows = [[name, one["dice"]["n"], *score_cells(one, COLUMNS)] for name, one in measured.items()]
    worst = ", ".join(f"{name} ({value:.3f})" for name, value in scored["worst"])
    table = markdown_table(["X-rays", "n", *score_head(COLUMNS)], rows)
    return f"### {title}\n\n{table}\n\nThe worst, with their Dice coefficient: {worst}.\n"


def _stress_section(result: dict) -> str:
    columns = {name: result[name]["stress"] for name in ("drawings", "real") if name in result}
    cells = [(name, key) for name in columns for key in ("mean", "p5")]
    lines = [[change, *(f"{columns[name][change][key]:.4f}" for name, key in cells)] for change in columns["drawings"]]
    table = markdown_table(["change", *(f"{name}, {key}" for name, key in cells)], lines)
    said = _failures(result.get("real", result["drawings"]))
    return STRESS.format(table=table, sentences="\n".join(f"- {sentence}" for sentence in said))


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
            f"No change in the table lowers the mean by more than {BREAKS_MEAN} or p5 by more than {BREAKS_P5}."
        )
    groups = scored["groups"]
    if "with a finding" in groups and "without a finding" in groups:
        sick, well = (groups[name]["both"]["dice"] for name in ("with a finding", "without a finding"))
        said.append(
            f"With a finding the mean is {sick['mean']:.3f} and the worst {sick['worst']:.3f}; without one "
            f"{well['mean']:.3f} and {well['worst']:.3f}."
        )
    return said
