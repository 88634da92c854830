"""The networks of the metrics in PyTorch, with random weights, for pytorch_parts.py.

Written from the papers (RAFT: Teed & Deng 2020, AMT-S: Li et al. 2023) with the sizes of the published weights, in plain
modules as one would write them for PyTorch; channels first.
"""

import torch
import torch.nn.functional as F
from torch import nn


def sample(image, points, padding):
    """Bilinear samples of [B, C, H, W] at pixels [B, h, w, 2] (x, y)."""
    height, width = image.shape[-2:]
    scale = points.new_tensor([2 / (width - 1), 2 / (height - 1)])
    return F.grid_sample(image, points * scale - 1, align_corners=True, padding_mode=padding)


def grid(height, width):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).float()[None]


class Correlation:
    """All pairs at 1/8 resolution, pooled to four levels, looked up around points."""

    def __init__(self, first, second, radius):
        _, channels, height, width = first.shape
        volume = first.flatten(2).transpose(1, 2) @ second.flatten(2) / channels**0.5
        self.levels = [volume.reshape(height * width, 1, height, width)]
        for _ in range(3):
            self.levels.append(F.avg_pool2d(self.levels[-1], 2))
        side = torch.arange(-radius, radius + 1).float()
        self.offsets = torch.stack(torch.meshgrid(side, side, indexing="ij"), dim=-1)[None]

    def __call__(self, points):
        _, height, width, _ = points.shape
        parts = []
        for level, volume in enumerate(self.levels):
            places = points.reshape(height * width, 1, 1, 2) / 2**level + self.offsets
            parts.append(sample(volume, places, "zeros").reshape(height, width, -1))
        return torch.cat(parts, dim=-1).permute(2, 0, 1)[None]


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride, norm):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1), norm(outputs), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1), norm(outputs), nn.ReLU(inplace=True))
        self.skip = nn.Identity() if stride == 1 else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        return F.relu(self.skip(x) + self.body(x))


class Bottleneck(nn.Module):
    def __init__(self, inputs, outputs, stride, norm):
        super().__init__()
        inner = outputs // 4
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inner, 1), norm(inner), nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, stride, 1), norm(inner), nn.ReLU(inplace=True),
            nn.Conv2d(inner, outputs, 1), norm(outputs), nn.ReLU(inplace=True))
        self.skip = nn.Identity() if stride == 1 else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        return F.relu(self.skip(x) + self.body(x))


def encoder(block, widths, outputs, norm):
    layers = [nn.Conv2d(3, widths[0], 7, 2, 3), norm(widths[0]), nn.ReLU(inplace=True)]
    inputs = widths[0]
    for width, stride in zip(widths, (1, 2, 2)):
        layers += [block(inputs, width, stride, norm), block(width, width, 1, norm)]
        inputs = width
    return nn.Sequential(*layers, nn.Conv2d(inputs, outputs, 1))


class RAFT(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = encoder(Basic, (64, 96, 128), 256, nn.InstanceNorm2d)
        self.context = encoder(Basic, (64, 96, 128), 256, nn.BatchNorm2d)
        self.c1, self.c2 = nn.Conv2d(324, 256, 1), nn.Conv2d(256, 192, 3, 1, 1)
        self.f1, self.f2 = nn.Conv2d(2, 128, 7, 1, 3), nn.Conv2d(128, 64, 3, 1, 1)
        self.joined = nn.Conv2d(256, 126, 3, 1, 1)
        self.gates = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(384, 128, shape, 1, (shape[0] // 2, shape[1] // 2)) for _ in range(3))
            for shape in ((1, 5), (5, 1)))
        self.flow_head = nn.Sequential(nn.Conv2d(128, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 2, 3, 1, 1))
        self.mask_head = nn.Sequential(nn.Conv2d(128, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 576, 1))
        with torch.no_grad():
            self.flow_head[2].weight.mul_(0.05)

    def forward(self, image, known, second):
        scaled = 2 * image / 255 - 1
        correlation = Correlation(known, self.features(2 * second / 255 - 1), 4)
        hidden, inputs = self.context(scaled).split(128, dim=1)
        hidden, inputs = torch.tanh(hidden), torch.relu(inputs)
        start = grid(*hidden.shape[-2:])
        flow = torch.zeros(1, 2, *hidden.shape[-2:])
        for _ in range(20):
            found = F.relu(self.c2(F.relu(self.c1(correlation(start + flow.permute(0, 2, 3, 1))))))
            moved = F.relu(self.f2(F.relu(self.f1(flow))))
            x = torch.cat([inputs, F.relu(self.joined(torch.cat([found, moved], 1))), flow], 1)
            for update, reset, new in self.gates:
                both = torch.cat([hidden, x], 1)
                z, r = torch.sigmoid(update(both)), torch.sigmoid(reset(both))
                hidden = (1 - z) * hidden + z * torch.tanh(new(torch.cat([r * hidden, x], 1)))
            flow = flow + self.flow_head(hidden)
        # The mask is needed for the last flow only.
        mask = (0.25 * self.mask_head(hidden)).view(1, 1, 9, 8, 8, *flow.shape[-2:]).softmax(2)
        near = F.unfold(8 * flow, 3, padding=1).view(1, 2, 9, 1, 1, *flow.shape[-2:])
        large = (mask * near).sum(2).permute(0, 1, 4, 2, 5, 3)
        return large.reshape(1, 2, 8 * flow.shape[-2], 8 * flow.shape[-1])


def prelu(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


class SideBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.whole = nn.ModuleList([prelu(width, width), prelu(width, width)])
        self.partial = nn.ModuleList([prelu(20, 20), prelu(20, 20)])
        self.last, self.slopes = nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width)

    def forward(self, x):
        out = x
        for whole, partial in zip(self.whole, self.partial):
            out = whole(out)
            out = torch.cat([out[:, :-20], partial(out[:, -20:])], 1)
        return self.slopes(x + self.last(out))


def decoder(inputs, width, outputs):
    return nn.Sequential(prelu(inputs, width), SideBlock(width), nn.ConvTranspose2d(width, outputs, 4, 2, 1))


def resize(x, scale):
    return x if scale == 1 else F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


def warp(image, flow):
    return sample(image, grid(*image.shape[-2:]) + flow.permute(0, 2, 3, 1), "border")


class Update(nn.Module):
    def __init__(self, channels, scale):
        super().__init__()
        leaky = lambda *sizes: nn.Sequential(nn.Conv2d(*sizes), nn.LeakyReLU(0.1))
        self.scale = scale
        self.corr = leaky(392, 64, 1)
        self.flow = nn.Sequential(leaky(4, 40, 7, 1, 3), leaky(40, 20, 3, 1, 1))
        self.joined = leaky(84, 68, 3, 1, 1)
        self.mixing = nn.Sequential(leaky(72 + channels, 76, 3, 1, 1), nn.Conv2d(76, 76, 3, 1, 1))
        self.feature_head = nn.Sequential(leaky(76, 76, 3, 1, 1), nn.Conv2d(76, channels, 3, 1, 1))
        self.flow_head = nn.Sequential(leaky(76, 76, 3, 1, 1), nn.Conv2d(76, 4, 3, 1, 1))

    def forward(self, features, flows, corr):
        seen = self.joined(torch.cat([self.corr(corr), self.flow(flows)], 1))
        mixed = self.mixing(torch.cat([seen, flows, resize(features, 1 / self.scale)], 1))
        return resize(self.feature_head(mixed), self.scale), self.scale * resize(self.flow_head(mixed), self.scale)


class AMT(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (20, 32, 44, 56)
        self.matching = encoder(Bottleneck, (32, 64, 96), 84, nn.InstanceNorm2d)
        self.pyramid = nn.ModuleList(
            nn.Sequential(prelu(a, b, 2), prelu(b, b)) for a, b in zip((3, *widths), widths))
        self.initial = decoder(113, 112, 48)
        self.decoders = nn.ModuleList([decoder(136, 132, 36), decoder(100, 96, 24)])
        self.updates = nn.ModuleList([Update(44, 1), Update(32, 2), Update(20, 4)])
        self.last = decoder(64, 60, 24)
        self.merge = nn.Sequential(prelu(9, 18), nn.Conv2d(18, 3, 3, 1, 1))

    def levels(self, image):
        result = []
        for level in self.pyramid:
            image = level(image)
            result.append(image)
        return result

    def forward(self, first, second):
        mean = torch.cat([first, second]).mean()
        first, second = first - mean, second - mean
        maps = self.matching(first), self.matching(second)
        forth, back = Correlation(*maps, 3), Correlation(*reversed(maps), 3)
        start = grid(*maps[0].shape[-2:])
        a, b = self.levels(first), self.levels(second)
        fields = self.initial(torch.cat([a[3], b[3], torch.full_like(a[3][:, :1], 0.5)], 1))
        near, far, features = fields.split([2, 2, fields.shape[1] - 4], 1)
        for index, update in enumerate(self.updates):
            level = 2 - index
            if index > 0:
                fields = self.decoders[index - 1](
                    torch.cat([features, warp(a[level + 1], near), warp(b[level + 1], far), near, far], 1))
                change_near, change_far, features = fields.split([2, 2, fields.shape[1] - 4], 1)
                near, far = change_near + 2 * resize(near, 2), change_far + 2 * resize(far, 2)
            scale = update.scale
            small = [resize(flow, 1 / scale) / scale for flow in (near, far)]
            looked = torch.cat([
                forth(start + 2 * small[1].permute(0, 2, 3, 1)), back(start + 2 * small[0].permute(0, 2, 3, 1))], 1)
            more, moves = update(features, torch.cat(small, 1), looked)
            features, near, far = features + more, near + moves[:, :2], far + moves[:, 2:]
        fields = self.last(torch.cat([features, warp(a[0], near), warp(b[0], far), near, far], 1))
        near_flows, far_flows, masks, residuals = fields.split([6, 6, 3, 9], 1)
        near_flows = near_flows + 2 * resize(near, 2).repeat(1, 3, 1, 1)
        far_flows = far_flows + 2 * resize(far, 2).repeat(1, 3, 1, 1)
        images = []
        for k in range(3):
            mask = torch.sigmoid(masks[:, k : k + 1])
            images.append(
                mask * warp(first, near_flows[:, 2 * k : 2 * k + 2])
                + (1 - mask) * warp(second, far_flows[:, 2 * k : 2 * k + 2]) + mean + residuals[:, 3 * k : 3 * k + 3])
        return (sum(images) / 3 + self.merge(torch.cat(images, 1))).clamp(0, 1)


def clip_encoder(large):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    sizes = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, patch_size=14,
                 projection_dim=768) if large else dict(patch_size=32, projection_dim=512)
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes)).eval()
