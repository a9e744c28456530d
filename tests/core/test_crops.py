"""Making the next batch while one is in use."""

import threading

import pytest
import torch

from inpaint_lib.crops import ahead
from inpaint_lib.model import PixelRNN, threads_for


def counted(most: int, made: list[int], closed: list[bool]):
    try:
        for i in range(most):
            made.append(i)
            yield i
    finally:
        closed.append(True)


def test_items_come_in_their_order_and_the_next_is_made_meanwhile():
    made, closed = [], []
    items = ahead(counted(5, made, closed))
    assert next(items) == 0
    for _ in range(1000):
        if made == [0, 1]:
            break
        threading.Event().wait(0.01)
    assert made == [0, 1]  # one ahead, and no more
    assert list(items) == [1, 2, 3, 4]
    assert closed == [True]


def test_who_stops_early_leaves_nothing_running():
    made, closed = [], []
    items = ahead(counted(5, made, closed))
    next(items)
    items.close()
    assert closed == [True]
    assert len(made) <= 2
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


def test_an_error_in_the_making_reaches_who_asks():
    def broken():
        yield 1
        raise ValueError("no second one")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no second one"):
        next(items)


@pytest.mark.parametrize(("pixels", "threads"), [(8 * 64 * 64, 1), (100_000 * 64 * 64, 2)])
def test_a_small_network_computes_on_one_thread_and_the_callers_number_comes_back(pixels, threads):
    before = torch.get_num_threads()
    model = PixelRNN(hidden_channels=8)
    torch.set_num_threads(2)
    try:
        with threads_for(model, pixels):
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), threads_for(model, pixels):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
