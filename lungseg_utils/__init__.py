"""Helpers of the course *Lung segmentation in nine notebooks*.

A module per step, in the order in which data flows; a module imports only from modules before it::

    phantom, montgomery -> cases -> images -> splits -> recipes -> pipeline -> unet -> losses -> training
    -> prediction -> scores -> evaluation -> figures -> course -> notebooks -> __main__

Importing the package imports none of them: only the modules that compute with TensorFlow load it.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lungseg-utils")
except PackageNotFoundError:  # a checkout on the path that was never installed
    __version__ = "0+unknown"
