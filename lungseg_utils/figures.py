"""Figures of the notebooks: grey range fixed, outlines that differ in more than colour, alternative text."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TRUTH = {"colors": "#ffd21f", "linestyles": "solid", "linewidths": 1.6}
PREDICTION = {"colors": "#35d0ff", "linestyles": "dashed", "linewidths": 1.6}


def new_figure(rows: int = 1, columns: int = 1, width: float = 3.2, height: float = 3.2) -> tuple[Figure, np.ndarray]:
    """Make a figure and its axes (rows, columns), each of so many inches.

    It is unknown to pyplot, so that nothing is shown twice or left open.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show(figure: Figure, alt: str) -> None:
    """Show a figure in the notebook with its alternative text: what a reader who cannot see it needs to know.

    A ValueError tells that the alternative text is missing or says too little.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"This figure needs alternative text that says what it shows, not {alt!r}.")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    picture = base64.b64encode(buffer.getvalue()).decode()
    display({"image/png": picture, "text/plain": f"Figure: {alt}"}, metadata={"image/png": {"alt": alt}}, raw=True)


def draw_xray(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """Draw an X-ray (height, width) in grey, black at 0 and white at 255 whatever the picture holds."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def draw_outlines(axes: Axes, masks: np.ndarray, style: dict = TRUTH) -> None:
    """Draw the outline of each mask (height, width, masks): solid for truth, dashed for prediction."""
    for channel in range(masks.shape[-1]):
        if masks[..., channel].any():
            axes.contour(masks[..., channel], levels=[0.5], **style)


def draw_grid(axes: Axes, values: np.ndarray, title: str = "") -> None:
    """Draw a small array as a grid of cells with the number written in each."""
    axes.imshow(values, cmap="gray", vmin=-0.5, vmax=1.5)
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:g}", ha="center", va="center", color="black" if value > 0.5 else "white")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)


def draw_curves(axes: Axes, log: Sequence[dict[str, float]], name: str, label: str) -> None:
    """Draw a quantity of the training log over epochs: training solid, validation dashed."""
    epochs = [row["epoch"] + 1 for row in log]
    axes.plot(epochs, [row[name] for row in log], "-", color="black", label="training")
    axes.plot(epochs, [row[f"val_{name}"] for row in log], "--", color="tab:blue", label="validation")
    axes.set(xlabel="epoch", ylabel=label)
    axes.legend()
