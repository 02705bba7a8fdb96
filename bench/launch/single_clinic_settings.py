"""The baseline: the product's pages for a single clinic, without tenants."""

import os
from typing import Any

from saas import settings as product
from saas.settings import *  # noqa: F403 - all of them but those below

BENCH_SCHEMA = os.environ["BENCH_SCHEMA"]
INSTALLED_APPS = [app for app in product.INSTALLED_APPS if app != "django_tenants"]
DATABASE: dict[str, Any] = product.ENVIRONMENT.database
DATABASES = {
    "default": product.DATABASES["default"]
    | {
        "ENGINE": "bench.launch.single_clinic_backend",
        "OPTIONS": DATABASE.get("OPTIONS", {}) | {"options": f"-c search_path={BENCH_SCHEMA}"},
    }
}
DATABASE_ROUTERS = []
MIDDLEWARE = [
    "bench.launch.middleware.OneClinic" if name == "tenants.middleware.ClinicMiddleware" else name
    for name in product.MIDDLEWARE
]
