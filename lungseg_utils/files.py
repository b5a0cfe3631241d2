"""Files that are whole or absent and have one writer at a time, and JSON."""

import glob
import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout


class DatasetError(ValueError):
    """A data set or a file is not as the course needs it; the message names it and the way out."""


@contextmanager
def write_whole(path: Path | str) -> Iterator[Path]:
    """Give a draft beside a file or folder to write into, and rename it when the block ends: others see all or nothing.

    The draft has a path of its own with the same suffix, where nothing is yet; parents are made. It is removed when the
    block raises; a block that does not write it changes nothing. A folder must not be there yet, or be empty. A full
    disk or a missing right is a DatasetError.
    """
    path = Path(path)
    draft = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.writing{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        if draft.is_dir() and path.exists():
            path.rmdir()  # Windows does not rename onto a folder, not even onto an empty one
        if draft.exists():
            os.replace(draft, path)
    except OSError as error:
        where = f"{path}: {error.strerror or error}"
        raise DatasetError(f"Cannot write {where}. Make room there, or name a folder in LUNGSEG_HOME.") from error
    finally:
        _remove(draft)


def remove_drafts(path: Path | str) -> None:
    """Remove the drafts of `write_whole` for this file or folder that killed processes left; needs its `lock`."""
    stem, suffix = glob.escape(Path(path).stem), glob.escape(Path(path).suffix)
    for draft in Path(path).parent.glob(f".{stem}.{'[0-9a-f]' * 32}.writing{suffix}"):
        _remove(draft)


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def lock(path: Path | str, work: str) -> Iterator[None]:
    """Be the only process at a piece of work; whoever comes second says who is at it, and waits.

    The lock is a file `.NAME.lock` beside the path. The system frees it when its process ends, however it ends. Where
    nothing can be written there is no lock: the writing itself will fail and say why. `work` begins a sentence.
    """
    path = Path(path)
    held, owner = FileLock(path.with_name(f".{path.name}.lock")), path.with_name(f".{path.name}.owner")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=0)
        except Timeout:
            who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
            print(f"{work}: {who} is at it. Waiting for its end.", flush=True)
            held.acquire()
        name = f"process {os.getpid()} on {platform.node()}, since {datetime.now():%Y-%m-%d %H:%M},"
        owner.write_text(name, encoding="utf-8")
    except OSError:
        pass
    try:
        yield
    finally:
        if held.is_locked:
            _remove(owner)
            _remove(Path(held.lock_file))  # still ours: others who have opened it see that it is gone, and try again
        held.release()


def escape(text: str) -> str:
    """Write as `\\x1b` and the like what a terminal would obey, or cannot show: line ends, colours, half characters."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def cell(value: object) -> object:
    """Make a value harmless in a CSV file: an apostrophe comes before a text that a spreadsheet would compute."""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value


def name_by_place(folder: Path) -> str:
    """A folder's name and eight digits of its path's digest: two folders of one name stay apart."""
    return f"{folder.name}-{hashlib.sha256(os.fsencode(os.path.abspath(folder))).hexdigest()[:8]}"


def write_text(text: str, path: Path | str) -> None:
    """Write a text in UTF-8 with plain line ends, whole or not at all."""
    with write_whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def read_json(path: Path | str) -> dict:
    """Read a JSON file; a `DatasetError` when it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path} is damaged: delete it, or put the original back.") from error


def write_json(content: dict, path: Path | str) -> None:
    """Write JSON with five significant digits: more would only be noise in a file that is kept."""
    short = json.loads(json.dumps(content), parse_float=lambda digits: float(f"{float(digits):.5g}"))
    write_text(json.dumps(short, indent=1) + "\n", path)
