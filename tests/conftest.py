"""Data sets that several tests share."""

from pathlib import Path

import pytest
from shared import WRONG_ANSWERS, write_set

import lungseg_utils.quiet  # noqa: F401  (before any test loads TensorFlow: all processes then compute alike)


@pytest.fixture
def tiny_set(tmp_path) -> Path:
    """The folder of a drawn data set: six cases TINY_0001_1 to TINY_0006_0 of 64 rows and 80 columns."""
    return write_set(tmp_path / "tiny", count=6, height=64, width=80)


@pytest.fixture
def registry():
    """What Keras finds by name stays the library's: notebooks and answers register functions under the same names."""
    import keras

    names = keras.saving.get_custom_objects()
    before = dict(names)
    yield
    names.clear()
    names.update(before)


def pytest_terminal_summary(terminalreporter, config):
    """List the wrong answers to the assignments, what each lost, and how many lost what they should."""
    rows = config.stash.get(WRONG_ANSWERS, [])
    if rows:
        terminalreporter.section("wrong answers to the assignments")
        for row, caught in rows:
            terminalreporter.line(f"{'ok    ' if caught else 'MISSED'} {row}")
        caught = sum(caught for _, caught in rows)
        terminalreporter.line(f"{caught} of {len(rows)} lost the marks that they should: {caught / len(rows):.1%}")
