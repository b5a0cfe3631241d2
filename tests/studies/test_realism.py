"""What is measured on X-rays is right on shapes with known answers, and drawn X-rays span what real ones show."""

import cv2
import numpy as np
import pytest
from shared import ellipse, write_png, write_set

from lungseg_utils.cases import DatasetError, find_cases
from lungseg_utils.drawing import draw_phantom
from lungseg_utils.kept import kept
from studies import realism
from studies.realism import ANATOMY, INTENSITY, TRAITS, mark, measure_case, measure_cases, real_ranges

SIZE = 200  # px of the shapes
OF_SIZE = {name for name in ANATOMY if name.split()[0] in ("area", "apex", "base", "outer", "middle", "gap", "share")}
OF_SIZE -= {"apex width left", "apex width right"}  # shares of the picture, not of the lung


def picture(*masks, lung=50, rest=150):
    """An X-ray with even lungs on an even ground."""
    masks = np.stack(masks, -1).astype(np.uint8)
    return np.where(masks.any(-1), lung, rest).astype(np.uint8), masks


def polygon(*points, size=SIZE):
    """A filled polygon; points are (x, y) in shares of the side, pixels from the first to the one before the last."""
    corners = np.array(points) * size
    mask = np.zeros((4 * size, 4 * size), np.uint8)  # four times as fine, so that a corner falls between pixels
    cv2.fillPoly(mask, [np.round(corners * 4 - 0.5).astype(np.int32)], 1)
    return (cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)


def box(left, right, top, bottom, size=SIZE):
    return polygon((left, top), (right, top), (right, bottom), (left, bottom), size=size)


def assert_same_anatomy(one, other):
    """Within what a pixel more or less changes."""
    for name in ANATOMY:
        assert one[name] == pytest.approx(other[name], rel=0.04, abs=0.01 if name in OF_SIZE else 0.04), name


RIGHT = box(0.55, 0.9, 0.25, 0.75)


def lungs_like(left, **shades):
    """Measures of the lung on the viewer's left, without the word left."""
    values = measure_case(*picture(left, RIGHT, **shades))
    return {name.removesuffix(" left"): value for name, value in values.items() if name.endswith(" left")}


def test_boxes_have_the_measures_they_were_drawn_with():
    values = measure_case(*picture(box(0.1, 0.4, 0.2, 0.8), RIGHT))
    expected = {
        **{"area left": 0.18, "area right": 0.175, "area both": 0.355, "share left": 0.18 / 0.355},
        **{"tall left": 2, "tall right": 0.5 / 0.35, "tall both": 0.6 / 0.8},
        **{"apex left": 0.2, "apex right": 0.25, "apex step": 0.05, "base left": 0.8, "base right": 0.75},
        **{"base step": -0.05, "outer left": 0.1, "outer right": 0.1, "middle": 0.5},
        **{f"gap {percent}": 0.15 for percent in (25, 50, 75)},
        **{f"{name} left": 1 for name in ("full", "narrowing", "apex width", "corner width")},
        **{f"{name} right": 0 for name in ("wall", "corner drop", "dome", "depth")},
        **{f"contrast {side}": 100 for side in ("left", "right")},
        **{f"lungs p{percent}": 50 for percent in (5, 50, 95)},
        **{f"outside p{percent}": 150 for percent in (5, 50, 95)},
        **{"picture p25": 50, "picture p75": 150, "black": 0, "white": 0, "side shade": 0, "lower shade": 0},
        **{"fine texture": 0, "coarse texture": 0},
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_every_measure_is_named_and_explained():
    values = measure_case(*picture(ellipse(SIZE, SIZE, 0.3), ellipse(SIZE, SIZE, 0.7)))
    assert list(values) == list(TRAITS) == [*ANATOMY, *INTENSITY]
    assert all(type(value) is float and np.isfinite(value) for value in values.values())


@pytest.mark.parametrize("seed", range(3))
def test_a_mirrored_xray_swaps_the_sides(seed):
    drawn = draw_phantom(seed, 128, finding=True)
    values = measure_case(drawn.image, drawn.masks)
    other = measure_case(drawn.image[:, ::-1], drawn.masks[:, ::-1, ::-1])
    swap = {"left": "right", "right": "left"}
    expected = {" ".join(swap.get(word, word) for word in name.split()): value for name, value in values.items()}
    for name in ("share right", "apex step", "base step", "side shade", "middle"):
        whole = 1 if name in ("share right", "middle") else 0
        expected[name.replace("right", "left")] = whole - expected.pop(name)
    assert other == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("down, across", [(16, 0), (0, -16), (-12, 8)])
def test_a_moved_xray_changes_places_only(down, across):
    image, masks = picture(ellipse(SIZE, SIZE, 0.3, a=0.12), ellipse(SIZE, SIZE, 0.65, a=0.14))
    before = measure_case(image, masks)
    after = measure_case(*(np.roll(layer, (down, across), (0, 1)) for layer in (image, masks)))
    moved = {"apex": down, "base": down, "outer left": across, "outer right": -across, "middle": across}
    moved = {f"{name} {side}" if name in ("apex", "base") else name: step / SIZE
             for name, step in moved.items() for side in ("left", "right")}  # fmt: skip
    assert after == pytest.approx({name: value + moved.get(name, 0) for name, value in before.items()}, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_size_of_the_picture_does_not_matter(seed):
    small, large = (draw_phantom(seed, size) for size in (256, 512))
    before = measure_case(small.image, small.masks)
    assert_same_anatomy(before, measure_case(large.image, large.masks))
    after = measure_case(*(layer.repeat(2, 0).repeat(2, 1) for layer in (small.image, small.masks)))
    for name in INTENSITY:  # twice the pixels, the same shades: only grain of one pixel has another scale
        if name != "fine texture":
            assert before[name] == pytest.approx(after[name], rel=0.08, abs=5), name  # steep at a bright wall


def test_apices_are_told_apart():
    pointed = lungs_like(polygon((0.25, 0.2), (0.4, 0.8), (0.1, 0.8)))
    domed = lungs_like(ellipse(SIZE, SIZE, 0.25))
    flat = lungs_like(box(0.1, 0.4, 0.2, 0.8))
    widths = [shape["apex width"] for shape in (pointed, domed, flat)]
    assert widths == pytest.approx([0.05, 2 * (0.05 * 0.95) ** 0.5, 1], abs=0.03)
    assert pointed["narrowing"] == pytest.approx(0.2, abs=0.01)  # of a triangle: 1/6 over 5/6
    assert domed["narrowing"] == pytest.approx(1, abs=0.02)


def test_a_sharp_lower_corner_reaches_below_the_inner_edge():
    # the lower edge falls from 0.5 at the inner edge to 0.8 at the outer one; the lung is 0.6 high
    sharp = lungs_like(polygon((0.1, 0.2), (0.4, 0.2), (0.4, 0.5), (0.1, 0.8)))
    assert sharp["corner drop"] == pytest.approx(0.5 * 2 / 3, abs=0.02)
    assert sharp["dome"] == pytest.approx(0.5 * 3 / 4, abs=0.02)
    assert sharp["depth"] == pytest.approx(0.5 / 2, abs=0.02), "from the angle to half the width"
    assert sharp["corner width"] == pytest.approx(0.1, abs=0.02)
    inner = lungs_like(polygon((0.1, 0.2), (0.4, 0.2), (0.4, 0.8), (0.1, 0.5)))  # the corner on the wrong side
    assert inner["corner drop"] == pytest.approx(-0.5 * 2 / 3, abs=0.02) and inner["depth"] == 0


def test_a_notch_for_the_heart_is_seen():
    notched = RIGHT & ~box(0.55, 0.7, 0.5, 0.75)
    left = box(0.1, 0.4, 0.2, 0.8)
    whole, cut = (measure_case(*picture(left, right)) for right in (RIGHT, notched))
    assert cut["gap 75"] == pytest.approx(whole["gap 75"] + 0.15, abs=1e-6)
    assert cut["gap 25"] == whole["gap 25"]
    # its hull leaves out a triangle only
    assert cut["full right"] == pytest.approx((0.175 - 0.0375) / (0.175 - 0.0375 / 2), abs=0.01)


def test_a_bent_and_a_wavy_wall_are_told_from_a_straight_one():
    bent = lungs_like(polygon((0.1, 0.2), (0.4, 0.2), (0.4, 0.8), (0.1, 0.8), (0.25, 0.5)))
    assert bent["wall"] == pytest.approx(0.5, abs=0.02)
    rows = np.arange(SIZE)[:, None]
    wavy = box(0.1, 0.4, 0.2, 0.8) & (np.arange(SIZE) > 24 + 4 * np.sign(np.sin(rows * 0.8)))
    assert lungs_like(wavy)["uneven"] > 2 * lungs_like(box(0.12, 0.4, 0.2, 0.8))["uneven"]


@pytest.mark.parametrize(
    "stretch, patch",
    [
        ("at wall", box(0, 0.1, 0.3, 0.7)),
        ("at inner edge", box(0.4, 0.5, 0.3, 0.7)),
        ("at diaphragm", box(0.14, 0.36, 0.8, 1)),
        ("at apex", box(0.1, 0.4, 0, 0.2)),
        ("at corner", box(0, 0.1, 0.7, 0.85)),
    ],
)
def test_contrast_is_found_at_the_stretch_where_it_is(stretch, patch):
    left = box(0.1, 0.4, 0.2, 0.8)
    image, masks = picture(left, RIGHT, lung=50, rest=50)
    image[patch > 0] = 150
    values = measure_case(image, masks)
    at = {name: value for name, value in values.items() if name.startswith("at ")}
    assert max(at, key=at.get) == f"{stretch} left" and at[f"{stretch} left"] > 60
    assert all(abs(value) < 20 for name, value in at.items() if name != f"{stretch} left")
    assert values["faintest left"] == 0


def test_a_dark_ground_gives_negative_contrast():
    assert lungs_like(ellipse(SIZE, SIZE, 0.25), lung=90, rest=30)["contrast"] == pytest.approx(-60)


def test_shades_know_left_from_right_and_upper_from_lower():
    left, right = box(0.1, 0.4, 0.2, 0.8), box(0.6, 0.9, 0.2, 0.8)
    image, masks = picture(left, right)
    image[left > 0] += 30
    image[SIZE // 2 :] += 20
    image[:, :2], image[:, 2:5] = 0, 255
    values = measure_case(image, masks)
    assert (values["side shade"], values["lower shade"]) == (30, 20)
    assert (values["black"], values["white"]) == pytest.approx((0.01, 0.015))


def test_texture_is_that_of_the_lungs():
    image, masks = picture(ellipse(256, 256, 0.3), ellipse(256, 256, 0.7))
    grain = np.random.default_rng(0).normal(0, 6, image.shape)
    lung = masks.any(-1)
    outside = measure_case(np.where(lung, image, image + grain).astype(np.uint8), masks)
    inside = measure_case(np.where(lung, image + grain, image).astype(np.uint8), masks)
    assert outside["coarse texture"] < 0.1 and inside["coarse texture"] == pytest.approx(6, abs=0.5)
    assert 3 < inside["fine texture"] < inside["coarse texture"]


def test_lungs_at_the_edge_of_the_picture_or_beside_no_other():
    corner = measure_case(*picture(box(0, 0.3, 0, 0.4), box(0.7, 1, 0.6, 1)))
    unknown = {name for name, value in corner.items() if not np.isfinite(value)}
    beyond = {"at wall left", "at wall right", "at corner right", "at diaphragm right"}  # there is no outside there
    assert unknown == {"gap 25", "gap 50", "gap 75", *beyond}
    assert corner["outer left"] == corner["apex left"] == corner["outer right"] == 0 and corner["base right"] == 1


def test_an_empty_mask_is_refused():
    with pytest.raises(DatasetError, match="empty"):
        measure_case(*picture(RIGHT, np.zeros_like(RIGHT)))


# ---------------------------------------------------------------------------------------- sets side by side
def test_cases_are_measured_at_one_size_whatever_their_files_have(tmp_path):
    for name, size in (("small", (128, 160)), ("large", (512, 640))):
        for part, mask in (("leftMask", ellipse(*size, 0.3)), ("rightMask", ellipse(*size, 0.7))):
            write_png(tmp_path / name / "ManualMask" / part / "A.png", mask * 255)
        image, _ = picture(ellipse(*size, 0.3), ellipse(*size, 0.7))
        write_png(tmp_path / name / "CXR_png" / "A.png", image)
    [small], [large] = (measure_cases(find_cases(tmp_path / name)) for name in ("small", "large"))
    assert_same_anatomy(small, large)


def test_mark_says_how_far_the_real_range_is_contained():
    drawn = np.linspace(0, 1, 1001)
    assert mark(drawn, [0.05, 0.3, 0.95]) == ""
    assert mark(drawn, [0.04, 0.3, 0.95]) == mark(drawn, [0.05, 0.3, 0.96]) == "*"
    assert mark(drawn, [0.005, 0.3, 0.95]) == mark(drawn, [0.5, 0.7, 0.995]) == "**"
    assert mark(np.r_[drawn, np.nan], [0.05, 0.3, 0.95]) == ""


def test_table_shows_every_measure_of_both_sets_and_marks_what_is_not_covered(tmp_path):
    write_set(tmp_path / "set", count=5, height=64, width=80)
    rows = measure_cases(find_cases(tmp_path / "set"))
    same = {line[:21].strip(): line[21:].split() for line in realism.compare(rows, rows).splitlines()[1:-4]}
    assert list(same) == list(TRAITS)
    assert all(words[:3] == words[3:6] for words in same.values())
    assert all(len(words) == 7 for words in same.values())
    higher = [row | {"apex left": row["apex left"] + 1} for row in rows]
    table = {line[:21].strip(): line[21:].split() for line in realism.compare(rows, higher).splitlines()[1:-4]}
    apex = table.pop("apex left")
    assert apex[3] == f"{np.percentile([row['apex left'] for row in higher], 5):.3f}" and apex[6:] == ["0%", "**"]
    assert table.items() <= same.items()


def test_saved_ranges_hold_percentiles_of_each_hospital_and_no_case(tmp_path):
    sets = [write_set(tmp_path / name, count=count, height=64, width=80) for name, count in (("one", 3), ("two", 4))]
    saved = realism.measure_ranges(*sets, tmp_path)["hospitals"]
    assert [(name, one["cases"], one["source"]) for name, one in saved.items()] == [
        ("one", 3, "one"),
        ("two", 4, "two"),
    ]
    for data in sets:
        measured = realism.percentiles(measure_cases(find_cases(data)))
        for name, values in measured.items():
            assert saved[data.name]["measures"][name] == pytest.approx(values, rel=1e-4, nan_ok=True), "five digits"
        assert not any(case.id in (tmp_path / "real_ranges.json").read_text() for case in find_cases(data))


# ---------------------------------------------------------------------------------------- drawn and real
@pytest.fixture(scope="module")
def drawn():
    """Measure -> values of 150 drawn X-rays, half of them with findings, from seeds that no data set here uses."""
    rows = []
    for seed in range(880_000, 880_150):
        case = draw_phantom(seed, realism.SIZE, finding=bool(seed % 2))
        rows.append(measure_case(case.image, case.masks))
    return {name: np.array([row[name] for row in rows]) for name in TRAITS}


HOSPITALS = {"MontgomerySet": 138, "OpenIST": 275}
# What version 3 of the drawing just misses; the next version is to contain these too.
NOT_DRAWN = {
    *(("MontgomerySet", name) for name in ("full left", "outside p50", "black", "lower shade")),
    *(("OpenIST", name) for name in ("full right", "corner width left", "depth left")),
}


def test_ranges_of_the_real_xrays_name_their_source():
    about = kept("real_ranges.json")["hospitals"]
    assert {name: one["cases"] for name, one in about.items()} == HOSPITALS
    for name, words in (("MontgomerySet", "National Library of Medicine"), ("OpenIST", "pi-null-mezon")):
        assert words in about[name]["source"] and list(about[name]["measures"]) == list(TRAITS)
        assert all(low <= middle <= high for low, middle, high in about[name]["measures"].values())


@pytest.mark.parametrize("hospital", HOSPITALS)
@pytest.mark.parametrize("name", TRAITS)
def test_drawn_xrays_span_what_real_ones_show(drawn, hospital, name, request):
    real = real_ranges()[hospital][name]
    if (hospital, name) in NOT_DRAWN:
        request.applymarker(pytest.mark.xfail(strict=True, reason="take it out of NOT_DRAWN: it is drawn now"))
    ours = np.nanpercentile(drawn[name], (1, 5, 50, 95, 99)).round(3)
    contained = mark(drawn[name], real) != "**"
    assert contained, f"{name}: drawn {ours} (percentiles 1, 5, 50, 95, 99), {hospital} {real} (5, 50, 95)"


def test_place_and_size_vary_independently(drawn):
    """A random number that is used twice ties the lungs' place to their size: no single range shows that."""
    together = np.corrcoef([drawn[name] for name in ("apex left", "middle", "tall both")])
    assert np.abs(together - np.eye(3)).max() < 0.5


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_committed_ranges_are_those_of_the_real_xrays(hospital, request):
    cases = find_cases(request.getfixturevalue({"MontgomerySet": "montgomery", "OpenIST": "openist"}[hospital]))
    assert len(cases) == HOSPITALS[hospital]
    measured = realism.percentiles(measure_cases(cases))
    for name, committed in real_ranges()[hospital].items():  # other versions of OpenCV round a little differently
        assert measured[name] == pytest.approx(committed, abs=0.01 if name in realism.SHARES else 1), name
