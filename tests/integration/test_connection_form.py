"""The form of the connection type, as Airflow's UI receives it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from unittest import mock

import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

from airflow_movielens.client import ClientSettings
from airflow_movielens.connection.client_factory import EXTRA_FIELDS
from airflow_movielens.hooks import MovielensHook
from airflow_movielens.provider import get_provider_info

FORM = get_provider_info()["connection-types"][0]["conn-fields"]


def test_the_form_has_exactly_the_fields_that_are_read():
    assert list(FORM) == list(EXTRA_FIELDS)


@pytest.mark.parametrize("field", FORM)
def test_the_forms_defaults_are_those_of_the_client(field):
    schema = FORM[field]["schema"]
    setting = "token" if field == "api_token" else field
    assert schema.get("default") == getattr(ClientSettings("http://api"), setting)
    assert "null" in schema["type"]
    assert FORM[field]["label"]
    assert FORM[field]["description"]


def test_only_the_token_is_secret():
    assert [name for name, field in FORM.items() if field["schema"].get("format") == "password"] == ["api_token"]


def test_airflow_shows_the_form():
    (shown,) = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "movielens"]
    assert shown.hook_name == "MovieLens ratings API"
    assert list(shown.extra_fields) == list(FORM)
    assert shown.extra_fields["api_token"]["schema"]["format"] == "password"
    assert shown.standard_fields.login.title == "API user"
    assert shown.standard_fields.port.placeholder == "5000"


@pytest.fixture
def wtforms():
    """Replace WTForms as the API server of Airflow 3.1 does."""
    names = ("StringField", "IntegerField", "PasswordField", "BooleanField")
    fields = SimpleNamespace(**{name: getattr(HookMetaService, f"Mock{name}") for name in names})
    validators = SimpleNamespace(any_of=HookMetaService.MockEnum)
    # Later versions of Airflow do not install WTForms.
    with mock.patch.dict(sys.modules, {"wtforms": fields, "wtforms.validators": validators}):
        yield


def test_airflow_3_1_gets_the_same_form_from_the_hook(wtforms):
    given = {name: widget.param.dump() for name, widget in MovielensHook.get_connection_form_widgets().items()}
    assert list(given) == list(FORM)
    for name, field in given.items():
        declared = FORM[name]["schema"]
        assert (field["schema"]["title"], field["description"]) == (FORM[name]["label"], FORM[name]["description"])
        assert field["value"] in (declared.get("default"), str(declared.get("default")))
        assert field["schema"].get("enum") == declared.get("enum")
        assert field["schema"].get("format") == declared.get("format")
    assert given["read_timeout"]["value"] == "60"
    assert given["page_size"]["schema"]["type"] == ["integer", "null"]
    assert given["verify_tls"]["schema"]["type"] == ["boolean", "null"]
    assert MovielensHook.get_ui_field_behaviour()["hidden_fields"] == ["extra"]
