"""Transfer specs: what is read, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.gateway.spec import SpecError, from_fields, parse, safe_name
from tests.gateway.site import receive_spec, send_spec


def test_what_matters_is_read_and_the_rest_passed_over() -> None:
    spec = from_fields(
        send_spec(
            "/d/a", "b", destination_root="/in/", cookie="a\nb", rate_policy="fair", tags={"aspera": {}}
        )
        | {"zip_required": "true", "title": None, "remote_user": "bob"}
    )
    assert spec.sending
    assert [path.source for path in spec.paths] == [b"d/a", b"b"]
    assert (spec.destination_root, spec.cookie, spec.user, spec.zip_required) == (b"in", "a b", "bob", True)


def test_sources_of_a_download_begin_at_the_source_root() -> None:
    assert from_fields(receive_spec("/a", "b/c", source_root="/r")).sources() == (b"r/a", b"r/b/c")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "direction"),
        ({"direction": "send"}, "paths"),
        ({"direction": "send", "paths": []}, "paths"),
        ({"direction": "send", "paths": ["a"]}, "object"),
        (send_spec("a", cookie=1), "cookie"),
        (send_spec("a", token=["x"]), "token"),
        (send_spec("a", ssh_port="22"), "ssh_port"),
        (send_spec("a", ssh_port=0), "ssh_port"),
        (send_spec("a", destination_root="a\0b"), "destination_root"),
        (receive_spec("a/../b"), ".."),
        (send_spec("a", cookie="x" * 70_000), "too long"),
        (send_spec(*["a"] * 20_001), "20000"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as raised:
        from_fields(fields)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "1" * 10_000, '{"a":1', "[]", "nan", b"\xff\xfe", "9" * 5_000_000]
)
def test_bombs_and_rubbish_are_refused(text: str | bytes) -> None:
    with pytest.raises(SpecError):
        parse(text)


@given(st.text())
def test_a_name_is_safe_or_refused(text: str) -> None:
    try:
        name = safe_name(text)
    except SpecError:
        return
    assert not name.startswith(b"/")
    assert not {b"", b".", b".."} & set(name.split(b"/"))
    assert not any(byte < 32 for byte in name)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["paths", "token", "cookie", "ssh_port", "zip_required"]), json_values)
)
def test_values_of_any_type_make_a_spec_or_a_spec_error(fields: dict[str, Any]) -> None:
    try:
        spec = from_fields({**send_spec("a"), **fields})
    except SpecError:
        return
    assert spec.paths
