"""Whether name and password are a user's: checked in a thread, few at a time, and not for those who guess.

A right answer is remembered for a while, sealed by a key that this process alone has, so that who asks every few
seconds with the same words costs nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from asyncssh.saslprep import SASLPrepError, saslprep

from asperacentral.credentials.passwords import NOBODY
from asperacentral.credentials.throttle import FailureThrottle
from asperacentral.credentials.users import WebUser, WebUsers

REMEMBERED = 300.0
"""Seconds for which a right password is not checked again."""

FAILURES = 10
WINDOW = 60.0
"""An address may be wrong so often in so many seconds."""

MOST_WAITING = 20
"""Checks that may wait for the thread; each costs some 50 ms and 16 MiB."""

MOST_LETTERS = 1024

_MOST_REMEMBERED = 1000

CallFromThread = Callable[..., object]


class TooMany(Exception):
    """There were too many wrong passwords, or too many wait: nothing was looked at."""


class Login:
    """Checks against `users`, which may be replaced. Futures are completed through `call_from_thread`."""

    def __init__(
        self, users: WebUsers, call_from_thread: CallFromThread, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._users = users
        self._call_from_thread = call_from_thread
        self._seconds = seconds
        self._throttle = FailureThrottle(FAILURES, WINDOW, seconds)
        self._key = os.urandom(32)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0

    def replace(self, users: WebUsers) -> None:
        """These are the users from now on."""
        self._users = users
        self._remembered.clear()

    def user(self, name: str) -> WebUser | None:
        """The user with this name, if there is one now."""
        return self._users.get(name)

    def close(self) -> None:
        """Check nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def check(self, name: str, password: str, address: str) -> Future[WebUser | None]:
        """The user, or None if there is none with this password. Takes as long for a name that nobody has.

        `address` is who guesses. Fails with TooMany.
        """
        result: Future[WebUser | None] = Future()
        user = self._users.get(name)
        proof = self._proof(name, password)
        if user is not None and self._remembered.get(proof, 0.0) > self._seconds():
            result.set_result(user)
        elif self._waiting >= MOST_WAITING or not self._throttle.begin(address):
            result.set_exception(TooMany("too many logins; try again in a minute"))
        else:
            self._waiting += 1
            expected = NOBODY if user is None else user.password

            def settle(right: bool) -> None:
                self._waiting -= 1
                if right and user is not None and self._users.get(name) is user:
                    self._throttle.succeeded(address)
                    self._remember(proof)
                    result.set_result(user)
                else:
                    result.set_result(None)

            def work() -> None:
                self._call_from_thread(settle, _matches(expected.matches, password))

            self._thread.submit(work)
        return result

    def _proof(self, name: str, password: str) -> bytes:
        words = f"{len(name)}:{name}{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, words, hashlib.sha256)

    def _remember(self, proof: bytes) -> None:
        self._remembered[proof] = self._seconds() + REMEMBERED
        self._remembered.move_to_end(proof)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _matches(check: Callable[[str], bool], password: str) -> bool:
    try:
        prepared = saslprep(password[: MOST_LETTERS + 1])
    except SASLPrepError:
        prepared = ""
    # An impossible one is checked all the same: it takes as long.
    return check(prepared[:MOST_LETTERS]) and 0 < len(prepared) <= MOST_LETTERS
