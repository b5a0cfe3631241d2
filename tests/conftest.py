"""Data sets that several tests share."""

import os
from pathlib import Path

import pytest
from shared import REPOSITORY, write_set

import lungseg_utils.quiet  # noqa: F401  (before any test loads TensorFlow: all processes then compute alike)


@pytest.fixture
def tiny_set(tmp_path) -> Path:
    """The folder of a drawn data set: six cases TINY_0001_1 to TINY_0006_0 of 64 rows and 80 columns."""
    return write_set(tmp_path / "tiny", count=6, height=64, width=80)


@pytest.fixture(scope="session")
def montgomery() -> Path:
    """The folder of the real X-rays; tests that need them are skipped where they are absent."""
    if "LUNGSEG_MONTGOMERY" in os.environ:
        return Path(os.environ["LUNGSEG_MONTGOMERY"])
    # else in a folder beside the checkout
    for folder in sorted(REPOSITORY.parent.glob("*/montgomery/MontgomerySet")):
        return folder
    pytest.skip("real X-rays not here: set LUNGSEG_MONTGOMERY")
