"""Every figure knows the code, the data and the weights that made it: what makes which figure stale, and what none."""

import dataclasses
import json
import shutil
import subprocess

import pytest
import yaml
from shared import REPOSITORY, run_python, write_set

from lungseg_utils.cases import find_cases
from lungseg_utils.recipes import LAPTOP
from studies import crossval, keys, provenance

ALL = set(keys.STAGES)
TRAINED = ALL - {"ranges", "cue", "remarks"}
DRAWN = {"pretrain", "parts", "course", "remarks"}
FROM_WEIGHTS = {"crossval-best", "curve-drawings", "course", "cue", "hospitals", "remarks"}
BOTH = {"pretrain", "parts", "ranges", "hospitals", "course", "remarks"}  # hospitals
BEST = {"crossval-best", "hospitals", "speed", "course"}
TINY = dataclasses.replace(LAPTOP, name="tiny", image_size=32, base_filters=2, depth=0, epochs=1)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout in which every figure was measured just now, on a data set of its own."""
    root = tmp_path / "checkout"
    for folder in ("lungseg_utils", "studies", "notebooks"):
        skip = shutil.ignore_patterns("__pycache__", "*.ipynb", "assignments", "results")
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=skip)
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    data = tuple(write_set(tmp_path / name, count=6, height=32, width=32) for name in ("data", "other"))
    measure(root, data)
    return root, data


def measure(root, data) -> None:
    """Write the lock that DVC writes when it has run every stage."""

    def hashed(paths) -> list[dict]:
        return [{"path": path, "hash": "md5", "md5": keys.file_hash(root / path, "md5")} for path in paths]

    keys.write_keys(data, root)
    lock = {"schema": "2.0", "stages": {}}
    for name, stage in yaml.safe_load((root / "dvc.yaml").read_text())["stages"].items():
        outs = [next(iter(out)) for out in stage["outs"]]
        for path in outs:
            if not (root / path).exists():  # not measured in this checkout yet
                (root / path).write_text("{}")
        made = {"cmd": stage["cmd"], "params": {keys.FILE: {name: keys.stage_key(name, data, root)}}}
        made["deps"], made["outs"] = hashed(stage.get("deps", [])), hashed(outs)
        lock["stages"][name] = {part: value for part, value in made.items() if value}
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))


def change(root, path, old, new) -> None:
    text = (root / path).read_text(encoding="utf-8")
    assert old in text, f"{path} has no {old!r} any more: choose another line for this test"
    (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")


def stale(checkout) -> set[str]:
    root, data = checkout
    keys.code_key.cache_clear()  # as in another process
    return set(keys.stale(data, root))


@pytest.mark.slow
def test_nothing_is_stale_after_measuring_nor_after_changes_that_do_not_count(checkout):
    assert stale(checkout) == set()
    root = checkout[0]
    for path in [*root.glob("lungseg_utils/**/*.py"), *root.glob("studies/*.py"), *root.glob("notebooks/0*.py")]:
        path.write_text("# a comment\n\n" + path.read_text(encoding="utf-8") + "\n\n# and one more\n", encoding="utf-8")
    change(root, "lungseg_utils/pipeline.py", "\ndef ", '\n"""Words."""\n\n\ndef ')
    change(root, "lungseg_utils/training.py", "Build the optimizer of a recipe", "Construct the optimizer of a recipe")
    change(root, "studies/keys.py", 'READING = Stage(("', 'UNUSED = 1\nREADING = Stage(("')
    change(root, "lungseg_utils/files.py", "uuid.uuid4().hex", "uuid.uuid1().hex")
    change(root, "lungseg_utils/scores.py", "\ndef ", "\ndef of_no_use_to_a_study():\n    pass\n\n\ndef ")
    assert stale(checkout) == set()


@pytest.mark.parametrize(
    "path, old, new, expected, why",
    [
        # the article does not augment, and has batches of its own
        ("pipeline.py", "MAX_SHIFT = ", "MAX_SHIFT = 2 * ", TRAINED - {"article"}, "code of lungseg_utils.pipeline"),
        ("recipes.py", '"best", base_filters=12', '"best", base_filters=13', BEST, "lungseg_utils.recipes"),
        ("drawing/ranges.py", "PHANTOM_VERSION = ", "PHANTOM_VERSION = 1", DRAWN, "the drawing"),
        ("kept/choices.json", '"work": 1.0', '"work": 0.5', {"choices"}, "kept/choices.json"),
    ],
)
def test_a_change_makes_the_right_stages_stale_and_no_others(checkout, path, old, new, expected, why):
    change(checkout[0], f"lungseg_utils/{path}", old, new)
    assert stale(checkout) == expected
    assert all(why in " ".join(changes) for changes in keys.stale(*reversed(checkout)).values())


@pytest.mark.slow
def test_another_data_set_with_the_same_ids_makes_all_stale_that_was_scored_on_it(checkout):
    root, data = checkout
    for folder, name, expected in zip(data, ("data", "other data"), (ALL - {"speed", "cue"}, BOTH | {"cue"})):
        pixels = folder / "CXR_png" / "TINY_0001_1.png"
        before = pixels.read_bytes()
        pixels.write_bytes((folder / "CXR_png" / "TINY_0002_0.png").read_bytes())
        assert stale(checkout) == expected
        assert keys.stale(data, root)["ranges"] == [f"the {name}"]
        assert set(keys.stale(None, root)) == set(), "where the data are not at hand, what is recorded of them stays"
        pixels.write_bytes(before)


def test_another_shipped_model_makes_those_stale_that_start_from_it(checkout):
    (checkout[0] / "lungseg_utils" / "pretrained" / "lungs.keras").write_bytes(b"another")
    assert stale(checkout) == FROM_WEIGHTS | {"pretrain"}, "of which it is a figure that was not measured so"


@pytest.mark.slow
def test_dvc_says_the_same(checkout):
    if shutil.which("dvc") is None:
        pytest.skip("DVC is not here: pip install -e '.[measure]'")
    root, data = checkout
    shutil.copytree(REPOSITORY / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    change(root, "lungseg_utils/pipeline.py", "MAX_SHIFT = ", "MAX_SHIFT = 2 * ")
    (root / "lungseg_utils" / "pretrained" / "lungs.keras").write_bytes(b"another")
    keys.code_key.cache_clear()
    keys.write_keys(data, root)
    status = subprocess.run(["dvc", "status", "--json"], cwd=root, capture_output=True, text=True, check=True)
    assert set(json.loads(status.stdout)) == stale(checkout) == TRAINED - {"article"} | {"cue", "remarks"}


def test_a_key_needs_its_root():
    keys.code_key.cache_clear()
    with pytest.raises(ValueError, match="no studies.curve:gone any more"):
        keys.code_key(keys.Stage(("studies.curve:gone",)))


# --- trainings ---


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A finished training of nothing, and how to ask for it again."""
    monkeypatch.setattr(crossval, "train", lambda *arguments, **more: None)
    data = write_set(tmp_path / "data", count=4, height=32, width=32)
    cases = find_cases(data)
    split = {"train": [case.id for case in cases[:2]], "val": [case.id for case in cases[2:]]}

    def again(recipe=TINY, arrays=None):
        arrays = arrays or crossval.arrays_of(cases, 32, tmp_path)
        return crossval.train_once(recipe, arrays, split, tmp_path)

    return again, again()


def test_nothing_is_reused_that_other_code_data_or_weights_made(trained, tmp_path, monkeypatch):
    again, first = trained
    assert again() == first
    other = write_set(tmp_path / "other", count=4, height=48, width=32)  # the same IDs
    folders = {first, again(arrays=crossval.arrays_of(find_cases(other), 32, tmp_path))}
    from_drawings = dataclasses.replace(TINY, start="drawings")
    folders.add(again(from_drawings))
    monkeypatch.setattr(provenance, "SHIPPED_WEIGHTS", tmp_path / "lungs.keras")
    (tmp_path / "lungs.keras").write_bytes(b"another")
    folders.add(again(from_drawings))
    monkeypatch.setattr(keys, "code_key", lambda stage: {"lungseg_utils.pipeline": "with another augmentation"})
    folders.add(again())
    assert len(folders) == 5


def test_the_key_is_written_before_anything_can_be_reused(trained, tmp_path, monkeypatch):
    again, first = trained
    key = json.loads((first / "made.json").read_text())["key"]
    shutil.rmtree(first)

    def look(recipe, arrays, split, folder, seed):
        assert json.loads((folder / "made.json").read_text())["key"] == key
        raise KeyboardInterrupt

    monkeypatch.setattr(crossval, "train", look)
    with pytest.raises(KeyboardInterrupt):
        again()
    (first / "made.json").write_text(json.dumps({"key": "of other code", "finished": "yesterday"}))
    with pytest.raises(RuntimeError, match="other code, data or weights"):
        again()
    (first / "made.json").unlink()
    (first / "best.keras").write_bytes(b"nobody knows whose")
    with pytest.raises(RuntimeError, match="other code, data or weights"):
        again()


def test_code_that_changes_while_it_is_measured_leaves_no_figure(monkeypatch, tmp_path):
    noted = provenance.begin("speed", None)
    assert provenance.finish(noted, None)["key"] == noted["key"]
    monkeypatch.setattr(keys, "stage_key", lambda name, data: {"code": "another"})
    with pytest.raises(RuntimeError, match="nothing is kept"):
        provenance.finish(noted, None)


# --- the figures of this checkout ---


def test_stale_figures_are_listed_with_their_reason():
    listed = keys.reasons()
    for stage, changes in keys.stale(None).items():
        assert listed.get(stage), f"{stage} is stale ({', '.join(changes)}): measure it, or say why not in stale.toml"
    assert set(listed) <= set(keys.stale(None)), "no longer stale: take it out of studies/stale.toml"


def test_the_stages_of_the_pipeline_are_those_with_keys():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert set(stages) == ALL
    outs = {next(iter(out)) for stage in stages.values() for out in stage["outs"]}
    kept = {f"lungseg_utils/kept/{path.name}" for path in (REPOSITORY / "lungseg_utils" / "kept").glob("*.[cj]s*")}
    assert kept <= outs, "every kept figure is made by a stage"
    for name, stage in stages.items():
        there = all((REPOSITORY / path).exists() for out in stage["outs"] for path in out)
        assert there or name in keys.reasons(), f"{name} was never measured: measure it, or say why not in stale.toml"
        assert stage["params"] == [{keys.FILE: [name]}]
        assert bool(stage.get("deps")) == keys.STAGES[name].needs_weights, name


def test_figures_carry_the_key_that_is_locked():
    for stage in keys.STAGES.keys() - keys.stale(None).keys():
        locked = keys._locked(stage, REPOSITORY)
        for out in locked["outs"]:
            if out["path"].endswith(".json"):
                about = json.loads((REPOSITORY / out["path"]).read_text(encoding="utf-8"))["provenance"]
                assert about["key"] == keys.digest(keys.recorded(stage)) and "changes" not in about["commit"]


@pytest.mark.slow
def test_the_door_lists_what_is_stale():
    done = run_python("-m", "studies", "stale")
    assert done.returncode == 0 and f"of {len(ALL)} stages" in done.stdout
    assert "not listed" not in done.stdout
