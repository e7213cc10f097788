"""Which file transfers of a session are recorded by name (contract §11: files_per_session, file_errors, ignore_*).

A policy and one question, without I/O. What is not recorded is counted all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from asperacentral.central import transfer
from asperacentral.central.model import FileRecord


@dataclass(frozen=True, slots=True)
class Recording:
    """The policy; the defaults are the contract's. `files_per_session` 0 means all, `names` False none at all.

    A file is empty when it has no bytes, skipped when the transfer process passed it over without saying more, and
    not transferred when it was found complete at its destination: it then ends where it began. With `validate` files
    wait for a validator, unless their order says otherwise; who is to find them there must find them recorded.
    """

    names: bool = True
    validate: bool = False
    files_per_session: int = 1_000_000
    file_errors: bool = True
    ignore_empty_files: bool = True
    ignore_skipped_files: bool = True
    ignore_no_transfer_files: bool = True

    def wants(self, file: FileRecord, recorded: int, *, skipped: bool = False) -> bool:
        """Whether to record a file, under way or ended, of a session of which `recorded` files are recorded."""
        if file.status == transfer.TO_BE_VALIDATED:
            return self.names
        if not self.names or (self.files_per_session and recorded >= self.files_per_session):
            return False
        if file.status == "error":
            return self.file_errors
        if skipped:
            return not self.ignore_skipped_files
        if not file.size:
            return not self.ignore_empty_files
        return not self.ignore_no_transfer_files or file.start_offset < file.size

    def validated(self, asked: bool | None) -> bool:
        """Whether the files of a session wait for a validator; `asked` is what the order says, None for nothing."""
        return self.names and (self.validate if asked is None else asked)
