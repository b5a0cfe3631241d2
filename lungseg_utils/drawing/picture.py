"""From a seed to a picture: the layers added up, exposed and stored (13 to 17).

A picture is the attenuation of X-rays, added up layer by layer in the order of the numbered functions, then exposed.
Anatomy is given in *body coordinates*: u is the distance from the mid-line in half-widths of the chest, negative on the
viewer's left (the patient's right); t is the height, 0 at the apices of the lungs and 1 at the costophrenic angles, the
sharp lower corners of the lungs. Nothing random depends on the size of the picture.
"""

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

import cv2
import numpy as np

from lungseg_utils.drawing import anatomy, findings, ranges
from lungseg_utils.drawing.canvas import (
    FINE,
    LOW,
    NORMAL,
    Canvas,
    Rng,
    blur_layer,
    fill_polygons,
    oval,
    ramp,
    resize_layer,
    smooth_curve,
)
from lungseg_utils.drawing.patient import Patient, draw_masks, draw_patient


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
        without: names from `ranges.PARTS`, to leave out or to hold still.

    Raises:
        ValueError: there is no part of that name.
    """
    unknown = set(without) - set(ranges.PARTS)
    if unknown:
        raise ValueError(
            f"There is no part named {', '.join(sorted(unknown))}. The parts are: {', '.join(ranges.PARTS)}."
        )
    return draw_visit(seed, 0, size, finding and "findings" not in without, without)[0]


def _place(size: int, frame: Rng, pose: Rng, visit: int) -> Canvas:
    """Place a patient in the picture: a second visit differs a little."""
    numbers = np.array([frame.uniform(*r) for r in (ranges.HALF_WIDTH, ranges.HEIGHT, ranges.APEX, ranges.SHIFT)])
    half_width, height, top, shift = numbers + (pose.uniform(*ranges.REVISIT, 4) if visit else 0)
    height = min(height, (1 - ranges.MARGIN - top) / ranges.ANGLE[1])
    half_width = min(half_width, (0.5 - ranges.MARGIN - abs(shift)) / (1 + ranges.TURN[1]))
    return Canvas(size, 0.5 + shift, top, half_width, height, pose.uniform(*ranges.TILT))


def _wires(canvas: Canvas, rng: Rng) -> np.ndarray:
    """13: leads, tubes, buttons and the box of a pacemaker, on some patients."""
    u = rng.uniform
    if rng.random() > ranges.WIRES_ODDS:
        return np.zeros((canvas.size, canvas.size), np.float32)
    lines = [smooth_curve(u((-1.1, -0.3), (1.1, 1.2), (4, 2)), 60) for _ in range(rng.integers(1, 4))]
    layer = canvas.bands(np.array(lines), u(0.008, 0.03), 0.001)
    discs = [oval(*u((-1, 0), (1, 1)), *(u(0.02, 0.05) * np.array((1, 0.62)))) for _ in range(rng.integers(0, 4))]
    if rng.random() < 0.3:
        discs.append(oval(rng.choice((-1, 1)) * u(0.5, 0.8), u(0.1, 0.25), 0.16, 0.09))
    return np.maximum(layer, canvas.fill(discs, 0.001)) * u(*ranges.WIRE)


def _expose(canvas: Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """14: scatter, window and contrast curve; (size, size) float32 from 0 to 1."""
    u = rng.uniform
    layer = layer + canvas.noise(rng, 4) * u(*ranges.SCATTER) + canvas.noise(rng, 8) * u(*ranges.SCATTER) / 2
    layer += canvas.full(u(*ranges.SIDE_SLOPE) * canvas.u + u(*ranges.DOWN_SLOPE) * canvas.t)
    if rng.random() < ranges.EQUALISER_ODDS:
        layer -= u(*ranges.EQUALISER) * blur_layer(layer, u(*ranges.EQUALISER_RADIUS))
    ranked = np.sort(resize_layer(layer, LOW // 2), axis=None)
    black, white = (float(ranked[int(len(ranked) * share / 100)]) for share in (2, u(*ranges.WHITE)))
    layer = cv2.pow(ramp(layer, black * u(0.6, 1), white), u(*ranges.GAMMA))
    if rng.random() < ranges.SIGMOID_ODDS:
        middle, slope = u(*ranges.SIGMOID_MIDDLE), u(*ranges.SIGMOID_SLOPE)
        low, high = (1 / (1 + np.exp(slope * (middle - end))) for end in (0, 1))
        layer = ramp(1 / (1 + cv2.exp((middle - layer) * slope)), float(low), float(high))
    return layer


def _collimate(canvas: Canvas, rng: Rng, layer: np.ndarray, patient: Patient) -> np.ndarray:
    """15: black borders where no X-rays were let through, never over a lung; some with a bright rim."""
    u = rng.uniform
    points = np.concatenate([canvas.place(outline) for outline in patient.outlines])
    (left, _), (right, low) = points.min(0), points.max(0) + 0.005
    slant, below = u(-0.02, 0.02), low + 0.01 + u(0, 1) * 0.35
    before, after = left * u(0, 0.9), right + (1 - right) * u(0.1, 1)
    ends = np.maximum((below - slant, below + slant), low)
    borders = [[(0, ends[0]), (1, ends[1]), (1, 2), (0, 2)]]
    borders += [[(x, -1), (x, 2), (edge, 2), (edge, -1)] for x, edge in ((before, -1), (after, 2))]
    used = rng.random(3) < ranges.BORDER_ODDS
    cover = fill_polygons([border for border, use in zip(borders, used, strict=True) if use], canvas.size)
    if rng.random() < ranges.RIM_ODDS:
        layer = np.maximum(layer, np.clip(2 * blur_layer(cover, 0.004), 0, 0.9))
    return layer * (1 - cover)


def _letter(canvas: Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """16: letters in the upper corners, some dark in a bright box."""
    u, font, grey = rng.uniform, cv2.FONT_HERSHEY_SIMPLEX, np.zeros((FINE, FINE), np.uint8)
    for text, odds, start in ranges.LETTERS:
        x, y = int(FINE * (start + u(0, 0.1))), int(FINE * u(0.03, 0.2))
        scale, bright, boxed = u(0.35, 0.8), round(255 * u(0.6, 1)), rng.random() < 0.5
        if rng.random() < odds:
            wide, tall = cv2.getTextSize(text, font, scale, 2)[0]
            if boxed:
                cv2.rectangle(grey, (x - 3, y - tall - 3), (x + wide + 3, y + 4), bright, cv2.FILLED)
            cv2.putText(grey, text, (x, y), font, scale, 0 if boxed else bright, 2, cv2.LINE_AA)
    return np.maximum(layer, resize_layer(grey, canvas.size) * np.float32(1 / 255))


def _scan(canvas: Canvas, rng: Rng, layer: np.ndarray) -> np.ndarray:
    """17: blur, grain and grey range of the stored picture; (size, size) float32 from 0 to 1."""
    u = rng.uniform
    noise = rng.integers(2**64, size=(FINE, FINE // 8), dtype=np.uint64).astype("<u8").view(np.uint8)
    grain = resize_layer(cv2.LUT(noise, NORMAL), canvas.size) * u(*ranges.GRAIN)
    black = u(*ranges.BLACK) if rng.random() < 0.5 else 0
    bright = u(*ranges.BRIGHT) if rng.random() < 0.5 else 1
    layer = blur_layer(layer, u(*ranges.BLUR)) + grain * (0.3 + layer)
    return black + np.clip(layer, 0, 1) * (bright - black)


def draw_visit(
    seed: int, visit: int, size: int, finding: bool, without: Collection[str] = ()
) -> tuple[Phantom, Patient, str]:
    """Draw one visit of one patient, 0 for the first; also returns the patient and the reading."""
    held = {name for part in without for name in ranges.HELD.get(part, ())}

    def part(name: str, *more: int) -> Rng:  # its own random numbers, so that no part changes another
        return np.random.default_rng([zlib.crc32(name.encode()), 0 if name in held else seed, *more])

    patient = draw_patient(part("patient"))
    canvas = _place(size, part("frame"), part("pose", visit), visit)
    sick, words, fluid = part("finding", visit), [], np.zeros((size, size), np.float32)
    if finding and sick.random() < ranges.EFFUSION_ODDS:
        fluid, effusion = findings.fluid(canvas, sick)
        words.append(effusion)
    masks = draw_masks(canvas, patient)
    lungs = (masks[..., 0] | masks[..., 1]).astype(np.float32)
    layer = _chest(canvas, part, patient, lungs, fluid, without)
    if finding:
        signs, said = findings.signs(canvas, sick, patient)
        spread = blur_layer(fluid, sick.uniform(0.001, 0.03))
        layer += signs * blur_layer(lungs, 0.003) + canvas.fill(patient.outlines, 0.004) * spread * sick.uniform(
            *ranges.FLUID
        )
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


def _chest(
    canvas: Canvas,
    part: Callable[[str], Rng],
    patient: Patient,
    lungs: np.ndarray,
    fluid: np.ndarray,
    without: Collection[str],
) -> np.ndarray:
    """1 to 11: the attenuation of a chest without signs of disease, (size, size) float32."""
    organs = anatomy.organs(canvas, patient)
    away = resize_layer(anatomy.inwards(1 - canvas.fill(patient.outlines)), LOW)  # from the lungs
    body, air = anatomy.body(canvas, part("body"), patient), part("air")
    layer = body.copy()
    if "wall" not in without:
        layer += anatomy.shell(canvas, part("shell"), patient) * body
    if patient.female and "breasts" not in without:
        layer += anatomy.breasts(canvas, part("breasts"))
    hidden = np.zeros_like(layer)
    if "hidden air" not in without:
        hidden = anatomy.hidden_air(canvas, part("hidden air"), patient, away) * (1 - fluid)
    layer -= anatomy.air(canvas, air, patient, lungs, hidden) * np.maximum(body, 0.5) * air.uniform(*ranges.AIR)
    if "heart" not in without:
        layer += anatomy.mediastinum(canvas, part("mediastinum"), patient, away)
        layer += anatomy.heart(canvas, part("heart"), patient, away)
        layer += anatomy.aorta(canvas, part("aorta"), patient)
    layer += anatomy.abdomen(canvas, part("abdomen"), patient, organs, away) * body
    if "murk" not in without:
        layer += anatomy.murk(canvas, part("murk")) * (1 - lungs)
    if "gas" not in without:
        layer -= anatomy.gas(canvas, part("gas"), patient)
    if "bones" not in without:
        bones = anatomy.ribs(canvas, part("ribs"), patient, organs)
        bones += anatomy.clavicles(canvas, part("clavicles")) + anatomy.scapulae(canvas, part("scapulae"), patient)
        layer += bones * np.minimum(1.5 * body, 1)
    if "vessels" not in without:
        layer += anatomy.vessels(canvas, part("vessels")) * lungs
    return layer
