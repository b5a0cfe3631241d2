"""Run one submission: a process of answers and a process of tests, both confined, and what is passed between them.

Parts stand on their own. A part whose code does not end, ends its process, needs too much memory or sends too much gets
no marks: its tests carry a message that says why. A new process of answers then goes on with the next part.
What a submission can cost is bounded by `Limits`; nothing that its process says is read here, only its length.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import confine
import matplotlib
import psutil
from judge import DONE, PART, TESTED
from wire import CALL, HEAD, LARGEST, RESULT, START, STOPPED

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Limits:
    """What a submission may use."""

    part_seconds: float = 60  # all cells and calls of a part together
    total_seconds: float = 300  # the whole submission
    megabytes: int = 4096  # memory of a process and what it starts, files in memory included
    processes: int = 50  # that it may start
    restarts: int = 6  # of the process of answers


LIMITS = Limits()
SETUP_SECONDS = 300  # TensorFlow takes its time on a busy machine


class GradingError(RuntimeError):
    """Something is wrong with this machine, not with the submission."""


class StoppedError(Exception):
    """A process had to be stopped, or has ended; the message is for the student."""


def used_megabytes(processes: list[psutil.Process]) -> float:
    """The memory of processes, with the files in memory that they hold open."""
    used = 0
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):  # it has just ended, or is not ours to look at
            used += process.memory_info().rss
            for handle in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(handle).startswith("/memfd:"):
                        used += handle.stat().st_blocks * 512
    return used / (1 << 20)


class Process:
    """A confined process with a wire to it."""

    def __init__(self, script: str, limits: Limits) -> None:
        self.limits, self.root = limits, tempfile.TemporaryDirectory(prefix="grade-")
        python = [sys.executable, "-P", str(HERE / script), str(limits.megabytes), matplotlib.get_cachedir()]
        counted = confine.counted(limits.megabytes, 20 * limits.processes)  # the kernel counts threads as well
        home = confine.HOME if confine.way() else self.root.name
        self.log = tempfile.TemporaryFile()  # what it says when it cannot be started
        self.started = subprocess.Popen(
            [*counted, *confine.confine(python, Path(self.root.name))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=confine.environment(home),
            cwd=self.root.name,
            start_new_session=True,
            bufsize=0,
        )
        self.writer, self.reader = self.started.stdin.fileno(), self.started.stdout.fileno()
        for pipe in (self.writer, self.reader):
            os.set_blocking(pipe, False)

    def processes(self) -> list[psutil.Process]:
        """The process and all that it has started."""
        try:
            first = psutil.Process(self.started.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def close(self) -> None:
        """End the process and all that it has started."""
        for process in self.processes()[::-1]:
            with contextlib.suppress(psutil.NoSuchProcess):  # most end with the first one, as they should
                process.kill()
        self.started.kill()
        self.started.wait()
        for pipe in (self.started.stdin, self.started.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
        self.root.cleanup()

    def said(self) -> str:
        """The end of what the process has said about itself."""
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 2000))
        return self.log.read().decode(errors="replace")

    def check(self) -> None:
        """Raise a StoppedError when the process uses more than it may."""
        found = self.processes()
        if len(found) > self.limits.processes:
            raise StoppedError(f"it started more than {self.limits.processes} processes.")
        if used_megabytes(found) > self.limits.megabytes:
            raise StoppedError(f"it used more than {self.limits.megabytes} MB of memory.")

    def read(self, count: int, ends: float) -> bytes:
        """Read so many bytes; a StoppedError tells that they did not come in time, or that the process is gone."""
        found, checked = bytearray(), time.monotonic()
        while len(found) < count:
            now = time.monotonic()
            if now > ends:
                raise StoppedError("it was not done in time. Look for a loop that does not end.")
            if now > checked + 0.2:
                self.check()
                checked = now
            if not select.select([self.reader], [], [], 0.2)[0]:
                continue
            piece = os.read(self.reader, min(count - len(found), 1 << 20))
            if not piece:
                self.check()
                raise StoppedError("it ended its process, with exit(), by a crash or by using too much memory.")
            found += piece
        return bytes(found)

    def read_frame(self, ends: float) -> tuple[bytes, bytes]:
        """Read a frame: its kind, and all of it as bytes."""
        head = self.read(HEAD.size, ends)
        kind, text, data = HEAD.unpack(head)
        if text + data > LARGEST:
            raise StoppedError(f"a result has {(text + data) >> 20} MB, and {LARGEST >> 20} are allowed.")
        return kind, head + self.read(text + data, ends)

    def pass_on(self, frame: bytes, ends: float) -> None:
        """Send a frame to the process; a StoppedError tells that it was not taken in time."""
        left = memoryview(frame)
        with contextlib.suppress(BrokenPipeError):  # that it has ended is seen when its answer is read
            while left:
                if time.monotonic() > ends:
                    raise StoppedError("it did not listen any more.")
                if select.select([], [self.writer], [], 0.2)[1]:
                    left = left[os.write(self.writer, left[: 1 << 20]) :]

    def send(self, kind: bytes, message: object) -> None:
        """Send a frame of our own."""
        text = json.dumps(message).encode()
        self.pass_on(HEAD.pack(kind, len(text), 0) + text, time.monotonic() + SETUP_SECONDS)


class Account:
    """How long a submission has worked, for each part."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.restarts = limits, 0
        self.part: str | None = None
        self.used: dict[str | None, float] = {}

    def ends(self) -> float:
        """When the part that works now has to be done."""
        if self.part is None:
            return time.monotonic() + SETUP_SECONDS
        left = self.limits.total_seconds - sum(used for part, used in self.used.items() if part is not None)
        return time.monotonic() + min(self.limits.part_seconds - self.used.get(self.part, 0), left)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Put the time of something on the account of the part."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.used[self.part] = self.used.get(self.part, 0) + time.monotonic() - started

    def restart(self) -> None:
        """Count a new process of answers; a StoppedError tells that there were enough."""
        self.restarts += 1
        if self.restarts > self.limits.restarts + 1:
            raise StoppedError("it had to be stopped too often.")


def mark(cells: list[dict], limits: Limits) -> dict:
    """Run a submission and its tests.

    Args:
        cells: as `judge.Judge` takes them.
        limits: what it may use.

    Returns:
        `tests`: by name, the message of each (`""` for passed); `stopped`: parts that were stopped, and why; `outputs`:
        by name of cell, what it printed, its pictures (PNG, base64), its error.

    Raises:
        GradingError: the processes could not be started, or the assignment's own set-up failed.
    """
    account = Account(limits)
    result: dict = {"tests": {}, "stopped": {}, "outputs": {}}
    judge, answers = Process("judge.py", limits), None
    has_begun = False  # whether anything of the student's has run
    try:
        try:
            judge.send(CALL, cells)
            while True:
                kind, frame = judge.read_frame(time.monotonic() + SETUP_SECONDS)
                body = frame[HEAD.size :]
                if kind == START:
                    if answers:
                        answers.close()
                    answers = restarted(judge, account)
                elif kind == PART:
                    account.part = json.loads(body)
                    has_begun = has_begun or account.part is not None
                elif kind == TESTED:
                    name, message = json.loads(body)
                    result["tests"][name] = message
                elif kind == DONE:
                    return result | json.loads(body)
                elif answers:
                    exchange(judge, answers, frame, account)
        except StoppedError as stop:  # the process of the tests itself
            if not has_begun:
                raise GradingError(f"the tests could not be run on this machine: {stop}\n{judge.said()}") from stop
            why = f"What its functions returned stopped the tests: {stop}"
            tests = {cell["name"]: why for cell in cells if cell["kind"] == "test"}
            return result | {"tests": tests | result["tests"], "stopped": {"": why}}
    finally:
        judge.close()
        if answers:
            answers.close()


def restarted(judge: Process, account: Account) -> Process | None:
    """A new process of answers, and the news of it to the tests."""
    try:
        account.restart()
    except StoppedError as stop:
        judge.send(STOPPED, f"The submission was not run any further: {stop}")
        return None
    judge.send(RESULT, None)
    return Process("serve.py", account.limits)


def exchange(judge: Process, answers: Process, frame: bytes, account: Account) -> None:
    """Pass a call on to the answers, and what comes back to the tests; when nothing comes back, the reason."""
    try:
        with account.working():
            ends = account.ends()
            answers.pass_on(frame, ends)
            kind, reply = answers.read_frame(ends)
            if kind not in (CALL, RESULT):
                raise StoppedError("what it sent was no result.")
    except StoppedError as stop:
        if account.part is None:
            said = answers.said()
            raise GradingError(f"the assignment's set-up did not run on this machine: {stop}\n{said}") from stop
        answers.close()
        where = "Code before the first part" if account.part == "" else "The code of this part"
        judge.send(STOPPED, f"{where} was stopped: {stop}")
        return
    judge.pass_on(reply, time.monotonic() + SETUP_SECONDS)
