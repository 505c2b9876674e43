"""Share packages: this environment sees those of another one too.

python tests/consumers/share_packages.py ENVIRONMENT
"""

import sys
import sysconfig
from pathlib import Path

own = Path(sysconfig.get_path("purelib"))
theirs = Path(sys.argv[1]).resolve() / own.relative_to(sys.prefix)
(own / "shared.pth").write_text(f"import site; site.addsitedir({str(theirs)!r})\n")
