import Compute
import Foundation
import TestSupport
import Testing

@testable import Tensors

/// Convolutions against loops over every tap in float64.
@Suite struct ConvolutionTests {
  // Products of unit normals times weights near 1 / sqrt(27 C): sums of order one; Winograd's additions and the
  // float32 sums leave a few units in the sixth digit.
  private static let tolerance = 5e-6

  /// A dense clip in float64, zero outside of its plane.
  private struct Clip {
    let shape: Shape
    let values: [Double]
    init(_ tensor: Tensor) {
      shape = tensor.shape
      values = tensor.doubles()
    }
    func callAsFunction(_ frame: Int, _ row: Int, _ column: Int, _ channel: Int) -> Double {
      guard (0..<shape[1]).contains(row), (0..<shape[2]).contains(column) else { return 0 }
      return values[((frame * shape[1] + row) * shape[2] + column) * shape[3] + channel]
    }
  }

  private static func make(_ shape: Shape, seed: UInt64, scale: Float = 1, plus: Float = 0) -> Tensor {
    var generator = RandomGenerator(seed: seed)
    return Tensor.normal(shape, from: &generator).scaled(by: scale, adding: plus)
  }

  /// Calls `value` for each element of a clip.
  private static func clip(_ shape: Shape, _ value: (Int, Int, Int, Int) -> Double) -> Tensor {
    var values: [Float] = []
    for frame in 0..<shape[0] {
      for row in 0..<shape[1] {
        for column in 0..<shape[2] {
          for channel in 0..<shape[3] { values.append(Float(value(frame, row, column, channel))) }
        }
      }
    }
    return Tensor(values, shape: shape)
  }

  private static func weight(_ extents: [Int], seed: UInt64) -> Tensor {
    make(Shape(extents), seed: seed, scale: 1 / Float(extents.dropFirst().reduce(1, *)).squareRoot())
  }

  /// A causal convolution of `frames`, which begin with the two frames of padding.
  private static func causal(_ frames: Clip, _ weight: Tensor, _ bias: Tensor) -> Tensor {
    let (weights, biases) = (weight.doubles(), bias.doubles())
    let inputs = frames.shape[3]
    return clip([frames.shape[0] - 2, frames.shape[1], frames.shape[2], weight.shape[0]]) {
      frame, row, column, output in
      var sum = biases[output]
      for input in 0..<inputs {
        for tap in 0..<27 {
          sum +=
            weights[(output * inputs + input) * 27 + tap]
            * frames(frame + tap / 9, row + tap / 3 % 3 - 1, column + tap % 3 - 1, input)
        }
      }
      return sum
    }
  }

  struct Sizes: Sendable, CustomStringConvertible {
    let frames: Int, height: Int, width: Int, inputs: Int, outputs: Int
    var description: String { "\(frames)x\(height)x\(width), \(inputs) to \(outputs)" }
  }

  static let sizes = [
    Sizes(frames: 1, height: 1, width: 1, inputs: 1, outputs: 1),
    Sizes(frames: 2, height: 5, width: 3, inputs: 3, outputs: 7),
    Sizes(frames: 3, height: 2, width: 19, inputs: 16, outputs: 3),
    Sizes(frames: 4, height: 17, width: 6, inputs: 5, outputs: 70),
    Sizes(frames: 5, height: 9, width: 8, inputs: 33, outputs: 65),
    Sizes(frames: 1, height: 34, width: 33, inputs: 8, outputs: 16),
  ]

  @Test("causal convolution repeats the first frame before the clip", arguments: sizes)
  func causalFirst(_ size: Sizes) {
    let input = Self.make([size.frames, size.height, size.width, size.inputs], seed: 1)
    let weight = Self.weight([size.outputs, size.inputs, 3, 3, 3], seed: 2)
    let bias = Self.make([size.outputs], seed: 3)
    let first = input.sliced(0, 0..<1)
    let expected = Self.causal(Clip(Tensor.concatenated([first, first, input], axis: 0)), weight, bias)
    expectClose(input.convolvedCausally(weight, bias: bias), expected, absolute: Self.tolerance, "\(size)")
  }

  @Test("causal convolution continues from previous frames and adds a residual", arguments: sizes)
  func causalContinued(_ size: Sizes) {
    let input = Self.make([size.frames, size.height, size.width, size.inputs], seed: 4)
    let previous = Self.make([2, size.height, size.width, size.inputs], seed: 5)
    let weight = Self.weight([size.outputs, size.inputs, 3, 3, 3], seed: 6)
    let bias = Self.make([size.outputs], seed: 7)
    let residual = Self.make([size.frames, size.height, size.width, size.outputs], seed: 8)
    let expected = Self.causal(Clip(Tensor.concatenated([previous, input], axis: 0)), weight, bias) + residual
    var shared = residual
    shared.addCausalConvolution(of: input, weight, bias: bias, previous: previous)
    expectClose(shared, expected, absolute: Self.tolerance, "\(size)")
    // A tensor that nobody else holds is updated in place, with the same result.
    var own = residual.scaled(by: 1)
    let place = own.storage.bytes.baseAddress
    own.addCausalConvolution(of: input, weight, bias: bias, previous: previous)
    #expect(own.storage.bytes.baseAddress == place)
    #expect(own.floats() == shared.floats())
    #expect(residual.storage.bytes.baseAddress != shared.storage.bytes.baseAddress)
    #expect(
      input.lastFrames(previous: previous).floats()
        == Tensor.concatenated([previous, input], axis: 0).sliced(0, size.frames..<size.frames + 2).floats())
  }

  @Test("pixels are normalised, modulated and activated before the convolution, padding is not")
  func transformed() {
    let input = Self.make([3, 4, 6, 10], seed: 1, scale: 2, plus: 1)
    let map = ChannelMap(scale: Self.make([10], seed: 2), offset: Self.make([10], seed: 3))
    let modulation = PixelModulation(
      factors: Self.make([2, 2, 3, 10], seed: 4), addends: Self.make([2, 2, 3, 10], seed: 5), frames: [0, 1, 1])
    let (scale, offset) = (map.scale.doubles(), map.offset.doubles())
    let (pixels, factors, addends) = (Clip(input), Clip(modulation.factors), Clip(modulation.addends))
    let mapped = Self.clip(input.shape) { frame, row, column, channel in
      let place = (modulation.frames[frame], row / 2, column / 2, channel)
      let x =
        (pixels(frame, row, column, channel) * scale[channel] + offset[channel])
        * factors(place.0, place.1, place.2, place.3) + addends(place.0, place.1, place.2, place.3)
      return x / (1 + exp2(-x * 1.4426950408889634))
    }
    let transform = PixelTransform(map, modulation: modulation, activation: .silu)
    expectClose(input.transformed(transform), mapped, absolute: 5e-6, "mapped clip")
    let weight = Self.weight([6, 10, 3, 3, 3], seed: 6)
    let bias = Self.make([6], seed: 7)
    let expected = mapped.convolvedCausally(weight, bias: bias)
    expectClose(
      input.convolvedCausally(weight, bias: bias, transform: transform), expected, absolute: 2e-5, "convolution")
    expectClose(input.lastFrames(transform: transform), mapped.sliced(0, 1..<3), absolute: 5e-6, "last frames")
  }

  @Test("a clip in two parts gives what the whole gives")
  func streamed() {
    let input = Self.make([7, 10, 6, 12], seed: 1)
    let weight = Self.weight([9, 12, 3, 3, 3], seed: 2)
    let bias = Self.make([9], seed: 3)
    let whole = input.convolvedCausally(weight, bias: bias)
    for cut in [1, 2, 3, 4, 6] {
      let (head, tail) = (input.sliced(0, 0..<cut), input.sliced(0, cut..<7))
      // The last two frames of the padded input: frame 0 stands in before the clip.
      let parts = [
        head.convolvedCausally(weight, bias: bias),
        tail.convolvedCausally(weight, bias: bias, previous: head.lastFrames()),
      ]
      expectClose(Tensor.concatenated(parts, axis: 0), whole, absolute: Self.tolerance, "cut at \(cut)")
    }
  }

  @Test("convolution of an upsampled clip", arguments: sizes)
  func upsampling(_ size: Sizes) {
    let input = Self.make([size.frames, size.height, size.width, size.inputs], seed: 1)
    let weight = Self.weight([size.outputs, size.inputs, 3, 3], seed: 2)
    let bias = Self.make([size.outputs], seed: 3)
    // Frame 0 once, the others twice.
    let copies = (0..<size.frames).map { $0 == 0 ? 0..<1 : 2 * $0 - 1..<2 * $0 + 1 }
    let (pixels, weights, biases) = (Clip(input), weight.doubles(), bias.doubles())
    let shape = Shape([2 * size.frames - 1, 2 * size.height, 2 * size.width, size.outputs])
    let expected = Self.clip(shape) { frame, row, column, output in
      var sum = biases[output]
      for channel in 0..<size.inputs {
        for tap in 0..<9 {
          let (y, x) = (row + tap / 3 - 1, column + tap % 3 - 1)
          guard y >= 0, x >= 0 else { continue }
          sum += weights[(output * size.inputs + channel) * 9 + tap] * pixels((frame + 1) / 2, y / 2, x / 2, channel)
        }
      }
      return sum
    }
    expectClose(
      input.convolvedUpsampling(weight, bias: bias, copies: copies), expected, absolute: Self.tolerance, "\(size)")
  }

  @Test("convolution with stride 2 of averaged frames", arguments: sizes.filter { $0.height > 1 })
  func downsampling(_ size: Sizes) {
    let input = Self.make([size.frames, size.height, size.width, size.inputs], seed: 1)
    let weight = Self.weight([size.outputs, size.inputs, 3, 3], seed: 2)
    let bias = Self.make([size.outputs], seed: 3)
    let pools =
      size.frames % 2 == 1
      ? [0..<1] + (0..<size.frames / 2).map { 2 * $0 + 1..<2 * $0 + 3 }
      : (0..<size.frames / 2).map { 2 * $0..<2 * $0 + 2 }
    let (pixels, weights, biases) = (Clip(input), weight.doubles(), bias.doubles())
    let expected = Self.clip([pools.count, size.height / 2, size.width / 2, size.outputs]) {
      frame, row, column, output in
      var sum = biases[output]
      for channel in 0..<size.inputs {
        for tap in 0..<9 {
          let mean =
            pools[frame].reduce(0) {
              $0 + pixels($1, 2 * row + tap / 3, 2 * column + tap % 3, channel)
            } / Double(pools[frame].count)
          sum += weights[(output * size.inputs + channel) * 9 + tap] * mean
        }
      }
      return sum
    }
    expectClose(
      input.convolvedDownsampling(weight, bias: bias, pools: pools), expected, absolute: Self.tolerance, "\(size)")
  }

  struct Taps: Sendable, CustomStringConvertible {
    let height: Int, width: Int, stride: Int
    var description: String { "\(height)x\(width) taps, stride \(stride)" }
  }

  static let taps = [
    Taps(height: 3, width: 3, stride: 1), Taps(height: 3, width: 3, stride: 2), Taps(height: 1, width: 1, stride: 1),
    Taps(height: 1, width: 1, stride: 2), Taps(height: 1, width: 5, stride: 1), Taps(height: 5, width: 1, stride: 1),
    Taps(height: 7, width: 7, stride: 2), Taps(height: 7, width: 7, stride: 1),
  ]

  /// Convolution of each frame, padded on all sides.
  private static func planar(_ input: Tensor, _ weight: Tensor, _ bias: Tensor, _ taps: Taps) -> Tensor {
    let (pixels, weights, biases) = (Clip(input), weight.doubles(), bias.doubles())
    let (inputs, count) = (input.shape[3], taps.height * taps.width)
    let (height, width) = (
      (input.shape[1] + taps.stride - 1) / taps.stride, (input.shape[2] + taps.stride - 1) / taps.stride
    )
    return clip([input.shape[0], height, width, weight.shape[0]]) { frame, row, column, output in
      var sum = biases[output]
      for channel in 0..<inputs {
        for tap in 0..<count {
          let y = row * taps.stride + tap / taps.width - taps.height / 2
          let x = column * taps.stride + tap % taps.width - taps.width / 2
          sum += weights[(output * inputs + channel) * count + tap] * pixels(frame, y, x, channel)
        }
      }
      return sum
    }
  }

  @Test("convolution of planes with any taps and stride", arguments: sizes, taps)
  func planes(_ size: Sizes, _ taps: Taps) {
    let input = Self.make([size.frames, size.height, size.width, size.inputs], seed: 1)
    let weight = Self.weight([size.outputs, size.inputs, taps.height, taps.width], seed: 2)
    let bias = Self.make([size.outputs], seed: 3)
    expectClose(
      input.convolved(weight, bias: bias, stride: taps.stride), Self.planar(input, weight, bias, taps),
      absolute: Self.tolerance, "\(size), \(taps)")
  }

  @Test(
    "results of a convolution of planes pass an activation, or slopes per channel where they are negative",
    arguments: taps)
  func finishedPlanes(_ taps: Taps) {
    let input = Self.make([2, 9, 7, 6], seed: 1)
    let weight = Self.weight([70, 6, taps.height, taps.width], seed: 2)
    let bias = Self.make([70], seed: 3)
    let slopes = Self.make([70], seed: 4)
    let plain = input.convolved(weight, bias: bias, stride: taps.stride)
    let factors = slopes.floats()
    let bent = Tensor(
      plain.floats().enumerated().map { $1 > 0 ? $1 : $1 * factors[$0 % 70] }, shape: plain.shape)
    let result = input.convolved(weight, bias: bias, stride: taps.stride, slopes: slopes)
    expectClose(result, bent, absolute: 1e-6, "slopes, \(taps)")
    let residual = Self.make(plain.shape, seed: 5)
    expectClose(
      input.convolved(weight, bias: bias, stride: taps.stride, adding: residual, activation: .relu),
      (plain + residual).activated(.relu), absolute: 2e-6, "residual, \(taps)")
    expectClose(
      input.convolved(weight, bias: nil, stride: taps.stride),
      input.convolved(weight, bias: Tensor.zeros([70]), stride: taps.stride), absolute: 0, "no bias, \(taps)")
    for activation in [Activation.relu, .sigmoid, .tanh] {
      expectClose(
        input.convolved(weight, bias: bias, stride: taps.stride, activation: activation), plain.activated(activation),
        absolute: 1e-6, "\(activation), \(taps)")
    }
  }

  @Test("pixels are mapped before a convolution of planes, padding is not", arguments: taps)
  func transformedPlanes(_ taps: Taps) {
    let input = Self.make([1, 8, 9, 12], seed: 1)
    let transform = PixelTransform(
      ChannelMap(scale: Self.make([12], seed: 2), offset: Self.make([12], seed: 3)), activation: .relu)
    let weight = Self.weight([5, 12, taps.height, taps.width], seed: 4)
    let bias = Self.make([5], seed: 5)
    expectClose(
      input.convolved(weight, bias: bias, stride: taps.stride, transform: transform),
      Self.planar(input.transformed(transform), weight, bias, taps), absolute: 2e-5, "\(taps)")
  }

  @Test("weights stored in 16 bits are used as they are", arguments: [DType.bfloat16, .float16])
  func storedWeights(_ dtype: DType) {
    let input = Self.make([2, 5, 6, 20], seed: 1)
    let bias = Self.make([70], seed: 3)
    let causal = Self.weight([70, 20, 3, 3, 3], seed: 2).stored(as: dtype)
    let plane = Self.weight([70, 20, 3, 3], seed: 2).stored(as: dtype)
    #expect(
      input.convolvedCausally(causal, bias: bias).floats()
        == input.convolvedCausally(causal.dense(), bias: bias).floats())
    let copies = [0..<1, 1..<2]
    #expect(
      input.convolvedUpsampling(plane, bias: bias, copies: copies).floats()
        == input.convolvedUpsampling(plane.dense(), bias: bias, copies: copies).floats())
    #expect(
      input.convolvedDownsampling(plane, bias: bias, pools: copies).floats()
        == input.convolvedDownsampling(plane.dense(), bias: bias, pools: copies).floats())
  }

  @Test("group normalisation against its definition")
  func groupNorm() {
    let input = Self.make([2, 3, 5, 12], seed: 1, scale: 0.5, plus: 3)
    let (weight, bias) = (Self.make([12], seed: 2), Self.make([12], seed: 3))
    let map = input.groupNormalization(groups: 3, weight: weight, bias: bias, epsilon: 1e-4)
    let (pixels, weights, biases) = (Clip(input), weight.doubles(), bias.doubles())
    for group in 0..<3 {
      var values: [Double] = []
      for (index, value) in pixels.values.enumerated() where index % 12 / 4 == group { values.append(value) }
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      for channel in group * 4..<group * 4 + 4 {
        let scale = weights[channel] / (variance + 1e-4).squareRoot()
        #expect(abs(Double(map.scale.floats()[channel]) - scale) < 1e-6)
        #expect(abs(Double(map.offset.floats()[channel]) - (biases[channel] - mean * scale)) < 1e-5)
      }
    }
  }

  @Test("blending fades linearly from the end of one tensor into the start of the next")
  func blending() {
    let previous = Tensor([1.0, 2, 10, 20, 30, 40], shape: [1, 3, 2])
    let next = Tensor([0.0, 0, 4, 4, 8, 8, 9, 9], shape: [1, 4, 2])
    #expect(next.blended(after: previous, axis: 1, extent: 2).floats() == [10, 20, 17, 22, 8, 8, 9, 9])
    // No further than the shorter of both.
    let all = next.blended(after: previous, axis: 1, extent: 5).floats()
    expectClose(Tensor(all), Tensor([1, 2, 8, 14.666667, 15.333333, 18.666667, 9, 9]), absolute: 1e-5)
    #expect(next.blended(after: previous, axis: 1, extent: 0).floats() == next.floats())
    #expect(
      Tensor([0.0, 4, 8], shape: [1, 3]).blended(after: Tensor([6.0, 2], shape: [1, 2]), axis: 1, extent: 2).floats()
        == [6, 3, 8])
  }
}
