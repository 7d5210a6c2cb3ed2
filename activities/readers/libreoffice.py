"""Old Office files and OpenDocument tables and slides, converted by LibreOffice where it is installed.

It runs as a subprocess with a profile of its own that allows no macro and updates no link, in a namespace without a
network: where the kernel grants none, it does not run. It inherits the limits of this process, and is killed when
that dies.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path

import msgspec
import olefile  # type: ignore[import-untyped]

from activities.errors import DamagedDocument, EncryptedDocument, NeedsLibreOffice, ParserCrashed, told
from activities.phrases import Phrase
from activities.readers import formats
from activities.readers.installed import libreoffice
from activities.readers.pandoc import die_with
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_RESTART = 81  # exit status of a first start, which only makes the profile
_STARTS = 3
_NOT_ALONE = 83  # exit status of a process that the kernel grants no namespace without a network
#: Files of this size may always be written.
LEAST_BYTES = 256 * 1024 * 1024

_OPTIONS = ("--headless", "--norestore", "--nolockcheck", "--nodefault", "--nologo")

_FILE_PASS = 0x2F  # the record behind the first one of an encrypted workbook
_ENCRYPTED_SLIDES = b"\xdf\xc4\xd1\xf3"


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """What the file says once it is converted; its pictures are counted, not recognised. Raises DocumentError."""
    kind = formats.detect(path, name, limits)
    if olefile.isOleFile(str(path)) and _is_protected(path):
        raise EncryptedDocument()
    target = formats.CONVERTED[kind]
    with tempfile.TemporaryDirectory(prefix="holdfast-office-") as folder:
        converted = _convert(path, kind, target, Path(folder), limits)
        # A document may have linked a picture of this machine, which is a part of the converted file.
        without_pictures = msgspec.structs.replace(limits, ocr="off")
        reading: Reading = import_module(target.reader).read(converted, name, without_pictures, progress)
        return reading


def _convert(path: Path, kind: formats.Format, target: formats.Format, folder: Path, limits: ParseSettings) -> Path:
    """The file in the format ``target``."""
    source = folder / f"document.{kind.name}"
    source.symlink_to(path)
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_PROFILE)
    (folder / "converted").mkdir()
    parent, size = os.getpid(), max(LEAST_BYTES, limits.max_expansion * path.stat().st_size)
    command = [str(libreoffice()), *_OPTIONS, f"-env:UserInstallation={profile.as_uri()}", "--convert-to", target.name]
    for _ in range(_STARTS):
        result = subprocess.run(  # noqa: S603 -- LibreOffice's own program; the document is its input
            [*command, "--outdir", str(folder / "converted"), str(source)],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"},
            preexec_fn=lambda: _alone(parent, size),  # safe: the parser process has one thread
        )
        if result.returncode != _RESTART:
            break
    if result.returncode == _NOT_ALONE:
        raise NeedsLibreOffice(found=kind.name, target=target.name)
    if result.returncode < 0:
        raise ParserCrashed(detail=f"LibreOffice: {signal.Signals(-result.returncode).name}")
    made = folder / "converted" / f"document.{target.name}"
    if not made.is_file():
        raise DamagedDocument(format=kind.name, detail=Phrase.NOT_CONVERTED)
    return made


def _alone(parent: int, size: int) -> None:
    """Runs in LibreOffice's process before it starts: no network, no large file, an end with its parent."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        os._exit(_NOT_ALONE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    die_with(parent)


def _is_protected(path: Path) -> bool:
    """Whether an old Office file asks for a password ([MS-DOC] 2.5.2, [MS-XLS] 2.4.117, [MS-PPT] 2.3.2)."""
    try:
        with olefile.OleFileIO(path) as container:
            if container.exists("WordDocument"):
                return bool(container.openstream("WordDocument").read(12)[11] & 1)
            if container.exists("PowerPoint Document"):
                return _ENCRYPTED_SLIDES in container.openstream("Current User").read(32)
            stream = container.openstream("Workbook" if container.exists("Workbook") else "Book")
            head = stream.read(4)
            stream.seek(4 + int.from_bytes(head[2:4], "little"))
            return int.from_bytes(stream.read(2), "little") == _FILE_PASS
    except (OSError, ValueError, IndexError) as exc:  # olefile does not validate its input
        raise DamagedDocument(format="doc", detail=told(exc)) from exc


_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution" oor:op="fuse">
<value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel" oor:op="fuse">
<value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks"
 oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Content/Update"><prop oor:name="Link" oor:op="fuse"><value>1</value></prop>
</item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Link" oor:op="fuse"><value>0</value>
</prop></item>
</oor:items>
"""
