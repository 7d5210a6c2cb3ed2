"""Who a provider says that somebody is."""

from __future__ import annotations

from typing import Any

import pytest

from activities.errors import ProviderRefused
from activities.settings import OidcSettings
from api.oidc.people import MAX_GROUPS, person_of

WHO: dict[str, Any] = {"iss": "https://id.example.org", "sub": "u-1"}


def test_a_person_has_the_best_name_there_is() -> None:
    """What they sign in with, and what they are called; the subject if there is nothing else."""
    claims = WHO | {"preferred_username": "ana", "email": "ana@example.org", "name": " Ana  Li "}
    assert [person_of(claims, OidcSettings()).name, person_of(claims, OidcSettings()).display_name] == ["ana", "Ana Li"]
    bare = person_of(WHO | {"preferred_username": "", "name": 7, "email": "a\nb"}, OidcSettings())
    assert (bare.name, bare.display_name) == ("u-1", "u-1")


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        (["a", "b", "a"], ("a", "b")),
        ("a", ("a",)),
        (["/staff/hr"], ("staff/hr",)),
        (["a", "", None, {"x": 1}, "b\0"], ("a",)),
        ({"a": 1}, ()),
    ],
    ids=["list", "one", "keycloak", "rubbish", "object"],
)
def test_groups_are_taken_from_the_claim(claim: Any, groups: tuple[str, ...]) -> None:
    """Each once, in the forms that providers give them."""
    assert person_of(WHO | {"groups": claim}, OidcSettings()).groups == groups


def test_groups_may_be_unknown() -> None:
    """No claim is no group; a claim that is too long for a token, and no setting, change nothing."""
    assert person_of(WHO, OidcSettings()).groups == ()
    elsewhere = WHO | {"_claim_names": {"groups": "src1"}}
    left_out = person_of(elsewhere, OidcSettings(admin_groups="a"))
    assert (left_out.groups, left_out.roles) == (None, None)
    assert person_of(WHO | {"groups": ["a"]}, OidcSettings(groups_claim="")).groups is None
    many = person_of(WHO | {"roles": [str(n) for n in range(5000)]}, OidcSettings(groups_claim="roles"))
    assert len(many.groups or ()) == MAX_GROUPS


def test_groups_give_roles() -> None:
    """Where a setting says so, and none where no group does; without any setting roles are left to administrators."""
    settings = OidcSettings(admin_groups="root, it", operator_groups="ops", auditor_groups="audit")
    roles = [person_of(WHO | {"groups": each}, settings).roles for each in (["ops"], ["it", "ops"], ["audit"], [])]
    assert roles == [("operator",), ("operator", "admin"), ("auditor",), ()]
    assert person_of(WHO | {"groups": ["it"]}, OidcSettings()).roles is None


@pytest.mark.parametrize("claims", [{}, {"hd": "example.com"}, {"hd": "example.org.evil.test"}], ids=range(3))
def test_who_lacks_a_required_claim_is_refused(claims: dict[str, Any]) -> None:
    """So that not everybody with an account at a public provider may come in."""
    settings = OidcSettings(required_claims="hd=example.org,email_verified=true")
    assert person_of(WHO | {"hd": "example.org", "email_verified": True}, settings).subject == "u-1"
    with pytest.raises(ProviderRefused):
        person_of(WHO | claims | {"email_verified": True}, settings)
