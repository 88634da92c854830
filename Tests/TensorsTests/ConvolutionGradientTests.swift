import Compute
import TestSupport
import Testing

@testable import Tensors

@Suite("Gradients of convolutions against central differences")
struct ConvolutionGradientTests {
  private static func clip(_ shape: Shape, seed: UInt64) -> Tensor { .random(shape, seed: seed) }

  private static func weight(_ shape: Shape, seed: UInt64) -> Tensor {
    Tensor.random(shape, seed: seed).scaled(by: 1 / Float(shape.count / shape[0]).squareRoot())
  }

  @Test("Causal convolution: clip, weight and bias", arguments: [1, 2, 5], [TemporalPadding.firstFrame, .zeros])
  func causal(frames: Int, padding: TemporalPadding) throws {
    try expectGradient(
      of: [Self.clip([frames, 5, 4, 3], seed: 1), Self.weight([6, 3, 3, 3, 3], seed: 2), .random([6], seed: 3)]
    ) { $0[0].convolvedCausally($0[1], bias: $0[2], padding: padding) }
  }

  @Test("Causal convolution that continues a clip and is added to another")
  func continued() throws {
    let inputs = [
      Self.clip([3, 4, 7, 2], seed: 1), Self.weight([5, 2, 3, 3, 3], seed: 2), .random([5], seed: 3),
      Self.clip([2, 4, 7, 2], seed: 4), Self.clip([3, 4, 7, 5], seed: 5),
    ]
    try expectGradient(of: inputs) { inputs in
      var sum = inputs[4]
      sum.addCausalConvolution(of: inputs[0], inputs[1], bias: inputs[2], previous: inputs[3])
      return sum
    }
  }

  @Test("Over more pixels than a band and more channels than a tile")
  func large() throws {
    let (clip, weight) = (Self.clip([1, 140, 40, 70], seed: 1), Self.weight([140, 70, 3, 3], seed: 2))
    try expectGradient(of: [clip, weight], samples: 3) { $0[0].convolved($0[1], bias: nil) }
  }

  struct Taps: Sendable, CustomStringConvertible {
    let height: Int, width: Int, stride: Int
    var description: String { "\(height)x\(width), stride \(stride)" }
  }

  @Test(
    "Planar convolution of any taps and stride",
    arguments: [
      Taps(height: 3, width: 3, stride: 1), Taps(height: 1, width: 5, stride: 1), Taps(height: 5, width: 1, stride: 2),
      Taps(height: 7, width: 7, stride: 2), Taps(height: 1, width: 1, stride: 2), Taps(height: 3, width: 3, stride: 3),
    ])
  func planar(taps: Taps) throws {
    let weight = Self.weight([4, 3, taps.height, taps.width], seed: 2)
    try expectGradient(of: [Self.clip([2, 8, 7, 3], seed: 1), weight, .random([4], seed: 3)]) {
      $0[0].convolved($0[1], bias: $0[2], stride: taps.stride)
    }
  }

  @Test("Planar convolution of normalised pixels, with a residual and an activation")
  func fused() throws {
    let inputs = [
      Self.clip([2, 5, 6, 4], seed: 1), Self.weight([3, 4, 3, 3], seed: 2), .random([3], seed: 3),
      .random([4], seed: 4), .random([4], seed: 5), .random([2, 5, 6, 3], seed: 6),
    ]
    func convolved(_ inputs: [Tensor]) -> Tensor {
      let transform = PixelTransform(
        inputs[0].groupNormalization(groups: 2, weight: inputs[3], bias: inputs[4], epsilon: 1e-5), activation: .silu)
      return inputs[0].convolved(
        inputs[1], bias: inputs[2], transform: transform, adding: inputs[5], activation: .silu)
    }
    try expectGradient(of: inputs, convolved)
    let recorded = convolved(inputs.map { $0.asVariable() })
    #expect(recorded.isRecorded)
    expectClose(recorded.detached, convolved(inputs), absolute: 1e-6)
  }

  @Test("Upsampling and downsampling convolution, over frames that repeat and are averaged")
  func resampling() throws {
    let (weight, bias) = (Self.weight([4, 3, 3, 3], seed: 2), Tensor.random([4], seed: 3))
    try expectGradient(of: [Self.clip([2, 3, 4, 3], seed: 1), weight, bias]) {
      $0[0].convolvedUpsampling($0[1], bias: $0[2], copies: [0..<1, 1..<3])
    }
    try expectGradient(of: [Self.clip([3, 7, 6, 3], seed: 4), weight, bias]) {
      $0[0].convolvedDownsampling($0[1], bias: $0[2], pools: [0..<1, 1..<3])
    }
    try expectGradient(of: [Self.clip([2, 5, 6, 3], seed: 5), weight, bias]) {
      $0[0].convolvedDownsampling($0[1], bias: $0[2], pools: [0..<1, 1..<2])
    }
  }

  @Test("Pixels normalised by group, and modulated at a lower resolution, before a causal convolution")
  func modulated() throws {
    let inputs = [
      Self.clip([3, 4, 5, 6], seed: 1).scaled(by: 2, adding: 1), .random([6], seed: 2), .random([6], seed: 3),
      .random([2, 2, 2, 6], seed: 4), .random([2, 2, 2, 6], seed: 5), Self.weight([2, 6, 3, 3, 3], seed: 6),
    ]
    try expectGradient(of: inputs) { inputs in
      let map = inputs[0].groupNormalization(groups: 3, weight: inputs[1], bias: inputs[2], epsilon: 1e-6)
      let transform = PixelTransform(
        map, modulation: PixelModulation(factors: inputs[3], addends: inputs[4], frames: [0, 1, 1]), activation: .silu)
      let previous = inputs[0].lastFrames(transform: transform)
      return inputs[0].convolvedCausally(inputs[5], bias: .zeros([2]), transform: transform, previous: previous)
    }
  }

  @Test("Pixels normalised by their root mean square, with a weight of published shape")
  func rms() throws {
    try expectGradient(
      of: [Self.clip([2, 3, 4, 6], seed: 1), .random([6, 1, 1, 1], seed: 2), Self.weight([2, 6, 3, 3, 3], seed: 3)]
    ) { inputs in
      inputs[0].convolvedCausally(
        inputs[2], bias: .zeros([2]),
        transform: PixelTransform(.rms(weight: inputs[1], epsilon: 1e-6), activation: .silu))
    }
  }

  @Test("The last frames of a clip, short ones continued", arguments: [1, 2, 4])
  func lastFrames(frames: Int) throws {
    let clip = Self.clip([frames, 2, 3, 2], seed: 1)
    try expectGradient(of: [clip]) { $0[0].lastFrames() }
    try expectGradient(of: [clip]) { $0[0].lastFrames(padding: .zeros) }
    let previous = Self.clip([2, 2, 3, 2], seed: 2)
    let variable = clip.asVariable()
    #expect(variable.lastFrames(previous: previous).floats() == clip.lastFrames(previous: previous).floats())
  }

  @Test("Gradients depend neither on the number of threads nor on what else is a variable")
  func bits() throws {
    let inputs = [
      Self.clip([3, 20, 18, 8], seed: 1), Self.weight([12, 8, 3, 3, 3], seed: 2), Tensor.random([12], seed: 3),
    ]
    let seed = Tensor.random([3, 20, 18, 12], seed: 4)
    func gradients(of places: Set<Int>) throws -> [[Float]?] {
      let variables = inputs.indices.map { places.contains($0) ? inputs[$0].asVariable() : inputs[$0] }
      let found = try variables[0].convolvedCausally(variables[1], bias: variables[2]).backward(seed)
      return variables.map { found[$0]?.floats() }
    }
    let all = try withThreads(1) { try gradients(of: [0, 1, 2]) }
    #expect(try withThreads(3) { try gradients(of: [0, 1, 2]) } == all)
    for place in 0..<3 { #expect(try gradients(of: [place])[place] == all[place]) }
  }

  @Test("16-bit weights pass the gradients of their float32 values")
  func halfWeights() throws {
    let weight = Self.weight([5, 3, 3, 3], seed: 2).stored(as: .bfloat16)
    let clip = Self.clip([1, 6, 8, 3], seed: 1).asVariable()
    let seed = Tensor.random([1, 3, 4, 5], seed: 3)
    let found = try clip.convolvedDownsampling(weight, bias: .zeros([5]), pools: [0..<1]).backward(seed)
    let expected = try clip.convolvedDownsampling(weight.dense(), bias: .zeros([5]), pools: [0..<1]).backward(seed)
    #expect(found[clip]?.floats() == expected[clip]?.floats())
  }
}

@Suite("Gradients of normalisation, sampling and softmax against central differences")
struct SamplingGradientTests {
  @Test("Group norm of a clip far from zero, as a map per channel")
  func groupNorm() throws {
    let clip = Tensor.random([2, 3, 4, 6], seed: 1).scaled(by: 1.5, adding: 4)
    try expectGradient(of: [clip, .random([6], seed: 2), .random([6], seed: 3)]) { inputs in
      inputs[0].transformed(
        PixelTransform(
          inputs[0].groupNormalization(groups: 2, weight: inputs[1], bias: inputs[2], epsilon: 1e-5),
          activation: .identity))
    }
    try expectGradient(of: [clip.sliced(0, 0..<1)]) { inputs in
      inputs[0].transformed(PixelTransform(inputs[0].channelNormalization(epsilon: 1e-5), activation: .silu))
    }
  }

  @Test("Softmax with a bias that repeats")
  func softmax() throws {
    try expectGradient(of: [.random([2, 3, 5], seed: 1), .random([3, 5], seed: 2)]) { $0[0].softmax(bias: $0[1]) }
    try expectGradient(of: [.random([4, 70], seed: 3)]) { $0[0].softmax() }
  }

  @Test("Blending along each axis", arguments: [0, 1, 2])
  func blending(axis: Int) throws {
    var extents = [3, 4, 5]
    extents[axis] += 2
    try expectGradient(of: [.random([3, 4, 5], seed: 1), .random(Shape(extents), seed: 2)]) {
      $0[0].blended(after: $0[1], axis: axis, extent: 3)
    }
  }

  @Test("Powers, soft plus, and clamping, which passes nothing from outside of its range")
  func elementwise() throws {
    let input = Tensor.random([40], seed: 1)
    try expectGradient(of: [input]) { $0[0].exponential() }
    try expectGradient(of: [input.scaled(by: 5)]) { $0[0].softplus() }
    #expect(Tensor([200, -200, .nan]).softplus().floats().prefix(2) == [200, 0])
    let variable = Tensor([-2, -1, 0, 1, 2]).asVariable()
    let gradients = try variable.clamped(to: -1...1).backward(Tensor([1, 2, 3, 4, 5]))
    #expect(gradients[variable]?.floats() == [0, 2, 3, 4, 0])
  }

  @Test("Rounding to 16 bits and gathering pass gradients through")
  func storage() throws {
    let variable = Tensor.random([3, 4], seed: 1).asVariable()
    let seed = Tensor.random([3, 4], seed: 2)
    #expect(try variable.stored(as: .bfloat16).dense().backward(seed)[variable]?.floats() == seed.floats())
    let turned = try variable.transposed(0, 1).gathered().backward(seed.transposed(0, 1))
    #expect(turned[variable]?.floats() == seed.floats())
  }

  @Test("Resizing and pooling")
  func resizing() throws {
    let clip = Tensor.random([2, 5, 6, 3], seed: 1)
    try expectGradient(of: [clip]) { $0[0].resizedBilinearly(height: 3, width: 9, times: 2) }
    try expectGradient(of: [clip]) { $0[0].resizedToNearest(frames: [1, 0, 1], height: 8, width: 3) }
    try expectGradient(of: [clip[0]]) { $0[0].averagePooled() }
  }

  @Test("Operations without a backward pass stop a program that gives them a variable")
  func traps() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([1, 2, 2, 1]).asVariable().warped(by: .zeros([1, 2, 2, 2]))
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([1, 2, 2, 1]).convolved(
        Tensor.zeros([1, 1, 1, 1]).asVariable(), bias: nil, slopes: .zeros([1]))
    }
    await #expect(processExitsWith: .failure) {
      let heads = Tensor.zeros([1, 1, 2, 2])
      _ = heads.attending(
        to: [KeyValues(keys: heads, values: heads)], bias: Tensor.zeros([1, 2, 2]).asVariable())
    }
  }
}
