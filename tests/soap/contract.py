"""The contract's schema, and answers checked against it."""

from __future__ import annotations

from functools import cache
from typing import Any

from lxml import etree

from asperacentral.soap.contract_files import contract_directory

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
NAMESPACES = {
    "e": "http://schemas.xmlsoap.org/soap/envelope/",
    "job": "urn:Aspera:XML:JobNET:2006/01:Types",
    "iscp": "urn:Aspera:XML:IScpTransferNET:2006/04:Types",
    "fasp06": "urn:Aspera:XML:FASPSessionNET:2006/01:Types",
    "fasp09": "urn:Aspera:XML:FASPSessionNET:2009/11:Types",
}


@cache
def schema() -> etree.XMLSchema:
    imports = "".join(
        f'<xsd:import namespace="{etree.parse(str(path)).getroot().get("targetNamespace")}" '
        f'schemaLocation="{path.as_uri()}"/>'
        for path in contract_directory().glob("*.xsd")
    )
    whole = f'<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema">{imports}</xsd:schema>'
    return etree.XMLSchema(etree.fromstring(whole))


def payload(message: bytes) -> Any:
    """The element that the contract describes: the body's, or that of a fault's detail."""
    root: Any = etree.fromstring(message)
    assert root.tag == f"{ENVELOPE}Envelope"
    (body,) = root
    assert body.tag == f"{ENVELOPE}Body"
    (inner,) = body
    if inner.tag == f"{ENVELOPE}Fault":
        (inner,) = inner.find("detail")
    return inner


def assert_valid(message: bytes) -> Any:
    """The payload of an answer, which must be valid by the contract's schema."""
    element = payload(message)
    # A copy, so that the prefix and namespace declarations of the envelope count as the element's own.
    schema().assertValid(etree.fromstring(etree.tostring(element)))
    return element


def fault(message: bytes) -> tuple[str, str]:
    """Code (without prefix) and text of a SOAP 1.1 fault."""
    root = etree.fromstring(message)
    (found,) = root.iter(f"{ENVELOPE}Fault")
    code = found.findtext("faultcode") or ""
    prefix, _, name = code.partition(":")
    assert found.nsmap[prefix] == NAMESPACES["e"]
    return name, found.findtext("faultstring") or ""
