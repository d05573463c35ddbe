"""Issuer: an OpenID Connect issuer of the test's own, on loopback, and the tokens it signs."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key as generate_rsa,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.process.listener import listening

AUDIENCE = "dreamnet"
PAGES = Middleware(CORSMiddleware, allow_origins=["*"])  # pages fetch the documents and tokens
RSA = generate_rsa(65537, 2048)
FOREIGN = generate_rsa(65537, 2048)
WEAK = generate_rsa(65537, 1024)  # noqa: S505  the key that must be refused
EC = generate_private_key(SECP256R1())
ED = Ed25519PrivateKey.generate()


def published(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key as a JWK."""
    kinds: list[tuple[type, Any]] = [
        (RSAPrivateKey, RSAAlgorithm),
        (Ed25519PrivateKey, OKPAlgorithm),
        (object, ECAlgorithm),
    ]
    algorithm = next(algorithm for kind, algorithm in kinds if isinstance(key, kind))
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


KEYS = [
    published(RSA, "rsa", use="sig", alg="RS256"),
    published(EC, "ec"),
    published(ED, "ed"),
    published(WEAK, "weak"),
    published(RSA, "encryption", use="enc"),
    {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
    {"kty": "unheard of", "kid": "new"},
]


class Issuer:
    """The documents of an issuer, and how often they were requested."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fetches = 0
        self.keys_url: object = f"{url}/keys"
        self.answer: Response = JSONResponse({"keys": KEYS})

    async def discovery(self, _: Request) -> Response:
        endpoints = {
            f"{each}_endpoint": f"{self.url}/{each}" for each in ("authorization", "token")
        }
        return JSONResponse({"issuer": self.url, "jwks_uri": self.keys_url} | endpoints)

    async def authorize(self, request: Request) -> Response:
        """Sign in without a question; the code is the challenge of PKCE."""
        asked = request.query_params
        code = urlencode({"code": asked["code_challenge"], "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{code}")

    async def exchange(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if _part(sha256(form["code_verifier"].encode()).digest()).decode() != form["code"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        tokens = {"access_token": self.token(), "id_token": self.token(aud=form["client_id"])}
        return JSONResponse(tokens | {"token_type": "Bearer", "expires_in": 300})

    async def keys(self, _: Request) -> Response:
        self.fetches += 1
        return self.answer

    async def elsewhere(self, _: Request) -> Response:
        return JSONResponse({"keys": KEYS})

    def redirect(self) -> None:
        """From now on the keys are elsewhere."""
        self.answer = RedirectResponse(f"{self.url}/elsewhere")

    def claims(self, **changed: Any) -> dict[str, Any]:
        """The claims of a token; None omits a claim."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "user-1",
            "iat": now,
            "exp": now + 300,
            "email": "ada@example.org",
            "email_verified": True,
        }
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def token(
        self,
        key: Any = RSA,
        alg: str = "RS256",
        kid: str | None = "rsa",
        typ: str = "JWT",
        **claims: Any,
    ) -> str:
        """A token signed with a key."""
        headers: dict[str, Any] = {"typ": typ} | ({"kid": kid} if kid else {})
        return jwt.encode(self.claims(**claims), key, alg, headers)


@asynccontextmanager
async def serving() -> AsyncIterator[Issuer]:
    """An issuer that answers on loopback."""
    with listening("127.0.0.1", 0) as listener:
        issuer = Issuer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        routes = [
            Route("/.well-known/openid-configuration", issuer.discovery),
            Route("/authorization", issuer.authorize),
            Route("/token", issuer.exchange, methods=["POST"]),
            Route("/keys", issuer.keys),
            Route("/elsewhere", issuer.elsewhere),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes, middleware=[PAGES]), log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        yield issuer
        server.should_exit = True
        await running


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token as no library makes it: without a signature, or with that of a shared secret."""
    body = b".".join(_part(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.new(secret, body, sha256).digest() if secret else b""
    return b".".join((body, _part(signature))).decode()


def public_pem() -> bytes:
    """The issuer's public key as text: an attacker signs with it as if it were a shared secret."""
    return RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def deep() -> str:
    """A token with a header nested deeper than Python's parser supports."""
    return _part(b"[" * 5000).decode() + ".e30.e30"


def _part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
