#!/usr/bin/env python3
"""Makes the sample application's model, in the files that Hugging Face Optimum would write.

    python3 -m venv venv
    venv/bin/pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.29.0 tokenizers==0.23.3 jax==0.10.2
    venv/bin/python make_model.py --out DIRECTORY

What it makes: a llama-style decoder (RMSNorm, rotary positions, grouped-query attention, SwiGLU,
tied embeddings) of about two million parameters with a byte-level BPE tokenizer, both trained by
this script and by nothing else.

What it is trained on: corpus.py, which is stories and conversations made by a seeded grammar, and
sentences of the documentation that every CPython carries under the PSF licence. Two million
parameters and less than half an hour on two cores give a model that speaks whole sentences about a
small world and says so when a question lies outside of it. They do not give a model to rely on.

What is reproducible: the seed, the data's order and the number of steps are fixed, and nothing
depends on the clock. The tokenizer depends on the corpus only, so on CPython 3.11.7 (another Python
has other docstrings; corpusSha256 in config.json tells). The weights also depend on the package
versions above, the kind of CPU and the number of cores (the shipped ones: two, with AVX-512), for
these change the order of floating-point sums in the training run; with other weights the revision,
which is model.onnx's digest, is another. --steps 0 gives untrained weights, which do not depend on
the CPU.

The weights are stored as fp16 and cast to fp32 when a session is made; the graph computes in fp32.
"""

import argparse
import ctypes
import hashlib
import json
import os
import pathlib
import random
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np

import corpus

SEED = 20250923
MODEL_ID = "kvbm-sample-decoder"
LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN = 4, 192, 6, 2, 32, 512
VOCAB, CONTEXT, ROPE_THETA, EPS = 2048, 4096, 10000.0, 1e-5
SPECIALS = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
BEGIN, END, SYSTEM, USER, ASSISTANT = range(5)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}<|system|>{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}<|user|>{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% else %}{{ raise_exception('The roles are system, user and assistant, and not ' + message['role']) }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}")
DOCUMENTS = 25_000  # about as many tokens as the training sees: hardly anything is seen twice
# The phases of training: steps, sequences a step, tokens a sequence.
PHASES = [(1650, 16, 128), (430, 4, 512), (50, 2, 1024)]
OPSET = 23

# ---------------------------------------------------------------------------------------- corpus


def documents():
    """Every document as a list of pieces: a special token's id or a text."""
    roles = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
    documents = []
    for turns in corpus.conversations(random.Random(SEED), DOCUMENTS):
        document = [BEGIN]
        for role, text in turns:
            document += [text] if role is None else [roles[role], text]
            if role in (None, "assistant"):
                document.append(END)
        documents.append(document)
    return documents


# ------------------------------------------------------------------------------------- tokenizer


def train_tokenizer(documents):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, min_frequency=2, show_progress=False,
        special_tokens=[AddedToken(s, special=True, normalized=False) for s in SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(
        (piece for d in documents for piece in d if isinstance(piece, str)), trainer)
    assert tokenizer.get_vocab_size() == VOCAB, tokenizer.get_vocab_size()
    assert [tokenizer.token_to_id(s) for s in SPECIALS] == list(range(len(SPECIALS)))
    return tokenizer


def encode(tokenizer, documents):
    ids = []
    for document in documents:
        for piece in document:
            if isinstance(piece, int):
                ids.append(piece)
            else:
                ids.extend(tokenizer.encode(piece, add_special_tokens=False).ids)
    return np.array(ids, dtype=np.int32)


# -------------------------------------------------------------------------------------- training


def initial_weights():
    rng = np.random.default_rng(SEED)

    def matrix(rows, columns, gain=1.0):
        return (rng.standard_normal((rows, columns)) * gain / np.sqrt(rows)).astype(np.float32)

    weights = {"embed": (rng.standard_normal((VOCAB, HIDDEN)) * 0.05).astype(np.float32),
               "norm": np.ones(HIDDEN, np.float32)}
    for i in range(LAYERS):
        weights[f"{i}.norm1"] = np.ones(HIDDEN, np.float32)
        weights[f"{i}.q"] = matrix(HIDDEN, HEADS * HEAD_DIM)
        weights[f"{i}.k"] = matrix(HIDDEN, KV_HEADS * HEAD_DIM)
        weights[f"{i}.v"] = matrix(HIDDEN, KV_HEADS * HEAD_DIM)
        weights[f"{i}.o"] = matrix(HEADS * HEAD_DIM, HIDDEN, 0.35)
        weights[f"{i}.norm2"] = np.ones(HIDDEN, np.float32)
        weights[f"{i}.gate"] = matrix(HIDDEN, FFN)
        weights[f"{i}.up"] = matrix(HIDDEN, FFN)
        weights[f"{i}.down"] = matrix(FFN, HIDDEN, 0.35)
    return weights


def rope_tables(length):
    inverse = ROPE_THETA ** (-np.arange(0, HEAD_DIM, 2, dtype=np.float64) / HEAD_DIM)
    angle = np.arange(length, dtype=np.float64)[:, None] * inverse
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def forward(w, tokens, positions=None):
    """Logits of every position; the reference that the exported graph is checked against."""
    import jax
    import jax.numpy as jnp
    b, s = tokens.shape
    positions = jnp.arange(s)[None] if positions is None else positions
    cos, sin = (jnp.asarray(t)[positions][:, :, None, :] for t in rope_tables(CONTEXT))

    def norm(x, scale):
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPS) * scale

    def rope(x):
        x1, x2 = jnp.split(x, 2, -1)
        return jnp.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], -1)

    mask = jnp.tril(jnp.ones((s, s), bool))
    h = w["embed"][tokens]
    for i in range(LAYERS):
        x = norm(h, w[f"{i}.norm1"])
        q = rope((x @ w[f"{i}.q"]).reshape(b, s, HEADS, HEAD_DIM))
        k = rope((x @ w[f"{i}.k"]).reshape(b, s, KV_HEADS, HEAD_DIM))
        v = (x @ w[f"{i}.v"]).reshape(b, s, KV_HEADS, HEAD_DIM)
        q = q.reshape(b, s, KV_HEADS, HEADS // KV_HEADS, HEAD_DIM)
        scores = jnp.einsum("bsgrd,btgd->bgrst", q, k) / np.float32(np.sqrt(HEAD_DIM))
        p = jax.nn.softmax(jnp.where(mask, scores, -1e30), -1)
        a = jnp.einsum("bgrst,btgd->bsgrd", p, v).reshape(b, s, HEADS * HEAD_DIM)
        h = h + a @ w[f"{i}.o"]
        x = norm(h, w[f"{i}.norm2"])
        h = h + (jax.nn.silu(x @ w[f"{i}.gate"]) * (x @ w[f"{i}.up"])) @ w[f"{i}.down"]
    return norm(h, w["norm"]) @ w["embed"].T


def train(weights, ids, phases):
    """Muon for the layers' matrices, Adam for the embedding and the norms."""
    import jax
    import jax.numpy as jnp

    def loss_of(w, batch, positions):
        logp = jax.nn.log_softmax(forward(w, batch[:, :-1], positions))
        return -jnp.take_along_axis(logp, batch[:, 1:, None], -1).mean()

    def orthogonal(g):
        x = g / (jnp.linalg.norm(g) + 1e-7)
        flip = x.shape[0] > x.shape[1]
        x = x.T if flip else x
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        x = x.T if flip else x
        return x * np.float32(np.sqrt(max(1.0, g.shape[1] / g.shape[0])))

    @jax.jit
    def step(w, m, v, batch, positions, t, rate):
        loss, g = jax.value_and_grad(loss_of)(w, batch, positions)
        nw, nm, nv = {}, {}, {}
        for k in w:
            if w[k].ndim == 2 and k != "embed":
                nm[k] = 0.95 * m[k] + g[k]
                nv[k] = v[k]
                nw[k] = w[k] * (1 - rate * 0.002) - rate * 0.02 * orthogonal(g[k] + 0.95 * nm[k])
            else:
                nm[k] = 0.9 * m[k] + 0.1 * g[k]
                nv[k] = 0.98 * v[k] + 0.02 * g[k] * g[k]
                mh, vh = nm[k] / (1 - 0.9 ** t), nv[k] / (1 - 0.98 ** t)
                nw[k] = w[k] - rate * 0.004 * mh / (jnp.sqrt(vh) + 1e-8)
        return nw, nm, nv, loss

    libc = ctypes.CDLL(None)  # arrays mapped anew in each step cost a third of the time
    libc.mallopt(-4, 0)  # M_MMAP_MAX
    libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    rng = np.random.default_rng(SEED + 1)
    w = {k: jnp.asarray(x) for k, x in weights.items()}
    m = {k: jnp.zeros_like(x) for k, x in w.items()}
    v = {k: jnp.zeros((1,)) if x.ndim == 2 and k != "embed" else jnp.zeros_like(x)
         for k, x in w.items()}
    total, done, start, mean = sum(p[0] for p in phases), 0, time.time(), None
    for steps, rows, length in phases:
        for _ in range(steps):
            done += 1
            rate = min(1.0, done / 30) * min(1.0, max(0.02, (total - done) / (0.5 * total)))
            at = rng.integers(0, len(ids) - length - 1, rows)
            batch = np.stack([ids[a:a + length + 1] for a in at])
            positions = np.tile(np.arange(length), (rows, 1))
            # every other sequence of the later phases skips positions somewhere: so the whole
            # context's distances are seen although the sequences are short
            for row in range(0, rows if length > 128 else 0, 2):
                positions[row, rng.integers(1, length):] += rng.integers(0, CONTEXT - length)
            w, m, v, loss = step(w, m, v, batch, positions, np.float32(done), np.float32(rate))
            mean = float(loss) if mean is None else 0.95 * mean + 0.05 * float(loss)
            if done % 25 == 0 or done == total:
                print(f"step {done}/{total} loss {mean:.3f} {time.time() - start:.0f} s", flush=True)
    return {k: np.asarray(x) for k, x in w.items()}


# ---------------------------------------------------------------------------------------- export


def export(weights, path):
    import onnx
    from onnx import TensorProto as T, helper, numpy_helper

    nodes, initializers = [], []

    def node(op, inputs, outputs, **attributes):
        nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], **attributes))
        return outputs[0]

    def constant(name, array):
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(name):
        constant(name + ".f16", weights[name].astype(np.float16))
        return node("Cast", [name + ".f16"], [name], to=T.FLOAT)

    cos, sin = (constant(n, t) for n, t in zip(("rope.cos", "rope.sin"), rope_tables(CONTEXT)))
    constant("last", np.array([-1], np.int64))
    h = node("Gather", [weight("embed"), "input_ids"], ["hidden"], axis=0)
    inputs = [helper.make_tensor_value_info("input_ids", T.INT64, [1, "S"]),
              helper.make_tensor_value_info("position_ids", T.INT64, [1, "S"])]
    outputs = [helper.make_tensor_value_info("logits", T.FLOAT, [1, 1, VOCAB])]
    for i in range(LAYERS):
        p = f"{i}."
        x = node("RMSNormalization", [h, weight(p + "norm1")], [p + "x1"], axis=-1, epsilon=EPS)
        q, k, v = (node("MatMul", [x, weight(p + n)], [p + n + ".out"]) for n in "qkv")
        q = node("RotaryEmbedding", [q, cos, sin, "position_ids"], [p + "q.rot"], num_heads=HEADS)
        k = node("RotaryEmbedding", [k, cos, sin, "position_ids"], [p + "k.rot"], num_heads=KV_HEADS)
        pk, pv = f"past_key_values.{i}.key", f"past_key_values.{i}.value"
        nk, nv = f"present.{i}.key", f"present.{i}.value"
        nodes.append(helper.make_node(
            "Attention", [q, k, v, "", pk, pv], [p + "attention", nk, nv], name=p + "attention",
            is_causal=1, q_num_heads=HEADS, kv_num_heads=KV_HEADS,
            scale=float(1 / np.sqrt(HEAD_DIM))))
        a = node("MatMul", [p + "attention", weight(p + "o")], [p + "o.out"])
        h = node("Add", [h, a], [p + "h1"])
        x = node("RMSNormalization", [h, weight(p + "norm2")], [p + "x2"], axis=-1, epsilon=EPS)
        g = node("MatMul", [x, weight(p + "gate")], [p + "gate.out"])
        g = node("Mul", [g, node("Sigmoid", [g], [p + "gate.sig"])], [p + "gate.act"])
        u = node("MatMul", [x, weight(p + "up")], [p + "up.out"])
        d = node("MatMul", [node("Mul", [g, u], [p + "ffn"]), weight(p + "down")], [p + "down.out"])
        h = node("Add", [h, d], [p + "h2"])
        past, present = ([1, KV_HEADS, n, HEAD_DIM] for n in ("P", "T"))
        for name in (pk, pv):
            inputs.append(helper.make_tensor_value_info(name, T.FLOAT, past))
        for name in (nk, nv):
            outputs.append(helper.make_tensor_value_info(name, T.FLOAT, present))
    h = node("Gather", [h, "last"], ["hidden.last"], axis=1)
    h = node("RMSNormalization", [h, weight("norm")], ["hidden.norm"], axis=-1, epsilon=EPS)
    node("MatMul", [h, node("Transpose", ["embed"], ["unembed"], perm=[1, 0])], ["logits"])
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                              producer_name="make_model.py")
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def check(weights, path, ids, tokenizer):
    """The exported graph against the reference, in chunks of 16 with the past handed on."""
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rounded = {k: x.astype(np.float16).astype(np.float32) for k, x in weights.items()}
    names = [o.name for o in session.get_outputs()]

    def run(tokens, past, at):
        feed = {"input_ids": np.array([tokens], np.int64),
                "position_ids": np.arange(at, at + len(tokens), dtype=np.int64)[None]}
        feed.update(past)
        out = dict(zip(names, session.run(None, feed)))
        return out["logits"][0, 0], {n.replace("present", "past_key_values"): x
                                     for n, x in out.items() if n != "logits"}

    def empty():
        return {f"past_key_values.{i}.{n}": np.zeros((1, KV_HEADS, 0, HEAD_DIM), np.float32)
                for i in range(LAYERS) for n in ("key", "value")}

    tokens = [int(t) for t in ids[1000:1000 + 100]]
    expected = np.asarray(forward(rounded, np.array([tokens], np.int32)))[0]
    past, worst = empty(), 0.0
    for at in range(0, len(tokens), 16):
        chunk = tokens[at:at + 16]
        logits, past = run(chunk, past, at)
        worst = max(worst, float(np.abs(logits - expected[at + len(chunk) - 1]).max()))
    print("largest difference from the reference:", worst)
    assert worst < 2e-3, worst
    for question in ("Tell me a story about a fox.", "What is a cache?", "What does os.path.join do?",
                     "Who built the bridge?"):
        tokens = [BEGIN, USER] + tokenizer.encode(question).ids + [ASSISTANT]
        logits, past = run(tokens, empty(), 0)
        answer = []
        while len(answer) < 200 and (token := int(logits.argmax())) != END:
            answer.append(token)
            logits, past = run([token], past, len(tokens) + len(answer) - 1)
        print(">", question, "\n" + tokenizer.decode(answer), "\n")


def main():
    arguments = argparse.ArgumentParser(description="makes the sample application's model")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    arguments.add_argument("--steps", type=int, help="train at most so many steps; 0: untrained")
    arguments = arguments.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    docs = documents()
    digest = hashlib.sha256(json.dumps(docs).encode()).hexdigest()
    tokenizer = train_tokenizer(docs)
    tokenizer.save(str(arguments.out / "tokenizer.json"))
    ids = encode(tokenizer, docs)
    print(f"{sum(len(p) for d in docs for p in d if isinstance(p, str))} characters, "
          f"{len(ids)} tokens, {len(docs)} documents, corpus {digest[:12]}", flush=True)

    phases, left = [], sum(p[0] for p in PHASES) if arguments.steps is None else arguments.steps
    for steps, rows, length in PHASES:
        phases.append((min(steps, left), rows, length))
        left -= phases[-1][0]
    weights = train(initial_weights(), ids, phases)
    print("parameters:", sum(x.size for x in weights.values()))
    export(weights, arguments.out / "model.onnx")
    check(weights, arguments.out / "model.onnx", ids, tokenizer)

    config = {
        "_name_or_path": MODEL_ID, "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "num_hidden_layers": LAYERS, "hidden_size": HIDDEN, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "intermediate_size": FFN, "hidden_act": "silu",
        "rms_norm_eps": EPS, "max_position_embeddings": CONTEXT, "vocab_size": VOCAB, "rope_theta": ROPE_THETA,
        "tie_word_embeddings": True, "bos_token_id": BEGIN, "eos_token_id": END,
        "trainingSteps": sum(p[0] for p in phases), "corpusSha256": digest,
        "corpusPython": sys.version.split()[0],
    }
    # an answer also ends where it would begin somebody else's turn
    generation = {"bos_token_id": BEGIN, "eos_token_id": [END, BEGIN, SYSTEM, USER, ASSISTANT]}
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True, "bos_token": SPECIALS[BEGIN],
        "eos_token": SPECIALS[END], "clean_up_tokenization_spaces": False, "model_max_length": CONTEXT,
        "chat_template": CHAT_TEMPLATE,
    }
    for name, value in (("config.json", config), ("generation_config.json", generation),
                        ("tokenizer_config.json", tokenizer_config)):
        (arguments.out / name).write_text(json.dumps(value, indent=2) + "\n")
    for file in sorted(arguments.out.glob("*.json")) + [arguments.out / "model.onnx"]:
        print(file.name, file.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
