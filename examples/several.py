"""Push several files, each as a job of its own, all at once: `several.py HOST:PORT USER SOURCE... DESTINATION`."""

from __future__ import annotations

import asyncio
import os
import sys

from asperacentral.fasp import AsyncFaspManager, EventKind, JobOrder, Location, TransferParameters


async def push(manager: AsyncFaspManager, source: str, far: Location) -> int:
    """Push one file, tell how it gets on, and return how many bytes were moved."""
    moved = 0
    how = TransferParameters(target_rate=50_000, create_path=True)
    async for event in manager.run(JobOrder(Location.local(source), far, how)):
        moved = event.statistics.transferred_bytes
        total = event.statistics.total_bytes
        if total and event.kind in {EventKind.PROGRESS, EventKind.SESSION_STOP}:
            print(f"{source}: {100 * moved // total} %", flush=True)
        if event.kind is EventKind.SESSION_ERROR:
            print(f"{source}: {event.statistics.error_description}", flush=True)
    return moved


async def main() -> int:
    address, user, *sources, destination = sys.argv[1:]
    host, _, port = address.rpartition(":")
    far = Location.remote(host, destination, port=int(port), user=user, password=os.environ["PASSWORD"])
    async with AsyncFaspManager() as manager:
        moved = await asyncio.gather(*(push(manager, source, far) for source in sources))
    print(f"{sum(moved)} bytes moved")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
