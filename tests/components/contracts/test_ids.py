"""What an id is, and what means nobody."""

import pytest

from components.contracts.ids import id_of, id_text, nobody_words


@pytest.mark.parametrize(
    "blank",
    ["\t", "\r\n", "\v", "\0", "\x1f", "\x85", "\xa0", "\u2003", "\u200b", "\u200f", "\u2060", "\ufeff", "\u3000"],
)
def test_blanks_at_the_ends_are_no_part_of_an_id(blank: str) -> None:
    assert id_of(f"{blank}A 1{blank}") == "A 1"


@pytest.mark.parametrize(
    "word", ["", " ", "NULL", "None", "NaN", "undefined", r"\N", "NA", "(null)", "#N/A", "-", "\ufeffnull\n"]
)
def test_the_usual_words_mean_nobody(word: str) -> None:
    assert id_of(word) is None


@pytest.mark.parametrize("text", ["0", "guest", "Nina", "n-a", "007", "1e5", "İ"])
def test_other_texts_are_ids(text: str) -> None:
    assert id_of(text) == text


def test_a_shop_adds_words_of_its_own() -> None:
    words = nobody_words(["0", " Guest "])

    assert [id_of(text, words) for text in ("0.0", "GUEST", "guest1")] == [None, None, "guest1"]


def test_a_shops_own_words_are_known_in_capital_letters_too() -> None:
    words = nobody_words(["étranger"])

    assert [id_of(text, words) for text in ("ÉTRANGER", "Étranger", "étrangère")] == [None, None, "étrangère"]


def test_whole_numbers_lose_a_fraction_of_zeros() -> None:
    assert [id_text(text) for text in ("17850.0", "+5.00", "v1.0", "1.50")] == ["17850", "+5", "v1.0", "1.50"]
