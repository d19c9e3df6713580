"""A tunnel's document from a file, checked as far as that goes: against itself, and against the site file where there is one."""

from pathlib import Path

from pydantic import ValidationError

from contracts.site import Site
from contracts.tunnel import TunnelDocument, problems
from operator_cli.document import complaints, located
from operator_cli.exits import Exit, Stop
from operator_cli.printing import tell_complaints
from operator_cli.settings import load as load_settings
from shared.yaml_source import BadSource, read


def load_tunnel(file: Path) -> TunnelDocument:
    """The document. Raises Stop after telling everything that is wrong with it."""
    try:
        source = read(file)
        try:
            document = TunnelDocument.model_validate(source.values)
        except ValidationError as error:
            raise BadSource(source, complaints(source, TunnelDocument, error)) from None
        if found := tuple(problems(document, _site())):
            raise BadSource(source, located(source, found))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{file} can't be read: {error.strerror}", "give the document with -f FILE") from None
    except BadSource as error:
        tell_complaints(error.source, error.complaints)
        raise Stop(Exit.USAGE, f"the tunnel has {len(error.complaints)} problem(s); nothing was written") from None
    return document


def _site() -> Site | None:
    path = load_settings().site_path
    if path is None:
        return None
    from shared.errors import Configuration
    from shared.settings import load_site

    try:
        return load_site(path)
    except Configuration as error:
        raise Stop(Exit.USAGE, str(error)) from None
