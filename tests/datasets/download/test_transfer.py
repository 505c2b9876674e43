"""Tests of medseg.datasets.download.transfer: a file is taken up where it was cut, or refused."""

import logging

import pytest
from datasets.download.local_server import (
    CONTENT,
    CUT,
    NAME,
    OTHER,
    Page,
    entry,
    fetch,
    left,
    ranges,
    refusal,
    sha256,
)

from medseg.datasets.download import transfer


def test_a_cut_file_goes_on_where_it_stopped(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT])
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, f"bytes={CUT}-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert left(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT])
    assert f"{CUT} of 10240 bytes came" in refusal(
        entry(server), tmp_path, error=ConnectionError, tries=1
    )
    assert [path.stat().st_size for path in tmp_path.glob("*.part")] == [CUT]
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, f"bytes={CUT}-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_file_again_from_its_start(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT], ranges=False)
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, f"bytes={CUT}-"]
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_does_not_name_versions_is_never_asked_for_the_rest(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT], etag=None)
    fetch(entry(server), tmp_path)
    assert ranges(server) == [None, None]
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_in_between_is_not_patched_together(server, tmp_path, if_range):
    """Whether the server knows If-Range or sends the rest of the new version all the same."""
    server.pages["/a"] = Page(content=OTHER, cuts=[CUT])
    refusal(entry(server), tmp_path, error=ConnectionError, tries=1)
    server.pages["/a"] = Page(etag='"v2"', if_range=if_range)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_that_is_whole_already_is_not_fetched_again(server, tmp_path, monkeypatch, size):
    """A run that ended after the last byte and before the check."""
    server.pages["/a"] = Page()
    dataset = entry(server, size=size, sha256=sha256(CONTENT))
    part = transfer.transfer(dataset.files[0].urls[0], tmp_path / NAME)
    assert part.read_bytes() == CONTENT
    fetch(dataset, tmp_path)
    assert ranges(server) == ([None] if size else [None, "bytes=10240-"])
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    server.pages["/a"] = Page()
    url = entry(server).files[0].urls[0]
    part = transfer.transfer(url, tmp_path / NAME)
    part.write_bytes(CONTENT * 2)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_tries_are_counted_only_while_nothing_new_comes(server, tmp_path):
    server.pages["/a"] = Page(cuts=[1000] * 9)  # ten attempts, each of which brings something
    fetch(entry(server), tmp_path, tries=2)
    assert len(server.asked) == 10
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_always_cuts_at_the_same_byte_is_given_up(server, tmp_path):
    server.pages["/a"] = Page(cuts=[CUT] * 99, ranges=False)
    refusal(entry(server), tmp_path, error=ConnectionError, tries=3)
    assert len(server.asked) == 3


def test_a_passing_fault_of_the_server_is_waited_for(server, tmp_path):
    server.pages["/a"] = Page(statuses=[503, 429])
    fetch(entry(server), tmp_path, tries=3)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_another_length_than_published_is_refused_before_it_comes(server, tmp_path):
    server.pages["/a"] = Page()
    told = refusal(entry(server, size=7), tmp_path, error=ValueError)
    assert "has 10240 bytes, but the published file has 7" in told
    assert left(tmp_path) == []


def test_a_web_page_in_place_of_the_file_is_refused(server, tmp_path):
    server.pages["/a"] = Page(content=b"<html>", kind="text/html; charset=utf-8")
    told = refusal(entry(server, size=None), tmp_path, error=ValueError)
    assert "/a gives a web page instead of the file" in told
    assert left(tmp_path) == []


def test_a_server_that_is_not_there_is_refused(server, tmp_path):
    dataset = entry(server)
    server.shutdown()
    server.server_close()
    assert "refused" in refusal(dataset, tmp_path, error=ConnectionError)


def test_a_length_that_is_not_stated_is_no_hindrance(server, tmp_path):
    server.pages["/a"] = Page(stated=False)
    fetch(entry(server), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_other_schemes_than_http_are_refused(tmp_path):
    with pytest.raises(ValueError, match="neither http nor https"):
        transfer.transfer(f"file://{tmp_path}/a", tmp_path / "b")


def test_each_retry_is_logged_with_its_reason(server, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="medseg")
    server.pages["/a"] = Page(cuts=[CUT])
    fetch(entry(server), tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{server.url}/a: 4000 of 10240 bytes came after 4000 bytes; trying again"
    ]
