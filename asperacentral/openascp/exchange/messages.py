"""What two halves say to each other: one frozen class for each message, a named tuple for each record in one. Pure.

C is the client, V the far side, S the sending half, R the receiving half, whichever of C and V they are. Paths are
bytes, sizes and offsets bytes, times nanoseconds since the epoch, rates Kbps, codes those of the FASP table. How they
are written is told in `spelling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

VERSION = 1
MOST_ENTRIES = 512
"""Records in one message of entries, as we write them."""

FILE = "file"
FOLDER = "folder"
LINK = "link"

PRESSED = "pressed"
"""A feature of a half: it reads control frames that zlib has pressed."""
BUNDLES = "bundles"
"""A feature of a half: it lays and asks for small files by the hundred (see `Bundles`)."""
FEATURES = (PRESSED, BUNDLES)
"""What this version can beyond the first one. A half uses of it what the other one can, too."""

DONE = "done"
PART = "part"
"""This session's share of a file is there, and another session makes the file whole, or has done so."""
SKIPPED = "skipped"
FAILED = "failed"


# The beginning.


@dataclass(frozen=True, slots=True)
class Hello:
    """C to V, first. `sending` tells what the client does; `terms` are the session's rules (see `terms`), `cipher`
    what is asked for by its name in FASP (none, aes-128, aes-192, aes-256). `source` is the first source, for those
    who watch. `features` are those of FEATURES that the client has. `ssh_cipher` is what SSH encrypts with, which the
    far side is not told otherwise; it is for those who watch, too.
    """

    version: int
    program: str
    session: str
    sending: bool
    terms: dict[str, Any]
    cipher: str = "none"
    token: str = field(default="", repr=False)
    cookie: str = ""
    source: bytes = b""
    features: tuple[str, ...] = ()
    ssh_cipher: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """V to C: the session may begin, with these rates; `locked` names what the client may not change.

    `features` are those of FEATURES that V has.
    """

    version: int
    program: str
    target_rate: int
    minimum_rate: int
    policy: str
    locked: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict, repr=False)
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """V to C instead of Welcome."""

    code: int
    reason: str


SSH = "ssh"
UDP = "udp"


@dataclass(frozen=True, slots=True)
class Plane:
    """C to V, if Welcome offered UDP: what moves the stream, the conversation (`SSH`) or datagrams (`UDP`)."""

    name: str


# What to move.


@dataclass(frozen=True, slots=True)
class Argument:
    """C to V: one source. `name` is its place under the destination, empty for what is to lie in it directly.

    Of a range only `start` (inclusive) to `end` (exclusive, 0 = the file's end) moves.
    """

    index: int
    source: bytes
    name: bytes
    destination: bytes
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class NoMoreArguments:
    """C to V: there will be `count` arguments and no more."""

    count: int


class Entry(NamedTuple):
    """What a scan found: `path` is relative to its argument, empty for the argument itself; for `holes` see there."""

    id: int
    argument: int
    path: bytes
    kind: str
    size: int
    modified: int
    mode: int
    accessed: int = 0
    user: int = -1
    group: int = -1
    link: bytes = b""
    attributes: tuple[tuple[bytes, bytes], ...] = ()
    holes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Entries:
    """S to R: found, in the order of ids; a folder comes before what is in it."""

    entries: tuple[Entry, ...]


class Trouble(NamedTuple):
    """A path that cannot be moved, with the reason."""

    argument: int
    path: bytes
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Troubles:
    """S to R: what the scan could not take. R to S: what could not be done besides files and folders."""

    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Scanned:
    """S to R: all scans up to argument `argument` are complete; the counts are of the whole session so far.

    With pre-calculation the counts are always those of the whole session, told before the first entry (`argument` -1).
    """

    argument: int
    arguments: int
    completed: int
    paths: int
    failed: int
    irregular: int
    excluded: int
    folders: int
    files: int
    size: int


class Listing(NamedTuple):
    """All names in one folder of a source, or some of them until `last`: what is excluded is among them."""

    argument: int
    path: bytes
    names: tuple[bytes, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class Listings:
    """S to R, before the first entry: whatever else the destination has in these folders is deleted."""

    listings: tuple[Listing, ...]


@dataclass(frozen=True, slots=True)
class Cleared:
    """R to S: so many more listings were dealt with."""

    count: int


# What is wanted of it.


class Need(NamedTuple):
    """These extents (offset, length) of a file follow in the stream; `last` when nothing more of it is needed."""

    id: int
    extents: tuple[tuple[int, int], ...]
    last: bool
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Needs:
    """R to S: lays the stream. `kept` of a need is how many bytes of the file were there before."""

    needs: tuple[Need, ...]


class Bundle(NamedTuple):
    """So many `files`, from the id `first` on, follow in the stream as one extent (see `bundle`)."""

    first: int
    files: int


@dataclass(frozen=True, slots=True)
class Bundles:
    """R to S: lays the stream, as Needs does. A verdict is told only of files that will not come."""

    bundles: tuple[Bundle, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """R to S: digests of these ranges of a file, to compare what is there."""

    id: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Digests:
    """S to R: the answer to Ask, BLAKE2b of 16 bytes each; empty when the file cannot be read."""

    id: int
    digests: tuple[bytes, ...]


class Verdict(NamedTuple):
    """A file's last needed byte was read and it is still what was scanned (code 0), or it will not come (why).

    After the latter whatever the stream still holds for it is filling.
    """

    id: int
    code: int = 0
    reason: str = ""
    checksum: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """S to R."""

    verdicts: tuple[Verdict, ...]


class Settled(NamedTuple):
    """How an entry ended: done, part, skipped or failed."""

    id: int
    outcome: str
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settlements:
    """R to S: each entry ends with exactly one."""

    settled: tuple[Settled, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """R to S: all bytes of the stream before `offset` are written."""

    offset: int


# At any time.


@dataclass(frozen=True, slots=True)
class Rates:
    """Either way: these are in force from now on."""

    target: int
    minimum: int
    policy: str


@dataclass(frozen=True, slots=True)
class Cap:
    """R to S: the receiving host has no room for more than this rate, Kbps, whatever rates are in force."""

    rate: int


@dataclass(frozen=True, slots=True)
class Wire:
    """S to R, each second: what only the sending end of UDP knows; see PlaneFacts."""

    sent: int
    lost: int
    rtt: int
    rate: int
    queue_delay: int


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Either way, when nothing else was said for a while."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Either way: for this half all is settled."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Either way: the session cannot go on."""

    code: int
    reason: str


Message = (
    Hello
    | Welcome
    | Refused
    | Plane
    | Argument
    | NoMoreArguments
    | Entries
    | Troubles
    | Scanned
    | Listings
    | Cleared
    | Needs
    | Bundles
    | Ask
    | Digests
    | Verdicts
    | Settlements
    | Written
    | Rates
    | Cap
    | Wire
    | Keepalive
    | Finished
    | Broken
)

NAMES: Mapping[str, type[Message]] = {
    "hello": Hello,
    "welcome": Welcome,
    "refused": Refused,
    "plane": Plane,
    "argument": Argument,
    "no-more-arguments": NoMoreArguments,
    "entries": Entries,
    "troubles": Troubles,
    "scanned": Scanned,
    "listings": Listings,
    "cleared": Cleared,
    "needs": Needs,
    "bundles": Bundles,
    "ask": Ask,
    "digests": Digests,
    "verdicts": Verdicts,
    "settlements": Settlements,
    "written": Written,
    "rates": Rates,
    "cap": Cap,
    "wire": Wire,
    "keepalive": Keepalive,
    "finished": Finished,
    "broken": Broken,
}
