# %% 24 X-rays of three patients
def flip_test(gains, patients, flips=4000, seed=0):
    signs = np.random.default_rng(seed).choice([-1, 1], size=(flips, len(gains)))
    means = (signs * gains).mean(axis=1)
    return float(np.mean(np.abs(means) >= abs(np.mean(gains)) - 1e-12))


# %% in either direction
def flip_test(gains, patients, flips=4000, seed=0):
    names, numbers = np.unique(patients, return_inverse=True)
    signs = np.random.default_rng(seed).choice([-1, 1], size=(flips, len(names)))
    means = (signs[:, numbers] * gains).mean(axis=1)
    return float(np.mean(means >= np.mean(gains) - 1e-12))


# %% even all signs +
def flip_test(gains, patients, flips=4000, seed=0):
    names, numbers = np.unique(patients, return_inverse=True)
    signs = np.random.default_rng(seed).choice([-1, 1], size=(flips, len(names)))
    means = (signs[:, numbers] * gains).mean(axis=1)
    return float(np.mean(np.abs(means) > abs(np.mean(gains))))


# %% Mean of what
def flip_test(gains, patients, flips=4000, seed=0):
    names, numbers = np.unique(patients, return_inverse=True)
    per_patient = np.bincount(numbers, gains) / np.bincount(numbers)
    signs = np.random.default_rng(seed).choice([-1, 1], size=(flips, len(names)))
    means = (signs * per_patient).mean(axis=1)
    return float(np.mean(np.abs(means) >= abs(np.mean(per_patient)) - 1e-12))


# %% four patients with one X-ray each
def flip_test(gains, patients, flips=4000, seed=0):
    random = np.random.default_rng(seed)
    means = np.array([random.permutation(gains).mean() for _ in range(flips)])
    return float(np.mean(np.abs(means) >= abs(np.mean(gains)) - 1e-12))


# %% even all signs +
def flip_test(gains, patients, flips=4000, seed=0):
    names, numbers = np.unique(patients, return_inverse=True)
    signs = np.random.default_rng(seed).choice([0, 1], size=(flips, len(names)))
    means = (signs[:, numbers] * gains).mean(axis=1)
    return float(np.mean(np.abs(means) > abs(np.mean(gains))))
