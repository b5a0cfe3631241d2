# %% fails: 1, 5 | Which steps, with which share? | from the first step
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if (self.step - 1) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1, 3, 4 | has the weights of its last step | keeps the variables themselves, no copies
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step, self.count, self.kept = 0, 0, []

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.kept.append(self.model.weights)

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([np.mean([each.numpy() for each in same], axis=0) for same in zip(*self.kept)])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 2 | Which weights of the model do you take? | only those that are trained
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.trainable_weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new.numpy() for total, new in zip(self.total, self.model.trainable_weights)]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            for variable, total in zip(self.model.trainable_weights, self.total):
                variable.assign(total / self.count)

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1 | with which share? | a mean that forgets, EMA
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            pairs = zip(self.total, self.model.get_weights())
            self.total = [0.9 * total + 0.1 * new if self.count > 1 else new for total, new in pairs]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1 | with which share? | the last one counts half
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            pairs = zip(self.total, self.model.get_weights())
            self.total = [(total + new) / 2 if self.count > 1 else new for total, new in pairs]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1 | Which steps | one step late
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step > self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1 | Which steps | multiples of every, not counted from start
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and self.step % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1 | count is 2 | the number of the batch begins anew with each epoch
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step = batch + 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1 | with which share? | divided by all steps
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / (self.step - self.start + 1) for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 1, 3, 4 | slope after each step should be | the mean goes in after each epoch
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_epoch_end(self, epoch, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 5 | the weights should be left alone | zeros go in when there is no mean
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        self.model.set_weights([total / max(self.count, 1) for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 5 | in a second fit | the second fit goes on with the first one's sum
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every
        self.step, self.count, self.total = 0, 0, None

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            new = self.model.get_weights()
            self.total = [a + b for a, b in zip(self.total, new)] if self.total else new

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 4 | restore() makes | the last weights are read after the mean went in
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])
        self.last = self.model.get_weights()

    def restore(self):
        self.model.set_weights(self.last)


# %% fails: 4 | restore() makes | keeps the variables, not their values
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        for variable, value in zip(self.model.weights, self.kept):
            variable.assign(value)

    @property
    def kept(self):
        return self.model.weights


# %% fails: 4 | restore() makes | only the trained ones come back
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = [each.numpy() for each in self.model.trainable_weights]
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

    def restore(self):
        for variable, value in zip(self.model.trainable_weights, self.last):
            variable.assign(value)


# %% fails: 4 | restore | there is no such method
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape) for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [total + new for total, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([total / self.count for total in self.total])

# %% fails: 1 | weights around 1000 | the sum is kept in half precision
class MeanWeights(keras.callbacks.Callback):
    def __init__(self, start, every=1):
        super().__init__()
        self.start, self.every = start, every

    def on_train_begin(self, logs=None):
        self.step = self.count = 0
        self.total = [np.zeros(each.shape, "float16") for each in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.start and (self.step - self.start) % self.every == 0:
            self.count += 1
            self.total = [one + new.astype("float16") for one, new in zip(self.total, self.model.get_weights())]

    def on_train_end(self, logs=None):
        self.last = self.model.get_weights()
        if self.count:
            self.model.set_weights([each.astype("float32") / self.count for each in self.total])

    def restore(self):
        self.model.set_weights(self.last)
