"""What the notebooks open with: choices, and things that are made where they are missing."""

import json
import re

import pytest
from shared import write_set

from lungseg_utils import course
from lungseg_utils.cases import DatasetError
from lungseg_utils.command.montgomery import MONTGOMERY


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    for name in ("LUNGSEG_DATA", "LUNGSEG_RECIPE", "LUNGSEG_RUN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LUNGSEG_HOME", str(tmp_path / "home"))


def test_default_is_laptop_on_drawn_xrays(capsys):
    chosen = course.start()
    assert (chosen.recipe.name, chosen.data, chosen.data_name) == ("laptop", None, "phantom")
    assert chosen.run == course.home() / "runs" / "phantom-laptop"
    assert "drawn by code" in capsys.readouterr().out


def test_a_choice_is_kept_and_can_be_taken_back(tiny_set):
    course.choose(recipe="article", data=str(tiny_set))
    assert (course.start().recipe.name, course.start().data) == ("article", tiny_set)
    assert re.fullmatch("tiny-[0-9a-f]{8}-article", course.start().run.name)
    course.choose()
    assert (course.start().recipe.name, course.start().data) == ("laptop", None)


def test_environment_wins_and_empty_means_drawn(tiny_set, monkeypatch, tmp_path):
    course.choose(recipe="article", data=str(tiny_set))
    monkeypatch.setenv("LUNGSEG_RECIPE", "laptop")
    monkeypatch.setenv("LUNGSEG_DATA", "")
    monkeypatch.setenv("LUNGSEG_RUN", str(tmp_path / "here"))
    chosen = course.start()
    assert (chosen.recipe.name, chosen.data, chosen.run) == ("laptop", None, tmp_path / "here")


def test_wrong_choices_are_refused_and_not_kept_and_a_damaged_one_is_named(tmp_path):
    with pytest.raises(ValueError, match="fast.*laptop, best, article"):
        course.choose(recipe="fast")
    with pytest.raises(DatasetError, match="nowhere"):
        course.choose(data=str(tmp_path / "nowhere"))
    assert not (course.home() / "course.json").exists()
    course.home().mkdir()
    (course.home() / "course.json").write_text("{")
    with pytest.raises(DatasetError, match="course.json is damaged: delete it"):
        course.start()


def test_an_empty_home_is_as_good_as_none(monkeypatch):
    named = course.home()
    monkeypatch.setenv("LUNGSEG_HOME", "")
    unnamed = course.home()
    monkeypatch.delenv("LUNGSEG_HOME")
    assert unnamed == course.home() != named and unnamed.name == "data"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_home_that_cannot_be_used_is_named_with_the_way_out(monkeypatch, tmp_path, place):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LUNGSEG_HOME", str(tmp_path / place))
    for begin in (course.start, course.choose):
        with pytest.raises(DatasetError, match=f"{tmp_path}.*LUNGSEG_HOME"):
            begin()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_same_named_data_sets_do_not_share_a_run_folder(monkeypatch, tmp_path):
    runs = []
    for place in ("one", "two"):
        monkeypatch.setenv("LUNGSEG_DATA", str(tmp_path / place / "set"))
        runs.append(course.start().run)
    assert len(set(runs)) == 2 and {run.parent for run in runs} == {course.home() / "runs"}


def test_split_is_made_once_and_then_read_and_arrays_have_the_recipes_size(monkeypatch, capsys):
    monkeypatch.setattr(course, "draw_dataset", fake_drawing)
    chosen = course.start()
    cases = course.cases_ready(chosen)
    first = course.split_ready(chosen, cases)
    assert "making it as notebook 3 does" in capsys.readouterr().out
    assert course.split_ready(chosen, cases) == first
    assert "making" not in capsys.readouterr().out
    assert json.loads((chosen.run / "split.json").read_text()) == first
    arrays = course.arrays_ready(chosen, cases)
    assert arrays.images.shape == (30, 128, 128) and arrays.masks.shape == (30, 128, 128, 2)
    assert list((course.home() / "cache").glob("*.npz"))


def fake_drawing(folder):
    return folder if folder.exists() else write_set(folder, count=30, height=64, width=64)


def test_real_xrays_are_the_chosen_the_named_or_the_fetched_ones(tiny_set, monkeypatch, tmp_path):
    monkeypatch.setenv("LUNGSEG_MONTGOMERY", "")  # as good as not there
    assert course.real_cases(course.start()) is None
    fetched = fake_drawing(course.home() / MONTGOMERY.folder)
    assert folder_of(course.real_cases(course.start())) == fetched
    named = fake_drawing(tmp_path / "named")
    monkeypatch.setenv("LUNGSEG_MONTGOMERY", str(named))
    assert folder_of(course.real_cases(course.start())) == named
    course.choose(data=str(tiny_set))
    assert folder_of(course.real_cases(course.start())) == tiny_set
    course.choose()
    monkeypatch.setenv("LUNGSEG_MONTGOMERY", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="nowhere"):  # no reason to use drawings
        course.real_cases(course.start())


def folder_of(cases):
    return cases[0].image.parent.parent
