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
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE drifted bigint;', func="\n        PERFORM 1 FROM distillations WHERE id IN (SELECT id FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved WHERE step <> 0)\n          ORDER BY id FOR NO KEY UPDATE;\n        SELECT distillations.id INTO drifted FROM distillations JOIN (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved ON moved.id = distillations.id\n         WHERE distillations.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation';\n        END IF;\n        UPDATE distillations SET usage_count = distillations.usage_count + moved.step\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved WHERE moved.id = distillations.id AND moved.step <> 0;\n        RETURN NULL;\n    ", hash='f104821a8250308830fc2fc76f2f8133a97f92ce', level='STATEMENT', operation='INSERT', pgid='pgtrigger_distillations_usage_count_insert_be202', referencing='REFERENCING NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE drifted bigint;', func="\n        PERFORM 1 FROM distillations WHERE id IN (SELECT id FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved WHERE step <> 0)\n          ORDER BY id FOR NO KEY UPDATE;\n        SELECT distillations.id INTO drifted FROM distillations JOIN (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved ON moved.id = distillations.id\n         WHERE distillations.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation';\n        END IF;\n        UPDATE distillations SET usage_count = distillations.usage_count + moved.step\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved WHERE moved.id = distillations.id AND moved.step <> 0;\n        RETURN NULL;\n    ", hash='2ba97f54629a82646aa4eb8043d25fb216ae6759', level='STATEMENT', operation='DELETE', pgid='pgtrigger_distillations_usage_count_delete_1bc34', referencing='REFERENCING OLD TABLE AS old_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE drifted bigint;', func="\n        PERFORM 1 FROM distillations WHERE id IN (SELECT id FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL UNION ALL SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved WHERE step <> 0)\n          ORDER BY id FOR NO KEY UPDATE;\n        SELECT distillations.id INTO drifted FROM distillations JOIN (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL UNION ALL SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved ON moved.id = distillations.id\n         WHERE distillations.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation';\n        END IF;\n        UPDATE distillations SET usage_count = distillations.usage_count + moved.step\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL UNION ALL SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each GROUP BY id) moved WHERE moved.id = distillations.id AND moved.step <> 0;\n        RETURN NULL;\n    ", hash='44d4ed3793440037ce457a200ed72e6dce9f2fa2', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_distillations_usage_count_update_af5fe', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='distillations_usage_count_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func='UPDATE distillations SET usage_count = 0 WHERE usage_count <> 0; RETURN NULL;', hash='c4a968bbd9806380d76fe018589b98bdfd41925d', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_distillations_usage_count_truncate_7cf8c', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE drifted bigint;', func="\n        PERFORM 1 FROM topics WHERE id IN (SELECT id FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved WHERE step <> 0)\n          ORDER BY id FOR NO KEY UPDATE;\n        SELECT topics.id INTO drifted FROM topics JOIN (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved ON moved.id = topics.id\n         WHERE topics.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of topics % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation';\n        END IF;\n        UPDATE topics SET usage_count = topics.usage_count + moved.step\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved WHERE moved.id = topics.id AND moved.step <> 0;\n        RETURN NULL;\n    ", hash='7f82a5ee594e94f96dc928fc1b6e631e27f8b3e1', level='STATEMENT', operation='INSERT', pgid='pgtrigger_topics_usage_count_insert_8b855', referencing='REFERENCING NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE drifted bigint;', func="\n        PERFORM 1 FROM topics WHERE id IN (SELECT id FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved WHERE step <> 0)\n          ORDER BY id FOR NO KEY UPDATE;\n        SELECT topics.id INTO drifted FROM topics JOIN (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved ON moved.id = topics.id\n         WHERE topics.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of topics % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation';\n        END IF;\n        UPDATE topics SET usage_count = topics.usage_count + moved.step\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved WHERE moved.id = topics.id AND moved.step <> 0;\n        RETURN NULL;\n    ", hash='00cc18239042226a5512cfa9d65b1feedb95b50c', level='STATEMENT', operation='DELETE', pgid='pgtrigger_topics_usage_count_delete_a0338', referencing='REFERENCING OLD TABLE AS old_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE drifted bigint;', func="\n        PERFORM 1 FROM topics WHERE id IN (SELECT id FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL UNION ALL SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved WHERE step <> 0)\n          ORDER BY id FOR NO KEY UPDATE;\n        SELECT topics.id INTO drifted FROM topics JOIN (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL UNION ALL SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved ON moved.id = topics.id\n         WHERE topics.usage_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter usage_count of topics % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation';\n        END IF;\n        UPDATE topics SET usage_count = topics.usage_count + moved.step\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT topic_id AS id, -1 AS step FROM old_rows WHERE true AND topic_id IS NOT NULL UNION ALL SELECT topic_id AS id, 1 AS step FROM new_rows WHERE true AND topic_id IS NOT NULL) each GROUP BY id) moved WHERE moved.id = topics.id AND moved.step <> 0;\n        RETURN NULL;\n    ", hash='422ec3643a922761a9b3c079c79d36764898339a', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_topics_usage_count_update_fb207', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='distillation_usage', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillationusage',
            trigger=pgtrigger.compiler.Trigger(name='topics_usage_count_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func='UPDATE topics SET usage_count = 0 WHERE usage_count <> 0; RETURN NULL;', hash='31a480bdb7f26c7ab25d6e49a1acc7ccba16d728', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_topics_usage_count_truncate_48cf7', table='distillation_usage', when='AFTER')),
        ),
        OnDelete('distillationusage', 'distillation', 'CASCADE'),
        OnDelete('distillationusage', 'task', 'CASCADE'),
        OnDelete('distillationusage', 'article', 'CASCADE'),
        OnDelete('distillationusage', 'topic', 'SET NULL'),
    ]
