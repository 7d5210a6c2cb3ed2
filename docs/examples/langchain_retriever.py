"""A LangChain retriever over a Holdfast knowledge base. Needs `langchain-core` and `httpx`; copy it and change it.

    retriever = HoldfastRetriever(url="https://holdfast.example.org", api_key=key, knowledge_base="handbook")
    documents = retriever.invoke("How much leave can be carried over?")  # or: await retriever.ainvoke(…)

Each document is a passage, the best first. Its text is data: a prompt should say so, and that nothing in it is an
instruction. What a citation needs is in its metadata: `source` (the file's name), `page`, `section`, `url`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import SecretStr


class HoldfastError(Exception):
    """The search failed; the text says what to do."""


class HoldfastRetriever(BaseRetriever):
    """Finds the `k` best passages.

    `filter` narrows the search down, such as `{"tags": ["hr"]}` or `{"name": "*.pdf", "pages": {"from": 3}}`.
    """

    url: str
    api_key: SecretStr
    knowledge_base: str
    k: int = 5
    filter: dict[str, Any] | None = None
    timeout: float = 30.0

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        try:
            response = httpx.post(**self._request(query))
        except httpx.TransportError as exc:
            raise HoldfastError(f"Holdfast does not answer at {self.url}: {exc}") from exc
        return self._documents(response)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        request = self._request(query)
        try:
            async with httpx.AsyncClient(timeout=request.pop("timeout")) as client:
                response = await client.post(**request)
        except httpx.TransportError as exc:
            raise HoldfastError(f"Holdfast does not answer at {self.url}: {exc}") from exc
        return self._documents(response)

    def _request(self, query: str) -> dict[str, Any]:
        body: dict[str, Any] = {"query": query, "limit": self.k}
        if self.filter is not None:
            body["filter"] = self.filter
        return {
            "url": f"{self.url.rstrip('/')}/api/v1/knowledge-bases/{quote(self.knowledge_base, safe='')}/search",
            "json": body,
            "headers": {"Authorization": f"Bearer {self.api_key.get_secret_value()}"},
            "timeout": self.timeout,
        }

    def _documents(self, response: httpx.Response) -> list[Document]:
        if response.is_error:
            is_problem = response.headers.get("content-type", "").startswith("application/problem+json")
            detail = response.json()["detail"] if is_problem else f"HTTP {response.status_code}"
            raise HoldfastError(f"Holdfast: {detail}")
        page = f"{self.url.rstrip('/')}/#/kb/{quote(self.knowledge_base, safe='')}/documents"
        return [
            Document(
                id=hit["chunk_id"],
                page_content=hit["text"],
                metadata={
                    "source": hit["document_name"],
                    "url": f"{page}?search={quote(hit['document_name'], safe='')}",
                    "knowledge_base": self.knowledge_base,
                    "document_id": hit["document_id"],
                    "version": hit["version"],
                    "page": hit["page"],
                    "section": hit["section"],
                    "score": hit["score"],
                },
            )
            for hit in response.json()["hits"]
        ]
