"""On PYTHONPATH of one process: its clock is wrong by CLOCK_SHIFT seconds, from its first line on.

Python's own clocks only: time.time, time.time_ns and what datetime makes of them. The monotonic clock stays.
"""

import datetime
import os
import time

SHIFT = float(os.environ["CLOCK_SHIFT"])
_time, _time_ns, _real = time.time, time.time_ns, datetime.datetime


class _LikeReal(type):
    """Values made by C code are of the real class and must pass for ours."""

    def __instancecheck__(cls, value):
        return isinstance(value, _real)

    def __subclasscheck__(cls, kind):
        return issubclass(kind, _real)


class Shifted(_real, metaclass=_LikeReal):
    """datetime with a wrong idea of now."""

    @classmethod
    def now(cls, tz=None):
        return _real.fromtimestamp(_time() + SHIFT, tz)

    @classmethod
    def utcnow(cls):
        return _real.fromtimestamp(_time() + SHIFT, datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls):
        return cls.now()


time.time = lambda: _time() + SHIFT
time.time_ns = lambda: _time_ns() + int(SHIFT * 1e9)
datetime.datetime = Shifted
