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
    let statistics = (0..<groups).map { group in
      let members = group * size..<(group + 1) * size
      let mean = members.reduce(0) { $0 + moments.sums[$1] } / count
      let variance = max(0, members.reduce(0) { $0 + moments.squares[$1] } / count - mean * mean)
      return GroupStatistics(mean: mean, scaling: 1 / (variance + epsilon).squareRoot(), count: count)
    }
    let weights = weight.floats()
    var scale: [Float] = []
    var offset: [Float] = []
    for (channel, bias) in bias.floats().enumerated() {
      let group = statistics[channel / size]
      let factor = Double(weights[channel]) * group.scaling
      scale.append(Float(factor))
      offset.append(Float(Double(bias) - group.mean * factor))
    }
    let map = Tensor(scale + offset, shape: [2, channels])
      .recorded(from: [self, weight, bias]) { gradient, store in
        self.addGroupNormGradients(gradient, statistics, weight, bias, to: &store)
      }
    return ChannelMap(scale: map[0], offset: map[1])
  }

  /// Mean of a group, and the inverse of its deviation.
  private struct GroupStatistics: Sendable {
    let mean: Double
    let scaling: Double
    let count: Double
  }

  /// - Parameter gradient: of scales and offsets, `[2, C]`.
  private func addGroupNormGradients(
    _ gradient: Tensor, _ statistics: [GroupStatistics], _ weight: Tensor, _ bias: Tensor, to store: inout GradientStore
  ) {
    let channels = shape[-1]
    let size = channels / statistics.count
    let (weights, slopes) = (weight.doubles(), gradient.doubles())
    // A channel's scale is weight s and its offset bias - mean weight s, with s = 1 / sqrt(variance + epsilon).
    var weightSlopes = [Double](repeating: 0, count: channels)
    var factors = weightSlopes
    var addends = weightSlopes
    for (index, group) in statistics.enumerated() {
      let members = index * size..<(index + 1) * size
      var (ofScaling, ofMean) = (0.0, 0.0)
      for channel in members {
        let slope = slopes[channel] - group.mean * slopes[channels + channel]
        weightSlopes[channel] = slope * group.scaling
        ofScaling += slope * weights[channel]
        ofMean -= slopes[channels + channel] * weights[channel] * group.scaling
      }
      let ofVariance = -0.5 * group.scaling * group.scaling * group.scaling * ofScaling
      for channel in members {
        factors[channel] = 2 * ofVariance / group.count
        addends[channel] = (ofMean - 2 * ofVariance * group.mean) / group.count
      }
    }
    store.add(Tensor(weightSlopes.map(Float.init)).reshaped(weight.shape), to: weight.node)
    store.add(Tensor(slopes[channels...].map(Float.init)).reshaped(bias.shape), to: bias.node)
    let map = ChannelMap(scale: Tensor(factors.map(Float.init)), offset: Tensor(addends.map(Float.init)))
    store.add(detached.mapped(by: map), to: node)
  }

  /// Normalisation of each channel to mean 0 and variance 1, as a function per channel: instance normalisation without
  /// weights, for a tensor `[..., C]` of one image.
  package func channelNormalization(epsilon: Double) -> ChannelMap {
    let channels = shape[-1]
    return groupNormalization(
      groups: channels, weight: .filled([channels], with: 1), bias: .zeros([channels]), epsilon: epsilon)
  }

  /// x scale + offset of each channel, `[..., C]`.
  func mapped(by map: ChannelMap) -> Tensor {
    let channels = shape[-1]
    let (node, scaleNode, offsetNode) = (node, map.scale.node, map.offset.node)
    let (scale, kept) = (map.scale.detached, scaleNode == nil ? nil : detached)
    return Tensor(shape) { output in
      Tensor.withPointers([self, map.scale, map.offset]) { pointers in
        // All present: no argument is optional. Sound: rows are disjoint.
        nonisolated(unsafe) let (output, input, scale, offset) = (output, pointers[0]!, pointers[1]!, pointers[2]!)
        Workers.forEachBlock(of: tokenBlock, in: count / channels) { rows in
          for row in rows {
            kernels.channel_affine(
              output + row * channels, input + row * channels, scale, offset, nil, nil, Activation.identity.code,
              channels)
          }
        }
      }
    }
    .recorded(from: [self, map.scale, map.offset]) { gradient, store in
      store.add(gradient.mapped(by: ChannelMap(scale: scale, offset: .zeros([channels]))), to: node)
      guard let kept else { return store.add(gradient.channelSums(), to: offsetNode) }
      let sums = gradient.channelProducts(with: kept)
      store.add(Tensor(sums.products.map(Float.init)), to: scaleNode)
      store.add(Tensor(sums.sums.map(Float.init)), to: offsetNode)
    }
  }

  /// This clip `[F, H, W, C]` after a transform's norm, as operations that are recorded.
  func normalized(_ norm: PixelTransform.Norm) -> Tensor {
    switch norm {
    case .rms(let weight, let epsilon): return rmsNormalized(weight: weight, epsilon: epsilon)
    case .affine(let map, let modulation):
      let mapped = mapped(by: map)
      guard let modulation else { return mapped }
      func nearest(_ map: Tensor) -> Tensor {
        map.resizedToNearest(frames: modulation.frames, height: shape[1], width: shape[2])
      }
      return mapped * nearest(modulation.factors) + nearest(modulation.addends)
    }
  }
}

// MARK: - Sums over channels

extension Tensor {
  /// The sum of each channel, `[C]`.
  func channelSums() -> Tensor { Tensor(channelMoments().sums.map(Float.init)) }

  /// Sums and sums of squares of each channel, in float64: sums over a clip lose too much in float32.
  private func channelMoments() -> (sums: [Double], squares: [Double]) {
    withFloats { input in
      channelTotals { sums, rows, channels in
        kernels.channel_moments(sums, sums + channels, input + rows.lowerBound * channels, rows.count, channels)
      }
    }
  }

  /// Sums of each channel, and of its products with another tensor of this shape, in float64.
  private func channelProducts(with other: Tensor) -> (sums: [Double], products: [Double]) {
    precondition(shape == other.shape, "products of \(shape) and \(other.shape)")
    return withFloats { first in
      other.withFloats { second in
        channelTotals { sums, rows, channels in
          let place = rows.lowerBound * channels
          kernels.channel_products(sums, sums + channels, first + place, second + place, rows.count, channels)
        }
      }
    }
  }

  /// Two sums of each channel, over blocks of rows in their order, whoever computes them.
  ///
  /// - Parameter add: adds those of some rows to 2 C float64 sums.
  private func channelTotals(
    _ add: (UnsafeMutablePointer<Double>, Range<Int>, Int) -> Void
  ) -> ([Double], [Double]) {
    let channels = shape[-1]
    let parts = Tiling(count: count / channels, limit: Self.momentRows, multiple: 1)
    var moments = [Double](repeating: 0, count: parts.tiles * 2 * channels)
    moments.withUnsafeMutableBufferPointer { moments in
      // Sound: each part writes its own sums. The array is not empty.
      nonisolated(unsafe) let (moments, add) = (moments.baseAddress!, add)
      Workers.forEach(parts.tiles) { part in add(moments + part * 2 * channels, parts[part], channels) }
    }
    var total = [Double](repeating: 0, count: 2 * channels)
    for (index, value) in moments.enumerated() { total[index % (2 * channels)] += value }
    return (Array(total[..<channels]), Array(total[channels...]))
  }
}
