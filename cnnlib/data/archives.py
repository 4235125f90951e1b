"""Reading folders and archives file by file, in memory, trusting none of them.

Nothing is unpacked to disk. A member whose name leads out of the archive, a link or a device, and
an archive that unpacks to more than the limits below are refused; what its headers say of sizes is
measured, not believed. A folder is one's own: its files are read as they are, and links followed.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

MAX_MEMBERS = 250_000
MAX_MEMBER_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 2 * 2**30  # read one after the other, and never held together
MAX_HEADER_BYTES = 2**16  # what a tar may say of one member

Files = Iterator[tuple[PurePosixPath, bytes]]
Wanted = Callable[[PurePosixPath], bool]


def read_files(path: Path, wanted: Wanted = lambda name: True) -> Files:
    """Yield files of a folder, tar, tar.gz or zip, one at a time.

    Parameters
    ----------
    path : Path
        The folder or the archive.
    wanted : callable
        Takes a file's path, and says whether to read it; without it, all are read.

    Yields
    ------
    name : PurePosixPath
        The file's path in the folder or the archive.
    content : bytes
        What it holds.

    Raises
    ------
    ValueError
        If the path does not exist, is no archive, is corrupt, or holds what is refused here,
        wanted or not.
    """
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for file in (Path(folder, name) for name in names):
                name = PurePosixPath(file.relative_to(path).as_posix())
                if wanted(name):
                    yield name, file.read_bytes()
        return
    if not path.is_file():
        raise ValueError(f"{path} does not exist (looked for {path.absolute()})")
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            file.seek(0)
            zipped = magic.startswith(b"PK")
            yield from _zip(file, wanted) if zipped else _tar(file, magic, wanted)
    except Exception as error:  # a damaged or forged archive can fail in any way there is
        if type(error) is ValueError:
            raise
        raise ValueError(
            f"{path} is not a whole tar or zip archive ({error}); fetch or make it again"
        ) from error


def _zip(file, wanted: Wanted) -> Files:
    budget, whole = _Budget(), os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.compress_size > whole:  # room would be made for it before it is read
                raise zipfile.BadZipFile(f"member {member.filename!r} is larger than the archive")
            plain = not stat.S_ISLNK(member.external_attr >> 16)
            name = budget.admit(member.filename, member.file_size, plain)
            if not member.is_dir() and wanted(name):
                yield name, _unpacked(archive, member)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member of a zip, and never more than it declares."""
    # Of the other methods, `zipfile` unpacks all that it is given before it looks at the size.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"member {member.filename!r} is compressed by method {member.compress_type}; pack the "
            "archive again with deflate, the usual one"
        )
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)  # without a number it would unpack all
    if len(content) != member.file_size:
        raise zipfile.BadZipFile(
            f"member {member.filename!r} has {len(content):,} bytes and declares "
            f"{member.file_size:,}"
        )
    return content


def _tar(file, magic: bytes, wanted: Wanted) -> Files:
    budget = _Budget()
    stream = gzip.GzipFile(fileobj=file) if magic.startswith(b"\x1f\x8b") else file
    # Stream mode reads forward only, through a counter that no header can get round.
    counted = _Counted(stream)
    with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Member) as archive:
        while member := archive.next():
            name = budget.admit(member.name, member.size, member.isfile() or member.isdir())
            counted.allow(member.size if member.isfile() else 0)
            if member.isfile() and wanted(name):
                yield name, archive.extractfile(member).read()
            archive.members.clear()  # it would keep them all
            archive.pax_headers.clear()  # and, in each, what any of them says of all to come
    counted.allow(MAX_MEMBER_BYTES)
    while counted.read(1 << 20):  # gzip's checksum comes after all that tar has to read
        pass


class _Member(tarfile.TarInfo):
    """A header that must be whole: `tarfile` alone takes a torn archive for a shorter one."""

    @classmethod
    def fromtarfile(cls, archive):
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # the proper end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"torn at byte {archive.offset:,}: {error}") from error


class _Budget:
    """What an archive may still unpack to, by what its headers declare."""

    def __init__(self):
        self.members, self.bytes = MAX_MEMBERS, MAX_TOTAL_BYTES

    def admit(self, name: str, size: int, plain: bool) -> PurePosixPath:
        """Return a member's path, or refuse the member."""
        if not name:
            raise ValueError("a member has no name; pack the archive again")
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
            raise ValueError(
                f"member {name!r} leads out of the archive; pack it with relative paths"
            )
        if not plain:
            raise ValueError(f"member {name!r} is a link or a device; pack plain files only")
        self.members -= 1
        self.bytes -= size
        if size > MAX_MEMBER_BYTES or self.bytes < 0 or self.members < 0:
            raise ValueError(
                f"member {name!r} ({size:,} bytes) goes beyond what is unpacked here: "
                f"{MAX_MEMBER_BYTES:,} bytes a member, {MAX_TOTAL_BYTES:,} bytes and "
                f"{MAX_MEMBERS:,} members in all"
            )
        return path


class _Counted(io.RawIOBase):
    """A stream that delivers what the next member needs: its headers, and the bytes it declares."""

    def __init__(self, stream):
        self.stream = stream
        self.allow(0)

    def allow(self, size: int) -> None:
        """Let so many bytes pass, and the headers of one member."""
        self.left = size + MAX_HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError(
                f"a member's headers take more than {MAX_HEADER_BYTES:,} bytes; pack the archive "
                "again, without extended attributes"
            )
        return block
