"""What an index of text makes of texts, written from what is said of it, with nothing of its code.

Without stemmers: those of Snowball are not written a second time here.
"""

import functools
import unicodedata
from dataclasses import dataclass

from asyncstore import models as m


@dataclass(frozen=True)
class TextRules:
    """Some of what TextIndexParams say."""

    tokenizer: str = "word"
    min_token_len: int = 0
    max_token_len: int = 10**9
    lowercase: bool = True
    stopwords: tuple = ()

    @property
    def schema(self):
        """What create_payload_index() is given for them."""
        return {
            "type": "text",
            "tokenizer": self.tokenizer,
            "min_token_len": self.min_token_len,
            **({} if self.max_token_len == 10**9 else {"max_token_len": self.max_token_len}),
            "lowercase": self.lowercase,
            "stopwords": {"custom": list(self.stopwords)},
        }

    @functools.cache  # noqa: B019, the rules live as long as the module
    def words(self, text):
        """What is left of the words of a text, in order."""
        return [
            word
            for word in map(self._cased, self._split(text))
            if word not in map(self._cased, self.stopwords)
            and len(word) >= self.min_token_len
            and (self.tokenizer == "prefix" or len(word) <= self.max_token_len)
        ]

    def holds(self, match, strings):
        """Whether the strings together have what is looked for."""
        held = [word for text in strings for word in self.words(text)]
        match match:
            case m.MatchText(text=text):
                wanted = self.words(text)
                return bool(wanted) and all(self._is_in(word, held) for word in wanted)
            case m.MatchTextAny(text_any=text):
                return any(self._is_in(word, held) for word in self.words(text))
            case m.MatchPhrase(phrase=text):
                wanted = self.words(text)
                return bool(wanted) and any(
                    all(map(self._is_same, wanted, held[start:]))
                    for start in range(len(held) - len(wanted) + 1)
                )
        raise NotImplementedError(match)

    def _is_in(self, word, held):
        return any(self._is_same(word, other) for other in held)

    def _is_same(self, word, held):
        if self.tokenizer != "prefix":
            return word == held
        return held[: self.max_token_len].startswith(word[: self.max_token_len])

    def _cased(self, word):
        return word.lower() if self.lowercase else word

    def _split(self, text):
        if self.tokenizer == "whitespace":
            return text.split()
        words = [""]
        for character in text:
            is_mark = unicodedata.category(character) in ("Mn", "Mc")
            if character.isalnum() or (is_mark and words[-1]):
                words[-1] += character
            else:
                words.append("")
        return [word for word in words if word]
