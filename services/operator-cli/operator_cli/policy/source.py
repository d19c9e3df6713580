"""A file of policy tests: read, checked against its model, each complaint with its line."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from contracts.policy_tests import PolicyTest, PolicyTests
from operator_cli.document import complaints, located
from operator_cli.exits import Exit, Stop
from operator_cli.printing import tell_complaints
from shared.yaml_source import BadSource, Source, read

if TYPE_CHECKING:
    from contracts.site import Site
    from contracts.workspace import Workspace


def load(path: Path) -> tuple[PolicyTests, Source]:
    """The tests in the file. Raises BadSource with everything that is wrong, OSError when it can't be read."""
    source = read(path)
    try:
        return PolicyTests.model_validate(source.values), source
    except ValidationError as error:
        raise BadSource(source, complaints(source, PolicyTests, error)) from None


def read_tests(path: Path) -> tuple[PolicyTests, Source]:
    """The same for a command. Raises Stop after telling what is wrong."""
    try:
        return load(path)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can't be read: {error.strerror}", "give the tests with -f FILE") from None
    except BadSource as error:
        raise _told(error) from None


def check_names(tests: PolicyTests, source: Source, document: "Workspace", site: "Site") -> None:
    """Raises Stop when the tests of the document's workspace name what it and the site don't declare."""
    from network_policy.domain.policy_tests import problems

    roles = [role.name for role in document.roles]
    own = [test if owner(test, tests, None) == document.name else _nobodys(test) for test in tests.tests]
    if found := problems(own, site, workspace=document.name, roles=roles):
        raise _told(BadSource(source, located(source, found)))


def owner(test: PolicyTest, tests: PolicyTests, default: str | None) -> str | None:
    """The workspace that a test is about, as far as it is said."""
    return test.workspace or tests.workspace or default


def _nobodys(test: PolicyTest) -> PolicyTest:
    return test.model_copy(update={"workspace": "-"})


def _told(error: BadSource) -> Stop:
    tell_complaints(error.source, error.complaints)
    count = len(error.complaints)
    return Stop(Exit.USAGE, f"the policy tests have {count} problem{'s' if count > 1 else ''}; nothing was tried")
