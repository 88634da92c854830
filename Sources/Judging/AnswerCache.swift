import Checkpoints
import Evaluation
import Foundation
import Runtime

/// Answers that were received, one file each: nothing that was answered is asked again.
///
/// An answer is on disk, synced, before anything is made of it. A request that was under way when the program was killed
/// has no file and is sent again, with the same `Idempotency-Key`, by which services can tell that it is the same.
struct AnswerCache: Sendable {
  struct Entry: Codable, Equatable, Sendable {
    /// Row of the sample, for readers of the file.
    let row: Int
    let status: Int
    /// The answer's body, with keys taken out.
    let body: String
  }

  private let directory: String

  /// Makes the folder if it is not there.
  init(directory: String) throws {
    try Folder.make(directory)
    self.directory = directory
  }

  /// - Parameters:
  ///   - request: digest of everything that decides the answer.
  ///   - attempt: from 0 on; a failed answer is followed by another attempt.
  func entry(_ request: String, attempt: Int) -> Entry? {
    try? ConfigFile(path: path(request, attempt), maximumByteCount: 64 << 20).decode(Entry.self)
  }

  func store(_ entry: Entry, _ request: String, attempt: Int) throws {
    try AtomicFile.write(try JSONText.encode(entry), to: path(request, attempt))
  }

  /// Keeps what was asked beside the answers, media by their digests only.
  func store(_ question: JudgeQuestion, _ settings: JudgeSettings, row: Int, _ request: String) throws {
    struct Asked: Encodable {
      let row: Int
      let address: String
      let model: String
      let parts: [String]
    }
    let parts = question.parts.map { part in
      switch part {
      case .text(let text): text
      case .media(let type, let data): "\(type), \(data.count) bytes, sha256 \(ContentDigest.of(data))"
      }
    }
    let asked = Asked(row: row, address: settings.address, model: settings.model, parts: parts)
    try AtomicFile.write(try JSONText.encode(asked), to: "\(directory)/\(request).request.json")
  }

  private func path(_ request: String, _ attempt: Int) -> String { "\(directory)/\(request).answer-\(attempt).json" }
}

extension ContentDigest {
  static func of(_ data: Data) -> ContentDigest {
    var hasher = ContentHasher()
    data.withUnsafeBytes { hasher.update($0) }
    return hasher.finish()
  }
}
