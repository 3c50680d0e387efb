"""A whole exchange with many members, for benchmarks: founded the real way, funded in one stroke.

Members are identified, admitted and given accounts by acts, attestations and intents as ever. Their
balances are not what is measured: custody's contract is impersonated, which only a development node
allows, to mint on chain what the engine is told to credit. The books agree; the vault is empty.
"""

import json
import os
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import django

from exchange.stack import Stack
from exchange.stack.chain import chain_call
from matching.client import EngineClient
from matching.protocol.commands import Credit
from matching.protocol.queries import GetInstruments, GetStatus, Instruments, Status
from matching.protocol.units import InstrumentClass
from tests.benchmarks.runs import fresh_stack, say
from tests.waiting import wait_until

# Base units of every asset that every account begins with.
UNITS = 10**14
CALLS_PER_POST = 250
SENT_MAX = 5
ADMITTED_AT_ONCE = 75
FOUNDING_S = 900
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Venue:
    """A running exchange; `traders` are its members with their keys."""

    stack: Stack
    engine: EngineClient
    traders: Sequence[Any]

    def status(self) -> Status:
        """Return the engine's counts."""
        status = self.engine.ask(GetStatus())
        assert isinstance(status, Status)
        return status

    def instruments(self) -> Instruments:
        """Return the rules of all instruments."""
        reply = self.engine.ask(GetInstruments())
        assert isinstance(reply, Instruments)
        return reply

    def followed(self) -> bool:
        """Tell whether every follower has taken in all the engine did."""
        from custody.selectors import ledger_position
        from exchange.marketdata.store import position_read
        from exchange.trading.selectors import projector_position
        from settlement.selectors import obligations_position

        sequence = self.status().sequence
        positions = projector_position, ledger_position, obligations_position, position_read
        return all((position() or 0) >= sequence for position in positions)

    def settled(self) -> bool:
        """Tell whether every fill is title at the finalised block."""
        from settlement.selectors import settled_fills

        return settled_fills() == self.status().fills

    def members_add(self, count: int) -> None:
        """Admit and fund more members, some at a time."""
        from exchange.demo.market import Market

        market = Market(self.stack.web_url)
        classes = InstrumentClass.METAL | InstrumentClass.SECURITY
        first = len(self.traders)
        for start in range(first, first + count, ADMITTED_AT_ONCE):
            part = range(start, min(start + ADMITTED_AT_ONCE, first + count))
            names = dict.fromkeys((f"Member {number}" for number in part), classes)
            admitted = market.members_admit(names)
            self._fund([trader.account for trader in admitted])
            self.traders = [*self.traders, *admitted]

    def _fund(self, accounts: Sequence[int]) -> None:
        from custody.selectors import account_addresses, assets_by_id
        from settlement.selectors import deployment

        deployed = deployment()
        addresses, assets = account_addresses(accounts), assets_by_id()
        authority, url = deployed.authorities["custody"], self.stack.urls["CHAIN_URL"]
        chain_call(url, "anvil_impersonateAccount", authority)
        chain_call(url, "anvil_setBalance", authority, hex(10**24))
        nonce = int(chain_call(url, "eth_getTransactionCount", authority, "latest"), 16)
        calls: list[dict[str, str]] = []
        credits = []
        for account in accounts:
            for asset, token in deployed.tokens.items():
                kind, reference = assets[int(asset)].kind, account << 16 | int(asset)
                data = _mint(kind, addresses[account], reference.to_bytes(32, "big"))
                calls.append(
                    {
                        "from": authority,
                        "to": token,
                        "data": data,
                        "gas": hex(500_000),
                        "nonce": hex(nonce + len(calls)),
                    }
                )
                credits.append(Credit(account, int(asset), UNITS, f"bench:{account}:{asset}"))
        # An account may be there before its holder is known to the identity registry.
        wait_until(lambda: _possible(url, calls), timeout_s=FOUNDING_S)
        _send(url, calls)
        self.engine.send_many(credits)
        chain_call(url, "anvil_stopImpersonatingAccount", authority)


@contextmanager
def peopled(name: str, members: int, **options: Any) -> Iterator[Venue]:
    """Run a fresh exchange with so many members and every market open."""
    with fresh_stack(name, **options) as stack:
        os.environ.update(stack.env)
        django.setup()
        from exchange.demo.market import Market

        market = Market(stack.web_url)
        say("listing and opening the markets")
        market.found()
        market.open()
        engine = EngineClient(stack.instance.engine_socket)
        venue = Venue(stack, engine, ())
        say(f"admitting and funding {members} members")
        venue.members_add(members)
        wait_until(venue.followed, timeout_s=FOUNDING_S)
        yield venue


def _mint(kind: str, address: str, reference: bytes) -> str:
    """Return the calldata that gives an account units of an asset of this kind."""
    from settlement.chain.encoding import call_encode

    match kind:
        case "cash":
            data = call_encode("mint(address,uint256,bytes32)", address, UNITS, reference)
        case "metal":
            signature = "mint(address,uint256,bytes32,uint256)"
            data = call_encode(signature, address, UNITS, reference, UNITS)
        case _:
            data = call_encode("mint(address,uint256)", address, UNITS)
    return "0x" + data.hex()


def _possible(url: str, calls: Sequence[dict[str, str]]) -> bool:
    """Tell whether every one of the calls would succeed now."""
    asked = [
        ("eth_call", [{key: value for key, value in call.items() if key != "nonce"}, "latest"])
        for call in calls
    ]
    return not any("error" in answer for answer in _answers(url, asked))


def _send(url: str, calls: Sequence[dict[str, str]]) -> None:
    """Have the node send calls and mine them; raise unless every one succeeded."""
    for start in range(0, len(calls), CALLS_PER_POST):
        part = calls[start : start + CALLS_PER_POST]
        hashes = [""] * len(part)
        for _ in range(SENT_MAX):
            answers = _answers(url, [("eth_sendTransaction", [call]) for call in part])
            hashes = list(map(_hash, answers, hashes))
            wait_until(partial(_none_pending, url), timeout_s=FOUNDING_S)
            receipts = _rpc(url, [("eth_getTransactionReceipt", [each]) for each in hashes])
            failed = [each for each in receipts if each is not None and each["status"] != "0x1"]
            if failed:
                raise RuntimeError(f"{len(failed)} of {len(part)} mints failed: {failed[0]}")
            # The node may lay aside for ever what it takes at the moment of a block.
            left = [place for place, each in enumerate(receipts) if each is None]
            if not left:
                break
            _rpc(url, [("anvil_dropTransaction", [hashes[place]]) for place in left])
            part, hashes = [part[place] for place in left], [hashes[place] for place in left]
        else:
            raise RuntimeError(f"{len(part)} mints were in no block, sent {SENT_MAX} times")


def _hash(answer: dict[str, Any], before: str) -> str:
    """Return the hash of a transaction that was sent now, or `before` and stands with the node."""
    if "result" in answer:
        return str(answer["result"])
    if before and "already imported" in answer["error"]["message"]:
        return before
    raise RuntimeError(f"the node took no mint: {answer['error']}")


def _none_pending(url: str) -> bool:
    (status,) = _rpc(url, [("txpool_status", [])])
    return int(status["pending"], 16) == 0


def _rpc(url: str, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
    """Call JSON-RPC methods in one request and return their results in order."""
    answers = _answers(url, calls)
    if wrong := [each["error"] for each in answers if "error" in each]:
        raise RuntimeError(f"{len(wrong)} of {len(calls)} calls failed: {wrong[0]}")
    return [answer["result"] for answer in answers]


def _answers(url: str, calls: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        for number, (method, parameters) in enumerate(calls)
    ]
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with _direct.open(request, timeout=120) as response:
        return sorted(json.load(response), key=lambda answer: int(answer["id"]))
