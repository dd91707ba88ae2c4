"""Indexes of the lists' filters, orders and searches, built beside ongoing writes."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from config.extensions import Trigrams
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False  # CREATE INDEX CONCURRENTLY refuses a transaction

    dependencies = [
        ('distillations', '0003_lists_of_tasks_and_articles'),
    ]

    operations = [
        Trigrams(),
        AddIndexConcurrently(
            model_name='distillation',
            index=models.Index(condition=models.Q(('usage_count__gt', 0)), fields=['created_at', 'id'], name='distillation_used_by_age'),
        ),
        AddIndexConcurrently(
            model_name='distillation',
            index=models.Index(condition=models.Q(('topic_count', 0)), fields=['usage_count', 'created_at', 'id'], name='distillation_without_topics'),
        ),
        AddIndexConcurrently(
            model_name='distillation',
            index=models.Index(fields=['provider', 'usage_count', 'created_at', 'id'], name='distillation_by_provider'),
        ),
        AddIndexConcurrently(
            model_name='distillation',
            index=models.Index(fields=['provider', 'created_at', 'id'], name='distillation_by_provider_age'),
        ),
        AddIndexConcurrently(
            model_name='distillation',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('keyword'), name='gin_trgm_ops'), name='distillation_keyword_parts'),
        ),
        AddIndexConcurrently(
            model_name='generationslot',
            index=models.Index(condition=models.Q(('article', None), ('status', 'done')), fields=['distillation', '-updated_at', '-id'], name='slot_without_its_article'),
        ),
    ]
