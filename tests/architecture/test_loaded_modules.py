"""What a process loads: the engine no framework, the web process nothing that could sign."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
WEB = "import exchange.asgi; from django.urls import get_resolver; get_resolver().reverse_dict"

SIGNER = "import django; django.setup(); import custody.signer, settlement.chain.client"


@pytest.mark.parametrize(
    ("loading", "absent"),
    [
        ("import matching.engine", ("django", "celery", "web3", "redis", "psycopg")),
        ("import matching.client", ("django", "celery", "web3", "psycopg")),
        # Its curves lift the recursion limit that keeps deep JSON from killing the process.
        (WEB, ("eth_account", "web3", "py_ecc.optimized_bls12_381")),
        (SIGNER, ("py_ecc.optimized_bls12_381", "py_ecc.bls12_381.bls12_381_pairing")),
    ],
    ids=["engine", "client", "web", "signer"],
)
def test_modules_are_absent_when_loaded(loading: str, absent: tuple[str, ...]) -> None:
    code = f"{loading}; import sys; print(*(set(sys.modules) & set({absent!r})))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []
