"""The generated pages are as the code says, and no secret is shown with a default."""

import pytest
from docs.generate import PAGES, ROOT, SERVICES, page
from pydantic import SecretStr


@pytest.mark.parametrize("path", PAGES)
def test_the_committed_page_is_as_the_code_says(path: str) -> None:
    assert (ROOT / path).read_text() == PAGES[path]()


def test_every_setting_of_every_service_is_on_it() -> None:
    text = page()
    for settings in SERVICES.values():
        for name, field in settings.model_fields.items():
            assert f"`TRESOR_{name.upper()}`" in text
            if field.annotation is SecretStr:
                assert field.is_required()
