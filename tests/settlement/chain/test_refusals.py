"""What the chain refuses; each refusal leaves everything as it was."""

import secrets

import pytest
from eth_utils.crypto import keccak

from settlement.chain import client, encoding, lane
from settlement.chain.blueprint import BODIES
from settlement.chain.client import Status, Web3
from settlement.chain.encoding import call_encode, chunks_encode
from tests.settlement.chain.market import Market, Refused, clock_forward, fund


@pytest.fixture
def traders(market: Market) -> tuple[str, str]:
    """Open two fresh accounts, one with gold, one with money."""
    seller, buyer = market.accounts(2)
    market.mint("XAU", seller, 100)
    market.mint("KRW", buyer, 1_000)
    return seller, buyer


def _chunks(market: Market, seller: str, buyer: str, units: int = 4) -> list[bytes]:
    moves = [("XAU", seller, -units), ("XAU", buyer, units)]
    money = [("KRW", buyer, -10 * units), ("KRW", seller, 10 * units)]
    return chunks_encode(market.deltas(*moves, *money))


def _refused(market: Market, data: bytes, why: str, *accounts: str) -> None:
    before = market.state_of(*accounts)
    with pytest.raises(Refused, match=why):
        market.send(market.at.settlement, data)
    assert market.state_of(*accounts) == before


def test_batch_is_refused_when_forged_or_signed_by_one_body_alone(
    market: Market, traders: tuple[str, str]
) -> None:
    chunks = _chunks(market, *traders)
    batch = market.batch(10, chunks)
    venue, clearing = market.signatures(batch)
    typed = encoding.batch_typed(market.domain, batch)
    forged = market.sign("custody", typed)
    for signatures in ((venue, venue), (clearing, clearing), (forged, clearing), (venue, forged)):
        data = lane.settle_call(batch, *signatures, chunks)
        _refused(market, data, "WrongSigner", *traders)
    other = market.batch(10, chunks, fills_root=b"\x22" * 32)
    _refused(market, lane.settle_call(other, venue, clearing, chunks), "WrongSigner", *traders)
    larger = _chunks(market, *traders, units=5)
    _refused(market, lane.settle_call(batch, venue, clearing, larger), "WrongChunks", *traders)


def test_batch_is_refused_when_repeated_skipped_or_reordered(
    market: Market, traders: tuple[str, str]
) -> None:
    chunks = _chunks(market, *traders)
    last = market.last_sequence()
    batch = market.batch(20, chunks, to_sequence=last + 5)
    later = market.batch(21, chunks, from_sequence=last + 6, to_sequence=last + 9)
    _refused(
        market,
        lane.settle_call(later, *market.signatures(later), chunks),
        "WrongSequence",
        *traders,
    )
    market.settle(batch, chunks)
    data = lane.settle_call(batch, *market.signatures(batch), chunks)
    _refused(market, data, "BatchIdUsed", *traders)
    renamed = market.batch(22, chunks, from_sequence=last + 1, to_sequence=last + 5)
    data = lane.settle_call(renamed, *market.signatures(renamed), chunks)
    _refused(market, data, "WrongSequence", *traders)
    market.settle(later, chunks)
    assert market.last_sequence() == last + 9


def test_batch_is_refused_when_signed_for_another_instance(
    w3: Web3, market: Market, traders: tuple[str, str]
) -> None:
    other = Market.deployed(w3)
    other.keys = market.keys
    chunks = _chunks(market, *traders)
    batch = market.batch(30, chunks)
    data = lane.settle_call(batch, *other.signatures(batch), chunks)
    _refused(market, data, "WrongSigner", *traders)


def test_debit_is_refused_when_the_account_is_of_another_instance(
    w3: Web3, market: Market, traders: tuple[str, str]
) -> None:
    other = Market.deployed(w3)
    foreign = other.account()
    partner = market.account(clearing_id=other.at.clearing_id)
    market.mint("XAU", partner, 10)
    for account in (foreign, partner):
        chunks = _chunks(market, account, traders[1])
        batch = market.batch(40, chunks)
        data = lane.settle_call(batch, *market.signatures(batch), chunks)
        _refused(market, data, "NotAnAccount", account, *traders)
    # The other instance's settlement has no hold on this one's accounts either.
    chunks = _chunks(market, *traders)
    batch = other.batch(1, chunks)
    with pytest.raises(Refused, match="NotSettlement"):
        other.settle(batch, chunks)
    with pytest.raises(Refused, match="AlreadyOpen"):
        market.execute(
            "custody",
            market.at.account_registry,
            "open(address,uint32)",
            traders[0],
            other.at.clearing_id,
        )


def test_authority_is_refused_when_replayed_late_forged_or_for_an_unlisted_call(
    w3: Web3, market: Market, traders: tuple[str, str]
) -> None:
    token, custody = market.token("KRW"), market.at.authorities["custody"]
    call = call_encode("mint(address,uint256,bytes32)", traders[0], 5, secrets.token_bytes(32))
    identifier = secrets.token_bytes(32)
    data = market.execution("custody", token, call, identifier=identifier)
    assert not client.authority_used(w3, custody, identifier, "latest")
    market.send(custody, data)
    assert client.authority_used(w3, custody, identifier, "latest")
    before = market.state_of(*traders)
    late = w3.eth.get_block("latest")["timestamp"] - 1
    refused = {
        "IdUsed": data,
        "DeadlinePassed": market.execution("custody", token, call, deadline=late),
        "WrongSigner": market.execution("custody", token, call, by="venue"),
        "CallNotAllowed": market.execution(
            "custody", token, keccak(text="approve(address,uint256)")[:4]
        ),
        "NoticeUsed": market.execution("custody", token, call),
    }
    for why, attempt in refused.items():
        with pytest.raises(Refused, match=why):
            market.send(custody, attempt)
    other = Market.deployed(w3)
    other.keys = market.keys
    with pytest.raises(Refused, match="WrongSigner"):
        market.send(custody, other.execution("custody", token, call))
    assert market.state_of(*traders) == before


def test_status_is_refused_when_it_comes_out_of_order(market: Market) -> None:
    account = market.account()
    registry, call = market.at.identity_registry, "setStatus(address,bool,bool,uint64,uint64)"
    market.execute("compliance", registry, call, account, True, True, 5, 7)
    for version in (7, 6):
        with pytest.raises(Refused, match="VersionNotRising"):
            market.execute("compliance", registry, call, account, True, False, 0, version)


def test_earlier_fills_settle_and_nothing_later_when_a_member_is_frozen_between(
    market: Market, traders: tuple[str, str]
) -> None:
    chunks = _chunks(market, *traders)
    first = market.last_sequence() + 1
    market.status(traders[0], frozen=True, sequence=first + 2)
    market.settle(market.batch(50, chunks, to_sequence=first + 2), chunks)
    assert market.balance("XAU", traders[0]) == 96
    late = market.batch(51, chunks)
    data = lane.settle_call(late, *market.signatures(late), chunks)
    _refused(market, data, "AccountFrozen", *traders)
    with pytest.raises(Refused, match="AccountFrozen"):
        market.execute(
            "custody",
            market.token("XAU"),
            "custodyTransfer(address,address,uint256)",
            traders[0],
            traders[1],
            1,
        )
    # He still receives.
    sale = market.deltas(("KRW", traders[1], -5), ("KRW", traders[0], 5))
    received = chunks_encode(sale)
    market.settle(market.batch(52, received), received)
    assert market.balance("KRW", traders[0]) == 45


def test_unit_sent_to_settlement_from_outside_blocks_nothing(
    w3: Web3, market: Market, traders: tuple[str, str]
) -> None:
    key = secrets.token_bytes(32)
    wallet = lane.lane_address(key)
    fund(w3, wallet)
    gold = market.token("XAU")
    market.execute(
        "custody", gold, "custodyTransfer(address,address,uint256)", traders[0], wallet, 9
    )
    for receiver in (market.at.settlement, gold):
        sending = call_encode("transfer(address,uint256)", receiver, 1)
        with pytest.raises(Refused, match="ERC20InvalidReceiver"):
            market.send(gold, sending, key)
    market.send(gold, call_encode("transfer(address,uint256)", traders[1], 9), key)
    # Ether cannot be sent either, and would count for nothing.
    with pytest.raises(Refused):
        market.send(market.at.settlement, b"", key)
    chunks = _chunks(market, *traders)
    market.settle(market.batch(60, chunks), chunks)
    assert market.balance("XAU", traders[1]) == 13


def test_holder_moves_nothing_when_he_has_his_accounts_key(w3: Web3, market: Market) -> None:
    key = secrets.token_bytes(32)
    account = lane.lane_address(key)
    fund(w3, account)
    registry = market.at.account_registry
    market.execute("custody", registry, "open(address,uint32)", account, market.at.clearing_id)
    for symbol in ("XAU", "KRW"):
        market.mint(symbol, account, 5)
        for call in ("transfer(address,uint256)", "approve(address,uint256)"):
            with pytest.raises(Refused, match="Custodial"):
                market.send(
                    market.token(symbol), call_encode(call, market.at.guarantee_fund, 1), key
                )


def test_lane_signs_for_no_body(market: Market, traders: tuple[str, str]) -> None:
    market_of_lane = Market(
        w3=market.w3,
        instance=market.instance,
        lane_key=market.lane_key,
        keys=dict.fromkeys(BODIES, market.lane_key),
        at=market.at,
    )
    chunks = _chunks(market, *traders)
    batch = market.batch(70, chunks)
    data = lane.settle_call(batch, *market_of_lane.signatures(batch), chunks)
    _refused(market, data, "WrongSigner", *traders)
    for body, target, call in (
        ("custody", market.token("XAU"), "custodyTransfer(address,address,uint256)"),
        ("custody", market.token("XAU"), "burn(address,uint256,bytes32)"),
        ("compliance", market.at.identity_registry, "setStatus(address,bool,bool,uint64,uint64)"),
        ("venue", market.token("ACME"), "setName(string)"),
    ):
        selector = keccak(text=call)[:4]
        attempt = market_of_lane.execution(body, target, selector)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="WrongSigner"):
            market.send(market.at.authorities[body], attempt)  # type: ignore[index]
    with pytest.raises(Refused, match="WrongSigner"):
        market_of_lane.substitute(70, "XAU", traders[0], 1)


def test_key_rotates_when_two_bodies_sign_and_the_delay_is_over(w3: Web3) -> None:
    market = Market.deployed(w3, rotation_delay_s=3_600)
    custody, fresh = market.at.authorities["custody"], secrets.token_bytes(32)
    typed = encoding.rotate_typed(market.authority_domain("custody"), lane.lane_address(fresh), 0)
    call = "proposeRotation(address,bytes,address,bytes)"
    own, peer = market.sign("custody", typed), market.sign("clearing", typed)
    peer_authority = market.at.authorities["clearing"]
    new_signer = lane.lane_address(fresh)
    with pytest.raises(Refused, match="WrongSigner"):
        market.send(custody, call_encode(call, new_signer, own, peer_authority, own))
    market.send(custody, call_encode(call, new_signer, own, peer_authority, peer))
    account = market.account()
    clock_forward(w3, 3_601)
    assert Web3.to_checksum_address(client.authority_signer(w3, custody, "latest")) == new_signer
    with pytest.raises(Refused, match="WrongSigner"):
        market.mint("KRW", account, 1)
    market.keys["custody"] = fresh
    market.mint("KRW", account, 1)
    assert market.balance("KRW", account) == 1


def test_batch_unwinds_and_its_range_settles_under_a_new_id(new_market: Market) -> None:
    market = new_market
    seller, buyer = market.accounts(2)
    market.mint("XAU", seller, 10)
    moves = [("XAU", seller, -10), ("XAU", buyer, 10), ("KRW", buyer, -9), ("KRW", seller, 9)]
    chunks = chunks_encode(market.deltas(*moves), max_deltas=1)
    gold_first = market.token("XAU").lower() < market.token("KRW").lower()
    paid, short = (0, 1) if gold_first else (1, 0)
    batch = market.batch(1, chunks, to_sequence=6)
    market.open(batch, chunks)
    if paid == 0:
        market.apply(batch, 0, chunks[0])
    with pytest.raises(Refused, match="ERC20InsufficientBalance"):
        market.apply(batch, short, chunks[short])
    with pytest.raises(Refused, match="WrongSigner"):
        market.unwind(batch, by="venue")
    with pytest.raises(Refused, match="UnwindTooEarly"):
        market.unwind(batch, by=None)
    market.unwind(batch)
    if paid == 0:
        market.refund(batch, 0, chunks[0])
    progress = client.progress_read(market.w3, market.at.settlement, 1, "latest")
    assert progress.status == Status.UNWOUND
    assert market.balance("XAU", seller) == 10
    assert market.last_sequence() == 0
    market.mint("KRW", buyer, 9)
    again = market.batch(2, chunks, to_sequence=6)
    market.settle(again, chunks)
    assert market.last_sequence() == 6
    assert client.batch_root(market.w3, market.at.settlement, 1, "latest") is None


def test_anyone_unwinds_when_the_timeout_is_over(w3: Web3) -> None:
    market = Market.deployed(w3, unwind_timeout_s=600)
    seller, buyer = market.accounts(2)
    market.mint("XAU", seller, 10)
    chunks = chunks_encode(market.deltas(("XAU", seller, -10), ("XAU", buyer, 10)))
    batch = market.batch(1, chunks)
    market.open(batch, chunks)
    market.apply(batch, 0, chunks[0])
    assert client.escrow_read(w3, market.at.settlement, market.token("XAU"), "latest") == 10
    clock_forward(w3, 601)
    stranger = secrets.token_bytes(32)
    fund(w3, lane.lane_address(stranger))
    market.send(market.at.settlement, lane.unwind_call(1, b""), stranger)
    market.send(market.at.settlement, lane.refund_call(1, 0, chunks[0]), stranger)
    assert market.balance("XAU", seller) == 10
    assert client.settlement_state(w3, market.at.settlement, "latest").open_batch_id == 0


def test_fund_pays_a_shortfall_when_both_bodies_signed(market: Market) -> None:
    seller, buyer = market.accounts(2)
    market.mint("XAU", market.at.guarantee_fund, 10)
    before = market.balance("XAU", market.at.guarantee_fund)
    chunks = chunks_encode(market.deltas(("XAU", seller, -4), ("XAU", buyer, 4)))
    batch = market.batch(80, chunks)
    with pytest.raises(Refused, match="ERC20InsufficientBalance"):
        market.settle(batch, chunks)
    market.substitute(80, "XAU", seller, 4)
    market.settle(batch, chunks)
    assert market.balance("XAU", buyer) == 4
    assert market.balance("XAU", market.at.guarantee_fund) == before - 4


def test_security_goes_to_suspense_when_its_buyer_is_not_verified(market: Market) -> None:
    seller = market.account(verified=True)
    buyer = market.account()
    market.mint("ACME", seller, 5)
    chunks = chunks_encode(market.deltas(("ACME", seller, -5), ("ACME", buyer, 5)))
    market.settle(market.batch(90, chunks), chunks)
    assert market.balance("ACME", buyer) == 0
    assert market.balance("ACME", market.at.suspense) == 5
