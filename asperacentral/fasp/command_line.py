"""From a `JobOrder` to what a transfer process is started with: its arguments and its environment.

Arguments can be read by every user of the machine, so password, token and cookie travel by environment only.
Nothing is started here; who starts processes is `forkserver` and `processes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.order import RESUME_LEVELS, FileRules, JobOrder

SECRET_VARIABLES = ("ASPERA_SCP_PASS", "ASPERA_SCP_TOKEN", "ASPERA_SCP_COOKIE", "ASPERA_SCP_FILEPASS")
"""What a process must not inherit by chance: each is set for an order that has it, and absent otherwise."""

MODES = ("send", "recv")
KEEPALIVE = "--keepalive"
"""The option of a persistent session, whose sources come over the management connection."""
PAIR_LIST = "--file-pair-list"
"""The option that names a file with sources and their places below the destination."""
HOST_KEY_POLICIES = ("tofu", "strict", "any")


@dataclass(frozen=True, slots=True)
class Extensions:
    """Options that only our own process knows.

    `port_file` is where to find the management port after the manager was restarted; `host_key_policy` is one of
    `HOST_KEY_POLICIES` and applies to `known_hosts` when the order has no fingerprint.
    """

    port_file: Path
    known_hosts: Path | None = None
    host_key_policy: str = "tofu"

    def arguments(self, order: JobOrder) -> list[str]:
        """The options as arguments."""
        arguments = [f"--mgmt-port-file={self.port_file}", f"--host-key-policy={self.host_key_policy}"]
        # Another account trusts hosts by itself: it cannot write our file. What must not be written is ours.
        own = not order.account or self.host_key_policy == "strict"
        if self.known_hosts is not None and own:
            arguments.append(f"--known-hosts={self.known_hosts}")
        if order.partial_tag:
            arguments.append(f"--partial-tag={order.partial_tag}")
        if order.files.save_suffix:
            arguments.append(f"--save-suffix={order.files.save_suffix}")
        if order.rate_cap:
            arguments.append(f"--rate-cap={order.rate_cap}")
        if order.transport != "any":
            arguments.append(f"--transport={order.transport}")
        return arguments


def arguments(order: JobOrder, port: int, extensions: Extensions | None = None) -> list[str]:
    """What follows the program's name, for a process that is to dial management port `port`.

    `extensions` is None for a licensed ascp. LaunchError when the order cannot be said on a command line.
    """
    _check(order)
    said = ["-M", str(port), "-u", order.user_str, "-q"]
    said += [f"--mode={order.mode}", f"--host={order.host}"]
    if order.user:
        said.append(f"--user={order.user}")
    said += ["-P", str(order.port), "-O", str(order.udp_port)]
    said += [*_rates(order), f"--policy={order.policy}"]
    said += ["-T"] if order.cipher == "none" else ["-c", order.cipher]
    said += ["-k", str(order.resume_level), f"--overwrite={order.overwrite}"]
    said += [*_optional(order), *_file_rules(order.files)]
    if extensions is not None:
        said += extensions.arguments(order)
    elif order.transport == "ssh":
        raise LaunchError("a licensed ascp moves files over UDP only")
    said += order.raw_options
    return [*said, *(_path(source) for source in order.sources), _path(order.destination)]


def environment(order: JobOrder) -> dict[str, str]:
    """The secrets the process gets, by variable; a password is also the passphrase of the key."""
    values = (order.password, order.token, order.cookie, order.file_passphrase)
    return {name: value for name, value in zip(SECRET_VARIABLES, values, strict=True) if value}


def _optional(order: JobOrder) -> list[str]:
    said = []
    if order.create_path:
        said.append("-d")
    if order.key_path:
        said += ["-i", _path(order.key_path)]
    if order.host_key_fingerprint:
        said.append(f"--check-sshfp={order.host_key_fingerprint}")
    if order.precalculate:
        said.append("--precalculate-job-size")
    if order.partial_suffix:
        said.append(f"--partial-file-suffix={order.partial_suffix}")
    if order.ipv6:
        said.append("-6")
    if order.no_port_files:
        said.append("--no-mgmt-port-files")
    if order.datagram_size:
        said += ["-Z", str(order.datagram_size)]
    return said


def _rates(order: JobOrder) -> list[str]:
    target, minimum = str(order.target_rate), str(order.minimum_rate)
    if not order.measure:
        return ["-l", target, "-m", minimum]
    if order.target_percent is not None:
        target = f"{order.target_percent}%"
    if order.minimum_percent is not None:
        minimum = f"{order.minimum_percent}%"
    return ["-w", "r", "-l", target, "-m", minimum]


def _file_rules(rules: FileRules) -> list[str]:
    """What differs from ascp's own defaults."""
    values: tuple[tuple[str, str | int | None], ...] = (
        ("--symbolic-links", rules.symbolic_links if rules.symbolic_links != "follow" else None),
        ("--exclude-older-than", rules.exclude_older_than),
        ("--exclude-newer-than", rules.exclude_newer_than),
        ("--file-checksum", rules.checksum if rules.checksum != "none" else None),
        ("--file-manifest", rules.manifest if rules.manifest != "none" else None),
        ("--file-manifest-path", rules.manifest_path or None),
        ("--file-manifest-inprogress-suffix", rules.manifest_suffix or None),
        ("--file-crypt", rules.crypt or None),
    )
    switches = (
        ("--skip-special-files", rules.skip_special),
        ("--save-before-overwrite", rules.save),
        ("--remove-after-transfer", rules.remove_after),
        ("--remove-empty-directories", rules.remove_empty),
    )
    said = [f"{option}={value}" for option, value in values if value is not None]
    said += [option for option, wanted in switches if wanted]
    said += [f"--preserve-{what}" for what in rules.preserve]
    for pattern in rules.exclude_patterns:  # one that begins with a dash must not be read as an option
        said += ["-E", f"\\{pattern}" if pattern.startswith("-") else pattern]
    for option, size in (("-g", rules.read_block), ("-G", rules.write_block)):
        said += [option, str(size)] if size else []
    return said


def _path(path: str) -> str:
    """Keep a path that begins with `-` from being read as an option."""
    return f"./{path}" if path.startswith("-") else path


def _has_other_sources(order: JobOrder) -> bool:
    """Whether sources come from a list, or later."""
    return any(option == KEEPALIVE or option.startswith(f"{PAIR_LIST}=") for option in order.raw_options)


def _check(order: JobOrder) -> None:
    if order.mode not in MODES:
        raise LaunchError(f"mode {order.mode!r} is neither send nor recv")
    if not order.user_str or order.user_str.startswith("-"):
        raise LaunchError(f"{order.user_str!r} cannot name a session")
    if not order.host:
        raise LaunchError("the order names no remote host")
    if not all(order.sources) or bool(order.sources) == _has_other_sources(order):
        raise LaunchError("the order names no source, or an empty one, or has sources of two kinds")
    if not order.destination:
        raise LaunchError("the order names no destination")
    if not 0 <= order.resume_level < len(RESUME_LEVELS):
        raise LaunchError(f"there is no resume level {order.resume_level}")
    for name, value in _texts(order):
        if "\0" in value:
            raise LaunchError(f"the order's {name} contains a NUL character")
    for name in ("user_str", "cookie"):  # repeated in management messages, which have lines
        if len(getattr(order, name).splitlines()) > 1:
            raise LaunchError(f"the order's {name} contains a line break")


def _texts(order: JobOrder) -> list[tuple[str, str]]:
    texts = [(name, getattr(order, name)) for name in order.__slots__]
    named = [(name, value) for name, value in texts if isinstance(value, str)]
    named += [(name, value) for name, value in _file_texts(order.files) if isinstance(value, str)]
    sources = (("source", source) for source in order.sources)
    return [*named, *sources, *(("raw option", option) for option in order.raw_options)]


def _file_texts(rules: FileRules) -> list[tuple[str, object]]:
    texts: list[tuple[str, object]] = [(name, getattr(rules, name)) for name in rules.__slots__]
    return [*texts, *(("exclusion", pattern) for pattern in rules.exclude_patterns)]
