"""Read ahead: read each item of a dataset while the one before it is in use."""

from collections.abc import Mapping
from concurrent.futures import Future, wait
from ctypes import c_ulong, py_object, pythonapi
from logging import getLogger
from threading import Thread
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from medseg.base.memory import find_available_bytes

logger = getLogger(__name__)

COPIES_OF_NEXT = 8
"""An item is read ahead where memory for so many of the size of the last one is left: reading and
preprocessing hold several copies."""


class ReadAhead:
    """Gives the items of a dataset in order, and reads them in a thread of its own.

    The first is read at once, and each other once it is asked for, or before, by `start_next`. The
    thread is no daemon, since the end of the process would break into what torch does there and
    abort; so that nobody waits for it, `close` ends it.

    Args:
        dataset: its items are mappings that hold tensors.
        count: of items.
    """

    def __init__(self, dataset: Dataset, count: int) -> None:
        self._dataset = dataset
        self._count = count
        self._index = 0
        self._reading: Future[Any] | None = None
        self._thread: Thread | None = None
        self._size = 0
        self._begin()

    def take_next(self) -> Any:
        """The next item, which is not kept here, or what reading it raised."""
        reading = self._reading or self._begin()
        if reading is None:
            raise IndexError(f"there are {self._count} items, and all were given")
        self._reading = None
        wait([reading])
        item = reading.result()
        self._size = _measure_size(item)
        return item

    def start_next(self, *, beside: int = 0) -> None:
        """Begin to read the next item, if there is room for it.

        Args:
            beside: bytes that the last item's use will take meanwhile.
        """
        free = find_available_bytes()
        if self._reading is None and (free is None or free > COPIES_OF_NEXT * self._size + beside):
            self._begin()

    def close(self) -> None:
        """End what is being read, at its next line of Python; it is not waited for here."""
        if self._thread is not None and self._thread.is_alive():
            _end_thread(self._thread)

    def _begin(self) -> Future[Any] | None:
        """Begin to read the next item, if there is one."""
        if self._index == self._count:
            return None
        self._reading = Future()
        arguments = (self._dataset, self._index, self._reading)
        self._thread = Thread(target=_read, args=arguments, name="reader", daemon=False)
        self._index += 1
        try:
            self._thread.start()
        except RuntimeError:  # the system has no more threads
            _read(*arguments)
        return self._reading


def _end_thread(thread: Thread) -> None:
    """Raise SystemExit in a thread; nothing happens where it has ended."""
    number = c_ulong(thread.ident or 0)
    if pythonapi.PyThreadState_SetAsyncExc(number, py_object(SystemExit)) > 1:
        pythonapi.PyThreadState_SetAsyncExc(number, None)  # it would be raised in others, too
        logger.warning("reading the next case cannot be stopped: the program ends after it")


def _read(dataset: Dataset, index: int, reading: Future) -> None:
    try:
        reading.set_result(dataset[index])
    except BaseException as error:  # raised again where the item is asked for
        reading.set_exception(error)


def _measure_size(item: Any) -> int:
    """Bytes of the tensors of an item."""
    values = item.values() if isinstance(item, Mapping) else [item]
    return sum(v.numel() * v.element_size() for v in values if isinstance(v, Tensor))
