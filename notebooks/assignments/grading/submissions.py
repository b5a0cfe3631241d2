"""Find what students have handed in, and put their answers beside the assignment's own tests."""

import csv
import io
import json
import math
import re
import tokenize
import unicodedata
import warnings
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode
from nbformat.warnings import DuplicateCellId
from release import defined, is_test, marks, part_of

CLASS_LIST = "students.csv"
LARGEST = 20_000_000  # bytes of a notebook; one of ours has under a tenth of that
UNPACKED = 500_000_000  # bytes that all zips of a class may hold
# Ben Berg_12345_assignsubmission_file_ (a folder, or how a file's name begins), bergben_LATE_4711_88812_a1.ipynb
MOODLE = re.compile(r"(?P<name>[^_/]+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_|$)")
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<file>\d+)_")
LEFT_OUT = re.compile(r"(^|/)(__MACOSX|\.ipynb_checkpoints|\.[^/]*|~\$[^/]*|Thumbs\.db)(/|$)")
warnings.filterwarnings("ignore", category=DuplicateCellId)  # of a cell that a student has copied; ids are not used
BLANK = {tokenize.COMMENT, tokenize.NL}
LAYOUT = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
NO_MARKS = "a part whose tests are changed or deleted gets no marks. Put your answer into a new copy of the assignment."


class SubmissionError(ValueError):
    """A file that cannot be marked; the message is for the student."""


@dataclass
class File:
    """A file that was handed in, alone or in a zip."""

    name: str  # path below the folder of submissions; the name of a zip is a folder in it
    content: bytes | None  # `None`: too large to be read
    changed: float  # when, as far as its file or zip says


@dataclass
class Submission:
    """What one student has handed in for one assignment."""

    student: str  # what tells students apart: the LMS's name and number, or the name of a folder or file
    place: str  # the name under which the LMS expects feedback
    notebook: NotebookNode | None = None
    details: dict[str, str] = field(default_factory=dict)  # the student's row of the class list
    remarks: list[str] = field(default_factory=list)  # what teacher and student have to know about it
    late: bool = False  # as the LMS says


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """A table as any spreadsheet writes it: UTF-8 or cp1252, commas, semicolons or tabs, any ends of lines.

    Returns:
        Its columns and rows.
    """
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SystemExit(f"{path} is no text that a spreadsheet wrote. Save it as CSV (UTF-8).")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")), delimiter=delimiter))
    columns = [name.strip() for name in rows[0]] if rows else []
    return columns, [dict(zip(columns, [*row, *[""] * len(columns)])) for row in rows[1:] if any(row)]


def read_class_list(folder: Path) -> dict[str, dict[str, str]]:
    """The class list `students.csv`, if there is one: a column `student`, and others that are copied into the marks.

    Raises:
        SystemExit: it has no column `student`, or a student twice.
    """
    path = folder / CLASS_LIST
    if not path.exists():
        return {}
    columns, rows = read_table(path)
    if "student" not in columns:
        raise SystemExit(f"{path}: the first line must name the columns, `student` among them.")
    names = [row["student"] for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"{path}: {', '.join(twice)} stands there more than once.")
    return {row["student"]: row for row in rows}


def all_files(folder: Path) -> list[File]:
    """Every file in a folder, those in zips and zips within them too; what systems leave lying about is left out."""
    found, left = [], UNPACKED

    def unpack(name: str, content: bytes, depth: int) -> None:
        nonlocal left
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for each in archive.infolist():
                    inside = str(PurePosixPath(name.removesuffix(".zip"), *PurePosixPath(each.filename).parts))
                    parts = PurePosixPath(each.filename).parts
                    if each.is_dir() or LEFT_OUT.search(inside) or ".." in parts or each.filename.startswith("/"):
                        continue
                    left -= each.file_size
                    fits = left > 0 and each.file_size <= LARGEST + (depth == 0) * UNPACKED
                    add(inside, archive.read(each) if fits else None, depth + 1, stamp(each.date_time))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError):
            found.append(File(name, content[:0], 0))

    def add(name: str, content: bytes | None, depth: int, changed: float) -> None:
        if name.lower().endswith(".zip") and content and depth < 3:
            unpack(name, content, depth)
        else:
            found.append(File(name, content, changed))

    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (
            path.is_symlink()
            or not path.is_file()
            or LEFT_OUT.search(name)
            or not path.resolve().is_relative_to(folder)
        ):
            continue
        most = UNPACKED if name.lower().endswith(".zip") else LARGEST
        add(name, path.read_bytes() if path.stat().st_size <= most else None, 0, path.stat().st_mtime)
    return found


def stamp(date: tuple) -> float:
    """A zip's date as a number that grows with time."""
    return float("".join(f"{number:02d}" for number in date))


def who(name: str) -> tuple[str, str, bool]:
    """Of whom a file is: the student, the name for feedback, whether the LMS says it is late."""
    parts = PurePosixPath(name).parts
    for at, part in enumerate(parts, 1):
        if found := MOODLE.match(part):  # Moodle's folders have no last _ from 4.1 on; it takes both
            return f"{found['name']} {found['id']}", part if at < len(parts) else found[0], False
    for part in parts:
        if found := CANVAS.match(part):
            return f"{found['name']} {found['id']}", part, bool(found["late"])
    first = parts[0] if len(parts) > 1 else re.sub(r"[ _.-]*a\d_\w*.*|\.ipynb$", "", parts[0]) or parts[0]
    return unicodedata.normalize("NFC", first), first, False


def read_notebook(file: File) -> NotebookNode:
    """Read a notebook that a student has handed in.

    Raises:
        SubmissionError: it is not a notebook.
    """
    name, advice = PurePosixPath(file.name).name, "Hand in the .ipynb file, as JupyterLab or Colab saves it."
    if file.content is None:
        raise SubmissionError(f"{name} has over {LARGEST // 1_000_000} MB. Clear its outputs and hand it in again.")
    try:
        notebook = nbformat.reads(file.content.decode("utf-8-sig"), as_version=4)
        nbformat.validate(notebook)
        json.dumps(notebook, ensure_ascii=False).encode("utf-8")  # half a character cannot be written again
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, nbformat.ValidationError) as error:
        first = str(error).strip().split("\n")[0][:200]
        raise SubmissionError(f"{name} is not a notebook ({type(error).__name__}: {first}). {advice}") from error
    return notebook


def names_of(notebook: NotebookNode) -> set[str]:
    """The names of an assignment's cells in a notebook."""
    notes = [marks(cell) for cell in notebook.cells]
    return {str(note.get("grade_id")) for note in notes if isinstance(note, dict)}


def assignment_of(notebook: NotebookNode, released: dict[str, NotebookNode]) -> str | None:
    """The assignment that a notebook is a copy of, by the names of its cells, whatever the file is called."""
    found = names_of(notebook)
    shared = {
        name: len({each for each in names_of(copy) & found if "setup" not in each}) for name, copy in released.items()
    }
    best = max(shared, key=lambda name: shared[name])
    return best if shared[best] > 1 else None


def find_submissions(folder: Path, released: dict[str, NotebookNode]) -> tuple[dict[str, list[Submission]], list[str]]:
    """What a folder holds, a submission per assignment and student.

    Args:
        folder: a folder or a file per student, as Moodle or Canvas exports them or as a teacher collects them; with a
            class list, students on it who have handed in nothing are included.
        released: the student copy of each assignment, by name.

    Returns:
        For each assignment that somebody has handed in, the submissions in the order of names. And every file that
        was not used, with the reason.
    """
    found: dict[str, dict[str, list[tuple[File, NotebookNode]]]] = {}
    places: dict[str, tuple[str, bool]] = {}
    broken: dict[tuple[str, str], str] = {}
    unused = []
    for file in all_files(folder.resolve()):
        student, place, late = who(file.name)
        if file.name.endswith(".csv") and "/" not in file.name:
            continue  # the teacher's tables
        named = next((name for name in released if name in file.name), None)
        try:
            notebook = read_notebook(file)
            name = assignment_of(notebook, released)
            if name is None:
                raise SubmissionError(f"{PurePosixPath(file.name).name} is a notebook, but none of these assignments")
        except SubmissionError as error:
            unused.append(f"{file.name}: {error}")
            if named:
                broken[named, student] = str(error)
                places.setdefault(student, (place, late))
            continue
        places[student] = place, late
        found.setdefault(name, {}).setdefault(student, []).append((file, notebook))
    for name, student in broken:
        found.setdefault(name, {}).setdefault(student, [])
    listed = read_class_list(folder)
    result = {}
    for name in sorted(found):
        result[name] = []
        for student in sorted({*found[name], *listed}):
            place, late = places.get(student, (student, False))
            one = Submission(student, place, details=listed.get(student, {}), late=late)
            files = sorted(found[name].get(student, []), key=lambda pair: recency(pair[0]))
            if files:
                one.notebook = files[-1][1]
                unused += [f"{file.name}: {student} has handed in a newer one" for file, _ in files[:-1]]
                if len(files) > 1:
                    one.remarks.append(f"{len(files)} files handed in; this one was marked: {files[-1][0].name}")
            else:
                one.remarks.append(broken.get((name, student), f"nothing handed in for {name}"))
            if listed and student not in listed:
                one.remarks.append(f"not on the class list {CLASS_LIST}")
            result[name].append(one)
    return result, unused


def recency(file: File) -> tuple:
    """What orders a student's files by time: Canvas' number of the file and attempt, then the date of the file."""
    name = PurePosixPath(file.name).name
    canvas, again = CANVAS.match(name), re.search(r"-(\d+)\.ipynb$", name)
    return int(again[1]) if again else 0, int(canvas["file"]) if canvas else 0, file.changed


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


@dataclass
class Sheet:
    """A submission beside the assignment: what is run, what is read by a person, and what to say about it."""

    cells: list[dict]  # as `judge.Judge` takes them, in the order of the notebook
    written: dict[str, str]  # the answers in words, by name; "" for one that was left empty
    remarks: list[str]
    void: dict[str, str]  # parts that get no marks because a test was changed or deleted, with the reason


def assemble(master: NotebookNode, released: NotebookNode, submitted: NotebookNode) -> Sheet:
    """Put a student's answers beside the master's set-up and tests, which are always the original ones."""
    own = {marks(cell)["grade_id"]: cell for cell in released.cells if marks(cell)}
    plain = {cell.source for cell in released.cells if not marks(cell)}
    answers: dict[str, list[str]] = {}
    added: dict[str, list[str]] = {}
    last = ""
    for cell in submitted.cells:
        note = marks(cell)
        name = str(note.get("grade_id", "")) if isinstance(note, dict) else ""
        if name in own:
            last = name
            answers.setdefault(name, []).append(cell.source)
        elif cell.cell_type == "code" and cell.source.strip() and cell.source not in plain:
            added.setdefault(last, []).append(cell.source)
    sheet, part = Sheet([], {}, [], {}), ""

    def add(kind: str, name: str, source: str, defines: list[str] | None = None) -> None:
        sheet.cells.append({"kind": kind, "name": name, "part": part, "source": source, "defines": defines or []})

    def add_own(after: str) -> None:
        for number, source in enumerate(added.get(after, []), 1):
            add("own", f"your own cell {number} after {after or 'the beginning'}", source)

    add_own("")
    for cell in master.cells:
        note = marks(cell)
        if not note:
            continue
        name, given = note["grade_id"], answers.get(note["grade_id"])
        if note["solution"]:
            part = part_of(cell)
            if given is None:
                sheet.remarks.append(f"the answer cell {name} is missing")
            # a cell that was copied counts as it does in the student's own notebook: all of it, in order
            source = "\n\n".join(given) if given else own[name].source
            if cell.cell_type == "markdown":
                sheet.written[name] = "" if source.strip() == own[name].source.strip() else source.strip()
            else:
                add("answer", name, source, defined(own[name].source))
        else:
            kind = "test" if is_test(cell) else "probe" if name.startswith("probe") else "setup"
            add(kind, name, cell.source, defined(cell.source) if kind == "probe" else [])
            # a cell that was copied, or cut into two, is still the same test
            if not any(does_the_same(each, own[name].source) for each in [*(given or []), "\n".join(given or [])]):
                what = f"{name} was {'changed' if given else 'deleted'}"
                if kind == "test":
                    sheet.void.setdefault(part, f"the test {what}, and {NO_MARKS}")
                else:
                    sheet.remarks.append(f"{what}: the original was used")
        add_own(name)
    return sheet


def days_late(details: dict[str, str], due: datetime | None) -> str:
    """Days from the deadline to the time in the class list's column `handed in`, begun ones counted whole.

    A file that a student can write is not believed, nor the date of a file.

    Raises:
        SystemExit: the column holds no time.
    """
    said = details.get("handed in", "").strip()
    if due is None or not said:
        return ""
    try:
        late = (datetime.fromisoformat(said).astimezone() - due).total_seconds()
    except ValueError as error:
        raise SystemExit(f"{CLASS_LIST}: `handed in` is a time like 2026-11-30 23:59:00+01:00. {error}") from error
    return str(max(0, math.ceil(late / 86400)))
