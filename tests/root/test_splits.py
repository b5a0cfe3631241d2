"""Sharing out the cases: patients stay together, findings are spread evenly, and a kept split is checked."""

import json
from pathlib import Path

import numpy as np
import pytest

from lungseg_utils.cases import Case, DatasetError, find_cases
from lungseg_utils.splits import PARTS, article_split, load_split, make_folds, save_split, shared_patients, split_cases

SEEDS = range(5)


def case(number: int, finding: int | None, patient: int | None = None) -> Case:
    """A case without files; `patient` is the number of the patient's first case."""
    ending = "" if finding is None else f"_{finding}"
    path = Path(f"{number:04d}{ending}.png")
    return Case(path.stem, path, path, path, f"patient {patient or number}", finding, None, None, "")


def many_cases(count: int, visits: int = 2, share: float = 0.4) -> list[Case]:
    """Cases with findings at random, every tenth of which belongs to one of the patients before it."""
    random = np.random.default_rng(count)
    cases = []
    for number in range(1, count + 1):
        patient = int(random.integers(max(1, number - 9 * visits), number)) if number % 10 == 0 else None
        cases.append(case(number, int(random.random() < share), patient))
    return cases


@pytest.fixture(params=["138 cases", "240 cases", "the real set"])
def cases(request) -> list[Case]:
    """Two drawn-up lists and, where it is there, the real set."""
    if request.param == "the real set":
        return find_cases(request.getfixturevalue("montgomery"))
    return many_cases(int(request.param.split()[0]))


def share(ids: list[str], cases: list[Case]) -> float:
    """Share of findings among the named cases."""
    finding = {case.id: case.finding for case in cases}
    return float(np.mean([finding[case_id] for case_id in ids]))


# --- make_folds ---


@pytest.mark.parametrize("seed", SEEDS)
def test_each_case_is_tested_once(cases, seed):
    folds = make_folds(cases, seed)
    assert len(folds) == 5
    assert sorted(case_id for split in folds for case_id in split["test"]) == sorted(case.id for case in cases)
    for split in folds:
        assert sorted(sum(split.values(), [])) == sorted(case.id for case in cases)
        assert not shared_patients(split, cases)


@pytest.mark.parametrize("seed", SEEDS)
def test_folds_are_alike(cases, seed):
    ids = [case.id for case in cases]
    for split in make_folds(cases, seed):
        assert 0.17 <= len(split["test"]) / len(ids) <= 0.23
        assert 0.08 <= len(split["val"]) / len(ids) <= 0.15
        assert abs(share(split["test"], cases) - share(ids, cases)) <= 0.06
        assert abs(share(split["val"], cases) - share(ids, cases)) <= 0.12


def test_folds_do_not_depend_on_the_order_of_the_cases(cases):
    assert make_folds(cases) == make_folds(cases[::-1])
    assert make_folds(cases) != make_folds(cases, seed=1)


def test_too_few_patients_for_folds():
    with pytest.raises(DatasetError, match="34 patients are too few"):
        make_folds([case(number, number % 2) for number in range(34)])


# --- split_cases ---


@pytest.mark.parametrize("seed", SEEDS)
def test_every_case_once_and_no_patient_twice(cases, seed):
    assert len({case.patient for case in cases}) < len(cases), "the list has repeat visits"
    split = split_cases(cases, seed)
    assert list(split) == list(PARTS)
    assert sorted(sum(split.values(), [])) == sorted(case.id for case in cases)
    assert shared_patients(split, cases) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_sizes_and_shares_of_findings(cases, seed):
    split = split_cases(cases, seed)
    for part, wanted in {"train": 5 / 7, "val": 1 / 7, "test": 1 / 7}.items():
        assert abs(len(split[part]) / len(cases) - wanted) < 0.02
        # the nearest whole number of findings, or one beside it
        assert abs(share(split[part], cases) - share(sum(split.values(), []), cases)) * len(split[part]) < 2


def test_same_seed_same_split_whatever_the_order(cases):
    split = split_cases(cases)
    assert split_cases(cases[::-1]) == split
    assert split_cases(cases, seed=42) == split
    assert len({json.dumps(split_cases(cases, seed)) for seed in SEEDS}) == len(SEEDS)


def test_ids_are_plain_sorted_text(cases):
    for part in split_cases(cases).values():
        assert part == sorted(part)
        assert {type(case_id) for case_id in part} == {str}


def test_the_split_does_not_depend_on_scikit_learn():
    # found with scikit-learn 1.6.1 and 1.9.1; its own shuffle=True differs between the two
    split = split_cases(many_cases(30))
    assert split["val"] == ["0001_1", "0013_1", "0014_0", "0024_0"]
    assert split["test"] == ["0002_0", "0006_0", "0007_1", "0010_1"]


def test_a_patient_with_many_visits_stays_together():
    cases = [case(number, number % 2, patient=1 if number < 12 else None) for number in range(1, 61)]
    for seed in SEEDS:
        split = split_cases(cases, seed)
        assert not shared_patients(split, cases)
        assert all(split.values())


@pytest.mark.parametrize("finding", [None, 0, 1])
def test_all_with_the_same_finding_or_none_known(finding):
    cases = [case(number, finding) for number in range(1, 29)]
    assert [len(part) for part in split_cases(cases).values()] == [20, 4, 4]


@pytest.mark.parametrize("count", [14, 15, 20, 27, 28])
def test_small_sets_leave_no_part_empty(count):
    cases = [case(number, number % 2) for number in range(1, count + 1)]
    for seed in SEEDS:
        assert all(len(part) >= 2 for part in split_cases(cases, seed).values())


def test_too_few_patients():
    cases = [case(number, number % 2, patient=1 + number % 13) for number in range(1, 100)]
    with pytest.raises(DatasetError, match="13 patients are too few"):
        split_cases(cases)
    with pytest.raises(DatasetError, match="0 patients are too few"):
        split_cases([])


# --- the article's split ---


def test_the_article_split_has_its_sizes_and_ignores_order():
    ids = [f"{number:04d}" for number in range(138)]
    split = article_split(ids)
    assert {part: len(part_ids) for part, part_ids in split.items()} == {"train": 112, "val": 13, "test": 13}
    assert sorted(sum(split.values(), [])) == ids
    assert article_split(ids[::-1]) == split


def test_the_article_split_leaks_three_of_its_test_images(montgomery):
    cases = find_cases(montgomery)
    split = article_split([case.id for case in cases])
    leaks = shared_patients(split, cases)
    assert leaks == {
        "MCUCXR_0113_1": {"train": ["MCUCXR_0113_1"], "test": ["MCUCXR_0117_1"]},
        "MCUCXR_0162_1": {"train": ["MCUCXR_0166_1"], "test": ["MCUCXR_0162_1", "MCUCXR_0170_1"]},
    }


# --- shared_patients ---


def test_shared_patients_names_the_cases_by_part():
    cases = [case(1, 0), case(2, 1, patient=1), case(3, 0), case(4, 0, patient=3), case(5, 0, patient=1)]
    split = {"train": ["0001_0", "0003_0", "0004_0"], "val": ["0002_1"], "test": ["0005_0"]}
    found = shared_patients(split, cases)
    assert found == {"patient 1": {"train": ["0001_0"], "val": ["0002_1"], "test": ["0005_0"]}}


def test_asking_for_a_patient_that_is_not_shared_does_not_add_it():
    found = shared_patients({"train": ["0001_0"], "val": [], "test": []}, [case(1, 0)])
    with pytest.raises(KeyError):
        found["patient 1"]


# --- keeping a split ---


def test_save_and_load(cases, tmp_path):
    split = split_cases(cases)
    path = tmp_path / "a new folder" / "split.json"
    save_split(split, path)
    assert load_split(path, cases) == split
    assert json.loads(path.read_text(encoding="utf-8")) == split
    assert [file.name for file in path.parent.iterdir()] == ["split.json"], "the draft is gone"


def test_saving_twice_gives_the_same_bytes_and_replaces(tmp_path):
    cases = many_cases(60)
    path = tmp_path / "split.json"
    save_split(split_cases(cases, seed=1), path)
    save_split(split_cases(cases), path)
    first = path.read_bytes()
    save_split(split_cases(cases), path)
    assert path.read_bytes() == first
    assert load_split(path, cases) == split_cases(cases)


def test_a_split_of_others_may_leave_cases_out_and_say_more(tmp_path):
    cases = [case(number, 0) for number in range(1, 9)]
    path = tmp_path / "split.json"
    path.write_text('{"source": "a paper", "test": ["0003_0"], "val": ["0002_0"], "train": ["0007_0", "0001_0"]}')
    assert load_split(path, cases) == {"train": ["0007_0", "0001_0"], "val": ["0002_0"], "test": ["0003_0"]}


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "",
        "[]",
        "3",
        '{"train": ["0001_0"], "val": ["0002_0"]}',
        '{"train": ["0001_0"], "val": ["0002_0"], "test": null}',
        '{"train": ["0001_0"], "val": ["0002_0"], "test": "0003_0"}',
        '{"train": ["0001_0"], "val": ["0002_0"], "test": {"0003_0": 1}}',
        '{"train": ["0001_0"], "val": ["0002_0"], "test": [["0003_0"]]}',
    ],
)
def test_a_file_that_is_no_split(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"split\.json is not a split.*train, val and test"):
        load_split(path, [case(number, 0) for number in range(1, 9)])


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "split.json"
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(DatasetError, match="is not a split"):
        load_split(path, [case(1, 0)])


@pytest.mark.parametrize(
    ("test_part", "message"),
    [
        (["0003_0", "0099_1", "0098_1"], "2 of its cases are not there, 0098_1 first"),
        (["0003_0", "0001_0"], "0001_0 stands in it twice"),
        (["0003_0", "0003_0"], "0003_0 stands in it twice"),
        ([], "its part test is empty"),
    ],
)
def test_a_split_that_does_not_fit_the_cases(tmp_path, test_part, message):
    path = tmp_path / "split.json"
    save_split({"train": ["0001_0"], "val": ["0002_0"], "test": test_part}, path)
    with pytest.raises(DatasetError, match=rf"split\.json does not fit this data set: .*{message}.*Delete it"):
        load_split(path, [case(number, 0) for number in range(1, 9)])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"Cannot open the split .*nowhere\.json"):
        load_split(tmp_path / "nowhere.json", [case(1, 0)])
