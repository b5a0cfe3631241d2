# %% fails: 1 | 50 x 100 px in 20 x 20 | squashed, not padded
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows = columns = size
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks


# %% fails: 2 | Which interpolation? | the picture by nearest neighbour
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_NEAREST)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks


# %% fails: 2 | Which interpolation? | the picture by linear interpolation
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks


# %% fails: 3 | Which interpolation | the masks by nearest neighbour
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_NEAREST)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks


# %% fails: 3 | that is half, not more than half | half counts as lung
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares >= 0.5
    return new_image, new_masks


# %% fails: 3 | one of four old pixels is lung | any lung counts
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0
    return new_image, new_masks


# %% fails: 1 | rows 0 to 4 and 15 to 19 are black | the picture stands at the top
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = 0, 0
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks


# %% fails: 1, 4 | they part | only the masks are in the middle
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[:rows, :columns] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks


# %% fails: 3, 4 | they part | the lungs change places
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares[..., ::-1] > 0.5
    return new_image, new_masks


# %% fails: 1, 4 | broadcast | height before width in OpenCV's size
def fit(image, masks, size):
    """Picture and masks, shrunk alike and padded to (size, size)."""
    height, width = image.shape
    rows, columns = round(height * size / max(height, width)), round(width * size / max(height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    inside = slice(top, top + rows), slice(left, left + columns)
    new_image, new_masks = np.zeros((size, size), np.uint8), np.zeros((size, size, 2), np.uint8)
    new_image[inside] = cv2.resize(image, (rows, columns), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(masks.astype(np.float32), (rows, columns), interpolation=cv2.INTER_AREA)
    new_masks[inside] = shares > 0.5
    return new_image, new_masks
