# %% Python's own random numbers
def split_with_minimum(patients, findings, minimum, seed):
    import random

    ill = sorted({p for p, f in zip(patients, findings) if f})
    healthy = sorted(set(patients) - set(ill))
    if min(len(ill), len(healthy)) < 3 * minimum:
        raise ValueError("too few patients")
    generator = random.Random(seed)
    part_of = {}
    for group in (ill, healthy):
        generator.shuffle(group)
        count = max(minimum, round(0.2 * len(group)))
        part_of.update({p: "val" for p in group[:count]})
        part_of.update({p: "test" for p in group[count : 2 * count]})
        part_of.update({p: "train" for p in group[2 * count :]})
    split = {"train": [], "val": [], "test": []}
    for place, patient in enumerate(patients):
        split[part_of[patient]].append(place)
    return split


# %% scikit-learn splits the patients
def split_with_minimum(patients, findings, minimum, seed):
    from sklearn.model_selection import train_test_split

    names = sorted(set(patients))
    ill = {name: any(f for p, f in zip(patients, findings) if p == name) for name in names}
    parts = {"train": set(), "val": set(), "test": set()}
    for kind in (True, False):
        group = [name for name in names if ill[name] == kind]
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients are too few")
        count = max(minimum, round(len(group) / 5), 1)
        rest, test = train_test_split(group, test_size=count, random_state=seed)
        train, val = train_test_split(rest, test_size=count, random_state=seed)
        for part, chosen in (("train", train), ("val", val), ("test", test)):
            parts[part] |= set(chosen)
    return {part: sorted(i for i, p in enumerate(patients) if p in chosen) for part, chosen in parts.items()}


# %% patients sorted by a hash of name and seed
def split_with_minimum(patients, findings, minimum, seed):
    import hashlib

    order = lambda name: hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
    ill = {p for p, f in zip(patients, findings) if f}
    where = {}
    for group in (ill, set(patients) - ill):
        if len(group) < 3 * minimum:
            raise ValueError("impossible")
        queue = sorted(group, key=order)
        many = max(minimum, int(len(queue) / 5 + 0.5))
        for i, name in enumerate(queue):
            where[name] = ("val", "test")[i // many] if i < 2 * many else "train"
    places = np.array([where[p] for p in patients])
    return {part: np.flatnonzero(places == part).tolist() for part in ("train", "val", "test")}


# %% drawn one at a time, NumPy arrays as results
def split_with_minimum(patients, findings, minimum, seed):
    names, back = np.unique(np.asarray(patients), return_inverse=True)
    ill = np.bincount(back, weights=np.asarray(findings, float)) > 0
    generator = np.random.Generator(np.random.PCG64(seed))
    part = np.full(len(names), 0)
    for kind in (ill, ~ill):
        left = list(np.flatnonzero(kind))
        if len(left) < 3 * minimum:
            raise ValueError("too few of one kind")
        many = max(minimum, round(len(left) / 5))
        for number in (1, 2):
            for _ in range(many):
                part[left.pop(generator.integers(len(left)))] = number
    return {name: np.flatnonzero(part[back] == number) for number, name in enumerate(("train", "val", "test"))}
