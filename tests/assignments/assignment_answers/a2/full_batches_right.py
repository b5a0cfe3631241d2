# %% padding batch by batch in a map
def full_batches(images, masks, batch_size):
    def fill(some_images, some_masks):
        here = tf.shape(some_images)[0]
        missing = batch_size - here
        pad = [[0, missing], [0, 0], [0, 0], [0, 0]]
        weights = tf.cast(tf.range(batch_size) < here, tf.float32)
        return (
            tf.ensure_shape(tf.pad(some_images, pad), [batch_size, *images.shape[1:]]),
            tf.ensure_shape(tf.pad(some_masks, pad), [batch_size, *masks.shape[1:]]),
            weights,
        )

    return tf.data.Dataset.from_tensor_slices((images, masks)).batch(batch_size).map(fill)


# %% repeated pictures that weigh nothing
def full_batches(images, masks, batch_size):
    count = len(images)
    batches = int(np.ceil(count / batch_size))
    pairs = tf.data.Dataset.from_tensor_slices((images, masks)).repeat()
    weights = tf.data.Dataset.range(batches * batch_size).map(lambda number: tf.where(number < count, 1.0, 0.0))
    triples = tf.data.Dataset.zip((pairs, weights)).map(lambda pair, weight: (*pair, weight))
    return triples.batch(batch_size, drop_remainder=True)


# %% white pictures joined with concatenate
def full_batches(images, masks, batch_size):
    one = tf.data.Dataset.from_tensor_slices((images, masks)).map(lambda image, mask: (image, mask, tf.constant(1.0)))
    filler = tf.data.Dataset.from_tensors((tf.ones(images.shape[1:]), tf.zeros(masks.shape[1:]), tf.constant(0.0)))
    missing = (batch_size - len(images) % batch_size) % batch_size
    return one.concatenate(filler.repeat(missing)).batch(batch_size, drop_remainder=True)


# %% a generator with loops
def full_batches(images, masks, batch_size):
    def batches():
        for start in range(0, len(images), batch_size):
            numbers = [min(start + step, len(images) - 1) for step in range(batch_size)]
            weights = [1.0 if start + step < len(images) else 0.0 for step in range(batch_size)]
            yield images[numbers], masks[numbers], np.array(weights)

    shapes = ([batch_size, *images.shape[1:]], [batch_size, *masks.shape[1:]], [batch_size])
    return tf.data.Dataset.from_generator(batches, output_signature=tuple(tf.TensorSpec(shape) for shape in shapes))
