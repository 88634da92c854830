import Checkpoints
import Foundation
import Runtime

/// A question to a judge: text and pictures or videos in the order in which they are shown.
struct JudgeQuestion: Sendable {
  enum Part: Sendable {
    case text(String)
    case media(type: String, data: Data)
  }

  let parts: [Part]
}

/// What a service said, as far as it could be understood.
struct JudgeReply: Sendable, Equatable {
  /// Nil if the answer has not the form of the dialect.
  let text: String?
  let inputTokens: Int
  let outputTokens: Int
}

extension JudgeSettings {
  /// Where requests go, and the headers that carry the key.
  func target(key: String?) -> (url: URL, headers: [String: String])? {
    let base = address.hasSuffix("/") ? String(address.dropLast()) : address
    switch dialect {
    case .openAI:
      return URL(string: "\(base)/chat/completions").map { ($0, key.map { ["Authorization": "Bearer \($0)"] } ?? [:]) }
    case .gemini:
      guard let model = model.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) else { return nil }
      return URL(string: "\(base)/models/\(model):generateContent").map {
        ($0, key.map { ["x-goog-api-key": $0] } ?? [:])
      }
    }
  }

  /// The body of a request; the same question gives the same bytes.
  func body(_ question: JudgeQuestion) throws -> Data {
    let value: [String: Any]
    switch dialect {
    case .openAI:
      let content: [[String: Any]] = question.parts.map { part in
        switch part {
        case .text(let text): ["type": "text", "text": text]
        case .media(let type, let data):
          type.hasPrefix("video/")
            ? ["type": "video_url", "video_url": ["url": Self.dataAddress(type, data)]]
            : ["type": "image_url", "image_url": ["url": Self.dataAddress(type, data)]]
        }
      }
      var request: [String: Any] = ["model": model, "messages": [["role": "user", "content": content]]]
      request["temperature"] = temperature
      value = request
    case .gemini:
      let parts: [[String: Any]] = question.parts.map { part in
        switch part {
        case .text(let text): ["text": text]
        case .media(let type, let data): ["inline_data": ["mime_type": type, "data": data.base64EncodedString()]]
        }
      }
      var request: [String: Any] = ["contents": [["role": "user", "parts": parts]]]
      if let temperature { request["generationConfig"] = ["temperature": temperature] }
      value = request
    }
    return try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes])
  }

  private static func dataAddress(_ type: String, _ data: Data) -> String {
    "data:\(type);base64,\(data.base64EncodedString())"
  }

  /// Reads the body of an answer.
  func reply(_ body: Data) -> JudgeReply {
    guard let answer = JSONValue(parsing: body) else { return JudgeReply(text: nil, inputTokens: 0, outputTokens: 0) }
    switch dialect {
    case .openAI:
      let content = answer["choices"]?.array?.first?["message"]?["content"]
      let parts = content?.array?.compactMap { $0["text"]?.string }.joined()
      return JudgeReply(
        text: content?.string ?? parts, inputTokens: answer["usage"]?["prompt_tokens"]?.int ?? 0,
        outputTokens: answer["usage"]?["completion_tokens"]?.int ?? 0)
    case .gemini:
      let parts = answer["candidates"]?.array?.first?["content"]?["parts"]?.array
      // Thoughts are no part of the answer.
      let texts = parts?.filter { $0["thought"]?.bool != true }.compactMap { $0["text"]?.string }
      let usage = answer["usageMetadata"]
      return JudgeReply(
        text: texts?.joined(), inputTokens: usage?["promptTokenCount"]?.int ?? 0,
        outputTokens: (usage?["candidatesTokenCount"]?.int ?? 0) + (usage?["thoughtsTokenCount"]?.int ?? 0))
    }
  }
}
