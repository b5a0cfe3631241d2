# %% Labels are names
def shrink_labels(labels, factor):
    height, width = labels.shape
    return cv2.resize(labels, (width // factor, height // factor), interpolation=cv2.INTER_AREA)


# %% first of its 16
def shrink_labels(labels, factor):
    height, width = labels.shape
    return cv2.resize(labels, (width // factor, height // factor), interpolation=cv2.INTER_NEAREST)


# %% Of the old ones
def shrink_labels(labels, factor):
    return labels[factor // 2 :: factor, factor // 2 :: factor]


# %% Of the old ones
def shrink_labels(labels, factor):
    small = np.zeros((labels.shape[0] // factor, labels.shape[1] // factor), np.uint8)
    for label in np.unique(labels):
        mask = (labels == label).astype(np.float32)
        small[cv2.resize(mask, small.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5] = label
    return small


# %% Of the old ones
def shrink_labels(labels, factor):
    height, width = labels.shape
    blocks = labels.reshape(height // factor, factor, width // factor, factor)
    return blocks.max(axis=(1, 3))


# %% not (5, 3)
def shrink_labels(labels, factor):
    height, width = labels.shape
    return cv2.resize(labels, (height // factor, width // factor), interpolation=cv2.INTER_NEAREST)


# %% Labels are names
def shrink_labels(labels, factor):
    size = (labels.shape[1] // factor, labels.shape[0] // factor)
    masks = [(labels == label).astype(np.float32) for label in np.unique(labels)]
    shares = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks]
    return np.argmax(shares, axis=0).astype(np.uint8)


# %% not (), object
def shrink_labels(labels, factor):
    small = labels[::factor, ::factor]
    small.copy()
