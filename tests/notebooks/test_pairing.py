"""Jupyter, started at the checkout's root, leaves the tracked sources of the notebooks alone."""

import os
import shutil

import jupytext
import pytest
from shared import REPOSITORY


@pytest.fixture
def manager(tmp_path):
    """What opens and saves the notebooks in a Jupyter where jupytext is installed, in a copy of the checkout."""
    pytest.importorskip("jupyter_server", reason="Jupyter itself is not installed: pip install -e .[notebooks]")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for ending in ("py", "ipynb"):
        shutil.copy(REPOSITORY / "notebooks" / f"01_setup.{ending}", tmp_path / "notebooks")
    manager = jupytext.TextFileContentsManager()
    manager.root_dir = str(tmp_path)
    return manager


def test_an_edited_notebook_does_not_reach_its_source(manager, tmp_path):
    source = tmp_path / "notebooks" / "01_setup.py"
    before = source.read_bytes()
    os.utime(tmp_path / "notebooks" / "01_setup.ipynb", (1e9, 1e9))  # as old as after `git checkout`: it still opens
    model = manager.get("notebooks/01_setup.ipynb")
    model["content"]["cells"][0]["source"] += "\nmine"
    manager.save(model, "notebooks/01_setup.ipynb")
    assert source.read_bytes() == before
    assert manager.get("notebooks/01_setup.ipynb")["content"]["cells"][0]["source"].endswith("mine")


def test_this_would_notice_pairing_and_a_new_notebook_gets_no_source(manager, tmp_path):
    model = manager.get("notebooks/01_setup.ipynb")
    manager.save(model, "notebooks/new.ipynb")
    assert not (tmp_path / "notebooks" / "new.py").exists()
    with open(tmp_path / "pyproject.toml", "a", encoding="utf-8") as file:
        file.write('\n[tool.jupytext]\nformats = "ipynb,py:percent"\n')
    model["content"]["cells"][0]["source"] += "\nmine"
    manager.save(model, "notebooks/01_setup.ipynb")
    assert "mine" in jupytext.read(tmp_path / "notebooks" / "01_setup.py").cells[0].source
