"""The course run from nothing, twice: on drawn and on real X-rays; its figures kept."""

import json
import os
import tempfile
from pathlib import Path

from lungseg_utils.kept import FOLDER


def measure(data: str | None, unseen: str = "") -> None:
    """Run the whole course and keep its summary; score its model on an unseen data set too, if one is given."""
    from lungseg_utils.command import run

    with tempfile.TemporaryDirectory() as home:
        os.environ["LUNGSEG_HOME"] = home
        os.environ.pop("LUNGSEG_MONTGOMERY", None)  # notebook 9 would score on it, and take longer
        for line in run.run_course("laptop", data):
            print(line, flush=True)
        [summary] = Path(home).glob("runs/2*/summary.json")  # its name begins with the year
        kept = json.loads(summary.read_text(encoding="utf-8"))
        if unseen:
            kept["unseen"] = score_unseen(summary.with_name("best.keras"), unseen, Path(home))
        path = FOLDER / f"course-{kept['data']}-{kept['recipe']}.json"
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def score_unseen(model: Path, data: str, home: Path) -> dict:
    """Scores of a model on all X-rays of a data set that it was not trained on."""
    from lungseg_utils import cases, prediction
    from studies import model_card

    scored = model_card.score_cases(prediction.load_model(model), cases.find_cases(data), home / "cache")
    return {"data": cases.set_folder(data).name, "groups": scored["groups"]}
