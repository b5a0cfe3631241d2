"""Where nbgrader is not installed, the tests that need it are skipped aloud."""

import pytest
from shared import REPOSITORY, run_python


@pytest.mark.slow
def test_without_nbgrader_the_tests_are_skipped_aloud():
    code = "import sys; sys.modules['nbgrader'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    files = [REPOSITORY / "tests" / "assignments" / f"test_{name}.py" for name in ("assignments", "grading")]
    done = run_python("-c", code, *files)
    assert "2 skipped" in done.stdout and "nbgrader is not here: pip install" in done.stdout, done.stdout
