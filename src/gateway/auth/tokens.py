"""Tokens: signing in with a JSON Web Token of an OpenID Connect issuer (RFC 7519, RFC 8725).

A token stands for its subject. The address in it matters at the first sign-in only (db/identity).

What a token says of how it is to be verified is not believed: algorithms are those of the settings,
never `none` and never a shared secret, and each key verifies one algorithm, its own.
"""

import hashlib
import time
from collections.abc import Collection, Iterable
from typing import NamedTuple, cast

import jwt

from db import Database, ReadSession, identity
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import ResultRow
from db.core.values.email import is_address, normalised
from db.users import RANKS, SUBJECT, Role, User
from gateway.auth.challenges import InvalidCredential
from gateway.auth.credential_cache import READ_PATIENCE, Clock, TTLCache
from gateway.auth.issuer import Issuer
from gateway.settings import Settings
from graph.core.principal import Principal

Claims = dict[str, object]  # of a token, by name (RFC 7519 §4)
KnownUser = ResultRow | User  # with the columns of a user

LEEWAY_SECONDS = 60
RECENT_SECONDS = 5
REMEMBERED = 10_000
LOCAL = "@localhost"  # the first administrator's, which no issuer can have verified
TYPES = {"jwt", "at+jwt", "application/at+jwt"}  # RFC 9068 §2.1 for the latter two
USED = {"sub", "exp", "email", "email_verified"}
REQUIRED = ["sub", "exp", "iss", "aud"]

_verifier = jwt.PyJWT({"require": REQUIRED, "enforce_minimum_key_length": True})


class Person(NamedTuple):
    """The subject of a token, and its address if the issuer has verified it."""

    subject: str
    email: str | None


class VerifiedToken(NamedTuple):
    """A token whose signature a key has verified."""

    kid: str | None
    key: jwt.PyJWK
    claims: Claims
    until: float

    @property
    def is_over(self) -> bool:
        return self.until <= time.time() - LEEWAY_SECONDS


class Tokens:
    """The tokens of one issuer for one audience, and the users they stand for."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.settings = settings
        self.database = database
        self.issuer = Issuer(settings.oidc_issuer or "", settings.oidc_jwks_url, clock)
        self.reads = ReadCoalescer(database, READ_PATIENCE)
        self.known = TTLCache(self._users, RECENT_SECONDS, REMEMBERED, clock)
        self.newcomers = TTLCache(self._sign_in_first, RECENT_SECONDS, REMEMBERED, clock)
        self.proven: dict[bytes, VerifiedToken] = {}

    @property
    def caches(self) -> tuple[TTLCache[str, ResultRow], TTLCache[Person, KnownUser | None]]:
        return self.known, self.newcomers

    def expiry(self, text: str) -> float:
        """When a valid token expires, as a Unix time in seconds."""
        return _expiry(_unverified_claims(text))

    async def principal(self, text: str) -> Principal:
        """The principal of a token. Raises InvalidCredential, and Unavailable if the keys of the
        issuer or the database cannot be read."""
        claims = await self.claims(text)
        person = _person(claims)
        user: KnownUser | None = await self.known.get(person.subject)
        if user is None and person.email is None:
            raise InvalidCredential("no verified address", lasts=False)
        if user is None and (user := await self.newcomers.get(person)) is None:
            raise InvalidCredential("no such user", lasts=False)
        if user.disabled_at:
            raise InvalidCredential("user disabled", lasts=False)
        return Principal(user.id, self._role(user, claims))

    def until(self, text: str) -> float:
        """Until when what was read of the user of a valid token counts, by the clock of the
        cache."""
        claims = _unverified_claims(text)
        left = _expiry(claims) - time.time()
        return min(self.known.until(_person(claims).subject), self.known.clock() + left)

    async def refresh(self, texts: Iterable[str]) -> None:
        """Reload the users of valid tokens in one batch. Raises Unavailable."""
        await self.known.refresh({_person(_unverified_claims(text)).subject for text in texts})

    async def claims(self, text: str) -> Claims:
        """The claims of a token. A verified signature is cached until its key is replaced. Raises
        InvalidCredential, Unavailable."""
        name = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
        proven = self.proven.get(name)
        if proven is None or proven.is_over or await self.issuer.key(proven.kid) != proven.key:
            proven = self.proven[name] = await self._prove(text)
            if len(self.proven) > REMEMBERED:
                del self.proven[next(iter(self.proven))]
        return proven.claims

    async def _prove(self, text: str) -> "VerifiedToken":
        try:
            header = jwt.get_unverified_header(text)
            self._check(header)
            kid = header.get("kid")
            key = await self.issuer.key(kid)
            if key is None or key.algorithm_name != header["alg"]:
                raise InvalidCredential("no such key", lasts=False)
            claims = self._verified(text, key)
            used = {*USED, self.settings.oidc_role_claim}
            kept = {name: claims[name] for name in claims if name in used}
            return VerifiedToken(kid, key, kept, _expiry(claims))
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError) as error:
            lasts = not isinstance(error, jwt.ImmatureSignatureError)
            raise InvalidCredential(type(error).__name__, lasts=lasts) from error

    def _check(self, header: Claims) -> None:
        if header.get("alg") not in self.settings.algorithms:
            raise InvalidCredential("algorithm not allowed")
        if str(header.get("typ", "JWT")).lower() not in TYPES:
            raise InvalidCredential("not an access token")

    def _verified(self, text: str, key: jwt.PyJWK) -> Claims:
        return _verifier.decode(
            text,
            key,
            algorithms=list(self.settings.algorithms),
            audience=self.settings.oidc_audience,
            issuer=self.settings.oidc_issuer,
            leeway=LEEWAY_SECONDS,
        )

    async def _users(self, subjects: Collection[str]) -> dict[str, ResultRow]:
        return await self.reads.of(self._by_subjects, subjects)

    async def _by_subjects(
        self, session: ReadSession, subjects: Collection[str]
    ) -> dict[str, ResultRow]:
        return await identity.by_subjects(session, self.issuer.name, subjects)

    async def _sign_in_first(self, people: Collection[Person]) -> dict[Person, KnownUser | None]:
        create = self.settings.oidc_create_users
        users: dict[Person, KnownUser | None] = {}
        for person in people:
            async with self.database.write(identity.SIGNING_IN) as session:
                users[person] = await identity.sign_in_first(
                    session, self.issuer.name, person.subject, person.email or "", create
                )
        return users

    def _role(self, user: KnownUser, claims: Claims) -> Role:
        """The user's role; or, where a claim decides, the highest it names, else MEMBER."""
        if self.settings.oidc_role_claim is None:
            return Role(user.role)
        claimed = claims.get(self.settings.oidc_role_claim, [])
        names = claimed if isinstance(claimed, list) else [claimed]
        named = [role for role in Role if role in names]
        return max(named, key=RANKS.__getitem__, default=Role.MEMBER)


def _expiry(claims: Claims) -> float:
    return float(cast("float", claims["exp"]))


def _unverified_claims(text: str) -> Claims:
    claims: Claims = jwt.decode(text, options={"verify_signature": False})
    return claims


def _person(claims: Claims) -> Person:
    subject = cast("str", claims["sub"])
    if any(SUBJECT.faults(subject)):
        raise InvalidCredential("no acceptable subject")
    return Person(subject, _email(claims))


def _email(claims: Claims) -> str | None:
    """The address the issuer has verified (OpenID Connect Core 1.0 §5.1); some send it as text."""
    email, verified = claims.get("email"), claims.get("email_verified")
    if not isinstance(email, str) or verified not in (True, "true"):
        return None
    address = normalised(email)
    return address if is_address(address) and not address.endswith(LOCAL) else None
