"""Where nbgrader is not installed, the tests that need it are skipped aloud."""

import subprocess
import sys

import pytest
from shared import REPOSITORY


@pytest.mark.slow
def test_without_nbgrader_the_tests_are_skipped_aloud():
    code = "import sys; sys.modules['nbgrader'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    files = [str(REPOSITORY / "tests" / "assignments" / f"test_{name}.py") for name in ("assignments", "grading")]
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, cwd=REPOSITORY)
    assert "2 skipped" in done.stdout and "nbgrader is not here: pip install" in done.stdout, done.stdout
