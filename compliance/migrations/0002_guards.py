"""What the database itself refuses: edits of the audit log, unlawful acts, keys of odd length."""

from django.db import migrations

from compliance.database import append_only

ACT_GUARD = """
CREATE FUNCTION compliance_act_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state <> 'proposed' THEN
        RAISE EXCEPTION 'act % must begin as proposed, found %', NEW.id, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.id, OLD.body, OLD.kind, OLD.payload, OLD.payload_hash, OLD.reason,
                OLD.proposer_id, OLD.proposer_signature, OLD.created_at)
            IS DISTINCT FROM (NEW.id, NEW.body, NEW.kind, NEW.payload, NEW.payload_hash, NEW.reason,
                NEW.proposer_id, NEW.proposer_signature, NEW.created_at) THEN
            RAISE EXCEPTION 'act %: what was proposed cannot be changed', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.state <> NEW.state AND NOT (
                OLD.state = 'proposed' AND NEW.state IN ('approved', 'rejected')
                OR OLD.state = 'approved' AND NEW.state IN ('executed', 'failed')) THEN
            RAISE EXCEPTION 'act %: % cannot become %', OLD.id, OLD.state, NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.state <> 'proposed' AND (OLD.approver_id, OLD.approver_signature)
            IS DISTINCT FROM (NEW.approver_id, NEW.approver_signature) THEN
            RAISE EXCEPTION 'act %: the decision cannot be changed', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF EXISTS (SELECT FROM compliance_officer
               WHERE id IN (NEW.proposer_id, NEW.approver_id) AND body <> NEW.body) THEN
        RAISE EXCEPTION 'act %: proposer and approver must both serve %', NEW.id, NEW.body
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER compliance_act_guard BEFORE INSERT OR UPDATE ON compliance_act
    FOR EACH ROW EXECUTE FUNCTION compliance_act_guard();
ALTER TABLE compliance_act
    ADD CONSTRAINT act_kind_of_body CHECK (split_part(kind, '.', 1) = body),
    ADD CONSTRAINT act_sizes CHECK (octet_length(payload_hash) = 32
        AND octet_length(proposer_signature) = 64 AND octet_length(approver_signature) = 64);
ALTER TABLE compliance_officer
    ADD CONSTRAINT officer_key_size CHECK (octet_length(public_key) = 32);
"""
ACT_GUARD_REVERSE = """
ALTER TABLE compliance_officer DROP CONSTRAINT officer_key_size;
ALTER TABLE compliance_act DROP CONSTRAINT act_kind_of_body, DROP CONSTRAINT act_sizes;
DROP TRIGGER compliance_act_guard ON compliance_act;
DROP FUNCTION compliance_act_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("compliance", "0001_initial")]

    operations = [
        append_only("compliance_auditrecord"),
        append_only("compliance_act", "DELETE"),
        migrations.RunSQL(ACT_GUARD, ACT_GUARD_REVERSE),
    ]
