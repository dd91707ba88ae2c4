"""Indexes of the lists' filters and searches, built beside ongoing writes."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False  # CREATE INDEX CONCURRENTLY refuses a transaction

    dependencies = [
        ('etl', '0011_trigrams'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(fields=['brand_code', 'id'], name='product_by_brand'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(fields=['sku', 'id'], name='product_by_sku', opclasses=['text_pattern_ops', 'int8_ops']),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(condition=models.Q(('on_sale', True)), fields=['id'], name='product_on_sale'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(condition=models.Q(('on_sale', False)), fields=['id'], name='product_not_on_sale'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(condition=models.Q(('is_deleted', True)), fields=['id'], name='product_deleted'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(fields=['price'], name='product_by_price'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=models.Index(fields=['updated_at'], name='product_by_change'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('name'), name='gin_trgm_ops'), name='product_name_parts'),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=django.contrib.postgres.indexes.GinIndex(fields=['tags'], name='product_by_tag', opclasses=['jsonb_path_ops']),
        ),
        AddIndexConcurrently(
            model_name='product',
            index=django.contrib.postgres.indexes.GinIndex(fields=['attributes'], name='product_by_attribute', opclasses=['jsonb_path_ops']),
        ),
        AddIndexConcurrently(
            model_name='productchange',
            index=models.Index(fields=['brand_code', 'id'], name='product_change_by_brand'),
        ),
        AddIndexConcurrently(
            model_name='productchange',
            index=models.Index(fields=['sku', 'id'], name='product_change_by_sku'),
        ),
        AddIndexConcurrently(
            model_name='productchange',
            index=models.Index(condition=models.Q(('change_type', 'CREATE')), fields=['id'], name='product_change_create'),
        ),
        AddIndexConcurrently(
            model_name='productchange',
            index=models.Index(condition=models.Q(('change_type', 'UPDATE')), fields=['id'], name='product_change_update'),
        ),
        AddIndexConcurrently(
            model_name='productchange',
            index=models.Index(condition=models.Q(('change_type', 'DELETE')), fields=['id'], name='product_change_delete'),
        ),
        AddIndexConcurrently(
            model_name='productchange',
            index=models.Index(condition=models.Q(('change_type', 'RESTORE')), fields=['id'], name='product_change_restore'),
        ),
        AddIndexConcurrently(
            model_name='productsyncrun',
            index=models.Index(fields=['status', 'id'], name='productsyncrun_by_status'),
        ),
        AddIndexConcurrently(
            model_name='rejectedrow',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['id'], name='rejected_row_open'),
        ),
        AddIndexConcurrently(
            model_name='rejectedrow',
            index=models.Index(fields=['reason', 'id'], name='rejected_row_by_reason'),
        ),
        AddIndexConcurrently(
            model_name='rejectedrow',
            index=models.Index(fields=['field', 'id'], name='rejected_row_by_field'),
        ),
        AddIndexConcurrently(
            model_name='rejectedrow',
            index=models.Index(fields=['brand', 'id'], name='rejected_row_by_brand'),
        ),
        AddIndexConcurrently(
            model_name='rejectedrow',
            index=models.Index(fields=['sku', 'id'], name='rejected_row_by_sku'),
        ),
        AddIndexConcurrently(
            model_name='rejectedrow',
            index=models.Index(fields=['src_id', 'id'], name='rejected_row_by_source_row'),
        ),
    ]
