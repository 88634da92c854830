import Compute

/// An affine function per channel, x scale + offset: what normalisation comes to once its statistics are known.
package struct ChannelMap: Sendable {
  /// `[C]`
  package let scale: Tensor
  /// `[C]`
  package let offset: Tensor

  package init(scale: Tensor, offset: Tensor) {
    self.scale = scale
    self.offset = offset
  }
}

extension Tensor {
  /// Rows per partial sum of the statistics.
  private static let momentRows = 4096

  /// Group normalisation of a channels-last tensor as a function per channel: (x - mean) / sqrt(variance + epsilon)
  /// weight + bias, with mean and variance over all elements of a group of channels.
  ///
  /// - Parameters: weight, bias: `[C]`; this tensor is `[..., C]`, and C a multiple of `groups`.
  package func groupNormalization(groups: Int, weight: Tensor, bias: Tensor, epsilon: Double) -> ChannelMap {
    let channels = shape[-1]
    precondition(
      weight.count == channels && bias.count == channels && channels % groups == 0,
      "group norm of \(shape) with \(groups) groups and weight \(weight.shape)")
    let moments = channelMoments()
    let size = channels / groups
    let count = Double(self.count / channels * size)
    var scale: [Float] = []
    var offset: [Float] = []
    for (channel, (weight, bias)) in zip(weight.floats(), bias.floats()).enumerated() {
      let group = channel / size * size..<(channel / size + 1) * size
      let mean = group.reduce(0) { $0 + moments.sums[$1] } / count
      let variance = max(0, group.reduce(0) { $0 + moments.squares[$1] } / count - mean * mean)
      let factor = Double(weight) / (variance + epsilon).squareRoot()
      scale.append(Float(factor))
      offset.append(Float(Double(bias) - mean * factor))
    }
    return ChannelMap(scale: Tensor(scale), offset: Tensor(offset))
  }

  /// Normalisation of each channel to mean 0 and variance 1, as a function per channel: instance normalisation without
  /// weights, for a tensor `[..., C]` of one image.
  package func channelNormalization(epsilon: Double) -> ChannelMap {
    let channels = shape[-1]
    return groupNormalization(
      groups: channels, weight: .filled([channels], with: 1), bias: .zeros([channels]), epsilon: epsilon)
  }

  /// Sums and sums of squares of each channel, in float64: sums over a clip lose too much in float32.
  private func channelMoments() -> (sums: [Double], squares: [Double]) {
    let channels = shape[-1]
    let rows = count / channels
    let parts = Tiling(count: rows, limit: Self.momentRows, multiple: 1)
    var moments = [Double](repeating: 0, count: parts.tiles * 2 * channels)
    moments.withUnsafeMutableBufferPointer { moments in
      withFloats { input in
        // Sound: each part writes its own sums.
        nonisolated(unsafe) let (moments, input) = (moments.baseAddress!, input)
        Workers.forEach(parts.tiles) { part in
          let (sums, range) = (moments + part * 2 * channels, parts[part])
          kernels.channel_moments(sums, sums + channels, input + range.lowerBound * channels, range.count, channels)
        }
      }
    }
    // Parts are added in order, whoever computed them.
    var total = [Double](repeating: 0, count: 2 * channels)
    for (index, value) in moments.enumerated() { total[index % (2 * channels)] += value }
    return (Array(total[..<channels]), Array(total[channels...]))
  }
}
