# %% a layer alone sees what its kernel covers
def field_of(stack):
    field, step = 1, 1
    for kernel, stride in stack:
        step *= stride
        field += (kernel - 1) * step
    return field


# %% a layer alone sees what its kernel covers
def field_of(stack):
    field, step = 1, 1
    for kernel, stride in stack:
        field += kernel * step
        step *= stride
    return field


# %% each layer adds
def field_of(stack):
    field = 1
    for kernel, _ in stack:
        field = max(field, kernel)
    return field


# %% a stride matters to the layers after it
def field_of(stack):
    return 1 + sum(kernel - 1 for kernel, stride in stack)


# %% strides act together
def field_of(stack):
    field, step = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * step
        step = stride
    return field


# %% strides act together
def field_of(stack):
    field, step = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * step
        step += stride - 1
    return field


# %% the answer is None
def field_of(stack):
    field = 1
    for kernel, _ in stack:
        field += kernel - 1
