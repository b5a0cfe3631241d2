"""The process of the answers: runs a student's cells, and offers what they define to the process of the tests.

python serve.py MEGABYTES FONTS

It decides nothing. Nobody asks it whether a test has passed; what its functions return is plain data to the tests.
"""

import io
import os
import resource
import shutil
import sys
from typing import Any, BinaryIO

from wire import Peer

CHARACTERS = 100_000  # of text that a cell may print
PICTURES = 6  # of a cell that are kept for the feedback page
PICTURE_CHARACTERS = 3_000_000
DISK = 200 << 20  # bytes of a file


def begin() -> tuple[BinaryIO, BinaryIO]:
    """Give up what a marked process does not need, and take standard input and output for the wire alone."""
    megabytes, fonts = int(sys.argv[1]), sys.argv[2]
    # Linux counts what a process writes to; macOS knows the limit and ignores it, so `execute` measures as well
    most = {"DATA": megabytes << 20, "FSIZE": DISK, "CORE": 0, "NOFILE": 512, "NPROC": 4096, "MSGQUEUE": 0}
    for name, value in most.items():
        if (kind := getattr(resource, f"RLIMIT_{name}", None)) is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
    # matplotlib writes beside its list of fonts, so it gets a copy: without it, each process would search for seconds
    shutil.copytree(fonts, os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)  # what is printed past Python's back goes nowhere
    return reader, writer


class Paper(io.StringIO):
    """What a cell prints, up to a limit."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > CHARACTERS:
            raise RuntimeError(f"a cell may print {CHARACTERS:,} characters, and this one printed more")
        return super().write(text)


class Turn:
    """A thing that is being read element by element."""

    def __init__(self, thing: Any) -> None:
        self.rest = iter(thing)

    def next(self) -> tuple:
        """Whether there is another element, and it."""
        for value in self.rest:
            return True, value
        return False, None


class Notebook:
    """The student's notebook: a namespace in which cells run."""

    def __init__(self) -> None:
        import matplotlib
        from IPython.core.displaypub import CapturingDisplayPublisher
        from IPython.core.interactiveshell import InteractiveShell
        from matplotlib_inline.backend_inline import configure_inline_support
        from traitlets.config import Config

        class Shell(InteractiveShell):
            def enable_gui(self, gui: Any = None) -> None:
                """There is no window; `%matplotlib inline` asks for none."""

        config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
        self.shell = Shell.instance(config=config, display_pub_class=CapturingDisplayPublisher)
        configure_inline_support(self.shell, os.environ["MPLBACKEND"])
        matplotlib.interactive(True)  # as in a notebook: a cell shows its figures when it has run

    def run(self, source: str) -> tuple:
        """Run a cell: what it printed, its pictures as PNG in base64, and its error, `""` for none."""
        paper, self.shell.display_pub.outputs = Paper(), []
        sys.stdout = sys.stderr = paper
        try:
            done = self.shell.run_cell(source)
        finally:
            sys.stdout = sys.stderr = Paper()
        error = done.error_before_exec or done.error_in_exec
        shown = [each["data"].get("image/png") for each in self.shell.display_pub.outputs]
        pictures = [each for each in shown if isinstance(each, str) and len(each) < PICTURE_CHARACTERS][:PICTURES]
        return paper.getvalue(), pictures, f"{type(error).__name__}: {error}"[:500] if error else ""

    def name(self, name: str) -> Any:
        """What the notebook calls so.

        Raises:
            NameError: nothing.
        """
        if name not in self.shell.user_ns:
            raise NameError(f"{name} is not defined")
        return self.shell.user_ns[name]


def main() -> None:
    """Serve the process of the tests."""
    reader, writer = begin()
    notebook = Notebook()
    os.dup2(1, 2)
    answers = {
        "run": notebook.run,
        "name": notebook.name,
        "call": lambda function, words, options: function(*words, **options),
        "get": getattr,
        "iterate": Turn,
        "next": Turn.next,
    }
    Peer(reader, writer, answers, judges=False).serve()


if __name__ == "__main__":
    main()
