#!/usr/bin/env python3
"""Compares `vap bench` with PyTorch on this machine: one table of times, ratios, targets and peak memory.

Makes a virtual environment with PyTorch and diffusers in scripts/bench/.venv and builds `vap` if they are not there yet.
Each part then runs in turns, PyTorch float32, vap, PyTorch bfloat16, PyTorch float32, ..., every time in a process of its
own; a figure is the median over the rounds. Runs on Linux; takes about half an hour, and with --published an hour more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ["torch==2.15.0", "diffusers==0.34.0", "transformers==4.57.3"]
PUBLISHED_TOKENS = 17550


@dataclass
class Part:
    """What is run with one name: `bench` is vap's and the PyTorch side's argument."""

    name: str
    bench: str
    runs: int
    pytorch: tuple = ("float32", "bfloat16")
    tokens: int = 1350
    warm_up: bool = True
    least_rounds: int = 5


PARTS = [
    Part("linear", "linear", runs=3),
    Part("attention", "attention", runs=3),
    Part("block", "block", runs=2),
    Part("training-block", "training-block", runs=1),
    Part("elementwise", "elementwise", runs=7),
    Part("convolution", "convolution", runs=3),
    # Minutes a run: in the type that the published pipeline decodes in.
    Part("vae-decode", "vae-decode", runs=1, pytorch=("float32",), warm_up=False),
    Part("text-layer", "text-layer", runs=3),
    # The benchmark's metrics are computed in float32 on both sides.
    Part("flow", "flow", runs=1, pytorch=("float32",)),
    Part("interpolation", "interpolation", runs=2, pytorch=("float32",)),
    Part("clip", "clip", runs=2, pytorch=("float32",)),
    Part("wan-block", "wan-block", runs=2),
    Part("wan-decode", "wan-decode", runs=1, warm_up=False),
]
# Minutes each: few rounds, no run that does not count, and the PyTorch side in the type it would be used in.
PUBLISHED = Part(
    "block, published", "block", runs=1, pytorch=("bfloat16",), tokens=PUBLISHED_TOKENS, warm_up=False, least_rounds=3)

# PyTorch's time over vap's: required and goal, each for Zen 4 and Zen 5. Against float32 but for the published geometry.
TARGETS = {
    "linear": ((1.1, 1.9), (1.2, 2.2)),
    "attention": ((1.0, 1.8), (1.1, 2.3)),
    "GELU-tanh": ((3.0, 3.0), (4.5, 4.5)),
    "softmax": ((1.2, 1.2), (1.3, 1.3)),
    "LayerNorm": ((1.1, 1.1), (1.2, 1.2)),
    "convolution": ((0.9, 0.9), (1.1, 1.1)),
    "VAE decode": ((0.9, 0.9), (1.1, 1.1)),
    "expert block": ((1.1, 1.8), (1.2, 2.2)),
    "training block": ((1.05, 1.6), (1.2, 2.0)),
    "T5-XXL layer": ((1.1, 1.8), (1.2, 2.2)),
    "RAFT": ((0.9, 0.9), (1.1, 1.1)),
    "AMT-S": ((0.9, 0.9), (1.1, 1.1)),
    "CLIP": ((0.9, 0.9), (1.1, 1.1)),
    "Wan expert block": ((1.1, 1.8), (1.2, 2.2)),
    "Wan VAE decode": ((0.9, 0.9), (1.1, 1.1)),
    "expert block, published": ((None, 1.4), (1.0, 1.7)),
}
# A block's rate as a share of its matrix products' rate.
REQUIRED_SHARE = 0.8


@dataclass
class Row:
    """One row of the table: samples of each side, by side."""

    name: str
    detail: str = ""
    work: dict = field(default_factory=dict)
    milliseconds: dict = field(default_factory=dict)
    peak: dict = field(default_factory=dict)
    grown: dict = field(default_factory=dict)

    def add(self, side, result):
        work = {key: result[key] for key in ("gigaflops", "gigabytes", "items") if result.get(key) is not None}
        known = self.work or work
        self.work = known
        if work.keys() != known.keys() or any(abs(work[key] / known[key] - 1) > 1e-6 for key in work):
            sys.exit(f"error: '{self.name}' does not do the same work on both sides: {known} and, in {side}, {work}")
        self.detail = result.get("detail", self.detail)
        self.milliseconds.setdefault(side, []).append(result["medianMilliseconds"])
        for kind, key in ((self.peak, "peakMebibytes"), (self.grown, "grownMebibytes")):
            kind[side] = max(kind.get(side, 0), result.get(key) or 0)

    def median(self, side):
        return statistics.median(self.milliseconds[side]) if side in self.milliseconds else None

    def ratio(self, side):
        return self.median(side) / self.median("vap") if side in self.milliseconds else None


# Both sides


def environment():
    """Both sides choose their kernels for the processor themselves."""
    return {key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def python_with_torch(given):
    if given:
        return given
    python = HERE / ".venv" / "bin" / "python"
    ready = python.exists() and subprocess.run([python, "-c", "import torch, diffusers, transformers"]).returncode == 0
    if not ready:
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return str(python)


def built_vap(given):
    if given:
        return given
    subprocess.run(["swift", "build", "-c", "release", "--product", "vap"], cwd=ROOT, check=True, stdout=sys.stderr)
    return str(ROOT / ".build" / "release" / "vap")


def run(command):
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"error: status {done.returncode} of {' '.join(map(str, command))}")
    return json.loads(done.stdout)


class Sides:
    def __init__(self, options):
        self.options = options
        self.python = python_with_torch(options.python)
        self.vap = built_vap(options.vap)
        self.machine = None
        self.torch = None

    def run(self, side, part):
        options = self.options
        arguments = ["--runs", str(part.runs), "--threads", str(options.threads), "--tokens", str(part.tokens),
                     "--latent-frames", str(options.latent_frames), "--side", str(options.side)]
        if not part.warm_up:
            arguments.append("--no-warm-up")
        if side == "vap":
            report = run([self.vap, "bench", part.bench, "--json", "--no-products", "--dtype", options.dtype, *arguments])
            self.machine = report["machine"]
        else:
            report = run([self.python, HERE / "pytorch_parts.py", part.bench, "--dtype", side, *arguments])
            self.torch = report["torch"]
        return report["results"]

    def share_of_products(self):
        """The block's rate as a share of its matrix products' rate, in one run of vap."""
        options = self.options
        report = run([self.vap, "bench", "block", "--json", "--runs", "3", "--threads", str(options.threads),
                      "--dtype", options.dtype, "--tokens", str(options.tokens)])
        return report["results"][0]["shareOfProducts"]


def compare(part, sides, rounds):
    first, *others = part.pytorch
    rows = {}
    for number in range(rounds):
        for side in (first, "vap", *others):
            print(f"{part.name}: round {number + 1} of {rounds}, {side}", file=sys.stderr)
            for result in sides.run(side, part):
                name = result["name"] + part.name[len(part.bench):]
                rows.setdefault(name, Row(name)).add(side, result)
    return list(rows.values())


# Report


def machine_class():
    """Which column of the targets applies, 0 or 1, and its name; by the instruction sets that tell the two apart."""
    with open("/proc/cpuinfo") as cpuinfo:
        flags = next((set(line.split()) for line in cpuinfo if line.startswith("flags")), set())
    if {"avx512_vp2intersect", "avx_vnni"} <= flags:
        return 1, "Zen 5 class"
    return 0, "Zen 4 class" if "avx512_bf16" in flags else "unknown class, held to the targets of Zen 4"


def targets(name, column):
    known = next((TARGETS[key] for key in sorted(TARGETS, key=len, reverse=True) if name.startswith(key)), None)
    return (None, None) if known is None else (known[0][column], known[1][column])


def cell(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def table(rows, column):
    lines = [("", "PyTorch f32", "PyTorch bf16", "vap", "f32 ratio", "bf16 ratio", "required", "goal", "peak MiB (in the run): PyTorch f32", "bf16", "vap")]
    for row in rows:
        required, goal = targets(row.name, column)
        ratio = row.ratio("float32") or row.ratio("bfloat16")
        verdict = "" if required is None else " ok" if ratio >= required else " MISSED"
        times = [cell(row.median(side), "{:.1f} ms") for side in ("float32", "bfloat16", "vap")]
        memory = [
            f"{row.peak[side]:.0f} ({row.grown[side]:.0f})" if side in row.peak else "-"
            for side in ("float32", "bfloat16", "vap")]
        lines.append((
            row.name, *times, cell(row.ratio("float32")), cell(row.ratio("bfloat16")), cell(required) + verdict,
            cell(goal), *memory))
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) if index == 0 else text.rjust(width)
                        for index, (text, width) in enumerate(zip(line, widths))))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="PART", choices=[part.name for part in PARTS],
                        help="parts to compare (%(choices)s)")
    parser.add_argument("--published", action="store_true", help="also the block at the published geometry")
    parser.add_argument("--quick", action="store_true", help="one round at small sizes, to see whether everything works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="float32", help="how vap stores weights (float32, bfloat16)")
    parser.add_argument("--python", help="an interpreter with torch, diffusers and transformers to use instead")
    parser.add_argument("--vap", help="a release build of vap to use instead")
    parser.add_argument("--output", type=Path, default=ROOT / ".build" / "compare_pytorch.json", help="where JSON goes")
    options = parser.parse_args()
    options.tokens, options.latent_frames, options.side = (30, 1, 128) if options.quick else (1350, 5, 240)

    sides = Sides(options)
    rows = []
    chosen = [part for part in PARTS if not options.only or part.name in options.only]
    for part in chosen + ([PUBLISHED] if options.published else []):
        if options.quick:
            part.runs, part.tokens, rounds = 1, options.tokens, 1
        else:
            rounds = part.least_rounds if part is PUBLISHED else options.rounds
        rows += compare(part, sides, rounds)
    share = sides.share_of_products() if any(part.bench == "block" for part in chosen) else None

    column, name = machine_class()
    machine = sides.machine
    print(f"{machine['processor']}: {name}; {machine['threads']} threads; OpenBLAS kernels {machine['blasKernels']}, "
          f"row kernels {machine['rowKernels']}; PyTorch {sides.torch}; vap's weights {options.dtype}")
    table(rows, column)
    if share is not None:
        verdict = "ok" if share >= REQUIRED_SHARE else "MISSED"
        print(f"expert block: {100 * share:.0f} % of the rate of its matrix products "
              f"(required {100 * REQUIRED_SHARE:.0f} %) {verdict}")
    report = {
        "machine": machine, "class": name, "torch": sides.torch, "dtype": options.dtype, "shareOfProducts": share,
        "rows": [vars(row) | {"ratios": {side: row.ratio(side) for side in row.milliseconds if side != "vap"}}
                 for row in rows],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    print(f"samples: {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
