"""Failures: what goes wrong on the way of a series, by what is to be done about it."""

from __future__ import annotations


class GatewayError(RuntimeError):
    """Anything that goes wrong between the gateway and a PACS; one line.

    Attributes:
        exit_status: of a command that ends with it: 1, since it is no wrong input.
    """

    exit_status = 1


class UnavailableError(GatewayError):
    """Nothing works for now, of whatever series: no server, refused credentials, a full disk.

    It is no attempt of a series. All wait, and go on where they were.
    """


class AttemptError(GatewayError):
    """A step of one series failed; it may work the next time."""


class NoImageError(GatewayError):
    """A series has no image to segment, such as a localizer; the message says what it is."""


class HopelessError(GatewayError):
    """A series that cannot be right, however often it is tried."""
