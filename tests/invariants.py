"""What must be true whenever all is quiet, whatever was killed before: the end of every fault test.

Each check is a function that yields a sentence per violation. A new pipeline adds its own with @invariant.
"""

import hashlib
import json
from collections.abc import Callable, Iterator

from django.db import connection
from django.db.models import Sum

from api.codec import decode
from distilled import drift
from etl.documents import storage
from etl.documents.nodes import Node
from etl.documents.parsed import Unreadable
from etl.models import ETLTask, ProductSyncBatch, ProductSyncRun, TableMount, Watermark
from runs.reaper import run_models

Check = Callable[[], Iterator[str]]
INVARIANTS: list[Check] = []


def invariant(check: Check) -> Check:
    """Make a check part of the pack."""
    INVARIANTS.append(check)
    return check


def violations() -> list[str]:
    """Every violation of every invariant."""
    return [f"{check.__name__}: {found}" for check in INVARIANTS for found in check()]


def assert_all_hold() -> None:
    """Fail with all that is wrong."""
    found = violations()
    assert not found, "\n".join(found)


def rows(query, params=None):
    """The rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()


# --- Runs of every kind --------------------------------------------------------------------------


@invariant
def no_run_is_open():
    """Nothing waits and nothing is being worked on."""
    for model in run_models():
        for run in model.objects.open():
            yield f"{model.__name__} {run.pk} is {run.status}, attempt {run.attempt}"


@invariant
def no_lease_is_left():
    """No worker holds anything."""
    for model in run_models():
        for run in model.objects.exclude(lease_token=None, lease_until=None):
            yield f"{model.__name__} {run.pk} is leased until {run.lease_until}"


# --- Product sync --------------------------------------------------------------------------------


@invariant
def watermark_is_the_newest_row_read():
    """It stands at the newest row of the source that is due: never behind, never ahead."""
    if not ProductSyncRun.objects.filter(status=ProductSyncRun.STATUSES.completed, dry_run=False).exists():
        return
    newest = rows(
        "SELECT src_updated_at, id FROM products_staging WHERE src_updated_at <= clock_timestamp()"
        " ORDER BY src_updated_at DESC, id DESC LIMIT 1"
    )
    position = Watermark.objects.position_of("products_staging")
    if newest and (position is None or tuple(position) != newest[0]):
        yield f"it is {position}, the newest row {newest[0]}"


@invariant
def no_source_row_is_lost():
    """Every row read has its product, or stands on the list of rejects."""
    lost = rows(
        """
        SELECT count(*), min(s.id)
          FROM products_staging s
          JOIN etl_watermark w ON w.table_name = 'products_staging'
           AND (s.src_updated_at, s.id) <= (w.last_processed_at, w.last_processed_id)
          LEFT JOIN products p ON p.brand_code = btrim(s.style_brand_no) AND p.sku = btrim(s.style_no)
          LEFT JOIN etl_rejectedrow r ON r.src_id = s.id AND r.resolved_at IS NULL
         WHERE p.id IS NULL AND r.id IS NULL
        """
    )
    if lost[0][0]:
        yield f"{lost[0][0]} rows, the first with id {lost[0][1]}"


@invariant
def one_product_per_key():
    """No key has two rows; also where the database was kept from saying so."""
    for brand, sku, count in rows("SELECT brand_code, sku, count(*) FROM products GROUP BY 1, 2 HAVING count(*) > 1"):
        yield f"{brand} {sku} has {count}"


@invariant
def log_is_the_history_of_every_product():
    """Replayed in order, each entry continues the one before, changes something, and ends in what is stored."""
    broken = rows(
        """
        SELECT product_id, sku, change_type, old_version, new_version, before
          FROM (SELECT l.*, lag(new_version) OVER (PARTITION BY product_id ORDER BY id) AS before
                  FROM product_change_log l) log
         WHERE old_version IS DISTINCT FROM before
            OR (change_type = 'CREATE') <> (before IS NULL)
            OR (change_type = 'UPDATE' AND (old_version = new_version OR changed_fields = '{}'))
        """
    )
    for product, sku, change, old, new, before in broken:
        yield f"{change} of {product} ({sku}) leads from {old} to {new} behind {before}"
    stored = rows(
        """
        SELECT p.id, p.sku, p.data_version, l.new_version
          FROM products p
          LEFT JOIN LATERAL (SELECT new_version FROM product_change_log WHERE product_id = p.id
                              ORDER BY id DESC LIMIT 1) l ON true
         WHERE l.new_version IS DISTINCT FROM p.data_version
        """
    )
    for product, sku, version, logged in stored:
        yield f"product {product} ({sku}) is at {version}, the log at {logged}"


@invariant
def counters_are_the_rows_they_count():
    """A run's counters are the sums of its batches and the entries it wrote to the log."""
    names = ("read", "created", "updated", "unchanged", "superseded", "rejected")
    for run in ProductSyncRun.objects.filter(dry_run=False):
        batches = ProductSyncBatch.objects.filter(run=run)
        sums = batches.aggregate(**{f"sum_{name}": Sum(name, default=0) for name in names})
        for name in names:
            if getattr(run, name) != sums[f"sum_{name}"]:
                yield f"run {run.pk}: {name} is {getattr(run, name)}, its batches sum up to {sums[f'sum_{name}']}"
        numbers = sorted(batches.values_list("number", flat=True))
        if numbers != list(range(1, run.batches + 1)):
            yield f"run {run.pk}: {run.batches} batches, numbered {numbers[:3]} … {numbers[-3:]}"
        logged = dict(
            rows("SELECT change_type, count(*) FROM product_change_log WHERE run_id = %s GROUP BY 1", [run.pk])
        )
        counted = {"CREATE": run.created, "UPDATE + RESTORE": run.updated, "DELETE": run.deleted}
        written = {name: sum(logged.get(each, 0) for each in name.split(" + ")) for name in counted}
        if counted != written:
            yield f"run {run.pk}: counted {counted}, logged {written}"


@invariant
def a_final_run_says_how_it_ended():
    """A completed run has no error; only a failed or cancelled one may leave work undone."""
    for run in ProductSyncRun.objects.filter(status=ProductSyncRun.STATUSES.completed).exclude(error=""):
        yield f"run {run.pk} is completed with the error {run.error}"


# --- Exports -------------------------------------------------------------------------------------

EXPORTS = (
    ("manual_export_batches", "manual_export_items", "manual_export_batch_id", ""),
    ("brief_batches", "brief_items", "brief_batch_id", ", source"),
)


@invariant
def every_brief_has_its_articles_once_and_in_places_without_a_gap():
    """From one on, whoever recorded them."""
    for _batches, items, batch, source in EXPORTS:
        for (pk,) in rows(
            f"SELECT {batch} FROM {items} GROUP BY 1 HAVING min(order_index) <> 1 OR max(order_index) <> count(*)"
        ):
            yield f"the places of {items} of batch {pk} have a gap"
        for pk, article in rows(
            f"SELECT {batch}, article_id FROM {items} GROUP BY {batch}, article_id {source} HAVING count(*) > 1"
        ):
            yield f"{items} of batch {pk} has {article} twice"


@invariant
def briefs_of_a_day_are_numbered_without_a_gap():
    """From one on, in each table."""
    for batches, *_rest in EXPORTS:
        for (day,) in rows(
            f"SELECT report_date FROM {batches} GROUP BY 1 HAVING min(sequence_no) <> 1 OR max(sequence_no) <> count(*)"
        ):
            yield f"the numbers of {batches} of {day} have a gap"


@invariant
def every_text_has_its_hash():
    """Of batches and of runs."""
    for table in ("manual_export_batches", "brief_batches", "exports_exportrun"):
        for (pk,) in rows(
            f"SELECT id FROM {table} WHERE content <> ''"
            " AND sha256 <> encode(sha256(convert_to(content, 'UTF8')), 'hex')"
        ):
            yield f"the text of {table} {pk} is not the one it has the hash of"


@invariant
def what_is_marked_exported_was_recorded():
    """By hand, in whichever store."""
    for (article,) in rows(
        "SELECT article_id FROM manual_reviews r WHERE status = 'exported'"
        " AND NOT EXISTS (SELECT FROM manual_export_items i WHERE i.article_id = r.article_id)"
        " AND NOT EXISTS (SELECT FROM brief_items i WHERE i.article_id = r.article_id AND i.source = 'manual')"
    ):
        yield f"{article} is marked exported and in no brief made by hand"


# --- Distillations -------------------------------------------------------------------------------


@invariant
def distillation_counters_are_the_rows_they_count():
    """Uses, reservations and topics of every distillation, and the uses of every topic."""
    yield from drift()


@invariant
def tasks_have_the_articles_they_count_and_reserve_nothing_in_the_end():
    """One article and one use for each slot that is done, and none for the others."""
    for task, generated, done, articles, uses, holding in rows(
        """
        SELECT t.id, t.generated_count,
               (SELECT count(*) FROM distillations_generationslot s WHERE s.task_id = t.id AND s.status = 'done'),
               (SELECT count(*) FROM articles a WHERE a.task_id = t.id),
               (SELECT count(*) FROM distillation_usage u WHERE u.task_id = t.id),
               (SELECT count(*) FROM distillations_generationslot s
                 WHERE s.task_id = t.id AND s.status IN ('reserved', 'generating'))
          FROM generation_tasks t WHERE NOT t.is_imported
        """
    ):
        if not generated == done == articles == uses:
            yield f"task {task}: counted {generated}, {done} slots done, {articles} articles, {uses} uses"
        if holding:
            yield f"task {task} still holds {holding} slots"


@invariant
def every_article_is_what_its_slot_says():
    """Made from the distillation and topic of its slot, used once, and by nobody else's slot."""
    for slot, in_words in rows(
        """
        SELECT s.id, concat_ws(' ', s.status, 'article', s.article_id, 'uses', u.uses)
          FROM distillations_generationslot s
          LEFT JOIN articles a ON a.id = s.article_id
          LEFT JOIN LATERAL (SELECT count(*) AS uses, min(u.distillation_id) AS used, min(u.topic_id) AS topic
                               FROM distillation_usage u WHERE u.article_id = a.id) u ON true
         WHERE (s.status = 'done') <> (a.id IS NOT NULL)
            OR a.id IS NOT NULL AND (u.uses <> 1 OR (a.task_id, a.distillation_id, a.topic_id)
                                     IS DISTINCT FROM (s.task_id, u.used, u.topic)
                                  OR (a.distillation_id, a.topic_id) IS DISTINCT FROM (s.distillation_id, s.topic_id))
        """
    ):
        yield f"slot {slot} is {in_words}"


@invariant
def a_keyword_is_stored_at_the_end_of_its_run_or_not_at_all():
    """A completed run has a distillation with topics that no other run has; the others have none."""
    for run, status, distillation, topics, runs in rows(
        """
        SELECT r.id, r.status, r.distillation_id, (SELECT count(*) FROM topics t WHERE t.distillation_id = d.id),
               (SELECT count(*) FROM distillations_distillationrun o WHERE o.distillation_id = d.id)
          FROM distillations_distillationrun r LEFT JOIN distillations d ON d.id = r.distillation_id
        """
    ):
        if (status == "completed") != (distillation is not None) or (distillation and (runs != 1 or not topics)):
            yield f"run {run} is {status} with distillation {distillation} of {topics} topics, held by {runs} runs"


# --- Language model ------------------------------------------------------------------------------


@invariant
def nothing_is_paid_for_twice():
    """A good answer to one prompt of one run is asked for once."""
    for kind, run, calls in rows(
        "SELECT run_kind, run_id, count(*) FROM llm_calls WHERE outcome = 'ok'"
        " GROUP BY run_kind, run_id, purpose, prompt_hash HAVING count(*) > 1"
    ):
        yield f"{kind} {run} had {calls} good answers to one prompt"


# --- Roadmaps ------------------------------------------------------------------------------------

KEPT_ONCE = {
    "intent_analysis_metadata": "task_id",
    "curriculum_design_metadata": "task_id",
    "structure_validation_record": "task_id, round",
    "roadmap_edit_record": "task_id, round",
    "human_review": "task_id, round",
    "tutorial_metadata": "roadmap_id, concept_id, version",
    "resource_recommendation_metadata": "roadmap_id, concept_id",
    "quiz_metadata": "roadmap_id, concept_id",
    "concept": "roadmap_id, concept_id",
    "concept_progress": "user_id, concept_id",
    "step_record": "task_id, retry, step, key",
}
CONTENTS = {
    "tutorial": ("tutorial_metadata", "tutorial_generation"),
    "resources": ("resource_recommendation_metadata", "resource_recommendation"),
    "quiz": ("quiz_metadata", "quiz_generation"),
}
# the tasks whose last retry came to the contents of the roadmap as it is now
WORKED_OUT = """
    SELECT DISTINCT ON (roadmap_id) task_id, roadmap_id, retries FROM roadmap_tasks
     WHERE roadmap_id IS NOT NULL AND finished_at IS NOT NULL AND summary ? 'concepts'
     ORDER BY roadmap_id, created_at DESC
"""


@invariant
def every_upserted_row_is_there_once():
    """Also where the database was kept from saying so."""
    for table, key in KEPT_ONCE.items():
        for *of, count in rows(f"SELECT {key}, count(*) FROM {table} GROUP BY {key} HAVING count(*) > 1"):
            yield f"{table} has {count} rows of {of}"


@invariant
def every_tutorial_has_one_latest_version_and_no_gap():
    """The newest of those from one on."""
    for roadmap, concept, latest, last, count in rows(
        """
        SELECT roadmap_id, concept_id, count(*) FILTER (WHERE is_latest), max(version), count(*)
          FROM tutorial_metadata GROUP BY 1, 2
        HAVING count(*) FILTER (WHERE is_latest) <> 1 OR max(version) <> count(*)
            OR max(version) <> max(version) FILTER (WHERE is_latest)
        """
    ):
        yield f"{roadmap} {concept}: {latest} latest of {count} versions, the last is {last}"


@invariant
def the_state_of_every_content_is_told_by_its_row_and_its_step():
    """Completed: it is there, and so is a usable record of the task's newest retry. Failed: the record says why."""
    for kind, (table, step) in CONTENTS.items():
        for roadmap, concept, state, there, outcome in rows(
            f"""
            SELECT c.roadmap_id, c.concept_id, c.{kind}_status, t.there, s.outcome
              FROM concept c
              JOIN ({WORKED_OUT}) task ON task.roadmap_id = c.roadmap_id
              LEFT JOIN step_record s ON s.task_id = task.task_id AND s.retry = task.retries
               AND s.step = '{step}' AND s.key = c.concept_id AND NOT s.is_void
              CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM {table} m WHERE m.roadmap_id = c.roadmap_id
                                                    AND m.concept_id = c.concept_id) AS there) t
             WHERE ((c.{kind}_status = 'completed' AND t.there AND s.outcome IN ('created', 'updated', 'reused'))
                        OR (c.{kind}_status = 'failed' AND s.outcome = 'failed' AND s.error = c.{kind}_error))
                   IS NOT TRUE
            """
        ):
            yield f"{roadmap} {concept}: {kind} is {state}, {'with' if there else 'without'} a row, its step {outcome}"


@invariant
def a_roadmap_that_ended_counts_its_concepts():
    """Its summary, its failed concepts and its status are those of its rows."""
    for pk, status, summary, failed in rows(
        f"""
        SELECT t.task_id, t.status, t.summary, t.failed_concepts
          FROM roadmap_tasks t JOIN ({WORKED_OUT}) w USING (task_id)
        """
    ):
        states = rows(
            "SELECT concept_id, tutorial_status, resources_status, quiz_status FROM concept"
            " WHERE roadmap_id = (SELECT roadmap_id FROM roadmap_tasks WHERE task_id = %s)"
            " ORDER BY stage, module, position",
            [pk],
        )
        lacking = [concept for concept, *kinds in states if set(kinds) != {"completed"}]
        half = 2 * len(lacking) >= len(states)
        expected = "completed" if not lacking else "failed" if half else "partial_failure"
        if (status, decoded(failed), decoded(summary)["concepts"]) != (expected, lacking, len(states)):
            yield f"task {pk} is {status} with {failed} and {summary}; its rows say {expected}, {lacking}"


@invariant
def no_step_left_a_row_without_its_record():
    """Both are of one transaction."""
    for table, step, key in (
        ("intent_analysis_metadata", "intent_analysis", "''"),
        ("curriculum_design_metadata", "curriculum_design", "''"),
        ("structure_validation_record", "structure_validation", "round::text"),
        ("roadmap_edit_record", "roadmap_edit", "round::text"),
    ):
        for pk, round_ in rows(
            f"""
            SELECT m.task_id, {key} FROM {table} m
             WHERE NOT EXISTS (SELECT FROM step_record s WHERE s.task_id = m.task_id AND s.step = '{step}'
                                  AND s.key = {key} AND s.outcome IN ('created', 'updated', 'reused'))
            """
        ):
            yield f"{table} of task {pk} {round_} has no record of its step"


def decoded(value):
    """JSON as a cursor gives it: text or a value."""
    return json.loads(value) if isinstance(value, str) else value


# --- Documents -----------------------------------------------------------------------------------


def uploaded_documents():
    """Tasks with a file of their own; tests of steps make others."""
    return [task for task in ETLTask.objects.all() if task.file == f"{task.pk}/source"]


def _stored(key):
    """What lies under a key, or None."""
    try:
        return storage.read(key)
    except Unreadable:
        return None


@invariant
def every_step_of_a_document_is_kept_once():
    """One usable record for each retry, step and key, also where the database was kept from saying so."""
    for run, retry, step, key, count in rows(
        "SELECT run_id, retry, step, key, count(*) FROM etl_task_step WHERE NOT is_void AND outcome <> 'failed'"
        " GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    ):
        yield f"task {run}, retry {retry}: {step} {key} is kept {count} times"


@invariant
def every_document_has_the_file_that_was_uploaded():
    """To the byte, whatever became of its task."""
    for task in uploaded_documents():
        content = _stored(task.file)
        if content is None or hashlib.sha256(content).hexdigest() != task.sha256:
            yield f"the file of task {task.pk} is {'gone' if content is None else 'another'}"


@invariant
def a_completed_document_has_its_text_and_its_result():
    """Both steps of its last retry are kept, and the files they name hold what the rows say."""
    for task in uploaded_documents():
        if task.status != "completed":
            continue
        made = {each.step: each.output for each in task.steps.filter(retry=task.retries).usable()}
        if sorted(made) != ["parse", "transform"]:
            yield f"task {task.pk} is completed by {sorted(made)}"
            continue
        text = _stored(made["parse"]["file"])
        if text is None or len(text) != made["parse"]["size"]:
            yield f"the text of task {task.pk} is {text and len(text)} bytes of {made['parse']['size']}"
        output = _stored(task.result["output_path"])
        if output is None or decode(output) != task.result["output"]:
            yield f"the output of task {task.pk} is not in {task.result['output_path']}"


@invariant
def what_is_mounted_stands_once_and_where_it_says():
    """At most one at a key, and its value is there; what a later mount stands inside of has changed."""
    for table, pointer, key, count in rows(
        "SELECT table_id, pointer, key, count(*) FROM table_mount WHERE unmounted_at IS NULL AND superseded_at IS NULL"
        " GROUP BY 1, 2, 3 HAVING count(*) > 1"
    ):
        yield f"{count} mounts stand at {pointer}/{key} of table {table}"
    for mount in TableMount.objects.standing().defer("previous"):
        inside = TableMount.objects.standing_below(mount).exists()
        if not inside and Node(mount.table_id, mount.pointer).sha256_at(mount.key) != mount.value_sha256:
            yield f"mount {mount.pk} is not at {mount.path} of table {mount.table_id}"
