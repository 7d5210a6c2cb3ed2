"""Attempts at signing in: only the browser that began one ends it, once it is not too old."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from activities.errors import ProviderRefused
from api.oidc.attempts import SECONDS, begin, cookie_of, opened, sealed

KEY, NOW = b"k" * 32, 1_800_000_000.0


def test_a_browser_goes_on_with_what_it_began() -> None:
    """Each of two attempts, in any order; state, nonce and verifier are 256 random bits each."""
    first, second = begin(NOW), begin(NOW)
    cookies = {each.cookie: sealed(each, KEY) for each in (first, second)}
    assert opened(cookies, second.state, KEY, NOW) == second
    assert opened(cookies, first.state, KEY, NOW + SECONDS - 1) == first
    assert len({first.state, first.nonce, first.verifier, second.state, second.nonce, second.verifier}) == 6
    assert all(len(each) == 43 for each in (first.state, first.nonce, first.verifier))


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    """The example of RFC 7636, appendix B."""
    attempt = replace(begin(NOW), verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert attempt.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_what_this_browser_did_not_begin_is_refused() -> None:
    """No cookie, one of another attempt, of another key, changed, too old, or no cookie of ours at all."""
    attempt, other = begin(NOW), begin(NOW)
    good = sealed(attempt, KEY)
    content, _, signature = good.partition(".")
    wrong = {
        "none": {},
        "other attempt": {attempt.cookie: sealed(other, KEY)},
        "other key": {attempt.cookie: sealed(attempt, b"l" * 32)},
        "changed": {attempt.cookie: f"{content[:-4]}AAAA.{signature}"},
        "unsigned": {attempt.cookie: content},
        "rubbish": {attempt.cookie: "ü.ü"},
        "empty": {attempt.cookie: "."},
    }
    for cookies in wrong.values():
        with pytest.raises(ProviderRefused):
            opened(cookies, attempt.state, KEY, NOW)
    with pytest.raises(ProviderRefused):
        opened({attempt.cookie: good}, attempt.state, KEY, NOW + SECONDS)
    assert attempt.cookie == cookie_of(attempt.state) != other.cookie
