"""The shards of a run: a new table, so nothing waits for it."""

import django.db.models.deletion
import django.db.models.expressions
import runs.querysets
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('etl', '0005_product_sync_modes_hold'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ProductSyncShard',
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
                ('number', models.PositiveSmallIntegerField(verbose_name='shard')),
                ('of', models.PositiveSmallIntegerField(verbose_name='of')),
                ('cursor_at', models.DateTimeField(editable=False, null=True, verbose_name='cursor')),
                ('cursor_id', models.BigIntegerField(editable=False, null=True, verbose_name='cursor row')),
                ('read', models.PositiveBigIntegerField(default=0, verbose_name='read')),
                ('created', models.PositiveBigIntegerField(default=0, verbose_name='created')),
                ('updated', models.PositiveBigIntegerField(default=0, verbose_name='updated')),
                ('unchanged', models.PositiveBigIntegerField(default=0, verbose_name='unchanged')),
                ('superseded', models.PositiveBigIntegerField(default=0, verbose_name='superseded')),
                ('rejected', models.PositiveBigIntegerField(default=0, verbose_name='rejected')),
                ('batches', models.PositiveIntegerField(default=0, verbose_name='batches')),
                ('seconds', models.FloatField(default=0, verbose_name='seconds of work')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='etl.productsyncrun', verbose_name='run')),
                ('superseded_by', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='supersedes', to='etl.productsyncshard', verbose_name='superseded by')),
            ],
            options={
                'verbose_name': 'product sync shard',
                'verbose_name_plural': 'product sync shards',
                'ordering': ['run', 'number'],
            },
        ),
        migrations.AddIndex(
            model_name='productsyncshard',
            index=models.Index(condition=models.Q(('status__in', ['pending', 'running'])), fields=['id'], name='productsyncshard_open'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['cancelled', 'completed', 'failed', 'pending', 'running'])), name='productsyncshard_status_is_known', violation_error_message='This status does not exist.'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status__in', ['running'])), ('lease_token__isnull', False), ('lease_until__isnull', False)), models.Q(models.Q(('status__in', ['running']), _negated=True), ('lease_token__isnull', True), ('lease_until__isnull', True)), _connector='OR'), name='productsyncshard_holds_lease_iff_active', violation_error_message='A run holds a lease exactly while it is being worked on.'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status__in', ['cancelled', 'completed', 'failed'])), ('finished_at__isnull', False)), models.Q(models.Q(('status__in', ['cancelled', 'completed', 'failed']), _negated=True), ('finished_at__isnull', True)), _connector='OR'), name='productsyncshard_has_finished_at_iff_final', violation_error_message='A run has an end exactly when it has ended.'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='productsyncshard_failed_says_why', violation_error_message='A failed run says why.'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(('progress__gte', 0), ('progress__lte', 100)), name='productsyncshard_progress_is_percent', violation_error_message='Progress lies between 0 and 100.'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(('attempt__gte', 0), ('attempt__lte', models.F('max_attempts')), ('max_attempts__gte', 1)), name='productsyncshard_attempt_within_cap', violation_error_message='A run is not attempted more often than its cap.'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.UniqueConstraint(fields=('run', 'number'), name='product_sync_shard_is_numbered_once'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1), ('number__lte', models.F('of'))), name='product_sync_shard_is_one_of_its_number'),
        ),
        migrations.AddConstraint(
            model_name='productsyncshard',
            constraint=models.CheckConstraint(condition=models.Q(('read', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('created'), '+', models.F('updated')), '+', models.F('unchanged')), '+', models.F('superseded')), '+', models.F('rejected')))), name='product_sync_shard_accounts_for_every_row_read', violation_error_message='Every row read is counted exactly once.'),
        ),
    ]
