"""Pictures that are no upright frontal chest X-ray, drawn by code or made from one, for the remarks (`remarks.py`).

They are crude on purpose: what is asked is whether a remark is made, and not how well somebody draws a hand. A
radiograph is a sum of soft shapes, bones bright; numbers are fractions of the picture.
"""

from collections.abc import Callable

import cv2
import numpy as np

Rng = np.random.Generator


class Sheet:
    """A picture in the making: attenuation, (rows, columns) float32, to which shapes are added."""

    def __init__(self, rng: Rng, narrow: float = 0.75):
        """An empty sheet; `narrow` is the least ratio of width to height."""
        self.rng, self.u = rng, rng.uniform
        rows = int(rng.integers(256, 513))
        self.layer = np.zeros((rows, int(rows * self.u(narrow, 1.1))), np.float32)
        self.size = np.array(self.layer.shape[::-1])

    def add(self, points, shade: float, blur: float = 0.004) -> None:
        """Add a filled polygon of (x, y)."""
        mask = np.zeros_like(self.layer)
        cv2.fillPoly(mask, [np.rint(np.asarray(points) * self.size).astype(np.int32)], 1.0)
        self.layer += shade * cv2.GaussianBlur(mask, (0, 0), max(0.4, blur * self.size[1]))

    def oval(
        self, x: float, y: float, wide: float, tall: float, shade: float, blur: float = 0.01, turn: float = 0
    ) -> None:
        """Add an ellipse about (x, y), with half-axes and a turn in radians."""
        way = np.linspace(0, 2 * np.pi, 60)
        wave = 1 + 0.06 * np.sin(self.rng.integers(2, 5) * way + self.u(0, 6))
        points = np.stack([wide * wave * np.cos(way), tall * wave * np.sin(way)], 1)
        turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        self.add(turned + (x, y), shade, blur)

    def bone(self, start, end, width: float, shade: float) -> None:
        """Add a bone: a shaft with a bright rim and thicker ends."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        along = (end - start) / max(1e-6, np.hypot(*(end - start)))
        across = np.array([-along[1], along[0]]) * width / 2
        way = np.linspace(0, 1, 20)[:, None]
        thick = 1 + 0.7 * np.abs(2 * way - 1) ** 4
        middle = start + (end - start) * way
        for share, part in ((1.0, 0.6), (0.6, -0.25)):
            edge = across * thick * share
            self.add(np.concatenate([middle + edge, (middle - edge)[::-1]]), part * shade, 0.003)
        for at in (start, end):
            self.oval(*at, 0.6 * width, 0.6 * width, 0.3 * shade, 0.004)

    def band(self, points, width: float, shade: float, blur: float = 0.004) -> None:
        """Add a band along points, such as a rib."""
        mask = np.zeros_like(self.layer)
        line = np.rint(np.asarray(points) * self.size).astype(np.int32)
        cv2.polylines(mask, [line], False, 1.0, max(1, round(width * self.size[1])))
        self.layer += shade * cv2.GaussianBlur(mask, (0, 0), max(0.4, blur * self.size[1]))

    def expose(self) -> np.ndarray:
        """The sheet as a radiograph, uint8: placed anew, mottled, grained, with an exposure of its own."""
        height, width = self.layer.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), self.u(-8, 8), self.u(0.8, 1.2))
        matrix[:, 2] += self.u(-0.06, 0.06, 2) * self.size
        layer = cv2.warpAffine(np.maximum(self.layer, 0), matrix, (width, height))
        coarse = self.rng.normal(0, 1, (9, 9)).astype(np.float32)
        layer *= 1 + 0.08 * cv2.resize(coarse, self.layer.shape[::-1], interpolation=cv2.INTER_CUBIC)
        layer = np.clip(layer / np.percentile(layer, 99.7), 0, 1) ** self.u(0.6, 1.5)
        grain = self.rng.normal(0, self.u(0.005, 0.03), layer.shape)
        return to_grey(self.u(0, 0.1) + self.u(0.75, 0.9) * layer + grain)


def to_grey(values: np.ndarray) -> np.ndarray:
    """Shades from 0 to 1 as uint8."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


# --- radiographs of something else ---


def lateral(rng: Rng) -> np.ndarray:
    """A chest from the side: one lung field, the spine behind it, the heart before it."""
    sheet, u = Sheet(rng, 0.7), rng.uniform
    sheet.add([(0.12, 0.12), (0.3, 0.02), (0.75, 0.02), (0.9, 0.2), (0.93, 1), (0.1, 1)], 0.55, 0.03)
    lung = [(0.42, 0.14), (0.6, 0.1), (0.78, 0.2), (0.84, 0.5), (0.82, u(0.84, 0.93)), (0.62, u(0.7, 0.78))]
    lung += [(0.4, u(0.7, 0.76)), (0.22, u(0.78, 0.84)), (0.2, 0.6), (0.24, 0.32)]
    sheet.add(lung, -u(0.3, 0.42), 0.015)
    sheet.oval(0.36, u(0.58, 0.68), u(0.1, 0.16), u(0.12, 0.17), u(0.2, 0.35), 0.02, 0.5)
    for y in np.arange(0.05, 1, 0.085):  # the spine
        x = 0.78 + 0.07 * np.sin(3 * y)
        sheet.add([(x - 0.05, y), (x + 0.05, y), (x + 0.05, y + 0.065), (x - 0.05, y + 0.065)], u(0.15, 0.25))
    for y in np.arange(0.15, 0.8, u(0.07, 0.1)):
        sheet.band([(0.8, y), (0.6, y + 0.12), (0.4, y + 0.2), (0.25, y + 0.18)], 0.016, u(0.03, 0.08))
    sheet.oval(u(0.35, 0.6), 0.06, 0.25, 0.1, u(0.1, 0.5), 0.02)  # arms held up
    sheet.band([(0.17, 0.2), (0.13, 0.6)], 0.02, 0.15)  # breastbone
    image = sheet.expose()
    return image if rng.random() < 0.5 else np.ascontiguousarray(image[:, ::-1])


def hand(rng: Rng) -> np.ndarray:
    """A hand."""
    sheet, u = Sheet(rng, 0.7), rng.uniform
    sheet.oval(0.5, 0.68, 0.2, 0.17, 0.35, 0.01)
    sheet.add([(0.38, 0.8), (0.62, 0.8), (0.6, 1), (0.4, 1)], 0.35, 0.01)
    for finger, angle in enumerate(np.deg2rad([-62, -22, -4, 12, 30])):
        way = np.array([np.sin(angle), -np.cos(angle)])
        joint, lengths = np.array([0.5, 0.8]) + 0.05 * way, [0.2, 0.13, 0.08, 0.06] if finger else [0.12, 0.1, 0.08]
        tip = joint + way * (sum(lengths) + 0.05)
        sheet.band([joint, tip], u(0.07, 0.09), 0.3, 0.006)
        for length in lengths:
            sheet.bone(joint + 0.01 * way, joint + (length - 0.005) * way, u(0.028, 0.04), 0.6)
            joint = joint + length * way
    for x in (0.43, 0.48, 0.53, 0.58):
        sheet.oval(x, u(0.8, 0.84), 0.025, 0.025, 0.35, 0.004)
    sheet.bone((0.45, 0.87), (0.44, 1), 0.06, 0.6)
    sheet.bone((0.55, 0.88), (0.56, 1), 0.05, 0.6)
    return sheet.expose()


def skull(rng: Rng) -> np.ndarray:
    """A skull from the front."""
    sheet, u = Sheet(rng, 0.8), rng.uniform
    wide, tall = u(0.3, 0.38), u(0.34, 0.4)
    sheet.oval(0.5, 0.42, wide + 0.03, tall + 0.03, 0.25)
    sheet.oval(0.5, 0.42, wide, tall, 0.5)
    sheet.oval(0.5, 0.4, wide - 0.03, tall - 0.03, -0.3, 0.008)
    for side in (-1, 1):
        sheet.oval(0.5 + side * 0.14, 0.5, u(0.07, 0.09), u(0.06, 0.08), -u(0.12, 0.25), 0.006)
        sheet.oval(0.5 + side * 0.12, 0.66, 0.05, 0.07, -u(0.05, 0.2), 0.01)
        sheet.band([(0.5 + side * 0.26, 0.6), (0.5 + side * 0.22, 0.82), (0.5 + side * 0.06, 0.92)], 0.05, 0.3, 0.006)
    sheet.oval(0.5, 0.62, 0.05, 0.1, -0.15, 0.01)
    for row in (0.76, 0.82):
        for x in np.linspace(0.38, 0.62, 8):
            sheet.oval(x, row, 0.013, 0.028, 0.4, 0.003)
    sheet.add([(0.38, 0.85), (0.62, 0.85), (0.66, 1), (0.34, 1)], 0.4, 0.02)
    for y in np.arange(0.86, 1, 0.05):
        sheet.oval(0.5, y, 0.07, 0.022, 0.2, 0.004)
    return sheet.expose()


def knee(rng: Rng) -> np.ndarray:
    """One knee, or both."""
    sheet, u = Sheet(rng, 0.6), rng.uniform
    for x in [0.5] if rng.random() < 0.5 else [0.27, 0.73]:
        flesh, wide = u(0.16, 0.22), u(0.09, 0.12)
        sheet.add([(x - flesh, 0), (x + flesh, 0), (x + 0.8 * flesh, 0.5), (x + flesh, 1), (x - flesh, 1),
                   (x - 0.8 * flesh, 0.5)], 0.35, 0.02)  # fmt: skip
        sheet.bone((x, -0.1), (x, 0.42), wide, 0.7)
        sheet.oval(x, 0.44, 0.11, 0.07, 0.4, 0.006)
        sheet.oval(x, 0.58, 0.11, 0.05, 0.4, 0.006)
        sheet.bone((x, 0.58), (x, 1.1), 0.9 * wide, 0.7)
        sheet.bone((x + 0.09, 0.64), (x + 0.08, 1.1), 0.03, 0.5)
        sheet.oval(x, u(0.36, 0.42), 0.05, 0.05, 0.2, 0.006)
    return sheet.expose()


def abdomen(rng: Rng) -> np.ndarray:
    """An abdomen with the pelvis and gas in the bowel."""
    sheet, u = Sheet(rng, 0.75), rng.uniform
    sheet.add([(0.03, 0), (0.97, 0), (0.95, 0.5), (1, 1), (0, 1), (0.05, 0.5)], 0.6, 0.03)
    for y in np.arange(0.02, 0.75, 0.105):
        sheet.oval(0.5, y, 0.055, 0.045, 0.25, 0.006)
    for side in (-1, 1):
        sheet.add([(0.5 + side * 0.06, 0.3), (0.5 + side * 0.1, 0.3), (0.5 + side * 0.22, 0.7)], 0.1, 0.01)
        sheet.oval(0.5 + side * 0.27, 0.77, 0.18, 0.14, 0.25, 0.01, side * 0.7)
        sheet.oval(0.5 + side * 0.32, 0.97, 0.06, 0.06, 0.3, 0.006)
        for y in (0.02, 0.1):
            sheet.band([(0.5 + side * 0.08, y), (0.5 + side * 0.3, y + 0.08), (0.5 + side * 0.42, y + 0.2)], 0.025, 0.1)
    for _ in range(rng.integers(4, 14)):
        sheet.oval(u(0.15, 0.85), u(0.15, 0.85), u(0.03, 0.08), u(0.02, 0.06), -u(0.1, 0.3), 0.01, u(0, 3))
    return sheet.expose()


def breast(rng: Rng) -> np.ndarray:
    """A mammogram."""
    sheet, u = Sheet(rng, 0.7), rng.uniform
    sheet.oval(0, u(0.4, 0.6), u(0.5, 0.8), u(0.35, 0.45), 0.4, 0.01)
    for _ in range(12):
        sheet.oval(u(0.05, 0.5), u(0.3, 0.7), u(0.03, 0.15), u(0.03, 0.1), u(0.02, 0.12), 0.03, u(0, 3))
    sheet.add([(0, 0), (u(0.15, 0.4), 0), (0, u(0.4, 0.7))], 0.4, 0.01)
    image = sheet.expose()
    return image if rng.random() < 0.5 else np.ascontiguousarray(image[:, ::-1])


def ct_slice(rng: Rng) -> np.ndarray:
    """An axial CT slice of the chest: two lungs side by side, and the hardest of all."""
    sheet, u = Sheet(rng, 0.95), rng.uniform
    wide, tall, y, air = u(0.36, 0.48), u(0.25, 0.4), u(0.45, 0.52), u(0.3, 0.54)
    sheet.oval(0.5, y, wide, tall, 0.55, 0.004)
    for side in (-1, 1):
        sheet.oval(0.5 + side * u(0.45, 0.52) * wide, y + 0.01, u(0.3, 0.38) * wide, u(0.62, 0.75) * tall,
                   -air, 0.004, side * u(-0.3, 0.1))  # fmt: skip
        for _ in range(25):  # vessels
            sheet.oval(0.5 + side * u(0.25, 0.75) * wide, y + u(-0.45, 0.45) * tall, 0.006, u(0.004, 0.015), 0.3, 0.002,
                       u(0, 3))  # fmt: skip
        for angle in np.linspace(-1.2, 1.2, 6):
            sheet.oval(0.5 + side * 0.86 * wide * np.cos(angle), y + 0.86 * tall * np.sin(angle), 0.01, 0.03, 0.35,
                       0.003, side * angle)  # fmt: skip
    sheet.oval(0.5 + 0.1 * wide, y - 0.1 * tall, u(0.22, 0.36) * wide, u(0.25, 0.4) * tall, 0.2, 0.006)
    sheet.oval(0.5, y + 0.62 * tall, 0.05, 0.05, 0.45, 0.004)
    sheet.band([(0.5, y + 0.7 * tall), (0.5, y + 0.9 * tall)], 0.02, 0.35)
    sheet.band([(0.1, y + tall + 0.05), (0.5, y + tall + 0.08), (0.9, y + tall + 0.05)], 0.01, u(0, 0.3))
    return sheet.expose()


# --- no radiographs ---


def photograph(rng: Rng) -> np.ndarray:
    """A scene with a sky, hills and things, or a face."""
    sheet, u = Sheet(rng, 0.7), rng.uniform
    height, width = sheet.layer.shape
    sheet.layer += np.linspace(u(0.4, 1), u(0.2, 0.8), height, dtype=np.float32)[:, None]
    for _ in range(rng.integers(1, 4)):
        x = np.linspace(0, 1, 30)
        level = u(0.3, 0.8) + sum(u(0.01, 0.1) * np.sin(rate * x + u(0, 6)) for rate in (3, 7, 15))
        sheet.add([*zip(x, level), (1, 1.1), (0, 1.1)], u(-0.35, 0.2), 0.002)
    for _ in range(rng.integers(2, 12)):
        x, y, wide, tall = u(0, 1), u(0.2, 1), u(0.02, 0.2), u(0.05, 0.3)
        if rng.random() < 0.5:
            sheet.oval(x, y, wide, tall, u(-0.4, 0.4), u(0.001, 0.02), u(0, 3))
        else:
            sheet.add([(x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall)], u(-0.4, 0.4), 0.001)
    if rng.random() < 0.5:
        x, y, size = u(0.35, 0.65), u(0.35, 0.6), u(0.12, 0.3)
        sheet.oval(x, y - 0.1 * size, 1.1 * size, 1.4 * size, -0.4)
        sheet.oval(x, y, 0.8 * size, 1.1 * size, 0.6)
        for dx, dy, wide in ((-0.3, -0.2, 0.12), (0.3, -0.2, 0.12), (0, 0.5, 0.3), (0, 0.15, 0.08)):
            sheet.oval(x + dx * size, y + dy * size, wide * size, 0.08 * size, -0.3, 0.004)
    for cells in (8, 40):
        rough = rng.normal(0, u(0, 0.08), (cells, cells)).astype(np.float32)
        sheet.layer += cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = np.percentile(sheet.layer, (1, 99))
    return to_grey((sheet.layer - low) / (high - low))


def page(rng: Rng) -> np.ndarray:
    """A page of text."""
    height = int(rng.integers(300, 700))
    image = np.full((height, int(height * rng.uniform(0.7, 1))), rng.integers(215, 256), np.uint8)
    size, y = rng.uniform(0.3, 0.6), 0.08 * height
    while y < 0.93 * height:
        words = ["".join(rng.choice(list("abcdeghilmnoprstuvw"), rng.integers(2, 10))) for _ in range(30)]
        length = image.shape[1] * (0.84 if rng.random() < 0.8 else rng.uniform(0.2, 0.7))
        line = " ".join(words)[: max(1, int(length / (19 * size)))]
        cv2.putText(
            image, line, (int(0.08 * image.shape[1]), int(y)), cv2.FONT_HERSHEY_SIMPLEX, size, 20, 1, cv2.LINE_AA
        )
        y += 36 * size * (1 if rng.random() < 0.85 else 2)
    return image


def windows(rng: Rng) -> np.ndarray:
    """A screenshot with windows."""
    height = int(rng.integers(300, 600))
    image = np.full((height, int(height * rng.uniform(1.0, 1.7))), rng.integers(30, 220), np.uint8)
    for _ in range(rng.integers(2, 6)):
        x, y = int(rng.uniform(0, 0.7) * image.shape[1]), int(rng.uniform(0, 0.7) * height)
        wide, tall = int(rng.uniform(0.2, 0.6) * image.shape[1]), int(rng.uniform(0.2, 0.6) * height)
        cv2.rectangle(image, (x, y), (x + wide, y + tall), int(rng.integers(0, 256)), -1)
        cv2.rectangle(image, (x, y), (x + wide, y + 18), int(rng.integers(0, 256)), -1)
        for row in range(y + 34, y + tall, 22):
            cv2.putText(image, "File  Edit  View  0123"[: rng.integers(4, 22)], (x + 6, row), cv2.FONT_HERSHEY_SIMPLEX,
                        0.4, int(rng.integers(0, 256)), 1, cv2.LINE_AA)  # fmt: skip
    return image


def blank(rng: Rng) -> np.ndarray:
    """Nothing: one shade, or a faint change of it, with or without a little grain."""
    shape = tuple(rng.integers(200, 500, 2))
    level, slope = rng.uniform(0, 1), rng.choice([0, 0, rng.uniform(-0.4, 0.4)])
    return to_grey(level + np.linspace(0, slope, shape[0])[:, None] + rng.choice([0, 0.01]) * rng.normal(size=shape))


def noise(rng: Rng) -> np.ndarray:
    """Noise, of fine to coarse grain."""
    height, width = rng.integers(200, 500, 2)
    cells = rng.choice([1, 1, 2, 8, 30])
    rough = rng.uniform(0, 1, (height // cells + 1, width // cells + 1)).astype(np.float32)
    return to_grey(cv2.resize(rough, (int(width), int(height)), interpolation=cv2.INTER_CUBIC))


def ultrasound(rng: Rng) -> np.ndarray:
    """A fan of speckle on black."""
    height, width = 400, int(rng.integers(400, 520))
    y, x = np.mgrid[:height, :width]
    depth, angle = np.hypot(x - width / 2, y + 20), np.arctan2(x - width / 2, y + 20)
    coarse = cv2.resize(rng.uniform(0, 1, (14, 14)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    fan = (np.abs(angle) < rng.uniform(0.5, 0.8)) & (depth < 400) & (depth > 50)
    return to_grey(fan * coarse * rng.exponential(0.6, (height, width)))


DRAWN: dict[str, Callable[[Rng], np.ndarray]] = {
    "lateral chest": lateral,
    "hand": hand,
    "skull": skull,
    "knee": knee,
    "abdomen": abdomen,
    "mammogram": breast,
    "CT slice": ct_slice,
    "photograph": photograph,
    "page of text": page,
    "screenshot": windows,
    "blank": blank,
    "noise": noise,
    "ultrasound": ultrasound,
}
"""Kind -> a function that draws one, uint8, from random numbers."""


# --- a frontal chest X-ray, shown wrongly ---


def _half(image: np.ndarray, rng: Rng, padded: bool) -> np.ndarray:
    """One side of the chest, alone or beside black."""
    left, middle = rng.random() < 0.5, round(image.shape[1] * rng.uniform(0.45, 0.55))
    part = image[:, :middle] if left else image[:, middle:]
    if not padded:
        return part
    whole = np.zeros_like(image)
    whole[:, (image.shape[1] - part.shape[1]) // 2 :][:, : part.shape[1]] = part
    return whole


CHANGED: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "black and white exchanged": lambda image, rng: 255 - image,
    "quarter turn": lambda image, rng: np.rot90(image, rng.choice([1, 3])),
    "upside down": lambda image, rng: np.rot90(image, 2),
    "half a chest": lambda image, rng: _half(image, rng, False),
    "half a chest beside black": lambda image, rng: _half(image, rng, True),
    "two side by side": lambda image, rng: np.hstack([image, image]),
    "two, one above the other": lambda image, rng: np.vstack([image, image]),
}
"""Kind -> a change of a frontal chest X-ray (height, width) uint8 that makes it one of that kind."""
