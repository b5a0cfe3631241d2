"""The X-rays drawn by code ("phantoms"), each from a seed, with its exact lung masks.

The drawings let the course run anywhere without a download, and a network trained on them has to work on real X-rays:
shapes follow the outlines of real lungs, while every intensity is drawn from a wide range.
"""

from lungseg_utils.drawing.arrays import draw_arrays
from lungseg_utils.drawing.dataset import draw_dataset
from lungseg_utils.drawing.picture import Phantom, draw_phantom
from lungseg_utils.drawing.ranges import HELD, PARTS, PHANTOM_VERSION

__all__ = ["HELD", "PARTS", "PHANTOM_VERSION", "Phantom", "draw_arrays", "draw_dataset", "draw_phantom"]
