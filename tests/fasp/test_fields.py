"""Typed fields."""

from __future__ import annotations

import pytest

from asperacentral.fasp.fields import BOOLEANS, INTEGERS, KNOWN, TEXTS, typed
from asperacentral.fasp.management import PATH_FIELDS, SECRET_FIELDS, Message


def test_a_field_has_one_type() -> None:
    assert not INTEGERS & BOOLEANS
    assert not (INTEGERS | BOOLEANS) & TEXTS
    assert PATH_FIELDS | SECRET_FIELDS <= TEXTS


def test_the_table_holds_the_one_hundred_and_fifty_odd_known_names() -> None:
    assert 150 <= len(KNOWN) < 170


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Rate", "10000", 10000),
        ("Rate", "50%", "50%"),
        ("Rate", "", ""),
        ("Delay", "-1", -1),
        ("FileBytes", "10:20", "10:20"),
        ("Encryption", "Yes", True),
        ("Encryption", "no", False),
        ("Encryption", "perhaps", "perhaps"),
        ("Cookie", "12", "12"),
        ("NeverHeardOf", "12", "12"),
    ],
)
def test_a_value_has_the_type_of_its_field_if_it_has_its_form(name: str, text: str, value: object) -> None:
    assert typed(Message("STATS", {name: text})) == {name: value}
