"""What the checkpoint of a file that several sessions share says of their shares. Pure: bytes and values, no file.

After the records of the blocks each share has two marks: it is *there*, all its bytes are written and its session has
heard that the source is still the same; and its session has *ended* well, so that it will never ask again. One more
mark says that the file is *whole* and has its name: from then on the checkpoint tells late sessions that nothing is
left to do, until all have ended. The last mark holds the file's time of last change, so that it is void when somebody
changes the file.
"""

from __future__ import annotations

from asperacentral.openascp.exchange.checkpoint import HEADER, RECORD, Checkpoint
from asperacentral.openascp.exchange.dealing import Share

_NOT = bytes(RECORD)


class Marks:
    """The marks in `data`, which is the whole checkpoint file."""

    def __init__(self, checkpoint: Checkpoint, share: Share, data: bytes) -> None:
        self._checkpoint = checkpoint
        self._share = share
        self._data = data
        self._first = HEADER + checkpoint.blocks * RECORD

    @staticmethod
    def length(size_in_blocks: int, shares: int) -> int:
        """How long such a checkpoint file is at most, bytes."""
        return HEADER + RECORD * (size_in_blocks + 2 * shares + 1)

    @property
    def is_there(self) -> bool:
        """Whether this share is there."""
        return self._has(*self.there())

    @property
    def all_there(self) -> bool:
        """Whether all shares are there."""
        return all(self._has(*self.there(number)) for number in range(self._share.count))

    @property
    def all_ended(self) -> bool:
        """Whether all sessions have ended well."""
        return all(self._has(*self.ended(number)) for number in range(self._share.count))

    @property
    def is_blank(self) -> bool:
        """Whether no session has noted anything."""
        return not any(self._data[HEADER:])

    def may_be_whole(self, modified: int) -> bool:
        """Whether the file that has the name, last changed at `modified`, can be the one this is about.

        Who gave it its name may have died before it could note that.
        """
        place, record = self.whole(modified)
        return self.all_there and self._data[place : place + RECORD] in (b"", _NOT, record)

    def there(self, number: int | None = None) -> tuple[int, bytes]:
        """Where to note that a share, this one by default, is there, and what."""
        number = self._share.number if number is None else number
        return self._first + number * RECORD, self._checkpoint.mark(b"there %d" % number)

    def ended(self, number: int | None = None) -> tuple[int, bytes]:
        """Where to note that the session of a share, this one's by default, has ended well, and what."""
        number = self._share.number if number is None else number
        return self._first + (self._share.count + number) * RECORD, self._checkpoint.mark(
            b"ended %d" % number
        )

    def whole(self, modified: int) -> tuple[int, bytes]:
        """Where to note that the file is whole, and what."""
        return self._first + 2 * self._share.count * RECORD, self._checkpoint.mark(b"whole %d" % modified)

    def not_there(self) -> tuple[int, bytes]:
        """Where to take back that this share is there, and how."""
        return self.there()[0], _NOT

    def not_ended(self) -> tuple[int, bytes]:
        """Where to take back that this share's session has ended, and how."""
        return self.ended()[0], _NOT

    def _has(self, place: int, record: bytes) -> bool:
        return self._data[place : place + RECORD] == record
