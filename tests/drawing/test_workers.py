"""Processes that draw end with their parent, however it ends, and leave nothing for ever."""

import random
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from shared import KILLS

from lungseg_utils.drawing import draw_dataset

pytestmark = pytest.mark.slow

COUNT, SIZE = 24, 64
DRAW = f"""
import sys
from lungseg_utils.drawing import draw_dataset
if __name__ == "__main__":
    draw_dataset(sys.argv[1], {COUNT}, {SIZE}, workers=2)
"""


def start_drawing(folder, tmp_path) -> subprocess.Popen:
    script = tmp_path / "draw.py"
    script.write_text(DRAW)
    return subprocess.Popen([sys.executable, str(script), str(folder)], stderr=subprocess.PIPE, text=True)


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Its workers, as soon as there are two; one more child watches over shared resources."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        if len(children) == 3:
            return children
        time.sleep(0.005)
    raise AssertionError(f"no workers: {process.poll()}")


def contents(folder) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> dict[str, bytes]:
    return contents(draw_dataset(tmp_path_factory.mktemp("data") / "set", COUNT, SIZE, workers=1))


def kill_at(wait: float, how: signal.Signals, folder, tmp_path) -> str:
    """End a process that draws, so many seconds after its workers are there; return what it said."""
    process = start_drawing(folder, tmp_path)
    workers = workers_of(process)
    time.sleep(wait)
    process.send_signal(how)
    said = process.communicate(timeout=60)[1]
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, f"{len(alive)} workers outlive their parent"
    return said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("wait", [0, 1])  # while they start, and at work
def test_workers_end_with_their_parent_and_the_next_run_cleans_up(drawn, tmp_path, how, wait):
    folder = tmp_path / "data" / "set"
    said = kill_at(wait, getattr(signal, how), folder, tmp_path)
    # the parent's own, none of the workers; but Python lets one complain that was not told yet what to do
    assert said.count("Traceback") - said.count("EOFError: Ran out of input") <= (how == "SIGINT"), said
    assert contents(draw_dataset(folder, COUNT, SIZE, workers=2)) == drawn
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_again_and_again_it_draws_the_same(drawn, tmp_path):
    folder = tmp_path / "data" / "set"
    for _ in range(KILLS):
        kill_at(random.uniform(0, 1.5), signal.SIGKILL, folder, tmp_path)
        if folder.exists():  # it was done before the signal came
            assert contents(folder) == drawn
            shutil.rmtree(folder)
    assert contents(draw_dataset(folder, COUNT, SIZE, workers=2)) == drawn
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_two_at_once_draw_once(drawn, tmp_path):
    one, two = (start_drawing(tmp_path / "data" / "set", tmp_path) for _ in range(2))
    assert (one.wait(), two.wait()) == (0, 0)
    assert contents(tmp_path / "data" / "set") == drawn
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["set"]
