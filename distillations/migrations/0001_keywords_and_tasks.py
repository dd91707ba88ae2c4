"""Keywords and topics, tasks and their slots, articles and what they are written from."""

import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import runs.querysets
from django.conf import settings
from config.foreign_keys import OnDelete
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ArticleSetting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255, unique=True, verbose_name='name')),
                ('prompt', models.TextField(help_text='Placeholders: {keyword} {topics} {topicsList} {companyName} {companyIndustry} {companyWebsite} {companyAddress} {knowledgeBase}. Without any, these facts are appended.', verbose_name='prompt')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'article setting',
                'verbose_name_plural': 'article settings',
                'db_table': 'article_settings',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ConversionTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('company_name', models.CharField(max_length=255, unique=True, validators=[django.core.validators.MinLengthValidator(2)], verbose_name='company')),
                ('industry', models.CharField(blank=True, db_default='', default='', max_length=100, verbose_name='industry')),
                ('website', models.CharField(blank=True, db_default='', default='', max_length=500, verbose_name='website')),
                ('address', models.CharField(blank=True, db_default='', default='', max_length=500, verbose_name='address')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'conversion target',
                'verbose_name_plural': 'conversion targets',
                'db_table': 'conversion_targets',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='DistillationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='pending', max_length=32, verbose_name='status')),
                ('progress', models.PositiveSmallIntegerField(default=0, help_text='Percent.', verbose_name='progress')),
                ('attempt', models.PositiveSmallIntegerField(default=0, help_text='How often it was started since it last made progress.', verbose_name='attempt')),
                ('max_attempts', models.PositiveSmallIntegerField(default=5, verbose_name='attempts at most')),
                ('not_before', models.DateTimeField(blank=True, null=True, verbose_name='not before')),
                ('lease_until', models.DateTimeField(editable=False, null=True, verbose_name='leased until')),
                ('lease_token', models.BigIntegerField(editable=False, null=True, verbose_name='fencing token')),
                ('dispatched_at', models.DateTimeField(editable=False, null=True, verbose_name='dispatched at')),
                ('started_at', models.DateTimeField(editable=False, null=True, verbose_name='started at')),
                ('finished_at', models.DateTimeField(editable=False, null=True, verbose_name='finished at')),
                ('heartbeat_at', models.DateTimeField(editable=False, null=True, verbose_name='last heartbeat')),
                ('error', models.CharField(blank=True, default='', max_length=64, verbose_name='error')),
                ('error_text', models.TextField(blank=True, default='', verbose_name='details of the error')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='updated at')),
                ('keyword', models.CharField(max_length=255, verbose_name='keyword')),
                ('topic_count', models.PositiveSmallIntegerField(default=12, validators=[django.core.validators.MinValueValidator(5), django.core.validators.MaxValueValidator(30)], verbose_name='topics')),
            ],
            options={
                'verbose_name': 'distillation run',
                'verbose_name_plural': 'distillation runs',
                'ordering': ['-id'],
                'permissions': [('run_distillation', 'Can distil keywords')],
            },
        ),
        migrations.CreateModel(
            name='GeneratedArticle',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('keyword', models.CharField(max_length=255, verbose_name='keyword')),
                ('question', models.TextField(blank=True, db_default='', default='', verbose_name='question')),
                ('conversion_target_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('title', models.CharField(max_length=500, verbose_name='title')),
                ('content', models.TextField(verbose_name='text')),
                ('image_url', models.CharField(blank=True, db_default='', default='', max_length=500, verbose_name='image')),
                ('provider', models.CharField(max_length=20, verbose_name='provider')),
                ('generator_kind', models.CharField(choices=[('rules', 'Rule-based, no language model'), ('llm', 'Written by a language model'), ('manual', 'Written by hand'), ('imported', 'Imported; who wrote it is not known')], db_default='imported', default='imported', max_length=8, verbose_name='written by')),
                ('generator_name', models.CharField(blank=True, db_default='', default='', max_length=100, verbose_name='generator')),
                ('generator_model', models.CharField(blank=True, max_length=200, null=True, verbose_name='model')),
                ('requirements', models.TextField(blank=True, db_default='', default='', verbose_name='requirements')),
                ('is_published', models.BooleanField(db_default=False, default=False, verbose_name='published')),
                ('published_at', models.DateTimeField(blank=True, null=True, verbose_name='published at')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'generated article',
                'verbose_name_plural': 'generated articles',
                'db_table': 'articles',
                'ordering': ['-id'],
                'permissions': [('publish_generatedarticle', 'Can publish generated articles'), ('export_generatedarticle', 'Can export the list of generated articles')],
            },
        ),
        migrations.CreateModel(
            name='GenerationSlot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(verbose_name='position')),
                ('keyword', models.CharField(blank=True, max_length=255, verbose_name='keyword')),
                ('question', models.TextField(blank=True, db_default='', default='', verbose_name='question')),
                ('is_auto', models.BooleanField(db_default=True, default=True, editable=False)),
                ('status', models.CharField(choices=[('reserved', 'Reserved'), ('generating', 'Being written'), ('done', 'Done'), ('failed', 'Failed'), ('released', 'Released')], db_default='reserved', default='reserved', max_length=16, verbose_name='status')),
                ('token', models.BigIntegerField(editable=False, null=True, verbose_name='fencing token')),
                ('attempt', models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='attempt')),
                ('error', models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='error')),
                ('error_text', models.TextField(blank=True, db_default='', default='', verbose_name='details of the error')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'slot',
                'verbose_name_plural': 'slots',
                'ordering': ['task_id', 'position'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='GenerationTask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('progress', models.PositiveSmallIntegerField(default=0, help_text='Percent.', verbose_name='progress')),
                ('attempt', models.PositiveSmallIntegerField(default=0, help_text='How often it was started since it last made progress.', verbose_name='attempt')),
                ('max_attempts', models.PositiveSmallIntegerField(default=5, verbose_name='attempts at most')),
                ('not_before', models.DateTimeField(blank=True, null=True, verbose_name='not before')),
                ('lease_until', models.DateTimeField(editable=False, null=True, verbose_name='leased until')),
                ('lease_token', models.BigIntegerField(editable=False, null=True, verbose_name='fencing token')),
                ('dispatched_at', models.DateTimeField(editable=False, null=True, verbose_name='dispatched at')),
                ('started_at', models.DateTimeField(editable=False, null=True, verbose_name='started at')),
                ('finished_at', models.DateTimeField(editable=False, null=True, verbose_name='finished at')),
                ('heartbeat_at', models.DateTimeField(editable=False, null=True, verbose_name='last heartbeat')),
                ('error', models.CharField(blank=True, default='', max_length=64, verbose_name='error')),
                ('error_text', models.TextField(blank=True, default='', verbose_name='details of the error')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='updated at')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('completed', 'Completed'), ('partial', 'Partly completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='pending', max_length=32, verbose_name='status')),
                ('mode', models.CharField(choices=[('auto', 'The least used ones'), ('manual', 'A chosen one')], default='auto', max_length=8, verbose_name='mode')),
                ('requested_count', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)], verbose_name='articles asked for')),
                ('generated_count', models.PositiveIntegerField(db_default=0, default=0, verbose_name='articles made')),
                ('keyword', models.CharField(blank=True, max_length=255, verbose_name='keyword')),
                ('conversion_target_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('article_setting_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('knowledge_base_name', models.CharField(blank=True, db_default='', default='', max_length=255)),
                ('is_imported', models.BooleanField(db_default=False, default=False, editable=False)),
            ],
            options={
                'verbose_name': 'generation task',
                'verbose_name_plural': 'generation tasks',
                'db_table': 'generation_tasks',
                'ordering': ['-id'],
                'permissions': [('run_generation', 'Can have articles written'), ('export_generationtask', 'Can export the list of generation tasks')],
            },
        ),
        migrations.CreateModel(
            name='KnowledgeBase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255, unique=True, verbose_name='name')),
                ('description', models.TextField(blank=True, db_default='', default='', verbose_name='description')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'knowledge base',
                'verbose_name_plural': 'knowledge bases',
                'db_table': 'knowledge_bases',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='KnowledgeDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=500, verbose_name='title')),
                ('content', models.TextField(verbose_name='text')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'knowledge document',
                'verbose_name_plural': 'knowledge documents',
                'db_table': 'knowledge_documents',
                'ordering': ['knowledge_base_id', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Topic',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.TextField(verbose_name='question')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'topic',
                'verbose_name_plural': 'topics',
                'db_table': 'topics',
                'ordering': ['distillation_id', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Distillation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('keyword', models.CharField(max_length=255, verbose_name='keyword')),
                ('provider', models.CharField(choices=[('deepseek', 'DeepSeek'), ('gemini', 'Gemini'), ('ollama', 'Ollama'), ('openai', 'OpenAI'), ('rules', 'Rules, no language model'), ('manual', 'By hand')], max_length=20, verbose_name='provider')),
                ('reserved_count', models.IntegerField(db_default=0, default=0, editable=False, verbose_name='reserved')),
                ('topic_count', models.IntegerField(db_default=0, default=0, editable=False, verbose_name='topics')),
                ('created_at', models.DateTimeField(db_default=runs.querysets.ClockTimestamp(), editable=False, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'distillation',
                'verbose_name_plural': 'distillations',
                'db_table': 'distillations',
                'ordering': ['-id'],
                'permissions': [('reset_usage', 'Can reset usage counts'), ('repair_usage', 'Can repair usage counts'), ('export_distillation', 'Can export distillations')],
                'indexes': [models.Index(fields=['created_at', 'id'], name='distillation_by_age')],
                'constraints': [models.CheckConstraint(condition=models.Q(('provider__in', ['deepseek', 'gemini', 'ollama', 'openai', 'rules', 'manual'])), name='distillation_provider_is_known', violation_error_message='This provider does not exist.'), models.CheckConstraint(condition=models.Q(('reserved_count__gte', 0)), name='distillation_reservations_are_not_negative', violation_error_message='The reservation counter has drifted; run repair.'), models.CheckConstraint(condition=models.Q(('topic_count__gte', 0)), name='distillation_topics_are_not_negative', violation_error_message='The topic counter has drifted; run repair.')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillation',
            trigger=pgtrigger.compiler.Trigger(name='counters_are_not_written_by_hand', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF pg_trigger_depth() < 2 AND NOT (current_setting('pressroom.counters', true) IS NOT DISTINCT FROM 'mend') THEN NEW.reserved_count := OLD.reserved_count; NEW.topic_count := OLD.topic_count; END IF; RETURN NEW;", hash='513d775f87080d56c6978496d84230b48e74ed8a', operation='UPDATE OF "reserved_count", "topic_count"', pgid='pgtrigger_counters_are_not_written_by_hand_a1a02', table='distillations', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='distillation',
            trigger=pgtrigger.compiler.Trigger(name='counters_begin_at_zero', sql=pgtrigger.compiler.UpsertTriggerSql(func='NEW.reserved_count := 0; NEW.topic_count := 0; RETURN NEW;', hash='a881539157d23b27e72a8e312b1862ab626d04e9', operation='INSERT', pgid='pgtrigger_counters_begin_at_zero_672ac', table='distillations', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='distillationrun',
            name='distillation',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='distillations.distillation'),
        ),
        migrations.AddField(
            model_name='distillationrun',
            name='requested_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by'),
        ),
        migrations.AddField(
            model_name='distillationrun',
            name='superseded_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='supersedes', to='distillations.distillationrun', verbose_name='superseded by'),
        ),
        migrations.AddField(
            model_name='generatedarticle',
            name='distillation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='articles', to='distillations.distillation', verbose_name='distillation'),
        ),
        migrations.AddField(
            model_name='generationslot',
            name='article',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='slot', to='distillations.generatedarticle', verbose_name='article'),
        ),
        migrations.AddField(
            model_name='generationslot',
            name='distillation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='slots', to='distillations.distillation', verbose_name='distillation'),
        ),
        migrations.AddField(
            model_name='generationtask',
            name='article_setting',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tasks', to='distillations.articlesetting', verbose_name='article setting'),
        ),
        migrations.AddField(
            model_name='generationtask',
            name='conversion_target',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tasks', to='distillations.conversiontarget', verbose_name='conversion target'),
        ),
        migrations.AddField(
            model_name='generationtask',
            name='distillation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tasks', to='distillations.distillation', verbose_name='distillation'),
        ),
        migrations.AddField(
            model_name='generationtask',
            name='requested_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by'),
        ),
        migrations.AddField(
            model_name='generationtask',
            name='superseded_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='supersedes', to='distillations.generationtask', verbose_name='superseded by'),
        ),
        migrations.AddField(
            model_name='generationslot',
            name='task',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='distillations.generationtask', verbose_name='task'),
        ),
        migrations.AddField(
            model_name='generatedarticle',
            name='task',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='articles', to='distillations.generationtask', verbose_name='task'),
        ),
        migrations.AddField(
            model_name='generationtask',
            name='knowledge_base',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tasks', to='distillations.knowledgebase', verbose_name='knowledge base'),
        ),
        migrations.AddField(
            model_name='knowledgedocument',
            name='knowledge_base',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='documents', to='distillations.knowledgebase', verbose_name='knowledge base'),
        ),
        migrations.AddField(
            model_name='topic',
            name='distillation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='topics', to='distillations.distillation', verbose_name='distillation'),
        ),
        migrations.AddField(
            model_name='generationslot',
            name='topic',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='slots', to='distillations.topic', verbose_name='topic'),
        ),
        migrations.AddField(
            model_name='generatedarticle',
            name='topic',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='articles', to='distillations.topic', verbose_name='topic'),
        ),
        migrations.AddIndex(
            model_name='distillationrun',
            index=models.Index(condition=models.Q(('status__in', ['pending', 'running'])), fields=['id'], name='distillationrun_open'),
        ),
        migrations.AddIndex(
            model_name='distillationrun',
            index=models.Index(fields=['status', 'id'], name='distillationrun_by_status'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['cancelled', 'completed', 'failed', 'pending', 'running'])), name='distillationrun_status_is_known', violation_error_message='This status does not exist.'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status__in', ['running'])), ('lease_token__isnull', False), ('lease_until__isnull', False)), models.Q(models.Q(('status__in', ['running']), _negated=True), ('lease_token__isnull', True), ('lease_until__isnull', True)), _connector='OR'), name='distillationrun_holds_lease_iff_active', violation_error_message='A run holds a lease exactly while it is being worked on.'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status__in', ['cancelled', 'completed', 'failed'])), ('finished_at__isnull', False)), models.Q(models.Q(('status__in', ['cancelled', 'completed', 'failed']), _negated=True), ('finished_at__isnull', True)), _connector='OR'), name='distillationrun_has_finished_at_iff_final', violation_error_message='A run has an end exactly when it has ended.'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='distillationrun_failed_says_why', violation_error_message='A failed run says why.'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(('progress__gte', 0), ('progress__lte', 100)), name='distillationrun_progress_is_percent', violation_error_message='Progress lies between 0 and 100.'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(('attempt__gte', 0), ('attempt__lte', models.F('max_attempts')), ('max_attempts__gte', 1)), name='distillationrun_attempt_within_cap', violation_error_message='A run is not attempted more often than its cap.'),
        ),
        migrations.AddConstraint(
            model_name='distillationrun',
            constraint=models.CheckConstraint(condition=models.Q(('topic_count__gte', 5), ('topic_count__lte', 30)), name='distillation_run_asks_for_5_to_30_topics', violation_error_message='A keyword is distilled into 5 to 30 topics.'),
        ),
        migrations.AddIndex(
            model_name='generationtask',
            index=models.Index(condition=models.Q(('status__in', ['pending', 'running'])), fields=['id'], name='generationtask_open'),
        ),
        migrations.AddIndex(
            model_name='generationtask',
            index=models.Index(fields=['status', 'id'], name='generationtask_by_status'),
        ),
        migrations.AddIndex(
            model_name='generationtask',
            index=models.Index(fields=['-created_at', '-id'], name='generationtask_newest_first'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['cancelled', 'completed', 'failed', 'partial', 'pending', 'running'])), name='generationtask_status_is_known', violation_error_message='This status does not exist.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status__in', ['running'])), ('lease_token__isnull', False), ('lease_until__isnull', False)), models.Q(models.Q(('status__in', ['running']), _negated=True), ('lease_token__isnull', True), ('lease_until__isnull', True)), _connector='OR'), name='generationtask_holds_lease_iff_active', violation_error_message='A run holds a lease exactly while it is being worked on.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status__in', ['cancelled', 'completed', 'failed', 'partial'])), ('finished_at__isnull', False)), models.Q(models.Q(('status__in', ['cancelled', 'completed', 'failed', 'partial']), _negated=True), ('finished_at__isnull', True)), _connector='OR'), name='generationtask_has_finished_at_iff_final', violation_error_message='A run has an end exactly when it has ended.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='generationtask_failed_says_why', violation_error_message='A failed run says why.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(('progress__gte', 0), ('progress__lte', 100)), name='generationtask_progress_is_percent', violation_error_message='Progress lies between 0 and 100.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(('attempt__gte', 0), ('attempt__lte', models.F('max_attempts')), ('max_attempts__gte', 1)), name='generationtask_attempt_within_cap', violation_error_message='A run is not attempted more often than its cap.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(('is_imported', True), models.Q(('requested_count__gte', 1), ('requested_count__lte', 100)), _connector='OR'), name='generation_task_asks_for_1_to_100_articles', violation_error_message='A task asks for 1 to 100 articles.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(('is_imported', True), ('generated_count__lte', models.F('requested_count')), _connector='OR'), name='generation_task_makes_no_more_than_asked', violation_error_message='A task makes no more articles than it was asked for.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'completed'), _negated=True), ('is_imported', True), ('generated_count', models.F('requested_count')), _connector='OR'), name='generation_task_is_completed_with_every_article', violation_error_message='Fewer articles than asked for are no success.'),
        ),
        migrations.AddConstraint(
            model_name='generationtask',
            constraint=models.UniqueConstraint(condition=models.Q(('is_imported', True)), fields=('is_imported',), name='one_task_stands_for_imported_articles', violation_error_message='There is a task for imported articles already.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='topic',
            trigger=pgtrigger.compiler.Trigger(name='distillations_topic_count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func='\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        UPDATE distillations counted SET topic_count = counted.topic_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ', hash='098928051161b29dd202f2094b93ed59a36364c0', level='STATEMENT', operation='INSERT', pgid='pgtrigger_distillations_topic_count_insert_116d6', referencing='REFERENCING NEW TABLE AS new_rows ', table='topics', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='topic',
            trigger=pgtrigger.compiler.Trigger(name='distillations_topic_count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM distillations counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.topic_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter topic_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'distillations', COLUMN = 'topic_count';\n        END IF;\n    \n        UPDATE distillations counted SET topic_count = counted.topic_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='3d0cae03b15a12455442659793e37c8ef3806365', level='STATEMENT', operation='DELETE', pgid='pgtrigger_distillations_topic_count_delete_e2411', referencing='REFERENCING OLD TABLE AS old_rows ', table='topics', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='topic',
            trigger=pgtrigger.compiler.Trigger(name='distillations_topic_count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE true AND distillation_id IS NOT NULL UNION ALL SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE true AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM distillations counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.topic_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter topic_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'distillations', COLUMN = 'topic_count';\n        END IF;\n    \n        UPDATE distillations counted SET topic_count = counted.topic_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='555273d166fd6f539d4bb39f57939ddc513ccadb', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_distillations_topic_count_update_3d5a2', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='topics', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='topic',
            trigger=pgtrigger.compiler.Trigger(name='distillations_topic_count_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n                PERFORM 1 FROM distillations WHERE topic_count <> 0 ORDER BY id FOR NO KEY UPDATE;\n                UPDATE distillations SET topic_count = 0 WHERE topic_count <> 0;\n                RETURN NULL;\n            ', hash='b9fa88f45e1086250516397b9e47629cc0a765a0', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_distillations_topic_count_truncate_58047', table='topics', when='AFTER')),
        ),
        migrations.AddIndex(
            model_name='generationslot',
            index=models.Index(condition=models.Q(('status__in', ('reserved', 'generating'))), fields=['topic'], name='slot_reserves_topic'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='generationtask',
            trigger=pgtrigger.compiler.Trigger(name='ended_tasks_reserve_nothing', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE ended bigint[];', func="\n        SELECT array_agg(new_rows.id) INTO ended FROM new_rows JOIN old_rows ON old_rows.id = new_rows.id\n         WHERE new_rows.status NOT IN ('pending', 'running') AND old_rows.status IN ('pending', 'running');\n        IF ended IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations\n          WHERE id IN (SELECT distillation_id FROM distillations_generationslot\n                        WHERE task_id = ANY (ended) AND status IN ('reserved', 'generating'))\n          ORDER BY id FOR NO KEY UPDATE;\n        UPDATE distillations_generationslot\n           SET status = 'released', token = NULL, updated_at = clock_timestamp()\n         WHERE task_id = ANY (ended) AND status IN ('reserved', 'generating');\n        RETURN NULL;\n    ", hash='5117514719ad61bfea626c08c3f874886c40a411', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_ended_tasks_reserve_nothing_ff9fc', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='generation_tasks', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='generationtask',
            trigger=pgtrigger.compiler.Trigger(name='failed_with_articles_is_partial', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NEW."generated_count" > 0 AND NEW."status" = \'failed\')', func="NEW.status := 'partial'; RETURN NEW;", hash='3de5e44940121378549737fae0a42e20c69f3879', operation='UPDATE OF "status"', pgid='pgtrigger_failed_with_articles_is_partial_b2308', table='generation_tasks', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='generationslot',
            constraint=models.UniqueConstraint(fields=('task', 'position'), name='one_slot_per_position_of_a_task', violation_error_message='This task has a slot in this position already.'),
        ),
        migrations.AddConstraint(
            model_name='generationslot',
            constraint=models.UniqueConstraint(condition=models.Q(('is_auto', True), models.Q(('status__in', ['failed', 'released']), _negated=True)), fields=('task', 'distillation'), name='a_distillation_once_per_automatic_task', violation_error_message='This task uses this distillation already.'),
        ),
        migrations.AddConstraint(
            model_name='generationslot',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['failed', 'released']), _negated=True), fields=('task', 'topic'), name='a_topic_once_per_task', violation_error_message='This task uses this topic already.'),
        ),
        migrations.AddConstraint(
            model_name='generationslot',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['reserved', 'generating', 'done', 'failed', 'released'])), name='slot_status_is_known', violation_error_message='This status does not exist.'),
        ),
        migrations.AddConstraint(
            model_name='generationslot',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'generating'), ('token__isnull', False)), models.Q(models.Q(('status', 'generating'), _negated=True), ('token__isnull', True)), _connector='OR'), name='slot_has_a_token_iff_being_written', violation_error_message='A slot has a token exactly while its article is being written.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='generationslot',
            trigger=pgtrigger.compiler.Trigger(name='distillations_reserved_count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE status IN ('reserved', 'generating') AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        UPDATE distillations counted SET reserved_count = counted.reserved_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='33b302f2dde25589b6fcc4579f8d5f2700f91415', level='STATEMENT', operation='INSERT', pgid='pgtrigger_distillations_reserved_count_insert_61110', referencing='REFERENCING NEW TABLE AS new_rows ', table='distillations_generationslot', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='generationslot',
            trigger=pgtrigger.compiler.Trigger(name='distillations_reserved_count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE status IN ('reserved', 'generating') AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM distillations counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.reserved_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter reserved_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'distillations', COLUMN = 'reserved_count';\n        END IF;\n    \n        UPDATE distillations counted SET reserved_count = counted.reserved_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='ae165b047abad22ae5c543f16643c4c245f43634', level='STATEMENT', operation='DELETE', pgid='pgtrigger_distillations_reserved_count_delete_9a1a5', referencing='REFERENCING OLD TABLE AS old_rows ', table='distillations_generationslot', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='generationslot',
            trigger=pgtrigger.compiler.Trigger(name='distillations_reserved_count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE moved_ids bigint[]; steps integer[]; drifted bigint;', func="\n        SELECT array_agg(id ORDER BY id), array_agg(step ORDER BY id) INTO moved_ids, steps\n          FROM (SELECT id, sum(step)::integer AS step FROM (SELECT distillation_id AS id, -1 AS step FROM old_rows WHERE status IN ('reserved', 'generating') AND distillation_id IS NOT NULL UNION ALL SELECT distillation_id AS id, 1 AS step FROM new_rows WHERE status IN ('reserved', 'generating') AND distillation_id IS NOT NULL) each_row\n                 GROUP BY id HAVING sum(step) <> 0) moved;\n        IF moved_ids IS NULL THEN\n            RETURN NULL;\n        END IF;\n        PERFORM 1 FROM distillations WHERE id = ANY (moved_ids) ORDER BY id FOR NO KEY UPDATE;\n        \n        SELECT counted.id INTO drifted FROM distillations counted JOIN unnest(moved_ids, steps) AS moved (id, step)\n            ON moved.id = counted.id\n         WHERE counted.reserved_count + moved.step < 0 LIMIT 1;\n        IF FOUND THEN\n            RAISE EXCEPTION 'The counter reserved_count of distillations % has drifted: run manage.py repair_usage.', drifted\n                USING ERRCODE = 'check_violation', TABLE = 'distillations', COLUMN = 'reserved_count';\n        END IF;\n    \n        UPDATE distillations counted SET reserved_count = counted.reserved_count + moved.step\n          FROM unnest(moved_ids, steps) AS moved (id, step) WHERE counted.id = moved.id;\n        RETURN NULL;\n    ", hash='b08fdf0d8683d6e7cbc555dab6a179b7599c1d7b', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_distillations_reserved_count_update_53cdb', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='distillations_generationslot', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='generationslot',
            trigger=pgtrigger.compiler.Trigger(name='distillations_reserved_count_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n                PERFORM 1 FROM distillations WHERE reserved_count <> 0 ORDER BY id FOR NO KEY UPDATE;\n                UPDATE distillations SET reserved_count = 0 WHERE reserved_count <> 0;\n                RETURN NULL;\n            ', hash='9d5b8a6e09082bdc6e7375bc14774c24746d76bf', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_distillations_reserved_count_truncate_d00a3', table='distillations_generationslot', when='AFTER')),
        ),
        migrations.AddIndex(
            model_name='generatedarticle',
            index=models.Index(fields=['-created_at', '-id'], name='article_newest_first'),
        ),
        migrations.AddConstraint(
            model_name='generatedarticle',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_published', True), ('published_at__isnull', False)), models.Q(('is_published', False), ('published_at__isnull', True)), _connector='OR'), name='article_has_a_date_iff_published', violation_error_message='An article has a date of publication exactly when it is published.'),
        ),
        migrations.AddConstraint(
            model_name='generatedarticle',
            constraint=models.CheckConstraint(condition=models.Q(('generator_kind__in', ['rules', 'llm', 'manual', 'imported'])), name='generatedarticle_generator_is_known', violation_error_message='A text is written by rules, by a language model or by hand.'),
        ),
        migrations.AddConstraint(
            model_name='generatedarticle',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('generator_kind', 'llm'), ('generator_model__isnull', False), models.Q(('generator_model', ''), _negated=True)), models.Q(models.Q(('generator_kind', 'llm'), _negated=True), ('generator_model__isnull', True)), _connector='OR'), name='generatedarticle_names_model_iff_llm', violation_error_message='Only what a language model wrote names a model, and it always does.'),
        ),
        OnDelete('topic', 'distillation', 'CASCADE'),
        OnDelete('distillationrun', 'distillation', 'SET NULL'),
        OnDelete('knowledgedocument', 'knowledge_base', 'CASCADE'),
        OnDelete('distillationrun', 'requested_by', 'SET NULL'),
        OnDelete('distillationrun', 'superseded_by', 'SET NULL'),
        OnDelete('generationtask', 'requested_by', 'SET NULL'),
        OnDelete('generationtask', 'superseded_by', 'SET NULL'),
        OnDelete('generationtask', 'distillation', 'SET NULL'),
        OnDelete('generationtask', 'conversion_target', 'SET NULL'),
        OnDelete('generationtask', 'article_setting', 'SET NULL'),
        OnDelete('generationtask', 'knowledge_base', 'SET NULL'),
        OnDelete('generationslot', 'task', 'CASCADE'),
        OnDelete('generationslot', 'distillation', 'SET NULL'),
        OnDelete('generationslot', 'topic', 'SET NULL'),
        OnDelete('generationslot', 'article', 'SET NULL'),
        OnDelete('generatedarticle', 'task', 'SET NULL'),
        OnDelete('generatedarticle', 'distillation', 'SET NULL'),
        OnDelete('generatedarticle', 'topic', 'SET NULL'),
    ]
