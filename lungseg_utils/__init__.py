"""Helpers of the course *Lung segmentation in nine notebooks*.

A module per step, in the order in which data flows; a module imports only from modules before it::

    phantom, montgomery -> cases -> images, dicom -> realism, stress, drawings -> splits -> recipes -> pipeline
    -> unet -> losses -> training -> prediction -> scores -> report -> evaluation -> model_card -> pretraining -> parts
    -> crossval -> choices -> curve -> speed -> xrays -> upload -> figures -> exercises -> course -> notebooks
    -> __main__

Importing the package imports none of them: only the modules that compute with TensorFlow load it.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lungseg-utils")
except PackageNotFoundError:  # a checkout on the path that was never installed
    __version__ = "0+unknown"


def load_pretrained():
    """Load the shipped model, a `keras.Model` trained on drawings alone: see `pretraining.load_pretrained`."""
    from lungseg_utils.pretraining import load_pretrained as load  # TensorFlow only where it is needed

    return load()
