"""From the transfer spec of a page to a job's order: with the paths that its names stand for, and nothing of the
user's machine that the page was not given. Pure but for asking where names lead.

A page names what it sends by its grants. What it fetches goes into a folder the user chose in a dialog, or below the
user's downloads, where nothing is ever overwritten. Programs of the user name paths as they are. A field that could
move or remove other files than the user thinks is refused by name; see the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asperacentral.client.errors import BadRequest, NotPermitted
from asperacentral.client.grants import Grants
from asperacentral.client.origins import Caller
from asperacentral.fasp import JobOrder, OrderError, RetryPolicy
from asperacentral.fasp.library import transfer_spec

MOST_PATHS = 10_000

PASSED = frozenset(
    {
        "cipher",
        "cookie",
        "create_dir",
        "destination_root",
        "direction",
        "exclude_newer_than",
        "exclude_older_than",
        "fasp_port",
        "file_checksum",
        "min_rate_kbps",
        "overwrite",
        "paths",
        "precalculate_job_size",
        "preserve_modification_time",
        "preserve_times",
        "rate_policy",
        "remote_host",
        "remote_password",
        "remote_user",
        "resume_policy",
        "save_before_overwrite",
        "skip_duplicate_check",
        "skip_special_files",
        "source_root",
        "ssh_port",
        "sshfp",
        "symlink_policy",
        "tags",
        "tags64",
        "target_rate_kbps",
        "token",
    }
)
"""Fields that pages may use."""
PASSED_FOR_PROGRAMS = frozenset({"ssh_private_key_path", "src_base", "remove_after_transfer", "dgram_size"})
IGNORED = transfer_spec.INFORMATION | frozenset(
    {
        "apply_local_docroot",
        "convert_filenames",
        "destination_root_id",
        "download_name",
        "move_after_transfer_path",
        "multi_session",
        "obfuscate_file_names",
        "remote_access_key",
        "wss_enabled",
        "wss_port",
        "xfer_id",
        "zip_required",
    }
)
"""Fields that inform, or matter to other clients."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the user has set: where downloads go, and the key for servers that are told no other credential."""

    downloads: Path
    transfer_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that can be launched, the folder to make before, and pairs of a real path and the page's name for it."""

    order: JobOrder
    folder: Path | None = None
    names: tuple[tuple[str, str], ...] = ()

    def name_of(self, path: str) -> str:
        """What the page calls a file of the transfer: a name it was given, else no more than its last part."""
        for real, name in self.names:
            if path == real or path.startswith(real.rstrip("/") + "/"):
                return name + path[len(real.rstrip("/")) :]
        return path.rstrip("/").rpartition("/")[2] if self.names or self.folder else path


def plan(
    spec: Mapping[str, Any],
    caller: Caller,
    grants: Grants,
    desk: Desk,
    *,
    job_id: str,
    absolute: bool = False,
) -> Plan:
    """The order of a spec; `absolute` says that a program's destination is no path below the downloads.

    BadRequest for what makes no order, NotPermitted for what is not the caller's to ask.
    """
    wanted = _known_fields(spec, caller)
    paths = _paths(wanted)
    names: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    if wanted.get("direction") == "send":
        paths, names = _sources(paths, str(wanted.pop("source_root", "") or ""), caller, grants)
    else:
        wanted["destination_root"], folder = _destination(wanted, paths, caller, grants, desk, absolute)
        if folder is not None and caller.is_page:
            wanted["overwrite"] = "never"
    wanted["paths"] = paths
    secrets = ("remote_password", "ssh_private_key_path")
    if desk.transfer_key is not None and not any(wanted.get(name) for name in secrets):
        wanted["ssh_private_key_path"] = str(desk.transfer_key)
    try:
        order = transfer_spec.orders(wanted)[0]
    except OrderError as problem:
        raise BadRequest(str(problem)) from None
    return Plan(replace(order, job_id=job_id, retry=RetryPolicy()), folder, names)


def _known_fields(spec: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    passed = PASSED if caller.is_page else PASSED | PASSED_FOR_PROGRAMS
    unknown = sorted(name for name in spec if name not in passed | IGNORED)
    if unknown:
        raise BadRequest(
            f"the transfer spec has fields that are not supported here: {', '.join(unknown)[:300]}"
        )
    for name in ("direction", "remote_host"):
        if not isinstance(spec.get(name), str) or not spec[name]:
            raise BadRequest(f"the transfer spec needs a {name}")
    for name, value in spec.items():
        if isinstance(value, str) and "\0" in value:
            raise BadRequest(f"the transfer spec's {name} contains a NUL character")
    return {name: value for name, value in spec.items() if name in passed and value is not None}


def _paths(wanted: Mapping[str, Any]) -> list[dict[str, str]]:
    given = wanted.get("paths")
    if not isinstance(given, list) or not given or len(given) > MOST_PATHS:
        raise BadRequest(f"the transfer spec needs 1 to {MOST_PATHS} paths")
    paths = []
    for each in given:
        source = each.get("source") if isinstance(each, dict) else None
        destination = (each.get("destination") or "") if isinstance(each, dict) else ""
        if not isinstance(source, str) or not source or not isinstance(destination, str):
            raise BadRequest("each of the transfer spec's paths needs a source")
        if any(character in source + destination for character in "\0\n\r"):
            raise BadRequest("paths with NUL characters or line breaks are not supported")
        paths.append({"source": source, "destination": destination})
    return paths


def _sources(
    paths: list[dict[str, str]], root: str, caller: Caller, grants: Grants
) -> tuple[list[dict[str, str]], tuple[tuple[str, str], ...]]:
    """Paths with real sources, and what the page calls them."""
    real, names = [], []
    for path in paths:
        name = f"{root.rstrip('/')}/{path['source'].lstrip('/')}" if root else path["source"]
        if caller.is_page:
            source = grants.find(caller.origin, name)
            names.append((str(source), name))
        else:
            source = Path(name)
            if not source.is_absolute():
                raise BadRequest(f"the source {name[:200]!r} is not an absolute path")
        real.append({**path, "source": str(source)})
    return real, tuple(names)


def _destination(
    wanted: Mapping[str, Any],
    paths: list[dict[str, str]],
    caller: Caller,
    grants: Grants,
    desk: Desk,
    absolute: bool,
) -> tuple[str, Path | None]:
    """Where files go, and, unless the user chose it, the folder to make for them."""
    root = wanted.get("destination_root", "")
    if not isinstance(root, str):
        raise BadRequest("the transfer spec's destination_root has a wrong type")
    if len(paths) == 1 and caller.is_page and grants.is_name(caller.origin, paths[0]["destination"]):
        chosen = grants.find(caller.origin, paths[0]["destination"])
        paths[0]["destination"] = ""
        return str(chosen), None
    for path in paths:
        if path["destination"].startswith("/") or ".." in path["destination"].split("/"):
            raise NotPermitted("the destination of a path leads out of the folder of the transfer")
    if caller.is_page and grants.is_name(caller.origin, root):
        return str(grants.find(caller.origin, root)), None
    if absolute and root.startswith("/"):
        if caller.is_page:
            raise NotPermitted("this folder was not chosen here: have the user choose it in a dialog")
        return root, None
    inner = [part for part in root.split("/") if part not in ("", ".")]
    if ".." in inner:
        raise NotPermitted("the destination leads out of the user's downloads")
    folder = desk.downloads.joinpath(*inner)
    if not folder.resolve().is_relative_to(desk.downloads.resolve()):
        raise NotPermitted("the destination leads out of the user's downloads")
    return str(folder), folder
