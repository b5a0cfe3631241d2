"""A slider through pictures: what changes from one to the next is seen at one place."""

import base64
import html
import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from lungseg_utils.files import DatasetError

if TYPE_CHECKING:
    import ipywidgets


def slider(name: str, pictures: dict[str, Figure], alt: str) -> "ipywidgets.VBox":
    """Make a slider that shows one picture of several, for the last line of a cell.

    It works while its notebook runs. A reader of the page sees nothing of it: show the same pictures beside each other
    too.

    Args:
        name: what changes from picture to picture, such as "epoch".
        pictures: its values, in order -> what is shown for each. The last one is shown first.
        alt: what a reader who cannot see the pictures needs to know.

    Raises:
        DatasetError: ipywidgets is not installed.
        ValueError: there is no picture.
    """
    if not pictures:
        raise ValueError("A slider needs at least one picture.")
    try:
        import ipywidgets  # here, so that all else works without it
    except ImportError:
        raise DatasetError("The slider needs ipywidgets: pip install ipywidgets. Go on without it.") from None
    pages = {value: _page(figure, f"{alt} Here: {name} {value}.") for value, figure in pictures.items()}
    last = list(pages)[-1]
    handle = ipywidgets.SelectionSlider(options=list(pages), value=last, description=name)
    shown = ipywidgets.HTML(pages[last])

    def turn(change: dict) -> None:
        shown.value = pages[change["new"]]

    handle.observe(turn, "value")
    return ipywidgets.VBox([handle, shown])


def _page(figure: Figure, alt: str) -> str:
    """A figure as HTML, with its alternative text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    picture = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" style="max-width: 100%" src="data:image/png;base64,{picture}">'
