"""Tests of medseg.gateway.secrets: they come from the environment or a file, and are not shown."""

from __future__ import annotations

import pytest

from medseg.gateway.secrets import Secret, read_secret
from medseg.gateway.settings import Server

URL = "https://pacs"


def test_a_secret_is_not_shown():
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


def test_it_is_read_from_the_environment_or_the_first_line_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PACS_PASSWORD", "hunter2")
    file = tmp_path / "token"
    file.write_text("abc def\nmore\n")
    stated = Server(URL, user="me", password_env="PACS_PASSWORD")
    assert read_secret(stated).reveal() == "hunter2"
    assert read_secret(Server(URL, token_file=file)).reveal() == "abc def"
    assert read_secret(Server(URL)) is None


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("PACS_PASSWORD", raising=False)
    with pytest.raises(ValueError, match="PACS_PASSWORD is not set"):
        read_secret(Server(URL, token_env="PACS_PASSWORD"))
    with pytest.raises(OSError, match="token cannot be read"):
        read_secret(Server(URL, token_file=tmp_path / "token"))
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ValueError, match="has no first line"):
        read_secret(Server(URL, token_file=tmp_path / "token"))


def test_a_secret_that_would_end_a_header_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("PACS_PASSWORD", "hunter2\r\nHost: evil")
    with pytest.raises(ValueError, match="cannot be sent") as refused:
        read_secret(Server(URL, token_env="PACS_PASSWORD"))
    assert "hunter2" not in str(refused.value)
