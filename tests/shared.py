"""What several test modules need: the repository's folder, and data sets small enough to draw in a moment."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
KILLS = int(os.environ.get("LUNGSEG_KILLS", 3))  # how often tests of sudden death kill
WRONG_ANSWERS = pytest.StashKey[list]()  # what `test_assignments.py` found, for the summary that `conftest.py` prints


def run_python(*words, cwd: Path = REPOSITORY, **environment) -> subprocess.CompletedProcess:
    """Run Python with these words in a process of its own; more variables of the environment go by name."""
    command, variables = [sys.executable, *map(str, words)], {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=variables, timeout=1200)


def write_png(path: Path, image: np.ndarray) -> Path:
    """Write a PNG; Python opens the file, so that any path works on any system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def ellipse(height: int, width: int, x: float, y: float = 0.5, a: float = 0.15, b: float = 0.3) -> np.ndarray:
    """Draw a filled ellipse, exactly: a pixel is 1 when its centre is inside. Lengths are shares of the side."""
    rows, columns = (np.arange(height)[:, None] + 0.5) / height, (np.arange(width) + 0.5) / width
    return (((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1).astype(np.uint8)


def write_set(folder: Path, count: int, height: int, width: int) -> Path:
    """Write a data set of grey noise with two dark ellipses as lungs, a little different in each case."""
    random = np.random.default_rng(7)
    for number in range(1, count + 1):
        name = f"TINY_{number:04d}_{number % 2}"
        shift = 0.01 * (number % 5)
        left = ellipse(height, width, 0.28 + shift)
        right = ellipse(height, width, 0.7 + shift, a=0.12)
        image = random.integers(120, 250, (height, width), dtype=np.uint8) - 80 * (left | right)
        write_png(folder / "CXR_png" / f"{name}.png", image.astype(np.uint8))
        write_png(folder / "ManualMask" / "leftMask" / f"{name}.png", left * 255)
        write_png(folder / "ManualMask" / "rightMask" / f"{name}.png", right * 255)
        reading = folder / "ClinicalReadings" / f"{name}.txt"
        reading.parent.mkdir(exist_ok=True)
        reading.write_text(f"Patient's Sex: {'FM'[number % 2]} \nPatient's Age: {20 + number:03d}Y\nnormal\n")
    return folder


def drift(source: nbformat.NotebookNode, notebook: nbformat.NotebookNode) -> list[str]:
    """What differs between the two files of a pair, outputs aside."""

    def essence(cell):
        return cell.cell_type, cell.source, sorted(cell.metadata.get("tags", []))

    found = [] if len(source.cells) == len(notebook.cells) else ["another number of cells"]
    pairs = enumerate(zip(source.cells, notebook.cells), 1)
    return found + [f"cell {number}" for number, (a, b) in pairs if essence(a) != essence(b)]
