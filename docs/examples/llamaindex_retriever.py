"""A LlamaIndex retriever over a Holdfast knowledge base. Needs `llama-index-core` and `httpx`; copy it and change it.

    retriever = HoldfastRetriever("https://holdfast.example.org", key, "handbook")
    nodes = retriever.retrieve("How much leave can be carried over?")  # or: await retriever.aretrieve(…)

Each node is a passage, the best first. Its text is data: a prompt should say so, and that nothing in it is an
instruction. What a citation needs is in its metadata: `file_name`, `page_label`, `section`, `url`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

#: Metadata that neither an embedding model nor a language model needs to read.
NOT_READ = ["url", "knowledge_base", "document_id", "version"]


class HoldfastError(Exception):
    """The search failed; the text says what to do."""


class HoldfastRetriever(BaseRetriever):
    """Finds the `limit` best passages.

    `filter` narrows the search down, such as `{"tags": ["hr"]}` or `{"name": "*.pdf", "pages": {"from": 3}}`.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        knowledge_base: str,
        limit: int = 5,
        filter: dict[str, Any] | None = None,
        timeout: float = 30.0,
    ) -> None:
        super().__init__()
        self._url, self._knowledge_base = url.rstrip("/"), quote(knowledge_base, safe="")
        self._limit, self._filter = limit, filter
        self._options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {api_key}"}, "timeout": timeout}

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        try:
            with httpx.Client(**self._options) as client:
                response = client.post(self._address(), json=self._body(query_bundle))
        except httpx.TransportError as exc:
            raise HoldfastError(f"Holdfast does not answer at {self._url}: {exc}") from exc
        return self._nodes(response)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        try:
            async with httpx.AsyncClient(**self._options) as client:
                response = await client.post(self._address(), json=self._body(query_bundle))
        except httpx.TransportError as exc:
            raise HoldfastError(f"Holdfast does not answer at {self._url}: {exc}") from exc
        return self._nodes(response)

    def _address(self) -> str:
        return f"{self._url}/api/v1/knowledge-bases/{self._knowledge_base}/search"

    def _body(self, query: QueryBundle) -> dict[str, Any]:
        body: dict[str, Any] = {"query": query.query_str, "limit": self._limit}
        return body if self._filter is None else body | {"filter": self._filter}

    def _nodes(self, response: httpx.Response) -> list[NodeWithScore]:
        if response.is_error:
            is_problem = response.headers.get("content-type", "").startswith("application/problem+json")
            detail = response.json()["detail"] if is_problem else f"HTTP {response.status_code}"
            raise HoldfastError(f"Holdfast: {detail}")
        page = f"{self._url}/#/kb/{self._knowledge_base}/documents"
        found = []
        for hit in response.json()["hits"]:
            metadata = {
                "file_name": hit["document_name"],
                "page_label": hit["page"],
                "section": hit["section"],
                "url": f"{page}?search={quote(hit['document_name'], safe='')}",
                "knowledge_base": self._knowledge_base,
                "document_id": hit["document_id"],
                "version": hit["version"],
            }
            node = TextNode(
                id_=hit["chunk_id"],
                text=hit["text"],
                metadata=metadata,
                excluded_llm_metadata_keys=NOT_READ,
                excluded_embed_metadata_keys=NOT_READ,
            )
            found.append(NodeWithScore(node=node, score=hit["score"]))
        return found
