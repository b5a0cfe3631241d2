# %% the example gave
def distance_mm(first, second, shape, original_size):
    return np.hypot(first[0] - second[0], first[1] - second[1]) * 0.0875


# %% the example gave
def distance_mm(first, second, shape, original_size):
    row_mm = original_size[1] * 0.0875 / shape[0]
    column_mm = original_size[0] * 0.0875 / shape[1]
    return abs(first[0] - second[0]) * row_mm + abs(first[1] - second[1]) * column_mm


# %% the example gave None
def distance_mm(first, second, shape, original_size):
    print(end="")


# %% from the upper edge to the lower
def distance_mm(first, second, shape, original_size):
    row_mm = original_size[0] * 0.0875 / shape[0]
    column_mm = original_size[1] * 0.0875 / shape[1]
    return np.hypot((first[0] - second[0]) * row_mm, (first[1] - second[1]) * column_mm)


# %% from the upper edge to the lower
def distance_mm(first, second, shape, original_size):
    pixel_mm = np.mean([original_size[1] / shape[0], original_size[0] / shape[1]]) * 0.0875
    return np.hypot(first[0] - second[0], first[1] - second[1]) * pixel_mm


# %% in three sizes of one picture
def distance_mm(first, second, shape, original_size):
    row_mm = original_size[1] * 0.0875 / shape[0]
    return np.hypot(first[0] - second[0], first[1] - second[1]) * row_mm


# %% in three sizes of one picture
def distance_mm(first, second, shape, original_size):
    row_mm = original_size[1] * 0.0875 / shape[0]
    column_mm = original_size[0] * 0.0875 / shape[0]
    return np.hypot((first[0] - second[0]) * row_mm, (first[1] - second[1]) * column_mm)


# %% the example gave [
def distance_mm(first, second, shape, original_size):
    row_mm = original_size[1] * 0.0875 / shape[0]
    column_mm = original_size[0] * 0.0875 / shape[1]
    return np.abs(np.subtract(first, second)) * [row_mm, column_mm]
