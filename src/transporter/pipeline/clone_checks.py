"""What a clone asks `restore` to do, checked before a byte is written.

Whoever made the clone wrote its records, its DVC files and settings, and what DVC lists. None of
these may name a place outside of what they are for, and none may let code run.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from transporter.support.errors import UserError

FOLDERS = ("data", "results")
RECORDS = Path(".snakemake/metadata")
INCOMPLETE = Path(".snakemake/incomplete")
"""Snakemake's marks of outputs whose job was killed."""
PROVENANCE = "provenance.json"
DVC = ".dvc"
LISTING = re.compile(r"[0-9a-f]{32}\.dir")
"""DVC's name of the listing of a folder: its MD5."""
CONTENT = re.compile(r"[0-9a-f]{32}")
OTHERS = (".git", ".dvc")
"""Folders that programs obey wherever they find them."""
RECORD_PART = re.compile(r"@?[A-Za-z0-9_=-]+")
SETTINGS: Mapping[str, frozenset[str]] = {
    "core": frozenset(
        {"analytics", "autostage", "check_update", "checksum_jobs", "interactive", "no_scm"}
        | {"remote"}
    ),
    "cache": frozenset({"type"}),
    "remote": frozenset(
        {"url", "jobs", "checksum_jobs", "verify", "timeout", "connect_timeout", "read_timeout"}
        | {"region", "endpointurl", "use_ssl", "allow_anonymous_login", "user", "password", "port"}
        | {"access_key_id", "secret_access_key", "session_token", "auth", "token"}
        | {"projectname", "account_name", "account_key", "sas_token", "connection_string"}
        | {"tenant_id", "client_id", "client_secret"}
    ),
}
"""What DVC's settings in a clone may say: where the remote is and who may read it. Others can run a
command (`bearer_token_command`), name files of settings that can (`configpath`), make DVC read
pickles (`site_cache_dir`) or write outside of the clone (`cache.dir`).
"""


@dataclass(frozen=True)
class Provenance:
    """Snakemake's records by their names, and the hashes of what results were made from."""

    records: dict[str, dict[str, Any]]
    sources: dict[str, str]


def read_provenance(root: Path) -> Provenance:
    """The records of a snapshot, all of whose names lead to places inside of the clone.

    Raises:
        UserError: no such file, a file of something else, or a name that leads elsewhere.
    """
    path = root / PROVENANCE
    if not path.is_file():
        raise UserError(
            f"{path}: expected the records of a snapshot, found no such file;"
            " `transporter snapshot` makes one"
        )
    refuse_links(root, PROVENANCE)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _broken(path, str(error)) from None
    parts = [kept.get(key) for key in ("records", "sources")] if isinstance(kept, dict) else []
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise _broken(path, "a file without the mappings records and sources")
    records, sources = parts
    for name, record in records.items():
        _check_record(root, name, record)
    for name, recorded in sources.items():
        if not isinstance(recorded, str):
            raise _broken(path, f"no hash of the source {name!r}")
        check_name(name, f"{path}: source")
        refuse_links(root, name)
    return Provenance(records, sources)


def _broken(path: Path, found: str) -> UserError:
    return UserError(f"{path}: expected the records of a snapshot, got {found}; get the file again")


def _check_record(root: Path, name: str, record: Any) -> None:
    """A record is of an output in one of the folders, and its own place is among the records."""
    where = f"{root / PROVENANCE}: record"
    parts = name.split("/")
    output = _output(parts)
    if not all(RECORD_PART.fullmatch(part) for part in parts) or output is None:
        raise UserError(
            f"{where}: expected the name of an output in base 64, got {name!r}; nothing was"
            " restored"
        )
    check_name(output, where, FOLDERS)
    inputs = record.get("input") if isinstance(record, dict) else ""
    if not isinstance(inputs, list | None):
        raise _broken(root / PROVENANCE, f"no record of {output!r}")
    for folder in (RECORDS, INCOMPLETE):
        refuse_links(root, (folder / name).as_posix())


def _output(parts: Iterable[str]) -> str | None:
    """The output that a record is of; Snakemake cuts long names into folders."""
    letters = "".join(part.removeprefix("@") for part in parts)
    try:
        return base64.b64decode(letters, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def check_name(name: str, where: str, folders: Iterable[str] = ()) -> None:
    """Refuse the name of a file that leads out of its folder, or is in none of `folders`.

    Raises:
        UserError: an absolute name, one that climbs or is empty, or one of another folder.
    """
    parts = name.split("/")
    bad = {"", ".", ".."} & set(parts) or any(part.lower() in OTHERS for part in parts)
    if bad or not name.isprintable() or (folders and parts[0] not in folders):
        place = f"one in {' or '.join(folders)}" if folders else "one inside of its folder"
        raise UserError(
            f"{where}: expected a name of a file, {place}, got {name!r}; nothing was restored"
        )


def refuse_links(root: Path, name: str) -> None:
    """Raise a `UserError` where `name` or a folder on the way to it is a link."""
    for place in reversed([PurePosixPath(name), *PurePosixPath(name).parents]):
        if (root / place).is_symlink():
            raise _link(root / place)


def _link(path: Path) -> UserError:
    return UserError(
        f"{path}: expected a file or folder of the clone, got a link to {os.readlink(path)};"
        " nothing was restored through it; delete the link"
    )


def _refuse_special(path: Path) -> None:
    """A pipe, for one, would be waited for."""
    if not path.is_file():
        raise UserError(f"{path}: expected a file, got what is none; nothing was restored")


def check_links(root: Path) -> None:
    """Refuse links where DVC is about to write, which would lead it elsewhere.

    Raises:
        UserError: a link within DVC's own folder, or one that leads out of a folder of results.
    """
    refuse_links(root, DVC)
    for link in _links(root / DVC):
        raise _link(link)
    for name in FOLDERS:
        refuse_links(root, name)
        for link in _links(root / name):
            if not _leads_within(link, root / name):
                raise _link(link)


def _links(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if os.path.islink(os.path.join(place, name)):
                yield Path(place, name)


def _leads_within(link: Path, folder: Path) -> bool:
    try:
        return link.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        # links that go round in circles
        return False


def check_settings(root: Path) -> None:
    """Refuse settings of DVC that came with the clone and do more than say where the remote is.

    Raises:
        UserError: the file and the key.
    """
    from dvc.config import Config, ConfigError

    for name in ("config", "config.local"):
        path = root / DVC / name
        if not os.path.lexists(path):
            continue
        _refuse_special(path)
        try:
            settings = Config.load_file(os.fspath(path))
        except ConfigError as error:
            raise UserError(
                f"{path}: expected settings of DVC, got {' '.join(str(error).split())}"
            ) from None
        for key in _keys(settings):
            if key[-1] not in SETTINGS.get(key[0], ()):
                raise UserError(
                    f"{path}: {'.'.join(key)}: expected settings that only say where the remote"
                    " is, got one that can do more; if you need it, set it for yourself with"
                    " `dvc config --global`"
                )


def _keys(settings: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for section, content in settings.items():
        if not isinstance(content, Mapping):
            yield (section,)
            continue
        for key, value in content.items():
            if section == "remote" and isinstance(value, Mapping):
                yield from ((section, key, option) for option in value)
            else:
                yield (section, key)


def read_outputs(root: Path) -> dict[str, str]:
    """Folders of results that DVC keeps, and the hash of DVC's listing of each.

    Raises:
        UserError: there is none, or a DVC file says anything else.
    """
    found = {name: root / f"{name}.dvc" for name in FOLDERS}
    files = {name: path for name, path in found.items() if os.path.lexists(path)}
    if not files:
        raise UserError(
            f"{root}: expected {' or '.join(path.name for path in found.values())}, which a"
            " snapshot makes, found neither"
        )
    return {name: _read_output(root, name, path) for name, path in files.items()}


def _read_output(root: Path, name: str, path: Path) -> str:
    refuse_links(root, path.name)
    _refuse_special(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(
            f"{path}: expected a file of DVC, got {' '.join(str(error).split())}"
        ) from None
    outs = content.get("outs") if isinstance(content, dict) and len(content) == 1 else None
    out = outs[0] if isinstance(outs, list) and len(outs) == 1 else None
    if not isinstance(out, dict) or not out.keys() <= {"md5", "size", "nfiles", "hash", "path"}:
        raise UserError(
            f"{path}: expected one folder and its MD5 under outs, as `dvc add {name}` writes, and"
            " nothing else; nothing was restored"
        )
    if out.get("path") != name or out.get("hash") != "md5":
        raise UserError(
            f"{path}: expected outs with path: {name} and hash: md5, got path: {out.get('path')!r}"
            f" and hash: {out.get('hash')!r}; nothing was restored"
        )
    if not LISTING.fullmatch(str(out.get("md5"))):
        raise UserError(f"{path}: expected the MD5 of a folder, got {out.get('md5')!r}")
    return out["md5"]


def is_listing(data: bytes, listing: str) -> bool:
    """Whether these bytes are what DVC keeps as `listing`, a hash."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest() == listing.removesuffix(".dir")


def check_listing(data: bytes, folder: str) -> list[str]:
    """The hashes that DVC's listing of a folder gives of its files, all of which stay inside.

    Raises:
        UserError: no listing, a name that leads out of the folder, or a hash that is none.
    """
    where = f"DVC's listing of {folder}"
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: expected JSON, got {error}; nothing was restored") from None
    if not isinstance(entries, list):
        raise UserError(f"{where}: expected a list of files, got something else")
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"md5", "relpath"}:
            raise UserError(
                f"{where}: expected md5 and relpath of each file, got {str(entry)[:100]}; nothing"
                " was restored"
            )
        name, content = entry["relpath"], entry["md5"]
        if not isinstance(content, str) or not CONTENT.fullmatch(content):
            raise UserError(
                f"{where}: expected the MD5 of {str(name)[:100]}, got {str(content)[:100]!r};"
                " nothing was restored"
            )
        check_name(str(name), where)
    return [entry["md5"] for entry in entries]
