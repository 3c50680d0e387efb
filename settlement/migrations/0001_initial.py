"""The clearing house's tables, what may never change in them, and one open batch at a time."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import compliance.fields
from compliance.database import append_only


class Migration(migrations.Migration):
    initial = True

    dependencies = [("compliance", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="InstrumentTerms",
            fields=[
                ("instrument", models.IntegerField(primary_key=True, serialize=False)),
                ("base_asset", models.IntegerField()),
                ("quote_asset", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Lane",
            fields=[
                ("name", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("address", models.CharField(max_length=42, unique=True)),
                ("next_nonce", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("sequence", models.BigIntegerField()),
                ("block_number", models.BigIntegerField()),
                ("mismatches", models.IntegerField()),
                ("report", models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("batch_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("from_sequence", models.BigIntegerField()),
                ("to_sequence", models.BigIntegerField()),
                ("fills", models.IntegerField()),
                ("fills_root", models.BinaryField(max_length=32)),
                ("chunks_hash", models.BinaryField(max_length=32)),
                ("venue_signature", models.BinaryField(max_length=65)),
                ("clearing_signature", models.BinaryField(max_length=65, null=True)),
                ("unwind_signature", models.BinaryField(max_length=65, null=True)),
                ("unwind_act", models.UUIDField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("signed", "Signed"),
                            ("settling", "Settling"),
                            ("opening", "Opening"),
                            ("collecting", "Collecting"),
                            ("paying", "Paying"),
                            ("unwinding", "Unwinding"),
                            ("reorganised", "Reorganised"),
                            ("confirmed", "Confirmed"),
                            ("unwound", "Unwound"),
                        ],
                        db_index=True,
                        default="proposed",
                        max_length=12,
                    ),
                ),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.IntegerField(default=0)),
                ("error", models.TextField(blank=True, default="")),
                ("block_before", models.BigIntegerField(null=True)),
                ("gas_used", models.BigIntegerField(default=0)),
                ("proposed_at", models.DateTimeField(auto_now_add=True)),
                ("signed_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("unwound_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("fills__gte", 0),
                            ("from_sequence__gte", 1),
                            ("to_sequence__gte", models.F("from_sequence")),
                        ),
                        name="settlement_batch_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["proposed", "unwound"]),
                            ("clearing_signature__isnull", False),
                            _connector="OR",
                        ),
                        name="settlement_batch_signed",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "unwound"), _negated=True),
                        fields=("from_sequence",),
                        name="settlement_batch_range_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CarriedIntent",
            fields=[
                ("intent", models.UUIDField(primary_key=True, serialize=False)),
                ("body", models.CharField(max_length=12)),
                ("authority", models.CharField(max_length=42)),
                ("id_bytes", models.BinaryField(max_length=32)),
                ("subject", models.CharField(max_length=80)),
                ("confirmed_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("confirmed_at__isnull", True)),
                        fields=["intent"],
                        name="settlement_carried_unconfirmed",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Deployment",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("instance", models.UUIDField()),
                ("chain_id", models.BigIntegerField()),
                ("block_number", models.BigIntegerField()),
                ("settlement", models.CharField(max_length=42)),
                ("account_registry", models.CharField(max_length=42)),
                ("identity_registry", models.CharField(max_length=42)),
                ("suspense", models.CharField(max_length=42)),
                ("guarantee_fund", models.CharField(max_length=42)),
                ("authorities", models.JSONField()),
                ("tokens", models.JSONField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="settlement_deployment_one"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Obligation",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "sequence",
                        "fill_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("sequence", models.BigIntegerField()),
                ("fill_id", models.BigIntegerField()),
                ("instrument", models.IntegerField()),
                ("buyer", models.BigIntegerField()),
                ("seller", models.BigIntegerField()),
                ("base_asset", models.IntegerField()),
                ("base_units", compliance.fields.UnitsField()),
                ("quote_asset", models.IntegerField()),
                ("quote_units", compliance.fields.UnitsField()),
                ("buyer_fee_units", compliance.fields.UnitsField()),
                ("seller_fee_units", compliance.fields.UnitsField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("base_units__gt", 0), ("quote_units__gt", 0)),
                            models.Q(
                                ("base_units__gt", 0),
                                ("fill_id", 0),
                                ("instrument", 0),
                                ("quote_units", 0),
                            ),
                            _connector="OR",
                        ),
                        name="settlement_obligation_positive",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("fill_id__gt", 0)),
                        fields=("fill_id",),
                        name="settlement_obligation_fill_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ObligationPosition",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("sequence", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="settlement_position_one"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Chunk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("index", models.IntegerField()),
                ("phase", models.SmallIntegerField()),
                ("data", models.BinaryField()),
                ("hash", models.BinaryField(max_length=32)),
                ("deltas", models.IntegerField()),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="chunks",
                        to="settlement.batch",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "index"), name="settlement_chunk_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ChainTransaction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("nonce", models.BigIntegerField()),
                ("subject", models.CharField(db_index=True, max_length=80)),
                ("target", models.CharField(max_length=42)),
                ("data", models.BinaryField()),
                ("gas", models.BigIntegerField()),
                ("max_fee_wei", compliance.fields.UnitsField()),
                ("priority_fee_wei", compliance.fields.UnitsField()),
                ("raw", models.BinaryField()),
                (
                    "hashes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=66), size=None
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("stored", "Stored"),
                            ("broadcast", "Broadcast"),
                            ("mined", "Mined"),
                            ("final", "Final"),
                            ("reverted", "Reverted"),
                            ("superseded", "Superseded"),
                        ],
                        db_index=True,
                        default="stored",
                        max_length=10,
                    ),
                ),
                ("gas_used", models.BigIntegerField(null=True)),
                ("error", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transactions",
                        to="settlement.batch",
                    ),
                ),
                (
                    "lane",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transactions",
                        to="settlement.lane",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("lane", "nonce"), name="settlement_nonce_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["stored", "broadcast"])),
                        fields=("subject",),
                        name="settlement_step_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NetPosition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("asset", models.IntegerField()),
                ("amount_units", compliance.fields.UnitsField()),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positions",
                        to="settlement.batch",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("batch", "account", "asset"), name="settlement_position_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReserveMovement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("diverted", "Diverted"), ("substituted", "Substituted")],
                        max_length=12,
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("asset", models.IntegerField()),
                ("amount_units", compliance.fields.UnitsField()),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reserve_movements",
                        to="settlement.batch",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("batch", "kind", "account", "asset"),
                        name="settlement_movement_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Substitution",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("act", models.UUIDField(unique=True)),
                ("asset", models.IntegerField()),
                ("account", models.BigIntegerField()),
                ("amount_units", compliance.fields.UnitsField()),
                ("clearing_signature", models.BinaryField(max_length=65, null=True)),
                ("venue_signature", models.BinaryField(max_length=65, null=True)),
                ("registered_at", models.DateTimeField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="substitutions",
                        to="settlement.batch",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("batch", "asset", "account"), name="settlement_substitution_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_units__gt", 0)),
                        name="settlement_substitution_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DepositPosition",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("block_number", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="settlement_deposit_position_one"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ChainSight",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("block_number", models.BigIntegerField()),
                ("block_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="settlement_chain_sight_one"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX settlement_batch_one_open ON settlement_batch ((true)) "
            "WHERE state NOT IN ('confirmed', 'unwound', 'reorganised')",
            "DROP INDEX settlement_batch_one_open",
        ),
        append_only("settlement_obligation"),
        append_only("settlement_netposition"),
        append_only("settlement_chunk"),
        append_only("settlement_reservemovement"),
        append_only(
            "settlement_batch",
            "UPDATE OF from_sequence, to_sequence, fills_root, chunks_hash OR DELETE",
        ),
    ]
