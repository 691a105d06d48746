"""What becomes of image files of every kind, against what Pillow and numpy say of the same pixels."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from image_files import encoded, noise
from PIL import Image

from evenodds.data.images.decode import (
    MAX_PIXELS,
    BadImageError,
    How,
    as_channels,
    decode,
    decoding,
    header,
)

ASIS = How((12, 12))


def rgb(content: bytes, how: How = ASIS) -> np.ndarray:
    """(H, W, 3) of an image that nothing shows through."""
    x = decode(content, how).pixels
    assert (x[3] == 255).all()
    return np.moveaxis(x[:3], 0, -1)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_without_loss(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(rgb(encoded(noise(), kind, **options)), noise())


def test_jpeg_is_what_pillow_decodes():
    x = np.linspace(0, 255, 12 * 12 * 3).reshape(12, 12, 3).astype(np.uint8)
    np.testing.assert_allclose(rgb(encoded(x, "JPEG", quality=95)).astype(int), x, atol=12)


def test_grey_is_grey_and_colours_are_not():
    grey = decode(encoded(noise(channels=1)), ASIS)
    assert grey.grey
    assert not grey.transparent
    np.testing.assert_array_equal(grey.pixels[:3], np.stack([noise(channels=1)] * 3))
    assert decode(encoded(np.stack([noise(channels=1)] * 3, -1)), ASIS).grey  # RGB with equal channels
    assert not decode(encoded(noise()), ASIS).grey


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits(kind):
    x = np.array([[0, 128, 129, 257], [32896, 65535, 65278, 65406]], np.uint16)
    decoded = decode(encoded(Image.fromarray(x), kind), How((2, 4))).pixels[0]
    np.testing.assert_array_equal(decoded, np.rint(x / 257).astype(np.uint8))
    assert decoded.tolist() == [[0, 0, 1, 1], [128, 255, 254, 254]]


def test_bilevel_and_palettes():
    bits = noise(channels=1) > 127
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bits)), ASIS).pixels[0], bits * 255)
    image = Image.fromarray(noise()).quantize(64)
    np.testing.assert_array_equal(rgb(encoded(image)), np.asarray(image.convert("RGB")))
    image = Image.new("P", (12, 12), 1)
    image.putpalette([255, 0, 0, 0, 200, 0])
    image.paste(0, (0, 0, 6, 12))
    shown = decode(encoded(image, transparency=0), ASIS)
    assert shown.transparent
    assert not shown.pixels[:, :, :6].any()
    assert (shown.pixels[:, :, 6:] == np.array([0, 200, 0, 255])[:, None, None]).all()


def test_grey_with_alpha_and_a_transparent_colour():
    x = np.stack([noise(channels=1), noise(channels=1, seed=1)], -1)
    la = decode(encoded(Image.fromarray(x, "LA")), ASIS)
    assert la.grey
    assert la.transparent
    np.testing.assert_array_equal(la.pixels[3], x[..., 1])
    np.testing.assert_array_equal(la.pixels[0], np.rint(x[..., 0] * (x[..., 1] / 255)))
    keyed = np.full((12, 12, 3), 9, np.uint8)
    keyed[0] = 77
    assert not decode(encoded(keyed, transparency=(77, 77, 77)), ASIS).pixels[:, 0].any()


def test_cmyk():
    image = Image.new("CMYK", (12, 12), (0, 255, 255, 0))
    for kind, off in (("TIFF", 0), ("JPEG", 3)):
        np.testing.assert_allclose(rgb(encoded(image, kind)).astype(int), [[[255, 0, 0]] * 12] * 12, atol=off)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "MPO"])
def test_of_several_frames_the_first(kind):
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("blue", "red")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_allclose(rgb(content).astype(int), [[[0, 0, 255]] * 12] * 12, atol=2)


def png_of_16_bits(x: np.ndarray) -> bytes:
    """A PNG of (H, W, 3) uint16, which Pillow can't write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", x.shape[1], x.shape[0], 16, 2, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in x)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_16_bits_of_colours():
    """Pillow keeps the upper byte, which is up to one less or more than the nearest."""
    x = np.random.default_rng(0).integers(0, 65536, (12, 12, 3))
    np.testing.assert_allclose(rgb(png_of_16_bits(x)).astype(int), np.rint(x / 257), atol=1)


def test_palettes_with_alpha():
    image = Image.new("P", (12, 12), 1)
    image.putpalette([255, 0, 0, 0, 200, 0])
    shown = decode(encoded(image, transparency=bytes([0, 128])), ASIS)
    assert (shown.pixels == np.array([0, 100, 0, 128])[:, None, None]).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation(turn):
    """As in the EXIF specification: the value says where the stored row 0 and column 0 are seen."""
    seen = noise(8, 4)
    stored = {
        1: seen,
        2: seen[:, ::-1],
        3: seen[::-1, ::-1],
        4: seen[::-1],
        5: seen.transpose(1, 0, 2),
        6: np.rot90(seen),
        7: seen[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(seen, -1),
    }[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encoded(np.ascontiguousarray(stored), exif=exif)
    assert header(content) == (8, 4)
    assert decode(content, How((8, 4))).size == (8, 4)
    np.testing.assert_array_equal(rgb(content, How((8, 4))), seen)


def test_a_wide_jpeg_that_lies_on_its_side():
    x = np.zeros((64, 256, 3), np.uint8)
    x[:, 128:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # seen upright: 256 high, 64 wide, and dark above
    pixels = rgb(encoded(x, "JPEG", quality=95, exif=exif), How((16, 4))).astype(int)
    assert pixels[:7].max() < 8
    assert pixels[9:].min() > 247


def test_hidden_colours_have_no_influence():
    """Red that can't be seen beside opaque blue: no purple, at any size."""
    x = np.zeros((40, 40, 4), np.uint8)
    x[:, :20] = [255, 0, 0, 0]
    x[:, 20:] = [0, 0, 255, 255]
    for size in (40, 17, 8, 60):
        pixels = decode(encoded(x), How((size, size))).pixels
        assert not pixels[0].any()
        assert (pixels[2] == pixels[3]).all()
        assert pixels[3].min() == 0
        assert pixels[3].max() == 255
    assert (decode(encoded(noise(40, 40, 4)), How((16, 16))).pixels[:3] <= 255).all()
    ringing = decode(encoded(noise(40, 40, 4)), How((57, 57))).pixels
    assert (ringing[:3] <= ringing[3]).all()


def test_resizing_averages():
    """A chequered pattern of single pixels is grey when it is smaller; without anti-aliasing it isn't."""
    x = (np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)
    for name in ("lanczos", "box", "bicubic", "bilinear"):
        pixels = decode(encoded(x), How((16, 16), 4, name)).pixels[0].astype(int)
        np.testing.assert_allclose(pixels[2:-2, 2:-2], 127.5, atol=3)
    blocks = noise(8, 8).repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(rgb(encoded(blocks), How((8, 8), 4, "box")), noise(8, 8))


def test_crop_pad_and_stretch():
    x = np.zeros((10, 30, 3), np.uint8)
    x[:, :10], x[:, 10:20], x[:, 20:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    crop, pad, stretch = (rgb(encoded(x), How((30, 30), 4, "box", fit)) for fit in ("crop", "pad", "stretch"))
    assert (crop == [0, 255, 0]).all()
    np.testing.assert_array_equal(pad[10:20], x)
    assert (pad[:10] == pad[0, 0]).all()
    np.testing.assert_array_equal(stretch, x.repeat(3, 0))
    see_through = np.dstack([x, np.full((10, 30), 200, np.uint8)])
    assert not decode(encoded(see_through), How((30, 30), 4, "box", "pad")).pixels[:, :10].any()
    white = decode(encoded(np.full((4, 8, 3), 250, np.uint8)), How((8, 8), 4, "box", "pad")).pixels
    assert (white[:3] == 250).all()


def test_channels():
    x = noise(6, 6, 4)
    four = decode(encoded(x), How((6, 6)))
    alpha = x[..., 3:] / 255
    over_white = x[..., :3] * alpha + 255 * (1 - alpha)
    three = decode(encoded(x), How((6, 6), 3)).pixels
    np.testing.assert_allclose(np.moveaxis(three, 0, -1), over_white, atol=0.51)
    one = decode(encoded(x), How((6, 6), 1)).pixels
    assert one.shape == (1, 6, 6)
    np.testing.assert_allclose(one[0], over_white @ [0.299, 0.587, 0.114], atol=1.02)
    np.testing.assert_array_equal(as_channels(four.pixels[None], 3)[0], three)
    assert (as_channels(np.full((4, 1, 1), 255, np.uint8), 1) == 255).all()


def test_sizes_that_are_not_square_and_upscaling():
    assert decode(encoded(noise(5, 9)), How((48, 64))).pixels.shape == (4, 48, 64)


def test_20000_pixels_wide():
    image = Image.new("RGB", (20_000, 60), "green")
    for kind in ("JPEG", "PNG"):
        assert header(encoded(image, kind)) == (60, 20_000)
        np.testing.assert_allclose(rgb(encoded(image, kind)).astype(int), [[[0, 128, 0]] * 12] * 12, atol=2)


def test_many_megapixels_only_while_decoding(monkeypatch, recwarn):
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # as if the next image were a bomb
    content = encoded(noise(60, 60))
    with pytest.raises(BadImageError, match="too large"):
        decode(content, ASIS)
    with decoding():
        assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS
        decode(content, ASIS)
    monkeypatch.undo()
    assert before == Image.MAX_IMAGE_PIXELS
    assert not recwarn.list


def test_settings_hold_until_the_last_one_has_decoded():
    before, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    first, second = decoding(), decoding()
    with first:
        with second:
            pass
        assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS
        assert warnings.filters != filters
    assert before == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters
    with pytest.raises(ZeroDivisionError), decoding():
        raise ZeroDivisionError
    assert before == Image.MAX_IMAGE_PIXELS


def bomb() -> bytes:
    """The beginning of a PNG of 60,000 × 60,000 pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return head + struct.pack(">I", 1000) + b"IDAT" + bytes(1004)


BAD = {
    "empty": (b"", "empty file"),
    "text": (b"hello, this is no image", "not an image"),
    "half a png": (encoded(noise(40, 40))[:900], "cut short"),
    "half a jpeg": (encoded(noise(80, 80), "JPEG")[:900], "cut short"),
    "a png's first bytes": (encoded(noise())[:20], r"damaged|not an image"),
    "one pixel": (encoded(noise(1, 1)), "1 × 1 pixel"),
    "bomb": (bomb(), "too large"),
    "floats": (encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "floating-point"),
    "32 bits": (encoded(Image.fromarray(np.full((4, 4), 1 << 20, np.int32)), "TIFF"), "32-bit"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_have_a_reason(name):
    content, reason = BAD[name]
    with decoding(), pytest.raises(BadImageError, match=reason) as caught:
        decode(content, ASIS)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 160


def test_garbage_is_never_more_than_a_bad_file():
    rng = np.random.default_rng(0)
    kinds = [encoded(noise(20, 20), kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")]
    bad = 0
    for content in kinds:
        for _ in range(30):
            broken = bytearray(content)
            for place in rng.integers(0, len(broken), 12):
                broken[place] = rng.integers(256)
            try:
                with decoding():
                    decode(bytes(broken), ASIS)
            except BadImageError:
                bad += 1
    assert 40 < bad < 180
