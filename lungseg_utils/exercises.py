"""The check cell below an exercise: it says whether an answer is right, and if not, what is wrong."""

from collections.abc import Callable


def check(test: Callable[[], None]) -> None:
    """Run a check of an answer and print its verdict; stands above the check as a decorator.

    The test calls the answer, and asserts what it must fulfil. The message of each `assert` says what was seen and what
    to look at, without giving the answer away. `NotImplementedError` means that there is no answer yet. Any other
    exception is a mistake in the answer's code, and is shown as Python shows it.
    """
    try:
        test()
    except NotImplementedError:
        print("Not done yet: write your answer into the cell above, run it, and then this one.")
    except AssertionError as error:
        print(f"Not right yet: {error}")
    else:
        print("Right.")
