"""One session from its first message to its exit status: connects, plans, hands over to the data plane, reports.

The states are in `states`, the counters in `stats`, the line to the manager in `link`; this module moves between
them. Every end goes through `_end`: DONE after success, ERROR with a FASP code for everything else.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace

import asyncssh

from asperacentral.fasp import messages
from asperacentral.fasp.errors import FaspCode
from asperacentral.fasp.management import Message, MessageType
from asperacentral.openascp import bargain, farside, hostrules, measuring, network, sftp_plane, states
from asperacentral.openascp.ahead import Opening, command
from asperacentral.openascp.beginning import Held, run_beside
from asperacentral.openascp.capping import Capping, Use
from asperacentral.openascp.console import Console
from asperacentral.openascp.exchange.arguments import ArgumentCounts
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import SSH, Argument, Broken, Hello, Rates, Welcome, Wire
from asperacentral.openascp.exchange.planes import Planes
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure, SessionFailure, shown, verdict
from asperacentral.openascp.feeding import Feed, source_state
from asperacentral.openascp.managers import Managers, announced
from asperacentral.openascp.measuring import Measurement
from asperacentral.openascp.negotiated import negotiated
from asperacentral.openascp.options import Options, Secrets
from asperacentral.openascp.outcome import outcome, while_connected
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.plan import Plan, PlannedFile, PlannedFolder
from asperacentral.openascp.reaching import reach
from asperacentral.openascp.scancounts import ScanCounts
from asperacentral.openascp.session_log import SessionLog
from asperacentral.openascp.states import State, Step
from asperacentral.openascp.stats import Counters, with_facts
from asperacentral.openascp.transport import Transport

STATS_SECONDS = 1.0
HERE_TICKS = 5
"""Of them so many pass before a session that is still connecting says that it is there: managers kill the silent."""
FAREWELL_SECONDS = 5.0
"""How long the far side may take to put away its things."""
_CLOSE_SECONDS = 2.0

_Ssh = asyncssh.SSHClientConnection
log = logging.getLogger(__name__)


class Session:
    """One transfer session; `run` it once. It is the data plane's observer. `reaching` makes its connection already."""

    def __init__(
        self,
        options: Options,
        secrets: Secrets,
        console: Console,
        reaching: tuple[asyncio.Task[_Ssh], Opening] | None = None,
    ) -> None:
        self._reaching = reaching
        self._options = options
        self._secrets = secrets
        self._console = console
        self._identity = messages.Identity(options.session_id, options.user_str, secrets.cookie)
        self._direction = messages.SENDING if options.sending else messages.RECEIVING
        self._state = State.CONNECTING
        measured = options.target_share is not None  # until then: as fast as it goes
        target_rate = options.largest_rate if measured else options.target_rate
        self._rates = messages.Rates(target_rate, options.minimum_rate, options.policy)
        self._pacer = Pacer(options.largest_rate if options.measure else options.target_rate)
        self._transport = Transport("any", "allow")
        self._caps = Capping(hostrules.HostRules(), self._use, self._pacer)
        self._log = SessionLog(options, secrets.cookie)
        self._measurement = Measurement(time.monotonic) if options.measure else None
        self._planes: Planes | None = None
        self._counters = Counters(options.session_id)
        self._began = time.monotonic()
        self._negotiated: dict[str, messages.Value] = {}
        self._totals: dict[str, messages.Value] = {}
        self._failures: list[Failure] = []
        self._connection: _Ssh | None = None
        self._delay = 0
        self._cancelled = asyncio.Event()
        self._conversation: Conversation | None = None
        self._feed = Feed(options.destination, self.cancel)
        self._link = Managers(
            options.managers,
            () if options.no_port_files else announced(os.environ),
            greeting=self._greeting,
            command=self._obey,
            port_file=options.manager_port_file,
            key=secrets.management_key,
            abandoned=self._left_alone,
        )

    async def run(self) -> int:
        """Run to the end and return the exit status. ManagerUnreachableError before anything has begun."""
        await self._link.dial()
        ticker = asyncio.create_task(self._tick())
        failure = await outcome(asyncio.create_task(self._transfer()), self._cancelled)
        ticker.cancel()
        return await self._end(failure)

    def cancel(self) -> None:
        """End the session as its user asked; nothing happens when it has ended."""
        self._cancelled.set()

    def _left_alone(self) -> None:
        """The manager is given up: what comes to an end by itself goes on, what only it could end is cancelled."""
        if self._options.keepalive or self._rates.target_rate == 0:
            self.cancel()

    async def _end(self, failure: Failure | None) -> int:
        """Say how it ended, to the manager and on the terminal."""
        if failure is None:
            step = Step.COMPLETED
        else:
            step = Step.CANCELLED if failure.code is FaspCode.USER_CANCEL else Step.BROKEN
        self._advance(step)
        progress, tally = self._progress(), self._counters.tally()
        self._log.ended(failure, progress, tally)
        if failure is None:
            last = messages.done(
                self._identity,
                direction=self._direction,
                progress=progress,
                tally=tally,
                manifest=self._log.manifest_path,
            )
            self._console.completed(progress, tally)
            log.info("session %s: done, %d bytes", self._identity.session_id, progress.transfer_bytes)
        else:
            last = messages.error(
                self._identity,
                direction=self._direction,
                code=failure.code,
                description=str(failure),
                progress=progress,
                tally=tally,
                manifest=self._log.manifest_path,
            )
            self._console.failed(failure.code, str(failure))
            log.error("session %s: error %d, %s", self._identity.session_id, failure.code, failure)
        await self._link.finish(last)
        return 0 if failure is None else 1

    # The work.

    async def _transfer(self) -> None:
        options = self._options
        rules = hostrules.of_session(os.environ, incoming=not options.sending)
        self._transport = Transport(options.transport, rules.udp)
        asked = self._caps.link
        self._caps = Capping(rules, self._use, self._pacer)
        self._caps.put_under(asked)
        terms = replace(bargain.terms(options), udp_port=self._transport.port(options.udp_port))
        made, opening = self._reaching or (None, Opening(command(options.remote_program)))
        opening.words = lambda connection: farside.words(self._hello(connection, terms))
        connection = await (made or reach(options, self._secrets, opening))
        try:
            async with self._caps:
                await while_connected(connection, self._move(connection, terms))
        finally:
            connection.close()
            await asyncio.wait({asyncio.ensure_future(connection.wait_closed())}, timeout=_CLOSE_SECONDS)
        if self._failures:
            raise verdict(self._failures, self._counters.passed + self._counters.skipped)

    def _hello(self, connection: _Ssh, terms: Terms) -> Hello | None:
        ssh_cipher = network.cipher(connection, sending=self._options.sending)
        return bargain.hello(self._options, self._secrets, terms, ssh_cipher)

    async def _move(self, connection: _Ssh, terms: Terms) -> None:
        """With openascp on the far side if it is there, else by SFTP."""
        hello = self._hello(connection, terms)
        try:
            conversation = await farside.reach(connection, self._options.remote_program, hello)
        except farside.NoFarSideError as reason:
            advice = "have it installed there, or leave the option out"
            await self._copy(connection, f"the far side has no openascp ({reason}); {advice}")
            return
        farewell: Broken | None = Broken(int(FaspCode.USER_CANCEL), FaspCode.USER_CANCEL.meaning)
        try:
            await self._exchange(connection, conversation, terms)
        except Failure as failure:
            farewell = Broken(int(failure.code), str(failure))
            raise
        except Exception:
            farewell = Broken(int(FaspCode.INTERNAL_ERROR), "internal error of the client")
            raise
        else:
            farewell = None
        finally:
            await conversation.close(farewell, wait=FAREWELL_SECONDS)

    async def _exchange(self, connection: _Ssh, conversation: Conversation, terms: Terms) -> None:
        options, secrets = self._options, self._secrets
        if not options.sources and not options.keepalive:
            raise SessionFailure(FaspCode.NOTHING)
        welcome = await farside.welcomed(conversation)
        if self._rates == messages.Rates(terms.target_rate, terms.minimum_rate, terms.policy):
            self._granted(welcome)
        else:  # the manager has changed them meanwhile: the far side grants what it can of that
            conversation.send(Rates(self._rates.target_rate, self._rates.minimum_rate, self._rates.policy))
        self._conversation = conversation
        rates = self._rates
        planes = Planes(rates.target_rate, rates.minimum_rate, rates.policy, bargain.cipher(options))
        self._planes = planes
        self._caps.attach(planes, None if options.sending else conversation)
        held = Held(self)
        try:
            with bargain.files(options) as files:
                half = bargain.half(options, secrets, conversation, held.observer, files, terms, planes)
                meeting = asyncio.ensure_future(self._meet(connection, conversation, welcome, planes))
                if self._transport.udp_only:
                    await meeting  # nothing is to be changed over there by a session that may not be
                if options.keepalive:
                    self._feed.attach(half)
                else:
                    half.lead(bargain.arguments(options))

                def met(plane: Mapping[str, messages.Value] | None) -> None:
                    self._connected(connection, **(plane or {"Transport": SSH}))
                    held.release()

                await run_beside(half.run(), meeting, met)
            if self._state is State.SCANNING:  # there was nothing to scan
                self._advance(Step.PLANNED)
        finally:
            await planes.close()

    async def _meet(
        self,
        connection: _Ssh,
        conversation: Conversation,
        welcome: Welcome,
        planes: Planes,
    ) -> Mapping[str, messages.Value]:
        """Find out what moves the stream; what SESSION says of it. SessionFailure."""
        host = str(connection.get_extra_info("peername")[0])
        rtt = network.round_trip(connection) / 1000
        plane = await planes.meet(welcome.facts, host, self._options.datagram_size, conversation, rtt)
        self._transport.chosen(plane)
        return plane

    async def _copy(self, connection: _Ssh, reason: str) -> None:
        """Move all files by SFTP."""
        log.info("session %s: by SFTP, since %s", self._identity.session_id, reason)
        self._transport.without_udp("SFTP would move the files")
        client = await sftp_plane.start(connection, self._options, reason)
        self._connected(connection, Transport="sftp", FallbackProtocol="sftp")
        await sftp_plane.move(client, self._options, self._secrets, self._pacer, self, self._planned)

    def _granted(self, welcome: Welcome) -> None:
        """The far side lets the session in, perhaps at lower rates."""
        rates = messages.Rates(welcome.target_rate, welcome.minimum_rate, welcome.policy)
        if rates != self._rates:
            log.info("the far side grants %d Kbps, minimum %d, %s", *astuple(rates))
        self._rates = rates
        self._pacer.set_rate(rates.target_rate)

    def _connected(self, connection: _Ssh, **transport: messages.Value) -> None:
        self._negotiated = {**negotiated(connection, self._options, **transport), **self._caps.facts}
        self._connection = connection
        self._advance(Step.CONNECTED)
        local, peer = (str(self._negotiated[name]) for name in ("LocalIP", "RemoteAddress"))
        self._log.began(local, peer, self._rates)
        for message in self._introduction():
            self._link.tell(message)

    def _planned(self, plan: Plan) -> None:
        self.scanned(plan.counts())
        for path, failure in plan.failures:
            self.not_taken(path, failure)

    def _advance(self, step: Step) -> None:
        self._state = states.after(self._state, step)
        log.debug("session %s is %s", self._identity.session_id, self._state)

    # What the data plane and the half tell.

    def scanned(self, counts: ScanCounts) -> None:
        """See HalfObserver."""
        self._counters.scanned(counts)
        self._totals = messages.totals(
            file_count=counts.files, byte_count=counts.size, folder_count=counts.folders
        )
        if self._state is State.SCANNING:
            self._advance(Step.PLANNED)
        self._link.tell(messages.notification(self._identity, rates=self._rates, found=self._totals))

    def not_taken(self, path: bytes, failure: Failure) -> None:
        """See HalfObserver."""
        self._fail(messages.FileState(shown(path), 0), failure)

    def resumed(self, file: PlannedFile, size: int, kept: int) -> None:
        """See HalfObserver."""
        self._log.started(file, size, kept)
        self._counters.started(file, size, kept)
        if self._link.any:
            self._link.tell(messages.start(self._identity, self._counters.state(file)))

    def argument_ended(self, argument: Argument, counts: ArgumentCounts) -> None:
        """See HalfObserver."""
        self._link.tell(messages.argstop(self._identity, source_state(argument, counts)))

    def rates_asked(self, rates: Rates) -> None:
        """See HalfObserver: what the far side has put in force."""
        told = messages.Rates(rates.target, rates.minimum, rates.policy)
        if (
            told != self._rates
            and rates.policy in messages.POLICIES
            and min(rates.target, rates.minimum) >= 0
        ):
            self._take_rates(told)

    def capped(self, rate: int) -> None:
        """See HalfObserver."""
        if self._planes is not None:
            self._planes.cap(rate, far=True)

    def wire_told(self, wire: Wire) -> None:
        """See HalfObserver."""
        if self._planes is not None:
            self._planes.told(wire)

    def plane_chosen(self, name: str) -> None:
        """See HalfObserver: a server's matter."""

    def started(self, file: PlannedFile, size: int) -> None:
        """See dataplane.Observer."""
        self.resumed(file, size, 0)

    def moved(self, file: PlannedFile, count: int, contiguous: int) -> None:
        """See dataplane.Observer."""
        self._counters.moved(file, count, contiguous)

    def finished(self, file: PlannedFile, checksum: str = "") -> None:
        """See dataplane.Observer."""
        state = self._counters.state(file) if self._link.any else None
        self._counters.finished(file)
        self._log.settled(file, "completed", file.due, checksum)
        if state is None:
            return
        self._link.tell(
            messages.stop(
                self._identity,
                state,
                progress=self._progress(),
                checksum=checksum or None,
                checksum_type=self._options.checksum if checksum else None,
            )
        )

    def skipped(self, file: PlannedFile, size: int) -> None:
        """See dataplane.Observer."""
        state = self._counters.skip(file, size)
        self._log.settled(file, "skipped", size)
        self._link.tell(messages.stop(self._identity, state, progress=self._progress()))

    def failed(self, file: PlannedFile, failure: Failure) -> None:
        """See dataplane.Observer."""
        state = self._counters.fail(file)
        self._log.settled(file, "failed", state.size, failure=failure)
        self._fail(state, failure)

    def path_failed(self, path: bytes, failure: Failure) -> None:
        """See dataplane.Observer."""
        self._fail(messages.FileState(shown(path), 0), failure)

    def folder_failed(self, folder: PlannedFolder, failure: Failure) -> None:
        """See dataplane.Observer."""
        self._fail(messages.FileState(shown(folder.source), 0), failure)

    def _fail(self, state: messages.FileState, failure: Failure) -> None:
        self._failures.append(failure)
        log.warning("file error %d: %s: %s", failure.code, state.path, failure)
        self._link.tell(
            messages.fileerror(
                self._identity,
                state,
                code=failure.code,
                description=str(failure),
                progress=self._progress(),
            )
        )

    # The line to the manager.

    def _introduction(self) -> Iterator[Message]:
        yield messages.session(
            self._identity, direction=self._direction, rates=self._rates, negotiated=self._negotiated
        )
        yield messages.notification(self._identity, rates=self._rates, found=self._totals)

    def _greeting(self, again: bool) -> Iterator[Message]:
        """The first messages on a new connection; a manager that comes later learns what it missed."""
        yield messages.init(self._identity, direction=self._direction)
        if again and self._negotiated:
            yield from self._introduction()
            for state in self._counters.under_way():
                yield messages.start(self._identity, state)

    def _obey(self, message: Message) -> None:
        match message.type:
            case MessageType.CANCEL:
                self.cancel()
            case MessageType.RATE:
                self._change_rates(message)
            case MessageType.VLINK:
                self._put_under_link(message)
            case MessageType.START | MessageType.STOP | MessageType.DONE if self._options.keepalive:
                self._feed.obey(message)
            case _:
                log.debug("the manager's %s has no effect", message.type)

    def _change_rates(self, message: Message) -> None:
        """Take what is given, leave the rest."""
        self._measurement = None  # who asks for a rate wants that one
        self._ask_rates(messages.rates_of(message, self._rates))

    def _put_under_link(self, message: Message) -> None:
        facts = self._caps.obey(message, incoming=not self._options.sending)
        if facts is None:
            return
        if self._negotiated:
            self._negotiated |= facts
        self._link.tell(messages.notification(self._identity, found=facts))

    def _ask_rates(self, rates: messages.Rates) -> None:
        """Take rates, and have the far side take them as well."""
        self._take_rates(rates)
        if self._conversation is not None:
            self._conversation.send(Rates(rates.target_rate, rates.minimum_rate, rates.policy))

    def _take_rates(self, rates: messages.Rates) -> None:
        self._rates = rates
        self._pacer.set_rate(rates.target_rate)
        if self._planes is not None:
            self._planes.set_rates(rates.target_rate, rates.minimum_rate, rates.policy)
        log.info("target rate %d, minimum %d Kbps, %s", rates.target_rate, rates.minimum_rate, rates.policy)
        self._link.tell(messages.notification(self._identity, rates=rates))

    async def _tick(self) -> None:
        """Say each second how far it is, also when nothing moves."""
        for tick in itertools.count(1):
            await asyncio.sleep(STATS_SECONDS)
            self._measure()
            if not self._link.connected and self._options.manager_port_file is None:
                self._feed.close()  # nobody is left who could give more sources
            progress = self._progress()
            self._console.progress(progress, self._totals)
            if not self._link.any:
                continue
            if self._state not in states.ANNOUNCED:
                if tick % HERE_TICKS == 0:
                    self._link.mention(messages.report(MessageType.NOP, self._identity, {}))
                continue
            changed = self._counters.under_way(changed=True)
            files: Sequence[messages.FileState | None] = changed or self._counters.under_way()[:1] or [None]
            for file in files:
                self._link.mention(
                    messages.stats(self._identity, file=file, progress=progress, rates=self._rates)
                )

    def _measure(self) -> None:
        """Once it is known what the link carries, take the rates that are percentages of it."""
        if self._measurement is None:
            return
        capacity = self._measurement.capacity(self._counters.transfer_bytes)
        if capacity is None:
            return
        self._measurement = None
        rates = measuring.rates(self._options, capacity, self._rates.policy)
        capacity = min(capacity, self._options.largest_rate)
        log.info("the link carries %d Kbps", capacity)
        self._link.tell(messages.notification(self._identity, found={"BWMeasurement": capacity}))
        self._ask_rates(rates)

    def _use(self) -> Use:
        return Use(self._rates.target_rate, self._rates.policy, self._counters.transfer_bytes)

    def _progress(self) -> messages.Progress:
        elapsed = round((time.monotonic() - self._began) * 1_000_000)
        if self._connection is not None:
            self._delay = network.round_trip(self._connection) or self._delay
        facts = self._planes.facts() if self._planes is not None else None
        return with_facts(self._counters.progress(elapsed, self._delay), facts)
