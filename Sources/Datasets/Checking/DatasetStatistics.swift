/// How many videos a data set has, by category and by condition (the paper's Table 6).
package struct DatasetStatistics: Sendable, Encodable, Equatable {
  package struct Category: Sendable, Encodable, Equatable {
    package let name: String
    package fileprivate(set) var conditions: [Condition]

    package var videos: Int { conditions.reduce(0) { $0 + $1.videos } }
  }

  package struct Condition: Sendable, Encodable, Equatable {
    package let name: String
    package fileprivate(set) var videos = 0
    /// Videos by split.
    package fileprivate(set) var splits: [String: Int] = [:]
    package fileprivate(set) var meanScore = 0.0
    /// Of the videos that were decoded.
    package fileprivate(set) var frames = 0
    package fileprivate(set) var seconds = 0.0
  }

  /// Sorted by name.
  package private(set) var categories: [Category]

  /// - Parameter lengths: frames and seconds of each row's video; nil where it was not decoded.
  init(_ manifest: Manifest, lengths: [ClipLength?]) {
    let contents = manifest.contents
    var byCategory: [UInt32: [UInt32: Condition]] = [:]
    for (index, row) in contents.rows.enumerated() {
      var condition = byCategory[row.category]?[row.condition] ?? Condition(name: contents.words[row.condition])
      condition.videos += 1
      condition.splits[contents.words[row.split], default: 0] += 1
      condition.meanScore += Double(row.score)
      if let length = lengths[index] {
        condition.frames += length.frames
        condition.seconds += length.seconds
      }
      byCategory[row.category, default: [:]][row.condition] = condition
    }
    categories = byCategory.map { category, conditions in
      let sorted = conditions.values.sorted { $0.name < $1.name }.map { condition in
        var condition = condition
        condition.meanScore /= Double(condition.videos)
        return condition
      }
      return Category(name: contents.words[category], conditions: sorted)
    }.sorted { $0.name < $1.name }
  }

  package var videos: Int { categories.reduce(0) { $0 + $1.videos } }
  package var conditions: Int { categories.reduce(0) { $0 + $1.conditions.count } }
}

/// Length of a decoded clip.
struct ClipLength: Sendable {
  let frames: Int
  let seconds: Double
}
