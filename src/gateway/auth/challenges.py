"""Challenges: the responses to missing and invalid credentials (RFC 6750 §3)."""

from gateway.errors import HttpError

REALM = 'Bearer realm="dreamnet"'
SIGN_IN = "Sign in: send `Authorization: Bearer` with a key or a token."
CHALLENGE = {"www-authenticate": REALM}


class InvalidCredential(Exception):
    """The credential is not valid. The reason is logged and holds no part of it. `lasts` is False
    if it may become valid soon."""

    def __init__(self, reason: str, *, lasts: bool = True) -> None:
        super().__init__(reason)
        self.lasts = lasts


def unauthenticated(message: str = SIGN_IN) -> HttpError:
    return HttpError(message, 401, headers=CHALLENGE)


def invalid_credential() -> HttpError:
    message = "This credential is not valid: it is unknown, expired or revoked."
    challenge = {"www-authenticate": f'{REALM}, error="invalid_token"'}
    return HttpError(message, 401, headers=challenge)
