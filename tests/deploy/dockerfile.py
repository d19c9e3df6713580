"""As much of a Dockerfile as ours uses, to run its very instructions without a docker daemon."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """What one FROM begins: its instructions in order, and the command its image runs."""

    instructions: list[tuple[str, str]] = field(default_factory=list)

    def last(self, name: str) -> str:
        """The arguments of the last instruction of that name."""
        return [arguments for instruction, arguments in self.instructions if instruction == name][-1]

    def arguments(self) -> set[str]:
        """Names that ARG gives while the image is made, and that are gone when it runs."""
        return {text.partition("=")[0] for instruction, text in self.instructions if instruction == "ARG"}

    def variables(self, arguments: dict[str, str]) -> dict[str, str]:
        """What ARG and ENV set, for build arguments that are given."""
        found: dict[str, str] = {}
        for instruction, text in self.instructions:
            if instruction in ("ARG", "ENV"):
                for word in text.split():
                    name, _, value = word.partition("=")
                    given = arguments.get(name) if instruction == "ARG" else None
                    found[name] = expand(value, found) if given is None else given
        return found


def read(path: Path) -> list[Stage]:
    """The stages of a Dockerfile."""
    text = re.sub(r"\\\n", " ", path.read_text())
    stages: list[Stage] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            stages.append(Stage())
        elif stages:
            stages[-1].instructions.append((name, arguments.strip()))
    return stages


def expand(text: str, variables: dict[str, str]) -> str:
    """`${NAME}` and `$NAME`, as far as they are known."""
    return re.sub(r"\$\{?([A-Za-z_]+)\}?", lambda match: variables.get(match.group(1), match.group(0)), text)


def words(arguments: str) -> list[str]:
    """The exec form of a CMD."""
    found: list[str] = json.loads(arguments)
    return found
