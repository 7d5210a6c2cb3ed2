"""Runs a retriever of docs/examples with the package that it is for; prints what it finds as JSON.

Not a test, and without the platform: see test_retrievers.py.
"""

import asyncio
import json
import sys
from importlib import import_module

#: By package: how a retriever is asked and asked asynchronously, the option with the number of passages, and what a
#: passage is.
PACKAGES = {
    "langchain": ("invoke", "ainvoke", "k", lambda found: (found.id, found.page_content, found.metadata)),
    "llamaindex": (
        "retrieve",
        "aretrieve",
        "limit",
        lambda found: (found.node.node_id, found.node.get_content(), found.node.metadata),
    ),
}

package, url, key, kb, query, nowhere = sys.argv[1:]
example = import_module(f"{package}_retriever")
ask, ask_async, limit, passage = PACKAGES[package]


def retriever(**other):
    """A retriever with these options."""
    return example.HoldfastRetriever(**{"url": url, "api_key": key, "knowledge_base": kb} | other)


def failure(**other):
    """The error of a retriever that is pointed elsewhere."""
    try:
        getattr(retriever(**other), ask)(query)
    except example.HoldfastError as exc:
        return str(exc)
    return ""


first = retriever(**{limit: 1})
found = [getattr(first, ask)(query), asyncio.run(getattr(first, ask_async)(query))]
print(
    json.dumps(
        {
            "found": [[passage(each) for each in one] for one in found],
            "narrowed": len(getattr(retriever(filter={"name": "*.pdf"}), ask)(query)),
            "errors": [failure(knowledge_base="nothing"), failure(api_key="wrong"), failure(url=nowhere)],
        }
    )
)
