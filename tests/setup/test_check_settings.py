"""What is said of the settings before anything else is looked at."""

from pathlib import Path

import pytest

from b2_iconik.setup import check_settings
from b2_iconik.setup.findings import Finding

pytestmark = pytest.mark.usefixtures("own_environment")


def said() -> list[tuple[str, str, str]]:
    """What, how it is, and the detail."""
    _, found = check_settings.read()
    return [(each.what, each.state, each.detail) for each in found]


def test_good_settings_are_ok(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    settings, found = check_settings.read()
    assert settings is not None
    assert found == [Finding("settings", "ok", "the service can start with them")]


def test_that_there_is_no_file_is_told() -> None:
    assert said()[0][2].endswith("there is no .env in the working directory")


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ICONIK_ID": "",
        "BZ_SHARED_SECRET": "",
        "ICONIK_URL": "http://app.iconik.io",
        "LOG_LEVEL": "loud",
        "DATABASE_URL": "mysql://here",
    }.items():
        monkeypatch.setenv(name, value)
    settings, found = check_settings.read()
    assert settings is None
    assert {each.state for each in found} == {"wrong"}
    assert [each.detail.split()[0] for each in found] == [
        "ICONIK_ID", "BZ_SHARED_SECRET", "ICONIK_URL", "DATABASE_URL", "LOG_LEVEL",
    ]  # fmt: skip


def test_what_is_wrong_in_the_file_is_told_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=loud\nCOPY_TIMEOUT=long\n")
    assert [detail.split()[0] for _, _, detail in said()] == ["LOG_LEVEL", "COPY_TIMEOUT"]


def test_a_malformed_id_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICONIK_ID", "1")
    assert [detail for _, _, detail in said()] == [
        "ICONIK_ID must be a UUID, the id of your application in iconik"
    ]


def test_a_file_that_can_not_be_read_is_told_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"ICONIK_ID=\xff")
    assert said() == [("settings", "wrong", ".env cannot be read: UnicodeDecodeError")]


def test_a_short_secret_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BZ_SHARED_SECRET", "x" * 31)
    assert ("BZ_SHARED_SECRET", "note") in {each[:2] for each in said()}
    monkeypatch.setenv("BZ_SHARED_SECRET", "x" * 32)
    assert "BZ_SHARED_SECRET" not in {each[0] for each in said()}


def test_a_secret_that_is_being_replaced_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BZ_SHARED_SECRET_PREVIOUS", "older")
    assert ("BZ_SHARED_SECRET_PREVIOUS", "note") in {each[:2] for each in said()}


def test_a_missing_token_is_wrong_though_the_service_would_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ICONIK_TOKEN")
    settings, _ = check_settings.read()
    assert settings is not None
    assert {("ICONIK_TOKEN", "wrong"), ("iconik", "unknown")} <= {each[:2] for each in said()}


def test_that_nothing_is_removed_by_itself_without_a_token_is_told_in_advance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ICONIK_TOKEN")
    (told,) = [detail for what, _, detail in said() if what == "ICONIK_TOKEN"]
    assert told.endswith("assets that were added for a while are not removed when their time is up")


def test_a_malformed_token_alone_does_not_keep_the_rest_from_being_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ICONIK_TOKEN", "tökén")
    settings, found = check_settings.read()
    assert settings is not None
    assert settings.iconik_token is None
    assert [(each.what, each.state) for each in found] == [
        ("settings", "wrong"), ("iconik", "unknown"),
    ]  # fmt: skip


def test_a_malformed_token_is_not_all_that_may_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICONIK_TOKEN", "tökén")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    settings, found = check_settings.read()
    assert settings is None
    assert len(found) == 2
