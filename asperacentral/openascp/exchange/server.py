"""`openascp --server`: the far side of a session, run by an SSH server for the user who logged in.

It speaks on standard input and output only, and does what its policy grants: a policy that was handed over by the
server that started it, else the one aspera.conf has for the account it runs as. It imports what answers the client's
first words, and what moves files while the answer travels.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asperacentral import __version__, interpreter
from asperacentral.config_files import configured
from asperacentral.fasp import messages
from asperacentral.fasp.errors import FaspCode
from asperacentral.fasp.management import Message, MessageType
from asperacentral.openascp import hostrules, policy_handover
from asperacentral.openascp.admission import admit
from asperacentral.openascp.capping import Capping, Use
from asperacentral.openascp.exchange.arguments import ArgumentCounts
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import (
    FEATURES,
    SSH,
    UDP,
    VERSION,
    Argument,
    Broken,
    Hello,
    Rates,
    Refused,
    Welcome,
    Wire,
)
from asperacentral.openascp.exchange.planes import Planes
from asperacentral.openascp.exchange.stdio import converse_on
from asperacentral.openascp.exchange.terms import DECRYPT, ENCRYPT, Terms, UnknownTermError
from asperacentral.openascp.failures import Failure, SessionFailure, shown
from asperacentral.openascp.incoming import IncomingReports, port_files
from asperacentral.openascp.plan import PlannedFile, PlannedFolder
from asperacentral.openascp.policy import CIPHERS, USUAL_TOKEN_LIFE, Granted, UserPolicy
from asperacentral.openascp.policy import Rates as WantedRates
from asperacentral.openascp.scancounts import ScanCounts
from asperacentral.openascp.transport import on_server

if TYPE_CHECKING:
    from asperacentral.openascp.exchange.half import Half
    from asperacentral.openascp.exchange.manifest import DestinationManifest

HELLO_SECONDS = 30.0
_CLOSE_SECONDS = 10.0
_CIPHER_NAME = re.compile("[a-z0-9-]{1,40}")

log = logging.getLogger(__name__)


async def serve(environ: MutableMapping[str, str], *, token_required: bool = False) -> int:
    """Serve one session on standard input and output; the exit status. With `token_required` no other."""
    conversation = await converse_on(0, 1)
    farewell: Refused | Broken | None = None
    try:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = await conversation.next()
        except TimeoutError:
            return 1
        if not isinstance(hello, Hello):
            raise SessionFailure(FaspCode.FASP_PROTO, "the session does not begin as one")
        try:
            policy = _policy(environ)
            if token_required:
                policy = policy.with_tokens_only()
            session = ServerSession(conversation, hello, policy)
        except SessionFailure as failure:
            farewell = Refused(int(failure.code), str(failure))
        else:
            await session.run(lambda: port_files(environ))
    except Failure as failure:
        log.info("the session ended: %s", failure)
        farewell = Broken(int(failure.code), str(failure))
    except Exception as error:
        log.exception("internal error")
        farewell = Broken(int(FaspCode.INTERNAL_ERROR), f"internal error: {type(error).__name__}")
    await conversation.close(farewell, wait=_CLOSE_SECONDS)
    return 0 if farewell is None else 1


def own_policy(environ: Mapping[str, str]) -> UserPolicy:
    """What aspera.conf lets the account do that this process runs as. ValueError."""
    account, groups = hostrules.account_and_groups()
    if not configured(environ):
        return UserPolicy(account.pw_name, token_life=USUAL_TOKEN_LIFE)
    from asperacentral.config import ConfigError  # a parser that most sessions do not need
    from asperacentral.openascp import policy_conf

    try:
        return policy_conf.load(None, environ).for_user(account.pw_name, groups, account.pw_dir)
    except ConfigError as error:
        raise ValueError(str(error)) from error


class ServerSession:
    """One session as its server half; it is its half's observer. SessionFailure when it is refused."""

    def __init__(self, conversation: Conversation, hello: Hello, policy: UserPolicy) -> None:
        self._conversation = conversation
        self._hello = hello
        conversation.agree(hello.features)
        self._rules = policy.direction(incoming=hello.sending)
        terms = _terms(hello)
        if terms.file_crypt == (DECRYPT if hello.sending else ENCRYPT):
            raise SessionFailure(FaspCode.USAGE, "the far side has no passphrase, and wants none")
        if hello.cipher not in CIPHERS:
            raise SessionFailure(FaspCode.USAGE, "the far side does not know the cipher")
        self._files = admit(
            policy,
            incoming=hello.sending,
            token=hello.token,
            cipher=hello.cipher,
            now=time.time(),
            crypt=terms.file_crypt,
        )
        wanted = WantedRates(terms.target_rate, terms.minimum_rate, terms.policy)
        self._granted = self._rules.grant(wanted)
        granted = self._granted
        host = hostrules.of_session(os.environ, incoming=hello.sending, name=policy.name)
        self._planes = Planes(granted.target, granted.minimum, granted.policy, hello.cipher)
        self._caps = Capping(host, self._use, self._planes.pacer)
        self._caps.attach(self._planes, conversation if hello.sending else None)
        self._hello, self._terms = hello, terms
        self._half: Half  # made by `run`, before anybody else may speak
        self._manifest: DestinationManifest | None = None
        asked = terms.udp_port and host.udp != "deny"
        sessions = terms.deal().sessions
        udp = self._planes.offer(_own_address(), terms.udp_port, sessions) if asked else {}
        self._udp_only = host.udp == "require"
        on_server(host.udp, wanted=bool(terms.udp_port), offered=bool(udp))
        if not udp:
            self._planes.choose(SSH)
        self._welcome = self._welcome_to(wanted, udp)
        self._reports = IncomingReports(
            hello.session,
            direction=messages.RECEIVING if hello.sending else messages.SENDING,
            cookie=hello.cookie,
            rates=self._rates_told(),
            facts=_facts(policy, hello, terms, os.environ) | self._caps.facts,
            command=self._obey,
            plane=self._planes.facts,
        )

    async def run(self, managers: Callable[[], Sequence[Path]]) -> None:
        """Serve to the end, which these managers are told too. SessionFailure."""
        failure: Failure | None = SessionFailure(FaspCode.PEER_ABORTED_SESSION)
        self._conversation.send(self._welcome)
        self._conversation.hold(True)  # until there is somebody to listen
        try:
            self._half = self._make_half()
            interpreter.begin()
            await self._reports.start(managers())
            self._conversation.hold(False)
            async with self._caps:
                await self._half.run()
            failure = None
        except Failure as ended:
            failure = ended
            raise
        finally:
            self._end_manifest(self._reports.outcome(failure))
            self._files.close()
            await self._planes.close()
            await self._reports.finish(failure)

    def _end_manifest(self, failure: Failure | None) -> None:
        if self._manifest is not None:
            self._manifest.close("completed" if failure is None else f"failed with code {int(failure.code)}")

    def _make_half(self) -> Half:
        hello, terms = self._hello, self._terms
        if hello.sending:
            from asperacentral.openascp.exchange.manifest import DestinationManifest
            from asperacentral.openascp.exchange.receiving import ReceivingHalf

            self._manifest = DestinationManifest(self._files, terms, hello.session)
            return ReceivingHalf(self._conversation, self, self._files, terms, self._planes.receive)
        from asperacentral.openascp.exchange.sending import SendingHalf

        return SendingHalf(
            self._conversation,
            self,
            self._files,
            terms,
            lambda source: self._planes.send(source, self._conversation),
        )

    def _welcome_to(self, wanted: WantedRates, facts: dict[str, object]) -> Welcome:
        granted = self._granted
        locked = self._rules.locked(wanted)
        return Welcome(
            VERSION, __version__, granted.target, granted.minimum, granted.policy, locked, facts, FEATURES
        )

    # What the half tells.

    def rates_asked(self, rates: Rates) -> None:
        """See HalfObserver. The answer says what is in force."""
        if min(rates.target, rates.minimum) >= 0:
            self._put_in_force(WantedRates(rates.target, rates.minimum, rates.policy))
        granted = self._granted
        self._conversation.send(Rates(granted.target, granted.minimum, granted.policy))

    def _put_in_force(self, wanted: WantedRates) -> None:
        self._granted = self._change(wanted)
        granted = self._granted
        self._planes.set_rates(granted.target, granted.minimum, granted.policy)
        self._reports.rates_changed(self._rates_told())

    def _rates_told(self) -> messages.Rates:
        return messages.Rates(self._granted.target, self._granted.minimum, self._granted.policy)

    def _obey(self, command: Message) -> None:
        """What a manager of this machine wants."""
        match command.type:
            case MessageType.CANCEL:
                self._half.fail(SessionFailure(FaspCode.USER_CANCEL))
            case MessageType.RATE:
                wanted = messages.rates_of(command, self._rates_told())
                self._put_in_force(
                    WantedRates(wanted.target_rate, wanted.minimum_rate, messages.policy_of(command))
                )
                granted = self._granted
                self._conversation.send(Rates(granted.target, granted.minimum, granted.policy))
            case MessageType.VLINK:
                facts = self._caps.obey(command, incoming=self._hello.sending)
                if facts is not None:
                    self._reports.learned(**facts)

    def _use(self) -> Use:
        return Use(self._granted.target, self._granted.policy, self._reports.transfer_bytes)

    def capped(self, rate: int) -> None:
        """See HalfObserver."""
        self._planes.cap(rate, far=True)

    def wire_told(self, wire: Wire) -> None:
        """See HalfObserver."""
        self._planes.told(wire)

    def plane_chosen(self, name: str) -> None:
        """See HalfObserver."""
        if self._udp_only and name != UDP:
            raise SessionFailure(
                FaspCode.CONNECTION_ERROR,
                "UDP does not get through, and this server moves files no other way",
            )
        self._planes.choose(name)
        self._reports.learned(Transport=name, **_protection(self._hello, name))

    def _change(self, wanted: WantedRates) -> Granted:
        try:
            return self._rules.change(self._granted, wanted)
        except ValueError:  # a policy nobody knows
            return self._granted

    def scanned(self, counts: ScanCounts) -> None:
        """See HalfObserver."""
        self._reports.scanned(counts)
        log.debug("%d files of %d bytes", counts.files, counts.size)

    def not_taken(self, path: bytes, failure: Failure) -> None:
        """See HalfObserver."""
        self._reports.not_taken(path, failure)
        log.info("not taken: %s: %s", shown(path), failure)

    def started(self, file: PlannedFile, size: int) -> None:
        """See Observer."""
        self._reports.started(file, size)
        if log.isEnabledFor(logging.DEBUG):  # there may be very many
            log.debug("started %s, %d bytes", shown(file.source), size)

    def resumed(self, file: PlannedFile, size: int, kept: int) -> None:
        """See HalfObserver."""
        self._reports.resumed(file, size, kept)
        log.debug("resumed %s, %d bytes of which %d are there", shown(file.source), size, kept)

    def moved(self, file: PlannedFile, count: int, contiguous: int) -> None:
        """See Observer."""
        self._reports.moved(file, count, contiguous)

    def finished(self, file: PlannedFile, checksum: str = "") -> None:
        """See Observer."""
        self._reports.finished(file)
        if self._manifest is not None:
            self._manifest.settled(file, "completed", file.size, checksum)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("finished %s", shown(file.source))

    def skipped(self, file: PlannedFile, size: int) -> None:
        """See Observer."""
        self._reports.skipped(file, size)
        if self._manifest is not None:
            self._manifest.settled(file, "skipped", size)
        log.debug("skipped %s", shown(file.source))

    def failed(self, file: PlannedFile, failure: Failure) -> None:
        """See Observer."""
        self._reports.failed(file, failure)
        if self._manifest is not None:
            self._manifest.settled(file, "failed", file.size)
        log.info("failed %s: %s", shown(file.source), failure)

    def argument_ended(self, argument: Argument, counts: ArgumentCounts) -> None:
        """See HalfObserver."""
        log.debug(
            "source %s: %d files of which %d failed", shown(argument.source), counts.attempted, counts.failed
        )

    def path_failed(self, path: bytes, failure: Failure) -> None:
        """See Observer."""
        log.info("failed %s: %s", shown(path), failure)

    def folder_failed(self, folder: PlannedFolder, failure: Failure) -> None:
        """See Observer."""
        self._reports.folder_failed(folder, failure)
        log.info("failed %s: %s", shown(folder.source), failure)


def _facts(
    policy: UserPolicy, hello: Hello, terms: Terms, environ: Mapping[str, str]
) -> dict[str, messages.Value]:
    """What SESSION tells of both ends; the SSH server leaves the addresses in the environment."""
    there, _, here, port = (*environ.get("SSH_CONNECTION", "").split(), "", "", "", "")[:4]
    rules = policy.direction(incoming=hello.sending)
    return {
        **_protection(hello, SSH),
        "Destination": shown(terms.destination) if hello.sending else None,
        "Host": there or None,
        "LocalIP": here or None,
        "MinRateCap": rules.minimum.cap,
        "MinRateLock": rules.minimum.lock,
        "PolicyCap": rules.policy.allowed,
        "PolicyLock": rules.policy.lock,
        "RateCap": rules.target.cap,
        "RateLock": rules.target.lock,
        "Precalc": terms.precalculate,
        "RemoteAddress": there or None,
        "Source": shown(hello.source) or None,
        "TCPPort": int(port) if port.isdecimal() else None,
        "Transport": "ssh",
        "User": policy.name,
    }


def _protection(hello: Hello, plane: str) -> dict[str, messages.Value]:
    """What encrypts the files on this plane; what a client says of its SSH connection is believed if it is a word."""
    if plane == UDP:
        return {"Cipher": hello.cipher, "Encryption": hello.cipher != "none"}
    told = _CIPHER_NAME.fullmatch(hello.ssh_cipher)
    return {"Cipher": told[0] if told else hello.cipher, "Encryption": True}


def _own_address() -> str | None:
    """Where the client reached this machine, as sshd tells."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else None


def _terms(hello: Hello) -> Terms:
    try:
        return Terms.read(hello.terms)
    except UnknownTermError as error:
        raise SessionFailure(FaspCode.USAGE, f"the far side refuses: {error}") from error


def _policy(environ: MutableMapping[str, str]) -> UserPolicy:
    try:
        return policy_handover.received(environ) or own_policy(environ)
    except (policy_handover.HandoverError, ValueError) as error:
        log.error("the policy cannot be used: %s", error)
        reason = "the far side's configuration cannot be used"
        raise SessionFailure(FaspCode.BAD_CONFIGURATION, reason) from error
