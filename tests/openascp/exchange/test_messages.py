"""Messages are read as they were written; a newer peer's extras are skipped, everything else is strict."""

from __future__ import annotations

import asyncio
from dataclasses import fields, is_dataclass
from typing import Any, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange import messages
from asperacentral.openascp.exchange.codec import (
    PREFACE,
    Control,
    Decoder,
    RemoteProtocolError,
    encode_control,
)
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import (
    NAMES,
    Entries,
    Entry,
    Keepalive,
    Message,
    Need,
    Needs,
)
from asperacentral.openascp.exchange.spelling import read, write
from asperacentral.openascp.exchange.terms import Terms, UnknownTermError

NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
PLAIN = {int: NUMBERS, bytes: st.binary(max_size=9), str: st.text(max_size=9), bool: st.booleans()}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Anything a field of this type may hold."""
    if hint in PLAIN:
        return PLAIN[hint]
    if is_dataclass(hint) or hasattr(hint, "_make"):
        return st.builds(
            cast(type[Any], hint), **{n: values(inner) for n, inner in get_type_hints(hint).items()}
        )
    parts = get_args(hint)
    if get_origin(hint) is dict:
        return st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=3)
    if parts[-1] is Ellipsis:
        return st.lists(values(parts[0]), max_size=3).map(tuple)
    return st.tuples(*map(values, parts))


ALL = st.one_of([values(kind) for kind in NAMES.values()])


def carried(message: Message) -> Message | None:
    (event,) = Decoder().feed(PREFACE + encode_control(write(message)))
    assert isinstance(event, Control)
    return read(event.value)


@given(ALL)
def test_messages_arrive_as_they_were_written(message: Message) -> None:
    assert carried(message) == message


def test_extras_of_a_newer_version_are_skipped() -> None:
    assert read(["dance", {"steps": 3}]) is None
    assert read(["keepalive", {"tune": 1}, "more"]) == Keepalive()
    assert read(["needs", {"needs": [[1, [[0, 5]], True, 0, "newer"]]}]) == Needs((Need(1, ((0, 5),), True),))


def test_fields_with_a_default_may_be_missing() -> None:
    entry = Entry(1, 0, b"name", "file", 3, 4, 0o644)
    assert read(["entries", {"entries": [[1, 0, b"name", "file", 3, 4, 0o644]]}]) == Entries((entry,))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        ["keepalive"],
        [1, {}],
        ["keepalive", []],
        ["written", {}],
        ["written", {"offset": "1"}],
        ["written", {"offset": True}],
        ["written", {"offset": 2**63}],
        ["written", {"offset": 1.0}],
        ["needs", {"needs": [[1, [[0]], True]]}],
        ["needs", {"needs": [[1, [[0, 5]]]]}],
        ["needs", {"needs": {"1": 2}}],
        ["entries", {"entries": [[1, 0, "text", "file", 3, 4, 5]]}],
        ["entries", {"entries": [[1, 0, b"x" * 300_000, "file", 3, 4, 5]]}],
        ["broken", {"code": 1, "reason": b"bytes"}],
        ["hello", {"version": 1, "program": "", "session": "", "sending": True, "terms": {1: 2}}],
    ],
)
def test_what_is_no_message_is_refused(value: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        read(value)


@given(
    st.recursive(
        st.none() | st.integers() | st.binary() | st.text(), lambda inner: st.lists(inner, max_size=5)
    )
)
def test_any_fields_are_read_or_refused(value: Any) -> None:
    for name, kind in NAMES.items():
        for each in fields(kind):
            try:
                read([name, {each.name: value}])
            except RemoteProtocolError:
                continue


def test_a_token_is_not_shown() -> None:
    assert "geheim" not in repr(messages.Hello(1, "", "", True, {}, token="geheim"))


def test_terms_arrive_and_only_what_matters_travels() -> None:
    terms = Terms(b"/in", resume_level=2, partial_tag=b"job")
    assert terms.written() == {"destination": b"/in", "resume_level": 2, "partial_tag": b"job"}
    assert Terms.read(terms.written()) == terms


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({"destination": b"", "sparkle": 1}, "sparkle"),
        ({"destination": ""}, "destination"),
        ({}, "destination"),
        ({"destination": b"", "resume_level": 4}, "resume level"),
        ({"destination": b"", "overwrite": "perhaps"}, "perhaps"),
        ({"destination": b"", "policy": "rude"}, "rude"),
        ({"destination": b"", "target_rate": -1}, "rate"),
        ({"destination": b"", "partial_tag": b"../x"}, "partial"),
    ],
)
def test_a_rule_that_is_not_known_is_named(given_: dict[str, Any], named: str) -> None:
    with pytest.raises(UnknownTermError, match=named):
        Terms.read(given_)


def test_what_an_older_half_says_nothing_of_is_not_done_with_it() -> None:
    hello = ["hello", {"version": 1, "program": "", "session": "", "sending": True, "terms": {}}]
    said = read(hello)
    assert isinstance(said, messages.Hello) and said.features == ()

    async def shared(features: tuple[str, ...]) -> frozenset[str]:
        conversation = Conversation()
        conversation.agree(features)
        return conversation.shared

    assert asyncio.run(shared(())) == set()
    assert asyncio.run(shared((messages.BUNDLES, "dances"))) == {messages.BUNDLES}
