"""What every notebook opens with: the choice of data and recipe, and what earlier notebooks made.

Each `..._ready` function loads a thing from the folder of the course, or makes it where it is missing and says
so. That is why any notebook can run first.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from lungseg_utils.cases import Case, find_cases
from lungseg_utils.drawing import draw_dataset
from lungseg_utils.files import name_by_place, read_json, write_json, write_whole
from lungseg_utils.images import Arrays, load_arrays
from lungseg_utils.recipes import LAPTOP, Recipe, find_recipe
from lungseg_utils.splits import load_split, save_split, split_cases


def home() -> Path:
    """The folder of data, caches and runs: `LUNGSEG_HOME`, or `data` of the checkout or of the current folder."""
    if os.environ.get("LUNGSEG_HOME"):
        return Path(os.path.expanduser(os.environ["LUNGSEG_HOME"])).resolve()
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "notebooks").is_dir() else Path.cwd()) / "data"


@dataclass(frozen=True)
class Course:
    """What the notebooks work on."""

    recipe: Recipe  # all choices of the training run
    data: Path | None  # folder of the data set; None stands for the drawn X-rays
    run: Path  # folder in which split, model, log and scores of this data set and recipe lie

    @property
    def data_name(self) -> str:
        """Name of the data set: `phantom`, or the folder's name."""
        return "phantom" if self.data is None else self.data.name


def choose(recipe: str = LAPTOP.name, data: str | None = None) -> None:
    """Choose the recipe and the data set for all notebooks; the choice is kept in `course.json`.

    The data set is a folder in the layout of the Montgomery set; `None` stands for the drawn X-rays. A DatasetError
    tells that there is no such recipe, or that the folder is not a data set.
    """
    find_recipe(recipe)
    if data is not None:
        data = str(Path(data).expanduser().resolve())
        find_cases(Path(data))
    write_json({"recipe": recipe, "data": data}, home() / "course.json")
    print(f"From now on: recipe {recipe}, data set {data or 'X-rays drawn by code'}. Run notebooks from the start.")


def start() -> Course:
    """Read the choice of recipe and data set, and print it.

    The environment variables `LUNGSEG_RECIPE`, `LUNGSEG_DATA` and `LUNGSEG_RUN` win over `course.json`, which `choose`
    writes; without either it is the `laptop` recipe on drawn X-rays. A DatasetError tells that nothing can be written
    in `home()`, or that `course.json` is damaged.
    """
    with write_whole(home() / "course.json") as draft:  # a trial: better said now than after the work
        draft.touch()
        draft.unlink()
    path = home() / "course.json"
    chosen = read_json(path) if path.exists() else {}
    recipe = find_recipe(os.environ.get("LUNGSEG_RECIPE") or chosen.get("recipe", LAPTOP.name))
    data = os.environ.get("LUNGSEG_DATA", chosen.get("data")) or None
    data = Path(data).expanduser().resolve() if data else None
    run = Path(os.environ.get("LUNGSEG_RUN") or usual_run(recipe.name, data))
    course = Course(recipe, data, run)
    print(f"Recipe: {recipe.name}. Data set: {course.data or 'X-rays drawn by code'}.")
    return course


def usual_run(recipe: str, data: Path | None) -> Path:
    """The run folder of a recipe and a data set, unless `LUNGSEG_RUN` names another one."""
    return home() / "runs" / f"{name_by_place(data) if data else 'phantom'}-{recipe}"


def cases_ready(course: Course) -> list[Case]:
    """The cases of the data set; the drawn one is drawn now if it is missing."""
    if course.data is not None:
        return find_cases(course.data)
    folder = home() / "phantom"
    if not folder.exists():
        print(f"Drawing the phantom data set into {folder.name}/ (once).")
    return find_cases(draw_dataset(folder))


def real_cases(course: Course) -> list[Case] | None:
    """The real X-rays at hand, on which notebook 9 scores models: those of the chosen data set, else those that the
    environment variable `LUNGSEG_MONTGOMERY` names, else those in `home()`, where `lungseg fetch` puts them; or `None`.
    """
    named = course.data or os.environ.get("LUNGSEG_MONTGOMERY")
    fetched = home() / "MontgomerySet"
    if not named and not fetched.exists():
        return None
    return find_cases(named or fetched)


def arrays_ready(course: Course, cases: list[Case]) -> Arrays:
    """The cases as arrays at the recipe's size, decoded now if that was not done before."""
    return load_arrays(cases, course.recipe.image_size, home() / "cache")


def split_ready(course: Course, cases: list[Case]) -> dict[str, list[str]]:
    """The split of notebook 3, made now if it is missing."""
    path = course.run / "split.json"
    if not path.exists():
        print("There is no split yet: making it as notebook 3 does.")
        save_split(split_cases(cases), path)
    return load_split(path, cases)


def model_ready(course: Course, cases: list[Case]) -> Path:
    """The trained model of notebook 8, trained now if it is missing or not finished.

    A DatasetError tells that the run folder holds a model of another split, recipe or data set, or has lost a file.
    """
    from lungseg_utils.training import is_finished, read_log, train  # TensorFlow only where it is needed

    if not is_finished(course.recipe, read_log(course.run / "log.csv")):
        print("There is no trained model yet: training it as notebook 8 does.")
    # A finished run trains nothing more, but refuses a split that is not the one it was trained with.
    train(course.recipe, arrays_ready(course, cases), split_ready(course, cases), course.run)
    return course.run / "best.keras"
