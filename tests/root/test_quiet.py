"""TensorFlow and Keras as the course needs them, whatever the machine's settings say."""

import json

import pytest
from shared import run_python

CODE = """
import lungseg_utils.quiet
import keras
from lungseg_utils.unet import build_unet

net = build_unet(32, base_filters=2, depth=1)
print(keras.backend.backend(), keras.config.image_data_format(), net.output_shape, net.compute_dtype)
"""


@pytest.mark.slow
def test_settings_of_keras_in_the_home_folder_do_not_count(tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {"backend": "torch", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-7}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    said = "tensorflow channels_last (None, 32, 32, 2) float32\n"
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = run_python("-c", CODE, **home)
    assert (done.stdout, done.stderr) == (said, ""), "and nothing on stderr"
    assert run_python("-c", CODE, **home, KERAS_BACKEND="").stdout == said
    assert json.loads((tmp_path / ".keras" / "keras.json").read_text()) == settings, "others keep their settings"
