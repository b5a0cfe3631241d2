# %% counts down, and `used` is a property
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget = self.left = budget

    @property
    def used(self):
        return self.budget - self.left

    def on_train_begin(self, logs=None):
        if self.left <= 0:
            raise ValueError("the budget is used up")

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        self.model.stop_training = self.left <= 0


# %% the optimizer's count, from where it stood when fit began
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = budget, 0

    def on_train_begin(self, logs=None):
        if self.used >= self.budget:
            raise ValueError("the budget is used up")
        self.zero = int(self.model.optimizer.iterations) - self.used

    def on_train_batch_end(self, batch, logs=None):
        self.used = int(self.model.optimizer.iterations) - self.zero
        if self.used >= self.budget:
            self.model.stop_training = True


# %% refuses at the first batch, where no step is made yet; NumPy integers; asks at the end of the epoch again
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        super().__init__()
        self.budget, self.used = np.int64(budget), np.int64(0)

    def on_train_batch_begin(self, batch, logs=None):
        if self.used >= self.budget:
            raise ValueError("the budget is used up")

    def on_train_batch_end(self, batch, logs=None):
        self.used = self.used + 1
        self.stop_if_used_up()

    def on_epoch_end(self, epoch, logs=None):
        self.stop_if_used_up()

    def stop_if_used_up(self):
        if self.used == self.budget:
            self.model.stop_training = True


# %% no super, a list of steps
class StepBudget(keras.callbacks.Callback):
    def __init__(self, budget):
        self.budget, self.steps = range(budget), []

    used = property(lambda self: len(self.steps))

    def on_epoch_begin(self, epoch, logs=None):
        if self.used not in self.budget:
            raise ValueError(f"{self.used} steps are used up")

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch)
        if self.used not in self.budget:
            self.model.stop_training = True
