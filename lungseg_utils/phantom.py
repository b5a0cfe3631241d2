"""Draw chest X-rays ("phantoms") from a seed, each with its exact lung masks.

The drawings let the course run anywhere without a download, and a network trained on them has to work on real
X-rays. So shapes follow real lung outlines, while every intensity is drawn from a wide range.

A picture is the attenuation of X-rays added up layer by layer, in the order of the numbered functions below, then
exposed. Anatomy lives in *body coordinates*: ``u`` is the distance from the mid-line in half-widths of the chest
(negative on the viewer's left, which is the patient's right), ``t`` the height, 0 at the apices of the lungs and 1
at the costophrenic angles. Nothing random depends on the size of the picture.
"""

import json
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import CubicSpline
from tqdm.auto import tqdm

PHANTOM_VERSION = 1  # part of the bytes: raise it whenever a drawing changes

# All ranges are (low, high), drawn evenly. Units: "picture" = fraction of the picture's height or width;
# u, t = body coordinates; "torso" = attenuation of the thickest part of the torso.

# Patient and pose
HALF_WIDTH = (0.29, 0.44)  # of the chest, picture
HEIGHT = (0.47, 0.84)  # apices to costophrenic angles, picture
APEX = (0.04, 0.17)  # upper edge of the lungs, picture
LOWEST = 0.985  # no costophrenic angle lies lower, picture
SHIFT = (-0.04, 0.04)  # of the mid-line from the middle, picture
TILT = (-2.5, 2.5)  # degrees
TURN = (-0.06, 0.06)  # one side of the chest looks wider when the patient turns, fraction of its width
FEMALE = 0.5  # probability
AGE = (15, 89)  # years
REPEAT_SHIFT = (-0.015, 0.015)  # of chest and size between two visits, picture

# Torso and arms
FLESH = (0.05, 0.30)  # between lung and skin at the side, u
HIPS = (-0.12, 0.20)  # how much wider the torso is at its lower end, u
SHOULDER = (-0.05, 0.06)  # height of the shoulders' upper edge, t
NECK = (0.19, 0.27)  # half-width, u
ROUNDING = (0.10, 0.32)  # depth at which the body reaches its full thickness, picture
ARM_ANGLE = (0.0, 80.0)  # below the horizontal, degrees
ARM_WIDTH = (0.32, 0.50)  # u
BREAST = (0.05, 0.40)  # attenuation, torso

# Lungs: outlines of the viewer's left half of the chest and, for the medial border, of both. (u, t)
OUTER = (
    (1.0, 0.93),
    (0.987, 0.83),
    (0.952, 0.7),
    (0.908, 0.5),
    (0.84, 0.3),
    (0.73, 0.15),
    (0.594, 0.06),
    (0.45, 0.012),
)
SUMMIT = (0.33, 0.0)
INNER = ((0.22, 0.014), (0.13, 0.06), (0.095, 0.13))
ATRIUM_BORDER = ((0.10, 0.2), (0.115, 0.3), (0.145, 0.4), (0.21, 0.52), (0.255, 0.63), (0.26, 0.73), (0.25, 0.84))
HEART_BORDER = (
    (0.125, 0.19),
    (0.185, 0.25),
    (0.18, 0.33),
    (0.215, 0.42),
    (0.29, 0.52),
    (0.43, 0.64),
    (0.54, 0.75),
    (0.57, 0.86),
)
APEX_WIDTH = (0.85, 1.18)  # factor on the width of the upper lungs
HEART_SIZE = (0.70, 1.30)  # factor on the heart's bulge
KNOB = (-0.03, 0.05)  # added bulge of the aortic knob, u
WAVE = 0.022  # amplitude of the smooth deviations of each outline, u
DOME = (0.73, 0.87)  # height of the viewer's left dome, t
DOME_STEP = (-0.02, 0.045)  # by how much the viewer's right dome is lower, t
DOME_POWER = (2.8, 5.5)  # how abruptly the dome falls to the costophrenic angle
AIR = (0.40, 0.85)  # torso
AIR_RIM = (0.02, 0.08)  # depth at which the lung reaches its full thickness, picture
AIR_POWER = (0.2, 0.6)
HIDDEN_AIR = (0.05, 0.4)  # lung behind heart and diaphragm, fraction of the air

# Middle
MEDIASTINUM = (0.12, 0.45)  # torso
SPINE = (0.10, 0.40)  # torso
SPINE_WIDTH = (0.11, 0.16)  # half-width, u
VERTEBRA = (0.065, 0.085)  # spacing, t
TRACHEA = (0.0, 0.25)  # torso
HEART = (0.05, 0.35)  # torso
AORTA = (0.0, 0.16)  # torso

# Below the diaphragm
ABDOMEN = (0.15, 0.80)  # torso
BUBBLE_ODDS = 0.6  # probability of gas in the stomach
BUBBLE = (0.1, 0.7)  # torso

# Bones
RIB_PITCH = (0.088, 0.108)  # t
RIB_WIDTH = (0.045, 0.075)  # u
RIB = (0.05, 0.24)  # torso
CLAVICLE_WIDTH = (0.065, 0.10)  # u
CLAVICLE = (0.06, 0.28)  # torso
SCAPULA = (0.02, 0.20)  # torso, and the bones of the arms
BLADE = (
    (0.88, 0.03),
    (1.1, 0.0),
    (1.3, 0.08),
    (1.17, 0.22),
    (1.04, 0.44),
    (0.97, 0.47),
    (0.93, 0.4),
    (0.86, 0.2),
    (0.88, 0.03),
)

# Vessels
HILUM = (0.0, 0.25)  # torso
VESSEL = (0.02, 0.13)  # torso
TEXTURE = (0.005, 0.04)  # torso

# Exposure
SCATTER = (0.0, 0.08)  # slow unevenness, torso
WHITE = (94.0, 99.5)  # percentile of the attenuation shown as white
GAMMA = (0.55, 1.6)
SIGMOID_ODDS = 0.5
COLLIMATED = (0.65, 0.15, 0.15)  # probability of a black border below, on the viewer's left, on the viewer's right
RIM_ODDS = 0.3
BLUR = (0.0, 0.003)  # picture
GRAIN = (0.0, 0.05)  # at 512 px, of the full grey range
BLACK = (0.0, 0.08)  # grey of no light, of the full range
BRIGHT = (0.88, 1.0)  # grey of white, of the full range

# Grids, px
LOW = 128  # slow layers
MIDDLE = 256  # distances
FINE = 512  # grain


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
    """Draw one X-ray and its masks.

    The same seed gives the same bytes, and the same anatomy at any size.

    Args:
        seed: 0 or more.
        size: height and width, px; 64 or more.
        finding: whether to add signs of disease; the patient is the same with and without.
    """
    return _draw(seed, 0, size, finding)[0]


# ---------------------------------------------------------------------------------------------- tools
def _curve(points, count: int = 80) -> np.ndarray:
    """Smooth open curve through points, (count, 2)."""
    points = np.asarray(points, float)
    way = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return CubicSpline(way, points)(np.linspace(0, way[-1], count))


def _mirror(points, side: int) -> np.ndarray:
    """Copy of points given for the viewer's right (side 1), turned over for the viewer's left (side -1)."""
    return np.asarray(points, float) * (side, 1)


def _resize(layer: np.ndarray, size: int) -> np.ndarray:
    if layer.shape[0] == size:
        return layer
    way = cv2.INTER_AREA if layer.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(layer, (size, size), interpolation=way)


def _blur(layer: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur; radius in fractions of the picture. Wide blurs are computed on a smaller grid."""
    size = layer.shape[0]
    sigma = radius * size
    if sigma < 0.3:
        return layer
    small = size
    while sigma * small / size > 4 and small > LOW:
        small //= 2
    return _resize(cv2.GaussianBlur(_resize(layer, small), (0, 0), sigma * small / size), size)


def _oval(u: float, t: float, wide: float, tall: float, level: float = 1) -> np.ndarray:
    """Ellipse, (48, 2); a level from -1 (top) to 1 (bottom) cuts its lower part off flat."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([u + wide * np.cos(turn), t + tall * np.minimum(np.sin(turn), level)], 1)


class _Canvas:
    """One patient placed in one picture: draws in body coordinates."""

    def __init__(self, size: int, middle: float, top: float, half_width: float, height: float, tilt: float):
        self.size, self.width = size, half_width
        turn = np.deg2rad(tilt)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self.matrix = rotation @ np.diag([half_width, height])
        self.origin = np.array([middle, top + height / 2]) - self.matrix @ (0, 0.5)
        axis = (np.arange(LOW) + 0.5) / LOW
        grid = np.stack(np.meshgrid(axis, axis), -1) - self.origin
        self.u, self.t = np.moveaxis(grid @ np.linalg.inv(self.matrix).T, -1, 0).astype(np.float32)

    def place(self, points) -> np.ndarray:
        """Body coordinates to fractions of the picture, (n, 2)."""
        return np.asarray(points, float) @ self.matrix.T + self.origin

    def fill(self, shapes, size: int | None = None, finer: int = 2) -> np.ndarray:
        """Fill the union of polygons given in body coordinates; (size, size) float32 from 0 to 1."""
        size = size or self.size
        layer = np.zeros((size * finer, size * finer), np.uint8)
        for shape in shapes:
            self._fill(layer, self.place(shape))
        return _resize(layer, size).astype(np.float32) / 255

    def bands(self, lines: np.ndarray, widths) -> np.ndarray:
        """Fill bands along lines (n, points, 2); widths in u broadcast to (n, points)."""
        layer = np.zeros((self.size * 2, self.size * 2), np.uint8)
        lines = self.place(lines)
        along = np.gradient(lines, axis=1)
        across = np.stack([-along[..., 1], along[..., 0]], -1) / (
            np.hypot(along[..., 0], along[..., 1])[..., None] + 1e-9
        )
        half = across * np.broadcast_to(widths, lines.shape[:2])[..., None] * self.width / 2
        for shape in np.concatenate([lines + half, (lines - half)[:, ::-1]], 1):
            self._fill(layer, shape)
        return _resize(layer, self.size).astype(np.float32) / 255

    @staticmethod
    def _fill(layer: np.ndarray, picture_points: np.ndarray) -> None:
        points = np.clip(picture_points, -2, 3) * layer.shape[0] - 0.5
        cv2.fillPoly(layer, [np.round(points * 16).astype(np.int32)], 255, shift=4)

    def spot(self, u: float, t: float, width: float, height: float) -> np.ndarray:
        """Soft spot, (LOW, LOW) float32 from 0 to 1."""
        return np.exp(-(((self.u - u) / width) ** 2) - ((self.t - t) / height) ** 2)

    def full(self, layer: np.ndarray) -> np.ndarray:
        """A slow layer at the size of the picture."""
        return _resize(layer, self.size)

    def noise(self, rng: np.random.Generator, cells: int) -> np.ndarray:
        """Smooth noise with about `cells` bumps across the picture, (size, size) float32, deviation near 1."""
        values = rng.standard_normal((cells, cells), dtype=np.float32)
        return cv2.resize(values, (self.size, self.size), interpolation=cv2.INTER_CUBIC)


# ---------------------------------------------------------------------------------------------- patient
@dataclass
class _Patient:
    """What stays the same between two visits, in body coordinates."""

    outlines: list[np.ndarray]  # closed outlines of the two lungs, viewer's left first
    walls: list[np.ndarray]  # outer borders, from the costophrenic angle up
    medials: list[np.ndarray]  # medial borders, from the apex down
    domes: list[np.ndarray]  # domes of the diaphragm, from the mid-line out
    shoulder: float  # height of the shoulders, t
    arm: float  # angle of the arms below the horizontal, radians
    female: bool
    age: int


def _patient(rng: np.random.Generator) -> _Patient:
    """Draw the outlines of the lungs, which everything else follows."""
    u = rng.uniform
    turn, apex, heart, dome = u(*TURN), u(*APEX_WIDTH), u(*HEART_SIZE), u(*DOME)
    shoulder, arm = u(*SHOULDER), np.deg2rad(u(*ARM_ANGLE))
    patient = _Patient([], [], [], [], shoulder, arm, rng.random() < FEMALE, int(rng.integers(*AGE, endpoint=True)))
    for side in (-1, 1):
        wide = 1 + side * turn / 2
        border = np.array(HEART_BORDER if side == 1 else ATRIUM_BORDER)
        border[:, 0] = 0.11 + (border[:, 0] - 0.11) * np.where(border[:, 1] > 0.4, heart, 1)
        border[:, 0] += np.exp(-(((border[:, 1] - 0.25) / 0.06) ** 2)) * u(*KNOB) * (side == 1)
        inner = np.r_[np.array(INNER) * (u(*APEX_WIDTH), 1), border]
        outer = np.array(OUTER)
        outer[:, 0] *= np.interp(outer[:, 1], (0, 0.5), (apex, 1))
        points = np.r_[outer, [np.multiply(SUMMIT, (apex, 1))], inner]
        waves = np.sin(np.outer(points[:, 1], (3, 6, 11)) + u(0, 2 * np.pi, 3)) @ (u(-1, 1, 3) / (1, 1.5, 3))
        points[:, 0] += WAVE * waves * np.clip(points[:, 1] * 8, 0.2, 1)
        points[:, 0] = np.maximum(points[:, 0], 0.06) * wide
        angle, foot = points[0, 0] - u(0, 0.03), 1 + u(-0.04, 0.04)
        points = np.r_[[(angle, foot)], points]

        border = _curve(points, 240)
        top = int(np.argmin(border[:, 1]))
        v = np.linspace(0, 1, 100)
        level = dome + (side == 1) * u(*DOME_STEP)
        fall = level + (foot - level) * v ** u(*DOME_POWER) + u(0, 0.03) * (1 - v) ** 2
        diaphragm = np.stack([v * angle, fall], 1)
        above = border[:, 1] < np.interp(border[:, 0], diaphragm[:, 0], diaphragm[:, 1])
        above[:top] = True
        medial = border[top:][above[top:]]
        base = diaphragm[diaphragm[:, 0] > medial[-1, 0]]
        patient.outlines.append(_mirror(np.r_[border[:top], medial, base], side))
        patient.walls.append(_mirror(border[:top], side))
        patient.medials.append(_mirror(medial, side))
        patient.domes.append(_mirror(diaphragm, side))
    return patient


def _masks(canvas: _Canvas, patient: _Patient, fluid: np.ndarray | None) -> np.ndarray:
    """Masks of both lungs, (size, size, 2) uint8; fluid is cut away; each lung is one piece."""
    masks = np.zeros((2, canvas.size, canvas.size), np.uint8)
    for mask, outline in zip(masks, patient.outlines, strict=True):
        lung = canvas.fill([outline], finer=max(2, 1024 // canvas.size)) > 0.5
        if fluid is not None:
            lung &= fluid < 0.5
        pieces, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mask, [max(pieces, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    masks[1] &= 1 - masks[0]
    return np.ascontiguousarray(np.moveaxis(masks, 0, -1))


# ---------------------------------------------------------------------------------------------- anatomy, in order
def _torso(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """1: torso, neck and arms, rounded towards the skin."""
    u = rng.uniform
    flesh, hips, neck, arm = u(*FLESH), u(*HIPS), u(*NECK), u(*ARM_WIDTH)
    shoulder, angle = patient.shoulder, patient.arm
    side = 1 + flesh
    half = [(neck, -1.0), (neck, -0.22), (neck + 0.1, -0.13), (0.75, -0.06 + shoulder), (1.15, shoulder)]
    half += [(1.3, 0.12 + shoulder), (1.22, 0.3), (side, 0.5), (side, 0.8), (side + hips / 3, 1.1), (side + hips, 2.0)]
    half = _curve(half, 120)
    shapes = [np.r_[half, _mirror(half, -1)[::-1]]]
    for s in (-1, 1):
        reach = np.linspace(0, 2.5, 20)
        axis = np.stack([1.15 + reach * np.cos(angle), 0.13 + shoulder + reach * np.sin(angle) * 0.6], 1)
        across = np.array([-np.sin(angle), np.cos(angle)]) * arm / 2 * (1, 0.6)
        shapes.append(_mirror(np.r_[axis - across, (axis + across)[::-1]], s))
    body = canvas.fill(shapes, MIDDLE, 1)
    depth = cv2.distanceTransform(np.pad((body > 0.5).astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    inside = np.clip(depth / MIDDLE / u(*ROUNDING), 0, 1)
    return canvas.full(_blur(np.sqrt(1 - (1 - inside) ** 2), 0.004))


def _breasts(canvas: _Canvas, rng: np.random.Generator) -> np.ndarray:
    """1: breasts, with the sharp lower edge that crosses the lower lungs."""
    u, at, low, wide, tall = rng.uniform, rng.uniform(0.5, 0.75), rng.uniform(0.8, 1.1), 0.5, 0.35
    wide, tall = u(0.35, 0.6), u(0.25, 0.4)
    round_ = [
        np.clip(1 - ((canvas.u - s * at) / wide) ** 2 - ((canvas.t - low + tall) / tall) ** 2, 0, 1) for s in (-1, 1)
    ]
    return canvas.full(_blur(np.sqrt(round_[0]) + np.sqrt(round_[1]), 0.006) * np.float32(u(*BREAST)))


def _air(canvas: _Canvas, rng: np.random.Generator, lungs: np.ndarray) -> np.ndarray:
    """2: air in the lungs, thinner towards the rim."""
    u = rng.uniform
    small = (_resize(lungs.astype(np.float32), MIDDLE) > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(np.pad(small, 1), cv2.DIST_L2, 5)[1:-1, 1:-1] / MIDDLE
    thick = np.clip((depth + 0.002) / u(*AIR_RIM), 0, 1) ** u(*AIR_POWER)
    return _blur(canvas.full(thick.astype(np.float32)) * lungs, 0.002)


def _mediastinum(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """3: mediastinum between the lungs, spine with its vertebrae, trachea."""
    u = rng.uniform
    middle = canvas.fill([np.r_[patient.medials[0], patient.medials[1][::-1]]])
    layer = _blur(middle, 0.005) * u(*MEDIASTINUM)
    width, pitch, depth = u(*SPINE_WIDTH), u(*VERTEBRA), u(0, 0.35)
    bone = np.exp(-((canvas.u / width) ** 4)) * (1 - depth * np.cos(2 * np.pi * canvas.t / pitch) ** 8)
    trachea = np.exp(-(((canvas.u - u(-0.03, 0.02)) / u(0.05, 0.075)) ** 4)) / (1 + np.exp((canvas.t - 0.34) / 0.02))
    return layer + canvas.full(u(*SPINE) * bone - u(*TRACHEA) * trachea)


def _heart(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """4: heart, between the medial borders of both lungs and the diaphragm; it fades upwards into the vessels."""
    foot = [dome[np.abs(dome[:, 0]) < abs(medial[-1, 0])] for dome, medial in zip(patient.domes, patient.medials)]
    shape = np.r_[patient.medials[1], foot[1][::-1], foot[0], patient.medials[0][::-1]]
    fade = 1 / (1 + np.exp((0.52 - canvas.t) / 0.05))
    thick = canvas.full(fade * (0.4 + 0.6 * canvas.spot(0.18, 0.75, 0.4, 0.3)))
    return _blur(canvas.fill([shape]), 0.004) * thick * rng.uniform(*HEART)


def _aorta(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """5: aortic knob and descending aorta, to the viewer's right of the spine."""
    border = patient.medials[1]
    knob = border[np.argmin(np.abs(border[:, 1] - 0.25)), 0]
    ball = _oval(knob - 0.1, 0.25, 0.1, 0.055)
    line = np.stack([np.linspace(knob - 0.08, 0.03, 30), np.linspace(0.24, 1.0, 30)], 1)
    band = canvas.bands(line[None], 0.14) * canvas.full(np.clip((1.0 - canvas.t) / 0.5, 0, 1))
    return _blur(np.maximum(canvas.fill([ball]), band), 0.005) * rng.uniform(*AORTA)


def _abdomen(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """6: organs below the diaphragm."""
    left, right = patient.domes
    shape = np.r_[left[::-1], right, [(right[-1, 0] + 0.3, 1.2), (1.5, 2.5), (-1.5, 2.5), (left[-1, 0] - 0.3, 1.2)]]
    organs = _blur(canvas.fill([shape]), 0.003)
    deeper = canvas.full(np.clip((canvas.t - 0.75) / rng.uniform(0.1, 0.4), 0, 1))
    return organs * (0.55 + 0.45 * deeper) * rng.uniform(*ABDOMEN)


def _bubble(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """7: gas in the stomach, under the viewer's right dome, often with a level of fluid."""
    u = rng.uniform
    at, wide, tall, level = u(0.3, 0.6), u(0.12, 0.3), u(0.04, 0.11), u(-0.1, 1.0)
    shape = _oval(at, 0, wide, tall, level)
    shape[:, 1] += tall + u(0.02, 0.06) + np.interp(at, *patient.domes[1].T)
    roof = np.interp(shape[:, 0], *patient.domes[1].T) + 0.015
    shape[:, 1] = np.maximum(shape[:, 1], roof)
    return _blur(canvas.fill([shape]), u(0.003, 0.01)) * u(*BUBBLE)


def _bone(canvas: _Canvas, layer: np.ndarray, width: float) -> np.ndarray:
    """Bright rim and paler middle of a bone."""
    rim = np.clip(layer - _blur(layer, width * canvas.width / 3), 0, 1)
    return _blur(0.55 * layer + 1.2 * rim, 0.0015)


def _ribs(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """8: ribs: rear parts from the spine outwards, front parts back towards the breastbone."""
    u = rng.uniform
    pitch, width, first, fade = u(*RIB_PITCH), u(*RIB_WIDTH), u(-0.04, 0.0), u(0.2, 1.0)
    drop, lift, front = u(0.05, 0.12), u(0.0, 0.03), u(0.10, 0.20)
    turn = np.linspace(0, np.pi / 2, 30)
    rear, fore = [], []
    for side, wall in zip((-1, 1), patient.walls, strict=True):
        reach, height = (wall * (side, 1))[::-1].T
        for j in range(int(1.1 / pitch)):
            at, fall, inner = first + j * pitch + u(-0.006, 0.006), drop * (0.7 + 0.09 * j), u(0.3, 0.45) + 0.02 * j
            end = np.interp(at + fall, height, reach) + 0.02
            down = at + fall * (1 - np.cos(turn)) - lift * np.sin(2 * turn)
            rear.append(_mirror(np.stack([0.1 + (end - 0.1) * np.sin(turn), down], 1), side))
            if j < 8 and inner < end:
                down = at + fall + front * (0.7 + 0.07 * j) * np.sin(turn)
                fore.append(_mirror(np.stack([inner + (end - inner) * np.cos(turn), down], 1), side))
    rear = _bone(canvas, canvas.bands(np.array(rear), width), width)
    fore = _bone(canvas, canvas.bands(np.array(fore), width * np.linspace(1, 1.2, 30)), width)
    return (rear + fade * fore) * u(*RIB)


def _clavicles(canvas: _Canvas, rng: np.random.Generator) -> np.ndarray:
    """9: clavicles, a shallow S from the breastbone to the shoulder."""
    u = rng.uniform
    low, rise, bow, width = u(0.06, 0.16), u(0.04, 0.18), u(0.0, 0.03), u(*CLAVICLE_WIDTH)
    lines = []
    for side in (-1, 1):
        up = rise + u(-0.03, 0.03)
        points = [
            (0.1, low),
            (0.35, low - 0.3 * up + bow),
            (0.75, low - 0.75 * up),
            (1.05, low - up - bow),
            (1.3, low - up),
        ]
        lines.append(_mirror(_curve(points, 40), side))
    return _bone(canvas, canvas.bands(np.array(lines), width * np.linspace(1.3, 0.8, 40)), width) * u(*CLAVICLE)


def _scapulae(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> np.ndarray:
    """10: scapulae, and the bones of the upper arms."""
    u = rng.uniform
    out, down = u(0.0, 0.25), u(-0.04, 0.05)
    blade = _curve(np.array(BLADE) + (out, down), 80)
    head = _oval(1.36, 0.1 + patient.shoulder, 0.13, 0.08)
    reach = np.linspace(0, 2, 20)[:, None]
    shaft = (1.36, 0.1 + patient.shoulder) + reach * (np.cos(patient.arm), 0.6 * np.sin(patient.arm))
    blades = canvas.fill([_mirror(blade, s) for s in (-1, 1)])
    arms = np.maximum(
        canvas.fill([_mirror(head, s) for s in (-1, 1)]),
        canvas.bands(np.array([_mirror(shaft, s) for s in (-1, 1)]), 0.14),
    )
    return _bone(canvas, blades, 0.08) * u(*SCAPULA) + _bone(canvas, arms, 0.1) * u(*SCAPULA)


def _tree(rng: np.random.Generator, start, angles: np.ndarray, length: float, width: float):
    """Vessels from one hilum, each parting in two, twice: lines (n, 8, 2) and widths (n, 8)."""
    starts, lines, widths = np.broadcast_to(start, (len(angles), 2)), [], []
    for _ in range(3):
        count = len(angles)
        bend = np.cumsum(np.c_[angles, rng.normal(0, 0.14, (count, 6))], 1)
        steps = (
            np.stack([np.cos(bend), 0.6 * np.sin(bend)], -1)
            * (length * rng.uniform(0.5, 1.4, count) / 7)[:, None, None]
        )
        lines.append(np.concatenate([starts[:, None], starts[:, None] + np.cumsum(steps, 1)], 1))
        widths.append(np.broadcast_to(width * np.linspace(1, 0.7, 8), (count, 8)))
        starts = np.repeat(lines[-1][:, -1], 2, 0)
        angles = np.repeat(bend[:, -1], 2) + np.tile((-1, 1), count) * rng.uniform(0.05, 0.6, 2 * count)
        length, width = 0.8 * length, 0.65 * width
    return np.concatenate(lines), np.concatenate(widths)


def _vessels(canvas: _Canvas, rng: np.random.Generator, lungs: np.ndarray) -> np.ndarray:
    """11: hila, the vessels that branch from them and fade outwards, and a fine unevenness."""
    u = rng.uniform
    hila, near, lines, widths = 0, 0, [], []
    for side in (-1, 1):
        at, level = u(0.2, 0.3), u(0.42, 0.5) - 0.03 * (side == 1)
        hila = hila + canvas.spot(side * at, level, u(0.08, 0.16), u(0.06, 0.15))
        near = near + canvas.spot(side * at, level + 0.05, 0.45, 0.4)
        angles = np.linspace(-1.4, 1.6, 9) + rng.normal(0, 0.15, 9)
        line, width = _tree(rng, (at - 0.03, level), angles, u(0.16, 0.3), u(0.015, 0.035))
        lines.append(_mirror(line, side))
        widths.append(width)
    tree = _blur(canvas.bands(np.concatenate(lines), np.concatenate(widths)), 0.0015) * canvas.full(near)
    cloud = canvas.noise(rng, 30) + 0.7 * canvas.noise(rng, 70)
    hilum = canvas.full(hila) * (1 + 0.3 * cloud) * u(*HILUM)
    return lungs * (hilum + tree * u(*VESSEL) + cloud * u(*TEXTURE))


# ---------------------------------------------------------------------------------------------- findings
def _zone(side: int, t: float) -> str:
    part = "upper" if t < 0.33 else "middle" if t < 0.6 else "lower"
    return f"the patient's {'left' if side == 1 else 'right'} {part} zone"


def _place(rng: np.random.Generator, patient: _Patient, t: float) -> tuple[int, float]:
    """A side, and a u between the borders of that lung at height t."""
    side = int(rng.choice((-1, 1)))
    medial, wall = patient.medials[(side + 1) // 2], patient.walls[(side + 1) // 2][::-1]
    low = np.interp(t, medial[:, 1], np.abs(medial[:, 0]))
    high = np.interp(t, wall[:, 1], np.abs(wall[:, 0]))
    return side, side * (low + (high - low) * rng.uniform(0.25, 0.8))


def _infiltrate(canvas, rng, patient):
    t = rng.uniform(0.1, 0.75)
    side, at = _place(rng, patient, t)
    layer = 0
    for _ in range(rng.integers(3, 10)):
        wide = rng.uniform(0.05, 0.2)
        layer = layer + rng.uniform(0.3, 1) * canvas.spot(
            at + rng.normal(0, 0.1), t + rng.normal(0, 0.06), wide, wide * rng.uniform(0.4, 0.9)
        )
    layer = canvas.full(np.minimum(layer, 1.2)) * (1 + 0.15 * canvas.noise(rng, 60) + 0.25 * canvas.noise(rng, 25))
    return layer * rng.uniform(0.1, 0.4), f"infiltrate in {_zone(side, t)}"


def _nodules(canvas, rng, patient):
    t = rng.uniform(0.15, 0.7)
    side, at = _place(rng, patient, t)
    shapes = []
    for _ in range(rng.integers(2, 9)):
        r, du, dt = rng.uniform(0.015, 0.05), *rng.normal(0, (0.14, 0.09))
        shapes.append(_oval(at + du, t + dt, r, 0.62 * r))
    return _blur(canvas.fill(shapes), 0.004) * rng.uniform(0.08, 0.28), f"nodules in {_zone(side, t)}"


def _cavity(canvas, rng, patient):
    t = rng.uniform(0.12, 0.5)
    side, at = _place(rng, patient, t)
    turn = np.linspace(0, 2 * np.pi, 40)
    radius = rng.uniform(0.07, 0.15) * (1 + 0.12 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.06 * np.sin(3 * turn))
    line = np.stack([at + radius * np.cos(turn), t + 0.62 * radius * np.sin(turn)], 1)
    ring = _blur(canvas.bands(line[None], rng.uniform(0.025, 0.06)), 0.004)
    halo = canvas.full(canvas.spot(at, t, 0.2, 0.12)) * (0.4 + 0.2 * canvas.noise(rng, 50))
    hole = _blur(canvas.fill([line]), 0.004)
    return (ring + halo - 0.5 * hole) * rng.uniform(0.15, 0.4), f"cavity in {_zone(side, t)}"


def _scar(canvas, rng, patient):
    side, count = int(rng.choice((-1, 1))), rng.integers(5, 12)
    start = np.stack([rng.uniform(0.2, 0.6, count), rng.uniform(0.02, 0.15, count)], 1)
    along = np.stack([rng.normal(-0.08, 0.06, count), rng.uniform(0.03, 0.13, count)], 1)
    lines = (
        start[:, None] + np.linspace(0, 1, 6)[:, None] * along[:, None] + rng.normal(0, 0.012, (count, 6, 2)).cumsum(1)
    )
    strands = _blur(canvas.bands(_mirror(lines, side), rng.uniform(0.012, 0.035, (count, 1))), 0.002)
    cap = canvas.full(canvas.spot(side * 0.38, 0.0, 0.3, 0.06))
    return (strands + cap * rng.uniform(0.2, 0.8)) * rng.uniform(0.15, 0.4), f"apical scarring in {_zone(side, 0)}"


FINDINGS = (_infiltrate, _infiltrate, _nodules, _cavity, _scar)  # an infiltrate is drawn most often
EFFUSION_ODDS = 0.2
EFFUSION = (0.80, 0.95)  # level of the fluid, t


def _fluid(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> tuple[np.ndarray, str]:
    """Fluid that blunts a costophrenic angle and climbs at the wall: (size, size) from 0 to 1, and its words."""
    side, level, rise = int(rng.choice((-1, 1))), rng.uniform(*EFFUSION), rng.uniform(0.03, 0.12)
    v = np.linspace(0, 1, 50)
    edge = np.stack([0.1 + 1.1 * v, level + 0.06 - (rise + 0.06) * v**5], 1)
    shape = _mirror(np.r_[edge, [(1.2, 1.3), (0.1, 1.3)]], side)
    return canvas.fill(
        [shape]
    ), f"small effusion, blunted costophrenic angle on the patient's {'left' if side == 1 else 'right'}"


def _findings(canvas: _Canvas, rng: np.random.Generator, patient: _Patient) -> tuple[np.ndarray, str]:
    """13: one to three signs of disease, (size, size) float32, and the words for them."""
    count = rng.choice((1, 2, 3), p=(0.55, 0.3, 0.15))
    drawn = [FINDINGS[i](canvas, rng, patient) for i in rng.permutation(len(FINDINGS))[:count]]
    return np.maximum(sum(layer for layer, _ in drawn), -0.1), "; ".join(dict.fromkeys(words for _, words in drawn))


# ---------------------------------------------------------------------------------------------- picture
def _expose(canvas: _Canvas, rng: np.random.Generator, layer: np.ndarray) -> np.ndarray:
    """14: scatter, window and contrast curve; (size, size) float32 from 0 to 1."""
    u = rng.uniform
    layer = layer + canvas.noise(rng, 4) * u(*SCATTER) + canvas.noise(rng, 8) * u(*SCATTER) / 2
    black, white = np.percentile(_resize(layer, LOW), (2, u(*WHITE)))
    black *= u(0.6, 1)
    curve = np.linspace(0, 1, 4096) ** u(*GAMMA)
    middle, slope, bent = u(0.3, 0.6), u(4, 9), rng.random() < SIGMOID_ODDS
    if bent:
        curve = 1 / (1 + np.exp((middle - curve) * slope))
        curve = (curve - curve[0]) / (curve[-1] - curve[0])
    steps = np.clip((layer - black) * (4095 / (white - black)), 0, 4095).astype(np.uint16)
    return curve.astype(np.float32)[steps]


def _collimate(canvas: _Canvas, rng: np.random.Generator, layer: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """15: black borders outside the field of the X-rays, never over a lung; some with a bright rim."""
    u, size = rng.uniform, canvas.size
    rows, columns = np.flatnonzero(lungs.max(1)), np.flatnonzero(lungs.max(0))
    low, left, right = (rows[-1] + 1) / size, columns[0] / size, (columns[-1] + 1) / size
    slant, below = u(-0.02, 0.02), low + 0.01 + u(0, 1) ** 2 * 0.25
    before, after = left * u(0, 0.9), right + (1 - right) * u(0.1, 1)
    borders = [
        [
            (-1, max(below - 2 * slant, low)),
            (0, max(below - slant, low)),
            (1, max(below + slant, low)),
            (1, 2),
            (-1, 2),
        ],
        [(before, -1), (before, 2), (-1, 2), (-1, -1)],
        [(after, -1), (after, 2), (2, 2), (2, -1)],
    ]
    cover = np.zeros((size * 2, size * 2), np.uint8)
    for border, use in zip(borders, rng.random(3) < COLLIMATED, strict=True):
        if use:
            canvas._fill(cover, np.array(border))
    cover = _resize(cover, size).astype(np.float32) / 255
    if rng.random() < RIM_ODDS:
        layer = np.maximum(layer, np.clip(_blur(cover, 0.004) * 2, 0, 0.9))
    return layer * (1 - cover)


def _markers(canvas: _Canvas, rng: np.random.Generator, layer: np.ndarray) -> np.ndarray:
    """16: letters in the upper corners, some in a bright box."""
    u, size = rng.uniform, canvas.size
    for text, odds, at in (
        ("R", 0.6, u(0.01, 0.13)),
        ("PA", 0.4, u(0.82, 0.93)),
        ("ERECT", 0.4, u(0.78, 0.87)),
        ("L", 0.25, u(0.85, 0.95)),
    ):
        y, scale, boxed, bright = u(0.03, 0.2), u(0.6, 1.3), rng.random() < 0.5, u(0.6, 1)
        if rng.random() > odds:
            continue
        grey = np.zeros((FINE, FINE), np.uint8)
        place = int(at * FINE), int(y * FINE)
        wide, tall = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale * 0.6, 2)[0]
        if boxed:
            cv2.rectangle(grey, (place[0] - 3, place[1] - tall - 3), (place[0] + wide + 3, place[1] + 4), 255, -1)
        cv2.putText(grey, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale * 0.6, 0 if boxed else 255, 2, cv2.LINE_AA)
        spot = _resize(grey, size).astype(np.float32) / 255
        layer = np.maximum(layer, spot * bright)
    return layer


def _grain(canvas: _Canvas, rng: np.random.Generator, layer: np.ndarray) -> np.ndarray:
    """17: blur, grain and grey range of the scanned picture; (size, size) uint8."""
    u = rng.uniform
    grain = _resize(rng.standard_normal((FINE, FINE), dtype=np.float32), canvas.size) * u(*GRAIN)
    black, bright = u(*BLACK) * (rng.random() < 0.5), u(*BRIGHT)
    layer = _blur(layer, u(*BLUR)) + grain * (0.3 + layer)
    return (np.clip(black + np.clip(layer, 0, 1) * (bright - black), 0, 1) * 255).astype(np.uint8)


def _draw(seed: int, visit: int, size: int, finding: bool) -> tuple[Phantom, _Patient, str]:
    """Draw one visit of one patient; visit 0 is the first. Returns the phantom, the patient and the reading."""
    parts = (np.random.default_rng(key) for key in np.random.SeedSequence(seed).spawn(20))
    anatomy, place, torso, breast, air, middle, heart, aorta, below, gas, ribs, clavicle, scapula, vessel = (
        next(parts) for _ in range(14)
    )
    pose, sick, light, border, letters, grain = (
        np.random.default_rng(key) for key in np.random.SeedSequence((seed, visit)).spawn(6)
    )
    patient = _patient(anatomy)
    half_width, height, top, shift = (place.uniform(*r) for r in (HALF_WIDTH, HEIGHT, APEX, SHIFT))
    if visit:
        half_width, height, top, shift = np.add((half_width, height, top, shift), pose.uniform(*REPEAT_SHIFT, 4))
    height = min(height, (LOWEST - top) / 1.04)
    half_width = min(half_width, (0.49 - abs(shift)) / 1.05)
    canvas = _Canvas(size, 0.5 + shift, top, half_width, height, pose.uniform(*TILT))

    fluid, words = None, []
    if finding and sick.random() < EFFUSION_ODDS:
        fluid, effusion = _fluid(canvas, sick, patient)
        words.append(effusion)
    masks = _masks(canvas, patient, fluid)
    lungs = (masks[..., 0] | masks[..., 1]).astype(np.float32)

    body = _torso(canvas, torso, patient)
    layer = body.copy()
    if patient.female:
        layer += _breasts(canvas, breast)
    amount, behind = air.uniform(*AIR), air.uniform(*HIDDEN_AIR)
    chest = canvas.fill([np.r_[patient.walls[0], patient.walls[1][::-1]]])
    hidden = _blur(chest, 0.01) * canvas.full(np.clip((1.05 - canvas.t) / 0.25, 0, behind))
    layer -= amount * np.maximum(_air(canvas, air, lungs), hidden) * np.maximum(body, 0.5)
    layer += _mediastinum(canvas, middle, patient)
    layer += _heart(canvas, heart, patient)
    layer += _aorta(canvas, aorta, patient)
    layer += _abdomen(canvas, below, patient) * body
    if gas.random() < BUBBLE_ODDS:
        layer -= _bubble(canvas, gas, patient)
    bones = _ribs(canvas, ribs, patient) + _clavicles(canvas, clavicle) + _scapulae(canvas, scapula, patient)
    layer += bones * np.minimum(body * 1.5, 1)
    layer += _vessels(canvas, vessel, lungs)
    if finding:
        if fluid is not None:
            layer += fluid * hidden * 0.5
        signs, said = _findings(canvas, sick, patient)
        layer += signs * _blur(lungs, 0.003)
        words.append(said)
    layer = _expose(canvas, light, layer)
    layer = _collimate(canvas, border, layer, lungs)
    layer = _markers(canvas, letters, layer)
    return Phantom(_grain(canvas, grain, layer), masks), patient, "; ".join(words) or "normal"


# ---------------------------------------------------------------------------------------------- data set
REPEAT_EVERY = 20  # this many cases hold one repeat visit
ORIGINAL_PX = 4096  # pretended size of the original, at 0.0875 mm per px
RECORD = "phantom.json"
README = """Drawn chest X-rays
==================
These pictures and masks are drawings made by code (lungseg_utils.phantom, version {version}) from the seed {seed}:
{count} X-rays of {size} x {size} px. No patient is shown. Files and names follow the Montgomery County X-ray set:
leftMask is the lung on the viewer's left, which is the patient's right lung.
"""


@dataclass(frozen=True)
class _Plan:
    """One case to draw; plain values, so that it travels to another process."""

    id: str
    seed: int
    visit: int
    finding: bool
    earlier: tuple[str, ...]  # IDs of the same patient, latest first


def _plan(count: int, seed: int) -> list[_Plan]:
    """Half of the cases with a finding, in random order; every 20th case is a repeat visit."""
    rng = np.random.default_rng(seed)
    plans, visits = [], {}
    for number in range(1, count + 1):
        flag = bool(rng.integers(2)) if number % 2 else not plans[-1].finding
        id = f"PHANTOM_{number:04d}_{int(flag)}"
        patient = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
        if number % REPEAT_EVERY == 0:
            patient = plans[rng.integers(number - 1)].seed
        earlier = visits.setdefault(patient, [])
        plans.append(_Plan(id, patient, len(earlier), flag, tuple(earlier[::-1])))
        earlier.append(id)
    return plans


def _write(path: Path, grey: np.ndarray) -> None:
    path.write_bytes(cv2.imencode(".png", grey)[1].tobytes())


def _draw_case(folder: Path, plan: _Plan, size: int) -> str:
    """Draw one case and write its four files."""
    phantom, patient, reading = _draw(plan.seed, plan.visit, size, plan.finding)
    _write(folder / "CXR_png" / f"{plan.id}.png", phantom.image)
    _write(folder / "ManualMask" / "leftMask" / f"{plan.id}.png", phantom.masks[..., 0] * 255)
    _write(folder / "ManualMask" / "rightMask" / f"{plan.id}.png", phantom.masks[..., 1] * 255)
    if plan.earlier:
        reading += f" (same pt as {', '.join(plan.earlier)})"
    sex, age = "F" if patient.female else "M", patient.age + plan.visit % 2
    text = f"Patient's Sex: {sex} \nPatient's Age: {age:03d}Y\n{reading}\n"
    (folder / "ClinicalReadings" / f"{plan.id}.txt").write_text(text, encoding="utf-8", newline="\n")
    return plan.id


def _record(folder: Path) -> dict | None:
    """What the folder's record says, or None."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def draw_dataset(folder: Path, count: int = 240, size: int = 512, seed: int = 2022, workers: int | None = None) -> Path:
    """Draw a whole data set in the layout of the Montgomery set, or keep it when it stands there already.

    The files do not depend on the number of workers. They are drawn in a temporary folder beside the target and
    renamed at the end, so an interrupted run leaves nothing that looks whole.

    Args:
        folder: where the set goes; its parent is made when missing.
        count: number of X-rays; half of them have a finding, one in twenty is a repeat visit.
        size: height and width, px.
        seed: of the whole set.
        workers: processes that draw; all processors by default, 1 draws in this process.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something other than this set.
    """
    folder = Path(folder).resolve()
    record = {"version": PHANTOM_VERSION, "count": count, "size": size, "seed": seed}
    if _record(folder) == record:
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not the set {record}. Remove it or choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-unfinished-", dir=folder.parent))
    try:
        for part in ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask", "ClinicalReadings"):
            (temporary / part).mkdir(parents=True)
        plans = _plan(count, seed)
        _draw_cases(temporary, plans, size, workers or os.cpu_count() or 1)
        sizes = ["id,original_width_px,original_height_px", *(f"{p.id},{ORIGINAL_PX},{ORIGINAL_PX}" for p in plans)]
        (temporary / "original_sizes.csv").write_text("\n".join(sizes) + "\n", newline="\n")
        (temporary / "README.txt").write_text(README.format(**record), newline="\n")
        (temporary / RECORD).write_text(json.dumps(record) + "\n", newline="\n")
        temporary.chmod(0o755)  # mkdtemp keeps others out
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def _draw_cases(folder: Path, plans: list[_Plan], size: int, workers: int) -> None:
    """Draw all cases; the processes write the files, so no pictures gather in memory."""
    with tqdm(total=len(plans), desc="drawing X-rays", unit="case") as bar:
        if workers == 1:
            for plan in plans:
                _draw_case(folder, plan, size)
                bar.update()
            return
        # "spawn" starts clean processes: forking one that has loaded TensorFlow can hang.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), cv2.setNumThreads, (1,))
        try:
            for done in as_completed([pool.submit(_draw_case, folder, plan, size) for plan in plans]):
                done.result()
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
