"""A fetch ends with one state of the server's data or an error, whatever the server does and wherever it is killed.

Hypothesis draws servers, changes of their data, faults and kills (see `unit.model`), and the files that a fetch leaves
are compared with the model. A fetch that was killed or failed is run again until it is done.
"""

from __future__ import annotations

import logging
import os

import pytest
from hypothesis import HealthCheck, given, note, settings
from unit.fetch_runs import InProcess, SeveralProcesses
from unit.fetch_story import Story
from unit.scenarios import scenarios

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("FETCH_EXAMPLES", "150"))
as_many = settings(
    deadline=None,
    derandomize="FETCH_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True)
def _quiet():
    """Hide the warnings of all examples: the scenario of a failing one is printed."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@settings(as_many, max_examples=EXAMPLES)
@given(scenario=scenarios())
def test_a_fetch_gives_one_state_of_the_data_whatever_happens(scenario, tmp_path_factory, sleeps):
    note(str(scenario))
    sleeps.clear()
    Story(scenario, tmp_path_factory.mktemp("story")).play(InProcess)


@settings(as_many, max_examples=max(EXAMPLES // 20, 10))
@given(scenario=scenarios(kills=("request",)))
def test_a_killed_process_leaves_what_the_next_one_needs(scenario, tmp_path_factory):
    Story(scenario, tmp_path_factory.mktemp("story")).play(SeveralProcesses)
