"""What the database itself holds: an append-only, balanced ledger, and the four fixed accounts."""

from django.db import migrations

from compliance.database import append_only

# Per statement over what it adds, not deferred and per row: nothing but inserts can touch postings,
# so an entry to which every statement adds zero sums to zero; and no plan can turn into a scan.
BALANCED = """
CREATE FUNCTION custody_entry_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced record;
BEGIN
    SELECT entry_id, asset_id, sum(amount_units) AS units INTO unbalanced FROM added
        GROUP BY entry_id, asset_id HAVING sum(amount_units) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance: asset % sums to %',
            unbalanced.entry_id, unbalanced.asset_id, unbalanced.units
            USING ERRCODE = 'check_violation',
                HINT = 'insert all postings of an entry by one statement';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER custody_entry_balanced AFTER INSERT ON custody_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION custody_entry_balanced();
"""
BALANCED_REVERSE = """
DROP TRIGGER custody_entry_balanced ON custody_posting;
DROP FUNCTION custody_entry_balanced();
"""
FIXED = """
INSERT INTO custody_account (id, holder, kind, opened_at) VALUES
    (1, 1, 'outside', now()), (2, 2, 'revenue', now()),
    (3, 3, 'suspense', now()), (4, 4, 'guarantee', now());
INSERT INTO custody_ledgerposition (id, sequence) VALUES (1, 0);
CREATE SEQUENCE custody_account_number START 1000 MAXVALUE 2147483647;
"""
FIXED_REVERSE = """
DROP SEQUENCE custody_account_number;
DELETE FROM custody_ledgerposition;
DELETE FROM custody_account WHERE id <= 4;
"""


class Migration(migrations.Migration):
    dependencies = [("custody", "0001_initial"), ("compliance", "0002_guards")]

    operations = [
        migrations.RunSQL(BALANCED, BALANCED_REVERSE),
        *(
            append_only(f"custody_{table}")
            for table in ("entry", "posting", "banknotice", "vaultreceipt", "vaultbar")
        ),
        migrations.RunSQL(FIXED, FIXED_REVERSE),
    ]
