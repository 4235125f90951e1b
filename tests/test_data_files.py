"""Pictures from folders, archives and the official batches, and what is refused of them."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import signal
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from cnnlib import data
from cnnlib.data import archives, cifar, official, pictures

RANDOM = np.random.RandomState(0)


def picture_bytes(pixels, kind="png"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def random_pixels(height=8, width=8):
    return RANDOM.randint(0, 256, (height, width, 3)).astype(np.uint8)


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def pack(path, files, mode="w:gz"):
    """Pack {name: bytes or TarInfo} into a tar, or into a zip where the path says so."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def pixels():
    """Five pictures by name: three of class a, two of class b."""
    names = ["a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png"]
    return {name: random_pixels() for name in names}


@pytest.fixture
def files(pixels):
    return {name: picture_bytes(picture) for name, picture in pixels.items()}


def in_parts(files):
    return {
        f"{part}/{name}": content for part in ("train", "test") for name, content in files.items()
    }


# image_folder


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "zip", "zip inside a folder"])
def test_folders_and_archives_read_alike(tmp_path, files, pixels, form):
    if form == "folder":
        path = write(tmp_path / "mine", files)
    elif form.startswith("zip"):
        inside = "deep/mine/" if "inside" in form else ""
        path = pack(tmp_path / "mine.zip", {inside + name: files[name] for name in files})
    else:
        path = pack(tmp_path / f"mine.{form}", files, "w" if form == "tar" else "w:gz")
    loaded = data.image_folder(path)
    assert loaded.classes == ("a", "b")
    assert loaded.name == f"pictures from {path.name}"
    # The classes alternate while they last.
    order = ["a/1.png", "b/1.png", "a/2.png", "b/2.png", "a/3.png"]
    assert loaded.labels.tolist() == [0, 1, 0, 1, 0]
    expected = np.stack([pixels[name].transpose(2, 0, 1) for name in order])
    np.testing.assert_array_equal(loaded.images, expected)


def test_train_and_test(tmp_path, files):
    both = in_parts(files)
    both["test/a/4.png"] = files["a/1.png"]
    train, test = data.image_folder(str(write(tmp_path, both)))
    assert (len(train), len(test)) == (5, 6)
    assert train.classes == test.classes == ("a", "b")


def test_what_is_no_picture_is_passed_over(tmp_path, files):
    extra = {
        "a/._1.png": b"mac",
        "__MACOSX/a/1.png": b"mac",
        "a/read me.txt": b"",
        "list.csv": b"1",
    }
    assert len(data.image_folder(write(tmp_path, files | extra))) == 5


def test_size_cuts_the_centre_out_and_scales(tmp_path):
    wide = random_pixels(30, 40)
    write(
        tmp_path, {"a/wide.png": picture_bytes(wide), "a/x.png": picture_bytes(random_pixels(9, 7))}
    )
    loaded = data.image_folder(tmp_path, size=15)
    assert loaded.images.shape == (2, 3, 15, 15)
    reference = Image.fromarray(wide).resize((15, 15), Image.Resampling.LANCZOS, box=(5, 0, 35, 30))
    np.testing.assert_array_equal(loaded.images[0], np.array(reference).transpose(2, 0, 1))


def test_grey_pictures_become_rgb_and_turned_ones_upright(tmp_path):
    grey = random_pixels()[:, :, 0]
    turned, file = Image.fromarray(random_pixels(8, 8)), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: turn by 90 degrees clockwise
    turned.save(file, "png", exif=exif)
    write(tmp_path, {"a/1.png": picture_bytes(grey), "a/2.png": file.getvalue()})
    images = data.image_folder(tmp_path).images
    np.testing.assert_array_equal(images[0], np.stack([grey] * 3))
    np.testing.assert_array_equal(images[1].transpose(1, 2, 0), np.rot90(np.array(turned), -1))


def damaged(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp"])
def test_a_broken_picture_is_named_and_skipped_only_if_asked(tmp_path, files, kind):
    broken = {"b/torn.png": damaged(picture_bytes(random_pixels(40, 40), kind)), "b/no.png": b"no"}
    write(tmp_path, files | broken)
    with pytest.raises(
        ValueError, match=r"b/(torn|no)\.png in .* cannot be read .*skip_broken=True"
    ):
        data.image_folder(tmp_path)
    with pytest.warns(UserWarning, match="skipped 2 broken pictures"):
        loaded = data.image_folder(tmp_path, skip_broken=True)
    assert len(loaded) == 5


def test_a_picture_of_too_many_pixels_is_refused(tmp_path, files, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 63)
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(ValueError, match=r"a/1\.png .*8 x 8 pixels are too many"),
    ):
        data.image_folder(pack(tmp_path / "mine.tar", files, "w"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no picture that can be read; lay the pictures out as"),
        (["1.png"], "1.png in .* lies in no class folder"),
        (["train/1.png", "test/1.png"], "lies in no class folder"),
        (["train/a/1.png"], r"pictures in \['train'\] only"),
        (["train/a/1.png", "b/1.png"], r"\['neither', 'train'\] only"),
        (["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"], r"\['b', 'c'\]"),
    ],
)
def test_other_layouts_are_refused(tmp_path, names, message):
    content = picture_bytes(random_pixels())
    with pytest.raises(ValueError, match=message):
        data.image_folder(write(tmp_path, dict.fromkeys(names, content)))


def test_mixed_sizes_are_refused(tmp_path, files):
    write(tmp_path, files | {"c/odd.png": picture_bytes(random_pixels(9, 7))})
    with pytest.raises(ValueError, match=r"differ in size.*\(3, 9, 7\).*size=64"):
        data.image_folder(tmp_path)
    with pytest.raises(ValueError, match="size=0"):
        data.image_folder(tmp_path, size=0)


# Archives that are not to be trusted


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "a\\..\\..\\x.png", "C:/x.png"]
)
@pytest.mark.parametrize("form", ["mine.tar.gz", "mine.zip"])
def test_members_that_lead_out_are_refused(tmp_path, files, name, form):
    path = pack(tmp_path / form, files | {name: files["a/1.png"]})
    with pytest.raises(ValueError, match=r"x\.png' leads out of the archive"):
        data.image_folder(path)
    assert os.listdir(tmp_path) == [form]


@pytest.mark.parametrize(
    "member",
    [
        link("a/x.png", "/etc/passwd"),
        link("a/x.png", "../../x"),
        link("a/x.png", "a/1.png", tarfile.LNKTYPE),
        link("a/x.png", "", tarfile.FIFOTYPE),
        link("a/x.png", "", tarfile.CHRTYPE),
    ],
)
def test_links_and_devices_are_refused(tmp_path, files, member):
    path = pack(tmp_path / "mine.tar", files | {"x": member}, "w")
    with pytest.raises(ValueError, match=r"'a/x\.png' is a link or a device"):
        data.image_folder(path)


def test_links_in_a_zip_are_refused(tmp_path, files):
    path = pack(tmp_path / "mine.zip", files)
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("a/x.png")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(ValueError, match=r"'a/x\.png' is a link"):
        data.image_folder(path)


@pytest.mark.parametrize("form", ["mine.tar.gz", "mine.zip"])
@pytest.mark.parametrize(
    ("limit", "value"),
    [("MAX_MEMBER_BYTES", 99_999), ("MAX_TOTAL_BYTES", 100_900), ("MAX_MEMBERS", 5)],
)
def test_bombs_are_refused(tmp_path, files, monkeypatch, form, limit, value):
    path = pack(tmp_path / form, files | {"zeros.txt": bytes(100_000)})
    assert len(data.image_folder(path)) == 5
    monkeypatch.setattr(archives, limit, value)
    with pytest.raises(ValueError, match=r"'zeros\.txt' \(100,000 bytes\) goes beyond"):
        data.image_folder(path)


def understate(path):
    """Let a zip's last member declare ten bytes, in its own header and in the directory."""
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.rindex(mark) + at
        content[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)


def peak_of(read):
    """Return the most memory that Python had at once while it read."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (zipfile.ZIP_DEFLATED, "is not a whole tar or zip archive"),
        (zipfile.ZIP_BZIP2, r"'a/x\.png' is compressed by method 12; pack .* with deflate"),
        (zipfile.ZIP_LZMA, r"'a/x\.png' is compressed by method 14; pack .* with deflate"),
    ],
)
def test_a_zip_that_declares_less_than_it_holds_is_refused(tmp_path, files, method, message):
    path = pack(tmp_path / "mine.zip", files)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/x.png", bytes(2**24), method)
    understate(path)

    def read():
        with pytest.raises(ValueError, match=message):
            data.image_folder(path)

    assert peak_of(read) < 2**22


def test_a_zip_that_declares_more_than_it_holds_is_refused(tmp_path):
    path = pack(tmp_path / "mine.zip", {"a/x.png": b"four"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/y.png", b"forty-two")
    understate(path)  # it holds nine
    with pytest.raises(ValueError, match=r"'a/y\.png' has 9 bytes and declares 10"):
        list(archives.read_files(path))


def test_deflated_members_are_read_whole(tmp_path):
    content = RANDOM.bytes(200_000) + bytes(200_000)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", content)
        archive.writestr("empty", b"")
    found = {str(name): read for name, read in archives.read_files(tmp_path / "mine.zip")}
    assert found == {"x": content, "empty": b""}


@pytest.mark.parametrize("form", ["folder", "mine.tar", "mine.tar.gz", "mine.zip"])
def test_only_what_is_wanted_is_read(tmp_path, form):
    files = {f"{name}.txt": name.encode() * 50_000 for name in "abc"}
    if form == "folder":
        path = write(tmp_path, files)
    else:
        path = pack(tmp_path / form, files, "w" if form == "mine.tar" else "w:gz")
    found = archives.read_files(path, lambda name: name.stem == "b")
    assert {str(name): content for name, content in found} == {"b.txt": files["b.txt"]}


def pax(comment):
    member = tarfile.TarInfo("a/1.png")
    member.pax_headers = {"comment": comment}
    return member.tobuf(tarfile.PAX_FORMAT)


def sparse(entries):
    """Return a sparse member whose map of holes comes after its header, as in GNU's format 1.0."""
    member = tarfile.TarInfo("a/1.png")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    content = f"{entries}\n".encode() + b"0\n" * 2 * entries
    member.size = len(content)
    return member.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


def global_headers(count):
    """Return headers for all members to come, each with other names."""
    headers = [{f"{i}.{k}": "x" for k in range(3000)} for i in range(count)]
    return b"".join(tarfile.TarInfo.create_pax_global_header(header) for header in headers)


@pytest.mark.parametrize(
    "headers",
    [pax("x" * 70_000), pax("x" * 2_000_000), sparse(1_000_000), global_headers(10)],
    ids=["long", "very long", "sparse", "global"],
)
def test_a_bomb_in_the_headers_is_refused(tmp_path, headers):
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(gzip.compress(headers + bytes(20_000)))

    def read():
        with pytest.raises(ValueError, match="headers take more than 65,536 bytes"):
            data.image_folder(path)

    assert peak_of(read) < 2**22


@pytest.mark.slow
def test_a_members_headers_do_not_add_up(tmp_path, files):
    # Together more than twenty times what one member may have; nothing of them is kept.
    path = tmp_path / "mine.tar.gz"
    member = tarfile.TarInfo("a/1.png")
    member.size = len(files["a/1.png"])
    picture = member.tobuf() + files["a/1.png"] + bytes(-member.size % 512)
    path.write_bytes(gzip.compress((global_headers(1) + picture) * 50 + bytes(10_240)))
    assert len(list(archives.read_files(path))) == 50
    assert peak_of(lambda: list(archives.read_files(path))) < 2**22


def test_pictures_that_decode_to_too_much_are_refused(tmp_path, monkeypatch):
    blank = picture_bytes(np.zeros((100, 100, 3), np.uint8))  # 30,000 bytes of pixels
    path = pack(tmp_path / "mine.zip", {f"a/{k}.png": blank for k in range(10)})
    monkeypatch.setattr(pictures, "MAX_DECODED_BYTES", 200_000)
    with pytest.raises(ValueError, match=r"200,000 bytes; if you know them, .*, or give one size"):
        data.image_folder(path)
    assert len(data.image_folder(path, size=8)) == 10


def test_a_folder_of_ones_own_may_be_large(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    for k in range(10):
        Image.new("RGB", (100, 100)).save(tmp_path / "a" / f"{k}.png")
    monkeypatch.setattr(pictures, "MAX_DECODED_BYTES", 200_000)
    assert data.image_folder(tmp_path).images.shape == (10, 3, 100, 100)


@pytest.mark.parametrize("form", ["mine.tar", "mine.tar.gz", "mine.zip"])
def test_corrupt_archives_are_refused(tmp_path, files, form):
    path = pack(tmp_path / form, files, "w" if form == "mine.tar" else "w:gz")
    content = path.read_bytes()
    third = len(content) // 3
    # The fourth header in a plain tar, whose members have no checksums; gzip's checksum; a member.
    at = {"mine.tar": 3072, "mine.tar.gz": len(content) - 8, "mine.zip": third}[form]
    wrongs = [content[:third], b"no archive", b"", content[:at] + b"?" * 8 + content[at + 8 :]]
    if form == "mine.tar":
        wrongs.append(content[:3072])  # torn exactly between two members
    for wrong in wrongs:
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"is not a whole tar or zip archive .*again"):
            data.image_folder(path)
    with pytest.raises(ValueError, match="does not exist"):
        data.image_folder(tmp_path / "nowhere.zip")


# The official batches


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as Python 2's `str`, as the official files have them."""

    def save_string(self, value):
        content = value.encode() if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch: ClassVar = pickle._Pickler.dispatch | {str: save_string, bytes: save_string}


def python2_pickle(batch):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(batch)
    return file.getvalue().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def numpy2_pickle(batch):
    return pickle.dumps(batch, protocol=2)


@pytest.fixture(scope="module")
def batches():
    """Six batches of four pictures; batch k is filled with other pictures and labels."""
    made = {}
    for name in (*official.TRAIN, *official.TEST):
        rows = RANDOM.randint(0, 256, (4, 3072)).astype(np.uint8)
        labels = RANDOM.randint(0, 10, 4).tolist()
        made[name] = {
            "batch_label": name, "labels": labels, "data": rows, "filenames": ["x.png"] * 4
        }  # fmt: skip
    return made


def official_files(batches, dump=python2_pickle):
    files = {f"cifar-10-batches-py/{name}": dump(batch) for name, batch in batches.items()}
    return files | {"cifar-10-batches-py/batches.meta": b"never read"}


def load(path, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLIB_DATA", str(path))
    return data.cifar10(cache_dir=tmp_path / "cache")


def test_the_test_writes_what_python_2_wrote(batches):
    content = python2_pickle(batches["test_batch"])
    assert content.startswith(b"\x80\x02")
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content
    read = pickle.loads(content, encoding="bytes")
    assert sorted(read) == [b"batch_label", b"data", b"filenames", b"labels"]
    np.testing.assert_array_equal(read[b"data"], batches["test_batch"]["data"])


@pytest.mark.parametrize("dump", [python2_pickle, numpy2_pickle])
@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz"])
def test_official_batches(tmp_path, monkeypatch, batches, dump, form):
    files = official_files(batches, dump)
    if form == "folder":
        path = write(tmp_path, files) / "cifar-10-batches-py"
    else:
        path = pack(tmp_path / f"c.{form}", files, "w" if form == "tar" else "w:gz")
    train, test = load(path, monkeypatch, tmp_path)
    assert train.classes == test.classes == cifar.CIFAR10_CLASSES
    assert train.classes[0] == "airplane"
    assert train.classes[9] == "truck"
    assert train.images.shape == (20, 3, 32, 32)
    assert train.labels.tolist() == [
        label for name in official.TRAIN for label in batches[name]["labels"]
    ]
    # Picture 6 is row 2 of the second batch: red, green, blue planes, row by row.
    row = batches["data_batch_2"]["data"][2]
    assert train.images[6, 0, 0, 0] == row[0]
    assert train.images[6, 1, 0, 0] == row[1024]
    assert train.images[6, 2, 3, 5] == row[2 * 1024 + 3 * 32 + 5]
    np.testing.assert_array_equal(test.images.reshape(4, -1), batches["test_batch"]["data"])
    # Twenty pictures are not the data set, and are not called by its name.
    assert train.name == f"pictures in CIFAR-10's format from {path.name}"


def test_the_whole_data_set_bears_its_name(tmp_path, monkeypatch):
    rows, labels = np.zeros((10_000, 3072), np.uint8), [3] * 10_000
    content = python2_pickle({"batch_label": "b", "labels": labels, "data": rows})
    path = write(tmp_path, dict.fromkeys(official.TRAIN + official.TEST, content))
    train, test = load(path, monkeypatch, tmp_path)
    assert (len(train), len(test), train.name, test.name) == (
        50_000,
        10_000,
        "CIFAR-10",
        "CIFAR-10",
    )


class Calls:
    """Pickles as a call of any function there is."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("evil", "message"),
    [
        (Calls(os.system, "touch HERE"), r"asks for (posix|nt)\.system"),
        (Calls(eval, "open('HERE', 'w')"), r"asks for (__builtin__|builtins)\.eval"),
        (Calls(open, "HERE", "w"), r"asks for (_?io)\.open"),
        (Calls(getattr, 1, "real"), r"asks for (__builtin__|builtins)\.getattr"),
        (Calls(np.load, "HERE"), r"asks for numpy\.load"),
        (np.float64(1), r"asks for numpy.*\.scalar"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_does_anything_else_is_refused(
    tmp_path, monkeypatch, evil, message, protocol
):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"batch_label": "b", "labels": [evil]}, protocol=protocol)
    with pytest.raises(ValueError, match=f"data_batch_1 {message}, which no batch"):
        official.read_batch(content, "data_batch_1")
    assert not Path("HERE").exists()


def test_only_one_codec_is_let_in():
    content = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R."
    with pytest.raises(ValueError, match="codec 'hex'"):
        official.read_batch(content, "data_batch_1")


GOOD = {"batch_label": "b", "labels": [1, 2], "data": np.zeros((2, 3072), np.uint8)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((2, 3071), np.uint8)}, r"shape \(2, 3071\) for 2 labels"),
        ({"data": np.zeros((3, 3072), np.uint8)}, r"shape \(3, 3072\) for 2 labels"),
        ({"data": np.zeros((2, 3072), np.float32)}, "type 'f4'"),
        ({"data": np.full((2, 3072), None)}, "type 'O8'"),
        ({"data": np.zeros((3072, 2), np.uint8).T}, "row order"),
        ({"data": [0] * 3072}, "no attribute 'pixels'"),
        ({"labels": [0.5, 1.0]}, "no whole numbers"),
        ({"labels": 3}, "no whole numbers in a list"),
        ({"batch_label": 3}, "batch_label is no text"),
    ],
)
def test_a_batch_of_another_kind_is_refused(change, message):
    assert official.read_batch(numpy2_pickle(GOOD), "b")[0].shape == (2, 3, 32, 32)
    with pytest.raises(ValueError, match=f"not a CIFAR-10 batch .*({message})"):
        official.read_batch(numpy2_pickle(GOOD | change), "b")


def test_a_torn_or_incomplete_batch_is_refused(tmp_path, batches):
    content = python2_pickle(batches["test_batch"])
    for torn in (content[:-100], content[: len(content) // 2], b"", b"\x80\x02}."):
        with pytest.raises(ValueError, match="is not a CIFAR-10 batch"):
            official.read_batch(torn, "test_batch")
    with pytest.raises(ValueError, match=r"lacks data_batch_1, .*data_batch_5; fetch"):
        official.read_official(tmp_path, {"test_batch": content})


def test_labels_outside_the_classes_are_named(tmp_path, monkeypatch, batches):
    wrong = batches | {"data_batch_2": batches["data_batch_2"] | {"labels": [0, 1, 10, 2]}}
    with pytest.raises(ValueError, match="label 10 of image 6 is outside the 10 classes"):
        load(write(tmp_path, official_files(wrong)), monkeypatch, tmp_path)


# cifar10: the names, and the decoded copy


def ten_classes(suffix, kind):
    return in_parts(
        {
            f"{name}/{k}{suffix}": picture_bytes(random_pixels(32, 32), kind)
            for name in reversed(cifar.CIFAR10_CLASSES)
            for k in range(2)
        }
    )


@pytest.mark.parametrize(
    ("suffix", "kind", "name"),
    [
        (".jpg", "jpeg", "CIFAR-10, JPEG copy"),
        (".JPEG", "jpeg", "CIFAR-10, JPEG copy"),
        (".png", "png", "CIFAR-10 pictures from slice.tar.gz"),
    ],
)
def test_names_tell_the_truth(tmp_path, monkeypatch, suffix, kind, name):
    path = pack(tmp_path / "slice.tar.gz", ten_classes(suffix, kind))
    train, test = load(path, monkeypatch, tmp_path)
    assert train.name == test.name == name
    assert train.classes == cifar.CIFAR10_CLASSES
    assert train.labels.tolist() == [*range(10), *range(10)]


def test_other_pictures_are_not_called_cifar(tmp_path, monkeypatch, files):
    train, _ = load(write(tmp_path / "pets", in_parts(files)), monkeypatch, tmp_path)
    assert train.name == "pictures from pets"


def test_the_word_stand_in(monkeypatch, tmp_path):
    train, test = load("stand-in", monkeypatch, tmp_path)
    assert (len(train), len(test)) == (5000, 1000)
    assert train.name == "stand-in pictures, drawn by program"
    assert not (tmp_path / "cache").exists()


def test_no_stand_in_where_the_data_set_itself_is_wanted(monkeypatch):
    monkeypatch.setenv("CNNLIB_DATA", "stand-in")
    with pytest.raises(ValueError, match=r"asks for the stand-in, where CIFAR-10 itself is wanted"):
        data.cifar10(fallback=False)


def test_what_cnnlib_data_names_must_be_there(monkeypatch, tmp_path, files):
    with pytest.raises(ValueError, match=r"nowhere\.tar does not exist"):
        load(tmp_path / "nowhere.tar", monkeypatch, tmp_path)
    with pytest.raises(ValueError, match="has no train/<class>"):
        load(write(tmp_path / "mine", files), monkeypatch, tmp_path)


@pytest.fixture
def archive(tmp_path, files):
    return pack(tmp_path / "mine.tar.gz", in_parts(files))


def kept_copy(tmp_path):
    (copy,) = (tmp_path / "cache").iterdir()
    return copy


def hashes(sets):
    return [part.sha256 for part in sets]


def test_a_decoded_copy_is_read_instead_of_the_archive(tmp_path, monkeypatch, archive):
    first = load(archive, monkeypatch, tmp_path)
    monkeypatch.setattr(cifar, "read_files", lambda *_: pytest.fail("the archive was read"))
    second = load(archive, monkeypatch, tmp_path)
    assert hashes(second) == hashes(first)
    assert [part.name for part in second] == [part.name for part in first]
    assert second[0].images.flags.writeable


def flip_a_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [flip_a_bit, damaged, lambda content: b"", lambda content: b"PK\x03\x04no"]
)
def test_a_damaged_copy_is_noticed_and_made_again(tmp_path, monkeypatch, archive, damage):
    first = load(archive, monkeypatch, tmp_path)
    copy = kept_copy(tmp_path)
    whole = copy.read_bytes()
    copy.write_bytes(damage(whole))
    assert hashes(load(archive, monkeypatch, tmp_path)) == hashes(first)
    assert copy.read_bytes() == whole


def test_another_archive_of_the_same_name_replaces_the_copy(tmp_path, monkeypatch, archive, files):
    load(archive, monkeypatch, tmp_path)
    pack(archive, in_parts(files | {"b/3.png": files["a/1.png"]}))
    train, _ = load(archive, monkeypatch, tmp_path)
    assert len(train) == 6
    kept_copy(tmp_path)


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch, archive):
    def interrupted(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(archive, patched, tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_killed_write_leaves_no_copy_that_is_taken_for_whole(tmp_path, monkeypatch, archive):
    code = (
        "import os, signal, sys, numpy as np; from cnnlib import data\n"
        "def killed(file, **arrays):\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "np.savez = killed\n"
        "data.cifar10(cache_dir=sys.argv[1])"
    )
    environment = os.environ | {"CNNLIB_DATA": str(archive)}
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "cache"], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert not list((tmp_path / "cache").glob("*.npz"))
    assert len(load(archive, monkeypatch, tmp_path)[0]) == 5


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, archive):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.warns(UserWarning, match="no decoded copy"):
        train, _ = load(archive, monkeypatch, tmp_path)
    assert len(train) == 5
