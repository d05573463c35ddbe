"""Refusal: the answers to requests whose sender is not known well enough (RFC 6750 §3)."""

from gateway.errors import HttpError

REALM = 'Bearer realm="dreamnet"'
SIGN_IN = "Sign in: send `Authorization: Bearer` and a key or a token."
CHALLENGE = {"www-authenticate": REALM}


class InvalidCredential(Exception):
    """A credential that proves nothing; the reason is for the log and holds nothing of it. It does
    not last where the credential may become valid in a moment."""

    def __init__(self, reason: str, *, lasts: bool = True) -> None:
        super().__init__(reason)
        self.lasts = lasts


def unauthenticated(message: str = SIGN_IN) -> HttpError:
    """For a request without a credential where one is needed."""
    return HttpError(message, 401, headers=CHALLENGE)


def invalid_credential() -> HttpError:
    """For every credential that is not valid, whatever is wrong with it."""
    message = "This credential is not valid: it is unknown, expired or revoked."
    challenge = {"www-authenticate": f'{REALM}, error="invalid_token"'}
    return HttpError(message, 401, headers=challenge)
