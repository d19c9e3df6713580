"""What the cloud refused, in words for a person; the texts are Manila's and Cinder's own."""

import pytest

from storage.domain.faults import problem_of
from storage.domain.steps import CreateShare, CreateVolume, DeleteShare

SHARE = CreateShare("openhpc/home", "storage.shares.0", "openhpc-home", 1, "CEPHFS", "cephfs", ())
VOLUME = CreateVolume("openhpc/data-0", "storage.volumes.0", "openhpc-data-0", 1, None, ())


@pytest.mark.parametrize(
    ("step", "said", "remedy"),
    [
        (
            SHARE,
            "HttpException: 413: Client Error for url: http://127.0.0.1:28786/v2/shares, ShareLimitExceeded: Maximum "
            "number of shares allowed (1) either per project/user or share type quota is exceeded.",
            "quota",
        ),
        (
            SHARE,
            "NotFoundException: 404: Client Error for url: http://x/v2/shares, Share type not found.",
            "share_types",
        ),
        (VOLUME, "Volume type with name nope could not be found.", "volume_type"),
        (SHARE, "Invalid share protocol provided: GLUSTERFS. It is either disabled or unsupported.", "protocol"),
        (DeleteShare("openhpc/home", "", "id"), "Share has 1 dependent snapshots.", "snapshots"),
        (SHARE, "Policy doesn't allow share:create to be performed.", "role"),
        (SHARE, "", "create the workspace again"),
    ],
)
def test_a_refusal_names_the_field_the_words_and_the_remedy(step: CreateShare, said: str, remedy: str) -> None:
    problem = problem_of(step, said)
    assert problem.field == step.field
    assert problem.reason.startswith(f"{step.told}: ")
    assert "http" not in problem.reason
    assert remedy in problem.remedy


def test_control_characters_and_length_are_bounded() -> None:
    problem = problem_of(SHARE, "\u202e\n" + "x" * 5000)
    assert len(problem.reason) < 600
    assert "\n" not in problem.reason
