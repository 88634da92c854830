import Checkpoints
import Evaluation
import Media

/// Case `logic`: the arithmetic around the networks.
struct LogicCases {
  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    /// The rows of a table of numbers: the last value of each is what the others lead to.
    func rows(_ name: String) throws -> [(inputs: [Double], expected: JSONValue)] {
      guard let rows = golden.info[name]?.array?.compactMap(\.array), !rows.isEmpty else {
        throw golden.failure("has no table '\(name)'")
      }
      return rows.compactMap { row in row.last.map { (row.dropLast().compactMap(\.double), $0) } }
    }
    func size(_ inputs: [Double]) -> FrameSize { FrameSize(width: Int(inputs[1]), height: Int(inputs[0])) }

    for (inputs, expected) in try rows("interval_by_fps") {
      comparison.compare(
        "interval at \(inputs)", [DynamicDegree.interval(frameRate: inputs[0])], [expected.int].compactMap { $0 })
    }
    for (inputs, expected) in try rows("count_num_by_sampled_frames") {
      comparison.compare(
        "count of \(inputs)", [DynamicDegree.neededCount(sampledFrames: Int(inputs[0]))],
        [expected.int].compactMap { $0 })
    }
    for (inputs, expected) in try rows("threshold_by_h_w") {
      comparison.compare(
        "threshold of \(inputs)", [DynamicDegree.threshold(size(inputs))], [expected.double].compactMap { $0 }, .exact)
    }
    for (inputs, expected) in try rows("top5_cut_index") {
      comparison.compare(
        "fastest of \(inputs)", [DynamicDegree.fastestCount(size(inputs))], [expected.int].compactMap { $0 })
    }
    for (name, multiple) in [("raft_pad_lrtb", 8), ("amt_pad_lrtb", 16)] {
      for (inputs, expected) in try rows(name) {
        let padding = FramePadding(size(inputs), multiple: multiple)
        comparison.compare(
          "\(name) of \(inputs)", [padding.left, padding.right, padding.top, padding.bottom], expected.ints ?? [])
      }
    }
    for (index, item) in (golden.info["check_move"]?.array ?? []).enumerated() {
      guard let scores = item["scores"]?.array?.compactMap(\.double), let threshold = item["threshold"]?.double,
        let count = item["count_num"]?.int, let moving = item["moving"]?.bool
      else { throw golden.failure("has a bad check_move") }
      let moves = DynamicDegree.moves(scores, threshold: threshold, neededCount: count)
      comparison.compare("check_move \(index)", [moves ? 1 : 0], [moving ? 1 : 0])
    }
    for item in golden.info["clip_resize_crop"]?.array ?? [] {
      let numbers = ["h", "w", "resized_h", "resized_w", "crop_top", "crop_left"].compactMap { item[$0]?.int }
      guard numbers.count == 6 else { throw golden.failure("has a bad clip_resize_crop") }
      let crop = CLIPCrop(FrameSize(width: numbers[1], height: numbers[0]), side: 224)
      comparison.compare(
        "crop of \(numbers[1])x\(numbers[0])", [crop.resized.height, crop.resized.width, crop.top, crop.left],
        Array(numbers[2...]))
    }
  }
}
