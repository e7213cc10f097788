"""The served XSD files against the contract's types: names, order, types, occurrences and forms, element by element."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lxml import etree

from asperacentral.soap.contract_files import contract_files
from tests.soap.contract import NAMESPACES
from tests.soap.contract_types import DECIDED, EVIDENT

XSD = "{http://www.w3.org/2001/XMLSchema}"
KEYS = ("job", "iscp", "fasp06", "fasp09")
DEFAULT_FORMS = {"job": "unqualified", "iscp": "qualified", "fasp06": "qualified", "fasp09": "unqualified"}
_MARKS = {("1", "1"): "", ("0", "1"): "?", ("0", "unbounded"): "*", ("0", "3"): "{0,3}"}


def served(key: str) -> Any:
    """The schema of a namespace, as clients get it."""
    (root,) = (
        root
        for name, content in contract_files().items()
        if name.endswith(".xsd")
        and (root := etree.fromstring(content)).get("targetNamespace") == NAMESPACES[key]
    )
    return root


def declarations(text: str) -> list[str]:
    """The lines of a transcription, continued ones joined."""
    return re.sub(r"\n +", " ", text.strip()).splitlines()


def declared(root: Any) -> list[str]:
    """What a schema declares, in the words of the transcription."""
    return [_declaration(node, root) for node in root if node.tag in (f"{XSD}element", f"{XSD}complexType")]


def _declaration(node: Any, root: Any) -> str:
    kind = "element" if node.tag == f"{XSD}element" else "type"
    extended = [each.get("base").partition(":")[2] for each in node.iter(f"{XSD}extension")]
    children = [each for each in node.iter(f"{XSD}element") if each is not node]
    forms = sorted({each.get("form", root.get("elementFormDefault", "unqualified")) for each in children})
    words = [kind, node.get("name"), *(f"extends {base}" for base in extended), *forms]
    shown = ", ".join(_child(each) for each in children)
    return " ".join(words) + (f": {shown}" if shown else "")


def _child(element: Any) -> str:
    occurs = element.get("minOccurs", "1"), element.get("maxOccurs", "1")
    return f"{element.get('name')} {element.get('type').partition(':')[2]}{_MARKS[occurs]}"


@pytest.mark.parametrize("key", KEYS)
def test_a_schema_declares_what_the_contract_says_and_nothing_else(key: str) -> None:
    said = declarations(EVIDENT[key]) + declarations(DECIDED.get(key, ""))
    assert sorted(declared(served(key))) == sorted(said)


@pytest.mark.parametrize("key", KEYS)
def test_types_are_those_of_the_schema_itself_or_of_xml_schema(key: str) -> None:
    root = served(key)
    own = {node.get("name") for node in root.findall(f"{XSD}complexType")}
    for element in root.iter(f"{XSD}element"):
        if element.get("type") is None:
            continue
        prefix, _, name = element.get("type").partition(":")
        uri = element.nsmap[prefix]
        assert uri == XSD[1:-1] or (uri == NAMESPACES[key] and name in own)


@pytest.mark.parametrize("key", KEYS)
def test_the_form_default_is_the_contract_s(key: str) -> None:
    assert served(key).get("elementFormDefault", "unqualified") == DEFAULT_FORMS[key]


@pytest.mark.parametrize("key", KEYS)
def test_children_are_a_sequence_and_nothing_is_nillable_enumerated_or_defaulted(key: str) -> None:
    root = served(key)
    allowed = {"schema", "element", "complexType", "sequence", "complexContent", "extension"}
    kinds = {each.tag.removeprefix(XSD) for each in root.iter(etree.Element)}
    assert kinds - {"annotation", "documentation"} <= allowed
    for element in root.iter(f"{XSD}element"):
        assert set(element.attrib) <= {"name", "type", "form", "minOccurs", "maxOccurs"}
    for group in root.iter(f"{XSD}sequence"):
        assert not group.attrib


def test_every_served_schema_is_transcribed() -> None:
    found = {
        etree.fromstring(content).get("targetNamespace")
        for name, content in contract_files().items()
        if name.endswith(".xsd")
    }
    assert found == {NAMESPACES[key] for key in KEYS}
