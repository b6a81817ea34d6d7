"""How vectors are encoded in memory: one struct a kind, each under the key that names it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from asyncstore.bounds import Bounds


class QuantizationConfig:
    """What the kinds below have in common: exactly one of them configures a vector's codes."""

    __slots__ = ()


class ScalarType(StrEnum):
    """The type that scalar quantization maps each dimension to."""

    INT8 = "int8"


class ScalarQuantizationConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of scalar quantization.

    Attributes:
        type: The code's type.
        quantile: How much of the values' range the codes cover; None means all of it.
        always_ram: Whether codes stay in memory, which they do.
    """

    type: ScalarType
    quantile: Annotated[float, Bounds(0.5, 1.0)] | None = None
    always_ram: bool | None = None


class ScalarQuantization(msgspec.Struct, QuantizationConfig, frozen=True, kw_only=True):
    """One byte a dimension."""

    scalar: ScalarQuantizationConfig


class CompressionRatio(StrEnum):
    """How many times smaller a product code is than its float32 vector."""

    X4 = "x4"
    X8 = "x8"
    X16 = "x16"
    X32 = "x32"
    X64 = "x64"


class ProductQuantizationConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of product quantization."""

    compression: CompressionRatio
    always_ram: bool | None = None


class ProductQuantization(msgspec.Struct, QuantizationConfig, frozen=True, kw_only=True):
    """Each of a vector's parts is the number of the nearest of 256 trained ones."""

    product: ProductQuantizationConfig


class BinaryQuantizationEncoding(StrEnum):
    """Bits a dimension of a binary code."""

    ONE_BIT = "one_bit"
    TWO_BITS = "two_bits"
    ONE_AND_HALF_BITS = "one_and_half_bits"


class BinaryQuantizationQueryEncoding(StrEnum):
    """How a query is encoded that is compared with binary codes."""

    DEFAULT = "default"
    BINARY = "binary"
    SCALAR4BITS = "scalar4bits"
    SCALAR8BITS = "scalar8bits"


class BinaryQuantizationConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of binary quantization."""

    always_ram: bool | None = None
    encoding: BinaryQuantizationEncoding | None = None
    query_encoding: BinaryQuantizationQueryEncoding | None = None


class BinaryQuantization(msgspec.Struct, QuantizationConfig, frozen=True, kw_only=True):
    """One to two bits a dimension."""

    binary: BinaryQuantizationConfig


class RabitqQuantizationConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of rotated codes with an error bound (our own).

    Attributes:
        bits: Bits a dimension: 1, 2, 4 or 8.
        always_ram: Whether codes stay in memory.
    """

    bits: int = 4
    always_ram: bool | None = None


class RabitqQuantization(msgspec.Struct, QuantizationConfig, frozen=True, kw_only=True):
    """Rotated codes with an error bound (our own)."""

    rabitq: RabitqQuantizationConfig


_STRUCT_BY_KEY: dict[str, type[msgspec.Struct]] = {
    "scalar": ScalarQuantization,
    "product": ProductQuantization,
    "binary": BinaryQuantization,
    "rabitq": RabitqQuantization,
}


def decode_quantization(expected: type, value: object) -> object:
    """Reads ``{"scalar": {…}}`` and its siblings; msgspec's ``dec_hook`` of every model.

    Raises:
        msgspec.ValidationError: The value is none of the kinds.
    """
    if expected is object:  # any JSON, as in metadata
        return value
    if expected is not QuantizationConfig:
        raise NotImplementedError(f"Unexpected type `{expected.__name__}`")
    if isinstance(value, dict) and len(value) == 1:
        key = next(iter(value))
        if key in _STRUCT_BY_KEY:
            try:
                return msgspec.convert(value, _STRUCT_BY_KEY[key])
            except msgspec.ValidationError as error:
                # msgspec begins the path anew inside a hook.
                message = str(error).replace("at `$", "at `$.quantization_config", 1)
                raise msgspec.ValidationError(message) from error
    kinds = ", ".join(_STRUCT_BY_KEY)
    raise msgspec.ValidationError(
        f"Expected one of the keys {kinds}, got {value!r} - at `$.quantization_config`"
    )
