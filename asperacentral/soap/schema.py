"""Strict reading: a body element is checked against the contract's XSD files before it is carried out.

Knows the XSD files, not the operations. lxml remembers every name it meets for good, so a message with a name that
the contract does not have is refused before lxml sees it.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

from lxml import etree

from asperacentral.soap.contract_files import contract_directory
from asperacentral.soap.faults import CLIENT, SoapFault
from asperacentral.soap.names import SCHEMA_INSTANCE, local_name, namespace_of

_NAMED = re.compile(r'<xsd:element name="([^"]+)"')


class ContractSchema:
    """The compiled schema of all messages."""

    def __init__(self) -> None:
        sources = sorted(contract_directory().glob("*.xsd"))
        self._names: set[str] = set()
        imports: list[str] = []
        for source in sources:
            text = source.read_text("utf-8")
            self._names.update(_NAMED.findall(text))
            namespace = etree.fromstring(text.encode()).get("targetNamespace")
            imports.append(f'<xsd:import namespace="{namespace}" schemaLocation="{source.as_uri()}"/>')
        whole = f'<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema">{"".join(imports)}</xsd:schema>'
        self._schema = etree.XMLSchema(etree.fromstring(whole))

    def check(self, body: Element, message: str) -> None:
        """SoapFault with the first reason why the body element is not valid as that message."""
        body.tag = message
        for element in body.iter():
            if local_name(element.tag) not in self._names:
                raise SoapFault(CLIENT, f"unknown element {local_name(element.tag)[:64]!r}")
            if any(namespace_of(name) != SCHEMA_INSTANCE for name in element.attrib):
                raise SoapFault(CLIENT, f"{local_name(element.tag)} must have no attributes")
        document = etree.fromstring(tostring(body), etree.XMLParser(resolve_entities=False, no_network=True))
        try:
            self._schema.assertValid(document)
        except etree.DocumentInvalid as invalid:
            raise SoapFault(CLIENT, str(invalid)[:300]) from None
