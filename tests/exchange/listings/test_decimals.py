"""Decimal strings: exactly those that are plain, to exactly the integers they say."""

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.api.errors import Problem
from exchange.listings.decimals import decimal_format, decimal_parse, decimal_places
from exchange.listings.terms import Step

PLAIN = re.compile(r"(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?\Z", re.ASCII)


@given(st.integers(0, 10**19 - 1), st.integers(0, 18))
def test_decimal_is_what_was_formatted_when_it_is_parsed(value: int, places: int) -> None:
    assert decimal_parse(decimal_format(value, places), places) == value


@given(st.one_of(st.text(max_size=45), st.from_regex(PLAIN)), st.integers(0, 18))
@example("1\n", 2)
@example("1.10", 1)
@example("١", 2)
def test_decimal_is_refused_unless_it_is_plain_and_short_enough(text: str, places: int) -> None:
    parsed = decimal_parse(text, places)
    if not PLAIN.match(text) or len(text.partition(".")[2]) > places:
        assert parsed is None
    else:
        assert parsed is not None
        assert Decimal(parsed).scaleb(-places) == Decimal(text)


@given(st.integers(1, 10**9), st.integers(0, 6), st.integers(1, 10**6))
def test_step_gives_back_its_steps_and_refuses_what_lies_between(
    size: int, places: int, steps: int
) -> None:
    step = Step(size, places)
    assert step.parse(step.format(steps)) == steps
    between = decimal_format(steps * size + 1, places)
    assert step.parse(between) is None or size == 1


@pytest.mark.parametrize(
    ("step", "places"), [("10", 0), ("0.01", 2), ("0.100", 1), ("1E+2", 0), ("1", 0)]
)
def test_places_are_those_that_multiples_need(step: str, places: int) -> None:
    assert decimal_places(Decimal(step)) == places


def test_negative_amounts_are_shown_with_their_sign() -> None:
    assert [decimal_format(value, 4) for value in (-1, -10_000, 0)] == [
        "-0.0001",
        "-1.0000",
        "0.0000",
    ]


def test_problem_names_its_code() -> None:
    from matching.protocol.refusals import Refusal

    assert str(Problem(Refusal.PRICE_INVALID, "why")) == "price_invalid: why"
