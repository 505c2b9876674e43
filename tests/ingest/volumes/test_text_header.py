"""Tests of medseg.ingest.volumes.text_header: lines and numbers are read within bounds."""

import pytest

from medseg.ingest import IngestError, Reason
from medseg.ingest.volumes.text_header import (
    MOST_BYTES,
    parse_numbers,
    parse_whole_numbers,
    read_lines,
)


def test_each_line_comes_with_the_byte_that_follows_it(tmp_path):
    (tmp_path / "a").write_bytes(b"one\r\ntwo\n\nlast")
    assert list(read_lines(tmp_path / "a")) == [("one", 5), ("two", 9), ("", 10), ("last", 14)]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_line_may_be_utf_8_or_latin_1(tmp_path, encoding):
    (tmp_path / "a").write_bytes("Größe\n".encode(encoding))
    ((line, _),) = read_lines(tmp_path / "a")
    assert line == "Größe"


@pytest.mark.parametrize("line", [b"a" * 100, b"a" * 99 + b"\n"], ids=["one line", "many lines"])
def test_a_header_without_end_is_refused_at_its_most_bytes(tmp_path, line):
    (tmp_path / "a").write_bytes(line * (MOST_BYTES // 100 + 2))
    with pytest.raises(IngestError) as caught:
        list(read_lines(tmp_path / "a"))
    assert caught.value.code is Reason.UNREADABLE
    assert f"does not end within {MOST_BYTES} bytes" in str(caught.value)


def test_a_header_of_the_most_bytes_passes_and_nothing_behind_it_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"a" * (MOST_BYTES - 1) + b"\n" + b"b" * 9)
    assert next(read_lines(tmp_path / "a"))[1] == MOST_BYTES


def test_numbers_are_separated_by_blanks(tmp_path):
    assert parse_numbers(" 1 -2.5\t3e2 ", field="f", path=tmp_path) == [1, -2.5, 300]
    assert parse_whole_numbers("4 5.0", field="f", path=tmp_path) == [4, 5]


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_numbers, "1,2", "which are not numbers"),
        (parse_whole_numbers, "1 x", "which are not numbers"),
        (parse_whole_numbers, "1 2.5", "which are not whole numbers"),
        (parse_whole_numbers, "inf", "which are not whole numbers"),
        (parse_whole_numbers, "nan", "which are not whole numbers"),
    ],
)
def test_what_is_no_number_is_refused_with_the_field(tmp_path, parse, text, words):
    with pytest.raises(IngestError) as caught:
        parse(text, field="sizes", path=tmp_path)
    assert caught.value.code is Reason.UNREADABLE
    assert f"states {text!r} for sizes, {words}" in str(caught.value)
