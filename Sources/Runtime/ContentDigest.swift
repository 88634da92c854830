import CCrypto
import Foundation

/// A SHA-256 digest: equal digests mean equal contents.
package struct ContentDigest: Sendable, Hashable, CustomStringConvertible {
  /// 32 bytes.
  package let bytes: [UInt8]

  fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

  /// 64 hexadecimal digits in lower case.
  package var description: String {
    bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
  }

  package init(of text: String) {
    var hasher = ContentHasher()
    hasher.update(text)
    self = hasher.finish()
  }

  /// The digest of several texts; unlike that of their concatenation it depends on where one ends.
  package init(ofParts parts: [String]) {
    var hasher = ContentHasher()
    for part in parts {
      hasher.update("\(part.utf8.count):")
      hasher.update(part)
    }
    self = hasher.finish()
  }

  /// The digest of a whole file; throws `FileFailure`.
  package init(ofFile path: String) throws {
    let file = try RegularFile(path: path)
    var hasher = ContentHasher()
    try file.forEachChunk(of: 0..<file.size) { hasher.update($0) }
    self = hasher.finish()
  }

  /// A digest of names, sizes and samples of all files directly in a folder: up to 64 blocks of 4096 bytes of each,
  /// evenly spread from first to last byte.
  ///
  /// For weights of many gigabytes, which any training changes everywhere. Files of up to 256 KiB count completely.
  package init(samplingFilesIn directory: String) throws {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch {
      throw FileFailure(path: directory, action: "list its files", code: ENOENT)
    }
    let (block, count) = (4096, 64)
    var hasher = ContentHasher()
    for name in names.sorted() {
      let path = "\(directory)/\(name)"
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue else {
        continue
      }
      let file = try RegularFile(path: path)
      hasher.update("\(name):\(file.size):")
      guard file.size > block * count else {
        try file.forEachChunk(of: 0..<file.size) { hasher.update($0) }
        continue
      }
      for index in 0..<count {
        let start = (file.size - block) * index / (count - 1)
        try file.forEachChunk(of: start..<start + block) { hasher.update($0) }
      }
    }
    self = hasher.finish()
  }
}

/// Computes a digest piece by piece.
package struct ContentHasher: ~Copyable {
  private let context: OpaquePointer

  package init() {
    // The library only fails here without memory, or if SHA-256 is switched off for the whole system.
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto offers no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    precondition(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "SHA-256 of \(bytes.count) bytes")
  }

  package mutating func update(_ text: String) {
    var text = text
    text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
  }

  /// The digest of all bytes so far; call once.
  package mutating func finish() -> ContentDigest {
    let bytes = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      precondition(EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1, "SHA-256 result")
      count = 32
    }
    return ContentDigest(bytes: bytes)
  }
}

extension RegularFile {
  /// Reads a range of bytes piece by piece; throws if the file ends before it does.
  package func forEachChunk(of range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let capacity = min(1 << 18, max(range.count, 1))
    try withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 16) { buffer in
      var offset = range.lowerBound
      while offset < range.upperBound {
        let count = pread(descriptor, buffer.baseAddress, min(capacity, range.upperBound - offset), off_t(offset))
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw FileFailure(path: path, action: "read") }
        guard count > 0 else { throw FileFailure(path: path, action: "go on reading: it was cut", code: ESTALE) }
        try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        offset += count
      }
    }
  }
}
