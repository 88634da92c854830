import Runtime

/// A block of bytes that tensors share: owned memory, or a range of a mapped file.
package final class Storage: @unchecked Sendable {
  // Sound to share: contents are written only by the kernel that fills a fresh storage, before anyone else sees it.
  package let bytes: UnsafeMutableRawBufferPointer
  private let owner: Owner

  private enum Owner {
    case pool(capacity: Int)
    case mapping(MappedFile, Range<Int>)
  }

  /// Uninitialised memory, aligned for vectors.
  package init(byteCount: Int) {
    let block = BufferPool.shared.take(byteCount)
    bytes = UnsafeMutableRawBufferPointer(start: block.baseAddress, count: byteCount)
    owner = .pool(capacity: block.count)
  }

  /// A read-only range of a mapped file.
  package init(mapping file: MappedFile, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= file.bytes.count, "range outside of the file")
    bytes = UnsafeMutableRawBufferPointer(
      start: file.bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + range.lowerBound) },
      count: range.count)
    owner = .mapping(file, range)
  }

  deinit {
    if case .pool(let capacity) = owner {
      BufferPool.shared.give(UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: capacity))
    }
  }

  package var isMapped: Bool { if case .mapping = owner { true } else { false } }

  /// Passes paging advice to a mapped file; owned memory ignores it.
  package func advise(_ advice: MappedFile.Advice) {
    if case .mapping(let file, let range) = owner { file.advise(advice, range) }
  }
}
