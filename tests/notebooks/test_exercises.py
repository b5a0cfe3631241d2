"""The exercises of the nine notebooks: untouched they say so, their solutions are right, usual mistakes are named.

An exercise is three cells: a function that raises `NotImplementedError`, a check decorated with `@check`, and text
that begins with a folded solution, whose code takes the function's place. None of them uses what the notebook
computes: imports, functions, classes and constants are enough, so they are tested without running the notebook.

`exercise_mistakes/NN_K.py` holds wrong answers of exercise K of notebook NN. Each begins with a line `# %% `, followed
by words that the check's message must contain.
"""

import ast
import contextlib
import io
import re
from functools import cache

import jupytext
import keras
import pytest
from shared import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("0[1-9]_*.py"))
MISTAKES = REPOSITORY / "tests" / "notebooks" / "exercise_mistakes"
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
SOLUTION = re.compile(r"\A<details><summary>Solution</summary>\n\n```python\n(.*?)```\n(.*?)</details>", re.DOTALL)


@pytest.fixture(autouse=True)
def registry():
    """What Keras finds by name stays the library's: notebooks register functions under the same names."""
    names = keras.saving.get_custom_objects()
    before = dict(names)
    yield
    names.clear()
    names.update(before)


@cache
def exercises(path) -> list[tuple[str, str, str]]:
    """Stub, check and solution of each exercise of a notebook, as code."""
    cells = jupytext.read(path).cells
    found = []
    for index, cell in enumerate(cells):
        if cell.cell_type == "code" and "\n@check\n" in f"\n{cell.source}":
            solution = SOLUTION.match(cells[index + 1].source)
            assert solution, f"{path.name}: no folded solution after\n{cell.source}"
            assert solution[2].strip(), "a solution says why"
            found.append((cells[index - 1].source, cell.source, solution[1]))
    return found


@cache
def definitions(path) -> str:
    """What stands in a notebook before its exercises: imports, functions, classes, constants, as code."""
    lines = ["from lungseg_utils.exercises import check"]  # it stands in the first check
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "markdown" and "## Exercises\n" in cell.source:
            break
        if cell.cell_type != "code":
            continue
        for node in ast.parse(cell.source).body:
            is_constant = isinstance(node, ast.Assign) and all(
                isinstance(target, ast.Name) and target.id.isupper() for target in node.targets
            )
            if isinstance(node, DEFINITIONS) or is_constant:
                lines.append(ast.unparse(node))
    return "\n\n".join(lines)


def verdict(path, answer: str, check: str) -> str:
    """What a check prints about an answer."""
    names = {"__name__": "notebook"}
    exec(definitions(path), names)
    exec(answer, names)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(check, names)
    return output.getvalue()


def numbered() -> list:
    """A parameter per exercise: its notebook, and its number there from 1."""
    return [
        pytest.param(path, number, id=f"{path.stem}-{number}")
        for path in NOTEBOOKS
        for number in range(1, len(exercises(path)) + 1)
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_there_are_at_least_two_with_a_hint_each(path):
    text = path.read_text(encoding="utf-8").split("\n# ## Exercises\n")[1]
    count = len(exercises(path))
    assert count >= 2
    assert text.count("<summary>Hint</summary>") == text.count("<summary>Solution</summary>") == count
    assert re.findall(r"^# ### Exercise (\d): \w", text, re.MULTILINE) == [str(n) for n in range(1, count + 1)]


@pytest.mark.parametrize("path, number", numbered())
def test_the_untouched_exercise_says_so(path, number):
    stub, check, _ = exercises(path)[number - 1]
    assert verdict(path, stub, check).startswith("Not done yet")


@pytest.mark.parametrize("path, number", numbered())
def test_the_solution_is_right_and_fits_the_stub(path, number):
    stub, check, solution = exercises(path)[number - 1]
    assert verdict(path, solution, check).splitlines()[-1] == "Right."
    (asked,), answers = ast.parse(stub).body, ast.parse(solution).body
    given = [node for node in answers if getattr(node, "name", None) == asked.name]
    assert len(given) == 1 and ast.unparse(given[0].args) == ast.unparse(asked.args)


@pytest.mark.parametrize("path, number", numbered())
def test_every_assertion_of_a_check_says_what_is_wrong(path, number):
    tree = ast.parse(exercises(path)[number - 1][1])
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert asserts and all(node.msg for node in asserts)


@pytest.mark.parametrize("path, number", numbered())
def test_usual_mistakes_are_named(path, number):
    _, check, solution = exercises(path)[number - 1]
    mistakes = (MISTAKES / f"{path.stem[:2]}_{number}.py").read_text(encoding="utf-8").split("# %% ")[1:]
    assert len(mistakes) >= 2
    for mistake in mistakes:
        words, answer = mistake.split("\n", 1)
        said = verdict(path, answer, check)
        assert said.startswith("Not right yet") and words in said, f"{words!r} is not in {said!r}"
        assert ast.unparse(ast.parse(answer)) != ast.unparse(ast.parse(solution))
