"""A browser on the pages, and what stands in the database behind them."""

import base64
import html
import re
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import begin_term
from plugin import create_app
from tests.makers import B2, a_click, completion, found, let_see

NOW = 1_000_000
SECRET = "secret-shared-with-iconik-0123456789"
USER = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"
CLIP = "5b1d1b9d-0000-4000-8000-000000000001"
CLICK = a_click(
    "remove",
    asset_ids=("a1", "a2"),
    user_id=USER,
    auth_token="a-token-of-a-click",
    b2_storage_id=B2,
)
REMOVED, KEPT = (
    Outcome("removed"),
    Outcome("kept", Reason("<b>clip.mov</b> differs from its master", Cause.DIFFERS)),
)


class Page:
    """A browser on the page, and the database behind it."""

    def __init__(self, settings: Settings, recorder: Recorder, engine: sa.Engine) -> None:
        self.app = create_app(settings, recorder)
        self.client: FlaskClient = self.app.test_client()
        self.recorder, self.engine = recorder, engine
        self.term = begin_term(engine, NOW)
        self.ledger = Ledger(engine, self.term)

    def get(self, path: str = "/operations", password: str = SECRET, **more: Any) -> TestResponse:
        headers = {**basic(password), **more.pop("headers", {})}
        return self.client.get(path, headers=headers, **more)

    def text(self, path: str = "/operations") -> str:
        """A page, as a person reads it."""
        answer = self.get(path)
        assert answer.status_code == 200
        shown = re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<head>.*?</head>", "", answer.text))
        return " ".join(html.unescape(shown).split())

    def json(self, path: str = "/operations") -> Any:
        answer = self.get(path, headers={"Accept": "application/json"})
        assert answer.status_code == 200
        return answer.json

    def press(
        self,
        button: str,
        operation_id: str,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """Press a button of an operation's page, as a browser does unless headers say otherwise."""
        headers = {"Sec-Fetch-Site": "same-origin"} if headers is None else headers
        return self.client.post(
            f"/operations/{operation_id}/{button}", data=data, headers={**basic(SECRET), **headers}
        )

    def click(self, **fields: Any) -> str:
        return self.recorder.record(replace(CLICK, **fields))[0]

    def begun(self, assets: list[str] | None = None, **fields: Any) -> tuple[Operation, Claims]:
        """An operation whose assets are listed."""
        operation = found(self.engine, self.click(**fields))
        self.ledger.expand(operation.number, dict.fromkeys(assets or ["a1", "a2"]), {})
        return found(self.engine, operation.id), Claims(self.engine, operation, self.term)

    def end(self, operation_id: str) -> None:
        """Have an operation end, with all that comes after it."""
        assert completion(self.engine).end(found(self.engine, operation_id), NOW)
        completion(self.engine).sum_up(operation_id)

    def fail(self, operation: Operation, failure: str = "no token is good any more") -> None:
        """Have an operation fail, with all that comes after it."""
        completion(self.engine).fail(operation.number, failure, NOW)
        completion(self.engine).sum_up(operation.id)

    def ended(self, outcomes: dict[str, dict[str, Outcome]], **fields: Any) -> str:
        """The id of an operation that has ended, with these outcomes by asset and format."""
        operation, claims = self.begun(list(outcomes), **fields)
        for held in claims.take(1000, NOW):
            claims.note(held, "done", outcomes[held.asset_id])
        self.end(operation.id)
        return operation.id


def basic(password: str, name: str = "ada") -> dict[str, str]:
    given = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {given}"}


def titled(page: Page, title: str, outcome: Outcome = KEPT) -> str:
    """The id of an operation with one asset of this title and outcome."""
    operation, claims = page.begun([CLIP])
    page.ledger.note_hints(operation.number, {CLIP: Hint(title)})
    page.ledger.note_title(operation.number, f"Remove from LucidLink: {title}")
    (held,) = claims.take(1, NOW)
    claims.note(held, "done", {"ORIGINAL": outcome})
    page.end(operation.id)
    return operation.id


def retry(page: Page, operation_id: str, outcome: Outcome) -> str:
    """Retry an operation of one asset, with this outcome; returns the retry's id."""
    location = page.press("retry", operation_id, data={"what": "left"}).location
    new_id = str(location.split("/")[2].split("?")[0])
    operation = found(page.engine, new_id)
    page.ledger.expand(operation.number, {CLIP: None}, {})
    claims = Claims(page.engine, found(page.engine, new_id), page.term)
    (held,) = claims.take(1, NOW)
    claims.note(held, "done", {"ORIGINAL": outcome})
    page.end(new_id)
    return new_id


def taken_over(page: Page, assets: list[str]) -> tuple[str, str]:
    """The ids of an operation that a newer one of Ana took over, and of that one."""
    older, claims = page.begun(assets, user_id=None)
    newer, _ = page.begun(assets, action="add")
    page.ledger.note_user(USER, "Ana Ruiz")
    let_see(page.engine, newer)
    assert claims.take(1000, NOW) == []
    page.end(older.id)
    return older.id, newer.id
