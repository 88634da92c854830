import Checkpoints
import Compute
import Layers
import Tensors

/// Optical flow by recurrent all-pairs field transforms, the basic model (Teed & Deng 2020; weights `raft-things.pth`).
///
/// Images are `[1, H, W, 3]`, RGB in 0...255, H and W multiples of 8 and at least 128.
package struct RAFT: Sendable {
  private static let radius = 4

  private let features: ResidualEncoder
  private let context: ResidualEncoder
  private let update: RAFTUpdate

  /// Keys: `fnet.*`, `cnet.*`, `update_block.*`.
  package init(_ scope: ParameterScope) {
    features = ResidualEncoder(scope("fnet"), widths: [64, 96, 128], outputs: 256, .instance, unit: .basic)
    context = ResidualEncoder(
      scope("cnet"), widths: [64, 96, 128], outputs: 2 * RAFTUpdate.width, .batch, unit: .basic)
    update = RAFTUpdate(scope("update_block"), radius: Self.radius)
  }

  /// Loads a weight file: safetensors or PyTorch, with or without the prefix `module.` of the published one.
  package init(file: String) throws {
    let loader = ParameterLoader(UnprefixedSource(try WeightStore(anyFile: file), prefix: "module."))
    self.init(loader.root)
    try loader.finishExactly(ignoring: ResidualEncoder.isUnusedKey)
  }

  /// The least height and width of an image.
  package static let smallestSide = 8 * CorrelationPyramid.smallestSide

  /// Features by which images are matched: `[1, H / 8, W / 8, 256]`. An image's serve for both pairs it is part of.
  package func matchingFeatures(of image: Tensor) -> Tensor { features(Self.normalized(image)) }

  /// The flow from one image to the next, in pixels: where each pixel of the first has gone.
  ///
  /// - Parameters:
  ///   - image: the first image.
  ///   - first, second: matching features of the two images.
  ///   - iterations: steps of refinement; 20 in the benchmark.
  ///   - run: probes `cnet`, `corr.<i>`, `hidden.<i>`, `delta.<i>` and `flow.low`, all `[1, H / 8, W / 8, ...]`.
  /// - Returns: `[1, H, W, 2]`, channels (x, y).
  package func flow(
    from image: Tensor, features first: Tensor, to second: Tensor, iterations: Int = 20, run: RunContext = RunContext()
  ) -> Tensor {
    let pyramid = CorrelationPyramid(first, second, radius: Self.radius)
    let encoded = context(Self.normalized(image))  // [1, H / 8, W / 8, 256]
    run.probe("cnet", encoded)
    let prepared = update.prepared(encoded.sliced(3, RAFTUpdate.width..<2 * RAFTUpdate.width).activated(.relu))
    var hidden = encoded.sliced(3, 0..<RAFTUpdate.width).activated(.tanh)
    var flow = Tensor.zeros([1, encoded.shape[1], encoded.shape[2], 2])
    for step in 0..<iterations {
      let lookup = pyramid.lookedUp(along: flow)
      run.probe("corr.\(step)", lookup)
      let change: Tensor
      (hidden, change) = update(hidden: hidden, prepared, lookup: lookup, flow: flow)
      run.probe("hidden.\(step)", hidden)
      run.probe("delta.\(step)", change)
      flow = flow + change
    }
    run.probe("flow.low", flow)
    return flow.convexlyUpsampled(mask: update.mask(hidden))
  }

  private static func normalized(_ image: Tensor) -> Tensor {
    precondition(
      image.rank == 4 && image.shape[0] == 1 && image.shape[3] == 3 && image.shape[1] % 8 == 0
        && image.shape[2] % 8 == 0,
      "an image \(image.shape)")
    return image.scaled(by: 2 / 255, adding: -1)
  }
}
