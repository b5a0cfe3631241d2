"""Pairing files by ID, readings, patients and sizes."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
from shared import write_png, write_set

from lungseg_utils.cases import DatasetError, find_cases, pixel_spacing

LEFT, RIGHT = "ManualMask/leftMask", "ManualMask/rightMask"
SIZES = "id,original_width_px,original_height_px\n"


def readings(folder, **texts: str) -> None:
    for name, text in texts.items():
        (folder / "ClinicalReadings" / f"{name}.txt").write_bytes(text.encode())


def refused(folder, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        find_cases(folder)


# --- finding and pairing ---


def test_every_file_of_a_case_carries_its_id(tiny_set):
    cases = find_cases(tiny_set)
    assert [case.id for case in cases] == [f"TINY_{n:04d}_{n % 2}" for n in range(1, 7)]
    for case in cases:
        assert case.image == tiny_set / "CXR_png" / f"{case.id}.png"
        assert case.left_mask == tiny_set / LEFT / f"{case.id}.png"
        assert case.right_mask == tiny_set / RIGHT / f"{case.id}.png"
        assert case.finding == int(case.id[-1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        cases[0].id = "other"


def test_a_set_is_found_by_any_path_and_among_other_things(tmp_path, monkeypatch):
    folder = write_set(tmp_path / "my X-rays 胸片 é", count=2, height=16, width=16)
    for other in ("notes", "__MACOSX"):
        (tmp_path / other).mkdir()
    shutil.copytree(folder, tmp_path / ".unfinished")
    for part in ("CXR_png", LEFT, RIGHT, "ClinicalReadings"):
        for junk in ("._TINY_0001_1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.md"):
            (folder / part / junk).write_bytes(b"\0\5\x16\7")
        (folder / part / "folder.png").mkdir()
    cases = find_cases(folder)
    assert len(cases) == 2 and cases == find_cases(str(folder)) == find_cases(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_cases(f"~/{folder.name}") == cases
    monkeypatch.chdir(folder)
    assert len(find_cases(".")) == 2


def test_names_are_compared_without_case_and_sorted_as_they_are(tiny_set):
    (tiny_set / "CXR_png/TINY_0001_1.png").rename(tiny_set / "CXR_png/TINY_0001_1.PNG")
    (tiny_set / LEFT / "TINY_0002_0.png").rename(tiny_set / LEFT / "tiny_0002_0.png")
    for part in ("CXR_png", LEFT, RIGHT):
        (tiny_set / part / "TINY_0003_1.png").rename(tiny_set / part / "Ward 3.png")
    cases = find_cases(tiny_set)
    assert [case.id for case in cases][-2:] == ["TINY_0006_0", "Ward 3"] and len(cases) == 6
    assert cases[1].left_mask.name.lower() == "tiny_0002_0.png"
    assert cases[-1].finding is None and cases[-1].age is None, "where neither the ID nor a reading says it"


# --- sets that cannot be used ---


def test_masks_without_xray_and_xrays_without_mask_are_counted_and_named(tiny_set):
    # As many images as masks, but of different cases: zip(sorted(...), sorted(...)) would pair them silently.
    for side in (LEFT, RIGHT):
        (tiny_set / side / "TINY_0002_0.png").rename(tiny_set / side / "TINY_0009_0.png")
        missing, extra = rf"no mask in {side} for 1 of 6 X-rays \(TINY_0002_0.png\)", f"1 of 6 masks in {side}"
        with pytest.raises(DatasetError, match=rf"{missing}.*{extra} \(TINY_0009_0.png\)") as caught:
            find_cases(tiny_set)
        assert (LEFT in str(caught.value)) == (side == LEFT)
        (tiny_set / side / "TINY_0009_0.png").rename(tiny_set / side / "TINY_0002_0.png")
    for path in (tiny_set / LEFT).iterdir():
        path.unlink()
    refused(tiny_set, r"no mask in .* for 6 of 6 X-rays .*TINY_0005_1.png and 1 more")


def test_a_folder_that_is_no_data_set(tiny_set, tmp_path):
    (tmp_path / "set.zip").touch()
    (tmp_path / "empty").mkdir()
    for name in ("images", "labels"):
        (tmp_path / "other" / name).mkdir(parents=True)
    refused(tmp_path / "nowhere", re.escape(str(tmp_path / "nowhere")) + " does not exist")
    refused(tmp_path / "set.zip", "set.zip is a file, not a folder")
    refused(tmp_path / "other", f"not a data set.*CXR_png, .*{LEFT}.*found: images, labels.*lungseg convert SOURCE")
    refused(tmp_path / "empty", "not a data set.*found: nothing")
    shutil.copytree(tiny_set, tmp_path / "second")
    refused(tmp_path, r"holds 2 data sets \(second, tiny\)")
    shutil.rmtree(tiny_set / RIGHT)
    refused(tiny_set, f"missing: {RIGHT};")
    for path in (tmp_path / "second" / "CXR_png").iterdir():
        path.unlink()
    refused(tmp_path / "second", "No X-rays: .*CXR_png")


def test_two_names_that_differ_only_in_case(tiny_set):
    image = tiny_set / "CXR_png/TINY_0001_1.png"
    other = image.with_name("tiny_0001_1.PNG")
    if other.exists():
        pytest.skip("this file system takes both names for one file")
    shutil.copy(image, other)
    refused(tiny_set, r"TINY_0001_1.png and tiny_0001_1.PNG")


# --- readings and patients ---


def test_readings_are_taken_apart(tiny_set):
    for text, expected in {
        "Patient's Sex: F \nPatient's Age: 027Y\nnormal\n": ("F", 27, "normal"),
        "\ufeffPatient's Sex:M\r\nPatient's Age:  033Y \r\n\r\nscars\r\nin RUL\r\n": ("M", 33, "scars\nin RUL"),
        "patient's sex : o\npatients age : 4\n": ("O", 4, ""),
        "Patient's Age: 018M\n": (None, 1, ""),
        "Patient's Age: 000Y\nPatient's Sex: \nnormal": (None, 0, "normal"),
        "Patient's Sex: unknown\nPatient's Age: \nPatient's history: none": (None, None, "Patient's history: none"),
        "": (None, None, ""),
        "male 45yrs\nscars": ("M", 45, "scars"),
        "Female, 7 years old. normal": ("F", 7, "normal"),
        "Sex: female\nAge: 45.0": ("F", 45, ""),
        "male lung, 3 nodules": (None, None, "male lung, 3 nodules"),
    }.items():
        readings(tiny_set, TINY_0001_1=text)
        case = find_cases(tiny_set)[0]
        assert (case.sex, case.age, case.reading) == expected
    for encoding in ("cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):  # of old and new Windows
        reading = tiny_set / "ClinicalReadings/TINY_0001_1.txt"
        reading.write_bytes("Patient's Sex: F\r\nPatient's Age: 027Y\r\nGröße".encode(encoding))
        case = find_cases(tiny_set)[0]
        assert (case.sex, case.age, case.reading) == ("F", 27, "Größe"), encoding
    shutil.rmtree(tiny_set / "ClinicalReadings")
    for case in find_cases(tiny_set):
        assert (case.sex, case.age, case.reading, case.patient) == (None, None, "", case.id)


def test_what_a_reading_says_in_vain_is_named(tiny_set):
    for text, what in {
        "Patient's Sex: grey\nPatient's Age: 027Y": "sex is not understood",
        "Patient's Age: forty": "age is not understood",
        "normal (same pt as last week)": "no X-ray has this name",
    }.items():
        readings(tiny_set, TINY_0001_1=text)
        with pytest.warns(UserWarning, match=f"TINY_0001_1 says .*{what}"):
            find_cases(tiny_set)


def test_patients_are_grouped_transitively(tiny_set):
    def patients() -> str:
        return "".join(case.patient[8] for case in find_cases(tiny_set))

    # 5 -> 3 -> 1 is a chain; 2 and 6 name an ID that is not there; 4 mentions words, not an ID.
    readings(
        tiny_set,
        TINY_0003_1="scars (same pt as TINY_0001_1)",
        TINY_0005_1="scars (Same patient as TINY_0003_1 2M ago)",
        TINY_0002_0="same pt as TINY_0099_0, two weeks ago",
        TINY_0006_0="normal (same pt as TINY_0098_0, TINY_0099_0).",
        TINY_0004_0="same pt as last week, 2M ago",
    )
    with pytest.warns(UserWarning, match="last week"):
        assert patients() == "121412"
    # one reading joins two groups
    readings(tiny_set, TINY_0002_0="(same pt as TINY_0001_1)", TINY_0004_0="(same pt as TINY_0003_1)")
    readings(tiny_set, TINY_0003_1="", TINY_0006_0="(same pt as TINY_0004_0, TINY_0002_0)", TINY_0005_1="")
    assert patients() == "111151"
    readings(tiny_set, TINY_0006_0="(Same Pt. as #tiny_0005_1.png)", TINY_0002_0="", TINY_0004_0="")
    assert patients() == "123455"


def test_the_real_set(montgomery):
    cases = find_cases(montgomery)
    assert len(cases) == 138
    assert sum(case.finding for case in cases) == 58
    assert len({case.patient for case in cases}) == 135
    again = {case.id[7:11]: case.patient[7:11] for case in cases if case.patient != case.id}
    assert again == {"0117": "0113", "0166": "0162", "0170": "0162"}
    assert {case.sex for case in cases} == {"F", "M"}
    assert 0 <= min(case.age for case in cases) <= max(case.age for case in cases) <= 110
    assert all(case.reading and "Patient's" not in case.reading for case in cases)
    plates = {tuple(round(side * mm, 2) for side, mm in zip(case.size, case.spacing_mm)) for case in cases}
    assert plates == {(351.75, 428.05), (428.05, 351.75)}
    assert pixel_spacing(cases[0], 512, 512) == pytest.approx((4020 * 0.0875 / 512, 4892 * 0.0875 / 512))


# --- sizes, and a table of one's own ---


def test_sizes_stand_in_the_folder_or_else_beside_it(tiny_set):
    text = "\ufeff" + SIZES.replace("\n", "\r\n")  # as Excel writes it
    (tiny_set / "../original_sizes.csv").write_bytes((text + "TINY_0001_1,4892,4020\r\n").encode())
    first, second = find_cases(tiny_set)[:2]
    assert pixel_spacing(first, height=64, width=80) == pytest.approx((4020 * 0.0875 / 64, 4892 * 0.0875 / 80))
    assert pixel_spacing(second, 64, 80) is None
    (tiny_set / "original_sizes.csv").write_bytes((text + "TINY_0001_1,100,200\r\n").encode())
    assert find_cases(tiny_set)[0].spacing_mm == pytest.approx((200 * 0.0875 / 64, 100 * 0.0875 / 80))


def test_pictures_of_the_official_size_have_the_official_spacing(tiny_set):
    for height, width in ((4020, 4892), (4892, 4020)):
        write_png(tiny_set / "CXR_png/TINY_0001_1.png", np.zeros((height, width), np.uint8))
        case = find_cases(tiny_set)[0]
        assert case.size == (height, width)
        assert pixel_spacing(case, height, width) == pytest.approx((0.0875, 0.0875))
        assert pixel_spacing(case, height / 2, width / 4) == pytest.approx((0.175, 0.35))


def test_the_column_of_the_ids_may_have_other_names(tiny_set):
    for head in ("Id", "image_id", "Image ID", "IMAGE INDEX", "filename"):
        for encoding in ("utf-8", "utf-16"):
            text = SIZES.replace("id", head, 1).replace(",", "\t") + "tiny_0001_1.PNG\t80\t64\n"
            (tiny_set / "original_sizes.csv").write_bytes(text.encode(encoding))
            assert find_cases(tiny_set)[0].spacing_mm == (0.0875, 0.0875)


TABLE = """ID;Patient;finding;SEX;age;row_mm;column_mm
tiny_0001_1;Ann;0;m;7;0.14;0.15
TINY_0002_0;Ann;;;;;
TINY_0009_0;Bob;1;F;40;0.2;0.2
"""


def test_a_table_says_what_is_known_without_any_habit_of_the_montgomery_set(tiny_set):
    (tiny_set / "cases.csv").write_bytes(("\ufeff" + TABLE.replace("\n", "\r\n")).encode())
    (tiny_set / "original_sizes.csv").write_text(SIZES + "TINY_0001_1,80,64\nTINY_0002_0,80,64\n")
    first, second, third = find_cases(tiny_set)[:3]
    assert (first.patient, first.finding, first.sex, first.age) == ("Ann", 0, "M", 7)
    assert first.spacing_mm == (0.14, 0.15), "the table goes before the sizes"
    assert pixel_spacing(first, 32, 20) == pytest.approx((0.28, 0.6))
    assert (second.patient, second.finding, second.sex, second.age) == ("Ann", 0, "F", 22), "empty cells: as before"
    assert second.spacing_mm == (0.0875, 0.0875)
    assert third.patient == third.id and third.spacing_mm is None


def test_a_table_that_cannot_be_right_is_named(tiny_set):
    def check(name: str, head: str, *rows: str) -> None:
        for row in rows:
            (tiny_set / name).write_text(f"{head}\n{row}\n")
            with pytest.raises(DatasetError, match=f"{name} (cannot be used|names none)"):
                find_cases(tiny_set)
                pytest.fail(f"{row} was taken")
        (tiny_set / name).unlink()

    cells = ("2,F,3,1,1", ",X,3,1,1", ",,3 y,1,1", ",,,1,", ",,,-1,1", ",,,nan,1", ",,,1,inf")
    rows = [f"TINY_0001_1,{row}" for row in cells]
    check("cases.csv", "id,finding,sex,age,row_mm,column_mm", ",1,F,3,1,1", "OTHER,1,F,3,1,1", *rows)
    check("original_sizes.csv", SIZES.strip(), "TINY_0001_1,wide,1", "TINY_0001_1,1,0", "x,12", ",1,1")
    check("original_sizes.csv", "id,width,height", "x,1,2")
    check("original_sizes.csv", "a,b,c", "x,1,2")
