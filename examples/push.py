"""Push files and wait for the end: `push.py HOST:PORT USER SOURCE... DESTINATION`."""

from __future__ import annotations

import os
import sys

from asperacentral.fasp import (
    EventKind,
    FaspManager,
    JobOrder,
    Location,
    TransferEvent,
    TransferParameters,
)


def tell(event: TransferEvent) -> None:
    """Called by the manager's thread for every event: print those about whole files."""
    if event.file is not None and event.kind is not EventKind.PROGRESS:
        print(f"{event.kind:12} {event.file.name} ({event.file.size} bytes)", flush=True)


def main() -> int:
    address, user, *sources, destination = sys.argv[1:]
    host, _, port = address.rpartition(":")
    far = Location.remote(host, destination, port=int(port), user=user, password=os.environ["PASSWORD"])
    how = TransferParameters(target_rate=100_000, create_path=True)
    with FaspManager() as manager:
        job = manager.launch_job(JobOrder(Location.local(*sources), far, how), tell)
        result = manager.wait(job)
    print(f"{result.state}: {result.statistics.transferred_bytes} bytes moved", result.description)
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
