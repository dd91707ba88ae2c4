"""The pack of invariants names what is wrong with roadmaps: their tables are damaged one by one."""

import pytest
from django.db import connection

from invariants import violations
from roadmaps import workflow
from roadmaps.services import request_roadmap
from roadmaps.wishes import Wish

pytestmark = pytest.mark.django_db(transaction=True)

OF_ONE = "concept_id = 'c-1-1-1'"
DAMAGE = {
    f"DELETE FROM quiz_metadata WHERE {OF_ONE}": "the_state_of_every_content",
    f"UPDATE tutorial_metadata SET is_latest = false WHERE {OF_ONE}": "every_tutorial_has_one_latest",
    f"UPDATE tutorial_metadata SET version = 3 WHERE {OF_ONE}": "every_tutorial_has_one_latest",
    f"UPDATE concept SET quiz_status = 'pending' WHERE {OF_ONE}": "the_state_of_every_content",
    f"UPDATE concept SET quiz_status = 'failed', quiz_error = 'x' WHERE {OF_ONE}": "a_roadmap_that_ended_counts",
    "DELETE FROM step_record WHERE step = 'quiz_generation' AND key = 'c-1-1-1'": "the_state_of_every_content",
    "DELETE FROM step_record WHERE step = 'intent_analysis'": "no_step_left_a_row",
    "DELETE FROM step_record WHERE step = 'structure_validation'": "no_step_left_a_row",
    "UPDATE roadmap_tasks SET status = 'partial_failure', error = 'x'": "a_roadmap_that_ended_counts",
    f"DELETE FROM concept WHERE {OF_ONE}": "a_roadmap_that_ended_counts",
}


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_each_damage_is_named(model, operator):
    task = request_roadmap(Wish("Learn Redis"), user=operator)
    workflow.run_roadmap(task.pk)
    assert violations() == []
    for statement, name in DAMAGE.items():
        connection.set_autocommit(False)
        try:
            execute(statement)
            assert any(each.startswith(name) for each in violations()), statement
        finally:
            connection.rollback()
            connection.set_autocommit(True)
    assert violations() == []


def test_a_row_that_is_there_twice_is_named(model, operator):
    task = request_roadmap(Wish("Learn Redis"), user=operator)
    workflow.run_roadmap(task.pk)
    execute("ALTER TABLE intent_analysis_metadata DROP CONSTRAINT ix_intent_analysis_metadata_task_id")
    try:
        execute(
            "CREATE TEMP TABLE twin AS SELECT * FROM intent_analysis_metadata;"
            "UPDATE twin SET id = id + 1000000;"
            "INSERT INTO intent_analysis_metadata SELECT * FROM twin; DROP TABLE twin"
        )
        assert any(each.startswith("every_upserted_row_is_there_once") for each in violations())
    finally:
        execute(
            "DELETE FROM intent_analysis_metadata WHERE id > 1000000;"
            "ALTER TABLE intent_analysis_metadata"
            " ADD CONSTRAINT ix_intent_analysis_metadata_task_id UNIQUE (task_id)"
        )
