"""Execute notebooks from the command line, and sum up what a whole course produced."""

import asyncio
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from lungseg_utils import course, scores
from lungseg_utils.files import read_json, write_json, write_whole
from lungseg_utils.splits import PARTS

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL_LIMIT = 24 * 3600  # seconds; the article's recipe trains for hours in one cell
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "opencv-python-headless", "lungseg-utils")


class NotebookError(RuntimeError):
    """A cell of a notebook failed; the message names the notebook, the cell's error, and the saved copy."""


def execute(notebook: nbformat.NotebookNode, folder: Path, target: Path) -> float:
    """Execute a notebook in a fresh kernel and save it with its outputs.

    Args:
        notebook: changed in place.
        folder: the working directory of its cells.
        target: file to save to, also when a cell fails. What the kernel's process writes beside the notebook
            (messages of libraries, a crash) goes into a `.log` beside it.

    Returns:
        Seconds from starting the kernel to the end of the last cell.

    Raises:
        NotebookError: a cell failed.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear_signals(**_) -> None:
        """Undo what nbclient does with Ctrl-C: it ends the kernel, and trips over its absence."""
        if sys.platform != "win32":
            for number, handler in handlers.items():
                asyncio.get_running_loop().remove_signal_handler(number)
                signal.signal(number, handler)

    client = NotebookClient(
        notebook,
        on_notebook_start=hear_signals,
        timeout=CELL_LIMIT,
        kernel_name="python3",
        record_timing=False,  # times of each cell would change the file at every run
        resources={"metadata": {"path": str(folder)}},
    )
    start = time.monotonic()
    log = target.with_suffix(".log")
    try:
        with open(log, "w", encoding="utf-8") as messages:
            client.execute(stderr=messages)
    except CellExecutionError as error:
        raise NotebookError(f"{target.name} stopped: {error}\nSee {target} for all outputs up to there.") from error
    except DeadKernelError as error:
        raise NotebookError(f"{target.name}: its kernel died, often for want of memory. See {log}.") from error
    finally:
        nbformat.write(notebook, target)
    return time.monotonic() - start


def find_notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    """The sources of the course's notebooks, in order; the one list of them. Beside each lies the executed .ipynb.

    Args:
        folder: that of the checkout, unless a test says otherwise.

    Raises:
        FileNotFoundError: the package was installed without the notebooks.
    """
    found = sorted(folder.glob("[0-9][0-9]_*.py"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no notebooks. Clone the repository.")
    return found


def run_course(recipe: str, data: str | None) -> Iterator[str]:
    """Execute all notebooks in a run folder of their own, and write `summary.json` into it.

    Args:
        recipe: name of a recipe.
        data: folder of a data set; `None` for the drawn one.

    Yields:
        Lines to print: a line per notebook, then the table.

    Raises:
        NotebookError: a cell failed.
    """
    data = str(Path(data).expanduser().resolve()) if data else None  # kernels work in another folder
    usual = course.usual_run(recipe, Path(data) if data else None)
    run = usual.with_name(f"{datetime.now():%Y-%m-%d_%H%M%S}-{usual.name}")
    os.environ.update(LUNGSEG_RECIPE=recipe, LUNGSEG_DATA=data or "", LUNGSEG_RUN=str(run))
    chosen = course.start()
    course.cases_ready(chosen)  # draws with a progress bar, and finds mistakes in a data set before anything runs
    run.mkdir(parents=True)
    seconds = {}
    notebooks = [path.with_suffix(".ipynb") for path in find_notebooks()]
    for number, path in enumerate(notebooks, 1):
        notebook = nbformat.read(path, as_version=4)
        seconds[path.stem] = execute(notebook, path.parent, run / path.name)
        yield f"[{number}/{len(notebooks)}] {path.stem:16} {seconds[path.stem]:6.0f} s"
    summary = summarise_run(chosen, seconds)
    write_json(summary, run / "summary.json")
    if not usual.exists():  # so that notebooks opened afterwards need not train again; a run of their own stays
        with write_whole(usual) as draft:
            shutil.copytree(run, draft, ignore=shutil.ignore_patterns("*.ipynb", "*.log"))
    yield from [
        "",
        scores.format_summary(summary["scores"]),
        "",
        run_in_words(summary),
        f"All of it lies in {run}.",
    ]


def summarise_run(chosen: course.Course, seconds: dict[str, float]) -> dict:
    """Collect what a run produced: recipe, data, split sizes, seconds per notebook, scores on the test split."""
    split = read_json(chosen.run / "split.json")
    return {
        "recipe": chosen.recipe.name,
        "data": chosen.data_name,
        "images": {part: len(split[part]) for part in PARTS},
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "total_seconds": round(sum(seconds.values()), 1),
        "peak_memory_gb": peak_memory(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "scores": scores.summarise(scores.read_scores(chosen.run / "scores.csv")),
    }


def peak_memory() -> float | None:
    """GB of the largest process that has ended, a kernel with TensorFlow; `None` on Windows, which does not say."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # kilobytes, on macOS bytes
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e9, 2)


def run_in_words(summary: dict) -> str:
    """One line about a run, under its table."""
    images = ", ".join(f"{count} {part}" for part, count in summary["images"].items())
    memory = f", {summary['peak_memory_gb']:.1f} GB at most" if summary["peak_memory_gb"] else ""
    return (
        f"Recipe {summary['recipe']} on {summary['data']} ({images} images), test split, hard masks, per image: "
        f"{summary['total_seconds'] / 60:.1f} minutes on {summary['cores']} cores{memory}."
    )
