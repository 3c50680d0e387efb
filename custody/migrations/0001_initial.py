"""Assets, accounts, ledger, evidence, issuance, withdrawals and money."""

import compliance.fields
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("compliance", "0002_guards")]

    operations = [
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("id", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=12, unique=True)),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[("metal", "Metal"), ("cash", "Cash"), ("security", "Security")],
                        max_length=16,
                    ),
                ),
                ("decimals", models.PositiveSmallIntegerField()),
                ("token_address", models.CharField(max_length=42, null=True, unique=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id__gt", 0)), name="asset_id_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("decimals__lte", 18)), name="asset_decimals_bounded"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("holder", models.BigIntegerField(db_index=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("member", "Member"),
                            ("revenue", "Revenue"),
                            ("outside", "Outside"),
                            ("suspense", "Suspense"),
                            ("guarantee", "Guarantee"),
                        ],
                        default="member",
                        max_length=16,
                    ),
                ),
                ("address", models.CharField(max_length=42, null=True, unique=True)),
                ("attestation", models.BinaryField(max_length=65, null=True)),
                ("engine_sequence", models.BigIntegerField(null=True)),
                ("registered_at", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("engine_sequence__isnull", True),
                            ("registered_at__isnull", True),
                            _connector="OR",
                        ),
                        fields=["due_at"],
                        name="account_unready",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("id__gte", 1000), ("id__lt", 2147483648), ("kind", "member")),
                            models.Q(
                                ("id__range", (1, 4)), models.Q(("kind", "member"), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="account_number_by_kind",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EvidenceKey",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("bank", "Bank"),
                            ("vault", "Vault"),
                            ("auditor", "Auditor"),
                            ("registrar", "Registrar"),
                        ],
                        max_length=16,
                    ),
                ),
                ("public_key", models.BinaryField(max_length=32, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="BankNotice",
            fields=[
                ("notice_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "bank",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="custody.evidencekey",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="custody.account",
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="custody.asset",
                    ),
                ),
                ("amount_units", compliance.fields.UnitsField()),
                ("booked_at", models.CharField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_units__range", (1, 9223372036854775807))),
                        name="notice_amount_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RegistrarNotice",
            fields=[
                ("notice_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "registrar",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="registrar_notices",
                        to="custody.evidencekey",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="registrar_notices",
                        to="custody.account",
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="registrar_notices",
                        to="custody.asset",
                    ),
                ),
                ("amount_units", compliance.fields.UnitsField()),
                ("booked_at", models.CharField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_units__range", (1, 9223372036854775807))),
                        name="registrar_amount_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VaultReceipt",
            fields=[
                ("receipt_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="custody.asset",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="custody.account",
                    ),
                ),
                ("bars", models.JSONField()),
                ("fine_units", compliance.fields.UnitsField()),
                (
                    "vault",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="custody.evidencekey",
                    ),
                ),
                ("vault_signature", models.BinaryField(max_length=64)),
                (
                    "auditor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="counts",
                        to="custody.evidencekey",
                    ),
                ),
                ("auditor_fine_units", compliance.fields.UnitsField()),
                ("auditor_signature", models.BinaryField(max_length=64)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("auditor_fine_units", models.F("fine_units")),
                            ("fine_units__range", (1, 9223372036854775807)),
                        ),
                        name="receipt_count_agrees",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VaultBar",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "receipt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="held_bars",
                        to="custody.vaultreceipt",
                    ),
                ),
                ("refiner", models.CharField(max_length=64)),
                ("serial", models.CharField(max_length=64)),
                ("year", models.PositiveSmallIntegerField()),
                ("vault", models.CharField(max_length=64)),
                ("gross_units", compliance.fields.UnitsField()),
                ("fine_units", compliance.fields.UnitsField()),
                ("fineness_ppm", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("refiner", "serial", "year"), name="bar_counted_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("fine_units__range", (1, models.F("gross_units"))),
                            ("fineness_ppm__range", (1, 1000000)),
                            ("gross_units__lte", 9223372036854775807),
                        ),
                        name="bar_weights_bounded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CustodyIntent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=32)),
                ("target", models.CharField(max_length=42)),
                ("data", models.BinaryField()),
                ("deadline", models.BigIntegerField(default=0)),
                ("signature", models.BinaryField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("awaiting", "Awaiting"),
                            ("signed", "Signed"),
                            ("submitted", "Submitted"),
                            ("confirmed", "Confirmed"),
                            ("failed", "Failed"),
                            ("void", "Void"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("subject", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="intents",
                        to="custody.account",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_cus_state_23e108_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["requested", "awaiting", "failed", "void"]),
                            models.Q(("deadline__gt", 0), ("signature__isnull", False)),
                            _connector="OR",
                        ),
                        name="custody_custodyintent_signed",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "open")),
                        fields=("account",),
                        name="custody_account_opened_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Withdrawal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="withdrawals",
                        to="custody.account",
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="withdrawals",
                        to="custody.asset",
                    ),
                ),
                ("amount_units", compliance.fields.UnitsField()),
                ("fee_units", compliance.fields.UnitsField(default=0)),
                ("vat_units", compliance.fields.UnitsField(default=0)),
                (
                    "kind",
                    models.CharField(
                        choices=[("cash", "Cash"), ("token", "Token"), ("bar", "Bar")], max_length=8
                    ),
                ),
                ("destination", models.CharField(max_length=1000)),
                ("client_reference", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("debiting", "Debiting"),
                            ("held", "Held"),
                            ("covered", "Covered"),
                            ("signed", "Signed"),
                            ("executed", "Executed"),
                            ("completed", "Completed"),
                            ("returning", "Returning"),
                            ("returned", "Returned"),
                            ("refused", "Refused"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("engine_sequence", models.BigIntegerField(null=True)),
                ("return_sequence", models.BigIntegerField(null=True)),
                ("cover_sequence", models.BigIntegerField(null=True)),
                ("cover_signature", models.BinaryField(max_length=65, null=True)),
                (
                    "intent",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.custodyintent",
                    ),
                ),
                (
                    "act",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, to="compliance.act"
                    ),
                ),
                ("limit_day", models.DateField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("executed_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_wit_state_125b19_idx"),
                    models.Index(
                        fields=["account", "-created_at"], name="custody_wit_account_060ba4_idx"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "client_reference"), name="withdrawal_reference_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_units__range", (1, 9223372036854775807)),
                            ("fee_units__range", (0, 9223372036854775807)),
                            ("vat_units__range", (0, 9223372036854775807)),
                        ),
                        name="withdrawal_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["requested", "debiting", "refused", "cancelled"]),
                            ("engine_sequence__isnull", False),
                            _connector="OR",
                        ),
                        name="withdrawal_debit_sequenced",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("intent", None), ("intent", models.F("id")), _connector="OR"
                        ),
                        name="withdrawal_intent_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "returned"),
                            models.Q(
                                ("state__in", ["executed", "completed"]),
                                ("executed_at", None),
                                _connector="XOR",
                            ),
                            _connector="OR",
                        ),
                        name="withdrawal_executed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["completed", "returned", "refused", "cancelled"]),
                            ("closed_at", None),
                            _connector="XOR",
                        ),
                        name="withdrawal_closed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AutomaticLimit",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "action",
                        "asset",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[("deposit", "Deposit"), ("withdraw", "Withdraw")], max_length=8
                    ),
                ),
                ("units", compliance.fields.UnitsField()),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="custody.asset",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WithdrawalCharge",
            fields=[
                (
                    "withdrawal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="charge",
                        serialize=False,
                        to="custody.withdrawal",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "Due"),
                            ("moved", "Moved"),
                            ("credited", "Credited"),
                            ("void", "Void"),
                        ],
                        default="due",
                        max_length=16,
                    ),
                ),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "intent",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.custodyintent",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_wit_state_50e7e4_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["credited", "void"]),
                            ("closed_at", None),
                            _connector="XOR",
                        ),
                        name="charge_closed",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BarReservation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "bar",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reservation",
                        to="custody.vaultbar",
                    ),
                ),
                (
                    "withdrawal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bars",
                        to="custody.withdrawal",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReleaseDue",
            fields=[
                (
                    "withdrawal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="release_due",
                        serialize=False,
                        to="custody.withdrawal",
                    ),
                ),
                (
                    "vault",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="custody.evidencekey",
                    ),
                ),
                ("signature", models.BinaryField(max_length=64, null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="VaultRelease",
            fields=[
                ("release_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "withdrawal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="release",
                        to="custody.withdrawal",
                    ),
                ),
                (
                    "vault",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="custody.evidencekey",
                    ),
                ),
                ("fine_units", compliance.fields.UnitsField()),
                ("bars", models.JSONField()),
                ("released_at", models.CharField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="TokenDeposit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="token_deposits",
                        to="custody.account",
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="token_deposits",
                        to="custody.asset",
                    ),
                ),
                ("amount_units", compliance.fields.UnitsField()),
                ("sender", models.CharField(max_length=42)),
                ("transaction_hash", models.CharField(max_length=66)),
                ("log_index", models.PositiveIntegerField()),
                ("block_number", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("found", "Found"),
                            ("confirmed", "Confirmed"),
                            ("credited", "Credited"),
                        ],
                        default="found",
                        max_length=16,
                    ),
                ),
                ("engine_sequence", models.BigIntegerField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_tok_state_219920_idx"),
                    models.Index(
                        fields=["account", "-created_at"], name="custody_tok_account_88a3b4_idx"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("transaction_hash", "log_index"), name="token_deposit_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_units__range", (1, 9223372036854775807))),
                        name="token_deposit_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "credited"), _negated=True),
                            ("engine_sequence__isnull", False),
                            _connector="OR",
                        ),
                        name="token_deposit_sequenced",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WithdrawalHalt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField()),
                ("halted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "lifted_by",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, to="compliance.act"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VirtualAccount",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="virtual_account",
                        serialize=False,
                        to="custody.account",
                    ),
                ),
                (
                    "bank",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="custody.evidencekey",
                    ),
                ),
                ("number", models.CharField(max_length=32, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="BankAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_accounts",
                        to="custody.account",
                    ),
                ),
                ("bank", models.CharField(max_length=64)),
                ("number", models.CharField(max_length=32)),
                ("holder_name", models.CharField(max_length=200)),
                ("registered_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "bank", "number"), name="bank_account_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CashDeposit",
            fields=[
                ("notice_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                (
                    "bank",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cash_deposits",
                        to="custody.evidencekey",
                    ),
                ),
                ("document", models.JSONField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                (
                    "asset",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="custody.asset",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cash_deposits",
                        to="custody.account",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("review", "Review"),
                            ("accepted", "Accepted"),
                            ("returning", "Returning"),
                            ("returned", "Returned"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "act",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, to="compliance.act"
                    ),
                ),
                ("limit_day", models.DateField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_cas_state_453dec_idx"),
                    models.Index(
                        fields=["account", "-received_at"], name="custody_cas_account_336294_idx"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)), name="cash_deposit_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "accepted"), _negated=True),
                            models.Q(
                                ("account__isnull", False),
                                ("amount__gt", 0),
                                ("asset__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="cash_deposit_accepted_for_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "review"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="cash_deposit_review_reasoned",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["returning", "returned"]), _negated=True),
                            ("act__isnull", False),
                            _connector="OR",
                        ),
                        name="cash_deposit_return_decided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BankBalance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("booked_at", models.DateTimeField()),
                ("document", models.JSONField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="custody.asset",
                    ),
                ),
                (
                    "bank",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="balances",
                        to="custody.evidencekey",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("bank", "asset", "booked_at", "amount"), name="bank_balance_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentOrder",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "withdrawal",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment",
                        to="custody.withdrawal",
                    ),
                ),
                (
                    "deposit",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="returns",
                        to="custody.cashdeposit",
                    ),
                ),
                (
                    "bank",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment_orders",
                        to="custody.evidencekey",
                    ),
                ),
                ("to_bank", models.CharField(max_length=64)),
                ("to_number", models.CharField(max_length=32)),
                ("to_name", models.CharField(max_length=200)),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "Due"),
                            ("signed", "Signed"),
                            ("sent", "Sent"),
                            ("paid", "Paid"),
                            ("rejected", "Rejected"),
                        ],
                        default="due",
                        max_length=8,
                    ),
                ),
                ("signature", models.BinaryField(max_length=64, null=True)),
                ("answer", models.JSONField(null=True)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("sent_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_pay_state_25c1c0_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deposit", None), ("withdrawal", models.F("id"))),
                            models.Q(("deposit__isnull", False), ("withdrawal", None)),
                            _connector="OR",
                        ),
                        name="payment_one_cause",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="payment_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "due"), ("signature__isnull", False), _connector="OR"
                        ),
                        name="payment_signed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("answer__isnull", False), ("state__in", ["paid", "rejected"])
                            ),
                            models.Q(("answer", None), ("state__in", ["due", "signed", "sent"])),
                            _connector="OR",
                        ),
                        name="payment_answered",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "rejected"), _negated=True),
                        fields=("deposit",),
                        name="payment_returns_a_deposit_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Issuance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "notice",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.banknotice",
                    ),
                ),
                (
                    "receipt",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.vaultreceipt",
                    ),
                ),
                (
                    "registration",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.registrarnotice",
                    ),
                ),
                (
                    "deposit",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.cashdeposit",
                    ),
                ),
                (
                    "rejection",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.paymentorder",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="issuances",
                        to="custody.account",
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="issuances",
                        to="custody.asset",
                    ),
                ),
                ("amount_units", compliance.fields.UnitsField()),
                (
                    "act",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, to="compliance.act"
                    ),
                ),
                (
                    "intent",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="custody.custodyintent",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("approved", "Approved"),
                            ("signed", "Signed"),
                            ("minted", "Minted"),
                            ("credited", "Credited"),
                        ],
                        default="approved",
                        max_length=16,
                    ),
                ),
                ("engine_sequence", models.BigIntegerField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="custody_iss_state_d23809_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("deposit__isnull", True),
                                ("notice__isnull", False),
                                ("receipt__isnull", True),
                                ("registration__isnull", True),
                                ("rejection__isnull", True),
                            ),
                            models.Q(
                                ("deposit__isnull", True),
                                ("notice__isnull", True),
                                ("receipt__isnull", False),
                                ("registration__isnull", True),
                                ("rejection__isnull", True),
                            ),
                            models.Q(
                                ("deposit__isnull", True),
                                ("notice__isnull", True),
                                ("receipt__isnull", True),
                                ("registration__isnull", False),
                                ("rejection__isnull", True),
                            ),
                            models.Q(
                                ("deposit__isnull", False),
                                ("notice__isnull", True),
                                ("receipt__isnull", True),
                                ("registration__isnull", True),
                                ("rejection__isnull", True),
                            ),
                            models.Q(
                                ("deposit__isnull", True),
                                ("notice__isnull", True),
                                ("receipt__isnull", True),
                                ("registration__isnull", True),
                                ("rejection__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="issuance_one_evidence",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("act__isnull", False),
                            ("deposit__isnull", False),
                            ("rejection__isnull", False),
                            _connector="OR",
                        ),
                        name="issuance_decided",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_units__range", (1, 9223372036854775807))),
                        name="issuance_amount_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "credited"), _negated=True),
                            ("engine_sequence__isnull", False),
                            _connector="OR",
                        ),
                        name="issuance_credit_sequenced",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sequence", models.BigIntegerField()),
                ("index", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("fill", "Fill"),
                            ("credit", "Credit"),
                            ("debit", "Debit"),
                            ("transfer", "Transfer"),
                            ("conversion", "Conversion"),
                            ("split", "Split"),
                            ("allocation", "Allocation"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reference", models.CharField(max_length=96)),
                ("time", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("sequence", "index"), name="entry_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Posting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="custody.entry",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="custody.account",
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="custody.asset",
                    ),
                ),
                ("amount_units", compliance.fields.UnitsField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["account", "asset", "id"], name="custody_pos_account_2be7d8_idx"
                    ),
                    models.Index(fields=["account", "id"], name="custody_pos_account_7a86bd_idx"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_units__range", (-9223372036854775807, 9223372036854775807)),
                            models.Q(("amount_units", 0), _negated=True),
                        ),
                        name="posting_amount_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerInstrument",
            fields=[
                ("id", models.PositiveIntegerField(primary_key=True, serialize=False)),
                ("base_asset", models.PositiveSmallIntegerField()),
                ("quote_asset", models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="LedgerPosition",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("sequence", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="ledger_position_single"
                    )
                ],
            },
        ),
    ]
