"""SQL that migrations of every body share; no queries."""

from django.db import migrations

APPEND_ONLY_FUNCTION = """
CREATE FUNCTION nexus_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""


def append_only(table: str, operations: str = "UPDATE OR DELETE") -> migrations.RunSQL:
    """Return the operation that makes a table refuse the operations and TRUNCATE.

    Needs `nexus_append_only()`, which compliance's first migration creates. Two triggers, for row
    triggers do not see TRUNCATE.
    """
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE {operations} ON {table}
            FOR EACH ROW EXECUTE FUNCTION nexus_append_only();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION nexus_append_only();
        """,
        f"""
        DROP TRIGGER {table}_append_only ON {table};
        DROP TRIGGER {table}_no_truncate ON {table};
        """,
    )
