"""The rules of a session that both halves must know: they travel in Hello, from the client's command line. Pure.

A half that does not know a rule it is given refuses the session by its name: nothing asked for is ever ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from asperacentral.fasp.messages import POLICIES
from asperacentral.openascp import overwrite
from asperacentral.openascp.exchange.dealing import MOST_SESSIONS, Deal
from asperacentral.openascp.files import attributes, checksums, links
from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.files.selection import PatternError, Rule, Selection, TimeLimits

_T = TypeVar("_T")


ENCRYPT = "encrypt"
DECRYPT = "decrypt"


class UnknownTermError(Exception):
    """A rule is not known here or makes no sense; the text names it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """See `options.Options` for the meaning of each; `rules`, `limits`, `preserve` and `afterwards` are lists of the
    values of the classes that have these names there, `part` of those of `dealing.Deal`.
    """

    destination: bytes
    several: bool = False
    persistent: bool = False
    create_path: bool = False
    overwrite: str = "diff"
    resume_level: int = 0
    partial_tag: bytes = b""
    partial_suffix: bytes = b".partial"
    target_rate: int = 10000
    minimum_rate: int = 0
    policy: str = "fair"
    rules: list[Any] = field(default_factory=list)
    limits: list[Any] = field(default_factory=list)
    links: str = "follow"
    skip_special: bool = False
    skip_duplicates: bool = False
    preserve: list[Any] = field(default_factory=list)
    save: bool = False
    save_suffix: bytes = b""
    checksum: str = "none"
    afterwards: list[Any] = field(default_factory=list)
    manifest: bool = False
    manifest_suffix: bytes = b""
    delete_before: bool = False
    file_crypt: str = ""
    precalculate: bool = False
    part: list[Any] = field(default_factory=list)
    udp_port: int = 0
    """The port to try first; 0: no UDP, please."""

    def written(self) -> dict[str, Any]:
        """For Hello: what differs from the defaults, so that an older half meets only rules that matter."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != _default(each)
        }

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Terms:
        """From Hello. UnknownTermError."""
        known = {each.name: each for each in fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise UnknownTermError(f"this end does not know the rule {name[:60]!r}")
            if type(value).__name__ != str(known[name].type).partition("[")[0]:
                raise UnknownTermError(f"the rule {name} is not {known[name].type}")
        if "destination" not in given:
            raise UnknownTermError("no destination")
        terms = cls(**given)
        _check(terms)
        return terms

    def selection(self) -> Selection:
        """Which files are moved. UnknownTermError."""
        try:
            rules = [Rule(_of(bytes, pattern), _of(bool, exclude)) for pattern, exclude in self.rules]
            newest, oldest = self.limits or (None, None)
            limits = TimeLimits(_number(newest), _number(oldest))
            return Selection(rules, limits)
        except (PatternError, ValueError, TypeError) as error:
            raise UnknownTermError(f"the rules for what is moved cannot be used: {error}") from error

    def preserving(self) -> Preserve:
        """What is kept of a file besides its bytes. UnknownTermError."""
        kept = Preserve(*self.preserve) if len(self.preserve) in (0, len(fields(Preserve))) else None
        storages = attributes.STORAGES
        if kept is None or kept.xattrs not in storages or kept.acls not in storages:
            raise UnknownTermError("this end does not know how to keep these attributes")
        return kept

    def after(self) -> Afterwards:
        """What becomes of sources that were moved. UnknownTermError."""
        if len(self.afterwards) not in (0, len(fields(Afterwards))):
            raise UnknownTermError("this end does not know what is to become of the sources")
        return Afterwards(*self.afterwards)

    def deal(self) -> Deal:
        """What of the whole is this session's. UnknownTermError."""
        if not self.part:
            return Deal()
        try:
            number, sessions, threshold = (_of(int, each) for each in self.part)
        except (ValueError, TypeError) as error:
            raise UnknownTermError("this end does not know how the work is shared") from error
        if not (1 <= number <= sessions <= MOST_SESSIONS and threshold >= 0):
            raise UnknownTermError(f"there is no session {number} of {sessions}")
        return Deal(number, sessions, threshold)


def _check(terms: Terms) -> None:
    if terms.overwrite not in overwrite.RULES:
        raise UnknownTermError(f"this end does not know the overwrite rule {terms.overwrite[:60]!r}")
    if terms.resume_level not in range(4):
        raise UnknownTermError("the resume level is none of 0 to 3")
    if terms.policy not in POLICIES:
        raise UnknownTermError(f"this end does not know the policy {terms.policy[:60]!r}")
    if min(terms.target_rate, terms.minimum_rate) < 0:
        raise UnknownTermError("a rate is negative")
    if terms.udp_port not in range(65536):
        raise UnknownTermError("there is no such UDP port")
    if terms.file_crypt not in ("", ENCRYPT, DECRYPT):
        raise UnknownTermError(f"this end does not know how to {terms.file_crypt[:60]!r} files")
    if terms.delete_before and terms.persistent:
        raise UnknownTermError(
            "a persistent session has no sources to compare the destination with before it begins"
        )
    if terms.links not in links.POLICIES:
        raise UnknownTermError(f"this end does not know the rule {terms.links[:60]!r} for links")
    if terms.checksum not in ("none", *checksums.NAMES):
        raise UnknownTermError(f"this end does not know the checksum {terms.checksum[:60]!r}")
    for name in (terms.partial_tag, terms.partial_suffix, terms.save_suffix, terms.manifest_suffix):
        if b"/" in name or b"\0" in name or len(name) > 64:
            raise UnknownTermError("the name of partial or kept files is not usable")
    terms.selection()
    terms.preserving()
    terms.after()
    terms.deal()


def _default(each: Field[Any]) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _of(kind: type[_T], value: Any) -> _T:
    if type(value) is not kind:
        raise TypeError(f"no {kind.__name__}")
    return value


def _number(value: Any) -> int | None:
    return None if value is None else _of(int, value)
