"""Plain values: what enters a config is a number or a text that is not evaluated."""

import pytest

from medseg.bundles.nnunet.plain_values import (
    explain_damage,
    get_mapping,
    make_text,
    read_numbers,
    read_whole,
)


@pytest.mark.parametrize("value", ["123", 3, None, [1, "2", 3], [1, float("nan"), 3], [1, True, 3]])
def test_what_is_no_list_of_finite_numbers_is_refused(value):
    with pytest.raises(ValueError, match=r"plans.json has spacing .* and needs numbers"):
        read_numbers("spacing", value)


def test_numbers_are_counted():
    assert read_numbers("spacing", [2.5, 1], count=2) == (2.5, 1)
    with pytest.raises(ValueError, match="needs 3 numbers"):
        read_numbers("spacing", [2.5, 1], count=3)


def test_whole_numbers_are_not_rounded_and_no_less_than_the_least():
    assert read_whole("patch_size", [8, 4.0], least=1) == (8, 4)
    for value in ([8, 4.5], [0, 8]):
        with pytest.raises(ValueError, match="whole numbers of 1 or more"):
            read_whole("patch_size", value, least=1)


@pytest.mark.parametrize(("given", "text"), [("$@ print(1)", "print(1)"), (3, "3"), ("a$", "a$")])
def test_a_text_is_not_evaluated(given, text):
    assert make_text(given) == text


@pytest.mark.parametrize("error", [TypeError, KeyError, AttributeError, IndexError])
def test_what_python_says_becomes_one_line_with_the_file(error):
    refused = pytest.raises(ValueError, match=r"plans.json has a value of another kind")
    with refused, explain_damage("plans.json"):
        raise error("x")


def test_a_section_is_a_section():
    assert get_mapping({}, "a") == {}
    with pytest.raises(ValueError, match="needs a section"):
        get_mapping({"a": [1]}, "a")
