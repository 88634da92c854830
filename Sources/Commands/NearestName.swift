/// What was probably meant by a name that is not known.
enum NearestName {
  /// The known name that takes the fewest changed, missing or additional letters to reach; nil where all take many.
  static func among(_ known: [String], to name: String) -> String? {
    // Longer than any name there is.
    guard name.utf8.count <= 64 else { return nil }
    let limit = max(1, name.utf8.count / 3)
    let distances = known.sorted().map { (name: $0, distance: distance(from: name, to: $0)) }
    guard let nearest = distances.min(by: { $0.distance < $1.distance }), nearest.distance <= limit else { return nil }
    return nearest.name
  }

  /// The edit distance of Levenshtein.
  private static func distance(from first: String, to second: String) -> Int {
    let second = Array(second.utf8)
    var row = Array(0...second.count)
    for (index, letter) in first.utf8.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for place in second.indices {
        let changed = diagonal + (letter == second[place] ? 0 : 1)
        diagonal = row[place + 1]
        row[place + 1] = min(changed, diagonal + 1, row[place] + 1)
      }
    }
    return row[second.count]
  }
}
