"""Any clicks, edits, damage, pauses, stops, faults and kills in any order: the newest clicks win.

SCHEDULES, in the environment, is how many orders are tried.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from dev.crowd import Crowd
from dev.harness import Service, Simulator
from dev.people import BUTTONS, CLICKS, DAMAGES, FORMATS, MISCHIEF, MISHAPS, PEOPLE

ASSETS = 4
STEPS = 14
ENOUGH = 90.0

some_assets = st.sets(st.integers(0, ASSETS - 1), min_size=1)
people = st.sampled_from(PEOPLE)
some_formats = st.sampled_from([FORMATS, FORMATS[:1], FORMATS[1:]])


@pytest.mark.timeout(3600)
def test_the_newest_click_wins_whatever_happens(simulator: Simulator, service: Service) -> None:
    class Schedule(RuleBasedStateMachine):
        """A crowd of its own for each order, before a service that goes on and on."""

        def __init__(self) -> None:
            super().__init__()
            self.crowd = Crowd(simulator, service, ASSETS)

        @rule(
            action=st.sampled_from(list(CLICKS)),
            assets=some_assets,
            formats=some_formats,
            name=people,
        )
        def click(self, action: str, assets: set[int], formats: tuple[str, ...], name: str) -> None:
            self.crowd.click(action, assets, formats, name)

        @rule(button=st.sampled_from(list(BUTTONS)), which=st.integers(0, STEPS))
        def press(self, button: str, which: int) -> None:
            self.crowd.press(button, which)

        @rule(name=people)
        def let_expire(self, name: str) -> None:
            self.crowd.let_expire(name)

        @rule(paused=st.booleans())
        def pause_copies(self, paused: bool) -> None:
            self.crowd.pause_copies(paused)

        @rule(number=st.integers(0, len(MISCHIEF) - 1))
        def do_mischief(self, number: int) -> None:
            self.crowd.do_mischief(number)

        @rule(which=st.integers(0, ASSETS - 1), number=st.integers(0, len(MISHAPS) - 1))
        def spoil_copies(self, which: int, number: int) -> None:
            self.crowd.spoil_copies(which, number)

        @rule(which=st.integers(0, ASSETS - 1))
        def edit(self, which: int) -> None:
            self.crowd.edit(which)

        @rule(which=st.integers(0, ASSETS - 1), number=st.integers(0, len(DAMAGES) - 1))
        def damage(self, which: int, number: int) -> None:
            self.crowd.damage(which, number)

        @rule(requests=st.integers(1, 12))
        def let_pass(self, requests: int) -> None:
            self.crowd.let_pass(requests, 1.5)

        @rule(which=st.integers(0, STEPS))
        def stop(self, which: int) -> None:
            self.crowd.stop(which)

        @rule()
        def kill(self) -> None:
            self.crowd.kill()

        def teardown(self) -> None:
            self.crowd.settle(ENOUGH)
            assert self.crowd.forgotten() == 0
            assert self.crowd.wrong() == []

    run_state_machine_as_test(
        Schedule,
        settings=settings(
            max_examples=int(os.environ.get("SCHEDULES", "3")),
            stateful_step_count=STEPS,
            deadline=None,
            # A schedule takes seconds: to look for a shorter one would take an hour.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
