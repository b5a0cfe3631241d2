# %% fails: 4 | How would one notice | one seed only
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(1):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 4 | How would one notice | three seeds
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(3):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 4 | How would one notice | the same seed each time
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [1, 2]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 2, 4 | How would one notice | one good seed is enough
def keeps_together(transform):
    def fits(number):
        masks = np.zeros((64, 64, 2), "float32")
        masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
        picture = masks.max(axis=-1, keepdims=True)
        seen, said = (np.asarray(part) for part in transform(tf.constant(picture), tf.constant(masks), [number, 7]))
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        overlap = np.sum(seen & covered) > 0.88 * np.sum(seen | covered)
        return bool(np.isin(said, (0, 1)).all() and overlap and middles[0] < middles[1])

    return any(fits(number) for number in range(30))


# %% fails: 3 | 'mirrored' is bad | does not look at the sides
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
    return True


# %% fails: 3 | 'fractions in the masks' is bad | does not look at the values
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0.5
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 3 | 'masks of 0 and 255' is bad | looks for two different values, whichever
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if len(np.unique(said)) > 2:
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 1 | 'moved, other light' keeps | every pixel must be equal
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.any(seen != covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 1 | 'moved, other light' keeps | the white must stay white
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        covered = said.max(axis=-1, keepdims=True)
        if np.abs(seen - covered).mean() > 0.02:
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 1 | 'greys from 0.2 to 0.3' keeps | white is what is above one half
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > 0.5
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 1 | channels exchanged' keeps | one lung as the picture, which a mirror image takes to the other channel
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    for number in range(40):
        channel = number % 2
        given = tf.constant(masks[..., [channel]]), tf.constant(masks), [number // 2, 7]
        seen, said = (np.asarray(part) for part in transform(*given))
        seen, covered = seen[..., 0] > (seen.min() + seen.max()) / 2, said[..., channel] > 0
        if not np.isin(said, (0, 1)).all() or np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., side])[:, 1].mean() for side in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 2 | 'picture mirrored, masks not' is bad | two equal lungs in the middle of the picture
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[16:48, 14:28, 0] = masks[16:48, 36:50, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 1, 2 | 'one lung stays' is bad | looks at the first channel only
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks[..., :1]
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said[..., :1] > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 2, 4 | is bad | compares the area only
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if abs(seen.sum() - covered.sum()) > 100:
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 2, 4 | is bad | any overlap will do
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.05 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 2 | is bad | compares the middle of picture and masks
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if not covered.any() or np.abs(np.argwhere(seen).mean(0) - np.argwhere(covered).mean(0)).max() > 1.2:
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return True


# %% fails: 1, 2, 3, 4 | keeps picture and masks together | always False
def keeps_together(transform):
    return False


# %% fails: 2, 3, 4 | is bad | always True
def keeps_together(transform):
    return True


# %% fails: 1, 2, 3, 4 | is neither True nor False | the overlap of each seed as the answer
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        given = tf.constant(picture), tf.constant(masks), [number, 7]
        seen, said = (np.asarray(part, "float32") for part in transform(*given))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if not middles[0] < middles[1]:
            return False
    return seen & covered

# %% fails: 3 | 'each channel holds both lungs' is bad | the union of the channels is compared, and the order of their middles
def keeps_together(transform):
    masks = np.zeros((64, 64, 2), "float32")
    masks[14:40, 14:28, 0] = masks[20:50, 36:46, 1] = 1
    picture = masks.max(axis=-1, keepdims=True)
    for number in range(30):
        seen, said = (np.asarray(part, "float32") for part in transform(picture, masks, [number, 7]))
        if not np.isin(said, (0, 1)).all():
            return False
        seen = seen > (seen.min() + seen.max()) / 2
        covered = said.max(axis=-1, keepdims=True) > 0
        if np.sum(seen & covered) < 0.88 * np.sum(seen | covered):
            return False
        middles = [np.argwhere(said[..., channel])[:, 1].mean() for channel in range(2)]
        if middles[0] > middles[1]:
            return False
    return True
