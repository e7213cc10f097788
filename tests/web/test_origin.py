"""Pages of others get nothing from the daemon through a browser on its machine."""

from __future__ import annotations

import socket

import pytest

from asperacentral.web.origin import is_own


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:40001", "127.0.0.1:40001"),
        ("https://LOCALHOST:40001", "localhost:40001"),
        ("http://[::1]:40001", "[::1]:40001"),
        ("http://[::1]", "[::1]"),
        ("http://192.0.2.7", "192.0.2.7"),
        (f"http://{socket.gethostname()}:40001", f"{socket.gethostname()}:40001"),
    ],
)
def test_a_page_of_the_server_itself_is_its_own(origin: str, host: str) -> None:
    assert is_own(origin, host)


def test_a_name_that_the_configuration_lists_is_the_servers_too() -> None:
    names = ("central.example",)
    assert is_own("https://Central.example", "central.example", names)
    assert is_own("https://central.example:8443", "central.example:8443", names)
    assert not is_own("https://evil.example", "evil.example", names)
    assert not is_own("https://evil.example", "central.example", names)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "127.0.0.1:40001"),
        ("http://evil.example:40001", "evil.example:40001"),  # a name that was made to lead here
        ("http://127.0.0.1:8080", "127.0.0.1:40001"),
        ("null", "127.0.0.1:40001"),
        ("", ""),
        ("http://", ""),
        ("file://", "localhost"),
    ],
)
def test_any_other_page_is_not(origin: str, host: str) -> None:
    assert not is_own(origin, host)
