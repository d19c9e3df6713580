"""The rules' files: those that come with the service, and the site's own, read again when they change."""

from dataclasses import dataclass
from pathlib import Path

from contracts.site import Site
from security_monitor.domain.detections import BadRule, Compiled, RuleFile, RuleSet, compiled, rule_of
from security_monitor.domain.detections.examples import run
from shared.yaml_source import BadSource, Source, read

SHIPPED = Path(__file__).resolve().parents[1] / "rules"
MAX_FILES = 500


@dataclass(frozen=True)
class Loaded:
    """A rule, where it came from, and the text of its file."""

    compiled: Compiled
    origin: str
    """`shipped`, or the file's name."""
    text: str


class BadRuleFile(Exception):
    """A file can't be used; the text says file, line, reason and remedy."""


def load_file(path: Path) -> tuple[RuleFile, Source]:
    """A rule and where its fields stand. Raises BadRuleFile."""
    try:
        source = read(path)
        return rule_of(source.values), source
    except BadSource as error:
        first = error.complaints[0]
        line = first.place.line if first.place else 1
        raise BadRuleFile(f"{path.name}, line {line}: {first.reason}{_so(first.remedy)}") from None
    except OSError as error:
        raise BadRuleFile(f"{path.name} can't be read: {error.strerror}") from None
    except BadRule as error:
        raise BadRuleFile(at_line(path.name, source, error)) from None


def at_line(name: str, source: Source, error: BadRule) -> str:
    """The complaint with its line."""
    place = source.place(error.path)
    field = ".".join(map(str, error.path))
    return f"{name}, line {place.line if place else 1}: {field}: {error.reason}{_so(error.remedy)}"


def _so(remedy: str) -> str:
    return f" ({remedy})" if remedy else ""


class RuleFiles:
    """The rules as they are in force: the shipped ones, until `refresh` has read the site's own.

    A change of the files that does not hold together changes nothing.
    """

    def __init__(self, site: Site, own: Path | None = None) -> None:
        self._site, self._own = site, own
        self._seen: object = None
        self.loaded: dict[str, Loaded] = {}
        self.refused = ""
        """Why the site's files as they lie there are not in force; empty: they are."""
        self._shipped = self._read(SHIPPED, "shipped")
        self._put(self._shipped)

    def _put(self, loaded: dict[str, Loaded]) -> None:
        self.loaded = loaded
        self.rules = RuleSet(each.compiled for each in loaded.values())

    def refresh(self) -> None:
        """Read the site's files where they have changed. Blocks."""
        if self._own is None or (seen := self._fingerprint(self._own)) == self._seen:
            return
        self._seen = seen
        try:
            if isinstance(seen, str):
                raise BadRuleFile(seen)
            self._put({**self._shipped, **self._read(self._own, "")})
            self.refused = ""
        except BadRuleFile as error:
            self.refused = str(error)

    @staticmethod
    def _fingerprint(folder: Path) -> object:
        try:
            return tuple(
                (path.name, (found := path.stat()).st_mtime_ns, found.st_size) for path in sorted(folder.glob("*.yaml"))
            )
        except OSError as error:
            return f"{folder} can't be read: {error.strerror}"

    def _read(self, folder: Path, origin: str) -> dict[str, Loaded]:
        """The rules of a folder, each of which passes its own tests. Raises BadRuleFile."""
        paths = sorted(folder.glob("*.yaml"))
        if len(paths) > MAX_FILES:
            raise BadRuleFile(f"{folder}: more than {MAX_FILES} files")
        loaded: dict[str, Loaded] = {}
        for path in paths:
            rule, source = load_file(path)
            try:
                if rule.id in loaded:
                    raise BadRule(("id",), f"'{rule.id}' is the id of {loaded[rule.id].origin}, too")
                made = compiled(rule, self._site)
                if origin != "shipped":
                    failed = next((each for each in run(rule) if each.why), None)
                    if failed is not None:
                        raise BadRule(("tests",), f"'{failed.name}' does not hold: {failed.why}")
            except BadRule as error:
                raise BadRuleFile(at_line(path.name, source, error)) from None
            except Exception as error:  # whatever a rule does over its own tests, it is not one to be used
                raise BadRuleFile(f"{path.name}: {type(error).__name__}: {error}") from None
            loaded[rule.id] = Loaded(made, origin or path.name, source.text)
        return loaded
