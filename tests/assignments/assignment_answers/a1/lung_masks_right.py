# %% logical or, whole numbers instead of half
def lung_masks(left_path, right_path):
    def read(path):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise FileNotFoundError(str(path))
        grey = grey.astype(int)
        return 2 * grey > grey.max()

    left, right = read(left_path), read(right_path)
    if left.shape != right.shape:
        raise ValueError(f"sizes differ: {left_path}, {right_path}")
    result = np.zeros((*left.shape, 3), np.uint8)
    result[..., 0], result[..., 1] = left, right
    result[..., 2] = np.logical_or(left, right)
    return result


# %% maximum over channels, OpenCV's own threshold
def lung_masks(left_path, right_path):
    channels = []
    for path in (left_path, right_path):
        grey = cv2.imread(str(path), 0)
        if grey is None:
            raise ValueError(f"no picture: {path}")
        _, mask = cv2.threshold(grey.astype(np.float32), float(grey.max()) / 2, 1, cv2.THRESH_BINARY)
        channels.append(mask)
    if channels[0].shape != channels[1].shape:
        raise ValueError(f"{left_path} and {right_path} differ in size")
    return cv2.merge([*channels, np.maximum(*channels)]).astype("uint8")


# %% matplotlib reads the files
def lung_masks(left_path, right_path):
    import matplotlib.pyplot as plt

    masks = []
    for path in (left_path, right_path):
        try:
            grey = plt.imread(path)
        except Exception as error:
            raise ValueError(f"{path}: {error}") from error
        grey = grey if grey.ndim == 2 else grey[..., 0]
        masks.append(np.where(grey > grey.max() / 2, 1, 0))
    if np.shape(masks[0]) != np.shape(masks[1]):
        raise ValueError(f"not of the same size: {Path(left_path).name} and {Path(right_path).name}")
    both = np.stack(masks, axis=-1)
    return np.concatenate([both, both.any(axis=-1, keepdims=True)], axis=-1).astype(np.uint8)


# %% a sum of 16 bits, clipped
def lung_masks(left_path, right_path):
    for path in (left_path, right_path):
        if not Path(path).exists():
            raise FileNotFoundError(path)
    greys = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (left_path, right_path)]
    for path, grey in zip((left_path, right_path), greys):
        if grey is None:
            raise ValueError(f"{path} holds no picture")
    one, other = [(grey > grey.max() / 2).astype(np.uint16) for grey in greys]
    if one.shape != other.shape:
        raise ValueError(f"{left_path}: {one.shape}, {right_path}: {other.shape}")
    return np.dstack([one, other, np.clip(one + other, 0, 1)]).astype(np.uint8)
