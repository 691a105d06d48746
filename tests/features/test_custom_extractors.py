"""Networks of one's own: from a Python file, from an ONNX file; and what is refused."""

import pytest
import torch
from onnx_bytes import onnx_mean_pool

from evenodds.data.dataset import Dataset, Split
from evenodds.errors import ConfigError, DataError
from evenodds.features import identity, open_extractor
from evenodds.features.custom_input import Input, file_and_input
from evenodds.features.weights import SHIPPED

MEANS = """
import torch

class Means(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.scale * x.mean((2, 3)))

network = Means()
"""


def dataset(channels: int = 3, size: int = 8) -> Dataset:
    x = torch.randint(0, 256, (4, channels, size, size), generator=torch.Generator().manual_seed(0)).byte()
    return Dataset("mine", Split(x.numpy()), Split(x.numpy()), None)


@pytest.fixture
def written(tmp_path):
    """Write a Python file, open it as an extractor."""

    def open_it(source: str, options: str = "", data: Dataset | None = None):
        (tmp_path / "mine.py").write_text(source)
        return open_extractor(f"{tmp_path / 'mine.py'}{options}", dataset=data or dataset())

    return open_it


def test_a_python_files_network_is_used_as_it_is_for_evaluation(written):
    extractor, x = written(MEANS), dataset().train.x
    found = extractor(torch.from_numpy(x))
    assert (extractor.name, extractor.dim, extractor.classes) == ("mine", 3, None)
    wanted = torch.from_numpy(x).float().mean((2, 3)) / 255
    assert torch.allclose(found.features, wanted, atol=1e-6)  # and no dropout
    assert not found.features.requires_grad


@pytest.mark.parametrize("range_, low, high", [("0:1", 0, 1), ("-1:1", -1, 1), ("0:255", 0, 255)])
def test_the_range_is_what_was_asked_for(written, range_, low, high):
    extractor, x = written(MEANS, f",range={range_}"), dataset().train.x
    wanted = torch.from_numpy(x).float().mean((2, 3)) / 255 * (high - low) + low
    assert torch.allclose(extractor(torch.from_numpy(x)).features, wanted, atol=1e-4)
    assert f"[{low}, {high}]".replace("-", "−") in extractor.preprocessing


def test_size_and_channels_are_what_was_asked_for(written):
    sizes = "import torch\nclass N(torch.nn.Module):\n    def forward(self, x):\n"
    sizes += "        return torch.tensor(x.shape[1:]).float().expand(len(x), 3)\nnetwork = N()"
    x = torch.from_numpy(dataset().train.x)
    assert written(sizes)(x).features[0].tolist() == [3, 8, 8]
    assert written(sizes, ",size=12x10,channels=1")(x).features[0].tolist() == [1, 12, 10]
    gray = dataset(channels=1)
    assert written(sizes, data=gray)(torch.from_numpy(gray.train.x)).features[0].tolist() == [3, 8, 8]


def test_logits_are_the_second_of_two_tensors(written):
    source = MEANS.replace("return self.drop(", "return x.flatten(1)[:, :5], (")
    extractor = written(source)
    assert (extractor.dim, extractor.classes) == (5, 3)


def test_the_hash_is_of_code_and_weights(written):
    first = written(MEANS).sha256
    assert written(MEANS).sha256 == first
    assert written(MEANS + "# changed\n").sha256 != first
    drawn = MEANS.replace("torch.ones(1)", "torch.rand(1)")
    assert written(drawn).sha256 != written(drawn).sha256, "weights that are drawn anew are other weights"


@pytest.mark.parametrize(
    "source, words",
    [
        ("x = 1", "it defines no network; write network ="),
        ("network = 3", "network is a int"),
        ("network = lambda: 3", "network is a int"),
        ("import torch\nraise ValueError('oh')", r"mine.py, line 2: ValueError: oh; correct the file"),
        ("def", "line 1: invalid syntax"),
        (MEANS.replace("(2, 3)", "3"), r"features of the shape \(2, 3, 8\) for 2 images"),
        (MEANS.replace("self.drop(", "list("), "gives a list; let it return a tensor"),
        (MEANS.replace("self.scale *", "0 / 0.0 *"), "line 11: ZeroDivisionError"),
        (MEANS.replace("torch.ones(1)", "torch.tensor([torch.nan])"), "features of image 0 are not finite"),
        ("import torch\nnetwork = torch.nn.Conv2d(1, 2, 3)", "expected input.* to have 1 channels"),
    ],
)
def test_python_files_that_are_refused(written, source, words):
    with pytest.raises(ConfigError, match=words):
        written(source)


def test_a_file_that_is_not_there(tmp_path):
    for ending, kind in ((".py", ConfigError), (".onnx", DataError), (".safetensors", DataError)):
        with pytest.raises(kind, match=r"does not exist|can't be read"):
            open_extractor(str(tmp_path / f"no{ending}"), dataset=dataset())


def test_a_built_classifier_is_opened_by_its_path():
    data = dataset(1, 28)
    extractor = open_extractor(str(SHIPPED / "mnist.safetensors"), dataset=data)
    named = open_extractor("mnist", dataset=data)
    assert identity(extractor) == identity(named)
    with pytest.raises(ConfigError, match="leave out what follows its name"):
        open_extractor(f"{SHIPPED / 'mnist.safetensors'},size=28", dataset=data)


@pytest.mark.parametrize(
    "text, taken",
    [
        ("a.py", Input()),
        ("a.py,size=64", Input(size=(64, 64))),
        ("a/b.onnx,size=64x48, range=-1:1", Input(size=(64, 48), low=-1.0)),
        ("a.onnx,channels=1,range=0:255", Input(channels=1, high=255.0)),
    ],
)
def test_what_stands_after_the_name(text, taken):
    found = file_and_input(text)
    assert found is not None
    assert found[1] == taken


@pytest.mark.parametrize(
    "text, words",
    [
        ("a.py,sise=3", "did you mean 'size'"),
        ("a.py,size=0", "size=0 can't be; give pixels"),
        ("a.py,channels=4", "give 1 or 3"),
        ("a.py,range=0:2", "give 0:1 or -1:1 or 0:255"),
        ("a.py,size", "takes no 'size'"),
    ],
)
def test_what_can_not_stand_after_the_name(text, words):
    with pytest.raises(ConfigError, match=words):
        file_and_input(text)


def test_names_without_an_ending_are_no_files():
    assert file_and_input("random") is None
    assert file_and_input("a.txt,size=3") is None


# ONNX


@pytest.fixture
def onnx(tmp_path):
    """Open a network that averages height and width, with these fixed sizes of its input."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

    def open_it(*shape: int | str, keepdims: bool = False, options: str = "", data: Dataset | None = None):
        (tmp_path / "net.onnx").write_bytes(onnx_mean_pool(shape, keepdims=keepdims))
        return open_extractor(f"{tmp_path / 'net.onnx'}{options}", dataset=data or dataset())

    return open_it


@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_an_onnx_files_first_output_are_the_features(onnx, batch):
    extractor, x = onnx(batch, 3, "h", "w"), torch.from_numpy(dataset().train.x[:3])
    found = extractor(x)
    assert torch.allclose(found.features, x.float().mean((2, 3)) / 255, atol=1e-6)
    assert (extractor.name, extractor.dim, extractor.classes, len(extractor.sha256)) == ("net", 3, None, 64)


def test_what_an_onnx_file_fixes_holds(onnx):
    assert onnx("n", 1, 4, 6).preprocessing.startswith("gray in [0, 1], 4 × 6")
    assert onnx("n", 1, 4, 6).dim == 1
    with pytest.raises(ConfigError, match="takes 4 × 6 pixels alone; leave out size="):
        onnx("n", 1, 4, 6, options=",size=8")
    with pytest.raises(ConfigError, match="images of 5 channels; give a network of 1 or 3"):
        onnx("n", 5, "h", "w")
    with pytest.raises(ConfigError, match="one input of float images"):
        onnx("n", 3)


def test_onnx_files_that_are_refused(onnx, tmp_path):
    with pytest.raises(ConfigError, match=r"features of the shape \(2, 3, 1, 1\) for 2 images"):
        onnx("n", 3, "h", "w", keepdims=True)
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="is not a usable ONNX file"):
        open_extractor(str(tmp_path / "bad.onnx"), dataset=dataset())


def test_without_onnxruntime_the_remedy_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"run: pip install 'evenodds\[onnx\]'"):
        open_extractor(str(tmp_path / "net.onnx"), dataset=dataset())
