# %% with keras.ops
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = keras.ops.cast(y_true, "float32")
    overlap = keras.ops.sum(y_true * y_pred, axis=(1, 2))
    extra = keras.ops.sum(y_pred, axis=(1, 2)) - overlap
    missed = keras.ops.sum(y_true, axis=(1, 2)) - overlap
    return 1 - keras.ops.mean((overlap + 1) / (overlap + alpha * extra + beta * missed + 1), axis=1)


# %% with loops over images and lungs
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, tf.float32)
    results = []
    for true, said in zip(tf.unstack(y_true), tf.unstack(y_pred)):
        losses = []
        for lung in range(true.shape[-1]):
            t, p = true[..., lung], said[..., lung]
            tp, fp, fn = tf.reduce_sum(t * p), tf.reduce_sum((1 - t) * p), tf.reduce_sum(t * (1 - p))
            losses.append(1 - (tp + 1) / (tp + alpha * fp + beta * fn + 1))
        results.append(sum(losses) / len(losses))
    return tf.stack(results)


# %% in float64, with einsum
def tversky_loss(y_true, y_pred, alpha, beta):
    t, p = tf.cast(y_true, tf.float64), tf.cast(y_pred, tf.float64)
    sums = [tf.einsum("bhwc,bhwc->bc", a, b) for a, b in ((t, p), (1 - t, p), (t, 1 - p))]
    losses = (alpha * sums[1] + beta * sums[2]) / (sums[0] + alpha * sums[1] + beta * sums[2] + 1)
    return tf.cast(tf.reduce_mean(losses, axis=-1), tf.float32)


# %% with a choice of pixels by tf.where
def tversky_loss(y_true, y_pred, alpha, beta):
    lung = tf.cast(y_true, tf.bool)
    zero = tf.zeros_like(y_pred)

    def total(values):
        return tf.reduce_sum(tf.reduce_sum(values, axis=1), axis=1)

    overlap = total(tf.where(lung, y_pred, zero))
    wrong = total(tf.where(lung, beta * (1 - y_pred), alpha * y_pred))
    return tf.reduce_mean(1 - (overlap + 1) / (overlap + wrong + 1), axis=1)
