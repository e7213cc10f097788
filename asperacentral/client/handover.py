"""Shows the user addresses of ours that others must not learn, where the system does not say whose connections come.

What a program is started with is public on the machine, so an address among its arguments is, too. On Linux that is of
no use to anybody: connections of other users are dropped unread. Elsewhere the program is given a file that only the
user can read, which leads on to the address.
"""

from __future__ import annotations

import html
import os
import secrets
from pathlib import Path

from asperacentral.client.native import Opener
from asperacentral.fasp.reactor import ManagerReactor

KEPT_SECONDS = 60.0
"""How long a browser may take to open the file."""
_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0; url={0}"><title>Transfer client</title></head>'
    '<body><p><a href="{0}">Go on</a></p></body></html>'
)


class Handover:
    """An `Opener` for our own addresses that hands files of `folder` to `opener`."""

    def __init__(self, folder: Path, opener: Opener, reactor: ManagerReactor) -> None:
        self._folder = folder
        self._opener = opener
        self._reactor = reactor
        for left in folder.glob("open-*.html"):
            left.unlink(missing_ok=True)

    def __call__(self, address: str) -> None:
        """Show it. OSError."""
        file = self._folder / f"open-{secrets.token_hex(8)}.html"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as page:
            page.write(_PAGE.format(html.escape(address)))
        self._reactor.callLater(KEPT_SECONDS, file.unlink, True)
        self._opener(file.as_uri())
