"""What does training cost? Every pipeline beside the machine's own peak, in one run.

`python -m studies speed` writes it to `lungseg_utils/kept/speed.json`. A convolution is a matrix product in disguise: a
large matrix product shows the most that a machine can do, and so what is left to gain without computing less.

Machines are rarely idle. So the peak is measured again after each pipeline, short measurements are repeated and all
kept, and the best repeat is compared with the best peak: those that were disturbed least.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import math
import os
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from lungseg_utils.cases import Case, find_cases
from lungseg_utils.images import load_arrays
from lungseg_utils.drawing import draw_dataset
from lungseg_utils.pipeline import make_dataset
from lungseg_utils.files import read_json, write_json
from lungseg_utils.kept import FOLDER
from studies.provenance import begin, finish, usable_cores
from lungseg_utils.recipes import ARTICLE, BEST, LAPTOP, Recipe
from lungseg_utils.training import compile_model, model_for
from lungseg_utils.unet import BatchNormalization, multiply_adds

DATA = "speed-phantom"  # folder of the drawn X-rays
PRECISIONS = ("float32", "bfloat16")
PATIENCE = 3.0  # seconds that one large matrix product may take


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """One way to train, from the X-rays to the weights."""

    name: str
    recipe: Recipe
    precision: str = "float32"  # Keras' dtype policy
    as_written: bool = False  # the article's own: PNG files decoded for every batch, Keras' own batch normalisation
    onednn: bool = True  # see quiet.py; without it is TensorFlow's default where the processor is older


PIPELINES = (
    Pipeline("laptop", LAPTOP),
    Pipeline("laptop, bfloat16", LAPTOP, precision="mixed_bfloat16"),
    Pipeline("best", BEST),
    Pipeline("article, our pipeline", ARTICLE),
    Pipeline("article, as written", ARTICLE, as_written=True),
    Pipeline("article, as written, without oneDNN", ARTICLE, as_written=True, onednn=False),
)


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much is measured; another extent than `FULL` is for tests."""

    pipelines: tuple[Pipeline, ...] = PIPELINES  # all are compared with the fastest of those as written
    small: Recipe = LAPTOP  # whose costs are looked into
    seconds: float = 10.0  # of each of three repeats; a pipeline whose steps are slow takes two steps, once
    short: float = 4.0  # seconds of each other measurement
    side: int = 3072  # of the matrices
    drawn: int = 16  # X-rays; a multiple of the article's batch size
    sizes: tuple[int, ...] = (64, 96, 128, 192, 256)  # px
    counts: tuple[int, ...] = (24, 48, 96)  # images in an epoch
    cores: tuple[int, ...] = (*(n for n in (1, 2, 4, 8, 16, 32, 64) if n < usable_cores()), usable_cores())


FULL = Extent()


# --- the machine ---


def best_seconds(work: Callable, seconds: float) -> float:
    """Mean seconds of a piece of work, in the better of two turns that take the given seconds together."""
    work()  # traces, and starts the threads
    turns = []
    for _ in range(2):
        start, count = time.perf_counter(), 0
        while count < 2 or time.perf_counter() - start < seconds / 2:
            work()
            count += 1
        turns.append((time.perf_counter() - start) / count)
    return min(turns)


def measure_peak(side: int) -> dict[str, float]:
    """Time products of square matrices in each of `PRECISIONS`; GFLOP/s.

    A processor without instructions for a precision may need minutes for large matrices. Then the rate is that of a
    quarter of the side.
    """
    rates = {}
    for precision in PRECISIONS:
        for size in (side // 4, side):
            matrix = tf.cast(tf.random.uniform((size, size)), precision)
            # one value is read, because a GPU answers before it has computed
            seconds = best_seconds(lambda matrix=matrix: tf.matmul(matrix, matrix)[0, 0].numpy(), 0.4)
            rates[precision] = 2 * size**3 / seconds / 1e9  # a multiply-add is two operations
            if seconds * 4**3 > PATIENCE:
                break
    return rates


def peak_memory() -> float | None:
    """The most memory this process has held, GB, TensorFlow itself included; None where that is not known."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage begins with what the parent process held when it started this one
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024 / 1e9
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


# --- the article's pipeline, as it is written ---


def with_keras_normalization(model: keras.Model) -> keras.Model:
    """Build the same net with Keras' own batch normalisation; its weights are new, and it is not compiled."""

    def clone(layer: keras.Layer) -> keras.Layer:
        kind = keras.layers.BatchNormalization if isinstance(layer, BatchNormalization) else type(layer)
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


def article_batches(cases: list[Case], recipe: Recipe) -> tf.data.Dataset:
    """The article's input pipeline: the three PNG files of each case are decoded every time, one case after the other.

    Returns:
        Batches without end of pictures (batch, size, size, 3) and masks (batch, size, size, 1), float32.
    """
    size = recipe.image_size

    def decode(path: bytes, flag: int) -> np.ndarray:
        # as cv2.imread, which on Windows fails when the path holds, say, Chinese characters
        return cv2.resize(cv2.imdecode(np.fromfile(path.decode(), np.uint8), flag), (size, size))

    def read(image: bytes, left: bytes, right: bytes) -> tuple[np.ndarray, np.ndarray]:
        masks = decode(left, cv2.IMREAD_GRAYSCALE) + decode(right, cv2.IMREAD_GRAYSCALE)
        masks = masks[..., np.newaxis] / masks.max() > 0.5
        return (decode(image, cv2.IMREAD_COLOR) / 255).astype(np.float32), masks.astype(np.float32)

    def load(*paths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, masks = tf.numpy_function(read, paths, [tf.float32, tf.float32])
        return tf.ensure_shape(image, (size, size, 3)), tf.ensure_shape(masks, (size, size, 1))

    paths = tuple([str(getattr(case, part)) for case in cases] for part in ("image", "left_mask", "right_mask"))
    dataset = tf.data.Dataset.from_tensor_slices(paths).shuffle(200).map(load).batch(recipe.batch_size).prefetch(4)
    return dataset.repeat()  # fit starts it anew for each epoch


# --- training, timed ---


def fit(model: keras.Model, batches: tf.data.Dataset, steps: int, epochs: int = 1, validation=None) -> list[float]:
    """Train as `training.train` does; seconds of each epoch."""
    marks = []

    def mark(*_):
        marks.append(time.perf_counter())

    clock = keras.callbacks.LambdaCallback(on_epoch_begin=mark, on_epoch_end=mark)
    options = {"shuffle": False, "verbose": 0, "validation_data": validation, "callbacks": [clock]}
    model.fit(batches, steps_per_epoch=steps, epochs=epochs, **options)
    return [end - start for start, end in zip(marks[::2], marks[1::2])]


def time_steps(model: keras.Model, batches: tf.data.Dataset, seconds: float, repeats: int) -> list[float]:
    """Seconds of a training step, in each of several repeats of a model that has taken its first step.

    A repeat takes about the given seconds, at least two steps. Where two steps alone take longer, they are all.
    """
    taken = fit(model, batches, 2)[0]
    if taken >= seconds:
        return [taken / 2]
    steps = math.ceil(2 * seconds / taken)
    return [taken / steps for taken in fit(model, batches, steps, repeats)]


def build(recipe: Recipe, keras_normalization: bool = False) -> keras.Model:
    """Build and compile the net of a recipe, with our batch normalisation or Keras' own."""
    model = model_for(recipe)
    if keras_normalization:
        model = with_keras_normalization(model)
    compile_model(model, recipe, steps_per_epoch=100)
    return model


def drawn_batches(recipe: Recipe, home: Path, count: int = FULL.drawn, training: bool = True) -> tf.data.Dataset:
    """Our input pipeline, of so many drawn X-rays; they repeat where fewer are drawn."""
    drawn = load_arrays(find_cases(home / DATA), recipe.image_size, home / "cache")
    chosen = np.arange(count) % len(drawn.ids)
    return make_dataset(drawn.images[chosen], drawn.masks[chosen], recipe, training)


def measure_pipeline(pipeline: Pipeline, home: Path, extent: Extent = FULL) -> dict:
    """Train for a while and take the time; in a process of its own, so that the memory is this pipeline's.

    Args:
        pipeline: what is measured.
        home: folder that holds the drawn X-rays and cached arrays.
        extent: how long.

    Returns:
        `images_per_second`, the best of `repeats`; `multiply_adds` of one image, forward; `gflops` per second, where
        backward counts as twice forward; `memory_gb`; `seconds_to_first_step`, from building the net to the end of its
        first step; and `peak`, see `measure_peak`, taken right after.
    """
    keras.config.set_dtype_policy(pipeline.precision)
    recipe = pipeline.recipe
    batches = article_batches(find_cases(home / DATA), recipe) if pipeline.as_written else drawn_batches(recipe, home)
    start = time.perf_counter()
    model = build(recipe, keras_normalization=pipeline.as_written)
    fit(model, batches, 1)
    first = time.perf_counter() - start
    rates = [recipe.batch_size / seconds for seconds in time_steps(model, batches, extent.seconds, repeats=3)]
    cost = sum(multiply_adds(model).values())
    return {
        "precision": pipeline.precision,
        "images_per_second": max(rates),
        "repeats": rates,
        "multiply_adds": cost,
        "gflops": max(rates) * 3 * 2 * cost / 1e9,
        "memory_gb": peak_memory(),
        "seconds_to_first_step": first,
        "peak": measure_peak(extent.side),
    }


# --- how the cost grows ---


def training_ms(model: keras.Model, recipe: Recipe, home: Path, seconds: float) -> float:
    """Milliseconds per image of training a model: the better of two turns that take the given seconds together."""
    batches = drawn_batches(recipe, home)
    fit(model, batches, 1)  # traces
    return 1000 * min(time_steps(model, batches, seconds / 2, repeats=2)) / recipe.batch_size


def measure_sizes(home: Path, extent: Extent = FULL) -> list[dict]:
    """Milliseconds per image of the small net at each image size."""
    recipes = [dataclasses.replace(extent.small, image_size=size) for size in extent.sizes]
    return [{"px": one.image_size, "ms": training_ms(build(one), one, home, extent.short)} for one in recipes]


def measure_counts(home: Path, extent: Extent = FULL) -> list[dict]:
    """Seconds of an epoch of the small net with each number of images, the median."""
    model, rows = build(extent.small), []
    for count in extent.counts:
        batches, steps = drawn_batches(extent.small, home, count), count // extent.small.batch_size
        second = fit(model, batches, steps, 2)[1]  # the very first traces
        epochs = max(2, math.ceil(extent.short / second))
        rows.append({"images": count, "seconds": float(np.median(fit(model, batches, steps, epochs)))})
    return rows


def measure_cores(cores: int, home: Path, extent: Extent = FULL) -> dict:
    """Milliseconds per image of the small net on so many logical processors; only in a process of its own."""
    if hasattr(os, "sched_setaffinity"):  # Linux: the input pipeline keeps to them too
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    return {"cores": cores, "ms": training_ms(build(extent.small), extent.small, home, extent.short)}


# --- all of it ---


def measure_speed(home: Path, measured: Path = FOLDER, extent: Extent = FULL) -> dict:
    """Measure everything, one after the other, and write it down: about a quarter of an hour on two cores.

    Args:
        home: folder for the drawn X-rays and cached arrays.
        measured: folder for `speed.json`.
        extent: how much is measured.

    Returns:
        Content of the file. Of each pipeline, `share` compares with the best matrix product of its precision in the
        whole run, and `times` says how many times as fast it is as the article's: the faster of its two runs, with
        oneDNN and without.

    Raises:
        RuntimeError: a process ended abruptly, most likely for want of memory.
    """
    noted = begin("speed", None)
    draw_dataset(home / DATA, count=extent.drawn)
    peaks, pipelines = [_apart("matrix products", measure_peak, extent.side)], {}
    for ours in extent.pipelines:
        one = pipelines[ours.name] = _apart(ours.name, measure_pipeline, ours, home, extent, onednn=ours.onednn)
        peaks.append(one.pop("peak"))
        print(f"    {one['images_per_second']:.2f} images per second", flush=True)
    growth = {
        "size": _apart("image sizes", measure_sizes, home, extent),
        "cores": [_apart(f"cores: {cores}", measure_cores, cores, home, extent) for cores in extent.cores],
        "count": _apart("numbers of images", measure_counts, home, extent),
    }
    peaks.append(_apart("matrix products", measure_peak, extent.side))
    peak = {precision: [one[precision] for one in peaks] for precision in PRECISIONS}
    article = max(pipelines[one.name]["images_per_second"] for one in extent.pipelines if one.as_written)
    for one in pipelines.values():
        one["share"] = one["gflops"] / max(peak[one["precision"].removeprefix("mixed_")])
        one["times"] = one["images_per_second"] / article
    about = finish(noted, None)
    result = {
        "date": about["finished"][:10],
        **{name: about[name] for name in ("versions", "processor")},
        "peak": {**peak, "better": max(PRECISIONS, key=lambda precision: max(peak[precision]))},
        "pipelines": pipelines,
        "growth": growth,
        "provenance": about,
    }
    write_json(result, measured / "speed.json")
    return read_json(measured / "speed.json")


def _apart(name: str, work: Callable, *inputs, onednn: bool = True):
    """Run a function in a fresh process, so that its memory, its threads and its way to compute are its own."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(onednn))
    print(f"measuring {name}", flush=True)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(work, *inputs).result()
        except BrokenProcessPool as error:
            raise RuntimeError(f"The process that measured {name} ended abruptly. Was there enough memory?") from error
