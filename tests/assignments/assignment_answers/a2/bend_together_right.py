# %% SciPy's Gaussian through numpy_function, and both fields scaled by themselves
def bend_together(image, masks, seed, strength, sigma):
    from scipy.ndimage import gaussian_filter

    height, width = image.shape[:2]

    def smooth(noise):
        fields = np.stack([gaussian_filter(noise[..., k], sigma, mode="wrap") for k in range(2)])
        return (strength * fields / np.abs(fields).max(axis=(1, 2), keepdims=True)).astype("float32")

    noise = tf.random.stateless_uniform([height, width, 2], seed, -1, 1)
    down, right = tf.unstack(tf.ensure_shape(tf.numpy_function(smooth, [noise], tf.float32), [2, height, width]))
    rows = tf.range(height, dtype=tf.float32)[:, tf.newaxis] + down
    columns = tf.range(width, dtype=tf.float32) + right
    return read_at(image, rows, columns), tf.round(read_at(masks, rows, columns))


# %% smoothing by products with matrices, zeros beyond the border
def bend_together(image, masks, seed, strength, sigma):
    def blur_matrix(length):
        away = np.arange(length)[:, np.newaxis] - np.arange(length)
        return tf.constant(np.exp(-(away**2) / (2 * sigma**2)), tf.float32)

    height, width = image.shape[0], image.shape[1]
    seeds = tf.random.split(tf.cast(seed, tf.int32), 2) if hasattr(tf.random, "split") else [seed, seed + 1]
    down, right = [
        blur_matrix(height) @ tf.random.stateless_uniform([height, width], one, -1.0, 1.0) @ blur_matrix(width)
        for one in (seeds[0], seeds[1])
    ]
    largest = tf.maximum(tf.reduce_max(tf.abs(down)), tf.reduce_max(tf.abs(right)))
    rows = tf.repeat(tf.range(float(height))[:, None], width, axis=1) + down * strength / largest
    columns = tf.repeat(tf.range(float(width))[None], height, axis=0) + right * strength / largest
    moved = read_at(masks, rows, columns)
    return tf.clip_by_value(read_at(image, rows, columns), 0, 1), tf.where(moved > 0.5, 1.0, 0.0)


# %% own linear interpolation in float64, with gather
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(4 * sigma) + 1
    steps = tf.range(-reach, reach + 1, dtype=tf.float64)
    bell = tf.exp(-0.5 * (steps / sigma) ** 2)
    noise = tf.random.stateless_uniform([2, height, width, 1], seed, -1, 1, tf.float64)
    noise = tf.nn.conv2d(noise, tf.reshape(bell, [-1, 1, 1, 1]), 1, "SAME")
    noise = tf.nn.conv2d(noise, tf.reshape(bell, [1, -1, 1, 1]), 1, "SAME")[..., 0]
    field = noise / tf.reduce_max(tf.abs(noise)) * strength
    place = field + tf.constant(np.indices((height, width)), tf.float64)
    corner = tf.floor(place)
    part = place - corner
    edge = int(np.ceil(strength)) + 1
    padded = tf.pad(tf.cast(tf.concat([image, masks], -1), tf.float64), [[edge, edge], [edge, edge], [0, 0]])
    result = 0
    for below in (0, 1):
        for beside in (0, 1):
            share_row = part[0] if below else 1 - part[0]
            share_column = part[1] if beside else 1 - part[1]
            where = tf.cast(corner, tf.int32) + tf.constant([below, beside])[:, None, None] + edge
            share = (share_row * share_column)[..., None]
            result += share * tf.gather_nd(padded, tf.stack([where[0], where[1]], -1))
    return tf.cast(result[..., :1], tf.float32), tf.cast(result[..., 1:] > 0.5, tf.float32)


# %% picture and masks read one after the other, with the same field, in a function of its own
def random_field(height, width, seed, strength, sigma):
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    return strength * field[0] / tf.reduce_max(tf.abs(field))


def bend(values, seed, strength, sigma):
    height, width = values.shape[:2]
    field = random_field(height, width, seed, strength, sigma)
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    return read_at(values, rows + field[..., 0], columns + field[..., 1])


def bend_together(image, masks, seed, strength, sigma):
    its_masks = bend(masks, seed, strength, sigma)
    return bend(image, seed, strength, sigma), tf.cast(its_masks > 0.5, tf.float32)


# %% a Gaussian in two dimensions, the seed changed, masks first
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    state = tf.cast(seed, tf.int64) * 2 + tf.constant([11, 5], tf.int64)
    reach = int(5 * sigma)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    bell = tf.constant(np.exp(-(x**2 + y**2) / (2 * sigma**2)), tf.float32)[:, :, None, None]
    noise = tf.transpose(tf.random.stateless_uniform([width, height, 2, 1], state, -1, 1), [2, 1, 0, 3])
    field = tf.nn.conv2d(noise, bell, 1, "SAME")[..., 0]
    field = tf.math.divide_no_nan(field, tf.reduce_max(tf.abs(field))) * strength
    columns, rows = tf.meshgrid(tf.range(width), tf.range(height))
    read = read_at(tf.concat([masks, image], -1), tf.cast(rows, tf.float32) + field[0],
                   tf.cast(columns, tf.float32) + field[1])
    return read[..., 2:], tf.cast(read[..., :2] > 0.5, image.dtype)
