"""Whatever layout a data set comes in, its X-rays, masks and tables arrive in ours, and what does not is named."""

import csv
import gzip
import os

import cv2
import numpy as np
import pytest
from shared import ellipse, write_png

from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.command.convert import convert
from lungseg_utils.images import read_grey, read_masks
from lungseg_utils.scores import dice

HEIGHT, WIDTH = 96, 80
IDS = ("CXR_0001_0", "CXR_0002_1", "CXR_0003_0")
LUNGS = {  # each a little different, so that a mask at another X-ray is seen
    name: (ellipse(HEIGHT, WIDTH, 0.28, y=0.4 + 0.05 * n), ellipse(HEIGHT, WIDTH, 0.7, y=0.4 + 0.05 * n, a=0.13))
    for n, name in enumerate(IDS)
}
PICTURES = {
    name: cv2.GaussianBlur((200 - 110 * (left | right) + 10 * n).astype(np.uint8), (9, 9), 0)
    for n, (name, (left, right)) in enumerate(LUNGS.items())
}


def write(path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if path.suffix == ".gif" else image  # OpenCV writes no grey ones
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def run_lengths(mask: np.ndarray) -> str:
    """As CheXmask's: begin and length of each run, counted from 1, row after row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.ravel(), [0]]).astype(int))) + 1
    return " ".join(f"{start} {end - start}" for start, end in zip(edges[::2], edges[1::2]))


def mask_columns(name: str) -> dict[str, str]:
    """CheXmask's columns: the patient's left lung lies on the viewer's right."""
    left, right = LUNGS[name]
    sides = {"Left Lung": run_lengths(right), "Right Lung": run_lengths(left), "Heart": "1 1", "Landmarks": "1,2,3"}
    return sides | {"Height": str(HEIGHT), "Width": str(WIDTH), "Dice RCA (Mean)": "0.6" if name == IDS[0] else "0.9"}


def write_table(path, rows: list[dict], delimiter: str = ",", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding=encoding, newline="") as file:
        table = csv.DictWriter(file, rows[0], delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)


def ours(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"CXR_png/{name}.png", PICTURES[name])
        write(folder / f"ManualMask/leftMask/{name}.png", left)
        write(folder / f"ManualMask/rightMask/{name}.png", right * 255)


def kaggle(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"data/Lung Segmentation/CXR_png/{name}.png", PICTURES[name])
        write(folder / f"data/Lung Segmentation/masks/{name}_mask.png", (left | right) * 255)
    write(folder / f"data/Lung Segmentation/test/{IDS[0]}.png", PICTURES[IDS[0]])


def both_in_both_folders(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"cxr_png/{name}.jpg", PICTURES[name])
        for side in ("leftmask", "rightmask"):
            write(folder / f"manualmask/{side}/{name}.png", (left | right) * 255)


def nested(folder):
    for part, (name, (left, right)) in zip(("train/normal", "train/TB", "val/TB"), LUNGS.items()):
        write(folder / f"{part}/images/{name}.bmp", PICTURES[name])
        write(folder / f"{part}/Masks/{name}.bmp", (left | right) * 255)


def split_below(folder):
    for part, (name, (left, right)) in zip(("train", "train", "test"), LUNGS.items()):
        write(folder / f"image/{part}/{name}.tif", PICTURES[name])
        write(folder / f"labels/{part}/{name}.tif", (left | right) * 255)


def one_folder(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"{name}.png", PICTURES[name])
        write(folder / f"{name}-mask.png", (left | right) * 255)


def by_finding(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"nodule/{name}_image.png", PICTURES[name])
        write(folder / f"nodule/{name}_mask.png", (left | right) * 255)


def sides_by_name(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"CXR/{name}.png", PICTURES[name])
        write(folder / f"mask/{name}_right.png", left * 255)  # the patient's
        write(folder / f"mask/{name}_left_lung.png", right * 255)


def jsrt(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"JSRT/png/{name}.png", cv2.resize(PICTURES[name], None, fx=2, fy=2))
        write(folder / f"scr/fold1/masks/left lung/{name}.gif", right * 255)
        write(folder / f"scr/fold1/masks/right lung/{name}.gif", left * 255)
        write(folder / f"scr/fold1/masks/heart/{name}.gif", ellipse(HEIGHT, WIDTH, 0.5, a=0.1, b=0.1) * 255)


def small_masks(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"images/{name}.png", cv2.resize(PICTURES[name], None, fx=3, fy=3))
        write(folder / f"masks/{name}.png", (left | right) * 255)


def a_shade_each(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"pictures/{name}.png", PICTURES[name])
        write(folder / f"truth/{name}.png", left + 2 * right)


def no_word_says_it(folder):
    for name, (left, right) in LUNGS.items():
        write(folder / f"a/{name}.png", PICTURES[name])
        write(folder / f"b/{name}.png", (left | right) * 255)


def run_length_table(folder):
    for name in IDS:
        write(folder / f"files/{name}.jpg", PICTURES[name])
    write_table(
        folder / "VinDr.csv.gz", [{"image_id": f"{name}.dicom"} | mask_columns(name) for name in (*IDS, IDS[0])]
    )


PARTED = "3 masks of both lungs were parted into two lungs"
LAYOUTS = [
    (ours, [], {}),
    (kaggle, [PARTED], {f"data/Lung Segmentation/test/{IDS[0]}.png": "no mask"}),
    (both_in_both_folders, ["3 times the mask of both lungs lay in both mask folders", PARTED], {}),
    (nested, [PARTED], {}),
    (split_below, [PARTED], {}),
    (one_folder, [PARTED], {}),
    (by_finding, [PARTED], {}),
    (sides_by_name, ["3 times left and right meant the patient's"], {}),
    (
        jsrt,
        ["3 times masks were scaled", "3 times left and right meant the patient's"],
        {f"scr/fold1/masks/heart/{name}.gif": "no mask of a lung: heart" for name in IDS},
    ),
    (small_masks, [PARTED, "3 times masks were scaled"], {}),
    (a_shade_each, ["3 maps with a shade for each lung"], {}),
    (no_word_says_it, [PARTED], {}),
    (
        run_length_table,
        [
            "3 times masks of a table's run lengths",
            f"1 of these have a Dice RCA (Mean) below 0.7: look at them ({IDS[0]}",
        ],
        {"VinDr.csv.gz": "no mask of a lung: heart, a column of this table; rows of a table that name no X-ray"},
    ),
]


def not_taken(folder) -> dict[str, str]:
    with (folder / "not_taken.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"].removeprefix("./"), row["reason"]) for row in csv.DictReader(file)]
    return {path: "; ".join(reason for other, reason in rows if other == path) for path, _ in rows}


@pytest.mark.parametrize("layout, said, left_out", LAYOUTS, ids=[each[0].__name__ for each in LAYOUTS])
def test_every_layout_arrives_with_each_lung_in_its_place(layout, said, left_out, tmp_path):
    layout(tmp_path / "source")
    printed = "\n".join(convert(tmp_path / "source", tmp_path / "new"))
    assert printed.startswith("3 X-rays with their masks") and all(sentence in printed for sentence in said), printed
    reasons = not_taken(tmp_path / "new")
    assert reasons.keys() == left_out.keys()
    assert all(
        reasons[path].startswith(reason) and reason.split(":")[0] in printed for path, reason in left_out.items()
    )
    cases = find_cases(tmp_path / "new")
    assert [case.id.removesuffix("_image") for case in cases] == list(IDS)
    for case, name in zip(cases, IDS):
        image, masks = read_grey(case.image), read_masks(case)
        assert image.shape == case.size == masks.shape[:2]
        size = (case.size[1], case.size[0])
        assert np.abs(image.astype(int) - cv2.resize(PICTURES[name], size)).mean() < 3
        for channel, lung in enumerate(LUNGS[name]):
            if case.size == (HEIGHT, WIDTH):
                np.testing.assert_array_equal(masks[..., channel], lung)
            else:
                assert dice(cv2.resize(lung.astype(np.float32), size) > 0.5, masks[..., channel]) > 0.98


def test_files_of_one_name_in_two_folders_keep_their_own_masks(tmp_path):
    for place, name in zip(("COVID", "Normal"), IDS):
        write(tmp_path / f"source/{place}/images/1.png", PICTURES[name])
        write(tmp_path / f"source/{place}/masks/1.png", (LUNGS[name][0] | LUNGS[name][1]) * 255)
    convert(tmp_path / "source", tmp_path / "new")
    for case, name in zip(find_cases(tmp_path / "new"), IDS):
        assert case.id == {IDS[0]: "1_covid", IDS[1]: "1_normal"}[name]
        np.testing.assert_array_equal(read_masks(case)[..., 0], LUNGS[name][0])


def test_lungs_that_touch_are_cut_and_named(tmp_path):
    left, right = LUNGS[IDS[0]]
    bridge = np.zeros_like(left)
    bridge[36:42, 20:60] = 1
    write(tmp_path / "source/images/a.png", PICTURES[IDS[0]])
    write(tmp_path / "source/masks/a.png", (left | right | bridge) * 255)
    printed = convert(tmp_path / "source", tmp_path / "new")
    assert "1 masks of lungs that touch were cut where they are thinnest near the middle: look at them (a)" in printed
    masks = read_masks(find_cases(tmp_path / "new")[0])
    assert dice(masks[..., 0], left) > 0.95 and dice(masks[..., 1], right) > 0.95


def test_what_cannot_be_taken_is_named_with_the_reason(tmp_path):
    source, (left, right) = tmp_path / "source", LUNGS[IDS[0]]
    both = (left | right) * 255
    masks = {
        "good": both,
        "one": cv2.resize(left * 255, None, fx=2, fy=2),
        "shape": both[:, :60],
        "filled": ellipse(HEIGHT, WIDTH, 0.5, a=0.35) * 255,
        "picture": PICTURES[IDS[0]],
        "black": both * 0,
        "inverted": 255 - both,
        "cut": both,
        "stranger": both,
    }
    for name, mask in masks.items():
        write(source / f"masks/{name}.png", mask)
        if name != "stranger":
            write(source / f"images/{name}.png", PICTURES[IDS[0]])
    (source / "images/cut.png").write_bytes((source / "images/cut.png").read_bytes()[:300])
    write(source / "images/alone.png", PICTURES[IDS[0]])
    if hasattr(os, "mkfifo"):
        os.mkfifo(source / "pipe.png")
        os.symlink(source, source / "round")
    for name in ("README.md", "notes.txt", "images/._good.png", "other.csv"):
        (source / name).write_text("a,b\n1,2\n")
    printed = "\n".join(convert(source, tmp_path / "new"))
    assert printed.startswith("1 X-rays") and [case.id for case in find_cases(tmp_path / "new")] == ["good"]
    expected = {
        "images/one.png": "a mask that cannot be parted",
        "images/shape.png": "a mask of another shape than its X-ray: it has 60 x 96 px, its X-ray 80 x 96 px",
        "images/filled.png": "a mask that cannot be parted",
        "images/picture.png": "Not a mask",
        "images/black.png": "The mask is empty",
        "images/inverted.png": "a mask that looks inverted",
        "images/cut.png": "The picture is cut short",
        "images/alone.png": "no mask",
        "masks/stranger.png": "a mask of no X-ray",
        "README.md": "neither a picture nor a table",
        "notes.txt": "a text that belongs to no X-ray",
        "other.csv": "a table that names no X-ray",
        "images/._good.png": "left behind by a system",
    }
    expected |= dict.fromkeys(("pipe.png", "round") if hasattr(os, "mkfifo") else (), "no ordinary file")
    expected |= {f"masks/{name}.png": "its X-ray was not taken" for name in masks if name not in ("good", "stranger")}
    reasons = not_taken(tmp_path / "new")
    assert reasons.keys() == expected.keys()
    for path, reason in expected.items():
        assert reasons[path].startswith(reason), (path, reasons[path])
    assert "scaled" not in printed, "nothing is said of what was done in vain"
    assert "not taken, 7 x its X-ray was not taken" in printed


@pytest.mark.parametrize("delimiter, encoding", [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")])
def test_what_tables_and_readings_say_is_taken_along(tmp_path, delimiter, encoding):
    kaggle(source := tmp_path / "source")
    said = ({"SEX": "Female", "Age": "33yrs"}, {"SEX": "male", "Age": "045Y"}, {"SEX": "?", "Age": "old"})
    more = zip(said, ("normal", "secondary PTB", ""), ("[0.14, 0.15]", "0.2", "900"))
    rows = [
        {"Study_ID": f"{name}.png", "Patient ID": f"P{n // 2}", "findings": finding, "Pixel Spacing": mm} | each
        for n, (name, (each, finding, mm)) in enumerate(zip(IDS, more))
    ]
    write_table(source / "meta.csv", rows, delimiter, encoding)
    (source / "ClinicalReadings").mkdir()
    (source / f"ClinicalReadings/{IDS[2]}.txt").write_bytes("male 7yrs\r\nscars".encode("utf-16"))
    printed = "\n".join(convert(source, tmp_path / "new"))
    first, second, third = find_cases(tmp_path / "new")
    assert (first.patient, first.finding, first.sex, first.age, first.spacing_mm) == ("P0", 0, "F", 33, (0.14, 0.15))
    assert (second.patient, second.finding, second.sex, second.age, second.spacing_mm) == ("P0", 1, "M", 45, (0.2, 0.2))
    assert (third.patient, third.sex, third.age, third.reading, third.spacing_mm) == ("P1", "M", 7, "scars", None)
    for what in ("age", "spacing_mm"):
        assert f"1 times a table's {what} was not understood and left out ({IDS[2]})" in printed


def test_our_own_layout_keeps_its_table_and_its_sizes(tmp_path):
    ours(source := tmp_path / "source")
    (source / "original_sizes.csv").write_text(f"id,original_width_px,original_height_px\n{IDS[0]},160,192\n")
    (source / "cases.csv").write_text(f"id,patient,row_mm,column_mm\n{IDS[1]},Ann,0.3,0.4\n")
    convert(source, tmp_path / "new")
    assert [case.spacing_mm for case in find_cases(tmp_path / "new")] == [
        pytest.approx((0.175, 0.175)),
        (0.3, 0.4),
        None,
    ]


def test_a_table_names_files_by_their_folders(tmp_path):
    rows = []
    for n, name in enumerate(IDS):
        write(tmp_path / f"source/train/patient{n}/study1/view1.png", PICTURES[name])
        rows.append({"Path": f"CheXpert/train/patient{n}/study1/view1.jpg"} | mask_columns(name))
    write_table(tmp_path / "source/table.csv", [{"Path": "view1.jpg"} | mask_columns(IDS[0]), *rows])
    convert(tmp_path / "source", tmp_path / "new")
    assert "1 of 4" in not_taken(tmp_path / "new")["table.csv"], "one name alone may mean any of three"
    for case, name in zip(find_cases(tmp_path / "new"), IDS):
        np.testing.assert_array_equal(read_masks(case)[..., 1], LUNGS[name][1])


@pytest.mark.parametrize("runs", ["1", "0 4", "1 99999", "one two", "5 -3"])
def test_run_lengths_that_do_not_fit_are_named(tmp_path, runs):
    run_length_table(source := tmp_path / "source")
    rows = [{"id": name} | mask_columns(name) for name in IDS]
    rows[1]["Left Lung"] = runs
    (source / "VinDr.csv.gz").unlink()
    write_table(source / "table.csv", rows)
    convert(source, tmp_path / "new")
    assert (
        list(not_taken(tmp_path / "new")) == [f"files/{IDS[1]}.jpg", "table.csv"]
        and len(find_cases(tmp_path / "new")) == 2
    )
    assert "run lengths that cannot be decoded" in not_taken(tmp_path / "new")[f"files/{IDS[1]}.jpg"]


def test_dicom_pictures_bring_their_spacing(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom import uid

    (tmp_path / "source/images").mkdir(parents=True)
    for name, (left, right) in LUNGS.items():
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = uid.ComputedRadiographyImageStorage, uid.generate_uid()
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = HEIGHT, WIDTH, 1
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        dataset.PhotometricInterpretation, dataset.PixelSpacing = "MONOCHROME2", [3, 4]
        dataset.PixelData = PICTURES[name].tobytes()
        dataset["PixelData"].VR = "OB"
        dataset.save_as(tmp_path / f"source/images/{name}.dcm", enforce_file_format=True)
        write(tmp_path / f"source/masks/{name}.png", (left | right) * 255)
    convert(tmp_path / "source", tmp_path / "new")
    for case in find_cases(tmp_path / "new"):
        assert case.spacing_mm == (3, 4) and np.array_equal(read_masks(case)[..., 0], LUNGS[case.id][0])
        np.testing.assert_array_equal(read_grey(case.image), PICTURES[case.id])


def test_the_new_set_is_whole_or_absent(tmp_path):
    ours(tmp_path / "source")
    (tmp_path / "full").mkdir()
    write_png(tmp_path / "full/mine.png", PICTURES[IDS[0]])
    write_png(tmp_path / "pictures/a.png", PICTURES[IDS[0]])
    for source, folder, message in (
        ("nowhere", "new", "nowhere is not a folder"),
        ("source", "full", "full is not empty"),
        ("source", "source/new", "lies in"),
        ("pictures", "new", r"No X-ray of .*pictures could be taken \(not taken, 1 x no mask\)"),
    ):
        with pytest.raises(DatasetError, match=message):
            convert(tmp_path / source, tmp_path / folder)
        assert {path.name for path in tmp_path.iterdir()} == {"source", "full", "pictures"}
    (tmp_path / "empty").mkdir()
    assert convert(tmp_path / "source", tmp_path / "empty")[0].startswith("3 X-rays")
