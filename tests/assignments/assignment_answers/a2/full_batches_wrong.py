# %% fails: 2, 3 | X-rays weigh something | the remainder is left out
def full_batches(images, masks, batch_size):
    weights = np.ones(len(images), "float32")
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True)


# %% fails: 1 | a batch has the shapes | the last batch stays short
def full_batches(images, masks, batch_size):
    weights = np.ones(len(images), "float32")
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size)


# %% fails: 1 | element_spec says | full batches whose shape is not known
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size)


# %% fails: 2, 3 | X-rays weigh something | filled with pictures from the start, which count twice
def full_batches(images, masks, batch_size):
    dataset = tf.data.Dataset.from_tensor_slices((images, masks, np.ones(len(images), "float32")))
    batches = -(-len(images) // batch_size)
    return dataset.repeat().batch(batch_size, drop_remainder=True).take(batches)


# %% fails: 2, 3 | X-rays weigh something | what fills the batch weighs 1
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks)
    )
    weights = np.ones(len(images), "float32")
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True)


# %% fails: 1 | images, masks and weights are | weights are integers
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights.astype(int))).batch(batch_size, drop_remainder=True)


# %% fails: 1 | images, masks and weights are | weights are True and False
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights > 0)).batch(batch_size, drop_remainder=True)


# %% fails: 1 | images, masks and weights are | weights are float64
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights.astype("float64"))).batch(batch_size, drop_remainder=True)


# %% fails: 1 | a batch has the shapes | weights in a column
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights[:, np.newaxis])).batch(batch_size, drop_remainder=True)


# %% fails: 3 | batches in the first pass | a batch of nothing when N is a multiple
def full_batches(images, masks, batch_size):
    missing = batch_size - len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True)


# %% fails: 3 | the weights add up to | the last batch shares a weight of 1
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    if missing:
        weights[missing - batch_size :] = 1 / (batch_size - missing)
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True)


# %% fails: 2 | pictures have values from | filled with -1
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.concatenate([np.ones(len(images)), np.zeros(missing)]).astype("float32")
    images, masks = (
        np.concatenate([array, np.full((missing, *array.shape[1:]), -1, "float32")]) for array in (images, masks)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True)


# %% fails: 2 | are not those that were given | filled in front
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([np.zeros((missing, *array.shape[1:]), "float32"), array]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True).map(lambda a, b, c: (a[::-1], b[::-1], c[::-1]))


# %% fails: 2 | in their order | mixed
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).shuffle(1000).batch(batch_size, drop_remainder=True)


# %% fails: 1, 2, 3 | an element has 2 parts | no weights
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks)).batch(batch_size, drop_remainder=True)


# %% fails: 2, 3 | batches in the first pass | a pass without an end
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.ones(len(images), "float32")
    images, masks, weights = (
        np.concatenate([array, np.zeros((missing, *array.shape[1:]), "float32")]) for array in (images, masks, weights)
    )
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True).repeat()


# %% fails: 1, 2, 3 | are not compatible | filled with as many of the first pictures, which are not enough
def full_batches(images, masks, batch_size):
    missing = -len(images) % batch_size
    weights = np.concatenate([np.ones(len(images)), np.zeros(missing)]).astype("float32")
    images, masks = (np.concatenate([each, each[:missing]]) for each in (images, masks))
    return tf.data.Dataset.from_tensor_slices((images, masks, weights)).batch(batch_size, drop_remainder=True)
