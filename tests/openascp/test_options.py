"""The command line: what is read, what is refused."""

from __future__ import annotations

import base64
import os
import re
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp.messages import LARGEST_RATE
from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.files.selection import Rule, TimeLimits
from asperacentral.openascp.option_table import REFUSED
from asperacentral.openascp.option_values import Rate
from asperacentral.openascp.options import Options, Secrets, UsageError, manager_of, parse

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
    assert read.key_files == (Path("key"),)


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


@pytest.mark.parametrize("text", ["", "-1", "fast", "1t", "1e3", "101%", "1kk"])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="rate"):
        options(f"-l{text}" if text else "-l=")


@pytest.mark.parametrize(
    ("text", "address"), [("5", ("127.0.0.1", 5)), ("host:7", ("host", 7)), ("[::1]:8", ("::1", 8))]
)
def test_the_manager_is_a_port_or_a_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert options("-M", text).manager == address


@pytest.mark.parametrize("option", [*REFUSED, "--unheard-of", "-y 1"])
def test_what_is_not_supported_is_refused_by_name_and_reason(option: str) -> None:
    given = option.split()
    if option in REFUSED and REFUSED[option][0]:
        given.append("value")
    with pytest.raises(UsageError, match="not supported") as refused:
        options(*given)
    assert option in str(refused.value)
    assert "\n" not in str(refused.value)


ASCPS = """
    -M --no-mgmt-port-files -u --mode --host --user -P -O -l -m --policy -w -K -Z -X -g -G -c -T -k --overwrite
    --save-before-overwrite -d --dest64 --source-prefix64 --src-base64 --source-prefix --src-base --file-list
    --file-pair-list -@ -C --multi-session-threshold --precalculate-job-size --precalculate-disable -p --preserve-times
    --preserve-modification-time --preserve-access-time --preserve-creation-time --preserve-source-access-time
    --preserve-file-owner-uid --preserve-file-owner-gid --preserve-acls --preserve-xattrs --remote-preserve-acls
    --remote-preserve-xattrs --symbolic-links --skip-special-files --skip-dir-traversal-dupes -E -N
    --exclude-newer-than --exclude-older-than --remove-after-transfer --remove-empty-directories
    --remove-empty-source-directory --remove-skipped --move-after-transfer --delete-before-transfer --file-manifest
    --file-manifest-path --file-manifest-inprogress-suffix --file-checksum --partial-file-suffix --file-crypt --tags64
    -W -i --check-sshfp --ignore-host-key -SSH --ssh-arg --ws-connect --proxy -y -t -Y -I -x -j --retry-timeout
    --keepalive --apply-local-docroot -e -f -S -L -R -D -q -v -6 -A -h
"""
"""Every option of ascp."""

OURS = {
    "--help",
    "--mgmt-port-file",
    "--known-hosts",
    "--host-key-policy",
    "--partial-tag",
    "--transport",
    "--save-suffix",
    "--rate-cap",
}


def test_every_option_of_ascp_is_in_the_help_and_nothing_else_but_what_is_said_to_be_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = re.findall(r"^  (-.*?)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    named = {name.split("=")[0].split(" ")[0] for line in shown for name in line.split(", ")}
    assert named == {*ASCPS.split(), *OURS}
    assert set(REFUSED) <= set(ASCPS.split())


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("--no-mgmt-port-files", "no_port_files", True),
        ("-l 50% -w r", "target_share", Rate(50, percent=True)),
        ("-m 12.5p -w f", "minimum_share", Rate(12.5, percent=True)),
        ("-w r", "measure", "r"),
        ("-Z 1400", "datagram_size", 1400),
        ("-g 64K", "read_block", 65536),
        ("-G 1M", "write_block", 1 << 20),
        ("-6", "ipv6", True),
        ("-i a -i b", "key_files", (Path("a"), Path("b"))),
        ("-W t", "token", "t"),
        ("-S /opt/openascp", "remote_program", "/opt/openascp"),
        ("-y 0", "port", 22),
        ("-L /log:5", "log_size", 5 << 20),
        ("-L /log:5", "log", "/log"),
        ("--retry-timeout 60", "retry_timeout", 60),
        ("-C 2:8", "part", (2, 8)),
        ("--multi-session-threshold=60M", "multi_session_threshold", 60 << 20),
        ("-@ 10:19", "byte_range", (10, 20)),
        ("-@ :19", "byte_range", (0, 20)),
        ("-@ 10:", "byte_range", (10, 0)),
        ("--precalculate-job-size", "precalculate", True),
        ("--precalculate-job-size --precalculate-disable", "precalculate", False),
        ("-p", "preserve", Preserve(modification_time=True, access_time=True)),
        ("--preserve-times", "preserve", Preserve(modification_time=True, access_time=True)),
        ("--preserve-modification-time", "preserve", Preserve(modification_time=True)),
        ("--preserve-access-time", "preserve", Preserve(access_time=True)),
        ("--preserve-source-access-time", "preserve", Preserve(source_access_time=True)),
        ("--preserve-file-owner-uid", "preserve", Preserve(uid=True)),
        ("--preserve-file-owner-gid", "preserve", Preserve(gid=True)),
        ("--preserve-acls=native", "preserve", Preserve(acls="native")),
        ("--preserve-xattrs=metafile", "preserve", Preserve(xattrs="metafile")),
        (
            "--preserve-xattrs=native --remote-preserve-xattrs=metafile",
            "preserve",
            Preserve(xattrs="metafile"),
        ),
        ("--remote-preserve-acls=native", "preserve", Preserve(acls="native")),
        ("--symbolic-links=copy+force", "links", "copy+force"),
        ("--skip-special-files", "skip_special", True),
        ("--skip-dir-traversal-dupes", "skip_duplicates", True),
        ("-N keep -E *.txt", "rules", (Rule(b"keep", False), Rule(b"*.txt", True))),
        ("--exclude-newer-than=7", "limits", TimeLimits(newest=7_000_000_000)),
        ("--exclude-older-than=7", "limits", TimeLimits(oldest=7_000_000_000)),
        (
            "--remove-after-transfer --remove-skipped",
            "afterwards",
            Afterwards(remove=True, remove_skipped=True),
        ),
        ("--move-after-transfer=/done", "afterwards", Afterwards(move_to=b"/done")),
        ("--remove-empty-directories", "afterwards", Afterwards(remove_empty=True)),
        ("--remove-empty-source-directory", "afterwards", Afterwards(remove_source_folder=True)),
        ("--delete-before-transfer", "delete_before", True),
        ("--save-before-overwrite", "save", True),
        ("--save-suffix=.old", "save_suffix", ".old"),
        ("--rate-cap=5", "rate_cap", 5),
        ("--file-checksum=sha-256", "checksum", "sha-256"),
        ("--file-manifest=text", "manifest", "text"),
        ("--file-manifest-path=/m", "manifest", "text"),
        ("--file-manifest-path=/m", "manifest_path", Path("/m")),
        ("--file-manifest-inprogress-suffix=.busy", "manifest_suffix", ".busy"),
        ("--partial-file-suffix=.part", "partial_suffix", ".part"),
        ("--file-crypt=encrypt", "file_crypt", "encrypt"),
        ("--ignore-host-key", "host_key_policy", "any"),
        ("-vv", "debug", 2),
        ("-DDD", "debug", 3),
    ],
)
def test_an_option_means_what_it_means_to_ascp(given: str, name: str, value: object) -> None:
    assert getattr(options(*given.split()), name) == value


def test_managers_can_be_several() -> None:
    assert options("-M", "1", "-M", "h:2").managers == (("127.0.0.1", 1), ("h", 2))
    with pytest.raises(UsageError, match="31 times"):
        options(*["-M1"] * 32)


def test_tags_are_json_in_base64() -> None:
    assert options("--tags64", base64.b64encode(b'{"aspera": {"x": "\\n"}}').decode()).tags == (
        '{"aspera":{"x":"\\n"}}'
    )
    for wrong in ("%", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{").decode()):
        with pytest.raises(UsageError, match="tags"):
            options("--tags64", wrong)


@pytest.mark.parametrize(
    "given",
    [
        "-l 50%",
        "--remove-after-transfer --move-after-transfer=/x",
        "--remove-skipped",
        "--file-crypt=decrypt",
        "-E [a",
        "-C 3:2",
        "-C 0:2",
        "-C 1:129",
        "-@ 9:8",
        "-@ 9",
        "-Z 100",
        "-g 1T",
        "--exclude-newer-than=today",
        "--keepalive",
        "--partial-tag=a/b",
        "--delete-before-transfer -C 1:2",
        "--multi-session-threshold=1M --file-crypt=encrypt -C 1:2",
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(given: str) -> None:
    with pytest.raises(UsageError) as refused:
        options(*given.split())
    assert len(str(refused.value).splitlines()) == 1


def test_sessions_that_share_a_transfer_name_its_partial_files_alike() -> None:
    tags = {options("-C", f"{number}:3").partial_tag for number in (1, 2, 3)}
    assert len(tags) == 1
    assert options("-C", "1:2").partial_tag not in tags
    assert options("-C", "1:3", "--multi-session-threshold=1M").partial_tag not in tags
    assert options().partial_tag != options().partial_tag


def test_a_persistent_session_needs_no_source() -> None:
    read = parse([*BASE, "--keepalive"])
    assert (read.sources, read.destination, read.keepalive) == ((), b".", True)


def test_deleting_before_takes_exactly_one_source() -> None:
    with pytest.raises(UsageError, match="exactly one"):
        parse([*BASE, "--delete-before-transfer", "a", "b", "to"])


def test_paths_can_be_given_in_base64() -> None:
    coded = base64.b64encode(b"/d\xff").decode()
    read = parse([*BASE, "--dest64", f"--source-prefix64={coded}", "a", coded])
    assert (read.sources, read.destination) == ((b"/d\xff/a",), b"/d\xff")
    assert parse([*BASE, f"--src-base64={coded}", os.fsdecode(b"/d\xff/b/c"), "to"]).placed == (b"b/c",)
    with pytest.raises(UsageError, match="base64"):
        parse([*BASE, "--dest64", "a", "%%"])


def test_sources_keep_their_folders_below_a_base() -> None:
    read = parse([*BASE, "--src-base=/data/", "/data/a/b", "/data//c", "/data", "to"])
    assert read.placed == (b"a/b", b"c", b"")
    with pytest.raises(UsageError, match="not below"):
        parse([*BASE, "--src-base=/data", "/database", "to"])


def test_a_pair_list_names_sources_and_their_places_by_turns(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"/a\nb/new\n/c\n/d//e\n")
    read = parse([*BASE, f"--file-pair-list={tmp_path / 'list'}", "to"])
    assert (read.sources, read.placed, read.several) == ((b"/a", b"/c"), (b"b/new", b"d/e"), True)
    for wrong in (b"/a\n", b"/a\n../b\n", b"/a\n/\n"):
        (tmp_path / "list").write_bytes(wrong)
        with pytest.raises(UsageError):
            parse([*BASE, f"--file-pair-list={tmp_path / 'list'}", "to"])


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
    names = ("PASS", "TOKEN", "COOKIE", "KEY", "FILEPASS", "LICENSE")
    environment = {f"ASPERA_SCP_{name}": f"secret {name}" for name in names} | {"HOME": "/"}
    environment["ASPERA_SCP_COOKIE"] = "c1\nx"
    secrets = Secrets.take(environment)
    assert (secrets.password, secrets.token, secrets.cookie) == ("secret PASS", "secret TOKEN", "c1 x")
    assert (secrets.key, secrets.file_passphrase) == ("secret KEY", "secret FILEPASS")
    assert environment == {"HOME": "/"}
    assert "secret" not in repr(secrets)
    assert "t0ken" not in repr(options("-W", "t0ken"))


def test_the_manager_of_a_wrong_line_can_still_be_told() -> None:
    assert manager_of(["-M", "7", "-u", "x", "--unknown", "a"]) == (("127.0.0.1", 7), "x")
    assert manager_of(["-M", "seven"]) == (None, "")
    assert manager_of(["a"]) == (None, "")


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and not name.startswith(b"-")))
def test_every_file_name_can_be_a_source(name: bytes) -> None:
    assert parse([*BASE, os.fsdecode(name), "to"]).sources == (name,)
