"""How acts are printed for persons and scripts."""

import json

from compliance.models import Act


def act_json(act: Act) -> str:
    """Return the act as one line of JSON."""
    return json.dumps(
        {
            "id": str(act.id),
            "body": act.body,
            "kind": act.kind,
            "payload": act.payload,
            "reason": act.reason,
            "state": act.state,
            "proposer": act.proposer.user.username,
            "approver": act.approver.user.username if act.approver else None,
            "result": act.result,
        }
    )
