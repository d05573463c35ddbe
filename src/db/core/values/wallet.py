"""Wallet: addresses of Ethereum accounts, 20 bytes in hexadecimal."""

import re
from dataclasses import replace

from Crypto.Hash import keccak
from sqlalchemy import Text, func

from db.core.values.validation import single

_ADDRESS = re.compile("0x[0-9A-Fa-f]{40}")


def with_checksum(address: str) -> str:
    """An address whose letters are large or small by the digits of its own hash. Source: EIP-55."""
    digits = address.removeprefix("0x").lower()
    hashed = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) > 7 else digit
        for digit, nibble in zip(digits, hashed, strict=False)
    )


def _wrong(address: str) -> str | None:
    if not _ADDRESS.fullmatch(address):
        return "A wallet address is `0x` and 40 hexadecimal digits."
    digits = address.removeprefix("0x")
    if digits in (digits.lower(), digits.upper()) or with_checksum(address) == address:
        return None
    return "The case of the letters does not match the checksum (EIP-55): check for a typing error."


_form = single(
    "`0x` and 40 hexadecimal digits, stored in lower case; mixed case must match the checksum "
    "(EIP-55).",
    _wrong,
)
WALLET = replace(
    _form, most=42, clean=str.lower, spelled=lambda column: func.lower(column, type_=Text)
)
