# %% fails: 4 | Which step is not possible | not clipped
def balanced_focal(y_true, y_pred, gamma):
    said = y_pred
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 4 | What is clipped | clipped to 0.001
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-3, 1 - 1e-3)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 4 | Which step is not possible | clipped below the precision of float32
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-15, 1 - 1e-15)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 3 | Which pixels are rare | weights on the wrong class
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * share + (1 - y_true) * (1 - share)
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 3 | Whose share is it | weights of the whole batch
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 3 | A share of which pixels | weights of each lung channel
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 3 | Which pixels are rare | no weights
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = 0.5
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 2 | Which factor has gamma | gamma on q
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * right ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 2 | Which factor has gamma | gamma on 1 - p for both kinds
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - said) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 2 | Which factor has gamma | gamma as a plain factor
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 + gamma * (1 - right)) * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 1 | What is put together | sum over pixels
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_sum(loss, axis=(1, 2, 3))


# %% fails: 1 | of shape () | mean over the batch
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss)


# %% fails: 5 | Which weights | images of one kind weigh nothing
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 5 | Which weights | images of one kind weigh one
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 1.0, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 1, 2, 3, 4, 5 | What is put together | the logarithm of p for both kinds
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * (1 - right) ** gamma * tf.math.log(said)
    return tf.reduce_mean(loss, axis=(1, 2, 3))


# %% fails: 4 | Is each step TensorFlow's | NumPy
def balanced_focal(y_true, y_pred, gamma):
    """Balanced focal loss per image, (batch,)."""
    true, said = np.asarray(y_true), np.clip(np.asarray(y_pred), 1e-7, 1 - 1e-7)
    share = true.mean(axis=(1, 2, 3), keepdims=True)
    weight = np.where((share == 0) | (share == 1), 0.5, true * (1 - share) + (1 - true) * share)
    right = true * said + (1 - true) * (1 - said)
    return (-weight * (1 - right) ** gamma * np.log(right)).mean(axis=(1, 2, 3)).astype("float32")

# %% fails: 4 | not the slope of your loss | no gradient through the factor with gamma
def balanced_focal(y_true, y_pred, gamma):
    said = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
    share = tf.reduce_mean(y_true, axis=(1, 2, 3), keepdims=True)
    weight = y_true * (1 - share) + (1 - y_true) * share
    weight = tf.where((share == 0) | (share == 1), 0.5, weight)
    right = y_true * said + (1 - y_true) * (1 - said)
    loss = -weight * tf.stop_gradient((1 - right) ** gamma) * tf.math.log(right)
    return tf.reduce_mean(loss, axis=(1, 2, 3))
