# %% fails: 1, 2, 3, 4 | What do you deal out? | X-rays are dealt, not patients
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    if min(len({n for n, f in zip(patients, findings) if f}), len(set(patients) - {n for n, f in zip(patients, findings) if f})) < 3 * minimum:
        raise ValueError("too few")
    order = np.random.default_rng(seed).permutation(len(patients))
    fifth = len(patients) // 5
    cut = {"val": order[:fifth], "test": order[fifth : 2 * fifth], "train": order[2 * fifth :]}
    return {part: sorted(int(i) for i in places) for part, places in cut.items()}
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 4 | Where does your order come from? | the order of the rows
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (dict.fromkeys(n for n in patients if n in ill), dict.fromkeys(n for n in patients if n not in ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(list(group))):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 4 | different test parts | the seed is not used
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(0)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 4 | global random state | NumPy's global state is set
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    np.random.seed(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(np.random.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 2 | Who is ill? | the minimum is not looked at
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = round(len(group) / 5)
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 2 | Who is ill? | ill and healthy patients are not told apart
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
    group = sorted(set(patients))
    fifth = round(len(group) / 5)
    for number, name in enumerate(rng.permutation(group)):
        place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 5 | there was no ValueError | what is impossible is not said
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 3 | What do you count? | a fifth of the X-rays
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        count = {name: list(patients).count(name) for name in group}
        share, order = sum(count.values()) / 5, sorted((str(n) for n in rng.permutation(group)), key=lambda n: -count[n])
        for part in ("val", "test"):
            taken = 0
            while order and (taken < share or sum(p == part for n, p in place.items() if n in count) < minimum):
                name = order.pop(0)
                place[name], taken = part, taken + count[name]
        place.update((name, "train") for name in order)
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 3 | belong to | a tenth for val and test
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 10))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 1 | the parts hold | X-rays of the ill without a finding are lost
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part and (findings[i] or name not in ill)] for part in ("train", "val", "test")}


# %% fails: 4 | Where does your order come from? | the order of a set
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (list(ill), list(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 2, 4, 5 | too few | the last X-ray of a patient says who is ill
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    last = dict(zip(patients, findings))
    rng = np.random.default_rng(seed)
    place = {}
    for kind in (True, False):
        group = sorted(name for name in last if last[name] == kind)
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 2, 5 | too few | ill only if every X-ray of a patient shows it
def split_with_minimum(patients, findings, minimum, seed):
    """Positions of X-rays in `train`, `val` and `test`, by patient, with enough ill and healthy ones in each."""
    last = {name: all(f for n, f in zip(patients, findings) if n == name) for name in patients}
    rng = np.random.default_rng(seed)
    place = {}
    for kind in (True, False):
        group = sorted(name for name in last if last[name] == kind)
        if len(group) < 3 * minimum:
            raise ValueError(f"{len(group)} patients of a kind are too few for {minimum} in each of three parts")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(rng.permutation(group)):
            place[str(name)] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}

# %% fails: 4 | in another session | the order of Python's hash, which differs from session to session
def split_with_minimum(patients, findings, minimum, seed):
    ill = {name for name, finding in zip(patients, findings) if finding}
    place = {}
    for group in (ill, set(patients) - ill):
        if len(group) < 3 * minimum:
            raise ValueError("too few patients of a kind")
        fifth = max(minimum, round(len(group) / 5))
        for number, name in enumerate(sorted(group, key=lambda name: hash((name, seed)))):
            place[name] = "val" if number < fifth else "test" if number < 2 * fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}


# %% fails: 4 | different val parts | val is the same for every seed
def split_with_minimum(patients, findings, minimum, seed):
    ill = {name for name, finding in zip(patients, findings) if finding}
    rng = np.random.default_rng(seed)
    place = {}
    for group in (sorted(ill), sorted(set(patients) - ill)):
        if len(group) < 3 * minimum:
            raise ValueError("too few patients of a kind")
        fifth = max(minimum, round(len(group) / 5))
        fixed = np.random.default_rng(0).permutation(group).tolist()
        place |= dict.fromkeys(fixed[:fifth], "val")
        for number, name in enumerate(rng.permutation(fixed[fifth:]).tolist()):
            place[name] = "test" if number < fifth else "train"
    return {part: [i for i, name in enumerate(patients) if place[name] == part] for part in ("train", "val", "test")}
