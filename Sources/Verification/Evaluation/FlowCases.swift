import Checkpoints
import Compute
import Evaluation
import Layers
import Media
import Tensors

/// Cases `network_raft` and `dynamic_degree`.
struct FlowCases {
  let goldens: GoldenSet

  private static let tolerance = Tolerance(absolute: 1e-4, relative: 1e-4)

  private func network() throws -> RAFT { try RAFT(file: "\(goldens.directory)/raft_basic.safetensors") }

  func runNetwork(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    try runUnits(tensors, into: &comparison)
    // A set may hold the operations without the network.
    guard tensors.contains("smooth.pair") else { return }
    let network = try network()
    let video = try goldens.video("smooth")
    let pair = try tensors["smooth.pair"].integers()
    let padding = FramePadding(video.size, multiple: 8)
    comparison.compare(
      "smooth.pad_lrtb", [padding.left, padding.right, padding.top, padding.bottom],
      try tensors["smooth.pad_lrtb"].integers())
    let images = pair.map { padding.image(of: $0, in: video) }
    let features = images.map { network.matchingFeatures(of: $0) }
    for (index, name) in ["smooth.fmap1_ch0_15", "smooth.fmap2_ch0_15"].enumerated() {
      try compare(name, features[index], tensors, into: &comparison)
    }
    let observed = ObservedTensors()
    let flow = network.flow(
      from: images[0], features: features[0], to: features[1], run: RunContext(observer: observed.note))
    let seen = observed.byName
    func shown(_ name: String) throws -> Tensor {
      guard let tensor = seen[name] else { throw golden.failure("compares '\(name)', which the network does not show") }
      return tensor
    }
    let context = try shown("cnet")
    try compare(
      "smooth.cnet_ch0_7_and_128_135",
      Tensor.concatenated([context.sliced(3, 0..<8), context.sliced(3, 128..<136)], axis: 3), tensors,
      into: &comparison)
    try compare("smooth.corr_iter0", try shown("corr.0"), tensors, into: &comparison)
    try compare("smooth.corr_iter1_rows0_3", try shown("corr.1"), tensors, into: &comparison)
    try compare("smooth.net_iter0_ch0_7", try shown("hidden.0"), tensors, into: &comparison)
    let deltas = try (0..<20).map { try shown("delta.\($0)") }
    try compare("smooth.delta_flow_iters", Tensor.concatenated(deltas, axis: 0), tensors, into: &comparison)
    try compare("smooth.flow_low", try shown("flow.low"), tensors, into: &comparison)
    try compare("smooth.flow_up", flow, tensors, into: &comparison)
  }

  /// Lookups, upsampling, warping and resizing by themselves.
  private func runUnits(_ tensors: GoldenTensors, into comparison: inout Comparison) throws {
    let maps = try (tensors["lookup.fmap1"].channelsLast, tensors["lookup.fmap2"].channelsLast)
    let points = try (tensors["lookup.coords_xy"].channelsLast, tensors["lookup.coords2_xy"].channelsLast)
    for (name, pyramid, points) in [
      ("lookup.raft_r4_l4.rows0_3", CorrelationPyramid(maps.0, maps.1, radius: 4), points.0),
      ("lookup.amt_r3_l4.fwd.rows0_3", CorrelationPyramid(maps.0, maps.1, radius: 3), points.0),
      ("lookup.amt_r3_l4.bwd.rows0_3", CorrelationPyramid(maps.1, maps.0, radius: 3), points.1),
    ] {
      try compare(name, pyramid.lookedUp(at: points), tensors, into: &comparison)
    }
    let upsampled = try tensors["upsample.flow"].channelsLast.convexlyUpsampled(
      mask: tensors["upsample.mask"].channelsLast)
    try compare("upsample.out", upsampled, tensors, into: &comparison)
    let warped = try tensors["warp.img"].channelsLast.warped(by: tensors["warp.flow"].channelsLast)
    try compare("warp.out", warped, tensors, into: &comparison)
    let input = try tensors["resize.in"].channelsLast
    for name in tensors.names where name.hasPrefix("resize.x") {
      let shape = try tensors[name].shape
      try compare(name, input.resizedBilinearly(height: shape[2], width: shape[3]), tensors, into: &comparison)
    }
  }

  private func compare(
    _ name: String, _ actual: Tensor, _ tensors: GoldenTensors, into comparison: inout Comparison
  ) throws {
    let expected = try tensors[name]
    comparison.compare(name, actual.recorded(as: expected.shape), expected, Self.tolerance)
  }

  func runMetric(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let metric = DynamicDegree(try network())
    for (name, info) in (golden.info.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let threshold = info["threshold"]?.double, let needed = info["count_num"]?.int,
        let moving = info["moving"]?.bool, let interval = info["interval"]?.int,
        let sampled = info["sampled_frames"]?.int,
        let scores = info["pair_scores"]?.array?.compactMap(\.double)
      else { throw golden.failure("does not describe video '\(name)'") }
      let score = try metric.score(goldens.video(name))
      comparison.compare("\(name).pair_scores", score.pairScores.map(Double.init), scores, Self.tolerance)
      comparison.compare("\(name).threshold", [score.threshold], [threshold], .exact)
      comparison.compare(
        "\(name) counts", [score.interval, score.sampledFrames, score.neededCount, score.isDynamic ? 1 : 0],
        [interval, sampled, needed, moving ? 1 : 0])
    }
  }
}
