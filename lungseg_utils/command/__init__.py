"""The command line: what is done outside a notebook. `lungseg --help` lists it.

This file loads little before `run_safely` is at work: it hears Ctrl-C while the large libraries load, too.
"""

import _thread
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Run the command line `lungseg`, or `python -m lungseg_utils`; return its exit code."""

    def work() -> None:
        from lungseg_utils.command.line import parser

        options = parser().parse_args()
        options.run(options)

    return run_safely(work)


def run_safely(work: Callable[[], None]) -> int:
    """Do the work of a command, and end in one sentence whatever comes.

    SIGTERM interrupts as Ctrl-C does, so that drafts and workers are cleared away.

    Returns:
        The exit code: 0; 1 after an error; 128 and the signal's number after a signal, also where whoever reads the
        output has gone (`| head`).
    """
    heard, done = [], threading.Event()

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        heard.append(number)
        threading.Thread(target=insist, args=(number, done), daemon=True).start()
        raise KeyboardInterrupt

    hook, sys.unraisablehook = sys.unraisablehook, lambda lost: None if heard else hook(lost)
    numbers = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # for terminals that cannot write, say, "²"
        try:
            work()
        finally:
            if sys.stdout:
                sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        code = end(128 + (heard[-1] if heard else signal.SIGINT), "Stopped.")
        sys.stderr = open(os.devnull, "w")  # libraries that were interrupted say more while Python ends
        return code
    except BrokenPipeError:
        return end(128 + 13, "")
    except Exception as error:  # a library may make something else of an interruption
        return end(128 + heard[-1], "Stopped.") if heard else end(1, f"Error: {in_words(error)}")
    finally:
        done.set()
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def insist(number: int, done: threading.Event) -> None:
    """Interrupt the main thread once more if it works on without heeding it, and is not just clearing up either.

    Some libraries pass over an interruption while they load, and so does Python itself while it clears an object away.
    """
    main_thread, nothing = threading.main_thread().ident or 0, (None, (None, None, None))  # the second in Python 3.11
    while not done.wait(0.1):
        if sys._current_exceptions().get(main_thread) in nothing:
            if sys.platform == "win32":
                _thread.interrupt_main(signal.Signals(number))
            else:
                signal.pthread_kill(main_thread, number)  # it wakes a thread that sleeps, too
            return


def end(code: int, text: str) -> int:
    """Print a last sentence, if that is still possible, and return the exit code."""
    for stream, last in ((sys.stdout, ""), (sys.stderr, text)):
        try:
            print(last, end="\n" if last else "", file=stream, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # Python flushes once more at its end
    return code


def in_words(error: Exception) -> str:
    """Say an error in a sentence; the traceback of one that nobody foresaw goes into a file, which is named."""
    import tempfile
    import traceback

    from lungseg_utils.files import DatasetError, escape

    if isinstance(error, OSError) and error.strerror:  # the system's; others are ours
        where = escape(str(error.filename or "output"))
        return f"{where}: {error.strerror}. LUNGSEG_HOME names another folder for the course."
    if isinstance(error, DatasetError | OSError | RuntimeError):
        return "\n".join(map(escape, str(error).split("\n")))
    what = escape(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="lungseg-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exception(error, file=file)
        return f"{what} This was not foreseen: please report it with the file {file.name}."
    except OSError:  # no room for it
        traceback.print_exception(error)
        return what
