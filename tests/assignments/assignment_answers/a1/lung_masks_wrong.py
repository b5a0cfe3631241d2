# %% fails: 2 | Where is its half? | a fixed threshold of 127
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > 127)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 2 | Where is its half? | one half for both files
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey)
    half = max(grey.max() for grey in masks) / 2
    left, right = (grey > half for grey in masks)
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 2 | Where is the half? | everything that is not black
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > 0)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 3 | What does uint8 do above 255? | uint8 sums that wrap
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    either = left + right
    return np.stack([each > each.max() / 2 for each in (left, right)] + [either > 0], axis=-1).astype(np.uint8)


# %% fails: 3 | And the pixel in both? | only pixels in both lungs
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left & right], axis=-1).astype(np.uint8)


# %% fails: 3 | And the pixel in both? | exclusive or
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left ^ right], axis=-1).astype(np.uint8)


# %% fails: 1 | the values are | the sum is kept
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left.astype(np.uint8) * 254 + right], axis=-1).astype(np.uint8)


# %% fails: 4 | gone.png does not exist, and there was neither | what cannot be read is a mask without lung
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            grey = np.zeros((96, 128), np.uint8)
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 4 | the message does not name it | the file is not named
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError("a file cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 4 | and there was no ValueError | the second is resized to the first
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        right = cv2.resize(right.astype(np.uint8), left.shape[::-1]) > 0
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 1 | the array is | not uint8
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1)


# %% fails: 1 | channel 0 is not the first file | viewer's right first
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:  # OpenCV does not raise
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([right, left, left | right], axis=-1).astype(np.uint8)


# %% fails: 4 | and the message is | sizes differ, and no file is named
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError("the sizes differ")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 5 | has | channels as they are in the file
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if grey is None:
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)


# %% fails: 2, 5 | black everywhere | half of the brightest value counts
def lung_masks(left_path, right_path):
    """Two mask files as (height, width, 3) uint8 of 0 and 1: viewer's left, viewer's right, either."""
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ValueError(f"{path} cannot be read")
        masks.append(grey >= grey.max() / 2)
    left, right = masks
    if left.shape != right.shape:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)

# %% fails: 4 | 40 x 50 and of 50 x 40 | only the number of pixels is compared
def lung_masks(left_path, right_path):
    masks = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ValueError(f"{path} cannot be read")
        masks.append(grey > grey.max() / 2)
    left, right = masks
    if left.size != right.size:
        raise ValueError(f"{left_path} has {left.shape} pixels, {right_path} has {right.shape}")
    right = right.reshape(left.shape)
    return np.stack([left, right, left | right], axis=-1).astype(np.uint8)
