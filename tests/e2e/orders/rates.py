"""How fast files are moved."""

from __future__ import annotations

import pytest

from asperacentral.commands.client import Refused
from tests.bulk import bulky
from tests.e2e.orders.trial import HALVES, Trial, shows, status
from tests.e2e.site import until


@shows(
    "LinkParameters/RemoteCapacity",
    "LinkParameters/LocalCapacity",
    "RateParameters/BandwidthCap",
    sides=(HALVES,),
)
def bounds_the_target_rate(trial: Trial) -> None:
    for element in (
        "LinkParameters/RemoteCapacity",
        "LinkParameters/LocalCapacity",
        "RateParameters/BandwidthCap",
    ):
        (info,) = trial.push({element: "77000"})
        assert info.TargetRate == 77000


@shows(
    "LinkParameters/AutoDetectCapacity",
    "RateParameters/TargetRateAsPercent",
    "RateParameters/TargetRate",
    sides=(HALVES,),
)
def takes_percent_of_what_it_measures(trial: Trial) -> None:
    bulky(trial.file, 8 << 30)
    cap = 400_000
    elements = {
        "LinkParameters/AutoDetectCapacity": "Yes",
        "RateParameters/TargetRateAsPercent": "Yes",
        "RateParameters/TargetRate": "1",
        "RateParameters/BandwidthCap": str(cap),
    }
    job = trial.submit(elements)
    measured = until(
        lambda: [
            info.TargetRate
            for info in trial.sessions(job)
            if status(info) == "running" and info.BytesTransferred > 0
            if info.TargetRate <= cap // 100
        ]
    )
    assert 0 < measured[0] <= cap // 100
    trial.site.client.cancel_job(job)
    trial.finish(job)


@shows("RateParameters/MinimumRate", "RateParameters/MinimumRateAsPercent", sides=(HALVES,))
def takes_minimum_rates(trial: Trial) -> None:
    (info,) = trial.push({"RateParameters/MinimumRate": "300"})
    assert info.MinimumRate == 300
    capacity = {"LinkParameters/LocalCapacity": "50000"}
    percent = {"RateParameters/MinimumRate": "10", "RateParameters/MinimumRateAsPercent": "Yes"}
    (info,) = trial.push({**capacity, **percent})
    assert info.MinimumRate == 5000


@shows("RateParameters/Policy", "RateParameters/Priority", sides=(HALVES,))
def shares_by_policy_and_priority(trial: Trial) -> None:
    found = [
        trial.push({"RateParameters/Policy": policy, "RateParameters/Priority": priority})[0]
        for policy, priority in (("Fair", "2"), ("Fair", "1"), ("Trickle", "2"), ("Fixed", "1"))
    ]
    assert [info.RatePolicy.lower() for info in found] == ["fair", "high", "low", "fixed"]


@shows(
    "RateParameters/LockPolicy",
    "RateParameters/LockTargetRate",
    "RateParameters/LockMinimumRate",
    sides=(HALVES,),
)
def keeps_locked_rates(trial: Trial) -> None:
    locks = {f"RateParameters/Lock{what}": "Yes" for what in ("Policy", "TargetRate", "MinimumRate")}
    job = trial.submit({**locks, "RateParameters/TargetRate": "100"})
    session = until(lambda: [info for info in trial.sessions(job) if status(info) == "running"])[0]
    key = str(session.UUID)
    for change in ((5, None, None), (None, 5, None), (None, None, "Fixed")):
        with pytest.raises(Refused, match="locked"):
            trial.site.client.set_rate(key, *change)
    trial.site.client.cancel_job(job)
