"""Leaves the BLS curves out of our processes: no key of ours is a BLS key.

eth_account and web3 bring eth_keyfile, which loads py_ecc for the key stores of Ethereum validators
(EIP-2335). Loading computes for most of a second in each process, and raises Python's recursion
limit to 100,000. Imported before them, this leaves names that can be imported and not used.
"""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

BLS12_381_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001  # EIP-2537


class G2ProofOfPossession:
    """Stands where the signature scheme would; using it fails by name."""

    @staticmethod
    def SkToPk(private_key: int) -> NoReturn:
        """Raise NotImplementedError."""
        raise NotImplementedError("BLS keys are left out of Nexus")


def bls_leave_out() -> None:
    """Put placeholders where py_ecc's curves would be loaded, unless they are loaded already."""
    found = find_spec("py_ecc")
    if found is None or "py_ecc" in sys.modules:
        return
    package, bls, curve = (
        ModuleType(name) for name in ("py_ecc", "py_ecc.bls", "py_ecc.bls12_381")
    )
    package.__path__ = list(found.submodule_search_locations or [])
    vars(bls)["G2ProofOfPossession"] = G2ProofOfPossession
    vars(curve)["curve_order"] = BLS12_381_ORDER
    for module in (package, bls, curve):
        sys.modules[module.__name__] = module


bls_leave_out()
