import Compute
import Encoders
import Evaluation
import Layers
import Tensors

/// The networks behind the metrics, at the size of frames that is chosen.
package struct EvaluationBenchmarks: Sendable {
  private let height: Int
  private let width: Int

  /// Frames of a batch through CLIP.
  private static let clipFrames = 8

  /// - Parameter side: height of the frames, a multiple of 16 from 128 on; they are one and a half times as wide.
  package init(side: Int) {
    precondition(side >= 128 && side % 16 == 0, "frames of height \(side)")
    height = side
    // The networks need multiples of 16.
    width = (side * 3 / 2 + 15) / 16 * 16
  }

  /// One pair of neighbouring frames, of which the first one's features are there already, as in a clip.
  package var flow: Benchmark {
    Benchmark(name: "RAFT", detail: "one pair of \(width)x\(height), 20 iterations", work: .items(1)) {
      let network = RAFT(ParameterLoader(TrainedStatistics()).root)
      let (first, second) = (image("first", scale: 40), image("second", scale: 40))
      let features = network.matchingFeatures(of: first)
      return { _ = network.flow(from: first, features: features, to: network.matchingFeatures(of: second)) }
    }
  }

  /// One frame between two.
  package var interpolation: Benchmark {
    Benchmark(name: "AMT-S", detail: "one frame of \(width)x\(height)", work: .items(1)) {
      let network = AMT(ParameterLoader(TrainedStatistics()).root)
      let (first, second) = (image("first", scale: 0.1), image("second", scale: 0.1))
      return { _ = network.middleFrame(between: first, and: second) }
    }
  }

  /// Frames through the image encoders; their size is CLIP's own.
  package var encoders: [Benchmark] {
    var large = CLIPVisionConfiguration()
    large.transformer = CLIPTransformerShape(width: 1024, headCount: 16, feedForwardSize: 4096, layerCount: 24)
    large.patchSize = 14
    large.projectionSize = 768
    return [("CLIP ViT-B/32", CLIPVisionConfiguration()), ("CLIP ViT-L/14", large)].map { name, configuration in
      Benchmark(
        name: name, detail: "\(Self.clipFrames) frames", work: .items(Double(Self.clipFrames))
      ) {
        let encoder = CLIPVisionEncoder(
          ParameterLoader(RandomSource(seed: 1)).root, configuration, isProjected: true)
        let side = configuration.imageSize
        let frames = Tensor.benchmarkInput([Self.clipFrames, 3, side, side], "frames")
        return { _ = try encoder.embedding(of: frames, context: RunContext()) }
      }
    }
  }

  /// Smooth enough for small flows: noise of little weight around grey.
  private func image(_ name: String, scale: Float) -> Tensor {
    Tensor.benchmarkInput([1, height, width, 3], name).scaled(by: scale, adding: 3 * scale)
  }
}

/// Random weights with statistics of batch norms as training leaves them: variances are positive.
private struct TrainedStatistics: ParameterSource {
  private let random = RandomSource(seed: 1)

  var keys: [String] { random.keys }
  var description: String { random.description }

  func tensor(_ key: String, _ shape: Shape) -> Tensor? {
    if key.hasSuffix("running_var") { return .filled(shape, with: 1) }
    // Plain random weights lead the flow further out with each iteration, where there is nothing to look up.
    let values = random.tensor(key, shape)
    return key.contains("flow_head") ? values?.scaled(by: 0.05) : values
  }
}
