"""Files that are whole or absent, whoever writes at the same time and whenever a process dies."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lungseg_utils.files import DatasetError, lock, read_json, remove_drafts, write_json, write_text, write_whole


def start(code: str, *arguments) -> subprocess.Popen:
    """Run code in another process, which says "ready" when it has got so far."""
    # a shell makes what it starts in the background deaf to Ctrl-C
    heed = "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}\nfrom pathlib import Path\nfrom lungseg_utils.files import *\n{code}"
    command = [sys.executable, "-u", "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_raises_leaves_what_was_there(tmp_path):
    write_text("good", tmp_path / "a.txt")
    with pytest.raises(KeyError), write_whole(tmp_path / "a.txt") as draft:
        draft.write_text("half")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "good" and names(tmp_path) == ["a.txt"]


def test_a_folder_comes_whole_too(tmp_path):
    (tmp_path / "set").mkdir()  # an empty one is filled
    with write_whole(tmp_path / "set") as draft:
        draft.mkdir()
        (draft / "one").write_text("1")
        assert names(tmp_path / "set") == []
    assert names(tmp_path) == ["set"] and names(tmp_path / "set") == ["one"]
    with pytest.raises(DatasetError, match="set: Directory not empty"), write_whole(tmp_path / "set") as draft:
        draft.mkdir()
    assert names(tmp_path / "set") == ["one"] and names(tmp_path) == ["set"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_the_system_refuses_is_one_sentence(tmp_path, number):
    with pytest.raises(DatasetError, match=f"a.txt: {os.strerror(number)}.*LUNGSEG_HOME"):
        with write_whole(tmp_path / "a.txt") as draft:
            draft.write_text("half")
            raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []
    (tmp_path / "home").write_text("")
    with pytest.raises(DatasetError, match="home.*exists.*LUNGSEG_HOME"):
        write_text("", tmp_path / "home" / "a.txt")
    with lock(tmp_path / "home" / "run.json", "Training"):
        pass  # where nothing can be written nothing is locked


@pytest.mark.slow
def test_two_writers_never_leave_a_broken_file(tmp_path):
    path, looks = tmp_path / "last.txt", 0
    code = "for _ in range(200):\n    write_text(sys.argv[2] * 200_000, Path(sys.argv[1]))"
    writers = [start(code, path, letter) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            assert path.read_text() in ("a" * 200_000, "b" * 200_000)
            looks += 1
    assert [writer.returncode for writer in writers] == [0, 0] and looks > 100
    assert names(tmp_path) == ["last.txt"]


def test_drafts_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    code = """
with write_whole(sys.argv[1]) as draft:
    draft.mkdir() if sys.argv[1].endswith("set") else draft.write_text("half")
    print("ready"); time.sleep(60)
"""
    for target in ("run.json", "set"):
        writer = start(code, tmp_path / target)
        assert writer.stdout.readline() == "ready\n"
        writer.kill()
        writer.wait()
    others = [".run.json", ".run.mine.writing.json", "run.writing.json", f".log.{'0' * 32}.writing.json"]
    for name in others:
        (tmp_path / name).write_text("mine")
    assert len(names(tmp_path)) == len(others) + 2
    remove_drafts(tmp_path / "run.json")
    remove_drafts(tmp_path / "set")
    assert names(tmp_path) == sorted(others)


HOLDER = """
with lock(sys.argv[1], "Training in here"):
    print("ready"); time.sleep(60)
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, "SIGKILL"])
def test_a_lock_ends_with_its_process_and_who_waits_says_for_whom(tmp_path, end):
    path = tmp_path / "run.json"
    holder = start(HOLDER, path)
    assert holder.stdout.readline() == "ready\n"
    waiter = start(HOLDER, path)
    said = waiter.stdout.readline()
    assert said.startswith(f"Training in here: process {holder.pid} on ") and "Waiting for its end" in said
    time.sleep(0.2)
    holder.send_signal(getattr(signal, end, signal.SIGTERM) if isinstance(end, str) else end)
    assert waiter.stdout.readline() == "ready\n"
    waiter.send_signal(signal.SIGINT)
    waiter.wait()
    holder.wait()
    with lock(path, "Training in here"):  # a third time nobody is in the way
        pass
    assert names(tmp_path) == []


def test_one_at_a_time(tmp_path):
    code = """
for _ in range(40):
    with lock(sys.argv[1], "Counting"):
        path = Path(sys.argv[1])
        number = int(path.read_text())
        time.sleep(0.001)
        path.write_text(str(number + 1))
"""
    (tmp_path / "number").write_text("0")
    counters = [start(code, tmp_path / "number") for _ in range(3)]
    assert [counter.wait() for counter in counters] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "120" and names(tmp_path) == ["number"]


def test_json_keeps_five_significant_digits_and_says_what_is_damaged(tmp_path):
    write_json({"rate": 0.00000123456789, "many": 123456.789}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {"rate": 1.2346e-06, "many": 123460.0}
    (tmp_path / "a.json").write_text('{"rate":')
    with pytest.raises(DatasetError, match="a.json is damaged: delete it"):
        read_json(tmp_path / "a.json")
