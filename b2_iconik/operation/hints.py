"""What a listing suggests about an asset. Pure.

A listing comes from an index that lags, and may leave anything out. So it is used to request copies
early and to see that they have arrived, and never to decide about a deletion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from b2_iconik.domain.arrival import shortfall
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.custody import Unproven, by_age, judge, presence, wanted_formats
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import LISTING_LAG_MS, ClaimedAsset, Hint
from b2_iconik.domain.sizes import size_of
from iconik_http.records import ACTIVE, File, Format, Listed

LONGEST_TITLE = 200


def hint_of(listed: Listed, click: CustomAction) -> Hint:
    """What a listing suggests for a click.

    Add can request copies of formats that seem to be complete elsewhere and not on LucidLink;
    Remove, of those that only a copy to B2 seems to make safe.

    Args:
        listed: the asset as a listing shows it.
    """
    formats, files = _by_age(listed.formats), files_of(listed)
    is_ready = _is_lacking if click.action == "add" else _is_only_on_lucidlink
    by_name = {name: wanted_formats(formats, name) for name in click.formats}
    ready = tuple(name for name, some in by_name.items() if is_ready(some, files, click))
    names = {each.id: each.name for each in formats}
    sizes = [size_of(name, formats, files, click.ll_storage_id) for name in click.formats]
    size = sum(each or 0 for each in sizes) or None
    return Hint(listed.title[:LONGEST_TITLE], names, ready, size)


def _is_lacking(formats: Sequence[Format], files: Iterable[File], click: CustomAction) -> bool:
    found = [presence(each.id, files, click.ll_storage_id) for each in formats[:1]]
    return any(each.state == "lacking" and each.has_source for each in found)


def _is_only_on_lucidlink(
    formats: Sequence[Format], files: Sequence[File], click: CustomAction
) -> bool:
    if len(formats) != 1:
        return False
    of_format = [file for file in files if file.format_id == formats[0].id]
    if any(file.storage_id == click.b2_storage_id and file.is_active for file in of_format):
        return False
    found = judge(formats[0].id, of_format, click.ll_storage_id, click.b2_storage_id)
    needs_copy = [isinstance(each, Unproven) and each.remedy == "copy" for each in found]
    return bool(needs_copy) and all(needs_copy)


def may_be_listed(asset: ClaimedAsset, now_ms: int) -> bool:
    """Whether a listing may show that all copies to LucidLink that an asset needed have arrived.

    It may only if an earlier one showed that they were lacking: otherwise, it may still show what
    was there before. It may not if iconik reports a problem, if an existing format was not copied,
    or if listings have not shown it for a minute.

    Args:
        now_ms: the time, by the clock of operations.
    """
    progress = asset.progress
    existing = set(progress.format_names.values())
    since_ms = progress.unfinished_ms
    return (
        bool(progress.copy_results)
        and progress.copy_results.keys() <= set(progress.ready)
        and not any(progress.copy_results.values())
        and not progress.must_be_finished
        and bool(existing)
        and all(name in progress.copy_results or name not in existing for name in asset.formats)
        and (since_ms is None or now_ms - since_ms < LISTING_LAG_MS)
    )


def arrived(asset: ClaimedAsset, listed: Listed, ll_storage_id: str) -> dict[str, Outcome] | None:
    """The outcomes of an Add, by format name, if a listing shows all of them.

    Args:
        asset: an asset for which ``may_be_listed``.
        listed: the asset, listed after its copies ended.

    Returns:
        None if the listing may be out of date; empty if what it shows must be read.
    """
    formats, files = listed.formats, files_of(listed)
    outcomes = {}
    for name in asset.formats:
        found = wanted_formats(formats, name)
        if not formats or bool(found) != (name in asset.progress.copy_results):
            return None
        for one in found[:1]:
            now = presence(one.id, files, ll_storage_id)
            if now.state != "there":
                return None
            if not now.has_source or shortfall(one.id, files, ll_storage_id):
                return {}
        size = size_of(name, formats, files, ll_storage_id)
        outcomes[name] = Outcome("copied", size=size) if found else Outcome("without")
    return outcomes


def _by_age(formats: Sequence[Format]) -> list[Format]:
    """The formats, the newest first; none if one has no id or name, or their order is unknown."""
    for each in formats:
        same = wanted_formats(formats, each.name)
        if not (each.id and each.name) or (len(same) > 1 and not each.date_created):
            return []
    return by_age(formats)


def files_of(listed: Listed) -> list[File]:
    """The listed files. Listings often omit the status of file sets."""
    return [replace(file, file_set_status=file.file_set_status or ACTIVE) for file in listed.files]
