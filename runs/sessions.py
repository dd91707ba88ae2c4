"""Ends database sessions whose worker is frozen in the middle of a statement."""

import structlog
from django.conf import settings
from django.db import connection

from runs.models import Run

logger = structlog.get_logger(__name__)

# A worker that is stopped while it sends a COPY or is sent rows leaves its backend waiting for it in the
# middle of a statement, with the run's row locked. idle_in_transaction_session_timeout does not count such
# a session as idle, and statement_timeout cannot interrupt it there; only termination can.
END_FROZEN = """
    SELECT a.pid, pg_terminate_backend(a.pid)
      FROM pg_stat_activity a
     WHERE a.datname = current_database()
       AND a.wait_event_type = 'Client'
       AND a.xact_start < clock_timestamp() - make_interval(secs => %(lease)s)
       AND a.usename = current_user
       AND EXISTS (
           SELECT FROM pg_locks l
            WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.relation = to_regclass(%(table)s)
              AND l.mode = 'RowExclusiveLock' AND l.granted
       )
"""


def end_frozen_sessions(model: type[Run]) -> int:
    """End the sessions that wrote a run of this kind and have waited for their client beyond the lease.

    Harmless to a worker that is merely slow: its transaction is lost and repeated.
    """
    with connection.cursor() as cursor:
        cursor.execute(END_FROZEN, {"lease": settings.RUN_LEASE_SECONDS, "table": model._meta.db_table})
        ended = cursor.fetchall()
    for pid, _sent in ended:
        logger.warning("session.ended", run_kind=model._meta.label_lower, backend=pid)
    return len(ended)
