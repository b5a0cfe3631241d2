# %% fails: 2 | Whose right and left does the table speak of? | the patient's left is taken for the viewer's
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["left_lung"], "right_mask": row["right_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 3 | and they came as | the order of the table
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in cases]


# %% fails: 1 | What does the table say belongs to that ID? | files are paired by their order
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    pictures = sorted(row["picture"] for row in rows)
    for row, picture in zip(sorted(rows, key=lambda row: row["id"].strip()), pictures):
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": picture, "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 3, 5 | blanks around an ID | blanks belong to the ID
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"]
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 4 | there was no FileNotFoundError | nobody looks whether the files are there
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
    return [cases[name] for name in sorted(cases)]


# %% fails: 4 | masks/d.png is missing, and there was no | only the picture is looked for
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:2]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 4 | the message is: a file is missing | the file is not named
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError("a file is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 5 | there was no ValueError | the last line of an ID wins
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 1, 4 | From which folder does it start? | paths without the folder
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: Path(path) for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not (folder / path).exists():
                raise FileNotFoundError("one of the files is missing")
    return [cases[name] for name in sorted(cases)]


# %% fails: 4 | there was no FileNotFoundError | what is missing is left out
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        # the patient stands opposite: the patient's right lung is on the viewer's left
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                cases[name]["gone"] = True
    return [cases[name] for name in sorted(cases) if "gone" not in cases[name]]


# %% fails: 1 | Mr D has two X-rays | one X-ray for each patient
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    if len({row["id"].strip() for row in rows}) < len(rows):
        ids = [row["id"].strip() for row in rows]
        raise ValueError(f"twice: {[name for name in ids if ids.count(name) > 1]}")
    cases = {}
    for row in rows:
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        case = {"id": row["id"].strip()} | {key: folder / path for key, path in paths.items()}
        for path in list(case.values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
        cases[row["patient"]] = case
    return sorted(cases.values(), key=lambda case: case["id"])


# %% fails: 1 | stands in the table twice | a patient who comes back is taken for a double
def clinic_cases(folder):
    """The X-rays of a clinic as dictionaries with `id`, `image`, `left_mask`, `right_mask`, sorted by ID."""
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    cases, seen = {}, set()
    for row in rows:
        name = row["id"].strip()
        if row["patient"] in seen or name in cases:
            raise ValueError(f"{name} stands in the table twice")
        seen.add(row["patient"])
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return [cases[name] for name in sorted(cases)]

# %% fails: 3 | also for the order | sorted before the blanks are taken away
def clinic_cases(folder):
    folder = Path(folder)
    with open(folder / "pictures.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
    cases = {}
    for row in rows:
        name = row["id"].strip()
        if name in cases:
            raise ValueError(f"{name} stands in the table twice")
        paths = {"image": row["picture"], "left_mask": row["right_lung"], "right_mask": row["left_lung"]}
        cases[name] = {"id": name} | {key: folder / path for key, path in paths.items()}
        for path in list(cases[name].values())[1:]:
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing")
    return list(cases.values())
