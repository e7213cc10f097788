"""What can be said to the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.commands.shell_language import (
    HELP,
    NotUnderstood,
    Remote,
    Request,
    Transfer,
    remote,
    understand,
)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("list", Request("list")),
        ("help", Request("help")),
        ("help push", Request("help", text="push")),
        ("stats 3", Request("stats", 3)),
        ("files 3", Request("files", 3)),
        ("pause 1", Request("pause", 1)),
        ("resume all", Request("resume")),
        ("cancel 12", Request("cancel", 12)),
        ("rate 1 50m", Request("rate", 1, (50_000,))),
        ("rate all 1.5g 64", Request("rate", None, (1_500_000, 64))),
        ("policy 2 high", Request("policy", 2, text="high")),
        ("quit", Request("quit")),
    ],
)
def test_a_command_is_understood(line: str, request_: Request) -> None:
    assert understand(line) == request_


def test_a_push_names_sources_and_a_place() -> None:
    assert understand("push --rate 50m --policy=high -d a 'b c' me@far.example:2222:/in") == Transfer(
        True, ("a", "b c"), Remote("me", "far.example", 2222, ("/in",)), 50_000, "high", "", True
    )
    only_udp = understand("push --transport udp a far:/in")
    assert isinstance(only_udp, Transfer)
    assert only_udp.transport == "udp"


def test_a_pull_names_places_and_a_folder() -> None:
    assert understand("pull me@far:/a me@far:/b /here") == Transfer(
        False, ("/here",), Remote("me", "far", 22, ("/a", "/b"))
    )


def test_sources_may_come_from_a_list(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("/a\n\n/b c\n")
    pushed, pulled = (
        understand(f"push --list {names} far:/in"),
        understand(f"pull --list {names} far:/x /here"),
    )
    assert isinstance(pushed, Transfer)
    assert isinstance(pulled, Transfer)
    assert pushed.local == ("/a", "/b c")
    assert pulled.remote.paths == ("/x", "/a", "/b c")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("far:/in", Remote("", "far", 22, ("/in",))),
        ("far:", Remote("", "far", 22, (".",))),
        ("[::1]:2222:in", Remote("", "::1", 2222, ("in",))),
        ("me@far:with space", Remote("me", "far", 22, ("with space",))),
        ("/local:path", None),
        ("./far:path", None),
        ("plain", None),
    ],
)
def test_a_remote_place_is_told_from_a_local_path(text: str, place: Remote | None) -> None:
    assert remote(text) == place


@pytest.mark.parametrize(
    "line",
    [
        "frobnicate",
        "push",
        "push a",
        "push a b",
        "push --frob a far:/in",
        "push --rate fast a far:/in",
        "push --policy greedy a far:/in",
        "push --transport pigeon a far:/in",
        "push --list /no/such/file far:/in",
        "push --rate",
        "push a far:99999:/in",
        "pull far:/a other:/b /here",
        "pull far:/a",
        "stats",
        "stats x",
        "stats all",
        "rate 1",
        "rate 1 -5",
        "policy 1 greedy",
        "quit now",
        "push 'a",
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(line: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        understand(line)
    assert str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_line_asks_for_nothing() -> None:
    assert understand("  ") is None


@given(st.text(max_size=60), st.sampled_from([*HELP, ""]))
def test_any_line_is_understood_or_refused(text: str, word: str) -> None:
    try:
        understand(f"{word} {text}")
    except NotUnderstood as refused:
        assert str(refused)
