"""Unpacking of packed weights: on every Python, and nowhere but in its folder."""

import io
import tarfile

import pytest

from zoo.errors import ZooError
from zoo.serving import pretrained


@pytest.fixture
def archive(tmp_path):
    """Takes names to contents, or whole members; returns a pack."""

    def make(*members):
        path = tmp_path / "x.tar.xz"
        with tarfile.open(path, "w:xz") as file:
            for name, content in members:
                member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
        return path

    return make


def test_a_pack_is_unpacked_by_every_release_of_python(archive, tmp_path, monkeypatch):
    """The first ones of 3.10 and 3.11 know no `filter`."""
    old = tarfile.TarFile.extractall

    def extractall(self, path=".", members=None, *, numeric_owner=False):
        old(self, path, members, numeric_owner=numeric_owner)

    monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    folder = tarfile.TarInfo("deep")
    folder.type = tarfile.DIRTYPE
    target = tmp_path / "out"
    pretrained._unpack(archive((folder, b""), ("deep/a", b"1"), ("other/b", b"22")), target)
    content = {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert content == {"deep/a": b"1", "other/b": b"22"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "link", "hard", "device"])
def test_a_pack_writes_nothing_outside_its_folder(archive, tmp_path, name):
    name = f"{tmp_path}/evil" if name == "/evil" else name
    member = tarfile.TarInfo(name)
    kinds = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}
    member.type = kinds.get(name, tarfile.REGTYPE)
    member.linkname = str(tmp_path) if name == "link" else "a"
    members = [("a", b"1"), (member, b"" if name in kinds else b"evil"), ("link/evil", b"evil")]
    with pytest.raises(ZooError, match=r"is damaged .*not a file or folder inside it"):
        pretrained._unpack(archive(*members), tmp_path / "home" / "out")
    assert not list(tmp_path.rglob("evil"))
    assert list((tmp_path / "home").iterdir()) == []
