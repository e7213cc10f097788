"""`asperacentral check-config`: everything about a configuration file, and its mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asperacentral.cli import main
from asperacentral.config_table import NOT_IN_EFFECT, OPTIONS


def checked(
    tmp_path: Path, body: str, capsys: pytest.CaptureFixture[str], version: str = "2"
) -> tuple[int, str, str]:
    file = tmp_path / "etc" / "aspera.conf"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'<CONF version="{version}">\n{body}\n</CONF>\n')
    status = main(["check-config", "--config", str(file)])
    said = capsys.readouterr()
    return status, said.out, said.err


def line_of(text: str, option: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if f"<{option}>" in line]
    return re.split(r"\s{2,}", line.strip())


def test_every_option_is_shown_with_value_source_and_effect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = checked(
        tmp_path,
        "<central_server>\n<port> 0 </port><raw_options>Enable</raw_options></central_server>\n"
        "<logging><log_size>2048 KB</log_size></logging>",
        capsys,
    )
    file = tmp_path / "etc" / "aspera.conf"
    assert (status, err) == (0, "")
    assert line_of(out, "central_server><port") == ["<central_server><port>", "0", f"{file}:3", "in effect"]
    assert line_of(out, "raw_options")[1:] == ["enable", f"{file}:3", "in effect"]
    assert line_of(out, "log_size")[1:] == ["2 MB", f"{file}:4", "in effect"]
    assert line_of(out, "central_server><address")[1:] == ["127.0.0.1", "default", "in effect"]
    assert line_of(out, "observer_allow")[1:] == ["-", "default", "in effect"]
    for group, options in OPTIONS.items():
        for option in options:
            without = option.field in NOT_IN_EFFECT
            assert ("no effect" in line_of(out, f"{group}><{option.element}")[3]) == without
    assert f"prefix  {tmp_path}\n" in out
    assert str(tmp_path / "var" / "central-store.db") in out
    assert "Nothing was passed over." in out


def test_what_is_unknown_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = checked(
        tmp_path, "<central_servr/>\n<central_server><prot>1</prot></central_server>", capsys
    )
    file = tmp_path / "etc" / "aspera.conf"
    assert status == 0
    assert out.splitlines()[-2:] == [
        f"{file}:2: unknown group <central_servr> passed over",
        f"{file}:3: unknown option <central_server><prot> passed over",
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<central_server><port>x</port></central_server>", ":2: <central_server><port>: "),
        ("<central_server>", "not well-formed XML"),
    ],
)
def test_a_file_no_daemon_would_start_with_is_told_in_one_line_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, reason: str
) -> None:
    status, out, err = checked(tmp_path, body, capsys)
    assert (status, out) == (1, "")
    assert reason in err
    assert err.count("\n") == 1


def test_without_the_option_it_is_the_file_that_a_daemon_would_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.conf"
    file.write_text('<CONF version="2"><central_server><port>4711</port></central_server></CONF>')
    monkeypatch.setenv("ASPERA_CONF", str(file))
    assert main(["check-config"]) == 0
    assert line_of(capsys.readouterr().out, "central_server><port")[1] == "4711"


def test_the_store_is_said_to_be_in_memory_when_it_is_disabled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = checked(
        tmp_path, "<central_server><persistent_store>disable</persistent_store></central_server>", capsys
    )
    assert re.search(r"^store +in memory$", out, re.MULTILINE)


def test_what_users_may_do_is_explained_without_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = checked(
        tmp_path,
        "<default><authorization><token><encryption_key>0123456789abcdef</encryption_key></token></authorization>"
        "</default>\n<aaa><realms><realm><users><user><name>xfer</name>\n"
        "<authorization><transfer><in><value>token</value></in></transfer></authorization>"
        "<transfer><protocol/></transfer></user></users></realm></realms></aaa>",
        capsys,
    )
    file = tmp_path / "etc" / "aspera.conf"
    assert status == 0
    assert re.search(rf"^ *user xfer +<authorization/transfer/in/value> +token +{file}:4$", out, re.M)
    assert re.search(r"everybody +<file_system/access/paths/path/absolute> +- +default", out)
    assert re.search(rf"everybody +<authorization/token/encryption_key> +\(set\) +{file}:2", out)
    assert "0123456789abcdef" not in out
    assert f"{file}:4: user xfer: <transfer/protocol> has no effect in this server; passed over" in out


def test_a_mistake_in_what_users_may_do_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = checked(
        tmp_path,
        "<default><transfer><encryption><allowed_cipher>des</allowed_cipher></encryption></transfer></default>",
        capsys,
    )
    assert status == 1
    assert f"{tmp_path / 'etc' / 'aspera.conf'}:2: <transfer/encryption/allowed_cipher>" in err
