import Compute

// Images are channels-last here: `[F, H, W, C]`; flows have the channels (x, y) in pixels.
extension Tensor {
  /// Each frame resized bilinearly by the centres of pixels, edges repeated, without smoothing, times `factor`.
  ///
  /// This is PyTorch's `interpolate` without aligned corners: halving averages 2 x 2 pixels, a quarter reads only the
  /// middle 2 x 2 of each 4 x 4.
  ///
  /// - Returns: `[F, height, width, C]`.
  package func resizedBilinearly(height: Int, width: Int, times factor: Float = 1) -> Tensor {
    precondition(rank == 4 && height > 0 && width > 0, "resizing of \(shape) to \(height) x \(width)")
    let (node, shape) = (node, shape)
    return Tensor([shape[0], height, width, shape[3]]) { output in
      withFloats {
        SamplingKernel.resize(
          $0, frames: shape[0], height: shape[1], width: shape[2], channels: shape[3], toHeight: height, toWidth: width,
          factor: factor, output)
      }
    }
    .recorded(from: [self]) { gradient, store in
      store.add(
        Tensor(shape) { output in
          gradient.withFloats {
            SamplingKernel.resizeGradient(
              $0, frames: shape[0], height: shape[1], width: shape[2], channels: shape[3], fromHeight: height,
              fromWidth: width, factor: factor, output)
          }
        }, to: node)
    }
  }

  /// The image read at (x + u, y + v) for each pixel (x, y), bilinearly, positions clamped to the image.
  ///
  /// - Parameters:
  ///   - flow: `[1, H, W, n]`. - first: the channel of `flow` that holds u; the next one holds v.
  /// - Returns: `[1, H, W, C]` for an image `[1, H, W, C]`.
  package func warped(by flow: Tensor, from first: Int = 0) -> Tensor {
    requireUnrecorded(self, flow, operation: "warping")
    let flowChannels = flow.shape[-1]
    precondition(
      rank == 4 && shape[0] == 1 && flow.shape == [1, shape[1], shape[2], flowChannels] && first + 2 <= flowChannels,
      "warping of \(shape) by channels from \(first) of \(flow.shape)")
    return Tensor(shape) { output in
      Tensor.withPointers([self, flow]) { pointers in
        // Both present: neither argument is optional.
        SamplingKernel.warp(
          pointers[0]!, height: shape[1], width: shape[2], channels: shape[3], flow: pointers[1]! + first,
          flowStride: flowChannels, output)
      }
    }
  }

  /// Means of 2 x 2 places of planes `[P, H, W]`, an odd row or column at the end left out: `[P, H / 2, W / 2]`.
  package func averagePooled() -> Tensor {
    precondition(rank == 3, "pooling of \(shape)")
    let (node, shape) = (node, shape)
    return Tensor([shape[0], shape[1] / 2, shape[2] / 2]) { output in
      withFloats { SamplingKernel.averagePool($0, planes: shape[0], height: shape[1], width: shape[2], output) }
    }
    .recorded(from: [self]) { gradient, store in
      store.add(
        Tensor(shape) { output in
          gradient.withFloats {
            SamplingKernel.averagePoolGradient($0, planes: shape[0], height: shape[1], width: shape[2], output)
          }
        }, to: node)
    }
  }

  /// Reads windows around points from planes of falling resolution, bilinearly, zero outside.
  ///
  /// - Parameters:
  ///   - levels: `[N, H / 2^l, W / 2^l]`: planes of level l, all with a plane for each point.
  ///   - points: `[N, 2]`: x and y at the resolution of level 0.
  /// - Returns: `[N, levels x (2 radius + 1)^2]`, level by level; in a window the slow index moves x.
  package static func windows(of levels: [Tensor], around points: Tensor, radius: Int) -> Tensor {
    for level in levels { requireUnrecorded(level, points, operation: "reading windows") }
    let (count, size) = (points.count / 2, (2 * radius + 1) * (2 * radius + 1))
    precondition(
      levels.allSatisfy { $0.rank == 3 && $0.shape[0] == count }, "windows of \(levels.map(\.shape)) at \(points.shape)"
    )
    return Tensor([count, levels.count * size]) { output in
      Tensor.withPointers([points] + levels) { pointers in
        for (index, level) in levels.enumerated() {
          // All present: no argument is optional.
          SamplingKernel.windows(
            pointers[1 + index]!, count: count, height: level.shape[1], width: level.shape[2], points: pointers[0]!,
            scale: 1 / Float(1 << index), radius: radius, output + index * size, stride: levels.count * size)
        }
      }
    }
  }

  /// Upsamples a flow by 8, values included: each fine pixel is a mean of 8 times the 3 x 3 coarse flows around it, zero
  /// outside, weighted by the softmax of its mask (Teed & Deng, "RAFT", 2020).
  ///
  /// - Parameter mask: `[1, H, W, 576]`: neighbours (row-major), then row and column of the fine pixel.
  /// - Returns: `[1, 8 H, 8 W, 2]` for a flow `[1, H, W, 2]`.
  package func convexlyUpsampled(mask: Tensor) -> Tensor {
    requireUnrecorded(self, mask, operation: "convex upsampling")
    let (height, width) = (shape[1], shape[2])
    precondition(
      shape == [1, height, width, 2] && mask.shape == [1, height, width, 576], "upsampling of \(shape) by \(mask.shape)"
    )
    return Tensor([1, 8 * height, 8 * width, 2]) { output in
      Tensor.withPointers([self, mask]) { pointers in
        // Both present: neither argument is optional.
        SamplingKernel.convexUpsample(
          pointers[0]!, mask: pointers[1]!, height: height, width: width, factor: 8, output)
      }
    }
  }
}
