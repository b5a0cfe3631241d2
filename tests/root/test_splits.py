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
    return Case(path.stem, path, path, path, f"patient {patient or number}", finding, None, None, "", size=(1, 1))


EIGHT = [case(number, 0) for number in range(1, 9)]


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


def test_folds_test_each_case_once_and_are_alike(cases):
    ids = sorted(case.id for case in cases)
    for seed in SEEDS:
        folds = make_folds(cases, seed)
        assert len(folds) == 5 and sorted(case_id for split in folds for case_id in split["test"]) == ids
        for split in folds:
            assert sorted(sum(split.values(), [])) == ids and not shared_patients(split, cases)
            assert 0.17 <= len(split["test"]) / len(ids) <= 0.23 and 0.08 <= len(split["val"]) / len(ids) <= 0.15
            assert abs(share(split["test"], cases) - share(ids, cases)) <= 0.06
            assert abs(share(split["val"], cases) - share(ids, cases)) <= 0.12
    assert make_folds(cases) == make_folds(cases[::-1]) != make_folds(cases, seed=1)


def test_a_split_has_every_case_once_and_no_patient_twice(cases):
    assert len({case.patient for case in cases}) < len(cases), "the list has repeat visits"
    for seed in SEEDS:
        split = split_cases(cases, seed)
        everything = sum(split.values(), [])
        assert list(split) == list(PARTS) and shared_patients(split, cases) == {}
        assert sorted(everything) == sorted(case.id for case in cases)
        for part, wanted in {"train": 5 / 7, "val": 1 / 7, "test": 1 / 7}.items():
            assert split[part] == sorted(split[part]) and {type(case_id) for case_id in split[part]} == {str}
            assert abs(len(split[part]) / len(cases) - wanted) < 0.02
            # the nearest whole number of findings, or one beside it
            assert abs(share(split[part], cases) - share(everything, cases)) * len(split[part]) < 2
    assert split_cases(cases[::-1]) == split_cases(cases, seed=42) == split_cases(cases), "in any order"
    assert len({json.dumps(split_cases(cases, seed)) for seed in SEEDS}) == len(SEEDS)


def test_the_split_does_not_depend_on_scikit_learn():
    # found with scikit-learn 1.6.1 and 1.9.1; its own shuffle=True differs between the two
    split = split_cases(many_cases(30))
    assert split["val"] == ["0001_1", "0013_1", "0014_0", "0024_0"]
    assert split["test"] == ["0002_0", "0006_0", "0007_1", "0010_1"]


def test_odd_sets():
    visits = [case(number, number % 2, patient=1 if number < 12 else None) for number in range(1, 61)]
    for seed in SEEDS:
        assert not shared_patients(split_cases(visits, seed), visits) and all(split_cases(visits, seed).values())
    for finding in (None, 0, 1):  # all with the same finding, or none known
        alike = split_cases([case(number, finding) for number in range(1, 29)])
        assert [len(part) for part in alike.values()] == [20, 4, 4]
    for count in (14, 15, 20, 27, 28):
        small = [case(number, number % 2) for number in range(1, count + 1)]
        assert all(len(part) >= 2 for seed in SEEDS for part in split_cases(small, seed).values())


def test_too_few_patients():
    for function, patients, count in ((split_cases, 13, 99), (split_cases, 0, 0), (make_folds, 34, 34)):
        cases = [case(number, number % 2, patient=1 + number % patients) for number in range(1, count + 1)]
        with pytest.raises(DatasetError, match=f"{patients} patients are too few"):
            function(cases)


def test_the_article_split_has_its_sizes_and_ignores_order():
    ids = [f"{number:04d}" for number in range(138)]
    split = article_split(ids)
    assert {part: len(part_ids) for part, part_ids in split.items()} == {"train": 112, "val": 13, "test": 13}
    assert sorted(sum(split.values(), [])) == ids
    assert article_split(ids[::-1]) == split


def test_the_article_split_leaks_three_of_its_test_images(montgomery):
    cases = find_cases(montgomery)
    assert shared_patients(article_split([case.id for case in cases]), cases) == {
        "MCUCXR_0113_1": {"train": ["MCUCXR_0113_1"], "test": ["MCUCXR_0117_1"]},
        "MCUCXR_0162_1": {"train": ["MCUCXR_0166_1"], "test": ["MCUCXR_0162_1", "MCUCXR_0170_1"]},
    }


def test_shared_patients_names_the_cases_by_part():
    cases = [case(1, 0), case(2, 1, patient=1), case(3, 0), case(4, 0, patient=3), case(5, 0, patient=1)]
    found = shared_patients({"train": ["0001_0", "0003_0", "0004_0"], "val": ["0002_1"], "test": ["0005_0"]}, cases)
    assert found == {"patient 1": {"train": ["0001_0"], "val": ["0002_1"], "test": ["0005_0"]}}
    with pytest.raises(KeyError):  # to ask does not add it
        found["patient 3"]


def test_a_kept_split_is_whole_and_the_same_bytes_each_time(tmp_path):
    cases = many_cases(60)
    path = tmp_path / "a new folder" / "split.json"
    save_split(split_cases(cases, seed=1), path)
    save_split(split_cases(cases), path)
    first = path.read_bytes()
    save_split(split_cases(cases), path)
    assert path.read_bytes() == first
    assert load_split(path, cases) == split_cases(cases) == json.loads(first)
    assert [file.name for file in path.parent.iterdir()] == ["split.json"], "the draft is gone"
    # one of others may leave cases out and say more
    path.write_text('{"source": "a paper", "test": ["0003_0"], "val": ["0002_0"], "train": ["0007_0", "0001_0"]}')
    assert load_split(path, EIGHT) == {"train": ["0007_0", "0001_0"], "val": ["0002_0"], "test": ["0003_0"]}


def test_a_file_that_is_no_split_or_does_not_fit_is_refused(tmp_path):
    path, start = tmp_path / "split.json", '{"train": ["0001_0"], "val": ["0002_0"]'
    endings = ("", ', "test": null', ', "test": "0003_0"', ', "test": {"0003_0": 1}', ', "test": [["0003_0"]]')
    for text in (b"not JSON", b"", b"[]", b"3", b"\x89PNG\xff", *(f"{start}{end}}}".encode() for end in endings)):
        path.write_bytes(text)
        with pytest.raises(DatasetError, match=r"split\.json is not a split.*train, val and test"):
            load_split(path, EIGHT)
    for test_part, message in {
        ("0003_0", "0099_1", "0098_1"): "2 of its cases are not there, 0098_1 first",
        ("0003_0", "0001_0"): "0001_0 stands in it twice",
        ("0003_0", "0003_0"): "0003_0 stands in it twice",
        (): "its part test is empty",
    }.items():
        save_split({"train": ["0001_0"], "val": ["0002_0"], "test": list(test_part)}, path)
        with pytest.raises(DatasetError, match=rf"split\.json does not fit this data set: .*{message}.*Delete it"):
            load_split(path, EIGHT)
    with pytest.raises(DatasetError, match=r"Cannot open the split .*nowhere\.json"):
        load_split(tmp_path / "nowhere.json", EIGHT)
