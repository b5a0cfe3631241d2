# %% split by hand, sorted at the end
def clinic_cases(folder):
    lines = (Path(folder) / "pictures.csv").read_text().strip().splitlines()
    names = lines[0].split(",")
    cases, seen = [], set()
    for line in lines[1:]:
        row = dict(zip(names, line.split(",")))
        key = row["id"].strip()
        if key in seen:
            raise ValueError(f"twice in the table: {key}")
        seen.add(key)
        case = {"id": key}
        for mine, theirs in (("image", "picture"), ("left_mask", "right_lung"), ("right_mask", "left_lung")):
            path = Path(folder) / row[theirs]
            if not path.is_file():
                raise FileNotFoundError(str(path))
            case[mine] = path
        cases.append(case)
    cases.sort(key=lambda case: case["id"])
    return cases


# %% paths as text, duplicates counted first
def clinic_cases(folder):
    import os
    from collections import Counter

    with open(os.path.join(folder, "pictures.csv")) as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)][1:]
    for name, count in Counter(row[0] for row in rows).items():
        if count > 1:
            raise ValueError(name)
    for row in rows:
        for name in row[2:]:
            if not os.path.exists(os.path.join(folder, name)):
                raise FileNotFoundError(f"no file {name}")
    keys = ["id", "image", "left_mask", "right_mask"]
    return [dict(zip(keys, [row[0], *(os.path.join(folder, name) for name in row[2:])])) for row in sorted(rows)]


# %% with NumPy's sorting, and an error from opening the file itself
def clinic_cases(folder):
    folder = Path(folder)
    table = list(csv.DictReader((folder / "pictures.csv").open()))
    ids = np.array([row["id"].strip() for row in table])
    unique, first, counts = np.unique(ids, return_index=True, return_counts=True)
    if counts.max() > 1:
        raise ValueError("more than once: " + ", ".join(unique[counts > 1]))
    cases = []
    for name, place in zip(unique, first):
        row = table[place]
        for column in ("picture", "left_lung", "right_lung"):
            open(folder / row[column], "rb").close()
        cases.append(
            dict(
                id=str(name),
                image=folder / row["picture"],
                left_mask=folder / row["right_lung"],
                right_mask=folder / row["left_lung"],
            )
        )
    return cases


# %% recursion over the columns, a generator of cases
def clinic_cases(folder):
    sides = {"picture": "image", "right_lung": "left_mask", "left_lung": "right_mask"}

    def case(row):
        found = {"id": row.pop("id").strip()}
        del row["patient"]
        for column, name in row.items():
            found[sides[column]] = Path(folder).joinpath(name)
            if not found[sides[column]].exists():
                raise FileNotFoundError(f"{found['id']}: {found[sides[column]]}")
        return found

    cases = sorted(map(case, csv.DictReader(open(Path(folder) / "pictures.csv"))), key=lambda case: case["id"])
    for one, other in zip(cases, cases[1:]):
        if one["id"] == other["id"]:
            raise ValueError(f"{one['id']} twice")
    return cases
