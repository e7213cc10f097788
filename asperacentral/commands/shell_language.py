"""The words of `asperacentral shell`: a line becomes what is to be done. Pure: nothing is done here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asperacentral.fasp.messages import POLICIES
from asperacentral.fasp.order import TRANSPORTS

HELP = {
    "help": ("[COMMAND]", "tell what there is to say"),
    "push": ("[OPTIONS] SOURCE... [USER@]HOST[:PORT]:FOLDER", "push files or folders to a remote host"),
    "pull": ("[OPTIONS] [USER@]HOST[:PORT]:PATH... FOLDER", "pull files or folders from a remote host"),
    "list": ("", "show all jobs"),
    "stats": ("JOB", "show the counters of a job"),
    "files": ("JOB", "show the files of a job"),
    "pause": ("JOB|all", "let a job move nothing for now"),
    "resume": ("JOB|all", "let a paused job go on"),
    "cancel": ("JOB|all", "end a job for good"),
    "rate": ("JOB|all TARGET [MINIMUM]", "change rates: Kbps, or with k, m, g as in 50m"),
    "policy": ("JOB|all " + "|".join(POLICIES), "change how a job shares the line"),
    "quit": ("", "leave; jobs under way are cancelled"),
}
"""Command -> its arguments, what it does."""

OPTIONS = {
    "--rate": "RATE: target rate (10m)",
    "--policy": "POLICY: " + ", ".join(POLICIES),
    "--transport": "TRANSPORT: " + ", ".join(TRANSPORTS),
    "--key": "FILE: private key",
    "--list": "FILE: more sources, one on each line",
    "-d": "make the destination folder",
}

ALL = "all"
_TARGET = re.compile(
    r"(?:(?P<user>[^@:/\s]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^@:/\s\[\]]+)(?::(?P<port>[0-9]{1,5}))?:(?P<path>.*)"
)
_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kmg]?)", re.IGNORECASE)
_SCALE = {"": 1, "k": 1, "m": 1000, "g": 1_000_000}


class NotUnderstood(Exception):
    """The line makes no sense; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Paths on a remote host."""

    user: str
    host: str
    port: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """`push` (`sending`) or `pull`. `rate` is Kbps."""

    sending: bool
    local: tuple[str, ...]
    remote: Remote
    rate: int = 10_000
    policy: str = "fair"
    key: str = ""
    create: bool = False
    transport: str = "any"


@dataclass(frozen=True, slots=True)
class Request:
    """Any other command: its word, the job's number (None: all, or no job), and what else it was given."""

    word: str
    job: int | None = None
    numbers: tuple[int, ...] = ()
    text: str = ""


def understand(line: str) -> Transfer | Request | None:  # noqa: PLR0911 - one return for each form
    """What a line asks for; None when it is empty. NotUnderstood."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise NotUnderstood(f"{error}".lower()) from None
    if not words:
        return None
    word, *rest = words
    match word:
        case "push" | "pull":
            return _transfer(word, rest)
        case "help" if len(rest) < 2:
            return Request(word, text=rest[0] if rest else "")
        case "list" | "quit" if not rest:
            return Request(word)
        case "stats" | "files" if len(rest) == 1:
            return Request(word, _number(rest[0]))
        case "pause" | "resume" | "cancel" if len(rest) == 1:
            return Request(word, _job(rest[0]))
        case "rate" if len(rest) in {2, 3}:
            return Request(word, _job(rest[0]), tuple(map(rate, rest[1:])))
        case "policy" if len(rest) == 2 and rest[1] in POLICIES:
            return Request(word, _job(rest[0]), text=rest[1])
    if word in HELP:
        raise NotUnderstood(f"{word} {HELP[word][0]}".strip())
    raise NotUnderstood(f"there is no {word!r}; help tells what there is")


def rate(text: str) -> int:
    """Kbps. NotUnderstood."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise NotUnderstood(f"{text!r} is no rate: Kbps, or with k, m, g as in 50m")
    return round(float(found[1]) * _SCALE[found[2].lower()])


def remote(text: str) -> Remote | None:
    """A place on a remote host; None when it looks like a local path. NotUnderstood for a port that is none."""
    found = _TARGET.fullmatch(text)
    if found is None or text.startswith(("/", ".")):
        return None
    port = int(found["port"] or 22)
    if not 0 < port < 65536:
        raise NotUnderstood(f"{port} is no port")
    return Remote(found["user"] or "", found["host"].strip("[]"), port, (found["path"] or ".",))


def _transfer(word: str, words: list[str]) -> Transfer:
    options, paths = _options(word, words)
    sending = word == "push"
    if "--list" in options:
        paths = [*_lines(options["--list"]), *paths] if sending else paths
    if len(paths) < 2:
        raise NotUnderstood(f"{word} {HELP[word][0]}")
    far_paths = paths[-1:] if sending else paths[:-1]
    places = [remote(path) for path in far_paths]
    first = places[0]
    if first is None or any(place is None for place in places):
        raise NotUnderstood(f"{word} {HELP[word][0]}")
    far = [place for place in places if place is not None]
    if any((place.user, place.host, place.port) != (first.user, first.host, first.port) for place in far):
        raise NotUnderstood("all sources must be on one host")
    local = paths[:-1] if sending else paths[-1:]
    more = tuple(_lines(options["--list"])) if "--list" in options and not sending else ()
    policy = _word(options, "--policy", "fair", POLICIES)
    return Transfer(
        sending,
        tuple(str(Path(path).expanduser()) for path in local),
        Remote(first.user, first.host, first.port, (*(path for place in far for path in place.paths), *more)),
        rate(options.get("--rate", "10m")),
        policy,
        str(Path(options["--key"]).expanduser()) if "--key" in options else "",
        "-d" in options,
        _word(options, "--transport", "any", TRANSPORTS),
    )


def _word(options: dict[str, str], name: str, usual: str, words: Sequence[str]) -> str:
    word = options.get(name, usual)
    if word not in words:
        raise NotUnderstood(f"{name} must be one of {', '.join(words)}")
    return word


def _options(word: str, words: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        name = rest.pop(0)
        if name == "--":
            break
        name, equals, value = name.partition("=")
        if name not in OPTIONS:
            raise NotUnderstood(f"{word} has no option {name}")
        if name != "-d" and not equals:
            if not rest:
                raise NotUnderstood(f"{name} needs a value")
            value = rest.pop(0)
        options[name] = value
    return options, rest


def _lines(file: str) -> list[str]:
    try:
        return [line for line in Path(file).expanduser().read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise NotUnderstood(f"{file} cannot be read") from None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise NotUnderstood(f"{text!r} is no number of a job; list shows them")
    return int(text)


def _job(text: str) -> int | None:
    return None if text == ALL else _number(text)
