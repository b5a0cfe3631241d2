"""What does a training step spend? Every pipeline beside the machine's own peak, in one run.

`python -m studies speed` writes it to `lungseg_utils/kept/speed.json`. A convolution is a matrix product in disguise: a
large matrix product shows the most that a machine can do, and so what is left to gain without computing less.

Machines are rarely idle. So the peak is measured again after each pipeline, short measurements are repeated and all
kept, and the best repeat is compared with the best peak: those that were disturbed least.
"""

import lungseg_utils.quiet  # noqa: F401, I001  (TensorFlow without its start-up messages)
import dataclasses
import datetime
import math
import os
import platform
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
from studies.provenance import code_version
from lungseg_utils.recipes import ARTICLE, BEST, LAPTOP, Recipe
from lungseg_utils.training import compile_model, model_for
from lungseg_utils.unet import BatchNormalization, multiply_adds

FILE = FOLDER / "speed.json"
DATA = "speed-phantom"  # folder of the drawn X-rays
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of a processor: what it multiplies with
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
    Pipeline("article, our pipeline, without oneDNN", ARTICLE, onednn=False),
    Pipeline("article, as written", ARTICLE, as_written=True),
    Pipeline("article, as written, without oneDNN", ARTICLE, as_written=True, onednn=False),
)


def usable_cores() -> int:
    """Count the logical processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured; another plan than `FULL` is for tests."""

    pipelines: tuple[Pipeline, ...] = PIPELINES  # all are compared with the fastest of those as written
    small: Recipe = LAPTOP  # whose costs are looked into
    seconds: float = 10.0  # of each of three repeats; a pipeline whose steps are slow takes two steps, once
    short: float = 4.0  # seconds of each other measurement
    side: int = 3072  # of the matrices
    drawn: int = 16  # X-rays; a multiple of the article's batch size
    sizes: tuple[int, ...] = (64, 96, 128, 192, 256)  # px
    counts: tuple[int, ...] = (24, 48, 96)  # images in an epoch
    cores: tuple[int, ...] = (*(n for n in (1, 2, 4, 8, 16, 32, 64) if n < usable_cores()), usable_cores())


FULL = Plan()


# --- the machine ---


def processor() -> dict:
    """Name of the processor, its usable `cores`, and which `features` it has; None where that is not known."""
    path = Path("/proc/cpuinfo")  # Linux only
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    name, flags = (re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE) for key in ("model name", "flags"))
    return {
        "name": name[1].strip() if name else platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "features": [feature for feature in FEATURES if feature in flags[1].split()] if flags else None,
    }


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


def measure_pipeline(pipeline: Pipeline, home: Path, plan: Plan = FULL) -> dict:
    """Train for a while and take the time; in a process of its own, so that the memory is this pipeline's.

    Args:
        pipeline: what is measured.
        home: folder that holds the drawn X-rays and cached arrays.
        plan: how long.

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
    rates = [recipe.batch_size / seconds for seconds in time_steps(model, batches, plan.seconds, repeats=3)]
    cost = sum(multiply_adds(model).values())
    return {
        "precision": pipeline.precision,
        "images_per_second": max(rates),
        "repeats": rates,
        "multiply_adds": cost,
        "gflops": max(rates) * 3 * 2 * cost / 1e9,
        "memory_gb": peak_memory(),
        "seconds_to_first_step": first,
        "peak": measure_peak(plan.side),
    }


# --- how the cost grows, and what is in a step ---


def training_ms(model: keras.Model, recipe: Recipe, home: Path, seconds: float) -> float:
    """Milliseconds per image of training a model: the better of two turns that take the given seconds together."""
    batches = drawn_batches(recipe, home)
    fit(model, batches, 1)  # traces
    return 1000 * min(time_steps(model, batches, seconds / 2, repeats=2)) / recipe.batch_size


def measure_sizes(home: Path, plan: Plan = FULL) -> list[dict]:
    """Milliseconds per image of the small net at each image size."""
    recipes = [dataclasses.replace(plan.small, image_size=size) for size in plan.sizes]
    return [{"px": one.image_size, "ms": training_ms(build(one), one, home, plan.short)} for one in recipes]


def measure_counts(home: Path, plan: Plan = FULL) -> list[dict]:
    """Seconds of an epoch of the small net with each number of images, the median."""
    model, rows = build(plan.small), []
    for count in plan.counts:
        batches, steps = drawn_batches(plan.small, home, count), count // plan.small.batch_size
        second = fit(model, batches, steps, 2)[1]  # the very first traces
        epochs = max(2, math.ceil(plan.short / second))
        rows.append({"images": count, "seconds": float(np.median(fit(model, batches, steps, epochs)))})
    return rows


def measure_cores(cores: int, home: Path, plan: Plan = FULL) -> dict:
    """Milliseconds per image of the small net on so many logical processors; only in a process of its own."""
    if hasattr(os, "sched_setaffinity"):  # Linux: the input pipeline keeps to them too
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    return {"cores": cores, "ms": training_ms(build(plan.small), plan.small, home, plan.short)}


def count_traces(model: keras.Model, recipe: Recipe, home: Path) -> int:
    """Count how often the training step of a new model is traced in two epochs with validation.

    Once is enough: `compile_model` makes the variables of the optimizer and of the metrics before the first step. What
    is only made during a trace has to be traced again.
    """
    traces, train_step = [], model.train_step

    def counted(data):
        traces.append(1)  # Python comes by only while the step is traced, not when it is computed
        return train_step(data)

    model.train_step = counted
    validation = drawn_batches(recipe, home, recipe.batch_size + 1, training=False)  # its last batch is short
    fit(model, drawn_batches(recipe, home), 2, epochs=2, validation=validation)
    return len(traces)


def measure_step(home: Path, plan: Plan = FULL) -> dict:
    """What a step of the small net is made of.

    Returns:
        `ms` per image: of the input pipeline alone, with augmentation and without; of the net on a batch in memory,
        forward, and forward and backward; of whole training steps, with our batch normalisation and with Keras'. And
        `traces`, see `count_traces`.
    """
    recipe, model = plan.small, build(plan.small)
    traces = count_traces(model, recipe, home)
    batches = iter(drawn_batches(recipe, home))
    plain_batches = iter(drawn_batches(dataclasses.replace(recipe, augment=False), home))
    images, masks = next(batches)

    @tf.function
    def forward():
        return tf.reduce_mean(model.loss(masks, model(images, training=True)))

    @tf.function
    def backward():
        with tf.GradientTape() as tape:
            loss = forward()
        return tape.gradient(loss, model.trainable_variables)

    works = {
        "input": lambda: next(batches),
        "input, not augmented": lambda: next(plain_batches),
        "forward": forward,
        "forward and backward": backward,
    }
    spent = {name: 1000 * best_seconds(work, plan.short) / recipe.batch_size for name, work in works.items()}
    spent["training"] = training_ms(model, recipe, home, plan.short)
    plain = build(recipe, keras_normalization=True)
    spent["training, Keras' normalisation"] = training_ms(plain, recipe, home, plan.short)
    return {"ms": spent, "traces": traces}


# --- all of it ---


def measure_speed(home: Path, path: Path = FILE, plan: Plan = FULL) -> dict:
    """Measure everything, one after the other, and write it down: about a quarter of an hour on two cores.

    Args:
        home: folder for the drawn X-rays and cached arrays.
        path: of the JSON file.
        plan: how much is measured.

    Returns:
        Content of the file. Of each pipeline, `share` compares with the best matrix product of its precision in the
        whole run, and `times` says how many times as fast it is as the article's: the faster of its two runs, with
        oneDNN and without.

    Raises:
        RuntimeError: a process ended abruptly, most likely for want of memory.
    """
    draw_dataset(home / DATA, count=plan.drawn)
    peaks, pipelines = [_apart("matrix products", measure_peak, plan.side)], {}
    for pipeline in plan.pipelines:
        measured = pipelines[pipeline.name] = _apart(
            pipeline.name, measure_pipeline, pipeline, home, plan, onednn=pipeline.onednn
        )
        peaks.append(measured.pop("peak"))
        print(f"    {measured['images_per_second']:.2f} images per second", flush=True)
    growth = {
        "size": _apart("image sizes", measure_sizes, home, plan),
        "cores": [_apart(f"cores: {cores}", measure_cores, cores, home, plan) for cores in plan.cores],
        "count": _apart("numbers of images", measure_counts, home, plan),
    }
    step = _apart("what is in a step", measure_step, home, plan)
    peaks.append(_apart("matrix products", measure_peak, plan.side))
    peak = {precision: [one[precision] for one in peaks] for precision in PRECISIONS}
    article = max(pipelines[one.name]["images_per_second"] for one in plan.pipelines if one.as_written)
    for measured in pipelines.values():
        measured["share"] = measured["gflops"] / max(peak[measured["precision"].removeprefix("mixed_")])
        measured["times"] = measured["images_per_second"] / article
    versions = {"TensorFlow": tf.__version__, "Keras": keras.__version__, "NumPy": np.__version__}
    result = {
        "date": datetime.date.today().isoformat(),
        "code": code_version(),
        "versions": {**versions, "OpenCV": cv2.__version__, "Python": platform.python_version()},
        "processor": processor(),
        "peak": {**peak, "better": max(PRECISIONS, key=lambda precision: max(peak[precision]))},
        "pipelines": pipelines,
        "growth": growth,
        "step": step,
    }
    write_json(result, path)
    return read_json(path)


def _apart(name: str, work: Callable, *inputs, onednn: bool = True):
    """Run a function in a fresh process, so that its memory, its threads and its way to compute are its own."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(onednn))
    print(f"measuring {name}", flush=True)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(work, *inputs).result()
        except BrokenProcessPool as error:
            raise RuntimeError(f"The process that measured {name} ended abruptly. Was there enough memory?") from error


def format_speed(result: dict) -> str:
    """The result as text: the machine, a line per pipeline, how the cost grows, and what is in a step."""
    chip, peak, growth = result["processor"], result["peak"], result["growth"]
    features = "features unknown" if chip["features"] is None else " ".join(chip["features"]) or "no AVX2"
    rates = ", ".join(f"{precision} {max(peak[precision]):.0f} GFLOP/s" for precision in PRECISIONS)
    lines = [
        f"{chip['name']}, {chip['cores']} cores, {features}; {result['date']}",
        f"matrix product: {rates}; this processor does better in {peak['better']}",
        f"{'pipeline':40}{'images/s':>10}{'times':>8}{'GFLOP/s':>9}{'of peak':>9}{'memory':>10}{'first step':>12}",
    ]
    for name, one in result["pipelines"].items():
        memory = "unknown" if one["memory_gb"] is None else f"{one['memory_gb']:.1f} GB"
        lines.append(
            f"{name:40}{one['images_per_second']:10.2f}{one['times']:8.1f}{one['gflops']:9.1f}{one['share']:9.2f}"
            f"{memory:>10}{one['seconds_to_first_step']:10.1f} s"
        )
    lines.append("laptop net")
    lines += [f"  {row['px']:4} px         {row['ms']:9.2f} ms per image" for row in growth["size"]]
    lines += [f"  {row['cores']:4} cores      {row['ms']:9.2f} ms per image" for row in growth["cores"]]
    lines += [f"  {row['images']:4} images     {row['seconds']:9.2f} s per epoch" for row in growth["count"]]
    lines += [f"  {name:32}{value:9.2f} ms per image" for name, value in result["step"]["ms"].items()]
    return "\n".join([*lines, f"  {'traces of the training step':32}{result['step']['traces']:9}"])
