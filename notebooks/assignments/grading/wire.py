"""What goes between the process of the answers and the process of the tests: calls and results, as plain data.

A frame is a kind, a text in JSON and the bytes of the arrays in it. Nothing of it is ever executed: there is no pickle,
and no zip that could be a bomb. What is no plain data (a Keras model, a data set, a function) stays where it was made;
a number goes over the wire in its place, and the other side can ask for its attributes, call it, or read it in turn.
The process of the tests answers nothing but calls of functions that a test has handed over.
"""

import builtins
import json
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO

import numpy as np

LARGEST = 64_000_000  # bytes of a frame
HEAD = struct.Struct(">cII")
CALL, START, RESULT, STOPPED = b"C", b"S", b"R", b"X"  # kinds of frames
KINDS = "biufUS"  # of arrays: numbers, truth values and texts
SHARED = Path(tempfile.gettempdir())


class WireError(Exception):
    """What came or should go over the wire is not plain data, or too large."""


class StoppedError(BaseException):  # no `except Exception` of a test may swallow it
    """The other process had to be stopped, or has ended; the message is for the student."""


class AnswerError(Exception):
    """An error of a kind that Python does not bring, in the student's code."""


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Read so many bytes; an EOFError tells that the other side has gone."""
    found = b""
    while len(found) < count:
        piece = stream.read(count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes, bytes]:
    """Read a frame: its kind, its JSON and the bytes of its arrays."""
    kind, text, data = HEAD.unpack(read_exactly(stream, HEAD.size))
    if text + data > LARGEST:
        raise WireError(f"a message of {text + data:,} bytes, where {LARGEST:,} are allowed")
    return kind, read_exactly(stream, text), read_exactly(stream, data)


def write_frame(stream: BinaryIO, kind: bytes, text: bytes, data: bytes = b"") -> None:
    """Write a frame."""
    if len(text) + len(data) > LARGEST:
        raise WireError(f"a message of {len(text) + len(data):,} bytes, where {LARGEST:,} are allowed")
    stream.write(HEAD.pack(kind, len(text), len(data)) + text + data)
    stream.flush()


def plain_tensor(value: Any) -> np.ndarray | None:
    """The numbers of a TensorFlow tensor, `None` for anything else."""
    tf = sys.modules.get("tensorflow")  # never loaded for this: the first assignment does without
    if tf is None or not isinstance(value, tf.Tensor) or not hasattr(value, "numpy"):
        return None
    return np.asarray(tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value)


class Remote:
    """A thing that lives in the other process. It can be asked for things, and never for a verdict."""

    def __init__(self, peer: "Peer", number: int, kind: str) -> None:
        self._peer, self._number, self._kind = peer, number, kind

    def __call__(self, *words: Any, **options: Any) -> Any:
        return self._peer.ask("call", self, list(words), options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._peer.ask("get", self, name)

    def __iter__(self) -> Iterator[Any]:
        turn = self._peer.ask("iterate", self)
        while True:
            more, value = self._peer.ask("next", turn)
            if not more:
                return
            yield value

    def _refuse(self, *_: Any) -> Any:
        raise AnswerError(f"this is an object of the type {self._kind}, where numbers, texts or arrays are asked for")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __array__ = __getitem__ = __contains__ = __float__ = __int__ = __index__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Peer:
    """One end of the wire."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, answers: dict[str, Callable], judges: bool) -> None:
        """`answers`: what this end does for the other one, by name. `judges`: whether this is the end of the tests."""
        self.reader, self.writer, self.answers, self.judges = reader, writer, answers, judges
        self.kept: dict[int, Any] = {}  # things of this end that the other one knows by number

    def ask(self, what: str, *words: Any) -> Any:
        """Let the other end do something, and return its result.

        Raises:
            StoppedError: there is no other end any more.
            Exception: what the other end has raised, as the same error of Python's own.
        """
        self.send(CALL, [what, *words])
        while True:
            try:
                kind, text, data = read_frame(self.reader)
            except EOFError:
                raise SystemExit from None  # the one that started us has gone
            if kind == STOPPED:
                raise StoppedError(json.loads(text))
            try:
                message = self.decode(json.loads(text), data)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError) as error:
                raise WireError(f"an answer that cannot be read ({type(error).__name__})") from error
            if kind == CALL:
                self.answer(message)
                continue
            if not isinstance(message, list) or len(message) != 2:
                raise WireError("an answer that cannot be read")
            if message[0] is not True:
                raise as_error(message[1])
            return message[1]

    def answer(self, message: Any) -> None:
        """Do what the other end asks for, and send the result or the error."""
        try:
            what, *words = message
            if what not in self.answers:
                raise WireError(f"nobody here does {what!r}")
            self.send(RESULT, [True, self.answers[what](*words)])
        except (SystemExit, StoppedError):
            raise
        except BaseException as error:  # whatever goes wrong is told to the other end, which decides
            names = [kind.__name__ for kind in type(error).__mro__]
            self.send(RESULT, [False, [names, str(error)[:2000], type(error).__name__]])

    def serve(self) -> None:
        """Answer until the other end has gone."""
        while True:
            try:
                _, text, data = read_frame(self.reader)
            except EOFError:
                return
            self.answer(self.decode(json.loads(text), data))

    def send(self, kind: bytes, message: Any) -> None:
        """Send plain data."""
        pieces: list[bytes] = []
        text = json.dumps(self.encode(message, pieces), ensure_ascii=True).encode()
        write_frame(self.writer, kind, text, b"".join(pieces))

    def encode(self, value: Any, pieces: list[bytes]) -> Any:
        """Plain data as JSON has it; the bytes of arrays are added to `pieces`."""
        if value is None or type(value) in (bool, float):
            return value
        if isinstance(value, str):
            return str.__str__(value).encode("utf-8", "replace").decode()
        if type(value) is int and value.bit_length() < 1000:
            return value
        if type(value) is list:
            return [self.encode(each, pieces) for each in value]
        if isinstance(value, Remote):
            return {"t": "yours", "v": value._number}
        if isinstance(value, Path):
            files = files_of(value) if self.judges else []
            return {"t": "path", "v": str(value), "files": self.encode(files, pieces)}
        if isinstance(value, tuple | list) or type(value).__name__ == "TensorShape":
            return {"t": "tuple", "v": [self.encode(each, pieces) for each in value]}
        if isinstance(value, Set):
            return {"t": "set", "v": [self.encode(each, pieces) for each in value]}
        if isinstance(value, Mapping):
            return {"t": "dict", "v": [[self.encode(each, pieces) for each in pair] for pair in value.items()]}
        tensor = plain_tensor(value)
        array = value if isinstance(value, np.ndarray | np.generic) else tensor
        if array is not None and array.dtype.kind in KINDS:
            pieces.append(np.ascontiguousarray(array).tobytes())
            kind = "tensor" if tensor is not None else "scalar" if isinstance(value, np.generic) else "array"
            return {"t": kind, "dtype": array.dtype.str, "shape": list(array.shape), "bytes": len(pieces[-1])}
        return self.hand_over(value)

    def hand_over(self, value: Any) -> dict:
        """A number in the place of a thing that stays here; of the tests' things, functions alone."""
        if self.judges and not isinstance(value, FunctionType):
            raise WireError(f"a test cannot hand over {type(value).__name__}")
        self.kept[number := len(self.kept) + 1] = value
        return {"t": "thing", "v": number, "kind": type(value).__name__}

    def decode(self, value: Any, data: bytes) -> Any:
        """The plain data in a frame."""
        at = 0

        def read(value: Any) -> Any:
            nonlocal at
            if isinstance(value, list):
                return [read(each) for each in value]
            if not isinstance(value, dict):
                return value
            kind = value["t"]
            if kind in ("array", "scalar", "tensor"):
                dtype = np.dtype(value["dtype"])
                if dtype.kind not in KINDS or dtype.itemsize < 1:
                    raise WireError(f"an array of {dtype}")
                start, at = at, at + int(value["bytes"])
                array = np.frombuffer(data[start:at], dtype).reshape([int(side) for side in value["shape"]]).copy()
                return array if kind == "array" else array[()] if kind == "scalar" else as_tensor(array)
            if kind == "path":
                return Path(value["v"]) if self.judges else placed(Path(value["v"]), read(value["files"]))
            if kind == "yours":
                return self.kept[value["v"]]
            if kind == "thing":
                return Remote(self, int(value["v"]), str(value["kind"])[:80])
            made = [read(each) for each in value["v"]]
            return {"tuple": tuple, "set": set, "dict": dict}[kind](made)

        return read(value)


def as_tensor(array: np.ndarray) -> Any:
    """A tensor where TensorFlow is at hand, otherwise its numbers."""
    tf = sys.modules.get("tensorflow")
    return array if tf is None else tf.constant(array)


def as_error(told: Any) -> Exception:
    """The error that the other end has told of: the same one if it is Python's own."""
    names, text, own = told
    for name in names:
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            try:
                error = kind(str(text))
                break
            except TypeError:  # UnicodeDecodeError wants five things
                continue
    else:
        error = AnswerError(str(text))
    error.add_note(str(own)[:80])
    return error


def files_of(path: Path) -> list:
    """The files that a test has written: they travel with their path. Other paths travel alone."""
    if not path.is_relative_to(SHARED) or path == SHARED:
        return []
    found = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return [[str(each), np.frombuffer(each.read_bytes(), np.uint8)] for each in found]


def placed(path: Path, files: list) -> Path:
    """A path whose files are written, where they came with it."""
    for name, content in files:
        if not Path(name).is_relative_to(SHARED) or ".." in Path(name).parts:
            raise WireError(f"a file outside {SHARED}")
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.tobytes())
    return path
