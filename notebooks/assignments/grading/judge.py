"""The process of the tests: it has the hidden tests, their seeds and their expected values, and alone decides.

python judge.py MEGABYTES FONTS

It never imports or runs a student's code. In the place of a student's functions stand others that send their arguments
to the process of the answers (`serve.py`) and give back what it returns. It gets the cells over the wire, and tells the
outcome of each test as soon as it is known.
"""

import base64
import contextlib
import io
import json
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from serve import begin
from wire import RESULT, START, AnswerError, Peer, Remote, StoppedError, WireError, read_frame, write_frame

TESTED, DONE, PART = b"T", b"D", b"P"  # kinds of frames to the one that started us
SHOWN = 3_000  # printed characters of a cell that come into the feedback page
MESSAGE = 400  # characters of a test's message
PICTURES, PIXELS = 20, 4_000_000  # in all, and of each
Image.MAX_IMAGE_PIXELS = PIXELS
BEGIN, END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


def fresh(picture: str) -> str | None:
    """A picture drawn anew: its pixels, and nothing else that its file may hold. `None` if it is none."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(picture)), formats=["PNG"]) as image:
            pixels = image.convert("RGB")
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    pixels.thumbnail((900, 900))
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class Judge:
    """Runs the tests of an assignment against another process."""

    def __init__(self, peer: Peer, cells: list[dict], restart: Callable, turn_to: Callable) -> None:
        """
        Args:
            peer: this end of the wire.
            cells: `kind` (`setup`, `probe`, `answer`, `own`, `test`), `name`, `part` and `source` of each; of answers
                and probes, `defines` has the names that tests use.
            restart: gives this end a new process of answers, or raises a StoppedError.
            turn_to: says on which part's account the other process works from now on; `None` for the set-up.
        """
        self.peer, self.cells, self.restart, self.turn_to = peer, cells, restart, turn_to
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.offered: dict[str, dict[str, Any]] = {}  # for each part, what stands for the student's functions
        self.failed: dict[str, str] = {}  # parts that were stopped, and why
        self.outputs: dict[str, tuple[str, list[str], str]] = {}

    def set_up(self) -> None:
        """Run the assignment's set-up here; an error of it is this machine's fault."""
        for cell in self.cells:
            if cell["kind"] in ("setup", "probe"):
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(cell["source"], cell["name"], "exec"), self.names)

    def run_answers(self) -> None:
        """Run the student's notebook in a new process of answers, without what stopped it before."""
        self.restart()
        self.turn_to(None)
        probes = self.set_up_answers()
        for cell in self.cells:
            part, name = cell["part"], cell["name"]
            if part in self.failed or cell["kind"] not in ("answer", "own", "test"):
                continue
            self.turn_to(part)
            try:
                if cell["kind"] != "test":
                    self.outputs[name] = self.ran(cell["source"])
                elif part not in self.offered:
                    self.offered[part] = probes | self.answers_of(part)
            except StoppedError as stop:
                self.offered.clear()
                self.failed[part] = str(stop)
                return self.run_answers()

    def ran(self, source: str) -> tuple[str, list[str], str]:
        """Run a cell of the student's: what it printed, its pictures, its error."""
        try:
            printed, pictures, error = self.peer.ask("run", source)
            return str(printed)[:SHOWN], [str(each) for each in pictures], str(error)[:MESSAGE]
        except Exception as error:  # the other process tells what it likes
            return "", [], f"{type(error).__name__}: {error}"[:MESSAGE]

    def set_up_answers(self) -> dict[str, Any]:
        """Run the set-up in the process of answers; returns what stands for its probes."""
        probes = {}
        for cell in self.cells:
            if cell["kind"] in ("setup", "probe"):
                _, _, error = self.peer.ask("run", cell["source"])
                if error:
                    raise RuntimeError(f"the assignment's cell {cell['name']} failed on this machine: {error}")
            if cell["kind"] == "probe":
                probes |= {name: forwarded(self.peer.ask("name", name)) for name in cell["defines"]}
        return probes

    def answers_of(self, part: str) -> dict[str, Any]:
        """What stands for a part's functions; one that is missing raises a NameError when it is called."""
        found = {}
        for cell in self.cells:
            if cell["kind"] == "answer" and cell["part"] == part:
                for name in cell["defines"]:
                    try:
                        found[name] = forwarded(self.peer.ask("name", name))
                    except Exception as error:  # not defined, or nothing that could be called
                        found[name] = missing(self.outputs[cell["name"]][2] or f"{name} cannot be used: {error}")
        return found

    def run(self) -> Iterator[tuple[str, str]]:
        """Run the student's cells, then all tests, part by part: the name of each and its message, `""` for passed."""
        for part in dict.fromkeys(cell["part"] for cell in self.cells if cell["kind"] == "test"):
            names, message = dict(self.names), ""
            for cell in self.cells:
                if cell["kind"] != "test" or cell["part"] != part:
                    continue
                try:
                    if part not in self.failed and part not in self.offered:
                        self.run_answers()
                    if part not in self.failed:
                        self.turn_to(part)
                        names.update(self.offered[part])
                        message = self.test(cell, names)
                except StoppedError as stop:
                    self.failed[part] = str(stop)
                    self.offered.clear()
                yield cell["name"], self.failed.get(part) or message

    @staticmethod
    def test(cell: dict, names: dict[str, Any]) -> str:
        """Run a test: `""` when it has passed, else what the student is told."""
        lines = cell["source"].split("\n")
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
                exec(compile(cell["source"], cell["name"], "exec"), names)
        except Exception as error:  # an error of any kind is a failed test
            at = [
                frame.lineno or 0
                for frame in traceback.extract_tb(error.__traceback__)
                if frame.filename == cell["name"]
            ]
            before = lines[: at[0] if at else 0]
            return told(error, is_hidden=before.count(BEGIN) > before.count(END))
        return ""


def forwarded(thing: Any) -> Any:
    """What stands for a function or class of the student's.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(thing, Remote):
        raise TypeError("it is no function")
    return thing


def missing(why: str) -> Callable:
    """What stands for a function that is not there."""

    def function(*words: Any, **options: Any) -> None:
        raise AnswerError(why)

    return function


def told(error: Exception, is_hidden: bool) -> str:
    """What a student is told of a failed test: our message, or the error in their code.

    The words of their own error could carry the data of a hidden test out: of those, only the kind is told.
    """
    if isinstance(error, AssertionError) and not getattr(error, "__notes__", None):
        return str(error)[:MESSAGE] or "not as it should be"
    kind = (getattr(error, "__notes__", None) or [type(error).__name__])[0]
    if is_hidden:
        return f"with other data, your code or its result led to an error ({kind[:40]})"
    if isinstance(error, (WireError, AnswerError)) and not getattr(error, "__notes__", None):
        return str(error)[:MESSAGE]
    return f"{kind}: {error}"[:MESSAGE]


def main() -> None:
    """Mark the notebook that comes over the wire."""
    reader, writer = begin()
    _, text, _ = read_frame(reader)

    def restart() -> None:
        peer.kept.clear()
        write_frame(writer, START, b"")
        kind, text, _ = read_frame(reader)
        if kind != RESULT:
            raise StoppedError(json.loads(text))

    def call_back(function: Any, words: list, options: dict) -> Any:
        if function not in peer.kept.values():
            raise WireError("only what a test has handed over can be called")
        return function(*words, **options)

    peer = Peer(reader, writer, {"call": call_back}, judges=True)
    judge = Judge(peer, json.loads(text), restart, lambda part: write_frame(writer, PART, json.dumps(part).encode()))
    judge.set_up()
    for name, message in judge.run():
        write_frame(writer, TESTED, json.dumps([name, message]).encode())
    left = iter(range(PICTURES))
    outputs = {
        name: [printed, [new for each, _ in zip(pictures, left) if (new := fresh(each))], error]
        for name, (printed, pictures, error) in judge.outputs.items()
    }
    write_frame(writer, DONE, json.dumps({"stopped": judge.failed, "outputs": outputs}).encode())


if __name__ == "__main__":
    main()
