"""Runs the LangChain retriever of docs/examples; prints what it finds as JSON. Not a test: see test_retrievers.py."""

import asyncio
import json
import sys

from langchain_retriever import HoldfastError, HoldfastRetriever

url, key, kb, query, nowhere = sys.argv[1:]


def failure(**other: str) -> str:
    """The error of a retriever that is pointed elsewhere."""
    given = {"url": url, "api_key": key, "knowledge_base": kb} | other
    try:
        HoldfastRetriever(**given).invoke(query)
    except HoldfastError as exc:
        return str(exc)
    return ""


retriever = HoldfastRetriever(url=url, api_key=key, knowledge_base=kb, k=1)
found = [retriever.invoke(query), asyncio.run(retriever.ainvoke(query))]
narrowed = HoldfastRetriever(url=url, api_key=key, knowledge_base=kb, filter={"name": "*.pdf"}).invoke(query)
print(
    json.dumps(
        {
            "found": [[(each.id, each.page_content, each.metadata) for each in one] for one in found],
            "narrowed": len(narrowed),
            "errors": [failure(knowledge_base="nothing"), failure(api_key="wrong"), failure(url=nowhere)],
        }
    )
)
