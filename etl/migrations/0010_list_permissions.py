"""Permissions of their own for taking lists along and for dismissing rejected rows."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('etl', '0009_feed_consumer'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='product',
            options={'ordering': ['id'], 'permissions': [('export_product', 'Can export products')], 'verbose_name': 'product', 'verbose_name_plural': 'products'},
        ),
        migrations.AlterModelOptions(
            name='productchange',
            options={'ordering': ['-id'], 'permissions': [('export_productchange', 'Can export product changes')], 'verbose_name': 'product change', 'verbose_name_plural': 'product changes'},
        ),
        migrations.AlterModelOptions(
            name='productsyncrun',
            options={'ordering': ['-id'], 'permissions': [('run_product_sync', 'Can run product sync'), ('export_productsyncrun', 'Can export product sync runs')], 'verbose_name': 'product sync run', 'verbose_name_plural': 'product sync runs'},
        ),
        migrations.AlterModelOptions(
            name='rejectedrow',
            options={'ordering': ['-id'], 'permissions': [('retry_rejectedrow', 'Can retry rejected rows'), ('dismiss_rejectedrow', 'Can dismiss rejected rows'), ('export_rejectedrow', 'Can export rejected rows')], 'verbose_name': 'rejected row', 'verbose_name_plural': 'rejected rows'},
        ),
        migrations.AlterField(
            model_name='rejectedrow',
            name='resolution',
            field=models.CharField(blank=True, choices=[('mended', 'Mended at the source'), ('gone', 'Gone from the source'), ('dismissed', 'Dismissed')], default='', max_length=16, verbose_name='resolution'),
        ),
    ]
