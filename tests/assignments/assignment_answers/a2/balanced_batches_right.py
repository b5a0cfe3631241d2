# %% pairs of arrays are mixed, not numbers
def balanced_batches(images, masks, findings, batch_size, seed):
    half = batch_size // 2
    rare = findings if findings.sum() <= len(findings) / 2 else ~findings
    few = tf.data.Dataset.from_tensor_slices((images[rare], masks[rare]))
    many = tf.data.Dataset.from_tensor_slices((images[~rare], masks[~rare]))
    few = few.shuffle(int(rare.sum()), seed=seed).repeat().batch(half)
    many = many.shuffle(int((~rare).sum()), seed=seed).batch(half, drop_remainder=True)

    def join(one, other):
        return tf.concat([one[0], other[0]], 0), tf.concat([one[1], other[1]], 0)

    return tf.data.Dataset.zip((few, many)).map(join, num_parallel_calls=tf.data.AUTOTUNE).prefetch(1)


# %% a generator that draws the order of each pass with NumPy
def balanced_batches(images, masks, findings, batch_size, seed):
    rng = np.random.default_rng(seed)
    groups = sorted((np.flatnonzero(findings), np.flatnonzero(~findings)), key=len)
    half = batch_size // 2

    def batches():
        many = rng.permutation(groups[1])
        few = np.concatenate([rng.permutation(groups[0]) for _ in range(len(many) // len(groups[0]) + 1)])
        for start in range(0, len(many) - half + 1, half):
            chosen = rng.permutation(np.concatenate([many[start : start + half], few[start : start + half]]))
            yield images[chosen], masks[chosen]

    signature = (tf.TensorSpec((batch_size, *images.shape[1:]), tf.uint8),
                 tf.TensorSpec((batch_size, *masks.shape[1:]), tf.uint8))
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


# %% one X-ray of each kind zipped, then unpacked and batched; stacked as channels
def balanced_batches(images, masks, findings, batch_size, seed):
    together = np.concatenate([images[..., np.newaxis], masks], axis=-1)
    ill, well = together[findings], together[np.logical_not(findings)]
    sets = [tf.data.Dataset.from_tensor_slices(each).shuffle(len(each), seed=seed + more)
            for more, each in ((10, ill), (20, well))]
    longest = max(len(ill), len(well)) // (batch_size // 2) * (batch_size // 2)
    sets = [each.repeat().take(longest) for each in sets]
    both = tf.data.Dataset.choose_from_datasets(sets, tf.data.Dataset.range(2).repeat(longest))
    return both.batch(batch_size, drop_remainder=True).map(lambda stack: (stack[..., 0], stack[..., 1:]))


# %% the order is computed inside, by stateless random numbers for each pass
def balanced_batches(images, masks, findings, batch_size, seed):
    few, many = sorted((np.flatnonzero(findings), np.flatnonzero(~np.asarray(findings))), key=len)
    half = batch_size // 2
    count = len(many) // half

    def one_pass(number):
        seeds = tf.stack([tf.cast(number, tf.int64), tf.constant(seed, tf.int64)])
        order = tf.random.experimental.stateless_shuffle(many, seeds)[: count * half]
        rare = tf.random.experimental.stateless_shuffle(few, seeds + 1)
        rare = tf.tile(rare, [count * half // len(few) + 1])[: count * half]
        both = tf.concat([tf.reshape(order, [count, half]), tf.reshape(rare, [count, half])], axis=1)
        return tf.data.Dataset.from_tensor_slices(both)

    passes = tf.data.Dataset.range(2**40).shuffle(1000, seed=seed).take(1)
    numbers = passes.flat_map(one_pass)
    return numbers.map(lambda some: (tf.gather(images, some), tf.gather(masks, some)))
