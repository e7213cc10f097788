"""The data plane of a session whose far side has SFTP only: makes the two file systems, plans, and copies.

From the session's options to the rules of `plan` and `copying`. What SFTP cannot do is refused before anything moves.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import asyncssh

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.bargain import crypt_salt
from asperacentral.openascp.copying import Checksum, CopyingPlane, CopyRules
from asperacentral.openascp.crypted import DecryptingSftpFiles, EncryptingLocalFiles
from asperacentral.openascp.dataplane import Observer
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.filecrypt import Passphrase
from asperacentral.openascp.filesystem import FileSystem, LocalFileSystem
from asperacentral.openascp.options import Options, Secrets
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.plan import Plan, ScanRules, make_plan
from asperacentral.openascp.sftp import SftpFileSystem, open_sftp
from asperacentral.openascp.sftp_limits import impossible


async def start(
    connection: asyncssh.SSHClientConnection, options: Options, reason: str
) -> asyncssh.SFTPClient:
    """SFTP on a connection; `reason` is why it has to be that. SessionFailure when there is none, or an option asks for
    more than it can do.
    """
    if option := impossible(options):
        text = f"{option}: SFTP cannot do it, and nothing else is possible: {reason}"
        raise SessionFailure(FaspCode.USAGE, text)
    try:
        return await open_sftp(connection)
    except (asyncssh.Error, OSError) as error:
        raise SessionFailure(FaspCode.TRANSFER_ERROR, f"the far side has no SFTP: {error}") from error


async def move(
    client: asyncssh.SFTPClient,
    options: Options,
    secrets: Secrets,
    pacer: Pacer,
    observer: Observer,
    planned: Callable[[Plan], None],
) -> None:
    """Plan, tell `planned`, and move all files. SessionFailure."""
    clear = LocalFileSystem()
    local, remote = _file_systems(client, options, secrets, clear)
    ends: tuple[FileSystem, FileSystem] = (local, remote) if options.sending else (remote, local)
    try:
        plan = await make_plan(
            *ends,
            options.sources,
            options.destination,
            create_path=options.create_path,
            several=options.several,
            placed=options.placed,
            rules=_scan_rules(options),
        )
        planned(plan)
        await CopyingPlane(*ends, pacer, _copy_rules(options, clear)).move(plan, observer)
        if not options.sending:
            await clear.sync()
    finally:
        local.close()
        clear.close()


def _file_systems(
    client: asyncssh.SFTPClient, options: Options, secrets: Secrets, clear: LocalFileSystem
) -> tuple[LocalFileSystem, SftpFileSystem]:
    """This machine's files and the far side's, in the form in which they travel."""
    passphrase = Passphrase(secrets.file_passphrase)
    if options.file_crypt == "encrypt":
        return EncryptingLocalFiles(passphrase, crypt_salt(options)), SftpFileSystem(client)
    if options.file_crypt == "decrypt":
        return clear, DecryptingSftpFiles(client, passphrase)
    return clear, SftpFileSystem(client)


def _scan_rules(options: Options) -> ScanRules:
    naming: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        "encrypt": filecrypt.sealed_name,
        "decrypt": filecrypt.clear_name,
    }
    return ScanRules(
        options.selection(),
        options.links,
        options.skip_special,
        options.skip_duplicates,
        naming[options.file_crypt],
    )


def _copy_rules(options: Options, local: LocalFileSystem) -> CopyRules:
    checksum = None if options.checksum == "none" else _checksum(local, options.checksum)
    return CopyRules(
        overwrite=options.overwrite,
        resume_level=options.resume_level,
        partial_tag=options.partial_tag.encode(),
        partial_suffix=os.fsencode(options.partial_suffix),
        block=min((size for size in (options.read_block, options.write_block) if size), default=0),
        links=options.links,
        root=None if options.sending else options.destination or b".",
        preserve=options.preserve,
        save=options.save,
        save_suffix=os.fsencode(options.save_suffix),
        afterwards=options.afterwards,
        delete_before=options.delete_before,
        checksum_source=checksum if options.sending else None,
        checksum_target=None if options.sending else checksum,
    )


def _checksum(local: LocalFileSystem, name: str) -> Checksum:
    return lambda path, size: local.checksum(path, name, size)
