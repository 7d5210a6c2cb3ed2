"""A query has parameters of its route only: a mistyped filter would list everything.

Public routes take any, since providers and probes add their own; so do those that follow the protocol of others:
OpenAI's clients, MCP, and the Temporal UI, which adds the namespace.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Request
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from activities.contracts.addresses import PREFIX
from activities.errors import InvalidRequest
from activities.phrases import Phrase
from api.http.access import PUBLIC, declaration

#: The option of a route with the parameters that it reads itself; of a started one, with all that it takes.
OPTION: Final = "query"


class KnownParameters(ReceiveRoutePlugin):
    """Notes the query parameters of each route."""

    def receive_route(self, route: BaseRoute) -> None:
        """Called by Litestar for each route."""
        if not isinstance(route, HTTPRoute) or not route.path.startswith(PREFIX):
            return
        for handler in route.route_handlers:
            if handler.resolve_include_in_schema() and declaration(handler) != PUBLIC:
                declared = handler.create_kwargs_model(path_parameters=route.path_parameters).expected_query_params
                names = {parameter.field_alias for parameter in declared}
                handler.opt[OPTION] = frozenset(names.union(handler.opt.get(OPTION, ())))


def check_query(request: Request[Any, Any, Any]) -> None:
    """Raises InvalidRequest for a parameter that the route does not know."""
    known = request.route_handler.opt.get(OPTION)
    if known is not None and (unknown := set(request.query_params) - known):
        names = ", ".join(f"`{name}`" for name in sorted(known)) or "—"
        raise InvalidRequest(detail=Phrase.UNKNOWN_PARAMETER, field=f"`{min(unknown)}`", known=names)
