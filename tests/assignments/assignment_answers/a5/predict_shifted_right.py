# %% SciPy's shift, NaN where nothing is known
def predict_shifted(model, images, shifts):
    from scipy.ndimage import shift

    answers = []
    for down, right in shifts:
        answer = model.predict(shift(images, (0, down, right, 0), order=0, cval=0), verbose=0)
        answers.append(shift(answer.astype("float64"), (0, -down, -right, 0), order=0, cval=np.nan))
    known = np.isfinite(answers)
    mean = (np.where(known, answers, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)).astype("float32")
    return mean, np.uint8(mean > 0.5)


# %% a padded picture, of which a window is cut out; model called, not predicted
def predict_shifted(model, images, shifts):
    count, height, width = images.shape[:3]
    edge = max(max(abs(down), abs(right)) for down, right in shifts)
    around = ((0, 0), (edge, edge), (edge, edge), (0, 0))
    padded, sums = np.pad(images, around), []
    for down, right in shifts:
        window = np.s_[:, edge - down : edge - down + height, edge - right : edge - right + width]
        answer = np.asarray(model(padded[window], training=False))
        with_ones = np.concatenate([answer, np.ones((count, height, width, 1))], axis=-1)
        window = np.s_[:, edge + down : edge + down + height, edge + right : edge + right + width]
        sums.append(np.pad(with_ones, around)[window])
    sums = np.sum(sums, axis=0)
    mean = np.divide(sums[..., :-1], sums[..., -1:], out=np.zeros_like(sums[..., :-1]), where=sums[..., -1:] > 0)
    return mean.astype("float32"), (mean > 0.5).astype("uint8")


# %% np.roll, with what comes in made black and what is unknown counted out
def predict_shifted(model, images, shifts):
    total, known = 0.0, 0.0
    for down, right in shifts:
        inside = np.ones(images.shape[1:3])
        inside = np.roll(inside, (down, right), axis=(0, 1))
        if down:
            inside[slice(0, down) if down > 0 else slice(down, None)] = 0
        if right:
            inside[:, slice(0, right) if right > 0 else slice(right, None)] = 0
        inside = inside[None, :, :, None]
        answer = model.predict(np.roll(images, (down, right), axis=(1, 2)) * inside.astype("float32"), verbose=0)
        total = total + np.roll(answer * inside, (-down, -right), axis=(1, 2))
        known = known + np.roll(inside, (-down, -right), axis=(1, 2))
    mean = total / np.where(known == 0, 1, known)
    return mean.astype(np.float32), np.where(mean > 0.5, 1, 0).astype(np.uint8)


# %% all shifts of a picture in one call, TensorFlow tensors, OpenCV moves
def predict_shifted(model, images, shifts):
    height, width = images.shape[1:3]
    result = []
    for image in images:
        moves = [np.float32([[1, 0, right], [0, 1, down]]) for down, right in shifts]
        size, near = (width, height), cv2.INTER_NEAREST
        moved = np.stack([cv2.warpAffine(image[..., 0], move, size, flags=near) for move in moves])
        answers = model.predict(moved[..., None], verbose=0)
        total, known = np.zeros(answers.shape[1:]), np.zeros((height, width, 1))
        for (down, right), answer in zip(shifts, answers):
            for row in range(height):
                for column in range(width):
                    if 0 <= row + down < height and 0 <= column + right < width:
                        total[row, column] += answer[row + down, column + right]
                        known[row, column] += 1
        result.append(tf.math.divide_no_nan(total, np.broadcast_to(known, total.shape)))
    mean = tf.cast(tf.stack(result), tf.float32)
    return mean, tf.cast(mean > 0.5, tf.uint8)
