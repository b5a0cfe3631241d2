"""A patient: the borders of the lungs that all other anatomy follows, and the masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from lungseg_utils.drawing import ranges
from lungseg_utils.drawing.canvas import FINE, Canvas, Rng, fill_polygons, mirror, ramp, smooth_curve


@dataclass
class Patient:
    """What stays the same between two visits. Lists hold the viewer's left, then the viewer's right."""

    age: int
    female: bool
    shoulder: float  # height of the shoulders, t
    arm: float  # angle of the arms below the horizontal, radians
    walls: list[np.ndarray]  # outer borders of the lungs, from the costophrenic angle up to the apex
    medials: list[np.ndarray]  # medial borders, from the apex down to the diaphragm
    domes: list[np.ndarray]  # the diaphragm, from the mid-line out to the costophrenic angle
    outlines: list[np.ndarray]  # closed outlines of the lungs


def draw_patient(rng: Rng) -> Patient:
    """Draw a patient: everything else follows the outlines of the lungs."""
    u = rng.uniform
    age, female = int(rng.integers(*ranges.AGE, endpoint=True)), rng.random() < ranges.FEMALE_ODDS
    patient = Patient(age, female, u(*ranges.SHOULDER), np.deg2rad(u(*ranges.ARM_ANGLE)), [], [], [], [])
    turn, apex, gap, shift = (u(*r) for r in (ranges.TURN, ranges.APEX_WIDTH, ranges.UPPER_GAP, ranges.HEART_SHIFT))
    gap *= u(*ranges.THYMUS) if age < ranges.GROWN else 1
    dome, dip = u(*ranges.DOME), u(*ranges.DOME_DIP)
    for side in (-1, 1):
        level = dome if side == -1 else dome + u(*ranges.DOME_STEP)
        width = apex + u(*ranges.APEX_WIDTH_STEP)
        border, top = _lung_border(rng, side, 1 + side * turn / 2, width, gap, side * shift)
        v = np.linspace(0, 1, 100)
        fall = level + (border[0, 1] - level) * v ** u(*ranges.DOME_POWER) + (dome + dip - level) * (1 - v) ** 3
        diaphragm = np.stack([v * border[0, 0], fall], 1)
        below = border[top:, 1] > np.interp(border[top:, 0], *diaphragm.T)
        medial = border[top : top + np.argmax(below)] if below.any() else border[top:]
        base = diaphragm[diaphragm[:, 0] > medial[-1, 0]]
        patient.walls.append(mirror(border[: top + 1], side))
        patient.medials.append(mirror(medial, side))
        patient.domes.append(mirror(diaphragm, side))
        patient.outlines.append(mirror(np.concatenate([border[:top], medial, base]), side))
    return patient


def _lung_border(rng: Rng, side: int, wide: float, apex: float, gap: float, shift: float) -> tuple[np.ndarray, int]:
    """Border of a lung from the costophrenic angle over the apex to the foot of the heart, and the apex's index."""
    u = rng.uniform
    medial = np.array(ranges.ATRIUM if side == -1 else ranges.HEART_SIDE)
    size = u(*(ranges.ATRIUM_SIZE if side == -1 else ranges.HEART_SIZE))
    medial[:, 0] = 0.11 + (medial[:, 0] - 0.11) * np.where(medial[:, 1] > 0.4, size, 1)
    medial[:, 0] *= np.interp(medial[:, 1], (0.3, 0.6), (gap, 1))
    medial[:, 0] += shift * ramp(medial[:, 1], 0.3, 0.6)
    if side == 1:
        medial[:, 0] += u(*ranges.KNOB) * np.exp(-(((medial[:, 1] - 0.25) / 0.06) ** 2))
    upper = np.array(ranges.OUTER + ranges.SUMMIT)
    upper[:, 0] *= np.interp(upper[:, 1], (0, 0.5), (apex, 1))
    upper[: len(ranges.OUTER), 1] *= np.interp(upper[: len(ranges.OUTER), 1], (0.06, 0.35), (u(*ranges.APEX_FLAT), 1))
    upper[: len(ranges.OUTER), 0] += u(*ranges.WALL) * np.sin(np.pi * upper[: len(ranges.OUTER), 1])
    points = np.concatenate([upper, medial])
    for rate, size in ranges.WAVES:
        bend = size * u(-1, 1) * np.sin(rate * points[:, 1] + u(0, 2 * np.pi))
        points[:, 0] += bend * np.clip(5 * points[:, 1], 0, 1)
    points[:, 0] = np.maximum(points[:, 0], 0.06) * wide
    points[:, 1] += u(*ranges.APEX_STEP) * ramp(points[:, 1], 0.4, 0)
    border = smooth_curve(np.concatenate([[(points[0, 0] - u(0, 0.03), u(*ranges.ANGLE))], points]), 240)
    return border, int(np.argmin(border[:, 1]))


def draw_masks(canvas: Canvas, patient: Patient) -> np.ndarray:
    """Masks of both lungs, (size, size, 2) uint8; each lung is one piece, also behind fluid and white shadows."""
    finer = max(2, 2 * FINE // canvas.size)
    masks = np.zeros((2, canvas.size, canvas.size), np.uint8)
    for mask, outline in zip(masks, patient.outlines, strict=True):
        lung = fill_polygons([canvas.place(outline)], canvas.size, finer) > 0.5
        pieces, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mask, [max(pieces, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    masks[1] &= 1 - masks[0]
    return cv2.merge(list(masks))
