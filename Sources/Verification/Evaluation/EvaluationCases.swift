import Checkpoints
import Compute
import Media
import Tensors

/// The cases of the evaluation set: metrics as recorded in `cases.json`, and the networks below them.
enum EvaluationCases {
  /// Cases that `cases.json` does not list, and their tensors where they have some.
  static let unlisted: [String: String?] = [
    "loader": nil, "network_amt": "amt_golden.safetensors", "network_raft": "raft_golden.safetensors",
  ]
}

extension CaseRunner {
  static func evaluation(_ goldens: GoldenSet) -> [CaseRunner] {
    let (flow, interpolation) = (FlowCases(goldens: goldens), InterpolationCases(goldens: goldens))
    return [
      CaseRunner("tokenizer", TokenizerCases(goldens: goldens).run),
      CaseRunner("loader", LoaderCases(goldens: goldens).run),
      CaseRunner("logic", LogicCases().run),
      CaseRunner("network_raft", flow.runNetwork),
      CaseRunner("dynamic_degree", flow.runMetric),
      CaseRunner("network_amt", interpolation.runNetwork),
      CaseRunner("motion_smoothness", interpolation.runMetric),
    ]
  }
}

extension GoldenSet {
  /// A recorded video of the evaluation set, at its frame rate.
  func video(_ name: String) throws -> VideoClip {
    let reader = try SafetensorsReader(path: "\(directory)/videos.safetensors")
    var clip = try VideoClip(bytes: reader.tensor(named: name))
    guard let value = document["videos"]?[name]?["fps"]?.double, let rate = FrameRate(value) else {
      throw GoldenFailure(path: "\(directory)/cases.json", problem: "does not say the frame rate of video '\(name)'")
    }
    clip.frameRate = rate
    return clip
  }
}

extension Tensor {
  /// `[B, H, W, C]` as `[B, C, H, W]`, cut to the first places of each axis that a recording kept.
  func recorded(as shape: Shape) -> Tensor {
    guard rank == 4, shape.rank == 4 else { return self }
    return zip(0..., shape.extents).reduce(permuted(0, 3, 1, 2)) { tensor, axis in
      axis.1 < tensor.shape[axis.0] ? tensor.sliced(axis.0, 0..<axis.1) : tensor
    }
  }

  /// `[B, C, H, W]` as `[B, H, W, C]`.
  var channelsLast: Tensor { permuted(0, 2, 3, 1).dense() }
}
