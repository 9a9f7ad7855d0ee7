#!/usr/bin/env python3
"""Makes the tiny models that the tests load as exported ones: folders as Hugging Face Optimum writes them.

    python3 -m venv venv
    venv/bin/pip install numpy==2.4.6 onnx==1.23.2 tokenizers==0.23.3
    venv/bin/python make_test_models.py --out ../src/test/resources/models

The weights are random, from a fixed seed. The graphs have the inputs, outputs, types and open dimensions
of Optimum's exports for text generation with past, and compute with plain operators as those do:

    gpt2         fp32, as many K/V heads as heads, learned positions from position_ids, no token begins a prompt
    llama        fp32, grouped-query attention, rotary positions that the graph makes from attention_mask
    llama-fp16   fp16 weights in model.onnx_data, K/V and logits, grouped-query attention, position_ids
"""

import argparse
import json
import pathlib
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SEED = 7
HIDDEN, HEADS, HEAD_DIM, LAYERS, CONTEXT = 32, 4, 8, 2, 512
SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEXT = ["the file returns a list of names when called with an object and str is not None raise an error"]


class Graph:
    """The nodes and weights of a graph while it is written down."""

    def __init__(self, half):
        self.type = np.float16 if half else np.float32
        self.onnx_type = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self.random = np.random.default_rng(SEED)
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def node(self, op, *inputs, **attributes):
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, array, name=None):
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def longs(self, *values):
        return self.constant(np.array(values, np.int64))

    def scalar(self, value):
        return self.constant(np.array(value, self.type))

    def weight(self, name, *shape):
        scale = 1 / np.sqrt(shape[0]) if len(shape) > 1 else 1
        return self.constant((self.random.standard_normal(shape) * scale).astype(self.type), name)

    def tensor(self, list_, name, type_, *shape):
        list_.append(helper.make_tensor_value_info(name, type_, list(shape)))
        return name


def make(folder, family, half, kv_heads, takes_positions, vocab, external):
    g = Graph(half)
    total = "past_sequence_length + sequence_length"
    ids = g.tensor(g.inputs, "input_ids", TensorProto.INT64, "batch_size", "sequence_length")
    mask = g.tensor(g.inputs, "attention_mask", TensorProto.INT64, "batch_size", total)
    if takes_positions:
        positions = g.tensor(g.inputs, "position_ids", TensorProto.INT64, "batch_size", "sequence_length")
    g.tensor(g.outputs, "logits", g.onnx_type, "batch_size", "sequence_length", vocab)

    length = g.node("Gather", g.node("Shape", ids), g.longs(1), axis=0)
    all_ = g.node("Gather", g.node("Shape", mask), g.longs(1), axis=0)
    before = g.node("Sub", all_, length)
    zero, one = g.constant(np.array(0, np.int64)), g.constant(np.array(1, np.int64))
    scalar = g.longs()
    keys = g.node("Range", zero, g.node("Reshape", all_, scalar), one)
    queries = g.node("Range", g.node("Reshape", before, scalar), g.node("Reshape", all_, scalar), one)
    causal = g.node("LessOrEqual", g.node("Unsqueeze", keys, g.longs(0)), g.node("Unsqueeze", queries, g.longs(1)))
    seen = g.node("Cast", g.node("Unsqueeze", mask, g.longs(1, 2)), to=TensorProto.BOOL)
    bias = g.node("Where", g.node("And", causal, seen), g.scalar(0), g.scalar(-60000))
    if not takes_positions:
        counted = g.node("Sub", g.node("CumSum", mask, one), one)
        positions = g.node("Slice", counted, before, all_, g.longs(1))

    h = g.node("Gather", g.weight("embed", vocab, HIDDEN), ids)
    if family == "gpt2":
        h = g.node("Add", h, g.node("Gather", g.weight("positions", CONTEXT, HIDDEN), positions))
    else:
        angles = np.arange(CONTEXT)[:, None] / 10000 ** (np.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angles = np.concatenate([angles, angles], 1)
        cos, sin = (g.node("Unsqueeze", g.node("Gather", g.constant(f(angles).astype(g.type)), positions), g.longs(1))
                    for f in (np.cos, np.sin))

    def rotate(x):
        if family == "gpt2":
            return x
        left = g.node("Slice", x, g.longs(0), g.longs(HEAD_DIM // 2), g.longs(3))
        right = g.node("Slice", x, g.longs(HEAD_DIM // 2), g.longs(HEAD_DIM), g.longs(3))
        turned = g.node("Concat", g.node("Neg", right), left, axis=3)
        return g.node("Add", g.node("Mul", x, cos), g.node("Mul", turned, sin))

    def norm(x, name):
        scale = g.constant(np.ones(HIDDEN, g.type), name)
        mean = g.node("ReduceMean", g.node("Mul", x, x), axes=[-1])
        return g.node("Mul", g.node("Div", x, g.node("Sqrt", g.node("Add", mean, g.scalar(1e-4)))), scale)

    def heads(x, weight, n):
        x = g.node("MatMul", x, g.weight(weight, HIDDEN, n * HEAD_DIM))
        return g.node("Transpose", g.node("Reshape", x, g.longs(0, 0, n, HEAD_DIM)), perm=[0, 2, 1, 3])

    def repeated(x):
        if kv_heads == HEADS:
            return x
        group = HEADS // kv_heads
        wide = g.node("Concat", *[g.node("Unsqueeze", x, g.longs(2))] * group, axis=2)
        shape = g.node("Concat", g.longs(0, HEADS), all_, g.longs(HEAD_DIM), axis=0)
        return g.node("Reshape", wide, shape)

    for layer in range(LAYERS):
        x = norm(h, f"{layer}.norm1")
        q = rotate(heads(x, f"{layer}.q", HEADS))
        parts = {"key": rotate(heads(x, f"{layer}.k", kv_heads)), "value": heads(x, f"{layer}.v", kv_heads)}
        for part, new in parts.items():
            past = g.tensor(g.inputs, f"past_key_values.{layer}.{part}", g.onnx_type, "batch_size", kv_heads,
                            "past_sequence_length", HEAD_DIM)
            present = g.tensor(g.outputs, f"present.{layer}.{part}", g.onnx_type, "batch_size", kv_heads, total,
                               HEAD_DIM)
            g.nodes.append(helper.make_node("Concat", [past, new], [present], name=present, axis=2))
            parts[part] = present
        scores = g.node("MatMul", q, g.node("Transpose", repeated(parts["key"]), perm=[0, 1, 3, 2]))
        scores = g.node("Add", g.node("Mul", scores, g.scalar(HEAD_DIM ** -0.5)), bias)
        a = g.node("MatMul", g.node("Softmax", scores, axis=-1), repeated(parts["value"]))
        a = g.node("Reshape", g.node("Transpose", a, perm=[0, 2, 1, 3]), g.longs(0, 0, HEADS * HEAD_DIM))
        h = g.node("Add", h, g.node("MatMul", a, g.weight(f"{layer}.o", HEADS * HEAD_DIM, HIDDEN)))
        x = g.node("MatMul", norm(h, f"{layer}.norm2"), g.weight(f"{layer}.up", HIDDEN, 2 * HIDDEN))
        x = g.node("MatMul", g.node("Tanh", x), g.weight(f"{layer}.down", 2 * HIDDEN, HIDDEN))
        h = g.node("Add", h, x)
    h = norm(h, "norm")
    g.nodes.append(helper.make_node("MatMul", [h, g.weight("unembed", HIDDEN, vocab)], ["logits"], name="logits"))

    model = helper.make_model(helper.make_graph(g.nodes, "main_graph", g.inputs, g.outputs, g.initializers),
                              opset_imports=[helper.make_opsetid("", 14)], producer_name="make_test_models.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / "model.onnx", save_as_external_data=external, location="model.onnx_data",
              size_threshold=256)


def tokenizer(folder, begins):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(
        vocab_size=288, show_progress=False, special_tokens=[AddedToken(s, special=True) for s in SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    if begins:
        t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    t.save(str(folder / "tokenizer.json"), pretty=False)
    return t.get_vocab_size()


def write(folder, name, value):
    (folder / name).write_text(json.dumps(value, indent=2) + "\n")


def main():
    arguments = argparse.ArgumentParser(description="makes the tests' exported models")
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    out = arguments.parse_args().out
    for name, family, half, kv_heads, takes_positions in (("gpt2", "gpt2", False, HEADS, True),
                                                          ("llama", "llama", False, 2, False),
                                                          ("llama-fp16", "llama", True, 1, True)):
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        vocab = tokenizer(folder, family == "llama")
        make(folder, family, half, kv_heads, takes_positions, vocab, half)
        if family == "gpt2":
            write(folder, "config.json", {"model_type": "gpt2", "n_layer": LAYERS, "n_head": HEADS, "n_embd": HIDDEN,
                                          "n_positions": CONTEXT, "vocab_size": vocab, "eos_token_id": 1})
            write(folder, "tokenizer_config.json", {"bos_token": "</s>", "eos_token": "</s>"})
        else:
            write(folder, "config.json", {
                "_name_or_path": f"tests/{name}", "model_type": "llama", "num_hidden_layers": LAYERS,
                "num_attention_heads": HEADS, "num_key_value_heads": kv_heads, "hidden_size": HIDDEN,
                "max_position_embeddings": CONTEXT, "vocab_size": vocab, "bos_token_id": 0, "eos_token_id": 1})
            write(folder, "generation_config.json", {"bos_token_id": 0, "eos_token_id": [1, 3]})
            write(folder, "tokenizer_config.json", {
                "bos_token": {"__type": "AddedToken", "content": "<s>"}, "eos_token": "</s>",
                "chat_template": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n'"
                                 " + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
                                 "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"})


if __name__ == "__main__":
    main()
