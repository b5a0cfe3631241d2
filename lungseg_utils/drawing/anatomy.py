"""The layers of a healthy chest, in the order in which they are added up (1 to 11).

Each function returns a layer of attenuation, (size, size) float32, unless it says otherwise.
"""

import cv2
import numpy as np

from lungseg_utils.drawing import ranges
from lungseg_utils.drawing.canvas import (
    MIDDLE,
    Canvas,
    Rng,
    bell,
    blur_layer,
    both_sides,
    fill_polygons,
    look_up,
    mirror,
    oval,
    ramp,
    resize_layer,
    smooth_curve,
)
from lungseg_utils.drawing.patient import Patient


def body(canvas: Canvas, rng: Rng, patient: Patient) -> np.ndarray:
    """1: torso, neck and arms, rounded towards the skin. The arms leave the picture, so they have no ends."""
    u = rng.uniform
    side, hips, neck, arm = 1 + u(*ranges.FLESH), u(*ranges.HIPS), u(*ranges.NECK), u(*ranges.ARM_WIDTH)
    top, angle = patient.shoulder, patient.arm
    shoulder = [(neck, -1), (neck, -0.22), (neck + 0.1, -0.13), (0.75, top - 0.06), (1.15, top)]
    flank = [(1.3, top + 0.12), (1.22, 0.3), (side, 0.5), (side, 0.8), (side + hips, 2)]
    half = smooth_curve(shoulder + flank, 120)
    axis = (1.15, top + 0.13) + np.linspace(0, 2.5, 20)[:, None] * (np.cos(angle), 0.6 * np.sin(angle))
    across = np.array([-np.sin(angle), 0.6 * np.cos(angle)]) * arm / 2
    shapes = [np.concatenate([half, mirror(half, -1)[::-1]])]
    shapes += list(both_sides(np.concatenate([axis - across, (axis + across)[::-1]])))
    inside = fill_polygons([canvas.place(shape) for shape in shapes], MIDDLE) > 0.5
    edged = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = ramp(cv2.distanceTransform(edged, cv2.DIST_L2, 5)[1:-1, 1:-1], 0, MIDDLE * u(*ranges.ROUNDING))
    return canvas.full(blur_layer(np.sqrt(depth * (2 - depth)), 0.004))


def breasts(canvas: Canvas, rng: Rng) -> np.ndarray:
    """1: breasts, with the sharp lower edge that crosses the lower lungs."""
    u = rng.uniform
    at, low, wide, tall = u(0.5, 0.75), u(0.8, 1.1), u(0.35, 0.6), u(0.25, 0.4)
    round_ = 1 - ((np.abs(canvas.u) - at) / wide) ** 2 - ((canvas.t - low + tall) / tall) ** 2
    return canvas.full(blur_layer(np.sqrt(np.maximum(round_, 0)), 0.006)) * u(*ranges.BREAST)


def inwards(inside: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel outside, in pictures; (MIDDLE, MIDDLE) float32."""
    inside = (resize_layer(inside, MIDDLE) > 0.5).astype(np.uint8)
    inside = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] * (1 / MIDDLE)


def shell(canvas: Canvas, rng: Rng, patient: Patient) -> np.ndarray:
    """1: the wall of chest and flanks, brightest where rays pass along muscles and ribs; it goes on below the lungs."""
    deep = [(1.0, 1.8), (-1.0, 1.8)]
    chest = canvas.fill([np.concatenate([patient.walls[0], patient.walls[1][::-1], deep])])
    outside, inside = inwards(1 - chest), inwards(chest)
    away = outside * (1 / rng.uniform(*ranges.SHELL_WIDTH)) + inside * (1 / rng.uniform(*ranges.SHELL_DEPTH))
    return canvas.full(bell(away) * resize_layer(ramp(canvas.t, 0.05, 0.3), MIDDLE) * rng.uniform(*ranges.SHELL))


def air(canvas: Canvas, rng: Rng, patient: Patient, lungs: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """2: air in the chest, thinner towards its outer wall and the apices."""
    u = rng.uniform
    deep = [(1.0, 1.8), (-1.0, 1.8)]  # the wall goes on below the angles
    chest = canvas.fill([np.concatenate([patient.walls[0], patient.walls[1][::-1], deep])])
    rim, power = u(*ranges.AIR_RIM), u(*ranges.AIR_POWER)
    thick: np.ndarray = cv2.pow(ramp(inwards(chest), -0.002, rim - 0.002), power)
    beside = cv2.pow(ramp(inwards(lungs), -0.002, rim - 0.002), power)  # less air beside heart and diaphragm too
    thick *= 1 - u(0, 1) * (1 - np.where(beside > 0, beside, 1))
    thin = 1 - u(*ranges.AIR_APEX) * ramp(canvas.t, u(0.08, 0.25), 0)
    walls = np.stack([wall[np.linspace(0, len(wall) - 1, 40, dtype=int)] for wall in patient.walls])
    pleura = canvas.bands(walls, 2 * u(*ranges.PLEURA))
    share = canvas.full(thick) * canvas.full(thin) * (1 - u(0.5, 1) * pleura)
    return blur_layer(share * np.maximum(lungs, hidden), 0.002)


def hidden_air(canvas: Canvas, rng: Rng, patient: Patient, away: np.ndarray) -> np.ndarray:
    """2: share of lung before and behind the heart, and behind the diaphragm, which the masks leave out.

    It is nearly whole at the border of the masked lung, and falls with the distance `away` from there.
    """
    u = rng.uniform
    chest = canvas.fill([np.concatenate([patient.walls[0], patient.walls[1][::-1]])], 0.003)
    dome = np.concatenate([patient.domes[0][::-1], patient.domes[1]])
    below = np.maximum(canvas.t - look_up(canvas.u, *dome.T), 0)
    beside = 1 - u(0, 1) * bell(cv2.pow(canvas.u / 0.14, 4))  # the spine and great vessels leave less room
    share = (
        beside
        * bell(below / u(*ranges.RECESS))
        * (1 - (below > 0) * u(0.1, 0.5))
        * ramp(canvas.t, 0, 0.2)
        * (1 - u(0, 0.4))
    )
    return chest * canvas.full(share * (1 - (1 - u(*ranges.HIDDEN_AIR)) * _swell(rng, away)))


def _swell(rng: Rng, away: np.ndarray, depth: tuple[float, float] = ranges.SWELL) -> np.ndarray:
    """How thick an organ is, from 0 at its rim to 1: organs are round, so their shadow deepens inwards."""
    return cv2.pow(ramp(away, 0, rng.uniform(*depth)), rng.uniform(*ranges.SWELL_POWER))


def mediastinum(canvas: Canvas, rng: Rng, patient: Patient, away: np.ndarray) -> np.ndarray:
    """3: mediastinum between the lungs, spine with its vertebrae, trachea, and the neck in front of the apices."""
    u = rng.uniform
    layer = canvas.fill([np.concatenate([patient.medials[0], patient.medials[1][::-1]])], 0.005) * u(
        *ranges.MEDIASTINUM
    )
    layer *= canvas.full(bell(cv2.pow(canvas.u / u(*ranges.MEDIASTINUM_WIDTH), 4)) * _swell(rng, away))
    width, pitch, gaps = u(*ranges.SPINE_WIDTH), u(*ranges.VERTEBRA), u(0, 0.35)
    spine = bell(cv2.pow(canvas.u / width, 4)) * (1 - gaps * cv2.pow(np.cos(canvas.t * (np.pi / pitch)), 8))
    trachea = bell(cv2.pow((canvas.u - u(*ranges.TRACHEA_SHIFT)) / u(*ranges.TRACHEA_WIDTH), 4)) * ramp(
        canvas.t, 0.38, 0.3
    )
    neck = canvas.spot(0, 0, u(*ranges.NECK_REACH), u(0.1, 0.25)) * u(*ranges.NECK_SHADOW)
    return layer + canvas.full(u(*ranges.SPINE) * spine - u(*ranges.TRACHEA) * trachea + neck)


def heart(canvas: Canvas, rng: Rng, patient: Patient, away: np.ndarray) -> np.ndarray:
    """4: heart, between the medial borders and the diaphragm; it fades upwards into the great vessels."""
    left, right = patient.medials
    left_foot = patient.domes[0][patient.domes[0][:, 0] > left[-1, 0]]
    right_foot = patient.domes[1][patient.domes[1][:, 0] < right[-1, 0]]
    shape = np.concatenate([right, right_foot[::-1], left_foot, left[::-1]])
    thick = ramp(canvas.t, 0.42, 0.65) * _swell(rng, away)
    return canvas.fill([shape], rng.uniform(0.001, 0.008)) * canvas.full(thick * rng.uniform(*ranges.HEART))


def aorta(canvas: Canvas, rng: Rng, patient: Patient) -> np.ndarray:
    """5: aortic knob, and the aorta that descends to the viewer's right of the spine."""
    border = patient.medials[1]
    knob = border[np.argmin(np.abs(border[:, 1] - 0.25)), 0]
    line = np.stack([np.linspace(knob - 0.08, 0.03, 30), np.linspace(0.24, 1.0, 30)], 1)
    descending = canvas.bands([line], 0.14) * canvas.full(ramp(canvas.t, 1, 0.5))
    layer = np.maximum(canvas.fill([oval(knob - 0.1, 0.25, 0.1, 0.055)]), descending)
    return blur_layer(layer, 0.005) * rng.uniform(*ranges.AORTA)


def organs(canvas: Canvas, patient: Patient) -> np.ndarray:
    """6: everything below the diaphragm, from 0 to 1."""
    left, right = patient.domes
    sides = [(right[-1, 0] + 0.3, 1.2), (1.5, 2.5), (-1.5, 2.5), (left[-1, 0] - 0.3, 1.2)]
    return canvas.fill([np.concatenate([left[::-1], right, sides])], 0.003)


def abdomen(canvas: Canvas, rng: Rng, patient: Patient, organs: np.ndarray, away: np.ndarray) -> np.ndarray:
    """6: liver, stomach and gut, thicker further down and thinner at the flanks, where fat may be dark beside the wall.

    How bright all this is says nothing about where the lungs end: the thin edge of the diaphragm and its shape do.
    """
    u = rng.uniform
    share = (1 - u(0, 0.5) * ramp(canvas.t, u(0.85, 1.3), 0.75)) * _swell(rng, away + 0.005, ranges.SWELL_BELOW)
    dark = np.zeros_like(canvas.u)
    for side, wall in zip((-1, 1), patient.walls, strict=True):
        depth = np.maximum(abs(wall[0, 0]) + u(0, 0.1) - side * canvas.u, 0)
        share *= 1 - u(*ranges.FLANK_THIN) * bell(cv2.pow(depth / u(*ranges.FLANK_WIDTH), 2))
        dark += u(*ranges.FAT) * bell(cv2.pow((depth - u(0, 0.1)) / u(*ranges.FAT_WIDTH), 2))
    edge = canvas.bands(np.stack(patient.domes), u(*ranges.DIAPHRAGM_WIDTH), 0.001) * u(*ranges.DIAPHRAGM)
    return organs * canvas.full(share * u(*ranges.ABDOMEN) - dark) + edge


def murk(canvas: Canvas, rng: Rng) -> np.ndarray:
    """6: slow shades around the lungs that say nothing about where they end."""
    u = rng.uniform
    if rng.random() > ranges.MURK_ODDS:
        return np.zeros((canvas.size, canvas.size), np.float32)
    return canvas.noise(rng, 4) * u(*ranges.MURK) + canvas.noise(rng, 8) * u(*ranges.MURK) / 2


def gas(canvas: Canvas, rng: Rng, patient: Patient) -> np.ndarray:
    """7: gas below the diaphragm, in the stomach and in the bowel on either side."""
    layer = np.zeros((canvas.size, canvas.size), np.float32)
    if rng.random() < ranges.BUBBLE_ODDS:
        layer += _bubble(canvas, rng, patient)
    for side, odds in zip((-1, 1), ranges.LOOPS_ODDS, strict=True):
        if rng.random() < odds:
            layer += _loops(canvas, rng, patient, side)
    return layer


def _bubble(canvas: Canvas, rng: Rng, patient: Patient) -> np.ndarray:
    """7: gas in the stomach, under the dome on the viewer's right, often above a level of fluid."""
    u = rng.uniform
    at, wide, tall, level = u(0.25, 0.85), u(0.1, 0.4), u(0.04, 0.2), u(-0.1, 1)
    dome = patient.domes[1].T
    shape = oval(at, np.interp(at, *dome) + tall + u(0.01, 0.06), wide, tall, level)
    shape[:, 1] = np.maximum(shape[:, 1], np.interp(shape[:, 0], *dome) + u(0.004, 0.03))
    return canvas.fill([shape], u(0.003, 0.01)) * u(*ranges.GAS)


def _loops(canvas: Canvas, rng: Rng, patient: Patient, side: int) -> np.ndarray:
    """7: gas in the bowel under a dome: pouches in a row, each a bit darker or brighter than its neighbour."""
    u, count = rng.uniform, rng.integers(3, 9)
    dome = mirror(patient.domes[(side + 1) // 2], side).T
    at, down = u(0.2, 0.8) + np.cumsum(u(-0.15, 0.2, count)), u(0.01, 0.12) + np.cumsum(u(-0.03, 0.06, count))
    if rng.random() < ranges.FLEXURE_ODDS:  # it climbs along the flank, up to the angle of the lung
        at, down = u(0.65, 0.95) + np.cumsum(u(-0.06, 0.08, count)), u(0, 0.06) + np.cumsum(u(0.01, 0.09, count))
    gap, shapes, shades = u(0.002, 0.03), [], []
    for x, y in zip(np.minimum(at, 1.0), down, strict=True):
        shape = oval(x, np.interp(x, *dome) + y, u(0.05, 0.25), u(0.025, 0.12), u(0, 1.5))
        shape[:, 0] = np.minimum(shape[:, 0], dome[0, -1] - 0.01)  # inside the wall
        shape[:, 1] = np.maximum(shape[:, 1], np.interp(shape[:, 0], *dome) + gap)
        shapes.append(mirror(shape, side))
        shades.append(u(0.3, 1))
    order = np.argsort(shades)  # the brightest on top
    return canvas.fill([shapes[i] for i in order], u(0.002, 0.008), np.sort(shades)) * u(*ranges.GAS)


def _bone(canvas: Canvas, layer: np.ndarray, width: float) -> np.ndarray:
    """Give a filled bone of a width in u a bright rim and a paler middle."""
    rim = cv2.subtract(layer, blur_layer(layer, width * canvas.half_width / 3))
    return cv2.addWeighted(layer, 0.55, np.maximum(rim, 0, out=rim), 1.2, 0)


def ribs(canvas: Canvas, rng: Rng, patient: Patient, organs: np.ndarray) -> np.ndarray:
    """8: ribs: rear parts from the spine outwards, front parts from there down and back towards the middle."""
    u = rng.uniform
    pitch, width, first = u(*ranges.RIB_PITCH), u(*ranges.RIB_WIDTH), u(-0.04, 0)
    drop, lift, slope = u(0.05, 0.12), u(0, 0.03), u(0.1, 0.2)
    turn = np.linspace(0, np.pi / 2, 16)
    rear, fore = [], []
    for side, wall in zip((-1, 1), patient.walls, strict=True):
        reach, height = mirror(wall, side)[::-1].T
        j = np.arange(int(1.25 / pitch))[:, None]  # one row for each rib
        at, inner = rng.uniform((-0.006, 0.28), (0.006, 0.4), (len(j), 2)).T[..., None] + (first + j * pitch, 0.02 * j)
        fall = drop * (0.7 + 0.09 * j)
        end = np.interp(at + fall, height, reach) + 0.02
        down = at + fall * (1 - np.cos(turn)) - lift * np.sin(2 * turn)
        rear.append(mirror(np.stack([0.1 + (end - 0.1) * np.sin(turn), down], -1), side))
        down = at + fall + slope * (0.7 + 0.07 * j) * np.sin(turn)
        front = mirror(np.stack([inner + (end - inner) * np.cos(turn), down], -1), side)
        fore.append(front[((j < 8) & (inner < end))[:, 0]])
    away, share = np.abs(canvas.u), u(*ranges.RIB)
    less = share * u(0.2, 1)
    near = canvas.full(ramp(away, 0.04, 0.16) * share)  # hidden by the spine
    far = canvas.full(ramp(away, 0.33, 0.63) * less)  # gristle is not seen
    layer = canvas.bands(np.concatenate(rear), width) * near
    layer += canvas.bands(np.concatenate(fore), width * np.linspace(1, 1.2, 16)) * far
    return _bone(canvas, layer, width) * (1 - (1 - u(*ranges.RIB_BELOW)) * organs)


def clavicles(canvas: Canvas, rng: Rng) -> np.ndarray:
    """9: clavicles, a shallow S from the breastbone to the shoulder."""
    u = rng.uniform
    low, rise, bow, width = u(0.06, 0.16), u(0.04, 0.18), u(0, 0.03), u(*ranges.CLAVICLE_WIDTH)
    lines = []
    for side in (-1, 1):
        end = low - rise - u(-0.03, 0.03)
        middle = [(0.35, 0.7 * low + 0.3 * end + bow), (0.75, 0.25 * low + 0.75 * end), (1.05, end - bow)]
        lines.append(mirror(smooth_curve([(0.1, low), *middle, (1.3, end)], 40), side))
    return _bone(canvas, canvas.bands(lines, width * np.linspace(1.3, 0.8, 40)), width) * u(*ranges.CLAVICLE)


BLADE_CURVE = smooth_curve([*ranges.BLADE, ranges.BLADE[0]])


def scapulae(canvas: Canvas, rng: Rng, patient: Patient) -> np.ndarray:
    """10: scapulae, and the bones of the upper arms."""
    u = rng.uniform
    blade = BLADE_CURVE + (u(-0.1, 0.25), u(-0.04, 0.05))  # over the lungs in a patient who lies
    joint = np.array((1.36, patient.shoulder + 0.1))
    shaft = joint + np.linspace(0, 2, 20)[:, None] * (np.cos(patient.arm), 0.6 * np.sin(patient.arm))
    arms = np.maximum(
        canvas.fill(both_sides(oval(joint[0], joint[1], 0.13, 0.08))), canvas.bands(both_sides(shaft), 0.14)
    )
    return _bone(canvas, canvas.fill(both_sides(blade)) + u(0.5, 1.5) * arms, 0.08) * u(*ranges.SCAPULA)


def _tree(rng: Rng, starts, angles, lengths, widths) -> tuple[np.ndarray, np.ndarray]:
    """Vessels (n) that leave the hila, each parting in two, twice: lines (7n, 8, 2) and widths (7n, 8)."""
    lines, wide = [], []
    for _ in range(3):
        bend = np.cumsum(np.concatenate([angles[:, None], rng.normal(0, 0.14, (len(angles), 6))], 1), 1)
        steps = np.stack([np.cos(bend), 0.6 * np.sin(bend)], -1)
        steps *= (lengths * rng.uniform(0.07, 0.2, len(angles)))[:, None, None]
        lines.append(np.cumsum(np.concatenate([starts[:, None], steps], 1), 1))
        wide.append(widths)
        starts = lines[-1][:, -1].repeat(2, 0)
        angles = (bend[:, -1:] + rng.uniform(0.05, 0.6, (len(bend), 2)) * (-1, 1)).ravel()
        lengths, widths = 0.8 * lengths.repeat(2), 0.65 * widths.repeat(2)
    return np.concatenate(lines), np.outer(np.concatenate(wide), np.linspace(1, 0.7, 8))


def vessels(canvas: Canvas, rng: Rng) -> np.ndarray:
    """11: hila, the vessels that branch from them and fade outwards, and a fine unevenness of the lungs."""
    u = rng.uniform
    hila, near, roots = np.zeros_like(canvas.u), np.zeros_like(canvas.u), []
    for side in (-1, 1):
        at, level = u(0.2, 0.3), u(0.42, 0.5) - (0.03 if side == 1 else 0)
        hila = hila + canvas.spot(side * at, level, u(0.08, 0.16), u(0.06, 0.15))
        near = near + canvas.spot(side * at, level + 0.05, 0.45, 0.4)
        angles = np.linspace(-1.4, 1.6, 9) + rng.normal(0, 0.15, 9)
        start, length, width = (side * (at - 0.03), level), u(0.16, 0.3), u(*ranges.VESSEL_WIDTH)
        roots += [(*start, angle if side == 1 else np.pi - angle, length, width) for angle in angles]
    cloud = canvas.noise(rng, 30) + 0.7 * canvas.noise(rng, 70)
    hilum = canvas.full(hila * u(*ranges.HILUM)) * (1 + 0.3 * cloud)
    starts, (angles, lengths, widths) = np.array(roots)[:, :2], np.array(roots).T[2:]
    tree = canvas.bands(*_tree(rng, starts, angles, lengths, widths), 0.001)
    return hilum + tree * canvas.full(near * u(*ranges.VESSEL)) + cloud * u(*ranges.TEXTURE)
