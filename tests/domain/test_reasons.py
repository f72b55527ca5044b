"""Reasons: a sentence for people, and a cause that programs go by."""

import pytest

from b2_iconik.domain import reasons
from b2_iconik.domain.reasons import (
    NO_REASON,
    NO_TWIN,
    OF_TROUBLE,
    OTHER,
    RESTORED,
    SHARED,
    UNFINISHED,
    Cause,
    Reason,
    expected,
    joined,
    reason_of,
)
from iconik_http.errors import IconikError, IconikRefused, NotFound, NotPermitted

WITHOUT_TWIN = NO_TWIN(name="clip.mov")


def test_a_sentence_is_filled_with_its_values() -> None:
    assert WITHOUT_TWIN == "clip.mov has no matching file on B2"


def test_a_reason_has_the_cause_of_its_sentence() -> None:
    assert WITHOUT_TWIN.cause == Cause.BAD_TWIN


def test_a_value_may_have_braces() -> None:
    assert NO_TWIN(name="{name}.mov") == "{name}.mov has no matching file on B2"


@pytest.mark.parametrize(("why", "cause"), [(WITHOUT_TWIN, Cause.BAD_TWIN), (NO_REASON, None)])
def test_what_explains_more_takes_the_place_of_the_usual_cause(
    why: Reason, cause: Cause | None
) -> None:
    told = RESTORED(why.cause, reason=why, file_set_id="set-1")
    assert told.cause == (cause or Cause.RESTORED)


def test_with_more_words_a_reason_keeps_its_cause() -> None:
    longer = WITHOUT_TWIN + ", seen later"
    assert (longer, longer.cause) == (
        "clip.mov has no matching file on B2, seen later",
        Cause.BAD_TWIN,
    )


def test_of_several_reasons_all_are_told() -> None:
    assert joined([WITHOUT_TWIN, Reason("why")]) == "clip.mov has no matching file on B2; why"


def test_of_several_reasons_the_most_telling_cause_counts() -> None:
    unfinished = UNFINISHED(file_set_id="set-1")
    assert joined([WITHOUT_TWIN, unfinished, Reason("why")]).cause == Cause.HALF_DELETED


def test_reasons_without_a_cause_have_none_together() -> None:
    assert joined([Reason("why"), Reason("and why")]).cause is None


@pytest.mark.parametrize("reason", [WITHOUT_TWIN, Reason("why"), NO_REASON])
def test_what_is_stored_is_read_again(reason: Reason) -> None:
    assert Reason.read(str(reason), reason.stored).cause == reason.cause


def test_a_text_is_a_reason_without_a_cause() -> None:
    assert Reason.of("why").cause is None


def test_a_reason_is_itself_as_a_reason() -> None:
    assert Reason.of(WITHOUT_TWIN) is WITHOUT_TWIN


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        (NO_REASON, ""),
        (WITHOUT_TWIN, "bad_twin"),
        (SHARED(name="a", which="b", why="c"), "shared_file"),
        (Reason("what an earlier version has stored"), OTHER),
    ],
)
def test_a_metric_shows_the_cause(reason: Reason, label: str) -> None:
    assert reason.label == label


def test_a_metric_has_few_labels_of_one_word_each() -> None:
    labels = {label for action in ("add", "remove") for _, label in expected(action)}
    assert len(labels) < 35
    assert all(label.replace("_", "").isalpha() for label in labels - {""})


def test_every_cause_but_those_of_rows_and_operations_is_in_a_sentence_or_an_error() -> None:
    of_errors = {"TOKEN_EXPIRED", "NOT_PERMITTED", "TOO_SLOW", "REFUSED", "TOKEN_REJECTED"}
    used = {
        each.cause.name
        for each in vars(reasons).values()
        if isinstance(each, reasons.Sentence | Reason) and each.cause
    }
    assert used | of_errors == set(Cause.__members__)


def test_whatever_may_go_wrong_is_expected_of_both_actions() -> None:
    for label in {each.value for each in OF_TROUBLE} - {"unverified"} | {OTHER}:
        assert ("failed", label) in expected("add")
        assert ("failed", label) in expected("remove")
        assert ("kept", label) in expected("remove")


def test_what_comes_of_formats_is_expected_of_the_action_that_does_it() -> None:
    assert set(expected("add")) - set(expected("remove")) == {
        ("copied", ""),
        ("there", ""),
        ("restored", "restored"),
    }
    of_remove_alone = {kind for kind, _ in set(expected("remove")) - set(expected("add"))}
    assert of_remove_alone == {"removed", "absent", "kept"}
    of_preview_alone = set(expected("preview")) - set(expected("remove"))
    assert of_preview_alone == {
        ("removable", ""),
        ("removable", "was_missing"),
        ("uncopied", "bad_twin"),
        ("kept", "being_deleted"),
    }
    for action in ("add", "remove"):
        both = {("without", ""), ("vanished", "vanished"), ("superseded", "newer_click")}
        assert both <= set(expected(action))


def test_only_a_remove_or_its_preview_keeps_what_is_protected() -> None:
    actions = ("add", "remove", "preview")
    protected = {action: ("kept", "protected") in expected(action) for action in actions}
    assert protected == {"add": False, "remove": True, "preview": True}
    labels = {label for _, label in expected("add")}
    assert "protected" not in labels


# Errors

ID, OTHER_ID = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e", "1B5C1D9E-3F7A-4C52-9D0E-6A1F2B3C4D5E"
NO = "iconik answered 403: Forbidden"


def test_a_refusal_says_who_may_not_do_what_and_whom_to_ask() -> None:
    refusal = NotPermitted(f"read storage {ID}", NO, "can_read_storages")
    told = reason_of(refusal, {ID: "the B2 storage 'Masters'"})
    assert told == (
        "the person who clicked may not read the B2 storage 'Masters': ask an iconik administrator "
        "for the role can_read_storages, or for access (iconik answered 403: Forbidden)"
    )
    assert told.cause == Cause.NOT_PERMITTED


def test_a_refusal_of_the_applications_token_is_not_blamed_on_the_person_who_clicked() -> None:
    refusal = NotPermitted("list it", NO, is_application=True)
    assert reason_of(refusal) == (
        "ICONIK_TOKEN may not list it: ask an iconik administrator for access (iconik answered 403:"
        " Forbidden)"
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            IconikRefused(f"delete file set {ID} of asset {OTHER_ID}", "no"),
            "could not delete the file set of the asset: no",
        ),
        (NotFound(f"run saved search {ID}", "no"), "could not run the saved search: no"),
        (IconikError(f"copy X of 2 assets to storage {OTHER_ID}", "no"),
         "could not copy X of 2 assets to the LL: no"),
        (IconikError("follow 100 jobs", "no"), "could not follow 100 jobs: no"),
        (ValueError(ID), ID),
    ],
)  # fmt: skip
def test_no_reason_has_the_id_of_what_a_call_was_about(error: Exception, told: str) -> None:
    assert reason_of(error, {OTHER_ID.lower(): "the LL"} if "copy" in told else {}) == told
