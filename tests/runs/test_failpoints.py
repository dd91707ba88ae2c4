"""A failpoint strikes where and when it was asked to, and never in production."""

import signal

import pytest

from processes import python
from runs.failpoints import Failpoint

MARKED = """
from runs import failpoints
for _ in range(3):
    print("passing", flush=True)
    failpoints.reached("commit.before")
print("through", flush=True)
"""


def test_it_kills_the_process_the_time_it_was_asked_for(db):
    done = python(MARKED, FAILPOINT="commit.before:2")
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "passing\npassing\n"


def test_another_place_is_passed(db):
    done = python(MARKED, FAILPOINT="commit.after:1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("through\n")


def test_without_debug_the_variable_is_not_heeded(db):
    done = python(MARKED, FAILPOINT="commit.before:1", DEBUG="0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("through\n")


@pytest.mark.parametrize("wish", ["commit:1", "commit.before:0", "commit.before:x", "commit.before:1:TERM"])
def test_a_wish_that_would_never_come_true_is_refused(wish):
    with pytest.raises(ValueError, match=r"FAILPOINT|invalid literal"):
        Failpoint(wish)
