"""The recipes: every number that shapes a training run, under one name (notebook 7)."""

from dataclasses import dataclass, replace
from pathlib import Path

from lungseg_utils.files import DatasetError

SHIPPED_WEIGHTS = Path(__file__).parent / "pretrained" / "lungs.keras"


@dataclass(frozen=True)
class Recipe:
    """All choices of a training run. There is no other switch."""

    name: str  # how the recipe is asked for
    image_size: int  # side of the square that the network sees, px
    input_channels: int  # 1 for grey; 3 repeats the grey picture three times, as colour networks expect
    output_channels: int  # 2 for a mask per lung; 1 for both lungs merged
    base_filters: int  # filters of the first convolution block; each deeper level doubles them
    depth: int  # how many times the encoder halves the picture
    batch_norm_momentum: float  # share of the old running mean kept at each step
    batch_size: int  # images per training step
    learning_rate: float  # step size of the optimizer; the peak where there is a schedule
    schedule: str  # "cosine" warms up, then falls; "plateau" divides by ten when the validation loss stalls
    weight_decay: float  # pull of the weights towards zero (AdamW); 0 means plain Adam
    epochs: int  # passes over the training set at most
    patience: int | None  # epochs without a better validation loss before training stops early; None never stops
    loss: str  # "dice_bce" per image, or "pooled_dice" over the whole batch
    augment: bool  # whether training images are moved, relit and shadowed at random
    start: str  # "random" weights, or "drawings": the shipped model's; filters, depth and channels must be its own


LAPTOP = Recipe(
    name="laptop",
    image_size=128,
    input_channels=1,
    output_channels=2,
    base_filters=8,
    depth=4,
    batch_norm_momentum=0.9,
    batch_size=8,
    learning_rate=4e-3,
    schedule="cosine",
    weight_decay=1e-4,
    epochs=40,
    patience=15,
    loss="dice_bce",
    augment=True,
    start="random",
)
"""Minutes on two cores without a GPU: the default, and what the tests run."""

ARTICLE = Recipe(
    name="article",
    image_size=512,
    input_channels=3,
    output_channels=1,
    base_filters=64,
    depth=4,
    batch_norm_momentum=0.99,
    batch_size=2,
    learning_rate=1e-5,
    schedule="plateau",
    weight_decay=0.0,
    epochs=30,
    patience=None,
    loss="pooled_dice",
    augment=False,
    start="random",
)
"""The article's numbers to the letter (ShowMeAI, article 298): hours on a laptop, for a GPU."""

BEST = replace(LAPTOP, name="best", base_filters=12, learning_rate=1e-3, epochs=60, patience=None, start="drawings")
"""The most accurate on real X-rays that we found within a quarter of an hour on two cores."""

DRAWINGS = replace(LAPTOP, name="drawings", base_filters=12, epochs=1, patience=None)
"""The shipped model's first epoch, on thousands of drawings; then `python -m studies pretrain` averages weights."""

RECIPES = {recipe.name: recipe for recipe in (LAPTOP, BEST, ARTICLE)}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name; a DatasetError lists those there are when there is none."""
    if name not in RECIPES:
        raise DatasetError(f"There is no recipe named {name!r}. The recipes are: {', '.join(RECIPES)}.")
    return RECIPES[name]
