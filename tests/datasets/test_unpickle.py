"""A pickle that asks for anything but arrays and texts is refused by name, and nothing of it is run."""

import os
import pickle
import pickletools
import subprocess

import numpy as np
import pytest

from datasets.image_files import batch_content, dumps_like_python_2, small
from nonsmooth.datasets._unpickle import unpickle
from nonsmooth.errors import InputError

DATA = small()


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    "dumps",
    [
        dumps_like_python_2,
        *(lambda content, p=protocol: pickle.dumps(content, p) for protocol in range(1, 6)),
        lambda content: pickle.dumps(content, 2).replace(b"numpy._core.", b"numpy.core."),
    ],
    ids=["python 2", *(f"protocol {p}" for p in range(1, 6)), "NumPy 1"],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_way_to_write_a_batch_is_read(dumps, order):
    content = batch_content(DATA, 0)
    content[b"data"] = np.array(content[b"data"], order=order)
    found = unpickle(dumps(content), "a")
    assert set(found) == {"batch_label", "labels", "data", "filenames"}
    np.testing.assert_array_equal(found["data"], content[b"data"])
    assert found["labels"] == content[b"labels"]
    assert found["filenames"] == content[b"filenames"]


def test_the_python_2_writer_of_these_tests_names_what_the_official_files_name():
    named = [
        arg
        for op, arg, _ in pickletools.genops(dumps_like_python_2(batch_content(DATA, 0)))
        if op.name == "GLOBAL"
    ]
    assert named == ["numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"]


def test_texts_as_str_are_read_too():
    content = {"data": np.zeros((2, 3072), np.uint8), "labels": [1, 2]}
    assert unpickle(pickle.dumps(content), "a")["labels"] == [1, 2]


CALLS = {
    "mkdir": lambda path: Call(os.mkdir, path),
    "call": lambda path: Call(subprocess.call, ["touch", path]),
    "eval": lambda path: Call(eval, f"__import__('os').mkdir({path!r})"),
    "memmap": lambda path: Call(np.memmap, path, "u1", "w+", 0, (8,)),
    "loads": lambda path: Call(pickle.loads, pickle.dumps(Call(os.mkdir, path))),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", CALLS)
def test_a_malicious_pickle_does_not_run(tmp_path, name, protocol):
    path = tmp_path / "made"
    content = {b"data": np.zeros((1, 3072), np.uint8), b"labels": CALLS[name](str(path))}
    data = pickle.dumps(content, protocol)
    with pytest.raises(InputError, match=rf"a: the pickle asks for \S+\.{name}, .*it was not run"):
        unpickle(data, "a")
    assert not path.exists()
    pickle.loads(data)
    assert path.exists()  # it would have


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"\x80\x04\x8c\x05numpy\x8c\x0bcore.system\x93)R.",  # a dotted name
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(tR.",
        b"ccopyreg\n_reconstructor\n(tR.",
    ],
)
def test_every_opcode_that_names_something_is_held_back(data):
    with pytest.raises(InputError, match=r"asks for .*which no CIFAR-10 file needs; it was not run"):
        unpickle(data, "a")


def test_what_is_allowed_cannot_be_changed_from_within():
    for name in (b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n"):
        for state in (b"}S'_call'\nNs", b"(N}S'_call'\nNst"):
            with pytest.raises(InputError):
                unpickle(name + state + b"b.", "a")
    content = batch_content(DATA, 0)
    np.testing.assert_array_equal(unpickle(pickle.dumps(content, 2), "a")["data"], content[b"data"])


def forged(state, dtype=b"u1"):
    """An array with a state of one's own."""
    core = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    kind = b"cnumpy\ndtype\n(S'" + dtype + b"'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    return b"(dS'data'\n" + core + state.replace(b"DTYPE", kind) + b"bs."


def test_the_forger_of_these_tests_can_make_an_honest_array():
    found = unpickle(forged(b"(I1\n(I2\ntDTYPEI00\nS'ab'\nt"), "a")
    assert found["data"].tolist() == [97, 98]


@pytest.mark.parametrize(
    ("state", "dtype"),
    [
        (b"(I1\n(I2\ntDTYPEI00\nS'12345678'\nt", b"O8"),  # bytes as addresses of objects
        (b"(I1\n(I1\ntDTYPEI00\n(I1\nlt", b"O8"),  # a list of objects
        (b"(I1\n(I9\ntDTYPEI00\nS'ab'\nt", b"u1"),  # more than there is
        (b"(I1\n(I-9\ntDTYPEI00\nS'ab'\nt", b"u1"),
        (b"(I1\n(I2\ntS'u1'\nI00\nS'ab'\nt", b"u1"),  # no dtype
        (b"(I1\n(I2\ntDTYPEI00\nI7\nt", b"u1"),
        (b"(I1\nI2\nDTYPEI00\nS'ab'\nt", b"u1"),
        (b"(I1\nt", b"u1"),
        (b"N", b"u1"),
        (b"(I1\n(I2\ntDTYPEI00\nS'ab'\nt", b"V2"),
        (b"(I1\n(I2\ntDTYPEI00\nS'ab'\nt", b"f8"),
    ],
)
def test_a_forged_array_is_refused(state, dtype):
    with pytest.raises(InputError, match="a: "):
        unpickle(forged(state, dtype), "a")


@pytest.mark.parametrize(
    "data",
    [
        b"}r\xff\xff\xff\x7f.",  # LONG_BINPUT: memory for two thousand million places
        b"}p4000000000\n.",
        b"(" * 50 + b".",
        b"(l" + b"0" * 10 + b".",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # BYTEARRAY8
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # BINBYTES8
        b"",
        b".",
        b"not a pickle",
        b"P1\n.",  # PERSID
        b"\x82\x01.",  # EXT1
        b"]q\x00h\x00a" * 3,
    ],
)
def test_damage_is_one_line(data):
    with pytest.raises(InputError, match=r"^a: (not a readable pickle|the pickle asks for)"):
        unpickle(data, "a")


@pytest.mark.parametrize("seed", range(5))
def test_random_damage_ends_in_a_dictionary_or_in_one_line(seed):
    rng = np.random.default_rng(seed)
    content = batch_content(DATA, 0) | {b"data": np.zeros((1, 8), np.uint8)}
    whole = [dumps_like_python_2(content), pickle.dumps(content, 2), pickle.dumps(content, 5)][seed % 3]
    refused = []
    for _ in range(400):
        damaged = bytearray(whole)
        for at in rng.integers(len(whole), size=3):
            damaged[at] = rng.integers(256)
        try:
            assert isinstance(unpickle(bytes(damaged), "a"), dict)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert not any("\n" in each for each in refused)
