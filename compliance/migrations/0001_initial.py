"""Parties, officers, acts, intents and the audit log."""

import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models

from compliance.database import APPEND_ONLY_FUNCTION


class Migration(migrations.Migration):
    initial = True

    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RunSQL(APPEND_ONLY_FUNCTION, "DROP FUNCTION nexus_append_only();"),
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                (
                    "first_name",
                    models.CharField(blank=True, max_length=150, verbose_name="first name"),
                ),
                (
                    "last_name",
                    models.CharField(blank=True, max_length=150, verbose_name="last name"),
                ),
                (
                    "email",
                    models.EmailField(blank=True, max_length=254, verbose_name="email address"),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="date joined"
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Officer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="officer",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "body",
                    models.CharField(
                        choices=[
                            ("venue", "Venue"),
                            ("clearing", "Clearing"),
                            ("custody", "Custody"),
                            ("compliance", "Compliance"),
                        ],
                        max_length=16,
                    ),
                ),
                ("public_key", models.BinaryField(max_length=32, unique=True)),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("body__in", ["venue", "clearing", "custody", "compliance"])
                        ),
                        name="officer_body_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Party",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("holder", models.BigIntegerField(unique=True)),
                ("legal_name", models.CharField(max_length=200)),
                (
                    "kind",
                    models.CharField(
                        choices=[("person", "Person"), ("organisation", "Organisation")],
                        max_length=16,
                    ),
                ),
                ("jurisdiction", models.CharField(max_length=2)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("applied", "Applied"),
                            ("identified", "Identified"),
                            ("restricted", "Restricted"),
                            ("closed", "Closed"),
                        ],
                        default="applied",
                        max_length=16,
                    ),
                ),
                ("classes", models.PositiveIntegerField(default=0)),
                ("frozen", models.BooleanField(default=False)),
                ("version", models.PositiveIntegerField(default=0)),
                ("engine_sequence", models.BigIntegerField(null=True)),
                ("frozen_sequence", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("engine_sequence__isnull", True), ("version__gt", 0)),
                        fields=["id"],
                        name="party_unapplied",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("holder__gt", 0)), name="party_holder_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "identified"), ("classes", 0), _connector="OR"
                        ),
                        name="party_classes_identified",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HolderAddress",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("holder", models.BigIntegerField(db_index=True)),
                ("account", models.BigIntegerField(unique=True)),
                ("address", models.CharField(max_length=42, unique=True)),
                ("attestation", models.BinaryField(max_length=65)),
                ("intent_version", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Act",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "body",
                    models.CharField(
                        choices=[
                            ("venue", "Venue"),
                            ("clearing", "Clearing"),
                            ("custody", "Custody"),
                            ("compliance", "Compliance"),
                        ],
                        max_length=16,
                    ),
                ),
                ("kind", models.CharField(max_length=48)),
                ("payload", models.JSONField()),
                ("payload_hash", models.BinaryField(max_length=32)),
                ("reason", models.CharField(max_length=500)),
                (
                    "proposer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposed_acts",
                        to="compliance.officer",
                    ),
                ),
                ("proposer_signature", models.BinaryField(max_length=64, unique=True)),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decided_acts",
                        to="compliance.officer",
                    ),
                ),
                ("approver_signature", models.BinaryField(max_length=64, null=True, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("executed", "Executed"),
                            ("failed", "Failed"),
                        ],
                        default="proposed",
                        max_length=16,
                    ),
                ),
                ("result", models.JSONField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                ("executed_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["body", "state", "due_at"], name="compliance__body_97bd10_idx"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approver__isnull", True),
                            models.Q(("approver", models.F("proposer")), _negated=True),
                            _connector="OR",
                        ),
                        name="act_two_officers",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["proposed", "rejected"]),
                            models.Q(
                                ("approver__isnull", False), ("approver_signature__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="act_approval_signed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("approver__isnull", True), ("state", "proposed")),
                            models.Q(
                                models.Q(("state", "proposed"), _negated=True),
                                ("approver__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="act_decided_by_someone",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditRecord",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                (
                    "body",
                    models.CharField(
                        choices=[
                            ("venue", "Venue"),
                            ("clearing", "Clearing"),
                            ("custody", "Custody"),
                            ("compliance", "Compliance"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor", models.CharField(max_length=200)),
                ("action", models.CharField(max_length=64)),
                ("subject", models.CharField(max_length=200)),
                ("detail", models.JSONField()),
                ("previous_hash", models.BinaryField(max_length=32)),
                ("hash", models.BinaryField(max_length=32, unique=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["subject"], name="compliance__subject_f556ba_idx")
                ],
            },
        ),
        migrations.CreateModel(
            name="RegistryIntent",
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
                    "address",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="intents",
                        to="compliance.holderaddress",
                    ),
                ),
                ("version", models.PositiveIntegerField()),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="compliance__state_cf5b52_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["requested", "awaiting", "failed", "void"]),
                            models.Q(("deadline__gt", 0), ("signature__isnull", False)),
                            _connector="OR",
                        ),
                        name="compliance_registryintent_signed",
                    ),
                    models.UniqueConstraint(
                        fields=("address", "version"), name="registry_intent_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ChainAddresses",
            fields=[
                (
                    "body",
                    models.CharField(
                        choices=[
                            ("venue", "Venue"),
                            ("clearing", "Clearing"),
                            ("custody", "Custody"),
                            ("compliance", "Compliance"),
                        ],
                        max_length=16,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("authority", models.CharField(max_length=42)),
                ("targets", models.JSONField()),
                ("chain_id", models.BigIntegerField()),
                ("salt", models.BinaryField(max_length=32)),
                ("clearing_id", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="SignerKey",
            fields=[
                (
                    "body",
                    models.CharField(
                        choices=[
                            ("venue", "Venue"),
                            ("clearing", "Clearing"),
                            ("custody", "Custody"),
                            ("compliance", "Compliance"),
                        ],
                        max_length=16,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("address", models.CharField(max_length=42, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
    ]
