# %% global generators give other numbers
def shuffled(items, seed):
    import random

    random.seed(seed)
    return random.sample(items, len(items))


# %% global generators give other numbers
def shuffled(items, seed):
    keras.utils.set_random_seed(seed)
    return [items[place] for place in np.random.permutation(len(items))]  # noqa: NPY002


# %% global generators give other numbers
def shuffled(items, seed):
    tf.random.set_seed(seed)
    return [items[place] for place in tf.random.shuffle(range(len(items))).numpy()]


# %% Leave it as it is
def shuffled(items, seed):
    np.random.default_rng(seed).shuffle(items)
    return items


# %% same items: None
def shuffled(items, seed):
    return np.random.default_rng(seed).shuffle(list(items))


# %% same items: [
def shuffled(items, seed):
    return np.random.default_rng(seed).choice(items, len(items)).tolist()


# %% Which must be equal
def shuffled(items, seed):
    return np.random.default_rng().permutation(items).tolist()


# %% Which must be equal
def shuffled(items, seed):
    return np.random.default_rng(42).permutation(items).tolist()
