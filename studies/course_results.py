"""The course run from nothing, twice: on drawn and on real X-rays; its figures kept."""

import os
import tempfile
from pathlib import Path

from lungseg_utils.cases import find_cases, set_folder
from lungseg_utils.command.run import run_course
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from lungseg_utils.prediction import load_model
from studies.provenance import begin, finish
from studies.scoring import score_groups


def measure(data: Path, other: Path, measured: Path = FOLDER) -> None:
    """Run the course on drawn and on real X-rays, score the first model on real ones too, and keep both summaries.

    Args:
        data: folder of the real X-rays.
        other: folder of real X-rays of a second hospital, which the first model is scored on too.
        measured: folder for `course-DATA-laptop.json`.
    """
    noted = begin("course", (data, other), seed=42)
    results = [run_once(None, {"unseen": data, "other": other}), run_once(data, {})]
    about = finish(noted, (data, other))
    for kept in results:
        write_json({**kept, "provenance": about}, measured / f"course-{kept['data']}-{kept['recipe']}.json")


def run_once(data: Path | None, unseen: dict[str, Path]) -> dict:
    """Run the whole course in a fresh folder: its summary, and the scores of its model on unseen data sets, by name."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["LUNGSEG_HOME"] = home
        os.environ.pop("LUNGSEG_MONTGOMERY", None)  # notebook 9 would score on it, and take longer
        for line in run_course("laptop", str(data) if data else None):
            print(line, flush=True)
        [summary] = Path(home).glob("runs/2*/summary.json")  # its name begins with the year
        kept = read_json(summary)
        model = load_model(summary.with_name("best.keras"))
        for name, folder in unseen.items():
            groups, _ = score_groups(model, find_cases(folder), Path(home), whole=name == "other")
            kept[name] = {"data": set_folder(folder).name, "groups": groups}
        return kept
