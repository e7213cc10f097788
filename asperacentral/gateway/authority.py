"""Who may move what through the gateway: a login, if a request brings one, and the token of its transfer spec.

Users and what they may do are those of the SSH node's users file, or of aspera.conf's `<aaa>` section; tokens are
proved, and walls around files built, by the gate that server halves pass (`openascp.admission`). Over HTTP nobody is
known by a key: without a password nothing is permitted but what a token says.
"""

from __future__ import annotations

import base64
import binascii
import grp
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure as TwistedFailure

from asperacentral.credentials.login import Login as PasswordLogin
from asperacentral.credentials.login import TooMany
from asperacentral.credentials.users import WebUser
from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway.spec import TransferSpec
from asperacentral.node.users import Users
from asperacentral.openascp.admission import admit
from asperacentral.openascp.confined import Files
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.policy import UserPolicy
from asperacentral.openascp.policy_conf import ServerPolicy
from asperacentral.openascp.token import RECEIVE, SEND, verify
from asperacentral.waiting import deferred

LONGEST_HEADER = 64 * 1024


class NotAuthorizedError(Exception):
    """The request may move nothing. `status` is the HTTP status, `str(error)` one line for the client."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Login:
    """What a request's headers have shown: a user whose password was right, or a token, or nothing."""

    user: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Permit:
    """One transfer that may be asked for by one user; `files` proves its token and opens the docroot each time."""

    policy: UserPolicy
    token: str = field(repr=False)
    incoming: bool
    secure: bool

    def files(self, now: float) -> Files:
        """The files the transfer may reach, to be closed. NotAuthorizedError; SessionFailure for a bad docroot."""
        # TLS is as strong as a server's rule on ciphers can ask for.
        cipher = "none" if not self.secure or self.policy.cipher == "any" else self.policy.cipher
        try:
            return admit(self.policy, incoming=self.incoming, token=self.token, cipher=cipher, now=now)
        except SessionFailure as failure:
            if failure.code is FaspCode.AUTH:
                raise NotAuthorizedError(str(failure)) from None
            if failure.code in (FaspCode.NO_PERMS, FaspCode.INSECURE_CONNECTION):
                raise NotAuthorizedError(str(failure), 403) from None
            raise

    def package(self, now: float) -> tuple[bytes, ...]:
        """The paths that the token permits; none without a token that was needed. TokenError."""
        if not self.token or not self.policy.token_keys:
            return ()
        return verify(
            self.token,
            self.policy.token_keys,
            now=now,
            user=self.policy.name,
            direction=SEND if self.incoming else RECEIVE,
            longest_life=self.policy.token_life,
        ).paths


class Authority:
    """Decides on logins and specs. With `users` there are no others; else those of `policy`, with tokens only."""

    def __init__(
        self, users: Users | None, policy: ServerPolicy, call_from_thread: Callable[..., object]
    ) -> None:
        self._users = users
        self._policy = policy
        known = {} if users is None else users
        passwords = {
            name: WebUser(name, user.password, False)
            for name, user in known.items()
            if user.password is not None
        }
        self._passwords = PasswordLogin(passwords, call_from_thread)
        # A page may send several files at once: what is the same is looked at once, and is one guess.
        self._checking: dict[str, list[Deferred[Login]]] = {}

    def close(self) -> None:
        """Decide nothing more."""
        self._passwords.close()

    def login(self, authorization: str, access_key: str, address: str) -> Deferred[Login]:
        """Who a request's Authorization and X-Aspera-AccessKey headers say that it is from. NotAuthorizedError."""
        kind, _, value = authorization.strip().partition(" ")
        if not kind:
            return succeed(Login())
        if len(value) > LONGEST_HEADER:
            raise NotAuthorizedError("the Authorization header is too long")
        if kind.lower() == "bearer":
            return succeed(Login(access_key, value.strip()))
        if kind.lower() == "basic":
            return self._with_password(value.strip(), address)
        raise NotAuthorizedError("Authorization must be Basic or Bearer")

    def own_policy(self, login: Login) -> UserPolicy:
        """What a user may do whose password was right. NotAuthorizedError."""
        if not login.user or login.token:
            raise NotAuthorizedError("a password is needed")
        return self._policy_of(login.user, proved=True)

    def permit(self, spec: TransferSpec, login: Login, *, secure: bool) -> Permit:
        """What a spec asks for, if somebody may; the token is proved by `Permit.files`. NotAuthorizedError."""
        proved = bool(login.user) and not login.token
        name = login.user if proved else spec.user or login.user or self._only_user()
        token = spec.token or login.token
        if not name:
            raise NotAuthorizedError("the transfer spec names no remote_user")
        if proved and spec.user not in ("", login.user):
            raise NotAuthorizedError("the transfer spec is for another user", 403)
        if not proved and not token:
            raise NotAuthorizedError("the transfer spec has no token")
        policy = self._policy_of(name, proved=proved)
        if spec.sending and policy.protection_required:
            raise NotAuthorizedError("this server takes only files that the client has encrypted", 403)
        return Permit(policy, token, spec.sending, secure)

    def _with_password(self, encoded: str, address: str) -> Deferred[Login]:
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise NotAuthorizedError("the Authorization header cannot be read")

        others = self._checking.get(encoded)
        if others is not None:
            same: Deferred[Login] = Deferred()
            others.append(same)
            return same
        self._checking[encoded] = []

        def proved(found: WebUser | None) -> Login:
            if found is None:
                raise NotAuthorizedError("the user or the password is wrong")
            return Login(found.name)

        def not_looked_at(failure: TwistedFailure) -> Login:
            failure.trap(TooMany)
            raise NotAuthorizedError("too many wrong passwords; wait a minute", 429)

        def settle(outcome: Login | TwistedFailure) -> Login | TwistedFailure:
            for other in self._checking.pop(encoded):
                other.callback(outcome)
            return outcome

        checked = deferred(self._passwords.check(name, password, address))
        return checked.addCallbacks(proved, not_looked_at).addBoth(settle)

    def _only_user(self) -> str:
        return next(iter(self._users)) if self._users is not None and len(self._users) == 1 else ""

    def _policy_of(self, name: str, *, proved: bool) -> UserPolicy:
        """What the user may do. Who does not exist gets the same answer as who has no key for tokens."""
        if self._users is not None:
            user = self._users.get(name)
            policy = user.policy() if user is not None else UserPolicy(name)
            return policy if proved else policy.with_tokens_only()
        try:
            return self._policy.for_user(name, *_account(name)).with_tokens_only()
        except ValueError:
            raise NotAuthorizedError("the token is not valid") from None


def _account(name: str) -> tuple[list[str], str]:
    """The groups and the home of this machine's account of that name, if there is one."""
    try:
        account = pwd.getpwnam(name)
        groups = [grp.getgrgid(number).gr_name for number in os.getgrouplist(name, account.pw_gid)]
    except (KeyError, ValueError):
        return [], ""
    return groups, account.pw_dir
