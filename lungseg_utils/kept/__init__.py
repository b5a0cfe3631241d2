"""The figures that notebooks and tables quote, and the one function that reads them."""

from pathlib import Path

from lungseg_utils.files import read_json
from lungseg_utils.recipes import SHIPPED_WEIGHTS
from lungseg_utils.scores import read_scores

FOLDER = Path(__file__).parent
SHIPPED = SHIPPED_WEIGHTS.parent  # the figures of the shipped model lie beside it


def kept(name: str) -> dict | list[dict]:
    """Read a kept figure.

    Args:
        name: of the file: `choices.json` gives a dict, `crossval-best.csv` rows of scores; `scores.json` is that of the
            shipped model.
    """
    path = (SHIPPED if name == "scores.json" else FOLDER) / name
    return read_scores(path) if path.suffix == ".csv" else read_json(path)
