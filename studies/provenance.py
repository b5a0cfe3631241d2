"""How a figure was made: how long it took, with which code and which libraries."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import datetime
import importlib
import platform
import subprocess
import time
from pathlib import Path

import cv2
import keras
import numpy as np

from lungseg_utils.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[1]
NOT_CODE = (":(exclude)lungseg_utils/kept", ":(exclude)lungseg_utils/pretrained")  # figures and weights


def start_clock(folder: Path) -> dict:
    """Read how long earlier, interrupted processes trained here, and start to count for this one."""
    path, last = folder / "made.json", folder / "last.keras"
    made = read_json(path) if path.exists() else {"seconds": 0.0, "commits": []}
    if "finished" in made:
        return made
    if "started" in made and last.exists():  # what came after its last whole epoch is lost, and so not counted
        made["seconds"] += max(0.0, last.stat().st_mtime - made["started"])
    made["started"] = time.time()
    made["commits"] = list(dict.fromkeys([*made["commits"], code_version()]))
    write_json(made, path)
    return made


def stop_clock(made: dict, folder: Path) -> None:
    """Complete what `start_clock` began: the `seconds`, the libraries' `versions` and the day it was `finished`."""
    made["seconds"] += time.time() - made.pop("started")
    made["versions"] = library_versions()
    made["finished"] = datetime.date.today().isoformat()
    write_json(made, folder / "made.json")


def library_versions() -> dict[str, str]:
    """Versions of what computes: Keras' backend (TensorFlow, JAX or another), Keras, NumPy, OpenCV and Python."""
    backend = keras.backend.backend()
    names = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
    libraries = {names.get(backend, backend): importlib.import_module(backend)}
    libraries |= {"Keras": keras, "NumPy": np, "OpenCV": cv2}
    return {name: library.__version__ for name, library in libraries.items()} | {"Python": platform.python_version()}


def code_version() -> str:
    """Git commit of this code, and whether files were changed since."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "studies/provenance.py")  # else another project's repository is around it
        changed = git("status", "--porcelain", "--", "lungseg_utils", "studies", *NOT_CODE)
        return git("rev-parse", "HEAD") + (" with changes that were not committed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
