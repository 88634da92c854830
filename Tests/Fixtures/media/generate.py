"""Makes the files of this folder with Pillow 13.0.0, NumPy and PyTorch 2.15.0; run in the folder."""

import numpy as np
import torch
from PIL import Image

rng = np.random.default_rng(20)

# Pillow's resize: raw RGB rows; the size stands in the name.
noise = rng.integers(0, 256, (29, 37, 3), dtype=np.uint8)
noise[5:9, 10:20] = 255  # flat areas beside noise make the kernels overshoot
noise[15:19, 3:12] = 0
noise.tofile("source-37x29.rgb")
filters = {"lanczos": Image.LANCZOS, "bicubic": Image.BICUBIC, "box": Image.BOX}
sizes = {
    "lanczos": [(16, 11), (53, 41), (20, 45), (37, 12), (12, 29), (1, 1), (74, 3)],
    "bicubic": [(17, 13), (48, 31)],
    "box": [(10, 9), (40, 30)],
}
for name, targets in sizes.items():
    for width, height in targets:
        result = Image.fromarray(noise).resize((width, height), filters[name])
        np.asarray(result).tofile(f"{name}-{width}x{height}.rgb")

# PyTorch's bicubic: float32 planes.
planes = rng.standard_normal((2, 9, 7)).astype(np.float32)
planes.tofile("planes-2x9x7.f32")
for height, width in [(5, 13), (18, 4), (9, 20)]:
    result = torch.nn.functional.interpolate(
        torch.from_numpy(planes)[None], (height, width), mode="bicubic", align_corners=False)[0]
    result.numpy().tofile(f"bicubic-2x{height}x{width}.f32")

# Pictures that FFmpeg's encoders do not make. Left half red-brown, right half blue; 16x8.
picture = np.zeros((8, 16, 3), dtype=np.uint8)
picture[:, :8] = (200, 80, 40)
picture[:, 8:] = (20, 60, 220)
image = Image.fromarray(picture)
image.convert("CMYK").save("cmyk.jpg", quality=95)
exif = Image.Exif()
exif[0x0112] = 6
image.save("turned.jpg", quality=95, exif=exif)
image.save("turned.png", exif=exif)
image.save("turned.webp", lossless=True, exif=exif)
