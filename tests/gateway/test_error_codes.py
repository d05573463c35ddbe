"""Error codes: the closed list, its document, and its use in the schema."""

import re
from pathlib import Path

from db.core.error_codes import ErrorCode
from graph.core.types import errors
from support.error_codes_document import document

ROOT = Path(__file__).parents[2]
LITERAL = re.compile(f'"({"|".join(code for code in ErrorCode if "_" in code)})"')


def test_the_document_lists_the_declared_codes() -> None:
    written = (ROOT / "docs" / "errors.md").read_text()
    assert written == document(), "run python tests/support/error_codes_document.py"


def test_codes_are_named_by_their_value() -> None:
    assert [code.name for code in ErrorCode] == [code.value for code in ErrorCode]


def test_the_enum_of_the_schema_is_a_part_of_the_list() -> None:
    assert {*errors.ErrorCode} < {*ErrorCode}


def test_codes_are_literals_in_their_declaration_only() -> None:
    files = [file for file in (ROOT / "src").rglob("*.py") if LITERAL.search(file.read_text())]
    assert [file.name for file in files] == ["error_codes.py"]


def test_a_status_without_a_code_of_its_own_is_bad_user_input() -> None:
    codes = [ErrorCode.of_status(status) for status in (401, 404, 415, 429, 503)]
    assert codes == [
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.NOT_FOUND,
        ErrorCode.BAD_USER_INPUT,
        ErrorCode.RATE_LIMITED,
        ErrorCode.SERVICE_UNAVAILABLE,
    ]
