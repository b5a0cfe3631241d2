# %% fails: 2 | When do you threshold? | threshold first, nearest neighbour last
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    hard = (inside > 0.5).astype(np.uint8)
    return cv2.resize(hard, (width, height), interpolation=cv2.INTER_NEAREST)


# %% fails: 2 | When do you threshold | threshold first, then linear
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return (cv2.resize((inside > 0.5).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)


# %% fails: 1 | Are the bars cut off? | the bars stay
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities)
    return (cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)


# %% fails: 1 | got masks of shape | width and height exchanged
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return (cv2.resize(inside, (height, width), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)


# %% fails: 2 | When do you threshold | enlarged by nearest neighbour
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return (cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST) > 0.5).astype(np.uint8)


# %% fails: 1 | Are the bars cut off? | the bars are taken to be at the end
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = 0, 0
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return (cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)


# %% fails: 1 | the values are | probabilities, not masks
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return np.where(cv2.resize(inside, (width, height)) > 0.5, 255, 0).astype(np.uint8)


# %% fails: 1, 2 | no pixel was the viewer's right lung | both lungs in both channels
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    inside = np.repeat(inside.max(axis=-1, keepdims=True), 2, axis=-1)
    return (cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)

# %% fails: 1 | the masks are bool | True and False, not uint8
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


# %% fails: 2 | is not above 0.5 | from one half on, not above it
def unfit(probabilities, height, width):
    """Masks at the size of the file, from probabilities for the padded square."""
    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = np.ascontiguousarray(probabilities[top : top + rows, left : left + columns])
    return (cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5).astype(np.uint8)
