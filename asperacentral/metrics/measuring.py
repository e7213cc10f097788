"""Everything that is measured, put together: instruments, what follows the topics, what is looked at, and the face."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector

from asperacentral.metrics.following import Following
from asperacentral.metrics.gauges import Gauges, Outbox, Sources
from asperacentral.metrics.meters import Meters
from asperacentral.metrics.site import Reasons, metrics_face

if TYPE_CHECKING:
    from asperacentral.central.service import Central
    from asperacentral.store.store import Store
    from asperacentral.web.readers import Readers
    from asperacentral.web.site import Face


class Measuring:
    """One daemon's numbers. Give its `meters` to what is built, then call `watch`, then `face`."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._registry = CollectorRegistry()
        self.meters = Meters(self._registry)
        self.following = Following(self._registry, seconds)
        self._outbox: Outbox
        ProcessCollector(registry=self._registry)

    def watch(self, central: Central, store: Store) -> None:
        """Follow these from now on."""
        self._outbox = Outbox(store.outbox_depth, self._seconds)
        central.watchers.add(self.following)
        sources = Sources(
            jobs=central.runner.jobs,
            sessions=central.runner.sessions,
            rates=self.following.rates,
            waiting_writes=store.waiting_writes,
            outbox=self._outbox,
        )
        self._registry.register(Gauges(sources))

    def face(self, readers: Readers | None, not_ready: Reasons) -> Face:
        """What is served: health, and numbers for `readers`."""
        return metrics_face(self._registry, readers, self._outbox.refreshed, not_ready)
