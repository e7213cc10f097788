"""Steer a running job on Twisted's own reactor: `steer.py HOST:PORT USER SOURCE DESTINATION`.

The job begins slowly, is paused as soon as it moves, and goes on at a higher rate a second later.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, inlineCallbacks

from asperacentral.fasp import (
    EventKind,
    FaspManager,
    JobOrder,
    Location,
    TransferEvent,
    TransferParameters,
)


@inlineCallbacks
def steer(clock: Any) -> Generator[Deferred[Any], Any, None]:
    address, user, source, destination = sys.argv[1:]
    host, _, port = address.rpartition(":")
    far = Location.remote(host, destination, port=int(port), user=user, password=os.environ["PASSWORD"])
    how = TransferParameters(target_rate=2_000, create_path=True)
    moves: Deferred[None] = Deferred()

    def hear(event: TransferEvent) -> None:
        if event.kind is EventKind.RATE_MODIFICATION:
            print(f"rate: {event.statistics.target_rate} Kbps", flush=True)
        if event.statistics.transferred_bytes and not moves.called:
            moves.callback(None)

    manager = FaspManager(reactor=clock)
    job = manager.launch_job(JobOrder(Location.local(source), far, how), hear)
    yield moves
    manager.pause_job(job)
    yield task.deferLater(clock, 1)
    manager.control_job(job, target_rate=500_000)
    manager.resume_job(job)
    result = yield manager.deferred_end(job)
    print(f"{result.state}: {result.statistics.transferred_bytes} bytes moved", result.description)
    yield manager.shut_down()


if __name__ == "__main__":
    task.react(steer)
