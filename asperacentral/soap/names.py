"""Namespaces and service names of the contract (§1, §2). Values only."""

from __future__ import annotations

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
"""SOAP 1.1."""

NEXT_ACTOR = "http://schemas.xmlsoap.org/soap/actor/next"

SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

JOBNET = "urn:Aspera:XML:JobNET:2006/01:Types"
ISCPTRANSFER = "urn:Aspera:XML:IScpTransferNET:2006/04:Types"
FASPSESSION_200601 = "urn:Aspera:XML:FASPSessionNET:2006/01:Types"
FASPSESSION_200911 = "urn:Aspera:XML:FASPSessionNET:2009/11:Types"


def local_name(tag: str) -> str:
    """The name without its namespace, of a tag written `{namespace}name` or `name`."""
    return tag.rpartition("}")[2]


def namespace_of(tag: str) -> str:
    """The namespace of a tag written `{namespace}name`; empty when it has none."""
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""
