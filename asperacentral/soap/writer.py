"""Compiled answer writers: a model becomes, once, a text template and a list of values to put into it.

Rendering an answer is then one attribute look-up and one formatting per element. Groups that share their parent's
value dissolve into its template; lists of records are joined from one fragment of bytes per record, which the records
keep in their `fragments` until they change. Of a record that changes again and again the text of what seldom changes
is kept as well, in its `templates`. A long answer is made in steps. Knows models and domain values, not operations or
envelopes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from asperacentral.soap.fields import Boolean, DateTime, Float, Model
from asperacentral.soap.spyne_names import ComplexModelBase, Integer
from asperacentral.soap.text import boolean, bounded, date_time, decimal, escape

Steps = Generator[None, None, bytes]
"""The making of XML in UTF-8: a pause after every few records, so that other things can be done in between."""

_Segment = Callable[[Any, list[bytes]], Iterable[None]]
_Format = Callable[[Any], object]
_Reader = Callable[[Any], tuple[Any, ...]]

PREFIX = "ns1:"
"""The prefix of the answer's namespace, as the original's answers have it."""

STEP = 20
"""Records rendered in one step: about 0.3 ms."""


class Renderer:
    """From a domain value to XML, in UTF-8."""

    def __init__(self, segments: Sequence[_Segment]) -> None:
        self._segments = segments

    def steps(self, value: Any) -> Steps:
        """Render in steps. What is rendered is the value as it is at the first of them."""
        chunks: list[bytes] = []
        for segment in self._segments:
            yield from segment(value, chunks)
        return b"".join(chunks)

    def __call__(self, value: Any) -> bytes:
        """Render at once."""
        steps = self.steps(value)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return bytes(end.value)


def compile_message(name: str, model: type[Model] | None) -> Renderer:
    """A writer of the element `ns1:name` with the model's content; without a model the element is empty."""
    if model is None:
        return Renderer([_constant(f"<{PREFIX}{name}/>".encode())])
    return _Compiler().element(PREFIX + name, model, "").renderer()


@dataclass(frozen=True, slots=True)
class _Value:
    """A place in a template: the path to its value, how that is written, and whether it seldom changes."""

    path: str
    write: _Format
    steady: bool


class _Compiler:
    """Collects literal text and values; turns what it has into a segment whenever a list interrupts it."""

    def __init__(self) -> None:
        self._parts: list[str | _Value] = []
        self._segments: list[_Segment] = []

    def renderer(self) -> Renderer:
        self._close_segment()
        return Renderer(tuple(self._segments))

    def record(self) -> _Template | None:
        """What has been collected as the template of a record; None if there are lists of records in it."""
        return None if self._segments else _Template(self._parts)

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
        steady = not (kind.Attributes.varying or _is_wide(kind))
        if repeated:
            self._value(inner, _repeated(tag, write), steady)
        elif optional:
            self._value(inner, _optional(tag, write), steady)
        else:
            self._literal(f"<{tag}>")
            self._value(inner, write, steady)
            self._literal(f"</{tag}>")

    def _literal(self, text: str) -> None:
        self._parts.append(text)

    def _value(self, path: str, write: _Format, steady: bool) -> None:
        self._parts.append(_Value(path, write, steady))

    def _records(self, tag: str, model: type[Model], path: str) -> None:
        self._close_segment()
        template = _Compiler().element(tag, model, "").record()
        if template is None:
            raise TypeError(f"{tag}: records must not hold lists of records")
        self._segments.append(_kept_records(tag, template, _reader(path)))

    def _close_segment(self) -> None:
        if self._parts:
            self._segments.append(_template_segment(_Template(self._parts)))
        self._parts = []


class _Template:
    """Text with places for values. Values are read first, so that the record may change before they are written: all
    at once, or those that seldom change before the others."""

    def __init__(self, parts: Sequence[str | _Value]) -> None:
        values = [part for part in parts if isinstance(part, _Value)]
        steady = [value for value in values if value.steady]
        varying = [value for value in values if not value.steady]
        self._text = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in parts)
        # Filling in twice takes every % of the text apart twice.
        self._text_for_steady = "".join(
            part.replace("%", "%%%%") if isinstance(part, str) else "%s" if part.steady else "%%s"
            for part in parts
        )
        both = [*steady, *varying]
        self._order = tuple(both.index(value) for value in values)
        self._formats = tuple(value.write for value in values)
        self._steady_formats = tuple(value.write for value in steady)
        self._varying_formats = tuple(value.write for value in varying)
        self.read_steady = _read_all([value.path for value in steady])
        self.read_varying = _read_all([value.path for value in varying])

    def written(self, steady: tuple[Any, ...], varying: tuple[Any, ...]) -> bytes:
        """All at once."""
        values = steady + varying
        texts = [write(values[place]) for write, place in zip(self._formats, self._order, strict=True)]
        return (self._text % tuple(texts)).encode()

    def filled(self, steady: tuple[Any, ...]) -> str:
        """The text with what seldom changes in it, and places for the rest."""
        texts = [write(value) for write, value in zip(self._steady_formats, steady, strict=True)]
        return self._text_for_steady % tuple([str(text).replace("%", "%%") for text in texts])

    def completed(self, filled: str, varying: tuple[Any, ...]) -> bytes:
        """What `filled` left, filled in."""
        texts = [write(value) for write, value in zip(self._varying_formats, varying, strict=True)]
        return (filled % tuple(texts)).encode()


def _constant(text: bytes) -> _Segment:
    def segment(_value: Any, chunks: list[bytes]) -> Iterable[None]:
        chunks.append(text)
        return ()

    return segment


def _template_segment(template: _Template) -> _Segment:
    def segment(value: Any, chunks: list[bytes]) -> Iterable[None]:
        chunks.append(template.written(template.read_steady(value), template.read_varying(value)))
        return ()

    return segment


def _kept_records(tag: str, template: _Template, read: Callable[[Any], Iterable[Any]]) -> _Segment:
    def segment(value: Any, chunks: list[bytes]) -> Iterable[None]:
        changed = []
        for record in read(value):
            fragment = record.fragments.get(tag)
            if fragment is None:
                changed.append(_Changed(len(chunks), record, template))
            chunks.append(fragment or b"")
        for count, each in enumerate(changed):
            if count % STEP == STEP - 1:
                yield
            chunks[each.place] = each.render(tag, template)

    return segment


class _Changed:
    """A record to be rendered, with its values of this moment: it may have changed again when its turn comes."""

    __slots__ = ("_change", "_record", "_steady", "_varying", "place")

    def __init__(self, place: int, record: Any, template: _Template) -> None:
        self.place = place
        self._record = record
        self._change = getattr(record, "change", None)
        self._steady = template.read_steady(record)
        self._varying = template.read_varying(record)

    def render(self, tag: str, template: _Template) -> bytes:
        filled = self._filled(tag, template)
        if filled is None:
            fragment = template.written(self._steady, self._varying)
        else:
            fragment = template.completed(filled, self._varying)
        if getattr(self._record, "change", None) == self._change:
            self._record.fragments[tag] = fragment
        return fragment

    def _filled(self, tag: str, template: _Template) -> str | None:
        """The record's own template, from its second rendering on: most are rendered when they change no more."""
        templates = getattr(self._record, "templates", None)
        if templates is None:
            return None
        known, filled = templates.get(tag, (None, None))
        if known is not None and (filled is None or known != self._steady):
            filled = template.filled(self._steady)
        templates[tag] = (self._steady, filled)
        return filled  # type: ignore[no-any-return]


def _reader(path: str) -> Callable[[Any], Any]:
    return attrgetter(path) if path else lambda value: value


def _read_all(paths: list[str]) -> _Reader:
    if len(paths) > 1 and all(paths):
        return attrgetter(*paths)
    readers = [_reader(path) for path in paths]
    return lambda value: tuple([read(value) for read in readers])


def _repeated(tag: str, write: _Format) -> _Format:
    return lambda values: "".join([f"<{tag}>{write(value)}</{tag}>" for value in values])


def _optional(tag: str, write: _Format) -> _Format:
    return lambda value: "" if value is None else f"<{tag}>{write(value)}</{tag}>"


def _is_wide(kind: Any) -> bool:
    """Whether values of a simple type are counters: they change all the time, and cost little to write."""
    return issubclass(kind, Integer) and not issubclass(kind, Boolean) and _bounds(kind)[1] >= 2**31 - 1


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
