# %% pooled_dice pools, and your answer is False
def is_pooled(metric):
    y_true = as_batch(np.eye(8), np.eye(8))
    y_pred = as_batch(np.eye(8), np.zeros((8, 8)) + 0.1)[[1, 1]]
    alone = [np.mean(metric(y_true[[place]], y_pred[[place]])) for place in range(2)]
    return not np.isclose(np.mean(metric(y_true, y_pred)), np.mean(alone), atol=1e-4)


# %% pooled_dice pools, and your answer is False
def is_pooled(metric):
    large, small = np.ones((8, 8)), np.eye(8)
    batch = as_batch(large, small)
    alone = [np.mean(metric(batch[[place]], batch[[place]])) for place in range(2)]
    return not np.isclose(np.mean(metric(batch, batch)), np.mean(alone), atol=1e-4)


# %% batch_dice is no pooled one
def is_pooled(metric):
    batch = as_batch(np.eye(8), np.ones((8, 8)))
    return np.ndim(metric(batch, batch)) == 0


# %% soft_dice is no pooled one
def is_pooled(metric):
    random = np.random.default_rng(0)
    y_true = random.integers(0, 2, (7, 16, 16, 1)).astype("float32")
    y_pred = random.random((7, 16, 16, 1), "float32") ** np.arange(1, 8)[:, None, None, None].astype("float32")
    alone = [float(np.mean(metric(y_true[[place]], y_pred[[place]]))) for place in range(7)]
    return bool(np.mean(metric(y_true, y_pred)) != np.mean(alone))


# %% neither True nor False
def is_pooled(metric):
    y_true, y_pred = as_batch(np.ones((8, 8)), np.eye(8)), as_batch(np.ones((8, 8)), 1 - np.eye(8))
    alone = [np.mean(metric(y_true[[place]], y_pred[[place]])) for place in range(2)]
    return np.mean(metric(y_true, y_pred)) - np.mean(alone)
