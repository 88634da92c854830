import Checkpoints
import Runtime

/// Which blocks of a transformer carry an expert.
///
/// Names count blocks from 1, as the paper's Table 7 does: the odd ones of 42 are 1, 3, ..., 41, which a `config.json` lists
/// as 0, 2, ..., 40. Numbers count from 0, as `config.json` does.
package enum ExpertLayers: Sendable, Equatable {
  case named(Name)
  case listed([Int])

  package enum Name: String, Sendable, CaseIterable {
    case all
    case odd
    case even
    case firstHalf = "first-half"
    /// The odd ones of the first half.
    case oddFirstHalf = "odd-first-half"
    case firstAndLast = "first-last"
    /// 1, 5, 9, ...: the published distribution for Wan.
    case everyFourth = "every-4th"
  }

  /// Indices of the blocks, counted from 0, in a transformer of `layerCount` blocks.
  package func indices(of layerCount: Int) -> [Int] {
    let half = (layerCount + 1) / 2
    switch self {
    case .listed(let indices): return indices
    case .named(.all): return Array(0..<layerCount)
    case .named(.odd): return Array(stride(from: 0, to: layerCount, by: 2))
    case .named(.even): return Array(stride(from: 1, to: layerCount, by: 2))
    case .named(.firstHalf): return Array(0..<half)
    case .named(.oddFirstHalf): return Array(stride(from: 0, to: half, by: 2))
    case .named(.firstAndLast): return layerCount > 1 ? [0, layerCount - 1] : [0]
    case .named(.everyFourth): return Array(stride(from: 0, to: layerCount, by: 4))
    }
  }
}

extension ExpertLayers: Decodable {
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let indices = try? value.decode([Int].self) {
      self = .listed(indices)
      return
    }
    let text = (try? value.decode(String.self)) ?? ""
    guard let name = Name(rawValue: text) else {
      let names = Name.allCases.map(\.rawValue).joined(separator: ", ")
      throw InvalidField(
        TrainingPlan.Key.layers.rawValue, "must be one of \(names), or a list of block numbers from 0, as in [0, 2]")
    }
    self = .named(name)
  }
}
