"""The studies' own door: `python -m studies --help` lists what measures the kept figures."""

import argparse
import os
import sys
from pathlib import Path

from lungseg_utils import course
from lungseg_utils.cases import find_cases
from lungseg_utils.command import run_safely
from lungseg_utils.kept import FOLDER
from lungseg_utils.recipes import LAPTOP, RECIPES, find_recipe

# A study is imported by the function that runs it: `--help` and `stale` do not wait for TensorFlow.


def pretrain(options: argparse.Namespace) -> None:
    """Make the shipped model anew: draw X-rays, train on them alone, score."""
    from studies import pretraining

    if options.score:
        pretraining.score_again(course.home(), options.data, options.other)
    else:
        pretraining.pretrain(pretraining.SHIPPED, course.home(), data=options.data, other=options.other)


def parts(options: argparse.Namespace) -> None:
    """Measure what each part of the drawing is worth: train without it, and score on real X-rays of both hospitals."""
    from studies import parts

    parts.measure_parts(parts.make_rows(), course.home(), options.data, options.other, options.to)


def cue(options: argparse.Namespace) -> None:
    """Measure what the shipped model takes for lung: change real X-rays, one thing at a time, and score it."""
    from studies import cue

    cue.measure_cue(options.other, options.to)


def hospitals(options: argparse.Namespace) -> None:
    """Train on drawings, on one hospital, or on both in turn, and score on X-rays of both that it has not seen."""
    from studies import hospitals

    hospitals.measure_hospitals(options.data, options.other, course.home(), options.to)


def crossval(options: argparse.Namespace) -> None:
    """Train and score five folds of a recipe on real X-rays, by patient; keep a row per X-ray and lung."""
    from lungseg_utils import kept
    from studies import crossval, tables

    rows = crossval.cross_validate(find_recipe(options.recipe), options.data, course.home(), options.to)
    print(tables.group_table(rows))
    for row in kept.failures(rows):
        print(f"Dice below {kept.FAILURE}: {row['id']}, fold {row['fold']}: {row['dice']:.4f}")


def choices(options: argparse.Namespace) -> None:
    """Measure what each of the article's choices costs, on real X-rays."""
    from studies import choices

    choices.measure_choices(options.data, course.home(), options.to)


def article(options: argparse.Namespace) -> None:
    """Make the article's run in full, for a GPU: six trainings of 31 million weights at 512 px."""
    from studies import article

    names = [f"fold {options.fold}"] if options.fold else article.RUNS
    article.run_article(options.data, course.home(), options.to, names)


def curve(options: argparse.Namespace) -> None:
    """Measure how many real X-rays are needed, from random weights or from those of the shipped model."""
    from studies import curve

    curve.measure_curve(options.data, course.home(), options.start, options.to)


def speed(options: argparse.Namespace) -> None:
    """Measure what training costs on this machine, beside the article's pipeline."""
    from studies import speed

    speed.measure_speed(course.home(), options.to)


def run_course(options: argparse.Namespace) -> None:
    """Run the whole course on drawn and on real X-rays, and keep its figures."""
    from studies import course_results

    course_results.measure(options.data, options.other, options.to)


def remarks(options: argparse.Namespace) -> None:
    """Fit on drawings when an outline is called doubtful, and check it on real X-rays of both hospitals."""
    from studies import remarks

    remarks.measure_remarks(options.data, options.other, options.to)


def ranges(options: argparse.Namespace) -> None:
    """Measure the real X-rays' anatomy and shades, and keep percentiles of each hospital's."""
    from studies import realism

    realism.measure_ranges(options.data, options.other, options.to)


def compare(options: argparse.Namespace) -> None:
    """Measure drawn and real X-rays, and print them side by side: do the drawn ones span each hospital's?"""
    from studies import realism

    drawn, *real = (realism.measure_cases(find_cases(each)) for each in (options.drawn, options.data, options.other))
    for hospital in real:
        print(realism.compare(drawn, hospital))


def write_tables(options: argparse.Namespace) -> None:
    """Write the model card, and the tables of README.md, RESULTS.md and the other pages, from kept figures."""
    from studies import model_card, tables

    model_card.write()
    tables.write_tables()


def write_keys(options: argparse.Namespace) -> None:
    """Write what each figure depends on today into studies/keys.json, for DVC."""
    from studies import keys

    keys.write_keys((options.data, options.other))


def list_stale(options: argparse.Namespace) -> None:
    """List the figures that are older than the code, data and weights that they depend on, and what changed."""
    from studies import keys

    stale, known = keys.stale((options.data, options.other)), keys.reasons()
    for stage, changes in stale.items():
        print(f"{stage}: {', '.join(changes)}")
        print(f"    {known.get(stage, 'not listed: measure it, or say why not in studies/stale.toml')}")
    for stage in known.keys() - stale.keys():
        print(f"{stage}: listed in studies/stale.toml, but not stale: take it out")
    print(f"{len(stale)} of {len(keys.STAGES)} stages are stale.")


COMMANDS = {
    "pretrain": (pretrain, ["data", "other", "score"]),
    "crossval": (crossval, ["data", "recipe", "to"]),
    "curve": (curve, ["data", "start", "to"]),
    "choices": (choices, ["data", "to"]),
    "parts": (parts, ["data", "other", "to"]),
    "cue": (cue, ["other", "to"]),
    "hospitals": (hospitals, ["data", "other", "to"]),
    "article": (article, ["data", "fold", "to"]),
    "speed": (speed, ["to"]),
    "remarks": (remarks, ["data", "other", "to"]),
    "ranges": (ranges, ["data", "other", "to"]),
    "course": (run_course, ["data", "other", "to"]),
    "compare": (compare, ["drawn", "data", "other"]),
    "tables": (write_tables, []),
    "keys": (write_keys, ["at hand", "other at hand"]),
    "stale": (list_stale, ["at hand", "other at hand"]),
}
"""Name -> what runs, and its options from `OPTIONS`."""


def _folder(name: str, whose: str) -> dict:
    """How `add_argument` takes a folder of real X-rays, which the environment may name."""
    default = Path(os.environ[name]) if name in os.environ else None
    return {"type": Path, "default": default, "help": f"folder of {whose} (default: {name})"}


DATA = _folder("LUNGSEG_MONTGOMERY", "real X-rays")
OTHER = _folder("LUNGSEG_OPENIST", "real X-rays of a second hospital")
OPTIONS = {
    "data": ("--data", {**DATA, "required": DATA["default"] is None}),
    "other": ("--other", {**OTHER, "required": OTHER["default"] is None}),
    "at hand": ("--data", DATA),
    "other at hand": ("--other", OTHER),
    "score": ("--score", {"action": "store_true", "help": "score the shipped model again, and train nothing"}),
    "recipe": ("--recipe", {"choices": list(RECIPES), "default": LAPTOP.name, "help": "(%(default)s)"}),
    "start": ("--start", {"choices": ["random", "drawings"], "required": True, "help": "where first weights are from"}),
    "fold": ("--fold", {"type": int, "choices": range(1, 6), "help": "train this fold alone, and keep nothing"}),
    "to": ("--to", {"type": Path, "default": FOLDER, "help": "folder for the figures (%(default)s)"}),
    "drawn": ("drawn", {"type": Path, "help": "folder of drawn X-rays in the Montgomery layout"}),
}


def parser() -> argparse.ArgumentParser:
    """Build the studies' parser."""
    main = argparse.ArgumentParser(prog="python -m studies", description=__doc__)
    commands = main.add_subparsers(required=True, metavar="STUDY")
    for name, (run, options) in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        for flag, about in map(OPTIONS.get, options):
            command.add_argument(flag, **about)
    return main


def main() -> int:
    """Run a study; whatever comes ends in one sentence."""

    def work() -> None:
        options = parser().parse_args()
        options.run(options)

    return run_safely(work)


if __name__ == "__main__":
    sys.exit(main())
