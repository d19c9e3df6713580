"""The evidence of a quarantine, asked for: whole or in parts, of its own workspace only, and after its end too."""

import hashlib
import json

import pytest

from contracts.network_policy import EvidenceKept, EvidenceShown, ShowEvidence
from network_policy.handlers import quarantines as answering
from tests.network_policy.quarantines import NEVER, ordered, released
from tests.network_policy.stage import Stage


async def shown(stage: Stage, quarantine_id: str, part: int = 1, of: str | None = None) -> EvidenceShown:
    answer = await stage.site.ask(ShowEvidence(of=of or stage.name, quarantine_id=quarantine_id, part=part))
    assert isinstance(answer, EvidenceShown)
    return answer


async def test_what_was_kept_is_shown_in_parts_and_after_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.service(scan_seconds=NEVER, quarantine_down_seconds=0.2)
    groups, ports = await stage.standing()
    told = await ordered(stage, role="login")
    whole = await shown(stage, told.quarantine_id)
    assert (whole.part, whole.parts, whole.quarantine.evidence) == (1, 1, told.evidence)
    assert whole.content == "".join(piece.content for piece in stage.site.tap.of(EvidenceKept, stage.name))
    kept = json.loads(whole.content)
    assert [one["id"] for one in kept["ports"]] == [ports["login-0"]]
    assert groups["login"] in {one["id"] for one in kept["groups"]}
    monkeypatch.setattr(answering, "MAX_EVIDENCE_PART_CHARACTERS", 1000)
    first = await shown(stage, told.quarantine_id)
    assert first.parts > 1
    pieces = [(await shown(stage, told.quarantine_id, part)).content for part in range(1, first.parts + 1)]
    assert f"sha256:{hashlib.sha256(''.join(pieces).encode()).hexdigest()}" == told.evidence
    await released(stage, told.quarantine_id)
    assert (await shown(stage, told.quarantine_id)).quarantine.state == "released"
    for quarantine_id, part, of, words in (
        (stage.site.ids.uuid(), 1, None, "has no quarantine"),
        (told.quarantine_id, 1, "elsewhere", "has no quarantine"),
        (told.quarantine_id, 20, None, "parts"),
    ):
        with pytest.raises(AssertionError, match=words):
            await shown(stage, quarantine_id, part, of)
