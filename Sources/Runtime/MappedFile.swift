import Foundation

/// A regular file mapped read-only into memory; unmapped when the last reference goes.
///
/// Pages are read from disk on first touch and may be dropped and read again at any time, so weights larger than memory
/// stay usable. The size is taken once, when the file is opened: a file that shrinks afterwards is reported by
/// `checkUnchanged`, because touching its lost pages would end the process.
package final class MappedFile: @unchecked Sendable {
  // Sound to share: the mapping is read-only and all members are constant after init.
  /// Valid while somebody holds the file: for owners that keep it together with what they take from here. Who only reads
  /// takes `withBytes`.
  package let bytes: UnsafeRawBufferPointer
  private let file: RegularFile

  package var path: String { file.path }

  package init(path: String) throws(FileFailure) {
    file = try RegularFile(path: path)
    guard file.size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0), base != MAP_FAILED else {
      throw FileFailure(path: path, action: "map")
    }
    bytes = UnsafeRawBufferPointer(start: base, count: file.size)
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }

  package var byteCount: Int { bytes.count }

  /// Lends the contents, which must not leave `body`.
  package func withBytes<Result, Problem: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
  ) throws(Problem) -> Result {
    // Without it a file whose last use is this call could be unmapped while it is read.
    defer { withExtendedLifetime(self) {} }
    return try body(bytes)
  }

  package enum Advice: Sendable {
    /// The range will be read soon: start reading it from disk.
    case willNeed
    /// The range is not needed for now: its pages may leave memory.
    case notNeeded
  }

  /// Tells the kernel about the coming use of a byte range; never changes contents.
  package func advise(_ advice: Advice, _ range: Range<Int>) {
    guard let base = bytes.baseAddress, !range.isEmpty else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    // Whole pages only: a page shared with a neighbouring tensor stays when pages are given back.
    let lower = advice == .willNeed ? range.lowerBound / page * page : (range.lowerBound + page - 1) / page * page
    let upper = advice == .willNeed ? range.upperBound : range.upperBound / page * page
    guard lower < upper else { return }
    madvise(
      UnsafeMutableRawPointer(mutating: base + lower), upper - lower,
      advice == .willNeed ? MADV_WILLNEED : MADV_DONTNEED)
  }

  /// Throws if the file was truncated or rewritten in place since it was opened.
  package func checkUnchanged() throws(FileFailure) { try file.checkUnchanged() }
}
