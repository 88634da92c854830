/// How trained parameters are put together for their way to other ranks, and which rank keeps the state of which.
///
/// Alike on all ranks: it follows from the parameters' sizes alone.
struct GradientBuckets: Sendable, Equatable {
  struct Bucket: Sendable, Equatable {
    /// Places in the list of parameters, by the rank that keeps their state.
    let parameters: [Int]
    /// Where the elements of each lie in the bucket.
    let places: [Range<Int>]
    /// Where the elements lie whose state a rank keeps, by rank.
    let regions: [Range<Int>]

    /// Elements of the bucket.
    var count: Int { places.last?.upperBound ?? 0 }
  }

  /// In the order in which a backward pass completes gradients: the last parameters first.
  let buckets: [Bucket]
  /// The bucket of each parameter.
  let bucketOfParameter: [Int]
  /// The rank that keeps each parameter's state.
  let owners: [Int]

  /// - Parameters:
  ///   - counts: elements of each parameter.
  ///   - limit: elements of a bucket; a larger parameter has one of its own.
  init(counts: [Int], ranks: Int, limit: Int) {
    owners = Self.owners(counts, ranks)
    var groups: [[Int]] = []
    var count = 0
    for parameter in counts.indices.reversed() {
      if groups.isEmpty || count + counts[parameter] > limit {
        groups.append([])
        count = 0
      }
      groups[groups.count - 1].append(parameter)
      count += counts[parameter]
    }
    let owners = owners
    buckets = groups.map { group in
      let parameters = group.sorted { (owners[$0], $0) < (owners[$1], $1) }
      var places: [Range<Int>] = []
      for parameter in parameters {
        let start = places.last?.upperBound ?? 0
        places.append(start..<start + counts[parameter])
      }
      var start = 0
      let regions = (0..<ranks).map { rank in
        let end = start + parameters.reduce(0) { $0 + (owners[$1] == rank ? counts[$1] : 0) }
        defer { start = end }
        return start..<end
      }
      return Bucket(parameters: parameters, places: places, regions: regions)
    }
    var bucketOfParameter = Array(repeating: 0, count: counts.count)
    for (index, group) in groups.enumerated() {
      for parameter in group { bucketOfParameter[parameter] = index }
    }
    self.bucketOfParameter = bucketOfParameter
  }

  /// Gives each parameter, the largest first, to the rank that has least so far.
  private static func owners(_ counts: [Int], _ ranks: Int) -> [Int] {
    var loads = Array(repeating: 0, count: ranks)
    var owners = Array(repeating: 0, count: counts.count)
    for parameter in counts.indices.sorted(by: { (counts[$0], $1) > (counts[$1], $0) }) {
      let owner = loads.indices.min { (loads[$0], $0) < (loads[$1], $1) } ?? 0
      owners[parameter] = owner
      loads[owner] += counts[parameter]
    }
    return owners
  }

  /// Cuts `count` elements into a slice for each rank, as even as can be.
  static func slices(of count: Int, _ ranks: Int) -> [Range<Int>] {
    (0..<ranks).map { count * $0 / ranks..<count * ($0 + 1) / ranks }
  }
}
