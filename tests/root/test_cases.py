"""Pairing files by ID, readings, patients and sizes."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
from shared import write_png, write_set

from lungseg_utils.cases import DatasetError, find_cases, pixel_spacing

LEFT, RIGHT = "ManualMask/leftMask", "ManualMask/rightMask"


def reading(folder, name: str, text: str) -> None:
    (folder / "ClinicalReadings" / f"{name}.txt").write_text(text)


def by_id(folder) -> dict:
    return {case.id: case for case in find_cases(folder)}


# --- finding and pairing ---


def test_every_file_of_a_case_carries_its_id(tiny_set):
    cases = find_cases(tiny_set)
    assert [case.id for case in cases] == [f"TINY_{n:04d}_{n % 2}" for n in range(1, 7)]
    for case in cases:
        assert case.image == tiny_set / "CXR_png" / f"{case.id}.png"
        assert case.left_mask == tiny_set / LEFT / f"{case.id}.png"
        assert case.right_mask == tiny_set / RIGHT / f"{case.id}.png"
        assert case.finding == int(case.id[-1])


def test_pairs_by_id_where_pairing_by_order_goes_wrong(tiny_set):
    # As many images as masks, but of different cases: zip(sorted(...), sorted(...)) would pair them silently.
    (tiny_set / "CXR_png/TINY_0002_0.png").unlink()
    (tiny_set / LEFT / "TINY_0005_1.png").unlink()
    (tiny_set / RIGHT / "TINY_0005_1.png").unlink()
    with pytest.raises(DatasetError, match=r"TINY_0005_1.*TINY_0002_0|TINY_0002_0.*TINY_0005_1"):
        find_cases(tiny_set)


def test_accepts_text_the_parent_and_a_folder_with_other_things(tiny_set, monkeypatch):
    (tiny_set.parent / "notes").mkdir()
    (tiny_set.parent / "__MACOSX").mkdir()
    shutil.copytree(tiny_set, tiny_set.parent / ".tiny-unfinished")
    assert find_cases(str(tiny_set)) == find_cases(tiny_set.parent) == find_cases(tiny_set)
    monkeypatch.chdir(tiny_set)
    assert len(find_cases(".")) == 6


def test_a_path_with_spaces_and_chinese_characters(tmp_path):
    folder = write_set(tmp_path / "my X-rays 胸片 é", count=2, height=16, width=16)
    assert [case.image.parent.parent for case in find_cases(folder)] == [folder] * 2


def test_files_that_systems_leave_behind_are_ignored(tiny_set):
    for part in ("CXR_png", LEFT, RIGHT, "ClinicalReadings"):
        for junk in ("._TINY_0001_1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.md"):
            (tiny_set / part / junk).write_bytes(b"\0\5\x16\7")
        (tiny_set / part / "folder.png").mkdir()
    assert len(find_cases(tiny_set)) == 6


def test_upper_case_extension_and_other_case_in_a_mask_name(tiny_set):
    (tiny_set / "CXR_png/TINY_0001_1.png").rename(tiny_set / "CXR_png/TINY_0001_1.PNG")
    (tiny_set / LEFT / "TINY_0002_0.png").rename(tiny_set / LEFT / "tiny_0002_0.png")
    cases = by_id(tiny_set)
    assert len(cases) == 6
    assert cases["TINY_0002_0"].left_mask.name.lower() == "tiny_0002_0.png"


# --- sets that cannot be used ---


@pytest.mark.parametrize("side, other", [(LEFT, RIGHT), (RIGHT, LEFT)])
def test_missing_masks_are_counted_and_named(tiny_set, side, other):
    for name in ("TINY_0002_0", "TINY_0004_0"):
        (tiny_set / side / f"{name}.png").unlink()
    expected = rf"no mask in {side} for 2 of 6 X-rays \(TINY_0002_0.png, TINY_0004_0.png\)"
    with pytest.raises(DatasetError, match=expected) as caught:
        find_cases(tiny_set)
    assert other not in str(caught.value)


def test_many_missing_masks_are_not_all_listed(tiny_set):
    for path in (tiny_set / LEFT).iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=r"no mask in .* for 6 of 6 X-rays .*TINY_0005_1.png and 1 more"):
        find_cases(tiny_set)


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_an_extra_mask_is_named(tiny_set, side):
    write_png(tiny_set / side / "TINY_0009_0.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(DatasetError, match=rf"no X-ray for 1 of 7 masks in {side} \(TINY_0009_0.png\)"):
        find_cases(tiny_set)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(DatasetError, match=re.escape(str(tmp_path / "nowhere")) + " does not exist"):
        find_cases(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "set.zip").touch()
    with pytest.raises(DatasetError, match="set.zip is a file, not a folder"):
        find_cases(tmp_path / "set.zip")


def test_a_folder_that_is_not_a_data_set(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=f"not a data set.*CXR_png, .*{LEFT}.*found: images, labels"):
        find_cases(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DatasetError, match="not a data set.*found: nothing"):
        find_cases(tmp_path)


def test_half_a_data_set_says_what_is_missing(tiny_set):
    shutil.rmtree(tiny_set / RIGHT)
    with pytest.raises(DatasetError, match=f"missing: {RIGHT};"):
        find_cases(tiny_set)


def test_a_parent_of_several_sets(tiny_set):
    shutil.copytree(tiny_set, tiny_set.parent / "second")
    with pytest.raises(DatasetError, match=r"holds 2 data sets \(second, tiny\)"):
        find_cases(tiny_set.parent)


def test_no_images(tiny_set):
    for path in (tiny_set / "CXR_png").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="No X-rays: .*CXR_png"):
        find_cases(tiny_set)


def test_two_names_that_differ_only_in_case(tiny_set):
    image = tiny_set / "CXR_png/TINY_0001_1.png"
    other = image.with_name("tiny_0001_1.PNG")
    if other.exists():
        pytest.skip("this file system takes both names for one file")
    shutil.copy(image, other)
    with pytest.raises(DatasetError, match=r"TINY_0001_1.png and tiny_0001_1.PNG"):
        find_cases(tiny_set)


# --- readings ---


@pytest.mark.parametrize(
    "text, sex, age, words",
    [
        ("Patient's Sex: F \nPatient's Age: 027Y\nnormal\n", "F", 27, "normal"),
        ("\ufeffPatient's Sex:M\r\nPatient's Age:  033Y \r\n\r\nscars\r\nin RUL\r\n", "M", 33, "scars\nin RUL"),
        ("patient's sex : o\npatients age : 4\n", "O", 4, ""),
        ("Patient's Age: 018M\n", None, 1, ""),
        ("Patient's Age: 000Y\nPatient's Sex: \nnormal", None, 0, "normal"),
        ("Patient's Sex: unknown\nPatient's Age: \nPatient's history: none", None, None, "Patient's history: none"),
        ("", None, None, ""),
    ],
)
def test_readings_are_taken_apart(tiny_set, text, sex, age, words):
    (tiny_set / "ClinicalReadings/TINY_0001_1.txt").write_bytes(text.encode())
    case = by_id(tiny_set)["TINY_0001_1"]
    assert (case.sex, case.age, case.reading) == (sex, age, words)


def test_a_reading_in_another_encoding_is_read(tiny_set):
    (tiny_set / "ClinicalReadings/TINY_0001_1.txt").write_bytes("Patient's Age: 027Y\nGröße".encode("latin-1"))
    assert by_id(tiny_set)["TINY_0001_1"].age == 27


def test_without_readings_each_case_is_a_patient_of_its_own(tiny_set):
    shutil.rmtree(tiny_set / "ClinicalReadings")
    for case in find_cases(tiny_set):
        assert (case.sex, case.age, case.reading, case.patient) == (None, None, "", case.id)


def test_no_finding_where_the_id_does_not_say(tiny_set):
    for part in ("CXR_png", LEFT, RIGHT):
        (tiny_set / part / "TINY_0001_1.png").rename(tiny_set / part / "ward 3.png")
    assert by_id(tiny_set)["ward 3"].finding is None


# --- patients ---


def test_patients_are_grouped_transitively(tiny_set):
    # 5 -> 3 -> 1 is a chain; 2 and 6 name an ID that is not there; 4 mentions words, not an ID.
    reading(tiny_set, "TINY_0003_1", "scars (same pt as TINY_0001_1)")
    reading(tiny_set, "TINY_0005_1", "scars (Same patient as TINY_0003_1 2M ago)")
    reading(tiny_set, "TINY_0002_0", "same pt as TINY_0099_0, two weeks ago")
    reading(tiny_set, "TINY_0006_0", "normal (same pt as TINY_0098_0, TINY_0099_0).")
    reading(tiny_set, "TINY_0004_0", "same pt as last week, 2M ago")
    patients = {case.id: case.patient for case in find_cases(tiny_set)}
    assert patients == {
        "TINY_0001_1": "TINY_0001_1",
        "TINY_0002_0": "TINY_0002_0",
        "TINY_0003_1": "TINY_0001_1",
        "TINY_0004_0": "TINY_0004_0",
        "TINY_0005_1": "TINY_0001_1",
        "TINY_0006_0": "TINY_0002_0",
    }


def test_one_reading_joins_two_groups(tiny_set):
    reading(tiny_set, "TINY_0002_0", "(same pt as TINY_0001_1)")
    reading(tiny_set, "TINY_0004_0", "(same pt as TINY_0003_1)")
    reading(tiny_set, "TINY_0006_0", "(same pt as TINY_0004_0, TINY_0002_0)")
    assert [case.patient for case in find_cases(tiny_set)].count("TINY_0001_1") == 5


def test_patients_of_the_real_set(montgomery):
    cases = find_cases(montgomery)
    assert len(cases) == 138
    assert sum(case.finding for case in cases) == 58
    assert len({case.patient for case in cases}) == 135
    again = {case.id[7:11]: case.patient[7:11] for case in cases if case.patient != case.id}
    assert again == {"0117": "0113", "0166": "0162", "0170": "0162"}
    assert {case.sex for case in cases} == {"F", "M"}
    assert 0 <= min(case.age for case in cases) <= max(case.age for case in cases) <= 110
    assert all(case.reading and "Patient's" not in case.reading for case in cases)


# --- original sizes and spacing ---


@pytest.mark.parametrize("place", [".", ".."])
def test_sizes_stand_in_the_folder_or_beside_it(tiny_set, place):
    table = tiny_set / place / "original_sizes.csv"
    table.write_bytes(
        "\ufeffid,original_width_px,original_height_px\r\nTINY_0001_1,4892,4020\r\n".encode()  # as Excel does
    )
    cases = by_id(tiny_set)
    rows, columns = pixel_spacing(cases["TINY_0001_1"], height=64, width=80)
    assert rows == pytest.approx(4020 * 0.0875 / 64)
    assert columns == pytest.approx(4892 * 0.0875 / 80)
    assert pixel_spacing(cases["TINY_0002_0"], 64, 80) is None


def test_sizes_in_the_folder_go_before_those_beside_it(tiny_set):
    head = "id,original_width_px,original_height_px\n"
    (tiny_set / "original_sizes.csv").write_text(head + "TINY_0001_1,100,200\n")
    (tiny_set.parent / "original_sizes.csv").write_text(head + "TINY_0001_1,1,1\n")
    assert by_id(tiny_set)["TINY_0001_1"].spacing_mm == pytest.approx((200 * 0.0875 / 64, 100 * 0.0875 / 80))


@pytest.mark.parametrize("row", ["a,b,c", "id,original_width_px,original_height_px\nx,12", "id,width,height\nx,1,2"])
def test_a_table_of_sizes_that_cannot_be_used(tiny_set, row):
    (tiny_set / "original_sizes.csv").write_text(row + "\nTINY_0001_1,wide,0\n")
    with pytest.raises(DatasetError, match="original_sizes.csv cannot be used"):
        find_cases(tiny_set)


@pytest.mark.parametrize("height, width", [(4020, 4892), (4892, 4020)])
def test_pictures_of_the_official_size_have_the_official_spacing(tiny_set, height, width):
    write_png(tiny_set / "CXR_png/TINY_0001_1.png", np.zeros((height, width), np.uint8))
    case = by_id(tiny_set)["TINY_0001_1"]
    assert case.size == (height, width)
    assert pixel_spacing(case, height, width) == pytest.approx((0.0875, 0.0875))
    assert pixel_spacing(case, height / 2, width / 4) == pytest.approx((0.175, 0.35))


def test_spacing_of_the_real_set(montgomery):
    cases = find_cases(montgomery)
    plates = {tuple(round(side * mm, 2) for side, mm in zip(case.size, case.spacing_mm)) for case in cases}
    assert plates == {(351.75, 428.05), (428.05, 351.75)}
    spacing = pixel_spacing(cases[0], 512, 512)
    assert spacing == pytest.approx((4020 * 0.0875 / 512, 4892 * 0.0875 / 512))


TABLE = """ID;Patient;finding;SEX;age;row_mm;column_mm
tiny_0001_1;Ann;0;m;7;0.14;0.15
TINY_0002_0;Ann;;;;;
TINY_0009_0;Bob;1;F;40;0.2;0.2
"""


def test_a_table_says_what_is_known_without_any_habit_of_the_montgomery_set(tiny_set):
    (tiny_set / "cases.csv").write_bytes(("\ufeff" + TABLE.replace("\n", "\r\n")).encode())  # as Excel writes it
    (tiny_set / "original_sizes.csv").write_text(
        "id,original_width_px,original_height_px\nTINY_0001_1,80,64\nTINY_0002_0,80,64\n"
    )
    first, second, third = find_cases(tiny_set)[:3]
    assert (first.patient, first.finding, first.sex, first.age) == ("Ann", 0, "M", 7)
    assert first.spacing_mm == (0.14, 0.15), "the table goes before the sizes"
    assert pixel_spacing(first, 32, 20) == pytest.approx((0.28, 0.6))
    assert (second.patient, second.finding, second.sex, second.age) == ("Ann", 0, "F", 22), "empty cells: as before"
    assert second.spacing_mm == (0.0875, 0.0875)
    assert third.patient == third.id and third.spacing_mm is None


@pytest.mark.parametrize(
    "row",
    ["TINY_0001_1,2,F,3,1,1", "TINY_0001_1,,X,3,1,1", "TINY_0001_1,,,3 y,1,1", "TINY_0001_1,,,,1,", ",1,F,3,1,1"]
    + ["TINY_0001_1,,,,-1,1", "TINY_0001_1,,,,nan,1", "OTHER,1,F,3,1,1"],
)
def test_a_table_that_cannot_be_right_is_named(tiny_set, row):
    (tiny_set / "cases.csv").write_text(f"id,finding,sex,age,row_mm,column_mm\n{row}\n")
    with pytest.raises(DatasetError, match="cases.csv (cannot be used|names none)"):
        find_cases(tiny_set)


def test_a_case_cannot_be_changed(tiny_set):
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_cases(tiny_set)[0].id = "other"
