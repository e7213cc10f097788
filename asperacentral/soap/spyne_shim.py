"""Lets spyne 2.14.0 be imported on Python 3.12 and later.

Its own copy of `six` cannot import its `moves` from 3.12 on, and `spyne.protocol.soap` wants the module `cgi`,
which 3.13 no longer has. `spyne_names` calls `install` before, and `remove` after, the first import of spyne.
Knows nothing of SOAP.
"""

from __future__ import annotations

import collections.abc
import http.cookies
import sys
import types
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from importlib.util import find_spec
from operator import attrgetter

import six

_SIX = "spyne.util.six"
_MOVES: dict[str, types.ModuleType] = {
    "collections_abc": collections.abc,
    "http_cookies": http.cookies,
    "urllib": urllib,
    "urllib.error": urllib.error,
    "urllib.parse": urllib.parse,
    "urllib.request": urllib.request,
}


def install() -> bool:
    """Put the real `six` in place of spyne's copy, and a stand-in for `cgi` if Python has none.

    Tells whether the stand-in was needed.
    """
    if _SIX not in sys.modules:
        _install_six()
    if find_spec("cgi") is not None:
        return False
    sys.modules["cgi"] = _cgi()
    return True


def remove() -> None:
    """Take the stand-in for `cgi` away again, so that nobody else mistakes it for the real module."""
    sys.modules.pop("cgi", None)


def _install_six() -> None:
    module = types.ModuleType(_SIX, six.__doc__)
    module.__dict__.update({name: value for name, value in vars(six).items() if not name.startswith("__")})
    module.__path__ = []
    module.get_function_name = attrgetter("__name__")  # type: ignore[attr-defined]
    module.set_function_name = _set_function_name  # type: ignore[attr-defined]
    sys.modules[_SIX] = module
    sys.modules[f"{_SIX}.moves"] = six.moves
    for name, target in _MOVES.items():
        sys.modules[f"{_SIX}.moves.{name}"] = target


def _set_function_name(function: types.FunctionType, name: str) -> None:
    function.__name__ = name


def _cgi() -> types.ModuleType:
    module = types.ModuleType("cgi", "A stand-in for the former module cgi, as far as spyne mentions it.")
    module.parse_header = _parse_header  # type: ignore[attr-defined]
    module.FieldStorage = None  # type: ignore[attr-defined]
    return module


def _parse_header(line: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["content-type"] = line
    parameters = message.get_params([])
    if not parameters:
        return line, {}
    return parameters[0][0], dict(parameters[1:])
