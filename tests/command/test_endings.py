"""Every command ends in one sentence and with the right exit code, whatever comes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from shared import write_set

from lungseg_utils import command

pytestmark = pytest.mark.slow

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX systems")
DRAW = ("draw", "--count", "200", "--size", "64")


def heed_ctrl_c() -> None:
    """Undo what a shell does to what it starts in the background: Ctrl-C is ignored there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*words, program=(sys.executable, "-m", "lungseg_utils"), **environment) -> subprocess.Popen:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ, **environment}}
    first = None if sys.platform == "win32" else heed_ctrl_c
    return subprocess.Popen([*program, *map(str, words)], **options, preexec_fn=first)


def end(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def test_the_command_and_its_twin_have_one_name():
    script = (sys.executable, "-c", "import sys; from lungseg_utils.command import main; sys.exit(main())")
    one, two = end(start("--help")), end(start("--help", program=script))
    assert one == two and one[0] == 0 and one[1].startswith("usage: lungseg [-h]")


@POSIX
@pytest.mark.parametrize("wait", [0.15, 0.25, 0.35, 0.5, 0.8, 2.0])  # while libraries load, and at work
def test_ctrl_c_ends_with_one_word(tmp_path, wait):
    process = start(*DRAW, tmp_path / "data" / "set")
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    code, _, err = end(process)
    # Python itself dies of the signal where it came through a library that runs Python from C; a shell says 130 to both
    assert code in (130, -signal.SIGINT) and err.rstrip().endswith("Stopped.") and "Traceback" not in err, err
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())


@POSIX
@pytest.mark.parametrize("number, exit_code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_course_ends_with_one_word_too(tmp_path, number, exit_code):
    write_set(tmp_path / "set", count=30, height=64, width=80)
    process = start("course", "--data", tmp_path / "set", LUNGSEG_HOME=str(tmp_path / "home"))
    while not list(tmp_path.glob("home/runs/*/01_setup.log")):
        time.sleep(0.1)
    time.sleep(5)  # its kernel is at work
    kernels = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    code, _, err = end(process)
    assert code == exit_code and err.splitlines()[-1] == "Stopped." and "Traceback" not in err, err
    assert not psutil.wait_procs(kernels, timeout=20)[1]


@POSIX
def test_sigterm_clears_up_and_ends_with_143(tmp_path):
    process = start(*DRAW, tmp_path / "data" / "set")
    while not list(tmp_path.glob("data/.set.*/CXR_png/*")):  # it is drawing
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, _, err = end(process)
    assert code == 143 and err.rstrip().endswith("Stopped.") and "Traceback" not in err, err
    assert list((tmp_path / "data").iterdir()) == []


@POSIX
@pytest.mark.parametrize("words", [("--help",), ("draw", "set", "--count", "1", "--size", "64")])
def test_a_reader_that_leaves_is_no_error(tmp_path, words):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "lungseg_utils", *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    os.close(write)
    # argparse passes over an output that it cannot write to
    assert done.returncode in (141, 0 if "--help" in words else 141) and "rror" not in done.stderr, done.stderr


@pytest.mark.parametrize("encoding", ["cp932", "gbk", "cp1251", "ascii"])
def test_any_terminal_can_be_written_to(tmp_path, encoding):
    code = "import sys; from lungseg_utils import command; sys.exit(command.run_safely(lambda: print('12 cm² of ł')))"
    done = end(start(program=(sys.executable, "-c", code), PYTHONIOENCODING=encoding))
    assert done[0] == 0 and done[1].startswith("12 cm") and not done[2]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_behind_the_output_is_said():
    code = "import sys; from lungseg_utils import command; sys.exit(command.run_safely(lambda: print('areas')))"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"No space left on device" in done.stderr and b"Traceback" not in done.stderr


def test_what_nobody_foresaw_is_one_sentence_and_a_file(capsys):
    def work():
        raise KeyError("a mistake of ours\nin two lines")

    assert command.run_safely(work) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: KeyError: ") and said.count("\n") == 1
    path = Path(said.rstrip(".\n").split(" ")[-1])
    assert "Traceback" in (text := path.read_text("utf-8")) and "a mistake of ours" in text
    path.unlink()


@pytest.mark.parametrize(
    "error, said",
    [
        (PermissionError(13, "Permission denied", "/locked/runs"), "/locked/runs: Permission denied. LUNGSEG_HOME"),
        (OSError(28, "No space left on device", "/full/a"), "/full/a: No space left on device. LUNGSEG_HOME"),
        (FileNotFoundError("model is not there. Train one."), "model is not there. Train one.\n"),
        (RuntimeError("The loss is NaN."), "The loss is NaN.\n"),
    ],
)
def test_what_was_foreseen_is_one_sentence(capsys, error, said):
    def work():
        raise error

    assert command.run_safely(work) == 1
    assert capsys.readouterr().err.startswith(f"Error: {said}")


def test_an_interruption_that_gets_lost_is_made_again_and_clearing_up_is_left_alone(monkeypatch):
    class Closing:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def lost():
        Closing()  # Python passes over what a `__del__` raises
        time.sleep(20)

    def passed_over():
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        time.sleep(20)

    def clearing_up():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            time.sleep(0.5)
            cleared.append(True)

    cleared = []
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # it is put aside after an interruption
    begun = time.monotonic()
    assert {command.run_safely(work) for work in (lost, passed_over, clearing_up)} == {143} and cleared
    assert time.monotonic() - begun < 15, "it does not wait for a sleep to end"


def test_signals_are_as_before_afterwards():
    before = [sys.unraisablehook, *map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))]
    assert command.run_safely(lambda: None) == 0
    assert [sys.unraisablehook, *map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))] == before


def test_a_home_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "home").write_text("")
    code, _, err = end(start("course", LUNGSEG_HOME=str(tmp_path / "home")))
    assert code == 1 and str(tmp_path) in err and "LUNGSEG_HOME" in err and err.count("\n") == 1, err


BLOCKED = """
import sys, importlib, pkgutil
for name in ("resource", "fcntl", "pwd", "grp"):
    sys.modules[name] = None
import lungseg_utils, studies
for package in (lungseg_utils, studies):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""


def test_every_module_imports_where_only_posix_modules_are_missing():
    code, out, err = end(start(program=(sys.executable, "-W", "ignore", "-c", BLOCKED)))
    assert code == 0, err
    assert {"lungseg_utils.files", "lungseg_utils.command.run", "studies.speed"} <= set(out.split())
