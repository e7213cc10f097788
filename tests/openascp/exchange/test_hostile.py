"""A half against another one that attacks it: nothing outside, no crash, and a clear end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asperacentral.openascp.exchange import messages as m
from asperacentral.openascp.policy import UserPolicy
from asperacentral.openascp.policy_handover import handed_over
from asperacentral.openascp.token import RECEIVE, SEND, Permission, issue
from tests.openascp.conftest import Run
from tests.openascp.exchange import hostile
from tests.openascp.exchange.hostile import EVIL, Peer, ends, entry, hello

KEY = b"a key of sixteen bytes or more"
BAD_NAMES = [
    b"..",
    b"../evil",
    b"a/../../evil",
    b"/evil",
    b"//evil",
    b"./evil",
    b"a//evil",
    b"a\0b",
    b"x" * 256,
    b"x" * 4096,
    b"d/" * 2047 + b"xx",
    b"link-out/evil",
    b"link-to-file-out",
    b"absolute-out/evil",
]
ODD_NAMES = [b"new\nline", b"\x1b[2Jescape", b"\xff\xfe", b"x" * 255, b"...", b"-rf", b"d/" * 100 + b"x"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A docroot with links that lead out, beside things that must stay as they are."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "outside").mkdir()
    (site / "outside" / "secret").write_text("secret")
    for folder in (site / "root", site / "root" / "in"):
        folder.mkdir()
        (folder / "link-out").symlink_to(site / "outside")
        (folder / "absolute-out").symlink_to("/tmp")
        (folder / "link-to-file-out").symlink_to(site / "outside" / "secret")
    (site / "root" / "allowed").mkdir()
    (site / "root" / "allowed" / "up").symlink_to("../in")
    (site / "root" / "other").write_text("not for everybody")
    return site / "root"


def untouched(root: Path) -> bool:
    beside = root.parent
    return (
        sorted(path.name for path in beside.iterdir()) == ["outside", "root"]
        and [path.name for path in (beside / "outside").iterdir()] == ["secret"]
        and (beside / "outside" / "secret").read_text() == "secret"
        and not Path("/tmp/evil").exists()
    )


@contextmanager
def server_half(policy: UserPolicy) -> Iterator[Peer]:
    """A real server half, and a hostile client of it; it must end by itself, without a traceback."""
    ours, theirs = ends()
    with ours, theirs, handed_over(policy) as (descriptor, variables):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "asperacentral.openascp", "--server"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            pass_fds=[descriptor],
            env={**os.environ, **variables, "OPENASCP_RUN_DIRECTORY": "/nonexistent"},
        )
        theirs.close()
        try:
            yield Peer(ours.fileno(), ours.fileno())
            ours.close()
            _, errors = process.communicate(timeout=60)
            assert process.returncode in (0, 1)
            assert errors == b""
        finally:
            process.kill()
            process.wait()


def greet(peer: Peer, said: m.Hello) -> m.Welcome | m.Refused | None:
    peer.say(said)
    answer: m.Welcome | m.Refused | None = peer.until(m.Welcome, m.Refused)
    return answer


# A hostile client.


def test_no_name_of_an_entry_leads_outside_and_odd_ones_arrive_as_they_are(root: Path) -> None:
    names = [*BAD_NAMES, *ODD_NAMES]
    odd_folders = [b"/".join([b"d"] * depth) for depth in range(1, 101)]
    with server_half(UserPolicy("alice", os.fsencode(root))) as peer:
        assert isinstance(greet(peer, hello(sending=True)), m.Welcome)
        peer.say(m.Argument(0, b"x", b"", b"in"), m.NoMoreArguments(1))
        folders = [entry(number, name, m.FOLDER) for number, name in enumerate(odd_folders)]
        files = [entry(len(folders) + number, name) for number, name in enumerate(names)]
        settled = peer.push([*folders, *files])
        outcomes = {each.path: settled[each.id] for each in files}
    assert untouched(root)
    assert {name: outcomes[name].outcome for name in BAD_NAMES} == dict.fromkeys(BAD_NAMES, m.FAILED)
    assert {outcomes[name].code for name in BAD_NAMES} == {41}
    for name in ODD_NAMES:
        assert outcomes[name].outcome == m.DONE, outcomes[name]
        assert Path(os.fsdecode(os.fsencode(root) + b"/in/" + name)).read_bytes() == EVIL


@pytest.mark.parametrize("where", ["destination", "argument", "name"])
def test_no_destination_leads_outside(root: Path, where: str) -> None:
    for bad in (b"/../../evil", b"in/link-out/evil", b"a\0b", b"x" * 5000):
        said = hello(sending=True, destination=bad if where == "destination" else b"in")
        with server_half(UserPolicy("alice", os.fsencode(root))) as peer:
            if isinstance(greet(peer, said), m.Welcome):
                argument = m.Argument(
                    0, b"x", bad if where == "name" else b"n", bad if where == "argument" else b"in"
                )
                peer.say(argument, m.NoMoreArguments(1))
                peer.push([entry(0, b"evil")])
        assert untouched(root)


def test_no_source_brings_out_what_is_outside(root: Path) -> None:
    sources = [
        b"../outside/secret",
        b"/../../outside/secret",
        b"link-out/secret",
        b"link-to-file-out",
        b"link-out",
        b"a\0b",
    ]
    with server_half(UserPolicy("alice", os.fsencode(root))) as peer:
        assert isinstance(greet(peer, hello(sending=False)), m.Welcome)
        for number, source in enumerate(sources):
            peer.say(m.Argument(number, source, b"x", b"."))
        peer.say(m.NoMoreArguments(len(sources)))
        troubles: list[m.Trouble] = []
        while (message := peer.until(m.Troubles, m.Scanned, m.Broken)) is not None:
            if isinstance(message, m.Troubles):
                troubles += message.troubles
            if isinstance(message, m.Broken) or (
                isinstance(message, m.Scanned) and message.argument == len(sources) - 1
            ):
                break
    assert len(troubles) == len(sources)
    assert b"secret" not in peer.data


def test_a_client_that_may_only_read_or_only_write_does_nothing_else(root: Path) -> None:
    for policy, sending in (
        (UserPolicy("alice", os.fsencode(root), write=False), True),
        (UserPolicy("alice", os.fsencode(root), read=False), False),
    ):
        with server_half(policy) as peer:
            answer = greet(peer, hello(sending=sending))
            assert isinstance(answer, m.Refused)
            assert answer.code == 5


def test_a_token_gives_its_paths_and_nothing_beside_them(root: Path) -> None:
    policy = UserPolicy("xfer", os.fsencode(root), token_keys=(KEY,)).with_tokens_only()
    now = int(time.time())

    def token(way: str, *paths: bytes) -> str:
        return issue(KEY, Permission(way, paths, now, now + 600))

    with server_half(policy) as peer:
        assert isinstance(greet(peer, hello(sending=True, destination=b"allowed")), m.Refused)
    with server_half(policy) as peer:
        wrong = hello(sending=True, destination=b"allowed", token=token(RECEIVE, b"allowed"))
        assert isinstance(greet(peer, wrong), m.Refused)
    for destination, names in (
        (b"allowed", [b"good", b"up/evil", b"../evil"]),
        (b"in", [b"evil"]),
        (b"allowedx", [b"evil"]),
    ):
        said = hello(sending=True, destination=destination, token=token(SEND, b"allowed"))
        with server_half(policy) as peer:
            if isinstance(greet(peer, said), m.Welcome):
                peer.say(m.Argument(0, b"x", b"", destination), m.NoMoreArguments(1))
                peer.push([entry(number, name) for number, name in enumerate(names)])
    assert (root / "allowed" / "good").read_bytes() == EVIL
    assert not list(root.rglob("evil*"))
    assert not (root / "allowedx").exists()
    with server_half(policy) as peer:
        assert isinstance(greet(peer, hello(sending=False, token=token(RECEIVE, b"allowed"))), m.Welcome)
        peer.say(m.Argument(0, b"other", b"x", b"."), m.NoMoreArguments(1))
        assert peer.until(m.Troubles, m.Broken) is not None
    assert peer.data == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\xff" * 4096,
        b"\x00\x00\x00\x05\x00\xc1\xc1\xc1\xc1",
        b"\x7f\xff\xff\xff\x00",
    ],
)
def test_who_does_not_speak_the_language_is_let_go(root: Path, garbage: bytes) -> None:
    with server_half(UserPolicy("alice", os.fsencode(root))) as peer:
        peer.send(garbage)
    assert untouched(root)


# A hostile server.


def far_side(*words: str) -> tuple[str, str]:
    return "-S", " ".join([sys.executable, "-P", hostile.__file__, *words])


@pytest.mark.sshd
@pytest.mark.parametrize("name", [b"..", b"../evil", b"/evil", b"a\0b", b"x" * 4096, b"link-out/evil"])
def test_no_name_that_a_server_sends_leads_outside_the_destination(run: Run, root: Path, name: bytes) -> None:
    destination = root / "in"
    (destination / "link-out").unlink()
    process = run("recv", ["/anything"], destination, *far_side("pull", name.hex()))
    assert process.listener.wait_for(lambda message: message.type in ("ERROR", "DONE")).type == "ERROR"
    _, errors = process.process.communicate(timeout=60)
    assert process.process.returncode == 1
    assert b"Traceback" not in errors
    assert untouched(root)
    assert not list(destination.rglob("evil")) or name == b"link-out/evil"


@pytest.mark.sshd
@pytest.mark.parametrize(
    "scenario",
    ["needs-unknown", "needs-negative", "needs-beyond", "needs-huge", "ask-beyond", "ask-unknown", "data",
     "settled-unknown", "settled-nonsense", "written-negative", "rates", "second-welcome", "garbage", "not-msgpack",
     "deep", "silence"],
)  # fmt: skip
def test_whatever_a_server_answers_the_client_ends_with_an_error_of_one_line(
    run: Run, tmp_path: Path, scenario: str
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100_000)
    process = run("send", [source], "/in", *far_side(scenario))
    error = process.listener.wait_for(lambda message: message.type in ("ERROR", "DONE"))
    assert error.type == "ERROR"
    assert len(error.text("Description").splitlines()) == 1
    _, errors = process.process.communicate(timeout=60)
    assert process.process.returncode == 1
    assert b"Traceback" not in errors
    assert source.read_bytes() == b"x" * 100_000
