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
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from statistics import NormalDist

import cv2
import numpy as np
from scipy.interpolate import splev, splprep
from tqdm import tqdm

PHANTOM_VERSION = 2  # part of the bytes: raise it whenever a drawing changes

# Ranges of shape and place were widened until drawn lungs span the published percentiles of real ones in
# real_ranges.json (Montgomery County set; `python -m lungseg_utils compare` prints both side by side, and a test holds
# them together). Attenuations are wider than any real ones: a network that has seen them all learns shapes.
# Ranges are (low, high), drawn evenly. Units: "picture" is a fraction of the picture's height or width, u and t are
# body coordinates, "torso" is the attenuation of the thickest part of the torso.

# Patient and pose
HALF_WIDTH = (0.26, 0.48)  # of the chest, picture
HEIGHT = (0.45, 0.92)  # from the apices to the costophrenic angles, picture
APEX = (0.02, 0.19)  # upper edge of the lungs, picture
SHIFT = (-0.06, 0.06)  # of the mid-line from the middle, picture
MARGIN = 0.01  # least distance of a lung from the lower and side edges, picture
TILT = (-4, 4)  # degrees
TURN = (-0.1, 0.1)  # how much wider one half of the chest is, because the patient is turned, fraction
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
BREAST = (0.05, 0.60)  # torso

# 2 Lungs. Borders are (u, t) of the viewer's right half and, for the heart's other border, of the viewer's left.
OUTER = ((1.0, 0.93), (0.987, 0.83), (0.952, 0.7), (0.908, 0.5), (0.84, 0.3), (0.73, 0.15), (0.594, 0.06))
SUMMIT = ((0.35, 0.0), (0.14, 0.06), (0.097, 0.13))
ATRIUM = ((0.1, 0.2), (0.12, 0.3), (0.15, 0.4), (0.21, 0.52), (0.255, 0.63), (0.26, 0.73), (0.245, 0.93))
HEART_SIDE = ((0.12, 0.19), (0.18, 0.25), (0.18, 0.33), (0.22, 0.42), (0.29, 0.52), (0.43, 0.64), (0.56, 0.9))
APEX_WIDTH, APEX_WIDTH_STEP = (0.84, 1.4), (-0.1, 0.1)  # factor on the width of the upper lungs, and between the two
APEX_FLAT = (0.5, 1.2)  # factor on how steeply an apex falls to the outer side
APEX_STEP = (-0.03, 0.03)  # height of an apex, t
WALL = (-0.1, 0.1)  # bow of the outer wall at half of its height, u
UPPER_GAP = (0.6, 1.6)  # factor on the width of the upper mediastinum
ATRIUM_SIZE, HEART_SIZE = (0.4, 2.0), (0.55, 1.5)  # factors on the heart's bulge, viewer's left and right
HEART_SHIFT = (-0.06, 0.06)  # of the heart to one side, u
KNOB = (-0.04, 0.08)  # added bulge of the aortic knob, u
WAVES = ((3, 0.04), (6, 0.025), (11, 0.015))  # bends of a border: (radians per t, amplitude in u)
DOME = (0.68, 0.90)  # height of the diaphragm's dome on the viewer's left, t
DOME_STEP = (-0.06, 0.09)  # by how much the other dome is lower, t
DOME_DIP = (-0.02, 0.06)  # by how much the diaphragm is lower in the middle, t
DOME_POWER = (2.0, 6.0)  # how abruptly a dome falls to the costophrenic angle
ANGLE = (0.94, 1.08)  # height of the costophrenic angle, t
AIR = (0.45, 0.88)  # torso
AIR_RIM = (0.02, 0.14)  # depth inside the lung at which it has its full thickness, picture
AIR_POWER = (0.25, 0.8)  # how steeply it gets there
AIR_APEX = (0.0, 0.7)  # by how much the lungs hold less air at their apices, where they are thin; share
PLEURA = (0.0, 0.04)  # chest wall that the outer lung is hidden by, because the wall curves; u
HIDDEN_AIR = (0.1, 0.85)  # lung behind heart and diaphragm, which the masks leave out; share of AIR
RECESS = (0.02, 0.15)  # how far below its dome the lung behind the diaphragm thins out, t

SWELL, SWELL_POWER = (0.003, 0.04), (0.3, 1.0)  # depth at which heart and liver are fully thick, pictures

# 3 to 5 Between the lungs
MEDIASTINUM = (0.03, 0.42)  # torso
MEDIASTINUM_WIDTH = (0.13, 0.6)  # half-width beyond which it thins out, u
NECK_SHADOW, NECK_REACH = (0.0, 0.3), (0.2, 0.5)  # muscles and vessels that cover the inner apices: torso; u
SPINE = (0.08, 0.36)  # torso
SPINE_WIDTH = (0.11, 0.16)  # half-width, u
VERTEBRA = (0.065, 0.085)  # spacing, t
TRACHEA = (0.0, 0.25)  # torso
HEART = (0.05, 0.32)  # torso
AORTA = (0.0, 0.16)  # torso

# 6 and 7 Below the diaphragm
ABDOMEN = (0.25, 0.85)  # torso
BUBBLE_ODDS, LOOPS_ODDS = 0.6, (0.2, 0.6)  # of gas in the stomach; in the bowel, viewer's left and right
GAS = (0.1, 0.9)  # torso

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
INFILTRATE = (0.10, 0.60)  # torso
NODULE = (0.08, 0.28)  # torso
CAVITY = (0.12, 0.38)  # torso
SCAR = (0.06, 0.25)  # torso
EFFUSION_ODDS = 0.35
EFFUSION = (0.60, 0.98)  # level of the fluid, t
FLUID = (0.05, 0.6)  # torso
CUT_ODDS = 0.2  # of a mask that ends at the fluid; the others follow the lung that is thought to be behind it

# 13 to 17 Wires and picture
WIRES_ODDS = 0.2
WIRE = (0.1, 0.6)  # torso
SCATTER = (0.0, 0.08)  # slow unevenness, torso
SIDE_SLOPE, DOWN_SLOPE = (-0.1, 0.1), (-0.1, 0.2)  # unevenness of the beam, torso per u and per t
WHITE = (86.0, 99.5)  # percentile of the attenuation that is shown as white
EQUALISER = (0.3, 0.9)  # share of the slow changes that some digital machines take out
EQUALISER_ODDS, EQUALISER_RADIUS = 0.25, (0.06, 0.2)  # radius in pictures
GAMMA = (0.55, 1.6)
SIGMOID_ODDS = 0.5  # of a contrast curve like film's, with this middle (share of white) and slope there
SIGMOID_MIDDLE, SIGMOID_SLOPE = (0.3, 0.5), (4, 8)
BORDER_ODDS = (0.7, 0.2, 0.2)  # of a black border below, on the viewer's left, on the viewer's right
RIM_ODDS = 0.3  # of a bright rim along it
LETTERS = (("R", 0.6, 0.02), ("PA", 0.4, 0.83), ("ERECT", 0.4, 0.77), ("L", 0.2, 0.86))  # text, odds, place
BLUR = (0.0, 0.003)  # picture
GRAIN = (0.0, 0.05)  # of the full grey range, at FINE px
BLACK, BRIGHT = (0.0, 0.08), (0.88, 1.0)  # greys of no light and of white in half of the pictures, full range

# What can be left out or held still, to see what it is worth
PARTS = {
    "bones": "ribs, clavicles, shoulder blades",
    "heart": "heart, aorta, spine and what lies around them",
    "hidden air": "lung that shines through heart and diaphragm",
    "vessels": "hila and vessels of the lungs",
    "breasts": "breasts",
    "gas": "gas in stomach and bowel",
    "findings": "signs of disease",
    "objects": "black borders, letters, wires",
    "blur and grain": "blur and grain of the picture",
    "exposure": "random exposure: one contrast curve for all pictures",
    "thickness": "random thickness: body, lungs, heart and belly absorb the same in all pictures",
    "shape": "random shape and place: one chest for all pictures",
}
HELD = {  # parts that go on with the random numbers of seed 0
    "exposure": ("exposure",),
    "thickness": ("body", "air", "hidden air", "mediastinum", "heart", "aorta", "abdomen"),
    "shape": ("patient", "frame", "pose"),
}

LOW, MIDDLE, FINE = 128, 256, 512  # grids on which slow layers, distances and grain are computed, px
CIRCLE = np.stack([np.cos(np.arange(48) * np.pi / 24), np.sin(np.arange(48) * np.pi / 24)], 1)
NORMAL = np.float32([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)])  # normal value of a random byte

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


def draw_phantom(seed: int, size: int = 512, finding: bool = False, without: Collection[str] = ()) -> Phantom:
    """Draw one X-ray and its masks. The same seed gives the same bytes, and the same anatomy at any size.

    Args:
        seed: 0 or more.
        size: height and width, px; 64 or more.
        finding: whether to add signs of disease; the patient is the same with and without.
        without: names from `PARTS`, to leave out or to hold still.

    Raises:
        ValueError: there is no part of that name.
    """
    unknown = set(without) - set(PARTS)
    if unknown:
        raise ValueError(f"There is no part named {', '.join(sorted(unknown))}. The parts are: {', '.join(PARTS)}.")
    return _draw(seed, 0, size, finding and "findings" not in without, without)[0]


# ------------------------------------------------------------------------------------------------ tools
def _curve(points, count: int = 80) -> np.ndarray:
    """Smooth open curve through points, (count, 2)."""
    points = np.asarray(points, float)
    x, y = points.T
    way = np.append(0, np.hypot(np.diff(x), np.diff(y)).cumsum())
    spline, _ = splprep((x, y), u=way, s=0)  # five times as fast as CubicSpline, and the same curve
    return np.stack(splev(np.linspace(0, way[-1], count), spline), 1)


def _oval(u: float, t: float, wide: float, tall: float, level: float = 1) -> np.ndarray:
    """Ellipse, (48, 2); a level from -1 (top) to 1 (bottom) cuts its lower part off flat."""
    return np.minimum(CIRCLE, (1, level)) * (wide, tall) + (u, t)


def _mirror(points, side: int) -> np.ndarray:
    """Points given for the viewer's right, for side 1 (viewer's right) or -1 (viewer's left)."""
    return np.multiply(points, (float(side), 1.0))


def _both(points) -> np.ndarray:
    """Points given for the viewer's right, for both sides, (2, n, 2)."""
    return np.stack([_mirror(points, -1), _mirror(points, 1)])


def _ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 at start, 1 at end, straight between."""
    layer = (values - start) * (1 / (end - start))
    return np.clip(layer, 0, 1, out=layer)


def _table(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """np.interp for a whole layer, through a table of 1024 steps: many times faster; float32."""
    low, high = float(x[0]), float(x[-1])
    steps = np.interp(np.linspace(low, high, 1024), x, y).astype(np.float32)
    return steps.take((_ramp(values, low, high) * 1023).astype(np.intp))


def _bell(away: np.ndarray) -> np.ndarray:
    """1 at 0, falling off as exp(-away)."""
    return cv2.exp(-np.minimum(away, 20))  # sums with numbers near the smallest float are many times slower


def _resize(layer: np.ndarray, size: int) -> np.ndarray:
    while layer.shape[0] >= 4 * size:  # OpenCV is many times faster at halves than at quarters
        layer = cv2.resize(layer, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if layer.shape[0] == size:
        return layer
    how = cv2.INTER_AREA if layer.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(layer, (size, size), interpolation=how)


def _grid(size: int, radius: float) -> int:
    """The coarsest grid, a half, a quarter ... of size px, that does for a blur of this radius."""
    while radius * size > (1.25 if size > LOW else 4):
        size //= 2
    return size


def _blur(layer: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur; radius in fractions of the picture. Wide blurs are computed on a smaller grid."""
    size = layer.shape[0]
    small = _grid(size, radius)
    sigma = radius * small  # px
    if sigma < 0.3:
        return layer
    taps = 2 * round(3 * sigma) + 1  # OpenCV's own choice reaches out to 4 sigma
    return _resize(cv2.GaussianBlur(_resize(layer, small), (taps, taps), sigma), size)


def _fill(shapes, size: int, finer: int = 2, shades: Iterable[float] = repeat(1.0)) -> np.ndarray:
    """Fill polygons given in fractions of the picture, each over those before; (size, size) float32 from 0 to 1."""
    layer = np.zeros((size * finer, size * finer), np.uint8)

    def pixels(points: np.ndarray) -> np.ndarray:  # in 16ths of a pixel
        return np.rint(np.multiply(points, 16.0 * size * finer) - 8).astype(np.int32)

    shapes = pixels(shapes) if isinstance(shapes, np.ndarray) else map(pixels, shapes)  # an array: all at once
    for shape, shade in zip(shapes, shades, strict=False):
        cv2.fillPoly(layer, [shape], 255 * shade, shift=4)
    return np.multiply(_resize(layer, size), 1 / 255, dtype=np.float32)


class _Canvas:
    """One patient placed in one picture: draws in body coordinates."""

    def __init__(self, size: int, middle: float, top: float, half_width: float, height: float, tilt: float):
        self.size, self.half_width = size, half_width
        turn = np.deg2rad(tilt)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self.matrix = rotation @ np.diag([half_width, height])
        self.origin = np.array([middle, top + height / 2]) - self.matrix @ (0, 0.5)
        axis = (np.arange(LOW) + 0.5) / LOW
        across, down = axis - self.origin[0], axis[:, None] - self.origin[1]
        self.u, self.t = (np.float32(a * across + b * down) for a, b in np.linalg.inv(self.matrix))

    def place(self, points) -> np.ndarray:
        """Body coordinates to fractions of the picture, (..., 2)."""
        return np.dot(points, self.matrix.T) + self.origin

    def fill(self, shapes, blur: float = 0, shades: Iterable[float] = repeat(1.0)) -> np.ndarray:
        """Fill polygons, each over those before, and blur them; (size, size) float32 from 0 to 1."""
        layer = _fill([self.place(shape) for shape in shapes], _grid(self.size, blur), shades=shades)
        return _resize(_blur(layer, blur), self.size)

    def bands(self, lines, widths, blur: float = 0) -> np.ndarray:
        """Fill bands along lines (n, points, 2); widths in u broadcast to (n, points)."""
        lines = np.dot(self.place(lines), (1, 1j))  # x + iy: a factor of i turns by a right angle
        steps = np.diff(lines)
        along = np.concatenate([steps[:, :1], steps[:, :-1] + steps[:, 1:], steps[:, -1:]], 1)
        half = along / abs(along) * (np.asarray(widths) * (0.5j * self.half_width))
        bands = np.concatenate([lines + half, (lines - half)[:, ::-1]], 1)
        layer = _fill(bands.view(float).reshape(*bands.shape, 2), _grid(self.size, blur))
        return _resize(_blur(layer, blur), self.size)

    def spot(self, u: float, t: float, wide: float, tall: float) -> np.ndarray:
        """Soft spot, (LOW, LOW) float32 from 0 to 1."""
        u, t, wide, tall = (float(value) for value in (u, t, 1 / wide, 1 / tall))  # NumPy's would double the layers
        return _bell(((self.u - u) * wide) ** 2 + ((self.t - t) * tall) ** 2)

    def full(self, layer: np.ndarray) -> np.ndarray:
        """A slow layer at the size of the picture."""
        return _resize(layer.astype(np.float32, copy=False), self.size)

    def noise(self, rng: Rng, cells: int) -> np.ndarray:
        """Smooth noise with about `cells` bumps across the picture; (size, size) float32, deviation near 1."""
        values = rng.standard_normal((cells, cells), dtype=np.float32)
        fine = 8 * cells if 16 * cells <= self.size else self.size  # eight points make a bump look smooth, and are fast
        return _resize(cv2.resize(values, (fine, fine), interpolation=cv2.INTER_CUBIC), self.size)


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
    turn, apex, gap, shift = (u(*r) for r in (TURN, APEX_WIDTH, UPPER_GAP, HEART_SHIFT))
    dome, dip = u(*DOME), u(*DOME_DIP)
    for side in (-1, 1):
        level = dome if side == -1 else dome + u(*DOME_STEP)
        width = apex + u(*APEX_WIDTH_STEP)
        border, top = _lung_border(rng, side, 1 + side * turn / 2, width, gap, side * shift)
        v = np.linspace(0, 1, 100)
        fall = level + (border[0, 1] - level) * v ** u(*DOME_POWER) + (dome + dip - level) * (1 - v) ** 3
        diaphragm = np.stack([v * border[0, 0], fall], 1)
        below = border[top:, 1] > np.interp(border[top:, 0], *diaphragm.T)
        medial = border[top : top + np.argmax(below)] if below.any() else border[top:]
        base = diaphragm[diaphragm[:, 0] > medial[-1, 0]]
        patient.walls.append(_mirror(border[: top + 1], side))
        patient.medials.append(_mirror(medial, side))
        patient.domes.append(_mirror(diaphragm, side))
        patient.outlines.append(_mirror(np.concatenate([border[:top], medial, base]), side))
    return patient


def _lung_border(rng: Rng, side: int, wide: float, apex: float, gap: float, shift: float) -> tuple[np.ndarray, int]:
    """Border of a lung from the costophrenic angle over the apex to the foot of the heart, and the apex's index."""
    u = rng.uniform
    medial = np.array(ATRIUM if side == -1 else HEART_SIDE)
    size = u(*(ATRIUM_SIZE if side == -1 else HEART_SIZE))
    medial[:, 0] = 0.11 + (medial[:, 0] - 0.11) * np.where(medial[:, 1] > 0.4, size, 1)
    medial[:, 0] *= np.interp(medial[:, 1], (0.3, 0.6), (gap, 1))
    medial[:, 0] += shift * _ramp(medial[:, 1], 0.3, 0.6)
    if side == 1:
        medial[:, 0] += u(*KNOB) * np.exp(-(((medial[:, 1] - 0.25) / 0.06) ** 2))
    upper = np.array(OUTER + SUMMIT)
    upper[:, 0] *= np.interp(upper[:, 1], (0, 0.5), (apex, 1))
    upper[: len(OUTER), 1] *= np.interp(upper[: len(OUTER), 1], (0.06, 0.35), (u(*APEX_FLAT), 1))
    upper[: len(OUTER), 0] += u(*WALL) * np.sin(np.pi * upper[: len(OUTER), 1])
    points = np.concatenate([upper, medial])
    for rate, size in WAVES:
        bend = size * u(-1, 1) * np.sin(rate * points[:, 1] + u(0, 2 * np.pi))
        points[:, 0] += bend * np.clip(5 * points[:, 1], 0, 1)
    points[:, 0] = np.maximum(points[:, 0], 0.06) * wide
    points[:, 1] += u(*APEX_STEP) * _ramp(points[:, 1], 0.4, 0)
    border = _curve(np.concatenate([[(points[0, 0] - u(0, 0.03), u(*ANGLE))], points]), 240)
    return border, int(np.argmin(border[:, 1]))


def _masks(canvas: _Canvas, patient: _Patient, fluid: np.ndarray) -> np.ndarray:
    """Masks of both lungs, (size, size, 2) uint8; what lies in fluid is cut away; each lung is one piece."""
    finer, dry = max(2, 2 * FINE // canvas.size), 1 - fluid
    masks = np.zeros((2, canvas.size, canvas.size), np.uint8)
    for mask, outline in zip(masks, patient.outlines, strict=True):
        lung = _fill([canvas.place(outline)], canvas.size, finer) * dry > 0.5
        pieces, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mask, [max(pieces, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    masks[1] &= 1 - masks[0]
    return cv2.merge(list(masks))


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
    shapes = [np.concatenate([half, _mirror(half, -1)[::-1]])]
    shapes += list(_both(np.concatenate([axis - across, (axis + across)[::-1]])))
    inside = _fill([canvas.place(shape) for shape in shapes], MIDDLE) > 0.5
    edged = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = _ramp(cv2.distanceTransform(edged, cv2.DIST_L2, 5)[1:-1, 1:-1], 0, MIDDLE * u(*ROUNDING))
    return canvas.full(_blur(np.sqrt(depth * (2 - depth)), 0.004))


def _breasts(canvas: _Canvas, rng: Rng) -> np.ndarray:
    """1: breasts, with the sharp lower edge that crosses the lower lungs."""
    u = rng.uniform
    at, low, wide, tall = u(0.5, 0.75), u(0.8, 1.1), u(0.35, 0.6), u(0.25, 0.4)
    round_ = 1 - ((np.abs(canvas.u) - at) / wide) ** 2 - ((canvas.t - low + tall) / tall) ** 2
    return canvas.full(_blur(np.sqrt(np.maximum(round_, 0)), 0.006)) * u(*BREAST)


def _inwards(inside: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel outside, in pictures; (MIDDLE, MIDDLE) float32."""
    inside = (_resize(inside, MIDDLE) > 0.5).astype(np.uint8)
    inside = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] * (1 / MIDDLE)


def _air(canvas: _Canvas, rng: Rng, patient: _Patient, lungs: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """2: air in the chest, thinner towards its outer wall and the apices."""
    u = rng.uniform
    deep = [(1.0, 1.8), (-1.0, 1.8)]  # the wall goes on below the angles
    chest = canvas.fill([np.concatenate([patient.walls[0], patient.walls[1][::-1], deep])])
    rim, power = u(*AIR_RIM), u(*AIR_POWER)
    thick = cv2.pow(_ramp(_inwards(chest), -0.002, rim - 0.002), power)
    beside = cv2.pow(_ramp(_inwards(lungs), -0.002, rim - 0.002), power)  # less air beside heart and diaphragm too
    thick *= 1 - u(0, 1) * (1 - np.where(beside > 0, beside, 1))
    thin = 1 - u(*AIR_APEX) * _ramp(canvas.t, u(0.08, 0.25), 0)
    walls = np.stack([wall[np.linspace(0, len(wall) - 1, 40, dtype=int)] for wall in patient.walls])
    pleura = canvas.bands(walls, 2 * u(*PLEURA))
    share = canvas.full(thick) * canvas.full(thin) * (1 - u(0.5, 1) * pleura)
    return _blur(share * np.maximum(lungs, hidden), 0.002)


def _hidden_air(canvas: _Canvas, rng: Rng, patient: _Patient, away: np.ndarray) -> np.ndarray:
    """2: share of lung before and behind the heart, and behind the diaphragm, which the masks leave out.

    It is nearly whole at the border of the masked lung, and falls with the distance `away` from there.
    """
    u = rng.uniform
    chest = canvas.fill([np.concatenate([patient.walls[0], patient.walls[1][::-1]])], 0.003)
    dome = np.concatenate([patient.domes[0][::-1], patient.domes[1]])
    below = np.maximum(canvas.t - _table(canvas.u, *dome.T), 0)
    beside = 1 - u(0, 1) * _bell(cv2.pow(canvas.u / 0.14, 4))  # the spine and great vessels leave less room
    share = (
        beside * _bell(below / u(*RECESS)) * (1 - (below > 0) * u(0, 0.6)) * _ramp(canvas.t, 0, 0.2) * (1 - u(0, 0.4))
    )
    return chest * canvas.full(share * (1 - (1 - u(*HIDDEN_AIR)) * _swell(rng, away)))


def _swell(rng: Rng, away: np.ndarray) -> np.ndarray:
    """How thick an organ is, from 0 at its rim to 1: organs are round, so their shadow deepens inwards."""
    return cv2.pow(_ramp(away, 0, rng.uniform(*SWELL)), rng.uniform(*SWELL_POWER))


def _mediastinum(canvas: _Canvas, rng: Rng, patient: _Patient, away: np.ndarray) -> np.ndarray:
    """3: mediastinum between the lungs, spine with its vertebrae, trachea, and the neck in front of the apices."""
    u = rng.uniform
    layer = canvas.fill([np.concatenate([patient.medials[0], patient.medials[1][::-1]])], 0.005) * u(*MEDIASTINUM)
    layer *= canvas.full(_bell(cv2.pow(canvas.u / u(*MEDIASTINUM_WIDTH), 4)) * _swell(rng, away))
    width, pitch, gaps = u(*SPINE_WIDTH), u(*VERTEBRA), u(0, 0.35)
    spine = _bell(cv2.pow(canvas.u / width, 4)) * (1 - gaps * cv2.pow(np.cos(canvas.t * (np.pi / pitch)), 8))
    trachea = _bell(cv2.pow((canvas.u - u(-0.03, 0.02)) / u(0.05, 0.075), 4)) * _ramp(canvas.t, 0.38, 0.3)
    neck = canvas.spot(0, 0, u(*NECK_REACH), u(0.1, 0.25)) * u(*NECK_SHADOW)
    return layer + canvas.full(u(*SPINE) * spine - u(*TRACHEA) * trachea + neck)


def _heart(canvas: _Canvas, rng: Rng, patient: _Patient, away: np.ndarray) -> np.ndarray:
    """4: heart, between the medial borders and the diaphragm; it fades upwards into the great vessels."""
    left, right = patient.medials
    left_foot = patient.domes[0][patient.domes[0][:, 0] > left[-1, 0]]
    right_foot = patient.domes[1][patient.domes[1][:, 0] < right[-1, 0]]
    shape = np.concatenate([right, right_foot[::-1], left_foot, left[::-1]])
    thick = _ramp(canvas.t, 0.42, 0.65) * _swell(rng, away)
    return canvas.fill([shape], rng.uniform(0.001, 0.008)) * canvas.full(thick * rng.uniform(*HEART))


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
    return canvas.fill([np.concatenate([left[::-1], right, sides])], 0.003)


def _abdomen(canvas: _Canvas, rng: Rng, organs: np.ndarray, away: np.ndarray) -> np.ndarray:
    """6: liver, stomach and gut, thicker further down."""
    deeper = _ramp(canvas.t, 0.75, rng.uniform(0.85, 1.15))
    share = (0.55 + 0.45 * deeper) * _swell(rng, away + 0.005)
    return organs * canvas.full(share * rng.uniform(*ABDOMEN))


def _gas(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """7: gas below the diaphragm, in the stomach and in the bowel on either side."""
    layer = np.zeros((canvas.size, canvas.size), np.float32)
    if rng.random() < BUBBLE_ODDS:
        layer += _bubble(canvas, rng, patient)
    for side, odds in zip((-1, 1), LOOPS_ODDS, strict=True):
        if rng.random() < odds:
            layer += _loops(canvas, rng, patient, side)
    return layer


def _bubble(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """7: gas in the stomach, under the dome on the viewer's right, often above a level of fluid."""
    u = rng.uniform
    at, wide, tall, level = u(0.25, 0.75), u(0.1, 0.4), u(0.04, 0.2), u(-0.1, 1)
    dome = patient.domes[1].T
    shape = _oval(at, np.interp(at, *dome) + tall + u(0.01, 0.06), wide, tall, level)
    shape[:, 1] = np.maximum(shape[:, 1], np.interp(shape[:, 0], *dome) + u(0.004, 0.03))
    return canvas.fill([shape], u(0.003, 0.01)) * u(*GAS)


def _loops(canvas: _Canvas, rng: Rng, patient: _Patient, side: int) -> np.ndarray:
    """7: gas in the bowel under a dome: pouches in a row, each a bit darker or brighter than its neighbour."""
    u, count = rng.uniform, rng.integers(3, 9)
    dome = _mirror(patient.domes[(side + 1) // 2], side).T
    at = u(0.2, 0.8) + np.cumsum(u(-0.15, 0.2, count))
    down = u(0.01, 0.12) + np.cumsum(u(-0.03, 0.06, count))
    gap, shapes, shades = u(0.004, 0.03), [], []
    for x, y in zip(np.minimum(at, 0.98), down, strict=True):
        shape = _oval(x, np.interp(x, *dome) + y, u(0.05, 0.2), u(0.025, 0.1), u(0, 1.5))
        shape[:, 1] = np.maximum(shape[:, 1], np.interp(shape[:, 0], *dome) + gap)
        shapes.append(_mirror(shape, side))
        shades.append(u(0.3, 1))
    order = np.argsort(shades)  # the brightest on top
    return canvas.fill([shapes[i] for i in order], u(0.002, 0.008), np.sort(shades)) * u(*GAS)


def _bone(canvas: _Canvas, layer: np.ndarray, width: float) -> np.ndarray:
    """Give a filled bone of a width in u a bright rim and a paler middle."""
    rim = cv2.subtract(layer, _blur(layer, width * canvas.half_width / 3))
    return cv2.addWeighted(layer, 0.55, np.maximum(rim, 0, out=rim), 1.2, 0)


def _ribs(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """8: ribs: rear parts from the spine outwards, front parts from there down and back towards the middle."""
    u = rng.uniform
    pitch, width, first = u(*RIB_PITCH), u(*RIB_WIDTH), u(-0.04, 0)
    drop, lift, slope = u(0.05, 0.12), u(0, 0.03), u(0.1, 0.2)
    turn = np.linspace(0, np.pi / 2, 16)
    rear, fore = [], []
    for side, wall in zip((-1, 1), patient.walls, strict=True):
        reach, height = _mirror(wall, side)[::-1].T
        j = np.arange(int(1.1 / pitch))[:, None]  # one row for each rib
        at, inner = rng.uniform((-0.006, 0.28), (0.006, 0.4), (len(j), 2)).T[..., None] + (first + j * pitch, 0.02 * j)
        fall = drop * (0.7 + 0.09 * j)
        end = np.interp(at + fall, height, reach) + 0.02
        down = at + fall * (1 - np.cos(turn)) - lift * np.sin(2 * turn)
        rear.append(_mirror(np.stack([0.1 + (end - 0.1) * np.sin(turn), down], -1), side))
        down = at + fall + slope * (0.7 + 0.07 * j) * np.sin(turn)
        front = _mirror(np.stack([inner + (end - inner) * np.cos(turn), down], -1), side)
        fore.append(front[((j < 8) & (inner < end))[:, 0]])
    away, share = np.abs(canvas.u), u(*RIB)
    front = share * u(0.2, 1)
    near = canvas.full(_ramp(away, 0.04, 0.16) * share)  # hidden by the spine
    far = canvas.full(_ramp(away, 0.33, 0.63) * front)  # gristle is not seen
    layer = canvas.bands(np.concatenate(rear), width) * near
    layer += canvas.bands(np.concatenate(fore), width * np.linspace(1, 1.2, 16)) * far
    return _bone(canvas, layer, width)


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


BLADE_CURVE = _curve([*BLADE, BLADE[0]])


def _scapulae(canvas: _Canvas, rng: Rng, patient: _Patient) -> np.ndarray:
    """10: scapulae, and the bones of the upper arms."""
    u = rng.uniform
    blade = BLADE_CURVE + (u(0, 0.25), u(-0.04, 0.05))
    joint = np.array((1.36, patient.shoulder + 0.1))
    shaft = joint + np.linspace(0, 2, 20)[:, None] * (np.cos(patient.arm), 0.6 * np.sin(patient.arm))
    arms = np.maximum(canvas.fill(_both(_oval(*joint, 0.13, 0.08))), canvas.bands(_both(shaft), 0.14))
    return _bone(canvas, canvas.fill(_both(blade)) + u(0.5, 1.5) * arms, 0.08) * u(*SCAPULA)


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


def _vessels(canvas: _Canvas, rng: Rng) -> np.ndarray:
    """11: hila, the vessels that branch from them and fade outwards, and a fine unevenness of the lungs."""
    u = rng.uniform
    hila, near, roots = 0, 0, []
    for side in (-1, 1):
        at, level = u(0.2, 0.3), u(0.42, 0.5) - (0.03 if side == 1 else 0)
        hila = hila + canvas.spot(side * at, level, u(0.08, 0.16), u(0.06, 0.15))
        near = near + canvas.spot(side * at, level + 0.05, 0.45, 0.4)
        angles = np.linspace(-1.4, 1.6, 9) + rng.normal(0, 0.15, 9)
        start, length, width = (side * (at - 0.03), level), u(0.16, 0.3), u(*VESSEL_WIDTH)
        roots += [(*start, angle if side == 1 else np.pi - angle, length, width) for angle in angles]
    cloud = canvas.noise(rng, 30) + 0.7 * canvas.noise(rng, 70)
    hilum = canvas.full(hila * u(*HILUM)) * (1 + 0.3 * cloud)
    starts, (angles, lengths, widths) = np.array(roots)[:, :2], np.array(roots).T[2:]
    tree = canvas.bands(*_tree(rng, starts, angles, lengths, widths), 0.001)
    return hilum + tree * canvas.full(near * u(*VESSEL)) + cloud * u(*TEXTURE)


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
    at, t, where = _spot_in_lung(rng, patient, 0.05, 0.9)
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
    """Fluid below a level: it blunts a costophrenic angle and climbs at the wall."""
    side, level, rise = int(rng.choice((-1, 1))), rng.uniform(*EFFUSION), rng.uniform(0, 0.18)
    v = np.linspace(0, 1, 50)
    surface = np.stack([1.2 * v, level + rise / 3 - rise * v ** rng.uniform(2, 6)], 1)
    shape = np.r_[surface, [(1.3, 1.3), (0, 1.3)]]
    return canvas.fill([_mirror(shape, side)]), f"effusion, {_side(side)} costophrenic angle blunted"


FINDINGS = (_infiltrate, _infiltrate, _nodules, _cavity, _scar)  # infiltrates are the most frequent


def _findings(canvas: _Canvas, rng: Rng, patient: _Patient) -> tuple[np.ndarray, list[str]]:
    """One to three signs of disease inside the lungs."""
    count = 1 + rng.choice(3, p=FINDING_COUNT)
    layers, words = zip(*(FINDINGS[i](canvas, rng, patient) for i in rng.permutation(5)[:count]), strict=True)
    return np.maximum(sum(layers), -0.1), list(dict.fromkeys(words))


# ------------------------------------------------------------------------------------------------ picture
def _place(size: int, frame: Rng, pose: Rng, visit: int) -> _Canvas:
    """Place a patient in the picture: a second visit differs a little."""
    numbers = np.array([frame.uniform(*r) for r in (HALF_WIDTH, HEIGHT, APEX, SHIFT)])
    half_width, height, top, shift = numbers + (pose.uniform(*REVISIT, 4) if visit else 0)
    height = min(height, (1 - MARGIN - top) / ANGLE[1])
    half_width = min(half_width, (0.5 - MARGIN - abs(shift)) / (1 + TURN[1]))
    return _Canvas(size, 0.5 + shift, top, half_width, height, pose.uniform(*TILT))


def _wires(canvas: _Canvas, rng: Rng) -> np.ndarray:
    """13: leads, tubes, buttons and the box of a pacemaker, on some patients."""
    u = rng.uniform
    if rng.random() > WIRES_ODDS:
        return np.zeros((canvas.size, canvas.size), np.float32)
    lines = [_curve(u((-1.1, -0.3), (1.1, 1.2), (4, 2)), 60) for _ in range(rng.integers(1, 4))]
    layer = canvas.bands(np.array(lines), u(0.008, 0.03), 0.001)
    discs = [_oval(*u((-1, 0), (1, 1)), *(u(0.02, 0.05) * np.array((1, 0.62)))) for _ in range(rng.integers(0, 4))]
    if rng.random() < 0.3:
        discs.append(_oval(rng.choice((-1, 1)) * u(0.5, 0.8), u(0.1, 0.25), 0.16, 0.09))
    return np.maximum(layer, canvas.fill(discs, 0.001)) * u(*WIRE)


def _expose(canvas: _Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """14: scatter, window and contrast curve; (size, size) float32 from 0 to 1."""
    u = rng.uniform
    layer = layer + canvas.noise(rng, 4) * u(*SCATTER) + canvas.noise(rng, 8) * u(*SCATTER) / 2
    layer += canvas.full(u(*SIDE_SLOPE) * canvas.u + u(*DOWN_SLOPE) * canvas.t)
    if rng.random() < EQUALISER_ODDS:
        layer -= u(*EQUALISER) * _blur(layer, u(*EQUALISER_RADIUS))
    ranked = np.sort(_resize(layer, LOW // 2), axis=None)
    black, white = (float(ranked[int(len(ranked) * share / 100)]) for share in (2, u(*WHITE)))
    layer = cv2.pow(_ramp(layer, black * u(0.6, 1), white), u(*GAMMA))
    if rng.random() < SIGMOID_ODDS:
        middle, slope = u(*SIGMOID_MIDDLE), u(*SIGMOID_SLOPE)
        low, high = (1 / (1 + np.exp(slope * (middle - end))) for end in (0, 1))
        layer = _ramp(1 / (1 + cv2.exp((middle - layer) * slope)), float(low), float(high))
    return layer


def _collimate(canvas: _Canvas, rng: Rng, layer: np.ndarray, patient: _Patient) -> np.ndarray:
    """15: black borders where no X-rays were let through, never over a lung; some with a bright rim."""
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
    """16: letters in the upper corners, some dark in a bright box."""
    u, font, grey = rng.uniform, cv2.FONT_HERSHEY_SIMPLEX, np.zeros((FINE, FINE), np.uint8)
    for text, odds, start in LETTERS:
        x, y = int(FINE * (start + u(0, 0.1))), int(FINE * u(0.03, 0.2))
        scale, bright, boxed = u(0.35, 0.8), round(255 * u(0.6, 1)), rng.random() < 0.5
        if rng.random() < odds:
            wide, tall = cv2.getTextSize(text, font, scale, 2)[0]
            if boxed:
                cv2.rectangle(grey, (x - 3, y - tall - 3), (x + wide + 3, y + 4), bright, cv2.FILLED)
            cv2.putText(grey, text, (x, y), font, scale, 0 if boxed else bright, 2, cv2.LINE_AA)
    return np.maximum(layer, _resize(grey, canvas.size) * np.float32(1 / 255))


def _scan(canvas: _Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """17: blur, grain and grey range of the stored picture; (size, size) float32 from 0 to 1."""
    u = rng.uniform
    noise = rng.integers(2**64, size=(FINE, FINE // 8), dtype=np.uint64).astype("<u8").view(np.uint8)
    grain = _resize(cv2.LUT(noise, NORMAL), canvas.size) * u(*GRAIN)
    black = u(*BLACK) if rng.random() < 0.5 else 0
    bright = u(*BRIGHT) if rng.random() < 0.5 else 1
    layer = _blur(layer, u(*BLUR)) + grain * (0.3 + layer)
    return black + np.clip(layer, 0, 1) * (bright - black)


def _draw(
    seed: int, visit: int, size: int, finding: bool, without: Collection[str] = ()
) -> tuple[Phantom, _Patient, str]:
    """Draw one visit of one patient, 0 for the first; also returns the patient and the reading."""
    held = {name for part in without for name in HELD.get(part, ())}

    def part(name: str, *more: int) -> Rng:  # its own random numbers, so that no part changes another
        return np.random.default_rng([zlib.crc32(name.encode()), 0 if name in held else seed, *more])

    patient = _patient(part("patient"))
    canvas = _place(size, part("frame"), part("pose", visit), visit)
    sick, words, fluid = part("finding", visit), [], np.zeros((size, size), np.float32)
    if finding and sick.random() < EFFUSION_ODDS:
        fluid, effusion = _fluid(canvas, sick)
        words.append(effusion)
    masks = _masks(canvas, patient, fluid * (sick.random() < CUT_ODDS))
    lungs = (masks[..., 0] | masks[..., 1]).astype(np.float32)
    organs = _organs(canvas, patient)
    away = _resize(_inwards(1 - canvas.fill(patient.outlines)), LOW)  # from the lungs

    body, air = _body(canvas, part("body"), patient), part("air")
    layer = body.copy()
    if patient.female and "breasts" not in without:
        layer += _breasts(canvas, part("breasts"))
    hidden = np.zeros_like(layer)
    if "hidden air" not in without:
        hidden = _hidden_air(canvas, part("hidden air"), patient, away) * (1 - fluid)
    layer -= _air(canvas, air, patient, lungs, hidden) * np.maximum(body, 0.5) * air.uniform(*AIR)
    if "heart" not in without:
        layer += _mediastinum(canvas, part("mediastinum"), patient, away)
        layer += _heart(canvas, part("heart"), patient, away)
        layer += _aorta(canvas, part("aorta"), patient)
    layer += _abdomen(canvas, part("abdomen"), organs, away) * body
    if "gas" not in without:
        layer -= _gas(canvas, part("gas"), patient)
    if "bones" not in without:
        bones = _ribs(canvas, part("ribs"), patient) * (1 - 0.6 * organs)
        bones += _clavicles(canvas, part("clavicles")) + _scapulae(canvas, part("scapulae"), patient)
        layer += bones * np.minimum(1.5 * body, 1)
    if "vessels" not in without:
        layer += _vessels(canvas, part("vessels")) * lungs
    if finding:
        signs, said = _findings(canvas, sick, patient)
        layer += signs * _blur(lungs, 0.003) + canvas.fill(patient.outlines, 0.004) * _blur(
            fluid, sick.uniform(0.001, 0.03)
        ) * sick.uniform(*FLUID)
        words += said
    if "objects" not in without:
        layer += _wires(canvas, part("wires"))
    layer = _expose(canvas, part("exposure", visit), layer)
    if "objects" not in without:
        layer = _collimate(canvas, part("collimation", visit), layer, patient)
        layer = _letter(canvas, part("letters", visit), layer)
    if "blur and grain" not in without:
        layer = _scan(canvas, part("scan", visit), layer)
    return Phantom((np.clip(layer, 0, 1) * 255).astype(np.uint8), masks), patient, "; ".join(words) or "normal"


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


def start_worker() -> None:
    """Prepare a process that draws."""
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
        pool = ProcessPoolExecutor(workers, get_context("spawn"), start_worker)
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
