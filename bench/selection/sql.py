"""The limit: the same locks, constraints, triggers and effects by a plain psycopg client, prepared statements and all."""

import psycopg
from django.db import connection

from distillations.selection import PICK_LEAST_USED

TAKEN = 3
TASK = """
    INSERT INTO generation_tasks (status, progress, attempt, max_attempts, error, error_text, mode, requested_count,
                                  keyword, dispatched_at)
    VALUES ('pending', 0, 0, 5, '', '', 'auto', %s, '', NULL) RETURNING id
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('pick', 0))"
CLAIM = """
    UPDATE generation_tasks SET status = 'running', lease_token = nextval('runs_fencing_token'),
           lease_until = clock_timestamp() + interval '90 s', heartbeat_at = clock_timestamp(),
           started_at = clock_timestamp(), attempt = attempt + 1, updated_at = clock_timestamp()
     WHERE id = %s RETURNING lease_token
"""
SLOTS = "SELECT id, distillation_id, topic_id, keyword, question FROM distillations_generationslot WHERE task_id = %s"
BEGIN = """
    UPDATE distillations_generationslot SET status = 'generating', token = %s, attempt = attempt + 1 WHERE id = %s
"""
BEAT = """
    UPDATE generation_tasks SET lease_until = clock_timestamp() + interval '90 s', heartbeat_at = clock_timestamp()
     WHERE id = %s AND lease_token = %s
"""
ADVANCE = """
    UPDATE generation_tasks SET attempt = 0, progress = 33, generated_count = generated_count + 1,
           lease_until = clock_timestamp() + interval '90 s' WHERE id = %s AND lease_token = %s
"""
ARTICLE = """
    INSERT INTO articles (task_id, distillation_id, topic_id, keyword, question, title, content, provider,
                          generator_kind, generator_name)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 'rules', 'rules', 'bench') RETURNING id
"""
USE = "INSERT INTO distillation_usage (distillation_id, task_id, article_id, topic_id) VALUES (%s, %s, %s, %s)"
DONE = """
    UPDATE distillations_generationslot SET status = 'done', token = NULL, article_id = %s WHERE id = %s AND token = %s
"""
FINISH = """
    UPDATE generation_tasks SET status = 'completed', progress = 100, lease_token = NULL, lease_until = NULL,
           finished_at = clock_timestamp() WHERE id = %s AND lease_token = %s
"""

_own: list[psycopg.Connection] = []


def pick() -> None:
    """One task with three slots."""
    _task()


def pick_and_use() -> None:
    """The same, and an article saved for each slot."""
    task = _task()
    sql = _connection()
    with sql.transaction():
        token = sql.execute(CLAIM, [task]).fetchone()[0]  # type: ignore[index]
    for slot, distillation, topic, keyword, question in sql.execute(SLOTS, [task]).fetchall():
        with sql.transaction():
            sql.execute(BEAT, [task, token])
            sql.execute(BEGIN, [token, slot])
        with sql.transaction():
            sql.execute(ADVANCE, [task, token])
            sql.execute("SELECT 1 FROM distillations WHERE id = %s FOR NO KEY UPDATE", [distillation])
            sql.execute("SELECT 1 FROM topics WHERE id = %s FOR NO KEY UPDATE", [topic])
            values = [task, distillation, topic, keyword, question, question, question]
            article = sql.execute(ARTICLE, values).fetchone()[0]  # type: ignore[index]
            sql.execute(USE, [distillation, task, article, topic])
            sql.execute(DONE, [article, slot, token])
    with sql.transaction():
        sql.execute(FINISH, [task, token])


def _task() -> int:
    sql = _connection()
    with sql.transaction():
        task: int = sql.execute(TASK, [TAKEN]).fetchone()[0]  # type: ignore[index]
        sql.execute(LOCK)
        sql.execute(PICK_LEAST_USED, {"task": task, "requested": TAKEN})
    return task


def _connection() -> psycopg.Connection:
    """One per client, to the same database as Django's, but nothing of Django in it."""
    if not _own:
        facts = connection.get_connection_params()
        wanted = ("dbname", "user", "password", "host", "port")
        _own.append(psycopg.connect(autocommit=True, **{key: facts[key] for key in wanted if facts.get(key)}))
    return _own[0]
