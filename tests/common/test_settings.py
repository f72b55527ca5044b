"""Settings: what is read from where, and the one line about each that is wrong."""

import os
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from b2_iconik.common import settings as settings_module
from b2_iconik.common.errors import SettingsError
from b2_iconik.common.settings import Settings, split_formats
from dev.harness import ROOT


def load(environment: dict[str, str], **more: str) -> Settings:
    """The settings of an environment with a few variables more, without any `.env`."""
    return settings_module.load({**environment, **more}, Path("no.env"))


def test_what_is_required_is_enough() -> None:
    id_ = "a0a0a0a0-0000-4000-8000-000000000000"
    assert load({"ICONIK_ID": id_, "BZ_SHARED_SECRET": "s" * 16}) == Settings(
        iconik_id=id_,
        secret="s" * 16,
        previous_secret=None,
        iconik_token=None,
        iconik_url="https://app.iconik.io",
        formats=("ORIGINAL", "PPRO_PROXY"),
        database_url="sqlite:///b2-iconik-plugin.sqlite",
        log_level="INFO",
        copy_timeout=timedelta(days=7),
        settle_time=timedelta(minutes=10),
        requests_per_second=48,
    )


def test_every_variable_is_read(environment: dict[str, str]) -> None:
    read = load(
        environment,
        BZ_SHARED_SECRET_PREVIOUS="older",
        FORMAT_NAMES="EDIT_PROXY, ORIGINAL",
        DATABASE_URL="sqlite:////var/lib/plugin/x.sqlite",
        LOG_LEVEL="debug",
        LOG_FORMAT="JSON",
        COPY_TIMEOUT="12h",
        COPY_SETTLE_TIME="90s",
        ICONIK_REQUESTS_PER_SECOND="20",
        METRICS_FROM="10.0.0.7, 2001:db8::/32",
        B2_CHECK="Required",
        B2_APPLICATION_KEY_ID="key-id",
        B2_APPLICATION_KEY="key",
        B2_API_URL="http://127.0.0.1:8800/",
        REQUIRE_CHECKSUM="True",
        PAGE_PASSWORD="for people who look",
        PUBLIC_URL="https://plugin.example.com/b2/",
        NOTIFY_URLS="json://127.0.0.1:1/a, json://127.0.0.1:1/b",
        NOTIFY_ON="All",
    )
    assert read == Settings(
        iconik_id=environment["ICONIK_ID"],
        secret=environment["BZ_SHARED_SECRET"],
        previous_secret="older",
        iconik_token=environment["ICONIK_TOKEN"],
        iconik_url="https://iconik.test",
        formats=("EDIT_PROXY", "ORIGINAL"),
        database_url="sqlite:////var/lib/plugin/x.sqlite",
        log_level="DEBUG",
        log_format="json",
        copy_timeout=timedelta(hours=12),
        settle_time=timedelta(seconds=90),
        requests_per_second=20,
        metrics_from=(ip_network("10.0.0.7"), ip_network("2001:db8::/32")),
        b2_check="required",
        b2_key_id="key-id",
        b2_key="key",
        b2_api_url="http://127.0.0.1:8800",
        require_checksum=True,
        page_password="for people who look",
        public_url="https://plugin.example.com/b2",
        notify_urls=("json://127.0.0.1:1/a", "json://127.0.0.1:1/b"),
        notify_on="all",
    )


def test_a_variable_of_an_older_version_changes_nothing(environment: dict[str, str]) -> None:
    assert load(environment, TRUSTED_PROXIES="nowhere") == load(environment)


def test_a_short_secret_is_accepted_while_it_is_replaced(environment: dict[str, str]) -> None:
    assert load(environment, BZ_SHARED_SECRET_PREVIOUS="short").previous_secret == "short"


def test_the_environment_of_the_process_is_the_default(own_environment: dict[str, str]) -> None:
    assert settings_module.load().iconik_id == own_environment["ICONIK_ID"]


def test_dot_env_in_the_working_directory_is_the_default(
    own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ICONIK_TOKEN")
    Path(".env").write_text("ICONIK_TOKEN=from-the-file\n")
    assert settings_module.load().iconik_token == "from-the-file"


def test_a_real_variable_wins_over_the_file_even_if_it_is_empty(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("LOG_LEVEL=ERROR\nFORMAT_NAMES=A\nICONIK_TOKEN=from-the-file\n")
    read = settings_module.load({**environment, "LOG_LEVEL": "DEBUG", "ICONIK_TOKEN": ""}, file)
    assert (read.log_level, read.formats, read.iconik_token) == ("DEBUG", ("A",), None)


def test_the_file_may_quote_comment_and_export(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# formats\n\nexport FORMAT_NAMES='A,B'  # two\nLOG_LEVEL=\"ERROR\"\nEMPTY\n")
    read = settings_module.load(environment, file)
    assert (read.formats, read.log_level) == (("A", "B"), "ERROR")


def test_a_dollar_in_the_file_is_a_dollar(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("BZ_SHARED_SECRET=a-${ICONIK_ID}-$b\n")
    del environment["BZ_SHARED_SECRET"]
    assert settings_module.load(environment, file).secret == "a-${ICONIK_ID}-$b"


def test_reading_the_file_changes_no_variable(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("ONLY_IN_THE_FILE=1\n")
    settings_module.load(environment, file)
    assert "ONLY_IN_THE_FILE" not in os.environ


def test_a_file_that_is_no_text_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"LOG_LEVEL=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env cannot be read: UnicodeDecodeError"):
        settings_module.load(environment, file)


def test_a_file_that_may_not_be_read_is_named(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(settings_module, "dotenv_values", refuse)
    with pytest.raises(SettingsError, match=r"\.env cannot be read: PermissionError: run this as"):
        settings_module.load(environment, Path("some/.env"))


@pytest.mark.parametrize("name", ["ICONIK_ID", "BZ_SHARED_SECRET"])
@pytest.mark.parametrize("value", [None, "", "   ", "\n"])
def test_a_required_variable_that_is_missing_is_named(
    environment: dict[str, str], name: str, value: str | None
) -> None:
    del environment[name]
    more = {} if value is None else {name: value}
    with pytest.raises(SettingsError, match=f"^{name} is not set"):
        load(environment, **more)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ICONIK_ID", "no-uuid"),
        ("ICONIK_ID", "a0a0a0a0000040008000000000000000"),
        ("ICONIK_ID", "{a0a0a0a0-0000-4000-8000-000000000000}"),
        ("BZ_SHARED_SECRET", "x" * 15),
        ("BZ_SHARED_SECRET", "a-long-enough-sécret"),
        ("BZ_SHARED_SECRET_PREVIOUS", "tab\there"),
        ("ICONIK_TOKEN", "tök"),
        ("ICONIK_TOKEN", "bell\x07"),
        ("ICONIK_URL", "app.iconik.io"),
        ("ICONIK_URL", "ftp://app.iconik.io"),
        ("ICONIK_URL", "https://"),
        ("ICONIK_URL", "https://app.iconik.io:port"),
        ("ICONIK_URL", "https://[::1"),
        ("ICONIK_URL", "https://user:password@app.iconik.io"),
        ("ICONIK_URL", "https://@app.iconik.io"),
        ("ICONIK_URL", "https://app iconik.io"),
        ("ICONIK_URL", "https://app.iconik.io\\x"),
        ("ICONIK_URL", "https://app.iconik.ió"),
        ("ICONIK_URL", "https://app.iconik.io/other"),
        ("ICONIK_URL", "https://app.iconik.io/?a=b"),
        ("ICONIK_URL", "https://app.iconik.io/#a"),
        ("ICONIK_URL", "http://app.iconik.io"),
        ("ICONIK_URL", "http://localhost.example.com"),
        ("FORMAT_NAMES", ","),
        ("FORMAT_NAMES", "A,B\x00"),
        ("FORMAT_NAMES", "A\u2028B"),
        ("DATABASE_URL", "plugin.sqlite"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite://host/plugin.sqlite"),
        ("DATABASE_URL", "sqlite+nosuch:///plugin.sqlite"),
        ("DATABASE_URL", "mysql://host/plugin"),
        ("DATABASE_URL", "postgres://host/plugin"),
        ("DATABASE_URL", "postgresql://user:hunter2/@host:port/plugin"),
        ("DATABASE_URL", "postgresql://host:hunter2/plugin"),
        ("LOG_LEVEL", "LOUD"),
        ("COPY_TIMEOUT", "7"),
        ("COPY_TIMEOUT", "0d"),
        ("COPY_TIMEOUT", "1.5h"),
        ("COPY_TIMEOUT", "7w"),
        ("COPY_TIMEOUT", "9999999s"),
        ("COPY_TIMEOUT", "\N{ARABIC-INDIC DIGIT SEVEN}d"),
        ("COPY_SETTLE_TIME", "soon"),
        ("ICONIK_REQUESTS_PER_SECOND", "0"),
        ("ICONIK_REQUESTS_PER_SECOND", "48.5"),
        ("ICONIK_REQUESTS_PER_SECOND", "1001"),
        ("ICONIK_REQUESTS_PER_SECOND", "²"),
        ("LOG_FORMAT", "xml"),
        ("METRICS_FROM", "localhost"),
        ("METRICS_FROM", "10.0.0.7/8"),
        ("METRICS_FROM", "300.0.0.1"),
        ("B2_CHECK", "on"),
        ("B2_API_URL", "http://api.backblazeb2.com"),
        ("B2_API_URL", "https://api.backblazeb2.com/b2api"),
        ("B2_API_URL", "api.backblazeb2.com"),
        ("B2_APPLICATION_KEY_ID", "without-the-key"),
        ("B2_APPLICATION_KEY", "without-its-id"),
        ("REQUIRE_CHECKSUM", "yes"),
        ("PAGE_PASSWORD", "11 letters!"),
        ("PAGE_PASSWORD", "with a bell\x07 inside"),
        ("PUBLIC_URL", "plugin.example.com"),
        ("PUBLIC_URL", "http://plugin.example.com"),
        ("PUBLIC_URL", "https://user@plugin.example.com"),
        ("PUBLIC_URL", "https://plugin.example.com/?a=b"),
        ("PUBLIC_URL", "https://plugin.example.com/#top"),
        ("PUBLIC_URL", 'https://plugin.example.com/"><b>'),
        ("NOTIFY_URLS", "somebody@example.com"),
        ("NOTIFY_URLS", "nosuch://example.com"),
        ("NOTIFY_URLS", "json://127.0.0.1:1/a, nosuch://example.com"),
        ("NOTIFY_ON", "failures"),
    ],
)
def test_a_malformed_variable_is_named_in_one_line(
    environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment, **{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} ")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BZ_SHARED_SECRET", "hunter2é"),
        ("BZ_SHARED_SECRET", "hunter2"),
        ("ICONIK_TOKEN", "hunter2é"),
        ("B2_APPLICATION_KEY", "hunter2"),
        ("B2_APPLICATION_KEY", "hunter2é"),
        ("ICONIK_URL", "https://user:hunter2@iconik.test"),
        ("DATABASE_URL", "mysql://user:hunter2@host/plugin"),
        ("DATABASE_URL", "postgresql://user:hunter2/@host:port/plugin"),
        ("PAGE_PASSWORD", "hunter2"),
        ("PUBLIC_URL", "https://user:hunter2@plugin.example.com"),
        ("NOTIFY_URLS", "nosuch://user:hunter2@example.com"),
    ],
)
def test_a_message_does_not_repeat_what_may_be_secret(
    environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment, **{name: value})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["BZ_SHARED_SECRET", "BZ_SHARED_SECRET_PREVIOUS"])
def test_the_page_password_is_no_secret_of_iconiks(environment: dict[str, str], name: str) -> None:
    same = {name: "the-same-for-both-0123456789"}
    with pytest.raises(SettingsError, match=r"^PAGE_PASSWORD must differ from the shared secret"):
        load(environment, **same, PAGE_PASSWORD=same[name])


@pytest.mark.parametrize(
    "url", ["https://plugin.example.com", "http://localhost:8000", "https://plugin.example.com/a/b"]
)
def test_people_may_reach_the_service_there(environment: dict[str, str], url: str) -> None:
    assert load(environment, PUBLIC_URL=f"{url}/").public_url == url


def test_nothing_of_apprise_is_imported_unless_somebody_is_notified(tmp_path: Path) -> None:
    code = "import sys, plugin; from b2_iconik.common import settings; settings.load(); "
    loaded = subprocess.run(
        [sys.executable, "-c", code + "print('apprise' in sys.modules)"],
        cwd=ROOT,
        env={
            "ICONIK_ID": "a0a0a0a0-0000-4000-8000-000000000000",
            "BZ_SHARED_SECRET": "s" * 32,
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout == "False\n"


def test_the_settings_do_not_show_what_is_secret(environment: dict[str, str]) -> None:
    shown = repr(
        load(
            environment,
            BZ_SHARED_SECRET_PREVIOUS="older-secret",
            B2_APPLICATION_KEY_ID="key-id",
            B2_APPLICATION_KEY="key-of-b2",
            DATABASE_URL="postgresql://user:hunter2@host/plugin",
            PAGE_PASSWORD="password-of-the-pages",
            NOTIFY_URLS="json://user:token-of-a-receiver@127.0.0.1:1",
        )
    )
    secrets = (environment["BZ_SHARED_SECRET"], environment["ICONIK_TOKEN"])
    hidden = (*secrets, "older", "hunter2", "key-of-b2", "password-of", "token-of")
    assert not any(secret in shown for secret in hidden)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://eu.iconik.io", "https://eu.iconik.io"),
        ("https://eu.iconik.io/", "https://eu.iconik.io"),
        ("https://eu.iconik.io/API/", "https://eu.iconik.io"),
        ("https://eu.iconik.io:8443/API", "https://eu.iconik.io:8443"),
        ("  https://eu.iconik.io  ", "https://eu.iconik.io"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_address_of_iconik_is_cut_to_its_host(
    environment: dict[str, str], given: str, read: str
) -> None:
    assert load(environment, ICONIK_URL=given).iconik_url == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("sqlite:///plugin.sqlite", "sqlite:///plugin.sqlite"),
        ("sqlite+pysqlite:////srv/x.sqlite", "sqlite+pysqlite:////srv/x.sqlite"),
        ("postgresql://host/plugin", "postgresql+psycopg://host/plugin"),
        ("postgresql+psycopg2://host/plugin", "postgresql+psycopg://host/plugin"),
        ("postgresql://u:p%40ss@host:5/x?a=b", "postgresql+psycopg://u:p%40ss@host:5/x?a=b"),
    ],
)
def test_a_database_is_reached_with_the_driver_that_is_installed(
    environment: dict[str, str], given: str, read: str
) -> None:
    assert load(environment, DATABASE_URL=given).database_url == read


def test_the_database_lies_in_the_first_state_directory(environment: dict[str, str]) -> None:
    read = load(environment, STATE_DIRECTORY="/var/lib/plugin:/var/lib/other")
    assert read.database_url == "sqlite:////var/lib/plugin/b2-iconik-plugin.sqlite"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_length_of_time_has_a_unit(
    environment: dict[str, str], given: str, read: timedelta
) -> None:
    assert load(environment, COPY_TIMEOUT=given).copy_timeout == read


@pytest.mark.parametrize("rate", ["1", "1000"])
def test_the_ends_of_the_allowed_rates_are_allowed(environment: dict[str, str], rate: str) -> None:
    read = load(environment, ICONIK_REQUESTS_PER_SECOND=rate)
    assert read.requests_per_second == int(rate)


def test_only_this_machine_sees_the_metrics_unless_told_otherwise(settings: Settings) -> None:
    assert settings.metrics_from == (ip_network("127.0.0.0/8"), ip_network("::1"))


@pytest.mark.parametrize("none", ["none", "None"])
def test_nobody_sees_the_metrics_where_that_is_wanted(
    environment: dict[str, str], none: str
) -> None:
    assert load(environment, METRICS_FROM=none).metrics_from == ()


def test_the_current_secret_comes_before_the_previous_one(environment: dict[str, str]) -> None:
    read = load(environment, BZ_SHARED_SECRET_PREVIOUS="older")
    assert read.secrets == (environment["BZ_SHARED_SECRET"], "older")


def test_without_a_previous_secret_one_is_accepted(settings: Settings) -> None:
    assert settings.secrets == (settings.secret,)


def test_format_names_are_read_in_order_and_each_once() -> None:
    assert split_formats("formats", " B,A ,,B, With space ") == ("B", "A", "With space")


def test_a_message_on_formats_names_where_they_came_from() -> None:
    with pytest.raises(SettingsError, match=r"^--formats must name at least one format"):
        split_formats("--formats", "")


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("FALSE", False), ("", False)])
def test_a_checksum_is_required_only_where_that_is_set(
    environment: dict[str, str], text: str, flag: bool
) -> None:
    assert load(environment, REQUIRE_CHECKSUM=text).require_checksum is flag


@pytest.mark.parametrize("name", ["B2_APPLICATION_KEY_ID", "B2_APPLICATION_KEY"])
def test_half_a_key_names_both_halves(environment: dict[str, str], name: str) -> None:
    other = ({"B2_APPLICATION_KEY_ID", "B2_APPLICATION_KEY"} - {name}).pop()
    with pytest.raises(SettingsError) as caught:
        load(environment, **{name: "x"})
    assert str(caught.value) == f"{name} is set, but {other} is not: set both or neither"
