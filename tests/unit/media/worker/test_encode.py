"""What the media child writes, read back with Pillow and by hand."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zlib
from base64 import b64decode
from html import unescape
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from tendred.errors import DiskFull, FolderUnwritable
from tendred.media.worker import encode as encoding
from tendred.media.worker import marking
from tendred.media.worker.checks import Checker
from tendred.media.worker.encode import BadRawError
from tendred.media.worker.sheet import EMPTY
from tendred.schema.sheet import Placed, SheetPlan, Written
from tendred.schema.work import Encode, Encoded
from tendred.testing.marks import signatory

PROMPT = (
    "a red ball\nd'été, \N{LEFT DOUBLE QUOTATION MARK}naïve\N{RIGHT DOUBLE QUOTATION MARK} 日本 \N{FOX FACE} <&>]]>"
)
SETTINGS = {"prompt": PROMPT, "steps": 20, "guidance": 4.5}


def encode(work: Encode, quality: int) -> Encoded:
    return encoding.encode(work, quality, signatory(), Checker())


def pixels(width: int, height: int) -> bytes:
    """A smooth picture, so that lossy formats stay close."""
    return bytes(
        value for y in range(height) for x in range(width) for value in (x * 255 // width, y * 255 // height, 90)
    )


def order(folder: Path, form: str = "png", **changes: object) -> Encode:
    width, height = 48, 32
    raw = folder / "one.rgb"
    data = pixels(width, height)
    raw.write_bytes(data)
    fields = {
        "raw": str(raw),
        "width": width,
        "height": height,
        "pixels_sha256": hashlib.sha256(data).hexdigest(),
        "format": form,
        "target": str(folder / f"one.{form}"),
        "thumbnail": None,
        "settings": SETTINGS,
        "parameters": PROMPT,
    }
    return Encode(**(fields | changes))


def our_json(packet: bytes) -> dict[str, object]:
    text = packet.decode()
    if found := re.search("<tendred:settings>(.*)</tendred:settings>", text, re.DOTALL):
        return json.loads(unescape(found[1]))
    found = re.search("<tendred:deflated>(.*)</tendred:deflated>", text)
    assert found
    return json.loads(zlib.decompress(b64decode(found[1])))


def test_png_keeps_every_pixel_and_tells_how_it_was_made(tmp_path: Path) -> None:
    work = order(tmp_path)
    made = encode(work, 92)
    data = Path(work.target).read_bytes()
    assert (made.bytes, made.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert made.media_type == "image/png"
    assert stat.S_IMODE(Path(work.target).stat().st_mode) == 0o600
    with Image.open(work.target, formats=("PNG",)) as picture:
        assert picture.tobytes() == pixels(48, 32)
        assert picture.text["parameters"] == PROMPT
        assert json.loads(picture.text["tendred"]) == SETTINGS
        assert marking.SOURCE_TYPE in picture.text["XML:com.adobe.xmp"]


@pytest.mark.parametrize(("text", "chunk"), [("été", b"tEXtparameters\0\xe9t\xe9"), ("日本", b"iTXtparameters\0")])
def test_png_text_is_latin_1_where_that_is_enough(tmp_path: Path, text: str, chunk: bytes) -> None:
    work = order(tmp_path, parameters=text)
    encode(work, 92)
    assert chunk in Path(work.target).read_bytes()


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_jpeg_and_webp_tell_the_same(tmp_path: Path, form: str) -> None:
    work = order(tmp_path, form)
    made = encode(work, 92)
    assert made.media_type == f"image/{form}"
    with Image.open(work.target, formats=(form,)) as picture:
        assert max(abs(a - b) for a, b in zip(picture.tobytes(), pixels(48, 32), strict=True)) <= 24
        comment = picture.getexif().get_ifd(IFD.Exif)[Base.UserComment]
        packet = picture.info["xmp"]
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-be") == PROMPT
    assert our_json(packet) == SETTINGS
    assert f"<Iptc4xmpExt:DigitalSourceType>{marking.SOURCE_TYPE}</" in packet.decode()


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("text", ["&" * 8192, "\n\x01" * 4096, "é" * 4096, "\N{FOX FACE}" * 2048, '"\\' * 4096])
def test_the_longest_prompts_fit_in_every_format(tmp_path: Path, form: str, text: str) -> None:
    settings = {"prompt": text, "negative_prompt": text}
    work = order(tmp_path, form, settings=settings, parameters=f"{text}\nNegative prompt: {text}\nSteps: 20")
    encode(work, 92)
    with Image.open(work.target) as picture:
        picture.load()
        if form == "png":
            assert json.loads(picture.text["tendred"]) == settings
            assert picture.text["parameters"] == work.parameters
        else:
            comment = picture.getexif().get_ifd(IFD.Exif)[Base.UserComment]
            assert comment[8:].decode("utf-16-be") == work.parameters
            assert our_json(picture.info["xmp"]) == settings


def test_quality_counts(tmp_path: Path) -> None:
    assert encode(order(tmp_path, "jpeg"), 30).bytes < encode(order(tmp_path, "jpeg"), 98).bytes
    assert encode(order(tmp_path, "webp"), 30).bytes < encode(order(tmp_path, "webp"), 98).bytes


def test_a_thumbnail_is_small_private_and_whole(tmp_path: Path) -> None:
    side = (600, 300)
    raw = tmp_path / "big.rgb"
    raw.write_bytes(bytes(side[0] * side[1] * 3))
    thumbnail = tmp_path / "cache" / "ab" / "one.webp"
    work = order(
        tmp_path,
        raw=str(raw),
        width=side[0],
        height=side[1],
        pixels_sha256=hashlib.sha256(raw.read_bytes()).hexdigest(),
        thumbnail=str(thumbnail),
    )
    encode(work, 92)
    with Image.open(thumbnail, formats=("WEBP",)) as picture:
        assert picture.size == (256, 128)
    assert stat.S_IMODE(thumbnail.stat().st_mode) == 0o600
    assert [path.name for path in thumbnail.parent.iterdir()] == ["one.webp"]


def test_a_small_picture_is_not_blown_up(tmp_path: Path) -> None:
    work = order(tmp_path, thumbnail=str(tmp_path / "thumb.webp"))
    encode(work, 92)
    with Image.open(tmp_path / "thumb.webp") as picture:
        assert picture.size == (48, 32)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 49}, "4608 bytes instead of 4704"),
        ({"pixels_sha256": "0" * 64}, "SHA-256 differs"),
        ({"raw": "/nonexistent/one.rgb"}, "can't be read"),
        ({"raw": "/dev/zero"}, "instead of"),
    ],
)
def test_a_raw_file_that_is_not_the_picture_makes_nothing(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    work = order(tmp_path, **changes)
    with pytest.raises(BadRawError, match=words):
        encode(work, 92)
    assert not Path(work.target).exists()


def test_a_raw_symlink_is_not_followed(tmp_path: Path) -> None:
    work = order(tmp_path)
    link = tmp_path / "link.rgb"
    link.symlink_to(work.raw)
    with pytest.raises(BadRawError, match="can't be read"):
        encode(order(tmp_path, raw=str(link)), 92)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderUnwritable) as caught:
        encode(order(tmp_path, target=str(tmp_path / "gone" / "one.png")), 92)
    assert caught.value.detail["folder"] == str(tmp_path / "gone")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(64 * 1024))
    for changes in ({"target": str(small_disk / "one.png")}, {"thumbnail": str(small_disk / "one.webp")}):
        work = order(tmp_path, **changes)
        with pytest.raises(DiskFull) as caught:
            encode(work, 92)
        assert caught.value.detail["folder"] == str(small_disk)
        assert not Path(work.target).exists()
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def sheet_order(folder: Path, *pictures: Placed, **changes: object) -> Encode:
    labels = [
        Written(text="hills at dawn " * 9, x=4, y=100, width=150, height=20),
        Written(text="é", x=160, y=0, width=40, height=28),
    ]
    fields = {
        "raw": "",
        "pixels_sha256": "",
        "width": 200,
        "height": 120,
        "sheet": SheetPlan(pictures=list(pictures), labels=labels),
    }
    return order(folder, **(fields | changes))


def placed(file: Path, **changes: object) -> Placed:
    fields = {
        "path": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "x": 8,
        "y": 8,
        "width": 40,
        "height": 30,
    }
    return Placed(**(fields | changes))


def test_a_sheet_holds_its_pictures_and_its_words(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), (0, 90, 200)).save(tmp_path / "a.png")
    made = encode(sheet_order(tmp_path, placed(tmp_path / "a.png"), thumbnail=str(tmp_path / "t.webp")), 90)
    with Image.open(made.path) as picture:
        assert picture.size == (200, 120)
        assert hashlib.sha256(picture.tobytes()).hexdigest() == made.pixels_sha256
        assert {picture.getpixel((x, y)) for x in range(8, 48) for y in range(8, 38)} == {(0, 90, 200)}
        paper = picture.getpixel((0, 0))
        words = picture.crop((4, 100, 154, 120))
        assert len(words.getcolors(9999)) > 2
        # Cut to its box: nothing of the long label is written beside it.
        assert set(picture.crop((156, 95, 200, 120)).get_flattened_data()) == {paper}
        assert json.loads(picture.text["tendred"]) == SETTINGS
    again = encode(sheet_order(tmp_path, placed(tmp_path / "a.png")), 90)
    assert again.pixels_sha256 == made.pixels_sha256


@pytest.mark.parametrize("trouble", ["other", "gone", "text", "link", "folder"])
def test_what_is_not_the_picture_it_was_leaves_its_box_empty(tmp_path: Path, trouble: str) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (40, 30), (0, 90, 200)).save(file)
    one = placed(file)
    if trouble == "other":
        Image.new("RGB", (40, 30), (255, 0, 255)).save(file)
    elif trouble == "text":
        file.write_text("no picture")
        one = placed(file)
    else:
        file.rename(tmp_path / "b.png")
    if trouble == "link":
        file.symlink_to(tmp_path / "b.png")
    elif trouble == "folder":
        file.mkdir()
    with Image.open(encode(sheet_order(tmp_path, one), 90).path) as picture:
        [(_, colour)] = picture.crop((8, 8, 48, 38)).getcolors()
    assert colour == EMPTY
