# %% in the first step
def adam_moves(gradients, rate):
    m, v, moves = 0, 0, []
    for gradient in gradients:
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        moves.append(-rate * m / np.sqrt(v))
    return np.array(moves)


# %% not downhill
def adam_moves(gradients, rate):
    m, v, moves = 0, 0, []
    for step, gradient in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        moves.append(rate * (m / (1 - 0.9**step)) / np.sqrt(v / (1 - 0.999**step)))
    return np.array(moves)


# %% steady gradient
def adam_moves(gradients, rate):
    m, v, moves = 0, 0, []
    for step, gradient in enumerate(gradients, 1):
        m = (0.9 * m + 0.1 * gradient) / (1 - 0.9**step)
        v = (0.999 * v + 0.001 * gradient**2) / (1 - 0.999**step)
        moves.append(-rate * m / np.sqrt(v))
    return np.array(moves)


# %% steady gradient
def adam_moves(gradients, rate):
    m, v, moves = 0, 0, []
    for gradient in gradients:
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        moves.append(-rate * (m / 0.1) / np.sqrt(v / 0.001))
    return np.array(moves)


# %% with changing gradients
def adam_moves(gradients, rate):
    m, v, moves = 0, 0, []
    for step, gradient in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.9 * v + 0.1 * gradient**2
        moves.append(-rate * (m / (1 - 0.9**step)) / np.sqrt(v / (1 - 0.9**step)))
    return np.array(moves)


# %% with changing gradients
def adam_moves(gradients, rate):
    return -rate * np.sign(gradients)


# %% in the first step
def adam_moves(gradients, rate):
    m, v, moves = 0, 0, []
    for step, gradient in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * np.mean(gradient**2)
        moves.append(-rate * (m / (1 - 0.9**step)) / np.sqrt(v / (1 - 0.999**step)))
    return np.array(moves)


# %% moves of shape
def adam_moves(gradients, rate):
    m, v = 0, 0
    for gradient in gradients:
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
    return -rate * (m / (1 - 0.9 ** len(gradients))) / np.sqrt(v / (1 - 0.999 ** len(gradients)))
