"""README.md and the other pages: short enough, with the tables that a command writes, and links that lead somewhere."""

import posixpath
import re
import subprocess
import tomllib

import pytest
import yaml
from shared import REPOSITORY

from lungseg_utils import kept
from lungseg_utils.files import read_json
from lungseg_utils.scores import read_scores
from studies import keys, tables

PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", ".github/*.md", "data/*.md", "notebooks/assignments/*.md", "lungseg_utils/pretrained/*.md")
    for path in REPOSITORY.glob(pattern)
)
OWN = {"README.md", "RESULTS.md", "TEACHING.md", "CONTRIBUTING.md"}


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_is_one_screen_and_a_little():
    lines = read("README.md").splitlines()
    assert len(lines) <= 120
    first_screen = "\n".join(lines[:24])
    for part in ("drawn_xray.png", "make course", "make lab", "<!-- score -->", "For whom"):
        assert part in first_screen, part


@pytest.mark.parametrize("page", tables.PAGES)
def test_what_stands_between_marks_is_what_a_command_writes(page):
    text = read(page)
    assert tables.filled(text, posixpath.dirname(page) or ".") == text, "run `python -m studies tables`"


def test_every_table_has_its_place_and_every_mark_its_table():
    marks = [mark for page in tables.PAGES for mark in re.findall(r"^<!-- (\w+) -->$", read(page), re.MULTILINE)]
    assert set(marks) == set(tables.TABLES)


def test_a_table_names_the_stages_whose_figures_it_reads(monkeypatch):
    stages = yaml.safe_load(read("dvc.yaml"))["stages"]
    outs = {stage: {name for out in about["outs"] for name in out} for stage, about in stages.items()}
    opened = set()
    for module in (kept, tables):
        monkeypatch.setattr(module, "read_json", lambda path: opened.add(path) or read_json(path), raising=False)
        monkeypatch.setattr(module, "read_scores", lambda path: opened.add(path) or read_scores(path), raising=False)
    for mark, (table, named) in tables.TABLES.items():
        opened.clear()
        table()
        paths = {path.relative_to(REPOSITORY).as_posix() for path in opened}
        there = {stage for stage in named if any((REPOSITORY / name).exists() for name in outs[stage])}
        assert {stage for stage, made in outs.items() if made & paths} == there, mark


def spoiled(value):
    """A kept figure with other decimal numbers in it."""
    if isinstance(value, dict):
        return {key: spoiled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one) for one in value]
    return value / 2 if isinstance(value, float) else value


SHOWN = {"crossval-best.csv": "groups", "curve-random.json": "curve", "choices.json": "choices"}
SHOWN |= {"speed.json": "speed", "parts.json": "parts", "course-phantom-laptop.json": "unseen", "cue.json": "cue"}
SHOWN |= {"hospitals.json": "hospitals", "scores.json": "versions"}


@pytest.mark.parametrize("name, mark", [("crossval-best.csv", "score"), *SHOWN.items()])
def test_a_changed_figure_would_be_seen(name, mark, monkeypatch):
    table = tables.TABLES[mark][0]
    read, before = tables.kept, table()
    if before == tables.NOT_YET:
        assert set(tables.TABLES[mark][1]) <= set(keys.reasons())
        return
    monkeypatch.setattr(tables, "kept", lambda asked: spoiled(read(asked)) if asked == name else read(asked))
    assert table() != before


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(read(page))):
        if "://" in link or link.startswith("../blob/main/"):  # the form on GitHub, for a pull request's text
            continue
        target, _, anchor = link.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page
        assert (REPOSITORY / target).exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", sorted(OWN))
def test_commands_that_a_page_names_exist(page):
    text = read(page)
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE))
    named = re.findall(r"`make ([\w-]+)|^make ([\w-]+)", text, re.MULTILINE)
    assert {first or second for first, second in named} <= targets
    for path in re.findall(r"`((?:tests|studies|notebooks|lungseg_utils)/[\w./-]+)`", text):
        assert (REPOSITORY / path).exists(), path


def test_the_repositorys_address_is_the_one_in_pyproject():
    address = tomllib.loads(read("pyproject.toml"))["project"]["urls"]["Repository"]
    assert f"git clone {address} " in read("README.md")


def test_only_drawn_pictures_are_committed():
    """The hook of .pre-commit-config.yaml, for all files that are there already."""
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"][-1]["hooks"]
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    for hook in hooks:
        allowed, found = re.compile(hook["exclude"]), re.compile(hook["files"])
        bad = [name for name in listed.stdout.split() if found.search(name) and not allowed.search(name)]
        assert not bad, hook["id"]
