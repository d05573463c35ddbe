"""Email: which texts are addresses, and which of them are the same."""

import re
import unicodedata
from dataclasses import replace

from sqlalchemy import Text, func

from db.core.values.validation import single

MAX_LENGTH = 254  # RFC 5321 §4.5.3.1.3, less the brackets

# RFC 5322 §3.2.3 and RFC 6531 §3.3: the parts of a local part without quotes; then the labels of a
# domain name, in any script. Comments, quoted local parts and addresses of hosts are not taken.
_BEYOND_ASCII = r"\u00a1-\ud7ff\ue000-\U0010ffff"
_ATOM = rf"(?:(?!\s)[0-9A-Za-z!#$%&'*+/=?^_`{{|}}~{_BEYOND_ASCII}-])+"
_END = rf"(?:(?!\s)[0-9A-Za-z{_BEYOND_ASCII}])"
_LABEL = rf"(?=[^.@]{{1,63}}(?:\.|$)){_END}(?:-*{_END})*"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def normalised(address: str) -> str:
    """The one spelling of an address: whose letters are large, and the spaces around it, make no
    other address of it."""
    return unicodedata.normalize("NFC", address.strip().lower())


def is_address(text: str) -> bool:
    return len(text) <= MAX_LENGTH and _ADDRESS.fullmatch(text) is not None


def _wrong(text: str) -> str | None:
    address = normalised(text)
    if len(address) > MAX_LENGTH:
        return f"An e-mail address has at most {MAX_LENGTH} characters."
    return (
        None
        if is_address(address)
        else "This is not an e-mail address; write it like name@example.org."
    )


_form = single(
    f"At most {MAX_LENGTH} characters, like `name@example.org`; stored in lower case, without "
    "surrounding spaces.",
    _wrong,
)
EMAIL = replace(
    _form,
    most=MAX_LENGTH,
    clean=normalised,
    spelled=lambda column: func.lower(func.btrim(column), type_=Text),
)
