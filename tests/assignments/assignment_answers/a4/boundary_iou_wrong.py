# %% fails: 1, 2, 3 | On which side of the outline | band outside
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return ~lung & ndimage.binary_dilation(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 2 | What is divided by what | Dice of the bands
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else 1.0


# %% fails: 2 | What is divided by what | the share of the true band
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    share = np.count_nonzero(one & other) / max(np.count_nonzero(one), 1)
    return share if either else 1.0


# %% fails: 1, 2, 3 | What is compared | whole masks
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 3 | What lies beyond the edge | the edge continues the picture
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width, border_value=1)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 3 | What lies beyond the edge | OpenCV, whose edge is not outside
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~(cv2.erode(lung.astype('uint8'), np.ones((3, 3), 'uint8'), iterations=width) > 0)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 1, 2, 3 | Where is the band | one pixel whatever the width
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)))

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 1, 2, 3 | Where is the band | twice as wide
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=2 * width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 1, 2 | Also at a corner | the four neighbours only
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, None, iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 4 | with 0 and 255 as uint8 | takes the value 1 for lung
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask == 1
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 4 | not the same afterwards | changes the masks
def boundary_iou(true, predicted, width):
    def band(mask):
        mask[mask > 1] = 1
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 4 | with 0 and 255 as uint8 | ~ of whole numbers
def boundary_iou(true, predicted, width):
    def band(mask):
        return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width).astype(mask.dtype)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 4 | with 0 and 255 as uint8 | subtracts the eroded mask from the mask
def boundary_iou(true, predicted, width):
    def band(mask):
        return mask * 1 - ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width) != 0

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


# %% fails: 5 | no lung in either | NaN
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / np.float64(either)


# %% fails: 5 | no lung in either | 0 for two empty masks
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 0.0


# %% fails: 5 | only: 1.0 | 1 for one empty mask
def boundary_iou(true, predicted, width):
    def band(mask):
        lung = mask != 0
        return lung & ~ndimage.binary_erosion(lung, np.ones((3, 3)), iterations=width)

    one, other = band(true), band(predicted)
    if not one.any() or not other.any():
        return 1.0
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0
