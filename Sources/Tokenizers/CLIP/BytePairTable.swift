import Runtime

/// A vocabulary of byte-pair encoding: the bytes, the bytes that end a word, and what joining pairs of tokens makes.
struct BytePairTable: Sendable {
  /// The most merges a table may have; the published one uses 48,894.
  static let mostMerges = 1_000_000

  private struct Pair: Hashable {
    let first: Int32
    let second: Int32
  }

  private struct Merge {
    let rank: Int32
    let result: Int32
  }

  /// Ids of single bytes, and of bytes at the end of a word.
  private let byteIDs: [Int32]
  private let merges: [Pair: Merge]
  private let ids: [String: Int32]
  /// Ids below this are tokens of text.
  let count: Int

  /// - Parameters:
  ///   - lines: `first second`, in order of their rank.
  ///   - firstLine: what the first of them is called in messages.
  init(lines: [Substring], path: String, firstLine: Int) throws(TokenizerError) {
    let letters = Self.byteLetters
    // Printable bytes come first in the vocabulary, the others after them: not in the order of their values.
    let order = Self.printableBytes + (0...255).filter { !Self.printableBytes.contains($0) }
    let alphabet = order.map { String(letters[$0]) }
    var ids: [String: Int32] = [:]
    for (id, token) in (alphabet + alphabet.map { $0 + Self.wordEnd }).enumerated() { ids[token] = Int32(id) }
    byteIDs = letters.map { ids[String($0)] ?? 0 }
    var pairs: [(first: String, second: String)] = []
    pairs.reserveCapacity(lines.count)
    for (index, line) in lines.enumerated() {
      let parts = line.split(separator: " ")
      guard parts.count == 2 else {
        throw .malformedTable(path: path, line: firstLine + index, why: "'\(line)' is not a pair")
      }
      pairs.append((String(parts[0]), String(parts[1])))
    }
    // A token that two pairs make has the id of the later one, so all ids must be known before pairs refer to them.
    for (index, pair) in pairs.enumerated() { ids[pair.first + pair.second] = Int32(2 * alphabet.count + index) }
    var merges: [Pair: Merge] = [:]
    merges.reserveCapacity(pairs.count)
    for (rank, pair) in pairs.enumerated() {
      guard let first = ids[pair.first], let second = ids[pair.second], let result = ids[pair.first + pair.second]
      else {
        throw .malformedTable(path: path, line: firstLine + rank, why: "'\(lines[rank])' joins unknown tokens")
      }
      merges[Pair(first: first, second: second)] = Merge(rank: Int32(rank), result: result)
    }
    self.merges = merges
    self.ids = ids
    count = 2 * alphabet.count + pairs.count
  }

  static let wordEnd = "</w>"

  /// ! to ~, and the letters of Latin-1: bytes that stand for themselves.
  private static let printableBytes = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)

  /// How each byte is written in the table: itself if it is printable, else a letter from U+0100 on.
  private static let byteLetters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      if printableBytes.contains(byte) { return Unicode.Scalar(UInt8(byte)) }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? " "
    }
  }()

  /// The tokens of a word.
  ///
  /// Pairs are joined by rank, all of one rank from left to right; a queue by rank and place makes that quick for words
  /// of any length.
  func ids(ofWord word: String) -> [Int32] {
    var tokens = word.utf8.map { byteIDs[Int($0)] }
    guard let last = tokens.indices.last else { return [] }
    tokens[last] += Int32(Self.byteLetters.count)
    // Neighbours of tokens that are left; a token joined to its left neighbour is gone.
    var next = tokens.indices.map { $0 + 1 }
    var previous = tokens.indices.map { $0 - 1 }
    var isGone = [Bool](repeating: false, count: tokens.count)
    var queue = RankQueue()
    func merge(at place: Int) -> Merge? {
      guard next[place] < tokens.count else { return nil }
      return merges[Pair(first: tokens[place], second: tokens[next[place]])]
    }
    for place in tokens.indices { if let merge = merge(at: place) { queue.add(rank: merge.rank, place: place) } }
    while let rank = queue.first?.rank {
      var changed: [Int] = []
      while let entry = queue.first, entry.rank == rank {
        queue.removeFirst()
        guard !isGone[entry.place], let found = merge(at: entry.place), found.rank == rank else { continue }
        let second = next[entry.place]
        tokens[entry.place] = found.result
        isGone[second] = true
        next[entry.place] = next[second]
        if next[second] < tokens.count { previous[next[second]] = entry.place }
        changed.append(entry.place)
      }
      // Only now: pairs of a lower rank that have come up must wait for the others of this rank.
      for place in changed where !isGone[place] {
        if let merge = merge(at: place) { queue.add(rank: merge.rank, place: place) }
        let before = previous[place]
        if before >= 0, let merge = merge(at: before) { queue.add(rank: merge.rank, place: before) }
      }
    }
    return tokens.indices.filter { !isGone[$0] }.map { tokens[$0] }
  }

  /// The id of a whole token.
  func id(of token: String) -> Int32? { ids[token] }
}

/// Pairs that can be joined, the lowest rank first and of that the leftmost: a binary heap.
private struct RankQueue {
  struct Entry {
    let rank: Int32
    let place: Int

    static func < (a: Entry, b: Entry) -> Bool { (a.rank, a.place) < (b.rank, b.place) }
  }

  private var entries: [Entry] = []

  var first: Entry? { entries.first }

  mutating func add(rank: Int32, place: Int) {
    var index = entries.count
    let entry = Entry(rank: rank, place: place)
    entries.append(entry)
    while index > 0, entry < entries[(index - 1) / 2] {
      entries[index] = entries[(index - 1) / 2]
      index = (index - 1) / 2
    }
    entries[index] = entry
  }

  mutating func removeFirst() {
    guard let entry = entries.popLast(), !entries.isEmpty else { return }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < entries.count else { break }
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      guard entries[child] < entry else { break }
      entries[index] = entries[child]
      index = child
    }
    entries[index] = entry
  }
}
