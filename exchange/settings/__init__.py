"""Django settings, read from the environment; sensible without any for offline commands."""

import os

import dj_database_url

SECRET_KEY = os.environ.get("NEXUS_SECRET_KEY", "offline-commands-only")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
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
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "exchange.urls"
WSGI_APPLICATION = "exchange.wsgi.application"
DATABASES = {
    "default": dj_database_url.parse(os.environ.get("DATABASE_URL", "postgres:///nexus"))
}
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
CELERY_BROKER_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
