"""Django settings, read from the environment that exchange.stack or an operator provides.

Without any environment the offline commands work (makemigrations, type checks); whatever needs a
part then fails at that part, by name. Secrets come from the environment alone.
"""

import os
import secrets
from pathlib import Path
from uuid import UUID

import dj_database_url

import exchange.lean  # noqa: F401  # before anything that would load what it leaves out
from exchange.settings.cash import *
from exchange.settings.clearing import *
from exchange.settings.limits import RATE_BUDGETS as RATE_BUDGETS
from exchange.settings.limits import TRUSTED_PROXIES as TRUSTED_PROXIES
from exchange.settings.logs import LOGGING as LOGGING
from exchange.settings.markets import *
from exchange.settings.operations import *
from exchange.settings.rest import REST_FRAMEWORK as REST_FRAMEWORK
from exchange.settings.rest import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from exchange.settings.tasks import *

# The instance this process belongs to, and where its parts are.
INSTANCE = os.environ.get("NEXUS_INSTANCE", "none")
INSTANCE_ID = UUID(os.environ.get("NEXUS_INSTANCE_ID", "00000000-0000-0000-0000-000000000000"))
CHAIN_URL = os.environ.get("CHAIN_URL", "http://127.0.0.1:8545")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
ENGINE_SOCKET = Path(os.environ.get("NEXUS_ENGINE_SOCKET", "engine.sock"))
JOURNAL = Path(os.environ.get("NEXUS_JOURNAL", "journal"))
# Given to signers and set-up commands only; the lane's key to the worker that pays gas.
KEYS = Path(os.environ.get("NEXUS_KEYS", "keys"))
LANE_KEY_FILE = Path(os.environ.get("NEXUS_LANE_KEY_FILE", "lane.key"))

# A process without a key of its own gets a fresh one, which opens nothing that others sealed.
SECRET_KEY = os.environ.get("NEXUS_SECRET_KEY") or secrets.token_urlsafe(50)
DEBUG = False
ALLOWED_HOSTS = os.environ.get("NEXUS_ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
AUTH_USER_MODEL = "compliance.User"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "compliance",
    "custody",
    "settlement",
    "exchange.listings",
    "exchange.members",
    "exchange.trading",
    "exchange.marketdata",
    "exchange",
]
MIDDLEWARE = [
    "exchange.api.measures.measured",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
]
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
]
ROOT_URLCONF = "exchange.urls"
ASGI_APPLICATION = "exchange.asgi.application"
DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL", "postgres:///nexus"),
        engine="exchange.database",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
# A host that is gone is told from one that is slow.
DATABASES["default"].setdefault("OPTIONS", {}).update(connect_timeout=5, tcp_user_timeout=10_000)
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
# Amounts of the chain have up to 78 digits, and a body's size is bounded before it is parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
