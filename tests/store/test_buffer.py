"""What happens when more records wait for the store than its buffer should hold."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from asperacentral.central.errors import Unavailable
from asperacentral.central.ports import Write
from asperacentral.central.query import FileTransferFilter
from asperacentral.store.buffer import Buffer
from asperacentral.store.store import StoreOptions
from tests.store.test_store import Open, a_file, a_job, a_session


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_what_comes_to_a_full_buffer_is_dropped_until_there_is_room() -> None:
    buffer = Buffer(3, drop=True)
    assert [buffer.admit(2), buffer.admit(2), buffer.admit(1)] == [True, True, False]
    assert buffer.waiting == 4
    buffer.release(2)
    assert [buffer.admit(1), buffer.admit(1)] == [True, False]


def test_a_buffer_that_blocks_takes_all() -> None:
    buffer = Buffer(1, drop=False)
    assert all(buffer.admit(1) for _ in range(10))
    assert buffer.waiting == 10


def test_losses_are_told_with_their_number_at_most_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = Now()
    buffer = Buffer(1, drop=True, seconds=now)
    buffer.admit(1)
    with caplog.at_level(logging.ERROR):
        for _ in range(120):
            buffer.admit(10)
            now.seconds += 1
        assert [record.getMessage().split()[0] for record in caplog.records] == ["10", "600"]
        now.seconds += 60
        buffer.release(1)
        assert [record.getMessage().split()[0] for record in caplog.records] == ["10", "600", "590"]
        buffer.release(0)
        buffer.tell()
        assert len(caplog.records) == 3


@pytest.mark.parametrize("drop", [True, False])
def test_only_expendable_records_are_dropped_and_only_if_so_configured(tmp_path: Path, drop: bool) -> None:
    opened = Open(tmp_path, options=StoreOptions(buffer_capacity=2, drop_overrun=drop))
    store = opened.store
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # While somebody else writes, everything waits.
    expendable = [
        store.write(Write(files=(a_file(n),), expendable=True), durable=False, give_up=False)
        for n in range(1, 6)
    ]
    kept = [
        store.write(Write(files=(a_file(6),), sessions=(a_session(),)), durable=False, give_up=False),
        store.write(Write(jobs=(a_job(),)), durable=True, give_up=True),
    ]
    other.execute("ROLLBACK")
    other.close()
    for written in kept:
        opened.wait(written)
    refused = [written for written in expendable if written.exception()]
    assert len(refused) == (3 if drop else 0)
    for written in refused:
        with pytest.raises(Unavailable):
            written.result()
    found = opened.wait(store.files(FileTransferFilter(), 0, 99, 10)).items
    assert [file.change for file in found] == ([1, 2, 6] if drop else [1, 2, 3, 4, 5, 6])
    assert [job.id for job in store.open_jobs()] == ["j"]
    again = store.write(Write(files=(a_file(7),), expendable=True), durable=False, give_up=False)
    opened.wait(again)
    store.close()
