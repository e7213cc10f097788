"""The table of options of aspera.conf: group, element, how its text is read, default, what it does.

Pure values: this module knows no file and no XML. `config` reads files by it, `etc/aspera.conf` shows it.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asperacentral import logs

SILENT = logging.CRITICAL + 10
"""The log level that shows nothing (`<level>disable</level>`)."""

UNLIMITED = None
"""The age at which nothing is purged."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the text of an option is read, and a value shown: `read` raises ValueError for what it does not take."""

    read: Callable[[str], Any]
    allowed: str
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Option:
    """One option: the text of `<element>` becomes a field of Settings, `attribute` or of the same name."""

    element: str
    kind: Kind
    default: str
    help: str
    attribute: str = ""

    @property
    def field(self) -> str:
        """The name of the field in Settings."""
        return self.attribute or self.element


def _choice(**values: Any) -> Kind:
    """One word out of several, each standing for a value; letter case does not matter."""

    def read(text: str) -> Any:
        try:
            return values[text.lower()]
        except KeyError:
            raise ValueError(text) from None

    names = {value: name for name, value in values.items()}
    return Kind(read, ", ".join(values), names.__getitem__)


def _words(*names: str) -> Kind:
    return _choice(**{name: name for name in names})


def _decimal(text: str) -> int:
    """ASCII digits only: int() alone would also take signs, underscores and other scripts' digits."""
    if not re.fullmatch("[0-9]{1,20}", text):
        raise ValueError(text)
    return int(text)


def _number(least: int, most: int) -> Kind:
    def read(text: str) -> int:
        value = _decimal(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return Kind(read, f"a whole number from {least} to {most}")


def _age(text: str) -> int | None:
    return UNLIMITED if text.lower() == "unlimited" else _decimal(text)


def _show_age(age: int | None) -> str:
    return "Unlimited" if age is UNLIMITED else str(age)


_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def _size(bare_unit: str) -> Kind:
    """A size in bytes, written with a unit (KB = 1,024 bytes) or as a bare number of `bare_unit`."""

    def read(text: str) -> int:
        match = re.fullmatch(r"([0-9]{1,12})\s*([KMG]?B)?", text.upper())
        if not match or not int(match[1]):
            raise ValueError(text)
        return int(match[1]) * _UNITS[match[2] or bare_unit]

    allowed = f"a size such as 512 KB, 10 MB or 1 GB; a number without a unit counts {bare_unit}"
    return Kind(read, allowed, _show_size)


def _show_size(size: int) -> str:
    unit = next(unit for unit in ("GB", "MB", "KB", "B") if size % _UNITS[unit] == 0)
    return f"{size // _UNITS[unit]} {unit}"


_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


def _hosts(text: str) -> tuple[str, ...]:
    """Networks in CIDR form, single addresses and host names, separated by commas; none means any."""
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in entries:
        if "/" in entry or ":" in entry or re.fullmatch(r"[0-9.]+", entry):
            ipaddress.ip_network(entry, strict=False)
        elif not _HOST.fullmatch(entry):
            raise ValueError(entry)
    return entries


def _version(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}", text):
        raise ValueError(text)
    return text


def _servers(text: str) -> tuple[str, ...]:
    """Names or addresses of hosts, perhaps with a port."""
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in entries:
        host, _, port = entry.partition(":")
        if not _HOST.fullmatch(host) or (port and not 0 < _decimal(port) < 65536):
            raise ValueError(entry)
    return entries


def _server(text: str) -> str:
    """One host with its port; none is none."""
    if text and (len(_servers(text)) != 1 or ":" not in text):
        raise ValueError(text)
    return text


def _origins(text: str) -> tuple[str, ...]:
    """As browsers write them in `Origin`; none means any."""
    entries = tuple(entry.strip().lower() for entry in text.split(",") if entry.strip())
    for entry in entries:
        if not re.fullmatch(r"https?://[a-z0-9.\[\]:_-]+", entry):
            raise ValueError(entry)
    return entries


def _names(text: str) -> tuple[str, ...]:
    """Host names in lower case, separated by commas."""
    entries = tuple(entry.strip().lower() for entry in text.split(",") if entry.strip())
    for entry in entries:
        if not _HOST.fullmatch(entry):
            raise ValueError(entry)
    return entries


_SWITCH = _choice(enable=True, disable=False)
_FLAG = _choice(true=True, false=False)
_TEXT = Kind(str, "text")
_IPV4 = Kind(lambda text: str(ipaddress.IPv4Address(text)), "an IPv4 address such as 127.0.0.1")
_PORT = _number(0, 65535)
_BACKLOG = _number(1, 65535)
_VERSION = Kind(_version, "a version such as 3.0.0")
_SERVERS = Kind(_servers, "hosts, or HOST:PORT, separated by commas", ", ".join)
_ORIGINS = Kind(_origins, "origins such as https://files.example, separated by commas", ", ".join)
_SECONDS = _number(0, 2**31 - 1)
_LEVEL = _choice(disable=SILENT, log=logging.INFO, dbg1=logs.STEPS, dbg2=logs.MESSAGES, dbg3=logs.BODIES)

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "central_server": (
        Option("address", _IPV4, "127.0.0.1", "Where SOAP is served; 0.0.0.0 = every interface."),
        Option("port", _PORT, "40001", "TCP port of SOAP; 0 = any free one."),
        Option("backlog", _BACKLOG, "200", "Connections that may wait to be accepted (SOAP)."),
        Option(
            "schema_validation",
            _words("enable", "disable", "strict"),
            "enable",
            "strict: take only SOAP requests that are valid by the XSD; else only values must fit their types.",
        ),
        Option(
            "raw_options",
            _SWITCH,
            "disable",
            "Whether an order may hand options to the transfer process as they are (RawOptions).",
        ),
        Option(
            "mgmt_backlog", _BACKLOG, "200", "Connections that may wait to be accepted (management port)."
        ),
        Option(
            "mgmt_port",
            _PORT,
            "0",
            "TCP port on 127.0.0.1 where transfer processes report; 0 = any free one.",
        ),
        Option("transfer_list_path", _TEXT, "", "Taken for compatibility; has no effect."),
        Option(
            "persistent_store",
            _SWITCH,
            "enable",
            "Keep jobs, sessions and files on disk; disable: in memory until the end, no reliable query.",
        ),
        Option(
            "persistent_store_path",
            _TEXT,
            "",
            "The store's file, absolute or below the prefix; an existing directory gets central-store.db.",
        ),
        Option(
            "persistent_store_max_age",
            Kind(_age, "seconds, or Unlimited", _show_age),
            "86400",
            "Seconds after its end that a session or file is kept, or Unlimited.",
        ),
        Option(
            "persistent_store_on_error",
            _words("ignore", "exit"),
            "ignore",
            "When the store cannot be written: go on and try again, or end the daemon with status 1.",
        ),
        Option(
            "event_buffer_capacity",
            _number(1, 10_000_000),
            "1000",
            "Records of files and counters that may wait in memory for the store.",
        ),
        Option(
            "event_buffer_overrun",
            _words("drop", "block"),
            "block",
            "When more wait: drop them with a line in the log, or block: let them wait in memory all the same.",
        ),
        Option(
            "compact_on_startup",
            _SWITCH,
            "enable",
            "Give the store's unused space back when starting, where that is more than a tenth; may take long.",
        ),
        Option(
            "files_per_session",
            _number(0, 2**64 - 1),
            "1000000",
            "Files recorded by name per session; 0 = all. Counters always count every file.",
        ),
        Option("file_errors", _FLAG, "true", "Record files that failed."),
        Option("ignore_empty_files", _FLAG, "true", "Leave files of no bytes unrecorded."),
        Option("ignore_skipped_files", _FLAG, "true", "Leave skipped files unrecorded."),
        Option(
            "ignore_no_transfer_files",
            _FLAG,
            "true",
            "Leave files unrecorded that were complete at the destination before.",
        ),
        Option(
            "db_synchronous",
            _words("off", "normal", "full"),
            "off",
            "SQLite's `synchronous` for records of sessions and files. An answered Submit is always on disk.",
        ),
        Option(
            "db_journal",
            _words("wal", "delete", "truncate", "persist", "memory"),
            "wal",
            "SQLite's `journal_mode`.",
        ),
        Option(
            "validation_timeout",
            _SECONDS,
            "300",
            "Seconds after which a file that a silent validator has claimed is free again; 0 = never.",
        ),
    ),
    "http_gateway": (
        Option(
            "address",
            _IPV4,
            "127.0.0.1",
            "IPv4 address where the gateway is served; 0.0.0.0 = all interfaces.",
            attribute="gateway_address",
        ),
        Option("port", _PORT, "9443", "TCP port of the gateway; 0 = any free one.", attribute="gateway_port"),
        Option(
            "page_port",
            _PORT,
            "4001",
            "A second port, where people look whether they reach the gateway; 0 = none.",
            attribute="gateway_page_port",
        ),
        Option(
            "certificate",
            _TEXT,
            "",
            "Certificate and chain (PEM), absolute or below the prefix; empty = plain HTTP, for behind a proxy.",
            attribute="gateway_certificate",
        ),
        Option("key", _TEXT, "", "The certificate's private key (PEM).", attribute="gateway_key"),
        Option(
            "version",
            _VERSION,
            "3.0.0",
            "The version that is announced: pages choose the protocol by it; all of them are served.",
            attribute="gateway_version",
        ),
        Option(
            "users",
            _TEXT,
            "",
            "Users (a file as that of `asperacentral node`); empty = the users of <aaa>, with tokens only.",
            attribute="gateway_users",
        ),
        Option(
            "docroot",
            _TEXT,
            "",
            "Where folders of users are that have no docroot of their own in the users file.",
            attribute="gateway_docroot",
        ),
        Option(
            "transfer_servers",
            _SERVERS,
            "",
            "Servers (HOST or HOST:PORT, with commas) that specs may name; others mean the docroots here.",
            attribute="gateway_transfer_servers",
        ),
        Option(
            "page_server",
            Kind(_server, "HOST:PORT"),
            "",
            "SSH server (HOST:PORT) for local clients on our page, with these users; empty = the gateway alone.",
            attribute="gateway_page_server",
        ),
        Option(
            "transfer_key",
            _TEXT,
            "",
            "Private key shown to transfer servers, absolute or below the prefix.",
            attribute="gateway_transfer_key",
        ),
        Option(
            "staging",
            _TEXT,
            "",
            "Folder for bytes on their way to transfer servers, emptied at the start; empty = var/gateway-staging.",
            attribute="gateway_staging",
        ),
        Option(
            "staging_size",
            _size("B"),
            "20 GB",
            "Bytes that may be there in all.",
            attribute="gateway_staging_size",
        ),
        Option(
            "origins",
            _ORIGINS,
            "",
            "Pages of these origins may use the gateway; empty = of any, as they need a token anyway.",
            attribute="gateway_origins",
        ),
        Option(
            "link_lifetime",
            _number(1, 604800),
            "300",
            "Seconds for which a link to a download is good.",
            attribute="gateway_link_lifetime",
        ),
        Option(
            "link_reuse",
            _SWITCH,
            "disable",
            "Whether a link may be used again until it expires; disable: once.",
            attribute="gateway_link_reuse",
        ),
        Option(
            "most_files",
            _number(1, 1_000_000),
            "10000",
            "Files taken in one upload; the [BETA] gateway took 10.",
            attribute="gateway_most_files",
        ),
        Option(
            "folders",
            _SWITCH,
            "enable",
            "Whether folders may be uploaded; the [BETA] gateway took none.",
            attribute="gateway_folders",
        ),
        Option(
            "idle_timeout",
            _number(1, 3600),
            "60",
            "Seconds in which a transfer must move 1 KB for each, or it is ended.",
            attribute="gateway_idle_timeout",
        ),
    ),
    "logging": (
        Option(
            "level",
            _LEVEL,
            "log",
            "What is logged; dbg1, dbg2 and dbg3 are as -D, -DD and -DDD.",
            attribute="log_level",
        ),
        Option(
            "directory",
            _TEXT,
            "",
            "Where asperacentral.log is written, absolute or below the prefix; empty = var/log/aspera there.",
            attribute="logging_directory",
        ),
        Option("log_size", _size("MB"), "10 MB", "Size at which a new log file is begun."),
        Option("log_count", _number(0, 1000), "9", "Old log files kept; 0 = never begin a new one."),
    ),
    "asperacentral": (
        Option(
            "host_key_policy",
            _words("tofu", "strict", "any"),
            "tofu",
            "A host not in known_hosts: tofu = remember its first key, strict = refuse; any = never check.",
        ),
        Option(
            "known_hosts",
            _TEXT,
            "",
            "Host keys in OpenSSH's format, absolute or below the prefix; empty = var/known_hosts there.",
        ),
        Option(
            "post_transfer_validation",
            _SWITCH,
            "disable",
            "Whether files wait for a validator after their transfer, unless the order says otherwise.",
        ),
        Option("ascp_path", _TEXT, "", "The transfer process; empty = the openascp that came along."),
        Option("max_body", _size("B"), "1 MB", "Largest SOAP request taken."),
        Option(
            "observer_allow",
            Kind(_hosts, "networks, addresses and host names, separated by commas", ", ".join),
            "",
            "Where notifications may go: networks, addresses, host names, with commas; empty = anywhere.",
        ),
        Option(
            "metrics",
            _words("loopback", "users", "disable"),
            "loopback",
            "Who may read /metrics: programs on this machine, the users of <web_users>, or nobody.",
        ),
        Option(
            "console",
            _SWITCH,
            "disable",
            "Serve the console, pages to watch and steer transfers in a browser, to the users of <web_users>.",
        ),
        Option(
            "web_users",
            _TEXT,
            "",
            "The file of users of web pages and metrics, absolute or below the prefix.",
        ),
        Option(
            "web_names",
            Kind(_names, "host names, separated by commas", ", ".join),
            "",
            "Host names by which pages of ours are opened in browsers, besides addresses and the machine's own.",
        ),
        Option(
            "adoption_patience",
            _SECONDS,
            "30",
            "Seconds after a restart in which a transfer process that still runs may report again.",
        ),
    ),
}
"""The options of each group, in the order in which they are documented."""

NOT_IN_EFFECT = ("transfer_list_path",)
"""Settings that are read and checked, and change nothing in this version."""
