"""Reading folders and archives file by file, in memory, trusting none of them.

Nothing is unpacked to disk. A member whose name leads out of the archive, a link or a device, and
an archive that unpacks to more than the limits below are refused.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_MEMBERS = 250_000
MAX_MEMBER_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 2 * 2**30


def read_files(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield each file of a folder, tar, tar.gz or zip as its relative path and its bytes.

    Raises
    ------
    ValueError
        If the path does not exist, is no archive, is corrupt, or holds what is refused here.
    """
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                file = Path(folder, name)
                yield PurePosixPath(file.relative_to(path).as_posix()), file.read_bytes()
        return
    if not path.is_file():
        raise ValueError(f"{path} does not exist (looked for {path.absolute()})")
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            file.seek(0)
            yield from _zip(file) if magic.startswith(b"PK") else _tar(file, magic)
    except Exception as error:  # a damaged or forged archive can fail in any way there is
        if type(error) is ValueError:
            raise
        raise ValueError(
            f"{path} is not a whole tar or zip archive ({error}); fetch or make it again"
        ) from error


def _zip(file) -> Iterator[tuple[PurePosixPath, bytes]]:
    budget, whole = _Budget(), os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.compress_size > whole:  # room would be made for it before it is read
                raise zipfile.BadZipFile(f"member {member.filename!r} is larger than the archive")
            plain = not stat.S_ISLNK(member.external_attr >> 16)
            name = budget.admit(member.filename, member.file_size, plain)
            if not member.is_dir():
                yield name, archive.read(member)


def _tar(file, magic: bytes) -> Iterator[tuple[PurePosixPath, bytes]]:
    budget = _Budget()
    stream = gzip.GzipFile(fileobj=file) if magic.startswith(b"\x1f\x8b") else file
    # Stream mode reads forward only, through a counter that no header can get round.
    counted = _Counted(stream)
    with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Member) as archive:
        for member in archive:
            name = budget.admit(member.name, member.size, member.isfile() or member.isdir())
            if member.isfile():
                yield name, archive.extractfile(member).read()
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
    """A stream that refuses to deliver more than the limit, headers and padding included."""

    def __init__(self, stream):
        self.stream, self.left = stream, MAX_TOTAL_BYTES + 1024 * MAX_MEMBERS

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError(f"the archive unpacks to more than {MAX_TOTAL_BYTES:,} bytes")
        return block
