"""The studies' own door: `python -m studies --help` lists what measures the kept figures."""

import argparse
import sys
from pathlib import Path

from lungseg_utils import course
from lungseg_utils.cases import find_cases
from lungseg_utils.recipes import LAPTOP, RECIPES, find_recipe


def compare(options: argparse.Namespace) -> None:
    """Measure drawn and real X-rays, and print both side by side: do the drawn ones span the real ones?"""
    from studies import realism

    cases = [find_cases(folder) for folder in (options.drawn, options.real)]
    drawn, real = map(realism.measure_cases, cases)
    print(realism.compare(drawn, real))
    if options.save:
        realism.save_ranges(options.save, cases[1], real)


def pretrain(options: argparse.Namespace) -> None:
    """Make the shipped model anew: draw X-rays, train on them alone, score, write the model card."""
    from studies import pretraining

    card = pretraining.pretrain(pretraining.SHIPPED, course.home(), data=options.data)
    print(card.read_text(encoding="utf-8"))


def measure_parts(options: argparse.Namespace) -> None:
    """Train without one part of the drawing at a time, and score each on real X-rays: what is it worth?"""
    from studies import parts

    table = parts.measure_parts(parts.make_rows(), course.home(), options.data)
    print(parts.format_rows(table["rows"]))


def cross_validate(options: argparse.Namespace) -> None:
    """Train and score five folds of a recipe on real X-rays, by patient; keep a row per X-ray and lung."""
    from lungseg_utils import kept
    from studies import crossval, tables

    rows = crossval.cross_validate(find_recipe(options.recipe), options.data, course.home(), options.to)
    print(tables.group_table(rows))
    for row in kept.failures(rows):
        print(f"Dice below {kept.FAILURE}: {row['id']}, fold {row['fold']}: {row['dice']:.4f}")


def measure_choices(options: argparse.Namespace) -> None:
    """Measure what each of the article's choices costs, on real X-rays."""
    from studies import choices

    choices.measure_choices(options.data, course.home(), options.to / choices.FILE.name)


def measure_article(options: argparse.Namespace) -> None:
    """Make the article's run in full, for a GPU: six trainings of 31 million weights at 512 px."""
    from studies import article

    names = [f"fold {options.fold}"] if options.fold else article.RUNS
    article.run_article(options.data, course.home(), options.to, names)


def measure_curve(options: argparse.Namespace) -> None:
    """Measure how many real X-rays are needed, with and without a start from drawings."""
    from studies import curve

    curve.measure_curve(options.data, course.home(), options.to / curve.FILE.name)


def measure_speed(options: argparse.Namespace) -> None:
    """Measure what training costs on this machine, beside the article's pipeline."""
    from studies import speed

    print(speed.format_speed(speed.measure_speed(course.home(), options.to / speed.FILE.name)))


def keep_figures(command: argparse.ArgumentParser) -> None:
    """Add the option for where figures are kept: not where the course's own lie, unless that is asked for."""
    command.add_argument(
        "--to",
        type=Path,
        default=course.home() / "measured",
        metavar="FOLDER",
        help="for the figures (%(default)s; those that the course quotes lie in lungseg_utils/kept)",
    )


def write_tables(options: argparse.Namespace) -> None:
    """Write the tables of README.md, RESULTS.md and the other pages, and their pictures, from kept figures."""
    from studies import tables

    tables.write_tables()


def run_course(options: argparse.Namespace) -> None:
    """Run the whole course on drawn and on real X-rays, and keep its figures."""
    from studies import course_results

    course_results.measure(None, unseen=options.data)
    course_results.measure(options.data)


def parser() -> argparse.ArgumentParser:
    """Build the studies' parser."""
    main = argparse.ArgumentParser(prog="python -m studies", description=__doc__)
    commands = main.add_subparsers(required=True, metavar="STUDY")

    command = commands.add_parser("compare", help="compare drawn X-rays with real ones", description=compare.__doc__)
    command.add_argument("drawn", type=Path, help="folder of drawn X-rays in the Montgomery layout")
    command.add_argument("real", type=Path, help="folder of real ones")
    command.add_argument("--save", type=Path, metavar="FILE", help="also write the real ones' percentiles, as JSON")
    command.set_defaults(run=compare)

    command = commands.add_parser("pretrain", help="make the shipped model anew", description=pretrain.__doc__)
    command.add_argument("--data", type=Path, help="folder of real X-rays, to score it on")
    command.set_defaults(run=pretrain)

    command = commands.add_parser("parts", help="measure each part of the drawing", description=measure_parts.__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of real X-rays, to score each training on")
    command.set_defaults(run=measure_parts)

    command = commands.add_parser("crossval", help="cross-validate a recipe", description=cross_validate.__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of real X-rays")
    command.add_argument("--recipe", choices=list(RECIPES), default=LAPTOP.name, help="(%(default)s)")
    keep_figures(command)
    command.set_defaults(run=cross_validate)

    command = commands.add_parser(
        "choices", help="what the article's choices cost", description=measure_choices.__doc__
    )
    command.add_argument("--data", type=Path, required=True, help="folder of real X-rays")
    keep_figures(command)
    command.set_defaults(run=measure_choices)

    command = commands.add_parser("article", help="the article's run in full", description=measure_article.__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of real X-rays")
    command.add_argument(
        "--fold", type=int, choices=range(1, 6), help="train and score this fold alone, and keep nothing"
    )
    keep_figures(command)
    command.set_defaults(run=measure_article)

    command = commands.add_parser("curve", help="how many X-rays are needed", description=measure_curve.__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of real X-rays")
    keep_figures(command)
    command.set_defaults(run=measure_curve)

    command = commands.add_parser("speed", help="what training costs", description=measure_speed.__doc__)
    keep_figures(command)
    command.set_defaults(run=measure_speed)

    command = commands.add_parser("course", help="run the course, keep its figures", description=run_course.__doc__)
    command.add_argument("--data", required=True, help="folder of real X-rays")
    command.set_defaults(run=run_course)

    command = commands.add_parser("tables", help="write the tables", description=write_tables.__doc__)
    command.set_defaults(run=write_tables)
    return main


def main() -> int:
    """Run a study."""
    options = parser().parse_args()
    options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
