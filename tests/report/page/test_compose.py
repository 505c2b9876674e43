"""Tests of medseg.report.page.compose: a page is whole, and what is put into it stays text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re

import pytest
from markupsafe import Markup

from medseg.report.page.compose import (
    ASSETS,
    _keep_units,
    _mark_code,
    compose_page,
    read_asset,
    render,
    write_page,
)

EVIL = "</script><script>alert(1)</script><!-- & \" ' \u2028\u202e"


BODY = Markup("<p>body</p>")


def compose(title="title", **options):
    return "".join(compose_page(title, BODY, **options))


def find_policy(page):
    return re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)


def test_a_page_has_title_body_and_a_policy_without_connections():
    page = compose()
    assert page.startswith("<!doctype html>")
    assert "<title>title</title>" in page
    assert "<p>body</p>" in page
    policy = find_policy(page).replace("&#39;", "'")
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "script-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_policy_allows_each_script_and_style_by_its_digest_alone():
    page = compose(scripts=["base.js"])
    policy = find_policy(page)
    for text in (read_asset("base.js"), read_asset("style.css")):
        assert text in page
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy.replace("&#43;", "+").replace("&#39;", "'")


def test_a_title_stays_text():
    page = compose(EVIL)
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_data_come_back_and_cannot_end_their_element():
    page = compose(data={"about": {"name": EVIL, "other": "\udcff"}})
    found = re.search(r'<script type="application/json" id="data-about">(.*?)</script>', page)
    assert json.loads(found.group(1)) == {"name": EVIL, "other": "\udcff"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_data_that_are_no_json_are_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        compose(data={"about": value})


def test_files_and_the_packed_library_come_back():
    page = compose(files={"image": b"\0\1\2"}, library="base.js")
    found = dict(re.findall(r'<script type="text/plain" id="file-(\w+)">(.*?)</script>', page))
    assert base64.b64decode(found["image"]) == b"\0\1\2"
    assert gzip.decompress(base64.b64decode(found["library"])).decode() == read_asset("base.js")


def test_parts_of_a_body_are_taken_one_by_one():
    taken = []

    def make_parts():
        for k in range(3):
            taken.append(k)
            yield Markup("<i>{}</i>").format(k)

    page = compose_page("title", make_parts())
    next(page)
    assert taken == []
    assert "<i>0</i>\n<i>1</i>\n<i>2</i>" in "".join(page)


def test_text_in_a_template_is_escaped_and_printable():
    made = render("macros.html")
    assert isinstance(made, Markup)
    (ASSETS / "case.html").read_text(encoding="utf-8").encode("ascii", "xmlcharrefreplace")


def test_a_failing_body_leaves_the_page_that_was_there(tmp_path):
    def fail():
        yield Markup("<p>")
        raise RuntimeError("no more")

    path = tmp_path / "page.html"
    write_page(path, "first", Markup("<p>first</p>"))
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="no more"):
        write_page(path, "second", fail())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.js")), ids=lambda path: path.name)
def test_no_script_of_ours_asks_the_network_or_makes_markup_of_text(path):
    if path.name.endswith(".umd.js"):
        pytest.skip("of others: the policy of the page holds it")
    text = path.read_text(encoding="utf-8")
    for word in (
        "fetch(",
        "XMLHttpRequest",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "http",
    ):
        assert word not in text
    assert "</script" not in text


def test_words_between_backticks_are_code_and_all_else_stays_text():
    assert _mark_code("run `a <b>` or `c") == "run <code>a &lt;b&gt;</code> or `c"
    assert _mark_code("a `b` c `d`") == "a <code>b</code> c <code>d</code>"
    assert _mark_code("\u202e`<`") == "\\u202e<code>&lt;</code>"


def test_a_volume_stays_with_its_unit():
    assert _keep_units("1 mL <") == "1&nbsp;mL &lt;"
