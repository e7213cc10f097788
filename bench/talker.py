"""In the place of a transfer process: tells its manager of a great many files as fast as that listens; moves nothing.

`python -m bench.talker COUNT BEGAN ...` with a transfer process's own arguments at the end. It says START and STOP
for each file, with every field `openascp` says, STATS each second, and DONE. When it begins with the first file it
writes the time of the system's monotonic clock into the file BEGAN.
"""

from __future__ import annotations

import hashlib
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from asperacentral.fasp import messages
from asperacentral.fasp.management import Message, encode
from asperacentral.fasp.messages import FileState, Identity, Progress, Rates, Tally

AT_ONCE = 64
"""Files told in one write."""

_FILE, _ID, _BYTES = "the-path", "the-id", 9_876_543_210
"""What stands in the templates for what differs between files: encoding anew would be the slowest part."""


def main(argv: list[str]) -> int:
    count, began = int(argv[0]), Path(argv[1])
    port, user_str = int(argv[argv.index("-M") + 1]), argv[argv.index("-u") + 1]
    who = Identity(user_str, user_str, "bench")
    rates = Rates(1_000_000)

    with socket.create_connection(("127.0.0.1", port)) as manager:

        def say(message: Message) -> None:
            manager.sendall(encode(message))

        say(messages.init(who, direction=messages.SENDING))
        say(messages.session(who, direction=messages.SENDING, rates=rates))
        began.write_text(str(time.monotonic()))
        said = time.monotonic()
        for number, text in _files(who, count):
            manager.sendall(text)
            if time.monotonic() - said >= 1:
                said = time.monotonic()
                say(messages.stats(who, file=None, progress=_progress(number), rates=rates))
        done = Tally(1, 1, count, files_scanned=count, attempted=count, passed=count)
        say(messages.done(who, direction=messages.SENDING, progress=_progress(count), tally=done))
    return 0


def _progress(files: int) -> Progress:
    return Progress(files * 1000, files * 1000, 0, 1, files * 50)


def _files(who: Identity, count: int) -> Iterator[tuple[int, bytes]]:
    """How many files have been told of, and what says so."""
    begun = FileState(_FILE, 1000, 0, 0, 0, _ID, 1)
    ended = FileState(_FILE, 1000, 1000, 1000, 0, _ID, 1)
    stop = messages.stop(who, ended, progress=Progress(_BYTES, _BYTES, 0, 1, 50))
    template = (encode(messages.start(who, begun)) + encode(stop)).decode().replace("%", "%%")
    template = template.replace(_FILE, "%(path)s").replace(_ID, "%(id)s").replace(str(_BYTES), "%(bytes)d")
    for first in range(0, count, AT_ONCE):
        texts = []
        for number in range(first, min(first + AT_ONCE, count)):
            digits = hashlib.sha1(f"{who.session_id}/{number}".encode(), usedforsecurity=False).hexdigest()
            ident = "-".join(digits[place : place + 8] for place in range(0, 40, 8))
            path = f"/data/folder-{number // 1000:04}/file-{number:07}.dat"
            texts.append(template % {"path": path, "id": ident, "bytes": (number + 1) * 1000})
        yield first + len(texts), "".join(texts).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
