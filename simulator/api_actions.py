"""iconik's jobs and custom actions APIs: the entries that programs add for users."""

from collections.abc import Mapping

from flask import request

from simulator import checks, paging
from simulator.clock import CLOCK
from simulator.job_records import FINAL, CustomAction, Job
from simulator.records import Json
from simulator.refusals import bad_field, found, not_found
from simulator.routes import operation
from simulator.simulation import Simulation

ACTIONS = "/assets/v1/custom_actions/"
CONTEXTS = (
    "ASSET",
    "ASSET_SUBCLIP",
    "SHARED_ASSET",
    "COLLECTION",
    "SHARED_COLLECTION",
    "BULK",
    "SAVED_SEARCH",
    "PLAYLIST",
    "SHARED_PLAYLIST",
    "NONE",
)
ACTION: dict[str, checks.Check] = {
    "context": checks.one_of(*CONTEXTS),
    "title": checks.name,
    "url": checks.url,
    "type": checks.one_of("OPEN", "POST"),
    "headers": checks.headers,
    "app_id": checks.optional(checks.id_),
    "metadata_view": checks.optional(checks.id_),
    "disabled": checks.flag,
    "status": checks.one_of("FAILING", "HEALTHY"),
}

JOB_STATUSES = (
    "READY",
    "STARTED",
    "FINISHED",
    "FINISHED_WITH_WARNING",
    "FAILED",
    "WAITING",
    "ABORT_PENDING",
    "ABORTED",
    "SKIPPED",
    "PAUSED",
)
# Those of the plugin's jobs and of copies.
JOB_TYPES = ("CUSTOM", "TRANSFER")
JOB: dict[str, checks.Check] = {
    "title": checks.name,
    "type": checks.one_of(*JOB_TYPES),
    "custom_type": checks.optional(checks.text),
    "status": checks.one_of(*JOB_STATUSES),
    "message": checks.text,
    "error_message": checks.text,
    "progress_processed": checks.integer,
    "progress_total": checks.integer,
    "object_id": checks.optional(checks.id_),
    "object_type": checks.optional(checks.text),
    "parent_id": checks.optional(checks.id_),
    "related_objects": checks.related,
    "metadata": checks.anything,
    "job_context": checks.anything,
    "action_context": checks.anything,
    "has_children": checks.flag,
    "started_at": checks.text,
    "completed_at": checks.text,
}
JOB_FILTERS = ("type", "object_type", "object_id")


class ActionsApi:
    """The operations below /jobs/v1/ and on custom actions."""

    def __init__(self, simulation: Simulation) -> None:
        self._library = simulation.library
        self._copies = simulation.copies

    # Jobs

    @operation("GET", "/jobs/v1/jobs/", "can_read_jobs")
    def list_jobs(self) -> Json:
        """Get jobs, newest first, filtered by ids, parent_id, status, type and object."""
        ids = checks.query_ids("ids")
        if ids is not None:
            named = [self._library.jobs[each] for each in ids if each in self._library.jobs]
            return paging.numbered([job for job in named if self._fits(job)], Job.json)
        parent_id = request.args.get("parent_id")
        return paging.numbered(self._library.find_jobs(self._fits, parent_id), Job.json)

    @operation("POST", "/jobs/v1/jobs/", "can_write_jobs")
    def create_job(self) -> tuple[Json, int]:
        """Create a job."""
        given = checks.body(JOB, required=("status", "title", "type"))
        parent_id = given.pop("parent_id", None)
        parent = self._library.jobs.get(parent_id) if parent_id else None
        if parent_id and parent is None:
            raise bad_field("parent_id", "No such job.")
        job = Job(given, parent)
        self._library.add_job(job)
        return job.json(), 201

    @operation("GET", "/jobs/v1/jobs/<job_id>/", "can_read_jobs")
    def get_job(self, job_id: str) -> Json:
        """Get a job."""
        return self._job(job_id).json()

    @operation("PATCH", "/jobs/v1/jobs/<job_id>/", "can_write_jobs")
    def change_job(self, job_id: str) -> Json:
        """Change some fields of a job."""
        return self._update(self._job(job_id), checks.body(JOB))

    @operation("DELETE", "/jobs/v1/jobs/<job_id>/", "can_delete_jobs")
    def delete_job(self, job_id: str) -> None:
        """Delete a job from the list."""
        self._library.drop_job(self._job(job_id))

    @operation("PUT", "/jobs/v1/jobs/state/", "can_write_jobs")
    def change_states(self) -> tuple[Json, int]:
        """Abort jobs. The other actions of this operation are not simulated."""
        fields = {
            "action": checks.one_of("PAUSE", "RESUME", "ABORT", "RESTART"),
            "job_ids": checks.ids(1, 500),
        }
        wanted = checks.body(fields, required=("action", "job_ids"))
        if wanted["action"] != "ABORT":
            raise bad_field("action", "The simulator can only ABORT.")
        for each in wanted["job_ids"]:
            job = self._job(each.lower())
            if job.given["type"] == "CUSTOM":
                # Only the program that created the job can end the work that it represents.
                self._update(job, {} if job.status in FINAL else {"status": "ABORT_PENDING"})
            else:
                self._copies.abort(job)
        return {}, 201

    def _fits(self, job: Job) -> bool:
        statuses = request.args.get("status")
        return (
            (statuses is None or job.status in statuses.split(","))
            and _is_between(job.created, request.args.get("date_created"))
            and all(
                request.args.get(field) in (None, job.given.get(field)) for field in JOB_FILTERS
            )
        )

    def _job(self, job_id: str) -> Job:
        return found(self._library.jobs.get(job_id), "Job")

    @staticmethod
    def _update(job: Job, changes: Json) -> Json:
        changes.pop("parent_id", None)
        job.given.update(changes)
        job.modified = CLOCK.now()
        return job.json()

    # Custom actions

    @operation("GET", ACTIONS, "can_read_custom_actions")
    def list_actions(self) -> Json:
        """Get all custom actions."""
        return paging.numbered(list(self._library.custom_actions.values()), CustomAction.json)

    @operation("POST", f"{ACTIONS}<context>/", "can_write_custom_actions")
    def create_action(self, context: str) -> tuple[Json, int]:
        """Create a custom action."""
        given = checks.body(ACTION, required=("context", "title", "url"))
        action = CustomAction({})
        self._save(action, context, {"type": "OPEN", "disabled": False, **given})
        self._library.custom_actions[action.id] = action
        return action.json(), 201

    @operation("GET", f"{ACTIONS}<context>/<action_id>/", "can_read_custom_actions")
    def get_action(self, context: str, action_id: str) -> tuple[Json, int]:
        """Get a custom action, with status 201 as in iconik's description."""
        return self._action(context, action_id).json(), 201

    @operation("PATCH", f"{ACTIONS}<context>/<action_id>/", "can_write_custom_actions")
    def change_action(self, context: str, action_id: str) -> Json:
        """Change some fields of a custom action."""
        action = self._action(context, action_id)
        given = {**action.given, **checks.body(ACTION)}
        return self._save(action, context, given)

    @operation("PUT", f"{ACTIONS}<context>/<action_id>/", "can_write_custom_actions")
    def replace_action(self, context: str, action_id: str) -> Json:
        """Replace a custom action."""
        action = self._action(context, action_id)
        given = checks.body(ACTION, required=("context", "title", "url"))
        return self._save(action, context, {"type": "OPEN", "disabled": False, **given})

    @operation("DELETE", f"{ACTIONS}<context>/<action_id>/", "can_delete_custom_actions")
    def delete_action(self, context: str, action_id: str) -> None:
        """Delete a custom action."""
        del self._library.custom_actions[self._action(context, action_id).id]

    def _action(self, context: str, action_id: str) -> CustomAction:
        action = self._library.custom_actions.get(action_id)
        if action is None or action.given["context"] != context:
            raise not_found("Custom action")
        return action

    def _save(self, action: CustomAction, context: str, given: Json) -> Json:
        self._check_action(context, given)
        action.status = given.pop("status", action.status)
        action.given, action.modified = given, CLOCK.now()
        return action.json()

    @staticmethod
    def _check_action(context: str, given: Mapping[str, object]) -> None:
        if given["context"] != context:
            raise bad_field("context", "Is another than the one in the path.")
        if given.get("headers") and given.get("type") != "POST":
            raise bad_field("headers", "Only go with actions of type POST.")


def _is_between(moment: float, wanted: str | None) -> bool:
    """Return whether a time is within 'from;to', each in milliseconds since 1970 or an asterisk."""
    if wanted is None:
        return True
    ends = wanted.split(";")
    if len(ends) != 2 or not all(each == "*" or each.isdigit() for each in ends):
        raise bad_field("date_created", "The simulator knows milliseconds and asterisks only.")
    since, until = (None if each == "*" else int(each) / 1000 for each in ends)
    return (since is None or since <= moment) and (until is None or moment <= until)
