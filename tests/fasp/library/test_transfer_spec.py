"""Transfer specs become orders, or are refused by the field that cannot be carried out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from asperacentral.fasp import OrderError
from asperacentral.fasp.command_line import arguments
from asperacentral.fasp.library.transfer_spec import INFORMATION, orders, read

SEND: dict[str, Any] = {
    "direction": "send",
    "remote_host": "far.example",
    "remote_user": "xfer",
    "ssh_port": 33001,
    "paths": [{"source": "/a"}],
    "destination_root": "/in",
}


def spec(**changes: Any) -> dict[str, Any]:
    return {**SEND, **changes}


def command(**changes: Any) -> list[str]:
    """The command line that carries out the spec."""
    (order,) = orders(spec(**changes))
    return arguments(order.session("id", "PAIRS"), 1)


def test_a_spec_says_where_from_and_where_to() -> None:
    said = command(paths=[{"source": "/a"}, {"source": "/b"}], source_root="/root")
    assert said[-3:] == ["/root/a", "/root/b", "/in"]
    assert {"--mode=send", "--host=far.example", "--user=xfer", "33001"} <= set(said)


def test_a_received_path_comes_from_the_far_side() -> None:
    (order,) = orders(spec(direction="receive", paths=[{"source": "/far"}], destination_root="/here"))
    assert order.source.host == "far.example"
    assert order.destination.paths == ("/here",)


def test_one_path_with_a_destination_gets_that_name() -> None:
    assert command(paths=[{"source": "/a", "destination": "b/c"}])[-2:] == ["/a", "/in/b/c"]


def test_several_paths_with_destinations_travel_as_a_list_of_pairs() -> None:
    paths = [{"source": "/a", "destination": "x"}, {"source": "/b", "destination": "y/z"}]
    (order,) = orders(spec(paths=paths))
    assert order.pairs == "/a\nx\n/b\ny/z\n"
    assert command(paths=paths)[-2:] == ["--file-pair-list=PAIRS", "/in"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("target_rate_kbps", 5000, "-l 5000"),
        ("min_rate_kbps", 7, "-m 7"),
        ("rate_policy", "trickle", "--policy=low"),
        ("rate_policy", "high", "--policy=high"),
        ("cipher", "aes-256-gcm", "-c aes256"),
        ("cipher", "none", "-T"),
        ("resume_policy", "full_csum", "-k 3"),
        ("overwrite", "never", "--overwrite=never"),
        ("create_dir", True, "-d"),
        ("fasp_port", 33002, "-O 33002"),
        ("preserve_times", True, "--preserve-times"),
        ("symlink_policy", "copy", "--symbolic-links=copy"),
        ("dgram_size", 1400, "-Z 1400"),
        ("sshfp", "SHA256:abc", "--check-sshfp=SHA256:abc"),
        ("tags64", "e30=", "--tags64=e30="),
    ],
)
def test_a_field_becomes_its_option(field: str, value: object, said: str) -> None:
    assert f" {said} " in f" {' '.join(command(**{field: value}))} "


def test_tags_travel_as_base64_of_their_json() -> None:
    (said,) = (word for word in command(tags={"aspera": {"x": 1}}) if word.startswith("--tags64="))
    assert json.loads(base64.b64decode(said.partition("=")[2])) == {"aspera": {"x": 1}}


def test_token_password_and_cookie_stay_out_of_the_arguments() -> None:
    said = " ".join(command(token="t0ken", remote_password="passw0rd", cookie="c00kie"))
    assert not {secret for secret in ("t0ken", "passw0rd", "c00kie") if secret in said}


def test_several_sessions_share_the_work_by_number() -> None:
    several = orders(spec(multi_session=3, multi_session_threshold=60_000_000))
    sessions = [order.session(order.job_id) for order in several]
    assert [session.raw_options[-3:] for session in sessions] == [
        ("-C", f"{number}:3", "--multi-session-threshold=60000000") for number in (1, 2, 3)
    ]
    assert len({order.job_id for order in several}) == 3
    assert len({session.partial_tag for session in sessions}) == 1


def test_other_transfers_use_other_partial_files() -> None:
    one, other = (orders(spec(multi_session=2))[0].session("x").partial_tag for _ in range(2))
    assert one != other


@pytest.mark.parametrize("field", sorted(INFORMATION))
def test_what_only_informs_is_read_over(field: str) -> None:
    assert command(**{field: 5}) == command()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"content_protection": "encrypt"}, "content_protection"),
        ({"never_heard_of": 1}, "never_heard_of"),
        ({"direction": "sideways"}, "direction"),
        ({"remote_host": ""}, "host"),
        ({"target_rate_kbps": "fast"}, "target_rate_kbps"),
        ({"target_rate_kbps": True}, "target_rate_kbps"),
        ({"create_dir": 1}, "create_dir"),
        ({"paths": []}, "source"),
        ({"paths": [{}]}, "paths"),
        ({"paths": [{"source": "/a", "destination": "x"}, {"source": "/b"}]}, "paths"),
        ({"resume_policy": "always"}, "resume_policy"),
        ({"rate_policy": "greedy"}, "policy"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(OrderError, match=named):
        orders(spec(**wrong))


def test_a_spec_is_read_bare_or_wrapped() -> None:
    wrapped = {"transfer_specs": [{"transfer_spec": SEND}]}
    assert read(json.dumps(SEND)) == read(json.dumps(wrapped)) == SEND


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"transfer_specs": []}', '{"transfer_specs": 5}', "5", '{"transfer_specs": [5]}']
)
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(OrderError):
        read(text)
