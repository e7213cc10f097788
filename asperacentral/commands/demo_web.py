"""`asperacentral demo --web`: everything with pages on this machine, until it is ended; one address leads to all of it.

Central with its console, a node, the gateway with its page and the local transfer client are started on free loopback
ports in a folder; a start page of this process's own tells how to log in and links to the others.
"""

from __future__ import annotations

import http.server
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path

from asperacentral.commands.local import LocalDaemon, LocalDesktop, LocalGateway, LocalUsersNode
from asperacentral.commands.terminal import Terminal

USER = "demo"

_USERS = """[users.{user}]
password = "{hash}"
authorized_keys = ["{key}"]
token_key = "token.key"
docroot = "{docroot}"
"""

_WEB_USERS = """[users.{user}]
password = "{hash}"
control = true
"""

_CONF = """<asperacentral><console>enable</console><web_users>web-users.toml</web_users></asperacentral>
<http_gateway><port>0</port><page_port>0</page_port><users>users.toml</users>
<page_server>127.0.0.1:{port}</page_server></http_gateway>
"""

_START = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>asperacentral demo</title>
<style>:root{{color-scheme:light dark;font:1.1rem/1.6 system-ui,sans-serif}}main{{max-width:38rem;margin:10vh auto;
padding:0 1rem}}</style></head><body><main><h1>asperacentral</h1>
<p>Log in to both pages as <b id="user">{user}</b> with the password <b id="password">{password}</b>.</p>
<ul><li><a id="page" href="{page}">Send and receive files</a></li>
<li><a id="console" href="{console}">Watch and steer them in the console</a></li></ul>
<p>Files you send arrive in <code>{remote}</code>; the transfer client of this machine receives them in
<code>{downloads}</code>. All of it is gone when the demo ends.</p></main></body></html>
"""


def show(folder: Path, terminal: Terminal) -> None:
    """Start everything, print the address, and wait for SIGINT or SIGTERM. Raises NotStarted, OSError."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    terminal.line("starting Central, a node, the gateway and the local transfer client on this machine")
    with ExitStack() as stack:
        start = _everything(folder, stack)
        address = stack.enter_context(_served(start))
        terminal.line(f"open {address} in a browser on this machine; Ctrl-C ends the demo")
        ended.wait()


def _everything(folder: Path, stack: ExitStack) -> str:
    """Start the parts; gives the start page."""
    from asperacentral.client.book import Book
    from asperacentral.credentials.passwords import hash_password

    password = secrets.token_urlsafe(9)
    remote, prefix, desktop = folder / "remote", folder / "central", folder / "desktop"
    for each in (remote, prefix, desktop):
        each.mkdir()
    (remote / "welcome.txt").write_text("This file was received.\n")
    (prefix / "token.key").write_text(secrets.token_urlsafe(32))
    key = _make_key(desktop / "transfer.key")
    words = {"user": USER, "hash": hash_password(password)}
    (prefix / "users.toml").write_text(_USERS.format(**words, key=key, docroot=remote))
    (prefix / "web-users.toml").write_text(_WEB_USERS.format(**words))
    node = stack.enter_context(LocalUsersNode(folder, prefix / "users.toml", prefix / "var/run/aspera"))
    (desktop / "known_hosts").write_text(f"[127.0.0.1]:{node.port} {_public(folder / 'node_host_key')}\n")
    daemon = stack.enter_context(LocalDaemon(prefix, more=_CONF.format(port=node.port)))
    gateway = stack.enter_context(LocalGateway(prefix))
    book = Book(desktop / "state")
    book.decide(gateway.url, True)
    book.close()
    client = stack.enter_context(LocalDesktop(desktop))
    return _START.format(
        user=USER,
        password=escape(password),
        page=f"{gateway.url}/aspera/http-gwy/page/",
        console=f"{daemon.url}/console/",
        remote=escape(str(remote)),
        downloads=escape(str(client.downloads)),
    )


def _make_key(file: Path) -> str:
    """A new private key in a file; gives its public half."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(file))
    file.chmod(0o600)
    return key.export_public_key().decode().strip()


def _public(file: Path) -> str:
    import asyncssh

    return asyncssh.read_private_key(str(file)).export_public_key().decode().strip()


@contextmanager
def _served(page: str) -> Iterator[str]:
    """Serve the start page on loopback; gives its address. It holds a password, so its address is not to be guessed."""
    path = f"/{secrets.token_urlsafe(12)}/"

    class Start(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == path
            body = page.encode() if found else b"nothing here\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8" if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the terminal is the demo's."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Start)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{path}"
    finally:
        server.shutdown()
        server.server_close()
