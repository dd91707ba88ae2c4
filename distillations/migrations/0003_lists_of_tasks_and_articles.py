"""Indexes of the lists of tasks and articles, their filters and searches, built beside ongoing writes."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from config.extensions import Trigrams


class Migration(migrations.Migration):

    atomic = False  # CREATE INDEX CONCURRENTLY refuses a transaction

    dependencies = [
        ('distillations', '0002_usage_tracking'),
    ]

    operations = [
        Trigrams(),
        AddIndexConcurrently(
            model_name='generatedarticle',
            index=models.Index(fields=['is_published', '-created_at', '-id'], name='article_newest_published'),
        ),
        AddIndexConcurrently(
            model_name='generatedarticle',
            index=models.Index(fields=['distillation', '-created_at', '-id'], name='article_newest_of_distillation'),
        ),
        AddIndexConcurrently(
            model_name='generatedarticle',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('title'), name='gin_trgm_ops'), name='generatedarticle_title_parts'),
        ),
        AddIndexConcurrently(
            model_name='generatedarticle',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('keyword'), name='gin_trgm_ops'), name='generatedarticle_keyword_parts'),
        ),
        AddIndexConcurrently(
            model_name='generationtask',
            index=models.Index(fields=['status', '-created_at', '-id'], name='generationtask_newest_of'),
        ),
        AddIndexConcurrently(
            model_name='generationtask',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('keyword'), name='gin_trgm_ops'), condition=models.Q(('distillation', None), models.Q(('keyword', ''), _negated=True)), name='generationtask_keyword_parts'),
        ),
        AddIndexConcurrently(
            model_name='generationtask',
            index=models.Index(condition=models.Q(('conversion_target', None), models.Q(('conversion_target_name', ''), _negated=True)), fields=['conversion_target_name'], name='generationtask_lost_target'),
        ),
    ]
