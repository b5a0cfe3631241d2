# %% 7 images in pieces of 3
def gradient_in_parts(model, images, masks, size):
    found = []
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.loss(masks[part], model(images[part], training=True)))
        found.append(tape.gradient(loss, model.trainable_variables))
    return [sum(each) / len(found) for each in zip(*found)]


# %% 6 images in pieces of 3
def gradient_in_parts(model, images, masks, size):
    total = [0.0] * len(model.trainable_variables)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.loss(masks[part], model(images[part], training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        total = [before + new for before, new in zip(total, gradients)]
    return total


# %% given to the loss in pieces of [3, 3]
def gradient_in_parts(model, images, masks, size):
    total = [0.0] * len(model.trainable_variables)
    pieces = len(images) // size
    for piece in range(pieces):
        part = slice(piece * size, (piece + 1) * size)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.loss(masks[part], model(images[part], training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        total = [before + new / pieces for before, new in zip(total, gradients)]
    return total


# %% given to the loss in pieces of [6]
def gradient_in_parts(model, images, masks, size):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.loss(masks, model(images, training=True)))
    return tape.gradient(loss, model.trainable_variables)


# %% 6 images in pieces of 3
def gradient_in_parts(model, images, masks, size):
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model.loss(masks[part], model(images[part], training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
    return [each / len(images) for each in gradients]
