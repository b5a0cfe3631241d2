"""Curves, layers and polygons, and one patient placed in one picture: what the drawing is drawn with."""

from collections.abc import Iterable
from itertools import repeat
from statistics import NormalDist

import cv2
import numpy as np
from scipy.interpolate import splev, splprep

LOW, MIDDLE, FINE = 128, 256, 512  # grids on which slow layers, distances and grain are computed, px
CIRCLE = np.stack([np.cos(np.arange(48) * np.pi / 24), np.sin(np.arange(48) * np.pi / 24)], 1)
NORMAL = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)], np.float32)  # of a random byte

Rng = np.random.Generator


def smooth_curve(points, count: int = 80) -> np.ndarray:
    """Smooth open curve through points, (count, 2)."""
    points = np.asarray(points, float)
    x, y = points.T
    way = np.append(0, np.hypot(np.diff(x), np.diff(y)).cumsum())
    spline, _ = splprep((x, y), u=way, s=0)  # five times as fast as CubicSpline, and the same curve
    return np.stack(splev(np.linspace(0, way[-1], count), spline), 1)


def oval(u: float, t: float, wide: float, tall: float, level: float = 1) -> np.ndarray:
    """Ellipse, (48, 2); a level from -1 (top) to 1 (bottom) cuts its lower part off flat."""
    return np.minimum(CIRCLE, (1, level)) * (wide, tall) + (u, t)


def mirror(points, side: int) -> np.ndarray:
    """Points given for the viewer's right, for side 1 (viewer's right) or -1 (viewer's left)."""
    return np.multiply(points, (float(side), 1.0))


def both_sides(points) -> np.ndarray:
    """Points given for the viewer's right, for both sides, (2, n, 2)."""
    return np.stack([mirror(points, -1), mirror(points, 1)])


def ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 at start, 1 at end, straight between."""
    layer = (values - start) * (1 / (end - start))
    return np.clip(layer, 0, 1, out=layer)


def look_up(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """np.interp for a whole layer, through a table of 1024 steps: many times faster; float32."""
    low, high = float(x[0]), float(x[-1])
    steps = np.interp(np.linspace(low, high, 1024), x, y).astype(np.float32)
    return steps.take((ramp(values, low, high) * 1023).astype(np.intp))


def bell(away: np.ndarray) -> np.ndarray:
    """1 at 0, falling off as exp(-away)."""
    return cv2.exp(-np.minimum(away, 20))  # sums with numbers near the smallest float are many times slower


def resize_layer(layer: np.ndarray, size: int) -> np.ndarray:
    """Bring a square layer to another size: means of areas to shrink, values in between to enlarge."""
    while layer.shape[0] >= 4 * size:  # OpenCV is many times faster at halves than at quarters
        layer = cv2.resize(layer, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if layer.shape[0] == size:
        return layer
    how = cv2.INTER_AREA if layer.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(layer, (size, size), interpolation=how)


def coarsest_grid(size: int, radius: float) -> int:
    """The coarsest grid, a half, a quarter ... of size px, that does for a blur of this radius."""
    while radius * size > (1.25 if size > LOW else 4):
        size //= 2
    return size


def blur_layer(layer: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur; radius in fractions of the picture. Wide blurs are computed on a smaller grid."""
    size = layer.shape[0]
    small = coarsest_grid(size, radius)
    sigma = radius * small  # px
    if sigma < 0.3:
        return layer
    taps = 2 * round(3 * sigma) + 1  # OpenCV's own choice reaches out to 4 sigma
    return resize_layer(cv2.GaussianBlur(resize_layer(layer, small), (taps, taps), sigma), size)


def fill_polygons(shapes, size: int, finer: int = 2, shades: Iterable[float] = repeat(1.0)) -> np.ndarray:
    """Fill polygons given in fractions of the picture, each over those before; (size, size) float32 from 0 to 1."""
    layer = np.zeros((size * finer, size * finer), np.uint8)

    def pixels(points: np.ndarray) -> np.ndarray:  # in 16ths of a pixel
        return np.rint(np.multiply(points, 16.0 * size * finer) - 8).astype(np.int32)

    shapes = pixels(shapes) if isinstance(shapes, np.ndarray) else map(pixels, shapes)  # an array: all at once
    for shape, shade in zip(shapes, shades, strict=False):
        cv2.fillPoly(layer, [shape], 255 * shade, shift=4)
    return np.multiply(resize_layer(layer, size), 1 / 255, dtype=np.float32)


class Canvas:
    """One patient placed in one picture: draws in body coordinates."""

    def __init__(self, size: int, middle: float, top: float, half_width: float, height: float, tilt: float):
        self.size, self.half_width = size, half_width
        turn = np.deg2rad(tilt)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self.matrix = rotation @ np.diag([half_width, height])
        self.origin = np.array([middle, top + height / 2]) - self.matrix @ (0, 0.5)
        axis = (np.arange(LOW) + 0.5) / LOW
        across, down = axis - self.origin[0], axis[:, None] - self.origin[1]
        self.u, self.t = ((a * across + b * down).astype(np.float32) for a, b in np.linalg.inv(self.matrix))

    def place(self, points) -> np.ndarray:
        """Body coordinates to fractions of the picture, (..., 2)."""
        return np.dot(points, self.matrix.T) + self.origin

    def fill(self, shapes, blur: float = 0, shades: Iterable[float] = repeat(1.0)) -> np.ndarray:
        """Fill polygons, each over those before, and blur them; (size, size) float32 from 0 to 1."""
        layer = fill_polygons([self.place(shape) for shape in shapes], coarsest_grid(self.size, blur), shades=shades)
        return resize_layer(blur_layer(layer, blur), self.size)

    def bands(self, lines, widths, blur: float = 0) -> np.ndarray:
        """Fill bands along lines (n, points, 2); widths in u broadcast to (n, points)."""
        lines = np.dot(self.place(lines), (1, 1j))  # x + iy: a factor of i turns by a right angle
        steps = np.diff(lines)
        along = np.concatenate([steps[:, :1], steps[:, :-1] + steps[:, 1:], steps[:, -1:]], 1)
        half = along / abs(along) * (np.asarray(widths) * (0.5j * self.half_width))
        bands = np.concatenate([lines + half, (lines - half)[:, ::-1]], 1)
        layer = fill_polygons(bands.view(float).reshape(*bands.shape, 2), coarsest_grid(self.size, blur))
        return resize_layer(blur_layer(layer, blur), self.size)

    def spot(self, u: float, t: float, wide: float, tall: float) -> np.ndarray:
        """Soft spot, (LOW, LOW) float32 from 0 to 1."""
        u, t, wide, tall = (float(value) for value in (u, t, 1 / wide, 1 / tall))  # NumPy's would double the layers
        return bell(((self.u - u) * wide) ** 2 + ((self.t - t) * tall) ** 2)

    def full(self, layer: np.ndarray) -> np.ndarray:
        """A slow layer at the size of the picture."""
        return resize_layer(layer.astype(np.float32, copy=False), self.size)

    def noise(self, rng: Rng, cells: int) -> np.ndarray:
        """Smooth noise with about `cells` bumps across the picture; (size, size) float32, deviation near 1."""
        values = rng.standard_normal((cells, cells), dtype=np.float32)
        fine = 8 * cells if 16 * cells <= self.size else self.size  # eight points make a bump look smooth, and are fast
        return resize_layer(cv2.resize(values, (fine, fine), interpolation=cv2.INTER_CUBIC), self.size)
