import api.codec
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0001_access_token'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='time')),
                ('actor_id', models.BigIntegerField(blank=True, null=True, verbose_name='actor id')),
                ('actor_name', models.CharField(blank=True, max_length=150, verbose_name='actor')),
                ('action', models.CharField(max_length=100, verbose_name='action')),
                ('object_type', models.CharField(blank=True, max_length=100, verbose_name='object type')),
                ('object_id', models.TextField(blank=True, verbose_name='object id')),
                ('object_name', models.TextField(blank=True, verbose_name='object')),
                ('before', api.codec.ExactJSONField(blank=True, null=True, verbose_name='before')),
                ('after', api.codec.ExactJSONField(blank=True, null=True, verbose_name='after')),
                ('request_id', models.CharField(blank=True, max_length=64, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'audit event',
                'verbose_name_plural': 'audit events',
                'ordering': ['-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['object_type', 'object_id', 'id'], name='audit_event_timeline'), models.Index(fields=['created_at', 'id'], name='audit_event_by_time')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditevent',
            trigger=pgtrigger.compiler.Trigger(name='audit_event_no_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log is append-only: a row of % cannot be changed.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';", hash='4376d232fe96395648374013f55642497ba2d211', operation='UPDATE', pgid='pgtrigger_audit_event_no_update_52f84', table='access_auditevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditevent',
            trigger=pgtrigger.compiler.Trigger(name='audit_event_no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'The audit log is append-only: a row of % cannot be deleted.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';", hash='f52c276de741e6bf7ce2dc9e14e6d61f648afcfd', operation='DELETE', pgid='pgtrigger_audit_event_no_delete_1e387', table='access_auditevent', when='BEFORE')),
        ),
    ]
