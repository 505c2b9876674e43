"""Tests of medseg.gateway.settings: defaults are safe, and nothing changes them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from medseg.gateway import settings


def test_a_listener_is_reached_from_this_machine_alone_unless_said():
    assert settings.Listener(port=104, accept_from=("A",)).host == "127.0.0.1"


def test_nothing_goes_unencrypted_to_another_machine_unless_said():
    assert settings.Server("https://pacs").allow_plain_http is False


def test_no_setting_holds_a_secret_itself():
    names = {each.name for each in fields(settings.Server)}
    assert not names & {"password", "token"}


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        settings.Watch().poll_seconds = 1
