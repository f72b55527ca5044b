"""The pages of the service, on a SQLite file."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.recorder import Recorder
from tests.web.page import Page


@pytest.fixture
def changes() -> dict[str, Any]:
    """What settings the service has of its own; for modules to say."""
    return {}


@pytest.fixture
def page(settings: Settings, engine: sa.Engine, changes: dict[str, Any]) -> Iterator[Page]:
    own = replace(settings, database_url=str(engine.url), **changes)
    recorder = Recorder(own)
    recorder.open()
    yield Page(own, recorder, engine)
    recorder.close()
