"""Find what students have handed in, and put their answers into the assignment's own notebook."""

import csv
import io
import json
import math
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.warnings import DuplicateCellId
from release import part_of

CLASS_LIST = "students.csv"
LARGEST = 20_000_000  # bytes of a notebook; one of ours has under a tenth of that
warnings.filterwarnings("ignore", category=DuplicateCellId)  # of a cell that a student has copied; ids are made anew
BLANK = {tokenize.COMMENT, tokenize.NL}
LAYOUT = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
PUT_BACK = "the original was used"
NO_MARKS = "a part whose tests are changed or deleted gets no marks. Put your answer into a new copy of the assignment."


class SubmissionError(ValueError):
    """A file that cannot be marked; the message is for the student."""


@dataclass
class Submission:
    """What one student has handed in for one assignment."""

    student: str  # name of the student's folder, or of the file without the assignment's name
    path: Path | None = None  # of the notebook
    details: dict[str, str] = field(default_factory=dict)  # the student's row of the class list
    remarks: list[str] = field(default_factory=list)  # what teacher and student have to know about it


def read_class_list(folder: Path) -> dict[str, dict[str, str]]:
    """The class list `students.csv`, if there is one: a column `student`, and others that are copied into the marks.

    Raises:
        SystemExit: it has no column `student`, or a student twice.
    """
    path = folder / CLASS_LIST
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "student" not in rows[0]:
        raise SystemExit(f"{path}: the first line must name the columns, `student` among them.")
    names = [row["student"] for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"{path}: {', '.join(twice)} stands there more than once.")
    return {row["student"]: row for row in rows}


def find_submissions(folder: Path, assignment: str) -> list[Submission]:
    """What a folder holds for an assignment, a submission per student.

    A student is a folder with the notebook somewhere in it, as most learning platforms export them, or a file whose
    name holds the assignment's, for example `anna_a1_reading.ipynb`. With a class list, students on it who have handed
    in nothing are included, and others are told apart by a remark. The result is in the order of the students' names,
    and empty when nobody has handed in this assignment.
    """
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            files = [path for path in sorted(entry.rglob("*")) if assignment in path.name and path.is_file()]
            found[entry.name] = [path for path in files if ".ipynb_checkpoints" not in path.parts]
        elif assignment in entry.name:
            student = re.sub(r"[ _.-]*" + re.escape(assignment) + ".*", "", entry.name) or entry.stem
            found.setdefault(student, []).append(entry)
    if not any(found.values()):
        return []
    listed = read_class_list(folder)
    submissions = []
    for student in sorted({*found, *listed}):
        one = Submission(student, details=listed.get(student, {}))
        paths = sorted(found.get(student, []), key=lambda path: (path.suffix == ".ipynb", path.stat().st_mtime))
        if paths:
            one.path = paths[-1]
        else:
            one.remarks.append(f"nothing handed in: no file {assignment}.ipynb")
        if len(paths) > 1:
            one.remarks.append(f"{len(paths)} files handed in; the newest notebook was marked: {one.path.name}")
        if listed and student not in listed:
            one.remarks.append(f"not on the class list {CLASS_LIST}")
        submissions.append(one)
    return submissions


def handed_in(path: Path) -> datetime:
    """When a file was handed in: what `timestamp.txt` beside it says, else when the file was written last.

    Raises:
        SystemExit: `timestamp.txt` holds no time.
    """
    stamp = path.with_name("timestamp.txt")
    if not stamp.exists():
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    try:
        return datetime.fromisoformat(stamp.read_text(encoding="utf-8").strip()).astimezone()
    except ValueError as error:
        raise SystemExit(f"{stamp}: write a time like 2026-11-30 23:59:00+01:00. {error}") from error


def days_late(path: Path, due: datetime) -> int:
    """Days from the deadline to the handing in, begun ones counted whole; 0 in time."""
    return max(0, math.ceil((handed_in(path) - due).total_seconds() / 86400))


def read_submission(path: Path) -> NotebookNode:
    """Read a notebook that a student has handed in.

    Raises:
        SubmissionError: it is not a notebook.
    """
    advice = "Hand in the .ipynb file, as JupyterLab or Colab (File, Download, .ipynb) saves it."
    if path.is_symlink() or path.suffix != ".ipynb":
        raise SubmissionError(f"{path.name} is not a notebook. {advice}")
    if path.stat().st_size > LARGEST:
        most = f"{LARGEST // 1_000_000} MB"
        raise SubmissionError(f"{path.name} has over {most}. Clear its outputs and hand it in again.")
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(notebook)
        json.dumps(notebook, ensure_ascii=False).encode("utf-8")  # half a character cannot be written again
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, nbformat.ValidationError) as error:
        first = str(error).strip().split("\n")[0][:200]
        raise SubmissionError(f"{path.name} is not a notebook ({type(error).__name__}: {first}). {advice}") from error
    return notebook


def does_the_same(source: str, original: str) -> bool:
    """Whether two cells hold the same code; comments, blank lines and the width of blanks do not count."""

    def words(text: str) -> list[tuple[int, str]]:
        found = tokenize.generate_tokens(io.StringIO(text.rstrip() + "\n").readline)
        return [(word.type, "" if word.type in LAYOUT else word.string) for word in found if word.type not in BLANK]

    if len(source) > 20 * len(original):  # not worth reading: somebody else's file may be endless
        return False
    try:
        return words(source) == words(original)
    except (SyntaxError, tokenize.TokenError):
        return False  # no Python at all


def assemble(
    master: NotebookNode, released: NotebookNode, submitted: NotebookNode
) -> tuple[NotebookNode, list[str], dict[str, str]]:
    """Put a student's answers into the master, so that tests and set-up are always the original ones.

    Args:
        master: the assignment with its hidden tests.
        released: its student copy.
        submitted: what the student has made of it.

    Returns:
        A notebook to run: the master's cells, its solutions replaced by the student's, and after them the cells that
        the student has added or changed. Remarks: what was missing or had been changed. And the parts that get no
        marks because a test was changed or deleted, each with the reason.
    """
    own = {cell.metadata.nbgrader.grade_id: cell for cell in released.cells if "nbgrader" in cell.metadata}
    plain = {cell.source for cell in released.cells if "nbgrader" not in cell.metadata}
    answers: dict[str, list[str]] = {}
    added: dict[str, list[NotebookNode]] = {}
    last, remarks, void, unchanged = "", [], {}, set()
    for cell in submitted.cells:
        cell.source = cell.source.replace("HIDDEN TESTS", "HIDDEN_TESTS")  # words that nbgrader acts upon
        marks = cell.metadata.get("nbgrader")
        name = str(marks.get("grade_id", "")) if isinstance(marks, dict) else ""
        if name in own:
            last = name
            answers.setdefault(name, []).append(cell.source)
        elif cell.source in plain:
            unchanged.add(cell.source)
        elif cell.cell_type in ("code", "markdown"):
            cell.metadata.clear()
            added.setdefault(last, []).append(cell)

    assembled = nbformat.v4.new_notebook(metadata=master.metadata, cells=list(added.get("", [])))
    for cell in master.cells:
        cell = json_copy(cell)
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name is None:
            if cell.cell_type == "markdown" or cell.source in unchanged:
                assembled.cells.append(cell)
            continue
        given = answers.get(name)
        if cell.metadata.nbgrader.get("solution"):
            if given is None:
                remarks.append(f"the answer cell {name} is missing")
            # a cell that was copied counts as it does in the student's own notebook: all of it, in order
            cell.source = "\n\n".join(given) if given else own[name].source
        # a cell that was copied, or cut into two, is still the same test
        elif not any(does_the_same(source, own[name].source) for source in [*(given or []), "\n".join(given or [])]):
            what = f"{name} was {'changed' if given else 'deleted'}"
            if cell.metadata.nbgrader.grade:
                void.setdefault(part_of(cell), f"the test {what}, and {NO_MARKS}")
            else:
                remarks.append(f"{what}: {PUT_BACK}")
        cell.metadata.nbgrader.update(own[name].metadata.nbgrader)
        assembled.cells.extend([cell, *added.get(name, [])])
    for number, cell in enumerate(assembled.cells, 1):
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.pop("attachments", None)
    return assembled, remarks, void


def json_copy(cell: NotebookNode) -> NotebookNode:
    """A copy of a cell that shares nothing with it."""
    return nbformat.from_dict(json.loads(json.dumps(cell)))


def cells_to_run(notebook: NotebookNode, released: NotebookNode) -> list[tuple[NotebookNode, str]]:
    """Code cells of an assembled notebook that are run for marking, each with its part.

    Left out are the assignment's cells without marks that only look at a result, where the student has not changed
    them: they cost time, and nothing depends on them.
    """
    plain = {cell.source for cell in released.cells if "nbgrader" not in cell.metadata}
    parts = [part_of(cell) if cell.metadata.get("nbgrader", {}).get("solution") else None for cell in notebook.cells]
    cells, current = [], ""
    for cell, part in zip(notebook.cells, parts):
        current = part or current
        if cell.cell_type == "code" and not ("nbgrader" not in cell.metadata and cell.source in plain):
            cells.append((cell, current))
    return cells
