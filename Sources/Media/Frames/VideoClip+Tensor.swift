import Compute
import Tensors

// Between 8-bit frames and the pixel tensors that autoencoders take: float32 `[1, 3, F, H, W]` in -1...1.
extension VideoClip {
  /// x / 255 * 2 - 1, in float32 and in this order, as the published image processor computes it.
  package func pixelTensor() -> Tensor {
    let (frames, area) = (frameCount, size.pixelCount)
    return Tensor([1, 3, frames, size.height, size.width]) { output in
      pixels.withUnsafeBufferPointer { pixels in
        nonisolated(unsafe) let (output, pixels) = (output, pixels)
        Workers.forEach(frames) { frame in
          for channel in 0..<3 {
            let target = output + (channel * frames + frame) * area
            for pixel in 0..<area {
              target[pixel] = Float(pixels[(frame * area + pixel) * 3 + channel]) / 255 * 2 - 1
            }
          }
        }
      }
    }
  }

  /// (x / 255 - mean) / deviation for red, green and blue: `[F, 3, H, W]`, frames as a batch.
  package func normalizedTensor(means: [Double], deviations: [Double]) -> Tensor {
    let area = size.pixelCount
    return Tensor([frameCount, 3, size.height, size.width]) { output in
      for frame in 0..<frameCount {
        for channel in 0..<3 {
          let target = output + (frame * 3 + channel) * area
          let (mean, deviation) = (Float(means[channel]), Float(deviations[channel]))
          for pixel in 0..<area {
            // The division is rounded by itself, as published image processors do.
            let value = Float(Double(pixels[(frame * area + pixel) * 3 + channel]) * (1 / 255))
            target[pixel] = (value - mean) / deviation
          }
        }
      }
    }
  }

  /// (x / 2 + 0.5) clamped to 0...1, times 255, rounded half to even.
  ///
  /// - Parameter tensor: `[1, 3, F, H, W]`; values that are not numbers must have been ruled out.
  package init(pixels tensor: Tensor, frameRate: FrameRate) {
    precondition(tensor.rank == 5 && tensor.shape[0] == 1 && tensor.shape[1] == 3, "pixels \(tensor.shape)")
    let (frames, size) = (tensor.shape[2], FrameSize(width: tensor.shape[4], height: tensor.shape[3]))
    let area = size.pixelCount
    self.init(size: size, frameCount: frames, frameRate: frameRate) { output in
      tensor.withFloats { input in
        nonisolated(unsafe) let (output, input) = (output, input)
        Workers.forEach(frames) { frame in
          for channel in 0..<3 {
            let source = input + (channel * frames + frame) * area
            for pixel in 0..<area {
              let value = min(max(source[pixel] / 2 + 0.5, 0), 1) * 255
              output[(frame * area + pixel) * 3 + channel] = UInt8(value.rounded(.toNearestOrEven))
            }
          }
        }
      }
    }
  }
}
