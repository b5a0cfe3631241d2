"""Draw chest X-rays ("phantoms") from a seed, each with its exact lung masks.

The drawings let the course run anywhere without a download, and a network trained on them has to work on real
X-rays: shapes follow the outlines of real lungs, while every intensity is drawn from a wide range.

A picture is the attenuation of X-rays, added up layer by layer in the order of the numbered functions below, then
exposed. Anatomy is given in *body coordinates*: u is the distance from the mid-line in half-widths of the chest,
negative on the viewer's left (the patient's right); t is the height, 0 at the apices of the lungs and 1 at the
costophrenic angles, the sharp lower corners of the lungs. Nothing random depends on the size of the picture.
"""

import json
import os
import shutil
import signal
import tempfile
import zlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import CubicSpline
from tqdm import tqdm

PHANTOM_VERSION = 1  # part of the bytes: raise it whenever a drawing changes

# Ranges are (low, high), drawn evenly. Units: "picture" is a fraction of the picture's height or width, u and t are
# body coordinates, "torso" is the attenuation of the thickest part of the torso.

# Patient and pose
HALF_WIDTH = (0.29, 0.44)  # of the chest, picture
HEIGHT = (0.45, 0.84)  # from the apices to the costophrenic angles, picture
APEX = (0.04, 0.17)  # upper edge of the lungs, picture
SHIFT = (-0.04, 0.04)  # of the mid-line from the middle, picture
MARGIN = 0.01  # least distance of a lung from the lower and side edges, picture
TILT = (-2.5, 2.5)  # degrees
TURN = (-0.06, 0.06)  # how much wider one half of the chest is, because the patient is turned, fraction
REVISIT = (-0.015, 0.015)  # change of the four places and sizes above between two visits, picture
FEMALE_ODDS = 0.5
AGE = (15, 89)  # years

# 1 Body
FLESH = (0.05, 0.30)  # between lung and skin at the side, u
HIPS = (-0.12, 0.20)  # how much wider the torso is at its lower end, u
SHOULDER = (-0.05, 0.06)  # height of the shoulders' upper edge, t
NECK = (0.19, 0.27)  # half-width, u
ROUNDING = (0.10, 0.32)  # depth below the skin at which the body has its full thickness, picture
ARM_ANGLE = (0.0, 80.0)  # below the horizontal, degrees
ARM_WIDTH = (0.32, 0.50)  # u
BREAST = (0.05, 0.40)  # torso

# 2 Lungs. Borders are (u, t) of the viewer's right half and, for the heart's other border, of the viewer's left.
OUTER = ((1.0, 0.93), (0.987, 0.83), (0.952, 0.7), (0.908, 0.5), (0.84, 0.3), (0.73, 0.15), (0.594, 0.06))
SUMMIT = ((0.35, 0.0), (0.14, 0.06), (0.097, 0.13))
ATRIUM = ((0.1, 0.2), (0.12, 0.3), (0.15, 0.4), (0.21, 0.52), (0.255, 0.63), (0.26, 0.73), (0.245, 0.93))
HEART_SIDE = ((0.12, 0.19), (0.18, 0.25), (0.18, 0.33), (0.22, 0.42), (0.29, 0.52), (0.43, 0.64), (0.56, 0.9))
APEX_WIDTH = (0.85, 1.18)  # factor on the width of the upper lungs
HEART_SIZE = (0.70, 1.30)  # factor on the bulge of the heart
KNOB = (-0.03, 0.05)  # added bulge of the aortic knob, u
WAVES = ((3, 0.03), (6, 0.018), (11, 0.008))  # bends of a border: (radians per t, amplitude in u)
DOME = (0.73, 0.87)  # height of the diaphragm's dome on the viewer's left, t
DOME_STEP = (-0.02, 0.045)  # by how much the other dome is lower, t
DOME_DIP = (0.0, 0.05)  # by how much the diaphragm is lower in the middle, t
DOME_POWER = (2.8, 5.5)  # how abruptly a dome falls to the costophrenic angle
ANGLE = (0.96, 1.04)  # height of the costophrenic angle, t
AIR = (0.45, 0.88)  # torso
AIR_RIM = (0.02, 0.14)  # depth inside the lung at which it has its full thickness, picture
AIR_POWER = (0.25, 0.8)  # how steeply it gets there
HIDDEN_AIR = (0.05, 0.40)  # lung behind heart and diaphragm, which the masks leave out; fraction of AIR

# 3 to 5 Between the lungs
MEDIASTINUM = (0.03, 0.42)  # torso
SPINE = (0.08, 0.36)  # torso
SPINE_WIDTH = (0.11, 0.16)  # half-width, u
VERTEBRA = (0.065, 0.085)  # spacing, t
TRACHEA = (0.0, 0.25)  # torso
HEART = (0.05, 0.32)  # torso
AORTA = (0.0, 0.16)  # torso

# 6 and 7 Below the diaphragm
ABDOMEN = (0.25, 0.85)  # torso
BUBBLE_ODDS = 0.6
BUBBLE = (0.1, 0.7)  # gas in the stomach, torso

# 8 to 10 Bones
RIB_PITCH = (0.088, 0.108)  # t
RIB_WIDTH = (0.045, 0.075)  # u
RIB = (0.04, 0.22)  # torso
CLAVICLE_WIDTH = (0.065, 0.10)  # u
CLAVICLE = (0.05, 0.26)  # torso
BLADE = ((0.88, 0.03), (1.1, 0.0), (1.3, 0.08), (1.17, 0.22), (1.04, 0.44), (0.97, 0.47), (0.87, 0.2))
SCAPULA = (0.02, 0.20)  # torso, and the bones of the arms

# 11 Hila and vessels
HILUM = (0.0, 0.25)  # torso
VESSEL = (0.02, 0.14)  # torso
VESSEL_WIDTH = (0.015, 0.035)  # at the hilum, u
TEXTURE = (0.005, 0.04)  # torso

# 12 Findings
FINDING_COUNT = (0.55, 0.30, 0.15)  # probability of one, two and three
INFILTRATE = (0.10, 0.40)  # torso
NODULE = (0.08, 0.28)  # torso
CAVITY = (0.12, 0.38)  # torso
SCAR = (0.06, 0.25)  # torso
EFFUSION_ODDS = 0.2
EFFUSION = (0.80, 0.95)  # level of the fluid, t

# 13 to 16 Picture
SCATTER = (0.0, 0.08)  # slow unevenness, torso
WHITE = (86.0, 99.5)  # percentile of the attenuation that is shown as white
GAMMA = (0.55, 1.6)
SIGMOID_ODDS = 0.5  # of a contrast curve like film's, with this middle (share of white) and slope there
SIGMOID_MIDDLE, SIGMOID_SLOPE = (0.3, 0.5), (4, 8)
BORDER_ODDS = (0.65, 0.15, 0.15)  # of a black border below, on the viewer's left, on the viewer's right
RIM_ODDS = 0.3  # of a bright rim along it
LETTERS = (("R", 0.6, 0.02), ("PA", 0.4, 0.83), ("ERECT", 0.4, 0.77), ("L", 0.2, 0.86))  # text, odds, place
BLUR = (0.0, 0.003)  # picture
GRAIN = (0.0, 0.05)  # of the full grey range, at FINE px
BLACK, BRIGHT = (0.0, 0.08), (0.88, 1.0)  # greys of no light and of white in half of the pictures, full range

LOW, MIDDLE, FINE = 128, 256, 512  # grids on which slow layers, distances and grain are computed, px

Rng = np.random.Generator


@dataclass
class Phantom:
    """A drawn X-ray.

    Attributes:
        image: (size, size) uint8, 0 black to 255 white.
        masks: (size, size, 2) uint8 of 0 and 1. Channel 0 is the lung on the viewer's left (the patient's right
            lung), channel 1 the lung on the viewer's right.
    """

    image: np.ndarray
    masks: np.ndarray


def draw_phantom(seed: int, size: int = 512, finding: bool = False) -> Phantom:
    """Draw one X-ray and its masks. The same seed gives the same bytes, and the same anatomy at any size.

    Args:
        seed: 0 or more.
        size: height and width, px; 64 or more.
        finding: whether to add signs of disease; the patient is the same with and without.
    """
    return _draw(seed, 0, size, finding)[0]


# ------------------------------------------------------------------------------------------------ tools
def _curve(points, count: int = 80) -> np.ndarray:
    """Smooth open curve through points, (count, 2)."""
    points = np.asarray(points, float)
    way = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return CubicSpline(way, points)(np.linspace(0, way[-1], count))


def _oval(u: float, t: float, wide: float, tall: float, level: float = 1) -> np.ndarray:
    """Ellipse, (48, 2); a level from -1 (top) to 1 (bottom) cuts its lower part off flat."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([u + wide * np.cos(turn), t + tall * np.minimum(np.sin(turn), level)], 1)


def _mirror(points, side: int) -> np.ndarray:
    """Points given for the viewer's right, for side 1 (viewer's right) or -1 (viewer's left)."""
    return np.asarray(points, float) * (side, 1)


def _both(points) -> np.ndarray:
    """Points given for the viewer's right, for both sides, (2, n, 2)."""
    return np.stack([_mirror(points, -1), _mirror(points, 1)])


def _ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 at start, 1 at end, straight between."""
    return np.clip((values - start) / (end - start), 0, 1)


def _resize(layer: np.ndarray, size: int) -> np.ndarray:
    if layer.shape[0] == size:
        return layer
    how = cv2.INTER_AREA if layer.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(layer, (size, size), interpolation=how)


def _blur(layer: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur; radius in fractions of the picture. Wide blurs are computed on a smaller grid."""
    size = small = layer.shape[0]
    while radius * small > 4 and small > LOW:
        small //= 2
    if radius * small < 0.3:
        return layer
    return _resize(cv2.GaussianBlur(_resize(layer, small), (0, 0), radius * small), size)


def _fill(shapes, size: int, finer: int = 2) -> np.ndarray:
    """Fill the union of polygons given in fractions of the picture; (size, size) float32 from 0 to 1."""
    layer = np.zeros((size * finer, size * finer), np.uint8)
    for shape in shapes:
        points = np.clip(shape, -2, 3) * layer.shape[0] - 0.5
        cv2.fillPoly(layer, [np.round(points * 16).astype(np.int32)], 255, shift=4)  # 16ths of a pixel
    return _resize(layer, size).astype(np.float32) / 255


class _Canvas:
    """One patient placed in one picture: draws in body coordinates."""

    def __init__(self, size: int, middle: float, top: float, half_width: float, height: float, tilt: float):
        self.size, self.half_width = size, half_width
        turn = np.deg2rad(tilt)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self.matrix = rotation @ np.diag([half_width, height])
        self.origin = np.array([middle, top + height / 2]) - self.matrix @ (0, 0.5)
        axis = (np.arange(LOW) + 0.5) / LOW
        grid = np.stack(np.meshgrid(axis, axis), -1) - self.origin
        self.u, self.t = np.moveaxis(grid @ np.linalg.inv(self.matrix).T, -1, 0).astype(np.float32)

    def place(self, points) -> np.ndarray:
        """Body coordinates to fractions of the picture, (..., 2)."""
        return np.asarray(points, float) @ self.matrix.T + self.origin

    def fill(self, shapes, blur: float = 0) -> np.ndarray:
        """Fill the union of polygons, blurred; (size, size) float32 from 0 to 1."""
        return _blur(_fill([self.place(shape) for shape in shapes], self.size), blur)

    def bands(self, lines, widths, blur: float = 0) -> np.ndarray:
        """Fill bands along lines (n, points, 2); widths in u broadcast to (n, points)."""
        lines = self.place(lines)
        along = np.gradient(lines, axis=1)
        across = np.stack([-along[..., 1], along[..., 0]], -1) / np.linalg.norm(along, axis=-1, keepdims=True)
        half = across * np.broadcast_to(widths, lines.shape[:2])[..., None] * self.half_width / 2
        return _blur(_fill(np.concatenate([lines + half, (lines - half)[:, ::-1]], 1), self.size), blur)

    def spot(self, u: float, t: float, wide: float, tall: float) -> np.ndarray:
        """Soft spot, (LOW, LOW) float32 from 0 to 1."""
        return np.exp(-(((self.u - u) / wide) ** 2) - ((self.t - t) / tall) ** 2)

    def full(self, layer: np.ndarray) -> np.ndarray:
        """A slow layer at the size of the picture."""
        return _resize(layer.astype(np.float32), self.size)

    def noise(self, rng: Rng, cells: int) -> np.ndarray:
        """Smooth noise with about `cells` bumps across the picture; (size, size) float32, deviation near 1."""
        values = rng.standard_normal((cells, cells), dtype=np.float32)
        return cv2.resize(values, (self.size, self.size), interpolation=cv2.INTER_CUBIC)


# ------------------------------------------------------------------------------------------------ patient
@dataclass
class _Patient:
    """What stays the same between two visits. Lists hold the viewer's left, then the viewer's right."""

    age: int
    female: bool
    shoulder: float  # height of the shoulders, t
    arm: float  # angle of the arms below the horizontal, radians
    walls: list[np.ndarray]  # outer borders of the lungs, from the costophrenic angle up to the apex
    medials: list[np.ndarray]  # medial borders, from the apex down to the diaphragm
    domes: list[np.ndarray]  # the diaphragm, from the mid-line out to the costophrenic angle
    outlines: list[np.ndarray]  # closed outlines of the lungs


def _patient(rng: Rng) -> _Patient:
    """Draw a patient: everything else follows the outlines of the lungs."""
    u = rng.uniform
    age, female = int(rng.integers(*AGE, endpoint=True)), rng.random() < FEMALE_ODDS
    patient = _Patient(age, female, u(*SHOULDER), np.deg2rad(u(*ARM_ANGLE)), [], [], [], [])
    turn, apex, heart, dome, dip = (u(*r) for r in (TURN, APEX_WIDTH, HEART_SIZE, DOME, DOME_DIP))
    for side in (-1, 1):
        level = dome if side == -1 else dome + u(*DOME_STEP)
        border, top = _lung_border(rng, side, 1 + side * turn / 2, apex, heart)
        v = np.linspace(0, 1, 100)
        fall = level + (border[0, 1] - level) * v ** u(*DOME_POWER) + (dome + dip - level) * (1 - v) ** 3
        diaphragm = np.stack([v * border[0, 0], fall], 1)
        below = border[top:, 1] > np.interp(border[top:, 0], *diaphragm.T)
        medial = border[top : top + np.argmax(below)] if below.any() else border[top:]
        base = diaphragm[diaphragm[:, 0] > medial[-1, 0]]
        patient.walls.append(_mirror(border[: top + 1], side))
        patient.medials.append(_mirror(medial, side))
        patient.domes.append(_mirror(diaphragm, side))
        patient.outlines.append(_mirror(np.r_[border[:top], medial, base], side))
    return patient


def _lung_border(rng: Rng, side: int, wide: float, apex: float, heart: float) -> tuple[np.ndarray, int]:
    """Border of a lung from the costophrenic angle over the apex to the foot of the heart, and the apex's index."""
    u = rng.uniform
    medial = np.array(ATRIUM if side == -1 else HEART_SIDE)
    medial[:, 0] = 0.11 + (medial[:, 0] - 0.11) * np.where(medial[:, 1] > 0.4, heart, 1)
    if side == 1:
        medial[:, 0] += u(*KNOB) * np.exp(-(((medial[:, 1] - 0.25) / 0.06) ** 2))
    upper = np.r_[OUTER, SUMMIT]
    upper[:, 0] *= np.interp(upper[:, 1], (0, 0.5), (apex, 1))
    points = np.r_[upper, medial]
    for rate, size in WAVES:
        bend = size * u(-1, 1) * np.sin(rate * points[:, 1] + u(0, 2 * np.pi))
        points[:, 0] += bend * np.clip(5 * points[:, 1], 0, 1)
    points[:, 0] = np.maximum(points[:, 0], 0.06) * wide
    border = _curve(np.r_[[(points[0, 0] - u(0, 0.03), u(*ANGLE))], points], 240)
    return border, int(np.argmin(border[:, 1]))


def _masks(canvas: _Canvas, patient: _Patient, fluid: np.ndarray) -> np.ndarray:
    """Masks of both lungs, (size, size, 2) uint8; what lies in fluid is cut away; each lung is one piece."""
    finer = max(2, 2 * FINE // canvas.size)
    masks = np.zeros((2, canvas.size, canvas.size), np.uint8)
    for mask, outline in zip(masks, patient.outlines, strict=True):
        lung = _fill([canvas.place(outline)], canvas.size, finer) * (1 - fluid) > 0.5
        pieces, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mask, [max(pieces, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    masks[1] &= 1 - masks[0]
    return np.ascontiguousarray(np.moveaxis(masks, 0, -1))


# ------------------------------------------------------------------------------------------------ anatomy, in order
def _body(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """1: torso, neck and arms, rounded towards the skin. The arms leave the picture, so they have no ends."""
    u = rng.uniform
    side, hips, neck, arm = 1 + u(*FLESH), u(*HIPS), u(*NECK), u(*ARM_WIDTH)
    top, angle = patient.shoulder, patient.arm
    shoulder = [(neck, -1), (neck, -0.22), (neck + 0.1, -0.13), (0.75, top - 0.06), (1.15, top)]
    flank = [(1.3, top + 0.12), (1.22, 0.3), (side, 0.5), (side, 0.8), (side + hips, 2)]
    half = _curve(shoulder + flank, 120)
    axis = (1.15, top + 0.13) + np.linspace(0, 2.5, 20)[:, None] * (np.cos(angle), 0.6 * np.sin(angle))
    across = np.array([-np.sin(angle), 0.6 * np.cos(angle)]) * arm / 2
    shapes = [np.r_[half, _mirror(half, -1)[::-1]], *_both(np.r_[axis - across, (axis + across)[::-1]])]
    inside = _fill([canvas.place(shape) for shape in shapes], MIDDLE) > 0.5
    depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    depth = np.clip(depth / (MIDDLE * u(*ROUNDING)), 0, 1)
    return canvas.full(_blur(np.sqrt(1 - (1 - depth) ** 2), 0.004))


def _breasts(canvas: _Canvas, rng: Rng) -> np.ndarray:
    """1: breasts, with the sharp lower edge that crosses the lower lungs."""
    u = rng.uniform
    at, low, wide, tall = u(0.5, 0.75), u(0.8, 1.1), u(0.35, 0.6), u(0.25, 0.4)
    round_ = 1 - ((np.abs(canvas.u) - at) / wide) ** 2 - ((canvas.t - low + tall) / tall) ** 2
    return canvas.full(_blur(np.sqrt(np.maximum(round_, 0)), 0.006)) * u(*BREAST)


def _air(canvas: _Canvas, rng: Rng, lungs: np.ndarray) -> np.ndarray:
    """2: air in the lungs, thinner towards their rim."""
    u = rng.uniform
    inside = (_resize(lungs, MIDDLE) > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 5)[1:-1, 1:-1] / MIDDLE
    thick = np.clip((depth + 0.002) / u(*AIR_RIM), 0, 1) ** u(*AIR_POWER)
    return _blur(canvas.full(thick) * lungs, 0.002)


def _mediastinum(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """3: mediastinum between the lungs, spine with its vertebrae, trachea."""
    u = rng.uniform
    layer = canvas.fill([np.r_[patient.medials[0], patient.medials[1][::-1]]], 0.005) * u(*MEDIASTINUM)
    width, pitch, gaps = u(*SPINE_WIDTH), u(*VERTEBRA), u(0, 0.35)
    spine = np.exp(-((canvas.u / width) ** 4)) * (1 - gaps * np.cos(np.pi * canvas.t / pitch) ** 8)
    trachea = np.exp(-(((canvas.u - u(-0.03, 0.02)) / u(0.05, 0.075)) ** 4)) * _ramp(canvas.t, 0.38, 0.3)
    return layer + canvas.full(u(*SPINE) * spine - u(*TRACHEA) * trachea)


def _heart(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """4: heart, between the medial borders and the diaphragm; it fades upwards into the great vessels."""
    left, right = patient.medials
    left_foot = patient.domes[0][patient.domes[0][:, 0] > left[-1, 0]]
    right_foot = patient.domes[1][patient.domes[1][:, 0] < right[-1, 0]]
    shape = np.r_[right, right_foot[::-1], left_foot, left[::-1]]
    thick = _ramp(canvas.t, 0.42, 0.65) * (0.4 + 0.6 * canvas.spot(0.18, 0.75, 0.4, 0.3))
    return canvas.fill([shape], 0.004) * canvas.full(thick) * rng.uniform(*HEART)


def _aorta(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """5: aortic knob, and the aorta that descends to the viewer's right of the spine."""
    border = patient.medials[1]
    knob = border[np.argmin(np.abs(border[:, 1] - 0.25)), 0]
    line = np.stack([np.linspace(knob - 0.08, 0.03, 30), np.linspace(0.24, 1.0, 30)], 1)
    descending = canvas.bands([line], 0.14) * canvas.full(_ramp(canvas.t, 1, 0.5))
    layer = np.maximum(canvas.fill([_oval(knob - 0.1, 0.25, 0.1, 0.055)]), descending)
    return _blur(layer, 0.005) * rng.uniform(*AORTA)


def _organs(canvas: _Canvas, patient: _Patient) -> np.ndarray:
    """6: everything below the diaphragm, from 0 to 1."""
    left, right = patient.domes
    sides = [(right[-1, 0] + 0.3, 1.2), (1.5, 2.5), (-1.5, 2.5), (left[-1, 0] - 0.3, 1.2)]
    return canvas.fill([np.r_[left[::-1], right, sides]], 0.003)


def _abdomen(canvas: _Canvas, rng: Rng, organs: np.ndarray) -> np.ndarray:
    """6: liver, stomach and gut, thicker further down."""
    deeper = _ramp(canvas.t, 0.75, rng.uniform(0.85, 1.15))
    return organs * canvas.full(0.55 + 0.45 * deeper) * rng.uniform(*ABDOMEN)


def _bubble(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """7: gas in the stomach, under the dome on the viewer's right, often above a level of fluid."""
    u = rng.uniform
    at, wide, tall, level = u(0.3, 0.6), u(0.12, 0.3), u(0.04, 0.11), u(-0.1, 1)
    dome = patient.domes[1].T
    shape = _oval(at, np.interp(at, *dome) + tall + u(0.02, 0.06), wide, tall, level)
    shape[:, 1] = np.maximum(shape[:, 1], np.interp(shape[:, 0], *dome) + 0.015)
    return canvas.fill([shape], u(0.003, 0.01)) * u(*BUBBLE)


def _bone(canvas: _Canvas, layer: np.ndarray, width: float) -> np.ndarray:
    """Give a filled bone of a width in u a bright rim and a paler middle."""
    rim = np.maximum(layer - _blur(layer, width * canvas.half_width / 3), 0)
    return 0.55 * layer + 1.2 * rim


def _ribs(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """8: ribs: rear parts from the spine outwards, front parts from there down and back towards the middle."""
    u = rng.uniform
    pitch, width, first = u(*RIB_PITCH), u(*RIB_WIDTH), u(-0.04, 0)
    drop, lift, slope = u(0.05, 0.12), u(0, 0.03), u(0.1, 0.2)
    turn = np.linspace(0, np.pi / 2, 30)
    rear, fore = [], []
    for side, wall in zip((-1, 1), patient.walls, strict=True):
        reach, height = _mirror(wall, side)[::-1].T
        for j in range(int(1.1 / pitch)):
            at, inner = first + j * pitch + u(-0.006, 0.006), u(0.28, 0.4) + 0.02 * j
            fall = drop * (0.7 + 0.09 * j)
            end = np.interp(at + fall, height, reach) + 0.02
            down = at + fall * (1 - np.cos(turn)) - lift * np.sin(2 * turn)
            rear.append(_mirror(np.stack([0.1 + (end - 0.1) * np.sin(turn), down], 1), side))
            if j < 8 and inner < end:
                down = at + fall + slope * (0.7 + 0.07 * j) * np.sin(turn)
                fore.append(_mirror(np.stack([inner + (end - inner) * np.cos(turn), down], 1), side))
    away, share = np.abs(canvas.u), u(*RIB)
    front = share * u(0.2, 1)
    near = canvas.full(_ramp(away, 0.04, 0.16) * share)  # hidden by the spine
    far = canvas.full(_ramp(away, 0.33, 0.63) * front)  # gristle is not seen
    fore = _bone(canvas, canvas.bands(fore, width * np.linspace(1, 1.2, 30)), width)
    return _bone(canvas, canvas.bands(rear, width), width) * near + fore * far


def _clavicles(canvas: _Canvas, rng: Rng) -> np.ndarray:
    """9: clavicles, a shallow S from the breastbone to the shoulder."""
    u = rng.uniform
    low, rise, bow, width = u(0.06, 0.16), u(0.04, 0.18), u(0, 0.03), u(*CLAVICLE_WIDTH)
    lines = []
    for side in (-1, 1):
        end = low - rise - u(-0.03, 0.03)
        middle = [(0.35, 0.7 * low + 0.3 * end + bow), (0.75, 0.25 * low + 0.75 * end), (1.05, end - bow)]
        lines.append(_mirror(_curve([(0.1, low), *middle, (1.3, end)], 40), side))
    return _bone(canvas, canvas.bands(lines, width * np.linspace(1.3, 0.8, 40)), width) * u(*CLAVICLE)


def _scapulae(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """10: scapulae, and the bones of the upper arms."""
    u = rng.uniform
    blade = _curve([*BLADE, BLADE[0]]) + (u(0, 0.25), u(-0.04, 0.05))
    joint = np.array((1.36, patient.shoulder + 0.1))
    shaft = joint + np.linspace(0, 2, 20)[:, None] * (np.cos(patient.arm), 0.6 * np.sin(patient.arm))
    arms = np.maximum(canvas.fill(_both(_oval(*joint, 0.13, 0.08))), canvas.bands(_both(shaft), 0.14))
    return _bone(canvas, canvas.fill(_both(blade)) + u(0.5, 1.5) * arms, 0.08) * u(*SCAPULA)


def _tree(rng: Rng, start, angles: np.ndarray, length: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Vessels of one hilum, each parting in two, twice: lines (n, 8, 2) and widths (n, 8)."""
    starts, lines, widths = np.broadcast_to(start, (len(angles), 2)), [], []
    for _ in range(3):
        count = len(angles)
        bend = np.cumsum(np.c_[angles, rng.normal(0, 0.14, (count, 6))], 1)
        steps = np.stack([np.cos(bend), 0.6 * np.sin(bend)], -1)
        steps *= length * rng.uniform(0.07, 0.2, (count, 1, 1))
        lines.append(np.concatenate([starts[:, None], starts[:, None] + np.cumsum(steps, 1)], 1))
        widths.append(np.broadcast_to(width * np.linspace(1, 0.7, 8), (count, 8)))
        starts = np.repeat(lines[-1][:, -1], 2, 0)
        angles = np.repeat(bend[:, -1], 2) + np.tile((-1, 1), count) * rng.uniform(0.05, 0.6, 2 * count)
        length, width = 0.8 * length, 0.65 * width
    return np.concatenate(lines), np.concatenate(widths)


def _vessels(canvas: _Canvas, rng: Rng) -> np.ndarray:
    """11: hila, the vessels that branch from them and fade outwards, and a fine unevenness of the lungs."""
    u = rng.uniform
    hila, near, trees = 0, 0, []
    for side in (-1, 1):
        at, level = u(0.2, 0.3), u(0.42, 0.5) - (0.03 if side == 1 else 0)
        hila = hila + canvas.spot(side * at, level, u(0.08, 0.16), u(0.06, 0.15))
        near = near + canvas.spot(side * at, level + 0.05, 0.45, 0.4)
        angles = np.linspace(-1.4, 1.6, 9) + rng.normal(0, 0.15, 9)
        lines, widths = _tree(rng, (at - 0.03, level), angles, u(0.16, 0.3), u(*VESSEL_WIDTH))
        trees.append((_mirror(lines, side), widths))
    cloud = canvas.noise(rng, 30) + 0.7 * canvas.noise(rng, 70)
    hilum = canvas.full(hila) * (1 + 0.3 * cloud) * u(*HILUM)
    tree = canvas.bands(*(np.concatenate(parts) for parts in zip(*trees, strict=True)), 0.001)
    return hilum + tree * canvas.full(near) * u(*VESSEL) + cloud * u(*TEXTURE)


# ------------------------------------------------------------------------------------------------ 12: findings
# Each function returns a layer, (size, size) float32, and the words of the reading that say what and where.
def _side(side: int) -> str:
    return f"the patient's {'left' if side == 1 else 'right'}"


def _spot_in_lung(rng: Rng, patient: _Patient, low: float, high: float) -> tuple[float, float, str]:
    """A place in a lung at a height from low to high: u, t and its words."""
    side, t = int(rng.choice((-1, 1))), rng.uniform(low, high)
    medial, wall = (_mirror(b[(side + 1) // 2], side) for b in (patient.medials, patient.walls))
    inner, outer = np.interp(t, medial[:, 1], medial[:, 0]), np.interp(t, wall[::-1, 1], wall[::-1, 0])
    zone = "upper" if t < 0.33 else "middle" if t < 0.6 else "lower"
    return side * (inner + (outer - inner) * rng.uniform(0.25, 0.8)), t, f"{_side(side)} {zone} zone"


def _infiltrate(canvas: _Canvas, rng: Rng, patient: _Patient) -> tuple[np.ndarray, str]:
    at, t, where = _spot_in_lung(rng, patient, 0.1, 0.75)
    layer = 0
    for _ in range(rng.integers(3, 10)):
        wide, du, dt = rng.uniform(0.05, 0.2), rng.normal(0, 0.1), rng.normal(0, 0.06)
        layer = layer + rng.uniform(0.3, 1) * canvas.spot(at + du, t + dt, wide, wide * rng.uniform(0.4, 0.9))
    cloud = 1 + 0.15 * canvas.noise(rng, 60) + 0.25 * canvas.noise(rng, 25)
    return canvas.full(np.minimum(layer, 1.2)) * cloud * rng.uniform(*INFILTRATE), f"infiltrate in {where}"


def _nodules(canvas: _Canvas, rng: Rng, patient: _Patient) -> tuple[np.ndarray, str]:
    at, t, where = _spot_in_lung(rng, patient, 0.15, 0.7)
    shapes = []
    for _ in range(rng.integers(2, 9)):
        radius = rng.uniform(0.015, 0.05)
        shapes.append(_oval(at + rng.normal(0, 0.14), t + rng.normal(0, 0.09), radius, 0.62 * radius))
    return canvas.fill(shapes, 0.004) * rng.uniform(*NODULE), f"nodules in {where}"


def _cavity(canvas: _Canvas, rng: Rng, patient: _Patient) -> tuple[np.ndarray, str]:
    at, t, where = _spot_in_lung(rng, patient, 0.12, 0.5)
    turn = np.linspace(0, 2 * np.pi, 40)
    bumps = 1 + 0.12 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.06 * np.sin(3 * turn)
    radius = rng.uniform(0.07, 0.15) * bumps
    line = np.stack([at + radius * np.cos(turn), t + 0.62 * radius * np.sin(turn)], 1)
    halo = canvas.full(canvas.spot(at, t, 0.2, 0.12)) * (0.4 + 0.2 * canvas.noise(rng, 50))
    layer = canvas.bands([line], rng.uniform(0.025, 0.06), 0.004) + halo - 0.5 * canvas.fill([line], 0.004)
    return layer * rng.uniform(*CAVITY), f"cavity in {where}"


def _scar(canvas: _Canvas, rng: Rng, patient: _Patient) -> tuple[np.ndarray, str]:
    side, count = int(rng.choice((-1, 1))), rng.integers(5, 12)
    start = rng.uniform((0.2, 0.02), (0.6, 0.15), (count, 1, 2))
    along = rng.normal((-0.08, 0.08), (0.06, 0.03), (count, 1, 2)) * np.linspace(0, 1, 6)[:, None]
    lines = start + along + rng.normal(0, 0.007, (count, 6, 2)).cumsum(1)
    strands = canvas.bands(_mirror(lines, side), rng.uniform(0.012, 0.04, (count, 1)), 0.003)
    cap = canvas.full(canvas.spot(side * 0.38, 0, 0.3, 0.06)) * rng.uniform(0.2, 0.8)
    return (strands + cap) * rng.uniform(*SCAR), f"scarring at {_side(side)} apex"


def _fluid(canvas: _Canvas, rng: Rng) -> tuple[np.ndarray, str]:
    """A small effusion: it blunts a costophrenic angle, climbs at the wall and, unlike the rest, cuts the mask."""
    side, level, rise = int(rng.choice((-1, 1))), rng.uniform(*EFFUSION), rng.uniform(0.09, 0.18)
    v = np.linspace(0, 1, 50)
    surface = np.stack([0.1 + 1.1 * v, level + 0.06 - rise * v**5], 1)
    shape = np.r_[surface, [(1.2, 1.3), (0.1, 1.3)]]
    return canvas.fill([_mirror(shape, side)]), f"small effusion, {_side(side)} costophrenic angle blunted"


FINDINGS = (_infiltrate, _infiltrate, _nodules, _cavity, _scar)  # infiltrates are the most frequent


def _findings(canvas: _Canvas, rng: Rng, patient: _Patient) -> tuple[np.ndarray, list[str]]:
    """One to three signs of disease inside the lungs."""
    count = 1 + rng.choice(3, p=FINDING_COUNT)
    layers, words = zip(*(FINDINGS[i](canvas, rng, patient) for i in rng.permutation(5)[:count]), strict=True)
    return np.maximum(sum(layers), -0.1), list(dict.fromkeys(words))


# ------------------------------------------------------------------------------------------------ picture
def _expose(canvas: _Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """13: scatter, window and contrast curve; (size, size) float32 from 0 to 1."""
    u = rng.uniform
    layer = layer + canvas.noise(rng, 4) * u(*SCATTER) + canvas.noise(rng, 8) * u(*SCATTER) / 2
    black, white = np.percentile(_resize(layer, LOW), (2, u(*WHITE)))
    black *= u(0.6, 1)
    curve = np.linspace(0, 1, 4096) ** u(*GAMMA)
    if rng.random() < SIGMOID_ODDS:
        curve = 1 / (1 + np.exp((u(*SIGMOID_MIDDLE) - curve) * u(*SIGMOID_SLOPE)))
        curve = (curve - curve[0]) / (curve[-1] - curve[0])
    steps = np.clip((layer - black) * (4095 / (white - black)), 0, 4095).astype(np.uint16)
    return curve.astype(np.float32)[steps]


def _collimate(canvas: _Canvas, rng: Rng, layer: np.ndarray, patient: _Patient) -> np.ndarray:
    """14: black borders where no X-rays were let through, never over a lung; some with a bright rim."""
    u = rng.uniform
    points = np.concatenate([canvas.place(outline) for outline in patient.outlines])
    (left, _), (right, low) = points.min(0), points.max(0) + 0.005
    slant, below = u(-0.02, 0.02), low + 0.005 + u(0, 1) ** 2 * 0.25
    before, after = left * u(0, 0.9), right + (1 - right) * u(0.1, 1)
    ends = np.maximum((below - slant, below + slant), low)
    borders = [[(0, ends[0]), (1, ends[1]), (1, 2), (0, 2)]]
    borders += [[(x, -1), (x, 2), (edge, 2), (edge, -1)] for x, edge in ((before, -1), (after, 2))]
    used = rng.random(3) < BORDER_ODDS
    cover = _fill([border for border, use in zip(borders, used, strict=True) if use], canvas.size)
    if rng.random() < RIM_ODDS:
        layer = np.maximum(layer, np.clip(2 * _blur(cover, 0.004), 0, 0.9))
    return layer * (1 - cover)


def _letter(canvas: _Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """15: letters in the upper corners, some dark in a bright box."""
    u, font = rng.uniform, cv2.FONT_HERSHEY_SIMPLEX
    for text, odds, start in LETTERS:
        x, y = int(FINE * (start + u(0, 0.1))), int(FINE * u(0.03, 0.2))
        scale, bright, boxed = u(0.35, 0.8), u(0.6, 1), rng.random() < 0.5
        if rng.random() < odds:
            grey = np.zeros((FINE, FINE), np.uint8)
            wide, tall = cv2.getTextSize(text, font, scale, 2)[0]
            if boxed:
                cv2.rectangle(grey, (x - 3, y - tall - 3), (x + wide + 3, y + 4), 255, cv2.FILLED)
            cv2.putText(grey, text, (x, y), font, scale, 0 if boxed else 255, 2, cv2.LINE_AA)
            layer = np.maximum(layer, canvas.full(grey) * (bright / 255))
    return layer


def _scan(canvas: _Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """16: blur, grain and grey range of the stored picture; (size, size) uint8."""
    u = rng.uniform
    grain = canvas.full(rng.standard_normal((FINE, FINE), dtype=np.float32)) * u(*GRAIN)
    black = u(*BLACK) if rng.random() < 0.5 else 0
    bright = u(*BRIGHT) if rng.random() < 0.5 else 1
    layer = _blur(layer, u(*BLUR)) + grain * (0.3 + layer)
    return ((black + np.clip(layer, 0, 1) * (bright - black)) * 255).astype(np.uint8)


def _draw(seed: int, visit: int, size: int, finding: bool) -> tuple[Phantom, _Patient, str]:
    """Draw one visit of one patient, 0 for the first; also returns the patient and the reading."""

    def part(name: str, *more: int) -> Rng:  # its own random numbers, so that no part changes another
        return np.random.default_rng([zlib.crc32(name.encode()), seed, *more])

    patient = _patient(part("patient"))
    frame = np.array([part("frame").uniform(*r) for r in (HALF_WIDTH, HEIGHT, APEX, SHIFT)])
    pose = part("pose", visit)
    half_width, height, top, shift = frame + (pose.uniform(*REVISIT, 4) if visit else 0)
    height = min(height, (1 - MARGIN - top) / ANGLE[1])
    half_width = min(half_width, (0.5 - MARGIN - abs(shift)) / (1 + TURN[1]))
    canvas = _Canvas(size, 0.5 + shift, top, half_width, height, pose.uniform(*TILT))

    sick, words, fluid = part("finding", visit), [], np.zeros((size, size), np.float32)
    if finding and sick.random() < EFFUSION_ODDS:
        fluid, effusion = _fluid(canvas, sick)
        words.append(effusion)
    masks = _masks(canvas, patient, fluid)
    lungs = (masks[..., 0] | masks[..., 1]).astype(np.float32)
    organs = _organs(canvas, patient)
    chest = canvas.fill([np.r_[patient.walls[0], patient.walls[1][::-1]]], 0.01)
    chest *= canvas.full(_ramp(canvas.t, 1.05, 0.8))

    body = _body(canvas, part("body"), patient)
    layer = body + _breasts(canvas, part("breasts")) if patient.female else body.copy()
    air = part("air")
    hidden = chest * air.uniform(*HIDDEN_AIR)
    layer -= np.maximum(_air(canvas, air, lungs), hidden) * np.maximum(body, 0.5) * air.uniform(*AIR)
    layer += _mediastinum(canvas, part("mediastinum"), patient)
    layer += _heart(canvas, part("heart"), patient)
    layer += _aorta(canvas, part("aorta"), patient)
    layer += _abdomen(canvas, part("abdomen"), organs) * body
    if part("gas").random() < BUBBLE_ODDS:
        layer -= _bubble(canvas, part("bubble"), patient)
    bones = _ribs(canvas, part("ribs"), patient) * (1 - 0.6 * organs)
    bones += _clavicles(canvas, part("clavicles")) + _scapulae(canvas, part("scapulae"), patient)
    layer += bones * np.minimum(1.5 * body, 1)
    layer += _vessels(canvas, part("vessels")) * lungs
    if finding:
        signs, said = _findings(canvas, sick, patient)
        layer += signs * _blur(lungs, 0.003) + fluid * chest * 0.15
        words += said
    layer = _expose(canvas, part("exposure", visit), layer)
    layer = _collimate(canvas, part("collimation", visit), layer, patient)
    layer = _letter(canvas, part("letters", visit), layer)
    return Phantom(_scan(canvas, part("scan", visit), layer), masks), patient, "; ".join(words) or "normal"


# ------------------------------------------------------------------------------------------------ data set
REPEAT_EVERY = 20  # one case in so many is a repeat visit
ORIGINAL_PX = 4096  # pretended height and width of the originals, at 0.0875 mm per px
RECORD = "phantom.json"
FOLDERS = ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask", "ClinicalReadings")
README = """Drawn chest X-rays
==================
These pictures and masks are drawings made by code: lungseg_utils/phantom.py, version {version}, seed {seed},
{count} X-rays of {size} x {size} px. They show no patient; the readings, ages and sexes are invented too.
Files and names follow the Montgomery County X-ray set: leftMask is the lung on the viewer's left, which is the
patient's right lung. IDs that end in _1 have a finding.
"""


@dataclass(frozen=True)
class _Plan:
    """One case to draw; plain values that travel to another process."""

    id: str
    seed: int
    visit: int
    finding: bool
    earlier: tuple[str, ...]  # IDs of the same patient, latest first


def _plan(count: int, seed: int) -> list[_Plan]:
    """Half of the cases have a finding, in random order; every 20th case is a patient who comes back."""
    rng = np.random.default_rng(seed)
    plans, visits = [], {}
    for number in range(1, count + 1):
        finding = bool(rng.integers(2)) if number % 2 else not plans[-1].finding
        patient = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
        if number % REPEAT_EVERY == 0:
            patient = plans[rng.integers(len(plans))].seed
        earlier = visits.setdefault(patient, [])
        id = f"PHANTOM_{number:04d}_{int(finding)}"
        plans.append(_Plan(id, patient, len(earlier), finding, tuple(reversed(earlier))))
        earlier.append(id)
    return plans


def _draw_case(folder: Path, plan: _Plan, size: int) -> None:
    """Draw one case and write its four files."""
    phantom, patient, reading = _draw(plan.seed, plan.visit, size, plan.finding)
    pictures = (phantom.image, phantom.masks[..., 0] * 255, phantom.masks[..., 1] * 255)
    for part, picture in zip(FOLDERS, pictures, strict=False):  # cv2.imwrite fails on some paths of Windows
        (folder / part / f"{plan.id}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    sex, age = "F" if patient.female else "M", patient.age
    if plan.visit:
        age += plan.seed % 2  # half of them come back a year later
        reading += f" (same pt as {', '.join(plan.earlier)})"
    text = f"Patient's Sex: {sex} \nPatient's Age: {age:03d}Y\n{reading}\n"
    (folder / "ClinicalReadings" / f"{plan.id}.txt").write_text(text, encoding="utf-8", newline="\n")


def _start_worker() -> None:
    cv2.setNumThreads(1)  # one process per processor is enough
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles the interruption


def _draw_cases(folder: Path, plans: list[_Plan], size: int, workers: int) -> None:
    """Draw all cases. Whoever draws writes the files, so no pictures gather in memory."""
    with tqdm(total=len(plans), desc="drawing X-rays", unit="case", leave=False) as bar:
        if workers == 1:
            for plan in plans:
                _draw_case(folder, plan, size)
                bar.update()
            return
        # "spawn" starts clean processes: a forked copy of one that has loaded TensorFlow can hang.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
        try:
            for done in as_completed([pool.submit(_draw_case, folder, plan, size) for plan in plans]):
                done.result()
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)


def _is_set(folder: Path, record: dict) -> bool:
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8")) == record
    except (OSError, ValueError):
        return False


def draw_dataset(folder: Path, count: int = 240, size: int = 512, seed: int = 2022, workers: int | None = None) -> Path:
    """Draw a whole data set in the layout of the Montgomery set; returns at once when it stands there already.

    The files do not depend on the number of workers. They are drawn in a temporary folder beside the target, which
    is renamed at the end, so an interrupted run leaves nothing that looks whole.

    Args:
        folder: where the set goes; missing parents are made.
        count: number of X-rays; half of them have a finding, one in twenty is a repeat visit.
        size: height and width, px.
        seed: of the whole set, 0 or more.
        workers: processes that draw; by default as many as there are processors. 1 draws in this process. A script
            that asks for more needs ``if __name__ == "__main__":`` around its own code; notebooks do not.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something other than this set.
    """
    folder = Path(folder).absolute()
    record = {"version": PHANTOM_VERSION, "count": count, "size": size, "seed": seed}
    if _is_set(folder, record):
        return folder
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        asked = ", ".join(f"{name} {value}" for name, value in record.items())
        raise FileExistsError(
            f"{folder} is there, but is not the drawn set of {asked}: remove it or name another folder."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-unfinished-", dir=folder.parent))
    try:
        for part in FOLDERS:
            (unfinished / part).mkdir(parents=True)
        plans = _plan(count, seed)
        _draw_cases(unfinished, plans, size, min(workers or os.cpu_count() or 1, count))
        sizes = "id,original_width_px,original_height_px\n"
        sizes += "".join(f"{plan.id},{ORIGINAL_PX},{ORIGINAL_PX}\n" for plan in plans)
        (unfinished / "original_sizes.csv").write_text(sizes, newline="\n")
        (unfinished / "README.txt").write_text(README.format(**record), newline="\n")
        (unfinished / RECORD).write_text(json.dumps(record) + "\n", newline="\n")
        unfinished.chmod(0o755)  # a temporary folder is closed to others
        if folder.exists() and not _is_set(folder, record):
            folder.rmdir()  # an empty one, checked above
        if not folder.exists():  # else another run has finished the same set meanwhile
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
