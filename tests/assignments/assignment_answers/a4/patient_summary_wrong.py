# %% fails: 1 | do you cut before or after | cuts, then enlarges
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize((said > 0.5).astype('float32'), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 1 | do you cut before or after | cuts, then enlarges without interpolation
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize((said > 0.5).astype('uint8'), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 1 | do you cut before or after | enlarges without interpolation
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_NEAREST) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 1 | should be | makes the masks small instead
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = said > 0.5
        mask = cv2.resize(mask, said.shape[1::-1], interpolation=cv2.INTER_AREA)
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 1 | should be | soft Dice
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true * predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR)
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.max(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 1 | broadcast | height and width exchanged
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (height, width), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 2 | Which is which | the sides exchanged
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_right", "viewer_left", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 2 | What is both together | both is the mean of the two lungs
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, np.mean(row)])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 2, 4 | Which is which | both lungs merged, three times the same
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true.any(axis=-1), predicted.any(axis=-1))] * 2
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 2 | How are they put together | both lungs counted as two pictures
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true, predicted)])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 1, 2, 3, 4 | the keys of the result | other names
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["left", "right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 3, 4 | The mean of what | over images
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means, names = scores, patients
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 3 | The mean of what | the mean over images, the rest over patients
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": scores[:, place].mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 4 | The worst of what | the worst image
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": scores[:, place].min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 4 | Of what | SD over images
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": scores[:, place].std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 4 | divided by what | ddof 0
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=0), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 4 | the worst patient is | the best patient's name
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmax()]}
    return result


# %% fails: 5 | none predicted | NaN
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / np.float64(total)

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 5 | none predicted | 0 for empty
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 0.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 5 | should be 0 | 1 for every missing lung
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if true.any() else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 2, 3, 4, 5 | should be 0 | something added above and below
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return (2 * (true & predicted).sum() + 1) / (total + 1)

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result


# %% fails: 3 | The mean of what | pooled Dice of each patient
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        true = mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    pooled, owners = {}, np.array(patients)
    for name in set(patients):
        large = np.stack([cv2.resize(each, (width, height)) > 0.5 for each in probabilities[owners == name]])
        true = masks[owners == name] > 0
        pooled[name] = [dice(true[..., 0], large[..., 0]), dice(true[..., 1], large[..., 1]), dice(true.any(axis=-1), large.any(axis=-1))]
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([pooled[name] for name in names])
    result = {}
    for place, key in enumerate(["viewer_left", "viewer_right", "both"]):
        values = means[:, place]
        result[key] = {"mean": values.mean(), "sd": values.std(ddof=1), "worst": values.min(),
                       "worst_patient": names[values.argmin()]}
    return result

# %% fails: 1 | What is cut at 0.5 | both is the sum of the two probabilities
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        large, true = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR), mask > 0
        row = [dice(true[..., lung], large[..., lung] > 0.5) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), large.sum(axis=-1) > 0.5)])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    return {key: {"mean": means[:, k].mean(), "sd": means[:, k].std(ddof=1), "worst": means[:, k].min(),
                  "worst_patient": names[means[:, k].argmin()]}
            for k, key in enumerate(["viewer_left", "viewer_right", "both"])}


# %% fails: 4 | the worst patients are | the worst patient of both is named for each
def patient_summary(probabilities, masks, patients):
    def dice(true, predicted):
        total = true.sum() + predicted.sum()
        return 2 * (true & predicted).sum() / total if total else 1.0

    height, width = masks.shape[1:3]
    scores = []
    for said, mask in zip(probabilities, masks):
        predicted, true = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5, mask > 0
        row = [dice(true[..., lung], predicted[..., lung]) for lung in range(2)]
        scores.append([*row, dice(true.any(axis=-1), predicted.any(axis=-1))])
    scores, owners, names = np.array(scores), np.array(patients), sorted(set(patients))
    means = np.array([scores[owners == name].mean(axis=0) for name in names])
    return {key: {"mean": means[:, k].mean(), "sd": means[:, k].std(ddof=1), "worst": means[:, k].min(),
                  "worst_patient": names[means[:, 2].argmin()]}
            for k, key in enumerate(["viewer_left", "viewer_right", "both"])}
