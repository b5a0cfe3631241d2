"""The check cell below an exercise: it says whether an answer is right, and if not, what is wrong."""

from collections.abc import Callable


def check(test: Callable[[], None]) -> None:
    """Run a check of an answer and print its verdict; stands above the check as a decorator.

    What is neither a failed `assert` nor a forgotten `return` is a mistake in the answer's code, and is raised.
    """
    try:
        test()
    except NotImplementedError:
        print("Not done yet: write your answer into the cell above, run it, and then this one.")
    except (AssertionError, TypeError) as error:
        nothing = any(trace in str(error) for trace in ("None", "(), object", "shape ()"))  # what is seen of None
        if isinstance(error, TypeError) and (not nothing or error.__traceback__.tb_next.tb_next):  # type: ignore
            raise
        print(f"Not right yet: {error}" + " Does your function `return` its answer?" * nothing)
    else:
        print("Right.")
