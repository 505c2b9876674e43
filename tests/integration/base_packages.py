"""Base packages: a folder with those packages alone that a wheel requires, and that they require.

It links to what is installed here, so that nothing is downloaded. What an extra brings is not in
it: an import that the wheel does not account for fails there as it would for a user.
"""

import zipfile
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NOT_MODULES = ("..", "__pycache__", "bin")


def link_base_packages(wheel: Path, folder: Path) -> None:
    """Link the packages that a wheel requires into a folder."""
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith("info/METADATA")]
        stated = parse_email(archive.read(metadata))[0]["requires_dist"]
    for found in map(distribution, _find_closure(stated)):
        for part in {file.parts[0] for file in found.files or ()}.difference(_NOT_MODULES):
            path = Path(str(found.locate_file(part)))
            if path.exists() and not (folder / part).is_symlink():
                (folder / part).symlink_to(path)


def _find_closure(stated: Iterable[str]) -> set[str]:
    """The packages of requirements, of theirs, and so on; of those that apply to this machine."""
    to_read = [(Requirement(line), "") for line in stated]
    seen: set[tuple[str, str]] = set()
    while to_read:
        requirement, extra = to_read.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in {"", *requirement.extras} - {known for at, known in seen if at == name}:
            seen.add((name, wanted))
            lines = distribution(name).requires or ()
            to_read += [(Requirement(line), wanted) for line in lines]
    return {name for name, _ in seen}
