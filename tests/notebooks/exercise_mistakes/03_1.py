# %% first[1] and second[0] are 1 apart
def doubles(first, second, limit):
    pairs = [(i, j) for i in range(len(first)) for j in range(len(second))]
    return [(i, j) for i, j in pairs if np.abs(first[i] - second[j]).mean() <= limit]


# %% first[1] and second[0] are 1 apart
def doubles(first, second, limit):
    pairs = [(i, j) for i in range(len(first)) for j in range(len(second))]
    return [(i, j) for i, j in pairs if (first[i] == second[j]).all()]


# %% first[1] and second[0] are 1 apart
def doubles(first, second, limit):
    apart = np.abs(first[:, None].astype(int) - second[None]).mean(axis=(2, 3))
    return list(zip(*np.nonzero(apart < limit)))


# %% are no doubles
def doubles(first, second, limit):
    apart = np.abs((first[:, None].astype(int) - second[None]).mean(axis=(2, 3)))
    return list(zip(*np.nonzero(apart <= limit)))


# %% differ in one of 256 pixels
def doubles(first, second, limit):
    apart = np.abs(first[:, None].astype(int) - second[None]).max(axis=(2, 3))
    return list(zip(*np.nonzero(apart <= limit)))


# %% Compare each with each
def doubles(first, second, limit):
    pairs = enumerate(zip(first.astype(int), second.astype(int)))
    return [(i, i) for i, (a, b) in pairs if np.abs(a - b).mean() <= limit]


# %% Compare each with each
def doubles(first, second, limit):
    apart = np.abs(second[:, None].astype(int) - first[None]).mean(axis=(2, 3))
    return list(zip(*np.nonzero(apart <= limit)))
