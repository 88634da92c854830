/// How far two judges agree on the order of samples.
package enum RankCorrelation {
  /// Spearman's coefficient: Pearson's correlation of ranks, where equal scores share the mean of their ranks.
  ///
  /// - Returns: -1 (opposite orders) to 1 (the same order); nil for fewer than two samples, or if a judge gives all the
  ///   same score.
  package static func spearman(_ first: [Double], _ second: [Double]) -> Double? {
    Correlation.pearson(ranks(first), ranks(second))
  }

  /// Ranks from 1 on, lowest score first.
  static func ranks(_ scores: [Double]) -> [Double] {
    let order = scores.indices.sorted { scores[$0] < scores[$1] }
    var ranks = [Double](repeating: 0, count: scores.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, scores[order[end]] == scores[order[start]] { end += 1 }
      for place in start..<end { ranks[order[place]] = Double(start + 1 + end) / 2 }
      start = end
    }
    return ranks
  }
}
