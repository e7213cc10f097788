"""The FASP Manager with our own transfer process and a real sshd."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.fasp.manager import Program, SessionEnding, SessionManager
from asperacentral.fasp.order import JobOrder
from tests.fasp.bench import Bench, Notes, kill
from tests.openascp.sshd import MISSING, SSHD, Sshd

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(SSHD is None, reason=MISSING)]


class Site:
    """A manager, a far side, and a file to push."""

    def __init__(self, tmp_path: Path, sshd: Sshd, bench: Bench) -> None:
        self.tmp_path = tmp_path
        self.sshd = sshd
        self.bench = bench
        self.source, self.target = tmp_path / "source", tmp_path / "target"
        self.source.write_bytes(os.urandom(2_000_000))
        self.running: SessionManager | None = None

    def manager(self) -> tuple[SessionManager, Notes]:
        notes = Notes()
        self.running = SessionManager(
            self.bench,
            notes,
            program=Program.openascp(),
            port_file=self.tmp_path / "port",
            known_hosts=self.tmp_path / "known_hosts",
        )
        self.running.start()
        return self.running, notes

    def push(self, manager: SessionManager, target_rate: int) -> str:
        session = str(uuid.uuid4())
        manager.launch_job(
            JobOrder(
                session,
                "send",
                self.sshd.host,
                (str(self.source),),
                str(self.target),
                port=self.sshd.port,
                user=self.sshd.user,
                key_path=str(self.sshd.key),
                target_rate=target_rate,
            )
        )
        return session

    def pull_as(self, account: str, manager: SessionManager, sources: list[Path], folder: Path) -> str:
        """Fetch files into `folder` as another account, which gets a key file of its own."""
        session = str(uuid.uuid4())
        key = folder / "key"
        shutil.copyfile(self.sshd.key, key)
        shutil.chown(key, account)
        key.chmod(0o600)
        order = JobOrder(
            session,
            "recv",
            self.sshd.host,
            tuple(map(str, sources)),
            str(folder),
            port=self.sshd.port,
            user=self.sshd.user,
            key_path=str(key),
            host_key_fingerprint=self.sshd.fingerprint,
            account=account,
        )
        manager.launch_job(order)
        return session

    def arrived(self) -> bool:
        return digest(self.source) == digest(self.target)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    bench = Bench()
    with Sshd(tmp_path / "sshd") as sshd:
        site = Site(tmp_path, sshd, bench)
        yield site
        assert site.running is not None
        site.running.stop()
        bench.turn_for(0.05)
    bench.close()


def test_a_file_is_pushed_and_the_session_told_from_its_first_word_to_its_end(site: Site) -> None:
    manager, notes = site.manager()
    session = site.push(manager, 1_000_000)
    site.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [SessionEnding(0, None, True, False, False)]
    said = notes.said(session)
    assert (said[0], said[-1]) == ("INIT", "DONE")
    assert {"SESSION", "NOTIFICATION", "START", "STOP"} <= set(said)
    assert site.arrived()


def test_a_file_on_its_way_survives_the_managers_restart(site: Site) -> None:
    first, old = site.manager()
    session = site.push(first, 4000)
    site.bench.until(lambda: "STATS" in old.said(session) and old.pid(session))
    first.stop()
    site.bench.turn_for(0.3)

    second, new = site.manager()
    second.adopt_job(session, old.pid(session), 20)
    second.control_job(session, target_rate=1_000_000)
    site.bench.until(lambda: new.endings(session))
    assert new.endings(session) == [SessionEnding(None, None, True, False, False)]
    assert new.said(session)[0] == "INIT"
    assert site.arrived()


def test_a_killed_transfer_is_told_and_its_file_is_not_there_under_its_name(site: Site) -> None:
    manager, notes = site.manager()
    session = site.push(manager, 1000)
    site.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    kill(notes.pid(session) or 0, signal.SIGKILL)
    site.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [SessionEnding(None, signal.SIGKILL, False, False, False)]
    assert not site.target.exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_transfer_of_another_account_writes_and_reads_with_that_accounts_rights(site: Site) -> None:
    manager, notes = site.manager()
    account = pwd.getpwnam("nobody")
    theirs, ours = site.tmp_path / "theirs", site.tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir(mode=0o755)
    os.chown(theirs, account.pw_uid, account.pw_gid)
    for above in (theirs, *theirs.parents):
        if not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH)

    good = site.pull_as("nobody", manager, [site.source], theirs)
    site.bench.until(lambda: notes.endings(good))
    assert notes.endings(good)[0].said_done, notes.messages(good)[-1]
    fetched = theirs / "source"
    assert digest(fetched) == digest(site.source)
    assert (fetched.stat().st_uid, fetched.stat().st_gid) == (account.pw_uid, account.pw_gid)

    bad = site.pull_as("nobody", manager, [site.source], ours)
    site.bench.until(lambda: notes.endings(bad))
    assert notes.endings(bad)[0].said_error
    assert not (ours / "source").exists()
