"""What two halves say to each other: one frozen class for each message, and how each is read and written. Pure.

C is the client, V the far side, S the sending half, R the receiving half, whichever of C and V they are.
On the wire a message is the list of its name and its fields by name; records inside it are lists of their fields in
order. A reader skips messages and fields it does not know, so that newer versions may say more; everything else
is strict. Paths are bytes, sizes and offsets bytes, times nanoseconds since the epoch, rates Kbps, codes those of the
FASP table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from asperacentral.openascp.exchange.codec import RemoteProtocolError

VERSION = 1
LARGEST_NUMBER = 2**63 - 1
LONGEST_BYTES = 256 * 1024
LONGEST_TEXT = 64 * 1024
MOST_RECORDS = 100_000
MOST_ENTRIES = 512
"""Records in one message of entries, as we write them."""

FILE = "file"
FOLDER = "folder"
LINK = "link"

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
    who watch.
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


@dataclass(frozen=True, slots=True)
class Welcome:
    """V to C: the session may begin, with these rates; `locked` names what the client may not change."""

    version: int
    program: str
    target_rate: int
    minimum_rate: int
    policy: str
    locked: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict, repr=False)


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


@dataclass(frozen=True, slots=True)
class Entry:
    """What a scan found: `path` is relative to its argument, empty for the argument itself."""

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


@dataclass(frozen=True, slots=True)
class Entries:
    """S to R: found, in the order of ids; a folder comes before what is in it."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
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


@dataclass(frozen=True, slots=True)
class Listing:
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


@dataclass(frozen=True, slots=True)
class Need:
    """These extents (offset, length) of a file follow in the stream; `last` when nothing more of it is needed."""

    id: int
    extents: tuple[tuple[int, int], ...]
    last: bool
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Needs:
    """R to S: lays the stream. `kept` of a need is how many bytes of the file were there before."""

    needs: tuple[Need, ...]


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


@dataclass(frozen=True, slots=True)
class Verdict:
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


@dataclass(frozen=True, slots=True)
class Settled:
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
_NAME_OF = {kind: name for name, kind in NAMES.items()}
_RECORDS: tuple[type[Any], ...] = (Entry, Trouble, Need, Verdict, Settled, Listing)
_FIELDS: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind)) for kind in (*NAMES.values(), *_RECORDS)
}


def write(message: Message) -> list[Any]:
    """A message as a value for `codec.encode_control`."""
    kind = type(message)
    return [_NAME_OF[kind], {name: _plain(getattr(message, name)) for name in _FIELDS[kind]}]


def read(value: Any) -> Message | None:
    """The message a control frame holds; None for one of a newer version. RemoteProtocolError when it is none."""
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], str):
        raise RemoteProtocolError("a message without a name")
    kind = NAMES.get(value[0])
    if kind is None:
        return None
    if not isinstance(value[1], dict):
        raise RemoteProtocolError(f"{value[0]} without fields")
    given = {}
    for name, reader, needed in _READERS[kind]:
        if name in value[1]:
            given[name] = reader(value[1][name], name)
        elif needed:
            raise RemoteProtocolError(f"{value[0]} without {name}")
    return kind(**given)


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is tuple:
        return [_plain(each) for each in value]
    if kind in _FIELDS:
        return [_plain(getattr(value, name)) for name in _FIELDS[kind]]
    return value


_Reader = Callable[[Any, str], Any]


def _readers(kind: type[Any]) -> tuple[tuple[str, _Reader, bool], ...]:
    """Name, reader and whether it must be there, of each field."""
    hints = get_type_hints(kind)
    return tuple((each.name, _reader(hints[each.name]), _needed(each)) for each in fields(kind))


def _needed(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _reader(hint: Any) -> _Reader:
    """How a field of this type is read."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if is_dataclass(hint):
        return _record_reader(hint)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return _tuple_reader(get_args(hint))
    if get_origin(hint) is dict:
        return _mapping
    raise TypeError(f"no message has fields of {hint}")


def _tuple_reader(parts: tuple[Any, ...]) -> _Reader:
    first = _reader(parts[0])
    if parts[-1] is not Ellipsis:
        readers = [_reader(part) for part in parts]
        return lambda value, name: tuple(
            [
                reader(each, name)
                for reader, each in zip(readers, _list(value, name, len(readers)), strict=True)
            ]
        )
    return lambda value, name: tuple([first(each, name) for each in _list(value, name)])


def _record_reader(kind: type[Any]) -> _Reader:
    readers = _readers(kind)
    needed = sum(must for _, _, must in readers)

    def read_record(value: Any, name: str) -> Any:
        given = _list(value, name)
        if len(given) < needed:
            raise RemoteProtocolError(f"{name}: a record of {len(given)} fields")
        return kind(*[reader(each, inner) for (inner, reader, _), each in zip(readers, given, strict=False)])

    return read_record


def _list(value: Any, name: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_RECORDS or length not in (None, len(value)):
        raise RemoteProtocolError(f"{name} is not the list it should be")
    return value


def _number(value: Any, name: str) -> int:
    if type(value) is not int or not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise RemoteProtocolError(f"{name} is no number")
    return value


def _bytes(value: Any, name: str) -> bytes:
    if not isinstance(value, bytes) or len(value) > LONGEST_BYTES:
        raise RemoteProtocolError(f"{name} is not bytes, or too many")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise RemoteProtocolError(f"{name} is no text, or too long")
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise RemoteProtocolError(f"{name} is neither true nor false")
    return value


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise RemoteProtocolError(f"{name} is no table of names")
    return value


_SCALARS: dict[Any, _Reader] = {int: _number, bytes: _bytes, str: _text, bool: _flag}
_READERS = {kind: _readers(kind) for kind in NAMES.values()}
