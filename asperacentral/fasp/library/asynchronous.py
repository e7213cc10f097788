"""The FASP Manager for asyncio: the same jobs, awaited. Listeners are called in the event loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType

from asperacentral.fasp.library.core import Listener
from asperacentral.fasp.library.events import TransferEvent
from asperacentral.fasp.library.jobs import JobResult
from asperacentral.fasp.library.manager import FaspManager
from asperacentral.fasp.library.orders import JobOrder
from asperacentral.fasp.program import Program


class AsyncFaspManager:
    """An asynchronous context manager. `manager` has everything else: none of its other methods takes long.

    The parameters are those of FaspManager.
    """

    def __init__(
        self,
        *,
        program: Program | None = None,
        management_port: int = 0,
        known_hosts: Path | None = None,
        host_key_policy: str = "tofu",
    ) -> None:
        self.manager = FaspManager(
            program=program,
            management_port=management_port,
            known_hosts=known_hosts,
            host_key_policy=host_key_policy,
        )

    async def launch_job(self, order: JobOrder, listener: Listener | None = None) -> str:
        """Start a job and return its id. LaunchError."""
        loop = asyncio.get_running_loop()

        def pass_on(event: TransferEvent) -> None:
            if listener is not None and not loop.is_closed():
                loop.call_soon_threadsafe(listener, event)

        return await asyncio.to_thread(self.manager.launch_job, order, pass_on)

    async def wait(self, job_id: str) -> JobResult:
        """The job's result, once it has ended. Being cancelled here does not cancel the job."""
        return await asyncio.shield(asyncio.wrap_future(self.manager.ended(job_id)))

    async def run(self, order: JobOrder) -> AsyncGenerator[TransferEvent, None]:
        """Launch a job and give its events until it has ended; leaving the loop early cancels it."""
        events: asyncio.Queue[TransferEvent | None] = asyncio.Queue()
        job_id = await self.launch_job(order, events.put_nowait)
        end = asyncio.wrap_future(self.manager.ended(job_id))
        end.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
        finally:
            if not end.done():
                self.manager.cancel_job(job_id)

    async def __aenter__(self) -> AsyncFaspManager:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.manager.close)
