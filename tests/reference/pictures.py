"""JPEG and WebP files with a colour profile and EXIF data, written by Pillow."""

from PIL import Image, ImageCms

from common import FIXTURES

FOLDER = FIXTURES / "pictures"
LEFT, RIGHT = (200, 30, 40), (20, 60, 180)
#: EXIF tags.
ORIENTATION, COPYRIGHT = 0x112, 0x8298


def save():
    FOLDER.mkdir(exist_ok=True)
    picture = Image.new("RGB", (32, 16), LEFT)
    picture.paste(RIGHT, (16, 0, 32, 16))
    exif = Image.Exif()
    # 6: to be rotated by 90 degrees clockwise. The left side becomes the top.
    exif[ORIENTATION], exif[COPYRIGHT] = 6, "Ada"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The date and time of its creation (ICC.1:2022, 7.2.10), so that every run gives the same bytes.
    profile = profile[:24] + bytes(12) + profile[36:]
    options = {"quality": 90, "exif": exif, "icc_profile": profile}
    picture.save(FOLDER / "rotated.jpg", progressive=True, subsampling=0, **options)
    picture.save(FOLDER / "rotated.webp", **options)
    cmyk = bytearray(profile)
    cmyk[16:20] = b"CMYK"
    picture.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=95, icc_profile=bytes(cmyk))
    picture.save(FOLDER / "picture.gif")
