"""The gate of a server half: who a client is and what it shows decide what files it gets to see, if any.

A server half passes here once, after the client's greeting, and reaches files only by what it gets. Whatever the
client names later is measured by that: docroot, rights and the token's paths are walls of `Files`, not checks
that somebody has to remember.
"""

from __future__ import annotations

import os

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp import token as tokens
from asperacentral.openascp.confined import Files, confined
from asperacentral.openascp.failures import SessionFailure, from_os_error
from asperacentral.openascp.policy import Authorization, DeniedError, UserPolicy
from asperacentral.openascp.restricted import restricted
from asperacentral.openascp.token import TokenError


def admit(
    policy: UserPolicy, *, incoming: bool, token: str, cipher: str, now: float, crypt: str = ""
) -> Files:
    """The files of a session, to be closed at its end. `incoming` means that the client sends; `now` is UTC seconds;
    `crypt` is what the client does with the contents of files: encrypt, decrypt or nothing.

    A token is proved whenever one is needed, or when there is a key to prove it with: it then narrows what the
    user may do. Without a key a token that nobody asked for says nothing. SessionFailure with AUTH (token),
    NO_PERMS (direction, rights, contents that are not encrypted), INSECURE_CONNECTION (cipher) or what the
    docroot's error is.
    """
    paths: tuple[bytes, ...] | None = None
    try:
        needed = policy.direction(incoming=incoming).authorization is Authorization.TOKEN
        if token and (needed or policy.token_keys):
            direction = tokens.SEND if incoming else tokens.RECEIVE
            permission = tokens.verify(
                token,
                policy.token_keys,
                now=now,
                user=policy.name,
                direction=direction,
                longest_life=policy.token_life,
            )
            paths = permission.paths
        policy.may_transfer(incoming=incoming, token=paths is not None)
        policy.check_protection(incoming=incoming, crypt=crypt)
    except TokenError as error:
        raise SessionFailure(FaspCode.AUTH, str(error)) from None
    except DeniedError as error:
        code = FaspCode.AUTH if needed and not token else FaspCode.NO_PERMS
        raise SessionFailure(code, str(error)) from None
    try:
        policy.check_cipher(cipher)
    except DeniedError as error:
        raise SessionFailure(FaspCode.INSECURE_CONNECTION, str(error)) from None
    return _files(policy, paths)


def _files(policy: UserPolicy, paths: tuple[bytes, ...] | None) -> Files:
    docroot = policy.docroot
    if docroot is None and paths is not None:
        docroot = b"/"  # a token's paths must begin somewhere that nobody can move
    try:
        files = confined(docroot)
    except OSError as error:
        failure = from_os_error(error, FaspCode.NO_SUCH_FILE)
        raise SessionFailure(
            failure.code, f"the docroot cannot be used: {os.strerror(error.errno or 0)}"
        ) from None
    if paths is None and policy.write and policy.list:
        return files
    return restricted(files, paths=paths, change=policy.write, list_folders=policy.list)
