"""Copies: requested in bulk, then followed to their end. An ended job does not prove a copy."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.progress import LISTING_LAG_MS, ClaimedAsset
from b2_iconik.domain.reasons import Reason, reason_of
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.copies import Copy
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.operation.storages import B2, LUCIDLINK
from b2_iconik.operation.together import Together
from iconik import MOST_COPIES_A_CALL, MOST_JOBS_A_CALL, Iconik
from iconik_http.errors import IconikError, IconikRefused, IconikUnavailable
from iconik_http.records import Job

log = logging.getLogger(__name__)

# Of more copies that were left to iconik, only the newest are followed.
MOST_LEFT = 1_000
# How many times iconik may fail to say what went wrong with a job that has ended.
MOST_UNTOLD = 10


def ask(
    iconik: Iconik,
    claims: Claims,
    click: CustomAction,
    wanted: Sequence[tuple[ClaimedAsset, Collection[str]]],
    now_ms: int,
    side_by_side: Callable[..., Iterable[Any]] = map,
) -> None:
    """Request the copies of some assets, and record that they are under way.

    Args:
        wanted: assets, with the names of the formats to copy.
        side_by_side: like ``map``, but may make its requests in parallel.

    Raises:
        IconikUnavailable: some copies could not be requested; the others are recorded.
        TokenRejected: iconik no longer accepts any token.
    """
    # In the order of the click: masters first.
    calls = [
        (name, some)
        for name in claims.formats
        for some in _calls([each for each, names in wanted if name in names])
    ]
    jobs: dict[str, str] = {}
    errors: list[IconikUnavailable] = []
    try:
        answers = side_by_side(lambda call: _ask_once(iconik, click, *call), calls)
        for (name, assets), answer in zip(calls, answers, strict=True):
            if isinstance(answer, IconikUnavailable):
                errors.append(answer)
                continue
            job_id, refusal = answer
            if job_id:
                jobs[job_id] = name
            for each in assets:
                # A copy that iconik accepts shows that the token may see the asset.
                each.seen = each.seen or bool(job_id)
                if refusal and not each.seen:
                    # Another asset may be the reason, so each is read before another request.
                    each.progress = replace(each.progress, ready=())
                else:
                    each.progress = each.progress.with_copy_results({name: refusal})
        if errors:
            raise errors[0]
        for each, _ in wanted:
            each.progress = replace(each.progress, unanswered_until_ms=None)
    finally:
        claims.copies.begin([each for each, _ in wanted], jobs, now_ms)


def follow_unrecorded(iconik: Iconik, claims: Claims, asset: ClaimedAsset, now_ms: int) -> bool:
    """Follow copies of an asset that iconik has under way but the operation doesn't know of.

    The request for them may have gone unanswered, or somebody else may have made it. Another
    request would only be told that the asset is already being copied, and not when that copy ends.

    Returns:
        Whether there are any, or whether that isn't known yet. The asset is then inspected again
        later.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    jobs = [job for job in iconik.transfers(asset.asset_id) if not job.ended]
    # A known copy that has not ended was followed before, until the operation gave up on it.
    known = claims.copies.known({each.id for each in jobs} | {each.parent_id for each in jobs})
    running = [job for job in jobs if not {job.id, job.parent_id} & known]
    until_ms = asset.progress.unanswered_until_ms or 0
    # An Add that still wants the copies requests them again, and follows those. Anything else done
    # next with the asset would be undone by the copies.
    is_wanted = claims.is_add and asset.formats
    if not running and not is_wanted and now_ms < until_ms:
        claims.note(asset, "recheck", {}, until_ms)
        return True
    asset.progress = replace(asset.progress, unanswered_until_ms=None, ready=())
    if running:
        log.debug("asset %s is already being copied; jobs: %s", asset.asset_id, len(running))
        asset.progress = replace(asset.progress, unfinished_ms=None, unfinished="")
        # iconik doesn't say which format each job copies.
        claims.copies.begin([asset], dict.fromkeys((job.id for job in running), ""), now_ms)
    return bool(running)


def _calls(assets: Sequence[ClaimedAsset]) -> Iterator[Sequence[ClaimedAsset]]:
    """Groups of assets for one copy request each; ``seen`` is the same throughout a group."""
    for seen in (True, False):
        alike = [each for each in assets if each.seen is seen]
        for start in range(0, len(alike), MOST_COPIES_A_CALL):
            yield alike[start : start + MOST_COPIES_A_CALL]


def _ask_once(
    iconik: Iconik, click: CustomAction, name: str, assets: Sequence[ClaimedAsset]
) -> tuple[str, Reason | None] | IconikUnavailable:
    """The job's id, or "" and iconik's refusal; or why it isn't known whether iconik has a job."""
    if click.action == "add":
        source_id, target_id = click.b2_storage_id, click.ll_storage_id
        path, target = click.path, LUCIDLINK
    else:
        source_id, target_id = click.ll_storage_id, click.b2_storage_id
        path, target = "", B2
    asset_ids = [each.asset_id for each in assets]
    own = iconik.limited(lambda: all(each.seen for each in assets))
    try:
        job_id = own.copy_to_storage(target_id, name, asset_ids, source_id, path)
    except IconikUnavailable as error:
        return error
    except IconikRefused as refusal:
        log.warning("%s", refusal)
        return "", reason_of(refusal, {target_id: target})
    log.debug("requested copies of %s; assets: %s; job %s", name, len(assets), job_id)
    return job_id, None


def follow(
    iconik: Iconik,
    claims: Claims,
    together: Together[Job],
    now_ms: int,
    timeout_ms: int,
) -> bool:
    """Record the progress of the copies, and which have ended. Returns whether any has.

    Args:
        together: joins the requests for jobs with those of other operations.
        timeout_ms: how long a copy may take before it is given up.

    Raises:
        IconikUnavailable: iconik gave no usable answer, so no copy is known to have ended.
        IconikRefused: iconik refused.
    """
    copies = claims.copies.under_way()
    has_ended, unanswered = False, None
    for start in range(0, len(copies), MOST_JOBS_A_CALL):
        some = copies[start : start + MOST_JOBS_A_CALL]
        jobs = together.ask([copy.job_id for copy in some], iconik.jobs)
        moved: dict[str, int] = {}
        for copy in some:
            job = jobs.get(copy.job_id)
            if job is not None and job.progress not in (None, copy.progress):
                moved[copy.job_id] = job.progress
            try:
                end = _end(iconik, claims, copy, job, now_ms, timeout_ms)
            except IconikUnavailable as error:
                # Other copies may have ended.
                unanswered = unanswered or error
                continue
            if end is not None:
                claims.copies.ended(copy, *end)
                has_ended = True
        if moved:
            claims.copies.note_progress(moved)
    if unanswered and not has_ended:
        raise unanswered
    return has_ended


def follow_left(iconik: Iconik, leftovers: Leftovers, since_ms: int) -> None:
    """Note which copies that ended operations have left to iconik have ended, for reports.

    Args:
        since_ms: when the operations must have ended, or later.
    """
    job_ids = leftovers.copies(since_ms, MOST_LEFT)
    for start in range(0, len(job_ids), MOST_JOBS_A_CALL):
        try:
            jobs = iconik.jobs(job_ids[start : start + MOST_JOBS_A_CALL])
        except IconikError as error:
            # It is a courtesy, which is tried again later.
            log.debug("the copies that were left to iconik are not followed: %s", error)
            return
        leftovers.note_ended([each.id for each in jobs.values() if each.ended])


def _end(
    iconik: Iconik, claims: Claims, copy: Copy, job: Job | None, now_ms: int, timeout_ms: int
) -> tuple[Mapping[str, str], str] | None:
    """What went wrong with a copy, by asset and for all assets; None while it is under way."""
    if job is None and now_ms - copy.requested_ms > LISTING_LAG_MS:
        job = iconik.job(copy.job_id)
        if job is None:
            return {}, "the copy job no longer exists in iconik"
    if job is not None and job.ended:
        if job.status == "FINISHED":
            return {}, ""
        general = f"job status {job.status}" + (f" ({job.message})" if job.message else "")
        return _told_of(iconik, claims, job), general
    if now_ms - copy.requested_ms > timeout_ms:
        status = job.status if job else "unknown"
        return {}, f"gave up waiting: the copy job is still {status}"
    return None


def _told_of(iconik: Iconik, claims: Claims, job: Job) -> dict[str, str]:
    """What went wrong in an ended job, by asset, as far as iconik says."""
    try:
        children = iconik.failed_children(job.id)
    except IconikUnavailable:
        # iconik answered about the job itself, so it is available.
        claims.copies.untold[job.id] += 1
        if claims.copies.untold[job.id] < MOST_UNTOLD:
            raise
        return {}
    return {each.object_id: each.message or "iconik gives no reason" for each in children}
