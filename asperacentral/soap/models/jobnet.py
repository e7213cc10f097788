"""Messages and types of JobNET 2006/01 (contract §4.1)."""

from __future__ import annotations

from asperacentral.soap.fields import Model, String, many, one
from asperacentral.soap.names import JOBNET


class SubmitRequest(Model):
    """A job type and its definition, the order document as text."""

    __namespace__ = JOBNET
    Type = one(String, "type")
    Definition = one(String, "definition")


class ListTypesResponse(Model):
    """Job types, from a sequence of names."""

    __namespace__ = JOBNET
    Type = many(String, "")


class JobResultType(Model):
    """A job that was taken, from a JobResult."""

    __namespace__ = JOBNET
    qualified = True
    Type = one(String, "type")
    ID = one(String, "id")


class SubmitResponse(Model):
    """The answer to Submit, from a JobResult."""

    __namespace__ = JOBNET
    JobResult = one(JobResultType, "")
