"""Tests of medseg.gateway.failures: each says what is to be done, and ends a command with 1."""

from __future__ import annotations

import pytest

from medseg.gateway import failures


@pytest.mark.parametrize("kind", ["UnavailableError", "AttemptError", "HopelessError"])
def test_each_is_an_error_of_the_gateway(kind):
    error = getattr(failures, kind)("no room")
    assert isinstance(error, failures.GatewayError)
    assert error.exit_status == 1
