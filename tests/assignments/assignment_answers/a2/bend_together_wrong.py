# %% fails: 3 | picture and mask differ in | another field for the masks
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
    its_masks = bend(masks, seed + 1, strength, sigma)
    return bend(image, seed, strength, sigma), tf.cast(its_masks > 0.5, tf.float32)


# %% fails: 3 | picture and mask differ in | the masks stay where they are
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(image, rows + field[..., 0], columns + field[..., 1])
    return bent, masks


# %% fails: 1 | different values | fractions left in the masks
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], bent[..., 1:]


# %% fails: 3 | picture and mask differ in | everything that has some lung is lung
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.0, tf.float32)


# %% fails: 3 | picture and mask differ in | masks read from the pixel above and to the left
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    down, right = field[..., 0], field[..., 1]
    bent = read_at(image, rows + down, columns + right)
    its_masks = read_at(masks, tf.floor(rows + down), tf.floor(columns + right))
    return bent, tf.cast(its_masks > 0.5, tf.float32)


# %% fails: 3 | picture and mask differ in | masks read at the nearest pixel
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    down, right = field[..., 0], field[..., 1]
    bent = read_at(image, rows + down, columns + right)
    its_masks = read_at(masks, tf.round(rows + down), tf.round(columns + right))
    return bent, its_masks


# %% fails: 2 | Which pixel is read | the middle of a pixel taken for half a pixel further
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + 0.5 + field[..., 0], columns + 0.5 + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 2, 4 | Which pixel is read | rows and columns mixed up
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0))
    bent = read_at(tf.concat([image, masks], axis=-1), rows + tf.transpose(field[..., 0]), columns + tf.transpose(field[..., 1]))
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 4 | Are they drawn apart | one field for both directions
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 0])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 4 | not smooth enough | no smoothing
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    field = strength * tf.random.stateless_uniform([height, width, 2], seed, -1, 1)
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 4 | from one column to the next | smoothed along the columns only
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height, width, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1],):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "SAME")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 4 | the largest displacement is usually only | smoothed after scaling, which takes the strength away
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0]
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 4 | px away | the strength is taken as a share of the picture
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], seed, -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength / 16 * width * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 4 | the field is too smooth | one displacement for all pixels
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    field = strength * tf.random.stateless_uniform([2], seed, -1, 1) * tf.ones([height, width, 2])
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 5 | called twice, gave two pictures | NumPy's random numbers, without the seed
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = np.random.uniform(-1, 1, [1, height + 2 * reach, width + 2 * reach, 2]).astype("float32")
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 5 | bent in the same way | seeded NumPy numbers, frozen when the graph is made
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    number = hash(tuple(seed.numpy().tolist())) % 2**32 if tf.executing_eagerly() else 0
    shape = [1, height + 2 * reach, width + 2 * reach, 2]
    field = np.random.default_rng(number).uniform(-1, 1, shape).astype("float32")
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)


# %% fails: 5 | seeds [4, 1] and [5, 1] | only one of the two integers is used
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    reach = int(np.ceil(3 * sigma))
    field = tf.random.stateless_uniform([1, height + 2 * reach, width + 2 * reach, 2], tf.stack([seed[1], seed[1]]), -1, 1)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype("float32")
    kernel = np.stack([bell / bell.sum()] * 2, axis=-1)[..., np.newaxis]
    for shape in ([-1, 1, 2, 1], [1, -1, 2, 1]):
        field = tf.nn.depthwise_conv2d(field, kernel.reshape(shape), [1, 1, 1, 1], "VALID")
    field = strength * field[0] / tf.reduce_max(tf.abs(field))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    bent = read_at(tf.concat([image, masks], axis=-1), rows + field[..., 0], columns + field[..., 1])
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)

# %% fails: 4 | What lies outside | the pixels of the edge are repeated outside
def bend_together(image, masks, seed, strength, sigma):
    height, width = image.shape[:2]
    noise = tf.random.stateless_uniform([2, height, width], seed, -1, 1)
    down, right = smooth(noise[0], sigma), smooth(noise[1], sigma)
    times = strength / tf.reduce_max(tf.abs([down, right]))
    rows, columns = tf.meshgrid(tf.range(height * 1.0), tf.range(width * 1.0), indexing="ij")
    rows = tf.clip_by_value(rows + times * down, 0.0, height - 1.0)
    columns = tf.clip_by_value(columns + times * right, 0.0, width - 1.0)
    bent = read_at(tf.concat([image, masks], axis=-1), rows, columns)
    return bent[..., :1], tf.cast(bent[..., 1:] > 0.5, tf.float32)
