import Checkpoints
import Foundation
import Runtime
import Tensors

/// Results of frozen encoders kept in files, each under the digest of all that it depends on.
///
/// Files are safetensors, `ab/abcdef….safetensors`; they appear complete or not at all, so an interrupted run is taken
/// up where it stopped and several processes may fill one cache.
package struct LatentCache: Sendable {
  /// What a result depends on.
  package struct Key: Sendable, Hashable {
    fileprivate let digest: String

    /// - Parameters:
    ///   - kind: what is kept, such as "clip".
    ///   - parts: the source and everything that decides how it is encoded.
    package init(kind: String, parts: [String]) { digest = ContentDigest(ofParts: [kind] + parts).description }
  }

  package let directory: String

  /// Makes the folder if there is none; throws `FileFailure`.
  package init(directory: String) throws {
    self.directory = directory
    try Folder.make(directory)
  }

  package func contains(_ key: Key) -> Bool { FileManager.default.fileExists(atPath: path(of: key)) }

  /// The tensors under a key, as views of their file; nil if there are none.
  ///
  /// Throws `SafetensorsError` for a damaged file, whose message names it; it can be deleted.
  package func tensors(for key: Key) throws -> [String: Tensor]? {
    let reader: SafetensorsReader
    do {
      reader = try SafetensorsReader(path: path(of: key))
    } catch let failure as FileFailure where failure.code == ENOENT {
      return nil
    }
    return try Dictionary(uniqueKeysWithValues: reader.names.map { ($0, try reader.tensor(named: $0)) })
  }

  /// - Parameter note: kept in the file for people, such as the name of the source.
  package func store(_ tensors: [String: Tensor], for key: Key, note: [String: String] = [:]) throws {
    let path = path(of: key)
    try Folder.make(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    try SafetensorsWriter.write(
      tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, metadata: note, to: path)
  }

  /// The file of a key, whether it is there or not.
  func path(of key: Key) -> String { "\(directory)/\(key.digest.prefix(2))/\(key.digest).safetensors" }
}
