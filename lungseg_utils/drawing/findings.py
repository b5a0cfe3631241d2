"""12: signs of disease. Each function returns a layer, (size, size) float32, and the words of the reading."""

import numpy as np

from lungseg_utils.drawing import ranges
from lungseg_utils.drawing.canvas import Canvas, Rng, mirror, oval
from lungseg_utils.drawing.patient import Patient


# Each function returns a layer, (size, size) float32, and the words of the reading that say what and where.
def _side(side: int) -> str:
    return f"the patient's {'left' if side == 1 else 'right'}"


def _spot_in_lung(rng: Rng, patient: Patient, low: float, high: float) -> tuple[float, float, str]:
    """A place in a lung at a height from low to high: u, t and its words."""
    side, t = int(rng.choice((-1, 1))), rng.uniform(low, high)
    medial, wall = (mirror(b[(side + 1) // 2], side) for b in (patient.medials, patient.walls))
    inner, outer = np.interp(t, medial[:, 1], medial[:, 0]), np.interp(t, wall[::-1, 1], wall[::-1, 0])
    zone = "upper" if t < 0.33 else "middle" if t < 0.6 else "lower"
    return side * (inner + (outer - inner) * rng.uniform(0.25, 0.8)), t, f"{_side(side)} {zone} zone"


def _infiltrate(canvas: Canvas, rng: Rng, patient: Patient) -> tuple[np.ndarray, str]:
    at, t, where = _spot_in_lung(rng, patient, 0.05, 0.75)
    layer = np.zeros_like(canvas.u)
    for _ in range(rng.integers(3, 10)):
        wide, du, dt = rng.uniform(0.05, 0.2), rng.normal(0, 0.1), rng.normal(0, 0.06)
        layer = layer + rng.uniform(0.3, 1) * canvas.spot(at + du, t + dt, wide, wide * rng.uniform(0.4, 0.9))
    cloud = 1 + 0.15 * canvas.noise(rng, 60) + 0.25 * canvas.noise(rng, 25)
    return canvas.full(np.minimum(layer, 1.2)) * cloud * rng.uniform(*ranges.INFILTRATE), f"infiltrate in {where}"


def _nodules(canvas: Canvas, rng: Rng, patient: Patient) -> tuple[np.ndarray, str]:
    at, t, where = _spot_in_lung(rng, patient, 0.15, 0.7)
    shapes = []
    for _ in range(rng.integers(2, 9)):
        radius = rng.uniform(0.015, 0.05)
        shapes.append(oval(at + rng.normal(0, 0.14), t + rng.normal(0, 0.09), radius, 0.62 * radius))
    return canvas.fill(shapes, 0.004) * rng.uniform(*ranges.NODULE), f"nodules in {where}"


def _cavity(canvas: Canvas, rng: Rng, patient: Patient) -> tuple[np.ndarray, str]:
    at, t, where = _spot_in_lung(rng, patient, 0.12, 0.5)
    turn = np.linspace(0, 2 * np.pi, 40)
    bumps = 1 + 0.12 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.06 * np.sin(3 * turn)
    radius = rng.uniform(0.07, 0.15) * bumps
    line = np.stack([at + radius * np.cos(turn), t + 0.62 * radius * np.sin(turn)], 1)
    halo = canvas.full(canvas.spot(at, t, 0.2, 0.12)) * (0.4 + 0.2 * canvas.noise(rng, 50))
    layer = canvas.bands([line], rng.uniform(0.025, 0.06), 0.004) + halo - 0.5 * canvas.fill([line], 0.004)
    return layer * rng.uniform(*ranges.CAVITY), f"cavity in {where}"


def _scar(canvas: Canvas, rng: Rng, patient: Patient) -> tuple[np.ndarray, str]:
    side, count = int(rng.choice((-1, 1))), rng.integers(5, 12)
    start = rng.uniform((0.2, 0.02), (0.6, 0.15), (count, 1, 2))
    along = rng.normal((-0.08, 0.08), (0.06, 0.03), (count, 1, 2)) * np.linspace(0, 1, 6)[:, None]
    lines = start + along + rng.normal(0, 0.007, (count, 6, 2)).cumsum(1)
    strands = canvas.bands(mirror(lines, side), rng.uniform(0.012, 0.04, (count, 1)), 0.003)
    cap = canvas.full(canvas.spot(side * 0.38, 0, 0.3, 0.06)) * rng.uniform(0.2, 0.8)
    return (strands + cap) * rng.uniform(*ranges.SCAR), f"scarring at {_side(side)} apex"


def fluid(canvas: Canvas, rng: Rng) -> tuple[np.ndarray, str]:
    """Fluid below a level: it blunts a costophrenic angle and climbs at the wall."""
    side, level, rise = int(rng.choice((-1, 1))), rng.uniform(*ranges.EFFUSION), rng.uniform(0, 0.18)
    v = np.linspace(0, 1, 50)
    surface = np.stack([1.2 * v, level + rise / 3 - rise * v ** rng.uniform(2, 6)], 1)
    shape = np.r_[surface, [(1.3, 1.3), (0, 1.3)]]
    return canvas.fill([mirror(shape, side)]), f"effusion, {_side(side)} costophrenic angle blunted"


FINDINGS = (_infiltrate, _infiltrate, _nodules, _cavity, _scar)  # infiltrates are the most frequent


def signs(canvas: Canvas, rng: Rng, patient: Patient) -> tuple[np.ndarray, list[str]]:
    """One to three signs of disease inside the lungs."""
    count = 1 + rng.choice(3, p=ranges.FINDING_COUNT)
    layers, words = zip(*(FINDINGS[i](canvas, rng, patient) for i in rng.permutation(5)[:count]), strict=True)
    return np.maximum(sum(layers), -0.1), list(dict.fromkeys(words))
