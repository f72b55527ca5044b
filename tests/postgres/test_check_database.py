"""What is said of a real PostgreSQL database."""

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.setup import check_database
from tests.dispatch.runner import Runner, wait_until


def test_a_database_in_use_is_ok(settings: Settings, recorder: Recorder) -> None:
    (never_used,) = check_database.check(settings)
    assert "has no tables of this service" in never_used.detail
    recorder.open()
    idle = [each.detail for each in check_database.check(settings) if each.state == "wrong"]
    assert idle == ["no process is running them: start the service, or see its log"]
    leader = Leader(settings, Runner())
    leader.start()
    wait_until(lambda: all(each.state == "ok" for each in check_database.check(settings)))
    leader.stop()
