"""Embeddings without a model: how often a text has each letter."""

import math
from string import ascii_lowercase

DIM = len(ascii_lowercase)
TEXTS = ["a bad cab", "the deaf feed", "high jinks", "lull a llama"]
TAGS = ["cars", "sheep", "games", "sheep"]


def counts(text: str) -> list[int]:
    """Of each letter."""
    return [text.count(letter) for letter in ascii_lowercase]


def dense(text: str) -> list[float]:
    """The counts as a vector of length 1."""
    found = counts(text)
    length = math.sqrt(sum(count**2 for count in found)) or 1.0
    return [count / length for count in found]


def sparse(text: str) -> tuple[list[int], list[float]]:
    """The counts that are not 0: indices and values."""
    found = [(i, float(count)) for i, count in enumerate(counts(text)) if count]
    return [i for i, _ in found], [value for _, value in found]
