"""Word documents written as XML: what python-docx cannot write."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_SPACES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
        "o": "urn:schemas-microsoft-com:office:office",
    }.items()
)
_DECLARED = '<?xml version="1.0" encoding="UTF-8"?>'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_HEADINGS = "".join(
    f'<w:style w:type="paragraph" w:styleId="Heading{level}"><w:name w:val="heading {level}"/></w:style>'
    for level in (1, 2)
)


def written(body: str, parts: Mapping[str, tuple[str, str | bytes]] = {}, styles: str = "") -> bytes:
    """A document with the XML of its body. ``parts``: kind of relationship and content by file name.

    The relationship of a part has its file name as its identifier. Content in XML gets its root's namespaces.
    """
    target = io.BytesIO()
    relationships = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{name}"/>' for name, (kind, _) in parts.items()
    )
    overrides = "".join(
        f'<Override PartName="/word/{name}" ContentType="{_WORD}.{kind}+xml"/>'
        for name, (kind, _) in parts.items()
        if name.endswith(".xml")
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "[Content_Types].xml",
            f'{_DECLARED}<Types xmlns="{_PACKAGE}/content-types">'
            f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="png" ContentType="image/png"/><Default Extension="bin" ContentType="a/b"/>'
            f'<Default Extension="docx" ContentType="a/b"/><Default Extension="xlsx" ContentType="a/b"/>'
            f'<Default Extension="html" ContentType="text/html"/>'
            f'<Override PartName="/word/document.xml" ContentType="{_WORD}.document.main+xml"/>'
            f'<Override PartName="/word/styles.xml" ContentType="{_WORD}.styles+xml"/>{overrides}</Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'{_DECLARED}<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="r" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        file.writestr(
            "word/_rels/document.xml.rels",
            f'{_DECLARED}<Relationships xmlns="{_PACKAGE}/relationships">{relationships}'
            f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        file.writestr("word/document.xml", f"{_DECLARED}<w:document {_SPACES}><w:body>{body}</w:body></w:document>")
        file.writestr("word/styles.xml", f"{_DECLARED}<w:styles {_SPACES}>{_HEADINGS}{styles}</w:styles>")
        for name, (_, content) in parts.items():
            whole = content
            if isinstance(content, str):
                root, rest = content.split(">", 1)
                whole = f"{_DECLARED}{root} {_SPACES}>{rest}"
            file.writestr(f"word/{name}", whole)
    return target.getvalue()


def run(text: str, properties: str = "") -> str:
    """A run; ``properties`` are names of elements: ``strike``, or ``vertAlign=superscript`` with a value."""
    print_ = "".join(
        f'<w:{name} w:val="{value}"/>' if value else f"<w:{name}/>"
        for name, _, value in (item.partition("=") for item in properties.split())
    )
    return f'<w:r><w:rPr>{print_}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*runs: str, style: str = "") -> str:
    """A paragraph of runs, or of plain text."""
    content = "".join(item if item.startswith("<") else run(item) for item in runs)
    return f"<w:p><w:pPr>{f'<w:pStyle w:val={chr(34)}{style}{chr(34)}/>' if style else ''}</w:pPr>{content}</w:p>"


def raised(text: str) -> str:
    """A raised run."""
    return run(text, "vertAlign=superscript")


def lowered(text: str) -> str:
    """A lowered run."""
    return run(text, "vertAlign=subscript")


def table(*rows: str) -> str:
    """A table of rows."""
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(rows)}</w:tbl>"


def row(*cells: str, properties: str = "") -> str:
    """A row of cells, or of their texts."""
    content = "".join(item if item.startswith("<w:tc>") else cell(item) for item in cells)
    return f"<w:tr><w:trPr>{properties}</w:trPr>{content}</w:tr>"


def cell(content: str, properties: str = "") -> str:
    """A cell of blocks, or of a text."""
    inner = content if content.startswith("<") else paragraph(content)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"
