# %% Keras builds each layer and is asked
def layer_table(shape, steps):
    rows, x = [], keras.Input(tuple(shape))
    for one in steps:
        kind, before = one["kind"], x.shape
        if kind == "pool":
            layer = layers.MaxPooling2D(one["size"])
        elif kind == "norm":
            layer = layers.BatchNormalization()
        else:
            numbers = dict(strides=one["strides"], use_bias=one["bias"], padding="same")
            if kind == "depthwise":
                layer = layers.DepthwiseConv2D(one["kernel"], **numbers)
            else:
                made = layers.Conv2D if kind == "conv" else layers.Conv2DTranspose
                layer = made(one["filters"], one["kernel"], **numbers)
        x = layer(x)
        count = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
        work = 0
        if hasattr(layer, "kernel"):
            place = before if kind == "transposed" else x.shape
            work = int(np.prod(layer.kernel.shape)) * place[1] * place[2]
        rows.append((tuple(x.shape[1:]), count, work))
    return rows


# %% a function for each kind
def layer_table(shape, steps):
    from math import ceil

    def conv(h, w, c, s):
        h, w = ceil(h / s["strides"]), ceil(w / s["strides"])
        k = s["kernel"] ** 2 * c * s["filters"]
        return (h, w, s["filters"]), k + (s["filters"] if s["bias"] else 0), k * h * w

    def depthwise(h, w, c, s):
        h, w = ceil(h / s["strides"]), ceil(w / s["strides"])
        k = s["kernel"] ** 2 * c
        return (h, w, c), k + (c if s["bias"] else 0), k * h * w

    def transposed(h, w, c, s):
        k = s["kernel"] ** 2 * c * s["filters"]
        new = (h * s["strides"], w * s["strides"], s["filters"])
        return new, k + (s["filters"] if s["bias"] else 0), k * h * w

    def pool(h, w, c, s):
        return (int(h / s["size"]), int(w / s["size"]), c), 0, 0

    def norm(h, w, c, s):
        return (h, w, c), c + c, 0

    kinds = dict(conv=conv, depthwise=depthwise, transposed=transposed, pool=pool, norm=norm)
    table = []
    for s in steps:
        table.append(kinds[s["kind"]](*shape, s))
        shape = table[-1][0]
    return table


# %% match, and NumPy numbers
def layer_table(shape, steps):
    size, channels = np.array(shape[:2]), shape[2]
    rows = []
    for s in steps:
        match s["kind"]:
            case "norm":
                row = [tuple(size) + (channels,), np.int64(2 * channels), 0]
            case "pool":
                size = size // s["size"]
                row = [tuple(size) + (channels,), 0, 0]
            case "transposed":
                weights = s["kernel"] ** 2 * channels * s["filters"]
                work = weights * np.prod(size)
                size, channels = size * s["strides"], s["filters"]
                row = [tuple(size) + (channels,), weights + s["bias"] * channels, work]
            case kind:
                size = (size + s["strides"] - 1) // s["strides"]
                weights = s["kernel"] ** 2 * channels
                if kind == "conv":
                    weights, channels = weights * s["filters"], s["filters"]
                row = [tuple(size) + (channels,), weights + s["bias"] * channels, weights * np.prod(size)]
        rows.append(tuple(row))
    return rows


# %% recursion
def layer_table(shape, steps):
    if not steps:
        return []
    s, (h, w, c) = steps[0], shape
    kernel, filters = s.get("kernel", 0) ** 2, s.get("filters", c)
    up = s["strides"] if s["kind"] == "transposed" else 1
    down = s.get("size", s.get("strides", 1)) if up == 1 and s["kind"] != "transposed" else 1
    round_up = (down - 1) if s["kind"] in ("conv", "depthwise") else 0
    new = ((h + round_up) // down * up, (w + round_up) // down * up, filters)
    weights = kernel * filters * (1 if s["kind"] == "depthwise" else c)
    trained = 2 * c if s["kind"] == "norm" else weights + (filters if s.get("bias") else 0)
    work = weights * (h * w if s["kind"] == "transposed" else new[0] * new[1])
    return [(new, trained, work)] + layer_table(new, steps[1:])
