"""Which options an order may hand over as they are."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from asperacentral.fasp.order import JobOrder
from asperacentral.openascp.options import Options
from asperacentral.openascp.raw_options import FIXED, refusal

ORDER = JobOrder(
    "5f4c1f6e-0000-4000-8000-000000000001", "send", "host.example", ("/a", "/b"), "/in", partial_tag="job"
)


def refused(*options: str) -> str | None:
    return refusal(replace(ORDER, raw_options=options))


@pytest.mark.parametrize(
    "options",
    [
        ("-l", "100m"),
        ("--policy=high", "-m", "5"),
        ("-k", "3", "--overwrite=never"),
        ("-d", "-c", "aes256"),
        (),
    ],
)
def test_what_the_process_takes_is_taken(options: tuple[str, ...]) -> None:
    assert refused(*options) is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--no-such-option",), "--no-such-option"),
        (("-l", "fast"), "no rate"),
        (("-l",), ""),
        (("--help",), "help and version"),
        (("-A",), "help and version"),
        (("/etc/passwd",), "sources"),
        (("--", "-x"), "sources"),
        (("--source-prefix=/etc",), "sources"),
        (("--file-list=/etc/passwd",), "exclude each other"),
        (("-M", "2"), "manager"),
        (("--mgmt-port-file=/tmp/x",), "manager port file"),
        (("-u", "another"), "user str"),
        (("--mode=recv",), "mode"),
        (("--host=elsewhere",), "host"),
        (("--user=other",), "user"),
        (("-P", "23"), "port"),
        (("--ignore-host-key",), "host key policy"),
        (("--host-key-policy=any",), "host key policy"),
        (("--known-hosts=/tmp/x",), "known hosts"),
        (("--partial-tag=other",), "partial tag"),
        (("a\0b",), "NUL"),
    ],
)
def test_what_it_does_not_take_or_would_change_the_session_is_refused(
    options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(*options)
    assert said is not None
    assert reason in said
    assert "\n" not in said
    assert capsys.readouterr().out == ""


def test_what_is_fixed_are_fields_of_the_options() -> None:
    assert set(FIXED) <= {field.name for field in fields(Options)}
