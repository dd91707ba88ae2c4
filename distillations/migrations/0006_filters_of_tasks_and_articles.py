"""Indexes of filters and searches of the screens of tasks and articles, built beside ongoing writes."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False  # CREATE INDEX CONCURRENTLY refuses a transaction

    dependencies = [
        ('distillations', '0005_what_a_check_found'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='generatedarticle',
            index=models.Index(fields=['generator_kind', '-created_at', '-id'], name='article_newest_by_generator'),
        ),
        AddIndexConcurrently(
            model_name='generationtask',
            index=models.Index(fields=['mode', '-created_at', '-id'], name='generationtask_newest_mode'),
        ),
        # a task is also found by the keyword it was asked for with, not only once its distillation is deleted
        AddIndexConcurrently(
            model_name='generationtask',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('keyword'), name='gin_trgm_ops'), name='generationtask_keyword_then'),
        ),
        RemoveIndexConcurrently(model_name='generationtask', name='generationtask_keyword_parts'),
    ]
