"""The order: what a client wants moved, as frozen values in the groups of contract §8.

`order_reader` makes one from Order XML. Secrets are `Secret`, which never shows itself; a stored order carries
none (`without_secrets`), they are kept sealed beside it. Rates are Kbps, sizes bytes, intervals seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace


class Secret(str):
    """A text that must not be shown: `repr` and `format` hide it; `reveal` gives it to who needs it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')" if self.reveal() else "Secret('')"

    def __str__(self) -> str:
        return "***" if self.reveal() else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The text itself."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class System:
    """Host and login of the remote side."""

    address: str = ""
    port: int = 22
    user_name: str = ""
    password: Secret = Secret("")


@dataclass(frozen=True, slots=True)
class RemoteLocation:
    """The remote side. Push: `paths` is the destination; Pull: the sources."""

    system: System = System()
    methods: tuple[str, ...] = ()
    key_path: str = ""
    paths: tuple[str, ...] = ()
    root_path: str = ""
    proxy_url: str = ""


@dataclass(frozen=True, slots=True)
class LocalLocation:
    """This side. Push: `paths` are the sources; Pull: the destination. The account is who the process runs as."""

    user_name: str = ""
    password: Secret = Secret("")
    paths: tuple[str, ...] = ()
    root_path: str = ""


@dataclass(frozen=True, slots=True)
class FileParameters:
    """How files are treated (contract §8, FileParameters). Words are in the contract's spelling."""

    create_path: bool = False
    resume_check: str = "Sparse Checksum"
    manifest_policy: str = "None"
    manifest_path: str = ""
    manifest_inprogress_suffix: str = ""
    protection: str = "None"
    passphrase: Secret = Secret("")
    pre_calculate_job_size: bool = False
    remove_after_transfer: bool = False
    remove_empty_directories: bool = False
    symbolic_links: str = "Follow"
    preserve_timestamps: bool = False
    preserve_uid: bool = False
    preserve_gid: bool = False
    preserve_creation_time: bool = False
    preserve_modification_time: bool = False
    preserve_access_time: bool = False
    preserve_source_access_time: bool = False
    skip_special_files: bool = False
    file_checksum: str = "none"
    exclude_older_than: int | None = None
    exclude_newer_than: int | None = None
    partial_file_suffix: str = ""
    read_block_size: int | None = None
    write_block_size: int | None = None
    overwrite: str = "Diff"
    save_before_overwrite: str = ""
    exclude_patterns: tuple[str, ...] = ()
    post_transfer_validation: bool | None = None


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """What the link can carry."""

    remote_capacity: int | None = None
    local_capacity: int | None = None
    auto_detect_capacity: bool = False


@dataclass(frozen=True, slots=True)
class ChannelParameters:
    """The data channel (UDP). `transport` is our own: UDP or SSH allow nothing else, Any takes what gets through."""

    port: int = 33001
    datagram_size: int = 1492
    auto_detect_path_mtu: bool = True
    ipv6: bool = False
    transport: str = "Any"


@dataclass(frozen=True, slots=True)
class RateParameters:
    """Rates and policy; `bandwidth_cap` 10,000,000 means none."""

    policy: str = "Fixed"
    target_rate: int = 10000
    target_rate_as_percent: bool = False
    minimum_rate: int = 0
    minimum_rate_as_percent: bool = False
    bandwidth_cap: int = 10_000_000
    priority: int = 2
    lock_policy: bool = False
    lock_target_rate: bool = False
    lock_minimum_rate: bool = False


@dataclass(frozen=True, slots=True)
class SecurityParameters:
    """Encryption in transit and the expected host key."""

    encryption_cipher: str = "None"
    ssh_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class RetryParameters:
    """Retries after the first attempt, and the waits between them (contract §9.2)."""

    count: int = 0
    base_interval: int = 30
    maximum_interval: int = 600


@dataclass(frozen=True, slots=True)
class Order:
    """One submitted order, every element of contract §8."""

    operation: str
    version: str = ""
    agent: str = ""
    no_mgmt_port_files: bool = False
    program: str = "ascp"
    token: Secret = Secret("")
    cookie: str = ""
    private_key: str = ""
    raw_options: tuple[str, ...] = ()
    remote: RemoteLocation = field(default_factory=RemoteLocation)
    local: LocalLocation = field(default_factory=LocalLocation)
    file: FileParameters = field(default_factory=FileParameters)
    link: LinkParameters = field(default_factory=LinkParameters)
    channel: ChannelParameters = field(default_factory=ChannelParameters)
    rate: RateParameters = field(default_factory=RateParameters)
    security: SecurityParameters = field(default_factory=SecurityParameters)
    retry: RetryParameters = field(default_factory=RetryParameters)

    def secrets(self) -> dict[str, str]:
        """The secrets that are set, by name, to be sealed."""
        found = {
            "token": self.token,
            "password": self.remote.system.password,
            "local_password": self.local.password,
            "passphrase": self.file.passphrase,
        }
        return {name: value.reveal() for name, value in found.items() if value.reveal()}

    def without_secrets(self) -> Order:
        """The order as it may be stored and shown."""
        return self.with_secrets({})

    def with_secrets(self, secrets: dict[str, str]) -> Order:
        """The order with the secrets that `secrets()` gave; missing ones are empty."""

        def secret(name: str) -> Secret:
            return Secret(secrets.get(name, ""))

        system = replace(self.remote.system, password=secret("password"))
        return replace(
            self,
            token=secret("token"),
            remote=replace(self.remote, system=system),
            local=replace(self.local, password=secret("local_password")),
            file=replace(self.file, passphrase=secret("passphrase")),
        )
