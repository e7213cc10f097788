"""The FASP Manager: launches one transfer process per session, hears it, and steers it.

It knows the management protocol (FASPMGR 2) and processes, but nothing of SOAP, jobs or the store of the daemon.

For programs that embed transfers, the names of `library` are here: make a `FaspManager`, describe a `JobOrder`, launch
it, be called back, control it (docs/fasp-manager.md). They are imported when first used, since a transfer process
imports this package too and has no use for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asperacentral.fasp.errors import LaunchError
    from asperacentral.fasp.library.asynchronous import AsyncFaspManager
    from asperacentral.fasp.library.events import EventKind, TransferEvent
    from asperacentral.fasp.library.jobs import JobResult, JobState
    from asperacentral.fasp.library.manager import FaspManager, UnknownJobError
    from asperacentral.fasp.library.orders import JobOrder, Location, OrderError, TransferParameters
    from asperacentral.fasp.library.retry import RetryPolicy
    from asperacentral.fasp.program import Program
    from asperacentral.fasp.statistics import FileState, FileStatistics, SessionStatistics

_HOMES = {
    "AsyncFaspManager": "library.asynchronous",
    "EventKind": "library.events",
    "FaspManager": "library.manager",
    "FileState": "statistics",
    "FileStatistics": "statistics",
    "JobOrder": "library.orders",
    "JobResult": "library.jobs",
    "JobState": "library.jobs",
    "LaunchError": "errors",
    "Location": "library.orders",
    "OrderError": "library.orders",
    "Program": "program",
    "RetryPolicy": "library.retry",
    "SessionStatistics": "statistics",
    "TransferEvent": "library.events",
    "TransferParameters": "library.orders",
    "UnknownJobError": "library.manager",
}

__all__ = [
    "AsyncFaspManager",
    "EventKind",
    "FaspManager",
    "FileState",
    "FileStatistics",
    "JobOrder",
    "JobResult",
    "JobState",
    "LaunchError",
    "Location",
    "OrderError",
    "Program",
    "RetryPolicy",
    "SessionStatistics",
    "TransferEvent",
    "TransferParameters",
    "UnknownJobError",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
