import Synchronization

/// How clearly the better videos of a step's pairs are preferred.
final class PreferenceTally: Sendable {
  private let margins = Mutex<[Double]>([])

  /// - Parameter margin: by how much more the better video's loss fell than the worse one's since the start.
  func note(margin: Double) { margins.withLock { $0.append(margin) } }

  /// Mean margin and the share of pairs with a positive one, since the last call; nothing without pairs.
  func take() -> [String: Double] {
    let found = margins.withLock { margins in
      defer { margins = [] }
      return margins
    }
    guard !found.isEmpty else { return [:] }
    let count = Double(found.count)
    // In one order, whoever noted them first.
    return [
      "preference_accuracy": Double(found.count { $0 > 0 }) / count,
      "preference_margin": found.sorted().reduce(0, +) / count,
    ]
  }
}
