# %% TensorFlow enlarges, pandas-like grouping by hand
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    both = set(patients).intersection(train_patients)
    if both:
        raise ValueError("shared: " + ", ".join(both))
    rows = []
    for each, true, spacing in zip(probabilities, masks, spacings):
        large = tf.image.resize(np.float32(each)[..., None], true.shape, "bilinear").numpy()[..., 0]
        distances = outline_distances(true, large > 0.5, spacing)
        rows.append((dice(true, large > 0.5), distances.mean(), (large > 0.5).any()))
    report = {"patients": len(set(patients)), "no_outline": [name for name, row in zip(ids, rows) if not row[2]]}
    for number, measure in enumerate(("dice", "assd_mm")):
        there = [(row[number], name, who) for row, name, who in zip(rows, ids, patients)]
        means = [np.mean([v for v, _, other in there if other == who]) for who in {who for _, _, who in there}]
        worst = (min if measure == "dice" else max)(there)
        mean = sum(means) / len(means)
        sd = (sum((m - mean) ** 2 for m in means) / (len(means) - 1)) ** 0.5
        report[measure] = {"mean": float(mean), "sd": float(sd), "worst": float(worst[0]), "worst_id": worst[1]}
    return report


# %% distances by distance maps, Dice by hand
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    from scipy.ndimage import binary_erosion, distance_transform_edt

    for_all = [who for who in dict.fromkeys(patients) if who in list(train_patients)]
    if for_all:
        raise ValueError(for_all)
    dices, distances, empty = np.zeros(len(ids)), np.zeros(len(ids)), []
    for k in range(len(ids)):
        true = np.asarray(masks[k]) > 0
        guess = cv2.resize(np.asarray(probabilities[k], "float64"), dsize=true.shape[::-1]) > 0.5
        dices[k] = 2 * np.count_nonzero(true & guess) / (np.count_nonzero(true) + np.count_nonzero(guess))
        if guess.any():
            lines = [mask & ~binary_erosion(mask) for mask in (true, guess)]
            maps = [distance_transform_edt(~line, sampling=spacings[k]) for line in lines]
            distances[k] = np.concatenate([maps[1][lines[0]], maps[0][lines[1]]]).mean()
        else:
            empty += [ids[k]]
            distances[k] = sum((n * mm) ** 2 for n, mm in zip(true.shape, spacings[k])) ** 0.5
    report = {"patients": np.unique(patients).size, "no_outline": empty}
    for name, values, best in (("dice", dices, np.argmin), ("assd_mm", distances, np.argmax)):
        groups = [values[np.array(patients) == who] for who in np.unique(patients)]
        means = np.array([group.mean() for group in groups])
        report[name] = {"mean": means.mean(), "sd": means.std(ddof=1), "worst": values[best(values)],
                        "worst_id": ids[best(values)]}
    return report


# %% statistics of the standard library, sorted lists, NumPy array of empty IDs
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    import statistics

    leaks = {*patients} & {*train_patients}
    if leaks:
        raise ValueError(f"{len(leaks)} patients leak: {' and '.join(leaks)}")
    guesses = [cv2.resize(np.float32(p), m.shape[::-1]) > 0.5 for p, m in zip(probabilities, masks)]
    empty = np.array([name for name, guess in zip(ids, guesses) if guess.sum() == 0])
    scores = {"dice": [], "assd_mm": []}
    for name, who, true, guess, spacing in zip(ids, patients, masks, guesses, spacings):
        scores["dice"].append((dice(true, guess), name, who))
        scores["assd_mm"].append((assd(outline_distances(true, guess, spacing)), name, who))
    report = {"patients": len({*patients}), "no_outline": empty}
    for measure, rows in scores.items():
        rows.sort(reverse=measure == "assd_mm")
        means = [statistics.fmean(v for v, _, w in rows if w == who) for who in {w for *_, w in rows}]
        report[measure] = dict(mean=statistics.fmean(means), sd=statistics.stdev(means), worst=rows[0][0],
                               worst_id=rows[0][1])
    return report


# %% two matrix products enlarge, and the outlines are scaled by hand
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    from scipy.spatial.distance import cdist

    from lungseg_utils.scores import outline

    wrong = [who for who in set(train_patients) if who in set(patients)]
    if len(wrong) > 0:
        raise ValueError(f"leak: {wrong}")

    def weights(new, old):
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        return np.maximum(1 - np.abs(place[:, None] - np.arange(old)), 0)

    table = []
    for each, true, spacing in zip(probabilities, masks, spacings):
        each, true = np.asarray(each, "float64"), np.asarray(true) > 0
        guess = weights(true.shape[0], each.shape[0]) @ each @ weights(true.shape[1], each.shape[1]).T > 0.5
        a, b = outline(true) * np.array(spacing), outline(guess) * np.array(spacing)
        far = np.hypot(true.shape[0] * spacing[0], true.shape[1] * spacing[1])
        if len(b):
            pairs = cdist(a, b)
            far = (pairs.min(axis=0).sum() + pairs.min(axis=1).sum()) / (len(a) + len(b))
        table.append([2 * (true & guess).sum() / (true.sum() + guess.sum()), far, len(b)])
    table = np.array(table)
    report = {"patients": len(np.unique(patients)), "no_outline": [ids[k] for k in np.where(table[:, 2] == 0)[0]]}
    for column, (measure, sign) in enumerate((("dice", 1), ("assd_mm", -1))):
        values, per_patient = table[:, column], {}
        for who, value in zip(patients, values):
            per_patient[who] = [*per_patient.get(who, []), value]
        means = [sum(v) / len(v) for v in per_patient.values()]
        worst = int(np.argmin(sign * values))
        report[measure] = {"mean": np.float64(np.mean(means)), "sd": np.var(means, ddof=1) ** 0.5,
                           "worst": values[worst], "worst_id": ids[worst]}
    return report
