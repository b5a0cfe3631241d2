"""Mark what students have handed in: `make grade SUBMISSIONS=folder`.

Runs every notebook, confined and limited, and lets nbgrader keep the marks. Into data/grading/NAME, NAME being that of
the folder, it writes

    marks.csv              a row per student and assignment, to upload to a learning platform
    written.csv            the written answers: fill in `mark` and `comment`, and run the command once more
    feedback/STUDENT/      a page per assignment for the student
    nbgrader/              nbgrader's course folder with its gradebook
"""

import argparse
import csv
import hashlib
import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

import confine
import execute
import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from release import FOLDER, add_assignment, masters, nbgrader_course, read_master, succeeded
from submissions import (
    Submission,
    SubmissionError,
    assemble,
    cells_to_run,
    days_late,
    find_submissions,
    read_submission,
)
from tqdm import tqdm

from lungseg_utils.files import write_whole

RESULTS = FOLDER.parents[1] / "data" / "grading"
WRITTEN = ["student", "assignment", "part", "answer", "out of", "mark", "comment"]
WARNING = """
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
!! Neither bubblewrap (bwrap) nor unshare works here: submissions run with all your rights, on your files and  !!
!! your network. Stop now (Ctrl-C) unless you trust everyone who handed in; on Debian or Ubuntu, say           !!
!! `sudo apt install bubblewrap`; on a Mac, mark in a Linux container or a virtual machine.                    !!
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
"""


def identifier(student: str) -> str:
    """A student's name as nbgrader's folders can have it."""
    plain = re.sub(r"[^\w.@-]", "_", student)
    return plain if plain == student else f"{plain}_{hashlib.sha256(student.encode()).hexdigest()[:6]}"


def execute_submission(one: Submission, master: NotebookNode, released: NotebookNode, kept: Path) -> NotebookNode:
    """Run one submission, or take the outputs of the last time if neither it nor the assignment has changed.

    Args:
        one: the submission; gets remarks.
        master: the assignment.
        released: its student copy.
        kept: file in which the executed notebook is kept.

    Returns:
        The executed notebook. What cannot be read is marked as an untouched student copy, of which nothing is run.
        A GradingError tells that this machine cannot run the assignment.
    """
    try:
        if one.path is None:
            raise SubmissionError("")
        notebook, remarks, void = assemble(master, released, read_submission(one.path))
        one.remarks += remarks
        cells = cells_to_run(notebook, released)
    except SubmissionError as error:
        if one.path:
            one.remarks.append(str(error))
        notebook, *_ = assemble(master, released, released)
        for cell, _ in cells_to_run(notebook, released):
            if cell.metadata.nbgrader.grade:
                cell.outputs = [execute.failure("Stopped", one.remarks[-1])]
        return notebook
    code = "".join(cell.source for cell, _ in cells) + str(execute.LIMITS) + str(void)
    key = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
    if kept.exists():
        before = nbformat.read(kept, as_version=4)
        if before.metadata.get("key") == key and len(before.cells) == len(notebook.cells):
            for old, new in zip(before.cells, notebook.cells):
                if new.cell_type == "code":
                    new.outputs = old.outputs
            one.remarks += before.metadata.stopped
            return notebook
    failed = execute.run(cells, execute.LIMITS, void)
    stopped = [f"{part or 'a cell before part 1'}: {why}" for part, why in failed.items()]
    one.remarks += stopped
    notebook.metadata.update(key=key, stopped=stopped)
    kept.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, kept)
    return notebook


def execute_all(found: list[Submission], master: NotebookNode, released: NotebookNode, folder: Path, workers: int):
    """Run submissions side by side, each in kernels of its own.

    Returns:
        Their executed notebooks; an exception in place of those that this machine could not run.
    """

    def one(submission: Submission) -> NotebookNode | Exception:
        kept = folder / f"{identifier(submission.student)}.ipynb"
        try:
            return execute_submission(submission, master, released, kept)
        except Exception as error:  # one submission must not stop the others: it is reported, and the command fails
            return error

    with ThreadPoolExecutor(workers) as pool:
        return list(tqdm(pool.map(one, found), total=len(found), unit="notebook", disable=not sys.stderr.isatty()))


def read_written(path: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """The marks that a teacher has given for written answers, by student, assignment and part."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {(row["student"], row["assignment"], row["part"]): row for row in csv.DictReader(file)}


def save_written_mark(book: Gradebook, grade, row: dict[str, str], path: Path) -> None:
    """Put a teacher's mark and comment for a written answer into the gradebook.

    Raises:
        SystemExit: the mark is no number from 0 to what the part is worth.
    """
    text, most = row["mark"].strip().replace(",", "."), grade.max_score
    try:
        mark = float(text)
    except ValueError:
        mark = -1.0
    if not 0 <= mark <= most:
        what = f"the mark of {row['student']} is {row['mark']!r}"
        raise SystemExit(f"{path}: {what}. It must be a number, 0 to {most:g}.")
    grade.manual_score, grade.needs_manual_grade = mark, False
    comment = book.find_comment(grade.name, grade.notebook.name, grade.notebook.assignment.name, grade.student.id)
    comment.manual_comment = row["comment"]
    book.db.commit()


def harmless(text: str) -> str:
    """Text as a spreadsheet takes it for text: one that begins like a formula would be computed."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_rows(path: Path, columns: list[str], rows: list[dict]) -> None:
    """Write a table; the byte order mark makes spreadsheets read it as UTF-8."""
    # whole or not at all: a teacher's marks stand in it
    with write_whole(path) as draft, draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def grade_assignment(
    course: NbGraderAPI, master_path: Path, found: list[Submission], results: Path, written: dict, due: datetime | None
) -> tuple[list[dict], list[dict], list[str]]:
    """Mark all submissions of one assignment.

    Returns:
        Rows of the marks, rows of the written answers, and what could not be marked.
    """
    name = master_path.stem
    released = add_assignment(course, master_path)
    master = read_master(master_path)
    folder = results / "executed" / name
    executed = execute_all(found, master, released, folder, workers=min(4, os.cpu_count() or 1))
    marks, answers, troubles = [], [], []
    for one, notebook in zip(found, executed):
        details = {key: harmless(value or "") for key, value in one.details.items() if key}
        row = {**details, "student": one.student, "assignment": name}
        row["days late"] = days_late(one.path, due) if due and one.path else ""
        try:
            if isinstance(notebook, Exception):
                raise notebook
            scores, rows = mark(course, name, one, notebook, results, written)
            row.update(scores)
            answers += rows
        except SystemExit:
            raise
        except Exception as error:  # the others are marked all the same; the command fails in the end
            troubles.append(f"{one.student}, {name}: {error}")
            row.update(state="NOT MARKED", remarks=str(error))
        marks.append(row)
    return marks, answers, troubles


def mark(
    course: NbGraderAPI, name: str, one: Submission, notebook: NotebookNode, results: Path, written: dict
) -> tuple[dict, list[dict]]:
    """Let nbgrader mark an executed notebook and write its feedback page.

    Returns:
        The marks, by column, and a row for each written answer.
    """
    root, student = Path(course.coursedir.root), identifier(one.student)
    if one.remarks:
        text = "**About what you handed in**\n\n" + "\n".join(f"- {remark}" for remark in one.remarks)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="remarks"))
    place = root / "submitted" / student / name
    place.mkdir(parents=True)
    nbformat.write(notebook, place / f"{name}.ipynb")
    succeeded(course.autograde(name, student))
    texts = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in notebook.cells}
    rows, parts = [], {}
    with Gradebook(course.coursedir.db_url) as book:
        submission = book.find_submission_notebook(name, name, student)
        for grade in submission.grades:
            if grade.cell.cell_type == "markdown" and grade.auto_score is None:  # an answer that was not left empty
                row = {"student": one.student, "assignment": name, "part": grade.name, "mark": "", "comment": ""}
                row.update({"answer": harmless(texts[grade.name]), "out of": f"{grade.max_score:g}"})
                before = written.get((one.student, name, grade.name))
                if before and before["mark"].strip() and before["answer"] == row["answer"]:
                    row.update(mark=before["mark"], comment=before["comment"])
                    save_written_mark(book, grade, row, results / "written.csv")
                elif before and before["mark"].strip():
                    one.remarks.append(f"{grade.name}: the answer has changed since it was marked; mark it again")
                rows.append(row)
            part = f"{name[:2]} {grade.name.partition('-')[0]}"
            parts[part] = parts.get(part, 0) + grade.score
        total, most = submission.score, submission.max_score
    succeeded(course.generate_feedback(name, student))
    page = results / "feedback" / student / f"{name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / "feedback" / student / name / f"{name}.html", page)
    scores = {key: f"{value:g}" for key, value in {**parts, "total": total, "out of": most}.items()}
    scores["state"] = "complete" if all(row["mark"] for row in rows) else "written answer to mark"
    return {**scores, "remarks": harmless("; ".join(one.remarks))}, rows


def grade(folder: Path, results: Path, due: datetime | None = None) -> list[str]:
    """Mark everything that a folder holds.

    Args:
        folder: the submissions; only read.
        results: folder for the marks. What a teacher has written into its `written.csv` is used and kept.
        due: the deadline, for the column `days late`.

    Returns:
        What could not be marked, because of this machine.

    Raises:
        SystemExit: nothing to mark, or a mistake in one of the teacher's tables.
    """
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder. SUBMISSIONS names the folder with the students' notebooks.")
    found = {master: find_submissions(folder, master.stem) for master in masters()}
    found = {master: submissions for master, submissions in found.items() if submissions}
    if not found:
        names = ", ".join(f"{master.stem}.ipynb" for master in masters())
        raise SystemExit(f"No submission in {folder}: no file there has the name of an assignment ({names}).")
    results.mkdir(parents=True, exist_ok=True)
    written = read_written(results / "written.csv")
    for made in ("nbgrader", "feedback"):
        shutil.rmtree(results / made, ignore_errors=True)
    (results / "nbgrader").mkdir()
    course = nbgrader_course(results / "nbgrader")
    mark_all = partial(grade_assignment, course, results=results, written=written, due=due)
    marks, answers, troubles = [], [], []
    for master, submissions in found.items():
        for all_rows, rows in zip((marks, answers, troubles), mark_all(master, submissions)):
            all_rows += rows
    columns = list(dict.fromkeys(key for row in marks for key in row))
    last = ["total", "out of", "state", "days late", "remarks"]
    write_rows(results / "marks.csv", [key for key in columns if key not in last] + last, marks)
    gone = [row for key, row in written.items() if key[1] in {m.stem for m in masters()} - {m.stem for m in found}]
    write_rows(results / "written.csv", WRITTEN, answers + gone)
    return troubles


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", type=Path, help="folder with a folder or a notebook per student")
    due_help = "the deadline, for example '2026-11-30 23:59+01:00': fills the column `days late`"
    parser.add_argument("--due", help=due_help)
    options = parser.parse_args()
    try:
        due = datetime.fromisoformat(options.due).astimezone() if options.due else None
    except ValueError:
        parser.error(f"--due {options.due!r}: write a time like '2026-11-30 23:59+01:00'")
    if confine.way() is None:
        print(WARNING, file=sys.stderr, flush=True)
    else:
        print(f"Submissions run without network and apart from your files ({confine.way()}).", flush=True)
    folder = options.submissions.resolve()
    results = RESULTS / folder.name
    troubles = grade(folder, results, due)
    with (results / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            print(f"{row['student']}: {row['assignment']} {row['total']} of {row['out of']}, {row['state']}", end="")
            print(f" ({row['remarks']})" if row["remarks"] else "")
    print(f"\nMarks: {results / 'marks.csv'}\nWritten answers to mark: {results / 'written.csv'}")
    print(f"Feedback: {results / 'feedback'}")
    for trouble in troubles:
        print(f"NOT MARKED: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
