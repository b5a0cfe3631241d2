# %% each lung by itself
def unfit(probabilities, height, width):
    size = len(probabilities)
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    masks = []
    for lung in (0, 1):
        inside = probabilities[top : top + rows, left : left + columns, lung].copy()
        masks.append(cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)
    return np.stack(masks, axis=-1).astype(np.uint8)


# %% SciPy's coordinates, no OpenCV
def unfit(probabilities, height, width):
    from scipy.ndimage import map_coordinates

    size = probabilities.shape[0]
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = probabilities[top : top + rows, left : left + columns]
    at = np.meshgrid(
        (np.arange(height) + 0.5) * rows / height - 0.5, (np.arange(width) + 0.5) * columns / width - 0.5, indexing="ij"
    )
    lungs = [map_coordinates(inside[..., k].astype(float), at, order=1, mode="nearest") > 0.5 for k in (0, 1)]
    return np.stack(lungs, axis=-1).astype("uint8")


# %% bars counted as a slice of each axis, float64
def unfit(probabilities, height, width):
    size, longer = probabilities.shape[0], max(height, width)
    parts = []
    for side in (height, width):
        inside = round(side * size / longer)
        begin = (size - inside) // 2
        parts.append(np.s_[begin : begin + inside])
    cut = np.array(probabilities[tuple(parts)], dtype=np.float64)
    large = cv2.resize(cut, dsize=(width, height), interpolation=cv2.INTER_LINEAR)
    return np.uint8(large > 0.5)


# %% the bars are found by np.take
def unfit(probabilities, height, width):
    size = probabilities.shape[0]
    rows = size if height >= width else round(height * size / width)
    columns = size if width >= height else round(width * size / height)
    cut = np.take(probabilities, np.arange(rows) + (size - rows) // 2, axis=0)
    cut = np.take(cut, np.arange(columns) + (size - columns) // 2, axis=1)
    return np.where(cv2.resize(cut, (width, height)) > 0.5, 1, 0).astype(np.uint8)
