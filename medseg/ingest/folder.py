"""Folder: every file below a folder, with links followed and no folder entered twice."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

_ANNEX_FOLDER = ".git"
"""Where git-annex and datalad keep the files to which the links of their working tree lead."""


def list_files_below(folder: Path) -> list[Path]:
    """List the files of a folder and its subfolders, sorted, without hidden files and `.git`.

    Links to folders are followed, after the folders that lie there themselves; one that leads to a
    folder seen before, such as its own parent, is not entered again. A link that leads nowhere, a
    pipe, socket or device, and a subfolder that may not be read are listed like files: what they
    hold may be missed.

    Example:
        >>> list_files_below(Path("study"))  # doctest: +SKIP
        [PosixPath('study/a/im0.dcm'), PosixPath('study/a/im1.dcm')]
    """
    waiting, seen, files = deque([folder]), set(), []
    while waiting:
        current = waiting.popleft()
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(current.iterdir())
        except OSError:
            files.append(current)
            continue
        folders = [e for e in entries if os.path.isdir(e) and e.name != _ANNEX_FOLDER]
        waiting.extendleft(entry for entry in reversed(folders) if not os.path.islink(entry))
        waiting.extend(entry for entry in folders if os.path.islink(entry))
        files.extend(entry for entry in entries if _is_listed(entry))
    return sorted(files)


def _is_listed(entry: Path) -> bool:
    return not entry.name.startswith(".") and not os.path.isdir(entry)
