"""The README's program, run as it stands with a member's own key in its first lines."""

import re
import subprocess
import sys

from exchange.stack.instance import REPOSITORY
from tests.e2e.house import House

EXAMPLE = re.compile(r"<!-- example:order -->\n```python\n(.*?)```", re.DOTALL)


def test_readme_order_is_accepted_when_run_as_written(house: House) -> None:
    found = EXAMPLE.search((REPOSITORY / "README.md").read_text())
    assert found
    member = house.traders[1]
    program = (
        found[1]
        .replace("http://127.0.0.1:8000", house.stack.web_url)
        .replace("ACCESS KEY", member.access_key)
        .replace("SECRET", member.secret)
        .replace("my-first-gram", f"readme-{member.access_key[:8]}")
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'state': 'open'" in done.stdout and "'price': '190000'" in done.stdout
    assert member.cancel_all().status == 200
