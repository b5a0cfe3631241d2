"""The drawn X-rays look like chests, repeat exactly, and land on disk whole or not at all."""

import csv
import json
import re
import shutil
import subprocess
import sys
import tracemalloc

import cv2
import numpy as np
import pytest

from lungseg_utils.drawing import PARTS, PHANTOM_VERSION, anatomy, draw_dataset, draw_phantom, findings, picture, ranges
from lungseg_utils.drawing import dataset as sets
from lungseg_utils.drawing.canvas import LOW, Canvas, resize_layer
from lungseg_utils.drawing.dataset import draw_visit
from lungseg_utils.drawing.patient import draw_masks, draw_patient
from lungseg_utils.scores import dice

SIZE = 128
MASKS = ("ManualMask/leftMask", "ManualMask/rightMask")


@pytest.fixture(scope="module")
def phantoms():
    return [draw_phantom(seed, SIZE) for seed in range(40)]


@pytest.fixture(scope="module")
def lungs(phantoms):
    """(side, mask) of every lung; side is -1 on the viewer's left and 1 on the viewer's right."""
    return [(side, p.masks[..., channel] > 0) for p in phantoms for channel, side in enumerate((-1, 1))]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("data") / "phantom", count=40, size=64, workers=1)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def readings(folder):
    return {p.stem: p.read_text(encoding="utf-8") for p in sorted((folder / "ClinicalReadings").iterdir())}


def extent(mask, axis):
    """First and last row (axis 1) or column (axis 0) of a mask."""
    places = np.flatnonzero(mask.any(axis))
    return places[0], places[-1]


def patients(count):
    """So many patients, each with fresh random numbers of the same seed."""
    return [(draw_patient(np.random.default_rng(seed)), np.random.default_rng(seed)) for seed in range(count)]


def shrunk(picture):
    return cv2.resize(picture.astype(np.float32), (256, 256), interpolation=cv2.INTER_AREA)


# ---------------------------------------------------------------------------------------- one picture
def test_same_seed_same_bytes():
    for finding in (False, True):
        drawn = []
        for number, seed in enumerate((7, 7, 8)):  # the random state of the caller does not matter
            np.random.seed(number)  # noqa: NPY002
            cv2.setRNGSeed(number)
            drawn.append(draw_phantom(seed, 96, finding))
        first, again, other = ((each.image.tobytes(), each.masks.tobytes()) for each in drawn)
        assert first == again and first[0] != other[0] and first[1] != other[1]


def test_types_and_the_same_anatomy_at_any_size():
    for size in (64, 100):
        drawn = draw_phantom(0, size)
        assert drawn.image.shape == (size, size) and drawn.image.dtype == np.uint8 and np.ptp(drawn.image) > 100
        assert drawn.masks.shape == (size, size, 2) and drawn.masks.dtype == np.uint8
        assert set(np.unique(drawn.masks)) == {0, 1}
    for seed in range(4):
        small, large = draw_phantom(seed, 256, True), draw_phantom(seed, 512, True)
        for channel in range(2):
            assert dice(small.masks[..., channel], shrunk(large.masks[..., channel]) > 0.5) > 0.99
        assert np.mean(np.abs(shrunk(large.image) - small.image)) < 6


def test_module_does_not_load_tensorflow():
    code = "import sys, lungseg_utils.drawing; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---------------------------------------------------------------------------------------- anatomy
def test_masks_are_disjoint_and_in_one_piece(phantoms):
    for drawn in phantoms + [draw_phantom(seed, SIZE, True) for seed in range(30)]:
        assert not drawn.masks.min(-1).any()
        for mask in np.moveaxis(drawn.masks, -1, 0):
            pieces, holes = (cv2.connectedComponents(m, connectivity=c)[0] for m, c in ((mask, 8), (1 - mask, 4)))
            assert pieces == 2 and holes == 2, "one lung and one background"


def test_lungs_have_plausible_sizes_and_stay_on_their_side_of_the_picture(phantoms, lungs):
    for p in phantoms:
        left, right = (np.nonzero(p.masks[..., channel])[1].mean() for channel in range(2))
        assert 0.1 < p.masks.any(-1).mean() < 0.5 and left < SIZE / 2 < right
    for _, mask in lungs:
        (top, bottom), (left, right) = extent(mask, 1), extent(mask, 0)
        assert 0.35 < (bottom - top) / SIZE < 0.99 and 0.13 < (right - left) / SIZE < 0.48
        assert 1 < (bottom - top) / (right - left) < 5
        assert top > 0
    cut = [extent(mask, 1)[1] == SIZE - 1 for _, mask in lungs]  # by the lower edge of the picture
    assert 0 < np.mean(cut) < 0.2


def test_heart_bulges_to_the_viewers_right_and_the_other_dome_is_higher(phantoms):
    bulges = []
    for p in phantoms:
        (_, inner_left), (inner_right, _) = (extent(p.masks[..., channel], 0) for channel in range(2))
        both = np.flatnonzero(p.masks[..., 0].any(1) & p.masks[..., 1].any(1))
        row = p.masks[both[int(0.65 * len(both))]]
        to_left = inner_left - np.flatnonzero(row[:, 0])[-1]
        to_right = np.flatnonzero(row[:, 1])[0] - inner_right
        bulges.append(to_right - to_left)
    assert np.median(bulges) > 0.02 * SIZE and np.mean(np.array(bulges) > 0) > 0.6
    heights = [[dome[50:80, 1].mean() for dome in patient.domes] for patient, _ in patients(100)]
    assert 0.5 < np.mean([left < right for left, right in heights]) < 0.95


def test_apices_are_domed_and_costophrenic_angles_low_lateral_and_sharp(lungs):
    shares = []  # of its width that a lung still has just above its lowest point
    for side, mask in lungs:
        if mask[-1].any():  # the picture ends above the angle
            continue
        (top, bottom), (left, right), widths = extent(mask, 1), extent(mask, 0), mask.sum(1)
        near, lower, last = (widths[top + round(share * (bottom - top))] / widths.max() for share in (0.03, 0.12, 0.95))
        assert near < 0.75 and near < lower - 0.1
        lowest, lateral = np.flatnonzero(mask[bottom]).mean(), left if side == -1 else right
        assert abs(lowest - lateral) < 0.2 * (right - left)
        shares.append(last)
    assert np.percentile(shares, 90) < 0.6 and np.mean(shares) < 0.3


def test_lungs_are_darker_than_what_lies_between_them(phantoms):
    darker = []
    for p in phantoms:
        lung = p.masks.any(-1)
        filled = np.maximum.accumulate(lung, 1) & np.maximum.accumulate(lung[:, ::-1], 1)[:, ::-1]
        rows = (p.masks[..., 0].any(1) & p.masks[..., 1].any(1))[:, None]
        darker.append(p.image[lung].mean() < p.image[filled & ~lung & rows].mean() - 10)
    assert np.mean(darker) > 0.9


def test_no_edge_spans_the_picture_outside_collimation(monkeypatch):
    """Arms must not end in a straight horizontal band: no row differs from the next all the way across."""
    # arms that are held out level have level edges
    for name, value in dict(BORDER_ODDS=(0, 0, 0), LETTERS=(), GRAIN=(0, 0), ARM_ANGLE=(10, 80)).items():
        monkeypatch.setattr(ranges, name, value)
    for seed in range(20):
        image = draw_phantom(seed, SIZE).image.astype(int)
        jumps = np.abs(np.diff(image, axis=0)) > 20
        assert jumps.mean(1).max() < 0.8
        sides = np.r_[0 : SIZE // 10, SIZE - SIZE // 10 : SIZE]
        assert np.abs(np.diff(image[:, sides], axis=0)).min(1).max() < 12


def test_collimation_spares_the_lungs(monkeypatch):
    monkeypatch.setattr(ranges, "BORDER_ODDS", (1, 1, 1))
    monkeypatch.setattr(ranges, "RIM_ODDS", 0)
    canvas = Canvas(SIZE, 0.5, 0.1, 0.35, 0.7, 2)
    for patient, rng in patients(20):
        layer = picture._collimate(canvas, rng, np.ones((SIZE, SIZE), np.float32), patient)
        assert layer[draw_masks(canvas, patient).any(-1)].min() > 0.5 and layer.min() == 0


def test_gas_and_hidden_lung_lie_where_nothing_is_masked(monkeypatch):
    """Gas looks like lung and is none; heart and diaphragm hide some lung: drawings never mask either."""
    monkeypatch.setattr(ranges, "LOOPS_ODDS", (1, 1))
    canvas = Canvas(SIZE, 0.5, 0.05, 0.35, 0.6, 0)
    for patient, rng in patients(20):
        gas, lungs = anatomy.gas(canvas, rng, patient), draw_masks(canvas, patient).any(-1)
        assert gas.max() > 0.05 and gas[lungs].sum() < 0.05 * gas.sum()
    for patient, rng in patients(10):
        lungs = draw_masks(canvas, patient).any(-1)
        away = resize_layer(anatomy.inwards(1 - lungs.astype(np.float32)), LOW)
        hidden = anatomy.hidden_air(canvas, rng, patient, away)
        assert hidden[(canvas.full(canvas.t) > 0.5) & ~lungs].max() > 0.1, "some shines through"
        assert hidden[canvas.full(np.abs(canvas.u)) > 1.3].max() < 0.02, "none lies beside the chest"


def test_each_part_can_be_left_out():
    """The picture changes in some cases; masks only where the part has to do with them."""
    whole = [draw_phantom(seed, 64, True) for seed in range(8)]
    for name in PARTS:
        less = [draw_phantom(seed, 64, True, without=(name,)) for seed in range(8)]
        same = [np.array_equal(a.masks, b.masks) for a, b in zip(whole, less, strict=True)]
        assert all(same) or name in ("shape", "findings"), name
        changed = sum(not np.array_equal(a.image, b.image) for a, b in zip(whole, less, strict=True))
        assert changed >= (1 if name in ("breasts", "gas", "exposure") else 7), name
    first, second = (draw_phantom(seed, 64, without=("shape",)) for seed in (1, 2))
    assert np.array_equal(first.masks, second.masks) and not np.array_equal(first.image, second.image)
    with pytest.raises(ValueError, match="no part named ribs.*bones"):
        draw_phantom(0, 64, without=("ribs",))


# ---------------------------------------------------------------------------------------- findings
def test_finding_changes_the_lungs_of_the_same_patient(monkeypatch):
    changes = []
    for seed in range(30):
        (clear, patient, normal), (ill, same, reading) = (draw_visit(seed, 0, SIZE, f) for f in (False, True))
        assert normal == "normal" and "patient's" in reading
        assert np.array_equal(patient.outlines[0], same.outlines[0])
        lung = ill.masks.any(-1)
        changes.append(np.abs(clear.image.astype(int) - ill.image)[lung].mean())
        assert np.array_equal(clear.masks, ill.masks)  # they follow the lung that is thought to be behind it
    assert min(changes) > 0 and np.median(changes) > 2
    monkeypatch.setattr(findings, "signs", None)
    monkeypatch.setattr(findings, "fluid", None)
    draw_phantom(0, 64, finding=False)
    with pytest.raises(TypeError):
        draw_phantom(0, 64, finding=True)


def test_words_say_on_which_side_a_finding_is():
    canvas, patient = Canvas(SIZE, 0.5, 0.1, 0.35, 0.7, 0), draw_patient(np.random.default_rng(0))
    signs = [*set(findings.FINDINGS), lambda canvas, rng, patient: findings.fluid(canvas, rng)]
    for sign in signs:
        for seed in range(10):
            layer, words = sign(canvas, np.random.default_rng(seed), patient)
            centre = np.average(np.arange(SIZE), weights=np.abs(layer).sum(0))
            assert ("patient's right" in words) == (centre < SIZE / 2), f"{sign.__name__}, {words}"


def test_fluid_makes_lungs_brighter(monkeypatch):
    for name, value in dict(EFFUSION=(0.6, 0.7), FLUID=(0.5, 0.5)).items():
        monkeypatch.setattr(ranges, name, value)
    monkeypatch.setattr(findings, "FINDINGS", (findings._nodules,) * 5)
    brighter = []
    for odds in (0, 1):
        monkeypatch.setattr(ranges, "EFFUSION_ODDS", odds)
        pairs = [[draw_phantom(seed, SIZE, finding) for finding in (False, True)] for seed in range(6)]
        shares = [np.mean((ill.image.astype(int) - clear.image)[ill.masks.any(-1)] > 20) for clear, ill in pairs]
        brighter.append(np.mean(shares))
    assert brighter[1] > brighter[0] + 0.02


# ---------------------------------------------------------------------------------------- data set
def test_layout(dataset):
    ids = [path.stem for path in sorted((dataset / "CXR_png").iterdir())]
    assert len(ids) == 40 and sum(id.endswith("_1") for id in ids) == 20
    assert all(re.fullmatch(r"PHANTOM_\d{4}_[01]", id) for id in ids)
    folders = dict.fromkeys(("CXR_png", *MASKS), ".png") | {"ClinicalReadings": ".txt"}
    expected = {f"{folder}/{id}{suffix}" for id in ids for folder, suffix in folders.items()}
    assert contents(dataset).keys() == expected | {"README.txt", "original_sizes.csv", "phantom.json"}
    rows = list(csv.DictReader((dataset / "original_sizes.csv").open()))
    assert [row["id"] for row in rows] == ids
    assert {(row["original_width_px"], row["original_height_px"]) for row in rows} == {("4096", "4096")}
    text = (dataset / "README.txt").read_text()
    assert "drawings" in text and "2022" in text and f"version {PHANTOM_VERSION}" in text
    for id in ids[:6]:
        image, left, right = (
            cv2.imread(str(dataset / folder / f"{id}.png"), cv2.IMREAD_UNCHANGED) for folder in ("CXR_png", *MASKS)
        )
        assert image.shape == left.shape == right.shape == (64, 64)
        assert set(np.unique(left)) == set(np.unique(right)) == {0, 255}
        assert np.nonzero(left)[1].mean() < np.nonzero(right)[1].mean()


def test_readings_and_repeat_visits_that_name_earlier_cases_of_the_same_patient(dataset):
    texts, repeats = readings(dataset), {}
    for id, text in texts.items():
        match = re.fullmatch(r"Patient's Sex: [FM] \nPatient's Age: (\d{3})Y\n(.+)\n", text)
        assert match and 3 <= int(match[1]) <= 90
        assert match[2].startswith("normal") == id.endswith("_0")
        if same := re.search(r" \(same pt as (.+)\)\n$", text):
            repeats[id] = same[1].split(", ")
    assert len(repeats) == 2  # 5 % of 40
    for id, earlier in repeats.items():
        for other in earlier:
            assert other in texts and other < id
            (sex, age), (other_sex, other_age) = (re.findall(r": (\S+)", texts[i])[:2] for i in (id, other))
            assert sex == other_sex and int(age[:3]) - int(other_age[:3]) in (0, 1)
        images = [(dataset / "CXR_png" / f"{i}.png").read_bytes() for i in (id, earlier[0])]
        assert images[0] != images[1]


def test_a_later_visit_shows_the_same_patient_in_another_pose():
    (first, patient, _), (later, same, _) = (draw_visit(5, visit, SIZE, False) for visit in (0, 1))
    assert np.array_equal(patient.outlines[1], same.outlines[1])
    assert not np.array_equal(first.image, later.image)
    assert 0.8 < dice(first.masks.any(-1), later.masks.any(-1)) < 1


@pytest.mark.slow
def test_files_do_not_depend_on_the_number_of_workers(tmp_path):
    one, two, other = (
        contents(draw_dataset(tmp_path / name, count=6, size=64, seed=seed, workers=workers))
        for name, seed, workers in (("one", 3, 1), ("two", 3, 2), ("other", 4, 1))
    )
    assert one == two != other


def test_a_set_is_neither_drawn_twice_nor_overwritten_by_another(dataset, tmp_path, monkeypatch):
    before = contents(dataset)
    monkeypatch.setattr(sets, "draw_visit", None)
    assert draw_dataset(dataset, count=40, size=64) == dataset
    for change in ({"count": 39}, {"size": 65}, {"seed": 1}, {}):
        if not change:
            monkeypatch.setattr(sets, "PHANTOM_VERSION", sets.PHANTOM_VERSION + 1)
        with pytest.raises(FileExistsError, match=re.escape(str(dataset))):
            draw_dataset(dataset, **({"count": 40, "size": 64, "workers": 1} | change))
    monkeypatch.undo()
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b"):
        drawn = draw_dataset(folder, count=1, size=64, workers=1)
        assert json.loads((drawn / "phantom.json").read_text())["count"] == 1
        shutil.rmtree(folder)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=re.escape(str(tmp_path))):
        draw_dataset(tmp_path, count=2, size=64, workers=1)
    assert contents(dataset) == before and "notes.txt" in contents(tmp_path)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, error):
    draw, calls = sets.draw_visit, []

    def fail(*args):
        calls.append(args)
        if len(calls) == 3:
            raise error("stopped")
        return draw(*args)

    monkeypatch.setattr(sets, "draw_visit", fail)
    with pytest.raises(error):
        draw_dataset(tmp_path / "phantom", count=5, size=64, workers=1)
    assert len(calls) == 3 and list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    def peak(count):
        tracemalloc.start()
        draw_dataset(tmp_path / str(count), count, SIZE, workers=1)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1)  # fills caches
    assert peak(20) - peak(4) < 4 * SIZE * SIZE
