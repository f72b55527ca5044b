"""Where an action's URL leads: built, and told from everybody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2_iconik.setup import action_url
from b2_iconik.setup.action_url import Target, build, endpoint, ours, read
from b2_iconik.setup.menu_entry import Entry

B2 = "b2b2b2b2-0000-4000-8000-000000000000"
LL = "11111111-0000-4000-8000-000000000000"
QUERY = f"b2_storage_id={B2}&ll_storage_id={LL}"
TARGET = Target("add", B2, LL, frozenset())
ADD = Entry("add")


@pytest.mark.parametrize(
    "text",
    [
        "https://plugin.test",
        "http://plugin.test:8000",
        "https://plugin.test/",
        "https://plugin.test//",
        "https://plugin.test/b2/iconik/",
        "HTTPS://Plugin.Test",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/x",
        "https://plugin.test:443/",
    ],
)
def test_the_address_of_a_service_is_read(text: str) -> None:
    assert endpoint(text).text == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "plugin.test",
        "//plugin.test",
        "/add",
        "https:",
        "https://",
        "https:///add",
        "https://:443",
        "ftp://plugin.test",
        "file:///add",
        "javascript:alert(1)",
        "https://plugin.test?",
        "https://plugin.test/?a=b",
        "https://plugin.test#",
        "https://plugin.test/#add",
        "https://user@plugin.test",
        "https://user:hunter2@plugin.test",
        "https://@plugin.test",
        "https://plugin.test:port",
        "https://plugin.test:99999",
        "https://plugin.test:-1",
        "https://[::1",
        "https://plugin test",
        " https://plugin.test",
        "https://plugin.test\n",
        "https://plu\tgin.test",
        "https://plugin.test\\add",
        'https://plugin.test/"',
        "https://plügin.test",
        "https://plugin.test/ü",
    ],
    ids=repr,
)
def test_what_is_no_address_of_a_service_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be an address like https://") as caught:
        endpoint(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "formats", "url"),
    [
        ("https://h", (), f"https://h/add?{QUERY}"),
        ("https://h/", (), f"https://h/add?{QUERY}"),
        ("https://h/p/q/", (), f"https://h/p/q/add?{QUERY}"),
        ("http://h:8000", ("A", "B"), f"http://h:8000/add?{QUERY}&formats=A,B"),
        ("https://h", ("A B", "C&D=é"), f"https://h/add?{QUERY}&formats=A%20B,C%26D%3D%C3%A9"),
    ],
)
def test_a_url_is_built(where: str, formats: tuple[str, ...], url: str) -> None:
    assert build(endpoint(where), ADD, B2, LL, formats) == url


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("https://h", "https://h/add"),
        ("https://h", "https://H/add"),
        ("https://H", "https://h/add"),
        ("https://h", "HTTPS://h/add"),
        ("https://h", "https://h:443/add"),
        ("https://h:443", "https://h/add"),
        ("http://h", "http://h:80/add"),
        ("http://h:80", "http://h/add"),
        ("http://h:8000", "http://h:8000/add"),
        ("https://h/", "https://h/add"),
        ("https://h/a", "https://h/a/add"),
        ("https://h/a/b/", "https://h/a/b/add"),
        ("https://h/add", "https://h/add/add"),
        ("http://[::1]:8000", "http://[::1]:8000/add"),
    ],
)
def test_a_url_under_the_endpoint_is_ours(where: str, url: str) -> None:
    assert read(endpoint(where), f"{url}?{QUERY}") == TARGET


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("https://h", "http://h/add"),
        ("http://h", "https://h/add"),
        ("https://h", "https://other/add"),
        ("https://h", "https://h.evil/add"),
        ("https://h", "https://evil.h/add"),
        ("http://h", "http://h:8000/add"),
        ("http://h:80", "http://h:8000/add"),
        ("http://h:8000", "http://h/add"),
        ("http://h", "http://h:443/add"),
        ("https://h/a", "https://h/ab/add"),
        ("https://h/ab", "https://h/a/add"),
        ("https://h/a", "https://h/add"),
        ("https://h/a", "https://h/A/add"),
        ("https://h/a", "https://h/b/a/add"),
        ("https://h", "https://h/a/add"),
        ("https://h", "https://h/"),
        ("https://h", "https://h"),
        ("https://h", "https://h/adder"),
        ("https://h", "https://h/add/"),
        ("https://h", "https://h/add/x"),
        ("https://h", "https://h//add"),
        ("https://h", "https://h/Add"),
        ("https://h", "https://h/delete"),
        ("https://h", "https://h/a/../add"),
        ("https://h", "https://user@h/add"),
        ("https://h", "https://h@evil/add"),
        ("https://h", "https://h:port/add"),
        ("https://h", "https://[h/add"),
        ("https://h", "h/add"),
        ("https://h", "/add"),
        ("https://h", "add"),
        ("https://h", "ftp://h/add"),
        ("https://h", ""),
    ],
)
def test_a_url_elsewhere_is_not_ours(where: str, url: str) -> None:
    assert read(endpoint(where), f"{url}?{QUERY}") is None


@pytest.mark.parametrize("url", [None, 1, True, ["https://h/add"], {"url": "https://h/add"}])
def test_what_is_no_url_is_not_ours(url: object) -> None:
    assert read(endpoint("https://h"), url) is None


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (QUERY, TARGET),
        (f"ll_storage_id={LL}&b2_storage_id={B2}", TARGET),
        (f"B2_STORAGE_ID={B2}&ll_storage_id={LL}", Target("add", "", LL, frozenset())),
        (f"b2_storage_id={B2.upper()}&ll_storage_id={LL.upper()}", TARGET),
        (f"{QUERY}&other=1", TARGET),
        (f"{QUERY}&formats=", TARGET),
        (f"{QUERY}&formats=A,B", Target("add", B2, LL, frozenset("AB"))),
        (f"{QUERY}&formats=B,%20A,A,", Target("add", B2, LL, frozenset("AB"))),
        (f"{QUERY}&formats=A%2CB", Target("add", B2, LL, frozenset("AB"))),
        (f"{QUERY}&formats=A&formats=B", Target("add", B2, LL, frozenset("AB"))),
        (f"{QUERY}&keep=14d", Target("add", B2, LL, frozenset(), keep="14d")),
        (f"{QUERY}&keep=2w", Target("add", B2, LL, frozenset(), keep="14d")),
        (f"{QUERY}&keep=48h", Target("add", B2, LL, frozenset(), keep="2d")),
        (f"{QUERY}&keep=36h", Target("add", B2, LL, frozenset(), keep="36h")),
        (f"{QUERY}&keep=1m", Target("add", B2, LL, frozenset(), keep="1m")),
        (f"{QUERY}&keep=soon", Target("add", B2, LL, frozenset(), keep="soon")),
        (f"{QUERY}&keep=1d&keep=2d", Target("add", B2, LL, frozenset(), keep="1d,2d")),
        (
            f"{QUERY}&keep_field=Tage%20%26%20W",
            Target("add", B2, LL, frozenset(), "", "", "Tage & W"),
        ),
        (f"b2_storage_id={B2}", Target("add", B2, "", frozenset())),
        (f"{QUERY}&ll_storage_id={LL}", Target("add", B2, "", frozenset())),
        ("", Target("add", "", "", frozenset())),
        ("%ff&=&&;", Target("add", "", "", frozenset())),
    ],
)
def test_a_url_says_what_it_asks_for(query: str, target: Target) -> None:
    assert read(endpoint("https://h"), f"https://h/add?{query}") == target


def test_the_two_actions_are_told_apart() -> None:
    target = read(endpoint("https://h"), f"https://h/remove?{QUERY}")
    assert target == Target("remove", B2, LL, frozenset())


NAMES = st.lists(st.text("AZaz09_ -&=?#%+,/éß😀"), max_size=4)


@given(NAMES, st.sampled_from(["https://h", "http://H:80/a/b/", "https://[::1]:8443"]))
def test_what_is_built_is_read_back(names: list[str], where: str) -> None:
    formats = tuple(name.strip() for name in names if name.strip() and "," not in name)
    url = build(endpoint(where), Entry("remove"), B2, LL, formats)
    assert read(endpoint(where), url) == Target("remove", B2, LL, frozenset(formats))


URL = f"https://h/add?{QUERY}"
RECORD = {"id": "1", "context": "ASSET", "title": "Add", "type": "POST", "url": URL}


def test_an_action_of_ours_is_found() -> None:
    found = ours(endpoint("https://h"), [RECORD])
    assert found == [action_url.Existing("1", "ASSET", "Add", URL, TARGET)]


def test_what_iconik_says_of_an_action_is_read() -> None:
    said = {
        "status": "FAILING",
        "last_error": "no answer",
        "disabled": True,
        "headers": {"X-BZ-Secret": "x"},
        "app_id": "7",
        "metadata_view": "8",
    }
    (found,) = ours(endpoint("https://h"), [{**RECORD, **said, "url": f"{URL}&path=a%20b/c"}])
    assert (found.status, found.last_error, found.is_disabled) == ("FAILING", "no answer", True)
    assert (found.headers, found.app_id) == ({"x-bz-secret": "x"}, "7")
    assert found.metadata_view == "8"
    assert found.target.path == "a b/c"


def test_what_iconik_does_not_say_of_an_action_is_nothing() -> None:
    said = dict.fromkeys(("status", "last_error", "disabled", "headers", "app_id", "metadata_view"))
    (found,) = ours(endpoint("https://h"), [{**RECORD, **said}])
    assert found == action_url.Existing("1", "ASSET", "Add", URL, TARGET)


def test_headers_are_never_shown() -> None:
    (found,) = ours(endpoint("https://h"), [{**RECORD, "headers": {"x-bz-secret": "hunter2"}}])
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "is_safe"),
    [
        ("https://plugin.test", True),
        ("http://plugin.test", False),
        ("http://localhost:8000", True),
        ("http://127.0.0.1", True),
        ("http://localhost.plugin.test", False),
    ],
)
def test_a_secret_is_safe_over_https_or_on_this_machine(text: str, is_safe: bool) -> None:
    assert endpoint(text).is_safe == is_safe


def test_the_directory_makes_no_other_target() -> None:
    where = endpoint("https://h")
    urls = [build(where, ADD, B2, LL, path=path) for path in ("", "a", "b/ü ?")]
    assert len({read(where, url) for url in urls}) == 1
    assert urls[2].endswith("&path=b/%C3%BC%20%3F")


@pytest.mark.parametrize(
    ("entry", "more"),
    [
        (Entry("add", keep="14d"), "&keep=14d"),
        (Entry("add", keep_field="Tage & W"), "&keep_field=Tage%20%26%20W"),
    ],
)
def test_how_long_to_keep_the_assets_is_in_the_url(entry: Entry, more: str) -> None:
    where = endpoint("https://h")
    url = build(where, entry, B2, LL)
    assert url == f"{URL}{more}"
    target = read(where, url)
    assert target is not None
    assert target.entry == entry


@pytest.mark.parametrize(
    "other",
    [
        {"type": "OPEN"},
        {"type": None},
        {"type": "post"},
        {"url": "https://other/add"},
        {"url": None},
        {"id": None},
        {"id": 1},
        {"context": None},
    ],
    ids=repr,
)
def test_an_action_of_anybody_else_is_not_ours(other: dict[str, object]) -> None:
    assert ours(endpoint("https://h"), [{**RECORD, **other}]) == []


def test_an_empty_record_is_not_ours() -> None:
    assert ours(endpoint("https://h"), [{}]) == []
