"""The one spelling in which texts and words are compared."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from operators.vocabulary.wordlist import LONGEST_TEXT, WordList, normalise

LETTERS = st.text(alphabet="ab é\u0301\u0327ﷺＡがか\u3099Ⅷ", max_size=400)


@given(LETTERS)
@example("e\u0301" * 120)
@example("ﷺ" * 400)
def test_a_text_is_composed_as_a_whole_up_to_its_longest(text: str) -> None:
    whole = unicodedata.normalize("NFKC", text)[:LONGEST_TEXT]
    assert normalise(text) == normalise(whole)
    assert len(normalise(text)) <= LONGEST_TEXT


def test_words_are_located_where_they_stand() -> None:
    words = WordList({normalise("shirt dress"): "dress", normalise("shirt"): "shirt"})
    located = words.locate(normalise("Shirt and shirt dress"))
    assert [(found.label, found.start, found.end) for found in located] == [
        ("shirt", 0, 5),
        ("dress", 10, 21),
    ]
