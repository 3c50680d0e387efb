"""Fixtures of compliance's tests: a keys folder, officers, an applicant."""

from tests.bodies import *
