"""TensorFlow and Keras as the course needs them, whatever the machine's settings say."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import lungseg_utils.quiet
import keras
from lungseg_utils.unet import build_unet

net = build_unet(32, base_filters=2, depth=1)
print(keras.backend.backend(), keras.config.image_data_format(), net.output_shape, net.compute_dtype)
"""


def run(tmp_path, **environment) -> tuple[str, str]:
    command = [sys.executable, "-c", CODE]
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), **environment}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **home})
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
def test_settings_of_keras_in_the_home_folder_do_not_count(tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {"backend": "torch", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-7}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    said = "tensorflow channels_last (None, 32, 32, 2) float32\n"
    assert run(tmp_path) == (said, ""), "and nothing on stderr"
    assert run(tmp_path, KERAS_BACKEND="")[0] == said
    assert json.loads((tmp_path / ".keras" / "keras.json").read_text()) == settings, "others keep their settings"
