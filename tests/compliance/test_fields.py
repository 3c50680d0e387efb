"""The one field of amounts."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from compliance.fields import UnitsField
from matching.protocol.units import UNITS_MAX


@pytest.mark.parametrize(
    ("value", "units"), [(0, 0), (-5, -5), ("12", 12), (Decimal(7), 7), (UNITS_MAX, UNITS_MAX)]
)
def test_units_are_whole_integers(value: object, units: int) -> None:
    found = UnitsField().get_prep_value(value)
    assert (found, type(found)) == (units, int)


@pytest.mark.parametrize(
    "value",
    [1.0, True, "1.5", "1e9", "٣", "", Decimal("0.5"), Decimal("NaN"), UNITS_MAX + 1, -(2**63)],
)
def test_units_refuse_fractions_floats_and_more_than_63_bits(value: object) -> None:
    with pytest.raises(ValidationError):
        UnitsField().get_prep_value(value)
