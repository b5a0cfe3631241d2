"""The slider, driven without a browser: its value is set, as the browser would."""

import pytest

from lungseg_utils import figures
from lungseg_utils.widgets.steps import slider

pytest.importorskip("ipywidgets")


def test_the_slider_shows_the_picture_of_its_value():
    drawn = {}
    for value in ("0", "1", "8"):
        drawn[value], axes = figures.new_figure(1, 1, width=1, height=1)
        axes[0, 0].set_title(value)
    handle, shown = slider("epoch", drawn, "An outline that <gets> better.").children
    pages = {}
    for value in drawn:
        handle.value = value
        pages[value] = shown.value
        assert f'alt="An outline that &lt;gets&gt; better. Here: epoch {value}."' in shown.value
    assert len(set(pages.values())) == 3
    assert slider("epoch", drawn, "The last one comes first.").children[0].value == "8"
    with pytest.raises(ValueError, match="at least one"):
        slider("epoch", {}, "Nothing at all is shown here.")
