"""The name under which a file is kept that is about to be overwritten."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from datetime import UTC, datetime

MOST = 1000
"""Names that are offered for one file and one second."""
LONGEST_NAME = 255
"""Bytes of a name on common file systems."""


def names(path: bytes, modified: int, suffix: bytes = b"") -> Iterator[bytes]:
    """Names to keep `path` by, best first; the first that is free is to be taken.

    Without a suffix they are `name.yyyy.mm.dd.hh.mm.ss.index.ext`, with the time of its last change in UTC (`modified`,
    nanoseconds since the epoch); with one `name` + suffix, and then with an index before it.
    """
    folder, name = posixpath.split(path)
    stem, extension = posixpath.splitext(name)
    stamp = datetime.fromtimestamp(modified // 1_000_000_000, UTC).strftime(".%Y.%m.%d.%H.%M.%S").encode()
    for index in range(MOST):
        if suffix:
            end = suffix if index == 0 else b".%d" % index + suffix
            yield posixpath.join(folder, name[: LONGEST_NAME - len(end)] + end)
        else:
            end = stamp + b".%d" % index + extension
            yield posixpath.join(folder, stem[: max(1, LONGEST_NAME - len(end))] + end)
