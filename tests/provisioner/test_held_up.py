"""A deletion whose groups others' ports hold: whoever asks what it waits for is told whose, until they are gone."""

from contracts.network_policy import WithdrawalHeld
from provisioner.domain import life
from provisioner.domain.record import Record
from tests.provisioner.story import Story, ready


def held(record: Record, **changed: object) -> Record | None:
    seen = {"workspace": record.name, "generation": record.generation, **changed}
    return life.held_up(record, WithdrawalHeld.model_validate({**WithdrawalHeld.example, **seen}))


def deleting() -> Story:
    story = ready()
    story.delete()
    return story


def test_the_port_its_project_and_what_to_do_are_named_until_the_groups_are_gone() -> None:
    story = deleting()
    assert story.record is not None
    story.record = held(story.record, more=3)
    assert story.record is not None
    problem, more = story.record.problems
    (holder,) = WithdrawalHeld.model_validate(WithdrawalHeld.example).holders
    assert all(each in problem.reason for each in (holder.port_id, holder.project_id, holder.device_id))
    assert f"openstack port unset --security-group {holder.group_id} {holder.port_id}" in problem.remedy
    assert "3 more" in more.reason
    story.look()
    assert story.record.problems == (problem, more)
    story.policy()
    assert not story.record.problems
    assert held(story.record) is None, "told late"


def test_of_another_generation_or_state_it_changes_nothing() -> None:
    story = ready()
    assert story.record is not None
    assert held(story.record) is None
    story.delete()
    assert held(story.record, generation=story.record.generation + 1) is None
