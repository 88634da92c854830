import Checkpoints
import Encoders
import Foundation
import Media
import Runtime
import Tokenizers

/// A directory with the weight files of the metrics; each may be missing.
package struct WeightDirectory: Sendable {
  package let path: String

  /// Throws `FileFailure` unless `path` is a directory.
  package init(path: String) throws(FileFailure) {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw FileFailure(path: path, action: "find the metrics' weights here", code: ENOENT)
    }
    guard isDirectory.boolValue else {
      throw FileFailure(path: path, action: "find the metrics' weights here", code: ENOTDIR)
    }
    self.path = path
  }

  /// The file that is there under one of its names.
  package func file(_ weights: PublishedWeights) -> String? {
    weights.names.lazy.map { "\(path)/\($0)" }.first(where: FileManager.default.fileExists(atPath:))
  }

  /// What checking one file found.
  package enum Finding: Sendable, Equatable {
    case absent
    /// It opens and holds exactly the tensors that the network needs.
    case usable(file: String, digest: Digest)
    case unusable(file: String, why: String)

    package enum Digest: Sendable, Equatable {
      /// It is the published file.
      case published
      /// Another file than the published one: a conversion, or another edition.
      case other(String)
      /// Nothing is stated to compare with.
      case unstated(String)
    }
  }

  /// Reads a file as its metric would, and compares its digest or size with what is stated.
  ///
  /// A published name with other contents than published is unusable: a damaged download can still open.
  package func check(_ weights: PublishedWeights) throws -> Finding {
    guard let file = file(weights) else { return .absent }
    do {
      let isPublishedName = file == "\(path)/\(weights.publishedName)"
      let size = try RegularFile(path: file).size
      if isPublishedName, let expected = weights.byteCount, size != expected {
        return .unusable(file: file, why: "it has \(size) bytes, the published file has \(expected)")
      }
      let digest = try ContentDigest(ofFile: file).description
      if isPublishedName, let expected = weights.digest, digest != expected {
        return .unusable(
          file: file, why: "its SHA-256 is \(digest), that of the published file \(expected); download it again")
      }
      try load(weights, from: file)
      let isPublished = weights.digest == digest || weights.digestOfCopies == digest
      return .usable(
        file: file, digest: isPublished ? .published : weights.digest == nil ? .unstated(digest) : .other(digest))
    } catch let failure as Interrupted {
      throw failure
    } catch let failure as any Failure {
      return .unusable(file: file, why: failure.message)
    }
  }

  private func load(_ weights: PublishedWeights, from file: String) throws {
    switch weights {
    case .clipBase, .clipLarge: _ = try CLIPModel(file: file)
    case .aestheticHead: _ = try AestheticHead(file: file)
    case .raft: _ = try RAFT(file: file)
    case .amt: _ = try AMT(file: file)
    case .clipMerges: _ = try CLIPTokenizer(directory: path)
    }
  }
}

/// Rewrites a file of weights as safetensors, tensor by tensor under the same names.
package enum WeightConversion {
  /// Reads whichever format `source` has, without running anything of it, and writes `target`.
  ///
  /// - Returns: the number of tensors.
  /// Throws the reader's errors and `FileFailure`.
  @discardableResult
  package static func convert(_ source: String, to target: String) throws -> Int {
    let store = try WeightStore(anyFile: source)
    let tensors = try store.names.map { (name: $0, tensor: try store.tensor(named: $0)) }
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: target)
    return tensors.count
  }
}
