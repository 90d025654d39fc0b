"""A boundary by itself: its margin, the window at a moment, and what is proven."""

from __future__ import annotations

import pytest

from binance_dust.budget._boundary import Boundary


class Minute:
    """A clock that stands forty seconds into a minute."""

    def __init__(self, *, known: bool) -> None:
        self._known = known

    def monotonic(self) -> float:
        return 0.0

    def server_time(self) -> float | None:
        return self.now() if self._known else None

    def now(self) -> float:
        return 1_000_000_000.0


def test_a_cut_that_did_not_hold_doubles_the_margin_up_to_a_part_of_the_window() -> None:
    boundary = Boundary(60.0, Minute(known=True))
    boundary.fixed = True
    margins = []
    for _ in range(8):
        margins.append(boundary.margin)
        boundary.lost()

    assert margins == [0.25, 0.5, 1.0, 2.0, 4.0, 7.5, 7.5, 7.5]
    assert not boundary.fixed
    # The cut was forty seconds ago, and past for certain 7.5 s later.
    assert boundary.window_at(100.0) == (16_666_666, 67.5, 127.5)


def test_a_window_is_known_with_the_exchanges_time_and_looked_for_again_without() -> None:
    assert Boundary(60.0, Minute(known=True)).window_at(100.0) == (16_666_666, 60.25, 120.25)
    number, opened, closes = Boundary(60.0, Minute(known=False)).window_at(100.0)
    assert (number, opened, closes) == (-1, float("-inf"), 101.0)


@pytest.mark.parametrize("known", [True, False])
def test_a_cut_is_guessed_by_this_machines_clock_if_need_be(*, known: bool) -> None:
    assert Boundary(60.0, Minute(known=known)).likely_close(100.0) == 120.25


def test_a_proof_of_cuts_and_its_loss_exclude_each_other() -> None:
    boundary = Boundary(60.0, Minute(known=True))
    assert (boundary.fixed, boundary.slides) == (False, False)

    boundary.lost()
    assert (boundary.fixed, boundary.slides) == (False, True)
    boundary.learnt()
    assert (boundary.fixed, boundary.slides) == (True, False)
