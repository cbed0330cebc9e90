"""The settings of production. The tests use them as they are."""

from pathlib import Path

BASE_DIR = Path(__file__).parent.parent

SECRET_KEY = "an example has no secrets"  # noqa: S105
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "library.urls"
DEFAULT_FROM_EMAIL = "library@example.org"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}

INSTALLED_APPS = ["django_tasks_db", "loans"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "library.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TASKS = {
    "default": {
        "BACKEND": "django_tasks_db.DatabaseBackend",
        "QUEUES": ["default", "mail"],
    }
}
