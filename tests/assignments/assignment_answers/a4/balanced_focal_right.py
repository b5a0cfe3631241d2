# %% with keras.ops, and tf.where in place of products
def balanced_focal(y_true, y_pred, gamma):
    p = keras.ops.clip(y_pred, 1e-7, 1 - 1e-7)
    s = keras.ops.mean(y_true, axis=(1, 2, 3), keepdims=True)
    one_kind = keras.ops.logical_or(s <= 0, s >= 1)
    w = keras.ops.where(y_true > 0.5, 1 - s, s)
    w = keras.ops.where(one_kind, 0.5 * keras.ops.ones_like(w), w)
    q = keras.ops.where(y_true > 0.5, p, 1 - p)
    return keras.ops.mean(-w * keras.ops.power(1 - q, gamma) * keras.ops.log(q), axis=(1, 2, 3))


# %% with a loop over images
def balanced_focal(y_true, y_pred, gamma):
    losses = []
    for true, said in zip(tf.unstack(y_true), tf.unstack(y_pred)):
        said = tf.clip_by_value(said, 1e-7, 1 - 1e-7)
        lung = tf.reduce_sum(true)
        pixels = float(tf.size(true))
        share = float(lung) / pixels
        for_lung, for_rest = (0.5, 0.5) if share in (0, 1) else (1 - share, share)
        of_lung = -true * (1 - said) ** gamma * tf.math.log(said)
        of_rest = -(1 - true) * said ** gamma * tf.math.log(1 - said)
        losses.append(tf.reduce_sum(for_lung * of_lung + for_rest * of_rest) / pixels)
    return tf.stack(losses)


# %% in float64
def balanced_focal(y_true, y_pred, gamma):
    t = tf.cast(y_true, tf.float64)
    p = tf.clip_by_value(tf.cast(y_pred, tf.float64), 1e-7, 1 - 1e-7)
    s = tf.reduce_mean(t, axis=(1, 2, 3))[:, None, None, None]
    s_lung = tf.where(s * (1 - s) == 0, tf.constant(0.5, tf.float64), 1 - s)
    s_rest = tf.where(s * (1 - s) == 0, tf.constant(0.5, tf.float64), s)
    entropy = -t * s_lung * (1 - p) ** gamma * tf.math.log(p) - (1 - t) * s_rest * p ** gamma * tf.math.log(1 - p)
    return tf.cast(tf.reduce_mean(entropy, axis=(1, 2, 3)), tf.float32)


# %% with Keras' cross-entropy of each pixel, flattened
def balanced_focal(y_true, y_pred, gamma):
    count = tf.shape(y_true)[0]
    t, p = tf.reshape(y_true, (count, -1)), tf.clip_by_value(tf.reshape(y_pred, (count, -1)), 1e-7, 1 - 1e-7)
    lung = tf.reduce_sum(t, axis=1, keepdims=True)
    rest = tf.reduce_sum(1 - t, axis=1, keepdims=True)
    mixed = (lung > 0) & (rest > 0)
    w = tf.where(mixed, tf.where(t == 1, rest, lung) / (lung + rest), tf.fill(tf.shape(t), 0.5))
    entropy = keras.ops.binary_crossentropy(t, p)
    return tf.reduce_mean(w * tf.abs(t - p) ** gamma * entropy, axis=1)
