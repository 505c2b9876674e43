"""Compose: a whole page of HTML that needs nothing but itself, and runs nothing but ours.

Templates escape every text that is put into them, and show characters that cannot be printed as
escapes, so that no name, header or note can be markup or hide a part of the page. The policy of a
page allows its own scripts and styles by their SHA-256 alone, pictures that are within it, and no
connection at all.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from medseg.base.files import whole
from medseg.base.text import escape_unprintable

ASSETS = Path(__file__).with_name("assets")
"""Templates, styles and scripts; files that end in `.umd.js` are of others, see their licences."""

_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data: blob:; "
    "connect-src 'none'; base-uri 'none'; form-action 'none'"
)
_UNSAFE_IN_JSON = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}


def compose_page(
    title: str,
    body: Markup | Iterable[Markup],
    *,
    data: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
    scripts: Sequence[str] = (),
    library: str | None = None,
) -> Iterator[str]:
    """A page of HTML, part by part, so that a long one need not be in memory.

    Args:
        title: of the window and the tab.
        body: what `render` makes, or several parts of it.
        data: for the scripts, and for programs that read the page; each is JSON, at the id
            `data-NAME`.
        files: the bytes of files for the scripts, in base64, at the id `file-NAME`.
        scripts: names of the assets that run when the page is there.
        library: name of an asset, packed, that a script runs when it needs it: see `unpack` in
            `base.js`.

    Yields:
        Texts that make the page when they are joined.

    Example:
        >>> page = "".join(compose_page("Cases", Markup("<p>{}</p>").format("1 < 2")))
        >>> "<p>1 &lt; 2</p>" in page
        True
    """
    style = read_asset("style.css")
    code = [read_asset(name) for name in scripts]
    allowed = [*code, *([] if library is None else [read_asset(library)])]
    policy = _POLICY.format(
        scripts=" ".join(map(_name_hash, allowed)) or "'none'", styles=_name_hash(style)
    )
    packed = dict(files or {})
    if library is not None:
        packed["library"] = _pack(library)
    values = {
        "title": title,
        "policy": policy,
        "style": Markup(style),
        "data": {key: _write_json(value) for key, value in (data or {}).items()},
        "body": [body] if isinstance(body, Markup) else body,
        "files": {key: Markup(base64.b64encode(file).decode()) for key, file in packed.items()},
        "scripts": [Markup(each) for each in code],
    }
    yield from _environment().get_template("page.html").generate(values)


def write_page(
    path: str | os.PathLike, title: str, body: Markup | Iterable[Markup], **options: Any
) -> None:
    """Write what `compose_page` makes, whole or not at all; the options are its own."""
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(compose_page(title, body, **options))


def render(template: str, **values: Any) -> Markup:
    """A part of a page from a template of the assets; the texts among the values are escaped."""
    return Markup(_environment().get_template(template).render(values))


@lru_cache
def read_asset(name: str) -> str:
    """The text of a file of the assets."""
    return (ASSETS / name).read_text(encoding="utf-8")


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link"] = _make_link
    environment.filters["code"] = _mark_code
    environment.filters["keep_units"] = _keep_units
    return environment


def _make_link(name: str) -> str:
    """A link to a file beside the page, whatever its name is."""
    return f"./{quote(os.fsencode(name), safe='')}"


def _mark_code(text: str) -> Markup:
    """A text whose words between backticks are code."""
    parts = str(escape(_make_printable(text))).split("`")
    if len(parts) % 2 == 0:  # the last backtick has no counterpart
        parts[-2:] = ["`".join(parts[-2:])]
    marked = (f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
    return Markup("".join(marked))


def _keep_units(text: str) -> Markup:
    """A text whose volumes stay on the line of their unit."""
    return Markup(str(escape(_make_printable(text))).replace(" mL", "&nbsp;mL"))


def _make_printable(value: Any) -> Any:
    return escape_unprintable(value) if type(value) is str else value


@lru_cache
def _name_hash(text: str) -> str:
    """The name by which the policy of a page allows a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache
def _pack(name: str) -> bytes:
    return gzip.compress(read_asset(name).encode(), 9, mtime=0)


def _write_json(value: Any) -> Markup:
    """A value as JSON that cannot end the element it stands in."""
    return Markup(json.dumps(value, allow_nan=False).translate(_UNSAFE_IN_JSON))
