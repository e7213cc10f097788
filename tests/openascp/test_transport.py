"""Whether files go over UDP: the option, the configuration of either machine, and what is said when they may not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.transport import Transport, on_server
from tests.openascp.conftest import IN_A_NETWORK_OF_ITS_OWN, Run

CONF = """<CONF version="2"><default><transfer>
<protocol_options><udp>{udp}</udp></protocol_options></transfer></default>
</CONF>"""
OURS = f"{sys.executable} -P -m asperacentral.openascp"


def test_without_a_word_udp_is_tried_and_needed_by_nobody() -> None:
    rule = Transport("any", "allow")
    assert rule.port(33001) == 33001
    rule.without_udp("it is blocked")
    rule.chosen({"Transport": "ssh", "FallbackProtocol": "ssh"})


@pytest.mark.parametrize(("asked", "configured"), [("ssh", "allow"), ("any", "deny"), ("ssh", "deny")])
def test_where_udp_is_not_wanted_it_is_not_asked_for(asked: str, configured: str) -> None:
    assert Transport(asked, configured).port(33001) == 0


@pytest.mark.parametrize(
    ("asked", "configured", "who"), [("udp", "allow", "--transport=udp"), ("any", "require", "aspera.conf")]
)
def test_where_udp_must_be_nothing_else_is(asked: str, configured: str, who: str) -> None:
    rule = Transport(asked, configured)
    rule.chosen({"Transport": "udp"})
    for told, reason in (
        ({"Transport": "ssh", "FallbackProtocol": "ssh"}, "UDP does not get through"),
        ({"Transport": "ssh"}, "the far side offers no UDP"),
    ):
        with pytest.raises(SessionFailure, match=f"^{reason}, and {who} allows no other way") as caught:
            rule.chosen(told)
        assert caught.value.code is FaspCode.CONNECTION_ERROR


@pytest.mark.parametrize(("asked", "configured"), [("udp", "deny"), ("ssh", "require")])
def test_option_and_configuration_that_exclude_each_other_are_an_error(asked: str, configured: str) -> None:
    with pytest.raises(SessionFailure, match=r"aspera\.conf"):
        Transport(asked, configured)


def test_a_server_that_requires_udp_refuses_who_does_not_want_it() -> None:
    on_server("require", wanted=True, offered=True)
    on_server("allow", wanted=False, offered=False)
    with pytest.raises(SessionFailure, match="the client asks for none"):
        on_server("require", wanted=False, offered=False)
    with pytest.raises(SessionFailure, match="cannot be offered"):
        on_server("require", wanted=True, offered=False)


def ended(run: Run, tmp_path: Path, *options: str, far_side: str = OURS, udp: str = "") -> tuple[str, str]:
    """Code and description of the error that a session ends with; empty and its transport when there is none."""
    (tmp_path / "source").write_bytes(b"data")
    variables = {}
    if udp:
        (tmp_path / "aspera.conf").write_text(CONF.format(udp=udp))
        variables = {"ASPERA_CONF": str(tmp_path / "aspera.conf")}
    process = run(
        "send", [tmp_path / "source"], tmp_path / "copy", *options, "-S", far_side, environment=variables
    )
    last = process.listener.wait_for(lambda message: message.type in ("DONE", "ERROR"))
    if last.type == "ERROR":
        assert not (tmp_path / "copy").exists()
        return last.text("Code") or "", last.text("Description") or ""
    [session] = process.listener.of_type("SESSION")
    return "", f"{session.text('Transport')} {session.text('FallbackProtocol') or ''}".strip()


@pytest.mark.sshd
def test_a_session_that_must_have_udp_does_not_go_by_sftp(run: Run, tmp_path: Path) -> None:
    code, text = ended(run, tmp_path, "--transport=udp", far_side="no-openascp-here")
    assert code == "14"
    assert text.startswith("SFTP would move the files, and")


@pytest.mark.sshd
@IN_A_NETWORK_OF_ITS_OWN
def test_a_session_that_must_have_udp_ends_where_it_is_blocked(run: Run, tmp_path: Path) -> None:
    code, text = ended(run, tmp_path, "--transport=udp", far_side=f"unshare --net {OURS}")
    assert (code, text) == (
        "14",
        "UDP does not get through, and --transport=udp allows no other way than UDP",
    )


@pytest.mark.sshd
@IN_A_NETWORK_OF_ITS_OWN
def test_where_udp_is_blocked_the_files_go_over_ssh_and_that_is_said(run: Run, tmp_path: Path) -> None:
    told = ended(run, tmp_path, "-L", str(tmp_path / "log"), far_side=f"unshare --net {OURS}")
    assert told == ("", "ssh ssh")
    assert (tmp_path / "copy").read_bytes() == b"data"
    log = (tmp_path / "log" / "openascp.log").read_text()
    assert "UDP does not get through (no answer): the files go over SSH" in log


ALL_PORTS_TAKEN = """
import os, socket, sys
held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(33001, 33101)]
for port, each in enumerate(held, 33001):
    each.bind(("", port))
    each.set_inheritable(True)
os.execv(sys.executable, [sys.executable, "-P", "-m", "asperacentral.openascp", "--server"])
"""


@pytest.mark.sshd
@IN_A_NETWORK_OF_ITS_OWN
def test_a_far_side_without_a_free_port_offers_no_udp(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "taken"
    program.write_text(f"#!{sys.executable}\n{ALL_PORTS_TAKEN}")
    program.chmod(0o755)
    far_side = f"unshare --net {program}"
    code, text = ended(run, tmp_path, "--transport=udp", far_side=far_side)
    assert (code, text[: text.find(",")]) == ("14", "the far side offers no UDP")
    assert ended(run, tmp_path, far_side=far_side) == ("", "ssh")


@pytest.mark.sshd
def test_udp_can_be_left_out_by_option_and_by_either_machine(run: Run, tmp_path: Path) -> None:
    denying = tmp_path / "server.conf"
    denying.write_text(CONF.format(udp="deny"))
    assert ended(run, tmp_path, "--transport=ssh") == ("", "ssh")
    assert ended(run, tmp_path, "--overwrite=always", udp="deny") == ("", "ssh")
    assert ended(run, tmp_path, "--overwrite=always", far_side=f"env ASPERA_CONF={denying} {OURS}") == (
        "",
        "ssh",
    )
    assert ended(run, tmp_path, "--overwrite=always") == ("", "udp")


@pytest.mark.sshd
def test_a_server_can_require_udp(run: Run, tmp_path: Path) -> None:
    requiring = tmp_path / "server.conf"
    requiring.write_text(CONF.format(udp="require"))
    far_side = f"env ASPERA_CONF={requiring} {OURS}"
    code, text = ended(run, tmp_path, "--transport=ssh", far_side=far_side)
    assert (code, text) == ("14", "this server moves files over UDP only, and the client asks for none")
    assert ended(run, tmp_path, far_side=far_side) == ("", "udp")
