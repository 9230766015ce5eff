"""Images and a device of the caller's: into the settings, to the workers, and refused in words."""

import numpy as np
import pytest
from PIL import Image

from nonsmooth.claims import reproduce
from nonsmooth.errors import InputError

_CLAIM = """
from nonsmooth.claims import Claim, Judgement, Setting
from nonsmooth.findings import Finding, Part, Result, Ruling
from nonsmooth.runs import RunSpec
class Pictures(Claim):
    id = "pictures"; where = "here"; statement = "so"
    parts = (Part("p", "s", "r"),)
    unstated = (Setting("images", "digits", "embedded"), Setting("device", "cpu", "everywhere"))
    accepts_images = True
    def runs(self, tier, settings):
        return [RunSpec(self.id, "x", settings)]
    def measure(self, spec):
        from nonsmooth.datasets import images
        found = images(spec["images"])
        return [{"shape": list(found.train.shape), "sum": int(found.train.sum()), "device": spec["device"]}]
    def judge(self, rows):
        said = f"{rows[0]['shape']} {rows[0]['sum']} {rows[0]['device']}"
        return Judgement([Ruling("p", Result.HOLDS, len(rows), "y")], [Finding("images", said, 1, "w")])
    def draw(self, rows): return []
"""


@pytest.fixture
def judged(tmp_path):
    path = tmp_path / "pictures.py"
    path.write_text(_CLAIM)

    def entry(**options):
        return reproduce(["pictures"], out=tmp_path / "out", claim_files=[path], **options).ledger.claims[0]

    return entry


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 1)):
        for kind in ("cat", "dog"):
            place = tmp_path / "mine" / split / kind
            place.mkdir(parents=True)
            for k in range(count):
                Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(place / f"{k}.png")
    return tmp_path / "mine"


def test_digits_are_what_there_is_without_any(judged):
    entry = judged(engine="inline")
    assert entry["findings"][0]["measured"].startswith("[1437, 1, 8, 8] ")
    assert (entry["data"], entry["settings"]["images"]) == (None, "digits")


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_folder_of_images_reaches_the_workers(judged, folder, engine):
    entry = judged(images=folder, device="cpu", engine=engine)
    assert entry["findings"][0]["measured"].startswith("[6, 3, 4, 4] ")
    assert entry["settings"]["images"] == f"images:{entry['data']['sha256'][:16]}"
    assert entry["data"]["name"] == "mine"


def test_real_cifar10_reaches_a_claim_with_its_note(judged, cifar10_folder):
    entry = judged(images=cifar10_folder, engine="inline")
    assert entry["findings"][0]["measured"].startswith("[50000, 3, 32, 32] ")
    assert "JPEG" in entry["data"]["note"]


def test_refused_in_words(judged, folder, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        judged(images=tmp_path / "nowhere")
    with pytest.raises(InputError, match="device 'gpu' cannot be used here"):
        judged(device="gpu")
    with pytest.raises(InputError, match="setting 'images' is given twice"):
        judged(images=folder, settings={"images": "digits"})
    with pytest.raises(InputError, match="none of rates takes images"):
        reproduce(["rates"], out=tmp_path / "out", images=folder)
    with pytest.raises(InputError, match="none of rates takes a device"):
        reproduce(["rates"], out=tmp_path / "out", device="cpu")
