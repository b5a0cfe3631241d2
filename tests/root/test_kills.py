"""Killed at any moment, LUNGSEG_KILLS times, the cache and a training end as if nothing had been."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from shared import KILLS, REPOSITORY, write_set
from test_training import SPLIT, TINY, ellipses

from lungseg_utils import training
from lungseg_utils.cases import find_cases
from lungseg_utils.images import load_arrays

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")]
LONG = dataclasses.replace(TINY, epochs=40)
BEGIN = f"""
import sys
sys.path[:0] = {[str(REPOSITORY), str(REPOSITORY / "tests"), str(REPOSITORY / "tests" / "root")]}
import test_kills
print("begins")
getattr(test_kills, sys.argv[1])(*sys.argv[2:])
"""


def start(function, *arguments: Path) -> subprocess.Popen:
    """Call a function of this module in another process, which has begun."""
    command = [sys.executable, "-u", "-c", BEGIN, function.__name__, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline()
    return process


def kill_within(seconds: float, process: subprocess.Popen) -> bool:
    """Kill a process at a random moment of the next seconds; whether it was still running."""
    time.sleep(random.uniform(0, seconds))
    process.kill()
    process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


def train_long(folder: str) -> None:
    training.train(LONG, ellipses(), SPLIT, Path(folder))


def weights(folder: Path, name: str) -> list[np.ndarray]:
    return training.keras.models.load_model(folder / name).get_weights()


def test_a_training_killed_again_and_again(tmp_path):
    undisturbed, folder, killed, left = tmp_path / "undisturbed", tmp_path / "run", 0, set()
    start(train_long, undisturbed).communicate()
    while killed < KILLS:
        process = start(train_long, folder)
        for _ in range(random.randint(0, 8)):  # epochs, so that each moment of a training has its chance
            process.stdout.readline()
        killed += kill_within(0.2, process)
        left |= {path.name.replace(path.name[5:-5], "*") for path in folder.glob(".*.writing.*")}
        if len(training.read_log(folder / "log.csv")) == LONG.epochs:
            check_training(folder, undisturbed)
            shutil.rmtree(folder)
    start(train_long, folder).communicate()
    check_training(folder, undisturbed)
    print(killed, "kills, drafts left for the next run:", left)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "undisturbed"]


def check_training(folder: Path, undisturbed: Path) -> None:
    start(train_long, folder).communicate()  # clears up; a finished run trains nothing
    assert {path.name for path in folder.iterdir()} == {"best.keras", "last.keras", "log.csv", "run.json"}
    rows, expected = (training.read_log(each / "log.csv") for each in (folder, undisturbed))
    for name in ("epoch", "loss", "val_loss"):
        np.testing.assert_allclose([row[name] for row in rows], [row[name] for row in expected], atol=1e-4)
    for one, other in zip(weights(folder, "best.keras"), weights(undisturbed, "best.keras"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    same = [(each / "log.csv").read_bytes() for each in (folder, undisturbed)]
    print("the log is", "equal to the byte" if same[0] == same[1] else "equal up to rounding")


def fill_cache(data: str, cache: str) -> None:
    while True:
        load_arrays(find_cases(data), 256, cache)
        shutil.rmtree(cache)


def test_a_cache_killed_again_and_again(tmp_path):
    cases, cache = find_cases(write_set(tmp_path / "set", count=40, height=200, width=200)), tmp_path / "cache"
    expected = load_arrays(cases, 256, tmp_path / "other")
    left = []
    for _ in range(KILLS):
        assert kill_within(0.5, start(fill_cache, tmp_path / "set", cache))
        left += [path.suffix for path in cache.glob("*")] if cache.exists() else []
        arrays = load_arrays(cases, 256, cache)
        assert arrays.images.tobytes() == expected.images.tobytes()
        assert arrays.masks.tobytes() == expected.masks.tobytes()
        assert [path.suffix for path in cache.iterdir()] == [".npz"], "and nothing is left behind"
        shutil.rmtree(cache)
    print("kills left", {suffix: left.count(suffix) for suffix in set(left)})


def save_often(path: str) -> None:
    model = training.keras.Sequential([training.keras.Input((1,)), training.keras.layers.Dense(1)])
    checkpoint = training.SafeCheckpoint(Path(path))
    checkpoint.set_model(model)
    for epoch in range(200):
        checkpoint.on_epoch_end(epoch, {})


def test_two_writers_of_one_checkpoint_never_leave_a_broken_one(tmp_path):
    path, looks = tmp_path / "last.keras", 0
    writers = [start(save_often, path) for _ in range(2)]
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            with zipfile.ZipFile(path) as file:
                assert file.testzip() is None
            looks += 1
    assert [writer.returncode for writer in writers] == [0, 0] and looks > 50
    print(looks, "looks, no broken file")
    assert os.listdir(tmp_path) == ["last.keras"]
