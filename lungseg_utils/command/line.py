"""The commands of `lungseg`, and the parser of its line."""

import argparse
import zipfile
from pathlib import Path

from lungseg_utils import __version__, course
from lungseg_utils.cases import find_cases
from lungseg_utils.files import DatasetError, escape
from lungseg_utils.recipes import LAPTOP, RECIPES


def draw(options: argparse.Namespace) -> None:
    """Draw a phantom data set."""
    from lungseg_utils.drawing import draw_dataset

    print(draw_dataset(options.folder, count=options.count, size=options.size, seed=options.seed))


def fetch(options: argparse.Namespace) -> None:
    """Download the Montgomery set."""
    from lungseg_utils.command.montgomery import fetch_montgomery

    print(fetch_montgomery(options.folder))


def convert(options: argparse.Namespace) -> None:
    """Bring a data set of another layout (masks of both lungs, Kaggle's copies, run lengths) into the course's."""
    from lungseg_utils.command.convert import convert

    print("\n".join(map(escape, convert(options.source, options.folder))))


def check_model_file(path: Path) -> None:
    """Raise DatasetError if a file is there but no model; a missing one is for `prediction.load_model` to tell."""
    if path.exists() and not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is not a model: give the best.keras of a run folder in {course.home()}.")


def evaluate(options: argparse.Namespace) -> None:
    """Score a trained model on every X-ray of a data set."""
    from lungseg_utils import images, prediction, scores

    cases = find_cases(options.data)
    check_model_file(options.model)
    model = prediction.load_model(options.model)
    arrays = images.load_arrays(cases, model.input_shape[1], course.home() / "cache")
    rows = prediction.evaluate(model, cases, arrays.images)
    if options.csv:
        scores.write_scores(rows, options.csv)
    print(scores.format_summary(scores.summarise(rows)))


def predict(options: argparse.Namespace) -> None:
    """Segment X-rays: write a mask per lung, an overlay picture and a table of areas. Not for clinical use."""
    from lungseg_utils import prediction
    from lungseg_utils.inference import xrays

    if options.model:
        check_model_file(options.model)
        model = prediction.load_model(options.model)
    else:
        from lungseg_utils.prediction import load_pretrained

        model = load_pretrained()
    rows = xrays.predict_files(model, options.files, options.to, options.spacing, options.dicom_seg, options.go_on)
    failed = [row for row in rows if row["error"]]
    if before := sum("done" in row for row in rows):
        print(f"{before} of {len(rows)} files were done before.")
    for row in rows:
        if row["width_px"] and "done" not in row:
            print(f"{row['name']}: {xrays.areas_in_words(row)}")
    others = sum(not xrays.is_dicom(Path(row["file"])) for row in rows)
    if options.dicom_seg and others:
        print(f"{others} of {len(rows)} files are not DICOM: a DICOM Segmentation is made for DICOM files alone.")
    print(escape(str(options.to)))
    if failed:
        problems = "\n".join(row["error"] for row in failed)
        raise DatasetError(f"{len(failed)} of {len(rows)} files could not be used:\n{problems}")


def run_course(options: argparse.Namespace) -> None:
    """Execute the nine notebooks and print the table."""
    from lungseg_utils.command import run

    for line in run.run_course(options.recipe, options.data):
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


def parser() -> argparse.ArgumentParser:
    """Build the command line's parser."""
    main = argparse.ArgumentParser(prog="lungseg", description="Lung segmentation in nine notebooks.")
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

    command = commands.add_parser("convert", help="bring a data set into this layout", description=convert.__doc__)
    command.add_argument("source", type=Path, help="folder that holds the X-rays, their masks and tables")
    command.add_argument(
        "folder", type=Path, help="folder to make; not_taken.csv in it says what was left out, and why"
    )
    command.set_defaults(run=convert)

    command = commands.add_parser("evaluate", help="score a model", description=evaluate.__doc__)
    command.add_argument("model", type=Path, help="the .keras file")
    command.add_argument("data", type=Path, help="folder of a data set in the Montgomery layout")
    command.add_argument("--csv", type=Path, help="also write a row per X-ray and lung into this file")
    command.set_defaults(run=evaluate)

    command = commands.add_parser("predict", help="segment any chest X-rays", description=predict.__doc__)
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="PNG, JPEG, TIFF or DICOM, or a folder")
    command.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="for the results: new or empty")
    command.add_argument("--model", type=Path, help="a best.keras of your own; without it, the model that is shipped")
    command.add_argument("--spacing", type=millimetres, metavar="MM", help="mm per pixel of files that do not say it")
    command.add_argument("--dicom-seg", action="store_true", help="a DICOM Segmentation of each DICOM file, too")
    command.add_argument(
        "--continue", dest="go_on", action="store_true", help="go on with a run that was stopped, in the same folder"
    )
    command.set_defaults(run=predict)

    command = commands.add_parser("course", help="run all nine notebooks", description=run_course.__doc__)
    command.add_argument("--recipe", choices=list(RECIPES), default=LAPTOP.name, help="(%(default)s)")
    command.add_argument("--data", help="folder of a data set; without it, X-rays drawn by code")
    command.set_defaults(run=run_course)
    return main
