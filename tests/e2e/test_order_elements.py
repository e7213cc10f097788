"""Every element of an order takes effect: seen on real files that go over real SSH, or in what becomes of the session.

Each case names the elements whose effect it shows; a test compares them with those that the order reader knows.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import asyncssh
import pytest
import zeep

from asperacentral.central import order_reader
from asperacentral.commands.client import Refused
from asperacentral.commands.local import LocalDaemon
from asperacentral.openascp.token import Permission, issue
from tests.e2e.site import FarSide, Site, until
from tests.openascp.sshd import SSHD

Elements = Mapping[str, str | list[str]]
SIZE = 100_000


class Trial:
    """One case: a folder of its own on either side, `near` here and `far` there, and orders between them."""

    def __init__(self, site: Site, service: Any, side: FarSide, tmp_path: Path) -> None:
        self.site = site
        self.side = side
        self._service = service
        self.near = tmp_path / "near"
        self.name = tmp_path.name
        self.far = side.root / self.name
        self.tmp = tmp_path
        self.near.mkdir()
        self.far.mkdir()

    @cached_property
    def file(self) -> Path:
        """A file on this side."""
        path = self.near / "a.txt"
        path.write_bytes(os.urandom(SIZE))
        return path

    def there(self, relative: str) -> str:
        """The far side's name of a path below `far`."""
        return self.side.path(f"{self.name}/{relative}")

    def push(self, elements: Elements, source: Path | None = None, target: str = "to") -> list[Any]:
        """Carry out a push; the sessions, oldest first."""
        return self.run({"Operation": "Push", **elements}, [str(source or self.file)], [self.there(target)])

    def pull(self, elements: Elements, source: str, target: Path) -> list[Any]:
        """Carry out a pull; the sessions, oldest first."""
        return self.run({"Operation": "Pull", **elements}, [str(target)], [self.there(source)])

    def run(self, elements: Elements, local: list[str], remote: list[str]) -> list[Any]:
        """Submit an order and wait for its end."""
        return self.finish(self.submit(elements, local, remote))

    def submit(
        self, elements: Elements, local: list[str] | None = None, remote: list[str] | None = None
    ) -> str:
        """Submit an order: the elements given, and what is needed beside them."""
        return self.site.client.submit(
            document(
                {
                    **self.login(),
                    "Operation": "Push",
                    "FileParameters/CreatePath": "No",
                    "RateParameters/TargetRate": "10000000",
                    "LocalLocation/Files/Path": local or [str(self.file)],
                    "RemoteLocation/Files/Path": remote or [self.there("to")],
                    **elements,
                }
            )
        )

    def login(self) -> dict[str, str]:
        """How to log in on the far side."""
        found = {
            "RemoteLocation/System/Address": "127.0.0.1",
            "RemoteLocation/System/Port": str(self.side.port),
            "RemoteLocation/System/UserName": self.side.user,
        }
        if self.side.password:
            found["RemoteLocation/System/Password"] = self.side.password
        if self.side.key:
            found["RemoteLocation/Authentication/KeyPath"] = str(self.side.key)
        return found

    def finish(self, job: str) -> list[Any]:
        """The sessions of a job that has ended, oldest first."""
        until(lambda: job not in self.site.client.list_jobs(), 90)
        return self.sessions(job)

    def sessions(self, job: str) -> list[Any]:
        found = self._service.GetSessionInfo(SessionFilter={"JobId": [job]}).SessionInfo or []
        return sorted(found, key=lambda info: info.StartDate)

    def paused(self, elements: Elements) -> Any:
        """The session of an order that waits at rate 0, once it has begun; the job is cancelled."""
        job = self.submit({**elements, "RateParameters/TargetRate": "0"})
        until(lambda: [info for info in self.sessions(job) if status(info) == "running"])
        info = self.sessions(job)[0]
        self.site.client.cancel_job(job)
        return info

    def logged(self, elements: Elements) -> str:
        """Carry out a push whose transfer process writes its log to a file; the log."""
        folder = self.tmp / "log"
        self.push({**elements, "RawOptions/Option": ["-L", str(folder)]})
        return (folder / "openascp.log").read_text()


def document(elements: Elements) -> str:
    """An order from the paths of its elements."""

    def write(prefix: str, paths: list[str]) -> str:
        text = ""
        for name in dict.fromkeys(path[len(prefix) :].split("/")[0] for path in paths):
            path = prefix + name
            if path in elements:
                values = elements[path]
                for value in [values] if isinstance(values, str) else values:
                    text += f"<{name}>{escape(value)}</{name}>"
            else:
                below = [each for each in paths if each.startswith(path + "/")]
                text += f"<{name}>{write(path + '/', below)}</{name}>"
        return text

    return f"<Order>{write('', list(elements))}</Order>"


def status(info: Any) -> str:
    return str(info.Status)


def code(info: Any) -> int:
    return int(info.ErrorCode or 0)


def completed(sessions: list[Any]) -> bool:
    return [status(info) for info in sessions] == ["completed"]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


Case = Callable[[Trial], None]
CASES: dict[str, Case] = {}
SHOWN: set[str] = set()


def shows(*paths: str) -> Callable[[Case], Case]:
    """Register a case and the elements whose effect it shows."""

    def register(case: Case) -> Case:
        assert case.__name__ not in CASES
        CASES[case.__name__] = case
        SHOWN.update(paths)
        return case

    return register


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Any]]:
    options = {"raw_options": "enable"}
    with LocalDaemon(tmp_path_factory.mktemp("elements") / "central", options=options) as daemon:
        service = zeep.Client(f"{daemon.url}/services/soap/Transfer-201210?wsdl").service
        yield Site(daemon), service


@pytest.fixture
def trial(shared: tuple[Site, Any], request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    side: FarSide = request.getfixturevalue("sshd" if SSHD else "node")
    return Trial(*shared, side, tmp_path)


# Who, where, and what.


@shows("Version", "Agent", "Operation", "RemoteLocation/System/Address", "RemoteLocation/System/Port")
def pushes_and_pulls(trial: Trial) -> None:
    assert completed(trial.push({"Version": "2", "Agent": "Site.Tests"}))
    assert (trial.far / "to").read_bytes() == trial.file.read_bytes()
    assert completed(trial.pull({"Version": "2"}, "to", trial.near / "back"))
    assert (trial.near / "back").read_bytes() == trial.file.read_bytes()


@shows("RemoteLocation/System/UserName", "RemoteLocation/Authentication/KeyPath")
def logs_in_with_the_name_and_key_of_the_order(trial: Trial) -> None:
    if not trial.side.key:
        pytest.skip("needs sshd")
    other = trial.tmp / "other_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    (refused,) = trial.push({"RemoteLocation/Authentication/KeyPath": str(other)})
    assert code(refused) == 19
    (refused,) = trial.push({"RemoteLocation/System/UserName": "nobody-there"})
    assert code(refused) == 19


@shows("RemoteLocation/System/Password", "RemoteLocation/Authentication/Methods/Method")
def logs_in_by_the_methods_of_the_order(trial: Trial) -> None:
    if trial.side.key:
        asked = {"RemoteLocation/Authentication/Methods/Method": "Password"}
        (refused,) = trial.push({**asked, "RemoteLocation/System/Password": "wrong"})
    else:
        (refused,) = trial.push({"RemoteLocation/System/Password": "wrong"})
    assert code(refused) == 19


@shows("ApplicationData/Token")
def shows_its_token_to_a_far_side_that_asks_for_one(trial: Trial) -> None:
    key = trial.tmp / "user_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    public = asyncssh.read_private_key(key).export_public_key().decode().strip()
    secret = os.urandom(32).hex()
    (trial.tmp / "token.key").write_text(secret)
    (trial.tmp / "token.key").chmod(0o600)
    users = trial.tmp / "users.toml"
    users.write_text(
        f'[users.xfer]\nauthorized_keys = ["{public}"]\ndocroot = "{trial.far}"\n'
        f'token_key = "{trial.tmp / "token.key"}"\n'
    )
    port_file = trial.tmp / "port"
    command = [sys.executable, "-m", "asperacentral", "node", "--users", str(users), "--port", "0"]
    command += ["--port-file", str(port_file), "--host-key", str(trial.tmp / "host_key")]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: port_file.exists() and port_file.read_text())
        elements: dict[str, str] = {
            "RemoteLocation/System/Port": port_file.read_text(),
            "RemoteLocation/System/UserName": "xfer",
            "RemoteLocation/Authentication/KeyPath": str(key),
            "RemoteLocation/Authentication/Methods/Method": "Token",
            "RemoteLocation/Files/Path": "/in/file",
            "FileParameters/CreatePath": "Yes",
        }
        permission = Permission("send", (b"in",), int(time.time()) - 5, int(time.time()) + 600, "xfer")
        token = issue(secret.encode(), permission)
        (refused,) = trial.push({**elements, "ApplicationData/Token": token[:-4] + "AAAA"})
        assert status(refused) == "error"
        sessions = trial.push({**elements, "ApplicationData/Token": token})
        assert completed(sessions), sessions
        assert names(trial.far)
    finally:
        node.kill()
        node.wait()


@shows("ApplicationData/Cookie", "PrivateData/Key", "PrivateDataType/Key")
def is_found_by_cookie_and_private_key(trial: Trial) -> None:
    for group in ("PrivateData", "PrivateDataType"):
        elements = {"ApplicationData/Cookie": f"{trial.name} {group}", f"{group}/Key": "mine"}
        (info,) = trial.push(elements)
        assert (info.Cookie, info.PrivateKey) == (f"{trial.name} {group}", "mine")


@shows("RemoteLocation/Files/Path", "LocalLocation/Files/Path")
def moves_several_sources_into_a_folder(trial: Trial) -> None:
    other = trial.near / "b.txt"
    other.write_text("b")
    (trial.far / "to").mkdir()
    local = [str(trial.file), str(other)]
    assert completed(trial.run({"Operation": "Push"}, local, [trial.there("to")]))
    assert names(trial.far / "to") == ["a.txt", "b.txt"]


@shows(
    "RemoteLocation/Files/RootPath",
    "RemoteLocation/RootPath",
    "LocalLocation/Files/RootPath",
    "LocalLocation/RootPath",
)
def puts_root_paths_before_paths(trial: Trial) -> None:
    trial.file.touch()
    for place in ("RootPath", "Files/RootPath"):
        elements: dict[str, str | list[str]] = {
            f"LocalLocation/{place}": str(trial.near),
            f"RemoteLocation/{place}": trial.there(""),
            "RemoteLocation/Files/Path": f"/by {len(place)}",
            "LocalLocation/Files/Path": "a.txt",
        }
        assert completed(trial.finish(trial.submit(elements)))
        assert (trial.far / f"by {len(place)}").exists()


@shows("RemoteLocation/Proxy/Url")
def refuses_proxies(trial: Trial) -> None:
    with pytest.raises(Refused, match="Proxy/Url"):
        trial.submit({"RemoteLocation/Proxy/Url": "dnat://127.0.0.1"})
    assert completed(trial.push({"RemoteLocation/Proxy/Url": "null"}))


@shows("LocalLocation/System/UserName", "LocalLocation/System/Password")
def runs_as_the_local_account_or_refuses(trial: Trial) -> None:
    with pytest.raises(Refused, match="LocalLocation/System/UserName"):
        trial.submit({"LocalLocation/System/UserName": "nobody-of-this-name"})
    if os.geteuid() == 0 and trial.side.password:
        trial.near.chmod(0o700)
        account = {"LocalLocation/System/UserName": "nobody", "LocalLocation/System/Password": "unused"}
        assert code(trial.push(account)[0]) in (4, 5)


@shows("Program")
def takes_both_programs(trial: Trial) -> None:
    assert completed(trial.push({"Program": "ascp4"}))


@shows("RawOptions/Option")
def hands_over_raw_options(trial: Trial) -> None:
    assert "LOG FASP Session Start" in trial.logged({})


# Files.


@shows("FileParameters/CreatePath")
def makes_the_destination_folder(trial: Trial) -> None:
    (failed,) = trial.push({}, target="new/folder/")
    assert status(failed) == "error"
    assert completed(trial.push({"FileParameters/CreatePath": "Yes"}, target="new/folder"))
    assert names(trial.far / "new/folder") == ["a.txt"]


@shows("FileParameters/ResumeCheck", "FileParameters/Overwrite")
def compares_what_is_there_as_asked(trial: Trial) -> None:
    target = trial.far / "to"
    other = bytearray(trial.file.read_bytes())
    other[SIZE // 2] ^= 1
    overwrite, check = "FileParameters/Overwrite", "FileParameters/ResumeCheck"
    for elements, replaced in (
        ({overwrite: "Diff", check: "Attributes"}, False),
        ({overwrite: "Diff", check: "Full Checksum"}, True),
        ({overwrite: "Never", check: "Full Checksum"}, False),
        ({overwrite: "Older", check: "None"}, False),
        ({overwrite: "Always", check: "Attributes"}, True),
    ):
        target.write_bytes(other)
        assert completed(trial.push(elements))
        assert (target.read_bytes() == trial.file.read_bytes()) is replaced, elements


@shows(
    "FileParameters/ManifestPolicy",
    "FileParameters/ManifestPath",
    "FileParameters/ManifestInprogressSuffix",
    "FileParameters/FileChecksum",
)
def writes_a_manifest_with_checksums(trial: Trial) -> None:
    folder = trial.tmp / "manifests"
    checksum = {"FileParameters/FileChecksum": "md5", "FileParameters/ManifestInprogressSuffix": ".busy"}
    assert completed(trial.push({**checksum, "FileParameters/ManifestPath": str(folder)}))
    (manifest,) = folder.iterdir()
    assert f"md5:{hashlib.md5(trial.file.read_bytes()).hexdigest()}" in manifest.read_text()
    assert completed(trial.push({"FileParameters/ManifestPolicy": "Text"}))
    assert len(list(trial.near.glob("*.manifest.txt"))) == 1
    slow = {"RateParameters/TargetRate": "0", "FileParameters/ManifestPath": str(trial.tmp / "slow")}
    job = trial.submit({**checksum, **slow})
    until(lambda: list((trial.tmp / "slow").glob("*.txt.busy")))
    trial.site.client.cancel_job(job)


@shows("FileParameters/Protection", "FileParameters/Passphrase")
def encrypts_at_rest_and_decrypts(trial: Trial) -> None:
    word = {"FileParameters/Passphrase": "open sesame"}
    assert completed(trial.push({**word, "FileParameters/Protection": "Encrypt"}))
    assert names(trial.far) == ["to.aspera-env"]
    assert trial.file.read_bytes()[:64] not in (trial.far / "to.aspera-env").read_bytes()
    decrypt = {"FileParameters/Protection": "Decrypt"}
    assert completed(trial.pull({**word, **decrypt}, "to.aspera-env", trial.near / "back"))
    assert (trial.near / "back").read_bytes() == trial.file.read_bytes()
    wrong = {"FileParameters/Passphrase": "wrong", **decrypt}
    assert code(trial.pull(wrong, "to.aspera-env", trial.near / "no")[0]) == 49


@shows("FileParameters/PreCalculateJobSize")
def counts_before_it_moves(trial: Trial) -> None:
    (info,) = trial.push({"FileParameters/PreCalculateJobSize": "Yes"})
    statistics = info
    assert (statistics.ExpectedFileCount, statistics.ExpectedByteCount) == (1, SIZE)


@shows("FileParameters/RemoveAfterTransfer", "FileParameters/RemoveEmptyDirectories")
def removes_sources(trial: Trial) -> None:
    source = trial.near / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_text("f")
    assert completed(trial.push({"FileParameters/RemoveAfterTransfer": "Yes"}, source))
    assert names(source) == ["sub"]
    assert completed(trial.push({"FileParameters/RemoveEmptyDirectories": "Yes"}, source))
    assert names(source) == []
    assert (trial.far / "to" / "sub" / "f").exists()


@shows("FileParameters/SymbolicLinks")
def treats_links_as_asked(trial: Trial) -> None:
    source = trial.near / "source"
    source.mkdir()
    (source / "f").write_text("f")
    (source / "link").symlink_to("f")
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Skip"}, source, "skip"))
    assert names(trial.far / "skip") == ["f"]
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Copy"}, source, "copy"))
    assert (trial.far / "copy/link").is_symlink()
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Follow"}, source, "follow"))
    assert not (trial.far / "follow/link").is_symlink()
    (trial.far / "force/source").mkdir(parents=True)
    (trial.far / "force/source/link").write_text("in the way")
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Copy+Force"}, source, "force"))
    assert (trial.far / "force/source/link").is_symlink()


@shows(
    "FileParameters/PreserveTimestamps",
    "FileParameters/PreserveModificationTime",
    "FileParameters/PreserveAccessTime",
    "FileParameters/PreserveSourceAccessTime",
)
def preserves_times(trial: Trial) -> None:
    accessed, modified = 1_500_000_000, 1_400_000_000
    for what, kept in (
        ("Timestamps", {modified, accessed}),
        ("ModificationTime", {modified}),
        ("AccessTime", {accessed}),
        ("SourceAccessTime", set()),
    ):
        os.utime(trial.file, (accessed, modified))
        assert completed(trial.push({f"FileParameters/Preserve{what}": "Yes"}, target=what))
        found = (trial.far / what).stat()
        assert {found.st_mtime, found.st_atime} & {modified, accessed} == kept
    assert trial.file.stat().st_atime == accessed


@shows("FileParameters/PreserveUID", "FileParameters/PreserveGID")
def preserves_owner_and_group(trial: Trial) -> None:
    elements = {"FileParameters/PreserveUID": "Yes", "FileParameters/PreserveGID": "Yes"}
    owner = (os.getuid(), os.getgid())
    if owner[0] == 0 and trial.side.key:
        owner = (4711, 4712)
        os.chown(trial.file, *owner)
    assert completed(trial.push(elements))
    found = (trial.far / "to").stat()
    assert (found.st_uid, found.st_gid) == owner


@shows("FileParameters/PreserveCreationTime")
def refuses_to_keep_creation_times(trial: Trial) -> None:
    with pytest.raises(Refused, match="PreserveCreationTime"):
        trial.submit({"FileParameters/PreserveCreationTime": "Yes"})


@shows("FileParameters/SkipSpecialFiles")
def skips_special_files(trial: Trial) -> None:
    source = trial.near / "s"
    source.mkdir()
    short = Path("/tmp") / f"s{os.getpid()}{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX) as special:
        special.bind(str(short))  # a short name first: sockets have no long ones
        shutil.move(short, source / "socket")
        assert code(trial.push({}, source, "one")[0]) in (21, 27)
        assert completed(trial.push({"FileParameters/SkipSpecialFiles": "Yes"}, source, "two"))


@shows(
    "FileParameters/ExcludeOlderThan",
    "FileParameters/ExcludeNewerThan",
    "FileParameters/ExcludePatterns/ExcludePattern",
)
def leaves_out_what_is_excluded(trial: Trial) -> None:
    source = trial.near / "source"
    source.mkdir()
    for name in ("new.txt", "old.txt", "x.tmp", "y.bak"):
        (source / name).write_text(name)
    os.utime(source / "old.txt", (1000, 1000))
    patterns = {"FileParameters/ExcludePatterns/ExcludePattern": ["*.tmp", "*.bak"]}
    assert completed(trial.push(patterns, source, "one"))
    assert names(trial.far / "one") == ["new.txt", "old.txt"]
    assert completed(trial.push({**patterns, "FileParameters/ExcludeOlderThan": "-3600"}, source, "two"))
    assert names(trial.far / "two") == ["new.txt"]
    assert completed(trial.push({**patterns, "FileParameters/ExcludeNewerThan": "2000"}, source, "three"))
    assert names(trial.far / "three") == ["old.txt"]


@shows("FileParameters/PartialFileSuffix", "FileParameters/SaveBeforeOverwrite")
def names_partial_files_and_backups(trial: Trial) -> None:
    trial.file.write_bytes(os.urandom(3_000_000))
    slow = {"FileParameters/PartialFileSuffix": ".unfinished", "RateParameters/TargetRate": "4000"}
    job = trial.submit(slow)
    until(lambda: list(trial.far.glob("*.unfinished")))
    trial.site.client.cancel_job(job)
    trial.finish(job)
    (trial.far / "to").write_text("old")
    assert completed(trial.push({"FileParameters/SaveBeforeOverwrite": ".kept"}))
    assert (trial.far / "to.kept").read_text() == "old"


@shows("FileParameters/ReadBlockSize", "FileParameters/WriteBlockSize")
def reads_and_writes_in_blocks_of_the_size_asked_for(trial: Trial) -> None:
    sizes = {"FileParameters/ReadBlockSize": "5000", "FileParameters/WriteBlockSize": "6000"}
    assert " read_block=5000 write_block=6000 " in trial.logged(sizes)
    assert (trial.far / "to").read_bytes() == trial.file.read_bytes()


@shows("FileParameters/PostTransferValidation")
def waits_for_a_validator(trial: Trial) -> None:
    job = trial.submit({"FileParameters/PostTransferValidation": "Yes"})
    until((trial.far / "to").exists)
    assert job in trial.site.client.list_jobs()
    trial.site.client.cancel_job(job)


# Link, channel, rates, security.


@shows("LinkParameters/RemoteCapacity", "LinkParameters/LocalCapacity", "RateParameters/BandwidthCap")
def bounds_the_target_rate(trial: Trial) -> None:
    for element in (
        "LinkParameters/RemoteCapacity",
        "LinkParameters/LocalCapacity",
        "RateParameters/BandwidthCap",
    ):
        (info,) = trial.push({element: "77000"})
        assert info.TargetRate == 77000


@shows("LinkParameters/AutoDetectCapacity", "RateParameters/TargetRateAsPercent", "RateParameters/TargetRate")
def takes_percent_of_what_it_measures(trial: Trial) -> None:
    with trial.file.open("wb") as file:
        file.truncate(8 << 30)
    cap = 400_000
    elements = {
        "LinkParameters/AutoDetectCapacity": "Yes",
        "RateParameters/TargetRateAsPercent": "Yes",
        "RateParameters/TargetRate": "1",
        "RateParameters/BandwidthCap": str(cap),
    }
    job = trial.submit(elements)
    measured = until(
        lambda: [
            info.TargetRate
            for info in trial.sessions(job)
            if status(info) == "running" and info.BytesTransferred > 0
            if info.TargetRate <= cap // 100
        ]
    )
    assert 0 < measured[0] <= cap // 100
    trial.site.client.cancel_job(job)
    trial.finish(job)


@shows("RateParameters/MinimumRate", "RateParameters/MinimumRateAsPercent")
def takes_minimum_rates(trial: Trial) -> None:
    (info,) = trial.push({"RateParameters/MinimumRate": "300"})
    assert info.MinimumRate == 300
    capacity = {"LinkParameters/LocalCapacity": "50000"}
    percent = {"RateParameters/MinimumRate": "10", "RateParameters/MinimumRateAsPercent": "Yes"}
    (info,) = trial.push({**capacity, **percent})
    assert info.MinimumRate == 5000


@shows("RateParameters/Policy", "RateParameters/Priority")
def shares_by_policy_and_priority(trial: Trial) -> None:
    found = [
        trial.push({"RateParameters/Policy": policy, "RateParameters/Priority": priority})[0]
        for policy, priority in (("Fair", "2"), ("Fair", "1"), ("Trickle", "2"), ("Fixed", "1"))
    ]
    assert [info.RatePolicy.lower() for info in found] == ["fair", "high", "low", "fixed"]


@shows("RateParameters/LockPolicy", "RateParameters/LockTargetRate", "RateParameters/LockMinimumRate")
def keeps_locked_rates(trial: Trial) -> None:
    locks = {f"RateParameters/Lock{what}": "Yes" for what in ("Policy", "TargetRate", "MinimumRate")}
    job = trial.submit({**locks, "RateParameters/TargetRate": "100"})
    session = until(lambda: [info for info in trial.sessions(job) if status(info) == "running"])[0]
    key = str(session.UUID)
    for change in ((5, None, None), (None, 5, None), (None, None, "Fixed")):
        with pytest.raises(Refused, match="locked"):
            trial.site.client.set_rate(key, *change)
    trial.site.client.cancel_job(job)


@shows("ChannelParameters/Port")
def shows_its_udp_port(trial: Trial) -> None:
    (info,) = trial.push({"ChannelParameters/Port": "33005"})
    assert info.ServerFASPPort == 33005


@shows("ChannelParameters/DatagramSize", "ChannelParameters/AutoDetectPathMTU")
def gives_the_size_of_datagrams_to_the_process(trial: Trial) -> None:
    assert " dgram_sz=1300 " in trial.logged({"ChannelParameters/DatagramSize": "1300"})
    auto = {"ChannelParameters/DatagramSize": "1300", "ChannelParameters/AutoDetectPathMTU": "Yes"}
    assert " dgram_sz=0 " in trial.logged(auto).splitlines()[-5]


@shows("ChannelParameters/IPV6")
def connects_by_ipv6_only(trial: Trial) -> None:
    (refused,) = trial.push({"ChannelParameters/IPV6": "Yes"})
    assert code(refused) == 12
    try:
        reachable = asyncio.run(_relayed(trial))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    assert reachable


async def _relayed(trial: Trial) -> bool:
    """Push over IPv6, through a relay to the far side, which listens on IPv4."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", trial.side.port)
        await asyncio.wait(
            [
                asyncio.ensure_future(_pump(reader, far_writer)),
                asyncio.ensure_future(_pump(far_reader, writer)),
            ]
        )

    server = await asyncio.start_server(relay, "::1", 0)
    port = str(server.sockets[0].getsockname()[1])
    elements = {
        "ChannelParameters/IPV6": "Yes",
        "RemoteLocation/System/Address": "::1",
        "RemoteLocation/System/Port": port,
    }
    try:
        return completed(await asyncio.to_thread(trial.push, elements))
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@shows("SecurityParameters/EncryptionCipher")
def asks_for_the_strength_of_the_cipher(trial: Trial) -> None:
    (info,) = trial.push({"SecurityParameters/EncryptionCipher": "AES-256"})
    assert "128" not in str(info.EncryptionCipher)


@shows("SecurityParameters/SSHFingerprint")
def refuses_another_host_key(trial: Trial) -> None:
    wrong = "SHA256:" + "A" * 43
    (refused,) = trial.push({"SecurityParameters/SSHFingerprint": wrong})
    assert code(refused) == 51
    if trial.side.fingerprint:
        assert completed(trial.push({"SecurityParameters/SSHFingerprint": trial.side.fingerprint}))


@shows(
    "RetryParameters/Count",
    "RetryParameters/BaseInterval",
    "RetryParameters/MaximumInterval",
    "NoMgmtPortFiles",
)
def retries_as_often_as_asked(trial: Trial) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nowhere = {"RemoteLocation/System/Port": str(silent.getsockname()[1])}
        retries = {
            "RetryParameters/Count": "2",
            "RetryParameters/BaseInterval": "1",
            "RetryParameters/MaximumInterval": "1",
        }
        sessions = trial.push({**nowhere, **retries})
        assert len(sessions) == 3
        starts = [info.StartDate for info in sessions]
        assert (starts[2] - starts[0]).total_seconds() >= 1.5
        assert len(trial.push({**nowhere, **retries, "NoMgmtPortFiles": "Yes"})) == 1


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_order(case: Case, trial: Trial) -> None:
    case(trial)


def test_no_element_of_an_order_is_without_a_case() -> None:
    assert {*order_reader._SCALARS, *order_reader._LISTS} == SHOWN
