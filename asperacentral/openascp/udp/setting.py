"""How fast a session wants its stream to be sent: rates and policy, as they may change while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Policy(Enum):
    """Names as on ascp's command line."""

    FIXED = "fixed"
    HIGH = "high"
    FAIR = "fair"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Setting:
    """How fast to send: Kbps, 0 is a pause."""

    target: int
    minimum: int = 0
    policy: Policy = Policy.FAIR
