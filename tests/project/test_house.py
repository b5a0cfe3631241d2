"""The house: where a line belongs, in which direction imports run, and how large a room may grow."""

import ast
import graphlib
import re
from pathlib import Path

import pytest
from shared import REPOSITORY, run_python

import lungseg_utils

PACKAGE = REPOSITORY / "lungseg_utils"
ROOMS = ("command", "drawing", "formats", "inference", "kept", "widgets")
LINE = re.findall(r"\w+", lungseg_utils.__doc__.split("::")[1].split("\n\n")[1])
LIMITS = {".": (2300, 18), **dict.fromkeys(ROOMS, (1400, None))}  # lines and files
LONGEST = 45  # lines of a function, the command line's parser excepted
WITH_TENSORFLOW = set("quiet pipeline unet losses training prediction".split())


def modules(folder: Path) -> dict[str, ast.Module]:
    """Dotted name of each module below a folder of the repository -> its syntax tree."""
    trees = {}
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


TREES = modules(PACKAGE) | modules(REPOSITORY / "studies")


def imported(tree: ast.Module) -> set[str]:
    """The modules of the house that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & TREES.keys()
            found |= inside or {node.module}  # of a room, what is asked for, not its door
    return found & TREES.keys()


USED = {name: imported(tree) - {"lungseg_utils", "studies"} for name, tree in TREES.items()}


def is_root(name: str) -> bool:
    return name.count(".") == 1 and name.startswith("lungseg_utils.") and name.split(".")[1] not in ROOMS


def test_the_line_names_every_module_of_the_root():
    root = {name.partition(".")[2] for name in TREES if is_root(name)}
    assert root - {"__main__"} == set(LINE)


def test_imports_of_the_root_go_against_the_stream_only():
    for name in filter(is_root, USED):
        if name != "lungseg_utils.__main__":
            before = {f"lungseg_utils.{each}" for each in LINE[: LINE.index(name.partition(".")[2])]}
            later = set(filter(is_root, USED[name])) - before
            assert not later, f"{name} imports {later}, which come after it"


def test_the_root_knows_no_room_but_the_drawing_and_its_own_door():
    known = {(name, used.split(".")[1]) for name in filter(is_root, USED) for used in USED[name] if not is_root(used)}
    assert known == {("lungseg_utils.course", "drawing"), ("lungseg_utils.__main__", "command")}


def test_nothing_in_the_package_knows_the_studies():
    for name, used in USED.items():
        studied = {each for each in used if each.startswith("studies")}
        assert name.startswith("studies") or not studied, f"{name} imports {studied}"


def test_there_is_no_circle():
    graphlib.TopologicalSorter(USED).prepare()  # raises a CycleError that names the circle


def test_nobody_imports_the_builder_and_no_notebook_a_study():
    for path in [*REPOSITORY.glob("tests/**/*.py"), *REPOSITORY.glob("notebooks/**/*.py")]:
        forbidden = "build" if "tests" in path.parts else "build|studies"
        assert not re.search(rf"^ *(from|import) .*\b({forbidden})\b", path.read_text("utf-8"), re.MULTILINE), path


@pytest.mark.parametrize("room", LIMITS)
def test_a_room_is_not_overfull(room):
    files = sorted((PACKAGE / room).glob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    most_lines, most_files = LIMITS[room]
    assert lines <= most_lines, f"{lines} lines, at most {most_lines}: shorten it, or move something to its room"
    assert most_files is None or len(files) <= most_files


def test_functions_are_short():
    long = {
        f"{name}.{node.name}": node.end_lineno - node.lineno + 1
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST
    }
    assert not {name: lines for name, lines in long.items() if not name.endswith(".parser")}


def test_modules_that_do_not_compute_with_tensorflow_do_not_load_it():
    names = [name for name in LINE if name not in WITH_TENSORFLOW] + ["drawing", "kept", "command"]
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module('lungseg_utils.' + name)\n"
        "    assert 'tensorflow' not in sys.modules, name + ' loads TensorFlow'\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


def test_tensorflow_loads_without_noise_and_errors_still_reach_stderr():
    # what its C++ code writes goes past Python's own stderr
    code = "import lungseg_utils.quiet, os, tensorflow as tf; print(float(tf.reduce_sum(tf.ones([2, 2]))))"
    code += "; os.write(2, b'seen')"
    done = run_python("-c", code)
    assert (done.stdout, done.stderr) == ("4.0\n", "seen")
