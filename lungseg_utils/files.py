"""Files that are whole or absent, and JSON."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DatasetError(ValueError):
    """A data set or a file is not as the course needs it; the message names it and the way out."""


@contextmanager
def write_whole(path: Path | str) -> Iterator[Path]:
    """Give a draft beside a file to write into, and rename it when the block ends: others see all of it or none.

    Args:
        path: of the file; missing parents are made.

    Yields:
        The draft, a path of its own with the same suffix. It is removed when the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.writing{path.suffix}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(text: str, path: Path | str) -> None:
    """Write a text in UTF-8 with plain line ends, whole or not at all."""
    with write_whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def read_json(path: Path | str) -> dict:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_json(content: dict, path: Path | str) -> None:
    """Write JSON with five significant digits: more would only be noise in a file that is kept."""
    short = json.loads(json.dumps(content), parse_float=lambda digits: float(f"{float(digits):.5g}"))
    write_text(json.dumps(short, indent=1) + "\n", path)
