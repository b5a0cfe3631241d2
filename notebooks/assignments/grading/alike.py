"""Answers of different students that are alike: fingerprints of their words, compared on this machine.

Winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003).
Names, numbers, texts and comments do not count, so that an answer whose variables were renamed is still the same.
"""

import io
import keyword
import tokenize
import zlib
from itertools import combinations

RUN, WINDOW = 8, 4  # words of a fingerprint, and of how many neighbours one is kept
SHOWN = 0.6  # share of common fingerprints from which a pair is shown


def words(source: str) -> list[str]:
    """The words of a cell, with one letter for any name, number or text."""
    kinds = {tokenize.NUMBER: "0", tokenize.STRING: '"', tokenize.OP: None, tokenize.NAME: "n"}
    found = []
    try:
        for word in tokenize.generate_tokens(io.StringIO(source).readline):
            if word.type in kinds:
                plain = word.type == tokenize.OP or keyword.iskeyword(word.string)
                found.append(word.string if plain else kinds[word.type] or "")
    except (SyntaxError, tokenize.TokenError):
        pass  # what was read until then is compared
    return found


def fingerprints(source: str) -> set[int]:
    """Numbers that stand for runs of words; of neighbours, the smallest is kept."""
    listed = words(source)
    runs = [zlib.crc32(" ".join(listed[at : at + RUN]).encode()) for at in range(len(listed) - RUN + 1)]
    return {min(runs[at : at + WINDOW]) for at in range(max(1, len(runs) - WINDOW + 1))} if runs else set()


def pairs(answers: dict[str, str], given: str) -> list[tuple[str, str, float]]:
    """Pairs of students whose answers to a part are alike, the most alike first, with the share that is common.

    Args:
        answers: by student.
        given: what everybody had; it does not count.
    """
    common = fingerprints(given)
    prints = {student: fingerprints(source) - common for student, source in answers.items()}
    found = []
    for (one, a), (other, b) in combinations(prints.items(), 2):
        share = len(a & b) / min(len(a), len(b)) if min(len(a), len(b)) >= 5 else 0
        if share >= SHOWN:
            found.append((one, other, share))
    return sorted(found, key=lambda pair: -pair[2])
