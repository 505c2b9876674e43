"""Secrets: passwords and tokens, from the environment or a file, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

from medseg.gateway.settings import Server


class Secret:
    """A text that neither `str` nor `repr` shows; `reveal` gives it.

    Example:
        >>> Secret("hunter2")
        Secret(...)
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(...)"

    def reveal(self) -> str:
        """The text itself."""
        return self._text


def read_secret(server: Server) -> Secret | None:
    """The password or token of a server; None where the settings name none.

    Raises:
        ValueError: the variable is not set, the file is empty, or the text cannot be sent.
        OSError: the file cannot be read.
    """
    variable = server.password_env or server.token_env
    file = server.password_file or server.token_file
    if variable is not None:
        text = os.environ.get(variable, "")
        if not text:
            raise ValueError(f"the environment variable {variable} is not set: set it")
        return _check(text, variable)
    if file is not None:
        return _check(_read_line(file), str(file))
    return None


def _read_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise OSError(f"{file} cannot be read ({reason}): correct its path or rights") from None
    if not lines or not lines[0]:
        raise ValueError(f"{file} has no first line: write the password or token there")
    return lines[0]


def _check(text: str, place: str) -> Secret:
    if not text.isprintable():
        raise ValueError(f"what {place} holds cannot be sent: it has control characters")
    return Secret(text)
