"""JSON-RPC as pages use it, against a client and a node that are processes of their own."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import websocket

from asperacentral.commands.local import LocalNode
from tests.client.support import SECONDS, LocalDesktop, RpcRefused, content, spec, until
from tests.test_options import free_port

OTHER = "https://other.example"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def choose(
    desktop: LocalDesktop, pool: ThreadPoolExecutor, method: str, *fields: tuple[str, str]
) -> list[Any]:
    """What a page gets from a dialog in which the user chooses."""
    asked: Future[Any] = pool.submit(desktop.call, method, {"app_id": "app", "options": {}})
    assert desktop.user().press(*fields) == 200
    files: list[Any] = asked.result(SECONDS)["dataTransfer"]["files"]
    return files


def test_a_page_finds_out_what_the_client_can_without_the_user_being_asked(desktop: LocalDesktop) -> None:
    assert desktop.call("get_info")["version"].count(".") == 2
    methods = {each["name"] for each in desktop.call("rpc.discover")["methods"]}
    assert {
        "start_transfer",
        "show_file_dialog",
        "get_files_list",
        "read_directory",
        "test_ssh_ports",
    } <= methods
    assert len(methods) == 29
    assert desktop.call("init_drag_drop") is True
    assert desktop.call("get_all_transfers", {"app_id": "app"}) == []
    assert not desktop.has_shown_more


def test_files_that_the_user_chose_are_sent_and_told_of(
    allowed: LocalDesktop, node: LocalNode, docroot: Path, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    wanted = {"äö ü.bin": content(300_000), "empty": b"", "two": content(5)}
    (tmp_path / "near").mkdir()
    for name, data in wanted.items():
        (tmp_path / "near" / name).write_bytes(data)
    picks = [("path", str(tmp_path / "near" / name)) for name in wanted]
    files = choose(allowed, pool, "show_file_dialog", *picks, ("choose", ""))
    assert [(Path(each["name"]).name, each["size"]) for each in files] == [
        (n, len(d)) for n, d in wanted.items()
    ]
    assert str(tmp_path) not in json.dumps(files)

    sent = spec(node, "send", *(each["name"] for each in files), destination_root="/in", create_dir=True)
    begun = allowed.call("start_transfer", {"transfer_spec": sent, "desktop_spec": {}, "app_id": "app"})
    assert begun["status"] in ("queued", "initiating")
    assert "remote_password" not in begun["transfer_spec"]
    done = allowed.until_status(begun["uuid"], "completed")
    assert {name: (docroot / "in" / name).read_bytes() for name in wanted} == wanted
    assert done["bytes_written"] == done["bytes_expected"] == sum(map(len, wanted.values()))
    assert done["percentage"] == 1
    assert done["file_counts"] == {"attempted": 3, "completed": 3, "failed": 0, "skipped": 0}
    assert done["add_time"] and done["end_time"]
    listed = allowed.call(
        "get_files_list", {"transfer_id": begun["uuid"], "pagination": {"limit": 2, "offset": 1}}
    )
    assert (listed["total_count"], len(listed["entries"])) == (3, 2)
    assert {each["status"] for each in listed["entries"]} == {"completed"}
    assert str(tmp_path) not in json.dumps([done, listed])


def test_a_download_lands_in_the_downloads_and_overwrites_nothing(
    allowed: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    data = content(200_000)
    (docroot / "out").write_bytes(data)
    (docroot / "mine").write_bytes(content(7))
    allowed.downloads.mkdir()
    (allowed.downloads / "mine").write_text("the user's own")
    wanted = spec(node, "receive", "/out", "/mine", overwrite="always")
    begun = allowed.call("start_transfer", {"transfer_spec": wanted, "app_id": "app"})
    allowed.until_status(begun["uuid"], "completed")
    assert (allowed.downloads / "out").read_bytes() == data
    assert (allowed.downloads / "mine").read_text() == "the user's own"


def test_a_folder_the_user_chose_is_read_hashed_and_sent_whole(
    allowed: LocalDesktop, node: LocalNode, docroot: Path, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    folder = tmp_path / "reel"
    (folder / "deep" / "er").mkdir(parents=True)
    data = content(1000)
    (folder / "deep" / "er" / "x.txt").write_bytes(data)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("not chosen")
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (chosen,) = choose(allowed, pool, "show_folder_dialog", ("path", str(folder)), ("choose", ""))
    name = chosen["name"]
    found = allowed.call("read_directory", {"request": {"path": name}, "app_id": "app"})
    assert [each["relativePath"] for each in found["entries"]] == ["deep", "deep/er", "deep/er/x.txt"]
    file = {"path": f"{name}/deep/er/x.txt"}
    whole = allowed.call("read_as_array_buffer", {"request": file})
    assert (base64.b64decode(whole["data"]), whole["type"]) == (data, "text/plain")
    part = allowed.call("read_chunk_as_array_buffer", {"request": {**file, "offset": 10, "chunkSize": 7}})
    assert base64.b64decode(part["data"]) == data[10:17]
    digest = allowed.call("get_checksum", {"request": {**file, "checksumMethod": "sha256"}})
    assert digest == {"checksum": hashlib.sha256(data).hexdigest(), "checksumMethod": "sha256"}
    with pytest.raises(RpcRefused):
        allowed.call("read_as_array_buffer", {"request": {"path": f"{name}/out/x"}})
    begun = allowed.call("start_transfer", {"transfer_spec": spec(node, "send", name), "app_id": "app"})
    allowed.until_status(begun["uuid"], "completed")
    assert (docroot / "reel" / "deep" / "er" / "x.txt").read_bytes() == data


class Subscriber:
    """A page's WebSocket."""

    def __init__(self, desktop: LocalDesktop, *, app_id: str = "app") -> None:
        address = f"ws://127.0.0.1:{desktop.ports['rpc']}/"
        self.socket = websocket.create_connection(address, timeout=SECONDS, origin=desktop.site)
        self.news: list[dict[str, Any]] = []
        self.ask("subscribe_transfer_activity", [app_id])

    def ask(self, method: str, params: Any) -> Any:
        self.socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}))
        while "id" not in (told := json.loads(self.socket.recv())):
            self.news.append(told)
        return told.get("result", told.get("error"))

    def until(self, kind: str, status: str) -> dict[str, Any]:
        while True:
            told = self.news.pop(0) if self.news else json.loads(self.socket.recv())
            assert told["method"] == "transfer_activity"
            news = told["params"]["result"]
            if (news["type"], news["data"]["status"]) == (kind, status):
                data: dict[str, Any] = news["data"]
                return data


def test_a_subscriber_is_told_of_its_own_transfers_as_they_go(
    allowed: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    (docroot / "big").write_bytes(content(1_500_000))
    page, other_app = Subscriber(allowed), Subscriber(allowed, app_id="another")
    slow = spec(node, "receive", "/big", target_rate_kbps=2000)
    begun = page.ask("start_transfer", {"transfer_spec": slow, "app_id": "app"})
    running = page.until("transferUpdated", "running")
    assert running["uuid"] == begun["uuid"]
    changed = page.ask(
        "modify_transfer", {"transfer_id": begun["uuid"], "transfer_spec": {"target_rate_kbps": 900}}
    )
    assert changed["transfer_spec"]["target_rate_kbps"] == 900
    page.ask("stop_transfer", {"transfer_id": begun["uuid"]})
    page.until("transferUpdated", "cancelled")
    page.ask(
        "resume_transfer", {"transfer_id": begun["uuid"], "transfer_spec": {"target_rate_kbps": 500_000}}
    )
    done = page.until("transferUpdated", "completed")
    assert done["bytes_written"] == 1_500_000
    assert (allowed.downloads / "big").read_bytes() == (docroot / "big").read_bytes()
    assert page.ask("remove_transfer", {"transfer_id": begun["uuid"]}) is True
    page.until("transferRemoved", "removed")
    assert page.ask("get_all_transfers", {"app_id": "app"}) == []
    assert other_app.ask("get_info", {})["version"], "nothing was told in between"


def test_a_killed_client_goes_on_where_it_was(allowed: LocalDesktop, node: LocalNode, docroot: Path) -> None:
    data = content(2_000_000)
    (docroot / "big").write_bytes(data)
    slow = spec(node, "receive", "/big", target_rate_kbps=3000)
    begun = allowed.call("start_transfer", {"transfer_spec": slow, "app_id": "app"})
    until(lambda: bool(allowed.call("get_transfer", {"transfer_id": begun["uuid"]})["bytes_written"]))
    allowed.end(signal.SIGKILL)
    state = b"".join(file.read_bytes() for file in allowed.state.iterdir())
    assert b"a long password" not in state
    allowed.start_client()
    allowed.call(
        "modify_transfer", {"transfer_id": begun["uuid"], "transfer_spec": {"target_rate_kbps": 500_000}}
    )
    allowed.until_status(begun["uuid"], "completed")
    assert (allowed.downloads / "big").read_bytes() == data
    assert [file.name for file in allowed.downloads.iterdir()] == ["big"]


def test_a_transfer_that_cannot_be_made_fails_with_its_reason(allowed: LocalDesktop, node: LocalNode) -> None:
    wrong = spec(node, "receive", "/none", remote_password="another secret")
    begun = allowed.call("start_transfer", {"transfer_spec": wrong, "app_id": "app"})
    failed = allowed.until_status(begun["uuid"], "failed")
    assert failed["error_code"] == 19
    assert "another secret" not in allowed.log.read_text()
    with pytest.raises(RpcRefused, match="authent"):
        allowed.call("authenticate", {"transfer_spec": wrong})
    assert allowed.call("authenticate", {"transfer_spec": spec(node, "receive", "/none")}) is True
    here = {"remote_host": "127.0.0.1", "ssh_port": node.port}
    assert allowed.call("test_ssh_ports", {"request": here}) is True
    with pytest.raises(RpcRefused, match="cannot be reached"):
        allowed.call("test_ssh_ports", {"request": {**here, "ssh_port": 1}})


def test_more_transfers_than_run_at_once_wait_for_their_turn(
    tmp_path: Path, node: LocalNode, docroot: Path
) -> None:
    for number in range(3):
        (docroot / str(number)).write_bytes(content(1000))
    with LocalDesktop(tmp_path / "client", "--at-once", "1") as desktop:
        desktop.visit("https://site.example")
        desktop.decide(True)
        begun = [
            desktop.call(
                "start_transfer", {"transfer_spec": spec(node, "receive", f"/{number}"), "app_id": ""}
            )
            for number in range(3)
        ]
        assert [each["status"] for each in begun[1:]] == ["queued", "queued"]
        for each in begun:
            desktop.until_status(each["uuid"], "completed")


def test_a_program_of_the_user_names_files_as_they_are(
    desktop: LocalDesktop, node: LocalNode, docroot: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("text")
    sent = spec(node, "send", str(tmp_path / "file"))
    begun = desktop.call("start_transfer", {"transfer_spec": sent, "app_id": ""}, origin=None)
    desktop.until_status(begun["uuid"], "completed", origin=None)
    assert (docroot / "file").read_text() == "text"
    with pytest.raises(RpcRefused):
        desktop.call("get_transfer", {"transfer_id": begun["uuid"]})


def test_a_page_that_had_the_client_started_finds_it_by_its_number(desktop: LocalDesktop) -> None:
    asked = {"app_id": "app", "session_id": "17"}
    assert desktop.call("verify_session", asked) == {"result": False}
    code, said = desktop.command("--open", "aspera://initialize?app_id=app&session_id=17")
    assert code == 0, said
    assert desktop.call("verify_session", asked) == {"result": True}
    with pytest.raises(RpcRefused):
        desktop.call("initialize", {"session_id": "18"})


def test_there_is_one_client_for_one_folder(desktop: LocalDesktop) -> None:
    code, said = desktop.command("--port", "0", "--connect-port", "0")
    assert code == 1
    assert "another transfer client" in said


_OF_SEVERAL_USERS = """
import sys
from pathlib import Path
from twisted.internet import reactor
from asperacentral.client.desktop import CannotStart, Desktop, Options

def client(user):
    folder = Path(sys.argv[1]) / user
    ports = tuple(map(int, sys.argv[2:]))
    return Desktop(Options(folder, folder, folder / "hosts", rpc_ports=ports, connect_ports=(0,)), reactor)

clients = [client("alice"), client("bob")]
print(*(each.rpc_port for each in clients))
try:
    client("carol")
except CannotStart as why:
    print(why)
"""


def test_clients_of_several_users_take_one_port_each_as_long_as_there_are_any(tmp_path: Path) -> None:
    ports = [str(free_port()) for _ in range(2)]
    done = subprocess.run(
        [sys.executable, "-c", _OF_SEVERAL_USERS, str(tmp_path), *ports],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    taken, refused = done.stdout.splitlines()
    assert taken.split() == ports
    assert refused == f"none of the ports {ports[0]} to {ports[1]} of 127.0.0.1 is free"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("start_transfer", {}),
        ("start_transfer", {"transfer_spec": []}),
        ("get_transfer", {"transfer_id": 7}),
        ("get_transfer", [1, 2]),
        ("get_files_list", {"transfer_id": "x", "pagination": {"limit": 1e300}}),
        ("read_as_array_buffer", {"request": {"path": "a\0b"}}),
        ("get_checksum", {"request": {"path": "/x/y", "chunkSize": True}}),
    ],
)
def test_wrong_parameters_are_named(allowed: LocalDesktop, method: str, params: Any) -> None:
    with pytest.raises(RpcRefused) as caught:
        allowed.call(method, params)
    assert caught.value.code in (-32602, -32003)
