"""The WSDL and XSD files: operations, actions and faults of the contract, and models that agree with the schema."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from asperacentral.soap import models
from asperacentral.soap.contract_files import contract_directory, contract_files, contract_path
from asperacentral.soap.fields import Model
from asperacentral.soap.models import faspsession200601, faspsession200911, iscptransfer, jobnet
from asperacentral.soap.names import local_name
from asperacentral.soap.site import ENDPOINTS
from tests.soap.contract import NAMESPACES

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"
XSD = "{http://www.w3.org/2001/XMLSchema}"

SUBMIT_FAULTS = ["JobTypeNotFoundFault", "JobFormatInvalidFault", "JobSubmissionErrorFault"]
JOB, SESSION, SUBSCRIPTION = ["JobNotFoundFault"], ["SessionNotFoundFault"], ["SubscriptionNotFoundFault"]
FILTER = ["FilterChangedErrorFault"]
RATES = ("SetRateParameters", "SetPolicy", "SetTargetRate", "SetMinimumRate", "SetBandwidthCap")
QUERIES = (
    "GetSessions",
    "GetSessionInfo",
    "GetSessionStatistics",
    "GetFileTransfers",
    "GetFileTransferInfo",
    "GetFileTransferStatistics",
    "GetInfo",
    "GetStatistics",
)

Row = tuple[str, str, str, list[str]]
JOBNET_ROWS: list[Row] = [
    ("ListTypes", "JobNET-200601#ListTypes", "job", []),
    ("Submit", "JobNET-200601#Submit", "job", SUBMIT_FAULTS),
]
RATE_ROWS: list[Row] = [(name, f"FASPSessionNET-200601#{name}", "fasp06", SESSION) for name in RATES]
QUERY_ROWS: list[Row] = [(name, f"FASPSessionNET-200911#{name}", "fasp09", FILTER) for name in QUERIES]


def iscp(name: str, faults: list[str]) -> Row:
    return name, f"IScpTransferNET-200604#{name}", "iscp", faults


def fasp(name: str, faults: list[str]) -> Row:
    return name, f"FASPSessionNET-200601#{name}", "fasp06", faults


OPERATIONS: dict[str, list[Row]] = {
    "Job.wsdl": JOBNET_ROWS,
    "IScpTransfer.wsdl": [
        iscp("ListJobs", []),
        *(iscp(name, JOB) for name in ("QueryJob", "Cancel", "Pause", "Resume", "Subscribe")),
        *(iscp(name, SUBSCRIPTION) for name in ("UpdateSubscription", "Unsubscribe")),
        *(iscp(name, []) for name in ("ListDeadLetters", "ReplayDeadLetters", "DropDeadLetters")),
    ],
    "FASPSession.wsdl": [
        fasp("Subscribe", SESSION),
        *(fasp(name, SUBSCRIPTION) for name in ("UpdateSubscription", "Unsubscribe")),
        fasp("ListSessions", []),
        *(fasp(name, SESSION) for name in ("QuerySession", "Cancel", "Pause", "Resume")),
        *RATE_ROWS,
    ],
    "FASPSession200911.wsdl": QUERY_ROWS,
    "Transfer201210.wsdl": [
        *JOBNET_ROWS,
        iscp("ListJobs", []),
        ("CancelJob", "IScpTransferNET-200604#Cancel", "iscp", JOB),
        *RATE_ROWS,
        ("CancelSession", "FASPSessionNET-200601#Cancel", "fasp06", SESSION),
        *QUERY_ROWS,
    ],
}


def wsdl(name: str) -> Any:
    return etree.parse(str(contract_path(name))).getroot()


def rows(root: Any) -> list[Row]:
    """Operations as name, action, namespace key of the request element, and faults, following every reference."""
    keys = {uri: key for key, uri in NAMESPACES.items()}
    elements: dict[str, tuple[str, str]] = {}
    for message in root.findall(f"{WSDL}message"):
        (part,) = message.findall(f"{WSDL}part")
        prefix, _, element = part.attrib["element"].partition(":")
        elements[message.attrib["name"]] = (keys[part.nsmap[prefix]], element)
    found: list[Row] = []
    (port_type,) = root.findall(f"{WSDL}portType")
    (binding,) = root.findall(f"{WSDL}binding")
    for abstract, bound in zip(
        port_type.findall(f"{WSDL}operation"), binding.findall(f"{WSDL}operation"), strict=True
    ):
        name = abstract.attrib["name"]
        assert bound.attrib["name"] == name
        action = bound.find(f"{SOAP}operation").attrib["soapAction"]
        stem = action.partition("#")[2]
        asked = abstract.find(f"{WSDL}input").attrib["message"].partition(":")[2]
        given = abstract.find(f"{WSDL}output").attrib["message"].partition(":")[2]
        assert elements[asked][1] == f"{stem}Request"
        assert elements[given] == (elements[asked][0], f"{stem}Response")
        faults = [fault.attrib["name"] for fault in abstract.findall(f"{WSDL}fault")]
        assert faults == [fault.attrib["name"] for fault in bound.findall(f"{WSDL}fault")]
        found.append((name, action, elements[asked][0], faults))
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_wsdl_has_the_operations_actions_and_faults_of_the_contract(name: str) -> None:
    assert rows(wsdl(name)) == OPERATIONS[name]


@pytest.mark.parametrize(
    ("name", "target", "service", "port_type"),
    [
        (
            "Job.wsdl",
            "http://www.asperasoft.com/xml/job-net/2006/01/JobNET.wsdl",
            "JobNET200601",
            "JobSoap",
        ),
        (
            "IScpTransfer.wsdl",
            "http://www.asperasoft.com/xml/iscptransfer-net/2006/04/IScpTransferNET.wsdl",
            "IScpTransferNET200604",
            "IScpTransferSoap",
        ),
        (
            "FASPSession.wsdl",
            "http://www.asperasoft.com/xml/faspsession-net/2006/01/FASPSessionNET.wsdl",
            "FASPSessionNET200601",
            "FASPSoap",
        ),
        (
            "FASPSession200911.wsdl",
            "http://www.asperasoft.com/xml/faspsession-net/2009/11/FASPSessionNET.wsdl",
            "FASPSessionNET200911",
            "FASPSoap",
        ),
        ("Transfer201210.wsdl", "urn:Aspera:Central:2012/10:Transfer201210", "Transfer201210", "FASPSoap"),
    ],
)
def test_a_wsdl_has_its_namespace_service_and_port_type(
    name: str, target: str, service: str, port_type: str
) -> None:
    root = wsdl(name)
    assert root.attrib["targetNamespace"] == target
    assert root.find(f"{WSDL}service").attrib["name"] == service
    assert root.find(f"{WSDL}portType").attrib["name"] == port_type


def test_every_endpoint_names_a_wsdl_whose_address_is_its_own() -> None:
    for endpoint in ENDPOINTS:
        address = next(wsdl(endpoint.wsdl).iter(f"{SOAP}address")).attrib["location"]
        assert address == f"http://127.0.0.1:40001/services/soap/{endpoint.name}"


def test_the_observer_wsdl_has_both_kinds_of_notification() -> None:
    root = wsdl("Observer.wsdl")
    operations = {
        port_type.attrib["name"]: [each.attrib["name"] for each in port_type.findall(f"{WSDL}operation")]
        for port_type in root.findall(f"{WSDL}portType")
    }
    assert operations == {
        "JobObserver": ["JobNotification", "SubscriptionNotification"],
        "SessionObserver": ["SessionNotification", "SubscriptionNotification"],
    }


def test_the_contract_is_in_every_installation_and_complete() -> None:
    assert set(contract_files()) == {path.name for path in contract_directory().iterdir()}
    assert {endpoint.wsdl for endpoint in ENDPOINTS} | {"Observer.wsdl"} <= set(contract_files())


# --- models against the schema

MODULES: list[Any] = [jobnet, iscptransfer, faspsession200601, faspsession200911]
SHARED = {
    "JobRequest": ("QueryJobRequest", "CancelRequest", "PauseRequest", "ResumeRequest"),
    "SessionRequest": ("QuerySessionRequest", "CancelRequest", "PauseRequest", "ResumeRequest"),
    "SessionFilterRequest": ("GetSessionsRequest", "GetSessionInfoRequest", "GetSessionStatisticsRequest"),
    "FileTransferFilterRequest": (
        "GetFileTransfersRequest",
        "GetFileTransferInfoRequest",
        "GetFileTransferStatisticsRequest",
        "GetInfoRequest",
        "GetStatisticsRequest",
    ),
    "DeadLettersRequest": ("ReplayDeadLettersRequest", "DropDeadLettersRequest"),
    "DeadLettersResponse": ("ReplayDeadLettersResponse", "DropDeadLettersResponse"),
    "SubscriptionResponse": ("SubscribeResponse", "UpdateSubscriptionResponse", "UnsubscribeResponse"),
}
LENIENT = {"RateChangeType", "EndpointReferenceType"}
"""Models that take less than the schema asks for, when reading."""


class Schema:
    """Elements of a type or global element: name, type, least and greatest occurrence, qualified or not."""

    def __init__(self, namespace: str) -> None:
        for path in contract_directory().glob("*.xsd"):
            root: Any = etree.parse(str(path)).getroot()
            if root.attrib["targetNamespace"] == namespace:
                self.root = root

    def members(self, name: str) -> list[tuple[str, str, int, bool, bool]]:
        node = self.root.find(f"{XSD}complexType[@name='{name}']")
        if node is None:
            node = self.root.find(f"{XSD}element[@name='{name}']")
            assert node is not None, name
        found: list[tuple[str, str, int, bool, bool]] = []
        for extension in node.iter(f"{XSD}extension"):
            found += self.members(extension.attrib["base"].partition(":")[2])
        default = self.root.attrib["elementFormDefault"]
        for element in node.iter(f"{XSD}element"):
            if "type" in element.attrib:
                found.append(
                    (
                        element.attrib["name"],
                        element.attrib["type"].partition(":")[2],
                        int(element.get("minOccurs", "1")),
                        element.get("maxOccurs", "1") == "1",
                        element.get("form", default) == "qualified",
                    )
                )
        return found


def models_of(module: Any) -> list[Any]:
    base: Any = Model
    here = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, base)]
    own: list[Any] = [each for each in here if each.__module__ == module.__name__]
    return [model for model in own if model.get_flat_type_info(model)]


def declared() -> list[Any]:
    return [
        pytest.param(model, name, id=f"{module.__name__.rpartition('.')[2]}-{name}")
        for module in MODULES
        for model in models_of(module)
        for name in SHARED.get(model.__name__, (model.__name__,))
        if model.__name__ != "RateChangeType"
    ]


@pytest.mark.parametrize(("model", "name"), declared())
def test_a_model_has_the_schema_s_elements_in_order(model: Any, name: str) -> None:
    expected = Schema(model.get_namespace()).members(name)
    found = []
    for (member, kind), (_, type_name, least, _, _) in zip(
        model.get_flat_type_info(model).items(), expected, strict=True
    ):
        attributes = kind.Attributes
        found.append(
            (
                member,
                "RateParametersType" if type_name == "RateParametersType" else own_name(kind),
                least if model.__name__ in LENIENT else attributes.min_occurs,
                attributes.max_occurs == 1,
                model.qualified,
            )
        )
    assert found == expected


def own_name(kind: Any) -> str:
    return str((kind.__orig__ or kind).get_type_name())


def test_every_module_of_models_is_checked() -> None:
    assert {local_name(module.__name__).rpartition(".")[2] for module in MODULES} == {
        "jobnet",
        "iscptransfer",
        "faspsession200601",
        "faspsession200911",
    }
    assert models.__doc__
