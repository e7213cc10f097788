from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.policy import (
    CIPHERS,
    POLICIES,
    Authorization,
    DeniedError,
    DirectionPolicy,
    Granted,
    PolicyRule,
    RateRule,
    Rates,
    UserPolicy,
)
from asperacentral.openascp.policy_handover import HandoverError, decode, encode, handed_over, received

rates = st.integers(0, 10**7)
rate_rules = st.builds(RateRule, st.none() | rates, rates, st.booleans())
policies = st.sampled_from(POLICIES)
directions = st.builds(
    DirectionPolicy,
    st.sampled_from(Authorization),
    rate_rules,
    rate_rules,
    st.builds(PolicyRule, policies, policies, st.booleans()),
)
wanted = st.builds(Rates, st.none() | rates, st.none() | rates, st.none() | policies)


def test_a_request_above_the_cap_proceeds_at_the_cap() -> None:
    rule = DirectionPolicy(target=RateRule(cap=5000))
    assert rule.grant(Rates(9000, 0, "fair")).target == 5000
    assert rule.grant(Rates(4000, 0, "fair")).target == 4000


def test_a_minimum_above_its_cap_is_ignored() -> None:
    rule = DirectionPolicy(minimum=RateRule(cap=100))
    assert rule.grant(Rates(9000, 101, "fair")).minimum == 0
    assert rule.grant(Rates(9000, 100, "fair")).minimum == 100


def test_the_server_chooses_what_the_client_leaves_open() -> None:
    rule = DirectionPolicy(
        Authorization.ALLOW, RateRule(default=700), RateRule(default=50), PolicyRule("high", "low")
    )
    assert rule.grant(Rates()) == Granted(700, 50, "low")


def test_a_policy_more_aggressive_than_allowed_becomes_the_most_aggressive_allowed() -> None:
    rule = DirectionPolicy(policy=PolicyRule(allowed="fair"))
    assert [rule.grant(Rates(1, 0, policy)).policy for policy in POLICIES] == ["low", "fair", "fair", "fair"]


def test_locks_leave_values_as_they_began_and_are_named() -> None:
    rule = DirectionPolicy(target=RateRule(lock=True), policy=PolicyRule(lock=True))
    began = Granted(1000, 0, "fair")
    change = Rates(2000, 10, "fixed")
    assert rule.change(began, change) == Granted(1000, 10, "fair")
    assert rule.locked(change) == ("target rate", "policy")
    assert rule.locked(Rates(minimum=5)) == ()


@given(directions, wanted, wanted)
def test_whatever_is_asked_the_walls_stand(rule: DirectionPolicy, first: Rates, second: Rates) -> None:
    began = rule.grant(first)
    after = rule.change(began, second)
    for now in (began, after):
        assert rule.target.cap is None or now.target <= rule.target.cap
        assert rule.minimum.cap is None or now.minimum <= rule.minimum.cap
        assert now.minimum <= now.target
        assert POLICIES.index(now.policy) <= POLICIES.index(rule.policy.allowed)
    if rule.target.lock:
        assert after.target == began.target
    if rule.policy.lock:
        assert after.policy == began.policy


@pytest.mark.parametrize("incoming", [True, False])
def test_a_direction_is_allowed_denied_or_needs_a_token(incoming: bool) -> None:
    name = "incoming" if incoming else "outgoing"
    for word, without, with_one in [
        (Authorization.ALLOW, True, True),
        (Authorization.TOKEN, False, True),
        (Authorization.DENY, False, False),
    ]:
        policy = UserPolicy("alice", **{name: DirectionPolicy(word)})  # type: ignore[arg-type]
        for token, may in ((False, without), (True, with_one)):
            if may:
                policy.may_transfer(incoming=incoming, token=token)
            else:
                with pytest.raises(DeniedError):
                    policy.may_transfer(incoming=incoming, token=token)
            policy.may_transfer(incoming=not incoming, token=False)


def test_the_shared_key_gives_nothing_without_a_token_and_never_more_than_the_policy() -> None:
    policy = UserPolicy("xfer", outgoing=DirectionPolicy(Authorization.DENY)).with_tokens_only()
    policy.may_transfer(incoming=True, token=True)
    with pytest.raises(DeniedError, match="token"):
        policy.may_transfer(incoming=True, token=False)
    with pytest.raises(DeniedError, match="may not fetch"):
        policy.may_transfer(incoming=False, token=True)


def test_reading_and_writing_are_walls_of_their_own() -> None:
    with pytest.raises(DeniedError, match="write"):
        UserPolicy("alice", write=False).may_transfer(incoming=True, token=True)
    with pytest.raises(DeniedError, match="read"):
        UserPolicy("alice", read=False).may_transfer(incoming=False, token=True)


@pytest.mark.parametrize(
    ("allowed", "taken"),
    [("any", CIPHERS), ("none", ["none"]), ("aes-128", ["aes-128"]), ("aes-256", CIPHERS[1:])],
)
def test_ciphers_are_between_encrypted_at_all_and_the_strongest_allowed(
    allowed: str, taken: list[str]
) -> None:
    policy = UserPolicy("alice", cipher=allowed)
    for cipher in CIPHERS:
        if cipher in taken:
            policy.check_cipher(cipher)
        else:
            with pytest.raises(DeniedError):
                policy.check_cipher(cipher)


def test_keys_of_tokens_are_not_shown() -> None:
    assert "secret" not in repr(UserPolicy("alice", token_keys=(b"secret",)))


# On the way to the server half

user_policies = st.builds(
    UserPolicy,
    st.text(max_size=9),
    st.none() | st.binary(max_size=20),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    directions,
    directions,
    st.sampled_from(["any", *CIPHERS]),
    st.booleans(),
    st.lists(st.binary(max_size=9), max_size=2).map(tuple),
    st.none() | rates,
)


@given(user_policies)
def test_what_is_handed_over_arrives_as_it_was(policy: UserPolicy) -> None:
    with handed_over(policy) as (descriptor, variables):
        environ = {"OTHER": "1", **{name: str(os.dup(descriptor)) for name in variables}}
        assert received(environ) == policy
    assert environ == {"OTHER": "1"}


@given(st.binary(max_size=40) | user_policies.map(lambda policy: encode(policy)[:-3]))
def test_what_is_not_a_policy_stops_the_server_half(text: bytes) -> None:
    with pytest.raises(HandoverError):
        decode(text)


def test_a_policy_that_was_announced_and_is_not_there_stops_the_server_half() -> None:
    for number in ("9999", "x", ""):
        with pytest.raises(HandoverError):
            received({"OPENASCP_POLICY_FD": number})
    assert received({}) is None


def test_a_child_finds_its_policy_and_neither_arguments_nor_environment_hold_the_keys() -> None:
    policy = UserPolicy("alice", b"/srv/\xff", token_keys=(b"a very secret key",))
    program = """if True:
        import os
        from asperacentral.openascp.policy_handover import received
        before = dict(os.environ)
        policy = received(os.environ)
        assert policy.token_keys == (b"a very secret key",)
        assert not any("secret" in value or "c2VjcmV0" in value for value in before.values())
        print(policy.name, policy.docroot)
    """
    with handed_over(policy) as (descriptor, variables):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            pass_fds=[descriptor],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "alice b'/srv/\\xff'\n"
