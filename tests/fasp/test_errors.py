"""The FASP code table."""

from __future__ import annotations

import pytest

from asperacentral.fasp.errors import FaspCode, known, retryable

RETRYABLE = {12, 13, 14, 15, 16, 17, 18, 23, 32, 33, 35, 36, 37, 39, 40, 44, 45, 47, 61, 69}


def test_the_table_has_every_code_from_0_to_69() -> None:
    assert [int(code) for code in FaspCode] == list(range(70))


def test_every_code_has_a_meaning_of_its_own() -> None:
    assert len({code.meaning for code in FaspCode}) == 70


@pytest.mark.parametrize("code", range(70))
def test_a_code_is_retryable_only_if_waiting_can_help(code: int) -> None:
    assert retryable(code) == (code in RETRYABLE)


@pytest.mark.parametrize("code", [-1, 70, 100_000])
def test_a_code_out_of_the_table_is_unknown_and_final(code: int) -> None:
    assert known(code) is FaspCode.UNKNOWN
    assert not retryable(code)


@pytest.mark.parametrize(
    "text", ["Target address not available", "Server aborted session: target address NOT available."]
)
def test_a_data_connection_to_an_address_that_does_not_exist_is_final(text: str) -> None:
    assert not retryable(14, text)


def test_the_text_about_the_target_address_matters_for_code_14_only() -> None:
    assert retryable(14, "no route to host")
    assert retryable(12, "Target address not available")


def test_a_code_tells_its_name_and_meaning() -> None:
    assert known(19) is FaspCode.AUTH
    assert known(19).name == "AUTH"
    assert known(19).meaning == "authentication failed"
