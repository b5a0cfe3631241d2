"""Marking as a teacher does it: submissions of all kinds, bad ones among them, and what comes out."""

import copy
import csv
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not here: pip install -e .[grading]")
from shared import run_python
from test_assignments import FOLDER, MASTERS, answer_cells, answers, marks, part_of, test_cells

sys.path.insert(0, str(FOLDER / "grading"))
import confine  # noqa: E402
import execute  # noqa: E402
import grade  # noqa: E402
import release  # noqa: E402
import submissions  # noqa: E402

pytestmark = pytest.mark.slow

READING = MASTERS[0]  # the assignment that needs no TensorFlow
NAME = READING.stem
PARTS = list(answer_cells(READING))
WORTH = {part: sum(marks(cell)["points"] for cell in test_cells(READING, part)) for part in PARTS}
SOLUTION = {part: cell.source for part, cell in answer_cells(READING).items()} | {"written": "Because they differ."}


def student_copy() -> nbformat.NotebookNode:
    return nbformat.read(release.STUDENT / f"{NAME}.ipynb", as_version=4)


def hand_in(folder, student: str, changes: dict[str, str], edit=None) -> None:
    """Write a submission: the student copy with other sources in some cells."""
    notebook = student_copy()
    for cell in notebook.cells:
        name = marks(cell).get("grade_id")
        cell.source = changes.get(name, cell.source)
    if edit:
        edit(notebook.cells)
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook, folder / student / f"{NAME}.ipynb")


def read_rows(path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def scores(row: dict[str, str]) -> dict[str, float]:
    return {part: float(row[f"{NAME[:2]} {part}"]) for part in PARTS}


def feedback(results, student: str) -> str:
    """The page that a student is given."""
    return (results / "feedback" / student / f"{NAME}.html").read_text()


def inside(part: str, *lines: str) -> str:
    """The solution of a part, with other code where its body begins."""
    return re.sub(r"( *)### BEGIN SOLUTION", lambda found: "\n".join(found[1] + line for line in lines), SOLUTION[part])


def without_tests(part: str):
    def edit(cells):
        cells[:] = [cell for cell in cells if not marks(cell).get("grade_id", "").startswith(f"{part}-test")]

    return edit


def add_cells_and_comments(cells) -> None:
    """What a student may do: cells of their own, comments and blank lines in tests, a test cut into two cells."""
    for cell in cells:
        if marks(cell).get("grade") and cell.cell_type == "code":
            cell.source = cell.source.replace("\n", "  # why?\n\n", 1)
    first = next(number for number, cell in enumerate(cells) if marks(cell).get("grade"))
    cells.insert(first, copy.deepcopy(cells[first]))
    cells[first].source, _, cells[first + 1].source = cells[first].source.partition("\n")
    cells.insert(0, nbformat.v4.new_code_cell("1 / 0"))


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Thirty submissions of the first assignment, marked: their marks, the folder of results, and a file to spoil."""
    folder, results = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("results")
    target = tmp_path_factory.mktemp("teacher") / "marks.txt"
    target.write_text("secret")
    first, second = PARTS[:2]
    hostile = {
        "loops": "while True: pass",
        "exits": "import os; os._exit(0)",
        "leaves": "get_ipython().ask_exit()",
        "prints": "print('x' * 1_000_000)",
        "prints-for-ever": "while True: print('x' * 1000)",
        "writes": f"open({str(target)!r}, 'w').write('all marks')",
        "reads": f"open({str(target)!r}).read()",
        "calls": "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)",
        "forks": "import os, time\nfor _ in range(80): os.fork() or time.sleep(60)\ntime.sleep(9)",
        "hogs": "hog = [bytearray(2**28) for _ in range(100)]",
    }
    for student, code in hostile.items():
        hand_in(folder, student, SOLUTION | {first: inside(first, *code.split("\n"))})
    hand_in(folder, "all-right", SOLUTION)
    hand_in(folder, "untouched", {})
    changed = {marks(cell)["grade_id"]: "pass" for cell in test_cells(READING, second)}
    cheat = SOLUTION[second].split("    ### BEGIN")[0] + "    return None\n"
    hand_in(folder, "edits-tests", SOLUTION | {second: cheat} | changed)
    hand_in(folder, "deletes-tests", SOLUTION | {second: cheat}, without_tests(second))
    hand_in(folder, "edits-set-up", SOLUTION | {"setup-2": "raise SystemExit"})
    hand_in(folder, "adds-cells", SOLUTION, add_cells_and_comments)
    hand_in(folder, "twice", SOLUTION, lambda cells: cells.extend(copy.deepcopy(cells[-8:])))
    files = {f"text/{NAME}.ipynb": "my answers", f"word/{NAME}.docx": "my answers"}
    for name, text in (files | {f"cut/{NAME}.ipynb": nbformat.writes(student_copy())[:2000]}).items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    for kind, part in itertools.product(("right", "wrong"), PARTS):
        hand_in(folder, f"{kind}-{part}", SOLUTION | {part: answers(READING, part, kind)[0][1]})
    assert len(list(folder.iterdir())) == 30
    usual = execute.LIMITS
    execute.LIMITS = execute.Limits(part_seconds=20, megabytes=2048)
    try:
        started = time.monotonic()
        troubles = grade.grade(folder, results)
        print(f"30 submissions in {time.monotonic() - started:.0f} seconds")
    finally:
        execute.LIMITS = usual
    assert troubles == []
    return read_rows(results / "marks.csv"), results, target


def test_the_solution_has_all_marks_and_an_untouched_copy_none(marked):
    rows = marked[0]
    assert scores(rows["all-right"]) == WORTH and rows["all-right"]["remarks"] == ""
    assert float(rows["untouched"]["total"]) == 0 and rows["untouched"]["state"] == "complete"


def test_right_and_wrong_answers_among_others(marked):
    rows = marked[0]
    for part in PARTS:
        assert scores(rows[f"right-{part}"]) == WORTH, part
        fails = re.match(r"fails: ([\d, ]+)", answers(READING, part, "wrong")[0][0])[1]
        lost = sum(marks(test_cells(READING, part)[int(number) - 1])["points"] for number in fails.split(","))
        assert scores(rows[f"wrong-{part}"]) == WORTH | {part: WORTH[part] - lost}, part


def test_what_must_be_stopped_loses_its_part_alone_and_is_told_why(marked):
    rows, results, _ = marked
    for student, words in {
        "loops": "not done after 20 seconds",
        "exits": "ended the kernel",
        "leaves": "ended the kernel with exit()",
        "prints": "may print 100,000 characters",
        "prints-for-ever": "may print 100,000 characters",
        "forks": "The code of this part was stopped: it ",  # for its processes, or for their memory
    }.items():
        assert scores(rows[student]) == WORTH | {PARTS[0]: 0}, student
        assert words in rows[student]["remarks"]
        assert words in feedback(results, student)
    assert scores(rows["hogs"]) == WORTH | {PARTS[0]: 0}
    assert "memory" in rows["hogs"]["remarks"] or "MemoryError" in feedback(results, "hogs")


@pytest.mark.skipif(confine.way() is None, reason="neither bubblewrap nor unshare works here")
def test_files_and_network_are_out_of_reach(marked):
    rows, _, target = marked
    for student in ("writes", "reads", "calls"):
        assert scores(rows[student]) == WORTH | {PARTS[0]: 0}, student
    assert target.read_text() == "secret"


def test_a_part_whose_tests_are_changed_or_deleted_gets_no_marks_and_is_told_why(marked):
    rows, results, _ = marked
    for student, what in {"edits-tests": "changed", "deletes-tests": "deleted"}.items():
        assert scores(rows[student]) == WORTH | {PARTS[1]: 0}, student
        said = f"the test {PARTS[1]}-test-1 was {what}"
        assert said in rows[student]["remarks"] and said in feedback(results, student)


def test_what_changes_nothing_costs_nothing(marked):
    for student in ("edits-set-up", "adds-cells", "twice"):
        assert scores(marked[0][student]) == WORTH, student
    assert "setup-2 was changed" in marked[0]["edits-set-up"]["remarks"]


def test_which_changes_make_a_test_another_one():
    original = "for k in range(3):\n    assert k < 3, 'no'\n"
    for same in (original + "\n\n# mine", "for k in range( 3 ):\n  # all\n  assert k < 3, 'no'", original.strip()):
        assert submissions.does_the_same(same, original), same
    for other in ("", "pass", original + "print(k)", "# " + original, original.replace("3", "2"), "assert (", '"""x'):
        assert not submissions.does_the_same(other, original), other
    assert not submissions.does_the_same("(" * 1_000_000, original)


def test_what_is_no_notebook_gets_zero_and_advice(marked):
    for student in ("text", "word", "cut"):
        row = marked[0][student]
        assert row["total"] == "0" and "is not a notebook" in row["remarks"] and ".ipynb" in row["remarks"], student


def test_feedback_has_the_messages_and_not_the_hidden_tests(marked):
    page = feedback(marked[1], f"wrong-{PARTS[0]}")
    assert answers(READING, PARTS[0], "wrong")[0][0].split(" | ")[1] in page.replace("&#39;", "'")
    assert "HIDDEN TESTS" not in page and "default_rng" not in page.split("id=")[-1]


def test_marks_by_hand_survive_unless_the_answer_changes_and_must_be_numbers(tmp_path, monkeypatch):
    folder, results = tmp_path / "class", tmp_path / "results"
    hand_in(folder, "anna", {"written": "=1+1"})
    hand_in(folder, "ben", {"written": "Because."})
    ran = []
    monkeypatch.setattr(execute, "run", lambda cells, limits, void: ran.append(len(cells)) or {})
    grade.grade(folder, results)
    table = results / "written.csv"
    rows = read_rows(table)
    assert rows["anna"]["answer"] == "'=1+1", "a spreadsheet would compute it"
    assert read_rows(results / "marks.csv")["anna"]["state"] == "written answer to mark"
    rows["anna"].update(mark="7,5", comment="What of the outline?")
    grade.write_rows(table, grade.WRITTEN, list(rows.values()))
    grade.grade(folder, results)
    after = read_rows(results / "marks.csv")
    assert (after["anna"][f"{NAME[:2]} written"], after["anna"]["state"]) == ("7.5", "complete")
    assert after["ben"]["state"] == "written answer to mark"
    assert read_rows(table)["anna"]["comment"] == "What of the outline?"
    assert "What of the outline?" in feedback(results, "anna")
    assert len(ran) == 2, "what has not changed is not run again"
    shutil.rmtree(folder / "anna")
    hand_in(folder, "anna", {"written": "After."})
    grade.grade(folder, results)
    row = read_rows(results / "marks.csv")["anna"]
    assert row["state"] == "written answer to mark" and "mark it again" in row["remarks"]
    rows["ben"]["mark"] = "good"
    grade.write_rows(table, grade.WRITTEN, list(rows.values()))
    with pytest.raises(SystemExit, match="the mark of ben is 'good'"):
        grade.grade(folder, results)
    assert read_rows(table)["anna"]["mark"] == "7,5", "nothing is lost"


def test_class_list_and_late_days(tmp_path):
    hand_in(tmp_path, "anna", {})
    hand_in(tmp_path, "eve", {})
    (tmp_path / "students.csv").write_text("student,name,email\nanna,Anna A.,a@b.org\nben,Ben B.,b@b.org\n")
    (tmp_path / "anna" / "timestamp.txt").write_text("2026-12-02 00:30:00+00:00")
    found = {one.student: one for one in submissions.find_submissions(tmp_path, NAME)}
    assert found["anna"].details["name"] == "Anna A." and found["anna"].remarks == []
    assert "nothing handed in" in found["ben"].remarks[0] and found["ben"].path is None
    assert "not on the class list" in found["eve"].remarks[0]
    due = datetime.fromisoformat("2026-11-30 23:59:00+00:00")
    assert submissions.days_late(found["anna"].path, due) == 2
    assert submissions.days_late(found["anna"].path, datetime.fromisoformat("2026-12-02 00:30:00+00:00")) == 0
    (tmp_path / "anna" / "timestamp.txt").write_text("yesterday")
    with pytest.raises(SystemExit, match="timestamp.txt: write a time like"):
        submissions.handed_in(found["anna"].path)
    (tmp_path / "students.csv").write_text("student\nanna\nanna\n")
    with pytest.raises(SystemExit, match="anna stands there more than once"):
        submissions.find_submissions(tmp_path, NAME)


def test_names_as_learning_platforms_write_them(tmp_path):
    for name in (f"Anna Ö_123_assignsubmission_file_/{NAME}.ipynb", f"ben_77_{NAME}.ipynb", f"carl/{NAME} (1).ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = [one.student for one in submissions.find_submissions(tmp_path, NAME)]
    assert found == ["Anna Ö_123_assignsubmission_file_", "ben_77", "carl"]
    assert len({grade.identifier(name) for name in ("a b", "a_b", "a/b")}) == 3


def test_nothing_to_mark_is_said(tmp_path):
    with pytest.raises(SystemExit, match="no file there has the name of an assignment"):
        grade.grade(tmp_path, tmp_path / "results")
    with pytest.raises(SystemExit, match="is no folder"):
        grade.grade(tmp_path / "class", tmp_path / "results")


def test_one_that_cannot_be_run_is_not_marked_and_stops_nobody(tmp_path, monkeypatch):
    folder, results = tmp_path / "class", tmp_path / "results"
    hand_in(folder, "anna", {"written": "One."})
    hand_in(folder, "ben", {"written": "Two."})

    ran = []

    def run(cells, limits, void):
        ran.append(1)
        if len(ran) == 1:
            raise execute.GradingError("no memory on this machine")
        return {}

    monkeypatch.setattr(execute, "run", run)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert len(grade.grade(folder, results)) == 1
    rows = read_rows(results / "marks.csv")
    assert rows["anna"]["state"] == "NOT MARKED" and rows["anna"]["total"] == ""
    assert rows["ben"]["state"] == "written answer to mark"


def test_without_confinement_there_is_a_loud_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(confine, "way", lambda: None)
    monkeypatch.setattr(sys, "argv", ["grade.py", str(tmp_path)])
    with pytest.raises(SystemExit):
        grade.main()
    assert "submissions run with all your rights" in capsys.readouterr().err


LOOK_AROUND = """
import os, pathlib, socket, sys, lungseg_utils
assert not any(map(os.path.exists, sys.argv[2:]))
pathlib.Path("mine.txt").write_text("here")
pathlib.Path(sys.argv[1], "out.txt").write_text("out")
for place in ("/", "/usr", os.path.dirname(lungseg_utils.__file__), "/proc/sys/kernel/hostname"):
    try:
        open(place if os.path.isfile(place) else place + "/spoilt", "w").write("x")
    except OSError:
        continue
    raise SystemExit(f"{place} can be written to")
capabilities = [line for line in open("/proc/self/status") if line.startswith("CapEff")]
assert int(capabilities[0].split()[1], 16) == 0, capabilities
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    assert "unreachable" in str(error), error
"""


@pytest.mark.parametrize("name", list(confine.WAYS))
def test_what_a_confined_command_sees(name, tmp_path):
    shared, other = tmp_path / "shared", tmp_path / "other.txt"
    shared.mkdir()
    other.write_text("secret")
    if not shutil.which(name) or subprocess.run(confine.WAYS[name](["true"], shared), capture_output=True).returncode:
        pytest.skip(f"{name} does not work on this machine")
    command = [sys.executable, "-c", LOOK_AROUND, str(shared), str(other), str(FOLDER / "a1_reading.py")]
    ran = subprocess.run(confine.WAYS[name](command, shared), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (shared / "out.txt").read_text() == "out"


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_student_copies_hold_no_answer_and_are_the_ones_committed(path):
    notebook = release.student_copy(path)
    committed = nbformat.read(release.STUDENT / f"{path.stem}.ipynb", as_version=4)
    assert notebook == committed, "run `make assignments`"
    text = nbformat.writes(notebook)
    assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)", text)
    source = "\n".join(cell.source for cell in release.read_master(path).cells)
    region = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", re.DOTALL)
    hidden, shown = "\n".join(region.findall(source)).split("\n"), region.sub("", source)
    assert len(hidden) > 50
    for line in hidden:
        assert len(line) < 25 or line.strip() in shown or json.dumps(line.strip())[1:-1] not in text, line
    assert all(cell.get("outputs", []) == [] for cell in notebook.cells)
    colab = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "google.colab" in colab.source and "--no-deps" in colab.source
    assert f"/blob/main/notebooks/assignments/student/{path.stem}.ipynb" in notebook.cells[0].source


def test_what_students_get_is_never_paired(tmp_path):
    (tmp_path / "jupytext.toml").write_text('formats = "ipynb,py:percent"')  # an editor that pairs by default
    other = release.solution(READING)
    del other.metadata["jupytext"]
    made = {"copy": release.student_copy(READING), "solution": release.solution(READING), "other": other}
    for name, notebook in made.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    run_python("-m", "jupytext", "--sync", *(tmp_path / f"{name}.ipynb" for name in made))
    paired = sorted(path.name for path in tmp_path.glob("*.py"))
    assert paired == ["other.py"], "the others would be paired by default, or this shows nothing"


def test_a_published_solution_holds_no_hidden_test():
    notebook = release.solution(READING)
    text = nbformat.writes(notebook)
    assert "HIDDEN TESTS" not in text and "SOLUTION" not in text and "nbgrader" not in text
    assert any(cell.get("outputs") for cell in notebook.cells)
    assert all(part_of(cell) == "" for cell in notebook.cells if "nbgrader" in cell.metadata)
