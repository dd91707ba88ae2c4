"""A workflow killed at every marked place of its second step goes on there: no finished step again, nothing twice."""

import pytest

from etl.models import DocumentStep, ETLTask
from faulting import how_often
from invariants import assert_all_hold
from processes import python
from runs.querysets import seconds_from_now
from stepping import NAMES, a_task, rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

# how often the second step's work is begun, when its process dies at the place
PLACES = {"model.before": 1, "model.after": 2, "commit.before": 2, "commit.after": 1}
TIMES = how_often(short=1, ci=2, full=5)

WORK = """
import sys
sys.path.insert(0, "tests")
from stepping import work_through
def asked(name):
    print(name, flush=True)
work_through({pk}, asked)
"""


def worked(task, place=None):
    """What a process of its own asked for, before it came to its end or died at the second passing of the place."""
    extra = {"FAILPOINT": f"{place}:2"} if place else {}
    done = python(WORK.format(pk=task.pk), **extra)
    assert done.returncode == (-9 if place else 0), done.stderr
    return done.stdout.split()


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("_time", range(TIMES))
def test_a_killed_workflow_goes_on_at_the_step_it_died_in(place, _time):
    task = a_task()
    asked = worked(task, place)
    ETLTask.objects.filter(pk=task.pk).update(lease_until=seconds_from_now(-1))
    asked += worked(task)
    task.refresh_from_db()
    assert task.status == "completed"
    assert rows() == sorted(NAMES)
    assert list(DocumentStep.objects.of(task).in_order().values_list("step", flat=True)) == list(NAMES)
    assert asked == ["first", *["second"] * PLACES[place], "third"]
    assert_all_hold()
