"""The real X-rays, for the tests of the package and of the notebooks."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def montgomery() -> Path:
    """The folder of the real X-rays; tests that need them are skipped where they are absent."""
    if "LUNGSEG_MONTGOMERY" in os.environ:
        return Path(os.environ["LUNGSEG_MONTGOMERY"])
    # else in a folder beside the checkout
    for folder in sorted(Path(__file__).resolve().parents[1].glob("*/montgomery/MontgomerySet")):
        return folder
    pytest.skip("real X-rays not here: set LUNGSEG_MONTGOMERY")
