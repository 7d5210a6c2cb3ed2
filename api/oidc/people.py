"""Who a provider says that somebody is: name, groups, and the roles that these groups have here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from activities.errors import ProviderRefused
from activities.phrases import Phrase
from activities.settings import OidcSettings, listed
from activities.stores.catalog.roles import SystemRole

#: Groups of one person that are taken over, and characters of a name.
MAX_GROUPS: Final = 1000
MAX_NAME: Final = 200

#: Claims with a name that a person may sign in with, best first, and with one to call the person by.
NAMES: Final = ("preferred_username", "email", "upn", "sub")
DISPLAY_NAMES: Final = ("name", "given_name", "preferred_username", "email")


class Person(msgspec.Struct, frozen=True):
    """A person at the provider. ``groups`` and ``roles`` are None where the provider or the settings say nothing."""

    issuer: str
    subject: str
    name: str
    display_name: str
    groups: tuple[str, ...] | None
    roles: tuple[SystemRole, ...] | None


def person_of(claims: Mapping[str, Any], settings: OidcSettings) -> Person:
    """The person whom the claims describe. Raises ProviderRefused if a required claim is missing or different."""
    for pair in listed(settings.required_claims):
        claim, _, wanted = pair.partition("=")
        if wanted.strip() not in _texts(claims.get(claim.strip())):
            raise ProviderRefused(detail=Phrase.SIGN_IN_CLAIM, claim=claim.strip())
    groups = groups_of(claims, settings.groups_claim)
    return Person(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        name=_first(claims, NAMES),
        display_name=_first(claims, DISPLAY_NAMES),
        groups=groups,
        roles=None if groups is None else roles_of(groups, settings),
    )


def groups_of(claims: Mapping[str, Any], claim: str) -> tuple[str, ...] | None:
    """The person's groups; none if the claim is absent, None if the provider leaves them out for their number.

    Entra ID sends a link in ``_claim_names`` instead of more than 200 groups.
    """
    if not claim:
        return None
    elsewhere = claims.get("_claim_names")
    if claim not in claims and isinstance(elsewhere, Mapping) and claim in elsewhere:
        return None
    found = (each.removeprefix("/") for each in _texts(claims.get(claim)))  # Keycloak gives paths
    return tuple(dict.fromkeys(each for each in found if each and each.isprintable() and len(each) <= MAX_NAME))[
        :MAX_GROUPS
    ]


def roles_of(groups: tuple[str, ...], settings: OidcSettings) -> tuple[SystemRole, ...] | None:
    """The roles in the platform that the groups have; None if no setting gives roles to groups."""
    named: dict[SystemRole, str] = {
        "operator": settings.operator_groups,
        "auditor": settings.auditor_groups,
        "admin": settings.admin_groups,
    }
    if not any(named.values()):
        return None
    return tuple(role for role, given in named.items() if set(listed(given)) & set(groups))


def _texts(value: object) -> list[str]:
    """The texts of a claim that has one or several."""
    values = value if isinstance(value, list) else [value]
    return [
        str(each).lower() if isinstance(each, bool) else str(each) for each in values if isinstance(each, str | int)
    ]


def _first(claims: Mapping[str, Any], names: tuple[str, ...]) -> str:
    values = (claims.get(name) for name in names)
    found = (" ".join(value.split()) for value in values if isinstance(value, str) and value.isprintable())
    return next((each[:MAX_NAME] for each in found if each), str(claims["sub"]))
