# %% outlines compared by OpenCV's dilation, two ellipses as lungs
def keeps_together(transform):
    import cv2

    masks = np.zeros((64, 64, 2), "float32")
    cv2.ellipse(masks_0 := np.zeros((64, 64), "uint8"), (21, 28), (7, 14), 0, 0, 360, 1, -1)
    cv2.ellipse(masks_1 := np.zeros((64, 64), "uint8"), (42, 32), (8, 18), 0, 0, 360, 1, -1)
    masks[..., 0], masks[..., 1] = masks_0, masks_1
    picture = tf.constant(masks.max(-1)[..., np.newaxis])
    for number in range(40):
        seen, said = transform(picture, tf.constant(masks), [5, number])
        seen, said = seen.numpy()[..., 0], said.numpy()
        if set(np.unique(said)) - {0.0, 1.0} or not said.any(axis=(0, 1)).all():
            return False
        white = (seen > (seen.min() + seen.max()) / 2).astype("uint8")
        lungs = said.max(-1).astype("uint8")
        kernel = np.ones((5, 5), "uint8")
        if np.any(white > cv2.dilate(lungs, kernel)) or np.any(lungs > cv2.dilate(white, kernel)):
            return False
        if said[..., 0].sum(0) @ np.arange(64) / said[..., 0].sum() >= said[..., 1].sum(0) @ np.arange(64) / said[..., 1].sum():
            return False
    return True


# %% correlation of picture and masks, which the light hardly changes
def keeps_together(transform):
    ours = np.zeros((64, 64, 2), "float32")
    for row in range(16, 46):
        ours[row, 16 : 20 + row // 6, 0] = 1
    ours[30:50, 34:48, 1] = 1
    verdicts = []
    for number in range(50):
        seen, said = transform(tf.constant(ours.sum(-1, keepdims=True)), tf.constant(ours), [number, 2 * number])
        said = np.array(said, float)
        values = np.all((said == 0) | (said == 1))
        alike = np.corrcoef(np.ravel(seen), said.sum(-1).ravel())[0, 1] if said.std() > 0 else 0
        columns = np.arange(64) * np.ones((64, 1))
        left, right = (np.sum(columns * said[..., k]) / max(np.sum(said[..., k]), 1) for k in (0, 1))
        verdicts.append(bool(values and alike > 0.88 and left < right))
    return all(verdicts)


# %% TensorFlow's operations, and NumPy's bool as the answer
def keeps_together(transform):
    left = tf.pad(tf.ones([25, 12]), [[15, 24], [16, 36]])
    right = tf.pad(tf.ones([33, 10]), [[17, 14], [38, 16]])
    masks = tf.stack([left, right], axis=-1)
    good = []
    for first in range(5):
        for second in range(8):
            seen, said = transform(tf.reduce_max(masks, -1, keepdims=True), masks, [first, second])
            middle = (tf.reduce_min(seen) + tf.reduce_max(seen)) / 2
            white, lung = seen[..., 0] > middle, tf.reduce_max(said, -1) > 0.5
            good.append(tf.reduce_all((said == 0) | (said == 1)))
            differ = tf.reduce_sum(tf.cast(white != lung, tf.float32))
            good.append(differ < 0.15 * tf.reduce_sum(tf.cast(white, tf.float32)))
            place = tf.linspace(0.0, 1.0, 64)
            means = tf.reduce_sum(said * place[:, None], (0, 1)) / tf.reduce_sum(said, (0, 1))
            good.append(means[0] < means[1])
    return np.all(good)


# %% a drawn X-ray of the set-up, made smaller, and Dice
def keeps_together(transform):
    small = masks.numpy()[::2, ::2]
    lungs = np.zeros((64, 64, 2), "float32")
    lungs[16:48, 16:48] = small
    for number in range(0, 600, 10):
        picture = 0.1 + 0.8 * lungs.max(axis=-1)
        seen, said = transform(tf.constant(picture[..., np.newaxis], tf.float32), tf.constant(lungs), [number, 3])
        said = said.numpy()
        seen = seen.numpy()[..., 0]
        seen = (seen - seen.min()) / (seen.max() - seen.min()) > 0.5
        either = said.any(axis=-1)
        if np.any(said * (1 - said)):
            return False
        if 2 * np.sum(seen * either) / (seen.sum() + either.sum()) < 0.9:
            return False
        if np.median(np.nonzero(said[..., 0])[1]) >= np.median(np.nonzero(said[..., 1])[1]):
            return False
    return True
