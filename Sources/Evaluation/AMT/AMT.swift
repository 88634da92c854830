import Checkpoints
import Compute
import Layers
import Tensors

/// Frame interpolation by all-pairs multi-field transforms, the small model (Li et al. 2023; weights `amt-s.pth`).
///
/// Images are `[1, H, W, 3]`, RGB in 0...1, H and W multiples of 16 and at least 128.
package struct AMT: Sendable {
  private static let radius = 3
  /// Channels of the features at 1/2, 1/4, 1/8 and 1/16 of the image's size.
  private static let widths = [20, 32, 44, 56]
  /// Predictions that the last decoder makes and that are merged.
  static let predictions = 3

  private let matching: ResidualEncoder
  private let pyramid: [(PReLUConv2D, PReLUConv2D)]
  private let initial: AMTInitialDecoder
  private let decoders: [AMTDecoder]
  private let updates: [AMTUpdate]
  private let last: AMTDecoderBody
  private let combination: (PReLUConv2D, Conv2D)

  /// Keys: `feat_encoder.*`, `encoder.pyramid{1...4}.*`, `decoder{4...1}.*`, `update{4,3,2}.*`, `comb_block.*`.
  package init(_ scope: ParameterScope) {
    matching = ResidualEncoder(scope("feat_encoder"), widths: [32, 64, 96], outputs: 84, .instance, unit: .bottleneck)
    var inputs = 3
    pyramid = Self.widths.enumerated().map { index, width in
      let level = scope("encoder")("pyramid\(index + 1)")
      defer { inputs = width }
      return (
        PReLUConv2D(level(0), inputs: inputs, outputs: width, stride: 2),
        PReLUConv2D(level(1), inputs: width, outputs: width)
      )
    }
    let widths = Self.widths
    initial = AMTInitialDecoder(scope("decoder4"), inputs: widths[3], outputs: widths[2])
    decoders = [3, 2].map {
      AMTDecoder(scope("decoder\($0)"), inputs: widths[$0 - 1], outputs: widths[$0 - 2])
    }
    let lookup = 2 * CorrelationPyramid.channels(radius: Self.radius)
    updates = [(4, 1), (3, 2), (2, 4)].map { level, scale in
      AMTUpdate(scope("update\(level)"), channels: widths[level - 2], lookup: lookup, scale: scale)
    }
    last = AMTDecoderBody(
      scope("decoder1"), inputs: 3 * widths[0] + 4, width: 3 * widths[0], outputs: 8 * Self.predictions)
    let combination = scope("comb_block")
    self.combination = (
      PReLUConv2D(combination, inputs: 3 * Self.predictions, outputs: 6 * Self.predictions),
      Conv2D(combination(2), inputs: 6 * Self.predictions, outputs: 3)
    )
  }

  /// Loads a weight file: safetensors, or PyTorch with the weights under `state_dict`.
  package init(file: String) throws {
    let loader = ParameterLoader(UnprefixedSource(try WeightStore(anyFile: file), prefix: "module."))
    self.init(loader.root)
    try loader.finishExactly()
  }

  /// The least height and width of an image.
  package static let smallestSide = 8 * CorrelationPyramid.smallestSide

  /// The frame in the middle of two: `[1, H, W, 3]` in 0...1.
  ///
  /// - Parameter run: probes the features `f0.<level>` of the first image, `matching`, `decoder<level>.first`, `.second`
  ///   and `.features`, and for the updates `update<level>.corr`, `.flow`, `.delta.flow` and `.delta.features`.
  package func middleFrame(between image: Tensor, and next: Tensor, run: RunContext = RunContext()) -> Tensor {
    precondition(
      image.shape == next.shape && image.shape[1] % 16 == 0 && image.shape[2] % 16 == 0 && image.shape[3] == 3,
      "images \(image.shape) and \(next.shape)")
    let mean = Float((image.doubles().reduce(0, +) + next.doubles().reduce(0, +)) / Double(2 * image.count))
    let (first, second) = (image.scaled(by: 1, adding: -mean), next.scaled(by: 1, adding: -mean))
    let features = matching(first)
    run.probe("matching", features)
    let correlations = AMTCorrelations(features, matching(second), radius: Self.radius)
    let (from, to) = (levels(of: first), levels(of: second))
    for (index, features) in from.enumerated() { run.probe("f0.\(index + 1)", features) }

    var state = initial(from[3], to[3], time: 0.5)
    for (index, update) in updates.enumerated() {
      let level = 4 - index
      if index > 0 { state = decoders[index - 1](state, from[level - 1], to[level - 1]) }
      run.probe("decoder\(level).first", state.first)
      run.probe("decoder\(level).second", state.second)
      run.probe("decoder\(level).features", state.features)
      let (lookup, flows) = correlations.lookedUp(state)
      let change = update(features: state.features, flows: flows, lookup: lookup)
      run.probe("update\(level).corr", lookup)
      run.probe("update\(level).flow", flows)
      run.probe("update\(level).delta.flow", change.flows)
      run.probe("update\(level).delta.features", change.features)
      state = AMTState(
        first: state.first + change.flows.sliced(3, 0..<2), second: state.second + change.flows.sliced(3, 2..<4),
        features: state.features + change.features)
    }
    return merged(state, from[0], to[0], first, second, mean: mean, run)
  }

  private func levels(of image: Tensor) -> [Tensor] {
    var result: [Tensor] = []
    for level in pyramid { result.append(level.1(level.0(result.last ?? image))) }
    return result
  }

  /// The last decoder's predictions, merged: their mean and a learned correction.
  private func merged(
    _ state: AMTState, _ from: Tensor, _ to: Tensor, _ first: Tensor, _ second: Tensor, mean: Float, _ run: RunContext
  ) -> Tensor {
    let fields = last(state.joined(from, to))  // [1, H, W, 24]: flow changes 6 | 6, masks 3, residual images 9
    let count = Self.predictions
    let (left, right) = (state.first.doubledFlow(), state.second.doubledFlow())
    let flows = Tensor.concatenated(
      [
        fields.sliced(3, 0..<2 * count) + Tensor.concatenated(Array(repeating: left, count: count), axis: 3),
        fields.sliced(3, 2 * count..<4 * count) + Tensor.concatenated(Array(repeating: right, count: count), axis: 3),
      ], axis: 3)
    let masks = fields.sliced(3, 4 * count..<5 * count).activated(.sigmoid)
    let residuals = fields.sliced(3, 5 * count..<8 * count)
    run.probe("decoder1.flows", flows)
    run.probe("decoder1.masks", masks)
    run.probe("decoder1.residuals", residuals)
    let images = (0..<count).map { index in
      let mask = masks.sliced(3, index..<index + 1)
      let share = Tensor.concatenated([mask, mask, mask], axis: 3)
      let (near, far) = (
        first.warped(by: flows, from: 2 * index), second.warped(by: flows, from: 2 * count + 2 * index)
      )
      return (far + share * (near - far)).scaled(by: 1, adding: mean) + residuals.sliced(3, 3 * index..<3 * index + 3)
    }
    let correction = combination.1(combination.0(Tensor.concatenated(images, axis: 3)))
    let sum = images.dropFirst().reduce(images[0]) { $0 + $1 }
    return Tensor.combined(sum, 1 / Float(count), correction, 1).clamped(to: 0...1)
  }
}

/// Correlations of two images in both directions.
private struct AMTCorrelations {
  private let forward: CorrelationPyramid
  private let backward: CorrelationPyramid
  private let height: Int
  private let width: Int

  init(_ first: Tensor, _ second: Tensor, radius: Int) {
    forward = CorrelationPyramid(first, second, radius: radius)
    backward = CorrelationPyramid(second, first, radius: radius)
    (height, width) = (first.shape[1], first.shape[2])
  }

  /// Correlations where the flows lead, and the flows at the resolution of the correlations.
  ///
  /// The flows start from the middle frame, so all the way from one image to the other is twice as far.
  func lookedUp(_ state: AMTState) -> (lookup: Tensor, flows: Tensor) {
    let scale = state.first.shape[1] / height
    func coarse(_ flow: Tensor) -> Tensor {
      scale == 1 ? flow : flow.resizedBilinearly(height: height, width: width, times: 1 / Float(scale))
    }
    let (first, second) = (coarse(state.first), coarse(state.second))
    let lookup = [forward.lookedUp(along: second, times: 2), backward.lookedUp(along: first, times: 2)]
    return (Tensor.concatenated(lookup, axis: 3), Tensor.concatenated([first, second], axis: 3))
  }
}
