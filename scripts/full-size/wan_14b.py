#!/usr/bin/env python3
"""Proves that a Wan 2.1 I2V 14B Video-As-Prompt checkpoint runs in little memory.

  wan_14b.py make DIR     writes a pipeline of the published sizes with random bfloat16 weights, shard by shard: 41 GB of
                          transformer, 10 GB of text encoder (--text-layers writes fewer), 2 GB of the rest
  wan_14b.py prove DIR    makes one denoising step with `vap generate`, and holds the peak of resident memory of each
                          stage against what `vap inspect` estimates

Resident memory counts anonymous memory and mapped pages of the weights (VmHWM); the system's cache of files does not
belong to the process. Needs numpy to make, and Linux to prove.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The tests' tokenizer stands in: its 512 pieces keep the embedding table small.
TINY = ROOT / "Tests" / "Fixtures" / "wan-tiny" / "checkpoint"
SHARD_BYTES = 5_000_000_000
LAYERS, EXPERTS, D, HIDDEN = 40, range(0, 40, 4), 5120, 13824
TEXT, IMAGE, FREQUENCIES, CHANNELS, LATENTS = 4096, 1280, 256, 36, 16


# Names and shapes


def linear(name, inputs, outputs, bias=True):
    yield f"{name}.weight", [outputs, inputs]
    if bias:
        yield f"{name}.bias", [outputs]


def norm(name, width, bias=True):
    yield f"{name}.weight", [width]
    if bias:
        yield f"{name}.bias", [width]


def conv(name, inputs, outputs, *taps):
    yield f"{name}.weight", [outputs, inputs, *taps]
    yield f"{name}.bias", [outputs]


def condition_embedder(name):
    yield from linear(f"{name}.time_embedder.linear_1", FREQUENCIES, D)
    yield from linear(f"{name}.time_embedder.linear_2", D, D)
    yield from linear(f"{name}.time_proj", D, 6 * D)
    yield from linear(f"{name}.text_embedder.linear_1", TEXT, D)
    yield from linear(f"{name}.text_embedder.linear_2", D, D)
    yield from norm(f"{name}.image_embedder.norm1", IMAGE)
    yield from linear(f"{name}.image_embedder.ff.net.0.proj", IMAGE, IMAGE)
    yield from linear(f"{name}.image_embedder.ff.net.2", IMAGE, D)
    yield from norm(f"{name}.image_embedder.norm2", D)


def branch(block, suffix):
    yield f"{block}.scale_shift_table{suffix}", [1, 6, D]
    for attention, extra in ((f"{block}.attn1{suffix}", ()), (f"{block}.attn2{suffix}", ("add_k_proj", "add_v_proj"))):
        for name in ("to_q", "to_k", "to_v", "to_out.0", *extra):
            yield from linear(f"{attention}.{name}", D, D)
        for name in ("norm_q", "norm_k", *(("norm_added_k",) if extra else ())):
            yield from norm(f"{attention}.{name}", D, bias=False)
    yield from norm(f"{block}.norm2{suffix}", D)
    yield from linear(f"{block}.ffn{suffix}.net.0.proj", D, HIDDEN)
    yield from linear(f"{block}.ffn{suffix}.net.2", HIDDEN, D)


def transformer():
    for suffix in ("", "_mot_ref"):
        yield from conv(f"patch_embedding{suffix}", CHANNELS, D, 1, 2, 2)
        yield from condition_embedder(f"condition_embedder{suffix}")
    for layer in range(LAYERS):
        yield from branch(f"blocks.{layer}", "")
        if layer in EXPERTS:
            yield from branch(f"blocks.{layer}", "_mot_ref")
    yield "scale_shift_table", [1, 2, D]
    yield from linear("proj_out", D, 4 * LATENTS)


def text_encoder(layers, vocabulary):
    inner, hidden = 4096, 10240
    yield "shared.weight", [vocabulary, TEXT]
    for layer in range(layers):
        block = f"encoder.block.{layer}.layer"
        for name in ("q", "k", "v", "o"):
            yield from linear(f"{block}.0.SelfAttention.{name}", TEXT, inner, bias=False)
        yield f"{block}.0.SelfAttention.relative_attention_bias.weight", [32, 64]
        yield from norm(f"{block}.0.layer_norm", TEXT, bias=False)
        yield from linear(f"{block}.1.DenseReluDense.wi_0", TEXT, hidden, bias=False)
        yield from linear(f"{block}.1.DenseReluDense.wi_1", TEXT, hidden, bias=False)
        yield from linear(f"{block}.1.DenseReluDense.wo", hidden, TEXT, bias=False)
        yield from norm(f"{block}.1.layer_norm", TEXT, bias=False)
    yield from norm("encoder.final_layer_norm", TEXT, bias=False)


def image_encoder():
    model, hidden = "vision_model", 5120
    yield f"{model}.embeddings.class_embedding", [IMAGE]
    yield f"{model}.embeddings.patch_embedding.weight", [IMAGE, 3, 14, 14]
    yield f"{model}.embeddings.position_embedding.weight", [257, IMAGE]
    yield from norm(f"{model}.pre_layrnorm", IMAGE)
    for layer in range(32):
        block = f"{model}.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{block}.self_attn.{name}", IMAGE, IMAGE)
        yield from norm(f"{block}.layer_norm1", IMAGE)
        yield from linear(f"{block}.mlp.fc1", IMAGE, hidden)
        yield from linear(f"{block}.mlp.fc2", hidden, IMAGE)
        yield from norm(f"{block}.layer_norm2", IMAGE)
    yield from norm(f"{model}.post_layernorm", IMAGE)


def autoencoder():
    widths, blocks, halves_time = [96, 192, 384, 384], 2, [False, True, True]

    def residual(name, inputs, outputs):
        for number, width in ((1, inputs), (2, outputs)):
            yield f"{name}.norm{number}.gamma", [width, 1, 1, 1]
            yield from conv(f"{name}.conv{number}", width, outputs, 3, 3, 3)
        if inputs != outputs:
            yield from conv(f"{name}.conv_shortcut", inputs, outputs, 1, 1, 1)

    def middle(name, width):
        yield from residual(f"{name}.resnets.0", width, width)
        yield f"{name}.attentions.0.norm.gamma", [width, 1, 1]
        yield from conv(f"{name}.attentions.0.to_qkv", width, 3 * width, 1, 1)
        yield from conv(f"{name}.attentions.0.proj", width, width, 1, 1)
        yield from residual(f"{name}.resnets.1", width, width)

    yield from conv("encoder.conv_in", 3, widths[0], 3, 3, 3)
    place, width = 0, widths[0]
    for level, outputs in enumerate(widths):
        for _ in range(blocks):
            yield from residual(f"encoder.down_blocks.{place}", width, outputs)
            place, width = place + 1, outputs
        if level < len(halves_time):
            yield from conv(f"encoder.down_blocks.{place}.resample.1", width, width, 3, 3)
            if halves_time[level]:
                yield from conv(f"encoder.down_blocks.{place}.time_conv", width, width, 3, 1, 1)
            place += 1
    yield from middle("encoder.mid_block", width)
    yield "encoder.norm_out.gamma", [width, 1, 1, 1]
    yield from conv("encoder.conv_out", width, 2 * LATENTS, 3, 3, 3)
    yield from conv("quant_conv", 2 * LATENTS, 2 * LATENTS, 1, 1, 1)
    yield from conv("post_quant_conv", LATENTS, LATENTS, 1, 1, 1)
    yield from conv("decoder.conv_in", LATENTS, width, 3, 3, 3)
    yield from middle("decoder.mid_block", width)
    for level, outputs in enumerate(reversed(widths)):
        inputs = width if level == 0 else width // 2
        for index in range(blocks + 1):
            yield from residual(f"decoder.up_blocks.{level}.resnets.{index}", inputs if index == 0 else outputs, outputs)
        if level < len(halves_time):
            yield from conv(f"decoder.up_blocks.{level}.upsamplers.0.resample.1", outputs, outputs // 2, 3, 3)
            if halves_time[::-1][level]:
                yield from conv(f"decoder.up_blocks.{level}.upsamplers.0.time_conv", outputs, 2 * outputs, 3, 1, 1)
        width = outputs
    yield "decoder.norm_out.gamma", [width, 1, 1, 1]
    yield from conv("decoder.conv_out", width, 3, 3, 3, 3)


# Making


class Weights:
    """Normal numbers scaled by the inverse root of the fan-in; norms near one. Tensors take parts of one pool of numbers,
    which is quick and as good as fresh ones for what is measured here."""

    def __init__(self):
        import numpy

        self.numpy = numpy
        self.pool = numpy.random.default_rng(1).standard_normal(1 << 22, dtype=numpy.float32)
        self.scaled = {}

    def rounded(self, scale, offset):
        """The pool in bfloat16, to nearest even."""
        if (scale, offset) not in self.scaled:
            bits = (self.pool * self.numpy.float32(scale) + self.numpy.float32(offset)).view(self.numpy.uint32)
            self.scaled[scale, offset] = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
        return self.scaled[scale, offset]

    def write(self, file, name, shape):
        count = 1
        for extent in shape:
            count *= extent
        is_norm = name.endswith(".gamma") or len(shape) == 1 and name.endswith("weight")
        scale = 0.05 if is_norm or len(shape) == 1 else round((shape[0] / count) ** 0.5, 6)
        pool = self.rounded(scale, 1 if is_norm else 0)
        start = zlib.crc32(name.encode()) % len(pool)
        while count > 0:
            part = pool[start:start + count]
            file.write(part.tobytes())
            start, count = 0, count - len(part)


def write_weights(weights, folder, stem, tensors):
    shards, bytes_in_shard = [[]], 0
    for name, shape in tensors:
        size = 2
        for extent in shape:
            size *= extent
        if bytes_in_shard and bytes_in_shard + size > SHARD_BYTES:
            shards.append([])
            bytes_in_shard = 0
        shards[-1].append((name, shape, size))
        bytes_in_shard += size
    names = [f"{stem}-{index + 1:05d}-of-{len(shards):05d}.safetensors" for index in range(len(shards))]
    if len(shards) == 1:
        names = [f"{stem}.safetensors"]
    for file_name, shard in zip(names, shards):
        header, end = {}, 0
        for name, shape, size in shard:
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        print(f"{folder.name}/{file_name}: {end / 1e9:.1f} GB", file=sys.stderr)
        with open(folder / file_name, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name, shape, _ in shard:
                weights.write(file, name, shape)
    if len(shards) > 1:
        index = {"metadata": {"total_size": sum(size for shard in shards for _, _, size in shard)},
                 "weight_map": {name: file for file, shard in zip(names, shards) for name, _, _ in shard}}
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index))


def make(options):
    root = options.directory
    root.mkdir(parents=True)
    for name in ("model_index.json", "scheduler", "tokenizer", "image_processor"):
        (shutil.copy if (TINY / name).is_file() else shutil.copytree)(TINY / name, root / name)

    def configure(component, **changes):
        source = json.loads((TINY / component / "config.json").read_text())
        (root / component).mkdir(exist_ok=True)
        (root / component / "config.json").write_text(json.dumps(source | changes, indent=2))
        return root / component

    processor = root / "image_processor" / "preprocessor_config.json"
    processor.write_text(json.dumps(json.loads(processor.read_text()) | {
        "size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}, indent=2))
    weights, stem = Weights(), "diffusion_pytorch_model"
    write_weights(weights, configure(
        "text_encoder", d_model=TEXT, d_kv=64, d_ff=10240, num_heads=64, num_layers=options.text_layers),
        "model", text_encoder(options.text_layers, 512))
    write_weights(weights, configure(
        "image_encoder", hidden_size=IMAGE, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16,
        image_size=224, patch_size=14), "model", image_encoder())
    write_weights(weights, configure("vae", base_dim=96, num_res_blocks=2), stem, autoencoder())
    write_weights(weights, configure(
        "transformer", num_attention_heads=40, attention_head_dim=128, num_layers=LAYERS, ffn_dim=HIDDEN, text_dim=TEXT,
        image_dim=IMAGE, freq_dim=FREQUENCIES, added_kv_proj_dim=D, block_idx_with_mot_ref=list(EXPERTS)),
        stem, transformer())


# Proving

UNITS = {"B": 1, "KiB": 2 ** 10, "MiB": 2 ** 20, "GiB": 2 ** 30}


def estimates(options, geometry):
    """Of each stage in bytes, with paged weights, as `vap inspect` prints them."""
    text = subprocess.run([options.vap, "inspect", options.directory, *geometry], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    print(text)
    rows = re.findall(r"^  (.{30}) [\d.]+ \w+ / ([\d.]+) (\w+)$", text, re.MULTILINE)
    return {name.strip(): float(value) * UNITS[unit] for name, value, unit in rows}


def prove(options):
    geometry = ["--height", str(options.height), "--width", str(options.width), "--frames", str(options.frames)]
    expected = estimates(options, geometry)
    sample = options.directory / "sample"
    subprocess.run([options.vap, "sample", sample], check=True)
    command = [
        options.vap, "generate", "--model", options.directory, "--image", sample / "image.png",
        "--ref-video", sample / "reference.mp4", "--ref-prompt", "A disc turns to gold.", "--prompt", "A square turns to gold.",
        *geometry, "--steps", "1", "--memory", options.memory, "--output", sample / "out.mkv", "--overwrite"]
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)

    def status(field):
        with open(f"/proc/{process.pid}/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))

    # The program announces each stage; the peak is counted anew from there.
    peaks, stage = {}, None
    for line in process.stderr:
        print(line, end="", file=sys.stderr)
        if stage:
            peaks[stage] = status("VmHWM")
        found = next((name for name in expected if line.startswith(name)), None)
        if found is None or found == stage:
            continue
        with open(f"/proc/{process.pid}/clear_refs", "w") as clear:
            clear.write("5")
        stage = found
    usage = process.wait()
    if usage != 0:
        sys.exit(f"error: vap generate ended with status {usage}")
    print(f"{'stage':32} {'estimate':>10} {'peak':>10} {'estimate / peak':>16}")
    for name, peak in peaks.items():
        print(f"{name:32} {expected[name] / 2 ** 30:6.2f} GiB {peak / 2 ** 30:6.2f} GiB {expected[name] / peak:16.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    maker, prover = commands.add_parser("make"), commands.add_parser("prove")
    for command in (maker, prover):
        command.add_argument("directory", type=Path)
    maker.add_argument("--text-layers", type=int, default=24, help="layers of the text encoder (published: %(default)s)")
    prover.add_argument("--vap", default=str(ROOT / ".build" / "release" / "vap"))
    prover.add_argument("--memory", default="12G", help="the budget that vap is given")
    prover.add_argument("--height", type=int, default=128)
    prover.add_argument("--width", type=int, default=224)
    prover.add_argument("--frames", type=int, default=9)
    options = parser.parse_args()
    {"make": make, "prove": prove}[options.command](options)


if __name__ == "__main__":
    main()
