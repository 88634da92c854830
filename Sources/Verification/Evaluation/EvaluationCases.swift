import Checkpoints
import Compute
import Foundation
import Media
import Tensors

/// The cases of the evaluation set: metrics as recorded in `cases.json`, and the networks below them.
enum EvaluationCases {
  /// Cases that `cases.json` does not list, and the files that they are recorded in.
  static let unlisted = [
    "loader": "loader/loader_cases.json", "network_amt": "amt_golden.safetensors",
    "network_clip_b32": "clip_b32_golden.safetensors",
    "network_clip_l14": "clip_l14_golden.safetensors", "network_raft": "raft_golden.safetensors",
    "preprocess": "preprocess_golden.safetensors",
  ]
}

extension CaseRunner {
  static func evaluation(_ goldens: GoldenSet) -> [CaseRunner] {
    let (flow, interpolation) = (FlowCases(goldens: goldens), InterpolationCases(goldens: goldens))
    let clip = CLIPCases(goldens: goldens)
    return [
      CaseRunner("tokenizer", TokenizerCases(goldens: goldens).run),
      CaseRunner("loader", LoaderCases(goldens: goldens).run),
      CaseRunner("logic", LogicCases().run),
      CaseRunner("preprocess", clip.runPreprocessing),
      CaseRunner("network_clip_b32") { try clip.runNetwork($0, ["clip_b32_tiny", "clip_b32_tiny_hf"], into: &$1) },
      CaseRunner("network_clip_l14") { try clip.runNetwork($0, ["clip_l14_tiny"], into: &$1) },
      CaseRunner("clip_score", clip.runScore),
      CaseRunner("aesthetic_quality", clip.runAesthetics),
      CaseRunner("network_raft", flow.runNetwork),
      CaseRunner("dynamic_degree", flow.runMetric),
      CaseRunner("network_amt", interpolation.runNetwork),
      CaseRunner("motion_smoothness", interpolation.runMetric),
    ]
  }
}

extension GoldenSet {
  func contains(_ file: String) -> Bool { FileManager.default.fileExists(atPath: "\(directory)/\(file)") }

  /// The recorded videos of the evaluation set.
  var videoNames: [String] { (document["videos"]?.object ?? [:]).keys.sorted() }

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
