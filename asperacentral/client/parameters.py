"""The parameters of a call, taken out one by one with their types. Pure; what is wrong is named in a BadRequest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asperacentral.client.errors import BadRequest

_NEEDED = object()


class Parameters:
    """A JSON object that is read. `place` is its name in what is told."""

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self._values = values
        self._place = place

    @classmethod
    def of(cls, given: Any, names: Sequence[str] = ()) -> Parameters:
        """The parameters of a request; those of a list get `names`."""
        if isinstance(given, list):
            if len(given) > len(names):
                raise BadRequest("the parameters of this method are named: an object is expected")
            given = dict(zip(names, given, strict=False))
        if not isinstance(given, dict):
            raise BadRequest("the parameters are a JSON object")
        return cls(given)

    @property
    def values(self) -> dict[str, Any]:
        """All of them, as they are."""
        return dict(self._values)

    def text(self, name: str, default: Any = _NEEDED) -> str:
        """A text."""
        value = self._taken(name, str, default)
        if "\0" in value:
            raise BadRequest(f"{self._place}{name} contains a NUL character")
        return str(value)

    def number(self, name: str, default: Any = _NEEDED) -> int:
        """A whole number; one with a fraction loses it."""
        return int(self._taken(name, (int, float), default))

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        return bool(self._taken(name, bool, default))

    def table(self, name: str, *, optional: bool = False) -> dict[str, Any]:
        """An object, as it is."""
        found: dict[str, Any] = self._taken(name, dict, {} if optional else _NEEDED)
        return found

    def inner(self, name: str, *, optional: bool = False) -> Parameters:
        """An object, to be read on."""
        return Parameters(self.table(name, optional=optional), f"{self._place}{name}.")

    def several(self, name: str) -> list[Parameters]:
        """A list of objects, empty if it is not there, or is an empty text as Connect's library says that."""
        found = self._taken(name, list, []) if self._values.get(name) != "" else []
        if not all(isinstance(each, dict) for each in found):
            raise BadRequest(f"{self._place}{name} is a list of objects")
        return [Parameters(each, f"{self._place}{name}.") for each in found]

    def texts(self, name: str) -> list[str]:
        """A list of texts, empty if it is not there."""
        found = self._taken(name, list, [])
        if not all(isinstance(each, str) for each in found):
            raise BadRequest(f"{self._place}{name} is a list of texts")
        return [str(each) for each in found]

    def _taken(self, name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value = self._values.get(name)
        if value is None:
            if default is _NEEDED:
                raise BadRequest(f"{self._place}{name} is missing")
            return default
        good = isinstance(value, kind) and (not isinstance(value, bool) or kind is bool)
        if not good or (isinstance(value, float) and not -1e15 < value < 1e15):
            raise BadRequest(f"{self._place}{name} has a wrong type")
        return value
