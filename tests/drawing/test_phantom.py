"""The drawn X-rays look like chests, repeat exactly, and land on disk whole or not at all."""

import csv
import json
import re
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

SIZE = 128
SEEDS = range(40)
FOLDERS = {
    "CXR_png": ".png",
    "ManualMask/leftMask": ".png",
    "ManualMask/rightMask": ".png",
    "ClinicalReadings": ".txt",
}


@pytest.fixture(scope="module")
def phantoms():
    return [draw_phantom(seed, SIZE) for seed in SEEDS]


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


def dice(a, b):
    return 2 * np.sum(a & b) / (np.sum(a) + np.sum(b))


# ---------------------------------------------------------------------------------------- one picture
@pytest.mark.parametrize("finding", [False, True])
def test_same_seed_same_bytes(finding):
    first, again, other = (draw_phantom(seed, 96, finding) for seed in (7, 7, 8))
    assert first.image.tobytes() == again.image.tobytes() and first.masks.tobytes() == again.masks.tobytes()
    assert first.image.tobytes() != other.image.tobytes() and first.masks.tobytes() != other.masks.tobytes()


def test_the_random_state_of_the_caller_does_not_matter():
    np.random.seed(1)  # noqa: NPY002
    cv2.setRNGSeed(1)
    first = draw_phantom(3, 64)
    np.random.seed(2)  # noqa: NPY002
    cv2.setRNGSeed(2)
    assert np.array_equal(draw_phantom(3, 64).image, first.image)


@pytest.mark.parametrize("size", [64, 100, 256])
def test_types_shapes_and_ranges(size):
    drawn = draw_phantom(0, size)
    assert drawn.image.shape == (size, size) and drawn.image.dtype == np.uint8
    assert drawn.masks.shape == (size, size, 2) and drawn.masks.dtype == np.uint8
    assert set(np.unique(drawn.masks)) == {0, 1}
    assert np.ptp(drawn.image) > 100


@pytest.mark.parametrize("seed", range(4))
def test_same_anatomy_at_any_size(seed):
    small, large = draw_phantom(seed, 256, True), draw_phantom(seed, 512, True)
    for channel in range(2):
        shrunk = cv2.resize(large.masks[..., channel].astype(np.float32), (256, 256), interpolation=cv2.INTER_AREA)
        assert dice(small.masks[..., channel] > 0, shrunk > 0.5) > 0.99
    shrunk = cv2.resize(large.image, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.mean(np.abs(shrunk.astype(int) - small.image)) < 6


def test_module_does_not_load_tensorflow():
    code = "import sys, lungseg_utils.drawing; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---------------------------------------------------------------------------------------- anatomy
def test_masks_are_disjoint_and_in_one_piece(phantoms, lungs):
    assert not any((p.masks[..., 0] & p.masks[..., 1]).any() for p in phantoms)
    for seed in range(30):  # findings cut masks
        drawn = draw_phantom(seed, SIZE, True).masks
        lungs = lungs + [(0, drawn[..., 0]), (0, drawn[..., 1])]
    for _, mask in lungs:
        pieces, _ = cv2.connectedComponents(mask.astype(np.uint8))
        holes, _ = cv2.connectedComponents(1 - mask.astype(np.uint8), connectivity=4)
        assert pieces == 2 and holes == 2, "one lung and one background"


def test_lungs_have_plausible_sizes_and_stay_in_the_picture(phantoms, lungs):
    for p in phantoms:
        assert 0.1 < p.masks.any(-1).mean() < 0.5
    for _, mask in lungs:
        (top, bottom), (left, right) = extent(mask, 1), extent(mask, 0)
        assert 0.35 < (bottom - top) / SIZE < 0.96 and 0.13 < (right - left) / SIZE < 0.48
        assert 1 < (bottom - top) / (right - left) < 5
        assert top > 0 and left > 0 and bottom < SIZE - 1 and right < SIZE - 1


def test_channel_0_lies_on_the_viewers_left(phantoms):
    for p in phantoms:
        left, right = (np.nonzero(p.masks[..., channel])[1].mean() for channel in range(2))
        assert left < SIZE / 2 < right


def test_heart_bulges_to_the_viewers_right(phantoms):
    bulges = []
    for p in phantoms:
        (_, inner_left), (inner_right, _) = (extent(p.masks[..., channel], 0) for channel in range(2))
        both = np.flatnonzero(p.masks[..., 0].any(1) & p.masks[..., 1].any(1))
        row = p.masks[both[int(0.65 * len(both))]]
        to_left = inner_left - np.flatnonzero(row[:, 0])[-1]
        to_right = np.flatnonzero(row[:, 1])[0] - inner_right
        bulges.append(to_right - to_left)
    assert np.median(bulges) > 0.02 * SIZE and np.mean(np.array(bulges) > 0) > 0.6


def test_dome_on_the_viewers_left_is_usually_higher():
    patients = [draw_patient(np.random.default_rng(seed)) for seed in range(100)]
    higher = [patient.domes[0][50:80, 1].mean() < patient.domes[1][50:80, 1].mean() for patient in patients]
    assert 0.5 < np.mean(higher) < 0.95


def test_apices_are_domed(lungs):
    for _, mask in lungs:
        top, bottom = extent(mask, 1)
        widths = mask.sum(1)
        near, lower = (widths[top + round(share * (bottom - top))] / widths.max() for share in (0.03, 0.12))
        assert near < 0.75 and near < lower - 0.1


def test_costophrenic_angles_are_low_lateral_and_sharp(lungs):
    share = []  # of its width that a lung still has just above its lowest point
    for side, mask in lungs:
        (top, bottom), (left, right) = extent(mask, 1), extent(mask, 0)
        lowest = np.flatnonzero(mask[bottom]).mean()
        lateral = left if side == -1 else right
        assert abs(lowest - lateral) < 0.2 * (right - left)
        widths = mask.sum(1)
        share.append(widths[top + round(0.95 * (bottom - top))] / widths.max())
    assert np.percentile(share, 95) < 0.5 and np.mean(share) < 0.3


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
    monkeypatch.setattr(ranges, "BORDER_ODDS", (0, 0, 0))
    monkeypatch.setattr(ranges, "LETTERS", ())
    monkeypatch.setattr(ranges, "GRAIN", (0, 0))
    monkeypatch.setattr(ranges, "ARM_ANGLE", (10, 80))  # arms that are held out level have level edges
    for seed in range(20):
        image = draw_phantom(seed, SIZE).image.astype(int)
        jumps = np.abs(np.diff(image, axis=0)) > 20
        assert jumps.mean(1).max() < 0.8
        sides = np.r_[0 : SIZE // 10, SIZE - SIZE // 10 : SIZE]
        assert np.abs(np.diff(image[:, sides], axis=0)).min(1).max() < 12


def test_collimation_spares_the_lungs(monkeypatch):
    monkeypatch.setattr(ranges, "BORDER_ODDS", (1, 1, 1))
    monkeypatch.setattr(ranges, "RIM_ODDS", 0)
    monkeypatch.setattr(ranges, "LETTERS", ())
    canvas = Canvas(SIZE, 0.5, 0.1, 0.35, 0.7, 2)
    for seed in range(20):
        patient = draw_patient(np.random.default_rng(seed))
        masks = draw_masks(canvas, patient, np.zeros((SIZE, SIZE), np.float32))
        layer = picture._collimate(canvas, np.random.default_rng(seed), np.ones((SIZE, SIZE), np.float32), patient)
        assert layer[masks.any(-1)].min() > 0.5
        assert layer.min() == 0


def test_gas_lies_below_the_diaphragm(monkeypatch):
    """Gas looks like lung and is none: a network has to learn that from drawings which never mask it."""
    monkeypatch.setattr(ranges, "LOOPS_ODDS", (1, 1))
    canvas = Canvas(SIZE, 0.5, 0.05, 0.35, 0.6, 0)
    for seed in range(20):
        patient = draw_patient(np.random.default_rng(seed))
        gas = anatomy.gas(canvas, np.random.default_rng(seed), patient)
        lungs = draw_masks(canvas, patient, np.zeros((SIZE, SIZE), np.float32)).any(-1)
        assert gas.max() > 0.05 and gas[lungs].sum() < 0.05 * gas.sum()


def test_lung_shines_through_heart_and_diaphragm_but_is_not_masked():
    canvas = Canvas(SIZE, 0.5, 0.05, 0.35, 0.6, 0)
    for seed in range(10):
        patient = draw_patient(np.random.default_rng(seed))
        lungs = draw_masks(canvas, patient, np.zeros((SIZE, SIZE), np.float32)).any(-1)
        away = resize_layer(anatomy.inwards(1 - lungs.astype(np.float32)), LOW)
        hidden = anatomy.hidden_air(canvas, np.random.default_rng(seed), patient, away)
        lower = (canvas.full(canvas.t) > 0.5) & ~lungs
        assert hidden[lower].max() > 0.1, "some shines through"
        assert hidden[canvas.full(np.abs(canvas.u)) > 1.3].max() < 0.02, "none lies beside the chest"
    for seed in range(3):
        drawn, solid = (draw_phantom(seed, SIZE, without=without) for without in ((), ("hidden air",)))
        assert np.array_equal(drawn.masks, solid.masks)


@pytest.mark.parametrize("name", PARTS)
def test_each_part_can_be_left_out(name):
    """The picture changes in some cases; masks only where the part has to do with them."""
    whole = [draw_phantom(seed, 64, True) for seed in range(8)]
    less = [draw_phantom(seed, 64, True, without=(name,)) for seed in range(8)]
    same = [np.array_equal(a.masks, b.masks) for a, b in zip(whole, less, strict=True)]
    assert all(same) or name in ("shape", "findings")
    changed = [not np.array_equal(a.image, b.image) for a, b in zip(whole, less, strict=True)]
    assert any(changed) if name in ("breasts", "gas", "exposure") else sum(changed) >= 7


def test_without_random_shape_all_chests_are_one():
    first, second = (draw_phantom(seed, 64, without=("shape",)) for seed in (1, 2))
    assert np.array_equal(first.masks, second.masks) and not np.array_equal(first.image, second.image)


def test_an_unknown_part_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no part named ribs.*bones"):
        draw_phantom(0, 64, without=("ribs",))


# ---------------------------------------------------------------------------------------- findings
def test_finding_changes_the_lungs_of_the_same_patient():
    cut, changes = 0, []
    for seed in range(30):
        (clear, patient, normal), (ill, same, reading) = (draw_visit(seed, 0, SIZE, f) for f in (False, True))
        assert normal == "normal" and "patient's" in reading
        assert np.array_equal(patient.outlines[0], same.outlines[0])
        lung = ill.masks.any(-1)
        changes.append(np.abs(clear.image.astype(int) - ill.image)[lung].mean())
        cut += not np.array_equal(clear.masks, ill.masks)
        assert "effusion" in reading or np.array_equal(clear.masks, ill.masks)
    assert 0 < cut < 10 and min(changes) > 0 and np.median(changes) > 2


def test_without_a_finding_nothing_is_added(monkeypatch):
    monkeypatch.setattr(findings, "signs", None)
    monkeypatch.setattr(findings, "fluid", None)
    draw_phantom(0, 64, finding=False)
    with pytest.raises(TypeError):
        draw_phantom(0, 64, finding=True)


@pytest.mark.parametrize("sign", set(findings.FINDINGS), ids=lambda sign: sign.__name__)
def test_words_say_on_which_side_a_finding_is(sign):
    canvas = Canvas(SIZE, 0.5, 0.1, 0.35, 0.7, 0)
    patient = draw_patient(np.random.default_rng(0))
    for seed in range(10):
        layer, words = sign(canvas, np.random.default_rng(seed), patient)
        centre = np.average(np.arange(SIZE), weights=np.abs(layer).sum(0))
        assert ("patient's right" in words) == (centre < SIZE / 2)


def test_effusion_is_cut_from_the_mask_at_the_side_the_words_say():
    canvas = Canvas(SIZE, 0.5, 0.1, 0.35, 0.7, 0)
    patient = draw_patient(np.random.default_rng(0))
    whole = draw_masks(canvas, patient, np.zeros((SIZE, SIZE), np.float32)).sum((0, 1))
    shares = []
    for seed in range(20):
        fluid, words = findings.fluid(canvas, np.random.default_rng(seed))
        lost = 1 - draw_masks(canvas, patient, fluid).sum((0, 1)) / whole
        ill = 0 if "patient's right" in words else 1
        assert 0 <= lost[ill] < 0.6 and lost[1 - ill] == 0
        shares.append(lost[ill])
    assert np.median(shares) > 0.05


def test_fluid_that_does_not_cut_the_mask_makes_it_brighter(monkeypatch):
    """Where fluid hides a lung, most masks follow the lung that is thought to be behind it."""
    monkeypatch.setattr(ranges, "EFFUSION_ODDS", 1)
    monkeypatch.setattr(ranges, "EFFUSION", (0.6, 0.7))
    monkeypatch.setattr(ranges, "FLUID", (0.5, 0.5))
    monkeypatch.setattr(findings, "FINDINGS", (findings._nodules,) * 5)
    monkeypatch.setattr(ranges, "CUT_ODDS", 0)
    for seed in range(6):
        clear, ill = (draw_phantom(seed, SIZE, finding).masks for finding in (False, True))
        assert np.array_equal(clear, ill)
        brighter = (draw_phantom(seed, SIZE, True).image.astype(int) - draw_phantom(seed, SIZE).image)[ill.any(-1)]
        assert np.mean(brighter > 20) > 0.02
    monkeypatch.setattr(ranges, "CUT_ODDS", 1)
    assert draw_phantom(0, SIZE, True).masks.sum() < draw_phantom(0, SIZE).masks.sum()


# ---------------------------------------------------------------------------------------- data set
def test_layout(dataset):
    files = contents(dataset)
    stems = {folder: {p.stem for p in (dataset / folder).iterdir()} for folder in FOLDERS}
    ids = stems["CXR_png"]
    assert len(ids) == 40 and all(s == ids for s in stems.values())
    assert all(re.fullmatch(r"PHANTOM_\d{4}_[01]", id) for id in ids)
    assert sum(id.endswith("_1") for id in ids) == 20
    assert {name.split("/")[-1] for name in files if "/" not in name} == {
        "README.txt",
        "original_sizes.csv",
        "phantom.json",
    }
    rows = list(csv.DictReader((dataset / "original_sizes.csv").open()))
    assert {row["id"] for row in rows} == ids
    assert {(row["original_width_px"], row["original_height_px"]) for row in rows} == {("4096", "4096")}
    text = (dataset / "README.txt").read_text()
    assert "drawings" in text and "2022" in text and f"version {PHANTOM_VERSION}" in text


def test_pictures_and_masks_on_disk(dataset):
    for id in sorted(p.stem for p in (dataset / "CXR_png").iterdir())[:6]:
        image, left, right = (
            cv2.imread(str(dataset / folder / f"{id}.png"), cv2.IMREAD_UNCHANGED) for folder in list(FOLDERS)[:3]
        )
        assert image.shape == left.shape == right.shape == (64, 64)
        assert set(np.unique(left)) == set(np.unique(right)) == {0, 255}
        assert np.nonzero(left)[1].mean() < np.nonzero(right)[1].mean()


def test_readings(dataset):
    for id, text in readings(dataset).items():
        match = re.fullmatch(r"Patient's Sex: [FM] \nPatient's Age: (\d{3})Y\n(.+)\n", text)
        assert match and 15 <= int(match[1]) <= 90
        assert match[2].startswith("normal") == id.endswith("_0")


def test_repeat_visits_name_earlier_cases_of_the_same_patient(dataset):
    texts = readings(dataset)
    repeats = {id: re.search(r" \(same pt as (.+)\)\n$", text) for id, text in texts.items()}
    repeats = {id: match[1].split(", ") for id, match in repeats.items() if match}
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


def test_files_do_not_depend_on_the_number_of_workers(tmp_path):
    one = draw_dataset(tmp_path / "one", count=6, size=64, seed=3, workers=1)
    two = draw_dataset(tmp_path / "two", count=6, size=64, seed=3, workers=2)
    assert contents(one) == contents(two)
    other = draw_dataset(tmp_path / "other", count=6, size=64, seed=4, workers=1)
    assert contents(one) != contents(other)


def test_the_same_set_is_not_drawn_twice(dataset, monkeypatch):
    monkeypatch.setattr(sets, "draw_visit", None)
    assert draw_dataset(dataset, count=40, size=64) == dataset


@pytest.mark.parametrize("change", [{"count": 39}, {"size": 65}, {"seed": 1}])
def test_another_set_is_not_overwritten(dataset, change):
    before = contents(dataset)
    with pytest.raises(FileExistsError, match=re.escape(str(dataset))):
        draw_dataset(dataset, **({"count": 40, "size": 64} | change))
    assert contents(dataset) == before


def test_another_version_is_not_overwritten(dataset, monkeypatch):
    monkeypatch.setattr(sets, "PHANTOM_VERSION", sets.PHANTOM_VERSION + 1)
    with pytest.raises(FileExistsError):
        draw_dataset(dataset, count=40, size=64)


def test_a_folder_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=re.escape(str(tmp_path))):
        draw_dataset(tmp_path, count=2, size=64, workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled_and_parents_are_made(tmp_path):
    (tmp_path / "empty").mkdir()
    assert json.loads((draw_dataset(tmp_path / "empty", 1, 64, workers=1) / "phantom.json").read_text())["count"] == 1
    assert (draw_dataset(tmp_path / "a" / "b", 1, 64, workers=1) / "CXR_png").is_dir()


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
