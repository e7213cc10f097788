"""What of a SOAP message may be logged: everything but its secrets. Pure.

A message that is well-formed is shown whole, with the order in it unescaped, and every secret as `***`. Of one that is
not, nothing is shown from the first name of a secret on, since where the secret ends cannot be known.
"""

from __future__ import annotations

import re
from html import unescape
from xml.etree.ElementTree import Element, ParseError, XMLParser, tostring

from asperacentral.soap.names import local_name

_SECRETS = frozenset({"password", "passphrase", "token"})
_MASK = "***"
_NAME_OF_SECRET = re.compile(r"(?<![a-z])(?:password|passphrase|token)(?![a-z])", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=//)[^/\s@<>\"']{1,500}(?=@)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def loggable(text: str) -> str:
    """A message as it may be logged: without secrets, in one line, with control characters spelt out."""
    return _CONTROL.sub(lambda found: ascii(found.group())[1:-1], masked(text))


def masked(text: str) -> str:
    """A message without its secrets."""
    root = _parsed(text)
    if root is None:
        shown = _cut_at_secret(text)
    elif not _mask(root):
        shown = text
    else:
        try:
            shown = tostring(root, encoding="unicode")
        except RecursionError:
            shown = "[nested too deep to be shown]"
    return _CREDENTIALS.sub(_MASK, shown)


def _parsed(text: str) -> Element | None:
    if "<!DOCTYPE" in text:
        return None
    try:
        parser = XMLParser(encoding="utf-8")  # noqa: S314 - DOCTYPE is refused
        parser.feed(text.strip().encode("utf-8", "surrogatepass"))
        return parser.close()
    except ParseError:
        return None


def _mask(root: Element) -> bool:
    """Put the mask in place of every secret; tells whether there was any."""
    found = False
    for element in root.iter():
        text = element.text or ""
        if local_name(element.tag).lower() in _SECRETS:
            if text or len(element):
                del element[:]
                element.text = _MASK
                found = True
        elif "<" in text:
            element.text = masked(text)
            found = found or element.text != text
    return found


def _cut_at_secret(text: str) -> str:
    plain = text
    for _ in range(4):
        plain, before = unescape(plain), plain
        if plain == before:
            break
    found = _NAME_OF_SECRET.search(plain)
    return text if found is None else f"{plain[: found.end()]} [the rest may hold a secret]"
