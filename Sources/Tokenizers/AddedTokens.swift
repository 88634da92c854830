import Foundation

/// A token that is cut out of the text before the rest is split into pieces.
package struct AddedToken: Sendable, Equatable {
  package let content: String
  package var id: Int32
  /// White space before the token belongs to it.
  package var stripsLeft = false
  /// White space after the token belongs to it.
  package var stripsRight = false
  /// The token counts only if it stands between spaces.
  package var isSingleWord = false
}

/// The added tokens of a tokenizer, and the cutting of text at them.
struct AddedTokens: Sendable {
  enum Segment: Equatable {
    case text(String)
    case token(AddedToken)
  }

  /// A trie over UTF-8 bytes: equality of `String` would take different encodings of an accent for the same.
  private struct Node {
    var next: [UInt8: Int] = [:]
    var token: AddedToken?
  }

  private var nodes = [Node()]

  /// Of tokens with equal content the last one counts; empty ones are left out.
  init(_ tokens: some Sequence<AddedToken>) {
    for token in tokens where !token.content.isEmpty {
      var node = 0
      for byte in token.content.utf8 {
        if let next = nodes[node].next[byte] {
          node = next
        } else {
          nodes[node].next[byte] = nodes.count
          node = nodes.count
          nodes.append(Node())
        }
      }
      nodes[node].token = token
    }
  }

  /// The added token with this content.
  subscript(content: some Collection<UInt8>) -> AddedToken? {
    var node = 0
    for byte in content {
      guard let next = nodes[node].next[byte] else { return nil }
      node = next
    }
    return nodes[node].token
  }

  /// Cuts `text` at the leftmost longest tokens and applies their stripping; empty segments are left out.
  func segments(of text: String) -> [Segment] {
    var parts = cut(Array(text.utf8))
    // In order and in place, since what one token strips the next one sees stripped.
    for index in parts.indices {
      guard let token = self[parts[index]] else { continue }
      let left = index > 0 ? parts[index - 1] : []
      let right = index + 1 < parts.count ? parts[index + 1] : []
      if token.stripsRight, !right.isEmpty { parts[index + 1] = Self.withoutLeadingSpace(right) }
      if token.stripsLeft, !left.isEmpty { parts[index - 1] = Self.withoutTrailingSpace(left) }
      guard token.isSingleWord else { continue }
      if let last = left.last, last != UInt8(ascii: " ") {
        parts[index - 1] += parts[index]
        parts[index] = []
      } else if let first = right.first, first != UInt8(ascii: " ") {
        parts[index + 1] = parts[index] + parts[index + 1]
        parts[index] = []
      }
    }
    return parts.filter { !$0.isEmpty }.map { part in
      self[part].map { .token($0) } ?? .text(String(decoding: part, as: UTF8.self))
    }
  }

  private func cut(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = 0
    var position = 0
    while position < text.count {
      let length = longestToken(at: position, in: text)
      if length > 0 {
        if start < position { parts.append(text[start..<position]) }
        parts.append(text[position..<position + length])
        position += length
        start = position
      } else {
        position += 1
      }
    }
    if start < text.count { parts.append(text[start...]) }
    return parts
  }

  /// Length of the longest token that starts at `position`; 0 if there is none.
  private func longestToken(at position: Int, in text: [UInt8]) -> Int {
    var longest = 0
    var node = 0
    for index in position..<text.count {
      guard let next = nodes[node].next[text[index]] else { break }
      node = next
      if nodes[node].token != nil { longest = index + 1 - position }
    }
    return longest
  }

  private static func withoutLeadingSpace(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let text = String(decoding: bytes, as: UTF8.self).unicodeScalars
    return ArraySlice(String(text.drop(while: isSpace)).utf8)
  }

  private static func withoutTrailingSpace(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = String(decoding: bytes, as: UTF8.self).unicodeScalars
    while let last = text.last, isSpace(last) { text.removeLast() }
    return ArraySlice(String(text).utf8)
  }

  /// White space as the published tokenizers' language has it: Unicode's and four separators of ASCII.
  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
  }
}
