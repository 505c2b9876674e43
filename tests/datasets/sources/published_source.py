"""Published source: files in a folder or an archive, for the tests of what reads them."""

import io
import zipfile

from PIL import Image


def unpack(files, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pack(files, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def png(array, **options):
    content = io.BytesIO()
    Image.fromarray(array).save(content, **{"format": "PNG", **options})
    return content.getvalue()
