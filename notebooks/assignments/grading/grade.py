"""Mark what students have handed in: `make grade SUBMISSIONS=folder`.

Runs every notebook, confined and limited. Into data/grading/NAME, NAME being that of the folder, it writes

    marks.csv       a row per student, with the marks of all assignments
    written.csv     the answers in words: mark them there, or with `make desk`, and run this once more
    tests.csv       for each test, how many failed it and the commonest message
    alike.csv       answers of different students that are alike
    unused.txt      every file that was not used, and why
    feedback/       a page per student and assignment
    upload/         what Moodle and Canvas take: feedback in a zip, their own tables with the marks filled in
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import alike
import confine
import execute
import lms
from feedback import render
from nbformat import NotebookNode
from release import FOLDER, HIDDEN, is_test, marks, masters, part_of, read_master, student_copy
from submissions import Sheet, Submission, assemble, days_late, find_submissions, read_table
from tqdm import tqdm
from written import matched, number, read_written, write_rows
from written import COLUMNS as WRITTEN

import lungseg_utils
from lungseg_utils.files import write_whole

RESULTS = FOLDER.parents[1] / "data" / "grading"
WARNING = """
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
!! Neither bubblewrap (bwrap) nor unshare works here: submissions run with all your rights, on your files and  !!
!! your network. Stop now (Ctrl-C) unless you trust everyone who handed in; on Debian or Ubuntu, say           !!
!! `sudo apt install bubblewrap`; on a Mac or on Windows, mark in a container (the guide has the command).     !!
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
"""


@dataclass
class Assignment:
    """An assignment as it is marked."""

    name: str
    master: NotebookNode
    released: NotebookNode

    @property
    def title(self) -> str:
        """Its heading."""
        return self.master.cells[0].source.partition("\n")[0].lstrip("# ")

    @property
    def worth(self) -> dict[str, float]:
        """What each test and each answer in words is worth, by name."""
        graded = [marks(cell) for cell in self.master.cells if marks(cell).get("grade")]
        return {note["grade_id"]: float(note["points"]) for note in graded}


@dataclass
class Marked:
    """A submission that was marked."""

    one: Submission
    sheet: Sheet
    result: dict = field(default_factory=dict)  # as `execute.mark` returns it
    trouble: str = ""  # why it could not be marked on this machine
    written: list[dict] = field(default_factory=list)  # its rows of written.csv

    def message(self, test: str) -> str:
        """What the student is told of a test, `""` when it was passed."""
        part = test.partition("-")[0]
        return self.sheet.void.get(part) or self.result.get("tests", {}).get(test, "nothing was handed in")


@cache
def code_key() -> str:
    """What marks depend on beside a submission and its tests: the course's package, and how submissions are run."""
    files = [*Path(lungseg_utils.__file__).parent.rglob("*.py"), *Path(__file__).parent.glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()


def run_one(marked: Marked, kept: Path) -> None:
    """Run a submission, or take the last result if neither it nor the tests nor the package have changed."""
    if marked.one.notebook is None:
        return
    text = json.dumps([marked.sheet.cells, str(execute.LIMITS), code_key()])
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    if kept.exists() and (before := json.loads(kept.read_text(encoding="utf-8")))["key"] == key:
        marked.result = before["result"]
        return
    try:
        marked.result = execute.mark(marked.sheet.cells, execute.LIMITS)
    except Exception as error:  # one submission must not stop the others: it is reported, and the command fails
        marked.trouble = f"{type(error).__name__}: {error}"
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(kept) as draft:
        draft.write_text(json.dumps({"key": key, "result": marked.result}), encoding="utf-8")


def run_all(assignment: Assignment, found: list[Submission], folder: Path) -> list[Marked]:
    """Run the submissions of an assignment, as many side by side as there are cores."""
    empty = NotebookNode(cells=[])
    everyone = [Marked(one, assemble(assignment.master, assignment.released, one.notebook or empty)) for one in found]

    def one(marked: Marked) -> None:
        digest = hashlib.sha256(marked.one.student.encode()).hexdigest()[:16]
        run_one(marked, folder / assignment.name / f"{digest}.json")

    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1))) as pool:
        quiet = not sys.stderr.isatty()
        list(tqdm(pool.map(one, everyone), assignment.name, len(everyone), unit="notebook", disable=quiet))
    for marked in everyone:
        if marked.one.notebook is None:
            marked.sheet.remarks, marked.sheet.void = [], {}
        marked.one.remarks += marked.sheet.remarks
        stopped = marked.result.get("stopped", {})
        marked.one.remarks += [f"{part or 'a cell before part 1'}: {why}" for part, why in stopped.items()]
        marked.one.remarks += [f"{part}: {why}" for part, why in marked.sheet.void.items()]
    return everyone


def scores(marked: Marked, assignment: Assignment) -> dict[str, float | None]:
    """The marks of each part; `None` for an answer in words that is not marked yet."""
    found: dict[str, float | None] = {}
    rows = {row["part"]: row for row in marked.written}
    for name, worth in assignment.worth.items():
        if name in marked.sheet.written:
            row = rows.get(name)
            found[name] = (
                0.0 if row is None else number(row, Path("written.csv")) if row.get("mark", "").strip() else None
            )
        else:
            part = name.partition("-")[0]
            found[part] = (found.get(part) or 0.0) + (0.0 if marked.message(name) else worth)
    return found


def page(marked: Marked, assignment: Assignment) -> str:
    """The page that the student gets."""
    got, worth, parts = scores(marked, assignment), assignment.worth, []
    rows = {row["part"]: row for row in marked.written}
    for part, value in got.items():
        most = sum(points for name, points in worth.items() if name.partition("-")[0] == part)
        shown = f"not marked yet ({most:g})" if value is None else f"{value:g} of {most:g}"
        lost = [(name, marked.message(name)) for name in worth if name.startswith(f"{part}-")]
        lines = [f"{name.partition('-')[2]}, {worth[name]:g} marks: {said}" for name, said in lost if said]
        if part in marked.sheet.void:
            lines = [marked.sheet.void[part]]
        comment = rows.get(part, {}).get("comment", "")
        parts.append({"name": part, "marks": shown, "lost": lines, "comment": comment})
    answers = [
        {"name": cell["name"], "source": cell["source"]} | output(marked, cell["name"])
        for cell in marked.sheet.cells
        if cell["kind"] in ("answer", "own")
    ]
    answers += [{"name": name, "source": text} | output(marked, "") for name, text in marked.sheet.written.items()]
    tests = [
        {
            "name": name,
            "verdict": "not passed" if marked.message(name) else "passed",
            "source": HIDDEN.sub("", cell.source),
        }
        for cell in assignment.master.cells
        if is_test(cell) and (name := marks(cell)["grade_id"])
    ]
    return render(
        "feedback.html.j2",
        title=assignment.title,
        student=marked.one.student,
        total=f"{sum(value or 0 for value in got.values()):g}",
        most=f"{sum(worth.values()):g}",
        open=None in got.values(),
        remarks=marked.one.remarks,
        parts=parts,
        answers=answers,
        tests=tests,
    )


def output(marked: Marked, name: str) -> dict:
    """What a cell has put out."""
    printed, pictures, error = marked.result.get("outputs", {}).get(name, ("", [], ""))
    return {"printed": printed, "pictures": pictures, "error": error}


def row_of(marked: Marked, assignment: Assignment, due: datetime | None) -> dict[str, str]:
    """The columns of an assignment in the student's row of the marks."""
    short, got = assignment.name.partition("_")[0], scores(marked, assignment)
    row = {f"{short} {part}": "" if value is None else f"{value:g}" for part, value in got.items()}
    state = "complete" if None not in got.values() else "written answer to mark"
    total, most = sum(value or 0 for value in got.values()), sum(assignment.worth.values())
    if marked.trouble:
        row, state = dict.fromkeys(row, ""), "NOT MARKED"
    shown = ["", ""] if marked.trouble else [f"{total:g}", f"{100 * total / most:.1f}"]
    row |= {f"{short} total": shown[0], f"{short} out of": f"{most:g}", f"{short} percent": shown[1]}
    row[f"{short} state"] = state
    row[f"{short} late"] = "late" if marked.one.late else days_late(marked.one.details, due)
    row[f"{short} remarks"] = "; ".join([*marked.one.remarks, marked.trouble]).strip("; ")
    return row


def write_figures(everyone: dict[str, list[Marked]], assignments: dict[str, Assignment], results: Path) -> None:
    """For each test how many failed it, and with which message most often; and the answers that are alike."""
    rows = []
    for name, group in everyone.items():
        ran = [marked for marked in group if marked.result]
        for test in (test for test in assignments[name].worth if "-" in test):
            said = Counter(filter(None, (marked.message(test) for marked in ran)))
            common, times = said.most_common(1)[0] if said else ("", 0)
            row = {"assignment": name, "test": test, "failed": said.total(), "of": len(ran)}
            rows.append(row | {"commonest message": common, "times": times})
    write_rows(results / "tests.csv", ["assignment", "test", "failed", "of", "commonest message", "times"], rows)
    pairs = []
    for name, group in everyone.items():
        given = {cell["name"]: cell["source"] for cell in assemble_released(assignments[name])}
        for part in given:
            answers = {
                marked.one.student: cell["source"]
                for marked in group
                for cell in marked.sheet.cells
                if cell["name"] == part and marked.one.notebook is not None
            }
            found = alike.pairs(answers, given[part])
            pairs += [
                {"assignment": name, "part": part, "one": a, "other": b, "alike": f"{share:.0%}"}
                for a, b, share in found
            ]
    write_rows(results / "alike.csv", ["assignment", "part", "one", "other", "alike"], pairs)


def assemble_released(assignment: Assignment) -> list[dict]:
    """The answer cells as students get them."""
    sheet = assemble(assignment.master, assignment.released, assignment.released)
    return [cell for cell in sheet.cells if cell["kind"] == "answer"]


def upload(
    everyone: dict[str, list[Marked]], assignments: dict[str, Assignment], folder: Path, results: Path
) -> list[str]:
    """Write what learning platforms take; returns what was written."""
    made, totals, comments = [], {}, {}
    for name, group in everyone.items():
        short = name.partition("_")[0]
        rows = {
            lms.number_of(marked.one.student): row_of(marked, assignments[name], None)
            for marked in group
            if not marked.trouble
        }
        totals[name] = {key: row[f"{short} percent"] for key, row in rows.items() if key}
        comments[name] = {key: row[f"{short} remarks"] for key, row in rows.items() if key}
        pages = {marked.one.student: results / "feedback" / safe(marked.one.place) / f"{name}.html" for marked in group}
        pages = {student: path for student, path in pages.items() if path.exists()}
        lms.feedback_zip([marked.one for marked in group], pages, results / "upload" / f"feedback_{name}.zip")
    titles = {name: assignment.title for name, assignment in assignments.items()}
    for table in sorted(folder.glob("*.csv")):
        columns, _ = read_table(table)
        target = results / "upload" / table.name
        if {"Identifier", "Grade"} <= set(columns):
            name = next((name for name in totals if name.partition("_")[0] in table.stem.lower()), None)
            name = name or (next(iter(totals)) if len(totals) == 1 else None)
            if name is None:
                made.append(f"{table.name} was not filled in: put the assignment, a1 to a5, into its name")
            else:
                made.append(f"{target}: {lms.fill_moodle(table, totals[name], comments[name], target)} marks")
        elif {"Student", "ID"} <= set(columns):
            made.append(f"{target}: {lms.fill_canvas(table, totals, titles, target)} marks")
    return made


def safe(place: str) -> str:
    """The name of a student's folder of feedback on this machine."""
    return (
        "".join(letter if letter.isprintable() and letter not in '/\\:*?"<>|' else "_" for letter in place).strip(". ")
        or "_"
    )


def moved(old: Path, rows: list[dict[str, str]]) -> list[str]:
    """Which marks are others than the last time, if there was one."""
    if not old.exists():
        return []
    before = {row["student"].removeprefix("'"): row for row in read_table(old)[1]}
    return [
        f"{row['student']}: {key} {before[row['student']][key] or '-'} -> {row[key] or '-'}"
        for row in rows
        if row["student"] in before
        for key in row
        if key.endswith(" total") and key in before[row["student"]] and before[row["student"]][key] != row[key]
    ]


def grade(folder: Path, results: Path, due: datetime | None = None) -> list[str]:
    """Mark everything that a folder holds.

    Args:
        folder: the submissions; only read.
        results: folder for the marks. What a teacher has written into its `written.csv` is used and kept.
        due: the deadline, for the column `late`.

    Returns:
        What could not be marked, because of this machine.

    Raises:
        SystemExit: nothing to mark, or a mistake in one of the teacher's tables.
    """
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder. SUBMISSIONS names the folder with the students' notebooks.")
    before = read_written(results / "written.csv")
    assignments = {path.stem: Assignment(path.stem, read_master(path), student_copy(path)) for path in masters()}
    found, unused = find_submissions(folder, {name: one.released for name, one in assignments.items()})
    if not found:
        raise SystemExit(f"No submission in {folder}: no notebook there is a copy of {', '.join(assignments)}.")
    results.mkdir(parents=True, exist_ok=True)
    everyone = {name: run_all(assignments[name], group, results / "kept") for name, group in found.items()}
    for made in ("feedback", "upload"):
        shutil.rmtree(results / made, ignore_errors=True)
    rows: dict[str, dict[str, str]] = {}
    for name, group in everyone.items():
        for marked in group:
            one = marked.one
            marked.written = matched(one.student, name, marked.sheet.written, assignments[name].worth, before)
            if any(row.get("earlier") and not row["mark"] for row in marked.written):
                one.remarks.append("an answer in words has changed since it was marked; mark it again")
            row = rows.setdefault(one.student, {**one.details, "student": one.student})
            row.update(row_of(marked, assignments[name], due))
            if not marked.trouble:
                path = results / "feedback" / safe(one.place) / f"{name}.html"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(page(marked, assignments[name]), encoding="utf-8")
    changed = moved(results / "marks.csv", list(rows.values()))
    write_rows(
        results / "marks.csv", list(dict.fromkeys(key for row in rows.values() for key in row)), list(rows.values())
    )
    written = [row for group in everyone.values() for marked in group for row in marked.written]
    now = {(row["student"], row["assignment"], row["part"]) for row in written}
    gone = [row for key, row in before.items() if key not in now]
    columns = dict.fromkeys([*WRITTEN, *(key for row in before.values() for key in row)])
    write_rows(results / "written.csv", list(columns), written + gone)
    write_figures(everyone, assignments, results)
    (results / "unused.txt").write_text("".join(f"{line}\n" for line in unused), encoding="utf-8")
    print("\n".join([*upload(everyone, assignments, folder, results), *(f"another mark: {line}" for line in changed)]))
    print("\n".join(f"not used: {line}" for line in unused))
    return [
        f"{each.one.student}, {name}: {each.trouble}"
        for name, group in everyone.items()
        for each in group
        if each.trouble
    ]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", type=Path, help="folder with a folder or a notebook per student")
    parser.add_argument("--due", help="the deadline, for example '2026-11-30 23:59+01:00': fills the column `late`")
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
    troubles = grade(folder, RESULTS / folder.name, due)
    print(f"\nEverything is in {RESULTS / folder.name}: see marks.csv, written.csv, feedback/, upload/")
    for trouble in troubles:
        print(f"NOT MARKED: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
