"""The command line: what is read, what is refused."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.options import LARGEST_RATE, Options, Secrets, UsageError, manager_of, parse

BASE = ["--mode=send", "--host=server"]


def options(*arguments: str) -> Options:
    return parse([*BASE, *arguments, "source", "destination"])


def test_ascps_short_options_are_read_with_and_without_a_space() -> None:
    read = options("-l", "10000", "-m5", "-P", "33001", "-O33002", "-k2", "-M", "1234", "-dq", "-i", "key")
    assert (read.target_rate, read.minimum_rate, read.port, read.udp_port) == (10000, 5, 33001, 33002)
    assert (read.resume_level, read.manager, read.create_path, read.quiet) == (
        2,
        ("127.0.0.1", 1234),
        True,
        True,
    )
    assert read.key_file == Path("key")


def test_the_defaults_are_ascps() -> None:
    read = options()
    assert (read.target_rate, read.minimum_rate, read.policy, read.overwrite) == (10000, 0, "fair", "diff")
    assert (read.port, read.udp_port, read.resume_level, read.create_path) == (22, 33001, 0, False)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0", 0),
        ("500", 500),
        ("1.5m", 1500),
        ("2M", 2000),
        ("1g", 1_000_000),
        ("3k", 3),
        ("999999g", LARGEST_RATE),
    ],
)
def test_rates_are_kbps_with_suffixes_and_decimals(text: str, rate: int) -> None:
    assert options("-l", text).target_rate == rate


@pytest.mark.parametrize("text", ["", "-1", "fast", "1t", "1e3", "50%"])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="rate"):
        options(f"-l{text}" if text else "-l=")


@pytest.mark.parametrize(
    ("text", "address"), [("5", ("127.0.0.1", 5)), ("host:7", ("host", 7)), ("[::1]:8", ("::1", 8))]
)
def test_the_manager_is_a_port_or_a_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert options("-M", text).manager == address


@pytest.mark.parametrize(
    "option",
    [
        "--symbolic-links=copy",
        "--remove-after-transfer",
        "-p",
        "--file-crypt=encrypt",
        "-C1:2",
        "-E*.txt",
        "--keepalive",
    ],
)
def test_what_is_not_supported_is_refused_by_name(option: str) -> None:
    with pytest.raises(UsageError, match="not supported") as refused:
        options(option)
    assert option in str(refused.value)
    assert "\n" not in str(refused.value)


def test_options_cannot_be_abbreviated() -> None:
    with pytest.raises(UsageError):
        options("--over=always")


def test_a_uuid_as_user_string_is_the_session_id() -> None:
    name = str(uuid.uuid4())
    assert options("-u", name).session_id == name
    other = options("-u", "job-17")
    assert other.user_str == "job-17"
    assert uuid.UUID(other.session_id).version == 4


@pytest.mark.parametrize("cipher", ["none", "aes128", "aes192", "aes256", "aes-128", "AES256", "aes-256-gcm"])
def test_ciphers_are_read_in_all_spellings(cipher: str) -> None:
    assert options("-c", cipher).cipher == cipher.lower().replace("aes-", "aes").removesuffix("-gcm")


def test_clear_text_is_asked_for_with_t() -> None:
    assert options("-T").cipher == "none"


def test_a_file_list_holds_one_source_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"/a b\n\n\xff\r\n/c")
    read = parse([*BASE, f"--file-list={tmp_path / 'list'}", "destination"])
    assert read.sources == (b"/a b", b"\xff", b"/c")
    assert read.several


def test_a_file_list_and_sources_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"a\n")
    with pytest.raises(UsageError, match="exclude"):
        options(f"--file-list={tmp_path / 'list'}")


def test_a_missing_file_list_is_told() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        parse([*BASE, "--file-list=/nowhere", "destination"])


def test_the_source_prefix_is_put_before_each_source() -> None:
    read = parse([*BASE, "--source-prefix=/data/", "/a", "b", "to"])
    assert read.sources == (b"/data/a", b"/data/b")


def test_sources_that_begin_with_a_dash_follow_two_dashes() -> None:
    assert parse([*BASE, "--", "-l", "to"]).sources == (b"-l",)


@pytest.mark.parametrize(
    "arguments", [["to"], [], ["--mode=both", "a", "b"], ["-k4", "a", "b"], ["-P0", "a", "b"]]
)
def test_incomplete_and_wrong_lines_are_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        parse([*BASE, *arguments])


@pytest.mark.parametrize("tag", ["a/b", "", "x" * 65, "a b"])
def test_partial_tags_are_plain_words(tag: str) -> None:
    if tag:
        with pytest.raises(UsageError, match="partial-tag"):
            options(f"--partial-tag={tag}")
    else:
        assert options("--partial-tag=").partial_tag


def test_a_partial_suffix_stays_in_its_folder() -> None:
    with pytest.raises(UsageError, match="suffix"):
        options("--partial-file-suffix=/../x")


def test_line_breaks_cannot_enter_the_management_protocol() -> None:
    with pytest.raises(UsageError, match="line breaks"):
        options("-u", "job\nType: DONE")


def test_secrets_are_taken_out_of_the_environment_and_hidden() -> None:
    environment = {
        "ASPERA_SCP_PASS": "p1",
        "ASPERA_SCP_TOKEN": "t1",
        "ASPERA_SCP_COOKIE": "c1\nx",
        "HOME": "/",
    }
    secrets = Secrets.take(environment)
    assert (secrets.password, secrets.token, secrets.cookie) == ("p1", "t1", "c1 x")
    assert environment == {"HOME": "/"}
    assert not {"p1", "t1", "c1"} & set(repr(secrets))
    assert "p1" not in repr(secrets)


def test_the_manager_of_a_wrong_line_can_still_be_told() -> None:
    assert manager_of(["-M", "7", "-u", "x", "--unknown", "a"]) == (("127.0.0.1", 7), "x")
    assert manager_of(["-M", "seven"]) == (None, "")
    assert manager_of(["a"]) == (None, "")


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and not name.startswith(b"-")))
def test_every_file_name_can_be_a_source(name: bytes) -> None:
    assert parse([*BASE, os.fsdecode(name), "to"]).sources == (name,)
