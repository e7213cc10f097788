"""What two halves cannot do: a session that asks for it goes by SFTP, or ends with a clear error if that cannot."""

from __future__ import annotations

from collections.abc import Callable

from asperacentral.openascp.options import Options

Asked = Callable[[Options], bool]

NOT_BY_EXCHANGE: tuple[tuple[str, Asked], ...] = ()


def not_by_exchange(options: Options) -> str:
    """The first option that was given and that halves cannot carry out; empty when there is none."""
    return next((name for name, asked in NOT_BY_EXCHANGE if asked(options)), "")
