"""`asperacentral submit`: hand an order to a daemon."""

from __future__ import annotations

import argparse
import codecs
import sys
from pathlib import Path

from asperacentral.commands.client import CentralClient, CentralProblem, add_url_argument, with_client
from asperacentral.commands.terminal import Terminal
from asperacentral.commands.watch import watch

HELP = "submit an order to a daemon"

DESCRIPTION = """\
Submit an order (an XML document with the root element Order) and print the id of the new job. The order is on the
daemon's disk when the id is printed; the transfer runs on its own from then on. With --watch, follow it to its end
(the exit status is then that of `asperacentral watch`).

An order that pushes a folder:

    <Order>
      <Operation>Push</Operation>
      <RemoteLocation>
        <System><Address>host.example</Address><UserName>alice</UserName><Password>secret</Password></System>
        <Files><Path>/incoming</Path></Files>
      </RemoteLocation>
      <LocalLocation><Files><Path>/data/results</Path></Files></LocalLocation>
    </Order>

Examples:
    asperacentral submit order.xml --watch
    job=$(asperacentral submit - < order.xml)
"""

_LONGEST_ORDER = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("order", metavar="ORDER.xml", help="the order; - reads it from standard input")
    parser.add_argument("--watch", action="store_true", help="follow the job until it ends")
    add_url_argument(parser)


def run(args: argparse.Namespace) -> int:
    """0 when submitted, 1 with one line if not; with --watch as `watch`."""

    def work(client: CentralClient) -> int:
        job = client.submit(read_order(args.order))
        print(job, flush=True)
        return watch(client, job, Terminal(sys.stdout)) if args.watch else 0

    return with_client(args.url, work)


def read_order(name: str) -> str:
    """The order's text, from the file `name` or standard input. CentralProblem if it cannot be read."""
    shown = "standard input" if name == "-" else name
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_LONGEST_ORDER + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(_LONGEST_ORDER + 1)
        if len(data) > _LONGEST_ORDER:
            raise CentralProblem(f"{shown} is longer than {_LONGEST_ORDER:,} bytes; that is no order")
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as problem:
        raise CentralProblem(f"cannot read {shown}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise CentralProblem(f"{shown} is neither UTF-8 nor UTF-16") from None
