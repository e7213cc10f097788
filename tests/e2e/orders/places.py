"""Who moves files, from where to where."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import asyncssh
import pytest

from asperacentral.commands.client import Refused
from asperacentral.openascp.token import Permission, issue
from tests.e2e.orders.trial import HALVES, Trial, code, completed, names, shows, status
from tests.e2e.site import until


@shows(
    "Version",
    "Agent",
    "Operation",
    "RemoteLocation/System/Address",
    "RemoteLocation/System/Port",
    sides=(HALVES,),
)
def pushes_and_pulls(trial: Trial) -> None:
    assert completed(trial.push({"Version": "2", "Agent": "Site.Tests"}))
    assert (trial.far / "to").read_bytes() == trial.file.read_bytes()
    assert completed(trial.pull({"Version": "2"}, "to", trial.near / "back"))
    assert (trial.near / "back").read_bytes() == trial.file.read_bytes()


@shows("RemoteLocation/System/UserName", "RemoteLocation/Authentication/KeyPath", sides=(HALVES,))
def logs_in_with_the_name_and_key_of_the_order(trial: Trial) -> None:
    if not trial.side.key:
        pytest.skip("needs sshd")
    other = trial.tmp / "other_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    (refused,) = trial.push({"RemoteLocation/Authentication/KeyPath": str(other)})
    assert code(refused) == 19
    (refused,) = trial.push({"RemoteLocation/System/UserName": "nobody-there"})
    assert code(refused) == 19


@shows("RemoteLocation/System/Password", "RemoteLocation/Authentication/Methods/Method", sides=(HALVES,))
def logs_in_by_the_methods_of_the_order(trial: Trial) -> None:
    if trial.side.key:
        asked = {"RemoteLocation/Authentication/Methods/Method": "Password"}
        (refused,) = trial.push({**asked, "RemoteLocation/System/Password": "wrong"})
    else:
        (refused,) = trial.push({"RemoteLocation/System/Password": "wrong"})
    assert code(refused) == 19


@shows("ApplicationData/Token", sides=(HALVES,))
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


@shows("ApplicationData/Cookie", "PrivateData/Key", "PrivateDataType/Key", sides=(HALVES,))
def is_found_by_cookie_and_private_key(trial: Trial) -> None:
    for group in ("PrivateData", "PrivateDataType"):
        elements = {"ApplicationData/Cookie": f"{trial.name} {group}", f"{group}/Key": "mine"}
        (info,) = trial.push(elements)
        assert (info.Cookie, info.PrivateKey) == (f"{trial.name} {group}", "mine")


@shows("RemoteLocation/Files/Path", "LocalLocation/Files/Path", sides=(HALVES,))
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


@shows("RemoteLocation/Proxy/Url", sides=(HALVES,))
def refuses_proxies(trial: Trial) -> None:
    with pytest.raises(Refused, match="Proxy/Url"):
        trial.submit({"RemoteLocation/Proxy/Url": "dnat://127.0.0.1"})
    assert completed(trial.push({"RemoteLocation/Proxy/Url": "null"}))


@shows("LocalLocation/System/UserName", "LocalLocation/System/Password", sides=(HALVES,))
def runs_as_the_local_account_or_refuses(trial: Trial) -> None:
    with pytest.raises(Refused, match="LocalLocation/System/UserName"):
        trial.submit({"LocalLocation/System/UserName": "nobody-of-this-name"})
    if os.geteuid() == 0 and trial.side.password:
        trial.near.chmod(0o700)
        account = {"LocalLocation/System/UserName": "nobody", "LocalLocation/System/Password": "unused"}
        assert code(trial.push(account)[0]) in (4, 5)


@shows("Program", sides=(HALVES,))
def takes_both_programs(trial: Trial) -> None:
    assert completed(trial.push({"Program": "ascp4"}))


@shows("RawOptions/Option", sides=(HALVES,))
def hands_over_raw_options(trial: Trial) -> None:
    assert "LOG FASP Session Start" in trial.logged({})
