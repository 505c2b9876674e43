"""Tests of medseg.inference.cases.read_ahead: when the next item is read, and what of it is
kept."""

import threading
import time
import weakref
from types import SimpleNamespace

import pytest
import torch

from medseg.inference.cases import read_ahead
from medseg.inference.cases.read_ahead import COPIES_OF_NEXT, ReadAhead


class Items:
    """Items of 400 bytes; what was read, in order."""

    def __init__(self):
        self.read = []
        self.begun = [threading.Event() for _ in range(4)]

    def __getitem__(self, index):
        self.read.append(index)
        self.begun[index].set()
        if index == 2:
            raise ValueError("two")
        return {"image": torch.full((100,), index, dtype=torch.float32), "case": "a"}


@pytest.mark.parametrize(
    ("free", "ahead"),
    [(None, True), (COPIES_OF_NEXT * 400 + 51, True), (COPIES_OF_NEXT * 400 + 50, False)],
)
def test_the_next_item_is_read_where_there_is_room_for_it_beside_the_last(monkeypatch, free, ahead):
    monkeypatch.setattr(read_ahead, "find_available_bytes", lambda: free)
    items = Items()
    reader = ReadAhead(items, 4)
    assert reader.take_next()["image"][0] == 0
    reader.start_next(beside=50)
    assert items.begun[1].wait(timeout=30 if ahead else 0.2) == ahead
    assert reader.take_next()["image"][0] == 1
    with pytest.raises(ValueError, match="two"):
        reader.take_next()
    assert reader.take_next()["image"][0] == 3
    assert items.read == [0, 1, 2, 3]
    with pytest.raises(IndexError, match="all were given"):
        reader.take_next()


def test_without_a_thread_to_be_had_items_are_read_all_the_same(monkeypatch):
    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(read_ahead, "Thread", NoThread)
    reader = ReadAhead(Items(), 2)
    assert reader.take_next()["image"][0] == 0
    reader.start_next()
    assert reader.take_next()["image"][0] == 1
    reader.close()


def test_nothing_is_read_unasked_but_the_first_item():
    items = Items()
    reader = ReadAhead(items, 4)
    reader.take_next()
    assert not items.begun[1].wait(timeout=0.2)
    assert reader.take_next()["image"][0] == 1


def test_reading_ends_where_the_reader_is_closed():
    class Endless(Items):
        def __getitem__(self, index):
            self.begun[index].set()
            while True:
                time.sleep(0.001)

    items = Endless()
    reader = ReadAhead(items, 1)
    assert items.begun[0].wait(timeout=30)
    reader.close()
    reader._thread.join(timeout=30)
    assert not reader._thread.is_alive()


def test_an_exception_that_reached_several_threads_is_taken_back(monkeypatch, caplog):
    """Python says how many threads have it: more than one are others than the reader."""
    given, release = [], threading.Event()

    def set_exception(number, error):
        given.append((number.value, error))
        return 2

    class Waiting(Items):
        def __getitem__(self, index):
            release.wait(timeout=30)

    python = SimpleNamespace(PyThreadState_SetAsyncExc=set_exception)
    monkeypatch.setattr(read_ahead, "pythonapi", python)
    reader = ReadAhead(Waiting(), 1)
    reader.close()
    release.set()
    number = reader._thread.ident
    assert [(found, error is None) for found, error in given] == [(number, False), (number, True)]
    assert "reading the next case cannot be stopped" in caplog.text


def test_no_item_is_kept():
    reader = ReadAhead(Items(), 2)
    item = reader.take_next()
    alive = weakref.ref(item["image"])
    del item
    assert alive() is None


def test_of_no_items_nothing_is_read():
    items = Items()
    ReadAhead(items, 0).close()
    assert items.read == []
