"""The package as a whole: what it imports, and in which direction data flows."""

import ast
import re
import subprocess
import sys

import pytest
from shared import REPOSITORY

import lungseg_utils

MODULES = sorted(path.stem for path in (REPOSITORY / "lungseg_utils").glob("*.py") if path.stem != "__init__")
WITH_TENSORFLOW = set("quiet pipeline unet losses training prediction evaluation model_card pretraining".split())
WITH_TENSORFLOW |= {"parts", "crossval", "choices", "curve", "speed", "xrays", "upload"}


def order() -> list[str]:
    """The line on which data flows, from the package's docstring."""
    line = lungseg_utils.__doc__.split("::")[1].split("\n\n")[1]
    return re.findall(r"\w+", line)


def test_every_module_stands_on_the_line():
    assert sorted([*order(), "quiet"]) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_against_the_stream_only(module):
    tree = ast.parse((REPOSITORY / "lungseg_utils" / f"{module}.py").read_text(encoding="utf-8"))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lungseg_utils"):
            used |= {node.module.partition(".")[2]} - {""} or {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            used |= {alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("lungseg_utils.")}
    line = ["quiet", *order()]
    later = {name for name in used & set(line) if line.index(name) >= line.index(module)}
    assert not later, f"{module} imports {later}, which come after it"


def test_modules_that_do_not_compute_with_tensorflow_do_not_load_it():
    names = [name for name in MODULES if name not in WITH_TENSORFLOW and name != "__main__"]
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module('lungseg_utils.' + name)\n"
        "    assert 'tensorflow' not in sys.modules, name + ' loads TensorFlow'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tensorflow_loads_without_noise():
    # what its C++ code writes goes past Python's own stderr
    code = "import lungseg_utils.quiet, tensorflow as tf; print(float(tf.reduce_sum(tf.ones([2, 2]))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("4.0\n", "")


def test_errors_still_reach_stderr_after_the_quiet_import():
    code = "import lungseg_utils.quiet, os; os.write(2, b'seen')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == "seen"
