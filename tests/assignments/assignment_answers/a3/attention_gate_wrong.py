# %% fails: 1, 2 | parameters, by hand 41 | a bias on both convolutions
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 1, 2, 3 | the two results have the shapes | one coefficient per channel
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(skip.shape[-1], 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 2, 3 | a skip of 0.0 everywhere | softmax over the channels
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Softmax(axis=-1)(layers.Conv2D(1, 1)(asked))
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 2, 3 | where the gate says | the gate is left out
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(layers.AveragePooling2D(1)(gate * 0))])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 2 | a skip of -0.1 everywhere | no ReLU
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 2 | enlarging | enlarged by repetition
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2)(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 4 | is not the skip connection times the coefficients | the coefficients are added
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Add()([skip, coefficients]), coefficients


# %% fails: 2, 3 | where the gate says yes | a product instead of a sum
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Multiply()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 1, 2, 3, 4 | shape | not enlarged
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(1)(coefficients)
    return layers.Multiply()([layers.AveragePooling2D(2)(skip), coefficients]), coefficients


# %% fails: 2, 4 | coefficients go from | no sigmoid
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, strides=2, use_bias=False)(skip)
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1)(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients


# %% fails: 2 | In which order | the skip is averaged, not stepped over
def attention_gate(skip, gate, filters):
    """The skip connection multiplied by coefficients from 0 to 1, and these coefficients."""
    asked = layers.Conv2D(filters, 1, use_bias=False)(layers.AveragePooling2D(2)(skip))
    asked = layers.Add()([asked, layers.Conv2D(filters, 1)(gate)])
    asked = layers.Activation("relu")(asked)
    coefficients = layers.Conv2D(1, 1, activation="sigmoid")(asked)
    coefficients = layers.UpSampling2D(2, interpolation="bilinear")(coefficients)
    return layers.Multiply()([skip, coefficients]), coefficients
