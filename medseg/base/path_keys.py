"""Path keys: the keys of a config that hold paths, and a form in which MONAI takes any as text.

MONAI gives some characters of a config value a meaning: `$` starts an expression, which is run, `@`
and `%` start an id, `#` and `::` part one. A file name may hold each of them. So the value of a
path key is text, whatever it looks like, and reaches MONAI as a Python string in which each of
those characters is escaped.
"""

import ast
import os
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from medseg.base.walk import check_length

PATH_KEYS = (
    *("bundle_root", "dataset_dir", "input", "output_dir", "cache_dir", "weights"),
    *("encoder_weights", "resume_file", "annotations"),
    *("tracking", "meta_file", "logging_file"),
)
"""Keys of a command line that hold a path; `annotations` is an option of `medseg prepare`."""

NESTED_PATH_KEYS = (
    *("bundle_root", "cache_dir", "dataset_dir", "encoder_weights", "log_dir", "output_dir"),
    *("path", "replaced_dir"),
)
"""Keys inside a component that hold a path, as in `train#handlers#3#path`."""

BESIDE_WEIGHTS = ("check_image", "check_result", "record")
"""Components whose `weights` is the file, where that of others is how windows are weighed."""

TEXT_KEYS = (
    *("series_uid", "start_from", "companion"),
    *("experiment_name", "run_name", "init_id", "final_id"),
)
"""Keys that hold text copied from elsewhere, such as a header, or the name of a bundle; it is as
inert as a path."""

_NONE = {"null": None, "None": None}
_WORDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("encoder_weights", "cache_dir", "replaced_dir"), _NONE),
    **dict.fromkeys(("series_uid", "start_from", "companion", "run_name"), _NONE),
    "logging_file": {"false": False, "False": False},
}
"""Words that are no path for these keys; a file of such a name is written `./null`."""

_MEANT_BY_MONAI = re.compile(r"[@%#$:]")
_PLAIN = re.compile(r"[\w ./,()+=-]*", re.ASCII)


def is_path_key(key: str) -> bool:
    """Whether the value of a key, levels joined by `#` or `::`, is a path.

    Example:
        >>> is_path_key("weights"), is_path_key("window_inferer#weights")
        (True, False)
    """
    *above, last = _split_levels(key)
    if last == "weights" and above and above[-1] in BESIDE_WEIGHTS:
        return True
    return last in (NESTED_PATH_KEYS if above else PATH_KEYS)


def is_text_key(key: str) -> bool:
    """Whether the value of a key is never parsed nor run: a path, or one of TEXT_KEYS."""
    return is_path_key(key) or key in TEXT_KEYS


def read_text(key: str, text: str) -> Any:
    """The value of a text key as typed: the text itself, or what a word such as `null` means there.

    Raises:
        ValueError: the text of a path is empty, as that of a shell variable that is not set.
        OSError: it is longer than the system takes.

    Example:
        >>> read_text("output_dir", "null"), read_text("encoder_weights", "null")
        ('null', None)
    """
    if text == "" and is_path_key(key):
        raise ValueError(f"override --{key} is empty: name a file or folder (. is the current one)")
    if is_path_key(key):
        check_length(text)
    return _WORDS.get(_split_levels(key)[-1], {}).get(text, text)


def escape_for_monai(text: str) -> str:
    """A config value that MONAI takes for just this text, whatever its characters.

    It is an expression, a Python string in which everything but plain characters is escaped.

    Example:
        >>> escape_for_monai("a#b")
        "$'a\\\\x23b'"
    """
    return "$" + _MEANT_BY_MONAI.sub(lambda found: f"\\x{ord(found.group()):02x}", ascii(text))


def escape_for_monai_if_needed(text: str) -> str:
    """The text itself where it means nothing to MONAI, for files that people read; else
    `escape_for_monai`.

    Example:
        >>> escape_for_monai_if_needed("liver_small"), escape_for_monai_if_needed("$liver")
        ('liver_small', "$'\\\\x24liver'")
    """
    return text if _PLAIN.fullmatch(text) else escape_for_monai(text)


def is_absolute_path(text: str) -> bool:
    """Whether a config value is just an absolute path, plain or as `escape_for_monai` writes it.

    Example:
        >>> is_absolute_path("$'/home/a\\x23b'"), is_absolute_path("$@dataset_dir + '/images'")
        (True, False)
    """
    path: Any = text
    if text.startswith("$"):
        try:
            path = ast.literal_eval(text[1:].strip())
        except (SyntaxError, ValueError):  # an expression of another kind
            return False
    return isinstance(path, str) and any(
        kind(path).is_absolute() for kind in (PurePosixPath, PureWindowsPath)
    )


def require_path(value: Any, key: str) -> str:
    """Refuse what is no path; `python -m monai.bundle run` reads a folder `2023` as a number.

    Raises:
        TypeError: the value is no path.
        OSError: it is longer than the system takes.

    Example:
        >>> require_path("data/2023", "dataset_dir")
        'data/2023'
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(
            f"{key} must be a path, got {value!r} ({type(value).__name__}): write ./{value} where "
            "the name of a file or folder was read as something else"
        )
    check_length(value)
    return os.fspath(value)


def check_paths(**paths: Any) -> None:
    """Refuse each value that is no path, see `require_path`; a config asks before all else."""
    for key, value in paths.items():
        require_path(value, key)


def _split_levels(key: str) -> list[str]:
    return key.replace("::", "#").split("#")
