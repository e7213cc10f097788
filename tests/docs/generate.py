"""The parts of docs/ that are made from the product, so that they cannot say what it does not do.

A page holds blocks: `<!-- KIND ARGUMENTS -->`, what is made, `<!-- end -->`. `refreshed` makes every block anew;
`python -m tests.docs.refresh` writes the pages, a test fails while they differ. In tables whose last column is
prose, that column is written by hand in the page: it is kept, by the text of the row's first column.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from asperacentral.central import job, launch, order, order_reader, session, topics, transfer
from asperacentral.central.errors import CentralError, JobTypeNotFound
from asperacentral.central.model import JOB_TYPE, Endpoint, Event, JobResult, Subscription
from asperacentral.config_changes import AT_ONCE
from asperacentral.config_table import NOT_IN_EFFECT, OPTIONS, Option
from asperacentral.fasp.errors import FaspCode
from asperacentral.soap.contract_files import contract_directory
from asperacentral.soap.envelope import read_envelope
from asperacentral.soap.faults import SoapFault, render_fault
from asperacentral.soap.notifications import render_notification
from asperacentral.soap.service import Dispatcher
from asperacentral.soap.site import ENDPOINTS
from tests.docs import rest
from tests.soap.contract import NAMESPACES
from tests.soap.memory_central import JOB, NOW, SESSION, MemoryCentral

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HERE = Path(__file__).parent / "golden"
GOLDEN = (ROOT / "tests/soap/golden", HERE)
WRITTEN_BY_HAND = frozenset({"performance.md", "promises.md"})
MISSING = "(not described)"
"""Stands where a row is new and its prose is still to be written; a test refuses it."""

_BLOCK = re.compile(r"<!-- (?!end )([a-z]+)((?: [^ >]+)*) -->\n(.*?)<!-- end -->", re.DOTALL)
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"

Rows = Iterable[Sequence[str]]


def pages() -> list[Path]:
    """The pages with parts that are made here, and those that could have some."""
    return sorted(path for path in DOCS.glob("*.md") if path.name not in WRITTEN_BY_HAND)


def refreshed(page: str) -> str:
    """The page with every block made anew."""

    def block(found: re.Match[str]) -> str:
        kind, arguments, old = found[1], found[2].split(), found[3]
        return f"<!-- {kind}{found[2]} -->\n{_MAKERS[kind](old, *arguments)}<!-- end -->"

    return _BLOCK.sub(block, page)


# --- tables


def _table(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell or '–' for cell in line)} |\n" for line in lines)


def _described(old: str, head: Sequence[str], rows: Rows) -> str:
    """A table whose last column is the page's own, found again by the first."""
    cells = [line.strip("| \n").split(" | ") for line in old.splitlines() if line.startswith("|")]
    known = {line[0].strip(): line[-1].strip() for line in cells}
    return _table(head, ([*row, known.get(row[0], MISSING)] for row in rows))


# --- recorded exchanges


def _golden(_: str, name: str, part: str = "exchange") -> str:
    """Both messages of an exchange; with `part` "answer" only the second."""
    files = {path.name.removeprefix(f"{name}."): path for where in GOLDEN for path in where.glob(f"{name}.*")}
    first, *headers = files["request.http"].read_text("ascii").splitlines()
    action = next((line.partition(": ")[2] for line in headers if line.startswith("SOAPAction")), "none")
    status = files["response.http"].read_text("ascii").strip()
    answered = f"Answer (HTTP {status}):\n\n{_xml(files['response.xml'].read_bytes())}"
    if part == "answer":
        return answered
    head = f"Request (`{first.removesuffix(' HTTP/1.1')}`, SOAPAction `{action}`):"
    return f"{head}\n\n{_xml(files['request.xml'].read_bytes())}\n{answered}"


def _xml(message: bytes) -> str:
    root = etree.fromstring(message, etree.XMLParser(remove_blank_text=True))
    etree.cleanup_namespaces(root)
    return f"```xml\n{etree.tostring(root, pretty_print=True, encoding='unicode')}```\n"


class DocumentedCentral(MemoryCentral):
    """A central with something to show for every operation: also a subscription of each kind, and a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = [JOB, SESSION]
        for number, (kind, subject) in enumerate((("job", JOB), ("session", SESSION)), 1):
            observer = Endpoint(f"http://127.0.0.1:8080/{kind}s", "notify")
            known = (topics.JOB_TOPICS if kind == "job" else topics.SESSION_TOPICS)[:2]
            identity = f"5f4c1f6e-0000-4000-8000-00000000005{number}"
            self.subscriptions[identity] = Subscription(
                identity, kind, subject, observer, None, known, NOW + 60
            )

    def submit(self, job_type: str, definition: str) -> Future[JobResult]:
        """Take or refuse an order by the product's own rules."""
        submitted: Future[JobResult] = Future()
        try:
            if job_type != JOB_TYPE:
                raise JobTypeNotFound(job_type)
            launch.refuse_unsupported(order_reader.read_order(definition).order)
            submitted.set_result(JobResult(job_type, JOB))
        except CentralError as error:
            submitted.set_exception(error)
        return submitted


def answer(head: str, message: bytes) -> tuple[int, bytes]:
    """What the endpoint in the request line of `head` answers: HTTP status and message."""
    endpoint = head.split()[1].rpartition("/")[2]
    dispatcher = Dispatcher(DocumentedCentral(), ENDPOINTS)
    body = read_envelope(message).body
    selected = dispatcher.select(body.tag, endpoint, "")
    called: Deferred[bytes] = dispatcher.call(selected, body, Clock())
    outcome: list[tuple[int, bytes]] = []
    called.addCallbacks(lambda whole: outcome.append((200, whole)), lambda failed: _fault(failed, outcome))
    return outcome[0]


def _fault(failed: Any, outcome: list[tuple[int, bytes]]) -> None:
    failed.trap(SoapFault)
    outcome.append((500, render_fault(failed.value)))


# --- the contract's files


@cache
def _declared() -> dict[str, Any]:
    """Global elements and types of every XSD file, by prefix:Name; what shares a name has `Type` apart."""
    prefixes = {namespace: prefix for prefix, namespace in NAMESPACES.items()}
    found: dict[str, Any] = {}
    for path in sorted(contract_directory().glob("*.xsd")):
        root: Any = etree.parse(str(path)).getroot()
        prefix = prefixes[root.get("targetNamespace")]
        found |= {f"{prefix}:{each.get('name')}": each for each in root if each.get("name")}
    return found


def _fields(old: str, name: str, *without: str) -> str:
    rows = _walk(name.partition(":")[0], _declared()[name], "", without)
    return _described(old, ("Field", "Type", "Occurs", "Meaning"), rows)


def _walk(prefix: str, declared: Any, path: str, without: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for base in declared.iter(f"{_XSD}extension"):
        inherited = base.get("base").partition(":")[2]
        if inherited not in without:
            yield from _walk(prefix, _declared()[f"{prefix}:{inherited}"], path, without)
    for child in declared.iter(f"{_XSD}element"):
        if child is declared:
            continue
        place = path + child.get("name")
        space, _, kind = child.get("type").partition(":")
        low, high = child.get("minOccurs", "1"), child.get("maxOccurs", "1").replace("unbounded", "*")
        occurs = low if low == high else f"{low}..{high}"
        leaf = space == "xsd" or kind in without
        if leaf or occurs != "1":
            yield f"`{place}`", "group" if not leaf else kind, occurs
        if not leaf:
            yield from _walk(prefix, _declared()[f"{prefix}:{kind}"], f"{place}/", without)


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of a WSDL; `request` is prefix:Element, `faults` are fault and prefix:Element."""

    name: str
    action: str
    request: str
    faults: tuple[tuple[str, str], ...]


@cache
def operations(file: str) -> tuple[Operation, ...]:
    """The operations of a WSDL file, in its order."""
    root: Any = etree.parse(str(contract_directory() / file)).getroot()
    elements = {
        message.get("name"): message.find(f"{_WSDL}part").get("element")
        for message in root.iter(f"{_WSDL}message")
    }
    bindings = {
        each.get("name"): each.find(f"{_SOAP}operation").get("soapAction")
        for each in root.iterfind(f"{_WSDL}binding/{_WSDL}operation")
    }

    def element(used: Any) -> str:
        return str(elements[used.get("message").partition(":")[2]])

    return tuple(
        Operation(
            each.get("name"),
            bindings[each.get("name")],
            element(each.find(f"{_WSDL}input")),
            tuple((fault.get("name"), element(fault)) for fault in each.iterfind(f"{_WSDL}fault")),
        )
        for each in root.iterfind(f"{_WSDL}portType/{_WSDL}operation")
    )


def _operations(old: str, file: str) -> str:
    rows = (
        (
            f"`{each.name}`",
            f"`{each.action}`",
            f"`{each.request}`",
            ", ".join(name for name, _ in each.faults),
        )
        for each in operations(file)
    )
    return _described(old, ("Operation", "SOAPAction", "Request element", "Typed faults", "What for"), rows)


def _typed_faults(old: str) -> str:
    raised: dict[tuple[str, str], list[str]] = {}
    for endpoint in ENDPOINTS:
        for each in operations(endpoint.wsdl) if endpoint.service else ():
            for fault in each.faults:
                raised.setdefault(fault, []).append(each.name)
    rows = ((f"`{element}`", name, ", ".join(raised[name, element])) for name, element in sorted(raised))
    return _described(old, ("Detail element", "Fault", "Declared by", "When"), rows)


# --- orders

_GROUPS = {
    "order": order.Order,
    "system": order.System,
    "remote": order.RemoteLocation,
    "local": order.LocalLocation,
    "file": order.FileParameters,
    "link": order.LinkParameters,
    "channel": order.ChannelParameters,
    "rate": order.RateParameters,
    "security": order.SecurityParameters,
    "retry": order.RetryParameters,
}
_KINDS: dict[Any, str] = {
    order_reader._text: "text",
    order_reader._secret: "text, secret",
    order_reader._yes_no: "Yes or No",
    order_reader._path: "path",
    order_reader._url_or_null: "URL",
}
_REQUIRED = frozenset(
    {"RemoteLocation/System/Address", "RemoteLocation/Files/Path", "LocalLocation/Files/Path", "Operation"}
)
SHOWN, NOTHING = "kept and shown", "no effect"
UDP = "given to the transfer process and shown; in effect over UDP"
REFUSED = ("RemoteLocation/Proxy/Url", "FileParameters/PreserveCreationTime")
WITHOUT_CONSEQUENCE = {
    "Version": NOTHING,
    "Agent": SHOWN,
    "LocalLocation/System/Password": NOTHING,
    "ChannelParameters/Port": UDP,
    "ChannelParameters/DatagramSize": UDP,
    "ChannelParameters/AutoDetectPathMTU": UDP,
    "RateParameters/Policy": UDP,
    "RateParameters/MinimumRate": UDP,
    "RateParameters/MinimumRateAsPercent": UDP,
    "LocalLocation/System/UserName": "in effect if the daemon runs as root; else refused, but for its own account",
}
"""Elements that `launch` neither refuses nor names, and that steer nothing: judged by reading the code."""


def _order(old: str) -> str:
    scalars = ((path, *row, 1) for path, row in order_reader._SCALARS.items())
    lists = ((path, *row) for path, row in order_reader._LISTS.items())
    tops = list(
        dict.fromkeys(path.partition("/")[0] for path in (*order_reader._SCALARS, *order_reader._LISTS))
    )
    rows = (
        (f"`{path}`", _kind(convert, most), _default(path, group, name), consequence(path))
        for path, group, name, convert, most in sorted(
            (*scalars, *lists), key=lambda row: tops.index(row[0].partition("/")[0])
        )
    )
    return _described(old, ("Element", "Type", "Default", "In this version", "Meaning"), rows)


def _kind(convert: Any, most: int) -> str:
    return (_KINDS.get(convert) or _probed(convert)) + (f", up to {most} times" if most > 1 else "")


def _probed(convert: Callable[[str], Any]) -> str:
    """What a converter takes, by what it says of a value that none takes."""
    try:
        convert("9" * 20)
    except ValueError as refusal:
        words = re.search("none of: (.*)", str(refusal))
        if words:
            return words[1]
        low, high = str(refusal).partition("not between ")[2].split(" and ")
        return "whole number" if low.startswith("-") else f"whole number, {low} to {high}"
    raise AssertionError("a converter takes everything")


def _default(path: str, group: str, name: str) -> str:
    if path in _REQUIRED:
        return "required"
    value = next(each.default for each in dataclasses.fields(_GROUPS[group]) if each.name == name)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return "" if value in (None, "", ()) else str(value)


def consequence(path: str) -> str:
    """What an order that holds the element gets in this version."""
    if path in REFUSED:
        return "refused"
    return WITHOUT_CONSEQUENCE.get(path, "in effect")


# --- topics, errors, options, states, notifications


def _topics(old: str, kind: str) -> str:
    return _described(old, ("Topic", "Fires"), ((f"`{topic}`",) for topic in topics.TOPICS[kind]))


def _codes(_: str) -> str:
    rows = (
        (str(int(code)), f"`{code.name}`", code.meaning, "yes" if code.retryable else "no")
        for code in FaspCode
    )
    return _table(("Code", "Name", "Meaning", "Retried"), rows)


def _options(_: str, group: str) -> str:
    rows = (
        (
            f"`<{option.element}>`",
            option.kind.allowed,
            option.default and f"`{option.default}`",
            "SIGHUP" if option.field in AT_ONCE else "restart",
            option.help + ("" if _works(option) else " **No effect in this version.**"),
        )
        for option in OPTIONS[group]
    )
    return _table(("Option", "Allowed", "Default", "Changed by", "Effect"), rows)


def _works(option: Option) -> bool:
    return option.element not in NOT_IN_EFFECT or "no effect" in option.help


def _states(_: str, what: str) -> str:
    tables: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
        "job": (
            str(job.JobState.WAITING),
            [
                (str(before), str(after), f"{event}{f' ({topic})' if topic else ''}")
                for (before, event), (after, topic) in job.TABLE.items()
            ],
        ),
        "session": (
            "running",
            [(before, after, str(event)) for (before, event), after in session.TABLE.items()],
        ),
        "file": ("running", [(before, after, event) for (before, event), after in transfer.TABLE.items()]),
    }
    first, moves = tables[what]
    final = dict.fromkeys(after for _, after, _ in moves if after not in {before for before, _, _ in moves})
    lines = [f"    [*] --> {first}"]
    lines += [f"    {before} --> {after}: {label}" for before, after, label in moves]
    lines += [f"    {state} --> [*]" for state in final]
    return "\n".join(("```mermaid", "stateDiagram-v2", *lines, "```", ""))


def _notification(_: str, kind: str, topic: str) -> str:
    central = DocumentedCentral()
    mine = next(each for each in central.subscriptions.values() if each.kind == kind)
    snapshots = {"job": central.jobs[JOB], "session": central.sessions[1]}
    told = "subscription" if topic in ("Changed", "Ended", "Expired") else kind
    snapshot = mine if told == "subscription" else snapshots[kind]
    event = Event("5f4c1f6e-0000-4000-8000-0000000000e1", told, topic, mine.subject, NOW + 0.25, snapshot)
    return _xml(render_notification(event, mine, 60))


_MAKERS: dict[str, Callable[..., str]] = {
    "golden": _golden,
    "fields": _fields,
    "operations": _operations,
    "faults": _typed_faults,
    "order": _order,
    "topics": _topics,
    "codes": _codes,
    "options": _options,
    "states": _states,
    "notification": _notification,
    "rest": rest.exchange,
    "members": lambda _, what: _table(("Member", "Element"), rest.member_rows(what)),
    "criteria": lambda _: _table(("Criterion", "Filter of", "Value"), rest.criterion_rows()),
}
