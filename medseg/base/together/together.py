"""Together: files that all take their places at once, or none of them does."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from medseg.base import watch
from medseg.base.files import check_folder_remains, explain_errors, move_to_new
from medseg.base.together.collected import Collected, current


@contextmanager
def together() -> Iterator[None]:
    """Let all files that `whole` writes in the block take their places when it ends.

    Until then they lie in a scratch folder beside their places, where `find_written` finds them.
    Files that `medseg.base.files.remove` removes in the block stay until then, too. On an error in
    the block nothing has changed; where a file cannot take its place, all that were moved before it
    are removed again, and the earlier files are back. It counts for the thread of the block.

    Raises:
        FileExistsError: a place is taken, and is not to be replaced.
        OSError: a file cannot take its place, see `medseg.base.files`.

    Example:
        >>> with together():  # doctest: +SKIP
        ...     with whole("out/mask.nii.gz") as partial:
        ...         nibabel.save(image, partial)
        ...     write_sr(measured, "out/sr.dcm", source=series, segmentation="out/seg.dcm")
    """
    if current.get() is not None:
        yield
        return
    with ExitStack() as until_done:
        collected = Collected(until_done)
        token = current.set(collected)
        try:
            yield
        finally:
            current.reset(token)
        _move(collected)
    for place in collected.removed:
        watch.tell_after_removing(place)
    for place in collected.replace:
        watch.tell_after_writing(place)


def _move(collected: Collected) -> None:
    """Move all files to their places, or leave everything as it was."""
    undo: list[Callable[[], object]] = []
    try:
        for place in collected.removed:
            with explain_errors(place):
                _set_aside(place, collected, undo)
        for place, replace in collected.replace.items():
            partial = collected.prepare(place)
            with check_folder_remains(place, partial.parent), explain_errors(place):
                if not replace:
                    move_to_new(partial, place)
                    undo.append(place.unlink)
                    continue
                _keep_earlier(place, collected, undo)
                partial.replace(place)
    except BaseException:
        for step in reversed(undo):
            with suppress(OSError):  # of the others as many as can be are undone
                step()
        raise


def _set_aside(place: Path, collected: Collected, undo: list[Callable[[], object]]) -> None:
    """Move a file that is to be removed into the scratch folder."""
    earlier = collected.prepare_earlier(place)
    with suppress(FileNotFoundError):  # another program removed it
        place.replace(earlier)
        undo.append(lambda: earlier.replace(place))


def _keep_earlier(place: Path, collected: Collected, undo: list[Callable[[], object]]) -> None:
    """Give a file that is to be replaced a second name, so that its place is never empty."""
    if not os.path.lexists(place):
        undo.append(lambda: place.unlink(missing_ok=True))
        return
    if place.is_dir():
        return  # it cannot be replaced, which is said when that is tried
    earlier = collected.prepare_earlier(place)
    try:
        os.link(place, earlier, follow_symlinks=False)
    except OSError:  # a file system without links
        place.replace(earlier)
    undo.append(lambda: earlier.replace(place))
