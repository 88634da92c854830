import Compute

/// The rows of a manifest that can be trained on, and the references of each.
package struct PairPool: Sendable {
  package let manifest: Manifest
  /// Rows of the manifest that are targets, each once.
  let targets: [Int]
  /// Why other rows were left out.
  package let exclusions: Exclusions
  private let conditionRows: [UInt32: [Int]]
  private let isAlive: [Bool]
  /// References by row, where the listed ones are replaced.
  private let substitutes: [Int: Int]

  /// Rows that are not trained on, by the first rule that each of them breaks.
  package struct Exclusions: Sendable, Equatable {
    package var otherCondition = 0
    package var otherSplit = 0
    package var invalid = 0
    package var lowScore = 0
    /// The only video of its condition.
    package var withoutReference = 0
    /// Cut off by `rowMultiple` and `rowLimit`.
    package var overLimit = 0

    var explanation: String {
      [
        (otherCondition, "of another condition"), (otherSplit, "of a split other than '\(PairingRules.split)'"),
        (invalid, "marked as not valid"), (lowScore, "whose score is too low"),
        (withoutReference, "without any other video of their condition"), (overLimit, "over the limit of rows"),
      ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
  }

  /// Throws `DatasetFailure` if the rules contradict themselves or leave no row.
  package init(_ manifest: Manifest, _ rules: PairingRules) throws(DatasetFailure) {
    try rules.validate()
    let contents = manifest.contents
    var exclusions = Exclusions()
    var isAlive = [Bool](repeating: false, count: contents.rows.count)
    var conditionRows: [UInt32: [Int]] = [:]
    for (index, row) in contents.rows.enumerated() {
      if let condition = rules.condition, contents.words[row.condition] != condition {
        exclusions.otherCondition += 1
      } else if contents.words[row.split] != PairingRules.split {
        exclusions.otherSplit += 1
      } else if !row.isValid {
        exclusions.invalid += 1
      } else if Double(row.score) <= rules.scoreThreshold {
        exclusions.lowScore += 1
      } else {
        isAlive[index] = true
        conditionRows[row.condition, default: []].append(index)
      }
    }
    var targets: [Int] = []
    var substitutes: [Int: Int] = [:]
    for index in contents.rows.indices where isAlive[index] {
      let row = contents.rows[index]
      let hasListed = contents.references(of: index).contains { video in
        video != row.video && contents.row(ofVideo: video).map { isAlive[$0] } ?? false
      }
      if !hasListed {
        let pool = conditionRows[row.condition] ?? []
        guard pool.count > 1 else {
          exclusions.withoutReference += 1
          continue
        }
        if !rules.redrawsSubstitutes {
          var generator = SampleStream.substitute(row: index).generator(seed: rules.seed)
          substitutes[index] = Self.other(than: index, in: pool, place: generator.drawIndex(below: pool.count - 1))
        }
      }
      targets.append(index)
    }
    var count = targets.count - targets.count % rules.rowMultiple
    if let limit = rules.rowLimit { count = min(count, limit) }
    if count < targets.count {
      exclusions.overLimit = targets.count - count
      let order = KeyedPermutation(
        count: targets.count, seed: SampleStream.key(rules.seed), stream: SampleStream.rowChoice)
      targets = (0..<count).map { targets[order[$0]] }.sorted()
    }
    guard !targets.isEmpty else {
      throw .nothingLeft(path: manifest.path, reasons: exclusions.explanation)
    }
    self.manifest = manifest
    self.targets = targets
    self.exclusions = exclusions
    self.conditionRows = conditionRows
    self.isAlive = isAlive
    self.substitutes = substitutes
  }

  /// Targets of an epoch.
  package var count: Int { targets.count }

  /// Every row that can be drawn, as target or reference.
  package var rows: [Int] { isAlive.indices.filter { isAlive[$0] } }

  /// Rows that may be the references of a target, never itself, each once.
  func references(of target: Int) -> Candidates {
    if let substitute = substitutes[target] { return .listed([substitute]) }
    let contents = manifest.contents
    var listed: [Int] = []
    var seen: Set = [target]
    for video in contents.references(of: target) {
      guard let row = contents.row(ofVideo: video), isAlive[row], seen.insert(row).inserted else { continue }
      listed.append(row)
    }
    if !listed.isEmpty { return .listed(listed) }
    return .others(of: target, in: conditionRows[contents.rows[target].condition] ?? [])
  }

  /// Rows to draw from.
  enum Candidates {
    case listed([Int])
    /// Rows in ascending order, of which one is left out.
    case others(of: Int, in: [Int])

    var count: Int {
      switch self {
      case .listed(let rows): rows.count
      case .others(_, let pool): max(0, pool.count - 1)
      }
    }

    subscript(place: Int) -> Int {
      switch self {
      case .listed(let rows): rows[place]
      case .others(let row, let pool): PairPool.other(than: row, in: pool, place: place)
      }
    }
  }

  /// The row at a place of an ascending pool from which `row` is taken out.
  private static func other(than row: Int, in pool: [Int], place: Int) -> Int {
    pool[place] < row ? pool[place] : pool[place + 1]
  }
}

/// The streams of random numbers that pairing draws from; each sample has its own.
enum SampleStream {
  case epoch(Int)
  case sample(index: Int, attempt: Int)
  case substitute(row: Int)

  static let rowChoice: UInt64 = 3 << 62

  /// - Parameter seed: of the run; mixed with a constant, since noise is drawn from the same one.
  func generator(seed: UInt64) -> RandomGenerator {
    let stream: UInt64 =
      switch self {
      case .epoch(let epoch): 1 << 62 | UInt64(epoch)
      // A sample draws from far fewer than 256 streams, one for each number.
      case .sample(let index, let attempt): UInt64(index) << 20 | UInt64(min(attempt, 4095)) << 8
      case .substitute(let row): 1 << 63 | UInt64(row)
      }
    return RandomGenerator(seed: Self.key(seed), nextStream: stream)
  }

  var number: UInt64 { generator(seed: 0).nextStream }

  static func key(_ seed: UInt64) -> UInt64 { seed ^ 0x5641_502D_4461_7461 }
}
