"""The assets of the house, by code; an amount is an integer of base units."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AssetTerms:
    """Terms of an asset; `decimals` are the token's and the engine's alike."""

    id: int
    code: str
    name: str
    kind: str
    decimals: int


# KRW in 0.0001 KRW, precious metals in mg (unit 1 g), base metals in g (unit 1 kg), shares
# whole.
ASSETS = (
    AssetTerms(1, "KRW", "Korean won", "cash", 4),
    AssetTerms(2, "XAU", "Gold", "metal", 3),
    AssetTerms(3, "XAG", "Silver", "metal", 3),
    AssetTerms(4, "XPT", "Platinum", "metal", 3),
    AssetTerms(5, "XPD", "Palladium", "metal", 3),
    AssetTerms(6, "CU", "Copper", "metal", 3),
    AssetTerms(7, "NI", "Nickel", "metal", 3),
    AssetTerms(8, "SN", "Tin", "metal", 3),
    AssetTerms(9, "GDC", "Gamcheon Docks, common share", "security", 0),
    AssetTerms(10, "CTB", "Centum Tower, share of the building", "security", 0),
)
CASH = ASSETS[0]
