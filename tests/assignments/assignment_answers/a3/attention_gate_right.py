# %% SeparateLayers with keras.ops for the arithmetic
def attention_gate(skip, gate, filters):
    from_skip = layers.Conv2D(filters, 1, strides=2, use_bias=False)
    from_gate = layers.Conv2D(filters, 1)
    last = layers.Conv2D(1, 1)
    small = ops.sigmoid(last(ops.relu(from_skip(skip) + from_gate(gate))))
    large = layers.UpSampling2D(2, interpolation="bilinear")(small)
    return skip * large, large


# %% gate first, the strides by slicing
def attention_gate(skip, gate, filters):
    g = layers.Conv2D(filters, (1, 1))(gate)
    s = layers.Conv2D(filters, (1, 1), use_bias=False)(skip[:, ::2, ::2])
    a = layers.ReLU()(layers.Add()([g, s]))
    a = layers.Activation("sigmoid")(layers.Conv2D(1, (1, 1))(a))
    a = layers.UpSampling2D(size=(2, 2), interpolation="bilinear")(a)
    return layers.Multiply()([a, skip]), a


# %% a dense layer on the channels is a 1 x 1 convolution without strides
def attention_gate(skip, gate, filters):
    class Skip(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(1, 1, shape[-1], filters), name="kernel")

        def call(self, x):
            return ops.conv(x, self.kernel, strides=2)

    summed = layers.add([Skip()(skip), layers.Conv2D(filters, 1, padding="same")(gate)])
    one = layers.Conv2D(1, 1, activation="sigmoid")(layers.Activation("relu")(summed))
    one = layers.UpSampling2D((2, 2), interpolation="bilinear")(one)
    return layers.multiply([skip, one]), one


# %% the coefficients repeated for each channel before they are multiplied
def attention_gate(skip, gate, filters):
    x = layers.Conv2D(filters, 1, strides=(2, 2), use_bias=False, padding="same")(skip)
    x = ops.maximum(x + layers.Conv2D(filters, 1, padding="same")(gate), 0)
    x = layers.Conv2D(1, 1, padding="same", activation=keras.activations.sigmoid)(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    return skip * ops.repeat(x, skip.shape[-1], axis=-1), x
