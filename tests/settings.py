"""Settings of the tests: the product's own, on an instance that lives as long as the session.

Its folders and addresses follow from its name, so that settings can be read before, and whether or
not, its parts are started (tests/conftest.py starts them when a test first asks for one).
"""

import os

from exchange.stack.environment import base_environment, operator_environment, part_urls
from exchange.stack.instance import Instance

SESSION_INSTANCE = Instance.named(f"test-{os.getpid()}")
with SESSION_INSTANCE.locked():
    SESSION_INSTANCE.prepare()
_urls = part_urls(SESSION_INSTANCE, 8545, {})
_told = base_environment(SESSION_INSTANCE, _urls) | operator_environment(SESSION_INSTANCE)
# Workers of pytest-xdist inherit the variable, and make an instance of their own by this module.
del _told["DJANGO_SETTINGS_MODULE"]
os.environ.update(_told)

from exchange.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
