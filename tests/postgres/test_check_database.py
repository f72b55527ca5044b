"""What is said of a real PostgreSQL database."""

from pathlib import Path

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.setup import check_database
from tests.postgres.test_postgres import ASSET, end_at_once, wait_until


def test_a_database_in_use_is_ok(database_url: str, tmp_path: Path) -> None:
    settings = Settings(iconik_id=ASSET, secret="s" * 32, database_url=database_url)
    (never_used,) = check_database.check(settings)
    assert "has no tables of this service" in never_used.detail
    recorder = Recorder(settings)
    recorder.open()
    idle = [each.detail for each in check_database.check(settings) if each.state == "wrong"]
    assert idle == ["no process is running them: start the service, or see its log"]
    leader = Leader(settings, end_at_once)
    leader.start()
    wait_until(lambda: all(each.state == "ok" for each in check_database.check(settings)))
    leader.stop()
    recorder.close()
