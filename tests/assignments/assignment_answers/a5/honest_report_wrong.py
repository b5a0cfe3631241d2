# %% fails: 1 | and there is no ValueError | no check
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 1 | the message is: | names only the first
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared[0]}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 1 | the message is: | names nobody
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"the split leaks")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 1 | P-1, P-2 and P-333 | compares parts of names
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in " ".join(train_patients)]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 1 | the message is: | names everybody in training
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {sorted(train_patients)}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 2 | What is enlarged? | cut first
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize((each > 0.5).astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 2 | What is enlarged? | nearest neighbour
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_NEAREST)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 2 | broadcast | height and width exchanged
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (height, width), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 2 | to which height and width | scored at the size of the network
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        true = cv2.resize(true.astype("uint8"), each.shape[::-1], interpolation=cv2.INTER_AREA)
        large = each
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 2, 4 | What is enlarged | soft Dice
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(2 * (large * true).sum() / (large.sum() + true.sum()))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 3 | ASSD 3.000 mm | distances in pixels
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, (1, 1))))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 3 | ASSD 1.500 mm | rows and columns of the spacing exchanged
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing[::-1])))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 3 | mean 6.000 mm | the first file's spacing for all
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacings[0])))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 3 | mean 6.000 mm | one spacing for both directions
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, (max(spacing), max(spacing)))))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 4 | mean 0.875. Over what? | over X-rays, not patients
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = values[known]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 4 | SD 0.250. Divided by what? | divides by the number of patients
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 4 | SD 0.250. Divided by what? | the SD is that of the X-rays
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(values[known], ddof=1),
                "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 4 | and patients is 4 | counts X-rays
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(patients), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 5 | its distance is the diagonal | a missing distance is left out
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)
            distances[-1] = np.nan

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 5 | its distance is the diagonal | a missing distance counts as 0
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    distances = [0 if name in empty else value for name, value in zip(ids, distances)]

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 5 | the lowest Dice is that of V | X-rays without a prediction are skipped
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)
            dices[-1] = np.nan

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.nanargmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 5 | its distance is the diagonal | the smallest distance is called the worst
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmin(distances))}


# %% fails: 5 | no_outline is [] | nobody hears of empty predictions
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            pass

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1), "worst": values[place], "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}


# %% fails: 5 | the largest distance of one X-ray | the worst patient, not the worst X-ray
def honest_report(probabilities, masks, ids, patients, spacings, train_patients):
    shared = [one for one in sorted(set(patients)) if one in train_patients]
    if shared:
        raise ValueError(f"in training and test: {shared}")
    dices, distances, empty = [], [], []
    for each, true, spacing, name in zip(probabilities, masks, spacings, ids):
        height, width = true.shape
        large = cv2.resize(each.astype("float32"), (width, height), interpolation=cv2.INTER_LINEAR)
        predicted = large > 0.5
        dices.append(dice(true, predicted))
        distances.append(assd(outline_distances(true, predicted, spacing)))
        if not predicted.any():
            empty.append(name)

    def summary(values, place):
        values, names = np.array(values), np.array(patients)
        known = np.isfinite(values)
        means = [values[known & (names == one)].mean() for one in set(names[known])]
        return {"mean": np.mean(means), "sd": np.std(means, ddof=1),
                "worst": values[known & (names == names[place])].mean(), "worst_id": ids[place]}

    return {"patients": len(set(patients)), "no_outline": empty, "dice": summary(dices, np.argmin(dices)),
            "assd_mm": summary(distances, np.nanargmax(distances))}
