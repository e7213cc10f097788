"""What carries the files: ports, datagrams, addresses, ciphers, host keys, and when to try again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.e2e.orders.trial import HALVES, SFTP, Trial, code, completed, names, shows, status


@shows("ChannelParameters/Port", sides=(HALVES,))
def shows_its_udp_port(trial: Trial) -> None:
    (info,) = trial.push({"ChannelParameters/Port": "33005"})
    assert info.ServerFASPPort == 33005


@shows("ChannelParameters/DatagramSize", "ChannelParameters/AutoDetectPathMTU", sides=(HALVES,))
def gives_the_size_of_datagrams_to_the_process(trial: Trial) -> None:
    assert " dgram_sz=1300 " in trial.logged({"ChannelParameters/DatagramSize": "1300"})
    auto = {"ChannelParameters/DatagramSize": "1300", "ChannelParameters/AutoDetectPathMTU": "Yes"}
    assert " dgram_sz=0 " in trial.logged(auto).splitlines()[-5]


@shows("ChannelParameters/IPV6", sides=(HALVES,))
def connects_by_ipv6_only(trial: Trial) -> None:
    (refused,) = trial.push({"ChannelParameters/IPV6": "Yes"})
    assert code(refused) == 12
    try:
        reachable = asyncio.run(_relayed(trial))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    assert reachable


async def _relayed(trial: Trial) -> bool:
    """Push over IPv6, through a relay to the far side, which listens on IPv4."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", trial.side.port)
        await asyncio.wait(
            [
                asyncio.ensure_future(_pump(reader, far_writer)),
                asyncio.ensure_future(_pump(far_reader, writer)),
            ]
        )

    server = await asyncio.start_server(relay, "::1", 0)
    port = str(server.sockets[0].getsockname()[1])
    elements = {
        "ChannelParameters/IPV6": "Yes",
        "RemoteLocation/System/Address": "::1",
        "RemoteLocation/System/Port": port,
    }
    try:
        return completed(await asyncio.to_thread(trial.push, elements))
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@shows("ChannelParameters/Transport", sides=(HALVES,))
def goes_over_udp_or_ssh_as_the_order_says(trial: Trial) -> None:
    seen = {}
    for word in ("Any", "udp", "SSH"):
        (info,) = trial.push({"ChannelParameters/Transport": word, "FileParameters/Overwrite": "Always"})
        seen[word] = trial.site.carriage(info.UUID)
    assert seen["Any"] == seen["udp"] == ("fasp", "none")
    transport, cipher = seen["SSH"]
    assert transport == "ssh"
    assert cipher != "none"


@shows("ChannelParameters/Transport", sides=(SFTP,))
def ends_where_the_order_allows_no_sftp(trial: Trial) -> None:
    (info,) = trial.push({"ChannelParameters/Transport": "Any"}, target="any")
    assert trial.site.carriage(info.UUID)[0] == "sftp"
    retries = {"RetryParameters/Count": "1", "RetryParameters/BaseInterval": "0"}
    refused = trial.push({"ChannelParameters/Transport": "UDP", **retries}, target="udp")
    assert [(status(each), code(each)) for each in refused] == [("willretry", 14), ("error", 14)]
    assert "allows no other way than UDP" in str(refused[-1].ErrorDescription)
    assert names(trial.far) == ["any"]


@shows("SecurityParameters/EncryptionCipher", sides=(HALVES,))
def asks_for_the_strength_of_the_cipher(trial: Trial) -> None:
    (info,) = trial.push({"SecurityParameters/EncryptionCipher": "AES-256"})
    assert "128" not in str(info.EncryptionCipher)


@shows("SecurityParameters/SSHFingerprint", sides=(HALVES,))
def refuses_another_host_key(trial: Trial) -> None:
    wrong = "SHA256:" + "A" * 43
    (refused,) = trial.push({"SecurityParameters/SSHFingerprint": wrong})
    assert code(refused) == 51
    if trial.side.fingerprint:
        assert completed(trial.push({"SecurityParameters/SSHFingerprint": trial.side.fingerprint}))


@shows(
    "RetryParameters/Count",
    "RetryParameters/BaseInterval",
    "RetryParameters/MaximumInterval",
    "NoMgmtPortFiles",
)
def retries_as_often_as_asked(trial: Trial) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nowhere = {"RemoteLocation/System/Port": str(silent.getsockname()[1])}
        retries = {
            "RetryParameters/Count": "2",
            "RetryParameters/BaseInterval": "1",
            "RetryParameters/MaximumInterval": "1",
        }
        sessions = trial.push({**nowhere, **retries})
        assert len(sessions) == 3
        starts = [info.StartDate for info in sessions]
        assert (starts[2] - starts[0]).total_seconds() >= 1.5
        assert len(trial.push({**nowhere, **retries, "NoMgmtPortFiles": "Yes"})) == 1
