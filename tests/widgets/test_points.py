"""Outlines by hand: points fill a mask, wrong ones are named, and the picture to click on is whole."""

import base64
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from lungseg_utils.widgets.points import SIDE, clickable, fill

CLICKS = """<script>
function at(x, y) {
  const place = document.querySelector('[onclick]'), r = place.getBoundingClientRect();
  const where = {bubbles: true, clientX: r.left + x * r.width / 100, clientY: r.top + y * r.height / 100};
  place.dispatchEvent(new MouseEvent('click', where));
}
const [back, next] = document.querySelectorAll('button');
at(30, 10); at(20, 50); at(30, 80); at(99, 99); back.click(); next.click(); next.click(); at(60, 10);
back.click(); back.click(); at(31, 70); next.click(); at(55, 20);
document.body.append('CLICKED ' + document.querySelector('textarea').value.replace('\\n', '; '));
</script>"""


def test_points_in_percent_fill_the_same_part_of_a_picture_of_any_size():
    square = [(25, 50), (75, 50), (75, 100), (25, 100)]  # x before y: the lower half, in the middle
    for height, width in ((201, 201), (201, 401)):
        mask = fill(square, height, width)
        assert mask.dtype == np.uint8 and mask.shape == (height, width) and set(np.unique(mask)) == {0, 1}
        assert mask.mean() == pytest.approx(0.25, abs=0.01)
        assert mask[height // 2 :, width // 4 + 1 : -width // 4 - 1].all() and not mask[: height // 2].any()


@pytest.mark.parametrize(
    "points, words",
    [([(1, 1), (2, 2)], "there are 2"), ([(1, 1), (2, 101), (3, 3)], "Point 2"), ([(1, 1, 1)] * 3, "Point 1")],
)
def test_points_that_are_none_are_named(points, words):
    with pytest.raises(ValueError, match=words):
        fill(points, 10, 10)


def test_the_picture_to_click_on_is_the_xray_with_its_text():
    text = clickable(np.full((90, 70), 100, np.uint8), 'A "grey" <picture>').data
    assert 'alt="A &quot;grey&quot; &lt;picture&gt;"' in text
    data = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (SIDE, SIDE) and abs(picture.mean() - 100) < 1
    assert text.count("onclick=") == 3 and "{" not in re.sub(r"base64,[^\"]+", "", text)


@pytest.mark.slow
def test_clicks_become_points_in_a_browser(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("Chromium is not here")
    page = tmp_path / "page.html"
    page.write_text(f"<body>{clickable(np.zeros((90, 70), np.uint8), 'A black picture')._repr_html_()}{CLICKS}")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [browser, *options, page.as_uri()], stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    assert "CLICKED first_lung = [(30, 10), (20, 50), (30, 80), (31, 70)]; second_lung = [(55, 20)]" in done.stdout
