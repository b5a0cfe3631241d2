# %% fails: 2 | Which pixels does each weight | alpha and beta exchanged
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + beta * extra + alpha * missed + 1)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 1, 3 | Does each image count the same | pooled over the batch
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(0, 1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(0, 1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(0, 1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 3, 4 | Does each lung count the same | lungs pooled in each image
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2, 3))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2, 3))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2, 3))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return 1 - index


# %% fails: 1 | of shape () | the mean over the batch too
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(1 - index)


# %% fails: 1, 5 | there is no gradient | cut at 0.5
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true, y_pred = tf.cast(y_true, tf.float32), tf.cast(y_pred > 0.5, tf.float32)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 4 | no lung, and none predicted | nothing added: NaN
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap) / (overlap + alpha * extra + beta * missed)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 4 | What is added, and where | a tiny number added
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1e-7) / (overlap + alpha * extra + beta * missed + 1e-7)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 4 | no lung, and none predicted | one added below only
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 5 | cannot compute Mul | whole numbers not cast
def tversky_loss(y_true, y_pred, alpha, beta):
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(1 - index, axis=-1)


# %% fails: 5 | not a tensor | NumPy
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true, y_pred = np.asarray(y_true).astype('float32'), np.asarray(y_pred)
    overlap = np.sum(y_true * y_pred, axis=(1, 2))
    extra = np.sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = np.sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return np.mean(1 - index, axis=-1)


# %% fails: 1, 2, 3, 4, 5 | Which way | the index, not the loss
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    index = (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    return tf.reduce_mean(index, axis=-1)

# %% fails: 4 | The mean over what | empty lungs are left out of the mean
def tversky_loss(y_true, y_pred, alpha, beta):
    y_true = tf.cast(y_true, y_pred.dtype)
    overlap = tf.reduce_sum(y_true * y_pred, axis=(1, 2))
    extra = tf.reduce_sum((1 - y_true) * y_pred, axis=(1, 2))
    missed = tf.reduce_sum(y_true * (1 - y_pred), axis=(1, 2))
    losses = 1 - (overlap + 1) / (overlap + alpha * extra + beta * missed + 1)
    there = tf.cast(tf.reduce_sum(y_true, axis=(1, 2)) > 0, losses.dtype)
    there = tf.where(tf.reduce_sum(there, axis=-1, keepdims=True) > 0, there, 1.0)
    return tf.reduce_sum(losses * there, axis=-1) / tf.reduce_sum(there, axis=-1)
