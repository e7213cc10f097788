"""Order XML becomes an Order: lenient about shape, precise about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.central.errors import JobFormatInvalid
from asperacentral.central.order import Order
from asperacentral.central.order_reader import read_order

BASE = {
    "Operation": "Push",
    "RemoteLocation": "<System><Address>h</Address></System><Files><Path>/in</Path></Files>",
    "LocalLocation": "<Files><Path>/a</Path></Files>",
}


def xml(extra: str = "", **groups: str) -> str:
    parts = {**BASE, **groups}
    return "<Order>" + "".join(f"<{k}>{v}</{k}>" for k, v in parts.items() if v != "-") + extra + "</Order>"


def read(extra: str = "", **groups: str) -> Order:
    return read_order(xml(extra, **groups)).order


def test_the_least_an_order_needs_is_operation_address_and_paths() -> None:
    order = read()
    assert (order.operation, order.remote.system.address, order.remote.system.port) == ("Push", "h", 22)
    assert order.local.paths == ("/a",)
    assert order.rate.target_rate == 10000
    assert order.file.resume_check == "Sparse Checksum"


def test_every_element_of_the_contract_is_kept() -> None:
    definition = """<?xml version="1.0" encoding="UTF-16"?>
    <Order><Version>2</Version><Agent>Acme.App</Agent><NoMgmtPortFiles>Yes</NoMgmtPortFiles><Program>ascp4</Program>
    <ApplicationData><Token>tok</Token><Cookie>cook</Cookie></ApplicationData><PrivateData><Key>pk</Key></PrivateData>
    <Operation>pull</Operation>
    <RemoteLocation><System><Address>h</Address><Port>33001</Port><UserName>u</UserName><Password>p</Password></System>
    <Authentication><Methods><Method>Password</Method><Method>Public Key</Method></Methods><KeyPath>/k</KeyPath>
    </Authentication><Files><RootPath>/r</RootPath><Path>a</Path><Path>b</Path></Files>
    <Proxy><Url>null</Url></Proxy></RemoteLocation>
    <LocalLocation><System/><RootPath>/l</RootPath><Files><Path>x</Path></Files></LocalLocation>
    <FileParameters><CreatePath>yes</CreatePath><ResumeCheck>full checksum</ResumeCheck>
    <ManifestPath>/m</ManifestPath><PreserveTimestamps>true</PreserveTimestamps>
    <ExcludeOlderThan>-3600</ExcludeOlderThan><Overwrite>DiffAndOlder</Overwrite>
    <ExcludePatterns><ExcludePattern>*.pdf</ExcludePattern></ExcludePatterns></FileParameters>
    <LinkParameters><LocalCapacity>100000</LocalCapacity></LinkParameters>
    <ChannelParameters><Port>33002</Port><DatagramSize>1400</DatagramSize></ChannelParameters>
    <RateParameters><Policy>trickle</Policy><TargetRate>50</TargetRate><TargetRateAsPercent>Yes</TargetRateAsPercent>
    </RateParameters>
    <SecurityParameters><EncryptionCipher>AES-128</EncryptionCipher><SSHFingerprint>ab</SSHFingerprint>
    </SecurityParameters><RetryParameters><Count>3</Count><BaseInterval>5</BaseInterval>
    <MaximumInterval>20</MaximumInterval></RetryParameters></Order>"""
    order = read_order(definition).order
    assert (order.version, order.agent, order.no_mgmt_port_files, order.program) == (
        "2",
        "Acme.App",
        True,
        "ascp4",
    )
    assert (order.token.reveal(), order.cookie, order.private_key) == ("tok", "cook", "pk")
    assert order.operation == "Pull"
    assert order.remote.methods == ("Password", "Public Key")
    assert (order.remote.paths, order.remote.root_path, order.remote.proxy_url) == (("a", "b"), "/r", "")
    assert order.local.root_path == "/l"
    assert (order.file.create_path, order.file.resume_check) == (True, "Full Checksum")
    assert order.file.manifest_policy == "Text"
    assert (order.file.exclude_older_than, order.file.exclude_patterns) == (-3600, ("*.pdf",))
    assert order.channel.auto_detect_path_mtu is False
    assert (order.rate.policy, order.rate.target_rate_as_percent) == ("Trickle", True)
    assert (order.retry.count, order.retry.base_interval, order.retry.maximum_interval) == (3, 5, 20)


@pytest.mark.parametrize(
    ("word", "value"),
    [("Yes", True), ("NO", False), ("true", True), ("False", False), ("1", True), ("0", False)],
)
def test_booleans_have_two_spellings_in_any_case(word: str, value: bool) -> None:
    assert read(f"<FileParameters><CreatePath>{word}</CreatePath></FileParameters>").file.create_path is value


def test_unknown_elements_are_skipped_and_named() -> None:
    found = read_order(xml("<Fancy><Deep>1</Deep></Fancy><FileParameters><New>x</New></FileParameters>"))
    assert found.skipped == ("Fancy", "FileParameters/New")


def test_an_empty_element_is_as_good_as_none() -> None:
    assert read("<RateParameters><TargetRate></TargetRate></RateParameters>").rate.target_rate == 10000


def test_percent_without_a_rate_means_all_of_it() -> None:
    assert (
        read(
            "<RateParameters><TargetRateAsPercent>Yes</TargetRateAsPercent></RateParameters>"
        ).rate.target_rate
        == 100
    )


def test_a_namespace_on_the_order_is_no_hindrance() -> None:
    assert read_order(xml().replace("<Order>", '<o:Order xmlns:o="urn:x">').replace("</Order>", "</o:Order>"))


BAD = {
    "empty": ("", "empty"),
    "not well-formed": ("<Order><Operation>", "not well-formed"),
    "another root": ("<Job/>", "'Job'"),
    "a document type": ('<!DOCTYPE Order [<!ENTITY a "b">]>' + xml(), "document type"),
    "no operation": (xml(Operation="-"), "Operation: is missing"),
    "an unknown operation": (xml(Operation="Copy"), "Push, Pull"),
    "no address": (xml(RemoteLocation="<Files><Path>/</Path></Files>"), "Address: is missing"),
    "an address that is an option": (
        xml(
            RemoteLocation="<System><Address>-oProxyCommand=x</Address></System><Files><Path>/</Path></Files>"
        ),
        "Address",
    ),
    "no local path": (xml(LocalLocation=""), "LocalLocation/Files/Path: is missing"),
    "no remote path": (
        xml(RemoteLocation="<System><Address>h</Address></System>"),
        "RemoteLocation/Files/Path",
    ),
    "two destinations": (
        xml(
            RemoteLocation="<System><Address>h</Address></System><Files><Path>a</Path><Path>b</Path></Files>"
        ),
        "one destination",
    ),
    "a climbing path": (xml(LocalLocation="<Files><Path>/a/../../etc</Path></Files>"), "'..'"),
    "a port that is no number": (xml("<ChannelParameters><Port>x</Port></ChannelParameters>"), "'x'"),
    "a port too high": (xml("<ChannelParameters><Port>70000</Port></ChannelParameters>"), "65535"),
    "a boolean that is none": (
        xml("<FileParameters><CreatePath>maybe</CreatePath></FileParameters>"),
        "'maybe'",
    ),
    "a value given twice": (xml("<Agent>a</Agent><Agent>b</Agent>"), "Agent: given more than once"),
    "children where a value is expected": (xml("<Agent><b/></Agent>"), "Agent: has child elements"),
    "over a hundred percent": (
        xml(
            "<RateParameters><TargetRate>101</TargetRate><TargetRateAsPercent>Yes</TargetRateAsPercent></RateParameters>"
        ),
        "101 percent",
    ),
    "too many retries": (xml("<RetryParameters><Count>256</Count></RetryParameters>"), "Count"),
    "a maximum below the base": (
        xml(
            "<RetryParameters><BaseInterval>9</BaseInterval><MaximumInterval>3</MaximumInterval></RetryParameters>"
        ),
        "below BaseInterval",
    ),
    "a flood of elements": (xml("<x/>" * 30_000), "too many"),
    "a flood of attributes": (xml("<x " + " ".join(f'a{n}="1"' for n in range(30_000)) + "/>"), "too many"),
    "a digit of another script": (
        xml("<ChannelParameters><Port>٣</Port></ChannelParameters>"),
        "whole number",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_right_is_refused_with_element_and_reason(case: str) -> None:
    definition, reason = BAD[case]
    with pytest.raises(JobFormatInvalid) as refused:
        read_order(definition)
    assert reason in refused.value.detail


def test_secrets_are_shown_nowhere() -> None:
    order = read(
        RemoteLocation="<System><Address>h</Address><Password>geheim</Password></System><Files><Path>/</Path></Files>",
        ApplicationData="<Token>geheim</Token>",
        FileParameters="<Passphrase>geheim</Passphrase>",
    )
    assert "geheim" not in f"{order} {order!r} {order.without_secrets()!r}"
    assert order.secrets() == {"token": "geheim", "password": "geheim", "passphrase": "geheim"}
    assert order.without_secrets().secrets() == {}
    assert order.without_secrets().with_secrets(order.secrets()) == order


def test_a_bad_secret_is_not_quoted_in_the_error() -> None:
    long = "geheim" * 10_000
    with pytest.raises(JobFormatInvalid) as refused:
        read(ApplicationData=f"<Token>{long}</Token>")
    assert "geheim" not in refused.value.detail


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for definition in (text, f"<Order>{text}</Order>", xml(text)):
        try:
            read_order(definition)
        except JobFormatInvalid as refused:
            assert refused.detail


def test_made_up_names_do_not_fill_the_memory() -> None:
    """Parsers that keep every name they have seen would grow by some 50 MB here."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def read_strange(round_: int) -> None:
        names = "".join(f"<n{round_}x{n}{'y' * 30}/>" for n in range(10_000))
        read_order(xml(names))

    for round_ in range(5):
        read_strange(round_)
    before = resident()
    for round_ in range(5, 45):
        read_strange(round_)
    assert resident() - before < 12_000_000
