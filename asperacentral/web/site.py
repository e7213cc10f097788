"""All faces on one site: `make_site` builds what a daemon or a test listens with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.web.resource import Resource

from asperacentral.web.resources import Directory
from asperacentral.web.server import LimitedSite, Measure

Refusal = Callable[[str], tuple[bytes, bytes]]
"""From the reason of a refusal, before the request was read, to the content type and body that tell it."""


@dataclass(frozen=True, slots=True)
class Face:
    """What a face serves: resources by their path (`services/soap`), and how a request to one of them is refused.

    `hint` says where it is, for those who look elsewhere.
    """

    resources: Mapping[str, Resource]
    refusal: Refusal
    hint: str


def make_site(
    faces: Sequence[Face],
    *,
    max_body: int = 1 << 20,
    request_deadline: float = 30,
    max_connections: int = 1000,
    per_address: int = 500,
    reactor: Any,
    measure: Measure = lambda *_: None,
    names: Collection[str] = (),
) -> LimitedSite:
    """The site of the faces; the first one's words refuse what is addressed to none.

    `max_body` is in bytes; `request_deadline` in seconds, for a request to come whole, again for its answer to be
    found, and again for the answer to be taken. `measure` is told of each answer of a face.
    `names`, in lower case, are those by which pages of the site's own are opened, besides its addresses.
    """
    places = {path: face for face in faces for path in face.resources}

    def refusal(reason: str, path: bytes) -> tuple[bytes, bytes]:
        asked = path.decode("latin-1").lstrip("/") + "/"
        face = next((face for place, face in places.items() if asked.startswith(f"{place}/")), faces[0])
        return face.refusal(reason)

    return LimitedSite(
        _tree({path: face.resources[path] for path, face in places.items()}, [face.hint for face in faces]),
        max_body=max_body,
        request_deadline=request_deadline,
        max_connections=max_connections,
        per_address=per_address,
        refusal=refusal,
        reactor=reactor,
        measure=measure,
        names=names,
    )


def _tree(resources: Mapping[str, Resource], hints: Sequence[str]) -> Directory:
    """Folders that lead to the resources."""
    children: dict[str, Resource] = {}
    below: dict[str, dict[str, Resource]] = {}
    for path, resource in resources.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = resource
        else:
            children[name] = resource
    for name, inner in below.items():
        folder = _tree(inner, hints)
        front = children.setdefault(name, folder)
        if front is not folder:  # A resource that has others below it: its own go first.
            for part, resource in folder.children.items():
                front.putChild(part, front.children.get(part, resource))
    return Directory(children, "; ".join(hints))
