"""Compiled answer writers: a model becomes, once, a text template and a list of values to put into it.

Rendering an answer is then one attribute look-up and one formatting per element. Groups that share their parent's
value dissolve into its template; lists of records are joined from one fragment of bytes per record, which the records
keep in their `fragments` until they change. Knows models and domain values, not operations or envelopes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from asperacentral.soap.fields import Boolean, DateTime, Float, Model
from asperacentral.soap.spyne_names import ComplexModelBase, Integer
from asperacentral.soap.text import boolean, bounded, date_time, decimal, escape

Renderer = Callable[[Any], bytes]
"""From a domain value to XML, in UTF-8."""

_Segment = Callable[[Any, list[bytes]], None]
_Format = Callable[[Any], str]

PREFIX = "ns1:"
"""The prefix of the answer's namespace, as the original's answers have it."""


def compile_message(name: str, model: type[Model] | None) -> Renderer:
    """A writer of the element `ns1:name` with the model's content; without a model the element is empty."""
    if model is None:
        empty = f"<{PREFIX}{name}/>".encode()
        return lambda _value: empty
    return _Compiler().element(PREFIX + name, model, "").renderer()


class _Compiler:
    """Collects literal text and values; turns what it has into a segment whenever a list interrupts it."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._values: list[tuple[str, _Format]] = []
        self._segments: list[_Segment] = []

    def renderer(self) -> Renderer:
        self._close_segment()
        segments = tuple(self._segments)

        def render(value: Any) -> bytes:
            chunks: list[bytes] = []
            for segment in segments:
                segment(value, chunks)
            return b"".join(chunks)

        return render

    def element(self, tag: str, model: type[Model], path: str) -> _Compiler:
        self._literal(f"<{tag}>")
        prefix = PREFIX if model.qualified else ""
        for name, kind in model.get_flat_type_info(model).items():
            self._member(prefix + name, kind, path)
        self._literal(f"</{tag}>")
        return self

    def _member(self, tag: str, kind: Any, path: str) -> None:
        field, repeated = kind.Attributes.field, kind.Attributes.max_occurs > 1
        optional = kind.Attributes.min_occurs == 0
        if field is None:
            if not optional:
                self._literal(f"<{tag}>{_format_of(kind)(None)}</{tag}>")
            return
        inner = ".".join(part for part in (path, field) if part)
        if issubclass(kind, ComplexModelBase):
            if repeated:
                self._records(tag, kind, inner)
            else:
                self.element(tag, kind, inner)
            return
        write = _format_of(kind)
        if repeated:
            self._value(inner, _repeated(tag, write))
        elif optional:
            self._value(inner, _optional(tag, write))
        else:
            self._literal(f"<{tag}>")
            self._value(inner, write)
            self._literal(f"</{tag}>")

    def _literal(self, text: str) -> None:
        self._text.append(text.replace("%", "%%"))

    def _value(self, path: str, write: _Format) -> None:
        self._text.append("%s")
        self._values.append((path, write))

    def _records(self, tag: str, model: type[Model], path: str) -> None:
        self._close_segment()
        render = _Compiler().element(tag, model, "").renderer()
        self._segments.append(_kept_records(tag, render, _reader(path)))

    def _close_segment(self) -> None:
        if self._text:
            self._segments.append(_template("".join(self._text), self._values))
        self._text, self._values = [], []


def _template(text: str, values: list[tuple[str, _Format]]) -> _Segment:
    if not values:
        constant = (text % ()).encode()
        return lambda _value, chunks: chunks.append(constant)
    formats = tuple(write for _, write in values)
    read = _read_all([path for path, _ in values])

    def segment(value: Any, chunks: list[bytes]) -> None:
        texts = tuple([write(part) for write, part in zip(formats, read(value), strict=True)])
        chunks.append((text % texts).encode())

    return segment


def _kept_records(tag: str, render: Renderer, read: Callable[[Any], Iterable[Any]]) -> _Segment:
    def segment(value: Any, chunks: list[bytes]) -> None:
        for record in read(value):
            fragment = record.fragments.get(tag)
            if fragment is None:
                fragment = record.fragments[tag] = render(record)
            chunks.append(fragment)

    return segment


def _reader(path: str) -> Callable[[Any], Any]:
    return attrgetter(path) if path else lambda value: value


def _read_all(paths: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(paths) > 1 and all(paths):
        return attrgetter(*paths)
    readers = [_reader(path) for path in paths]
    return lambda value: tuple([read(value) for read in readers])


def _repeated(tag: str, write: _Format) -> _Format:
    return lambda values: "".join([f"<{tag}>{write(value)}</{tag}>" for value in values])


def _optional(tag: str, write: _Format) -> _Format:
    return lambda value: "" if value is None else f"<{tag}>{write(value)}</{tag}>"


def _format_of(kind: Any) -> _Format:
    """How values of a simple type are written."""
    if kind.Attributes.words:
        words = kind.Attributes.words
        return lambda value: escape(words.get(value, value))
    if issubclass(kind, Integer):
        return bounded(*_bounds(kind))
    for simple, write in ((Boolean, boolean), (DateTime, date_time), (Float, decimal)):
        if issubclass(kind, simple):
            return write
    return escape


def _bounds(kind: Any) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    return int(kind.Attributes.ge), int(kind.Attributes.le)
