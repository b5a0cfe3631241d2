"""What each kept figure depends on, and which of them are stale.

The key of a figure names the code that it runs, the data set, and the version of the drawing. `python -m studies keys`
writes the keys of today into `keys.json`, which the stages of `dvc.yaml` name; `dvc.lock` holds those of the figures.

Code counts by definition: a key holds what can be reached from the function that measures, by the names used in it, and
no comment, docstring or line number. What is called in another way, say by `getattr` with a computed name, it misses.
"""

import ast
import dataclasses
import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from lungseg_utils.cases import set_folder
from lungseg_utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
OURS = ("lungseg_utils", "studies")  # packages whose code counts; libraries are recorded with the figure
FILE = "studies/keys.json"  # made for DVC, and not committed
DRAWING = "lungseg_utils.drawing"
SETS = ("data", "other data")  # in a key: the Montgomery set, and the second hospital's
Folders = Path | tuple[Path | None, Path | None] | None  # of these sets; a single one is the first
NOT_COUNTED = ("studies.keys", "studies.provenance", "lungseg_utils.files")
"""They watch over the measurements, or write files and locks, and take no part in what is computed."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """What a stage of `dvc.yaml` runs.

    Attributes:
        roots: `module:name` of what it calls; `path/*.py` stands for whole files.
        sets: which sets of real X-rays it takes, from `SETS`.
        needs_weights: whether it starts from the shipped model. DVC watches that: it stands among the stage's `deps`.
        without: packages whose code does not count.
    """

    roots: tuple[str, ...]
    sets: tuple[str, ...] = SETS[:1]
    needs_weights: bool = False
    without: tuple[str, ...] = ()


STAGES = {
    "pretrain": Stage(("studies.pretraining:pretrain", "studies.pretraining:SHIPPED"), SETS),
    "crossval-laptop": Stage(("studies.crossval:cross_validate", "lungseg_utils.recipes:LAPTOP")),
    "crossval-best": Stage(("studies.crossval:cross_validate", "lungseg_utils.recipes:BEST"), needs_weights=True),
    "curve-random": Stage(("studies.curve:measure_curve",)),
    "curve-drawings": Stage(("studies.curve:measure_curve",), needs_weights=True),
    "choices": Stage(("studies.choices:measure_choices",)),
    "parts": Stage(("studies.parts:measure_parts", "studies.parts:make_rows"), SETS),
    "cue": Stage(("studies.cue:measure_cue",), SETS[1:], needs_weights=True),
    "hospitals": Stage(("studies.hospitals:measure_hospitals", "lungseg_utils.recipes:BEST"), SETS, needs_weights=True),
    "article": Stage(("studies.article:run_article", "lungseg_utils.recipes:ARTICLE")),
    # how long training takes does not depend on what the pictures show
    "speed": Stage(("studies.speed:measure_speed",), (), without=(DRAWING,)),
    "ranges": Stage(("studies.realism:measure_ranges",), SETS),
    "remarks": Stage(("studies.remarks:measure_remarks",), SETS, needs_weights=True),
    "course": Stage(
        ("studies.course_results:measure", "lungseg_utils.recipes:LAPTOP", "notebooks/0*.py"), SETS, needs_weights=True
    ),
}
READING = Stage(("lungseg_utils.images:load_arrays",))
TRAINING = Stage(("lungseg_utils.training:train",), without=("lungseg_utils.recipes",))
"""The code that a training depends on. Its recipe is named besides, and so are its pixels."""


# --- code ---


def _essence(node: object) -> object:
    """A syntax tree as plain lists, without docstrings and places; equal in all versions of Python that run it."""
    if isinstance(node, list):
        texts = [n for n in node if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        return [_essence(each) for each in texts]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: _essence(value) for name, value in ast.iter_fields(node) if name not in ("ctx", "kind")}
    return [type(node).__name__, {name: value for name, value in fields.items() if value not in ([], "None")}]


class Module:
    """The definitions at the top of a file, where its other names come from, and what runs whenever it is imported."""

    def __init__(self, text: str):
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        self.always: list[ast.stmt] = []
        self.whole: set[str] = set()  # modules imported for what they do then, such as `import lungseg_utils.unet`
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                self.imports |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                self.whole |= {alias.name for alias in node.names if alias.name.split(".")[0] in OURS}
        for node in tree.body:
            for key in _bound(node):
                self.definitions.setdefault(key, []).append(node)
            if not _bound(node) and not isinstance(node, ast.Import | ast.ImportFrom):
                self.always.append(node)
        self.texts = {node.lineno: json.dumps(_essence([node])) for node in tree.body}


_read = functools.cache(Module)  # most stages read the same files


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module defines; none where it does something else."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [part.id for part in parts] if all(isinstance(part, ast.Name) for part in parts) else []


class Reader:
    """Follows names from definition to definition, through the files of one checkout."""

    def __init__(self, root: Path, without: Sequence[str] = ()):
        self.root, self.without = root, (*NOT_COUNTED, *without)
        self.reached: dict[str, set[int]] = {}  # lines of each module at which what is reached begins
        self.modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A module of ours; None where it is not ours, or is not to count. What runs on import is reached."""
        if name not in self.modules:
            self.modules[name] = None
            base = self.root.joinpath(*name.split("."))
            path = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
            if name.split(".")[0] in OURS and path and not name.startswith(self.without):
                if name.count(".") > 1:
                    self.module(name.rpartition(".")[0])  # importing it imports the room around it
                self.open(path, name)
        return self.modules[name]

    def open(self, path: Path, name: str) -> None:
        """Read a file as a module of that name."""
        self.modules[name] = _read(path.read_text(encoding="utf-8"))
        self.take(name, self.modules[name].always)
        for other in self.modules[name].whole:
            self.take_all(other)

    def take_all(self, name: str) -> None:
        """Reach all of a module."""
        if module := self.module(name):
            for key in module.definitions:
                self.follow(name, key)

    def take(self, name: str, nodes: Sequence[ast.stmt]) -> None:
        """Reach statements of a module, and what their names stand for."""
        reached = self.reached.setdefault(name, set())
        for node in nodes:
            if node.lineno not in reached:
                reached.add(node.lineno)
                for module, key in self._names(name, node):
                    self.follow(module, key)

    def _names(self, name: str, node: ast.stmt) -> Iterator[tuple[str, str]]:
        """Module and name of all that a statement mentions; `alias.name` of an imported module is that name there."""
        imports, modules = self.modules[name].imports, {}
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in imports:
                module = ".".join(imports[part.value.id])
                if self.module(module):
                    modules[id(part.value)] = module
                    yield module, part.attr
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and id(part) not in modules:
                yield name, part.id

    def follow(self, name: str, key: str) -> None:
        """Reach a name of a module: its definition, or what it is imported from."""
        if not (module := self.module(name)):
            return
        self.take(name, module.definitions.get(key, []))
        if key in module.imports:
            source, original = module.imports[key]
            if self.module(f"{source}.{original}"):
                self.take_all(f"{source}.{original}")  # a module that is handed on as a whole
            else:
                self.follow(source, original)
        elif key not in module.definitions:
            self.take_all(f"{name}.{key}")  # a module inside this one, if it is anything of ours


@functools.cache
def code_key(stage: Stage, root: Path = ROOT) -> dict[str, str]:
    """What a stage runs: a hash for each module of ours, of those of its definitions that can be reached.

    It is found once in each process: the code that runs is the one that was there at the start.

    Raises:
        ValueError: a root of the stage is not there.
    """
    reader = Reader(root, stage.without)
    for start in stage.roots:
        name, _, key = start.partition(":")
        if not key:
            for path in sorted(root.glob(name)):
                reader.open(path, path.name)
                reader.take_all(path.name)
        elif reader.module(name) and key in reader.module(name).definitions:
            reader.follow(name, key)
        else:
            raise ValueError(f"There is no {start} any more: name the function that measures in studies/keys.py.")
    texts = {name: {reader.modules[name].texts[line] for line in lines} for name, lines in reader.reached.items()}
    counted = {name: sorted(texts[name] - {"[]"}) for name in sorted(texts)}  # without docstrings of their own
    return {name: digest(some) for name, some in counted.items() if some}


# --- data, drawing and the rest ---


def digest(content: object) -> str:
    """The first 16 digits of the SHA-256 of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def data_key(folder: Path) -> str:
    """A hash of the names and bytes of all files of a data set."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return digest([[path.relative_to(folder).as_posix(), file_hash(path)] for path in files])


def file_hash(path: Path, method: str = "sha256") -> str:
    """The hash of a file, in hexadecimal digits."""
    return hashlib.new(method, path.read_bytes(), usedforsecurity=False).hexdigest()


def stage_key(name: str, data: Folders, root: Path = ROOT) -> dict:
    """All that a stage depends on today, but for the shipped model, which DVC watches.

    Args:
        name: of the stage.
        data: folders of the real X-rays. Where they are not at hand, what `dvc.lock` records of them stays.
        root: folder of the checkout.

    Returns:
        `code`: see `code_key`. `data`, `other data`: see `data_key`. `drawing`: `PHANTOM_VERSION`, where it draws.
    """
    stage = STAGES[name]
    key = {"code": code_key(stage, root)}
    if any(module.startswith(DRAWING) for module in key["code"]):
        text = (root / "lungseg_utils" / "drawing" / "ranges.py").read_text(encoding="utf-8")
        key["drawing"] = int(re.search(r"^PHANTOM_VERSION = (\d+)", text, re.MULTILINE)[1])
    for part, folder in zip(SETS, data if isinstance(data, tuple) else (data, None)):
        if part in stage.sets:
            key[part] = data_key(set_folder(folder)) if folder else recorded(name, root).get(part, "not at hand")
    return key


def write_keys(data: Folders, root: Path = ROOT) -> None:
    """Write the keys of today, for DVC."""
    keys = {name: stage_key(name, data, root) for name in STAGES}
    write_text(json.dumps(keys, indent=1) + "\n", root / FILE)


# --- what is stale ---


def _locked(name: str, root: Path) -> dict:
    """What `dvc.lock` says of a stage; empty where it was not measured since there are keys."""
    path = root / "dvc.lock"
    lock = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return lock.get("stages", {}).get(name, {})


def recorded(name: str, root: Path = ROOT) -> dict:
    """The key that a stage's figures were measured with, from `dvc.lock`; empty where they have none."""
    return _locked(name, root).get("params", {}).get(FILE, {}).get(name, {})


def stale(data: Folders, root: Path = ROOT) -> dict[str, list[str]]:
    """The stages whose figures are not those of today's code, data and weights, each with what changed."""
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    changes = {name: _changes(name, stages[name]["cmd"], data, root) for name in stages}
    return {name: why for name, why in changes.items() if why}


def _changes(name: str, command: str, data: Folders, root: Path) -> list[str]:
    locked, then, now = _locked(name, root), recorded(name, root), stage_key(name, data, root)
    if not then:
        return ["measured before figures had keys"]
    modules = sorted(then["code"].keys() | now["code"].keys())
    changed = [f"code of {module}" for module in modules if then["code"].get(module) != now["code"].get(module)]
    changed += [f"the {part}" for part in ("drawing", *SETS) if then.get(part) != now.get(part)]
    for part in locked.get("deps", []) + locked["outs"]:
        path = root / part["path"]
        if not path.exists() or file_hash(path, "md5") != part["md5"]:
            changed.append(part["path"])
    return changed + ["the command"] * (locked["cmd"] != command)


def reasons(root: Path = ROOT) -> dict[str, str]:
    """The figures that are known to be stale, each with the reason, from `stale.toml`."""
    return tomllib.loads((root / "studies" / "stale.toml").read_text(encoding="utf-8"))
