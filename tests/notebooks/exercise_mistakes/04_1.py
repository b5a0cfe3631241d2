# %% the masks are cut out at another place than the picture
def random_window(image, masks, seed, side):
    def cut(array, seed):
        height, width, _ = array.shape
        row = tf.random.stateless_uniform([], seed, 0, height - side + 1, tf.int32)
        column = tf.random.stateless_uniform([], seed + 1, 0, width - side + 1, tf.int32)
        return array[row : row + side, column : column + side]

    return cut(image, seed), cut(masks, seed + 2)


# %% one seed gave several windows
def random_window(image, masks, seed, side):
    stacked = tf.image.random_crop(tf.concat([image, masks], axis=-1), [side, side, 3])
    return stacked[..., :1], stacked[..., 1:]


# %% (2, 3), (2, 4)] came
def random_window(image, masks, seed, side):  # the upper end is left out
    height, width, _ = image.shape
    row = tf.random.stateless_uniform([], seed, 0, height - side, tf.int32)
    column = tf.random.stateless_uniform([], seed + 1, 0, width - side, tf.int32)
    part = slice(row, row + side), slice(column, column + side)
    return image[part], masks[part]


# %% (3, 4), (3, 5)] came
def random_window(image, masks, seed, side):  # one number for row and column
    height, width, _ = image.shape
    share = tf.random.stateless_uniform([], seed)
    row = tf.cast(share * (height - side + 1), tf.int32)
    column = tf.cast(share * (width - side + 1), tf.int32)
    part = slice(row, row + side), slice(column, column + side)
    return image[part], masks[part]


# %% not a 4 x 4 window
def random_window(image, masks, seed, side):  # leaves the picture
    height, width, _ = image.shape
    row = tf.random.stateless_uniform([], seed, 0, height, tf.int32)
    column = tf.random.stateless_uniform([], seed + 1, 0, width, tf.int32)
    part = slice(row, row + side), slice(column, column + side)
    return image[part], masks[part]


# %% only [(
def random_window(image, masks, seed, side):  # drawn once, when the pipeline is described
    row, column = (int(np.random.default_rng(0).integers(0, size - side + 1)) for size in image.shape[:2])
    part = slice(row, row + side), slice(column, column + side)
    return image[part], masks[part]


# %% not a 4 x 4 window
def random_window(image, masks, seed, side):  # rows and columns exchanged
    height, width, _ = image.shape
    row = tf.random.stateless_uniform([], seed, 0, width - side + 1, tf.int32)
    column = tf.random.stateless_uniform([], seed + 1, 0, height - side + 1, tf.int32)
    part = slice(row, row + side), slice(column, column + side)
    return image[part], masks[part]
