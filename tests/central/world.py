"""The rules with a real store and a test clock; transfers and observers are scripted by the test."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from twisted.internet.task import Clock

from asperacentral.central.model import ALL, Endpoint, Event, Subscription
from asperacentral.central.service import Central
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.manager import SessionEnding
from asperacentral.fasp.order import JobOrder
from asperacentral.observers.outbox import Delivery
from asperacentral.store.store import Store, StoreOptions

T = TypeVar("T")

START = 1_800_000_000.0
LANE = "http://127.0.0.1:9/observer"

ORDER = """<Order><Operation>Push</Operation>
<ApplicationData><Cookie>{cookie}</Cookie></ApplicationData>
<RemoteLocation><System><Address>127.0.0.1</Address><Port>2222</Port><UserName>u</UserName>
<Password>geheim</Password></System><Files><Path>/in</Path></Files></RemoteLocation>
<LocalLocation><Files><Path>/data/a</Path></Files></LocalLocation>
<RateParameters><TargetRate>5000</TargetRate></RateParameters>
<RetryParameters><Count>{retries}</Count><BaseInterval>{base}</BaseInterval><MaximumInterval>60</MaximumInterval>
</RetryParameters></Order>"""


def order(cookie: str = "c", retries: int = 2, base: int = 10) -> str:
    return ORDER.format(cookie=cookie, retries=retries, base=base)


@dataclass
class ScriptedTransfers:
    """Takes launches and commands; the test says what the processes say."""

    launched: list[JobOrder] = field(default_factory=list)
    adopted: list[tuple[str, int | None]] = field(default_factory=list)
    commands: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    broken: Exception | None = None

    def launch_job(self, order: JobOrder) -> None:
        if self.broken:
            raise self.broken
        self.launched.append(order)

    def adopt_job(self, user_str: str, pid: int | None, patience: float) -> None:
        self.adopted.append((user_str, pid))

    def control_job(self, user_str: str, **changes: Any) -> bool:
        self.commands.append((user_str, {k: v for k, v in changes.items() if v is not None}))
        return True

    def cancel_job(self, user_str: str) -> bool:
        self.cancelled.append(user_str)
        return True


@dataclass
class RecordedNotifications:
    """Remembers what observers would be told."""

    woken: int = 0
    told: list[tuple[Event, Subscription]] = field(default_factory=list)
    refused: str | None = None

    def wake(self) -> None:
        self.woken += 1

    def statistics(self, event: Event, subscription: Subscription) -> None:
        self.told.append((event, subscription))

    def subscription_address_allowed(self, address: str) -> str | None:
        return self.refused


class World:
    """One daemon's worth of rules; `restart` is a crash and a new daemon on the same files."""

    def __init__(self, folder: Path, *, store_options: StoreOptions | None = None, **options: Any) -> None:
        self.folder = folder
        self.store_options = store_options
        self.options = options
        self.clock = Clock()
        self.clock.advance(START)
        self._begin()

    def _begin(self) -> None:
        self._calls: queue.Queue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.Queue()
        self.transfers = ScriptedTransfers()
        self.notifications = RecordedNotifications()
        self.store = Store(
            self.folder / "store.db",
            self.folder / "key",
            lambda function, *args: self._calls.put((function, args)),
            self.store_options,
        )
        clock: Any = self.clock
        self.central = Central(clock, self.store, self.transfers, self.notifications, **self.options)
        self.central.start()
        self.settle()

    def restart(self) -> None:
        self.store.close()
        for call in self.clock.getDelayedCalls():
            cast(Any, call).cancel()
        self._begin()

    def close(self) -> None:
        self.store.close()

    def settle(self) -> None:
        """Until everything written is written and everybody has been told."""
        for _ in range(4):
            barrier = self.store.barrier()
            while not barrier.done():
                function, args = self._calls.get(timeout=10)
                function(*args)
            self.clock.advance(0)

    def result(self, future: Future[T]) -> T:
        while not future.done():
            function, args = self._calls.get(timeout=10)
            function(*args)
        return future.result()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    # -- shorthand -------------------------------------------------------------------------------------------

    def submit(self, **options: Any) -> str:
        job_id = self.result(self.central.submit("Aspera.IScpTransfer", order(**options))).id
        self.settle()
        return job_id

    @property
    def session_id(self) -> str:
        return self.transfers.launched[-1].user_str

    def says(self, kind: MessageType, **fields: Any) -> None:
        message = Message(kind, {name: str(value) for name, value in fields.items()})
        self.central.runner.session_message(self.session_id, message)
        self.settle()

    def ends(self, **how: Any) -> None:
        ending = {
            "exit_status": None,
            "signal": None,
            "said_done": False,
            "said_error": False,
            "never_connected": False,
        }
        self.central.runner.session_ended(self.session_id, SessionEnding(**{**ending, **how}))
        self.settle()

    def completes(self) -> None:
        self.says(MessageType.DONE, TransferBytes=10, FileBytes=10)
        self.ends(exit_status=0, said_done=True)

    def fails(self, code: int = 16, text: str = "connection lost") -> None:
        self.says(MessageType.ERROR, Code=code, Description=text)
        self.ends(exit_status=1, said_error=True)

    def deliveries(self, lane: str) -> list[Delivery]:
        due: Sequence[Delivery] = self.result(self.store.due(lane, self.clock.seconds() + 1, 1000))
        return list(due)

    def topics(self, lane: str) -> list[str]:
        return [f"{delivery.event.kind} {delivery.event.topic}" for delivery in self.deliveries(lane)]


def subscribe(world: World, kind: str, subject: str = ALL, topics: tuple[str, ...] = ()) -> str:
    """The id of a subscription whose observer is at LANE."""
    return world.result(world.central.subscribe(kind, subject, Endpoint(LANE), None, topics, 3600)).id
