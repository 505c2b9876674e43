"""Read ahead: the items of a dataset, each read while the one before it is in use."""

from collections.abc import Mapping
from concurrent.futures import Future, wait
from ctypes import c_ulong, py_object, pythonapi
from threading import Thread
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from medseg.memory import available_bytes

ROOM = 8
"""An item is read ahead where memory for so many of the size of the last one is free: reading and
preprocessing hold several copies, and the one before it is computed meanwhile."""


class ReadAhead:
    """Gives the items of a dataset in order, and reads the next one in a thread of its own.

    It is no daemon, since the end of the process would break into what torch does there and abort;
    so that nobody waits for it, `close` ends it.

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
        self._begin()

    def next(self) -> Any:
        """The next item, which is not kept here, or what reading it raised."""
        reading = self._reading or self._begin()
        if reading is None:
            raise IndexError(f"there are {self._count} items, and all were given")
        self._reading = None
        wait([reading])
        failed = reading.exception() is not None
        size = 0 if failed else _size(reading.result())
        free = available_bytes()
        if free is None or free > ROOM * size:
            self._begin()
        return reading.result()

    def close(self) -> None:
        """End what is being read, at its next line of Python; it is not waited for here."""
        if self._thread is not None and self._thread.is_alive():
            thread, error = c_ulong(self._thread.ident or 0), py_object(SystemExit)
            pythonapi.PyThreadState_SetAsyncExc(thread, error)

    def _begin(self) -> Future[Any] | None:
        """Begin to read the next item; nothing where there is none."""
        if self._index == self._count:
            return None
        self._reading = Future()
        arguments = (self._dataset, self._index, self._reading)
        self._thread = Thread(target=_read, args=arguments, name="reader", daemon=False)
        self._index += 1
        self._thread.start()
        return self._reading


def _read(dataset: Dataset, index: int, reading: Future) -> None:
    try:
        reading.set_result(dataset[index])
    except BaseException as error:  # raised again where the item is asked for
        reading.set_exception(error)


def _size(item: Any) -> int:
    """Bytes of the tensors of an item."""
    values = item.values() if isinstance(item, Mapping) else [item]
    return sum(v.numel() * v.element_size() for v in values if isinstance(v, Tensor))
