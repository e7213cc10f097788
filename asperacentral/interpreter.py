"""How Python itself is set for a process whose loop must not be held up: garbage and threads."""

from __future__ import annotations

import gc
import sys

GARBAGE = (10_000, 20, 20)
"""New objects before the interpreter looks for garbage among them; looks before it goes back further."""

SWITCH = 0.001
"""Seconds after which a thread that works gives way to one that waits: the loop waits for the store's threads no
longer than this."""


def start() -> None:
    """Called by a program that lives for one session, before it imports: looking for garbage meanwhile takes a tenth of
    the time and finds none. `begin` follows."""
    gc.disable()


def begin() -> None:
    """Called by a program that lives for one session, once all is imported: what is there then stays, and ten thousand
    files at a time are no reason to look for garbage among them again and again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(*GARBAGE)


def settle() -> None:
    """Called once everything is there. What is here at the start stays: looking for garbage among it, as often as the
    interpreter does by itself, would hold up the loop time and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(SWITCH)
