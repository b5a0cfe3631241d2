"""How pytest runs the notebooks: on the drawn X-rays, in a folder of its own, and no further than the first failure."""

import atexit
import os
import shutil
import tempfile

import pytest

# A test must neither find nor leave anything in the data folder of whoever runs it. Kernels inherit these.
HOME = tempfile.mkdtemp(prefix="lungseg-test-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(LUNGSEG_HOME=HOME, LUNGSEG_DATA="", LUNGSEG_RECIPE="laptop")
os.environ.pop("LUNGSEG_RUN", None)

FAILED = pytest.StashKey[str]()


def is_cell(item: pytest.Item) -> bool:
    """Whether a test is a cell of a notebook, as nbval collects them."""
    return type(item).__name__ == "IPyNbCell"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember the first cell of a notebook that fails."""
    outcome = yield
    if is_cell(item) and outcome.get_result().failed:
        item.parent.stash.setdefault(FAILED, item.name)


def pytest_runtest_setup(item):
    """Skip the cells after a failed one: they would fail for want of what it should have made, and hide it."""
    if is_cell(item) and FAILED in item.parent.stash:
        pytest.skip(f"{item.parent.stash[FAILED]} of this notebook failed")
