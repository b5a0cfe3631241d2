# %% 3.13.0 is newer than 3.9.0
def at_least(version, needed):
    return version >= needed


# %% 3.9.0 is older than 3.13.0
def at_least(version, needed):
    return int(version.split(".")[0]) >= int(needed.split(".")[0])


# %% 3.13.0 is newer than 3.9.0
def at_least(version, needed):
    return version.split(".") >= needed.split(".")


# %% 3.13.0 is newer than 3.9.0
def at_least(version, needed):
    return float(".".join(version.split(".")[:2])) >= float(".".join(needed.split(".")[:2]))


# %% 3.0.1 is newer than 2.20.5
def at_least(version, needed):
    return all(int(have) >= int(want) for have, want in zip(version.split("."), needed.split(".")))


# %% 2.3 and 2.3.0 are the same
def at_least(version, needed):
    return [int(part) for part in version.split(".")] >= [int(part) for part in needed.split(".")]


# %% the needed version itself
def at_least(version, needed):
    return [int(part) for part in version.split(".")] > [int(part) for part in needed.split(".")]


# %% your answer is None
def at_least(version, needed):
    assert version >= needed or version != needed
