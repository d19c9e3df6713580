"""Takes what must not be published out of a notification's wire body, and leaves every other byte as it was."""

import json
import re

REDACTED = "REDACTED"

SECRET_KEY = re.compile(r"(token|passw|secret|user_data|admin_pass|private_key|access_key|blob)", re.IGNORECASE)
"""Keys whose text values are taken out. `credential` is no such key: CADF gives only the credential's id there."""

SECRET_TEXT = re.compile(r"(gAAAA[A-Za-z0-9_-]{40,}={0,2}|(?<=user_data=)\S+|(?<=password=)\S+)")
"""Secrets inside longer texts, such as an error message that quotes a request: Fernet tokens, user data, passwords."""


def redacted(value: object, *, secret: bool = False) -> object:
    """The value with every secret text in it replaced; the same object where there is none."""
    if isinstance(value, dict):
        new = {key: redacted(item, secret=bool(SECRET_KEY.search(str(key)))) for key, item in value.items()}
        return value if all(new[key] is value[key] for key in value) else new
    if isinstance(value, list):
        items = [redacted(item, secret=secret) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, str) or not value:
        return value
    if secret:
        return REDACTED
    return SECRET_TEXT.sub(REDACTED, value) if SECRET_TEXT.search(value) else value


def redact_body(body: bytes) -> str:
    """The wire body as text. It is written anew, in oslo.serialization's form, only where it held a secret.

    Raises ValueError for a body that is no oslo.messaging envelope.
    """
    text = body.decode()
    envelope = json.loads(text)
    message = json.loads(envelope["oslo.message"])
    clean = redacted(message)
    if clean is message:
        return text
    return json.dumps({**envelope, "oslo.message": json.dumps(clean)})
