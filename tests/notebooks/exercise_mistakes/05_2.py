# %% the net got (40, 56) px, and (40, 48) px are enough
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    below, right = 2**depth - height % 2**depth, 2**depth - width % 2**depth
    filled = np.pad(pictures, ((0, 0), (0, below), (0, right), (0, 0)))
    return net(filled)[:, :height, :width]


# %% the answer is (2, 37, 0, 2)
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    below, right = -height % 2**depth, -width % 2**depth
    filled = np.pad(pictures, ((0, 0), (0, below), (0, right), (0, 0)))
    return net(filled)[:, :-below, :-right]


# %% the answer is (2, 40, 48, 2)
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    below, right = -height % 2**depth, -width % 2**depth
    return net(np.pad(pictures, ((0, 0), (0, below), (0, right), (0, 0))))


# %% not in their own places
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    above, left = -height % 2**depth, -width % 2**depth
    filled = np.pad(pictures, ((0, 0), (above, 0), (left, 0), (0, 0)))
    return net(filled)[:, :height, :width]


# %% not in their own places
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    size = [side + -side % 2**depth for side in (height, width)]
    return tf.image.resize(net(tf.image.resize(pictures, size)), (height, width))


# %% not to be halved 4 times
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    below, right = -height % 8, -width % 8
    filled = np.pad(pictures, ((0, 0), (0, below), (0, right), (0, 0)))
    return net(filled)[:, :height, :width]


# %% the net got (48, 48) px, and (40, 48) px are enough
def answer_any_size(net, pictures, depth):
    height, width = pictures.shape[1:3]
    side = max(height, width)
    side += -side % 2**depth
    filled = np.pad(pictures, ((0, 0), (0, side - height), (0, side - width), (0, 0)))
    return net(filled)[:, :height, :width]


# %% not to be halved 3 times
def answer_any_size(net, pictures, depth):
    return net(pictures)
