# %% fails: 1, 2 | by hand (4, 5, 5) | rounded down
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = height // strides, width // strides
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 1, 4 | by hand | the bias always counts
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * (step["bias"] or step["kind"] == "conv")
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 3 | by hand (8, 10, 3) | a transposed one counted on its result
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * height * width
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 2 | by hand (8, 8, 6) | depthwise counted as a usual one
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * filters
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 4 | What is trained? | moving averages counted
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 4 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 4 | Rounded up or down? | pools rounded up
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = -(-height // step["size"]), -(-width // step["size"])
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 4 | by hand (9, 12, 4), 8, 0 | every layer starts from the picture
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            out = filters
        table.append(((height, width, out if "strides" in step else channels), parameters, multiply_adds))
    return table


# %% fails: 1, 2, 3, 4 | by hand | multiply-adds with the bias
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = (weights + filters * step["bias"]) * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 1, 2 | by hand (4, 5, 5), 10, 200 | counted on what goes in
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters = 2 * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * before
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table


# %% fails: 4 | by hand (9, 12, 4), 8, 0 | normalisation counted as a multiply-add
def layer_table(shape, steps):
    """Shape, trained parameters and multiply-adds of each step."""
    table = []
    height, width, channels = shape
    for step in steps:
        parameters = multiply_adds = 0
        before = height * width
        if step["kind"] == "pool":
            height, width = height // step["size"], width // step["size"]
        elif step["kind"] == "norm":
            parameters, multiply_adds = 2 * channels, before * channels
        else:
            strides, area = step["strides"], step["kernel"] ** 2
            if step["kind"] == "transposed":
                height, width = height * strides, width * strides
            else:
                height, width = -(-height // strides), -(-width // strides)
            filters = step.get("filters", channels)
            weights = area * channels * (1 if step["kind"] == "depthwise" else filters)
            parameters = weights + filters * step["bias"]
            multiply_adds = weights * (before if step["kind"] == "transposed" else height * width)
            channels = filters
        table.append(((height, width, channels), parameters, multiply_adds))
    return table
