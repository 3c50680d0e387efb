"""What a signed request is: a JWT (RFC 7519, HS256 of RFC 7518) over the request's content.

Signer and verifier share these definitions. What must not live here: who a key belongs to, Django.
"""

import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from uuid import uuid4

import msgspec

HASH_ALGORITHM = "SHA512"
TOKEN_CHARACTERS_MAX = 4096
_HEADER = b'{"alg":"HS256","typ":"JWT"}'


class TokenHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    typ: str = "JWT"


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a token asserts of its request.

    `iat` is in Unix seconds; `path` is the raw path as sent, without the query. The hashes are
    SHA-512 in lower-case hex over the raw query string and the raw body, absent when that is empty.
    """

    access_key: str
    nonce: str
    iat: int
    method: str
    path: str
    query_hash: str = ""
    body_hash: str = ""
    hash_alg: str = ""


class Token(msgspec.Struct, frozen=True):
    """A token taken apart: `signed` are the bytes that `signature` is over."""

    header: TokenHeader
    claims: Claims
    signed: bytes
    signature: bytes


_header_decode = msgspec.json.Decoder(TokenHeader).decode
_claims_decode = msgspec.json.Decoder(Claims).decode


def content_hash(content: bytes) -> str:
    """Return the hash that stands for a query string or a body; empty for an empty one."""
    return hashlib.sha512(content).hexdigest() if content else ""


def signature(secret: str, signed: bytes) -> bytes:
    """Return HMAC-SHA256 under the secret's UTF-8 bytes."""
    return hmac.digest(secret.encode(), signed, "sha256")


def token_parse(text: str) -> Token:
    """Take a token apart without believing it. Raises `ValueError` saying what is malformed."""
    if len(text) > TOKEN_CHARACTERS_MAX or not text.isascii():
        raise ValueError(f"a token has at most {TOKEN_CHARACTERS_MAX} ASCII characters")
    signed, _, encoded_signature = text.encode().rpartition(b".")
    encoded_header, dot, encoded_claims = signed.partition(b".")
    if not dot or b"." in encoded_claims:
        raise ValueError("a token has three parts divided by dots")
    try:
        return Token(
            _header_decode(_base64_decode(encoded_header)),
            _claims_decode(_base64_decode(encoded_claims)),
            signed,
            _base64_decode(encoded_signature),
        )
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def request_sign(
    access_key: str,
    secret: str,
    method: str,
    path: str,
    query: bytes | str = b"",
    body: bytes = b"",
    *,
    nonce: str | None = None,
    issued_at: int | None = None,
) -> str:
    """Return the `Authorization` header of a request; `query` is raw, without the question mark."""
    query_hash = content_hash(query.encode() if isinstance(query, str) else query)
    body_hash = content_hash(body)
    claims = Claims(
        access_key=access_key,
        nonce=nonce or str(uuid4()),
        iat=int(time.time()) if issued_at is None else issued_at,
        method=method,
        path=path,
        query_hash=query_hash,
        body_hash=body_hash,
        hash_alg=HASH_ALGORITHM if query_hash or body_hash else "",
    )
    return "Bearer " + token_build(claims, secret)


def token_build(claims: Claims | Mapping[str, object], secret: str, header: bytes = _HEADER) -> str:
    """Return the signed token of these claims."""
    signed = _base64_encode(header) + b"." + _base64_encode(msgspec.json.encode(claims))
    return (signed + b"." + _base64_encode(signature(secret, signed))).decode()


def _base64_encode(data: bytes) -> bytes:
    return (
        binascii.b2a_base64(data, newline=False)
        .rstrip(b"=")
        .translate(bytes.maketrans(b"+/", b"-_"))
    )


def _base64_decode(data: bytes) -> bytes:
    """Decode unpadded base64url, strictly (RFC 7515, 2). Raises `ValueError`."""
    if not data or b"+" in data or b"/" in data or b"=" in data:
        raise ValueError("a token's part is not base64url without padding")
    padded = data.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(data) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)
