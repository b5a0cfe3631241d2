"""Load TensorFlow without its start-up messages, with its fast convolutions, and Keras as this course needs it.

``import lungseg_utils.quiet`` before the first ``import tensorflow`` or ``import keras``. TensorFlow's C++ code writes
to file descriptor 2 while it loads; no log level removes those lines and notebooks would save them as output. Where
the environment variable ``KERAS_BACKEND`` names another library, TensorFlow is not loaded: the net, the losses and
prediction do without it. What ``~/.keras/keras.json`` says does not count: no code of ours knows of channels first.
"""

import os

# oneDNN's convolutions: on by default only where the processor has AVX512-VNNI or better. On others they train
# this course's small U-Nets about twice as fast as well, though not the article's large one. There it lacks a fast
# path for a few large layers when a batch holds one picture (seen with the article's last block at 512 px): such a
# prediction takes minutes, and TF_ENABLE_ONEDNN_OPTS=0 is the way round.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# After loading: show errors, hide "end of sequence" notes and the like.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

if not os.environ.get("KERAS_BACKEND"):
    os.environ["KERAS_BACKEND"] = "tensorflow"
if os.environ["KERAS_BACKEND"] == "tensorflow":
    _saved = os.dup(2)
    _null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(_null, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU, which prints once more where there is none
    finally:
        os.dup2(_saved, 2)
        os.close(_saved)
        os.close(_null)

import keras  # noqa: E402

keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
