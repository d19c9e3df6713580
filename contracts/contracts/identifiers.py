"""Bounded scalar types that every contract shares."""

from typing import Annotated

from pydantic import Field, StringConstraints

NAME = r"^[a-z][a-z0-9-]*$"
Identifier = Annotated[str, StringConstraints(pattern=NAME, min_length=1, max_length=40)]
"""A name that a person chose: lower case, digits and hyphens; safe in routing, SQL, file names and OpenStack names."""

ResourceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]*$", min_length=1, max_length=255)]
"""An identifier that OpenStack gave: opaque to Tresor."""

Text = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$")
]
"""Words for a person: no control or bidirectional characters, so that a log line can't be forged with it."""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal, with the algorithm's name before it."""

Generation = Annotated[int, Field(ge=1, le=2**53)]
"""Counts the accepted changes of one workspace; a higher one always wins."""
