"""Progress: what a training shows of itself while it goes on."""

from medseg.engines.progress.progress import Progress
from medseg.engines.progress.run_log import keep_log

__all__ = ["Progress", "keep_log"]
