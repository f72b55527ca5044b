"""The names of users and of what they selected: each is asked for once, and may be missing."""

import threading

import pytest

from b2_iconik.operation import naming
from b2_iconik.operation.naming import Paths, Subject, Subjects, UserNames
from iconik_http.errors import IconikError, IconikUnavailable, NotPermitted, TokenRejected
from tests.makers import FakeIconik, a_click

ANA = "ana"
NO_ROLE = NotPermitted("read user", "iconik does not permit this (403, requires can_read_users)")
AWAY = IconikUnavailable("read user", "iconik answered 503")
NO_TOKEN = TokenRejected("read user", "iconik no longer accepts any token (401)")


class Desk:
    """The token of a user, and the application's."""

    def __init__(self) -> None:
        self.own, self.application = FakeIconik(), FakeIconik()
        self.own.users = self.application.users = {ANA: "Ana Ruiz"}
        self.names = UserNames()

    def find(self) -> str | None:
        return self.names.find(ANA, self.own, self.application)

    @property
    def requests(self) -> tuple[int, int]:
        """How many requests had the user's token, and how many the application's."""
        return len(self.own.calls), len(self.application.calls)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds."""
    now = [1000.0]
    monkeypatch.setattr("b2_iconik.operation.naming.time.monotonic", lambda: now[0])
    return now


# Users


def test_a_user_is_asked_for_once(desk: Desk, now: list[float]) -> None:
    assert desk.find() == "Ana Ruiz"
    now[0] += 10 * naming.REFUSED
    assert desk.find() == "Ana Ruiz"
    assert desk.requests == (1, 0)


def test_each_user_has_their_own_name(desk: Desk) -> None:
    desk.own.users["ben"] = "Ben"
    desk.find()
    assert desk.names.find("ben", desk.own, desk.application) == "Ben"


def test_the_application_may_read_a_name_that_the_user_may_not(desk: Desk) -> None:
    desk.own.problems["user_name"] = NO_ROLE
    assert desk.find() == "Ana Ruiz"
    assert desk.requests == (1, 1)


@pytest.mark.parametrize("problem", [NO_ROLE, NO_TOKEN], ids=["no role", "no token"])
def test_a_name_that_nobody_may_read_is_empty(desk: Desk, problem: IconikError) -> None:
    desk.own.problems["user_name"] = NO_ROLE
    desk.application.problems["user_name"] = problem
    assert desk.find() == ""


def test_a_name_that_cannot_be_read_is_not_asked_for_all_the_time(
    desk: Desk, now: list[float]
) -> None:
    desk.own.users.clear()
    desk.find()
    now[0] += naming.REFUSED - 1
    assert desk.find() == ""
    assert desk.requests == (1, 1)


def test_a_name_that_cannot_be_read_is_asked_for_again_later(desk: Desk, now: list[float]) -> None:
    desk.own.problems["user_name"] = desk.application.problems["user_name"] = NO_ROLE
    desk.find()
    desk.own.problems.clear()
    now[0] += naming.REFUSED
    assert desk.find() == "Ana Ruiz"


@pytest.mark.parametrize("problem", [AWAY, NO_TOKEN], ids=["away", "no token"])
def test_a_name_may_not_be_known_yet(desk: Desk, problem: IconikError) -> None:
    desk.own.problems["user_name"] = problem
    assert desk.find() is None


def test_an_application_that_gets_no_answer_leaves_the_name_open(desk: Desk) -> None:
    desk.own.problems["user_name"] = NO_ROLE
    desk.application.problems["user_name"] = AWAY
    assert desk.find() is None


def test_an_iconik_that_is_away_is_asked_again_after_a_while(desk: Desk, now: list[float]) -> None:
    desk.own.problems["user_name"] = AWAY
    desk.find()
    desk.own.problems.clear()
    assert desk.find() is None
    now[0] += naming.UNANSWERED
    assert desk.find() == "Ana Ruiz"
    assert desk.requests == (2, 0)


def test_who_comes_second_does_not_wait_for_the_first(desk: Desk) -> None:
    second: list[str | None] = []

    def meanwhile() -> None:
        thread = threading.Thread(target=lambda: second.append(desk.find()))
        thread.start()
        thread.join()

    desk.own.before["user_name"] = meanwhile
    assert desk.find() == "Ana Ruiz"
    assert second == [None]


def test_a_very_long_name_is_cut(desk: Desk) -> None:
    desk.own.users[ANA] = "A" * 5000
    assert desk.find() == "A" * naming.LONGEST_NAME


# What was selected


@pytest.fixture
def iconik() -> FakeIconik:
    iconik = FakeIconik()
    iconik.titles = {"day": "Day 1", "spring": "Spring", "projects": "Projects"}
    iconik.parents = {"day": "spring", "spring": "projects"}
    return iconik


def subjects(iconik: FakeIconik, paths: Paths | None = None, user: str = ANA) -> Subjects:
    return Subjects(a_click(user_id=user, auth_token="token"), iconik, paths or Paths())


def test_a_collection_has_a_path(iconik: FakeIconik) -> None:
    found = subjects(iconik).find("collection", "day")
    assert found == Subject("collection", "day", "Day 1", "Projects / Spring / Day 1")


@pytest.mark.parametrize("kind", ["saved search", "playlist", "asset"])
def test_other_objects_have_a_name(iconik: FakeIconik, kind: str) -> None:
    iconik.titles["it"] = "Best takes"
    assert subjects(iconik).find(kind, "it") == Subject(kind, "it", "Best takes")


@pytest.mark.parametrize("kind", ["collection", "saved search", "playlist", "asset"])
def test_an_object_that_is_gone_has_no_name(iconik: FakeIconik, kind: str) -> None:
    assert subjects(iconik).find(kind, "gone") == Subject(kind, "gone")


@pytest.mark.parametrize("kind", ["collection", "asset"])
def test_an_object_without_a_title_has_no_name(iconik: FakeIconik, kind: str) -> None:
    iconik.titles["it"] = ""
    assert subjects(iconik).find(kind, "it") == Subject(kind, "it")


def test_an_asset_that_was_listed_is_not_asked_for(iconik: FakeIconik) -> None:
    assert subjects(iconik).find("asset", "it", "beach").name == "beach"
    assert iconik.calls == []


def test_a_name_is_asked_for_once(iconik: FakeIconik) -> None:
    mine = subjects(iconik)
    for _ in range(2):
        mine.find("asset", "gone")
    assert len(iconik.calls) == 1


def test_an_object_that_iconik_could_not_read_is_asked_for_again(iconik: FakeIconik) -> None:
    mine = subjects(iconik)
    iconik.problems["collection"] = AWAY
    with pytest.raises(IconikUnavailable):
        mine.find("collection", "day")
    iconik.problems.clear()
    assert mine.find("collection", "day").name == "Day 1"


@pytest.mark.parametrize("kind", ["collection", "asset"])
def test_without_a_good_token_nothing_is_named(iconik: FakeIconik, kind: str) -> None:
    iconik.problems = {"collection": NO_TOKEN, "asset_title": NO_TOKEN}
    with pytest.raises(TokenRejected):
        subjects(iconik).find(kind, "day")


# Paths


def test_parents_are_read_once_for_several_collections(iconik: FakeIconik) -> None:
    paths = Paths()
    iconik.titles["night"], iconik.parents["night"] = "Night", "spring"
    subjects(iconik, paths).find("collection", "day")
    found = subjects(iconik, paths).find("collection", "night")
    assert found.path == "Projects / Spring / Night"
    assert [call[1] for call in iconik.calls] == ["day", "spring", "projects", "night"]


def test_parents_are_read_again_after_a_while(iconik: FakeIconik, now: list[float]) -> None:
    paths = Paths()
    subjects(iconik, paths).find("collection", "day")
    iconik.titles["projects"] = "Old projects"
    now[0] += naming.REMEMBERED
    assert subjects(iconik, paths).find("collection", "day").path == "Old projects / Spring / Day 1"


def test_what_one_user_may_see_is_not_shown_to_another(iconik: FakeIconik) -> None:
    paths = Paths()
    subjects(iconik, paths).find("collection", "day")
    del iconik.titles["projects"]
    assert subjects(iconik, paths, "ben").find("collection", "day").path == "Spring / Day 1"


def test_what_the_application_may_see_is_not_shown_to_a_user(iconik: FakeIconik) -> None:
    paths = Paths()
    without_token = a_click(user_id=ANA)
    Subjects(without_token, iconik, paths).find("collection", "day")
    del iconik.titles["projects"]
    assert subjects(iconik, paths).find("collection", "day").path == "Spring / Day 1"


def test_a_parent_that_the_user_may_not_see_is_asked_for_once(iconik: FakeIconik) -> None:
    paths = Paths()
    del iconik.titles["spring"]
    for _ in range(2):
        assert subjects(iconik, paths).find("collection", "day").path == "Day 1"
    assert [call[1] for call in iconik.calls] == ["day", "spring", "day"]


def test_a_parent_that_could_not_be_read_is_asked_for_again(iconik: FakeIconik) -> None:
    paths, spring = Paths(), iconik.titles.pop("spring")
    day = iconik.collection("day")
    iconik.problems["collection"] = NO_TOKEN
    with pytest.raises(TokenRejected):
        paths.find(ANA, iconik, day)
    iconik.problems.clear()
    iconik.titles["spring"] = spring
    assert paths.find(ANA, iconik, day) == "Projects / Spring / Day 1"


def test_a_very_deep_collection_has_its_nearest_parents(iconik: FakeIconik) -> None:
    for level in range(20):
        iconik.titles[f"c{level}"] = str(level)
        iconik.parents[f"c{level}"] = f"c{level + 1}"
    found = subjects(iconik).find("collection", "c0")
    assert found.path == "5 / 4 / 3 / 2 / 1 / 0"
    assert len(iconik.calls) == 1 + naming.MOST_PARENTS


def test_a_collection_in_itself_has_a_path(iconik: FakeIconik) -> None:
    iconik.parents["projects"] = "spring"
    assert subjects(iconik).find("collection", "day").path == "Projects / Spring / Day 1"


def test_not_all_collections_there_ever_were_are_remembered(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "MOST_REMEMBERED", 2)
    paths = Paths()
    for user in ("a", "b", "c"):
        subjects(iconik, paths, user).find("collection", "day")
    assert len(paths._parents) <= 2
