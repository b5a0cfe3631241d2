"""A button for notebooks: choose an X-ray and see its lungs (notebook 9)."""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import base64
import html
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import keras

from lungseg_utils.files import DatasetError, escape
from lungseg_utils.inference.xrays import areas_in_words, failure, measure, overlay, predict_xray, read_xray

if TYPE_CHECKING:
    import ipywidgets


def upload_button(model: keras.Model) -> "ipywidgets.VBox":
    """Make a button that segments an X-ray chosen in the browser, and a field that does so by path.

    The path is one on the computer that runs the notebook. It is the way for large files: Jupyter passes at most
    10 MB to a notebook (ipywidgets issue 2522), Colab less (3452), and drops a larger file without a word.

    Args:
        model: see `xrays.segment`.

    Returns:
        The widget, for the last line of a cell: button, path field, and below them the outlines and areas, or what is
        wrong with the file.

    Raises:
        DatasetError: ipywidgets is not installed.
    """
    try:
        import ipywidgets  # here, so that all else works without it
    except ImportError:
        raise DatasetError(
            "The upload button needs ipywidgets: pip install ipywidgets. Without it: segment(model, read_xray(path))."
        ) from None
    wide = ipywidgets.Layout(width="auto", max_width="512px")
    button = ipywidgets.FileUpload(description="Choose an X-ray (up to 10 MB)", layout=wide)
    field = ipywidgets.Text(placeholder="or type a path here, then press Enter", continuous_update=False, layout=wide)
    result = ipywidgets.HTML()

    def show_upload(change: dict) -> None:
        for name, content in uploaded(change["new"]):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "upload").with_suffix(Path(name).suffix)
                path.write_bytes(content)
                result.value = describe_file(model, path, name)

    def show_path(change: dict) -> None:
        if change["new"].strip():
            result.value = describe_file(model, Path(change["new"].strip()).expanduser(), change["new"].strip())

    button.observe(show_upload, "value")
    field.observe(show_path, "value")
    return ipywidgets.VBox([button, field, result])


def uploaded(value: tuple | dict) -> list[tuple[str, bytes]]:
    """Name and content of the uploaded files, as ipywidgets 8 keeps them, or 7 (on Colab)."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


def describe_file(model: keras.Model, path: Path, name: str) -> str:
    """Segment a file and describe what was found, or what is wrong with it, as HTML.

    Args:
        model: see `xrays.segment`.
        path: the file.
        name: what the user calls it.
    """
    try:
        xray = read_xray(path)
        masks, said = predict_xray(model, xray)
    except Exception as error:  # here, because what a button raises is seen by nobody
        return f"<p>{html.escape(failure(error, path).replace(escape(str(path)), escape(name)))}</p>"
    picture = cv2.imencode(".png", overlay(xray.image, masks, said)[..., ::-1])[1]  # OpenCV's order is blue, green, red
    alt = f"The X-ray {name} with a solid line around the lung on the viewer's left and a dashed one around the other."
    if masks.shape[-1] == 1:
        alt = f"The X-ray {name} with a line around each lung."
    found = areas_in_words(measure(xray, masks) | {"remark": said})
    return (
        f'<img alt="{html.escape(alt)}" style="max-width: 512px" '
        f'src="data:image/png;base64,{base64.b64encode(picture.tobytes()).decode()}">'
        f"<p>{html.escape(name)}: {html.escape(found, quote=False)}</p>"
    )
