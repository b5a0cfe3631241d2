# %% OpenCV's erosion of a padded mask
def boundary_iou(true, predicted, width):
    bands = []
    for mask in (true, predicted):
        padded = np.pad((mask != 0).astype("uint8"), width)
        eroded = cv2.erode(padded, np.ones((3, 3), "uint8"), iterations=width)[width:-width, width:-width]
        bands.append((mask != 0) & (eroded == 0))
    union = np.logical_or(*bands).sum()
    return 1.0 if union == 0 else float(np.logical_and(*bands).sum() / union)


# %% chessboard distance to the nearest pixel outside
def boundary_iou(true, predicted, width):
    def band(mask):
        distance = ndimage.distance_transform_cdt(np.pad(mask != 0, 1), "chessboard")[1:-1, 1:-1]
        return (distance > 0) & (distance <= width)

    a, b = band(true), band(predicted)
    both, either = (a & b).sum(), (a | b).sum()
    return both / either if either > 0 else 1


# %% least value around each pixel
def boundary_iou(true, predicted, width):
    lung = np.stack([true, predicted]) != 0
    inner = ndimage.minimum_filter(lung.astype(float), (1, 2 * width + 1, 2 * width + 1), mode="constant", cval=0.0)
    band = lung & (inner == 0)
    counts = band.sum(axis=0)
    if not counts.any():
        return np.float64(1)
    return np.mean(counts[counts > 0] == 2)


# %% plain loops over pixels
def boundary_iou(true, predicted, width):
    def band(mask):
        rows, columns = mask.shape
        found = set()
        for y, x in zip(*np.nonzero(mask)):
            near_edge = y < width or x < width or y >= rows - width or x >= columns - width
            around = mask[max(y - width, 0):y + width + 1, max(x - width, 0):x + width + 1]
            if near_edge or not around.all():
                found.add((int(y), int(x)))
        return found

    a, b = band(true), band(predicted)
    return len(a & b) / len(a | b) if a | b else 1.0


# %% sums over squares, with counts in place of logic
def boundary_iou(true, predicted, width):
    side = 2 * width + 1

    def band(mask):
        lung = (mask != 0).astype("float64")
        padded = np.pad(lung, width)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
        return lung * (windows.sum(axis=(2, 3)) < side * side)

    a, b = band(true), band(predicted)
    both = (a * b).sum()
    either = a.sum() + b.sum() - both
    return both / either if either else 1.0
