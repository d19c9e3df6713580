"""The reference of settings is as the members' settings say, and no secret is shown with a default."""

from docs.generate import PAGE, ROOT, SERVICES, page
from pydantic import SecretStr


def test_the_committed_page_is_as_the_settings_say() -> None:
    assert (ROOT / PAGE).read_text() == page()


def test_every_setting_of_every_service_is_on_it() -> None:
    text = page()
    for settings in SERVICES.values():
        for name, field in settings.model_fields.items():
            assert f"`TRESOR_{name.upper()}`" in text
            if field.annotation is SecretStr:
                assert field.is_required()
