"""The assignments: the solution gets all marks, the untouched copy none, wrong answers lose the marks that they should.

`assignment_answers/aN/PART_wrong.py` holds wrong answers of a part. Each begins with a line like
`# %% fails: 1, 3 | words | mistake`: the numbers of the test cells that must fail, all of them and only they; words
that their messages contain; and, if the words do not say it, what the mistake is.
`PART_right.py` holds right answers that are written differently; they keep all marks.

Answers are judged over the wire, as `make grade` does it, with both of its ends in this process; the solutions are
tried without a wire as well, as in a student's copy. `test_grading.py` runs whole submissions, confined.
"""

import ast
import contextlib
import copy
import io
import os
import re
import sys
import threading
from functools import cache

import jupytext
import nbformat
import numpy as np
import pytest
from shared import REPOSITORY, WRONG_ANSWERS, drift

FOLDER = REPOSITORY / "notebooks" / "assignments"
ANSWERS = REPOSITORY / "tests" / "assignments" / "assignment_answers"
MASTERS = sorted(FOLDER.glob("a[0-9]*_*.py"))
sys.path.insert(0, str(FOLDER / "grading"))
import release  # noqa: E402
from judge import Judge  # noqa: E402
from serve import Turn  # noqa: E402
from wire import Peer, WireError  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("registry")]


def marks(cell) -> dict:
    """nbgrader's notes on a cell."""
    return cell.metadata.get("nbgrader", {})


def part_of(cell) -> str:
    return marks(cell)["grade_id"].partition("-")[0]


@cache
def cells(path) -> list:
    return jupytext.read(path).cells


@cache
def answer_cells(path) -> dict:
    """The answer cell of each autograded part."""
    return {part_of(cell): cell for cell in cells(path) if cell.cell_type == "code" and marks(cell).get("solution")}


def test_cells(path, part: str) -> list:
    graded = [cell for cell in cells(path) if cell.cell_type == "code" and marks(cell).get("grade")]
    return [cell for cell in graded if part_of(cell) == part]


test_cells.__test__ = False  # pytest would take it for a test


@cache
def set_up(path) -> dict:
    """The names of an assignment's set-up, which runs once."""
    names = {"__name__": "__main__"}
    for cell in cells(path):
        if cell.cell_type == "code" and marks(cell).get("locked") and not marks(cell)["grade"]:
            run(cell.source, names)
    return names


def run(source: str, names: dict) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "<cell>", "exec"), names)


def own_copy(path) -> dict:
    """The names of the set-up; an answer that writes into an array of it must not spoil it for the next."""
    return {
        name: copy.deepcopy(value) if isinstance(value, np.ndarray | list | dict) and name != "__builtins__" else value
        for name, value in set_up(path).items()
    }


STUDENT: dict = {}  # the names at the other end of the wire


@cache
def wire() -> Peer:
    """The end of the tests of a wire whose other end works in a thread."""
    (to_answers, from_tests), (to_tests, from_answers) = os.pipe(), os.pipe()
    answers = {
        "name": STUDENT.__getitem__,
        "call": lambda function, words, options: function(*words, **options),
        "get": getattr,
        "iterate": Turn,
        "next": Turn.next,
    }
    other = Peer(os.fdopen(to_answers, "rb"), os.fdopen(from_answers, "wb"), answers, judges=False)
    threading.Thread(target=other.serve, daemon=True).start()

    def call_back(function, words, options):
        if function not in peer.kept.values():
            raise WireError("only what a test has handed over can be called")
        return function(*words, **options)

    peer = Peer(os.fdopen(to_tests, "rb"), os.fdopen(from_tests, "wb"), {"call": call_back}, judges=True)
    return peer


def failures(path, part: str, answer: str) -> dict[int, str]:
    """The test cells of a part that fail with an answer, by number, and what the student is told."""
    STUDENT.clear()
    STUDENT.update(own_copy(path))
    run(answer, STUDENT)
    peer = wire()
    peer.kept.clear()
    probes = [cell for cell in cells(path) if marks(cell).get("grade_id", "").startswith("probe")]
    offered = [name for cell in [*probes, answer_cells(path)[part]] for name in release.defined(cell.source)]
    names = own_copy(path) | {name: peer.ask("name", name) for name in offered}
    found = {}
    for number, cell in enumerate(test_cells(path, part), 1):
        if message := Judge.test({"name": f"test {number}", "source": cell.source}, names):
            found[number] = message
    return found


def answers(path, part: str, kind: str) -> list[tuple[str, str]]:
    """First line and code of each wrong or right answer of a part."""
    text = (ANSWERS / path.name[:2] / f"{part}_{kind}.py").read_text(encoding="utf-8")
    pieces = re.split(r"^# %% ?(.*)\n", text, flags=re.MULTILINE)
    return list(zip(pieces[1::2], pieces[2::2]))


def parts() -> list:
    """A parameter per autograded part: its master and name."""
    return [pytest.param(path, part, id=f"{path.name[:2]}-{part}") for path in MASTERS for part in answer_cells(path)]


def test_they_are_numbered_without_a_gap():
    assert [path.name[:2] for path in MASTERS] == [f"a{number}" for number in range(1, len(MASTERS) + 1)] != []


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_marks_add_up_and_cells_say_what_they_are(path):
    ids = [marks(cell)["grade_id"] for cell in cells(path) if marks(cell)]
    assert len(ids) == len(set(ids))
    words = sum(marks(cell).get("points", 0) for cell in cells(path) if cell.cell_type == "markdown")
    assert 0.38 < words / sum(marks(cell).get("points", 0) for cell in cells(path)) < 0.42
    by_hand = [cell for cell in cells(path) if cell.cell_type == "markdown" and marks(cell)]
    assert len(by_hand) == 1 and part_of(by_hand[0]) == "written"
    for cell in cells(path):
        note = marks(cell)
        if note:
            assert note["solution"] != note["locked"] and note["schema_version"] == 3
            assert cell.cell_type == "markdown" or note["solution"] == ("### BEGIN SOLUTION" in cell.source)
    for part, cell in answer_cells(path).items():
        assert marks(cell)["grade_id"] == part
        numbers = [marks(cell)["grade_id"] for cell in test_cells(path, part)]
        assert numbers == [f"{part}-test-{number}" for number in range(1, len(numbers) + 1)] != []


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_can_be_read_and_has_its_teachers_page(path):
    page = path.with_suffix(".md").read_text(encoding="utf-8")
    for part in answer_cells(path):
        assert f"`{part}" in page or f"`{''.join(word.title() for word in part.split('_'))}`" in page, part
    for heading in ("rubric", "Common mistakes", "Changing it"):
        assert heading in page
    for cell in cells(path):
        if cell.cell_type == "code" and not marks(cell).get("solution"):
            assert len(release.without_answer(cell).split("\n")) <= 15, cell.source
        if cell.cell_type == "code":
            hidden = ast.walk(ast.parse(cell.source)) if marks(cell).get("grade") else []
            silent = [node.lineno for node in hidden if isinstance(node, ast.Assert) and node.msg is None]
            assert "run_line_magic" in cell.source or max(map(len, cell.source.split("\n"))) <= 120, cell.source
            assert not silent, f"an assert without a message for the student in {marks(cell)['grade_id']}"


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_pair_has_not_drifted_and_was_executed(path):
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    assert drift(jupytext.read(path), notebook) == [], "run `make notebooks`"
    assert [marks(cell) for cell in notebook.cells] == [marks(cell) for cell in cells(path)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in (output for cell in code for output in cell.outputs):
        assert output.output_type != "error"
        assert "image/png" not in output.get("data", {}) or len(output.metadata["image/png"]["alt"].split()) >= 8


@pytest.mark.parametrize("path, part", parts())
def test_right_answers_get_all_marks_and_the_untouched_copy_none(path, part):
    solution = answer_cells(path)[part]
    right = [("the solution", solution.source), *answers(path, part, "right")]
    assert len(right) > 3
    for how, answer in right:
        assert failures(path, part, answer) == {}, how
    found = failures(path, part, release.without_answer(solution))
    assert len(found) == len(test_cells(path, part))
    assert all("NotImplementedError" in said for said in found.values()), found


@pytest.mark.parametrize("path, part", parts())
def test_solutions_pass_in_the_students_copy_too(path, part):
    names = own_copy(path)
    run(answer_cells(path)[part].source, names)
    for cell in test_cells(path, part):
        run(cell.source, names)


@pytest.mark.parametrize("path, part", parts())
def test_wrong_answers_lose_the_marks_that_they_should_and_only_those(path, part, request):
    found = answers(path, part, "wrong")
    assert len(found) >= 6
    worth = [marks(cell)["points"] for cell in test_cells(path, part)]
    missed = []
    for head, answer in found:
        numbers, words, mistake = re.fullmatch(r"fails: ([\d, ]+) \| (.+?)(?: \| (.+))?", head).groups()
        expected = {int(number) for number in numbers.split(",")}
        failed = failures(path, part, answer)
        said = " ".join(failed.values())
        caught = set(failed) == expected and words in said
        lost = sum(worth[number - 1] for number in failed)
        row = f"{path.name[:2]} {part}: {lost} of {sum(worth)} marks lost: {mistake or words}"
        request.config.stash.setdefault(WRONG_ANSWERS, []).append((row, caught))
        if not caught:
            missed.append(f"{head}\n  failed {sorted(failed)}: {said}")
    assert not missed, "\n".join(missed)
