"""Make the student copies and the solutions of the assignments from their masters: `make assignments`.

    python notebooks/assignments/grading/release.py

A master is `notebooks/assignments/aN_name.py`. Its student copy goes to `notebooks/assignments/student`, its solution
to `data/assignments/solutions`, which git ignores. Cells say what they are in the notes that nbgrader, too, reads.
"""

import ast
import json
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[1]
STUDENT = FOLDER / "student"
SOLUTIONS = FOLDER.parents[1] / "data" / "assignments" / "solutions"
SOLUTION = re.compile(r"( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS\n?", re.DOTALL)
CODE_STUB, TEXT_STUB = "raise NotImplementedError", "*Write your answer here, in place of this line.*"
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


def marks(cell: NotebookNode) -> dict:
    """What a cell's notes say: its name (`grade_id`), whether it is an answer or a test, its points."""
    return cell.metadata.get("nbgrader", {})


def part_of(cell: NotebookNode) -> str:
    """The part of an assignment that a cell belongs to: its name up to the first hyphen, `""` without one."""
    return marks(cell).get("grade_id", "").partition("-")[0]


def is_test(cell: NotebookNode) -> bool:
    """Whether a cell is a test that gives marks."""
    return bool(marks(cell).get("grade")) and cell.cell_type == "code"


def defined(source: str) -> list[str]:
    """The functions and classes that a cell of the assignment defines."""
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def without_answer(cell: NotebookNode) -> str:
    """A cell as students get it: no solution, no hidden tests."""
    stub = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
    return HIDDEN.sub("", SOLUTION.sub(lambda found: found[1] + stub, cell.source)).rstrip("\n")


def copied(notebook: NotebookNode) -> NotebookNode:
    """A copy of a notebook that shares nothing with it, and is paired with nothing."""
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    copy.metadata["jupytext"] = dict(NOT_PAIRED)
    return copy


def student_copy(master: Path) -> NotebookNode:
    """The notebook that students get: no answers, no hidden tests, no outputs; tests are folded."""
    notebook = copied(read_master(master))
    for cell in notebook.cells:
        cell.source = without_answer(cell)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if marks(cell).get("locked"):
            cell.metadata.update(editable=False, deletable=False)
        if is_test(cell):
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


def solution(master: Path) -> NotebookNode:
    """The notebook that is published after the deadline: the master as executed, without hidden tests and marks."""
    notebook = copied(read_master(master))
    for cell in notebook.cells:
        cell.source = re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", HIDDEN.sub("", cell.source)).rstrip("\n")
        cell.metadata.pop("nbgrader", None)
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
