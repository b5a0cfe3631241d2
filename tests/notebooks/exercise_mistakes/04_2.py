# %% hold a number twice
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers), seed=seed)
    return dataset.repeat().batch(batch_size, drop_remainder=True)


# %% hold a number twice
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).repeat()
    return dataset.shuffle(len(numbers), seed=seed).batch(batch_size)


# %% should hold 4 numbers
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers), seed=seed)
    return dataset.batch(batch_size).repeat()


# %% should hold 4 numbers
def separate_passes(numbers, batch_size, seed):
    return tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers), seed=seed).repeat()


# %% ends after 2 batches
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers), seed=seed)
    return dataset.batch(batch_size, drop_remainder=True)


# %% never came
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers)
    dataset = dataset.shuffle(len(numbers), seed=seed, reshuffle_each_iteration=False)
    return dataset.batch(batch_size, drop_remainder=True).repeat()


# %% {8, 9} never came
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size, drop_remainder=True)
    return dataset.shuffle(len(numbers), seed=seed).repeat()


# %% mixed over all numbers
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).shuffle(batch_size, seed=seed)
    return dataset.batch(batch_size, drop_remainder=True).repeat()


# %% the same seed gave another stream
def separate_passes(numbers, batch_size, seed):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers))
    return dataset.batch(batch_size, drop_remainder=True).repeat()
