"""The real X-rays of two hospitals, for the tests of the package and of the notebooks."""

import os
from pathlib import Path

import pytest


def _folder(variable: str, place: str) -> Path:
    """The folder that the environment names; else one in a folder beside the checkout."""
    if variable in os.environ:
        return Path(os.environ[variable])
    for folder in sorted(Path(__file__).resolve().parents[1].glob(f"*/{place}")):
        return folder
    pytest.skip(f"real X-rays not here: set {variable}")


@pytest.fixture(scope="session")
def montgomery() -> Path:
    """The folder of the real X-rays; tests that need them are skipped where they are absent."""
    return _folder("LUNGSEG_MONTGOMERY", "montgomery/MontgomerySet")


@pytest.fixture(scope="session")
def openist() -> Path:
    """The same of the second hospital."""
    return _folder("LUNGSEG_OPENIST", "openist/OpenIST")
