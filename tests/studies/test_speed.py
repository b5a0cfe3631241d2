"""What a training step spends: how it is measured, on tiny nets, and what was measured."""

import dataclasses
import os

import keras
import numpy as np
import pytest
from shared import write_set

from lungseg_utils.cases import find_cases
from lungseg_utils.files import read_json
from lungseg_utils.images import load_arrays
from lungseg_utils.kept import kept
from lungseg_utils.pipeline import make_dataset
from lungseg_utils.recipes import ARTICLE, LAPTOP
from lungseg_utils.training import model_for
from lungseg_utils.unet import BatchNormalization, multiply_adds
from studies import provenance, speed

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(LAPTOP, image_size=32, base_filters=2, depth=0, batch_size=2)
TINY_ARTICLE = dataclasses.replace(ARTICLE, image_size=32, base_filters=2, depth=0)
EXTENT = speed.Extent(
    pipelines=(
        speed.Pipeline("tiny", TINY),
        speed.Pipeline("tiny article", TINY_ARTICLE, as_written=True),
        speed.Pipeline("tiny article, without oneDNN", TINY_ARTICLE, as_written=True, onednn=False),
    ),
    small=TINY,
    seconds=0.1,
    short=0.1,
    side=256,
    drawn=4,
    sizes=(16,),
    counts=(4,),
    cores=(),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with four X-rays in the place of the drawn ones."""
    folder = tmp_path_factory.mktemp("speed")
    write_set(folder / speed.DATA, count=4, height=64, width=80)
    return folder


@pytest.fixture(scope="module")
def result(home):
    """All that is measured, of tiny nets and in this process; its file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "draw_dataset", lambda folder, count: folder)
        patch.setattr(speed, "_apart", lambda name, work, *inputs, onednn=True: work(*inputs))
        return speed.measure_speed(home, home / "measured", EXTENT)


# --- one pipeline ---


def test_the_figures_of_a_pipeline_agree_with_each_other(result):
    one = result["pipelines"]["tiny"]
    assert one["images_per_second"] == max(one["repeats"]) >= min(one["repeats"]) > 0
    assert one["multiply_adds"] == sum(multiply_adds(model_for(TINY)).values())
    gflops = one["images_per_second"] * 6 * one["multiply_adds"] / 1e9
    assert one["gflops"] == pytest.approx(gflops, abs=1e-4)
    assert one["seconds_to_first_step"] > 0
    assert one["memory_gb"] is None or 0.1 < one["memory_gb"] < 100


def one_core_and_bfloat16(home):
    """Both in one fresh process, to import TensorFlow only once."""
    half = dataclasses.replace(EXTENT.pipelines[0], precision="mixed_bfloat16")
    return speed.measure_cores(1, home, EXTENT), speed.measure_pipeline(half, home, EXTENT)


def test_a_process_of_its_own_keeps_threads_memory_and_precision_to_itself(home):
    before, hoard = provenance.usable_cores(), np.ones(2**28)  # 2 GiB
    row, one = speed._apart("one core", one_core_and_bfloat16, home)
    assert row["cores"] == 1 and row["ms"] > 0
    assert one["precision"] == "mixed_bfloat16" and one["images_per_second"] > 0
    assert set(one["peak"]) == set(speed.PRECISIONS) and min(one["peak"].values()) > 0
    assert one["memory_gb"] is None or one["memory_gb"] < hoard.nbytes / 1e9
    assert provenance.usable_cores() == before and keras.config.dtype_policy().name == "float32"


def test_slow_steps_are_not_repeated(monkeypatch):
    monkeypatch.setattr(speed, "fit", lambda model, batches, steps, epochs=1: [0.5 * steps] * epochs)
    assert speed.time_steps(None, None, seconds=10, repeats=3) == [0.5, 0.5, 0.5]
    assert speed.time_steps(None, None, seconds=1, repeats=3) == [0.5]


# --- the article's pipeline as it is written ---


def test_the_articles_net_has_keras_normalisation_and_the_same_weights():
    small = dataclasses.replace(ARTICLE, image_size=32, base_filters=2)
    ours, plain = (speed.build(small, keras_normalization=plain) for plain in (False, True))
    assert [one.shape for one in ours.weights] == [one.shape for one in plain.weights]
    kinds = [[type(layer) for layer in model.layers] for model in (ours, plain)]
    assert kinds[0].count(BatchNormalization) == kinds[1].count(keras.layers.BatchNormalization) == 18
    assert BatchNormalization not in kinds[1] and plain.layers[2].momentum == ARTICLE.batch_norm_momentum


def test_the_articles_pipeline_reads_what_ours_reads(home):
    cases = find_cases(home / speed.DATA)
    arrays = load_arrays(cases, 32, home / "cache")
    batches = speed.article_batches(cases, TINY_ARTICLE)
    images, masks = (np.concatenate(part) for part in zip(*batches.take(2).as_numpy_iterator()))
    assert (images.shape, masks.shape) == ((4, 32, 32, 3), (4, 32, 32, 1))
    assert images.dtype == masks.dtype == np.float32 and 0 <= images.min() and images.max() <= 1
    assert np.array_equal(np.unique(masks), [0, 1])
    ours = np.concatenate([masks for _, masks in make_dataset(arrays.images, arrays.masks, TINY_ARTICLE)])
    areas, our_areas = (sorted(np.sum(one, axis=(1, 2, 3))) for one in (masks, ours))
    np.testing.assert_allclose(areas, our_areas, rtol=0.1)


# --- all of it ---


def test_shares_and_times_follow_from_the_rates(result):
    names = [pipeline.name for pipeline in EXTENT.pipelines]
    assert list(result["pipelines"]) == names
    article = max(result["pipelines"][name]["images_per_second"] for name in names[1:])  # the faster of its two
    for one in result["pipelines"].values():
        assert 0 <= one["share"] < 1.5
        assert one["share"] == pytest.approx(one["gflops"] / max(result["peak"]["float32"]), abs=1e-4)
        assert one["times"] == pytest.approx(one["images_per_second"] / article, rel=1e-3)
    assert len(result["peak"]["float32"]) == len(result["peak"]["bfloat16"]) == 2 + len(names)
    assert result["peak"]["better"] in speed.PRECISIONS


def test_growth_is_measured_and_the_file_holds_all_of_it(result, home):
    [size], [count] = result["growth"]["size"], result["growth"]["count"]
    assert size["px"] == 16 and size["ms"] > 0 and count["images"] == 4 and count["seconds"] > 0
    assert read_json(home / "measured" / "speed.json") == result
    assert result["processor"]["name"] and result["provenance"]["stage"] == "speed"


def test_a_pipeline_is_measured_with_onednn_or_without():
    for onednn in (True, False):
        assert speed._apart("a setting", os.getenv, "TF_ENABLE_ONEDNN_OPTS", onednn=onednn) == str(int(onednn))


def test_the_full_plan_names_its_recipes():
    names = [pipeline.name for pipeline in speed.FULL.pipelines]
    assert names[0] == "laptop" and len(set(names)) == len(names)
    written = [pipeline for pipeline in speed.FULL.pipelines if pipeline.as_written]
    assert {pipeline.onednn for pipeline in written} == {True, False}, "the article's gets the better of both"
    assert speed.FULL.cores[0] == 1 and speed.FULL.cores[-1] == provenance.usable_cores()
    for pipeline in speed.FULL.pipelines:
        if pipeline.as_written:  # whole batches only: else the rate would count images that are not there
            assert speed.FULL.drawn % pipeline.recipe.batch_size == 0


# --- what was measured ---


def test_the_kept_figures_agree_with_each_other_and_ours_is_far_faster():
    measured = kept("speed.json")["pipelines"]
    assert measured["laptop"]["times"] >= 50 and measured["best"]["times"] >= 15
    for one in measured.values():
        assert one["gflops"] == pytest.approx(one["images_per_second"] * 6 * one["multiply_adds"] / 1e9, rel=0.01)
        assert 0 < one["share"] < 1.5
