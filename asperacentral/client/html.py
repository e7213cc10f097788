"""The client's own pages as HTML: one frame for all, without scripts, and the headers that keep others out of them."""

from __future__ import annotations

import base64
import hashlib
import html

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem }
ul { list-style: none; padding: 0; max-height: 60vh; overflow: auto; border: 1px solid GrayText }
li { padding: .15rem .5rem; overflow-wrap: anywhere }
button { font: inherit; padding: .25rem .75rem }
button.folder { border: 0; background: none; color: LinkText; cursor: pointer; text-align: left }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid GrayText; overflow-wrap: anywhere }
button.permit { animation: wake 1s steps(1) }
@keyframes wake { from { pointer-events: none; opacity: .4 } to { pointer-events: auto; opacity: 1 } }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

SAFE_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def page(title: str, body: str) -> str:
    """A page; `title` is any text, `body` is HTML."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{text(title)}</h1>{body}</main></body></html>"
    )


def text(raw: str) -> str:
    """Any text as it may stand in HTML, in an attribute, too."""
    return html.escape(raw)
