# %% fails: 2, 3, 5 | Which mode? | batch normalisation left in training mode
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x, training=True)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 2 | of the old average is left | Keras' momentum of 0.99
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 2, 5 | 2 batch normalisations are asked for | layer normalisation
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.LayerNormalization()(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 1 | trained parameters, by hand 204 | biases before batch normalisation
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 1, 2, 3, 4, 5 | trained parameters | always a convolution on the shortcut
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if True:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 1, 3, 4, 5 | Where does x go? | no shortcut
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(x)


# %% fails: 4, 5 | Which ReLUs are there? | a ReLU before the sum
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number < 2:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 3, 4, 5 | Where does x go? | no ReLU after the sum
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Add()([x, shortcut])


# %% fails: 5 | Which layers stand in which order? | no ReLU in between
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 2:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 1, 5 | trained parameters | usual convolutions
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
        shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
    for number in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))


# %% fails: 1 | trained parameters | no batch normalisation on the shortcut
def light_block(x, filters):
    """Two depthwise separable convolutions with batch normalisation, and a shortcut around them."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, use_bias=False)(x)
    for number in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        if number == 0:
            x = layers.Activation("relu")(x)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))
