import Foundation
import Runtime

/// What every step of a run did, small enough to be kept in memory for the curves of its report.
struct RunHistory: Sendable {
  /// A step without an update.
  struct Skipped: Sendable, Equatable {
    let step: Int
    let reason: String
  }

  private(set) var steps: [Int32] = []
  private(set) var losses: [Float] = []
  private(set) var learningRates: [Float] = []
  /// NaN where there was none.
  private(set) var gradientNorms: [Float] = []
  /// What else the steps tell, by name, each with the steps that do.
  private(set) var measures: [String: [(step: Int32, value: Float)]] = [:]
  /// The first ones; all are counted.
  private(set) var skipped: [Skipped] = []
  private(set) var skippedCount = 0
  /// Lines of the log that are no records.
  private(set) var unreadableLines = 0

  private static let keptSkipped = 100

  init() {}

  /// Reads a run's log.
  init(log path: String) throws {
    let file = try RegularFile(path: path)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = RunLog.decoding
    var line = Data()
    try file.forEachChunk(of: 0..<file.size) { chunk in
      for byte in chunk {
        guard byte == UInt8(ascii: "\n") else {
          line.append(byte)
          continue
        }
        if let record = try? decoder.decode(StepRecord.self, from: line) {
          append(record)
        } else {
          unreadableLines += 1
        }
        line.removeAll(keepingCapacity: true)
      }
    }
  }

  mutating func append(_ record: StepRecord) {
    steps.append(Int32(clamping: record.step))
    losses.append(Float(record.loss))
    learningRates.append(Float(record.learningRate))
    gradientNorms.append(record.gradientNorm.map { Float($0) } ?? .nan)
    for (name, value) in record.measures ?? [:] where value.isFinite {
      measures[name, default: []].append((steps[steps.count - 1], Float(value)))
    }
    guard let reason = record.skipped else { return }
    skippedCount += 1
    if skipped.count < Self.keptSkipped { skipped.append(Skipped(step: record.step, reason: reason)) }
  }

  // MARK: - Curves

  /// More points than a plot has pixels show nothing.
  private static let buckets = 300

  /// The lowest and the highest value of each short stretch, in their order: spikes stay visible.
  func curve(_ values: KeyPath<RunHistory, [Float]>) -> [(x: Double, y: Double)] {
    let values = self[keyPath: values]
    return stretches.flatMap { range in
      let finite = range.filter { values[$0].isFinite }
      guard let low = finite.min(by: { values[$0] < values[$1] }),
        let high = finite.max(by: { values[$0] < values[$1] })
      else { return [(x: Double, y: Double)]() }
      return Set([low, high]).sorted().map { (Double(steps[$0]), Double(values[$0])) }
    }
  }

  /// The losses smoothed as `TrainingProgress` smooths them, one value for each short stretch.
  var smoothedLosses: [(x: Double, y: Double)] {
    var smoothed: Double?
    return stretches.compactMap { range in
      for index in range where losses[index].isFinite {
        smoothed = TrainingProgress.smoothed(smoothed, Double(losses[index]))
      }
      return smoothed.map { (Double(steps[range.upperBound - 1]), $0) }
    }
  }

  /// A measure smoothed in the same way.
  func smoothedMeasure(_ name: String) -> [(x: Double, y: Double)] {
    let values = measures[name] ?? []
    var smoothed: Double?
    return Self.stretches(of: values.count).compactMap { range in
      for index in range { smoothed = TrainingProgress.smoothed(smoothed, Double(values[index].value)) }
      return smoothed.map { (Double(values[range.upperBound - 1].step), $0) }
    }
  }

  private var stretches: [Range<Int>] { Self.stretches(of: steps.count) }

  private static func stretches(of total: Int) -> [Range<Int>] {
    let count = min(total, buckets)
    return (0..<count).map { $0 * total / count..<($0 + 1) * total / count }
  }
}
