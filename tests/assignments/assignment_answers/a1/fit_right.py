# %% cv2.copyMakeBorder pads
def fit(image, masks, size):
    height, width = image.shape
    scale = size / max(height, width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (size - rows) // 2, (size - columns) // 2
    bars = top, size - rows - top, left, size - columns - left
    grey = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    share = cv2.resize(masks.astype(np.float64), (columns, rows), interpolation=cv2.INTER_AREA)
    pad = lambda pixels: cv2.copyMakeBorder(pixels, *bars, cv2.BORDER_CONSTANT, value=0)
    return pad(grey), pad((share > 0.5).astype(np.uint8))


# %% np.pad, each lung by itself
def fit(image, masks, size):
    height, width = image.shape
    if height >= width:
        rows, columns = size, round(width * size / height)
    else:
        rows, columns = round(height * size / width), size
    above, before = (size - rows) // 2, (size - columns) // 2
    around = (above, size - rows - above), (before, size - columns - before)

    def shrink(pixels):
        return cv2.resize(pixels.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)

    lungs = [np.pad(shrink(masks[..., k]) > 0.5, around) for k in (0, 1)]
    return np.pad(np.rint(shrink(image)), around).astype(np.uint8), np.stack(lungs, axis=-1).astype(np.uint8)


# %% area means as products of matrices, no OpenCV
def fit(image, masks, size):
    def weights(old, new):
        edges = np.linspace(0, old, new + 1)
        pixels = np.arange(old)
        covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        return np.clip(covered, 0, None) * new / old

    height, width = image.shape
    rows, columns = round(height * size / max(image.shape)), round(width * size / max(image.shape))
    down, across = weights(height, rows), weights(width, columns)
    grey = down @ image.astype(float) @ across.T
    lungs = np.stack([down @ masks[..., k].astype(float) @ across.T for k in (0, 1)], axis=-1) > 0.5 + 1e-9
    top, left = (size - rows) // 2, (size - columns) // 2
    new, both = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new[top : top + rows, left : left + columns] = np.round(grey)
    both[top : top + rows, left : left + columns] = lungs
    return new, both


# %% masks of 0 and 255 in uint16, half of 65,535
def fit(image, masks, size):
    longer = max(image.shape)
    rows, columns = (round(side * size / longer) for side in image.shape)
    shares = cv2.resize(masks.astype(np.uint16) * 60000, (columns, rows), interpolation=cv2.INTER_AREA)
    square = np.zeros((size, size, 3), np.uint8)
    y, x = (size - rows) // 2, (size - columns) // 2
    view = square[y : y + rows, x : x + columns]
    view[..., 0] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    view[..., 1:] = shares > 30000
    return square[..., 0].copy(), square[..., 1:].copy()
