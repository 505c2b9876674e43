"""Refused cases: read cases so that all that cannot be used are named at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from monai.transforms import Transform
from tqdm import tqdm

from medseg.base.errors import explain_disk_fault, find_root_cause


class RefusedCasesError(ValueError):
    """Cases that cannot be used.

    Args:
        reasons: a line for each, with its name.
        count: how many cases there are.

    Example:
        >>> str(RefusedCasesError(["case a: no such file"], 9))
        '1 of 9 cases refused, correct them or leave them out: case a: no such file'
    """

    def __init__(self, reasons: Sequence[str], count: int) -> None:
        self.reasons = list(reasons)
        self.count = count
        super().__init__(
            f"{len(self.reasons)} of {count} cases refused, correct them or leave them out: "
            + "; ".join(self.reasons)
        )


def read_or_explain(read: Callable[[Mapping[str, Any]], Any], case: Mapping[str, Any]) -> Any:
    """What `read` makes of a case, or a `Refusal` that says why it refuses it.

    Raises:
        OSError: the disk is full or broken, which is no fault of the case.
    """
    try:
        return read(case)
    except (ValueError, TypeError, LookupError, OSError, RuntimeError) as error:
        if explain_disk_fault(error):
            raise
        return Refusal(f"case {case.get('case')}: {' '.join(str(find_root_cause(error)).split())}")


@dataclass(frozen=True)
class Refusal:
    """Why a case is refused; it stands in the place of what was to be read."""

    reason: str


class ReadOrExplain(Transform):
    """The same as a transform, for a dataset of MONAI."""

    def __init__(self, read: Callable[[Mapping[str, Any]], Any]) -> None:
        self.read = read

    def __call__(self, data: Any) -> Any:
        """See `read_or_explain`."""
        return read_or_explain(self.read, data)


def read_all(
    read: Callable[[Mapping[str, Any]], Any], cases: Sequence[Mapping[str, Any]], *, threads: int
) -> list[Any]:
    """What `read` makes of each case, in order.

    Raises:
        RefusedCasesError: it refuses some.

    Example:
        >>> read_all(len, [{"case": "a"}], threads=1)
        [1]
    """
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        done = pool.map(lambda case: read_or_explain(read, case), cases)
        found = list(tqdm(done, "reading volumes", len(cases), leave=False, disable=None))
    raise_if_refused(found)
    return found


def raise_if_refused(found: Sequence[Any]) -> None:
    """Refuse what `read_or_explain` gave, if a refusal is among it.

    Raises:
        RefusedCasesError: with all of them.
    """
    if refused := list_refusals(found):
        raise RefusedCasesError(refused, len(found))


def list_refusals(found: Iterable[Any]) -> list[str]:
    """The refusals among what `read_or_explain` gave, as text."""
    return [each.reason for each in found if isinstance(each, Refusal)]
