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
import pytest
from shared import REPOSITORY

from lungseg_utils.command.run import find_notebooks

MISTAKES = REPOSITORY / "tests" / "notebooks" / "exercise_mistakes"
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
SOLUTION = re.compile(r"\A<details><summary>Solution</summary>\n\n```python\n(.*?)```\n(.*?)</details>", re.DOTALL)


pytestmark = pytest.mark.usefixtures("registry")


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


@pytest.mark.parametrize("path", find_notebooks(), ids=lambda path: path.stem)
def test_exercises(path):
    text = path.read_text(encoding="utf-8").split("\n# ## Exercises\n")[1]
    count = len(exercises(path))
    assert count >= 2
    assert text.count("<summary>Hint</summary>") == text.count("<summary>Solution</summary>") == count
    assert re.findall(r"^# ### Exercise (\d): \w", text, re.MULTILINE) == [str(n) for n in range(1, count + 1)]
    for number, (stub, check, solution) in enumerate(exercises(path), 1):
        which = f"exercise {number}"
        assert verdict(path, stub, check).startswith("Not done yet"), which
        assert verdict(path, solution, check).splitlines()[-1] == "Right.", which
        (asked,), answers = ast.parse(stub).body, ast.parse(solution).body
        [given] = [node for node in answers if getattr(node, "name", None) == asked.name]
        assert ast.unparse(given.args) == ast.unparse(asked.args), which
        asserts = [node for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Assert)]
        assert asserts and all(node.msg for node in asserts), f"{which}: every assertion says what is wrong"
        mistakes = (MISTAKES / f"{path.stem[:2]}_{number}.py").read_text(encoding="utf-8").split("# %% ")[1:]
        assert len(mistakes) >= 2
        for words, answer in (mistake.split("\n", 1) for mistake in mistakes):
            said = verdict(path, answer, check)
            assert said.startswith("Not right yet") and words in said, f"{which}: {words!r} is not in {said!r}"
            assert ast.unparse(ast.parse(answer)) != ast.unparse(ast.parse(solution)), which


def test_a_forgotten_return_is_asked_about():
    asked = []
    for path in find_notebooks():
        for stub, check, _ in exercises(path):
            with contextlib.suppress(TypeError, AttributeError):  # met outside the test's own lines
                said = verdict(path, stub.replace("raise NotImplementedError", "pass"), check)
                asked.append(said.startswith("Not right yet") and "Does your function `return`" in said)
    assert sum(asked) >= 13, "most exercises"


def test_a_mistake_in_the_answer_is_no_forgotten_return():
    with pytest.raises(TypeError):
        exec("from lungseg_utils.exercises import check\ndef f():\n  return None + 1\n@check\ndef e():\n  f()", {})
