"""How long a deletion may rest on what was read of an asset's files."""

import time

from iconik_http import expiry
from iconik_http.expiry import Reading


def test_on_nothing_that_was_read_no_deletion_rests() -> None:
    assert Reading().until < expiry.now()


def test_a_reading_holds_for_five_seconds_from_its_beginning() -> None:
    reading = Reading()
    reading.add(100.0)
    assert reading.until == 105.0


def test_a_long_list_holds_for_a_second_more_a_page() -> None:
    reading = Reading()
    for asked in (100.0, 101.0, 102.0):
        reading.add(asked)
    assert reading.until == 107.0


def test_the_clock_counts_the_time_that_the_machine_sleeps() -> None:
    here = getattr(time, "CLOCK_BOOTTIME", None) or time.CLOCK_MONOTONIC
    before = time.clock_gettime(here)
    assert before <= expiry.now() <= time.clock_gettime(here)
