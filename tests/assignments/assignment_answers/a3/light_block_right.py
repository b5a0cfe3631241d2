# %% separable convolutions
def light_block(x, filters):
    def separable(z):
        z = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(z)
        return layers.BatchNormalization(momentum=0.9)(z)

    path = separable(layers.ReLU()(separable(x)))
    if x.shape[-1] == filters:
        side = x
    else:
        side = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.ReLU()(path + side)


# %% sums and ReLU of keras.ops, the shortcut last
def light_block(x, filters):
    y = x
    y = layers.DepthwiseConv2D((3, 3), padding="same", use_bias=False)(y)
    y = layers.Conv2D(filters, (1, 1), use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9)(y)
    y = ops.relu(y)
    y = layers.DepthwiseConv2D((3, 3), padding="same", use_bias=False)(y)
    y = layers.Conv2D(filters, (1, 1), use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9)(y)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, (1, 1), use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
    return ops.relu(x + y)


# %% a grouped convolution is a depthwise one; explicit padding
def light_block(x, filters):
    def depthwise(z):
        return layers.DepthwiseConv2D(3, use_bias=False)(layers.ZeroPadding2D(1)(z))

    steps = [depthwise, layers.Conv2D(filters, 1, use_bias=False), layers.BatchNormalization(momentum=0.9)]
    steps += [layers.Activation("relu"), depthwise, layers.Conv2D(filters, 1, use_bias=False)]
    steps += [layers.BatchNormalization(momentum=0.9)]
    result = x
    for step in steps:
        result = step(result)
    shortcut = x
    if int(x.shape[-1]) != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(shortcut)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    return layers.Activation("relu")(layers.Add()([shortcut, result]))


# %% a nested model
def light_block(x, filters):
    channels = x.shape[-1]
    inner = keras.Sequential(
        [
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.Conv2D(filters, 1, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.Conv2D(filters, 1, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
        ]
    )
    outer = (
        keras.Sequential([layers.Conv2D(filters, 1, use_bias=False), layers.BatchNormalization(momentum=0.9)])
        if channels != filters
        else (lambda z: z)
    )
    return layers.ReLU()(layers.Add()([inner(x), outer(x)]))
