"""The command line: what is done outside a notebook. `python -m lungseg_utils --help` lists it."""

import argparse
import sys
import zipfile
from pathlib import Path

from lungseg_utils import __version__, course
from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.recipes import LAPTOP, RECIPES, find_recipe


def draw(options: argparse.Namespace) -> None:
    """Draw a phantom data set."""
    from lungseg_utils.phantom import draw_dataset

    print(draw_dataset(options.folder, count=options.count, size=options.size, seed=options.seed))


def fetch(options: argparse.Namespace) -> None:
    """Download the Montgomery set."""
    from lungseg_utils.montgomery import fetch_montgomery

    print(fetch_montgomery(options.folder))


def compare(options: argparse.Namespace) -> None:
    """Measure drawn and real X-rays, and print both side by side: do the drawn ones span the real ones?"""
    from lungseg_utils import realism

    cases = [find_cases(folder) for folder in (options.drawn, options.real)]
    drawn, real = map(realism.measure_cases, cases)
    print(realism.compare(drawn, real))
    if options.save:
        realism.save_ranges(options.save, cases[1], real)


def check_model_file(path: Path) -> None:
    """Raise DatasetError if a file is there but no model; a missing one is for `prediction.load_model` to tell."""
    if path.exists() and not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is not a model: give the best.keras of a run folder in {course.home()}.")


def evaluate(options: argparse.Namespace) -> None:
    """Score a trained model on every X-ray of a data set."""
    from lungseg_utils import evaluation, images, prediction, scores

    cases = find_cases(options.data)
    check_model_file(options.model)
    model = prediction.load_model(options.model)
    arrays = images.load_arrays(cases, model.input_shape[1], course.home() / "cache")
    rows = evaluation.evaluate(model, cases, arrays.images)
    if options.csv:
        scores.write_scores(rows, options.csv)
    print(scores.format_summary(scores.summarise(rows)))


def predict(options: argparse.Namespace) -> None:
    """Segment X-rays: write a mask per lung, an overlay picture and a table of areas. Not for clinical use."""
    from lungseg_utils import prediction, xrays

    if options.model:
        check_model_file(options.model)
        model = prediction.load_model(options.model)
    else:
        from lungseg_utils.pretraining import load_pretrained

        model = load_pretrained()
    rows = xrays.predict_files(model, options.files, options.to, options.spacing)
    failed = [row for row in rows if row["error"]]
    for row in rows:
        if not row["error"]:
            print(f"{row['name']}: {xrays.describe(row)}")
    print(options.to)
    if failed:
        problems = "\n".join(row["error"] for row in failed)
        raise DatasetError(f"{len(failed)} of {len(rows)} files could not be used:\n{problems}")


def pretrain(options: argparse.Namespace) -> None:
    """Make the shipped model anew: draw X-rays, train on them alone, score, write the model card."""
    from lungseg_utils import pretraining

    card = pretraining.pretrain(pretraining.SHIPPED, course.home(), data=options.data)
    print(card.read_text(encoding="utf-8"))


def measure_parts(options: argparse.Namespace) -> None:
    """Train without one part of the drawing at a time, and score each on real X-rays: what is it worth?"""
    from lungseg_utils import parts

    table = parts.measure_parts(parts.make_rows(), course.home(), options.data)
    print(parts.format_rows(table["rows"]))


def cross_validate(options: argparse.Namespace) -> None:
    """Train and score five folds of a recipe on real X-rays, by patient; keep a row per X-ray and lung."""
    from lungseg_utils import crossval, report

    rows = crossval.cross_validate(find_recipe(options.recipe), options.data, course.home(), options.to)
    print(report.group_table(rows))
    for row in report.failures(rows):
        print(f"Dice below {report.FAILURE}: {row['id']}, fold {row['fold']}: {row['dice']:.4f}")


def measure_choices(options: argparse.Namespace) -> None:
    """Measure what each of the article's choices costs, on real X-rays."""
    from lungseg_utils import choices

    choices.measure_choices(options.data, course.home(), options.to / choices.FILE.name)


def measure_curve(options: argparse.Namespace) -> None:
    """Measure how many real X-rays are needed, with and without a start from drawings."""
    from lungseg_utils import curve

    curve.measure_curve(options.data, course.home(), options.to / curve.FILE.name)


def measure_speed(options: argparse.Namespace) -> None:
    """Measure what training costs on this machine, beside the article's pipeline."""
    from lungseg_utils import speed

    print(speed.format_speed(speed.measure_speed(course.home(), options.to / speed.FILE.name)))


def run_course(options: argparse.Namespace) -> None:
    """Execute the nine notebooks and print the table."""
    from lungseg_utils import notebooks

    for line in notebooks.run_course(options.recipe, options.data):
        print(line, flush=True)


def positive(text: str) -> int:
    """A whole number above 0, for an option."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def millimetres(text: str) -> float:
    """A length above 0, for an option."""
    if not 0 < float(text) < float("inf"):
        raise ValueError(text)
    return float(text)


def keep_figures(command: argparse.ArgumentParser) -> None:
    """Add the option for where figures are kept: not where the course's own lie, unless that is asked for."""
    command.add_argument(
        "--to",
        type=Path,
        default=course.home() / "measured",
        metavar="FOLDER",
        help="for the figures (%(default)s; those that the course quotes lie in lungseg_utils/measured)",
    )


def parser() -> argparse.ArgumentParser:
    """Build the command line's parser."""
    main = argparse.ArgumentParser(prog="python -m lungseg_utils", description="Lung segmentation in nine notebooks.")
    main.add_argument("--version", action="version", version=__version__)
    commands = main.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("draw", help="draw a phantom data set", description=draw.__doc__)
    command.add_argument("folder", type=Path, help="folder to make")
    command.add_argument("--count", type=positive, default=240, help="X-rays to draw (%(default)s)")
    command.add_argument("--size", type=positive, default=512, help="their side in px (%(default)s)")
    command.add_argument(
        "--seed",
        type=int,
        default=2022,
        help="same seed, same pictures (%(default)s, the course's own X-rays: take another for a test set)",
    )
    command.set_defaults(run=draw)

    command = commands.add_parser("fetch", help="download the Montgomery set", description=fetch.__doc__)
    command.add_argument(
        "folder", type=Path, nargs="?", default=course.home(), help="folder to put it in (%(default)s)"
    )
    command.set_defaults(run=fetch)

    command = commands.add_parser("compare", help="compare drawn X-rays with real ones", description=compare.__doc__)
    command.add_argument("drawn", type=Path, help="folder of drawn X-rays in the Montgomery layout")
    command.add_argument("real", type=Path, help="folder of real ones")
    command.add_argument("--save", type=Path, metavar="FILE", help="also write the real ones' percentiles, as JSON")
    command.set_defaults(run=compare)

    command = commands.add_parser("evaluate", help="score a model", description=evaluate.__doc__)
    command.add_argument("model", type=Path, help="the .keras file")
    command.add_argument("data", type=Path, help="folder of a data set in the Montgomery layout")
    command.add_argument("--csv", type=Path, help="also write a row per X-ray and lung into this file")
    command.set_defaults(run=evaluate)

    command = commands.add_parser("predict", help="segment any chest X-rays", description=predict.__doc__)
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="PNG, JPEG or DICOM, or a folder of them")
    command.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="for the results: new or empty")
    command.add_argument("--model", type=Path, help="a best.keras of your own; without it, the model that is shipped")
    command.add_argument("--spacing", type=millimetres, metavar="MM", help="mm per pixel of files that do not say it")
    command.set_defaults(run=predict)

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

    command = commands.add_parser("curve", help="how many X-rays are needed", description=measure_curve.__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of real X-rays")
    keep_figures(command)
    command.set_defaults(run=measure_curve)

    command = commands.add_parser("speed", help="what training costs", description=measure_speed.__doc__)
    keep_figures(command)
    command.set_defaults(run=measure_speed)

    command = commands.add_parser("course", help="run all nine notebooks", description=run_course.__doc__)
    command.add_argument("--recipe", choices=list(RECIPES), default=LAPTOP.name, help="(%(default)s)")
    command.add_argument("--data", help="folder of a data set; without it, X-rays drawn by code")
    command.set_defaults(run=run_course)
    return main


def main() -> int:
    """Run a command. A mistake that a user can mend ends with its message, not with a traceback."""
    options = parser().parse_args()
    try:
        options.run(options)
    except (DatasetError, FileNotFoundError, FileExistsError, RuntimeError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
