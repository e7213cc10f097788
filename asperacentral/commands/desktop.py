"""`asperacentral desktop`: run the local transfer client. Options, start and end only; the client is in `client/`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from asperacentral import logs

if TYPE_CHECKING:
    from asperacentral.client.desktop import Options

HELP = "the local transfer client for web pages"

DESCRIPTION = """\
Run the local transfer client: web pages that use Aspera's JavaScript libraries send and receive files through it. It
answers on this machine only, as IBM Aspera for desktop (JSON-RPC, port 33024) and as Aspera Connect (port 33003). You
are asked before a site may use it, and a page learns of no file that you have not chosen for it.

Examples:
    asperacentral desktop
    asperacentral desktop --allow https://files.example.com     # a decision beforehand, without being asked
    asperacentral desktop --sites                               # what was decided
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="remember things here (default: the state folder)"
    )
    parser.add_argument(
        "--downloads", type=Path, metavar="DIR", help="downloads go here (default: ~/Downloads)"
    )
    parser.add_argument("--port", type=_port, help="JSON-RPC (default: the first free one of 33024 to 33029)")
    parser.add_argument(
        "--connect-port", type=_port, help="Connect (default: the first free one of 33003 to 33022)"
    )
    parser.add_argument(
        "--transfer-key", type=Path, metavar="FILE", help="SSH key for servers that want a token only"
    )
    parser.add_argument("--known-hosts", type=Path, metavar="FILE", help="default: ~/.ssh/known_hosts")
    parser.add_argument("--opener", default="", metavar="PROGRAM", help="shows addresses (default: xdg-open)")
    parser.add_argument(
        "--no-native-dialogs", action="store_true", help="ask in the browser, not by zenity or kdialog"
    )
    parser.add_argument(
        "--connect-uri-folder",
        type=Path,
        metavar="DIR",
        help="say in DIR/http.uri where Connect is, for programs that look there (~/.aspera/connect/var/run)",
    )
    parser.add_argument("--at-once", type=int, default=8, help="transfers at a time (default: %(default)s)")
    parser.add_argument("--desktop-version", help="the version that pages are told over JSON-RPC")
    parser.add_argument("--connect-version", help="the version of Connect that pages are told")
    parser.add_argument(
        "-D", dest="debug", action="count", default=0, help="log more: -D steps, -DD messages"
    )
    parser.add_argument(
        "-L", dest="log", metavar="DIR", type=Path, help="log in DIR (default: standard error)"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--open", metavar="ADDRESS", help="an aspera: or fasp: address that a page opened")
    instead.add_argument("--allow", metavar="ORIGIN", help="allow a site, and end")
    instead.add_argument("--refuse", metavar="ORIGIN", help="refuse a site, and end")
    instead.add_argument("--forget", metavar="ORIGIN", help="forget what was decided for a site, and end")
    instead.add_argument(
        "--sites", action="store_true", help="list the sites that were decided upon, and end"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. 0 after that, 1 with one line if it cannot start."""
    try:
        if args.sites or args.allow or args.refuse or args.forget:
            return _decide(args)
        if args.open and _passed_on(args, args.open):
            return 0
        return _serve(args)
    except (OSError, ValueError) as problem:
        return _failed(str(problem))


def _serve(args: argparse.Namespace) -> int:
    logs.configure({0: 20, 1: logs.STEPS}.get(args.debug, logs.MESSAGES), args.log, name="desktop")
    from asperacentral.client.desktop import CannotStart, Desktop

    try:
        from twisted.internet import reactor

        loop: Any = reactor
        logs.capture_twisted()
        desktop = Desktop(_options(args), loop)
    except CannotStart as problem:
        return _failed(str(problem))
    if args.open:
        desktop.service.register_session(_session_of(args.open))
    print(
        f"listening on 127.0.0.1: JSON-RPC {desktop.rpc_port}, Connect {desktop.connect_port}, "
        f"pages {desktop.pages_port}",
        flush=True,
    )
    loop.addSystemEventTrigger("before", "shutdown", desktop.stop)
    loop.run()
    return 0


def _options(args: argparse.Namespace) -> Options:
    from asperacentral.client.desktop import CONNECT_PORTS, RPC_PORTS, Options

    told = {"desktop_version": args.desktop_version, "connect_version": args.connect_version}
    return Options(
        folder=_state(args),
        downloads=(args.downloads or _downloads()).absolute(),
        known_hosts=(args.known_hosts or Path.home() / ".ssh" / "known_hosts").absolute(),
        rpc_ports=RPC_PORTS if args.port is None else (args.port,),
        connect_ports=CONNECT_PORTS if args.connect_port is None else (args.connect_port,),
        transfer_key=args.transfer_key.absolute() if args.transfer_key else None,
        opener=args.opener,
        native_dialogs=not args.no_native_dialogs,
        at_once=max(args.at_once, 1),
        uri_folder=args.connect_uri_folder.absolute() if args.connect_uri_folder else None,
        **{name: value for name, value in told.items() if value},
    )


def _decide(args: argparse.Namespace) -> int:
    """Look at, or change, what was decided for sites; a client that runs takes it over at once."""
    from asperacentral.client.book import Book
    from asperacentral.client.origins import read_origin

    book = Book(_state(args))
    if args.forget:
        if not book.forget(read_origin(args.forget)):
            return _failed(f"nothing was decided for {args.forget}")
    elif args.allow or args.refuse:
        book.decide(read_origin(args.allow or args.refuse), bool(args.allow))
    for origin, allowed in book.sites().items() if args.sites else ():
        print(f"{'allowed' if allowed else 'refused'}  {origin}")
    book.close()
    return 0


def _passed_on(args: argparse.Namespace, address: str) -> bool:
    """Tell a client that runs already of the page that wants one; False when none does."""
    try:
        ports = json.loads((_state(args) / "ports.json").read_text())
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"session_id": _session_of(address)},
        }
        request = urllib.request.Request(f"http://127.0.0.1:{int(ports['rpc'])}/", json.dumps(call).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=5) as answer:
            return "result" in json.load(answer)
    except (OSError, ValueError, KeyError):
        return False


def _session_of(address: str) -> str:
    """The number in `aspera://initialize?app_id=..&session_id=..`; empty without one."""
    parts = urlsplit(address)
    if parts.scheme not in ("aspera", "fasp"):
        raise ValueError(f"{address[:100]!r} is no aspera: or fasp: address")
    return parse_qs(parts.query).get("session_id", [""])[0][:200]


def _state(args: argparse.Namespace) -> Path:
    if args.state is not None:
        return Path(args.state).absolute()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "asperacentral" / "desktop"


def _downloads() -> Path:
    """The user's folder for downloads, whatever it is called in the user's language."""
    try:
        said = subprocess.run(
            ["xdg-user-dir", "DOWNLOAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Path.home() / "Downloads"
    found = Path(said.stdout.strip() or "/")
    return (
        found if found.is_absolute() and found not in (Path("/"), Path.home()) else Path.home() / "Downloads"
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return port


def _failed(why: str) -> int:
    print(f"asperacentral desktop: {why}", file=sys.stderr)
    return 1
