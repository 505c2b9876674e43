"""Tests of medseg.gateway.config: what is meant is read, and what cannot be meant is refused."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from medseg.gateway import settings
from medseg.gateway.config import is_loopback, read_settings

SMALL = """
bundle = "liver"
work_dir = "work"

[server]
url = "https://pacs.example.org/dicom-web"
user = "medseg"
password_env = "PACS_PASSWORD"

[[rules]]
modality = "CT"
body_part = ["ABDOMEN", "LIVER"]
"""


@pytest.fixture
def read(tmp_path):
    """Read a text as a gateway.toml."""

    def read_text(text):
        file = tmp_path / "gateway.toml"
        file.write_text(text)
        return read_settings(file)

    return read_text


def test_what_is_stated_is_read_and_the_rest_has_its_default(read, tmp_path):
    found = read(SMALL)
    assert found.bundle == "liver"
    assert found.work_dir == tmp_path / "work"
    assert found.server.user == "medseg"
    assert found.rules[0].body_part == ("ABDOMEN", "LIVER")
    assert found.rules[0].description == ("*",)
    assert found.outputs == ("seg", "sr")
    assert (found.watch.stable_seconds, found.health.port, found.listener) == (60.0, None, None)


def test_every_section_is_read(read, tmp_path):
    found = read(
        SMALL
        + """
[watch]
max_age_days = 7
[retry]
max_attempts = 3
[disk]
max_gb = 2
[health]
port = 8099
[listener]
port = 11112
accept_from = ["SCANNER"]
[peer]
host = "pacs"
port = 104
ae_title = "PACS"
[keys]
force = true
level = 2
"""
    )
    assert (found.watch.max_age_days, found.retry.max_attempts, found.disk.max_gb) == (7, 3, 2)
    assert (found.health.port, found.listener.accept_from) == (8099, ("SCANNER",))
    assert (found.peer.ae_title, found.keys) == ("PACS", {"force": True, "level": 2})


def change(old, new):
    assert old in SMALL
    return SMALL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bundle = ", "is no TOML"),
        ("bundle = liver", 'correct it; a text needs quotes, such as bundle = "liver"'),
        (change('modality = "CT"', 'modalty = "CT"'), "rules.modalty .* did you mean modality"),
        (change("[server]", "[serverr]"), "serverr is no setting: did you mean server"),
        (change("work_dir", "folder_of_work"), "folder_of_work is no setting: known are"),
        (change('bundle = "liver"', ""), "bundle is missing: add it"),
        (change('"liver"', "7"), "bundle is 7: give a text"),
        (change('modality = "CT"', "modality = 7"), "rules.modality is 7: give a text, or a list"),
        (SMALL.partition("[[rules]]")[0], "there are no rules"),
        (SMALL + "[watch]\npoll_seconds = 0\n", "watch.poll_seconds is 0: give a number above 0"),
        (SMALL + "[watch]\npoll_seconds = true\n", "watch.poll_seconds is True: give a number"),
        (SMALL + "[watch]\nmax_age_days = 1.5\n", "watch.max_age_days is 1.5: give a whole number"),
        (SMALL + "[health]\nport = 70000\n", "health.port is 70000: a port is 1 to 65535"),
        (SMALL + "[keys]\noutput_dir = 'x'\n", "keys.output_dir is the gateway's own business"),
        (change("bundle", 'outputs = ["sr"]\nbundle'), "outputs must hold seg"),
        (change("bundle", 'outputs = ["nii"]\nbundle'), "outputs names 'nii': choose from"),
        (change("https://", "ftp://"), "no plain http:// or https:// address"),
        (change("https://", "http://"), "server.url is http to pacs.example.org"),
        (change("https://", "https://me:hunter2@"), "server.url has a name or password in it"),
        (change('password_env = "PACS_PASSWORD"', ""), "needs user and password_env"),
        (
            change('user = "medseg"', 'token_env = "T"'),
            "several of password_env, .*: keep one of them",
        ),
        (SMALL + "[listener]\nport = 104\naccept_from = []\n", "accept_from is empty"),
        (
            SMALL + "[listener]\nport = 104\naccept_from = 'A'\nkey = 'k.pem'\n",
            "listener.certificate is missing",
        ),
        (
            SMALL + "[peer]\nhost = 'a'\nport = 1\nae_title = 'A'\nca_file = 'a.pem'\n",
            "peer has certificates, but not tls = true",
        ),
        (SMALL + "[listener]\nport = 104\naccept_from = 'ÄÄ'\n", "AE title 'ÄÄ'"),
        ('bundle = "b"\nwork_dir = "w"\n[[rules]]\nmodality = "CT"\n', "images come from nowhere"),
    ],
)
def test_a_fault_is_one_line_with_its_remedy(read, text, message):
    with pytest.raises(ValueError, match=message) as refused:
        read(text)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("key", ["password", "token"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(read, key):
    with pytest.raises(ValueError, match=f"server.{key} stands in the file") as refused:
        read(change('password_env = "PACS_PASSWORD"', f'{key} = "hunter2"'))
    assert "hunter2" not in str(refused.value)


def test_plain_http_is_taken_to_this_machine_or_where_it_is_said(read):
    assert read(change("https://pacs.example.org", "http://127.0.0.1:8042")).server is not None
    allowed = change("https://", "http://").replace(
        "[[rules]]", "allow_plain_http = true\n[[rules]]"
    )
    assert read(allowed).server.allow_plain_http


def test_the_documentation_names_every_setting_and_its_examples_are_read(read, repository):
    page = (repository / "docs" / "how-to" / "connect-a-pacs.md").read_text()
    first, second, third = re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)
    assert read(first).server.user == "medseg"
    assert read(first + second).peer.ae_title == "PACS"
    for section in ("listener", "peer"):
        added = re.search(rf"^\[{section}\].*?\n(.*?)(?=^\[|\Z)", third, re.M | re.S)[1]
        second = second.replace(f"[{section}]\n", f"[{section}]\n{added}")
    encrypted = read(first + second)
    assert encrypted.peer.tls
    assert encrypted.listener.certificate.name == encrypted.peer.client_certificate.name
    kinds = (settings.Settings, settings.Server, settings.Rule, settings.Watch, settings.Retry)
    kinds += (settings.Disk, settings.Health)
    names = {each.name for kind in kinds for each in fields(kind)}
    assert {name for name in names if f"`{name}`" not in page and f"[{name}]" not in page} == set()
    sent = {each.name for kind in (settings.Listener, settings.Peer) for each in fields(kind)}
    assert {name for name in sent if name not in page} == set()


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*gateway\.toml"):
        read_settings(tmp_path / "gateway.toml")


@pytest.mark.parametrize(
    ("host", "expected"), [("::1", True), ("LOCALHOST", True), ("localhost.evil.org", False)]
)
def test_only_this_machine_is_loopback(host, expected):
    assert is_loopback(host) is expected
