"""Tokens as other programs make them: RFC 7515's own example, and strictness."""

import pytest

from exchange.members import signing

# RFC 7515, appendix A.1: header, claims and signature of its HS256 example.
RFC_SIGNED = (
    b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_SIGNATURE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_signature_is_that_of_the_standards_example() -> None:
    key = signing._base64_decode(
        b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    )
    import hmac

    found = hmac.digest(key, RFC_SIGNED, "sha256")
    assert signing._base64_encode(found).decode() == RFC_SIGNATURE


def test_token_is_taken_apart_as_it_was_built() -> None:
    header = signing.request_sign(
        "NX1", "secret", "POST", "/v1/orders", "a=b", b"{}", nonce="n" * 16, issued_at=7
    )
    token = signing.token_parse(header.removeprefix("Bearer "))
    assert token.header == signing.TokenHeader("HS256", "JWT")
    assert token.claims == signing.Claims(
        access_key="NX1",
        nonce="n" * 16,
        iat=7,
        method="POST",
        path="/v1/orders",
        query_hash=signing.content_hash(b"a=b"),
        body_hash=signing.content_hash(b"{}"),
        hash_alg="SHA512",
    )
    assert signing.signature("secret", token.signed) == token.signature


@pytest.mark.parametrize("alter", ["=", "+", "/", " ", "\n", "é"])
def test_token_is_refused_when_its_base64_is_not_strict(alter: str) -> None:
    text = signing.request_sign("NX1", "secret", "GET", "/").removeprefix("Bearer ")
    with pytest.raises(ValueError):
        signing.token_parse(text + alter)
