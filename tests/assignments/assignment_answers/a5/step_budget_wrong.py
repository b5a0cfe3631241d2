# %% fails: 1 | When do you stop? | the number of the batch begins anew with each epoch
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if batch + 1 >= self.budget:
            self.model.stop_training = True


# %% fails: 1 | the optimizer made 7 steps | one step too many
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used > self.budget:
            self.model.stop_training = True


# %% fails: 1 | the optimizer made 6 steps | looks only at the end of an epoch
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1

    def on_epoch_end(self, epoch, logs=None):
        if self.used >= self.budget:
            self.model.stop_training = True


# %% fails: 1 | the optimizer made 24 steps | its own attribute, not the model's
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.stop_training = True


# %% fails: 1 | When do you stop? | stops before a step, which Keras then makes all the same
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_begin(self, batch, logs=None):
        self.used += 1
        if self.used > self.budget:
            self.model.stop_training = True


# %% fails: 1 | the optimizer made 24 steps | an epoch is taken for a step
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")
        self.epochs = 0

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        if self.epochs >= self.budget:
            self.model.stop_training = True


# %% fails: 2 | and used is 0 | written down only when it stops
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.left, self.budget, self.used = budget, budget, 0

    def on_train_begin(self, logs=None):
        if not self.left:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.used = self.budget
            self.model.stop_training = True


# %% fails: 2 | before any training, used is 100 | holds what is allowed, not what was made
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.left, self.used = budget, budget

    def on_train_begin(self, logs=None):
        if not self.left:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.model.stop_training = True


# %% fails: 3, 4 | in two. Who counts? | each call of fit counts anew
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        self.used = 0

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.model.stop_training = True


# %% fails: 3 | when the model was trained before without it | the optimizer's own count
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used = int(self.model.optimizer.iterations)
        if self.used >= self.budget:
            self.model.stop_training = True


# %% fails: 4 | no error, where a ValueError is asked for | no check
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.model.stop_training = True


# %% fails: 4 | the optimizer is at step 7 | the check comes after a step
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used > self.budget:
            raise ValueError("nothing left")
        if self.used == self.budget:
            self.model.stop_training = True


# %% fails: 4 | RuntimeError, where a ValueError is asked for | another error
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise RuntimeError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.model.stop_training = True


# %% fails: 5 | What do you count? | counts validation too
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.model.stop_training = True

    def on_test_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            self.model.stop_training = True


# %% fails: 1, 2, 3, 4, 5 | that is enough | breaks off by an error
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("nothing left")

    def on_train_batch_end(self, batch, logs=None):
        self.used += 1
        if self.used >= self.budget:
            raise RuntimeError("that is enough")
