"""The net and the losses on another backend of Keras, where TensorFlow is not installed."""

import numpy as np
import pytest
from shared import run_python

from lungseg_utils import losses, unet

# Keras' NumPy backend computes losses and batch normalisation itself. It imports JAX for its convolutions; those are
# described here and not computed, so that an empty JAX will do.
WITHOUT_TENSORFLOW = """
import importlib.abc, importlib.machinery, sys
from unittest.mock import MagicMock

class EmptyJax(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "jax" else None
    def create_module(self, spec):
        return MagicMock()
    def exec_module(self, module):
        pass

sys.meta_path.insert(0, EmptyJax())
sys.modules["tensorflow"] = None  # any import of it fails
import numpy as np
from lungseg_utils import losses, prediction, scores, training, unet

print(unet.build_unet(32, 3, 1, base_filters=2, depth=2, momentum=0.99).count_params())
random = np.random.default_rng(0)
true, predicted = (random.random((2, 8, 8, 2)) > 0.5).astype("float32"), random.random((2, 8, 8, 2), "float32")
print(*np.asarray(losses.dice_bce(true, predicted)), losses.pooled_dice_loss(true, predicted))
layer = unet.BatchNormalization(momentum=0.5)
layer(predicted, training=True)
print(*np.asarray(layer(predicted)).ravel()[:4])
"""


@pytest.mark.slow
def test_the_net_and_the_losses_need_no_tensorflow():
    done = run_python("-c", WITHOUT_TENSORFLOW, KERAS_BACKEND="numpy")
    assert done.returncode == 0, done.stderr
    size, computed, normalised = done.stdout.splitlines()
    assert int(size) == unet.build_unet(32, 3, 1, base_filters=2, depth=2, momentum=0.99).count_params()
    random = np.random.default_rng(0)
    true, predicted = (random.random((2, 8, 8, 2)) > 0.5).astype("float32"), random.random((2, 8, 8, 2), "float32")
    expected = [*np.asarray(losses.dice_bce(true, predicted)), float(losses.pooled_dice_loss(true, predicted))]
    assert [float(value) for value in computed.split()] == pytest.approx(expected, rel=1e-5)
    layer = unet.BatchNormalization(momentum=0.5)
    layer(predicted, training=True)
    # TensorFlow's running variance divides by one pixel less: 127 instead of 128
    expected = np.asarray(layer(predicted)).ravel()[:4]
    assert [float(value) for value in normalised.split()] == pytest.approx(list(expected), rel=0.01)
