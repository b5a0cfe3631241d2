# %% a list of copies, and NumPy's mean
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step, self.kept = 0, []

    @property
    def count(self):
        return len(self.kept)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step in range(self.start, self.step + 1, self.every):
            self.kept.append(self.model.get_weights())

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.kept:
            self.model.set_weights([np.mean(same, axis=0) for same in zip(*self.kept)])

    def restore(self):
        self.model.set_weights(self.last)


# %% TensorFlow tensors, variable by variable
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.next, self.step, self.count = self.start, 0, 0
        self.mean = [tf.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step == self.next:
            self.next += self.every
            self.count += 1
            share = 1 / self.count
            self.mean = [(1 - share) * old + share * tf.identity(tf.convert_to_tensor(each))
                         for old, each in zip(self.mean, self.model.weights)]

    def on_train_end(self, logs=None):
        self.last = [tf.identity(tf.convert_to_tensor(each)) for each in self.model.weights]
        if self.count > 0:
            for variable, mean in zip(self.model.weights, self.mean):
                variable.assign(mean)

    def restore(self):
        for variable, value in zip(self.model.weights, self.last):
            variable.assign(value)


# %% the weights are read when the next step begins, and the last ones at the end
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.first, self.every = start, every

    def on_train_begin(self, logs=None):
        self.made, self.count, self.total = 0, 0, 0

    def look(self):
        late = self.made - self.first
        if late >= 0 and late % self.every == 0:
            flat = np.concatenate([each.ravel() for each in self.model.get_weights()], dtype="float64")
            self.total, self.count = self.total + flat, self.count + 1

    def on_train_batch_begin(self, batch, logs=None):
        self.look()
        self.made += 1

    def on_train_end(self, logs=None):
        self.look()
        self.last = self.model.get_weights()
        if self.count:
            mean, shapes = self.total / self.count, [each.shape for each in self.last]
            ends = np.cumsum([each.size for each in self.last])[:-1]
            self.model.set_weights([part.reshape(shape) for part, shape in zip(np.split(mean, ends), shapes)])

    def restore(self):
        self.model.set_weights(self.last)


# %% in place, and deep copies
import copy


class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every, self.count = start, every, 0

    def on_train_begin(self, logs=None):
        self.wait, self.count, self.total = self.start, 0, None

    def on_train_batch_end(self, batch, logs=None):
        self.wait -= 1
        if self.wait:
            return
        self.wait = self.every
        self.count += 1
        now = copy.deepcopy([np.asarray(each, "float64") for each in self.model.get_weights()])
        if self.total is None:
            self.total = now
        else:
            for total, new in zip(self.total, now):
                total += new

    def on_train_end(self, logs=None):
        self.last = copy.deepcopy(self.model.get_weights())
        if self.total is not None:
            self.model.set_weights([each / self.count for each in self.total])

    def restore(self):
        self.model.set_weights(copy.deepcopy(self.last))
