# %% What scatters
def paired_difference(a, b):
    return b.mean() - a.mean(), (a.var() / len(a) + b.var() / len(b)) ** 0.5


# %% What scatters
def paired_difference(a, b):
    return (b - a).mean(), b.std() / len(b) ** 0.5


# %% B is 0.02 better on each image, and your mean is -0.02
def paired_difference(a, b):
    return (a - b).mean(), (a - b).std() / len(a) ** 0.5


# %% half of the differences
def paired_difference(a, b):
    differences = np.abs(b - a)
    return differences.mean(), differences.std() / len(a) ** 0.5


# %% Your standard error is 0.0200
def paired_difference(a, b):
    return (b - a).mean(), (b - a).std()


# %% Your standard error is 0.0002
def paired_difference(a, b):
    return (b - a).mean(), (b - a).std() / len(a)


# %% Your standard error is 0.0040
def paired_difference(a, b):
    return (b - a).mean(), 2 * (b - a).std() / len(a) ** 0.5
