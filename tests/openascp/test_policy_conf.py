from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.config import ConfigError
from asperacentral.openascp.policy import Authorization, UserPolicy
from asperacentral.openascp.policy_conf import ELEMENTS, ServerPolicy, load
from asperacentral.openascp.sharing import Pool

SITE = """
<CONF version="2">
  <default>
    <file_system><access><paths><path>
      <absolute>/srv/$(name)</absolute>
      <dir_allowed>false</dir_allowed>
    </path></paths></access></file_system>
    <transfer>
      <in><bandwidth><flow>
        <target_rate><cap>100000</cap><default>45000</default><lock>true</lock></target_rate>
        <min_rate><cap>10</cap></min_rate>
        <policy><allowed>fair</allowed><default>low</default></policy>
      </flow></bandwidth></in>
      <encryption><allowed_cipher>aes-256</allowed_cipher></encryption>
    </transfer>
    <authorization><transfer><in><value>deny</value></in></transfer></authorization>
  </default>
  <aaa><realms><realm>
    <users>
      <user>
        <name>xfer</name>
        <authorization>
          <transfer><in><value>token</value></in><out><value>token</value></out></transfer>
          <token><encryption_key>0123456789abcdef</encryption_key><life_seconds>60</life_seconds></token>
        </authorization>
      </user>
      <user><name>root</name>
        <file_system><access><paths><path><absolute></absolute></path></paths></access></file_system>
      </user>
    </users>
    <groups>
      <group><name>staff</name><precedence>2</precedence>
        <transfer><out><bandwidth><flow><target_rate><cap>2</cap></target_rate></flow></bandwidth></out></transfer>
        <authorization><transfer><in><value>allow</value></in></transfer></authorization>
      </group>
      <group><name>guests</name><precedence>1</precedence>
        <transfer><out><bandwidth><flow><target_rate><cap>1</cap></target_rate></flow></bandwidth></out></transfer>
      </group>
    </groups>
  </realm></realms></aaa>
</CONF>
"""


def conf(tmp_path: Path, text: str) -> ServerPolicy:
    file = tmp_path / "aspera.conf"
    file.write_text(text.strip())
    return load(file, {})


def section(tmp_path: Path, body: str) -> ServerPolicy:
    trunks = "<trunks><trunk><id>77</id><capacity>5000</capacity></trunk></trunks>"
    return conf(tmp_path, f'<CONF version="2"><default>{body}</default>{trunks}</CONF>')


def effect(policy: ServerPolicy) -> tuple[object, ...]:
    """All that a policy says of one user."""
    pools = [policy.pools("alice", incoming=incoming) for incoming in (True, False)]
    return policy.for_user("alice"), pools, policy.udp("alice")


def test_without_a_file_everybody_may_do_what_the_account_may(tmp_path: Path) -> None:
    assert load(None, {"HOME": str(tmp_path)}).for_user("alice") == UserPolicy("alice", token_life=86400)


def test_the_default_section_counts_for_everybody(tmp_path: Path) -> None:
    policy = conf(tmp_path, SITE).for_user("alice")
    assert policy.docroot == b"/srv/alice"
    assert (policy.read, policy.write, policy.list) == (True, True, False)
    assert policy.cipher == "aes-256"
    incoming = policy.incoming
    assert incoming.authorization is Authorization.DENY
    assert (incoming.target.cap, incoming.target.default, incoming.target.lock) == (100000, 45000, True)
    assert (incoming.minimum.cap, incoming.minimum.default, incoming.minimum.lock) == (10, 0, False)
    assert (incoming.policy.allowed, incoming.policy.default) == ("fair", "low")
    assert policy.outgoing.target.cap is None


def test_a_users_own_values_come_first_and_leave_the_others(tmp_path: Path) -> None:
    policy = conf(tmp_path, SITE).for_user("xfer", ["staff"])
    assert policy.incoming.authorization is policy.outgoing.authorization is Authorization.TOKEN
    assert policy.token_keys == (b"0123456789abcdef",)
    assert policy.token_life == 60
    assert policy.docroot == b"/srv/xfer"
    assert conf(tmp_path, SITE).for_user("root").docroot is None


def test_of_a_users_groups_the_one_of_lowest_precedence_counts(tmp_path: Path) -> None:
    policy = conf(tmp_path, SITE).for_user("bob", ["guests", "staff", "other"])
    assert policy.outgoing.target.cap == 1
    assert policy.incoming.authorization is Authorization.ALLOW


def test_a_docroot_may_be_made_of_name_and_home_but_not_of_what_leads_elsewhere(tmp_path: Path) -> None:
    path = "<file_system><access><paths><path><absolute>{}</absolute></path></paths></access></file_system>"
    policy = section(tmp_path, path.format("/$(home)/in/$(name)"))
    assert policy.for_user("alice", home="/home/alice").docroot == b"//home/alice/in/alice"
    for name in ("..", ".", "", "a/b", "a\0b"):
        with pytest.raises(ValueError, match="cannot be part"):
            policy.for_user(name, home="/home/alice")
    with pytest.raises(ValueError, match="has none"):
        policy.for_user("alice")
    with pytest.raises(ConfigError, match="an absolute path"):
        section(tmp_path, path.format("srv"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "<transfer><in><bandwidth><flow><target_rate><cap>fast</cap></target_rate></flow></bandwidth></in></transfer>",
            "Kbps",
        ),
        (
            "<authorization><transfer><in><value>maybe</value></in></transfer></authorization>",
            "allow, deny, token",
        ),
        ("<transfer><encryption><allowed_cipher>des</allowed_cipher></encryption></transfer>", "aes-128"),
        (
            "<transfer><encryption><allowed_cipher><a/></allowed_cipher></encryption></transfer>",
            "must hold a value",
        ),
    ],
)
def test_a_value_that_cannot_be_understood_stops_the_server(tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        section(tmp_path, body)


def test_a_short_key_is_refused_and_no_key_is_ever_shown(tmp_path: Path) -> None:
    token = "<authorization><token><encryption_key>{}</encryption_key></token></authorization>"
    with pytest.raises(ConfigError, match="16 bytes") as raised:
        section(tmp_path, token.format("0123456789abcde"))
    assert "0123456789abcde" not in str(raised.value)


@pytest.mark.parametrize(
    "body", ["<user/>", "<user><name> </name></user>", "<user><name>a</name></user>" * 2]
)
def test_users_without_a_name_or_with_the_same_stop_the_server(tmp_path: Path, body: str) -> None:
    with pytest.raises(ConfigError, match="user"):
        conf(
            tmp_path,
            f'<CONF version="2"><aaa><realms><realm><users>{body}</users></realm></realms></aaa></CONF>',
        )


def test_what_has_no_effect_is_named_with_its_place(tmp_path: Path) -> None:
    policy = section(
        tmp_path,
        "<file_system>\n<excludes/><access><paths><path><show_as>/</show_as></path>\n<path><absolute>/b</absolute></path>"
        "</paths></access></file_system>",
    )
    file = tmp_path / "aspera.conf"
    assert policy.for_user("alice").docroot is None
    assert policy.warnings == (
        f"{file}:2: <default>: <file_system/excludes> has no effect in this server; passed over",
        f"{file}:2: <default>: <file_system/access/paths/path/show_as> has no effect in this server; passed over",
        f"{file}:3: <default>: only the first <path> counts; this one is passed over",
    )


def test_every_element_can_be_given_and_has_an_effect(tmp_path: Path) -> None:
    plain = effect(section(tmp_path, ""))
    values = {
        "docroot": "/x", "cipher": "none", "udp": "deny", "token_key": "k" * 16,
        **dict.fromkeys(["read", "write", "list"], "false"),
        **{f"{way}.authorization": "deny" for way in ("in", "out")},
        **{f"{way}.policy.allowed": "low" for way in ("in", "out")},
        **{f"{way}.policy.default": "high" for way in ("in", "out")},
    }  # fmt: skip
    for element in ELEMENTS:
        text = values.get(element.field) or ("true" if element.default == "false" else "77")
        *branches, leaf = element.path.split("/")
        body = f"<{leaf}>{text}</{leaf}>"
        for branch in reversed(branches):
            body = f"<{branch}>{body}</{branch}>"
        policy = section(tmp_path, body)
        assert not policy.warnings
        assert effect(policy) != plain, element.path


SHARED = """<CONF version="2">
  <trunks>
    <trunk><id>5</id><name>night</name><on>true</on><capacity><schedule>40000</schedule></capacity></trunk>
    <trunk><id>6</id><on>false</on><capacity>10</capacity></trunk>
  </trunks>
  <default><transfer>
    <in><bandwidth><aggregate><cap>90000</cap><trunk_id>5</trunk_id></aggregate></bandwidth></in>
    <out><bandwidth><aggregate><trunk_id>6</trunk_id></aggregate></bandwidth></out>
  </transfer></default>
  <aaa><realms><realm><users><user><name>bob</name><transfer>
    <in><bandwidth><aggregate><cap>700</cap><trunk_id>0</trunk_id></aggregate></bandwidth></in>
  </transfer></user></users></realm></realms></aaa>
</CONF>"""


def test_caps_that_sessions_share_are_those_of_the_direction_and_of_its_virtual_link(tmp_path: Path) -> None:
    policy = conf(tmp_path, SHARED)
    assert policy.pools("alice", incoming=True) == (Pool("in", 90_000), Pool("link-5", 40_000, 5))
    assert policy.pools("alice", incoming=False) == ()


def test_a_cap_of_a_users_own_is_shared_by_his_sessions_alone(tmp_path: Path) -> None:
    [own] = conf(tmp_path, SHARED).pools("bob", incoming=True)
    assert (own.capacity, own.link) == (700, 0)
    assert own.name.startswith("in-")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<id>6</id>", "<id>5</id>", "another virtual link 5"),
        ("<id>6</id>", "<id>256</id>", "1 to 255"),
        ("<schedule>40000</schedule>", "0", "more than 0"),
        ("<trunk_id>6</trunk_id>", "<trunk_id>7</trunk_id>", "no virtual link 7"),
        ("<cap>90000</cap>", "<cap>0</cap>", "more than 0"),
    ],
)
def test_what_cannot_be_a_shared_cap_is_an_error(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        conf(tmp_path, SHARED.replace(old, new))
