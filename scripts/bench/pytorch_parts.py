"""Times one part of `vap bench` in PyTorch and prints the same JSON. Started by compare_pytorch.py.

Every part has the shapes, names and counts of arithmetic of its counterpart in Sources/Benchmarks; counts are taken from
the modules as they run, so that they check each other.
"""

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from typing import Callable, Optional

import torch
import torch.nn.functional as F
from torch import nn

HEADS, HEAD_SIZE, TEXT_TOKENS, TIME_SIZE = 48, 64, 226, 512
WIDTH = HEADS * HEAD_SIZE


@dataclass
class Row:
    """Something to time; arithmetic that is not in modules, or traffic, is given in units of 10^9."""

    name: str
    run: Callable[[], object]
    module: Optional[nn.Module] = None
    gigaflops: float = 0.0
    gigabytes: Optional[float] = None
    items: Optional[float] = None


# Parts


def linear(tokens, dtype):
    rows = TEXT_TOKENS + tokens
    for name, inputs, outputs in [
        ("projection", WIDTH, WIDTH), ("feed-forward in", WIDTH, 4 * WIDTH), ("feed-forward out", 4 * WIDTH, WIDTH),
    ]:
        x, weight = torch.randn(rows, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
        yield Row(f"linear {name}", lambda: F.linear(x, weight), gigaflops=2e-9 * rows * inputs * outputs)


def attention_gigaflops(tokens):
    return 4e-9 * WIDTH * (2 * (TEXT_TOKENS + tokens)) ** 2


def attention(tokens, dtype):
    q, k, v = (torch.randn(1, HEADS, 2 * (TEXT_TOKENS + tokens), HEAD_SIZE, dtype=dtype) for _ in range(3))
    yield Row("attention", lambda: F.scaled_dot_product_attention(q, k, v), gigaflops=attention_gigaflops(tokens))


class ExpertBlock(nn.Module):
    """A CogVideoX block with its Video-As-Prompt expert: diffusers' block twice, one attention over both streams."""

    def __init__(self):
        super().__init__()
        from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock

        self.branches = nn.ModuleList(
            CogVideoXBlock(WIDTH, HEADS, HEAD_SIZE, TIME_SIZE, attention_bias=True) for _ in range(2))

    def forward(self, streams, time_embedding, rotary):
        from diffusers.models.embeddings import apply_rotary_emb

        projected, gates = [], []
        for branch, (video, text) in zip(self.branches, streams):
            normed, normed_text, *gate = branch.norm1(video, text, time_embedding)
            joined, attn = torch.cat([normed_text, normed], dim=1), branch.attn1
            q, k, v = (m(joined).unflatten(2, (HEADS, -1)).transpose(1, 2) for m in (attn.to_q, attn.to_k, attn.to_v))
            q, k = attn.norm_q(q), attn.norm_k(k)
            for x in (q, k):
                x[:, :, TEXT_TOKENS:] = apply_rotary_emb(x[:, :, TEXT_TOKENS:], rotary)
            projected.append((q, k, v))
            gates.append(gate)
        attended = F.scaled_dot_product_attention(*(torch.cat(parts, dim=2) for parts in zip(*projected)))
        outputs = []
        for branch, (video, text), gate, part in zip(self.branches, streams, gates, attended.chunk(2, dim=2)):
            part = branch.attn1.to_out[0](part.transpose(1, 2).flatten(2))
            video, text = video + gate[0] * part[:, TEXT_TOKENS:], text + gate[1] * part[:, :TEXT_TOKENS]
            normed, normed_text, *gate = branch.norm2(video, text, time_embedding)
            part = branch.ff(torch.cat([normed_text, normed], dim=1))
            outputs.append((video + gate[0] * part[:, TEXT_TOKENS:], text + gate[1] * part[:, :TEXT_TOKENS]))
        return outputs


def block(tokens, dtype):
    module = ExpertBlock().to(dtype).eval()
    streams = [
        (torch.randn(1, tokens, WIDTH, dtype=dtype), torch.randn(1, TEXT_TOKENS, WIDTH, dtype=dtype)) for _ in range(2)]
    time_embedding = torch.randn(1, TIME_SIZE, dtype=dtype)
    rotary = (torch.randn(tokens, HEAD_SIZE), torch.randn(tokens, HEAD_SIZE))
    yield Row(
        "expert block", lambda: module(streams, time_embedding, rotary), module, gigaflops=attention_gigaflops(tokens))


class WanExpertBlock(nn.Module):
    """A Wan-14B block with its Video-As-Prompt expert: diffusers' block twice, one attention over both streams."""

    heads, head_size, hidden, text_tokens, image_tokens = 40, 128, 13824, 512, 257
    width = heads * head_size

    def __init__(self):
        super().__init__()
        from diffusers.models.transformers.transformer_wan import WanTransformerBlock

        self.branches = nn.ModuleList(
            WanTransformerBlock(self.width, self.hidden, self.heads, cross_attn_norm=True, added_kv_proj_dim=self.width)
            for _ in range(2))

    def rotated(self, x, rotary):
        """As published, in float64."""
        pairs = torch.view_as_complex(x.to(torch.float64).unflatten(3, (-1, 2)))
        return torch.view_as_real(pairs * rotary).flatten(3, 4).type_as(x)

    def forward(self, streams, contexts, modulation, rotary):
        projected, tables = [], []
        for branch, stream in zip(self.branches, streams):
            table = (branch.scale_shift_table + modulation.float()).chunk(6, dim=1)
            normed = (branch.norm1(stream.float()) * (1 + table[1]) + table[0]).type_as(stream)
            attn = branch.attn1
            q, k, v = attn.norm_q(attn.to_q(normed)), attn.norm_k(attn.to_k(normed)), attn.to_v(normed)
            q, k, v = (x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
            projected.append((self.rotated(q, rotary), self.rotated(k, rotary), v))
            tables.append(table)
        attended = F.scaled_dot_product_attention(*(torch.cat(parts, dim=2) for parts in zip(*projected)))
        outputs = []
        for branch, stream, context, table, part in zip(
                self.branches, streams, contexts, tables, attended.chunk(2, dim=2)):
            part = branch.attn1.to_out[0](part.transpose(1, 2).flatten(2))
            stream = (stream.float() + part * table[2]).type_as(stream)
            # The block's own processor: a caption and a picture, padding of the caption included.
            stream = stream + branch.attn2(
                hidden_states=branch.norm2(stream.float()).type_as(stream), encoder_hidden_states=context)
            normed = (branch.norm3(stream.float()) * (1 + table[4]) + table[3]).type_as(stream)
            outputs.append((stream.float() + branch.ffn(normed).float() * table[5]).type_as(stream))
        return outputs

    def attention_gigaflops(self, tokens):
        keys = self.text_tokens + self.image_tokens
        return 4e-9 * self.width * ((2 * tokens) ** 2 + 2 * tokens * keys)


def wan_block(tokens, dtype):
    module = WanExpertBlock().to(dtype).eval()
    streams = [torch.randn(1, tokens, module.width, dtype=dtype) for _ in range(2)]
    contexts = [
        torch.randn(1, module.image_tokens + module.text_tokens, module.width, dtype=dtype) for _ in range(2)]
    angles = torch.randn(tokens, module.head_size // 2, dtype=torch.float64)
    rotary, modulation = torch.polar(torch.ones_like(angles), angles), torch.randn(1, 6, module.width)
    yield Row(
        "Wan expert block", lambda: module(streams, contexts, modulation, rotary), module,
        gigaflops=module.attention_gigaflops(tokens))


def training_block(tokens, dtype):
    """Forward and backward with recomputation: a frozen base, a trained expert, gradients for the streams too."""
    from torch.utils.checkpoint import checkpoint

    module = ExpertBlock().to(dtype)
    module.branches[0].requires_grad_(False)
    streams = [
        [torch.randn(1, count, WIDTH, dtype=dtype, requires_grad=True) for count in (tokens, TEXT_TOKENS)]
        for _ in range(2)]
    slopes = [[torch.randn_like(part) for part in stream] for stream in streams]
    time_embedding = torch.randn(1, TIME_SIZE, dtype=dtype)
    rotary = (torch.randn(tokens, HEAD_SIZE), torch.randn(tokens, HEAD_SIZE))

    def run():
        for tensor in (*module.parameters(), *sum(streams, [])):
            tensor.grad = None
        outputs = checkpoint(module, streams, time_embedding, rotary, use_reentrant=False)
        torch.autograd.backward(sum(map(list, outputs), []), sum(slopes, []))

    rows = tokens + TEXT_TOKENS
    linear = 2e-9 * rows * WIDTH * 12 * WIDTH
    modulation = 4e-9 * TIME_SIZE * 6 * WIDTH
    forward = 2 * (linear + modulation) + attention_gigaflops(tokens)
    backward = 3 * linear + modulation + 2.5 * attention_gigaflops(tokens)
    yield Row("training block", run, gigaflops=2 * forward + backward)


def elementwise(dtype):
    x = torch.randn(1250, 12288, dtype=dtype)
    traffic = 2e-9 * x.numel() * 4
    yield Row("GELU-tanh", lambda: F.gelu(x, approximate="tanh"), gigabytes=traffic)
    y = x.view(12288, 1250)
    yield Row("softmax", lambda: torch.softmax(y, -1), gigabytes=traffic)
    z, weight = x.view(5000, 3072), torch.randn(3072, dtype=dtype)
    yield Row("LayerNorm", lambda: F.layer_norm(z, (3072,), weight, weight, 1e-5), gigabytes=traffic)


def convolution(dtype):
    from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXCausalConv3d

    for channels, height, width in [(256, 60, 90), (128, 120, 180)]:
        module = CogVideoXCausalConv3d(channels, channels, 3, pad_mode="first").to(dtype)
        clip = torch.randn(1, channels, 8, height, width, dtype=dtype)
        yield Row(f"convolution {channels}", lambda: module(clip), module)


def vae_decode(latent_frames, dtype):
    from diffusers import AutoencoderKLCogVideoX

    module = AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(128, 256, 256, 512), layers_per_block=3, latent_channels=16, norm_num_groups=32,
        temporal_compression_ratio=4,
    ).to(dtype).eval()
    latents = torch.randn(1, 16, latent_frames, 30, 45, dtype=dtype)
    yield Row("VAE decode", lambda: module.decode(latents).sample, module)


def wan_decode(latent_frames, dtype):
    from diffusers import AutoencoderKLWan

    module = AutoencoderKLWan().to(dtype).eval()
    height, width = 30, 45
    latents = torch.randn(1, 16, latent_frames, height, width, dtype=dtype)
    # Attention among the pixels of each frame, at the width of the lowest resolution.
    attention = 4e-9 * latent_frames * (height * width) ** 2 * module.decoder.mid_block.attentions[0].dim
    yield Row("Wan VAE decode", lambda: module.decode(latents).sample, module, gigaflops=attention)


def text_layer(dtype):
    from transformers import T5Config, T5EncoderModel

    tokens = 226
    module = T5EncoderModel(T5Config(
        vocab_size=512, d_model=4096, d_kv=64, num_heads=64, d_ff=10240, num_layers=1, feed_forward_proj="gated-gelu",
    )).to(dtype).eval()
    ids = torch.arange(tokens)[None]
    yield Row("T5-XXL layer", lambda: module(ids).last_hidden_state, module, gigaflops=4e-9 * tokens ** 2 * 4096)


def evaluation(part, side):
    from pytorch_evaluation import AMT, RAFT, clip_encoder

    height, width = side, (side * 3 // 2 + 15) // 16 * 16
    if part == "flow":
        network = RAFT().eval()
        first, second = (torch.randn(1, 3, height, width) * 40 + 120 for _ in range(2))
        known = network.features(2 * first / 255 - 1)
        yield Row("RAFT", lambda: network(first, known, second), items=1)
    elif part == "interpolation":
        network = AMT().eval()
        first, second = (torch.randn(1, 3, height, width) * 0.1 + 0.3 for _ in range(2))
        yield Row("AMT-S", lambda: network(first, second), items=1)
    else:
        for name, large in (("CLIP ViT-B/32", False), ("CLIP ViT-L/14", True)):
            encoder, frames = clip_encoder(large), torch.randn(8, 3, 224, 224)
            yield Row(name, lambda: encoder(frames).image_embeds, items=8)


def parts(options):
    dtype = getattr(torch, options.dtype)
    return {
        "linear": lambda: linear(options.tokens, dtype),
        "attention": lambda: attention(options.tokens, dtype),
        "block": lambda: block(options.tokens, dtype),
        "training-block": lambda: training_block(options.tokens, dtype),
        "elementwise": lambda: elementwise(dtype),
        "convolution": lambda: convolution(dtype),
        "vae-decode": lambda: vae_decode(options.latent_frames, dtype),
        "text-layer": lambda: text_layer(dtype),
        **{part: lambda: evaluation(options.part, options.side) for part in ("flow", "interpolation", "clip")},
        "wan-block": lambda: wan_block(options.tokens, dtype),
        "wan-decode": lambda: wan_decode(options.latent_frames, dtype),
    }[options.part]()


# Measuring


def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field + ":"))


class Counter:
    """Counts the arithmetic of linear and convolution modules while they run, in units of 10^9."""

    def __init__(self, module):
        self.gigaflops = 0.0
        self.handles = []
        for name, layer in module.named_modules() if module else []:
            # The maps of the autoencoder's norms stand apart: they are computed at different resolutions.
            if isinstance(layer, (nn.Linear, nn.Conv2d, nn.Conv3d)) and not name.endswith(("conv_y.conv", "conv_b.conv")):
                self.handles.append(layer.register_forward_hook(self.add))

    def add(self, layer, inputs, output):
        self.gigaflops += 2e-9 * output.numel() * (layer.weight.numel() // layer.weight.shape[0])

    def remove(self):
        for handle in self.handles:
            handle.remove()


def measure(row, options):
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    before = memory("VmRSS")

    def seconds():
        start = time.perf_counter()
        row.run()
        return time.perf_counter() - start

    counter = Counter(row.module)
    first = seconds()
    counter.remove()
    peak = memory("VmHWM")
    times = [] if options.warm_up else [first]
    while len(times) < options.runs:
        times.append(seconds())
    result = {
        "name": row.name, "runs": options.runs, "medianMilliseconds": 1000 * statistics.median(times),
        "minMilliseconds": 1000 * min(times), "maxMilliseconds": 1000 * max(times), "peakMebibytes": peak,
        "grownMebibytes": max(0, peak - before),
    }
    if row.items is not None:
        result["items"] = row.items
    elif row.gigabytes is None:
        result["gigaflops"] = row.gigaflops + counter.gigaflops
    else:
        result["gigabytes"] = row.gigabytes
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--tokens", type=int, default=1350)
    parser.add_argument("--latent-frames", type=int, default=5)
    parser.add_argument("--side", type=int, default=240)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-warm-up", dest="warm_up", action="store_false")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    with torch.inference_mode(not options.part.startswith("training")):
        results = [measure(row, options) for row in parts(options)]
    print(json.dumps({"torch": torch.__version__, "results": results}))


if __name__ == "__main__":
    main()
