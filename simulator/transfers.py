"""The parts of a copy: the request, its source, and its target."""

from dataclasses import dataclass, field
from pathlib import Path

from simulator.job_records import Job
from simulator.records import Asset, File, FileSet, Format, Json, Storage, new_id


class CopyError(Exception):
    """A copy can't be done. The message goes into its job."""


@dataclass(frozen=True)
class Wish:
    """The request for a copy: the format, the target, and the options."""

    target: Storage
    format_name: str
    preferred_source: str | None = None
    overwrite: bool = False
    duplicates: bool = False
    path: str = ""


@dataclass
class Transfer:
    """The copy of one format of one asset."""

    wish: Wish
    asset_id: str
    job: Job
    fault: str | None = None
    file_set: FileSet | None = None
    pairs: list[tuple[File, File]] = field(default_factory=list)
    replaceable: set[Path] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for transfers that are duplicates."""
        return self.asset_id, self.wish.format_name, self.wish.target.id


def transfer_job(title: str, status: str) -> Json:
    """Return the initial fields of a copy's job."""
    return {
        "type": "TRANSFER",
        "title": title,
        "status": status,
        "message": "",
        "error_message": "",
    }


def format_named(asset: Asset, name: str) -> Format:
    """Return the newest active format with a name."""
    named = [f for f in asset.formats.values() if f.name == name and f.status == "ACTIVE"]
    if not named:
        raise CopyError(f"Asset has no format {name}")
    return max(named, key=lambda each: each.created)


def source_of(asset: Asset, format_: Format, wish: Wish) -> FileSet:
    """Return a complete file set to copy from, on the preferred storage if it has one."""
    whole = [
        each
        for each in asset.file_sets.values()
        if each.format is format_
        and each.storage is not wish.target
        and each.storage.settings.get("read", True)
        and each.is_whole()
    ]
    if not whole:
        raise CopyError(f"No storage to transfer {format_.name} from")
    return max(whole, key=lambda each: each.storage.id == wish.preferred_source)


def below(path: str, directory: str) -> str:
    """Join two directories of a storage; the first may be empty."""
    return f"{path}/{directory}".strip("/") if path else directory


def opened(source: File, file_set: FileSet, under: str) -> File:
    """Create the record of a file that is about to be copied to a directory."""
    name = source.original_name
    if file_set.storage.unique_names and source.type == "FILE":
        path = Path(name)
        name = f"{path.stem}_{new_id()}{path.suffix}"
    return File(
        file_set=file_set,
        name=name,
        original_name=source.original_name,
        directory_path=below(under, source.directory_path),
        size=0,
        checksum=None,
        status="OPEN",
        type=source.type,
        template=source.template,
        template_engine=source.template_engine,
    )
