# %% TensorFlow's own functions
def deep_supervision_loss(y_true, outputs):
    y_true = tf.convert_to_tensor(y_true)
    weights = [1 / 2**k for k in range(len(outputs))]
    losses = []
    for k, said in enumerate(outputs):
        share = tf.nn.avg_pool2d(y_true, 2**k, 2**k, "VALID") if k else y_true
        true = tf.cast(share > 0.5, tf.float32)
        top = 2 * tf.reduce_sum(true * said, [1, 2]) + 1
        bottom = tf.reduce_sum(true + said, [1, 2]) + 1
        losses.append(1 - tf.reduce_mean(top / bottom, -1))
    return sum(w * loss for w, loss in zip(weights, losses)) / sum(weights)


# %% masks reduced step by step from counts, float64
def deep_supervision_loss(y_true, outputs):
    true = np.asarray(y_true, "float64")
    result, total = 0.0, 0.0
    for level, said in enumerate(outputs):
        n, side = len(true), 2**level
        h, w, c = true.shape[1] // side, true.shape[2] // side, true.shape[3]
        counts = true.reshape(n, h, side, w, side, c).sum(axis=(2, 4))
        mask = tf.constant(counts > side * side / 2, dtype=tf.bool)
        mask, said = tf.cast(mask, tf.float64), tf.cast(said, tf.float64)
        dice = (2 * tf.einsum("nhwc,nhwc->nc", mask, said) + 1) / (tf.einsum("nhwc->nc", mask + said) + 1)
        result = result + (1 - tf.reduce_mean(dice, axis=1)) / side
        total += 1 / side
    return result / total


# %% average pooling layers, a stack and a weighted sum
def deep_supervision_loss(y_true, outputs):
    y_true = ops.convert_to_tensor(y_true)
    weights = np.array([0.5**i for i in range(len(outputs))], "float32")
    weights /= weights.sum()

    def loss(i):
        mask = y_true if i == 0 else layers.AveragePooling2D(2**i)(y_true)
        mask = ops.cast(ops.greater(mask, 0.5), "float32")
        said = ops.convert_to_tensor(outputs[i])
        flat = lambda z: ops.reshape(z, (z.shape[0], -1, z.shape[-1]))
        mask, said = flat(mask), flat(said)
        dice = (2 * ops.sum(mask * said, 1) + 1) / (ops.sum(mask, 1) + ops.sum(said, 1) + 1)
        return ops.mean(1 - dice, -1)

    return ops.tensordot(ops.stack([loss(i) for i in range(len(outputs))], -1), ops.convert_to_tensor(weights), 1)


# %% a loop over images and lungs
def deep_supervision_loss(y_true, outputs):
    import cv2

    y_true = np.asarray(y_true)
    images = []
    for i in range(y_true.shape[0]):
        total = 0.0
        for level, said in enumerate(outputs):
            dices = []
            for lung in range(y_true.shape[-1]):
                size = (y_true.shape[2] // 2**level, y_true.shape[1] // 2**level)
                mask = cv2.resize(y_true[i, ..., lung].astype("float64"), size, interpolation=cv2.INTER_AREA) > 0.5 + 1e-9
                mask = tf.constant(mask.astype("float32"))
                guess = said[i, ..., lung]
                dices.append((2 * tf.reduce_sum(mask * guess) + 1) / (tf.reduce_sum(mask) + tf.reduce_sum(guess) + 1))
            total = total + 0.5**level * (1 - tf.add_n(dices) / len(dices))
        images.append(total / (2 - 0.5 ** (len(outputs) - 1)))
    return tf.stack(images)
