"""Names of codes on the command line, for those settings that most will want."""

from __future__ import annotations

from enum import StrEnum

from asyncstore.automatic import AUTO
from asyncstore.models import (
    BinaryQuantization,
    BinaryQuantizationConfig,
    CompressionRatio,
    ProductQuantization,
    ProductQuantizationConfig,
    QuantizationConfig,
    RabitqQuantization,
    RabitqQuantizationConfig,
    ScalarQuantization,
    ScalarQuantizationConfig,
    ScalarType,
)

INT8 = ScalarQuantization(
    scalar=ScalarQuantizationConfig(type=ScalarType.INT8, quantile=0.99, always_ram=True)
)


class Codes(StrEnum):
    """The codes that an import can make; of rabitq with the bits of a dimension."""

    AUTO = "auto"
    INT8 = "int8"
    RABITQ8 = "rabitq8"
    RABITQ4 = "rabitq4"
    RABITQ2 = "rabitq2"
    RABITQ1 = "rabitq1"
    PRODUCT = "product"
    BINARY = "binary"
    NONE = "none"


def config_of(codes: Codes) -> QuantizationConfig | str | None:
    """What ``create_collection`` takes."""
    match codes:
        case Codes.AUTO:
            return AUTO
        case Codes.INT8:
            return INT8
        case Codes.PRODUCT:
            return ProductQuantization(
                product=ProductQuantizationConfig(compression=CompressionRatio.X16)
            )
        case Codes.BINARY:
            return BinaryQuantization(binary=BinaryQuantizationConfig())
        case Codes.NONE:
            return None
        case _:
            bits = int(codes.removeprefix("rabitq"))
            return RabitqQuantization(rabitq=RabitqQuantizationConfig(bits=bits))


def name_of(config: QuantizationConfig | None) -> str:
    """What a configuration is called, in a word."""
    match config:
        case ScalarQuantization():
            return Codes.INT8
        case RabitqQuantization(rabitq=rabitq):
            return f"rabitq{rabitq.bits}"
        case ProductQuantization(product=product):
            return f"{Codes.PRODUCT} {product.compression.value}"
        case BinaryQuantization():
            return Codes.BINARY
        case _:
            return Codes.NONE
