"""Outline a lung by hand: click around it on a picture, or write the points into a list (notebook 1).

A point is (x, y) in percent of the picture's width and height, from its upper left corner: the same points fit a
picture of any size.
"""

import base64
import html
import math
from collections.abc import Sequence

import cv2
import numpy as np
from IPython.display import HTML

SIDE = 512  # px on the screen, both sides: points are percentages, so the picture may be squashed
# What a click does is written into the page itself: it needs no kernel and no package, only a browser. The points come
# out as Python, to be copied into a cell.
PAGE = """<div class="lungseg-points" data-lungs="[[]]" style="max-width: {side}px">
<div style="position: relative; width: {side}px; height: {side}px; cursor: crosshair" onclick="{click}">
<img alt="{alt}" style="width: 100%; height: 100%; margin: 0" src="data:image/jpeg;base64,{picture}">
<svg viewBox="0 0 100 100" style="position: absolute; left: 0; top: 0; width: 100%; height: 100%"></svg></div>
<button onclick="{back}">One point back</button> <button onclick="{next}">Next lung</button>
<textarea readonly rows="5" aria-label="Your points, to copy" style="width: 100%"
 placeholder="Your points appear here. Copy them into the next cell."></textarea></div>"""
DRAW = (
    "const box = this.closest('.lungseg-points'), lungs = JSON.parse(box.dataset.lungs); {what};"
    "box.dataset.lungs = JSON.stringify(lungs); box.querySelector('svg').innerHTML = lungs.map(one =>"
    " '<polygon fill=\\'none\\' stroke=\\'#ffd21f\\' stroke-width=\\'0.6\\' points=\\'' + one.join(' ') + '\\'/>'"
    " + one.map(p => '<circle r=\\'0.9\\' fill=\\'#ffd21f\\' cx=\\'' + p[0] + '\\' cy=\\'' + p[1] + '\\'/>')"
    ".join('')).join(''); box.querySelector('textarea').value = ['first_lung', 'second_lung'].map((name, i) =>"
    " name + ' = [' + (lungs[i] || []).map(p => '(' + p.join(', ') + ')').join(', ') + ']').join('\\n')"
)
CLICK = (
    "const r = this.getBoundingClientRect(); lungs[lungs.length - 1].push([Math.round((event.clientX - r.left) / "
    "r.width * 100), Math.round((event.clientY - r.top) / r.height * 100)])"
)
BACK = "lungs[lungs.length - 1].pop() || (lungs.length > 1 && lungs.pop())"
NEXT = "if (lungs.length < 2 && lungs[0].length) lungs.push([])"


def clickable(image: np.ndarray, alt: str) -> HTML:
    """Make an X-ray to click on, for the last line of a cell: the points appear below it as Python, to be copied.

    Args:
        image: (height, width) uint8; shown as a square.
        alt: what a reader who cannot see the picture needs to know.
    """
    square = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", square, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()
    actions = {name: html.escape(DRAW.format(what=what)) for name, what in (("click", CLICK), ("back", BACK))}
    actions["next"] = html.escape(DRAW.format(what=NEXT))
    return HTML(PAGE.format(side=SIDE, alt=html.escape(alt), picture=base64.b64encode(data).decode(), **actions))


def fill(points: Sequence[tuple[float, float]], height: int, width: int) -> np.ndarray:
    """Fill the outline that runs through points and back to the first.

    Args:
        points: (x, y) in percent of width and height, in order around the lung; at least three.
        height: of the mask, px.
        width: of the mask, px.

    Returns:
        (height, width) uint8, 0 and 1.

    Raises:
        ValueError: these are no such points; the message says which one.
    """
    if len(points) < 3:
        raise ValueError(f"An outline needs at least three points, and there are {len(points)}.")
    for number, point in enumerate(points, 1):
        if len(point) != 2 or not all(math.isfinite(value) and 0 <= value <= 100 for value in point):
            raise ValueError(f"Point {number} is {point}. Give x and y, each from 0 to 100 percent of the picture.")
    corners = np.array(points, float) / 100 * (width - 1, height - 1)
    return cv2.fillPoly(np.zeros((height, width), np.uint8), [corners.round().astype(np.int32)], 1)
