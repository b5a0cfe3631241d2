"""Processes that draw: they leave interruptions to their parent, and end when it ends."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

import cv2


@contextmanager
def start_workers(count: int | None) -> Iterator[ProcessPoolExecutor]:
    """Start processes that draw, and end them with the block; what has not begun by then is not done.

    "spawn" starts clean processes: a forked copy of one that has loaded TensorFlow can hang. A script needs
    ``if __name__ == "__main__":`` around its own code for that; notebooks do not.

    Args:
        count: how many; `None` for one per processor.
    """
    pool = ProcessPoolExecutor(count or os.cpu_count(), get_context("spawn"), _prepare)
    try:
        _launch(pool)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _launch(pool: ProcessPoolExecutor) -> None:
    """Start the processes now, with Ctrl-C held back: they inherit that until `_prepare` makes them ignore it."""
    can_hold = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_hold else None
    try:
        pool.submit(os.getpid)  # the first task starts them all
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    cv2.setNumThreads(1)  # one process per processor is enough
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles the interruption
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the parent: a worker whose parent was killed waits for ever (CPython issue 111873)."""
    if parent := parent_process():  # always, in a worker
        parent.join()
        os._exit(1)
