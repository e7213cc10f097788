"""FASPMGR 4: writing into files at the far side."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp import stream_to_file
from asperacentral.fasp.management import LocalProtocolError, RemoteProtocolError
from asperacentral.fasp.stream_to_file import Close, Command, Put, StreamReader, StreamWriter, Write

SESSION: list[Command] = [Put("/a\nb"), Write("/a\nb", 0, b"one\n\n"), Write("/a\nb", 5, b""), Close("/a\nb")]

paths = st.sampled_from(["/a", "/b", "/ü\n", "/\x1b"])
sessions = st.lists(st.tuples(paths, st.lists(st.tuples(st.integers(0, 10**15), st.binary(max_size=50)))))


def written(commands: list[Command]) -> bytes:
    writer = StreamWriter()
    return b"".join(writer.write(command) for command in commands)


def test_a_file_is_put_written_and_closed() -> None:
    assert written(SESSION) == (
        b"FASPMGR 4\nType: PUT\nDestination: /a\x1bnb\n\n"
        b"FASPMGR 4\nType: WRITE\nDestination: /a\x1bnb\nOffset: 0\nSize: 5\n\none\n\n\n\n"
        b"FASPMGR 4\nType: WRITE\nDestination: /a\x1bnb\nOffset: 5\nSize: 0\n\n\n\n"
        b"FASPMGR 4\nType: CLOSE\nDestination: /a\x1bnb\n\n"
    )


def test_what_is_written_is_read_back_byte_by_byte() -> None:
    reader = StreamReader()
    data = written(SESSION)
    assert [command for i in range(len(data)) for command in reader.feed(data[i : i + 1])] == SESSION


@given(sessions, st.data())
def test_any_session_reads_the_same_wherever_it_is_cut(
    files: list[tuple[str, list[tuple[int, bytes]]]], draw: st.DataObject
) -> None:
    commands: list[Command] = []
    for path, writes in files:
        commands += [Put(path), *(Write(path, offset, data) for offset, data in writes), Close(path)]
    data = written(commands)
    cut = draw.draw(st.integers(0, len(data)))
    reader = StreamReader()
    assert reader.feed(data[:cut]) + reader.feed(data[cut:]) == commands


@pytest.mark.parametrize(
    "commands",
    [
        [Write("/a", 0, b"x")],
        [Close("/a")],
        [Put("/a"), Put("/a")],
        [Put("/a"), Write("/a", -1, b"")],
        [Put("")],
    ],
)
def test_what_is_out_of_order_is_not_written(commands: list[Command]) -> None:
    with pytest.raises(LocalProtocolError):
        written(commands)


@pytest.mark.parametrize(
    "said",
    [
        b"FASPMGR 2\nType: PUT\nDestination: /a\n\n",
        b"FASPMGR 4\nType: PUT\n\n",
        b"FASPMGR 4\nType: CLOSE\nDestination: /a\n\n",
        b"FASPMGR 4\nType: RATE\nDestination: /a\n\n",
        b"FASPMGR 4\nType: PUT\nDestination: /a\n\nFASPMGR 4\nType: PUT\nDestination: /a\n\n",
        b"FASPMGR 4\nType: PUT\nDestination: /a\n\nFASPMGR 4\nType: WRITE\nDestination: /a\nOffset: 0\nSize: x\n\n",
        b"FASPMGR 4\nType: PUT\nDestination: /a\n\n"
        b"FASPMGR 4\nType: WRITE\nDestination: /a\nOffset: 0\nSize: 1\n\nxyz",
        b"x" * 300_000,
    ],
)
def test_what_is_not_the_protocol_is_refused_for_good(said: bytes) -> None:
    reader = StreamReader()
    with pytest.raises(RemoteProtocolError) as first:
        reader.feed(said)
    with pytest.raises(RemoteProtocolError, match=str(first.value)):
        reader.feed(b"")


def test_a_write_that_announces_too_much_is_refused_before_it_comes() -> None:
    reader = StreamReader()
    reader.feed(b"FASPMGR 4\nType: PUT\nDestination: /a\n\n")
    huge = stream_to_file.MAX_CHUNK + 1
    with pytest.raises(RemoteProtocolError, match="longer than"):
        reader.feed(f"FASPMGR 4\nType: WRITE\nDestination: /a\nOffset: 0\nSize: {huge}\n\n".encode())


@given(st.binary(max_size=300))
def test_any_bytes_give_commands_or_a_remote_mistake(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        StreamReader().feed(data)
