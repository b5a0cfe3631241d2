# %% fails: 2, 3, 4 | in columns 0 to 2 | not moved back
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        known += 1
        total = total + answer
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 2, 3 | in columns 0 to 2 | moved once more in the same direction
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, new[0], new[1]] = answer[:, old[0], old[1]]
        known[new] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 3 | in column 3 | np.roll, and every shift knows every pixel
def predict_shifted(model, images, shifts):
    total = 0
    for down, right in shifts:
        moved = np.roll(images, (down, right), axis=(1, 2))
        total = total + np.roll(model.predict(moved, verbose=0), (-down, -right), axis=(1, 2))
    mean = (total / len(shifts)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 3 | What does the model see | np.roll brings in the other edge
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.roll(images, (down, right), axis=(1, 2))
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 3 | What does the model see | the edge is repeated, not black
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        moved = images[:, rows][:, :, columns]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 3 | in column 3 | what is not known counts as 0
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / len(shifts)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 3 | no shift knows the last two rows | 0 / 0
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    with np.errstate(invalid="ignore"):
        mean = total / known
    mean = mean.astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 2, 3 | in columns 0 to 2 | rows and columns exchanged
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for right, down in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 4 | When do you cut? | the mean is right, the masks are a vote
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    votes, total, known = 0, 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
        votes = votes + (back > 0.5)
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (votes / np.maximum(known, 1) > 0.5).astype("uint8")


# %% fails: 1, 2, 3, 4, 5 | The mean of what? | the mean of masks
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = (model.predict(moved, verbose=0) > 0.5).astype("float32")
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 3, 4 | The mean of what? | the middle one instead of the mean, where all know the pixel
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    answers = []
    for down, right in shifts:
        new = np.s_[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[:, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[new] = images[old]
        answer = model.predict(moved, verbose=0)
        answers.append(np.full(answer.shape, np.nan))
        answers[-1][old] = answer[new]
    known = np.isfinite(answers).sum(axis=0)
    middle = np.nan_to_num(np.nanmedian(np.where(known == 0, 0, answers), axis=0))
    mean = np.where(known == 3, middle, np.nan_to_num(answers).sum(axis=0) / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 5 | Which mode? | in training mode
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model(moved, training=True).numpy()
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 5 | Which mode? | in training mode, each picture by itself
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = np.concatenate([model(each[None], training=True).numpy() for each in moved])
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")


# %% fails: 1 | dtypes are float64 and bool | other dtypes
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros(answer.shape)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1))
    return mean, mean > 0.5


# %% fails: 1 | 2 masks: | only one mask
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = np.zeros_like(images)
        moved[:, new[0], new[1]] = images[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean.max(axis=-1, keepdims=True) > 0.5).astype("uint8")


# %% fails: 1 | were changed | works on the pictures that it was given
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    kept = images.copy()
    total, known = 0, np.zeros((height, width, 1))
    for down, right in shifts:
        new = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
        moved = images
        moved[...] = 0
        moved[:, new[0], new[1]] = kept[:, old[0], old[1]]
        answer = model.predict(moved, verbose=0)
        back = np.zeros_like(answer)
        back[:, old[0], old[1]] = answer[:, new[0], new[1]]
        known[old] += 1
        total = total + back
    mean = (total / np.maximum(known, 1)).astype("float32")
    return mean, (mean > 0.5).astype("uint8")
