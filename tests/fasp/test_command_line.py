"""From an order to arguments and environment."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp.command_line import Extensions, arguments, environment
from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.order import FileRules, JobOrder
from asperacentral.fasp.program import Program

ORDER = JobOrder(
    user_str="11111111-2222-4333-8444-555555555555",
    mode="send",
    host="far.example",
    sources=("/data/a", "/data/b"),
    destination="/in",
)


def test_the_programs_are_our_own_by_module_or_a_licensed_one_by_path() -> None:
    own, licensed = Program.openascp(), Program.ascp("/opt/aspera/bin/ascp")
    assert own.command[-2:] == ("-m", "asperacentral.openascp")
    assert importlib.util.find_spec(own.module or "") is not None
    assert own.own
    assert licensed == Program(("/opt/aspera/bin/ascp",), module=None, own=False)


def test_a_licensed_ascp4_lies_beside_ascp() -> None:
    assert Program.ascp("/opt/aspera/bin/ascp").command_for("ascp4") == ("/opt/aspera/bin/ascp4",)
    assert Program.ascp("/opt/aspera/bin/ascp").command_for("ascp") == ("/opt/aspera/bin/ascp",)
    assert Program.ascp("/opt/wrapper").command_for("ascp4") == ("/opt/wrapper",)
    assert Program.openascp().command_for("ascp4") == Program.openascp().command


def test_the_passphrase_travels_by_environment_only() -> None:
    order = replace(ORDER, files=FileRules(crypt="encrypt"), file_passphrase="s3cret")
    assert environment(order) == {"ASPERA_SCP_FILEPASS": "s3cret"}
    assert not [word for word in arguments(order, 1) if "s3cret" in word]
    assert "s3cret" not in repr(order)


def test_our_own_extensions_are_said_to_our_own_program_only() -> None:
    order = replace(ORDER, files=FileRules(save=True, save_suffix=".old"), rate_cap=500, transport="udp")
    extensions = {"--save-suffix=.old", "--rate-cap=500", "--transport=udp"}
    assert extensions < set(arguments(order, 1, Extensions(Path("port"))))
    assert not extensions & set(arguments(order, 1))


def test_a_licensed_program_cannot_be_kept_from_udp() -> None:
    order = replace(ORDER, transport="ssh")
    assert "--transport=ssh" in arguments(order, 1, Extensions(Path("port")))
    with pytest.raises(LaunchError, match="UDP only"):
        arguments(order, 1)


def test_a_plain_order_is_said_with_every_value_that_matters() -> None:
    assert arguments(ORDER, 4711) == [
        *("-M", "4711", "-u", "11111111-2222-4333-8444-555555555555", "-q"),
        *("--mode=send", "--host=far.example", "-P", "22", "-O", "33001"),
        *("-l", "10000", "-m", "0", "--policy=fair", "-T", "-k", "2", "--overwrite=diff"),
        *("/data/a", "/data/b", "/in"),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user": "joe"}, ["--user=joe"]),
        ({"port": 2222}, ["-P", "2222"]),
        ({"udp_port": 33002}, ["-O", "33002"]),
        ({"target_rate": 0, "minimum_rate": 0}, ["-l", "0", "-m", "0"]),
        ({"policy": "fixed"}, ["--policy=fixed"]),
        ({"cipher": "aes128"}, ["-c", "aes128"]),
        ({"resume_level": 3}, ["-k", "3"]),
        ({"overwrite": "diff+older"}, ["--overwrite=diff+older"]),
        ({"create_path": True}, ["-d"]),
        ({"key_path": "/keys/k"}, ["-i", "/keys/k"]),
        ({"host_key_fingerprint": "SHA256:abc"}, ["--check-sshfp=SHA256:abc"]),
        ({"precalculate": True}, ["--precalculate-job-size"]),
        ({"partial_suffix": ".part"}, ["--partial-file-suffix=.part"]),
        ({"ipv6": True}, ["-6"]),
        ({"no_port_files": True}, ["--no-mgmt-port-files"]),
        ({"datagram_size": 1400}, ["-Z", "1400"]),
        ({"measure": True, "target_percent": 50}, ["-w", "r", "-l", "50%", "-m", "0"]),
        ({"measure": True, "minimum_percent": 5}, ["-w", "r", "-l", "10000", "-m", "5%"]),
        ({"files": FileRules(symbolic_links="copy+force")}, ["--symbolic-links=copy+force"]),
        ({"files": FileRules(skip_special=True)}, ["--skip-special-files"]),
        ({"files": FileRules(exclude_patterns=("*.a", "-b"))}, ["-E", "*.a", "-E", "\\-b"]),
        ({"files": FileRules(exclude_older_than=-60)}, ["--exclude-older-than=-60"]),
        ({"files": FileRules(exclude_newer_than=0)}, ["--exclude-newer-than=0"]),
        (
            {"files": FileRules(preserve=("times", "file-owner-uid"))},
            ["--preserve-times", "--preserve-file-owner-uid"],
        ),
        ({"files": FileRules(save=True, save_suffix=".old")}, ["--save-before-overwrite"]),
        ({"files": FileRules(checksum="sha-256")}, ["--file-checksum=sha-256"]),
        (
            {"files": FileRules(manifest="text", manifest_path="/m", manifest_suffix=".busy")},
            ["--file-manifest=text", "--file-manifest-path=/m", "--file-manifest-inprogress-suffix=.busy"],
        ),
        ({"files": FileRules(crypt="encrypt"), "file_passphrase": "s3cret"}, ["--file-crypt=encrypt"]),
        ({"files": FileRules(remove_after=True)}, ["--remove-after-transfer"]),
        ({"files": FileRules(remove_empty=True)}, ["--remove-empty-directories"]),
        ({"files": FileRules(read_block=5, write_block=6)}, ["-g", "5", "-G", "6"]),
    ],
)
def test_each_value_has_its_option(change: dict[str, Any], said: list[str]) -> None:
    line = arguments(replace(ORDER, **change), 4711)
    at = line.index(said[0])
    assert line[at : at + len(said)] == said


def test_our_own_process_gets_our_own_options() -> None:
    own = Extensions(Path("/run/c.port"), Path("/state/known_hosts"), "strict")
    added = set(arguments(replace(ORDER, partial_tag="job1"), 1, own)) - set(arguments(ORDER, 1))
    assert added == {
        "--mgmt-port-file=/run/c.port",
        "--known-hosts=/state/known_hosts",
        "--host-key-policy=strict",
        "--partial-tag=job1",
    }


def test_a_licensed_ascp_gets_none_of_our_own_options() -> None:
    line = arguments(replace(ORDER, partial_tag="job1"), 1)
    assert not any(word.startswith(("--mgmt-", "--known-", "--host-key", "--partial-tag")) for word in line)


def test_no_secret_is_an_argument_and_each_has_its_variable() -> None:
    order = replace(ORDER, password="pa55", token="t0ken", cookie="c00kie")
    line = " ".join(arguments(order, 1, Extensions(Path("/run/c.port"))))
    assert not any(secret in line for secret in ("pa55", "t0ken", "c00kie"))
    assert environment(order) == {
        "ASPERA_SCP_PASS": "pa55",
        "ASPERA_SCP_TOKEN": "t0ken",
        "ASPERA_SCP_COOKIE": "c00kie",
    }


def test_secrets_that_are_not_given_are_not_in_the_environment() -> None:
    assert environment(ORDER) == {}


def test_paths_that_look_like_options_are_made_to_look_like_paths() -> None:
    line = arguments(replace(ORDER, sources=("-rf", "--host=evil"), destination="-d", key_path="-k"), 1)
    assert line[-3:] == ["./-rf", "./--host=evil", "./-d"]
    assert line[line.index("-i") + 1] == "./-k"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mode": "both"}, "neither send nor recv"),
        ({"user_str": ""}, "cannot name a session"),
        ({"user_str": "-u"}, "cannot name a session"),
        ({"host": ""}, "no remote host"),
        ({"sources": ()}, "no source"),
        ({"sources": ("/a", "")}, "no source"),
        ({"destination": ""}, "no destination"),
        ({"resume_level": 4}, "no resume level 4"),
        ({"sources": ("/a\0b",)}, "source contains a NUL"),
        ({"password": "a\0b"}, "password contains a NUL"),
        ({"cookie": "a\nb"}, "cookie contains a line break"),
        ({"user_str": "a\rb"}, "user_str contains a line break"),
    ],
)
def test_an_order_that_cannot_be_said_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(LaunchError, match=reason):
        arguments(replace(ORDER, **change), 1)


@given(st.lists(st.text(min_size=1).filter(lambda path: "\0" not in path), min_size=1), st.text(min_size=1))
def test_sources_and_destination_always_end_the_line_and_are_never_options(
    sources: list[str], destination: str
) -> None:
    if "\0" in destination:
        return
    line = arguments(replace(ORDER, sources=tuple(sources), destination=destination), 1)
    tail = line[-len(sources) - 1 :]
    assert [word.removeprefix("./") for word in tail] == [
        word.removeprefix("./") for word in [*sources, destination]
    ]
    assert not any(word.startswith("-") for word in tail)
