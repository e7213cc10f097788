"""The server's policy as aspera.conf writes it: `<default>`, and groups and users in `<aaa>`, read into values.

A user's elements count before those of the user's groups (the lowest `<precedence>` first), those before
`<default>`. Every element is one row of `ELEMENTS`. What this server does not know is named in `warnings`, as it
might be a wall that somebody relies on; a value that cannot be understood stops the server (ConfigError).
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asperacentral import config
from asperacentral.config import ConfigError
from asperacentral.config_table import Kind
from asperacentral.openascp.policy import (
    ANY_CIPHER,
    CIPHERS,
    POLICIES,
    USUAL_TOKEN_LIFE,
    Authorization,
    DirectionPolicy,
    PolicyRule,
    RateRule,
    UserPolicy,
)
from asperacentral.openascp.sharing import Pool

if TYPE_CHECKING:
    from lxml import etree

UNLIMITED = "unlimited"
_LAST_GROUP = 2**31


@dataclass(frozen=True, slots=True)
class Element:
    """One element below `<default>`, `<group>` or `<user>`: where, how its text is read, default, what it does."""

    path: str
    field: str
    kind: Kind
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a file gives, and its place, FILE:LINE."""

    value: Any
    source: str


Section = Mapping[str, Given]
"""What one section of the file gives, by field."""


def _words(**values: Any) -> Kind:
    def read(text: str) -> Any:
        try:
            return values[text.lower().replace("-", "_")]
        except KeyError:
            raise ValueError(text) from None

    names = {value: name.replace("_", "-") for name, value in values.items()}
    return Kind(read, ", ".join(names.values()), names.__getitem__)


def _digits(text: str, least: int = 0, most: int = 10**15) -> int:
    if not re.fullmatch("[0-9]{1,15}", text) or not least <= int(text) <= most:
        raise ValueError(text)
    return int(text)


def _limit(unit: str, least: int = 0) -> Kind:
    def read(text: str) -> int | None:
        return None if text.lower() in (UNLIMITED, "") else _digits(text, least)

    return Kind(read, f"{unit}, or unlimited", lambda value: UNLIMITED if value is None else str(value))


def _docroot(text: str) -> str | None:
    if not text:
        return None
    if not text.startswith("/") or "\0" in text:
        raise ValueError(text)
    return text


def _secret(text: str) -> bytes:
    if len(text.encode()) < 16:
        raise ValueError("too short")
    return text.encode()


_FLAG = _words(true=True, false=False)
_RATE = Kind(_digits, "Kbps")
_CAP = _limit("Kbps")
_POLICY = _words(**{name: name for name in POLICIES})
_ALLOWED_POLICY = _words(any=POLICIES[-1], trickle="low", **{name: name for name in POLICIES})
_SHARED_CAP = _limit("Kbps, more than 0", least=1)
_TRUNK = Kind(lambda text: _digits(text, 0, 255), "0 to 255")
_LINK = Kind(lambda text: _digits(text, 1, 255), "1 to 255")
_CAPACITY = Kind(lambda text: _digits(text, 1), "a number of Kbps, more than 0")
_UDP = _words(allow="allow", deny="deny", require="require")
_OWN = {"in": "fetches", "out": "sends"}
_CIPHER = _words(**{name.replace("-", "_"): name for name in (ANY_CIPHER, *CIPHERS)})
_AUTHORIZATION = _words(**{str(word): word for word in Authorization})
_DOCROOT = Kind(_docroot, "an absolute path, with $(name) for the user", lambda value: value or "-")
_SECRET = Kind(_secret, "16 bytes at least", lambda value: "(set)" if value else "-")


def _both_ways() -> Iterator[Element]:
    for way, what in (("in", "sent to this server"), ("out", "fetched from it")):
        flow = f"transfer/{way}/bandwidth/flow"
        yield Element(
            f"authorization/transfer/{way}/value",
            f"{way}.authorization",
            _AUTHORIZATION,
            "allow",
            f"Whether files may be {what}: allow, deny, or only with a token.",
        )
        for rate, default in (("target_rate", "10000"), ("min_rate", "0")):
            yield Element(f"{flow}/{rate}/cap", f"{way}.{rate}.cap", _CAP, UNLIMITED, "The most.")
            yield Element(
                f"{flow}/{rate}/default", f"{way}.{rate}.default", _RATE, default, "For who names none."
            )
            yield Element(
                f"{flow}/{rate}/lock", f"{way}.{rate}.lock", _FLAG, "false", "No changes under way."
            )
        yield Element(
            f"{flow}/policy/allowed", f"{way}.policy.allowed", _ALLOWED_POLICY, "any", "The most aggressive."
        )
        yield Element(
            f"{flow}/policy/default", f"{way}.policy.default", _POLICY, "fair", "For who names none."
        )
        yield Element(f"{flow}/policy/lock", f"{way}.policy.lock", _FLAG, "false", "No changes under way.")


def _shared() -> Iterator[Element]:
    for way, what in (("in", "sent to this server"), ("out", "fetched from it")):
        shared = f"transfer/{way}/bandwidth/aggregate"
        yield Element(
            f"{shared}/cap",
            f"{way}.aggregate",
            _SHARED_CAP,
            UNLIMITED,
            f"For all sessions together whose files are {what}, or that this machine itself {_OWN[way]}.",
        )
        yield Element(
            f"{shared}/trunk_id",
            f"{way}.trunk",
            _TRUNK,
            "0",
            "The virtual link of <trunks> that these sessions share; 0 = none.",
        )


_PATH = "file_system/access/paths/path"
ELEMENTS: tuple[Element, ...] = (
    Element(
        f"{_PATH}/absolute", "docroot", _DOCROOT, "", "The user's folder; empty = the whole file system."
    ),
    Element(f"{_PATH}/read_allowed", "read", _FLAG, "true", "Whether files may be fetched."),
    Element(f"{_PATH}/write_allowed", "write", _FLAG, "true", "Whether anything may be changed."),
    Element(f"{_PATH}/dir_allowed", "list", _FLAG, "true", "Whether folders may be listed."),
    *_both_ways(),
    *_shared(),
    Element(
        "transfer/protocol_options/udp",
        "udp",
        _UDP,
        "allow",
        "allow: UDP where it gets through; deny: never; require: nothing else moves files.",
    ),
    Element(
        "transfer/encryption/allowed_cipher",
        "cipher",
        _CIPHER,
        ANY_CIPHER,
        "any; none = without only; else encrypted only, so strong at the most.",
    ),
    Element(
        "transfer/encryption/content_protection_required",
        "protection_required",
        _FLAG,
        "false",
        "Take only files that the client has encrypted.",
    ),
    Element("authorization/token/encryption_key", "token_key", _SECRET, "", "The secret that proves tokens."),
    Element(
        "authorization/token/life_seconds",
        "token_life",
        _limit("seconds"),
        str(USUAL_TOKEN_LIFE),
        "Longest life of a token.",
    ),
)
"""All elements that have an effect, in the order in which they are explained."""

_BY_PATH = {element.path: element for element in ELEMENTS}
_BRANCHES = frozenset(
    path.rsplit("/", depth)[0] for path in _BY_PATH for depth in range(1, path.count("/") + 1)
)


@dataclass(frozen=True, slots=True)
class ServerPolicy:
    """What a file says about all users. `users` and `groups` by name; a group's section with its precedence."""

    default: Section
    groups: Mapping[str, tuple[int, Section]]
    users: Mapping[str, Section]
    warnings: tuple[str, ...] = ()
    links: Mapping[int, Pool | None] = field(default_factory=dict)
    """Virtual links by number; None where one is turned off."""

    def pools(self, name: str, groups: Collection[str] = (), *, incoming: bool) -> tuple[Pool, ...]:
        """The caps that a session of this user shares with others; `incoming` means that files come here."""
        way = "in" if incoming else "out"
        given = self.given_for(name, groups)
        found = []
        if f"{way}.aggregate" in given and given[f"{way}.aggregate"].value is not None:
            cap = given[f"{way}.aggregate"]
            # Who has the element of his own, or of a group, shares with those who have the same one.
            place = (
                ""
                if cap is self.default.get(f"{way}.aggregate")
                else f"-{zlib.crc32(cap.source.encode()):08x}"
            )
            found.append(Pool(f"{way}{place}", cap.value))
        link = self.links.get(given[f"{way}.trunk"].value) if f"{way}.trunk" in given else None
        return (*found, link) if link is not None else tuple(found)

    def udp(self, name: str, groups: Collection[str] = ()) -> str:
        """Whether sessions of this user may, or must, use UDP: allow, deny or require."""
        given = self.given_for(name, groups)
        return str(given["udp"].value) if "udp" in given else "allow"

    def given_for(self, name: str, groups: Collection[str] = ()) -> Section:
        """What the file gives for a user who is in these groups of the machine, the strongest of each."""
        mine = sorted(
            (self.groups[group] for group in groups if group in self.groups), key=lambda pair: -pair[0]
        )
        given = dict(self.default)
        for _, section in mine:
            given.update(section)
        return given | dict(self.users.get(name, {}))

    def for_user(self, name: str, groups: Collection[str] = (), home: str = "") -> UserPolicy:
        """What the user may do. `home` stands in for $(home). ValueError when the docroot cannot be made up."""
        given = self.given_for(name, groups)
        value = {
            element.field: given[element.field].value if element.field in given else _default(element)
            for element in ELEMENTS
        }
        return UserPolicy(
            name=name,
            docroot=_substituted(value["docroot"], name, home),
            read=value["read"],
            write=value["write"],
            list=value["list"],
            incoming=_direction(value, "in"),
            outgoing=_direction(value, "out"),
            cipher=value["cipher"],
            protection_required=value["protection_required"],
            token_keys=(value["token_key"],) if value["token_key"] else (),
            token_life=value["token_life"],
        )


def load(path: Path | None, environ: Mapping[str, str]) -> ServerPolicy:
    """The policy of the file that `config.load` would read; without one, everybody may do everything.

    ConfigError as there, and for a value that cannot be understood.
    """
    found = config.read_tree(path, environ)
    return ServerPolicy({}, {}, {}) if found is None else from_tree(*found)


def from_tree(file: Path, root: etree._Element) -> ServerPolicy:
    """The policy that a `<CONF>` element holds; `file` is for messages. ConfigError."""
    reading = _Reading(file)
    default: dict[str, Given] = {}
    for section in root.findall("default"):
        default |= reading.section(section, "<default>")
    users = {name: reading.section(element, f"user {name}") for name, element in reading.named(root, "user")}
    groups = {
        name: (reading.precedence(element), reading.section(element, f"group {name}"))
        for name, element in reading.named(root, "group")
    }
    links = reading.links(root)
    for given in (default, *users.values(), *(group for _, group in groups.values())):
        reading.check_links(given, links)
    return ServerPolicy(default, groups, users, tuple(reading.warnings), links)


class _Reading:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.warnings: list[str] = []

    def named(self, root: etree._Element, tag: str) -> Iterator[tuple[str, etree._Element]]:
        """The users or groups of all realms. One without a name, or two of one name, stop the server."""
        seen = set()
        for element in root.iterfind(f"aaa/realms/realm/{tag}s/{tag}"):
            name = (element.findtext("name") or "").strip()
            if not name:
                raise self._error(element, f"<{tag}>", "has no <name>")
            if name in seen:
                raise self._error(element, f"<{tag}>", f"there is another {tag} {name}")
            seen.add(name)
            yield name, element

    def links(self, root: etree._Element) -> dict[int, Pool | None]:
        """The virtual links: `<trunk>` with `<id>`, `<capacity>` in Kbps, and `<on>`."""
        found: dict[int, Pool | None] = {}
        for trunk in root.iterfind("trunks/trunk"):
            number = self._of(trunk, "id", _LINK, None)
            if number in found:
                raise self._error(trunk, "<trunk>", f"there is another virtual link {number}")
            capacity = self._of(trunk, "capacity", _CAPACITY, None)
            on = self._of(trunk, "on", _FLAG, "true")
            found[number] = Pool(f"link-{number}", capacity, number) if on else None
            for child in trunk:
                if child.tag not in ("id", "name", "capacity", "on"):
                    self._warn(child, f"virtual link {number}: <{child.tag}> has no effect; passed over")
        return found

    def check_links(self, section: Section, links: Mapping[int, Pool | None]) -> None:
        for way in ("in", "out"):
            given = section.get(f"{way}.trunk")
            if given is not None and given.value and given.value not in links:
                raise ConfigError(
                    self._file, None, "<trunk_id>", f"{given.source}: there is no virtual link {given.value}"
                )

    def _of(self, trunk: etree._Element, name: str, kind: Kind, default: str | None) -> Any:
        element = trunk.find(name)
        inner = None if element is None else element.find("schedule")
        text = default if element is None else ((element if inner is None else inner).text or "").strip()
        try:
            return kind.read(text or "")
        except ValueError:
            raise self._error(
                trunk if element is None else element,
                f"<trunk><{name}>",
                f'"{" ".join((text or "").split())[:100]}" is not allowed; allowed: {kind.allowed}',
            ) from None

    def precedence(self, group: etree._Element) -> int:
        element = group.find("precedence")
        if element is None:
            return _LAST_GROUP
        try:
            return _digits((element.text or "").strip())
        except ValueError:
            raise self._error(element, "<precedence>", "must be a whole number") from None

    def section(self, section: etree._Element, of: str) -> dict[str, Given]:
        given: dict[str, Given] = {}
        for child in section:
            if child.tag not in ("name", "precedence"):
                self._take(child, str(child.tag), of, given)
        return given

    def _take(self, element: etree._Element, path: str, of: str, given: dict[str, Given]) -> None:
        known = _BY_PATH.get(path)
        if known is None and path in _BRANCHES:
            if path == _PATH and element.getprevious() is not None:
                self._warn(element, f"{of}: only the first <path> counts; this one is passed over")
                return
            for child in element:
                self._take(child, f"{path}/{child.tag}", of, given)
        elif known is None:
            self._warn(element, f"{of}: <{path}> has no effect in this server; passed over")
        elif len(element):
            raise self._error(element, f"<{path}>", "must hold a value, not further elements")
        else:
            given[known.field] = Given(self._value(element, known), self._where(element))

    def _value(self, element: etree._Element, known: Element) -> Any:
        text = (element.text or "").strip()
        try:
            return known.kind.read(text)
        except ValueError:
            shown = "" if known.kind is _SECRET else f'"{" ".join(text.split())[:100]}" '
            raise self._error(
                element, f"<{known.path}>", f"{shown}is not allowed; allowed: {known.kind.allowed}"
            ) from None

    def _where(self, element: etree._Element) -> str:
        return f"{self._file}:{_line(element)}"

    def _warn(self, element: etree._Element, text: str) -> None:
        self.warnings.append(f"{self._where(element)}: {text}")

    def _error(self, element: etree._Element, name: str, reason: str) -> ConfigError:
        return ConfigError(self._file, _line(element), name, reason)


def _line(element: etree._Element) -> int | None:
    return cast("int | None", element.sourceline)


def explained(policy: ServerPolicy) -> Iterator[tuple[str, str, str, str]]:
    """For everybody, and for each group and user what is given: whom, element, value (no secrets), place."""
    for element in ELEMENTS:
        given = policy.default.get(element.field)
        value = _default(element) if given is None else given.value
        yield "everybody", f"<{element.path}>", element.kind.show(value), given.source if given else "default"
    sections = [(f"group {name}", section) for name, (_, section) in policy.groups.items()]
    sections += [(f"user {name}", section) for name, section in policy.users.items()]
    for whom, section in sections:
        for element in ELEMENTS:
            if element.field in section:
                given = section[element.field]
                yield whom, f"<{element.path}>", element.kind.show(given.value), given.source


def _default(element: Element) -> Any:
    return None if element.kind is _SECRET else element.kind.read(element.default)


def _direction(value: Mapping[str, Any], way: str) -> DirectionPolicy:
    def rate(name: str) -> RateRule:
        return RateRule(*(value[f"{way}.{name}.{part}"] for part in ("cap", "default", "lock")))

    return DirectionPolicy(
        authorization=value[f"{way}.authorization"],
        target=rate("target_rate"),
        minimum=rate("min_rate"),
        policy=PolicyRule(*(value[f"{way}.policy.{part}"] for part in ("allowed", "default", "lock"))),
    )


def _substituted(docroot: str | None, name: str, home: str) -> bytes | None:
    """$(name) and $(home) filled in. A user's name must be one part of a path, whoever gave it."""
    if docroot is None:
        return None
    if "$(name)" in docroot and (name in ("", ".", "..") or "/" in name or "\0" in name):
        raise ValueError(f"the user name {name!r} cannot be part of a docroot")
    if "$(home)" in docroot and not home.startswith("/"):
        raise ValueError("the docroot is $(home), and the user has none")
    return os.fsencode(docroot.replace("$(name)", name).replace("$(home)", home))
