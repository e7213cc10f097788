"""Configuration: aspera.conf (XML, `<CONF version="2">`) read into one frozen `Settings` object.

Every option is one row of `config_table.OPTIONS`: how its text is read, its default and what it does. This
module finds and reads the file and derives paths; it knows nothing of who uses them: no sockets, no store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asperacentral.config_files import CONFIG_FILES, RUN_FOLDER, user_prefix
from asperacentral.config_table import OPTIONS, Option

if TYPE_CHECKING:
    from lxml import etree

SEARCH = CONFIG_FILES

COMMAND_LINE = "command line"
"""The source of a value that an option of the program has set."""


class ConfigError(Exception):
    """The configuration cannot be used. `str(error)` is one line: file, line, element and reason."""

    def __init__(self, file: Path, line: int | None, element: str, reason: str) -> None:
        where = f"{file}:{line}" if line else str(file)
        what = f"{element}: " if element else ""
        super().__init__(f"{where}: {what}{reason}")
        self.file = file
        self.line = line
        self.element = element
        self.reason = reason


OTHER_GROUPS = frozenset(
    {"aaa", "access_control", "database", "default", "files", "http_server", "server", "trunks", "web", "WEB"}
)
"""Groups of other programs that share the file; passed over without a word."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured, checked; `config_table.OPTIONS` tells what each field means.

    `prefix` is the base of every derived path. `file` is what was read, None without one. `sources` tells for
    each field where its value is from: "FILE:LINE", "default" or `COMMAND_LINE`. `warnings` are lines about what
    was passed over. Change single values with `dataclasses.replace`.
    """

    prefix: Path
    file: Path | None

    address: str
    port: int
    backlog: int
    schema_validation: str
    raw_options: bool
    mgmt_backlog: int
    mgmt_port: int
    transfer_list_path: str
    persistent_store: bool
    persistent_store_path: str
    persistent_store_max_age: int | None
    persistent_store_on_error: str
    event_buffer_capacity: int
    event_buffer_overrun: str
    compact_on_startup: bool
    files_per_session: int
    file_errors: bool
    ignore_empty_files: bool
    ignore_skipped_files: bool
    ignore_no_transfer_files: bool
    db_synchronous: str
    db_journal: str
    validation_timeout: int

    gateway_address: str
    gateway_port: int
    gateway_page_port: int
    gateway_certificate: str
    gateway_key: str
    gateway_version: str
    gateway_users: str
    gateway_docroot: str
    gateway_transfer_servers: tuple[str, ...]
    gateway_page_server: str
    gateway_transfer_key: str
    gateway_staging: str
    gateway_staging_size: int
    gateway_origins: tuple[str, ...]
    gateway_link_lifetime: int
    gateway_link_reuse: bool
    gateway_most_files: int
    gateway_folders: bool
    gateway_idle_timeout: int

    log_level: int
    logging_directory: str
    log_size: int
    log_count: int

    host_key_policy: str
    known_hosts: str
    post_transfer_validation: bool
    ascp_path: str
    max_body: int
    observer_allow: tuple[str, ...]
    metrics: str
    console: bool
    web_users: str
    web_names: tuple[str, ...]
    adoption_patience: int

    sources: Mapping[str, str] = field(compare=False, repr=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def state_directory(self) -> Path:
        """Where store, key and known_hosts live: `var` below the prefix; /var/lib/asperacentral for `/`."""
        if self.prefix == Path("/"):
            return Path("/var/lib/asperacentral")
        return self.prefix / "var"

    @property
    def run_directory(self) -> Path:
        """Where other programs look for the port files."""
        return self.prefix / RUN_FOLDER

    @property
    def management_port_file(self) -> Path:
        """Holds the decimal TCP port of the management listener while the daemon runs."""
        return self.run_directory / "asperacentral.port"

    @property
    def soap_address_file(self) -> Path:
        """Holds `ADDRESS:PORT` of SOAP while the daemon runs."""
        return self.run_directory / "asperacentral.soap"

    @property
    def gateway_address_file(self) -> Path:
        """Holds `ADDRESS:PORT` of the HTTP gateway while it runs."""
        return self.run_directory / "httpgateway.http"

    @property
    def gateway_staging_path(self) -> Path:
        """Where the gateway keeps bytes on their way to transfer servers."""
        return (
            self.prefix / self.gateway_staging
            if self.gateway_staging
            else self.state_directory / "gateway-staging"
        )

    @property
    def gateway_pid_file(self) -> Path:
        """The gateway's process id, unless the command line names another file."""
        return self.run_directory / "httpgateway.pid"

    @property
    def gateway_log_directory(self) -> Path:
        """Where httpgateway.log is written, unless the command line says otherwise."""
        return self.prefix / "httpgateway"

    @property
    def pid_file(self) -> Path:
        """The daemon's process id, unless the command line names another file."""
        return self.run_directory / "asperacentral.pid"

    @property
    def store_path(self) -> Path:
        """The store's file; its directories may not exist yet."""
        if not self.persistent_store_path:
            return self.state_directory / "central-store.db"
        path = self.prefix / self.persistent_store_path
        names_directory = self.persistent_store_path.endswith("/") or path.is_dir()
        return path / "central-store.db" if names_directory else path

    @property
    def secrets_key_path(self) -> Path:
        """The key that seals the secrets of orders in the store."""
        return self.state_directory / "central-store.key"

    @property
    def known_hosts_path(self) -> Path:
        """The host keys remembered or given, in OpenSSH's format."""
        return self.prefix / self.known_hosts if self.known_hosts else self.state_directory / "known_hosts"

    @property
    def web_users_path(self) -> Path | None:
        """The users of web pages and metrics; None when there is no such file."""
        return self.prefix / self.web_users if self.web_users else None

    @property
    def needs_web_users(self) -> str:
        """Which option cannot be without users; empty when none."""
        if self.console:
            return "<console> says enable"
        return "<metrics> says users" if self.metrics == "users" else ""

    @property
    def log_directory(self) -> Path:
        """Where log files are written, unless the command line says otherwise."""
        return self.prefix / (self.logging_directory or "var/log/aspera")


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Settings from `path`, else from $ASPERA_CONF, else from the first file of `SEARCH`, else the defaults.

    A file that was named must be readable, one that was only looked for may be missing. Raises ConfigError.
    """
    found = read_tree(path, environ)
    return defaults(user_prefix(environ)) if found is None else _from_tree(*found)


def read_tree(path: Path | None, environ: Mapping[str, str]) -> tuple[Path, etree._Element] | None:
    """The file that `load` reads, and its `<CONF>` element; None when there is no file. Raises ConfigError."""
    named = path or (Path(environ["ASPERA_CONF"]) if environ.get("ASPERA_CONF") else None)
    for candidate in (named,) if named else SEARCH:
        file = Path(os.path.normpath(candidate.absolute()))  # resolve() would follow links to another prefix
        try:
            return file, _parse(file.read_bytes(), file)
        except (FileNotFoundError, NotADirectoryError) as error:
            if named:
                raise ConfigError(file, None, "", f"cannot be read: {error.strerror}") from None
        except OSError as error:
            raise ConfigError(file, None, "", f"cannot be read: {error.strerror}") from None
    return None


def defaults(prefix: Path) -> Settings:
    """The built-in defaults, with every path below `prefix`."""
    return _settings(prefix.absolute(), None, {}, {}, ())


def _prefix_of(file: Path) -> Path:
    """PREFIX of PREFIX/etc/aspera.conf or PREFIX/etc/asperacentral/aspera.conf; else the file's folder."""
    folder = file.parent
    if folder.name == "etc":
        return folder.parent
    if folder.name == "asperacentral" and folder.parent.name == "etc":
        return folder.parent.parent
    return folder


def _from_tree(file: Path, root: etree._Element) -> Settings:
    reading = _Reading(file)
    if root.get("version") != "2":
        reading.warn(root, '<CONF> should say version="2"; read as if it did')
    for group in root:
        if group.tag in OPTIONS:
            rows = {option.element: option for option in OPTIONS[group.tag]}
            for element in group:
                reading.take(group.tag, element, rows.get(element.tag))
        elif group.tag not in OTHER_GROUPS:
            reading.warn(group, f"unknown group <{group.tag}> passed over")
    return _settings(_prefix_of(file), file, reading.values, reading.sources, reading.warnings)


def _parse(text: bytes, file: Path) -> etree._Element:
    from lxml import etree  # where there is no file, its parser is not needed

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise ConfigError(file, error.lineno, "", f"not well-formed XML: {error.msg}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ConfigError(file, None, "", "a DOCTYPE is not allowed")
    if root.tag != "CONF":
        raise ConfigError(file, _line(root), f"<{root.tag}>", "the root element must be <CONF>")
    return root


def _line(element: etree._Element) -> int | None:
    return cast("int | None", element.sourceline)


class _Reading:
    """What has been taken from one file so far."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.warnings: list[str] = []

    def where(self, element: etree._Element) -> str:
        return f"{self.file}:{_line(element)}"

    def warn(self, element: etree._Element, text: str) -> None:
        self.warnings.append(f"{self.where(element)}: {text}")

    def take(self, group: str, element: etree._Element, option: Option | None) -> None:
        """Read one element as `option` tells (None = there is no such option); of two the later counts."""
        name = f"<{group}><{element.tag}>"
        if option is None:
            self.warn(element, f"unknown option {name} passed over")
            return
        if len(element):
            raise self.error(element, name, "must hold a value, not further elements")
        text = (element.text or "").strip()
        try:
            value = option.kind.read(text)
        except ValueError:
            shown = " ".join(text.split())[:100]
            reason = f'"{shown}" is not allowed; allowed: {option.kind.allowed}'
            raise self.error(element, name, reason) from None
        if option.field in self.values:
            self.warn(element, f"{name} is given again; this one counts, not {self.sources[option.field]}")
        self.values[option.field] = value
        self.sources[option.field] = self.where(element)

    def error(self, element: etree._Element, name: str, reason: str) -> ConfigError:
        return ConfigError(self.file, _line(element), name, reason)


def _settings(
    prefix: Path,
    file: Path | None,
    given: Mapping[str, Any],
    sources: Mapping[str, str],
    warnings: Sequence[str],
) -> Settings:
    options = [option for group in OPTIONS.values() for option in group]
    values = {option.field: option.kind.read(option.default) for option in options} | dict(given)
    origins = {option.field: "default" for option in options} | dict(sources)
    return Settings(prefix=prefix, file=file, sources=origins, warnings=tuple(warnings), **values)
