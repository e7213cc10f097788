"""The client's own pages as HTML: one frame for all, without scripts, and the headers that keep others out of them."""

from __future__ import annotations

import base64
import hashlib
import html

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  --ground: #f5f6f8; --card: #fff; --line: #c9ced8; --text: #1a1e26; --soft: #555d6b; --accent: #0b5cb0;
  --on-accent: #fff; --bad: #b3261e; --shade: #eceef2 }
@media (prefers-color-scheme: dark) { :root { --ground: #12151a; --card: #1b1f27; --line: #3a4250; --text: #e7eaf0;
  --soft: #a4adbc; --accent: #7ab8ff; --on-accent: #0b1626; --bad: #ff9a92; --shade: #242a35 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text) }
main { max-width: 44rem; margin: 2rem auto; padding: 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px }
@media (max-width: 46rem) { main { margin: .6rem } }
h1 { font-size: 1.2rem; margin: 0 0 .75rem; overflow-wrap: anywhere }
p { margin: .6rem 0; overflow-wrap: anywhere }
.soft { color: var(--soft) }
[role=alert] { color: var(--bad) }
ul { list-style: none; margin: 0; padding: 0; max-height: 60vh; overflow: auto; border: 1px solid var(--line);
  border-radius: 6px }
li { display: flex; gap: .6rem; align-items: center; min-height: 2.2rem; padding: .15rem .75rem;
  overflow-wrap: anywhere }
li + li { border-top: 1px solid var(--shade) }
li:hover { background: var(--shade) }
li label { display: flex; gap: .6rem; align-items: center; flex: 1; cursor: pointer }
input[type=checkbox], input[type=radio] { width: 1.1rem; height: 1.1rem; flex: none; accent-color: var(--accent) }
button, input { font: inherit; color: inherit }
button, input:not([type=checkbox]):not([type=radio]) { background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .35rem .9rem; min-height: 40px }
button { cursor: pointer }
button:disabled { opacity: .5; cursor: default }
button.permit { background: var(--accent); color: var(--on-accent); border-color: var(--accent); font-weight: 600 }
button.folder { border: 0; background: none; color: var(--accent); padding: 0; min-height: 0; text-align: left;
  flex: 1 }
.buttons { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
table { border-collapse: collapse; width: 100% }
th { font-size: .85rem; color: var(--soft) }
td, th { text-align: left; padding: .4rem .5rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
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
