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
# By statement as well: three foreign keys a row took ten times as long. Subqueries and not joins, so
# that each name is one look-up in an index.
KNOWN = """
CREATE FUNCTION custody_posting_known() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown record;
BEGIN
    SELECT named.* INTO unknown FROM (
        SELECT DISTINCT 'entry' AS kind, entry_id AS id FROM added
        UNION ALL SELECT DISTINCT 'account', account_id FROM added
        UNION ALL SELECT DISTINCT 'asset', asset_id FROM added
    ) AS named
    WHERE CASE kind
        WHEN 'entry' THEN (SELECT id FROM custody_entry WHERE id = named.id)
        WHEN 'account' THEN (SELECT id FROM custody_account WHERE id = named.id)
        ELSE (SELECT id FROM custody_asset WHERE id = named.id)
    END IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a posting names % %, which does not exist', unknown.kind, unknown.id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER custody_posting_known AFTER INSERT ON custody_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION custody_posting_known();
"""
KNOWN_REVERSE = """
DROP TRIGGER custody_posting_known ON custody_posting;
DROP FUNCTION custody_posting_known();
"""
ROWS = """
INSERT INTO custody_account (id, holder, kind, opened_at, due_at, attempts) VALUES
    (1, 1, 'outside', now(), now(), 0), (2, 2, 'revenue', now(), now(), 0),
    (3, 3, 'suspense', now(), now(), 0), (4, 4, 'guarantee', now(), now(), 0);
INSERT INTO custody_ledgerposition (id, sequence) VALUES (1, 0);
CREATE SEQUENCE custody_account_number START 1000 MAXVALUE 2147483647;
"""
ROWS_REVERSE = """
DROP SEQUENCE custody_account_number;
DELETE FROM custody_ledgerposition;
DELETE FROM custody_account WHERE id <= 4;
"""
# What a withdrawal takes, from whom and whereto never changes: the engine's reference carries it.
WITHDRAWAL_FIXED = """
CREATE FUNCTION custody_withdrawal_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.account_id, NEW.asset_id, NEW.amount_units, NEW.fee_units, NEW.vat_units,
        NEW.kind, NEW.destination, NEW.client_reference) IS DISTINCT FROM
       (OLD.id, OLD.account_id, OLD.asset_id, OLD.amount_units, OLD.fee_units, OLD.vat_units,
        OLD.kind, OLD.destination, OLD.client_reference) THEN
        RAISE EXCEPTION 'the terms of withdrawal % never change', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER custody_withdrawal_fixed BEFORE UPDATE ON custody_withdrawal
    FOR EACH ROW EXECUTE FUNCTION custody_withdrawal_fixed();
"""
WITHDRAWAL_FIXED_REVERSE = """
DROP TRIGGER custody_withdrawal_fixed ON custody_withdrawal;
DROP FUNCTION custody_withdrawal_fixed();
"""
# What a bank told, and what a bank is told to pay, never changes: signatures stand over it.
CASH_FIXED = """
CREATE FUNCTION custody_cash_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the terms of % never change', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER custody_cashdeposit_fixed BEFORE UPDATE ON custody_cashdeposit
    FOR EACH ROW WHEN ((OLD.notice_id, OLD.bank_id, OLD.document, OLD.currency, OLD.amount, OLD.asset_id)
        IS DISTINCT FROM (NEW.notice_id, NEW.bank_id, NEW.document, NEW.currency, NEW.amount, NEW.asset_id))
    EXECUTE FUNCTION custody_cash_fixed();
CREATE TRIGGER custody_paymentorder_fixed BEFORE UPDATE ON custody_paymentorder
    FOR EACH ROW WHEN ((OLD.id, OLD.withdrawal_id, OLD.deposit_id, OLD.bank_id, OLD.to_bank,
            OLD.to_number, OLD.to_name, OLD.currency, OLD.amount)
        IS DISTINCT FROM (NEW.id, NEW.withdrawal_id, NEW.deposit_id, NEW.bank_id, NEW.to_bank,
            NEW.to_number, NEW.to_name, NEW.currency, NEW.amount))
    EXECUTE FUNCTION custody_cash_fixed();
"""
CASH_FIXED_REVERSE = """
DROP TRIGGER custody_paymentorder_fixed ON custody_paymentorder;
DROP TRIGGER custody_cashdeposit_fixed ON custody_cashdeposit;
DROP FUNCTION custody_cash_fixed();
"""


class Migration(migrations.Migration):
    dependencies = [("custody", "0001_initial")]

    operations = [
        migrations.RunSQL(BALANCED, BALANCED_REVERSE),
        migrations.RunSQL(KNOWN, KNOWN_REVERSE),
        *(
            append_only(f"custody_{table}")
            for table in (
                *("entry", "posting", "virtualaccount", "bankbalance"),
                *("banknotice", "registrarnotice", "vaultreceipt", "vaultbar", "vaultrelease"),
            )
        ),
        append_only("custody_withdrawal", "DELETE"),
        append_only("custody_cashdeposit", "DELETE"),
        append_only("custody_paymentorder", "DELETE"),
        append_only("custody_bankaccount", "UPDATE"),
        migrations.RunSQL(WITHDRAWAL_FIXED, WITHDRAWAL_FIXED_REVERSE),
        migrations.RunSQL(CASH_FIXED, CASH_FIXED_REVERSE),
        migrations.RunSQL(ROWS, ROWS_REVERSE),
        # What postings name.
        append_only("custody_account", "DELETE"),
        append_only("custody_asset", "DELETE"),
    ]
