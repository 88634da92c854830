import Checkpoints
import Compute
import Evaluation
import Layers
import Media
import Tensors

/// Cases `network_amt` and `motion_smoothness`.
struct InterpolationCases {
  let goldens: GoldenSet

  private static let tolerance = Tolerance(absolute: 5e-5, relative: 1e-5)

  private func network() throws -> AMT { try AMT(file: "\(goldens.directory)/amt_s.safetensors") }

  func runNetwork(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    let video = try goldens.video("smooth")
    let padding = FramePadding(video.size, multiple: 16)
    comparison.compare(
      "smooth.pad_lrtb", [padding.left, padding.right, padding.top, padding.bottom],
      try tensors["smooth.pad_lrtb"].integers())
    let images = try tensors["smooth.pair"].integers().map { padding.image(of: $0, in: video, dividedBy: 255) }
    let observed = ObservedTensors()
    let prediction = try network().middleFrame(
      between: images[0], and: images[1], run: RunContext(observer: observed.note))
    let seen = observed.byName
    for name in tensors.names.sorted() {
      guard let actual = Self.actual(name, prediction, seen) else { continue }
      let expected = try tensors[name]
      comparison.compare(name, actual.recorded(as: expected.shape), expected, Self.tolerance)
    }
  }

  /// What a recorded tensor is called here.
  private static func actual(_ name: String, _ prediction: Tensor, _ seen: [String: Tensor]) -> Tensor? {
    let parts = name.split(separator: ".").map(String.init)
    switch (parts.count > 1 ? parts[1] : "", parts.last ?? "") {
    case ("imgt_pred_padded", _): return prediction
    case ("fmap0_ch0_15", _): return seen["matching"]
    case ("decoder1", let part):
      let (flows, residuals) = (seen["decoder1.flows"], seen["decoder1.residuals"])
      if part.hasPrefix("flow0") { return flows?.sliced(3, 0..<6) }
      if part.hasPrefix("flow1") { return flows?.sliced(3, 6..<12) }
      return part.hasPrefix("mask") ? seen["decoder1.masks"] : residuals
    case (let decoder, let part) where decoder.hasPrefix("decoder"):
      return seen["\(decoder).\(part == "flow0" ? "first" : part == "flow1" ? "second" : "features")"]
    case (let update, let part) where update.hasPrefix("update"):
      let ours =
        ["in_flow": "flow", "delta_flow": "delta.flow"][part] ?? (part.hasPrefix("in_corr") ? "corr" : "delta.features")
      return seen["\(update).\(ours)"]
    case (let part, _) where part.hasPrefix("f0_"):
      return seen["f0.\(part.dropFirst(3).prefix(1))"]
    default: return nil
    }
  }

  func runMetric(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let metric = MotionSmoothness(try network())
    let frames = try SafetensorsReader(path: "\(goldens.directory)/motion_golden.safetensors")
    for (name, info) in (golden.info.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let value = info["score"]?.double, let errors = info["pair_mean_absdiff"]?.array?.compactMap(\.double),
        let scored = info["scored_odd_frames"]?.ints
      else { throw golden.failure("does not describe video '\(name)'") }
      let clip = try goldens.video(name)
      let score = try metric.score(clip)
      comparison.compare("\(name).score", [score.value], [value], Tolerance(absolute: 1e-5))
      comparison.compare("\(name).pair_mean_absdiff", score.errors, errors, Tolerance(absolute: 2e-3))
      comparison.compare("\(name).scored_odd_frames", score.scoredFrames, scored)
      let first = try metric.interpolated(clip, between: 0, and: 2).pixels.map { Int($0) }
      let expected = try frames.tensor(named: "\(name).first_interpolated_u8").integers()
      // Values just at a whole number may be cut to either side of it.
      let apart = zip(first, expected).map { abs($0 - $1) }
      let others = apart.count { $0 > 0 }
      guard first.count == expected.count, apart.allSatisfy({ $0 <= 1 }), others * 200 <= apart.count else {
        comparison.fail("\(name).first_interpolated_u8", "differs in \(others) of \(apart.count) values")
        continue
      }
    }
  }
}
