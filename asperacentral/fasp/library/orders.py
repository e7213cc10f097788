"""What an application asks for: where from, where to, and how. Values only; nothing here is launched."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field, replace

from asperacentral.fasp.command_line import KEEPALIVE, PAIR_LIST
from asperacentral.fasp.library.retry import RetryPolicy
from asperacentral.fasp.messages import POLICIES
from asperacentral.fasp.order import RESUME_LEVELS, TRANSPORTS
from asperacentral.fasp.order import JobOrder as SessionOrder

CIPHERS = ("none", "aes128", "aes192", "aes256")
MOST_SESSIONS = 128
OVERWRITE = ("never", "always", "older", "diff", "diff+older")


class OrderError(ValueError):
    """The order cannot be carried out; `str(error)` is one readable line without secrets."""


@dataclass(frozen=True, slots=True)
class Location:
    """Paths on this machine, or, when `host` is given, on a remote one that is reached by SSH at `port`.

    A password is also the passphrase of the private key at `key_path`. `host_key_fingerprint` is the server's
    (`SHA256:...`); without one the known hosts decide.
    """

    paths: tuple[str, ...] = ()
    host: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    key_path: str = ""
    port: int = 22
    host_key_fingerprint: str = ""
    token: str = field(default="", repr=False)

    @classmethod
    def local(cls, *paths: str | os.PathLike[str]) -> Location:
        """Paths on this machine."""
        return cls(tuple(os.fspath(path) for path in paths))

    @classmethod
    def remote(
        cls,
        host: str,
        *paths: str,
        user: str = "",
        password: str = "",
        key_path: str | os.PathLike[str] = "",
        port: int = 22,
        host_key_fingerprint: str = "",
        token: str = "",
    ) -> Location:
        """Paths on `host`. OrderError when that names no host."""
        if not host:
            raise OrderError("a remote location needs a host")
        return cls(paths, host, user, password, os.fspath(key_path), port, host_key_fingerprint, token)

    @property
    def is_remote(self) -> bool:
        """Whether it is on another machine."""
        return bool(self.host)


@dataclass(frozen=True, slots=True)
class TransferParameters:
    """How files are moved. Rates are Kbps; words are those of ascp's options.

    `persistent` jobs take their sources one by one while they run. `more_options` are further options of the transfer
    process, as on its command line. `transport` udp or ssh allows nothing else. OrderError for a value that is none.
    """

    target_rate: int = 10_000
    minimum_rate: int = 0
    policy: str = "fair"
    cipher: str = "aes128"
    resume_level: int = 2
    overwrite: str = "diff"
    create_path: bool = False
    precalculate: bool = True
    udp_port: int = 33001
    cookie: str = field(default="", repr=False)
    partial_suffix: str = ""
    persistent: bool = False
    transport: str = "any"
    more_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without launching."""
        if not 0 <= self.minimum_rate <= self.target_rate:
            raise OrderError(
                f"rates must be 0 <= minimum ({self.minimum_rate}) <= target ({self.target_rate})"
            )
        for name, value, words in (
            ("policy", self.policy, POLICIES),
            ("cipher", self.cipher, CIPHERS),
            ("overwrite", self.overwrite, OVERWRITE),
            ("transport", self.transport, TRANSPORTS),
        ):
            if value not in words:
                raise OrderError(f"{name} must be one of {', '.join(words)}, not {value!r}")
        if self.resume_level not in range(len(RESUME_LEVELS)):
            raise OrderError(f"there is no resume level {self.resume_level}")


@dataclass(frozen=True, slots=True)
class JobOrder:
    """Move the paths of `source` to the one path of `destination`, of which exactly one is remote.

    The destination follows cp's rules: a directory if it is one, if `create_path`, or if there are several sources.
    With `names`, it is a directory, and each source gets the path below it that is given in the same place. A job
    that is one `part` of several (number, count) moves its share only; see `shared`. OrderError when all this makes no
    order.
    """

    source: Location
    destination: Location
    parameters: TransferParameters = TransferParameters()
    retry: RetryPolicy = RetryPolicy()
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    names: tuple[str, ...] = ()
    part: tuple[int, int] = (1, 1)
    split_threshold: int = 0
    transfer_id: str = ""
    """What the jobs of one transfer have in common."""

    def __post_init__(self) -> None:
        """Check it."""
        if not 1 <= self.part[0] <= self.part[1] <= MOST_SESSIONS or self.split_threshold < 0:
            raise OrderError(f"a transfer has 1 to {MOST_SESSIONS} jobs, and no negative threshold")
        if self.parameters.persistent and self.part[1] > 1:
            raise OrderError("a persistent job cannot share its sources with others")
        if self.source.is_remote == self.destination.is_remote:
            raise OrderError("one location must be local and the other remote")
        if len(self.destination.paths) != 1:
            raise OrderError("the destination must be exactly one path")
        if self.parameters.persistent == bool(self.source.paths):
            raise OrderError("a persistent job gets its sources later; every other one needs a source")
        if not self.job_id or len(self.job_id.splitlines()) > 1:
            raise OrderError("the job's id must be one line")
        if self.names and len(self.names) != len(self.source.paths):
            raise OrderError("either every source has a name, or none")
        if self.names and any("\n" in path for path in (*self.names, *self.source.paths)):
            raise OrderError("sources that are given names, and their names, must not hold line breaks")

    def shared(self, sessions: int, split_threshold: int = 0) -> list[JobOrder]:
        """The jobs of one transfer by as many processes, each of which moves its share: launch them all.

        Files of at least `split_threshold` bytes are moved by all of them together, 0: none is. Each job has an id, a
        rate and retries of its own; one that is tried again disturbs no other. The transfer is complete when all are.
        OrderError.
        """
        if sessions == 1:
            return [self]
        return [
            replace(
                self,
                job_id=str(uuid.uuid4()),
                part=(number, sessions),
                split_threshold=split_threshold,
                transfer_id=self.job_id,
            )
            for number in range(1, max(sessions, 1) + 1)
        ]

    @property
    def remote(self) -> Location:
        """The location on the other machine."""
        return self.source if self.source.is_remote else self.destination

    @property
    def pairs(self) -> str:
        """The list of sources and their names, as a transfer process reads it; empty when there are no names."""
        pairs = zip(self.source.paths, self.names, strict=True) if self.names else ()
        return "".join(f"{source}\n{name}\n" for source, name in pairs)

    def session(self, user_str: str, pairs: str = "") -> SessionOrder:
        """The order of one session for this job; `pairs` is the file that holds its `pairs`, if it has names."""
        how, far = self.parameters, self.remote
        options = [KEEPALIVE] if how.persistent else []
        if self.names:
            options.append(f"{PAIR_LIST}={pairs}")
        if self.part[1] > 1:
            options += ["-C", "{}:{}".format(*self.part)]
            options.append(f"--multi-session-threshold={self.split_threshold}")
        return SessionOrder(
            user_str=user_str,
            mode="recv" if self.source.is_remote else "send",
            host=far.host,
            sources=() if self.names else self.source.paths,
            destination=self.destination.paths[0],
            port=far.port,
            user=far.user,
            key_path=far.key_path,
            password=far.password,
            token=far.token,
            cookie=how.cookie,
            partial_tag=uuid.uuid5(uuid.NAMESPACE_OID, self.transfer_id or self.job_id).hex[:12],
            create_path=how.create_path,
            resume_level=how.resume_level,
            overwrite=how.overwrite,
            policy=how.policy,
            target_rate=how.target_rate,
            minimum_rate=how.minimum_rate,
            udp_port=how.udp_port,
            cipher=how.cipher,
            host_key_fingerprint=far.host_key_fingerprint,
            precalculate=how.precalculate and not how.persistent,
            partial_suffix=how.partial_suffix,
            transport=how.transport,
            raw_options=(*options, *how.more_options),
        )
