"""Pages and programs that want more than they were given, and what keeps them out."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import websocket

from asperacentral.commands.local import LocalNode
from tests.client.support import SECONDS, LocalDesktop, RpcRefused, User, spec

OTHER = "https://other.example"
DOING: list[tuple[str, dict[str, Any]]] = [
    (
        "start_transfer",
        {"transfer_spec": {"direction": "send", "remote_host": "x", "paths": [{"source": "/etc/passwd"}]}},
    ),
    ("show_file_dialog", {"options": {}}),
    ("read_as_array_buffer", {"request": {"path": "/etc/passwd"}}),
    ("test_ssh_ports", {"request": {"remote_host": "127.0.0.1", "ssh_port": 1}}),
    ("show_about", {}),
    ("stop_transfer", {"transfer_id": "x"}),
    ("authenticate", {"transfer_spec": {"remote_host": "127.0.0.1"}}),
]


@pytest.mark.parametrize(("method", "params"), DOING)
def test_a_site_the_user_refused_does_nothing(
    desktop: LocalDesktop, method: str, params: dict[str, Any]
) -> None:
    desktop.decide(False)
    with pytest.raises(RpcRefused) as caught:
        desktop.call(method, {**params, "app_id": "app"})
    assert caught.value.code == -32001
    assert f"refused {desktop.site}" in desktop.log.read_text()
    assert not desktop.has_shown_more


def test_the_user_is_asked_once_however_often_a_page_asks(desktop: LocalDesktop) -> None:
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(desktop.call, "test_ssh_ports", dict(DOING[3][1])) for _ in range(3)]
        user = desktop.user()
        assert f"May {desktop.site} transfer files" in user.text
        assert user.press(("allow", "")) == 200
        for call in calls:
            with pytest.raises(RpcRefused, match="cannot be reached"):
                call.result(SECONDS)
    assert not desktop.has_shown_more
    assert f"allowed  {desktop.site}" in desktop.command("--sites")[1]


@pytest.mark.parametrize(("button", "kept"), [("cancel", None), ("refuse", False)])
def test_not_now_is_not_kept_and_never_is(desktop: LocalDesktop, button: str, kept: bool | None) -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(desktop.call, "show_about")
        desktop.user().press((button, ""))
        with pytest.raises(RpcRefused, match="has not allowed"):
            call.result(SECONDS)
    with pytest.raises(RpcRefused, match="has not allowed"):
        desktop.call("show_about")
    assert not desktop.has_shown_more
    assert desktop.decision is kept


def test_the_pages_of_the_client_keep_others_out(desktop: LocalDesktop) -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(desktop.call, "show_about")
        user = desktop.user()
        assert "frame-ancestors 'none'" in user.headers["content-security-policy"]
        assert "default-src 'none'" in user.headers["content-security-policy"]
        assert user.headers["x-frame-options"] == "DENY"
        assert user.headers["cross-origin-opener-policy"] == "same-origin"
        assert "access-control-allow-origin" not in user.headers
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        right = f"step={user.step}&allow="
        status, _, _ = desktop.http("pages", "POST", user.path, right, origin=desktop.site, headers=form)
        assert status == 403, "the asking page knows even the secrets"
        own = f"http://127.0.0.1:{desktop.ports['pages']}"
        status, _, _ = desktop.http("pages", "POST", user.path, "step=guess&allow=", origin=own, headers=form)
        assert status == 410
        status, _, _ = desktop.http("pages", "POST", "/dialog/guess", right, origin=own, headers=form)
        assert status == 410
        assert not call.done()
        again, _, _ = desktop.http("pages", "GET", user.path)
        assert again == 410, "an address is good for one visit"
        with pytest.raises(RpcRefused):
            call.result(SECONDS)


def test_a_page_buries_nobody_under_dialogs(allowed: LocalDesktop) -> None:
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(allowed.call, "show_file_dialog", {"app_id": "a"}) for _ in range(4)]
        refused = 0
        for _ in range(3):
            User(allowed, allowed.shown()).press(("cancel", ""))
        for call in calls:
            with pytest.raises(RpcRefused) as caught:
                call.result(SECONDS)
            refused += caught.value.code == -32004
    assert refused == 1


def test_words_of_a_page_are_text_in_the_dialogs_and_cannot_speak_in_our_name(allowed: LocalDesktop) -> None:
    evil = "<img src=x onerror=alert(1)>.txt"
    asked: list[tuple[str, dict[str, Any]]] = [
        ("dropped_files", {"files": [{"name": evil}, {"name": "a\r\nb\x1b[1m/" + "z" * 500}]}),
        ("show_save_file_dialog", {"options": {"suggestedName": f'../"{evil}', "title": "Your bank asks"}}),
        ("show_file_dialog", {"options": {"allowedFileTypes": [{"extensions": [f'"{evil}', "*"]}]}}),
    ]
    for method, params in asked:
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(allowed.call, method, {**params, "app_id": "app"})
            user = allowed.user()
            assert "<img" not in user.text
            assert "Your bank" not in user.text and "\x1b" not in user.text and "z" * 100 not in user.text
            user.press(("cancel", ""))
            with pytest.raises(RpcRefused) as caught:
                call.result(SECONDS)
            assert caught.value.code == -32002


def test_a_form_cannot_choose_what_its_dialog_did_not_offer(allowed: LocalDesktop, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for method, fields in (
        ("show_file_dialog", [("path", str(tmp_path / "folder")), ("choose", "")]),
        ("show_file_dialog", [("path", "relative"), ("choose", "")]),
        ("show_save_file_dialog", [("name", "../x"), ("choose", "")]),
        ("show_save_file_dialog", [("name", ".."), ("choose", "")]),
        ("show_folder_dialog", [("path", "/etc/passwd"), ("choose", "")]),
        ("show_folder_dialog", [("go", "/etc/passwd")]),
    ):
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(allowed.call, method, {"app_id": "app", "options": {}})
            user = allowed.user()
            assert user.press(*fields) == 200
            assert 'role="alert"' in user.text
            assert not call.done()
            user.press(("cancel", ""))
            with pytest.raises(RpcRefused):
                call.result(SECONDS)


def test_a_websocket_has_so_many_calls_at_a_time_and_no_more(desktop: LocalDesktop) -> None:
    page = websocket.create_connection(
        f"ws://127.0.0.1:{desktop.ports['rpc']}/", origin=desktop.site, timeout=SECONDS
    )
    for number in range(101):
        page.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "show_about"}))
    code, data = page.recv_data()
    assert (code, data[:2]) == (websocket.ABNF.OPCODE_CLOSE, (4008).to_bytes(2, "big"))
    desktop.user().press(("refuse", ""))
    assert not desktop.has_shown_more, "the user is asked once"


def test_names_and_transfers_of_a_site_are_unknown_to_another(
    allowed: LocalDesktop, node: LocalNode, tmp_path: Path
) -> None:
    allowed.decide(True, OTHER)
    (tmp_path / "file").write_text("text")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(allowed.call, "show_file_dialog", {"app_id": "app"})
        allowed.user().press(("path", str(tmp_path / "file")), ("choose", ""))
        name = call.result(SECONDS)["dataTransfer"]["files"][0]["name"]
    sent = {"transfer_spec": spec(node, "send", name), "app_id": "app"}
    with pytest.raises(RpcRefused) as caught:
        allowed.call("start_transfer", sent, origin=OTHER)
    assert caught.value.code == -32001
    uuid = allowed.call("start_transfer", sent)["uuid"]
    for method in ("get_transfer", "stop_transfer", "remove_transfer", "get_files_list", "show_directory"):
        with pytest.raises(RpcRefused) as caught:
            allowed.call(method, {"transfer_id": uuid}, origin=OTHER)
        assert caught.value.code == -32003
    assert allowed.call("get_all_transfers", {"app_id": "app"}, origin=OTHER) == []
    assert (
        allowed.connect("POST", "transfers/activity", {"iteration_token": 0}, origin=OTHER)[1]["transfers"]
        == []
    )
    allowed.until_status(uuid, "completed")


@pytest.mark.parametrize("port", ["rpc", "connect"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example", "Origin": "http://rebound.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_rebound_names_and_hidden_origins_are_refused(
    allowed: LocalDesktop, port: str, headers: dict[str, str]
) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "get_info"})
    status, text, told = allowed.http(port, "POST", "/", body, headers=headers)
    assert status == 403
    assert "access-control-allow-origin" not in told
    assert "version" not in text


def test_a_websocket_is_guarded_as_requests_are(desktop: LocalDesktop) -> None:
    address = f"ws://127.0.0.1:{desktop.ports['rpc']}/"
    for origin, host in (("null", None), ("http://rebound.example", "rebound.example")):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(address, origin=origin, host=host, timeout=SECONDS)
        assert caught.value.status_code == 403
    page = websocket.create_connection(address, origin=desktop.site, timeout=SECONDS)
    page.send("{")
    assert json.loads(page.recv())["error"]["code"] == -32700
    page.send(b"\0" * 10, websocket.ABNF.OPCODE_BINARY)
    code, data = page.recv_data()
    assert (code, data[:2]) == (websocket.ABNF.OPCODE_CLOSE, (4003).to_bytes(2, "big"))


def test_preflights_are_answered_also_for_pages_of_the_public_network(desktop: LocalDesktop) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    status, _, told = desktop.http("rpc", "OPTIONS", "/", origin=desktop.site, headers=asked)
    assert status == 204
    assert told["access-control-allow-origin"] == desktop.site
    assert told["access-control-allow-headers"] == "content-type"
    assert told["access-control-allow-private-network"] == "true"


def test_too_much_is_refused_before_it_is_read(desktop: LocalDesktop) -> None:
    with socket.create_connection(("127.0.0.1", desktop.ports["rpc"]), timeout=SECONDS) as page:
        page.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n")
        assert b" 413 " in page.recv(1000)
    socket_of_page = websocket.create_connection(
        f"ws://127.0.0.1:{desktop.ports['rpc']}/", origin=desktop.site, timeout=SECONDS
    )
    with pytest.raises((OSError, websocket.WebSocketException)):
        socket_of_page.send("x" * (5 << 20))
        while socket_of_page.recv():
            pass
        socket_of_page.send("x")
    assert desktop.call("get_info")


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root to act as another user")
@pytest.mark.parametrize("port", ["rpc", "connect", "pages"])
def test_another_user_of_the_machine_is_not_even_answered(desktop: LocalDesktop, port: str) -> None:
    """Nor can they visit a page of the client, whose address they see among the processes, before its user does."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(desktop.call, "show_about")
        address = desktop.shown()
        assert _asked_by_another_user(desktop.ports[port], urlsplit(address).path) == b""
        assert "another user" in desktop.log.read_text()
        user = User(desktop, address)
        assert user.status == 200, "the address has not been used up"
        user.press(("refuse", ""))
        with pytest.raises(RpcRefused):
            call.result(SECONDS)


def _asked_by_another_user(port: int, path: str) -> bytes:
    """What a process of another user gets, at most 100 bytes."""
    "127.0.0.1".encode("idna")  # the other user may not be able to read Python's modules
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setuid(65534)
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as stranger:
                stranger.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                os.write(writing, stranger.recv(100))
        except ConnectionResetError:
            pass
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        came = told.read()
    assert os.waitpid(child, 0)[1] == 0
    return came
