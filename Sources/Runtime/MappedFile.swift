import Foundation

/// A regular file mapped read-only into memory; unmapped when the last reference goes.
///
/// Pages are read from disk on first touch and may be dropped and read again at any time, so weights larger than memory
/// stay usable. The size is taken once, when the file is opened: a file that shrinks afterwards is reported by
/// `checkUnchanged`, because touching its lost pages would end the process.
package final class MappedFile: @unchecked Sendable {
  // Sound to share: the mapping is read-only and all members are constant after init.
  package let path: String
  package let bytes: UnsafeRawBufferPointer
  private let descriptor: Int32
  private let modified: timespec

  package init(path: String) throws(FileFailure) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "open") }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let failure = FileFailure(path: path, action: "read the size")
      close(descriptor)
      throw failure
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw FileFailure(
        path: path, action: "read it as a regular file", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    let size = Int(status.st_size)
    if size > 0 {
      guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
        let failure = FileFailure(path: path, action: "map")
        close(descriptor)
        throw failure
      }
      bytes = UnsafeRawBufferPointer(start: base, count: size)
    } else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    }
    self.path = path
    self.descriptor = descriptor
    modified = status.st_mtim
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    close(descriptor)
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
  package func checkUnchanged() throws(FileFailure) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileFailure(path: path, action: "read the size") }
    guard Int(status.st_size) == bytes.count, status.st_mtim.tv_sec == modified.tv_sec,
      status.st_mtim.tv_nsec == modified.tv_nsec
    else { throw FileFailure(path: path, action: "go on reading: it was changed while in use", code: ESTALE) }
  }
}
