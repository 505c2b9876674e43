"""Tests of medseg.bundles.layers.references."""

from medseg.bundles.layers.references import (
    find_missing,
    find_references,
    find_unused,
    list_choices,
)


def test_references_are_found_at_any_depth():
    value = {"a": ["@one", {"b": "$f(@two#x) + %three"}], "c": 4, "d": "one@2"}
    assert find_references(value) == {"one", "two", "three"}


def test_plain_text_refers_to_nothing():
    assert find_references(["me@home", "50 %off"]) == set()


def test_keys_that_others_refer_to_and_that_are_not_there_are_missing():
    assert find_missing({"a": "@b#c", "b": {"c": ["$@d + @e"]}, "e": 1}) == ["d"]


def test_unused_keys_are_those_no_root_reaches():
    config = {"run": "@a", "a": "@b#c", "b": 1, "d": "@e", "e": 2, "_generated_": "note"}
    assert find_unused(config, ["run"]) == ["d", "e"]
    assert find_unused(config, ["run", "d"]) == []


def test_choices_are_plain_or_made_of_choices_without_a_call():
    config = {
        "imports": ["$import x"],
        "size": "$[@edge] * @dims",
        "dims": "$3 if @view == 'p' else 2",
        "view": "p",
        "edge": 4,
        "same": "@size",
        "made": "$f(@edge)",
        "read": "$x.read",
        "part": {"_target_": "a.B", "edge": "@edge"},
        "alias": "@part",
    }
    assert list_choices(config) == ["size", "dims", "view", "edge", "same"]


def test_a_key_that_only_the_list_of_choices_names_is_unused():
    config = {"run": "$f(@choices, @a)", "choices": {"a": "@a", "b": "@b"}, "a": 1, "b": 2}
    assert find_unused(config, ["run"]) == ["b"]
