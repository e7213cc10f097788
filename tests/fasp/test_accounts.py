"""Processes of other accounts: who may start them, and that nothing of the manager's own rights is left to them."""

from __future__ import annotations

import json
import os
import pwd
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asperacentral.fasp.accounts import Account, AccountError, own_name, to_run_as
from asperacentral.fasp.processes import ExecutedProcess
from tests.fasp.test_spawner import Server

ROOT = os.geteuid() == 0
NOBODY = "nobody"


def test_no_account_and_our_own_mean_the_process_stays_ours() -> None:
    assert to_run_as("") is None
    assert to_run_as(own_name()) is None


def test_without_root_another_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    name = own_name()
    monkeypatch.setattr("asperacentral.fasp.accounts.os.geteuid", lambda: pwd.getpwnam(NOBODY).pw_uid)
    with pytest.raises(AccountError, match=f"run as 'nobody', not as '{name}'"):
        to_run_as(name)


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.root
@pytest.mark.parametrize("name", ["no-such-account", "a\0b", "../root", "0", "-1"])
def test_an_account_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(AccountError, match="no account"):
        to_run_as(name)


@pytest.fixture
def account() -> Account:
    found = to_run_as(NOBODY)
    assert found is not None
    return found


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, account: Account) -> Path:
    """One that the account can reach and write."""
    folder = tmp_path_factory.mktemp("account")
    for above in (folder, *folder.parents):
        if above.stat().st_uid == os.getuid() and not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH)
    os.chown(folder, account.uid, account.gid)
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server("tests.fasp.forkee")
    yield server
    server.close()


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.root
def test_a_forked_process_is_the_accounts_with_all_of_its_groups_and_none_of_ours(
    server: Server, account: Account, folder: Path
) -> None:
    secret = {"ASPERA_SCP_PASS": "pa55"}
    assert server.run("tell", str(folder / "told"), account=account, environment=secret) == 0
    facts: dict[str, Any] = json.loads((folder / "told").read_text())
    assert facts["users"] == [account.uid] * 3
    assert facts["account_groups"] == [[account.gid] * 3, sorted(account.groups)]
    assert facts["environment"]["HOME"] == account.home
    assert facts["environment"]["USER"] == facts["environment"]["LOGNAME"] == NOBODY
    assert facts["environment"]["ASPERA_SCP_PASS"] == "pa55"
    assert facts["initial_environment"] is None, "others of the account can look into the process"
    assert facts["umask"] == 0o022
    assert facts["directory"] == (account.home if Path(account.home).is_dir() else "/")
    assert (folder / "told").stat().st_uid == account.uid


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.root
def test_an_executed_process_is_the_accounts_too(account: Account, folder: Path) -> None:
    command = "id -u; id -G; echo $HOME; umask; readlink /proc/self/cwd; exec 1>&-; sleep 0"
    process = ExecutedProcess(
        ["/bin/sh", "-c", f"({command}) > {folder / 'told'}"], {"PATH": os.environ["PATH"]}, account
    )
    while process.poll() is None:
        time.sleep(0.02)
    told = (folder / "told").read_text().splitlines()
    assert told == [
        str(account.uid),
        " ".join(map(str, account.groups)),
        account.home,
        "0022",
        account.folder(),
    ]


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.root
def test_an_executed_process_begins_in_the_home_of_its_account(account: Account, folder: Path) -> None:
    at_home = replace(account, home=str(folder))
    process = ExecutedProcess(["/bin/sh", "-c", "pwd > told"], {"PATH": os.environ["PATH"]}, at_home)
    while process.poll() is None:
        time.sleep(0.02)
    assert (folder / "told").read_text() == f"{folder}\n"


def test_an_account_without_a_home_it_may_enter_begins_at_the_root(tmp_path: Path) -> None:
    def begins(home: Path, **changed: Any) -> str:
        return replace(Account("x", 4711, 4712, (4713,), str(home)), **changed).folder()

    file, shut, ours = tmp_path / "file", tmp_path / "shut", tmp_path / "ours"
    file.touch()
    shut.mkdir(0o700)
    ours.mkdir(0o010)
    owner, group = ours.stat().st_uid, ours.stat().st_gid
    assert [begins(each) for each in (tmp_path / "none", file, shut)] == ["/"] * 3
    assert begins(shut, uid=owner) == str(shut)
    assert begins(ours, groups=(group,)) == str(ours)


@pytest.mark.skipif(not ROOT, reason="needs root")
@pytest.mark.root
def test_a_process_that_cannot_take_on_its_account_does_nothing(server: Server, tmp_path: Path) -> None:
    impossible = Account("x", 2**32 - 1, 2**32 - 1, (), "/")
    assert server.run("tell", str(tmp_path / "told"), account=impossible) != 0
    assert not (tmp_path / "told").exists()
