"""Error codes document: docs/errors.md, made from the declared codes.

Run `python tests/support/error_codes_document.py > docs/errors.md` after a change of them.
"""

import sys

from db.core.error_codes import ErrorCode

HEADER = """# Error codes

Act on `extensions.code`, never on the message, which may change. `code` of the errors in a
mutation's payload is from the same list. `extensions.requestId` identifies the request in the log.

The status is that of a request that failed before it was executed, if all its errors have this
code and the client accepts `application/graphql-response+json`. With `application/json` it is 200.
The codes with a retry have their status in any form, with the header `Retry-After` in seconds, if
no field has data. Any other request that was executed has status 200.

| Code | Status | Retry | Meaning |
|---|---|---|---|
"""


def document() -> str:
    return HEADER + "".join(_row(code) for code in ErrorCode)


def _row(code: ErrorCode) -> str:
    retry = "yes" if code.retryable else "no"
    return f"| `{code}` | {code.http_status} | {retry} | {code.meaning} |\n"


if __name__ == "__main__":
    sys.stdout.write(document())
