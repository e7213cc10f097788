"""Messages and types of FASPSessionNET 2009/11 (contract §4.4). Every child is in no namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from asperacentral.soap.fields import (
    Boolean,
    DateTime,
    Int,
    Long,
    Model,
    PositiveInteger,
    String,
    UnsignedByte,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
    many,
    maybe,
    one,
)
from asperacentral.soap.names import FASPSESSION_200911


class Type(Model):
    """A message or type of this namespace."""

    __namespace__ = FASPSESSION_200911


# --- filters, to a `central.query` filter


class SessionFilter(Type):
    """Session criteria."""

    aliases: ClassVar[Mapping[str, str]] = {"MaxSessionEndtDate": "MaxSessionEndDate"}
    IterationToken = maybe(String, "iteration_token")
    MaxResults = maybe(PositiveInteger, "max_results")
    SessionUUID = many(String, "session_uuid")
    SessionStatus = many(String, "session_status")
    ServerAddress = many(String, "server_address")
    ClientAddress = many(String, "client_address")
    Cookie = many(String, "cookie")
    CookieFilter = maybe(String, "cookie_filter")
    JobId = many(String, "job_id")
    Direction = maybe(String, "direction")
    MinSessionStartDate = maybe(DateTime, "min_session_start_date")
    MaxSessionStartDate = maybe(DateTime, "max_session_start_date")
    MinSessionEndDate = maybe(DateTime, "min_session_end_date")
    MaxSessionEndDate = maybe(DateTime, "max_session_end_date")
    PrivateKey = many(String, "private_key")
    LastSessionOnly = maybe(Boolean, "last_session_only")
    User = many(String, "user")


class FileTransferFilter(SessionFilter):
    """Session criteria, then file criteria."""

    __namespace__ = FASPSESSION_200911
    TransferId = many(Long, "transfer_id")
    TransferStatus = many(String, "transfer_status")
    Filepath = many(String, "filepath")
    FilenameFilter = maybe(String, "filename_filter")
    MinTransferStartDate = maybe(DateTime, "min_transfer_start_date")
    MaxTransferStartDate = maybe(DateTime, "max_transfer_start_date")
    MinTransferEndDate = maybe(DateTime, "min_transfer_end_date")
    MaxTransferEndDate = maybe(DateTime, "max_transfer_end_date")


class SessionFilterRequest(Type):
    """GetSessions, GetSessionInfo, GetSessionStatistics."""

    SessionFilter = one(SessionFilter, "wanted")


class FileTransferFilterRequest(Type):
    """GetFileTransfers and its kin, GetInfo, GetStatistics."""

    FileTransferFilter = one(FileTransferFilter, "wanted")


# --- a session, from a SessionRecord


class SessionKey(Type):
    """Which session."""

    UUID = one(String, "id")
    JobId = maybe(String, "job_id")


class SessionStatistics(SessionKey):
    """How far a session is."""

    __namespace__ = FASPSESSION_200911
    Status = one(String, "status")
    ErrorCode = one(Int, "error_code")
    ErrorDescription = maybe(String, "error_description")
    ExpectedFileCount = one(UnsignedInt, "expected_file_count")
    ExpectedDirCount = one(UnsignedInt, "expected_dir_count")
    ExpectedByteCount = one(UnsignedLong, "expected_byte_count")
    FileCount = one(UnsignedInt, "file_count")
    FilesComplete = one(UnsignedInt, "files_complete")
    FilesFailed = one(UnsignedInt, "files_failed")
    FilesTransferring = one(UnsignedInt, "files_transferring")
    BytesWritten = one(UnsignedLong, "bytes_written")
    BytesTransferred = one(UnsignedLong, "bytes_transferred")
    BytesLost = one(UnsignedLong, "bytes_lost")
    Elapsed = one(UnsignedLong, "elapsed")
    NetworkDelay = one(UnsignedInt, "network_delay")
    RateInfo = maybe(String, "rate_info", varying=True)


class SessionInfo(SessionStatistics):
    """Everything about a session but its token, which is never shown."""

    __namespace__ = FASPSESSION_200911
    StartDate = one(DateTime, "start_date")
    EndDate = maybe(DateTime, "end_date")
    Token = maybe(String, None)
    Cookie = maybe(String, "cookie")
    Direction = one(String, "direction")
    ServerEndpoint = one(String, "server_endpoint")
    ServerAddress = maybe(String, "server_address")
    ServerSSHPort = one(UnsignedShort, "server_ssh_port")
    ServerFASPPort = one(UnsignedShort, "server_fasp_port")
    User = one(String, "user")
    ClientEndpoint = one(String, "client_endpoint")
    ClientAddress = maybe(String, "client_address")
    ClientFASPPort = one(UnsignedShort, "client_fasp_port")
    RatePolicy = one(String, "rate_policy")
    TargetRate = one(UnsignedInt, "target_rate")
    MinimumRate = one(UnsignedInt, "minimum_rate")
    BandwidthCap = one(UnsignedInt, "bandwidth_cap")
    EncryptionCipher = one(String, "encryption_cipher")
    JobRetryCount = one(UnsignedByte, "job_retry_count")
    JobMaxRetries = one(UnsignedByte, "job_max_retries")
    PrivateKey = maybe(String, "private_key")
    SourcePath = maybe(String, "source_path")
    DestinationPath = maybe(String, "destination_path")
    VLinkId = maybe(UnsignedInt, "vlink_id")


# --- a file transfer, from a FileRecord


class FileTransferKey(Type):
    """Which file of which session."""

    SessionUUID = one(String, "session_id")
    Path = one(String, "path")
    LocalId = one(Long, "local_id")
    UUID = one(String, "id")


class FileTransferStatistics(FileTransferKey):
    """How far a file is."""

    __namespace__ = FASPSESSION_200911
    Status = one(String, "status")
    ErrorCode = one(Int, "error_code")
    ErrorDescription = maybe(String, "error_description")
    Size = one(UnsignedLong, "size")
    StartOffset = one(UnsignedLong, "start_offset")
    BytesWritten = one(UnsignedLong, "bytes_written")
    BytesContiguous = one(UnsignedLong, "bytes_contiguous")
    BytesLost = one(UnsignedLong, "bytes_lost")
    Elapsed = one(UnsignedLong, "elapsed")


class FileTransferInfo(FileTransferStatistics):
    """Everything about a file transfer."""

    __namespace__ = FASPSESSION_200911
    StartDate = one(DateTime, "start_date")
    EndDate = maybe(DateTime, "end_date")
    Checksum = maybe(String, "checksum")
    ChecksumType = maybe(String, "checksum_type")
    FileType = maybe(String, "file_type")
    Action = maybe(String, "action")
    ContentProtection = maybe(String, "content_protection")


# --- results, from a `faspsession200911.Batch`


class QueryResult(Type):
    """The head of every result."""

    ResultCount = one(UnsignedInt, "count")
    RemainingResultCount = one(UnsignedInt, "remaining")
    IterationToken = one(String, "iteration_token")


class SessionKeysResult(QueryResult):
    """Sessions by key."""

    __namespace__ = FASPSESSION_200911
    SessionKey = many(SessionKey, "sessions")


class SessionStatisticsResult(QueryResult):
    """Sessions by statistics."""

    __namespace__ = FASPSESSION_200911
    SessionStatistics = many(SessionStatistics, "sessions")


class SessionInfoResult(QueryResult):
    """Sessions in full."""

    __namespace__ = FASPSESSION_200911
    SessionInfo = many(SessionInfo, "sessions")


class FileTransferKeysResult(QueryResult):
    """Files by key."""

    __namespace__ = FASPSESSION_200911
    FileTransferKey = many(FileTransferKey, "files")


class FileTransferStatisticsResult(QueryResult):
    """Files by statistics."""

    __namespace__ = FASPSESSION_200911
    FileTransferStatistics = many(FileTransferStatistics, "files")


class FileTransferInfoResult(QueryResult):
    """Files in full."""

    __namespace__ = FASPSESSION_200911
    FileTransferInfo = many(FileTransferInfo, "files")


class StatisticsResult(QueryResult):
    """Sessions, then files, by statistics."""

    __namespace__ = FASPSESSION_200911
    SessionStatistics = many(SessionStatistics, "sessions")
    FileTransferStatistics = many(FileTransferStatistics, "files")


class InfoResult(QueryResult):
    """Sessions, then files, in full."""

    __namespace__ = FASPSESSION_200911
    SessionInfo = many(SessionInfo, "sessions")
    FileTransferInfo = many(FileTransferInfo, "files")


class GetSessionsResponse(Type):
    """The answer to GetSessions."""

    SessionKeysResult = one(SessionKeysResult, "")


class GetSessionInfoResponse(Type):
    """The answer to GetSessionInfo."""

    SessionInfoResult = one(SessionInfoResult, "")


class GetSessionStatisticsResponse(Type):
    """The answer to GetSessionStatistics."""

    SessionStatisticsResult = one(SessionStatisticsResult, "")


class GetFileTransfersResponse(Type):
    """The answer to GetFileTransfers."""

    FileTransferKeysResult = one(FileTransferKeysResult, "")


class GetFileTransferInfoResponse(Type):
    """The answer to GetFileTransferInfo."""

    FileTransferInfoResult = one(FileTransferInfoResult, "")


class GetFileTransferStatisticsResponse(Type):
    """The answer to GetFileTransferStatistics."""

    FileTransferStatisticsResult = one(FileTransferStatisticsResult, "")


class GetInfoResponse(Type):
    """The answer to GetInfo."""

    InfoResult = one(InfoResult, "")


class GetStatisticsResponse(Type):
    """The answer to GetStatistics."""

    StatisticsResult = one(StatisticsResult, "")
