"""The recipes: the article's numbers to the letter, and that what they describe trains."""

import dataclasses

import keras
import numpy as np
import pytest

from lungseg_utils import losses, training
from lungseg_utils.recipes import ARTICLE, LAPTOP, RECIPES, find_recipe


def test_the_article_to_the_letter():
    net = dict(image_size=512, input_channels=3, output_channels=1, base_filters=64, depth=4, batch_norm_momentum=0.99)
    step = dict(batch_size=2, learning_rate=1e-5, schedule="plateau", weight_decay=0.0, loss="pooled_dice")
    rest = dict(name="article", epochs=30, patience=None, augment=False, start="random")
    assert dataclasses.asdict(ARTICLE) == net | step | rest


@pytest.mark.slow
def test_the_article_trains_as_written():
    keras.utils.set_random_seed(0)
    small = dataclasses.replace(ARTICLE, image_size=64, base_filters=16)  # at 512 px a step takes half a minute
    model = training.model_for(small)
    training.compile_model(model, small, steps_per_epoch=56)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-5)
    assert model.loss is losses.pooled_dice_loss and model.layers[-1].activation is keras.activations.sigmoid
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.99}
    random = np.random.default_rng(0)
    images = random.random((2, 64, 64, 3), dtype="float32")
    masks = (random.random((2, 64, 64, 1)) < 0.25).astype("float32")
    before = model.layers[1].kernel.numpy()
    result = model.train_on_batch(images, masks, return_dict=True)
    assert set(result) == {"loss", "pooled_dice", "pooled_iou", "hard_dice", "Recall", "Precision"}
    assert all(np.isfinite(value) for value in result.values())
    assert result["loss"] == pytest.approx(1 - result["pooled_dice"], abs=1e-5)
    moved = np.abs(model.layers[1].kernel.numpy() - before).max()
    assert 0 < moved < 1.1e-5  # one step of Adam moves a weight by the learning rate at most


def test_the_cosine_schedule_rises_and_falls():
    for steps_per_epoch in (1, 12, 21):
        optimizer = training.make_optimizer(LAPTOP, steps_per_epoch)
        steps = LAPTOP.epochs * steps_per_epoch
        rates = []
        for step in range(steps + 1):
            optimizer.iterations.assign(step)
            rates.append(float(optimizer.learning_rate))
        assert rates[0] == pytest.approx(LAPTOP.learning_rate / 25)
        assert max(rates) == pytest.approx(LAPTOP.learning_rate)
        assert np.argmax(rates) == round(training.WARM_UP * steps)
        assert (np.diff(rates[np.argmax(rates) :]) < 0).all()
        assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_every_recipe_builds_what_it_says():
    for recipe in RECIPES.values():
        small = dataclasses.replace(recipe, base_filters=2)
        model = training.model_for(small)
        assert model.input_shape == (None, recipe.image_size, recipe.image_size, recipe.input_channels)
        assert model.output_shape == (None, recipe.image_size, recipe.image_size, recipe.output_channels)
        training.compile_model(model, small, steps_per_epoch=10)
        kind = keras.optimizers.Adam if recipe is ARTICLE else keras.optimizers.AdamW
        assert type(model.optimizer) is kind and (model.optimizer.weight_decay or 0) == recipe.weight_decay
        assert float(model.optimizer.learning_rate) > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        LAPTOP.epochs = 1


def test_finding_a_recipe():
    assert find_recipe("laptop") is LAPTOP and find_recipe("article") is ARTICLE
    assert all(name == recipe.name for name, recipe in RECIPES.items())
    with pytest.raises(ValueError, match="no recipe named 'fast'.*laptop, best, article"):
        find_recipe("fast")
