"""What the OpenAPI document says about authentication."""

from typing import Any

from movielens_api import problems
from movielens_api.auth.layer import is_public
from movielens_api.read_route import READING

SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "A user and password of this server."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token from `movielens-api tokens add`."},
}


def document_authentication(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document how to authenticate, and the errors of whoever may not or asks too often."""
    document["components"]["securitySchemes"] = SCHEMES
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not is_public(path):
                operation["security"] = [{scheme: []} for scheme in SCHEMES]
                forbidden = () if method.upper() in READING else (403,)
                errors = problems.responses(401, *forbidden, 429)
                operation["responses"] |= {str(status): error for status, error in errors.items()}
