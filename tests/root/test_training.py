"""Training: repeatable, and the same with and without interruptions."""

import dataclasses
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from shared import REPOSITORY, ellipse, run_python

from lungseg_utils import training
from lungseg_utils.files import DatasetError
from lungseg_utils.images import Arrays
from lungseg_utils.pipeline import make_dataset
from lungseg_utils.recipes import ARTICLE, LAPTOP

keras = training.keras

TINY = dataclasses.replace(LAPTOP, image_size=32, base_filters=2, depth=1, epochs=4, batch_size=4, patience=None)
STEPS = 4
TESTS = REPOSITORY / "tests"
SPLIT = {"train": [f"E{number:02}" for number in range(18)], "val": [f"E{number:02}" for number in range(18, 24)]}
LOSSES = ("loss", "val_loss", "hard_dice", "val_hard_dice")


def ellipses() -> Arrays:
    """Two dark ellipses on grey noise: 24 small cases, 18 of them for training."""
    random = np.random.default_rng(5)
    shifts = random.uniform(-0.06, 0.06, 24)
    masks = np.stack([np.stack([ellipse(32, 32, x + shift) for x in (0.28, 0.72)], axis=-1) for shift in shifts])
    images = random.integers(120, 250, masks.shape[:3]) - 80 * masks.max(axis=-1)
    return Arrays(SPLIT["train"] + SPLIT["val"], images.astype("uint8"), masks)


def column(rows: list[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows]


class Deadly(training.SafeCheckpoint):
    """Kill this process, with no chance to tidy up: before the third epoch is saved, or while writing the second."""

    where = ""

    def on_epoch_end(self, epoch, logs=None):
        if (self.where, self.path.name, epoch) == ("before last.keras", "last.keras", 2):
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_epoch_end(epoch, logs)

    def _save_model(self, epoch, batch, logs):
        super()._save_model(epoch, batch, logs)
        if (self.where, epoch) == ("while writing", 1):
            whole = Path(self.filepath).read_bytes()
            Path(self.filepath).write_bytes(whole[: len(whole) // 2])
            os.kill(os.getpid(), signal.SIGKILL)


def train_and_die(where: str, folder: str) -> None:
    """Train in this process until it is killed; runs in a process of its own."""
    training.SafeCheckpoint, Deadly.where = Deadly, where
    training.train(TINY, ellipses(), SPLIT, Path(folder))


def alone(code: str) -> subprocess.CompletedProcess:
    """Run a line with this module as `t`, in a process of its own."""
    code = f"import sys; sys.path[:0] = {[str(TESTS / 'root'), str(TESTS)]}; import test_training as t; {code}"
    return run_python("-c", code)


def kill_training(where: str, folder: Path) -> None:
    """Train in a process that is killed, and check that it was."""
    done = alone(f"t.train_and_die({where!r}, {str(folder)!r})")
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def train_alone(folder: Path) -> list[dict[str, float]]:
    """Train in a process of its own: rounding then does not depend on what other tests have computed before."""
    done = alone(f"t.training.train(t.TINY, t.ellipses(), t.SPLIT, t.Path({str(folder)!r}))")
    assert done.returncode == 0, done.stderr
    return training.read_log(folder / "log.csv")


@pytest.fixture(scope="module")
def at_one_go(tmp_path_factory):
    """Folder and log of a training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("run") / "one"
    return folder, train_alone(folder)


@pytest.fixture(scope="module")
def killed_twice(tmp_path_factory):
    """Folder and log of a training that was killed in two places and went on each time."""
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    folder = tmp_path_factory.mktemp("run") / "killed"
    kill_training("while writing", folder)
    assert len(training.read_log(folder / "log.csv")) == 1
    assert len(list(folder.glob(".best.*.writing.keras"))) == 1, "half a checkpoint should be left"
    kill_training("before last.keras", folder)
    assert len(training.read_log(folder / "log.csv")) == 3, "the row of an epoch that was not saved"
    last = keras.models.load_model(folder / "last.keras")
    assert int(last.optimizer.iterations) == 2 * STEPS
    return folder, train_alone(folder)


@pytest.mark.slow
def test_it_learns_and_the_same_seed_has_the_same_losses(at_one_go, tmp_path):
    rows = train_alone(tmp_path / "again")
    assert rows[0].keys() == {"epoch", *LOSSES}
    assert rows[-1]["loss"] < rows[0]["loss"]
    for name in LOSSES:
        np.testing.assert_allclose(column(rows, name), column(at_one_go[1], name), atol=1e-6)


@pytest.mark.slow
def test_other_seed_other_losses_and_an_epoch_prints_a_line(at_one_go, tmp_path, capsys):
    rows = training.train(TINY, ellipses(), SPLIT, tmp_path, epochs=1, seed=43)
    assert column(rows, "epoch") == [0]
    assert abs(rows[0]["loss"] - at_one_go[1][0]["loss"]) > 1e-4
    assert training.train(TINY, ellipses(), SPLIT, tmp_path, epochs=1, seed=43) == rows  # nothing is left to do
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["1/1"]


@pytest.mark.slow
def test_killed_training_ends_where_an_undisturbed_one_does(at_one_go, killed_twice):
    assert {path.name for path in killed_twice[0].iterdir()} == {"best.keras", "last.keras", "log.csv", "run.json"}
    assert len((killed_twice[0] / "log.csv").read_text().splitlines()) == 1 + 4
    assert column(killed_twice[1], "epoch") == [0, 1, 2, 3]
    for name in LOSSES:
        # one pixel of 1,024 that falls on the other side of 0.5 moves a hard Dice more than a loss
        tolerance = 2e-3 if "hard" in name else 1e-4
        np.testing.assert_allclose(column(killed_twice[1], name), column(at_one_go[1], name), atol=tolerance)
    models = [keras.models.load_model(folder / "last.keras") for folder, _ in (at_one_go, killed_twice)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    planned = training.make_optimizer(TINY, STEPS)
    planned.iterations.assign(TINY.epochs * STEPS)
    for optimizer in (model.optimizer for model in models):
        assert int(optimizer.iterations) == TINY.epochs * STEPS
        assert float(optimizer.learning_rate) == pytest.approx(float(planned.learning_rate), abs=1e-9)


@pytest.mark.slow
def test_best_is_the_epoch_with_the_lowest_validation_loss(at_one_go, killed_twice):
    validation = ellipses().part(SPLIT["val"])
    checks = make_dataset(validation.images, validation.masks, TINY)
    for folder, rows in (at_one_go, killed_twice):
        measured = keras.models.load_model(folder / "best.keras").evaluate(checks, verbose=0, return_dict=True)
        assert measured["loss"] == pytest.approx(min(column(rows, "val_loss")), abs=1e-4)


def test_finished_training_is_not_trained_again(at_one_go, monkeypatch):
    folder, rows = at_one_go
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it trains again"))
    assert training.train(TINY, ellipses(), SPLIT, folder) == rows
    assert training.train(TINY, ellipses(), SPLIT, folder, epochs=2) == rows
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "change, named",
    [
        ({"recipe": dataclasses.replace(TINY, learning_rate=1e-3)}, "another recipe"),
        ({"split": {"train": SPLIT["train"][1:], "val": SPLIT["val"]}}, "another split"),
        ({"seed": 1}, "another seed"),
        ({"arrays": Arrays(ellipses().ids, ellipses().images ^ 1, ellipses().masks)}, "another data set"),
    ],
)
def test_folder_of_another_run_is_refused(at_one_go, change, named):
    folder, rows = at_one_go
    arguments = {"recipe": TINY, "arrays": ellipses(), "split": SPLIT, "run_folder": folder} | change
    with pytest.raises(DatasetError, match=named) as caught:
        training.train(**arguments)
    assert str(folder) in str(caught.value)
    assert training.read_log(folder / "log.csv") == rows


def test_too_few_images_for_a_batch(tmp_path):
    few = {"train": SPLIT["train"][:3], "val": SPLIT["val"]}
    with pytest.raises(ValueError, match="3 training images do not fill one batch of 4"):
        training.train(TINY, ellipses(), few, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- two at once, and runs that have lost something ---


@pytest.mark.slow
def test_second_training_in_a_folder_waits_and_finds_it_done(tmp_path):
    code = f"t.training.train(t.TINY, t.ellipses(), t.SPLIT, t.Path({str(tmp_path / 'run')!r}))"
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(alone, [code, code])
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    trained, waited = sorted((one.stdout, two.stdout), key=lambda text: "Waiting" in text)
    assert trained.count("epoch ") == TINY.epochs and waited.count("epoch ") == 0
    assert re.search(r"Training in .*run: process \d+ on .*, since .* Waiting for its end", waited)
    assert column(training.read_log(tmp_path / "run" / "log.csv"), "epoch") == [0, 1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"best.keras", "last.keras", "log.csv", "run.json"}


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_and_nothing_of_it_is_kept(tmp_path):
    wild = dataclasses.replace(TINY, learning_rate=1e20)
    for _ in range(2):  # also when it goes on
        with pytest.raises(RuntimeError, match="Epoch 1 ended with loss nan.*smaller learning rate"):
            training.train(wild, ellipses(), SPLIT, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"run.json", "log.csv"}
    assert not training.is_finished(wild, training.read_log(tmp_path / "log.csv"))


@pytest.fixture(scope="module")
def at_three_epochs(tmp_path_factory) -> Path:
    """Folder of a training that stopped after three of four epochs."""
    folder = tmp_path_factory.mktemp("run") / "three"
    training.train(TINY, ellipses(), SPLIT, folder, epochs=3)
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_semicolons(path: Path) -> None:
    path.write_text("\ufeff" + path.read_text().replace(",", ";"), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "file, harm, epochs, message",
    [
        ("best.keras", Path.unlink, 4, "best.keras is lost or damaged.*delete .*run to train again"),
        ("best.keras", cut, 4, "best.keras is lost or damaged"),
        ("log.csv", with_semicolons, 4, "log.csv was changed by another program"),
        ("last.keras", Path.unlink, 4, None),  # a finished run does not need it
        ("last.keras", cut, 4, None),
        ("last.keras", Path.unlink, 3, "log.csv holds 3 epochs, last.keras 0"),
        ("last.keras", cut, 3, "last.keras is lost or damaged"),
        ("best.keras", Path.unlink, 3, "best.keras is lost or damaged"),
        ("log.csv", Path.unlink, 3, "log.csv holds 0 epochs, last.keras 3"),
        ("run.json", cut, 4, "run.json is damaged"),
    ],
)
def test_a_lost_file_is_named_with_the_way_out(at_one_go, at_three_epochs, tmp_path, file, harm, epochs, message):
    run = tmp_path / "run"
    shutil.copytree(at_one_go[0] if epochs == 4 else at_three_epochs, run)
    harm(run / file)
    if message is None:
        assert training.train(TINY, ellipses(), SPLIT, run) == at_one_go[1]
        return
    with pytest.raises(DatasetError, match=message):
        training.train(TINY, ellipses(), SPLIT, run)
    assert not list(run.glob(".*")), "and nothing is left behind"


# --- the log ---

LOG = "epoch,loss,val_loss\r\n0,0.9,0.8\r\n1,0.7,0.75\r\n2,0.6,0.7\r\n"
ROWS = [{"epoch": epoch, "loss": a, "val_loss": b} for epoch, a, b in ((0, 0.9, 0.8), (1, 0.7, 0.75), (2, 0.6, 0.7))]


@pytest.mark.parametrize("rest", ["", "3", "3,0.5", "3,0.5,", "3,0.5,0.6"])
def test_the_log_is_cut_to_its_whole_lines_and_to_the_saved_epochs(tmp_path, rest):
    path = tmp_path / "log.csv"
    path.write_text("\ufeff" + LOG, newline="", encoding="utf-8")
    assert training.read_log(path) == ROWS, "as a spreadsheet saves it"
    for epochs in (3, 2):
        path.write_text(LOG + rest, newline="")
        assert training.read_log(path) == ROWS
        assert training.keep_log(path, epochs) == training.read_log(path) == ROWS[:epochs]
        assert path.read_text().splitlines() == LOG.splitlines()[: 1 + epochs]
    assert [each.name for each in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("text", ["", "epoch,lo", "epoch,loss,val_loss\n"])
def test_log_without_rows(tmp_path, text):
    path = tmp_path / "log.csv"
    assert training.read_log(path) == []
    path.write_text(text)
    assert training.read_log(path) == []
    assert training.keep_log(path, 0) == [] and path.read_text() == ""


def test_when_a_training_is_finished():
    recipe = dataclasses.replace(TINY, epochs=10, patience=3)
    losses = [0.9, 0.5, 0.6, 0.5, 0.7, 0.4]  # an equal loss is no progress
    rows = [{"epoch": epoch, "val_loss": loss} for epoch, loss in enumerate(losses)]
    assert [training.is_finished(recipe, rows[:count]) for count in range(6)] == [False] * 5 + [True]
    assert not training.is_finished(recipe, rows)  # it never gets there, but the last epoch is the best
    assert not training.is_finished(dataclasses.replace(recipe, patience=None), rows)
    assert training.is_finished(dataclasses.replace(recipe, patience=None, epochs=6), rows)


# --- callbacks ---


@pytest.fixture
def dot():
    """The smallest model with an optimizer."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(ARTICLE.learning_rate), "mse")
    model.stop_training = False
    return model


STALLING = [1 / (2 + epoch) for epoch in range(4)] + [0.21] * 6 + [0.19] + [0.2] * 14


def watch(model, losses: list[float], past: list[dict[str, float]], folder: Path) -> list[float]:
    """Hand losses to the callbacks of a recipe, as Keras would; return the learning rate of each epoch."""
    recipe = dataclasses.replace(ARTICLE, patience=12)
    watching = ("ReduceLROnPlateau", "EarlyStopping", "ReplayLog")
    callbacks = [each for each in training.make_callbacks(recipe, folder, past) if type(each).__name__ in watching]
    for each in callbacks:
        each.set_model(model)
    for each in callbacks:
        each.on_train_begin()
    rates = []
    for epoch in range(len(past), len(losses)):
        logs = {"val_loss": losses[epoch]}
        for each in callbacks:
            each.on_epoch_end(epoch, logs)
        rates.append(logs["learning_rate"])
        if model.stop_training:
            break
    return rates


def test_plateau_and_early_stop_do_not_notice_an_interruption(dot, tmp_path):
    undisturbed = watch(dot, STALLING, [], tmp_path)
    assert len(set(undisturbed)) == 3 and len(undisturbed) == 11 + 12  # two plateaus, and the stop
    rates_at_the_end = []
    for cut in range(1, len(undisturbed)):
        dot.stop_training = False
        dot.optimizer.learning_rate = ARTICLE.learning_rate
        watch(dot, STALLING[:cut], [], tmp_path)  # leaves in the optimizer what last.keras holds
        rates_at_the_end.append(float(dot.optimizer.learning_rate))
        log = enumerate(zip(STALLING[:cut], undisturbed))
        past = [{"epoch": epoch, "val_loss": loss, "learning_rate": rate} for epoch, (loss, rate) in log]
        assert undisturbed[:cut] + watch(dot, STALLING, past, tmp_path) == undisturbed, f"after {cut} epochs"
    assert len(set(rates_at_the_end)) == 3


def test_callbacks_of_the_recipes(tmp_path):
    callbacks = [training.make_callbacks(recipe, tmp_path, []) for recipe in (LAPTOP, ARTICLE)]
    ours, theirs = ([type(each).__name__ for each in some] for some in callbacks)
    assert ours[-4:] == theirs[-4:] == ["SafeCheckpoint", "CSVLogger", "SafeCheckpoint", "PrintEpoch"]
    assert "EarlyStopping" in ours and "ReduceLROnPlateau" not in ours and "EarlyStopping" not in theirs
    [plateau] = [each for each in callbacks[1] if isinstance(each, keras.callbacks.ReduceLROnPlateau)]
    assert (plateau.monitor, plateau.factor, plateau.patience, plateau.min_lr) == ("val_loss", 0.1, 5, 1e-7)
    assert [each.monitor for each in callbacks[1] if getattr(each, "save_best_only", False)] == ["val_loss"]


def test_a_checkpoint_is_of_the_best_alone_and_stays_whole_when_writing_fails(dot, tmp_path, monkeypatch):
    path = tmp_path / "best.keras"
    checkpoint = training.SafeCheckpoint(path, save_best_only=True, initial_value_threshold=0.5)
    checkpoint.set_model(dot)
    checkpoint.on_train_begin()
    checkpoint.on_epoch_end(0, {"val_loss": 0.6})
    assert not path.exists()
    checkpoint.on_epoch_end(1, {"val_loss": 0.4})

    def disk_full(filepath, **_):
        Path(filepath).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dot, "save", disk_full)
    with pytest.raises(DatasetError, match="best.keras: No space left on device. Make room"):
        checkpoint.on_epoch_end(2, {"val_loss": 0.3})
    keras.models.load_model(path)
    assert [each.name for each in tmp_path.iterdir()] == ["best.keras"]
