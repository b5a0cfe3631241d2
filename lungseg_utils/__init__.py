"""Helpers of the course *Lung segmentation in nine notebooks*.

The root holds what a notebook opens with, a module per step, in the order in which data flows; a module imports only
from modules before it::

    quiet, files -> cases -> images -> splits -> recipes -> pipeline -> unet -> losses -> training -> scores
    -> prediction -> figures -> exercises -> course

Everything else has a room with its own door: `drawing` (the X-rays drawn by code), `formats` (files of others),
`inference` (an X-ray of one's own), `widgets` (what moves under the mouse), `command` (the command line), `kept`
(measured figures), `pretrained` (the shipped model). Rooms may import the root, which knows `drawing` alone. Importing
the package imports none of this: only the modules that compute with TensorFlow load it.
"""


def __getattr__(name: str) -> str:
    """The version, looked up when somebody asks for it."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lungseg-utils")
    except PackageNotFoundError:  # a checkout on the path that was never installed
        return "0+unknown"
