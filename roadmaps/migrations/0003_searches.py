"""Indexes for parts of wishes and titles, built beside ongoing writes."""

import django.contrib.postgres.indexes
import django.db.models.fields.json
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from config.extensions import Trigrams


class Migration(migrations.Migration):

    atomic = False  # CREATE INDEX CONCURRENTLY refuses a transaction

    dependencies = [
        ('roadmaps', '0002_quiz_attempts_name_their_writer'),
    ]

    operations = [
        Trigrams(),
        AddIndexConcurrently(
            model_name='roadmap',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('title'), name='gin_trgm_ops'), name='roadmap_title_parts'),
        ),
        AddIndexConcurrently(
            model_name='roadmaptask',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper(django.db.models.fields.json.KeyTextTransform('query', 'user_request')), name='gin_trgm_ops'), name='roadmaptask_query_parts'),
        ),
    ]
