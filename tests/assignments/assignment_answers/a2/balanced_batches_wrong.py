# %% fails: 3 | comes with the masks of | pictures and masks shuffled apart
def balanced_batches(images, masks, findings, batch_size, seed):
    half, few, many = batch_size // 2, *sorted((findings, ~findings), key=sum)

    def stream(arrays, seed):
        often = tf.data.Dataset.from_tensor_slices(arrays[few]).shuffle(few.sum(), seed=seed).repeat().batch(half)
        once = tf.data.Dataset.from_tensor_slices(arrays[many]).shuffle(many.sum(), seed=seed + 1)
        pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often)
        return pairs.map(lambda first, second: tf.concat([first, second], 0))

    return tf.data.Dataset.zip(stream(images, seed), stream(masks, seed + 2))


# %% fails: 3 | comes with the masks of | masks of one group first, pictures of the other
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, tf.concat([second, first], axis=0))

    return pairs.map(look_up)


# %% fails: 5 | different orders | the same order on each pass
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed, reshuffle_each_iteration=False).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1, reshuffle_each_iteration=False)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 5 | different orders | mixed once with NumPy
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = map(np.random.default_rng(seed).permutation, sorted(groups, key=len))
    often = tf.data.Dataset.from_tensor_slices(smaller).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 5 | over the smaller group | the smaller group is not mixed
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 5 | different orders | the mixed order is kept in a cache
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up).cache()


# %% fails: 5 | first batches of 6 passes only | a buffer as large as half a batch
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(half, seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 5 | same seed gave other passes | no seed
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller)).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger))
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 5 | different pairs of the larger group | batches made first, then the batches are mixed
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True).shuffle(len(larger), seed=seed + 1), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 4 | had come | repeated before it is mixed
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).repeat().shuffle(len(smaller), seed=seed)
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 4 | had come | drawn with replacement
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).map(lambda number: tf.gather(smaller, number % len(smaller)))
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 1, 4 | larger group: an X-ray comes | the larger group is repeated as well
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1).repeat(2)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 2, 4 | in a batch of | half only on average
def balanced_batches(images, masks, findings, batch_size, seed):
    groups = [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    streams = [tf.data.Dataset.from_tensor_slices(group).shuffle(len(group), seed=seed).repeat() for group in groups]
    mixed = tf.data.Dataset.sample_from_datasets(streams, [0.5, 0.5], seed=seed)
    half, longest = batch_size // 2, max(map(len, groups))
    mixed = mixed.take(longest // half * batch_size).batch(batch_size)
    return mixed.map(lambda numbers: (tf.gather(images, numbers), tf.gather(masks, numbers)))


# %% fails: 2, 4, 5 | in a batch of | oversampled, then all mixed together
def balanced_batches(images, masks, findings, batch_size, seed):
    groups = [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    length = len(larger) // (batch_size // 2) * (batch_size // 2)
    numbers = np.concatenate([np.resize(smaller, length), larger[:length]])
    mixed = tf.data.Dataset.from_tensor_slices(numbers).shuffle(len(numbers), seed=seed)
    half, longest = batch_size // 2, max(map(len, groups))
    mixed = mixed.take(longest // half * batch_size).batch(batch_size)
    return mixed.map(lambda some: (tf.gather(images, some), tf.gather(masks, some)))


# %% fails: 2 | in a batch of | a batch with findings, then one without
def balanced_batches(images, masks, findings, batch_size, seed):
    groups = [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    half = batch_size // 2
    length = len(larger) // half * half
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat().take(length)
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1).take(length)
    both = once.concatenate(often).batch(batch_size)
    return both.map(lambda some: (tf.gather(images, some), tf.gather(masks, some)))


# %% fails: 1, 4 | a pass has | takes it for granted that findings are rarer
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    larger, smaller = groups
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 1, 4, 5 | a pass has | the larger group is cut to the size of the smaller one
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed)
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 1, 2 | have the shape (3 | the last half batch of the smaller group is short
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed)
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half).repeat())

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 1, 2, 4 | a pass has | a short batch at the end
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up)


# %% fails: 1 | dtypes | scaled to numbers from 0 to 1
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(images, numbers), tf.gather(masks, numbers)

    return pairs.map(look_up).map(lambda a, b: (tf.cast(a, tf.float32), tf.cast(b, tf.float32)))


# %% fails: 5 | different pairs meet | both groups mixed with the same seed
def balanced_batches(images, masks, findings, batch_size, seed):
    together = np.concatenate([images[..., np.newaxis], masks], axis=-1)
    ill, well = together[findings], together[np.logical_not(findings)]
    sets = [tf.data.Dataset.from_tensor_slices(each).shuffle(len(each), seed=seed + 10) for each in (ill, well)]
    longest = max(len(ill), len(well)) // (batch_size // 2) * (batch_size // 2)
    sets = [each.repeat().take(longest) for each in sets]
    both = tf.data.Dataset.choose_from_datasets(sets, tf.data.Dataset.range(2).repeat(longest))
    return both.batch(batch_size, drop_remainder=True).map(lambda stack: (stack[..., 0], stack[..., 1:]))

# %% fails: 5 | these X-rays never came | the same X-rays are left out on every pass
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    larger = larger[: len(larger) // half * half]
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(len(smaller), seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(len(larger), seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))
    all_images, all_masks = tf.constant(images), tf.constant(masks)

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(all_images, numbers), tf.gather(all_masks, numbers)

    return pairs.map(look_up)


# %% fails: 5 | in the first batches of 4 passes none | a shuffle buffer of 16
def balanced_batches(images, masks, findings, batch_size, seed):
    half, groups = batch_size // 2, [np.flatnonzero(np.asarray(findings) == kind) for kind in (False, True)]
    smaller, larger = sorted(groups, key=len)
    often = tf.data.Dataset.from_tensor_slices(smaller).shuffle(16, seed=seed).repeat()
    once = tf.data.Dataset.from_tensor_slices(larger).shuffle(16, seed=seed + 1)
    pairs = tf.data.Dataset.zip(once.batch(half, drop_remainder=True), often.batch(half, drop_remainder=True))
    all_images, all_masks = tf.constant(images), tf.constant(masks)

    def look_up(first, second):
        numbers = tf.concat([first, second], axis=0)
        return tf.gather(all_images, numbers), tf.gather(all_masks, numbers)

    return pairs.map(look_up)
