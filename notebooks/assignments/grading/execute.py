"""Run the cells of one submission in a kernel of its own, confined and limited, and keep their outputs.

Parts stand on their own. A part whose code does not end, ends the kernel, needs too much memory or prints too much gets
no marks: its tests carry an error that says why. A new kernel then goes on with the next part.
"""

import contextlib
import json
import os
import queue
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import confine
import matplotlib
import nbformat
import psutil
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbformat import NotebookNode
from nbformat.v4 import new_output, output_from_msg

KERNEL = Path(__file__).with_name("kernel.py")
OUTPUTS = {"stream", "display_data", "execute_result", "error"}


@dataclass(frozen=True)
class Limits:
    """What a submission may use."""

    part_seconds: float = 60  # all cells of a part together
    total_seconds: float = 300  # the whole submission
    megabytes: int = 4096  # memory of the kernel and what it starts
    processes: int = 50  # that the kernel may start
    characters: int = 100_000  # of text that a cell may print
    bytes: int = 10_000_000  # of everything that a cell may put out, pictures included


LIMITS = Limits()
SETUP_SECONDS = 300  # TensorFlow takes its time on a busy machine


class StoppedError(Exception):
    """A cell had to be stopped, or stopped its kernel; the message is for the student."""


class GradingError(RuntimeError):
    """Something is wrong with this machine, not with the submission."""


class Kernel:
    """A confined kernel, and the folder of its sockets."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.folder = tempfile.TemporaryDirectory(prefix="grade-")  # short: the path of a socket has 107 characters
        shared = Path(self.folder.name)
        sockets = shared / "sockets"
        sockets.mkdir()
        python = [sys.executable, str(KERNEL), str(limits.megabytes), matplotlib.get_cachedir()]
        argv = [*confine.confine(python, sockets), "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        (shared / "kernels" / "confined").mkdir(parents=True)
        spec = {"argv": argv, "display_name": "confined", "language": "python"}
        (shared / "kernels" / "confined" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        self.manager = KernelManager(
            kernel_name="confined",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(shared / "kernels")]),
            transport="ipc",  # a confined kernel has no network
            ip=str(sockets / "k"),
            connection_file=str(sockets / "connection.json"),
        )
        home = confine.HOME if confine.way() else str(shared)
        log = shared / "kernel.log"
        with log.open("w") as messages:
            self.manager.start_kernel(env=environment(home), cwd=str(shared), stdout=messages, stderr=messages)
        self.client = self.manager.client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=120)
        except RuntimeError as error:
            said = log.read_text(errors="replace")[-2000:]
            self.close()
            raise GradingError(f"No kernel could be started to run submissions: {error}\n{said}") from error

    def close(self) -> None:
        """Stop the kernel and all that it has started."""
        started = self.processes()
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):  # most end with the kernel, as they should
                process.kill()
        self.folder.cleanup()

    def processes(self) -> list[psutil.Process]:
        """The kernel's processes."""
        try:
            first = psutil.Process(self.manager.provisioner.process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def check(self, ends: float) -> None:
        """Raise `StoppedError` when the kernel is gone, or has used more than it may."""
        limits = self.limits
        if time.monotonic() > ends:
            raise StoppedError(
                f"The code of this part was stopped: it was not done after {limits.part_seconds:g} seconds "
                f"(or the whole notebook after {limits.total_seconds:g}). Look for a loop that does not end."
            )
        processes = self.processes()
        if len(processes) > limits.processes:
            raise StoppedError(f"The code of this part was stopped: it started more than {limits.processes} processes.")
        used = 0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                used += process.memory_info().rss
        if used > limits.megabytes << 20:
            raise StoppedError(f"The code of this part was stopped: it used more than {limits.megabytes} MB of memory.")
        if not self.manager.is_alive():
            raise StoppedError(
                "The code of this part ended the kernel, with exit(), by a crash or by using too much memory, "
                "so nothing of it could be marked."
            )

    def execute(self, source: str, seconds: float) -> list[NotebookNode]:
        """Run a cell and return its outputs; a StoppedError tells that it was stopped, or stopped its kernel."""
        ends = time.monotonic() + seconds
        request = self.client.execute(source, allow_stdin=False, stop_on_error=False)
        outputs, characters, size, checked = [], 0, 0, 0.0
        while True:
            if time.monotonic() > checked + 0.5:
                self.check(ends)
                checked = time.monotonic()
            try:
                message = self.client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in OUTPUTS:  # also those of a thread that an earlier cell has left
                characters += len(content.get("text", "")) + len(content.get("evalue", ""))
                size += len(str(content))
                if characters > self.limits.characters or size > self.limits.bytes:
                    raise StoppedError(
                        f"The code of this part was stopped: a cell may print {self.limits.characters:,} characters, "
                        "and this one printed more. Leave out what it prints in a loop."
                    )
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind in OUTPUTS:
                outputs.append(output_from_msg(message))
            if kind == "status" and content["execution_state"] == "idle":
                self.check_exit(request)
                return outputs

    def check_exit(self, request: str) -> None:
        """Raise `StoppedError` when the cell that has just ended asked its kernel to end."""
        try:
            reply = self.client.get_shell_msg(timeout=5)
            while reply["parent_header"].get("msg_id") != request:
                reply = self.client.get_shell_msg(timeout=5)
        except queue.Empty:
            self.check(0)  # no reply: the kernel is gone, or does not answer
        if any(order.get("source") == "ask_exit" for order in reply["content"].get("payload", [])):
            raise StoppedError("The code of this part ended the kernel with exit(), so nothing of it could be marked.")


def environment(home: str) -> dict[str, str]:
    """The environment of a kernel: nothing of the teacher's, and one core, so that submissions run side by side."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": home,
        "LANG": "C.UTF-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "IPYTHONDIR": f"{home}/ipython",
        "KERAS_HOME": f"{home}/keras",
        "LUNGSEG_HOME": f"{home}/data",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
    }


def failure(name: str, text: str) -> NotebookNode:
    """An output that says why a cell has no marks."""
    return new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])


def own_frames(output: NotebookNode, is_test: bool) -> NotebookNode:
    """An error as the student reads it: of a test its message, and the lines of the student's own code in it.

    The other lines of a traceback would show the hidden tests.
    """
    if output.output_type != "error" or not is_test:
        return output
    last = f"{output.ename}: {output.evalue}"
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", frame) for frame in output.traceback]
    # the first cell in it is the test itself; frames in libraries say little to a beginner
    cells = [(match[0], frame) for frame in plain if (match := re.match(r"Cell In\[\d+\]", frame))]
    frames = [frame for cell, frame in cells if cell != cells[0][0]]
    return new_output("error", ename=output.ename, evalue=output.evalue, traceback=[*frames, last])


def run(cells: Iterable[tuple[NotebookNode, str]], limits: Limits, void: dict[str, str]) -> dict[str, str]:
    """Run code cells and put their outputs into them.

    The set-up runs first, before any code of the student's; everything else in the order of the notebook.

    Args:
        cells: code cells of a notebook, each with the name of its part; `""` stands for cells before the first part.
            nbgrader's metadata tells set-up cells (locked, no marks) from answers and tests.
        limits: what the submission may use.
        void: parts that get no marks and are not run, each with the reason.

    Returns:
        For each part that is void, was stopped, or whose answer failed, why.

    Raises:
        GradingError: no kernel could be started, or the set-up itself failed.
    """
    cells = list(cells)
    setup = [cell for cell, _ in cells if is_setup(cell)]
    used: dict[str, float] = {}
    failed = dict(void)
    kept: list[tuple[NotebookNode, str]] = []  # what a new kernel has to run before it can go on
    kernel = Kernel(limits)
    try:
        for cell in setup:
            cell.outputs = run_setup(kernel, cell)
        for cell, part in cells:
            marks = cell.metadata.get("nbgrader", {})
            is_test = marks.get("grade", False)
            if is_setup(cell) or (part and part in failed):
                continue
            left = min(limits.part_seconds - used.get(part, 0), limits.total_seconds - sum(used.values()))
            started = time.monotonic()
            try:
                cell.outputs = [own_frames(output, is_test) for output in kernel.execute(cell.source, left)]
            except StoppedError as stop:
                cell.outputs = [failure("Stopped", str(stop))]
                failed[part] = str(stop)
                kernel.close()
                kept = [(one, name) for one, name in kept if not part or name != part]
                kernel = start_again(setup, kept, failed, limits)
            else:
                error = next((output for output in cell.outputs if output.output_type == "error"), None)
                if error and marks.get("solution"):
                    failed[part] = f"The answer cell itself failed, so no test was run. {error.ename}: {error.evalue}"
                if not is_test:
                    kept.append((cell, part))
            used[part] = used.get(part, 0) + time.monotonic() - started
    finally:
        kernel.close()
    for cell, part in cells:
        if part in failed and cell.metadata.get("nbgrader", {}).get("grade"):
            cell.outputs = [failure("Stopped", failed[part])]
    return failed


def is_setup(cell: NotebookNode) -> bool:
    """Whether a cell is one of the assignment's own that is no test."""
    marks = cell.metadata.get("nbgrader", {})
    return bool(marks.get("locked")) and not marks.get("grade")


def run_setup(kernel: Kernel, cell: NotebookNode) -> list[NotebookNode]:
    """Run a cell of the set-up, in which nothing can be the student's fault."""
    name = cell.metadata.nbgrader.grade_id
    try:
        outputs = kernel.execute(cell.source, SETUP_SECONDS)
    except StoppedError as stop:
        raise GradingError(f"The assignment's cell {name} did not run on this machine: {stop}") from stop
    for output in outputs:
        if output.output_type == "error":
            raise GradingError(f"The assignment's cell {name} failed on this machine: {output.ename}: {output.evalue}")
    return outputs


def start_again(setup: list, kept: list, failed: dict[str, str], limits: Limits) -> Kernel:
    """A new kernel in which the set-up and the student's cells so far have run; what stops it now is dropped."""
    while True:
        kernel = Kernel(limits)
        for cell in setup:
            run_setup(kernel, cell)
        for cell, part in kept:
            try:
                kernel.execute(cell.source, limits.part_seconds)
            except StoppedError as stop:
                kernel.close()
                failed[part] = str(stop)
                kept.remove((cell, part))
                break
        else:
            return kernel
