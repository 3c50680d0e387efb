"""The signed spelling of JSON, and what is refused before it is signed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.canonical import canonical_json, json_parse
from compliance.errors import Invalid

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_canonical_json_reads_back_equal(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_is_independent_of_key_order() -> None:
    assert canonical_json({"b": 1, "a": "ü"}) == canonical_json({"a": "ü", "b": 1})
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()


@pytest.mark.parametrize("value", [1.0, float("nan"), {"a": 1e3}, [b"x"], {1: 2}, "a\0b", "\ud800"])
def test_canonical_json_refuses_what_has_no_one_spelling(value: Any) -> None:
    with pytest.raises(Invalid):
        canonical_json(value)


def test_json_parse_counts_no_brackets_inside_strings() -> None:
    text = '{"a": "[[[[[[[[[[[[[[[[[[[[{{{{", "b\\"[": [{"c": "\\\\"}]}'
    assert json_parse(text) == {"a": "[" * 20 + "{{{{", 'b"[': [{"c": "\\"}]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{",
        '{"a": 1, "a": 1}',
        '{"a": 1.5}',
        '{"a": NaN}',
        '{"a": 1e9}',
        '{"a": Infinity}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"\\"": ' + "[" * 100_000,
        '{"a":' * 20 + "1" + "}" * 20,
        '{"a": "' + "x" * (1 << 20) + '"}',
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_json_parse_refuses(text: str) -> None:
    with pytest.raises(Invalid):
        json_parse(text)
