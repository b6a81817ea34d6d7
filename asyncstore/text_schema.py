"""What an index of text makes of texts, checked and in the core's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.members import text_of
from asyncstore.models import StopwordsSet, TextIndexParams, TokenizerType

if TYPE_CHECKING:
    from asyncstore.engine import NativeText

_LEN_MAX = 2**32 - 1  # stands for no limit
_PREFIX_LEN_MAX = 128  # the core's k_prefix_len_max
_CUSTOM_STOPWORDS_MAX = 10_000


def native_text(params: TextIndexParams) -> NativeText:
    """The core's form of parameters whose types and bounds are right.

    Raises:
        InvalidArgumentError: Lengths contradict each other, or there are no stop words of a
            language.
        UnsupportedError: Stop words of a language are wanted, and their package is not there.
    """
    tokenizer = params.tokenizer or TokenizerType.WORD
    least = params.min_token_len or 0
    most = params.max_token_len
    if tokenizer is TokenizerType.PREFIX:
        if most is not None and most > _PREFIX_LEN_MAX:
            limit = f"must be {_PREFIX_LEN_MAX} or smaller with the tokenizer prefix"
            raise OutOfBoundsError(("field_schema.max_token_len", f"value {most} invalid, {limit}"))
        most = _PREFIX_LEN_MAX if most is None else most
    if most is not None and least > most:
        limit = f"must be {most} or smaller, as no token may be longer"
        raise OutOfBoundsError(("field_schema.min_token_len", f"value {least} invalid, {limit}"))
    return (
        tokenizer.value,
        least,
        _LEN_MAX if most is None else most,
        params.lowercase is not False,
        params.ascii_folding is True,
        params.stemmer.language if params.stemmer else "",
        _stopwords(params.stopwords),
    )


def _stopwords(given: str | StopwordsSet | None) -> list[str]:
    """All of them, each once."""
    if given is None:
        return []
    if isinstance(given, str):
        return sorted(_words_of(given, "field_schema.stopwords"))
    custom = given.custom or []
    if len(custom) > _CUSTOM_STOPWORDS_MAX:
        raise InvalidArgumentError(
            f"field_schema.stopwords.custom: {len(custom)} words, must be "
            f"{_CUSTOM_STOPWORDS_MAX} at most"
        )
    words = {
        text_of(word, f"field_schema.stopwords.custom[{index}]")
        for index, word in enumerate(custom)
    }
    for index, language in enumerate(given.languages or []):
        words |= _words_of(language, f"field_schema.stopwords.languages[{index}]")
    return sorted(words)


def _words_of(language: str, path: str) -> set[str]:
    """The stop words of a language."""
    try:
        import stop_words
    except ImportError as error:
        raise UnsupportedError(
            f"{path}: stop words of a language need the package stop-words "
            "(pip install 'asyncstore[text]'); stopwords.custom needs none"
        ) from error
    if language not in stop_words.AVAILABLE_LANGUAGES:
        known = ", ".join(sorted(stop_words.AVAILABLE_LANGUAGES))
        raise InvalidArgumentError(f"{path}: must be one of {known}, got {language!r}")
    return set(stop_words.get_stop_words(language))
