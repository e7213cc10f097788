"""The vocabulary in which `models` are written: XSD types, how often an element occurs, and its domain field.

Every member of a model names the attribute of the domain value (`central.model`, `central.order`,
`central.query`) that it stands for, so that one line per element serves reading and writing. A path with dots
leads through several objects; an empty one means the value itself, so a group can share its parent's value;
None means that the element is always written empty or zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from asperacentral.soap.spyne_names import (
    Boolean,
    ComplexModel,
    DateTime,
    Float,
    Integer,
    Unicode,
)


def _integer(name: str, low: int, high: int | None) -> type[Integer]:
    class Bounded(Integer):
        __type_name__ = name

        class Attributes(Integer.Attributes):
            ge = low
            le = Integer.Attributes.le if high is None else high

    return Bounded


String = Unicode
Int = _integer("int", -(2**31), 2**31 - 1)
Long = _integer("long", -(2**63), 2**63 - 1)
UnsignedByte = _integer("unsignedByte", 0, 2**8 - 1)
UnsignedShort = _integer("unsignedShort", 0, 2**16 - 1)
UnsignedInt = _integer("unsignedInt", 0, 2**32 - 1)
UnsignedLong = _integer("unsignedLong", 0, 2**64 - 1)
PositiveInteger = _integer("positiveInteger", 1, None)

__all__ = [
    "Boolean",
    "DateTime",
    "Float",
    "Int",
    "Long",
    "Model",
    "PositiveInteger",
    "String",
    "UnsignedByte",
    "UnsignedInt",
    "UnsignedLong",
    "UnsignedShort",
    "domain_values",
    "many",
    "maybe",
    "one",
]


class Model(ComplexModel):
    """A type or message of the contract."""

    qualified: ClassVar[bool] = False
    """Whether the children are in the namespace when written (contract §2)."""

    aliases: ClassVar[Mapping[str, str]] = {}
    """Other spellings of children that are understood when reading, with the contract's spelling."""


def one(kind: Any, field: str | None, *, words: Mapping[str, str] | None = None) -> Any:
    """An element that occurs exactly once; `words` translates values when writing."""
    return kind.customize(min_occurs=1, max_occurs=1, field=field, words=words, varying=False)


def maybe(kind: Any, field: str | None, *, varying: bool = False) -> Any:
    """An element that occurs at most once; not written when the value is None. `varying`: changes all the time, as
    counters do."""
    return kind.customize(min_occurs=0, max_occurs=1, field=field, words=None, varying=varying)


def many(kind: Any, field: str) -> Any:
    """An element that occurs any number of times."""
    return kind.customize(min_occurs=0, max_occurs="unbounded", field=field, words=None, varying=False)


def domain_values(received: Any) -> dict[str, Any]:
    """What a received model says, by domain field: lists as tuples, dates as seconds; what is absent is left out.

    A date without a zone is UTC.
    """
    values: dict[str, Any] = {}
    for name, kind in type(received).get_flat_type_info(type(received)).items():
        value = getattr(received, name)
        if value is None:
            continue
        if isinstance(value, list):
            value = tuple(value)
        elif isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        values[kind.Attributes.field] = value
    return values
