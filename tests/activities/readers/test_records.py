"""JSON and XML: records as rows that can be quoted alone, documents as documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activities.errors import DamagedDocument, DocumentTooLarge
from tests.activities.readers.conftest import parsed, shape

LONG = "A sentence about gadgets and their uses. " * 20


def test_records_are_rows(tmp_path: Path) -> None:
    """A list of records has one row each, with the paths of its fields; null is left out."""
    people = [
        {"name": "Ada", "address": {"city": "London", "zip": 1}, "tags": ["a", "b"], "note": None, "active": True},
        {"name": "张三", "children": [{"name": "Li"}, {"name": "Wu"}]},
    ]
    rows = [
        ("table", "name: Ada | address.city: London | address.zip: 1 | tags: a, b | active: true"),
        ("table", "name: 张三 | children.1.name: Li | children.2.name: Wu"),
    ]
    assert shape(parsed(tmp_path, json.dumps(people), "a.json")) == rows
    lines = "\n".join(json.dumps(person, ensure_ascii=False) for person in people)
    assert shape(parsed(tmp_path, lines.encode("gb18030"), "a.jsonl")) == rows


def test_large_records_are_sections(tmp_path: Path) -> None:
    """A record that does not fit in a row is headed by its name, small fields first, long texts as paragraphs."""
    content = {
        "shop": "Acme",
        "policy": "One.\n\nTwo.",
        "products": [{"id": 1, "name": "Gadget", "text": LONG}, {"id": 2}],
    }
    document = parsed(tmp_path, json.dumps(content), "a.json")
    assert shape(document) == [
        ("table", "shop: Acme"),
        ("text", "policy: One."),
        ("text", "Two."),
        ("title", "products"),
        ("title", "Gadget"),
        ("table", "id: 1 | name: Gadget"),
        ("text", f"text: {LONG.strip()}"),
        ("title", "2"),
        ("table", "id: 2"),
    ]
    assert [item.level for item in document.elements if item.kind == "title"] == [1, 2, 2]


def test_binary_data_in_json_is_not_text(tmp_path: Path) -> None:
    """A base64 picture is not worth quoting."""
    content = json.dumps({"name": "Logo", "image": "data:image/png;base64," + "iVBORw0KGgo" * 500})
    assert shape(parsed(tmp_path, content, "a.json")) == [("table", "name: Logo")]


def test_invalid_json_is_read_as_text(tmp_path: Path) -> None:
    """A wrong extension is no reason to fail."""
    document = parsed(tmp_path, 'Settings, not {"json": true}\n', "a.json")
    assert document.media_type == "text/plain"
    assert shape(document) == [("text", 'Settings, not {"json": true}')]


@pytest.mark.parametrize("depth", [300, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_endlessly_nested_json_is_refused(tmp_path: Path, depth: int, opening: str, closing: str) -> None:
    """Excessive nesting ends in a clear error, at any depth."""
    with pytest.raises(DocumentTooLarge, match="nested"):
        parsed(tmp_path, opening * depth + "1" + closing * depth, "a.json")


def test_xml_data_are_rows(tmp_path: Path) -> None:
    """Attributes and children are fields; repeated elements are a list."""
    content = "<rows><row id='1'><name>Ada</name><city>London</city></row><row id='2'><name>张三</name></row></rows>"
    for encoding in ("utf-8", "utf-16", "gb2312"):
        declared = f"<?xml version='1.0' encoding='{encoding}'?>{content}".encode(encoding)
        assert shape(parsed(tmp_path, declared, "a.xml")) == [
            ("title", "row"),
            ("table", "id: 1 | name: Ada | city: London"),
            ("table", "id: 2 | name: 张三"),
        ]


def test_xml_documents_are_documents(tmp_path: Path) -> None:
    """Paragraphs with inline markup stay whole; titles are headings by their depth."""
    content = (
        "<article><title>Guide</title><section><title>请假</title>"
        "<para>You have <emphasis>five</emphasis> days.</para><para>Two.</para></section></article>"
    )
    document = parsed(tmp_path, content, "a.xml")
    assert shape(document) == [("title", "Guide"), ("title", "请假"), ("text", "You have five days."), ("text", "Two.")]
    assert [item.level for item in document.elements[:2]] == [1, 2]


def test_xml_entities_are_not_expanded(tmp_path: Path) -> None:
    """External entities stay names; multiplying entities and endless nesting are refused."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    external = f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY f SYSTEM '{secret.as_uri()}'>]><a>before &f; after</a>"
    texts = " ".join(text for _, text in shape(parsed(tmp_path, external, "a.xml")))
    assert "before" in texts
    assert "secret of" not in texts
    internal = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY co 'Acme'>]><a>by &co;</a>"
    assert shape(parsed(tmp_path, internal, "a.xml")) == [("text", "by Acme")]
    entities = "".join(f"<!ENTITY e{n + 1} '{f'&e{n};' * 10}'>" for n in range(9))
    bomb = f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e0 'boom'>{entities}]><a>&e9;</a>"
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, bomb, "a.xml")
    for depth, error in ((300, DocumentTooLarge), (100_000, DamagedDocument)):
        with pytest.raises(error):
            parsed(tmp_path, "<a>" * depth + "x" + "</a>" * depth, "a.xml")
    with pytest.raises(DamagedDocument):
        parsed(tmp_path, "<?xml version='1.0'?><a><b>cut off", "a.xml")


@pytest.mark.parametrize("encoding", ["undefined", "punycode", "unicode_escape", "rot13"])
def test_xml_in_no_charset_is_read_as_if_none_was_declared(tmp_path: Path, encoding: str) -> None:
    """Such an encoding is one of Python's own codecs."""
    document = parsed(tmp_path, f'<?xml version="1.0" encoding="{encoding}"?><a><b>Träger \\ud800</b></a>', "a.xml")
    assert "Träger \\ud800" in document.elements[0].text
