/// Turns a prompt into the token ids that a text encoder reads.
package protocol PromptTokenizer: Sendable {
  /// Closes each sequence.
  var endID: Int32 { get }
  /// Fills sequences up to a common length.
  var padID: Int32 { get }
  /// Whether a sequence that ends with `endID` by itself, because the prompt spells it out, gets no second one.
  var reusesEnd: Bool { get }

  /// The ids of the tokens of `text`, without the closing one.
  func ids(of text: String) throws(TokenizerError) -> [Int32]
}

/// A sequence of exactly the length that an encoder reads.
package struct EncodedPrompt: Sendable, Equatable {
  package let ids: [Int32]
  /// 1 where `ids` has a token of the prompt or the closing one, 0 at padding.
  package let attentionMask: [UInt8]
  /// Tokens at the end of the prompt for which there was no room; callers tell the user if there are any.
  package let droppedCount: Int
}

extension PromptTokenizer {
  /// The tokens of `text` with the closing one, cut and padded at the end to `maxLength`, which must be positive.
  package func encode(_ text: String, maxLength: Int) throws(TokenizerError) -> EncodedPrompt {
    precondition(maxLength > 0, "no room for the closing token")
    let tokens = try ids(of: text)
    // The closing token is counted even where it is reused, as the published tokenizers do.
    let kept = closed(tokens.prefix(maxLength - 1))
    let padding = maxLength - kept.count
    return EncodedPrompt(
      ids: kept + Array(repeating: padID, count: padding),
      attentionMask: Array(repeating: 1, count: kept.count) + Array(repeating: 0, count: padding),
      droppedCount: max(0, tokens.count - (maxLength - 1)))
  }

  /// The tokens of `text` with the closing one, however many they are.
  package func encodeUnpadded(_ text: String) throws(TokenizerError) -> [Int32] {
    closed(try ids(of: text)[...])
  }

  private func closed(_ tokens: ArraySlice<Int32>) -> [Int32] {
    reusesEnd && tokens.last == endID ? Array(tokens) : tokens + [endID]
  }
}
