"""Marking as a teacher does it: submissions of all kinds, bad ones among them, and what comes out."""

import copy
import csv
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from datetime import datetime

import nbformat
import pytest
from shared import run_python
from test_assignments import FOLDER, MASTERS, answer_cells, answers, marks, part_of, test_cells

import alike  # isort: skip  (test_assignments has made the folder of the grader known)
import confine
import desk
import execute
import grade
import release
import submissions
import written

pytestmark = pytest.mark.slow

READING = MASTERS[0]  # the assignment that needs no TensorFlow
NAME = READING.stem
PARTS = list(answer_cells(READING))
WORTH = {part: sum(marks(cell)["points"] for cell in test_cells(READING, part)) for part in PARTS}
PERCENT = f"{100 * sum(WORTH.values()) / (sum(WORTH.values()) + 55):.1f}"  # without the answer in words
SOLUTION = {part: cell.source for part, cell in answer_cells(READING).items()} | {"written": "Because they differ."}


def student_copy() -> nbformat.NotebookNode:
    return nbformat.read(release.STUDENT / f"{NAME}.ipynb", as_version=4)


def notebook_of(changes: dict[str, str], edit=None) -> nbformat.NotebookNode:
    """A submission: the student copy with other sources in some cells."""
    notebook = student_copy()
    for cell in notebook.cells:
        cell.source = changes.get(marks(cell).get("grade_id"), cell.source)
    if edit:
        edit(notebook.cells)
    return notebook


def hand_in(folder, student: str, changes: dict[str, str], edit=None) -> None:
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook_of(changes, edit), folder / student / "my homework.ipynb")


def read_rows(path) -> dict[str, dict[str, str]]:
    return {row["student"]: row for row in submissions.read_table(path)[1]}


def scores(row: dict[str, str]) -> dict[str, float]:
    return {part: float(row[f"a1 {part}"]) for part in PARTS}


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
    """Submissions of the first assignment, marked: their marks, and the folder of results."""
    folder, results = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("results")
    first, second = PARTS[:2]
    hostile = {
        "leaves": "import os; os._exit(0)",
        "prints": "print('x' * 1_000_000)",
        "loops": "while True: pass",
    }
    for student, code in hostile.items():
        hand_in(folder, student, SOLUTION | {first: SOLUTION[first] + f"\n\n{code}"})
    hand_in(folder, "all-right", SOLUTION)
    hand_in(folder, "untouched", {})
    changed = {marks(cell)["grade_id"]: "pass" for cell in test_cells(READING, second)}
    cheat = SOLUTION[second].split("    ### BEGIN")[0] + "    return None\n"
    hand_in(folder, "edits-tests", SOLUTION | {second: cheat} | changed)
    hand_in(folder, "deletes-tests", SOLUTION | {second: cheat}, without_tests(second))
    hand_in(folder, "edits-set-up", SOLUTION | {"setup-2": "raise SystemExit"})
    hand_in(folder, "adds-cells", SOLUTION, add_cells_and_comments)
    hand_in(folder, "twice", SOLUTION, lambda cells: cells.extend(copy.deepcopy(cells[-8:])))
    for name, text in {f"text/{NAME}.ipynb": "my answers", f"word/{NAME}.docx": "my answers"}.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    for kind, number in itertools.product(("right", "wrong"), range(2)):
        changes = {part: found[number][1] for part in PARTS if len(found := answers(READING, part, kind)) > number}
        hand_in(folder, f"{kind}-{number}", SOLUTION | changes)
    usual = execute.LIMITS
    execute.LIMITS = execute.Limits(part_seconds=20)
    try:
        started = time.monotonic()
        troubles = grade.grade(folder, results)
        print(f"{len(list(folder.iterdir()))} submissions in {time.monotonic() - started:.0f} seconds")
    finally:
        execute.LIMITS = usual
    assert troubles == []
    return read_rows(results / "marks.csv"), results


def test_the_solution_has_all_marks_and_an_untouched_copy_none(marked):
    rows = marked[0]
    assert scores(rows["all-right"]) == WORTH and rows["all-right"]["a1 remarks"] == ""
    assert float(rows["untouched"]["a1 total"]) == 0 and rows["untouched"]["a1 state"] == "complete"


def test_right_and_wrong_answers_among_others(marked):
    rows = marked[0]
    for number in range(2):
        assert scores(rows[f"right-{number}"]) == WORTH, number
        for part in PARTS:
            fails = re.match(r"fails: ([\d, ]+)", answers(READING, part, "wrong")[number][0])[1]
            lost = sum(marks(test_cells(READING, part)[int(place) - 1])["points"] for place in fails.split(","))
            assert scores(rows[f"wrong-{number}"])[part] == WORTH[part] - lost, part


def test_what_must_be_stopped_loses_its_part_alone_and_is_told_why(marked):
    rows, results = marked
    for student, words in {"loops": "was not done in time", "leaves": "ended its process"}.items():
        assert scores(rows[student]) == WORTH | {PARTS[0]: 0}, student
        assert words in rows[student]["a1 remarks"] and words in feedback(results, student)
    assert scores(rows["prints"]) == WORTH, "what it prints too much is not kept"
    assert "may print 100,000 characters" in feedback(results, "prints")


def test_a_part_whose_tests_are_changed_or_deleted_gets_no_marks_and_is_told_why(marked):
    rows, results = marked
    for student, what in {"edits-tests": "changed", "deletes-tests": "deleted"}.items():
        assert scores(rows[student]) == WORTH | {PARTS[1]: 0}, student
        said = f"the test {PARTS[1]}-test-1 was {what}"
        assert said in rows[student]["a1 remarks"] and said in feedback(results, student)


def test_what_changes_nothing_costs_nothing(marked):
    for student in ("edits-set-up", "adds-cells", "twice"):
        assert scores(marked[0][student]) == WORTH, student
    assert "setup-2 was changed" in marked[0]["edits-set-up"]["a1 remarks"]


def test_figures_of_the_class(marked):
    _, rows = submissions.read_table(marked[1] / "tests.csv")
    [row] = [row for row in rows if row["test"] == f"{PARTS[1]}-test-1"]
    assert int(row["failed"]) >= 2 and row["commonest message"]
    _, pairs = submissions.read_table(marked[1] / "alike.csv")
    assert any({row["one"], row["other"]} == {"all-right", "twice"} for row in pairs)
    assert not any("untouched" in (row["one"], row["other"]) for row in pairs), "what was given does not count"


def test_what_is_no_notebook_gets_zero_and_advice(marked):
    rows, results = marked
    for student in ("text", "word"):
        row = rows[student]
        assert row["a1 total"] == "0" and "is not a notebook" in row["a1 remarks"] and ".ipynb" in row["a1 remarks"]
    assert f"word/{NAME}.docx" in (results / "unused.txt").read_text()


def test_feedback_has_the_messages_and_not_the_hidden_tests(marked):
    page = feedback(marked[1], "wrong-0")
    assert answers(READING, PARTS[0], "wrong")[0][0].split(" | ")[1] in page.replace("&#39;", "'")
    assert "HIDDEN TESTS" not in page and "default_rng(11)" not in page and "not marked yet (" in page
    assert page.index("what cost marks") < page.index("Your answers") < page.index("<details>")


def test_which_changes_make_a_test_another_one():
    original = "for k in range(3):\n    assert k < 3, 'no'\n"
    for same in (original + "\n\n# mine", "for k in range( 3 ):\n  # all\n  assert k < 3, 'no'", original.strip()):
        assert submissions.does_the_same(same, original), same
    for other in ("", "pass", original + "print(k)", "# " + original, original.replace("3", "2"), "assert (", '"""x'):
        assert not submissions.does_the_same(other, original), other
    assert not submissions.does_the_same("(" * 1_000_000, original)


@pytest.fixture
def unrun(monkeypatch):
    """Nothing is run: all tests are passed."""
    ran = []

    def mark(cells, limits):
        ran.append(len(cells))
        return {"tests": {cell["name"]: "" for cell in cells if cell["kind"] == "test"}, "stopped": {}, "outputs": {}}

    monkeypatch.setattr(execute, "mark", mark)
    return ran


def test_marks_by_hand_survive_unless_the_answer_changes_and_must_be_numbers(tmp_path, unrun):
    folder, results = tmp_path / "class", tmp_path / "results"
    hand_in(folder, "anna", {"written": "=1+1"})
    hand_in(folder, "ben", {"written": "Because."})
    grade.grade(folder, results)
    table = results / "written.csv"
    rows = read_rows(table)
    assert rows["anna"]["answer"] == "'=1+1", "a spreadsheet would compute it"
    assert read_rows(results / "marks.csv")["anna"]["a1 state"] == "written answer to mark"
    rows["anna"].update(mark="7,5", comment="What of the outline?")
    written.write_rows(table, written.COLUMNS, list(rows.values()))
    grade.grade(folder, results)
    after = read_rows(results / "marks.csv")
    assert (after["anna"]["a1 written"], after["anna"]["a1 state"]) == ("7.5", "complete")
    assert after["ben"]["a1 state"] == "written answer to mark"
    assert "What of the outline?" in feedback(results, "anna")
    assert len(unrun) == 2, "what has not changed is not run again"
    shutil.rmtree(folder / "anna")
    hand_in(folder, "anna", {"written": "After."})
    grade.grade(folder, results)
    row = read_rows(results / "marks.csv")["anna"]
    assert row["a1 state"] == "written answer to mark" and "mark it again" in row["a1 remarks"]
    assert "7,5 What of the outline?" in read_rows(table)["anna"]["earlier"], "nothing is lost"
    rows["ben"]["mark"] = "good"
    written.write_rows(table, written.COLUMNS, list(rows.values()))
    with pytest.raises(SystemExit, match="the mark of ben is 'good'"):
        grade.grade(folder, results)
    assert read_rows(table)["anna"]["mark"] == "7,5"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter, end", [(",", "\n"), (";", "\r\n"), ("\t", "\r\n"), (",", "\r")])
def test_what_a_spreadsheet_has_saved_is_read_and_kept(tmp_path, unrun, encoding, delimiter, end):
    folder, results = tmp_path / "class", tmp_path / "results"
    hand_in(folder, "Jörg", {"written": "Größer; breiter,\nund höher."})
    grade.grade(folder, results)
    table = results / "written.csv"
    rows = read_rows(table)
    rows["Jörg"].update(mark="7,5", comment="Schön; weiter,\nso!")
    text = io.StringIO()
    writer = csv.DictWriter(text, written.COLUMNS, delimiter=delimiter, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows.values())
    table.write_bytes(text.getvalue().replace("\n", end).encode(encoding))
    before = table.read_bytes()
    grade.grade(folder, results)
    after = read_rows(table)["Jörg"]
    assert (after["mark"], after["comment"]) == ("7,5", "Schön; weiter,\nso!")
    assert read_rows(results / "marks.csv")["Jörg"]["a1 written"] == "7.5"
    assert before in [path.read_bytes() for path in (results / "history").iterdir()]


def test_rows_of_those_who_have_gone_stay(tmp_path, unrun):
    folder, results = tmp_path / "class", tmp_path / "results"
    for student in ("anna", "ben"):
        hand_in(folder, student, {"written": "Because."})
    grade.grade(folder, results)
    rows = read_rows(results / "written.csv")
    rows["ben"]["mark"] = "3"
    written.write_rows(results / "written.csv", written.COLUMNS, list(rows.values()))
    shutil.rmtree(folder / "ben")
    grade.grade(folder, results)
    assert read_rows(results / "written.csv")["ben"]["mark"] == "3"
    (results / "written.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="has no column"):
        grade.grade(folder, results)


def test_the_desk_saves_boxes_marks_and_comments(tmp_path, unrun):
    folder, results = tmp_path / "class", tmp_path / "results"
    for student in ("anna", "<b>ben"):
        hand_in(folder, student, {"written": f"Because <script>{student}"})
    grade.grade(folder, results)
    place = desk.Desk(results / "written.csv", is_anonymous=True)
    [question] = place.questions()
    page = place.page(question)
    assert "<script" not in page and "anna" not in page.replace("&lt;script&gt;anna", "") and "Answer 2" in page
    boxes = desk.rubric(NAME)
    assert sum(float(worth) for _, _, worth in boxes) == float(read_rows(results / "written.csv")["anna"]["out of"])
    keys = {row["student"]: row["key"] for row in place.answers(question)}
    form = {f"box {keys['anna']}": ["1", "2"], f"mark {keys['<b>ben']}": ["2,5"], f"comment {keys['anna']}": ["Good."]}
    place.save(question, form)
    rows = read_rows(results / "written.csv")
    assert float(rows["anna"]["mark"]) == sum(float(worth) for _, _, worth in boxes[:2])
    assert (rows["<b>ben"]["mark"], rows["anna"]["comment"], rows["anna"]["boxes"]) == ("2,5", "Good.", "1 2")
    with pytest.raises(SystemExit, match="must be a number"):
        place.save(question, {f"mark {keys['anna']}": ["1000"]})
    assert read_rows(results / "written.csv")["anna"]["comment"] == "Good."


def test_answers_that_are_alike():
    one = SOLUTION["fit"]
    renamed = re.sub(r"\b(rows|columns|inside|shares)\b", lambda found: f"my_{found[0]}", one).replace("    #", "  #")
    other, given = (
        answers(READING, "fit", "right")[0][1],
        "def fit(image, masks, size):\n    raise NotImplementedError\n",
    )
    found = alike.pairs({"anna": one, "ben": renamed, "carl": other, "dora": given, "eve": given}, given)
    assert [(a, b) for a, b, _ in found] == [("anna", "ben")] and found[0][2] > 0.9


def test_class_list_and_late_days(tmp_path):
    hand_in(tmp_path, "anna", {})
    hand_in(tmp_path, "eve", {})
    (tmp_path / "students.csv").write_text(
        "student;name;handed in\r\nanna;Anna A.;2026-12-02 00:30:00+00:00\r\nben;Ben B.;\r\n"
    )
    (tmp_path / "anna" / "timestamp.txt").write_text("1999-01-01 00:00:00+00:00")  # a student's word is not believed
    found, unused = submissions.find_submissions(tmp_path, {NAME: student_copy()})
    assert any("timestamp.txt" in line for line in unused)
    one = {each.student: each for each in found[NAME]}
    assert one["anna"].details["name"] == "Anna A." and one["anna"].remarks == []
    assert "nothing handed in" in one["ben"].remarks[0] and one["ben"].notebook is None
    assert "not on the class list" in one["eve"].remarks[0]
    due = datetime.fromisoformat("2026-11-30 23:59:00+00:00")
    assert submissions.days_late(one["anna"].details, due) == "2"
    assert submissions.days_late(one["ben"].details, due) == ""
    with pytest.raises(SystemExit, match="is a time like"):
        submissions.days_late({"handed in": "yesterday"}, due)
    (tmp_path / "students.csv").write_text("student\nanna\nanna\n")
    with pytest.raises(SystemExit, match="anna stands there more than once"):
        submissions.find_submissions(tmp_path, {NAME: student_copy()})


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


CLASS = [
    "Anna Ärmel",
    "Ben Berg",
    "Carla O'Neill",
    "=1+1",
    "Dora Dot.",
    "Emil Eck",
    "Fay F-Fox",
    "Gül Gün",
    "Hana Ho",
    "Ivo Ink",
    "José Junco",
    "Kim Kö",
]


def test_a_class_as_moodle_exports_it_there_and_back(tmp_path, unrun):
    folder, results = tmp_path / "class", tmp_path / "results"
    folder.mkdir()
    mine = nbformat.writes(notebook_of({"written": "Because."})).encode()
    files = {
        f"{name}_{100 + k}_assignsubmission_file{'_' if k < 6 else ''}/work {k}.ipynb": mine
        for k, name in enumerate(CLASS)
    }
    files.pop(f"{CLASS[3]}_103_assignsubmission_file_/work 3.ipynb")
    files[f"{CLASS[3]}_103_assignsubmission_file_/all.zip"] = zipped({"deep/in.zip": zipped({"x/a.ipynb": mine})})
    files |= {f"__MACOSX/{CLASS[1]}_101_assignsubmission_file_/._work 1.ipynb": b"\0", ".DS_Store": b"\0"}
    files |= {"../../out.ipynb": mine, f"{CLASS[2]}_102_assignsubmission_file_/notes.txt": b"hello"}
    (folder / "export.zip").write_bytes(zipped(files))
    heads = [
        "Identifier",
        "Full name",
        "Email address",
        "Status",
        "Grade",
        "Maximum Grade",
        "Grade can be changed",
        "Last modified (submission)",
        "Last modified (grade)",
        "Feedback comments",
    ]
    with (folder / "Grades-course-a1 reading-77.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        for k, name in enumerate([*CLASS, "Lou Late"]):
            writer.writerow([f"Participant {100 + k}", name, "", "Submitted", "", "100.00", "Yes", "-", "-", ""])
    grade.grade(folder, results)
    assert len(read_rows(results / "marks.csv")) == len(CLASS)
    columns, rows = submissions.read_table(results / "upload" / "Grades-course-a1 reading-77.csv")
    assert columns == heads and [row["Grade"] for row in rows] == [PERCENT] * 12 + [""]
    assert {row["Last modified (grade)"] for row in rows} == {"-"} and rows[3]["Full name"] == "'=1+1"
    with zipfile.ZipFile(results / "upload" / f"feedback_{NAME}.zip") as archive:
        for name in archive.namelist():  # as mod/assign/feedback/file/importziplib.php takes a name apart
            _, number, plugin, kind, *rest = name.split("/")[0].split("_", 4)
            assert number.isdecimal() and (plugin, kind) == ("assignsubmission", "file") and rest in ([], [""])
        assert len(archive.namelist()) == len(CLASS)
    unused = (results / "unused.txt").read_text()
    assert "notes.txt" in unused and "MACOSX" not in unused and "DS_Store" not in unused
    assert not (tmp_path / "out.ipynb").exists()


def test_a_class_as_canvas_exports_it_there_and_back(tmp_path, unrun):
    folder, results = tmp_path / "class", tmp_path / "results"
    folder.mkdir()
    plain = [re.sub(r"\W", "", name).lower() or "x" for name in CLASS]
    names = [
        f"{name}_{'LATE_' if k == 1 else ''}{4700 + k}_{88800 + k}_a1_reading.ipynb" for k, name in enumerate(plain)
    ]
    for name in names:
        (folder / name).write_text(nbformat.writes(notebook_of({"written": "Because."})))
    newer = names[1].replace("88801", "99901").replace(".ipynb", "-1.ipynb")
    (folder / newer).write_text(nbformat.writes(notebook_of({"written": "Because of that."})))
    heads = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Assignment 1 (5511)", "Quiz (5512)"]
    with (folder / "gradebook.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([heads, ["    Points Possible", "", "", "", "", "100.00", "5.00"]])
        writer.writerows([name, 4700 + k, f"s{k}", f"l{k}", "1", "", "4"] for k, name in enumerate(CLASS))
    grade.grade(folder, results)
    rows = read_rows(results / "marks.csv")
    assert len(rows) == len(CLASS) and rows["benberg 4701"]["a1 late"] == "late"
    assert read_rows(results / "written.csv")["benberg 4701"]["answer"] == "Because of that."
    columns, filled = submissions.read_table(results / "upload" / "gradebook.csv")
    assert columns == heads[:6] and filled[0]["Assignment 1 (5511)"] == "100.00"
    assert {row["Assignment 1 (5511)"] for row in filled[1:]} == {PERCENT}
    with zipfile.ZipFile(results / "upload" / f"feedback_{NAME}.zip") as archive:
        assert newer.replace(".ipynb", ".html") in archive.namelist() and len(archive.namelist()) == len(CLASS)


def test_a_regrading_says_which_marks_moved(tmp_path, unrun, monkeypatch, capsys):
    folder, results = tmp_path / "class", tmp_path / "results"
    hand_in(folder, "anna", {})
    grade.grade(folder, results)
    assert "another mark" not in capsys.readouterr().out
    monkeypatch.setattr(grade, "code_key", lambda: "another package")
    monkeypatch.setattr(execute, "mark", lambda cells, limits: {"tests": {}, "stopped": {}, "outputs": {}})
    grade.grade(folder, results)
    assert "another mark: anna: a1 total" in capsys.readouterr().out


def test_nothing_to_mark_is_said(tmp_path):
    with pytest.raises(SystemExit, match="no notebook there is a copy of"):
        grade.grade(tmp_path, tmp_path / "results")
    with pytest.raises(SystemExit, match="is no folder"):
        grade.grade(tmp_path / "class", tmp_path / "results")


def test_one_that_cannot_be_run_is_not_marked_and_stops_nobody(tmp_path, monkeypatch):
    folder, results = tmp_path / "class", tmp_path / "results"
    hand_in(folder, "anna", {"written": "One."})
    hand_in(folder, "ben", {"written": "Two.", PARTS[0]: "x = 1"})

    def mark(cells, limits):
        if not any(cell["source"] == "x = 1" for cell in cells):
            raise execute.GradingError("no memory on this machine")
        return {"tests": {}, "stopped": {}, "outputs": {}}

    monkeypatch.setattr(execute, "mark", mark)
    assert len(grade.grade(folder, results)) == 1
    rows = read_rows(results / "marks.csv")
    assert rows["anna"]["a1 state"] == "NOT MARKED" and rows["anna"]["a1 total"] == ""
    assert rows["ben"]["a1 state"] == "written answer to mark"


def test_without_confinement_there_is_a_loud_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(confine, "way", lambda: None)
    monkeypatch.setattr(sys, "argv", ["grade.py", str(tmp_path)])
    with pytest.raises(SystemExit):
        grade.main()
    assert "submissions run with all your rights" in capsys.readouterr().err


LOOK_AROUND = """
import os, pathlib, socket, sys, lungseg_utils
assert not any(map(os.path.exists, sys.argv[1:]))
pathlib.Path("mine.txt").write_text("here")
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
    root, other = tmp_path / "root", tmp_path / "other.txt"
    root.mkdir()
    other.write_text("secret")
    if not confine.works(confine.WAYS[name](["true"], root)):
        pytest.skip(f"{name} does not work on this machine")
    command = [sys.executable, "-c", LOOK_AROUND, str(other), str(FOLDER / "a1_reading.py")]
    variables = confine.environment(confine.HOME)
    ran = subprocess.run(confine.WAYS[name](command, root), capture_output=True, text=True, env=variables)
    assert ran.returncode == 0, ran.stderr
    assert list(root.iterdir()) == [], "only the command saw what was put there"


def test_the_kernel_counts_where_the_system_offers_it(tmp_path, monkeypatch):
    tool = tmp_path / "systemd-run"
    tool.write_text('#!/bin/sh\nfor word; do last=$word; done\nexec "$last"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    confine.can_count.cache_clear()
    try:
        assert confine.counted(512, 40)[-6:] == ["-p", "MemoryMax=512M", "-p", "MemorySwapMax=0", "-p", "TasksMax=40"]
        tool.write_text("#!/bin/sh\nexit 1\n")
        confine.can_count.cache_clear()
        assert confine.counted(512, 40) == []
    finally:
        confine.can_count.cache_clear()


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
