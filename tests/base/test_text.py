"""Tests of medseg.base.text: messages count well, and no text of a file is shown as it is."""

import io
import logging
import os
import subprocess
import sys
import warnings

import pytest

from medseg.base.text import (
    count_noun,
    escape_unprintable,
    escape_unprintable_lines,
    find_near_word,
    format_csv_cell,
    log_printable_text,
)


@pytest.mark.parametrize(("number", "text"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases")])
def test_only_one_is_singular(number, text):
    assert count_noun(number, "case") == text


def test_a_plural_of_its_own_is_taken():
    assert count_noun(3, "study", plural="studies") == "3 studies"
    assert count_noun(1, "study", plural="studies") == "1 study"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("plna", "plan"),  # exchanged
        ("uot", "out"),
        ("plam", "plan"),  # wrong
        ("pan", "plan"),  # missing
        ("plann", "plan"),  # too many
        ("--plan", "plan"),
        ("max-epochs", "max_epochs"),
        ("epochs", "max_epochs"),  # 12 of 16 letters in common
        ("epoch", None),  # 10 of 15
        ("planet", "plan"),  # 8 of 10
        ("in", None),
        ("", None),
    ],
)
def test_a_near_word_differs_by_one_slip_or_shares_most_letters(word, near):
    assert find_near_word(word, ["plan", "out", "max_epochs", "i", "version"]) == near


def test_a_guarded_word_is_near_by_one_slip_alone():
    assert find_near_word("frce", ["force"], guarded=["force"]) == "force"
    assert find_near_word("enforce", ["force"]) == "force"
    assert find_near_word("enforce", ["force"], guarded=["force"]) is None
    assert find_near_word("enforce", ["force", "enforced"], guarded=["force"]) == "enforced"


def test_no_word_is_near_where_none_is_known():
    assert find_near_word("plan", []) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("liver é中 \N{EM DASH}", "liver é中 \N{EM DASH}"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m\x1b]0;t\x07", r"\x1b[31m\x1b]0;t\x07"),
        ("\x9b31m \x7f\x00", r"\x9b31m \x7f\x00"),
        ("\u202egpj\u2066", r"\u202egpj\u2066"),
        ("a\u2028b", r"a\u2028b"),
        ("\udcff", r"\udcff"),
        (ValueError("a\x1bb"), r"a\x1bb"),
    ],
)
def test_what_is_not_printable_is_an_escape(text, shown):
    assert escape_unprintable(text) == shown
    assert escape_unprintable(text).isprintable()


def test_lines_stay_lines():
    assert escape_unprintable_lines("a\nb\x1b") == "a\nb\\x1b"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        *((f"{sign}x", f"'{sign}x") for sign in "+-@"),
        ("\tx", r"'\tx"),
        *((kept, kept) for kept in ("-0.5", "+1e3", "liver", "a=b", "", None, -0.5, 3)),
        ("two\nlines", r"two\nlines"),
        ("\udcff", r"\udcff"),
    ],
)
def test_a_cell_is_no_formula_and_one_line(value, cell):
    assert format_csv_cell(value) == cell


@pytest.fixture
def logged():
    """A logger of its own and what it writes."""
    stream, logger = io.StringIO(), logging.getLogger("tests.printable")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    before = warnings.formatwarning, logging.lastResort.formatter
    yield logger, stream
    logger.removeHandler(handler)
    warnings.formatwarning, logging.lastResort.formatter = before


def test_a_logged_message_is_one_printable_line(logged):
    logger, stream = logged
    for _ in range(2):
        log_printable_text()
    logger.warning("case %s: %s", "a\nERROR forged", "\x1b[2J")
    assert stream.getvalue() == "WARNING case a\\nERROR forged: \\x1b[2J\n"


def test_a_logged_traceback_keeps_its_lines(logged):
    logger, stream = logged
    log_printable_text()
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        logger.exception("failed")
    text = stream.getvalue()
    assert text.startswith("ERROR failed\nTraceback")
    assert "\nValueError: \\x1b[2J\n" in text


def test_a_warning_is_printable(logged):
    log_printable_text()
    assert "\x1b" not in warnings.formatwarning("\x1b[2J", UserWarning, "f", 1, "")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("verb", ["inspect", "segment"])
def test_an_error_line_shows_no_control_character_of_a_name(repository, verb, locale):
    name = b"no\x1b[31m\nerror: forged\xff\xc2\x9b.nii"
    words = [verb.encode(), name, *([b"-o", b"/tmp/out"] if verb == "segment" else [])]
    code = "from medseg.cli import main; main()"
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": locale}
    ended = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        cwd=repository,
        env={**os.environ, **plain},
    )
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert b"no\\x1b[31m" in line
    assert b"error: forged\\udcff" in line
    assert all(32 <= byte < 127 for byte in line)
