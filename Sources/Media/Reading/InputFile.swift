import CFFmpeg
import Foundation
import Runtime

/// A local regular file that is read at given offsets, up to the size it had when it was opened.
///
/// FFmpeg never sees its name: so no part of a name can mean a protocol, a pattern or an option.
final class InputFile: Sendable {
  private let file: RegularFile

  /// For messages; bytes of the name that are not UTF-8 are replaced.
  var path: String { file.path }
  var size: Int { file.size }

  init(path bytes: [UInt8]) throws(FileFailure) { file = try RegularFile(pathBytes: bytes) }

  /// Reads at most `buffer.count` bytes at `offset`; fewer only at the end of the file.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileFailure) -> Int {
    var done = 0
    let wanted = min(buffer.count, max(size - offset, 0))
    while done < wanted {
      let count = pread(file.descriptor, buffer.baseAddress! + done, wanted - done, off_t(offset + done))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw FileFailure(path: path, action: "read")
      }
      done += count
    }
    return done
  }

  /// At most `count` bytes at `offset`; fewer only at the end of the file.
  func bytes(at offset: Int, count: Int) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    let done = try result.withUnsafeMutableBytes { try read(at: offset, into: $0) }
    return Array(result.prefix(done))
  }

  /// Throws if the file grew, shrank or was rewritten since it was opened.
  func checkUnchanged() throws(FileFailure) { try file.checkUnchanged() }
}

/// When a pass over a file has to stop early: its time is over, or the user asked the program to end.
final class StopCondition {
  private let path: String
  private let limit: Duration
  private let deadline: ContinuousClock.Instant

  init(path: String, limit: Duration) {
    self.path = path
    self.limit = limit
    deadline = .now + limit
  }

  var isReached: Bool { Interruption.isRequested || ContinuousClock.now >= deadline }

  func check() throws {
    try Interruption.check()
    if ContinuousClock.now >= deadline { throw MediaFailure.tooSlow(path: path, limit: limit) }
  }
}

/// Lets FFmpeg read an `InputFile` through callbacks; owns the `AVIOContext`.
final class InputContext {
  let file: InputFile
  let stop: StopCondition
  /// The failure of the operating system that made a read fail.
  private(set) var failure: FileFailure?
  private(set) var pointer: UnsafeMutablePointer<AVIOContext>?
  private var position = 0

  init(_ file: InputFile, stop: StopCondition) throws(MediaFailure) {
    self.file = file
    self.stop = stop
    let size = 1 << 16
    guard let buffer = av_malloc(size) else { throw .outOfMemory(path: file.path) }
    // Unretained: the context does not outlive this object.
    pointer = vap_io_context(
      buffer.assumingMemoryBound(to: UInt8.self), Int32(size), 0, Unmanaged.passUnretained(self).toOpaque(),
      { opaque, buffer, count in
        guard let opaque, let buffer, count > 0 else { return vap_error_io }
        let target = UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))
        return Unmanaged<InputContext>.fromOpaque(opaque).takeUnretainedValue().read(into: target)
      }, nil,
      { opaque, offset, whence in
        guard let opaque else { return Int64(vap_error_io) }
        return Unmanaged<InputContext>.fromOpaque(opaque).takeUnretainedValue().seek(to: offset, whence)
      })
    guard pointer != nil else {
      av_free(buffer)
      throw .outOfMemory(path: file.path)
    }
  }

  deinit {
    guard pointer != nil else { return }
    av_free(pointer?.pointee.buffer)
    avio_context_free(&pointer)
  }

  private func read(into target: UnsafeMutableRawBufferPointer) -> Int32 {
    if stop.isReached { return vap_error_exit }
    do {
      let count = try file.read(at: position, into: target)
      position += count
      return count > 0 ? Int32(count) : vap_error_end
    } catch {
      failure = error
      return -error.code
    }
  }

  private func seek(to offset: Int64, _ whence: Int32) -> Int64 {
    let base: Int
    switch whence & ~AVSEEK_FORCE {
    case AVSEEK_SIZE: return Int64(file.size)
    case SEEK_SET: base = 0
    case SEEK_CUR: base = position
    case SEEK_END: base = file.size
    default: return Int64(-EINVAL)
    }
    let (target, overflow) = base.addingReportingOverflow(Int(offset))
    guard !overflow, target >= 0 else { return Int64(-EINVAL) }
    position = target
    return Int64(target)
  }
}
