"""The upload button, driven without a browser: its value is set, as the browser would."""

import base64
import datetime
import re
import sys

import cv2
import numpy as np
import pytest
from test_dicom import write_dicom
from test_xrays import Reader, chest, of

from lungseg_utils.cases import DatasetError
from lungseg_utils.inference import upload, xrays

pytest.importorskip("ipywidgets")


def png(height: int, width: int) -> bytes:
    return cv2.imencode(".png", chest(height, width)[0])[1].tobytes()


def choose(box, name: str, content: bytes) -> str:
    """What the box shows after a file was chosen."""
    now = datetime.datetime.now(datetime.UTC)
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": now}
    box.children[0].value = (file,)
    return box.children[2].value


def shown(text: str) -> np.ndarray:
    """The picture in it, RGB."""
    data = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', text)[1])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_a_chosen_file_shows_outlines_and_areas():
    image, _ = chest(120, 100)
    text = choose(upload.upload_button(Reader()), "Röntgen <1>.png", png(120, 100))
    masks, said = xrays.predict_xray(Reader(), of(image))
    assert np.array_equal(shown(text), xrays.overlay(image, masks, said)) and f"Remark: {said}" in text and said
    assert 'alt="The X-ray Röntgen &lt;1&gt;.png with a solid line' in text and "100 x 120 px" in text
    assert "unknown" in text and "cm²" not in text
    merged = choose(upload.upload_button(Reader(masks=1)), "a.png", png(60, 50))
    assert "line around each lung" in merged and "solid" not in merged
    assert upload.uploaded({"a.png": {"metadata": {"size": 3}, "content": b"abc"}}) == [("a.png", b"abc")], "version 7"


def test_a_dicom_file_a_typed_path_and_bad_files(tmp_path):
    path = write_dicom(tmp_path / "chest.dcm", chest(120, 100)[0], 8, PixelSpacing=[2, 2])
    box = upload.upload_button(Reader())
    first = choose(box, "chest.dcm", path.read_bytes())
    assert re.search(r"viewer.s left \d+ cm², viewer.s right \d+ cm², both \d+ cm²", first)
    box.children[1].value = f" {path} "
    assert shown(box.children[2].value).shape[1:] == (100, 3) and str(path) in box.children[2].value
    text = choose(box, "note.txt", b"hello")
    assert "Not a picture that can be read: note.txt" in text and "<img" not in text
    box.children[1].value = str(tmp_path / "gone.png")
    assert "gone.png" in box.children[2].value and "No such file" in box.children[2].value


def test_without_ipywidgets_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(DatasetError, match="pip install ipywidgets"):
        upload.upload_button(Reader())
