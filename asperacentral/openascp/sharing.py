"""The rule by which the sessions of a host share a cap: pure, rates in Kbps.

Each session claims: its weight, the most it may send (its target rate) and what it makes use of at present. Everybody
gets what he uses before anybody gets more; where that is too much for the cap, shares are in proportion to the
weights, and what one cannot use goes to the others. What is left then is room to grow, shared by weight as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WEIGHTS = {"low": 1, "fair": 2, "fixed": 2, "high": 4}
"""By rate policy."""

_USED_UP = 0.85
_ROOM = 2.0
_LEAST_ROOM = 1000
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Pool:
    """A cap that sessions share: those that name the same pool. `link` is the number of a virtual link, 0 for none."""

    name: str
    capacity: int
    link: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a session wants: `wanted` for now, never more than `most`."""

    weight: int
    most: int
    wanted: int


def shares(capacity: int, claims: Sequence[Claim]) -> list[int]:
    """What each claim gets. The sum is the capacity, or all that the claims allow where that is less."""
    needed = _filled(capacity, claims, [0] * len(claims), lambda claim: min(claim.wanted, claim.most))
    return _filled(capacity, claims, needed, lambda claim: claim.most)


def granted(capacity: int, claims: Sequence[Claim], held: Sequence[int], mine: int) -> int:
    """What claim number `mine` may have while each of the others has what it holds: its share, as far as others
    have let go of theirs. So the sum of what is held is never above the capacity.
    """
    others = sum(held) - held[mine]
    return max(0, min(shares(capacity, claims)[mine], capacity - others))


def wanted(used: int, held: int, most: int) -> int:
    """What a session wants that has `used` so much of what it holds: all it may have, when that was used up."""
    if used >= _USED_UP * min(held, most):
        return most
    return min(most, int(used * _ROOM) + _LEAST_ROOM)


def _filled(
    capacity: int, claims: Sequence[Claim], given: Sequence[int], limit: Callable[[Claim], int]
) -> list[int]:
    """Raise what was given to a level in proportion to the weights, as far as capacity and limits go."""

    def at(level: float) -> list[int]:
        return [
            max(before, min(limit(claim), int(level * claim.weight)))
            for claim, before in zip(claims, given, strict=True)
        ]

    low, high = 0.0, float(max((limit(claim) / claim.weight for claim in claims), default=0)) + 1
    if sum(at(high)) <= capacity:
        return at(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(at(middle)) <= capacity else (low, middle)
    result = at(low)
    for number, claim in enumerate(claims):  # the rest of rounding down
        more = min(limit(claim) - result[number], capacity - sum(result))
        result[number] += max(0, min(more, claim.weight))
    return result
