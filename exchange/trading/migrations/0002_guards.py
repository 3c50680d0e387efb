"""What the database itself holds: fills and movements are append-only, and the projector has one position."""

from django.db import migrations

from compliance.database import append_only


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial"), ("compliance", "0002_guards")]

    operations = [
        append_only("trading_fill"),
        append_only("trading_movement"),
        migrations.RunSQL(
            "INSERT INTO trading_projectorposition (id, sequence) VALUES (1, 0)",
            "DELETE FROM trading_projectorposition",
        ),
    ]
