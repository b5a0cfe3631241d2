"""A whole drawn data set in the layout of the Montgomery set."""

import json
import os
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from lungseg_utils.drawing.picture import draw_visit
from lungseg_utils.drawing.ranges import PHANTOM_VERSION
from lungseg_utils.drawing.workers import start_workers
from lungseg_utils.files import lock, remove_drafts, write_whole

REPEAT_EVERY = 20  # one case in so many is a repeat visit
ORIGINAL_PX = 4096  # pretended height and width of the originals, at 0.0875 mm per px
RECORD = "phantom.json"
FOLDERS = ("CXR_png", "ManualMask/leftMask", "ManualMask/rightMask", "ClinicalReadings")
README = """Drawn chest X-rays
==================
These pictures and masks are drawings made by code: lungseg_utils/phantom.py, version {version}, seed {seed},
{count} X-rays of {size} x {size} px. They show no patient; the readings, ages and sexes are invented too.
Files and names follow the Montgomery County X-ray set: leftMask is the lung on the viewer's left, which is the
patient's right lung. IDs that end in _1 have a finding.
"""


@dataclass(frozen=True)
class _Visit:
    """One case to draw; plain values that travel to another process."""

    id: str
    seed: int
    visit: int
    finding: bool
    earlier: tuple[str, ...]  # IDs of the same patient, latest first


def _plan(count: int, seed: int) -> list[_Visit]:
    """Half of the cases have a finding, in random order; every 20th case is a patient who comes back."""
    rng = np.random.default_rng(seed)
    plans, visits = [], {}
    for number in range(1, count + 1):
        finding = bool(rng.integers(2)) if number % 2 else not plans[-1].finding
        patient = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
        if number % REPEAT_EVERY == 0:
            patient = plans[rng.integers(len(plans))].seed
        earlier = visits.setdefault(patient, [])
        id = f"PHANTOM_{number:04d}_{int(finding)}"
        plans.append(_Visit(id, patient, len(earlier), finding, tuple(reversed(earlier))))
        earlier.append(id)
    return plans


def _draw_case(folder: Path, plan: _Visit, size: int) -> None:
    """Draw one case and write its four files."""
    phantom, patient, reading = draw_visit(plan.seed, plan.visit, size, plan.finding)
    pictures = (phantom.image, phantom.masks[..., 0] * 255, phantom.masks[..., 1] * 255)
    for part, picture in zip(FOLDERS, pictures, strict=False):  # cv2.imwrite fails on some paths of Windows
        (folder / part / f"{plan.id}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    sex, age = "F" if patient.female else "M", patient.age
    if plan.visit:
        age += plan.seed % 2  # half of them come back a year later
        reading += f" (same pt as {', '.join(plan.earlier)})"
    text = f"Patient's Sex: {sex} \nPatient's Age: {age:03d}Y\n{reading}\n"
    (folder / "ClinicalReadings" / f"{plan.id}.txt").write_text(text, encoding="utf-8", newline="\n")


def _draw_cases(folder: Path, plans: list[_Visit], size: int, workers: int) -> None:
    """Draw all cases. Whoever draws writes the files, so no pictures gather in memory."""
    with tqdm(total=len(plans), desc="drawing X-rays", unit="case", leave=False) as bar:
        if workers == 1:
            for plan in plans:
                _draw_case(folder, plan, size)
                bar.update()
            return
        with start_workers(workers) as pool:
            for done in as_completed([pool.submit(_draw_case, folder, plan, size) for plan in plans]):
                done.result()
                bar.update()


def _is_set(folder: Path, record: dict) -> bool:
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8")) == record
    except (OSError, ValueError):
        return False


def draw_dataset(folder: Path, count: int = 240, size: int = 512, seed: int = 2022, workers: int | None = None) -> Path:
    """Draw a whole data set in the layout of the Montgomery set; returns at once when it stands there already.

    The files do not depend on the number of workers. The folder is whole or absent; where two processes draw it at
    once, the second waits for the first.

    Args:
        folder: where the set goes; missing parents are made.
        count: number of X-rays; half of them have a finding, one in twenty is a repeat visit.
        size: height and width, px.
        seed: of the whole set, 0 or more.
        workers: processes that draw; by default as many as there are processors. 1 draws in this process. A script
            that asks for more needs ``if __name__ == "__main__":`` around its own code; notebooks do not.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something other than this set.
        DatasetError: it cannot be written.
    """
    folder = Path(folder).absolute()
    record = {"version": PHANTOM_VERSION, "count": count, "size": size, "seed": seed}
    if _is_set(folder, record):
        return folder
    with lock(folder, f"Drawing X-rays into {folder}"):
        remove_drafts(folder)
        if not _is_set(folder, record):  # else another process has drawn it meanwhile
            if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
                asked = ", ".join(f"{name} {value}" for name, value in record.items())
                raise FileExistsError(
                    f"{folder} is there, but is not the drawn set of {asked}: remove it or name another folder."
                )
            with write_whole(folder) as draft:
                _write_set(draft, record, min(workers or os.cpu_count() or 1, count))
    return folder


def _write_set(folder: Path, record: dict[str, int], workers: int) -> None:
    for part in FOLDERS:
        (folder / part).mkdir(parents=True)
    plans = _plan(record["count"], record["seed"])
    _draw_cases(folder, plans, record["size"], workers)
    sizes = "id,original_width_px,original_height_px\n"
    sizes += "".join(f"{plan.id},{ORIGINAL_PX},{ORIGINAL_PX}\n" for plan in plans)
    (folder / "original_sizes.csv").write_text(sizes, newline="\n")
    (folder / "README.txt").write_text(README.format(**record), newline="\n")
    (folder / RECORD).write_text(json.dumps(record) + "\n", newline="\n")
