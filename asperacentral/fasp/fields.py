"""The fields of management messages: which of the known ones are numbers, which booleans, which secret or paths.

Everything else is text. A percentage in a number's place stays text, as does whatever else is no number.
"""

from __future__ import annotations

from asperacentral.fasp.management import Message

INTEGERS = frozenset(
    """
    ArgScansAttempted ArgScansCompleted ArgTransfersAttempted ArgTransfersFailed ArgTransfersPassed
    ArgTransfersSkipped Bytescont ChunkSize ClusterNodeId ClusterNumNodes Code CreatePolicy DSPipelineDepth
    DatagramSize Delay DirCreatesAttempted DirCreatesFailed DirCreatesPassed DirScansCompleted Elapsedusec EndByte
    FaspFileArgIndex FileBytes FileScansCompleted Loss MinRate MinRateCap MoveRangeHigh MoveRangeLow Offset PMTU
    PartialPreTransferBytes PathScansAttempted PathScansExcluded PathScansFailed PathScansIrregular
    PeerDSPipelineDepth PeerVLinkVersion Port PreTransferBytes PreTransferDirs PreTransferExcluded
    PreTransferFailed PreTransferFiles PreTransferSpecial Priority PriorityCap Rate RateCap ReadBlockSize
    RetryTimeout Size StartByte TCPPort TimePolicy TransferBytes TransfersAttempted TransfersFailed
    TransfersPassed TransfersSkipped VLinkVersion WriteBlockSize Written XferRetry XoptFlags
    """.split()  # noqa: SIM905 - a table reads better than a list
)
"""Decimal numbers: rates in Kbps, sizes in bytes, Delay in milliseconds, Elapsedusec in microseconds."""

BOOLEANS = frozenset(
    """
    Encryption FilesDecrypt FilesEncrypt FipsModeEnabled Keepalive MinRateLock MoveRange PolicyLock
    PostTransferValidation Precalc RTTAutocorrect RateLock Remote Stalled TestLogin UseProxy VLinkLocalEnabled
    VLinkRemoteEnabled
    """.split()  # noqa: SIM905 - a table reads better than a list
)
"""Yes or No."""

TEXTS = frozenset(
    """
    Adaptive ArgTransfersStatus BWInfo BWMeasurement BlockInfo Cipher ClientClusterId ClientDocroot
    ClientMacAddress ClientNodeId ClientUser CommandId Cookie Description Destination Direction DiskInfo Elapsed
    ExtraCreatePolicy FallbackProtocol FaspFileID File FileChecksum FileChecksumType Host LocalIP ManifestFile
    ManifestInprogress ManifestPath ManifestPolicy MgmtProof NodeUser Operation OverwritePolicy OverwritePolicyCap
    PartialFiles Password PolicyCap PrepostCommand Progress ProxyIP Query QueryResponse RateControlAlgorithm
    RateInfo Remaining RemoteAddress ResumePolicy RexInfo ServerClusterId ServerDocroot ServerHostname ServerNodeId
    ServiceLevel SessionId Source SourceBase SourcePrefix Tags Token Transport Type User UserStr VLRemoteCL
    VLinkLocalCL VLinkLocalId VLinkRemoteId VlinkCapIn VlinkCapOut VlinkID VlinkOn XferId
    """.split()  # noqa: SIM905 - a table reads better than a list
)
"""What stays as it is, also where it looks like a number."""

KNOWN = INTEGERS | BOOLEANS | TEXTS

TypedValue = int | bool | str


def typed(message: Message) -> dict[str, TypedValue]:
    """All fields of a message with the types above; what does not have its type's form stays text."""
    return {name: _typed(message, name, value) for name, value in message.fields.items()}


def _typed(message: Message, name: str, value: str) -> TypedValue:
    if name in INTEGERS:
        number = message.integer(name, -1)
        return value if number == -1 and value != "-1" else number
    if name in BOOLEANS and value.lower() in {"yes", "no"}:
        return message.boolean(name)
    return value
