"""Make the student copies and the solutions of the assignments from their masters: `make assignments`.

    python notebooks/assignments/grading/release.py

A master is `notebooks/assignments/aN_name.py`. Its student copy goes to `notebooks/assignments/student`, its solution
to `data/assignments/solutions`, which git ignores.
"""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import ClearHiddenTests
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parents[1]
STUDENT = FOLDER / "student"
SOLUTIONS = FOLDER.parents[1] / "data" / "assignments" / "solutions"
SOLUTION_MARKS = ("### BEGIN SOLUTION", "### END SOLUTION")
# An editor that pairs notebooks with .py files by default must leave these alone: an old .py would put answers back.
NOT_PAIRED = {"formats": "ipynb"}


def masters() -> list[Path]:
    """The sources of the assignments, in order."""
    return sorted(FOLDER.glob("a[0-9]*_*.py"))


def read_master(master: Path) -> NotebookNode:
    """The notebook of a master, as `make notebooks` wrote it last; a test holds the two files together."""
    path = master.with_suffix(".ipynb")
    if not path.exists():
        raise SystemExit(f"{path.name} is missing: run `make notebooks`, which executes {master.name}.")
    return nbformat.read(path, as_version=4)


def part_of(cell: NotebookNode) -> str:
    """The part of an assignment that a cell belongs to: its grade_id up to the first hyphen, `""` without one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "").partition("-")[0]


def nbgrader_course(folder: Path) -> NbGraderAPI:
    """nbgrader at work in a folder: its course directory with source, release, submissions, feedback and gradebook."""
    # nbgrader calls alembic by name: it is found also where the environment is not activated
    own = str(Path(sys.executable).parent)
    if own not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", "")])
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    config.ClearSolutions.text_stub = "*Write your answer here, in place of this line.*"
    # Submissions arrive executed (see execute.py), so nbgrader neither runs them nor takes away what they put out.
    ours = "nbgrader.preprocessors"
    clean = ("DeduplicateIds", "OverwriteCells", "CheckCellMetadata")
    config.Autograde.sanitize_preprocessors = [f"{ours}.{name}" for name in clean]
    config.Autograde.autograde_preprocessors = [f"{ours}.LimitOutput", f"{ours}.SaveAutoGrades"]
    config.LimitOutput.max_lines = 200
    # A feedback page shows the message of a hidden test that failed, not the test, and runs no script of a student's.
    config.GenerateFeedback.preprocessors = [
        f"{ours}.ClearHiddenTests",
        "nbconvert.preprocessors.sanitize.SanitizeHTML",
        f"{ours}.GetGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    config.SanitizeHTML.enabled = True
    config.NbGrader.logfile = ""
    # nbgrader looks up objects that it has not stored yet, which does no harm
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
    return NbGraderAPI(config=config)


def succeeded(result: dict) -> None:
    """Stop with what nbgrader said if it failed.

    Raises:
        RuntimeError: it failed.
    """
    if not result["success"]:
        raise RuntimeError(f"nbgrader failed:\n{result['log']}\n{result['error']}")


def add_assignment(course: NbGraderAPI, master: Path) -> NotebookNode:
    """Enter an assignment into the gradebook of nbgrader's course.

    Returns:
        Its student copy.
    """
    root, name = Path(course.coursedir.root), master.stem
    source = root / "source" / name
    source.mkdir(parents=True)
    nbformat.write(read_master(master), source / f"{name}.ipynb")
    succeeded(course.generate_assignment(name))
    return nbformat.read(root / "release" / name / f"{name}.ipynb", as_version=4)


def student_copy(master: Path) -> NotebookNode:
    """The notebook that students get: no answers, no hidden tests, no outputs, paired with nothing."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = add_assignment(nbgrader_course(Path(folder)), master)
    notebook.metadata["jupytext"] = dict(NOT_PAIRED)
    return notebook


def solution(master: Path) -> NotebookNode:
    """The notebook that is published after the deadline: the master as executed, without hidden tests and marks."""
    notebook, _ = ClearHiddenTests().preprocess(read_master(master), {})
    for cell in notebook.cells:
        kept = [line for line in cell.source.split("\n") if line.strip() not in SOLUTION_MARKS]
        cell.source = "\n".join(kept)
        cell.metadata.pop("nbgrader", None)
    notebook.metadata["jupytext"] = dict(NOT_PAIRED)
    return notebook


def main() -> None:
    """Run the command line."""
    for folder in (STUDENT, SOLUTIONS):
        folder.mkdir(parents=True, exist_ok=True)
    for master in masters():
        nbformat.write(student_copy(master), STUDENT / f"{master.stem}.ipynb")
        nbformat.write(solution(master), SOLUTIONS / f"{master.stem}.ipynb")
        print(f"{master.stem}: student copy, solution")
    print(f"Student copies in {STUDENT}\nSolutions in {SOLUTIONS}\nRubrics: the .md beside each master in {FOLDER}")


if __name__ == "__main__":
    sys.exit(main())
