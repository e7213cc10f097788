"""Caps that the sessions of a host share, kept by real processes on whichever end they are set."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asperacentral.fasp.management import Message
from asperacentral.fasp.messages import cancel, virtual_link
from asperacentral.openascp.virtual_links import BadLinkError, asked
from tests.openascp.conftest import PLANES, Run
from tests.openascp.manager import Listener, Openascp

pytestmark = pytest.mark.sshd

CAP = 16_000
SIZE = 2_500_000
CONF = """<CONF version="2">
  <trunks><trunk><id>7</id><on>true</on><capacity>{cap}</capacity></trunk></trunks>
  <default><transfer>
    <in><bandwidth><aggregate>{rule}</aggregate></bandwidth></in>
    <out><bandwidth><aggregate>{rule}</aggregate></bandwidth></out>
  </transfer></default>
</CONF>"""
LINK, PLAIN = "<trunk_id>7</trunk_id>", f"<cap>{CAP}</cap>"

Start = Callable[..., Openascp]


def starter(run: Run, tmp_path: Path, patch: pytest.MonkeyPatch, end: str, rule: str) -> Start:
    """Starts sessions whose one end, client or server, has such an aspera.conf."""
    file = tmp_path / "aspera.conf"
    file.write_text(CONF.format(cap=CAP, rule=rule))
    variables = {"ASPERA_CONF": str(file), "OPENASCP_RUN_DIRECTORY": str(tmp_path / "run")}
    if end == "server":
        words = " ".join(f"{name}={value}" for name, value in variables.items())
        patch.setitem(PLANES, "exchange", f"env {words} {sys.executable} -P -m asperacentral.openascp")
        variables = {}
    return lambda *arguments: run(*arguments, environment=variables)


@pytest.mark.parametrize("end", ["client", "server"])
@pytest.mark.parametrize(
    ("mode", "rule", "options"),
    [("send", LINK, ()), ("recv", PLAIN, ()), ("send", PLAIN, ("--transport=ssh",))],
    ids=["send", "recv", "ssh"],
)
def test_two_sessions_together_stay_within_the_cap(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    mode: str,
    rule: str,
    options: tuple[str, ...],
) -> None:
    start = starter(run, tmp_path, monkeypatch, end, rule)
    (tmp_path / "source").write_bytes(bytes(SIZE))
    began = time.monotonic()
    processes = [
        start(
            mode, [tmp_path / "source"], tmp_path / f"copy{number}", "--policy=fixed", "-l", "200m", *options
        )
        for number in range(2)
    ]
    for process in processes:
        process.done()
    seconds = time.monotonic() - began
    assert 2 * SIZE * 8 / 1000 / seconds < 1.1 * CAP
    for number in range(2):
        assert (tmp_path / f"copy{number}").stat().st_size == SIZE
    if end == "client":
        [session] = processes[0].listener.of_type("SESSION")
        assert session.text("ServiceLevel") == str(CAP)
        assert (session.text("VLinkLocalId") or "") == ("7" if rule is LINK else "")


def test_high_gets_twice_the_share_and_all_when_the_other_ends(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = starter(run, tmp_path, monkeypatch, "client", LINK)
    (tmp_path / "source").write_bytes(bytes(40_000_000))
    high, fair = (
        start("send", [tmp_path / "source"], tmp_path / policy, f"--policy={policy}", "-l", "40m")
        for policy in ("high", "fair")
    )
    for process in (high, fair):
        process.listener.wait_for(lambda message: moved(message) > 0)
    time.sleep(1.5)
    first, second = rates([high, fair], 2.0)
    assert 1.4 < first / second < 2.8
    assert first + second < 1.1 * CAP
    fair.process.kill()
    fair.process.wait(60)
    time.sleep(1.5)
    [alone] = rates([high], 2.0)
    assert 1.1 * first < alone < 1.1 * CAP


def rates(processes: list[Openascp], seconds: float) -> list[float]:
    """Kbps of each over some seconds, by what their statistics tell."""
    begin = [last(process) for process in processes]
    time.sleep(seconds)
    return [
        (bytes_now - bytes_then) * 8000 / (then - since)
        for (since, bytes_then), (then, bytes_now) in zip(begin, map(last, processes), strict=True)
    ]


def last(process: Openascp) -> tuple[int, int]:
    """Microseconds and bytes of the newest statistics."""
    told = [message for message in process.listener.of_type("STATS") if moved(message)]
    return int(told[-1].text("Elapsedusec")), moved(told[-1])


def moved(message: object) -> int:
    return int(message.text("TransferBytes") or 0)  # type: ignore[attr-defined]


def test_a_manager_puts_sessions_under_a_virtual_link_and_takes_them_from_under_it(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(bytes(60_000_000))
    variables = {"OPENASCP_RUN_DIRECTORY": str(tmp_path / "run")}
    processes = [
        run(
            "send",
            [tmp_path / "source"],
            tmp_path / f"copy{number}",
            *("--policy=fixed", "-l", "40m"),
            environment=variables,
        )
        for number in range(2)
    ]
    for process in processes:
        process.listener.wait_for("SESSION")
        process.listener.send(virtual_link(9, on=True, cap_in=1, cap_out=CAP))
        told = process.listener.wait_for(lambda message: message.text("VLinkLocalId") == "9")
        assert (told.type, told.text("VLinkLocalCL"), told.text("ServiceLevel")) == (
            "NOTIFICATION",
            str(CAP),
            str(CAP),
        )
        process.listener.send(Message("VLINK", {"VlinkID": "900", "VlinkOn": "Yes", "VlinkCapOut": "1"}))
    time.sleep(1.5)
    assert 0.5 * CAP < sum(rates(processes, 2.0)) < 1.1 * CAP
    for process in processes:
        process.listener.send(virtual_link(9, on=False))
        process.listener.wait_for(lambda message: message.text("VLinkLocalEnabled") == "No")
    time.sleep(1.0)
    assert sum(rates(processes, 2.0)) > 1.5 * CAP
    for process in processes:
        process.listener.send(cancel())
        assert process.error() == 28


@pytest.mark.parametrize("mode", ["send", "recv"])
def test_a_manager_of_the_servers_machine_does_so_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    (tmp_path / "source").write_bytes(bytes(60_000_000))
    (tmp_path / "run").mkdir()
    manager = Listener()
    (tmp_path / "run" / "manager.port").write_text(str(manager.port))
    far_side = f"env OPENASCP_RUN_DIRECTORY={tmp_path / 'run'} {PLANES['exchange']}"
    monkeypatch.setitem(PLANES, "exchange", far_side)
    process = run(mode, [tmp_path / "source"], tmp_path / "copy", "--policy=fixed", "-l", "40m")
    manager.wait_for("SESSION")
    caps = {"cap_in" if mode == "send" else "cap_out": CAP}
    manager.send(virtual_link(3, on=True, **caps))
    manager.wait_for(lambda message: message.text("VLinkLocalId") == "3")
    process.listener.wait_for(lambda message: moved(message) > 0)
    time.sleep(1.5)
    assert sum(rates([process], 2.0)) < 1.1 * CAP
    process.listener.send(cancel())
    assert process.error() == 28
    manager.close()


def test_a_virtual_link_without_a_number_or_with_a_negative_cap_is_none() -> None:
    for fields in ({}, {"VlinkID": "0"}, {"VlinkID": "256"}, {"VlinkID": "7", "VlinkCapIn": "-1"}):
        with pytest.raises(BadLinkError):
            asked(Message("VLINK", {"VlinkOn": "Yes", **fields}), incoming=True)


def test_a_virtual_link_caps_only_the_way_it_has_a_cap_for() -> None:
    link = virtual_link(7, on=True, cap_out=5000)
    assert asked(link, incoming=True) is None
    pool = asked(link, incoming=False)
    assert pool is not None
    assert (pool.capacity, pool.link) == (5000, 7)
    assert asked(virtual_link(7, on=False, cap_out=5000), incoming=False) is None
