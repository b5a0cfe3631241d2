"""How a figure was made: from which code, data and weights, on which machine, and how long it took."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import importlib
import os
import platform
import re
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import cv2
import keras
import numpy as np

from lungseg_utils.files import read_json, write_json
from lungseg_utils.recipes import SHIPPED_WEIGHTS, Recipe
from studies import keys

RUNS = Path("runs", "studies")  # in the home: all studies share the folder, and what two of them need is trained once
NOT_CODE = (":(exclude)lungseg_utils/kept", ":(exclude)lungseg_utils/pretrained")  # figures and weights
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of a processor: what it multiplies with


# --- a training ---


def claim_folder(home: Path, recipe: Recipe, code: dict[str, str], **choices: object) -> Path:
    """Make the run folder of a training, named after all that it depends on, and write that into it.

    Nothing that other code, data or weights made can be found under the same name.

    Args:
        home: folder for runs.
        recipe: of the training.
        code: from `keys.code_key`.
        **choices: all else that it depends on, such as its pixels and its seed; what JSON can hold.

    Returns:
        The run folder. Its `made.json` holds the key before anything is trained there.

    Raises:
        RuntimeError: the folder holds what something else made.
    """
    key = {"code": code, "recipe": dataclasses.asdict(recipe), **choices}
    key["weights"] = keys.file_hash(SHIPPED_WEIGHTS) if recipe.start == "drawings" else None
    folder = home / RUNS / f"{recipe.name}-{keys.digest(key)}"
    path = folder / "made.json"
    made = read_json(path) if path.exists() else {"key": keys.digest(key), "seconds": 0.0, "commits": []}
    if made["key"] != keys.digest(key) or (not path.exists() and any(folder.glob("*.keras"))):
        raise RuntimeError(f"{folder} holds a training that other code, data or weights made: delete that folder.")
    if not path.exists():
        write_json({**made, "weights": key["weights"], "code": code}, path)
    return folder


def start_clock(folder: Path) -> dict:
    """Read how long earlier, interrupted processes trained here, and start to count for this one."""
    path, last = folder / "made.json", folder / "last.keras"
    made = read_json(path)
    if "finished" in made:
        return made
    if "started" in made and last.exists():  # what came after its last whole epoch is lost, and so not counted
        begun = datetime.fromisoformat(made["started"]).timestamp()
        made["seconds"] += max(0.0, last.stat().st_mtime - begun)
    made["started"] = now()
    made["commits"] = list(dict.fromkeys([*made["commits"], code_version()]))
    write_json(made, path)
    return made


def stop_clock(made: dict, folder: Path) -> None:
    """Complete what `start_clock` began: the `seconds`, the libraries, the processor, and when it was `finished`."""
    begun = datetime.fromisoformat(made.pop("started"))
    made["seconds"] += (datetime.now(UTC) - begun).total_seconds()
    made |= {"versions": library_versions(), "processor": processor(), "finished": now()}
    write_json(made, folder / "made.json")


# --- a figure ---


def begin(stage: str, data: keys.Folders, seed: int | None = None) -> dict:
    """Note how a figure is about to be made, from the code that now runs; hand it to `finish` when it is measured.

    Args:
        stage: of `dvc.yaml`; another name, as in tests, has no key.
        data: folders of the real X-rays.
        seed: of the measurement; None where nothing of it depends on chance.
    """
    keys.code_key(keys.TRAINING)  # read now, and kept for all trainings of this process
    return {"stage": stage, "started": now(), "commit": code_version(), "seed": seed, **_inputs(stage, data)}


def finish(noted: dict, data: keys.Folders, trainings: list[Path] = ()) -> dict:
    """The provenance of a figure.

    Args:
        noted: from `begin`.
        data: as there.
        trainings: the run folders that it took, each named in `trainings` with its own provenance.

    Raises:
        RuntimeError: code or data changed in between.
    """
    keys.code_key.cache_clear()
    inputs = _inputs(noted["stage"], data)
    if any(noted[name] != value for name, value in inputs.items() if name != "weights"):
        raise RuntimeError(
            f"Code or data changed while {noted['stage']} was measured, so that nothing is kept. Measure it again: "
            "trainings that still hold are not repeated."
        )
    about = {**noted, **inputs, "finished": now(), "versions": library_versions(), "processor": processor()}
    made = [{"folder": folder.name, **read_json(folder / "made.json")} for folder in trainings]
    return about | {"trainings": [{name: one[name] for name in one if name != "code"} for one in made]}


def _inputs(stage: str, data: keys.Folders) -> dict:
    """The key of a stage, the version of the drawing, and the shipped model, where the stage depends on them."""
    if stage not in keys.STAGES:
        return {}
    key = keys.stage_key(stage, data)
    inputs = {"key": keys.digest(key)} | ({"phantom_version": key["drawing"]} if "drawing" in key else {})
    return inputs | ({"weights": keys.file_hash(SHIPPED_WEIGHTS)} if keys.STAGES[stage].needs_weights else {})


def versions() -> dict[str, dict]:
    """What `versions.toml` keeps of the shipped models before that of today, by version of the drawing."""
    return tomllib.loads((keys.ROOT / "studies" / "versions.toml").read_text(encoding="utf-8"))


def now() -> str:
    """The time, as ISO text: figures are kept with five digits, which a time does not survive as a number."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def usable_cores() -> int:
    """Count the logical processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> dict:
    """Name of the processor, its usable `cores`, and which `features` it has; None where that is not known."""
    path = Path("/proc/cpuinfo")  # Linux only
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    name, flags = (re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE) for key in ("model name", "flags"))
    return {
        "name": name[1].strip() if name else platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "features": [feature for feature in FEATURES if feature in flags[1].split()] if flags else None,
    }


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
        command = ["git", "-C", str(keys.ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "studies/provenance.py")  # else another project's repository is around it
        changed = git("status", "--porcelain", "--", "lungseg_utils", "studies", *NOT_CODE)
        return git("rev-parse", "HEAD") + (" with changes that were not committed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
