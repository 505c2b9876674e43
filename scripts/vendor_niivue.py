"""Fetch NiiVue from npm for the pages of reports, or check that it is what was fetched.

python scripts/vendor_niivue.py [--check]

The file lies in medseg/report/page/assets/ as it was published, beside its licence. `--check` needs
no network. For another version, change VERSION and its digest here and in the tests, and look at a
page at several widths.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE, VERSION = "@niivue/niivue", "0.69.0"
MEMBER = "package/dist/niivue.umd.js"
SHA256 = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"
PLACE = Path(__file__).parents[1] / "medseg" / "report" / "page" / "assets" / "niivue.umd.js"


def fetch() -> bytes:
    """The file out of the package, by npm's own client and from the registry it is set to."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            member = packed.extractfile(MEMBER)
            if member is None:
                raise FileNotFoundError(
                    f"{PACKAGE} {VERSION} has no {MEMBER}: look where it is now"
                )
            return member.read()


def is_right(content: bytes) -> bool:
    """Whether bytes are those of the version named here."""
    return hashlib.sha256(content).hexdigest() == SHA256


def main(words: list[str] | None = None) -> int:
    """Fetch the file, or check it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare the SHA-256")
    check = parser.parse_args(words).check
    if check and not PLACE.is_file():
        print(f"{PLACE} is missing: run this script without --check", file=sys.stderr)
        return 1
    content = PLACE.read_bytes() if check else fetch()
    if not is_right(content):
        where = PLACE if check else f"{PACKAGE} {VERSION}"
        print(f"{where} is not the file with the SHA-256 {SHA256}", file=sys.stderr)
        return 1
    if not check:
        PLACE.write_bytes(content)
    print(f"{PLACE.name} is that of {PACKAGE} {VERSION}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
