"""Refusals speak Korean and English; codes are the same in both."""

import re

import pytest

from exchange.api.errors import STATUS, DoorCode, Problem
from exchange.api.languages import KOREAN, language_of
from exchange.api.problems import problem_document
from tests.exchange.conftest import Venue

HANGUL = re.compile("[가-힣]")


def test_every_code_has_a_title_and_a_sentence_in_korean() -> None:
    assert set(KOREAN) == {str(code) for code in STATUS}
    for code, message in KOREAN.items():
        assert HANGUL.search(message.title) and HANGUL.search(message.detail), code
    assert len({message.title for message in KOREAN.values()}) == len(KOREAN)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("KO-kr", "ko"),
        ("en;q=0.9, ko;q=0.8", "en"),
        ("ja, ko;q=0.5", "ko"),
        ("ja", "en"),
        ("*", "en"),
        ("ko;q=0", "en"),
        ("ko;q=nonsense", "en"),
        ("," * 5_000, "en"),
    ],
)
def test_language_is_the_one_that_is_liked_best(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_document_carries_the_particulars_in_both_languages() -> None:
    problem = Problem(DoorCode.FIELD_INVALID, "quantity: expected `str`")
    english, korean = problem_document(problem), problem_document(problem, "ko")
    assert (english.title, english.detail) == ("Field invalid", "quantity: expected `str`")
    assert korean.title == "필드 값이 올바르지 않습니다"
    assert korean.detail.endswith("(quantity: expected `str`)")
    assert korean.code == english.code


@pytest.mark.parametrize("target", ["/v1/orders", "/v1/nothing", "/v1/markets/NONE"])
def test_refusal_is_in_the_language_that_was_asked_for(venue: Venue, target: str) -> None:
    english = venue.send("GET", target)
    korean = venue.send("GET", target, headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"})
    assert (korean.status, korean.code) == (english.status, english.code)
    assert HANGUL.search(korean.json["title"]) and not HANGUL.search(english.json["title"])
    assert (english.headers["content-language"], korean.headers["content-language"]) == ("en", "ko")
    assert korean.headers["vary"] == "Accept-Language"
