"""What iconik posts, and what must not get past the parser."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from b2_iconik.common.errors import ClickError
from b2_iconik.domain.click import LONGEST_NAME, LONGEST_PATH, LONGEST_TOKEN, CustomAction, parse

B2 = "b2b2b2b2-0000-4000-8000-00000000000a"
LL = "11111111-0000-4000-8000-00000000000b"
ASSET = "a55e7000-0000-4000-8000-000000000001"
OTHER = "a55e7000-0000-4000-8000-000000000002"
USER = "05e40000-0000-4000-8000-000000000001"
QUERY = [("b2_storage_id", B2), ("ll_storage_id", LL)]
DEFAULT = ("ORIGINAL", "PPRO_PROXY")
ON_ASSET = {"context": "ASSET", "asset_ids": [ASSET]}


def read(*query: tuple[str, str], **posted: Any) -> CustomAction:
    """Parse a click on an asset with further query parameters and fields."""
    body: dict[str, Any] = {**ON_ASSET, **posted}
    return parse("add", MultiDict([*QUERY, *query]), json.dumps(body).encode(), DEFAULT)


def refusal(body: bytes | dict[str, Any], query: list[tuple[str, str]] = QUERY) -> ClickError:
    """The error that a click ends in."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ClickError) as caught:
        parse("remove", MultiDict(query), text, DEFAULT)
    return caught.value


def refused_add(*query: tuple[str, str]) -> ClickError:
    """The error that an Add with further query parameters ends in."""
    with pytest.raises(ClickError) as caught:
        read(*query)
    return caught.value


def test_a_click_is_read_in_full() -> None:
    body: dict[str, Any] = {
        "user_id": USER,
        "system_domain_id": OTHER,
        "context": "BULK",
        "action_id": OTHER,
        "asset_ids": [ASSET, OTHER],
        "collection_ids": [OTHER],
        "saved_search_ids": [USER],
        "playlist_ids": [ASSET, USER],
        "metadata_view_id": None,
        "metadata_values": {},
        "date_created": "2026-01-01T00:00:00+00:00",
        "auth_token": "token-of-the-click",
    }
    query = MultiDict([*QUERY, ("formats", "EDIT_PROXY,ORIGINAL")])
    assert parse("remove", query, json.dumps(body).encode(), DEFAULT) == CustomAction(
        action="remove",
        b2_storage_id=B2,
        ll_storage_id=LL,
        formats=("EDIT_PROXY", "ORIGINAL"),
        context="BULK",
        asset_ids=(ASSET, OTHER),
        collection_ids=(OTHER,),
        saved_search_ids=(USER,),
        playlist_ids=(ASSET, USER),
        user_id=USER,
        auth_token="token-of-the-click",
    )


def test_the_lists_may_be_absent_null_or_empty() -> None:
    click = read(collection_ids=None, saved_search_ids=[])
    assert (click.asset_ids, click.collection_ids, click.saved_search_ids) == ((ASSET,), (), ())
    assert click.playlist_ids == ()


@pytest.mark.parametrize("context", ["ASSET", "COLLECTION", "BULK", "SAVED_SEARCH", "PLAYLIST"])
def test_each_of_our_contexts_is_known(context: str) -> None:
    assert read(context=context).context == context


def test_without_formats_in_the_url_those_of_the_settings_are_taken() -> None:
    assert read().formats == DEFAULT


def test_formats_are_separated_by_commas_and_taken_once_each() -> None:
    assert read(("formats", "A,B, C,A")).formats == ("A", "B", "C")


def test_ids_are_taken_once_each_in_their_order_whatever_their_case() -> None:
    assert read(asset_ids=[OTHER, ASSET.upper(), OTHER, ASSET]).asset_ids == (OTHER, ASSET)


def test_other_ids_are_read_in_lower_case() -> None:
    query = MultiDict([("b2_storage_id", B2.upper()), ("ll_storage_id", LL.upper())])
    body = {"context": "ASSET", "asset_ids": [ASSET], "user_id": USER.upper()}
    click = parse("add", query, json.dumps(body).encode(), DEFAULT)
    assert (click.b2_storage_id, click.ll_storage_id, click.user_id) == (B2, LL, USER)


def test_a_click_without_a_token_has_an_empty_one() -> None:
    assert (read().auth_token, read(auth_token=None).auth_token) == ("", "")


def test_the_longest_token_is_taken() -> None:
    assert len(read(auth_token="x" * LONGEST_TOKEN).auth_token) == LONGEST_TOKEN


def test_fields_that_iconik_may_add_are_ignored() -> None:
    assert read(new_field={"deep": [1, None]}).asset_ids == (ASSET,)


def test_a_body_with_a_byte_order_mark_is_read() -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"context": "ASSET", "asset_ids": [ASSET]}).encode()
    assert parse("add", MultiDict(QUERY), body, DEFAULT).asset_ids == (ASSET,)


def test_a_click_does_not_show_its_token() -> None:
    assert "token-of-the-click" not in repr(read(auth_token="token-of-the-click"))


@pytest.mark.parametrize(("action", "title"), [("add", "Add to"), ("remove", "Remove from")])
def test_a_click_is_called_as_in_the_menu(action: Any, title: str) -> None:
    assert CustomAction(action, B2, LL, (), "ASSET").title == f"{title} LucidLink"


@pytest.mark.parametrize(
    ("selected", "words"),
    [
        ({"asset_ids": (ASSET,)}, "1 asset"),
        ({"asset_ids": (ASSET, OTHER), "collection_ids": (OTHER,)}, "2 assets, 1 collection"),
        ({"collection_ids": (ASSET, OTHER)}, "2 collections"),
        ({"saved_search_ids": (ASSET,)}, "1 saved search"),
        ({"saved_search_ids": (ASSET, OTHER)}, "2 saved searches"),
        ({"playlist_ids": (ASSET,)}, "1 playlist"),
        ({"asset_ids": (ASSET,), "playlist_ids": (ASSET, OTHER)}, "1 asset, 2 playlists"),
        ({}, ""),
    ],
)
def test_the_selection_is_told_in_words(selected: dict[str, Any], words: str) -> None:
    assert CustomAction("add", B2, LL, (), "BULK", **selected).selection == words


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"context=ASSET",
        b"\xff\xfe\x00",
        b'{"context": "\xff"}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    assert refusal(body).field == "body"


@pytest.mark.parametrize("body", [b"null", b"true", b"1", b"NaN", b"-Infinity", b'"text"', b"[{}]"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert str(refusal(body)) == "body: must be a JSON object"


@pytest.mark.parametrize(
    "context",
    [
        None,
        "",
        "asset",
        "ASSET_SUBCLIP",
        1,
        True,
        ["ASSET"],
        {"ASSET": 1},
        "\ud800",
    ],
)
def test_a_context_that_is_not_ours_is_refused(context: object) -> None:
    assert refusal({"context": context, "asset_ids": [ASSET]}).field == "context"


@pytest.mark.parametrize(
    "name", ["asset_ids", "collection_ids", "saved_search_ids", "playlist_ids"]
)
@pytest.mark.parametrize(
    "ids",
    [
        ASSET,
        {ASSET: 1},
        1,
        0,
        False,
        "",
        float("nan"),
        [None],
        [""],
        [[ASSET]],
        [ASSET, "x"],
        [f"{ASSET}\n"],
        [f" {ASSET}"],
        [f"{{{ASSET}}}"],
        [ASSET.replace("-", "")],
        ["a55e7000-0000-4000-8000-00000000000\N{FULLWIDTH DIGIT ONE}"],
        ["\ud800"],
    ],
    ids=repr,
)
def test_a_selection_that_is_no_list_of_ids_is_refused(name: str, ids: object) -> None:
    body = {"context": "BULK", "asset_ids": [ASSET], name: ids}
    assert str(refusal(body)) == f"{name}: must be a list of UUIDs"


@pytest.mark.parametrize(
    "selected",
    [{}, {"asset_ids": []}, {"asset_ids": None, "collection_ids": [], "playlist_ids": []}],
)
def test_a_click_on_nothing_is_refused(selected: dict[str, Any]) -> None:
    assert refusal({"context": "BULK", **selected}).field == "asset_ids"


@pytest.mark.parametrize("user", ["", "x", 1, [], {}, f"{USER}\r\nX: y"], ids=repr)
def test_a_user_that_is_no_id_is_refused(user: object) -> None:
    assert refusal({**ON_ASSET, "user_id": user}).field == "user_id"


@pytest.mark.parametrize(
    "token",
    [
        1,
        True,
        [],
        {},
        " ",
        "x ",
        "a\r\nb",
        "\x00",
        "tökén",
        "\ud800",
        "x" * (LONGEST_TOKEN + 1),
    ],
    ids=lambda token: repr(token)[:20],
)
def test_a_token_that_fits_no_header_is_refused(token: object) -> None:
    assert refusal({**ON_ASSET, "auth_token": token}).field == "auth_token"


def test_a_refused_token_is_not_repeated() -> None:
    body = {"context": "ASSET", "asset_ids": [ASSET], "auth_token": "hunter2\n"}
    assert "hunter2" not in str(refusal(body))


@pytest.mark.parametrize("name", ["b2_storage_id", "ll_storage_id"])
@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["x"],
        [f"{ASSET} "],
        [f"{ASSET}\n"],
        [f"{ASSET}/"],
        ["\N{REPLACEMENT CHARACTER}"],
    ],
    ids=repr,
)
def test_a_storage_that_is_not_given_as_an_id_is_refused(name: str, values: list[str]) -> None:
    query = [pair for pair in QUERY if pair[0] != name] + [(name, value) for value in values]
    assert refusal(ON_ASSET, query).field == name


@pytest.mark.parametrize("ll", [B2, B2.upper()])
def test_one_storage_for_both_is_refused(ll: str) -> None:
    query = [("b2_storage_id", B2), ("ll_storage_id", ll)]
    assert refusal(ON_ASSET, query).field == "ll_storage_id"


@pytest.mark.parametrize("formats", ["", " ", ",", ",,", "A,B\x00", "A\nB", "\x1b[31m"], ids=repr)
def test_formats_that_name_none_are_refused(formats: str) -> None:
    error = refusal(ON_ASSET, [*QUERY, ("formats", formats)])
    assert str(error).startswith("formats: must") or str(error).startswith("formats: has")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("projects", "projects"),
        ("projects/2026/", "projects/2026"),
        ("Büro/Kunde 7/a..b", "Büro/Kunde 7/a..b"),
        ("x" * LONGEST_NAME, "x" * LONGEST_NAME),
        ("xxxx/" * (LONGEST_PATH // 5), "/".join(["xxxx"] * (LONGEST_PATH // 5))),
    ],
    ids=lambda text: text[:20],
)
def test_a_directory_for_copies_is_read(given: str, path: str) -> None:
    assert read(("path", given)).path == path


def test_the_url_tells_how_long_to_keep_the_assets() -> None:
    click = read(("keep", "14d"))
    assert (click.keep_ms, click.title) == (14 * 86_400_000, "Add to LucidLink for 14 days")


@pytest.mark.parametrize("keep", ["", "0d", "10y", "soon", "14"])
def test_a_time_that_is_none_is_refused(keep: str) -> None:
    error = refused_add(("keep", keep))
    assert str(error).startswith("keep: must be a time like 12h, 14d or 2w")


@pytest.mark.parametrize("query", [("keep", "14d"), ("keep_field", "Days")])
def test_only_an_add_keeps_assets_for_a_while(query: tuple[str, str]) -> None:
    error = refusal(ON_ASSET, [*QUERY, query])
    assert (error.field, error.problem) == (query[0], "is only for /add")


def test_a_time_and_a_field_together_are_refused() -> None:
    assert "together with keep_field" in str(refused_add(("keep", "14d"), ("keep_field", "Days")))


@pytest.mark.parametrize("name", ["", "Da\nys"])
def test_a_field_without_a_proper_name_is_refused(name: str) -> None:
    assert refused_add(("keep_field", name)).field == "keep_field"


@pytest.mark.parametrize(
    "value",
    [
        14,
        "14",
        ["14"],
        {"value": "14"},
        {"field_values": [{"value": 14}]},
        {"field_values": ["14"]},
        {"field_values": [{"value": "14", "label": "two weeks"}]},
    ],
)
def test_a_metadata_field_tells_how_long_to_keep_the_assets(value: Any) -> None:
    click = read(("keep_field", "Days"), metadata_values={"Days": value})
    assert (click.keep_ms, click.keep_problem) == (14 * 86_400_000, "")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (None, "is empty"),
        ([], "is empty"),
        ({}, "is empty"),
        ({"Days": None}, "is empty"),
        ({"Days": {"field_values": []}}, "is empty"),
        ({"Days": 0}, "holds '0'"),
        ({"Days": "soon"}, "holds 'soon'"),
        ({"Days": {"field_values": [{"value": 7}, {"value": 14}]}}, "holds '7, 14'"),
        ({"Days": "9" * 100}, f"holds '{'9' * 40}'"),
        ({"Days": "so\non"}, r"holds 'so\non'"),
    ],
)
def test_a_metadata_field_without_days_fails_the_operation(values: Any, told: str) -> None:
    click = read(("keep_field", "Days"), metadata_values=values)
    assert (click.keep_ms, click.keep_problem) == (
        None,
        f"the metadata field 'Days' {told}: it must be a whole number of days, from 1 to 366; "
        "nothing was added",
    )


def test_without_a_directory_copies_go_to_the_root() -> None:
    assert read().path == ""


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/projects",
        "a//b",
        ".",
        "../a",
        "a/..",
        "a/...",
        "a./b",
        " a",
        "a\\..\\b",
        "C:/a",
        "a*",
        "a\x00b",
        "a\u2028b",
        "\ud800",
        "x" * (LONGEST_NAME + 1),
        "ü" * (LONGEST_NAME // 2 + 1),
        "xxxx/" * (LONGEST_PATH // 5) + "x",
    ],
    ids=lambda path: repr(path)[:20],
)
def test_a_directory_that_leads_elsewhere_is_refused(path: str) -> None:
    assert refusal(ON_ASSET, [*QUERY, ("path", path)]).field == "path"


def test_a_directory_of_the_machine_is_refused_saying_what_it_counts_from() -> None:
    assert "is relative to the storage's root" in str(
        refusal(ON_ASSET, [*QUERY, ("path", "/mnt/x")])
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, [ASSET] * 2) for name in ("b2_storage_id", "ll_storage_id")),
        *((name, [ASSET, OTHER]) for name in ("b2_storage_id", "ll_storage_id")),
        *(("formats", values) for values in (["A", "B"], ["A", "A"], ["A", ""])),
        *(("path", values) for values in (["a", "b"], ["a", "a"])),
    ],
)
def test_a_parameter_that_is_given_twice_is_refused(name: str, values: list[str]) -> None:
    query = [pair for pair in QUERY if pair[0] != name] + [(name, value) for value in values]
    error = refusal(ON_ASSET, query)
    assert str(error) == f"{name}: must not be in the action's URL more than once"


def test_a_parameter_that_is_not_ours_may_be_given_twice() -> None:
    assert read(("utm", "a"), ("utm", "b")).asset_ids == (ASSET,)


@pytest.mark.parametrize("selected", ["collection_ids", "saved_search_ids", "playlist_ids"])
def test_what_must_be_opened_does_not_tell_its_assets(selected: str) -> None:
    assert read().tells_assets
    assert not read(**{selected: [OTHER]}).tells_assets


@given(st.text(alphabet=st.sampled_from("a./\\: \x00ü~"), max_size=12))
def test_whatever_a_directory_is_called_it_lies_below_the_root(path: str) -> None:
    with suppress(ClickError):
        names = read(("path", path)).path.split("/")
        assert all(name.strip(". \x00") for name in names)


@given(st.binary(max_size=200))
def test_no_body_whatsoever_is_a_fault_of_ours(body: bytes) -> None:
    with pytest.raises(ClickError):
        parse("add", MultiDict(QUERY), body, DEFAULT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.just(ASSET),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


FIELDS = (
    "context", "asset_ids", "collection_ids", "saved_search_ids", "playlist_ids", "user_id",
    "auth_token",
)  # fmt: skip


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_whatever_an_object_holds_only_a_click_on_something_passes(posted: dict[str, Any]) -> None:
    body = json.dumps({**posted, "context": "BULK"}).encode()
    with suppress(ClickError):
        assert parse("add", MultiDict(QUERY), body, DEFAULT).selection


def test_clicks_that_ask_for_the_same_have_one_digest() -> None:
    one = read(("formats", "A,B"), asset_ids=[ASSET, OTHER], user_id=USER, context="BULK")
    other = read(("formats", "B,A"), asset_ids=[OTHER, ASSET], user_id=USER)
    assert one.digest == other.digest


@pytest.mark.parametrize(
    "different",
    [
        read(auth_token="another"),
        read(user_id=USER),
        read(("formats", "A")),
        read(asset_ids=[OTHER]),
        read(collection_ids=[OTHER]),
        read(saved_search_ids=[OTHER]),
        read(playlist_ids=[OTHER]),
        read(("path", "projects")),
        parse(
            "remove",
            MultiDict(QUERY),
            json.dumps({"context": "ASSET", "asset_ids": [ASSET]}).encode(),
            DEFAULT,
        ),
    ],
)
def test_clicks_that_ask_for_something_else_have_another(different: CustomAction) -> None:
    assert different.digest != read().digest
