"""How often each distillation was used, and by which article. Can be taken back alone."""

import distillations.models.articles
import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
import runs.querysets
from config.foreign_keys import OnDelete
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('distillations', '0001_keywords_and_tasks'),
    ]

    operations = [
        migrations.CreateModel(
            name='DistillationUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('used_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), verbose_name='used at')),
            ],
            options={
                'verbose_name': 'use of a distillation',
                'verbose_name_plural': 'uses of distillations',
                'db_table': 'distillation_usage',
                'ordering': ['-used_at', '-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='UsageCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checked_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='checked at')),
                ('drifted', models.PositiveIntegerField(verbose_name='drifted counters')),
                ('eligible', models.PositiveIntegerField(verbose_name='distillations with a topic')),
                ('uses', models.PositiveBigIntegerField(verbose_name='their uses')),
            ],
            options={
                'verbose_name': 'usage check',
                'verbose_name_plural': 'usage checks',
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='distillation',
            name='counters_are_not_written_by_hand',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='distillation',
            name='counters_begin_at_zero',
        ),
        migrations.AddField(
            model_name='distillation',
            name='usage_count',
            field=models.IntegerField(db_default=0, default=0, editable=False, verbose_name='used'),
        ),
        migrations.AddField(
            model_name='topic',
            name='usage_count',
            field=models.IntegerField(db_default=0, default=0, editable=False, verbose_name='used'),
        ),
        migrations.AddField(
            model_name='distillation',
            name='usage_reset_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='use reset at'),
        ),
        migrations.AddField(
            model_name='distillation',
            name='load',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.expressions.CombinedExpression(models.F('usage_count'), '+', models.F('reserved_count')), output_field=models.IntegerField()),
        ),
        # Django adds a generated column that may be empty, though this one never is
        migrations.RunSQL(
            'ALTER TABLE distillations ALTER COLUMN "load" SET NOT NULL',
            'ALTER TABLE distillations ALTER COLUMN "load" DROP NOT NULL',
        ),
        migrations.AddIndex(
            model_name='distillation',
            index=models.Index(fields=['usage_count', 'created_at', 'id'], name='idx_distillations_usage_count'),
        ),
        migrations.AddIndex(
            model_name='distillation',
            index=models.Index(condition=models.Q(('topic_count__gt', 0)), fields=['load', 'created_at', 'id'], name='distillation_next_to_pick'),
        ),
        migrations.AddIndex(
            model_name='distillation',
            index=models.Index(condition=models.Q(('topic_count__gt', 0)), fields=['usage_count', 'created_at', 'id'], name='distillation_recommended'),
        ),
        migrations.AddIndex(
            model_name='topic',
            index=models.Index(fields=['distillation', 'usage_count', 'id'], name='topic_next_to_pick'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillation',
            trigger=pgtrigger.compiler.Trigger(name='counters_are_not_written_by_hand', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF pg_trigger_depth() < 2 AND NOT (current_setting('pressroom.counters', true) IS NOT DISTINCT FROM 'mend') THEN NEW.usage_count := OLD.usage_count; NEW.reserved_count := OLD.reserved_count; NEW.topic_count := OLD.topic_count; END IF; RETURN NEW;", hash='08c005dfd57d340ef849872d016d982944f1489f', operation='UPDATE OF "usage_count", "reserved_count", "topic_count"', pgid='pgtrigger_counters_are_not_written_by_hand_a1a02', table='distillations', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillation',
            trigger=pgtrigger.compiler.Trigger(name='counters_begin_at_zero', sql=pgtrigger.compiler.UpsertTriggerSql(func='NEW.usage_count := 0; NEW.reserved_count := 0; NEW.topic_count := 0; RETURN NEW;', hash='cbc07cf58594c4266fbed68bf62e6c202afa7172', operation='INSERT', pgid='pgtrigger_counters_begin_at_zero_672ac', table='distillations', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='topic',
            trigger=pgtrigger.compiler.Trigger(name='counters_are_not_written_by_hand', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF pg_trigger_depth() < 2 AND NOT (current_setting('pressroom.counters', true) IS NOT DISTINCT FROM 'mend') THEN NEW.usage_count := OLD.usage_count; END IF; RETURN NEW;", hash='8c0e7bf042a7f96e3874c99cfd66ef7a423b5b42', operation='UPDATE OF "usage_count"', pgid='pgtrigger_counters_are_not_written_by_hand_eea64', table='topics', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='topic',
            trigger=pgtrigger.compiler.Trigger(name='counters_begin_at_zero', sql=pgtrigger.compiler.UpsertTriggerSql(func='NEW.usage_count := 0; RETURN NEW;', hash='8d00f3d820e4c9d381df40603a648884d61e021d', operation='INSERT', pgid='pgtrigger_counters_begin_at_zero_557ce', table='topics', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='distillation',
            constraint=models.CheckConstraint(condition=models.Q(('usage_count__gte', 0)), name='distillation_usage_is_not_negative', violation_error_message='The usage counter has drifted; run repair.'),
        ),
        migrations.AddConstraint(
            model_name='topic',
            constraint=models.CheckConstraint(condition=models.Q(('usage_count__gte', 0)), name='topic_usage_is_not_negative', violation_error_message='The usage counter has drifted; run repair.'),
        ),
        migrations.AddField(
            model_name='distillationusage',
            name='article',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='uses', to='distillations.generatedarticle', verbose_name='article'),
        ),
        migrations.AddField(
            model_name='distillationusage',
            name='distillation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='uses', to='distillations.distillation', verbose_name='distillation'),
        ),
        migrations.AddField(
            model_name='distillationusage',
            name='task',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='uses', to='distillations.generationtask', verbose_name='task'),
        ),
        migrations.AddField(
            model_name='distillationusage',
            name='topic',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='uses', to='distillations.topic', verbose_name='topic'),
        ),
        migrations.AddIndex(
            model_name='distillationusage',
            index=distillations.models.articles.NamedByTheDocument(fields=['distillation'], name='idx_distillation_usage_distillation'),
        ),
        migrations.AddIndex(
            model_name='distillationusage',
            index=distillations.models.articles.NamedByTheDocument(fields=['task'], name='idx_distillation_usage_task'),
        ),
        migrations.AddIndex(
            model_name='distillationusage',
            index=distillations.models.articles.NamedByTheDocument(fields=['article'], name='idx_distillation_usage_article'),
        ),
        migrations.AddIndex(
            model_name='distillationusage',
            index=distillations.models.articles.NamedByTheDocument(fields=['-used_at'], name='idx_distillation_usage_used_at'),
        ),
        migrations.AddIndex(
            model_name='distillationusage',
            index=models.Index(fields=['distillation', '-used_at', '-id'], name='distillation_usage_history'),
        ),
        migrations.AddConstraint(
            model_name='distillationusage',
            constraint=models.UniqueConstraint(fields=('article',), name='unique_article_usage', violation_error_message='The use of this article is recorded already.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func='\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        UPDATE distillations counted SET usage_count = counted.usage_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ', hash='c72ce8f23452a84a5760dbb70e7a8ba1642b2dd6', level='STATEMENT', operation='INSERT', pgid='pgtrigger_distillations_usage_count_insert_be202', referencing='REFERENCING NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM distillations counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'distillations', COLUMN = 'usage_count';\n        END IF;\n    \n        UPDATE distillations counted SET usage_count = counted.usage_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='1b36bfc88ed717af343094fdf6f8eea2026b6694', level='STATEMENT', operation='DELETE', pgid='pgtrigger_distillations_usage_count_delete_1bc34', referencing='REFERENCING OLD TABLE AS old_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL UNION ALL SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM distillations counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'distillations', COLUMN = 'usage_count';\n        END IF;\n    \n        UPDATE distillations counted SET usage_count = counted.usage_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='ab053c6d698f47896769bc9e066f0e663847ae52', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_distillations_usage_count_update_af5fe', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n                PERFORM 1 FROM distillations WHERE usage_count <> 0 ORDER BY id FOR NO KEY UPDATE;\n                UPDATE distillations SET usage_count = 0 WHERE usage_count <> 0;\n                RETURN NULL;\n            ', hash='455af7553def1163b26ad99748051cb2c3fc4ac8', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_distillations_usage_count_truncate_7cf8c', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func='\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM topics WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        UPDATE topics counted SET usage_count = counted.usage_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ', hash='a146f8469c114328618303e6c2d93f9a5cc61de3', level='STATEMENT', operation='INSERT', pgid='pgtrigger_topics_usage_count_insert_8b855', referencing='REFERENCING NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM topics WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM topics counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of topics % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'topics', COLUMN = 'usage_count';\n        END IF;\n    \n        UPDATE topics counted SET usage_count = counted.usage_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='1c28abac0d0aae29f14ec7882841c07156168d69', level='STATEMENT', operation='DELETE', pgid='pgtrigger_topics_usage_count_delete_a0338', referencing='REFERENCING OLD TABLE AS old_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL UNION ALL SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM topics WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM topics counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of topics % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'topics', COLUMN = 'usage_count';\n        END IF;\n    \n        UPDATE topics counted SET usage_count = counted.usage_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='8f40c021e9ca875bb473d25ec6e5e41dd70f6a36', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_topics_usage_count_update_fb207', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n                PERFORM 1 FROM topics WHERE usage_count <> 0 ORDER BY id FOR NO KEY UPDATE;\n                UPDATE topics SET usage_count = 0 WHERE usage_count <> 0;\n                RETURN NULL;\n            ', hash='e10c10007adf9adbef5b19fb241ddd93270ad90d', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_topics_usage_count_truncate_48cf7', table='distillation_usage', when='AFTER')),
        ),
        OnDelete('distillationusage', 'distillation', 'CASCADE'),
        OnDelete('distillationusage', 'task', 'CASCADE'),
        OnDelete('distillationusage', 'article', 'CASCADE'),
        OnDelete('distillationusage', 'topic', 'SET NULL'),
    ]
