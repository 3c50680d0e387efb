"""The database field of every amount: NUMERIC(78,0) in PostgreSQL, int in Python, 63 bits."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

from matching.protocol.units import UNITS_MAX

if TYPE_CHECKING:
    _Field = models.Field[int, int]
else:
    _Field = models.Field


class UnitsField(_Field):
    """Whole base units of an asset, signed; writing beyond 63 bits or another type is refused."""

    description = "Base units"
    _pyi_private_set_type: int
    _pyi_private_get_type: int

    def db_type(self, connection: Any) -> str:
        return "numeric(78,0)"

    def from_db_value(self, value: Decimal | int | None, *_: object) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> int | None:
        """Return the int that `value` is; floats, fractions and other strings raise."""
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii():
            return int(value)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return int(value)
        raise ValidationError(f"amount must be whole base units, found {value!r}")

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if hasattr(value, "resolve_expression"):
            return value
        units = self.to_python(value)
        if units is not None and abs(units) > UNITS_MAX:
            raise ValidationError(f"amount {units} does not fit in 63 bits")
        return units
