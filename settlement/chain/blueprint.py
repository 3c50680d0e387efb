"""What one instance's contracts are made of: code, addresses, and which calls each body may sign.

Pure: it follows from instance, deployer, keys and assets alone, so every run draws the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from settlement.chain import encoding
from settlement.chain.contracts import artefact_load

Body = Literal["venue", "clearing", "custody", "compliance"]
Kind = Literal["metal", "cash", "security"]

BODIES: tuple[Body, ...] = ("venue", "clearing", "custody", "compliance")
RESERVED = ("suspense", "guarantee fund")
PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"

_TERMS = "(string,string,uint8,address,address,address)"
_CONTRACT_OF: dict[Kind, str] = {
    "metal": "MetalToken",
    "cash": "CashToken",
    "security": "SecurityToken",
}
_CUSTODY_CALLS: dict[Kind, tuple[str, ...]] = {
    "metal": ("mint(address,uint256,bytes32,uint256)", "burn(address,uint256,bytes32)"),
    "cash": ("mint(address,uint256,bytes32)", "burn(address,uint256,bytes32)"),
    "security": (
        "mint(address,uint256)",
        "burn(address,uint256)",
        "forcedTransfer(address,address,uint256)",
        "recoveryAddress(address,address,address)",
        "batchMint(address[],uint256[])",
        "batchBurn(address[],uint256[])",
        "batchForcedTransfer(address[],address[],uint256[])",
    ),
}
_COMPLIANCE_CALLS = (
    "pause()",
    "unpause()",
    "setAddressFrozen(address,bool)",
    "freezePartialTokens(address,uint256)",
    "unfreezePartialTokens(address,uint256)",
    "batchSetAddressFrozen(address[],bool[])",
    "batchFreezePartialTokens(address[],uint256[])",
    "batchUnfreezePartialTokens(address[],uint256[])",
)
_VENUE_CALLS = (
    "setName(string)",
    "setSymbol(string)",
    "setOnchainID(address)",
    "setCompliance(address)",
)


@dataclass(frozen=True, slots=True)
class AssetTerms:
    """One token to deploy; `decimals` equal the engine's."""

    symbol: str
    name: str
    kind: Kind
    decimals: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A contract to be created: its name, for messages, and its code with constructor arguments."""

    label: str
    init_code: bytes
    salt: bytes

    @property
    def address(self) -> str:
        """Return where CREATE2 puts it (EIP-1014)."""
        proxy = bytes.fromhex(PROXY[2:])
        return to_checksum_address(
            keccak(b"\xff" + proxy + self.salt + keccak(self.init_code))[-20:]
        )


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Everything that is to stand, and how it is wired."""

    home: int
    reserved: list[str]
    authorities: dict[Body, Planned]
    accounts: Planned
    identities: Planned
    tokens: dict[str, Planned]
    settlement: Planned
    assets: Sequence[AssetTerms]

    @property
    def hands(self) -> dict[Body, str]:
        """Return the address of each body's Authority."""
        return {body: planned.address for body, planned in self.authorities.items()}

    @property
    def token_addresses(self) -> dict[str, str]:
        """Return the address of each token by its symbol."""
        return {symbol: planned.address for symbol, planned in self.tokens.items()}

    def everything(self) -> list[Planned]:
        """Return every contract, in the order in which they are created."""
        registries = [self.accounts, self.identities]
        return [*self.authorities.values(), *registries, *self.tokens.values(), self.settlement]

    def seals(self) -> dict[str, bytes]:
        """Return the one wiring call of every contract that is wired, by its address."""
        hands, lists = self.hands, self._call_lists()
        of_authorities = {
            hands[body]: encoding.call_encode(
                "seal((address,bytes4)[],address[])",
                lists[body],
                [hands[peer] for peer in BODIES if peer != body],
            )
            for body in BODIES
        }
        return of_authorities | {
            self.accounts.address: encoding.call_encode(
                "seal(address,uint32,address[],address)",
                self.settlement.address,
                self.home,
                self.reserved,
                self.identities.address,
            ),
            self.identities.address: encoding.call_encode(
                "seal(address[])", list(self.token_addresses.values())
            ),
        }

    def _call_lists(self) -> dict[Body, list[tuple[str, bytes]]]:
        """Return what each body may call, as (target, selector)."""
        accounts, identities = self.accounts.address, self.identities.address
        lists: dict[Body, list[tuple[str, str]]] = {
            "venue": [(identities, "addToken(address)")],
            "clearing": [],
            "custody": [
                (accounts, "open(address,uint32)"),
                (accounts, "openMany(address[],uint32)"),
                (identities, "addToken(address)"),
            ],
            "compliance": [
                (identities, "setStatus(address,bool,bool,uint64,uint64)"),
                (identities, "setStatusMany((address,bool,bool,uint64,uint64)[])"),
            ],
        }
        for terms in self.assets:
            token = self.tokens[terms.symbol].address
            calls = (*_CUSTODY_CALLS[terms.kind], "custodyTransfer(address,address,uint256)")
            lists["custody"] += [(token, call) for call in calls]
            if terms.kind == "security":
                lists["compliance"] += [(token, call) for call in _COMPLIANCE_CALLS]
                lists["venue"] += [(token, call) for call in _VENUE_CALLS]
        return {
            body: [(target, keccak(text=call)[:4]) for target, call in calls]
            for body, calls in lists.items()
        }


def blueprint_draw(
    *,
    instance: UUID,
    deployer: str,
    signers: Mapping[Body, str],
    assets: Sequence[AssetTerms],
    unwind_timeout_s: int,
    rotation_delay_s: int,
) -> Blueprint:
    """Draw an instance's contracts.

    Raises ValueError on keys that are not four different ones, or on bad asset terms.
    """
    _terms_check(signers, assets)
    salt = encoding.instance_salt(instance)
    authorities: dict[Body, Planned] = {
        body: _planned(
            f"authority of {body}",
            "Authority",
            salt,
            ["bytes32", "bytes32", "address", "address", "uint256"],
            (salt, body.encode().ljust(32, b"\0"), signers[body], deployer, rotation_delay_s),
        )
        for body in BODIES
    }
    hands = {body: planned.address for body, planned in authorities.items()}
    accounts, identities = _registries(salt, hands, deployer)
    reserved = [encoding.reserved_account(instance, role) for role in RESERVED]
    home = encoding.clearing_id(instance)
    return Blueprint(
        home=home,
        reserved=reserved,
        authorities=authorities,
        accounts=accounts,
        identities=identities,
        tokens={
            terms.symbol: _token(terms, salt, hands, accounts.address, identities.address)
            for terms in assets
        },
        settlement=_planned(
            "settlement",
            "Settlement",
            salt,
            ["bytes32", "uint32", "address", "address", "address", "address", "uint256"],
            (salt, home, hands["venue"], hands["clearing"], *reserved, unwind_timeout_s),
        ),
        assets=tuple(assets),
    )


def _terms_check(signers: Mapping[Body, str], assets: Sequence[AssetTerms]) -> None:
    if set(signers) != set(BODIES) or len(set(signers.values())) != len(BODIES):
        raise ValueError(f"expected four different keys, one each for {', '.join(BODIES)}")
    symbols = [terms.symbol for terms in assets]
    if len(set(symbols)) != len(symbols):
        raise ValueError("two assets have the same symbol")
    for terms in assets:
        if terms.kind not in _CONTRACT_OF or not 0 <= terms.decimals <= 18:
            raise ValueError(f"asset {terms.symbol}: unknown kind or decimals outside 0..18")


def _planned(
    label: str, contract: str, salt: bytes, types: list[str], values: Iterable[Any]
) -> Planned:
    return Planned(label, artefact_load(contract).bytecode + encode(types, tuple(values)), salt)


def _registries(salt: bytes, hands: Mapping[Body, str], deployer: str) -> tuple[Planned, Planned]:
    accounts = _planned(
        "account registry",
        "AccountRegistry",
        salt,
        ["address", "address"],
        (hands["custody"], deployer),
    )
    identities = _planned(
        "identity registry",
        "IdentityRegistry",
        salt,
        ["address"] * 5,
        (hands["compliance"], hands["venue"], hands["custody"], accounts.address, deployer),
    )
    return accounts, identities


def _token(
    terms: AssetTerms, salt: bytes, hands: Mapping[Body, str], accounts: str, identities: str
) -> Planned:
    made_of = (terms.name, terms.symbol, terms.decimals, hands["custody"], accounts, identities)
    security = terms.kind == "security"
    return _planned(
        f"token {terms.symbol}",
        _CONTRACT_OF[terms.kind],
        salt,
        [_TERMS, *["address"] * (2 * security)],
        (made_of, *((hands["compliance"], hands["venue"]) if security else ())),
    )
